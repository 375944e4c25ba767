"""What a security provider offers to RPC, and how PDUs of calls are protected with it.

[MS-RPCE] 2.2.2.11, 2.2.2.12, 3.3.1.5.2; wire.md 3. One `Security` per auth_context_id, each with its own keys and
sequence numbers; they must see PDUs in the order in which those travel.
"""

from __future__ import annotations

from typing import Any, Final, Protocol, TypeAlias

from openwmi.wire.errors import AuthenticationFailed, LocalProtocolError, PeerMisbehaved
from openwmi.wire.rpc.calls import Fault, Request, Response
from openwmi.wire.rpc.constants import AuthLevel
from openwmi.wire.rpc.frame import TRAILER_SIZE, Frame, Verifier, trailer

_PAD_TO: Final = 16
CallPdu: TypeAlias = Request | Response | Fault


class SecurityContext(Protocol):
    """One side of a security context: NTLM, SPNEGO, or Kerberos outside this room."""

    @property
    def auth_type(self) -> int: ...

    @property
    def complete(self) -> bool:
        """Whether the handshake is over and messages can be protected."""
        ...

    @property
    def identity(self) -> Any:
        """Who the peer is, once complete; None on the initiating side."""
        ...

    def step(self, token: bytes) -> bytes:
        """Take the peer's token (b"" to begin) and give ours (b"" for none). Raises AuthenticationFailed."""
        ...

    def token_size(self, *, seal: bool) -> int:
        """Bytes of the token of a sealed, or of a signed message; the same for every message."""
        ...

    def wrap(
        self, head: bytes, stub: bytes, end: bytes, *, seal: bool, sign_head: bool
    ) -> tuple[bytes, bytes]:
        """(stub, sealed if asked; token). Head and end (the trailer) are signed, never sealed."""
        ...

    def unwrap(
        self, head: bytes, stub: bytes, end: bytes, token: bytes, *, sealed: bool, sign_head: bool
    ) -> bytes:
        """The stub in the clear. Raises AuthenticationFailed when the token does not fit."""
        ...


class Security:
    """A security context as a connection uses it: with its number, its level, and whether it failed."""

    __slots__ = ("context", "context_id", "failed", "level", "seals", "sign_head", "signs")

    def __init__(
        self, context_id: int, level: int, context: SecurityContext, *, sign_head: bool = False
    ) -> None:
        self.context_id = context_id
        self.level = level
        self.context = context
        self.failed = False
        # Whether PDUs of calls carry a token, and hide their stubs; at CONNECT the handshake is all there is.
        self.signs = level > AuthLevel.CONNECT
        self.seals = level >= AuthLevel.PRIVACY
        # Header signing is agreed for each context by itself: Windows asks for it at level 6 and not at level 4
        # of the same connection.
        self.sign_head = sign_head

    def verifier(self, token: bytes) -> Verifier:
        return Verifier(self.context.auth_type, self.level, self.context_id, token)

    def overhead(self) -> int:
        return TRAILER_SIZE + self.context.token_size(seal=self.seals) if self.signs else 0

    def protect(self, pdu: CallPdu, flags: int, call_id: int, stub: bytes, hint: int) -> bytes:
        """A whole fragment around a stub: head, stub, pad, trailer, token."""
        if not self.context.complete or self.failed:
            raise LocalProtocolError(f"security context {self.context_id} is not established")
        seal = self.seals
        size = self.context.token_size(seal=seal)
        pad = -len(stub) % _PAD_TO
        length = pdu.head_size + len(stub) + pad + TRAILER_SIZE + size
        head = pdu.head(flags, length, size, call_id, hint)
        end = trailer(self.context.auth_type, self.level, pad, self.context_id)
        stub, token = self.context.wrap(
            head, stub + bytes(pad) if pad else stub, end, seal=seal, sign_head=self.sign_head
        )
        if len(token) != size:
            raise LocalProtocolError(f"a token of {len(token)} bytes where {size} were announced")
        return b"".join((head, stub, end, token))

    def unprotect(self, frame: Frame, stub_start: int) -> bytes:
        """The stub of a fragment, checked, in the clear, without its pad."""
        verifier = frame.verifier
        if verifier is None or verifier.auth_type != self.context.auth_type or verifier.level != self.level:
            raise AuthenticationFailed("a message below the level that was agreed", "[MS-RPCE] 3.3.1.5.2")
        if not self.context.complete or self.failed:
            raise AuthenticationFailed("a message under a handshake that is not over", "[MS-RPCE] 3.3.1.5.2")
        end, data = frame.body_end, frame.data
        if verifier.pad > end - stub_start:
            raise PeerMisbehaved(
                f"{verifier.pad} pad bytes in a stub of {end - stub_start}", "[MS-RPCE] 2.2.2.11"
            )
        stub = self.context.unwrap(
            data[:stub_start],
            data[stub_start:end],
            data[end : end + TRAILER_SIZE],
            verifier.token,
            sealed=self.seals,
            sign_head=self.sign_head,
        )
        return stub[: len(stub) - verifier.pad] if verifier.pad else stub


def unprotected(frame: Frame, stub_start: int) -> bytes:
    """The stub of a fragment that nobody protects; a verifier at level NONE or CONNECT is not looked at."""
    pad = frame.verifier.pad if frame.verifier else 0
    if pad > frame.body_end - stub_start:
        raise PeerMisbehaved(
            f"{pad} pad bytes in a stub of {frame.body_end - stub_start}", "[MS-RPCE] 2.2.2.11"
        )
    return frame.data[stub_start : frame.body_end - pad]
