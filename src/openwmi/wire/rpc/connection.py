"""What both ends of an association do alike: cutting the stream into PDUs, fragments out, states, contexts.

Bytes go in through `receive`, which gives events; calls are methods of the two roles; `take` gives the bytes to send.
Nothing here knows a socket or a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from openwmi.wire.errors import LocalProtocolError, PeerMisbehaved, RemoteProtocolError
from openwmi.wire.rpc import events
from openwmi.wire.rpc.constants import CALL_PDUS, FIRST, LAST, MUST_RECEIVE, AuthLevel, PduType
from openwmi.wire.rpc.frame import Frame, fragment_length, parse_frame
from openwmi.wire.rpc.machine import Machine, Role, State
from openwmi.wire.rpc.pdus import DECODERS
from openwmi.wire.rpc.security import CallPdu, Security, SecurityContext, unprotected

if TYPE_CHECKING:
    from openwmi.wire.rpc.limits import Limits
    from openwmi.wire.rpc.syntax import SyntaxId

Handler = Callable[[Frame, Any], None]
_CLOSED: Final = State.CLOSED  # looking a member up in its class takes longer than all else here


class Observer(Protocol):
    """Is told of every PDU: its bytes as they travel; of a call's fragment the stub in the clear, None if unread."""

    def __call__(self, data: bytes, stub: bytes | None, *, outgoing: bool) -> None: ...


class Connection:
    """One association, seen from either end.

    presentations: interfaces by presentation context; securities: security contexts by number; observer: who is told
    of every PDU, both ways.
    """

    def __init__(self, role: Role, limits: Limits) -> None:
        if not MUST_RECEIVE <= limits.fragment <= 0xFFFF:
            raise LocalProtocolError(f"fragments of {limits.fragment} bytes", "[C706] 12.6.2")
        self.limits = limits
        self.machine = Machine(role)
        self.presentations: dict[int, SyntaxId] = {}
        self.securities: dict[int, Security] = {}
        self.max_transmit = MUST_RECEIVE
        self.max_receive = limits.fragment
        self.group = 0
        self.multiplexed = False
        self.observer: Observer | None = None
        self._arrived = bytearray()
        self._leaving: list[bytes] = []
        self._events: list[events.Event] = []
        self._handlers: dict[PduType, Handler] = {}

    @property
    def closed(self) -> bool:
        return self.machine.state is _CLOSED

    @property
    def waiting(self) -> int:
        """How many bytes are kept of PDUs and calls that are not whole yet."""
        return len(self._arrived)

    @property
    def arriving(self) -> int:
        """How many bytes are here of a PDU that is not whole yet."""
        return len(self._arrived)

    @property
    def unsent(self) -> bool:
        """Whether there is something to send."""
        return bool(self._leaving)

    def take(self) -> bytes:
        """All bytes that are to be sent now, once; write them in one piece (wire.md 2.5)."""
        leaving = self._leaving
        if len(leaving) == 1:
            return leaving.pop()
        data = b"".join(leaving)
        leaving.clear()
        return data

    def receive(self, data: bytes) -> list[events.Event]:
        """Take bytes from the peer, in pieces of any size; give what they mean.

        After `Broken`, which is the last event, everything that comes is dropped.
        """
        try:
            if self._arrived:
                self._arrived += data
                self._consume(self._arrived)
            else:
                alone = self._alone(data)
                if alone is not None:
                    return [alone]
                # Nearly always the piece ends where a PDU ends: then nothing is kept, and nothing copied for it.
                self._arrived += data[self._consume(data) :]
        except RemoteProtocolError as error:
            self._broken(error)
        happened, self._events = self._events, []
        return happened

    def _alone(self, data: bytes) -> events.Event | None:
        """What a piece means that is one whole call or answer in the clear: nearly all of them, without protection.

        In one look at its numbers, and exactly what `_consume` would say; None leaves all else to that.
        """
        return None

    def _consume(self, data: bytes | bytearray) -> int:
        """Handle the whole PDUs in `data`; how far that was. What was waiting is cut there, once per call."""
        position, end = 0, len(data)
        try:
            while position < end and self.machine.state is not _CLOSED:
                length = fragment_length(data, position)
                if length is None:
                    break
                if length > self.max_receive and data[position + 2] in CALL_PDUS:
                    raise PeerMisbehaved(
                        f"a fragment of {length} bytes, {self.max_receive} were agreed", "[C706] 12.6.3.1"
                    )
                if end - position < length:
                    break
                whole = length == end and data is not self._arrived
                pdu = bytes(data if whole else memoryview(data)[position : position + length])
                position += length
                self._dispatch(pdu)
        finally:
            if data is self._arrived:
                del self._arrived[:position]
        return end if self.closed else position

    def _dispatch(self, data: bytes) -> None:
        frame = parse_frame(data)
        kind = frame.kind
        if self.observer is not None and kind not in CALL_PDUS:
            self.observer(data, None, outgoing=False)
        self._before(frame)
        self.machine.receives(kind)
        self._handlers[kind](frame, DECODERS[kind](frame))

    def _before(self, frame: Frame) -> None:
        """A role's look at a PDU before the state machine sees it."""

    def _broken(self, error: RemoteProtocolError) -> None:
        self.machine.close()
        self._arrived.clear()
        self._events.append(events.Broken(error))

    def close(self) -> None:
        """The transport is gone, or is to go: nothing more is sent or taken."""
        self.machine.close()
        self._arrived.clear()

    def _tell(self, event: events.Event) -> None:
        self._events.append(event)

    def _send(self, kind: PduType, data: bytes, stub: bytes | None = None) -> None:
        self.machine.sends(kind)
        self._leaving.append(data)
        if self.observer is not None:
            self.observer(data, stub, outgoing=True)

    def _opened(self, frame: Frame, security: Security | None, stub_start: int) -> bytes:
        """The stub of a fragment that came, in the clear."""
        stub = None
        try:
            if security is None or not security.signs:
                stub = unprotected(frame, stub_start)
            else:
                stub = security.unprotect(frame, stub_start)
        finally:
            if self.observer is not None:
                self.observer(frame.data, stub, outgoing=False)
        return stub

    def _add_security(self, security_id: int, level: int, context: SecurityContext) -> Security:
        security = Security(security_id, AuthLevel.PACKET if level == AuthLevel.CALL else level, context)
        self.securities[security_id] = security
        return security

    def _send_call(
        self,
        kind: PduType,
        pdu: CallPdu,
        call_id: int,
        stub: bytes,
        security: Security | None,
        flags: int = 0,
    ) -> None:
        """A stub in as many fragments as it needs, each within what the peer takes, each protected by itself."""
        signer = security if security is not None and security.signs else None
        total = len(stub)
        room = self.max_transmit - pdu.head_size
        room = room // 8 * 8 if signer is None else (room - signer.overhead()) // 16 * 16
        for start in range(0, total, room) if total else (0,):
            chunk = stub if total <= room else stub[start : start + room]
            bits = flags | (FIRST if start == 0 else 0) | (LAST if start + room >= total else 0)
            if signer is not None:
                data = signer.protect(pdu, bits, call_id, chunk, total - start)
            else:
                data = pdu.head(bits, pdu.head_size + len(chunk), 0, call_id, total - start) + chunk
            self._send(kind, data, chunk)
