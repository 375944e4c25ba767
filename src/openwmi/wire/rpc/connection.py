"""What both ends of an association do alike: cutting the stream into PDUs, fragments out, states, contexts.

Bytes go in through `receive`, which gives events; calls are methods of the two roles; `take` gives the bytes to send.
Nothing here knows a socket or a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from openwmi.wire.errors import LocalProtocolError, PeerMisbehaved, RemoteProtocolError
from openwmi.wire.rpc import events
from openwmi.wire.rpc.constants import CALL_PDUS, FIRST, LAST, MUST_RECEIVE, AuthLevel, PduType
from openwmi.wire.rpc.frame import Frame, fragment_length
from openwmi.wire.rpc.machine import Machine, Role, State
from openwmi.wire.rpc.pdus import decode
from openwmi.wire.rpc.security import HeadMaker, Security, SecurityContext

if TYPE_CHECKING:
    from openwmi.wire.rpc.limits import Limits
    from openwmi.wire.rpc.syntax import SyntaxId

Handler = Callable[[Frame, Any], None]


class Connection:
    """One association, seen from either end.

    presentations: interfaces by presentation context; securities: security contexts by number.
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
        self._arrived = bytearray()
        self._leaving: list[bytes] = []
        self._events: list[events.Event] = []
        self._handlers: dict[PduType, Handler] = {}

    @property
    def closed(self) -> bool:
        return self.machine.state is State.CLOSED

    def take(self) -> bytes:
        """All bytes that are to be sent now, once; write them in one piece (wire.md 2.5)."""
        data = b"".join(self._leaving)
        self._leaving.clear()
        return data

    def receive(self, data: bytes) -> list[events.Event]:
        """Take bytes from the peer, in pieces of any size; give what they mean.

        After `Broken`, which is the last event, everything that comes is dropped.
        """
        if not self.closed:
            self._arrived += data
            try:
                for pdu in self._cut():
                    self._dispatch(pdu)
            except RemoteProtocolError as error:
                self._broken(error)
        happened, self._events = self._events, []
        return happened

    def _cut(self) -> Iterator[bytes]:
        """The whole PDUs that have arrived. The unread rest is moved once per call, not once per PDU."""
        arrived, position = self._arrived, 0
        try:
            while not self.closed and (length := fragment_length(arrived, position)) is not None:
                if arrived[position + 2] in CALL_PDUS and length > self.max_receive:
                    raise PeerMisbehaved(
                        f"a fragment of {length} bytes, {self.max_receive} were agreed", "[C706] 12.6.3.1"
                    )
                if len(arrived) - position < length:
                    return
                data = bytes(memoryview(arrived)[position : position + length])
                position += length
                yield data
        finally:
            del arrived[:position]

    def _dispatch(self, data: bytes) -> None:
        frame, pdu = decode(data)
        self._before(frame)
        self.machine.receives(frame.kind)
        self._handlers[frame.kind](frame, pdu)

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

    def _send(self, kind: PduType, data: bytes) -> None:
        self.machine.sends(kind)
        self._leaving.append(data)

    def _add_security(self, security_id: int, level: int, context: SecurityContext) -> Security:
        security = Security(security_id, AuthLevel.PACKET if level == AuthLevel.CALL else level, context)
        self.securities[security_id] = security
        return security

    def _send_call(
        self,
        kind: PduType,
        head: HeadSource,
        call_id: int,
        stub: bytes,
        security: Security | None,
        flags: int = 0,
    ) -> None:
        """A stub in as many fragments as it needs, each within what the peer takes, each protected by itself."""
        protected = security is not None and security.signs
        room = self.max_transmit - len(head(0)(0, 0, 0, 0))
        if security is not None and protected:
            room = (room - security.overhead()) // 16 * 16
        room = room // 8 * 8
        total = len(stub)
        for start in range(0, total, room) if total else (0,):
            chunk = stub if total <= room else stub[start : start + room]
            make = head(total - start)
            bits = flags | (FIRST if start == 0 else 0) | (LAST if start + room >= total else 0)
            if security is not None and protected:
                data = security.protect(make, bits, call_id, chunk)
            else:
                fixed = len(make(0, 0, 0, 0))
                data = make(bits, fixed + len(chunk), 0, call_id) + chunk
            self._send(kind, data)


# Given the bytes of stub still to come (the alloc_hint), what makes the head of the next fragment.
HeadSource = Callable[[int], HeadMaker]
