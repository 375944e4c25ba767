"""What both ends of an NTLM handshake offer to RPC: the provider's face of `rpc.security.SecurityContext`."""

from __future__ import annotations

from typing import Any

from openwmi.wire.errors import LocalProtocolError
from openwmi.wire.ntlm.session import SIGNATURE_SIZE, Session
from openwmi.wire.rpc.constants import AuthType


class NtlmContext:
    """A handshake and, once it is over, its session.

    NTLM signs head and trailer of a PDU whether header signing was agreed or not (wire.md 3).
    """

    auth_type: int = AuthType.NTLM

    def __init__(self) -> None:
        self._session: Session | None = None
        self.identity: Any = None

    def __repr__(self) -> str:
        return (
            f"<{type(self).__module__}.{type(self).__name__} {'complete' if self.complete else 'under way'}>"
        )

    @property
    def complete(self) -> bool:
        return self._session is not None

    @property
    def session(self) -> Session:
        if self._session is None:
            raise LocalProtocolError("the NTLM handshake is not over")
        return self._session

    def token_size(self, *, seal: bool) -> int:
        return SIGNATURE_SIZE

    def wrap(
        self, head: bytes, stub: bytes, end: bytes, *, seal: bool, sign_head: bool
    ) -> tuple[bytes, bytes]:
        session = self.session
        return session.seal(head, stub, end) if seal else (stub, session.sign(head, stub, end))

    def unwrap(
        self, head: bytes, stub: bytes, end: bytes, token: bytes, *, sealed: bool, sign_head: bool
    ) -> bytes:
        session = self.session
        if sealed:
            return session.unseal(token, head, stub, end)
        session.verify(token, head, stub, end)
        return stub

    # What SPNEGO needs besides ([MS-SPNG] 3.3.5.1).

    def mic(self, data: bytes) -> bytes:
        return self.session.sign(data)

    def check_mic(self, data: bytes, token: bytes) -> None:
        self.session.verify(token, data)

    def restart(self, *, outgoing: bool) -> None:
        self.session.reset(outgoing=outgoing)
