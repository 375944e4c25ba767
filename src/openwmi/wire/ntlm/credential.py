"""Who logs on with NTLM, and the secret that proves it."""

from __future__ import annotations

from openwmi.wire.errors import LocalProtocolError
from openwmi.wire.ntlm.keys import nt_hash


class Credential:
    """A user of a domain and the NT hash of the password. Prints without it."""

    __slots__ = ("_hashed", "domain", "user")

    def __init__(
        self, user: str, *, domain: str = "", password: str | None = None, hashed: bytes | None = None
    ) -> None:
        if (password is None) == (hashed is None):
            raise LocalProtocolError("a credential is a password or an NT hash, one of them")
        self.user = user
        self.domain = domain
        self._hashed = nt_hash(password) if password is not None else bytes(hashed or b"")
        if len(self._hashed) != 16:
            raise LocalProtocolError("an NT hash has 16 bytes", "[MS-NLMP] 3.3.1")

    def __repr__(self) -> str:
        return f"Credential({self.user!r}, domain={self.domain!r})"

    @property
    def hashed(self) -> bytes:
        """The NT hash."""
        return self._hashed
