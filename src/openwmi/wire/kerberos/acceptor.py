"""The server's side of a Kerberos handshake: AP-REQ in, AP-REP out, the client's AP-REP in ([MS-KILE] 3.4.5.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from openwmi.wire.errors import AuthenticationFailed, LocalProtocolError
from openwmi.wire.kerberos.context import KerberosContext
from openwmi.wire.kerberos.gss import library
from openwmi.wire.spnego.mechanisms import without_frame

if TYPE_CHECKING:
    from openwmi.wire.kerberos.credential import ServiceKeys

_LARGEST: Final = 0x10000
_CLAUSE: Final = "RFC 4120 3.2"

# The client's principal, `name@REALM` -> who that is here, or None.
Principals = Callable[[str], Any]


class Acceptor(KerberosContext):
    """Finds out who logs on."""

    def __init__(self, keys: ServiceKeys, principals: Principals) -> None:
        super().__init__()
        self._principals = principals
        self._keys = keys  # the library reads them for every token
        self._context = library().SecurityContext(creds=keys.held, usage="accept")

    def step(self, token: bytes) -> bytes:
        """AP-REQ gives AP-REP; the client's AP-REP gives b"", and `identity`, or AuthenticationFailed."""
        if self.complete:
            raise LocalProtocolError("the Kerberos handshake is over")
        if not token or len(token) > _LARGEST:
            raise AuthenticationFailed(f"a Kerberos token of {len(token)} bytes", _CLAUSE)
        answer = self._advance(without_frame(token), "the ticket is not accepted")
        if self._context.complete:
            self._identify(str(self._context.initiator_name))
        return answer

    @property
    def service(self) -> str:
        """Which of our principals the client has authenticated."""
        return str(self._context.target_name)

    def _identify(self, name: str) -> None:
        self.identity = self._principals(name)
        if self.identity is None:
            self._done = False
            raise AuthenticationFailed(f"{name}: no account of that name", _CLAUSE)
