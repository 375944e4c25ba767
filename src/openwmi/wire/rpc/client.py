"""The client's end of an association: binds, alters, calls, gives up ([MS-RPCE] 3.3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.wire.buffers import Layout
from openwmi.wire.errors import LocalProtocolError, PeerMisbehaved
from openwmi.wire.rpc import events
from openwmi.wire.rpc.binding import Auth3, Bind, BindAck, BindNak, Element
from openwmi.wire.rpc.calls import (
    OBJECT_SIZE,
    REQUEST_HEAD,
    RESPONSE_CLAUSE,
    RESPONSE_HEAD,
    Bare,
    Fault,
    Request,
    Response,
    request_head,
)
from openwmi.wire.rpc.connection import Connection
from openwmi.wire.rpc.constants import (
    CONCURRENT,
    DID_NOT_EXECUTE,
    MUST_RECEIVE,
    SUPPORT_HEADER_SIGN,
    WHOLE,
    AuthLevel,
    ContextResult,
    PduType,
)
from openwmi.wire.rpc.limits import Limits
from openwmi.wire.rpc.machine import Role, State
from openwmi.wire.rpc.reassembly import Assembly
from openwmi.wire.rpc.syntax import NDR20, SyntaxId, features

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from openwmi.wire.rpc.frame import Frame, Verifier
    from openwmi.wire.rpc.security import Security, SecurityContext


# Members by names of their own: looking them up in their classes would take a fifth of the time of a call.
_BOUND: Final = State.BOUND
_REQUEST: Final = PduType.REQUEST
# How an answer begins that is whole and without flags that say more.
_PLAIN_RESPONSE: Final = b"\5\0\2\x03\x10\0\0\0"
_NUMBERS: Final = Layout("HHI")  # from the length on: token, call


class _Call:
    """A request that waits for its answer. dropped: nobody waits, but its fragments still move the keys."""

    __slots__ = ("assembly", "dropped", "security")

    def __init__(self, security: Security | None) -> None:
        self.security = security
        self.assembly: Assembly | None = None  # from the first fragment on
        self.dropped = False


class _Asked:
    """A bind or alter_context under way, with its handshake."""

    __slots__ = ("accepted", "alter", "call_id", "elements", "rejected", "security")

    def __init__(
        self, call_id: int, elements: tuple[Element, ...], security: Security | None, *, alter: bool
    ) -> None:
        self.call_id = call_id
        self.elements = elements
        self.security = security
        self.alter = alter
        self.accepted: dict[int, SyntaxId] = {}
        self.rejected: dict[int, tuple[int, int]] = {}


class ClientConnection(Connection):
    """A client's association.

    multiplex: offer to have several calls under way at once; without the server's consent there is one at a time.
    offer: bind-time features to ask for; `features` holds what was granted.
    """

    def __init__(
        self, limits: Limits | None = None, *, group: int = 0, multiplex: bool = True, offer: int = 0
    ) -> None:
        super().__init__(Role.CLIENT, limits or Limits())
        self.group = group
        self.features = 0
        self.address = ""
        self._multiplex = multiplex
        self._offer = offer
        self._calls: dict[int, _Call] = {}
        self._asked: _Asked | None = None
        self._last_call = 0
        self._current: Security | None = None
        self._handlers = {
            PduType.BIND_ACK: self._answered,
            PduType.ALTER_CONTEXT_RESPONSE: self._answered,
            PduType.BIND_NAK: self._nak,
            PduType.RESPONSE: self._response,
            PduType.FAULT: self._fault,
            PduType.SHUTDOWN: self._shutdown,
        }

    def bind(
        self,
        interfaces: Sequence[tuple[int, SyntaxId]],
        security: SecurityContext | None = None,
        *,
        level: int = AuthLevel.PRIVACY,
        security_id: int = 1,
    ) -> None:
        """Ask for the first presentation contexts: (number, interface) pairs. `Bound` or `Refused` follows."""
        elements = self._elements(interfaces)
        if self._offer:
            free = 1 + max(context_id for context_id, _ in interfaces)
            elements += (Element(free, interfaces[0][1], (features(self._offer),)),)
        self._ask(elements, security, level, security_id, alter=False)

    def alter(
        self,
        interfaces: Sequence[tuple[int, SyntaxId]],
        security: SecurityContext | None = None,
        *,
        level: int = AuthLevel.PRIVACY,
        security_id: int = 1,
    ) -> None:
        """Ask for more presentation contexts, or for one more security context."""
        self._ask(self._elements(interfaces), security, level, security_id, alter=True)

    def request(
        self,
        context_id: int,
        opnum: int,
        stub: bytes,
        *,
        object_id: UUID | None = None,
        security_id: int | None = None,
    ) -> int:
        """Call a method; its number. Protected by the security context named, or the one established last."""
        if context_id not in self.presentations:
            raise LocalProtocolError(f"presentation context {context_id} was not accepted", "[C706] 12.6.3.1")
        if not self.multiplexed and any(not call.dropped for call in self._calls.values()):
            raise LocalProtocolError("the server takes one call at a time", "[C706] 9.3.2.2")
        if len(self._calls) >= self.limits.calls:
            raise LocalProtocolError(f"{len(self._calls)} calls are under way")
        if len(stub) > self.limits.call:
            raise LocalProtocolError(f"a call of {len(stub)} bytes")
        security = self._current if security_id is None else self.securities[security_id]
        call_id = self._number()
        size = (REQUEST_HEAD if object_id is None else REQUEST_HEAD + OBJECT_SIZE) + len(stub)
        if security is None and size <= self.max_transmit:
            head = request_head(WHOLE, size, call_id, len(stub), context_id, opnum, object_id)
            self._send(_REQUEST, head + stub, stub)
        else:
            self._send_call(_REQUEST, Request(context_id, opnum, object_id), call_id, stub, security)
        self._calls[call_id] = _Call(security)
        return call_id

    def cancel(self, call_id: int) -> None:
        """Ask the server to come to an end with a call; its answer still comes ([C706] 9.3.4)."""
        if call_id in self._calls:
            self._send(PduType.CANCEL, Bare(PduType.CANCEL).encode(call_id))

    def orphan(self, call_id: int) -> None:
        """Give a call up. If an answer comes nevertheless, nobody hears of it."""
        call = self._calls.get(call_id)
        if call is not None and not call.dropped:
            call.dropped = True
            self._send(PduType.ORPHANED, Bare(PduType.ORPHANED).encode(call_id))

    # Binding

    def _number(self) -> int:
        self._last_call = self._last_call % 0xFFFFFFFF + 1
        return self._last_call

    def _elements(self, interfaces: Sequence[tuple[int, SyntaxId]]) -> tuple[Element, ...]:
        return tuple([Element(context_id, interface, (NDR20,)) for context_id, interface in interfaces])

    def _ask(
        self,
        elements: tuple[Element, ...],
        context: SecurityContext | None,
        level: int,
        security_id: int,
        *,
        alter: bool,
    ) -> None:
        if self._asked is not None:
            raise LocalProtocolError("another handshake is under way", "[C706] 11")
        security = None
        if context is not None and level > AuthLevel.NONE:
            if security_id in self.securities:
                raise LocalProtocolError(
                    f"security context {security_id} exists already", "[MS-RPCE] 3.3.1.5.4"
                )
            security = self._add_security(security_id, level, context)
        self._asked = _Asked(self._number(), elements, security, alter=alter)
        self._leg(security.context.step(b"") if security else b"")

    def _leg(self, token: bytes) -> None:
        """Send the bind or alter_context under way with the next token."""
        asked = self._asked
        assert asked is not None
        first = self.machine.state is State.IDLE
        flags = (
            WHOLE | (CONCURRENT if self._multiplex else 0) | (SUPPORT_HEADER_SIGN if asked.security else 0)
        )
        size = self.limits.fragment if first else self.max_transmit
        receive = self.limits.fragment if first else self.max_receive
        pdu = Bind(size, receive, self.group, asked.elements, alter=not first)
        verifier = asked.security.verifier(token) if asked.security else None
        self._send(
            PduType.BIND if first else PduType.ALTER_CONTEXT, pdu.encode(asked.call_id, verifier, flags)
        )

    def _answered(self, frame: Frame, pdu: BindAck) -> None:
        asked = self._asked
        if asked is None or frame.call_id != asked.call_id:
            raise PeerMisbehaved(f"an answer to call {frame.call_id}, which asked for nothing", pdu.CLAUSE)
        if not pdu.alter:
            self._agree(frame, pdu)
        self._judge(asked, pdu)
        if asked.security is None:
            self._bound(asked)
            return
        asked.security.sign_head = bool(frame.flags & SUPPORT_HEADER_SIGN)
        self._continue(asked, asked.security, frame.verifier)

    def _agree(self, frame: Frame, pdu: BindAck) -> None:
        """What holds for the whole association is said in the bind_ack."""
        size = self.limits.fragment
        if not MUST_RECEIVE <= pdu.max_receive <= size or not MUST_RECEIVE <= pdu.max_transmit <= size:
            raise PeerMisbehaved(f"fragments of {pdu.max_transmit} and {pdu.max_receive} bytes", pdu.CLAUSE)
        self.max_transmit, self.max_receive = pdu.max_receive, pdu.max_transmit
        self.group, self.address = pdu.group, pdu.address
        self.multiplexed = self._multiplex and bool(frame.flags & CONCURRENT)

    def _judge(self, asked: _Asked, pdu: BindAck) -> None:
        if not 1 <= len(pdu.answers) <= len(asked.elements):
            raise PeerMisbehaved(f"{len(pdu.answers)} answers to {len(asked.elements)} contexts", pdu.CLAUSE)
        # Some servers answer the first context alone: the others may be asked for again, one by one.
        for element in asked.elements[len(pdu.answers) :]:
            if element.transfers[0].features is None:
                asked.rejected[element.context_id] = (ContextResult.PROVIDER_REJECTION, 0)
        for element, answer in zip(asked.elements, pdu.answers, strict=False):
            if answer.result == ContextResult.NEGOTIATE_ACK:
                self.features = answer.reason & self._offer
            elif element.transfers[0].features is not None:
                continue  # a server that knows no features rejects the element that asks for them
            elif answer.result == ContextResult.ACCEPTANCE:
                if answer.transfer not in element.transfers:
                    raise PeerMisbehaved("a transfer syntax that nobody offered", pdu.CLAUSE)
                asked.accepted[element.context_id] = element.abstract
            else:
                asked.rejected[element.context_id] = (answer.result, answer.reason)

    def _continue(self, asked: _Asked, security: Security, verifier: Verifier | None) -> None:
        """The next leg: an alter_context while answers are needed, an auth3 when ours is the last word."""
        if verifier is None:
            if security.context.complete:
                self._bound(asked)
                return
            raise PeerMisbehaved("the server's half of the handshake is missing", "[MS-RPCE] 3.3.1.5.2.2")
        if verifier.context_id != security.context_id or verifier.auth_type != security.context.auth_type:
            raise PeerMisbehaved("a token of another handshake", "[MS-RPCE] 2.2.2.11")
        token = security.context.step(verifier.token)
        if not security.context.complete:
            asked.elements = asked.elements[:1]
            self._leg(token)
            return
        if token:
            flags = WHOLE | (SUPPORT_HEADER_SIGN if security.sign_head else 0)
            self._send(PduType.AUTH3, Auth3().encode(asked.call_id, security.verifier(token), flags))
        self._bound(asked)

    def _bound(self, asked: _Asked) -> None:
        self._asked = None
        self.presentations.update(asked.accepted)
        if asked.security is not None:
            self._current = asked.security
            self._tell(events.Established(asked.security.context_id, asked.security.level, None))
        self._tell(events.Bound(asked.accepted, asked.rejected, asked.alter, asked.call_id))

    def _nak(self, frame: Frame, pdu: BindNak) -> None:
        self._tell(events.Refused(pdu.reason, call_id=frame.call_id))
        self.close()

    # Answers

    def _alone(self, data: bytes) -> events.Event | None:
        if not data.startswith(_PLAIN_RESPONSE) or len(data) < RESPONSE_HEAD or self.observer is not None:
            return None
        length, signed, call_id = _NUMBERS.unpack_from(data, 8)
        call = self._calls.get(call_id)
        if call is None or signed or call.security is not None or call.assembly is not None or call.dropped:
            return None
        if length != len(data) or length > self.max_receive or length > self.limits.call:
            return None
        if self.machine.state is not _BOUND:
            return None
        del self._calls[call_id]
        return events.ResponseReceived(call_id, data[RESPONSE_HEAD:])

    def _response(self, frame: Frame, pdu: Response) -> None:
        call = self._calls.get(frame.call_id)
        if call is None:
            raise PeerMisbehaved(
                f"an answer to call {frame.call_id}, which is not under way", RESPONSE_CLAUSE
            )
        security = call.security
        if security is not None and security.signs:
            self._same(frame, security)
        if call.assembly is None:
            call.assembly = Assembly(self.limits.call)
        whole = call.assembly.add(frame.flags, self._opened(frame, security, pdu.stub_start))
        if whole is not None:
            del self._calls[frame.call_id]
            if not call.dropped:
                self._tell(events.ResponseReceived(frame.call_id, whole))

    def _same(self, frame: Frame, security: Security) -> None:
        if frame.verifier is not None and frame.verifier.context_id != security.context_id:
            raise PeerMisbehaved("an answer under another security context", "[MS-RPCE] 3.3.1.5.2")

    def _fault(self, frame: Frame, pdu: Fault) -> None:
        asked = self._asked
        if asked is not None and frame.call_id == asked.call_id:
            self._asked = None
            if asked.security is not None:
                asked.security.failed = True
            self.machine.alter_refused()
            self._tell(events.Refused(pdu.status, asked.alter, frame.call_id))
            return
        call = self._calls.pop(frame.call_id, None)
        if call is None:
            raise PeerMisbehaved(f"a fault for call {frame.call_id}, which is not under way", pdu.CLAUSE)
        # A server that could not check our token cannot sign, either: its fault comes bare.
        protected = frame.verifier is not None and call.security is not None and call.security.signs
        if call.security is not None and protected:
            self._same(frame, call.security)
        self._opened(frame, call.security if protected else None, pdu.stub_start)
        if not call.dropped:
            executed = not frame.flags & DID_NOT_EXECUTE
            self._tell(events.FaultReceived(frame.call_id, pdu.status, executed, protected))

    def _shutdown(self, frame: Frame, pdu: Bare) -> None:
        self._tell(events.ShutdownReceived())
