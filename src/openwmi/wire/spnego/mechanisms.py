"""What SPNEGO negotiates: names of mechanisms, and what it needs of one."""

from __future__ import annotations

from typing import Any, Final, Protocol

from openwmi.wire.buffers import Reader
from openwmi.wire.errors import LocalProtocolError
from openwmi.wire.rpc.constants import AuthType
from openwmi.wire.rpc.security import SecurityContext
from openwmi.wire.spnego import der

KERBEROS: Final = bytes.fromhex("2a864886f712010202")  # 1.2.840.113554.1.2.2
KERBEROS_MICROSOFT: Final = bytes.fromhex("2a864882f712010202")  # 1.2.840.48018.1.2.2, the same protocol
NTLM: Final = bytes.fromhex("2b06010401823702020a")  # 1.3.6.1.4.1.311.2.2.10


class Mechanism(SecurityContext, Protocol):
    """A security context that can be negotiated for."""

    def mic(self, data: bytes) -> bytes:
        """A signature of the list of mechanisms."""
        ...

    def check_mic(self, data: bytes, token: bytes) -> None:
        """Raises AuthenticationFailed when the peer's signature does not fit."""
        ...

    def restart(self, *, outgoing: bool) -> None:
        """A MIC went that way: NTLM begins its cipher anew after it ([MS-SPNG] 3.3.5.1), Kerberos just goes on."""
        ...


def without_frame(token: bytes) -> bytes:
    """A Kerberos token without the frame of RFC 2743 3.1, which MIT's library refuses around DCE-style AP-REQs."""
    if not token.startswith(b"\x60"):
        return token
    inner = der.expect(Reader(token, "RFC 2743 3.1"), der.APPLICATION_0)
    der.expect(inner, der.OBJECT_IDENTIFIER)
    inner.skip(2)
    return inner.rest()


class Negotiated:
    """What both roles are once a mechanism is chosen: that mechanism, under SPNEGO's own number."""

    auth_type: int = AuthType.SPNEGO

    def __init__(self) -> None:
        self._chosen: Mechanism | None = None
        self._done = False
        self._mic_sent = False
        self._mic_seen = False

    @property
    def chosen(self) -> Mechanism:
        if self._chosen is None:
            raise LocalProtocolError("no mechanism is chosen", "RFC 4178")
        return self._chosen

    @property
    def complete(self) -> bool:
        return self._done

    @property
    def identity(self) -> Any:
        return self.chosen.identity if self._done else None

    def token_size(self, *, seal: bool) -> int:
        return self.chosen.token_size(seal=seal)

    def wrap(
        self, head: bytes, stub: bytes, end: bytes, *, seal: bool, sign_head: bool
    ) -> tuple[bytes, bytes]:
        return self.chosen.wrap(head, stub, end, seal=seal, sign_head=sign_head)

    def unwrap(
        self, head: bytes, stub: bytes, end: bytes, token: bytes, *, sealed: bool, sign_head: bool
    ) -> bytes:
        return self.chosen.unwrap(head, stub, end, token, sealed=sealed, sign_head=sign_head)

    def _make_mic(self, listed: bytes) -> bytes:
        token = self.chosen.mic(listed)
        self.chosen.restart(outgoing=True)
        self._mic_sent = True
        return token

    def _see_mic(self, listed: bytes, token: bytes) -> None:
        self.chosen.check_mic(listed, token)
        self.chosen.restart(outgoing=False)
        self._mic_seen = True
