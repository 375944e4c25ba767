"""What a connection tells its owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from uuid import UUID

    from openwmi.wire.errors import RemoteProtocolError
    from openwmi.wire.rpc.syntax import SyntaxId


@dataclass(frozen=True, slots=True)
class Bound:
    """Client and server: a bind or an alter_context is done, its handshake included (`alter` tells which).

    accepted: presentation contexts by number; rejected: number -> (result, reason).
    """

    accepted: dict[int, SyntaxId]
    rejected: dict[int, tuple[int, int]]
    alter: bool = False
    call_id: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """Client: a bind (bind_nak: reason) or an alter_context (fault: status) was refused."""

    reason: int
    alter: bool = False
    call_id: int = 0


@dataclass(frozen=True, slots=True)
class Established:
    """A security context is complete; identity: who the peer is, on the accepting side."""

    security_id: int
    level: int
    identity: Any


@dataclass(frozen=True, slots=True)
class AuthenticationRefused:
    """Server: a handshake failed. The peer hears of it in a bind_nak, a fault, or at its first request."""

    security_id: int
    error: RemoteProtocolError


class RequestReceived(NamedTuple):
    """Server: a whole call. level, identity: how it was protected and for whom; NONE and None without protection."""

    call_id: int
    context_id: int
    interface: SyntaxId
    opnum: int
    object: UUID | None
    stub: bytes
    level: int
    identity: Any
    maybe: bool = False


class ResponseReceived(NamedTuple):
    """Client: a whole answer."""

    call_id: int
    stub: bytes


@dataclass(frozen=True, slots=True)
class FaultReceived:
    """Client: a call failed. executed: False when the server says that nothing ran; protected: under its signature."""

    call_id: int
    status: int
    executed: bool
    protected: bool


@dataclass(frozen=True, slots=True)
class CallCancelled:
    """Server: the client would rather not wait for the answer, which it still gets."""

    call_id: int


@dataclass(frozen=True, slots=True)
class CallOrphaned:
    """Server: the client gave the call up; no answer is wanted, and none may be sent."""

    call_id: int


@dataclass(frozen=True, slots=True)
class ShutdownReceived:
    """Client: the server asks for the connection to be closed when its calls are done."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The peer broke the protocol: the last event there is. Send what is left to send, then close."""

    error: RemoteProtocolError


Event = (
    Bound
    | Refused
    | Established
    | AuthenticationRefused
    | RequestReceived
    | ResponseReceived
    | FaultReceived
    | CallCancelled
    | CallOrphaned
    | ShutdownReceived
    | Broken
)
