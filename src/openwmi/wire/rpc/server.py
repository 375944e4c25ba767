"""The server's end of an association: answers binds, hands calls over, answers them ([MS-RPCE] 3.3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from openwmi.wire.buffers import Layout, guid_of
from openwmi.wire.errors import (
    ACCESS_DENIED,
    INVALID_PRESENTATION_CONTEXT,
    SERVER_TOO_BUSY,
    AuthenticationFailed,
    PeerMisbehaved,
    RemoteProtocolError,
)
from openwmi.wire.rpc import events
from openwmi.wire.rpc.binding import Answer, Auth3, Bind, BindAck, BindNak, Element
from openwmi.wire.rpc.calls import (
    OBJECT_SIZE,
    REQUEST_HEAD,
    RESPONSE_HEAD,
    Bare,
    Fault,
    Request,
    Response,
    response_head,
)
from openwmi.wire.rpc.connection import Connection
from openwmi.wire.rpc.constants import (
    ABSTRACT_SYNTAX_NOT_SUPPORTED,
    CONCURRENT,
    DID_NOT_EXECUTE,
    FEATURE_KEEP_ON_ORPHAN,
    FEATURE_SECURITY_MULTIPLEXING,
    FIRST,
    LAST,
    LOCAL_LIMIT_EXCEEDED,
    MAYBE,
    MUST_RECEIVE,
    SUPPORT_HEADER_SIGN,
    TRANSFER_SYNTAXES_NOT_SUPPORTED,
    WHOLE,
    AuthLevel,
    ContextResult,
    NakReason,
    PduType,
)
from openwmi.wire.rpc.groups import AssociationGroups
from openwmi.wire.rpc.limits import Limits
from openwmi.wire.rpc.machine import Role, State
from openwmi.wire.rpc.reassembly import Assembly
from openwmi.wire.rpc.syntax import NDR20, NO_SYNTAX, SyntaxId

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.wire.rpc.frame import Frame, Verifier
    from openwmi.wire.rpc.security import Security, SecurityContext

# Members by names of their own: looking them up in their classes would take a fifth of the time of a call.
_BOUND: Final = State.BOUND
_UNPROTECTED: Final = AuthLevel.NONE
_RESPONSE: Final = PduType.RESPONSE
_event: Final = tuple.__new__  # half the time that a NamedTuple's own takes
# How requests begin that are whole and without flags that say more, and where their stubs are.
_PLAIN_REQUESTS: Final = {
    b"\5\0\0\x03\x10\0\0\0": REQUEST_HEAD,
    b"\5\0\0\x83\x10\0\0\0": REQUEST_HEAD + OBJECT_SIZE,
}
_NUMBERS: Final = Layout("HHIIHH")  # from the length on: token, call, hint, context, opnum
# A request that waits for its answer: its presentation context, and what protects it.
_Due: TypeAlias = "tuple[int, Security | None]"
_FEATURES = FEATURE_SECURITY_MULTIPLEXING | FEATURE_KEEP_ON_ORPHAN


class _Call:
    """A request, from its first fragment to its last."""

    __slots__ = ("assembly", "pdu", "refusal", "security")

    def __init__(self, pdu: Request, security: Security | None, limit: int, refusal: int | None) -> None:
        self.pdu = pdu
        self.security = security
        self.assembly = Assembly(limit)
        self.refusal = refusal

    def same(self, pdu: Request, security: Security | None) -> bool:
        mine = self.pdu
        return (mine.context_id, mine.opnum, mine.object) == (pdu.context_id, pdu.opnum, pdu.object) and (
            self.security is security
        )


class ServerConnection(Connection):
    """A server's association.

    interfaces: whether this endpoint serves an interface; accept: (authentication type, level) -> the accepting side
    of a handshake, None when there is none for that type; address: the port, as text.
    """

    def __init__(
        self,
        interfaces: Callable[[SyntaxId], bool],
        accept: Callable[[int, int], SecurityContext | None],
        *,
        groups: AssociationGroups | None = None,
        address: str = "",
        limits: Limits | None = None,
        multiplex: bool = True,
    ) -> None:
        super().__init__(Role.SERVER, limits or Limits())
        self._interfaces = interfaces
        self._accept = accept
        self._groups = AssociationGroups() if groups is None else groups
        self._address = address
        self._multiplex = multiplex
        self._calls: dict[int, _Due] = {}
        self._partial: tuple[int, _Call] | None = None
        self._handlers = {
            PduType.BIND: self._bind,
            PduType.ALTER_CONTEXT: self._alter,
            PduType.AUTH3: self._auth3,
            PduType.REQUEST: self._request,
            PduType.CANCEL: self._cancelled,
            PduType.ORPHANED: self._orphaned,
        }

    @property
    def calls(self) -> int:
        """How many requests wait for their answer."""
        return len(self._calls)

    @property
    def waiting(self) -> int:
        return super().waiting + (self._partial[1].assembly.size if self._partial else 0)

    def respond(self, call_id: int, stub: bytes) -> None:
        """Answer a call. One that was orphaned meanwhile needs no answer and gets none."""
        call = self._calls.pop(call_id, None)
        if call is None or self.closed:
            return
        context_id, security = call
        size = RESPONSE_HEAD + len(stub)
        if security is None and size <= self.max_transmit:
            head = response_head(WHOLE, size, call_id, len(stub), context_id)
            self._send(_RESPONSE, head + stub, stub)
        else:
            self._send_call(_RESPONSE, Response(context_id), call_id, stub, security)

    def fault(self, call_id: int, status: int, *, executed: bool = True) -> None:
        """Answer a call with a fault. executed: False promises that nothing ran."""
        call = self._calls.pop(call_id, None)
        if call is not None and not self.closed:
            self._send_fault(call_id, call[0], status, executed=executed)

    def shutdown(self) -> None:
        """Ask the client to close the connection when its calls are done."""
        self._send(PduType.SHUTDOWN, Bare(PduType.SHUTDOWN).encode(0))

    def close(self) -> None:
        super().close()
        self._calls.clear()
        if self.group:
            self._groups.leave(self.group)
            self.group = 0

    # Binding

    def _before(self, frame: Frame) -> None:
        if frame.kind is not PduType.BIND or self.machine.state is State.IDLE:
            return
        if self.machine.state is State.BOUND and not self._calls and self._partial is None:
            self._start_over()
        else:
            # The state machine knows no answer to this; it closes at the bind itself.
            refusal = BindNak(NakReason.NOT_SPECIFIED).encode(frame.call_id)
            self._leaving.append(refusal)
            if self.observer is not None:
                self.observer(refusal, None, outgoing=True)

    def _start_over(self) -> None:
        """A second bind between calls begins anew, with nothing left of what was agreed and proven before: impacket
        sends one for each activation after the first (wire.md 2.2)."""
        self.machine.start_over()
        self.presentations.clear()
        self.securities.clear()
        self.max_receive = self.limits.fragment

    def _bind(self, frame: Frame, pdu: Bind) -> None:
        size = min(pdu.max_transmit, pdu.max_receive, self.limits.fragment)
        if size < MUST_RECEIVE:
            self._nak(frame.call_id, NakReason.LOCAL_LIMIT_EXCEEDED)
            return
        group = self._groups.join(pdu.group)
        if group is None:
            self._nak(frame.call_id, NakReason.NOT_SPECIFIED)
            return
        if self.group:
            self._groups.leave(self.group)
        # Both directions get one number: some clients size their buffers by either (wire.md 8, trap 29).
        self.group, self.max_transmit, self.max_receive = group, size, size
        self.multiplexed = self._multiplex and bool(frame.flags & CONCURRENT)
        try:
            answer = self._leg(frame.verifier, frame.flags) if frame.verifier else None
        except RemoteProtocolError as error:
            self._failed(frame.verifier, error)
            self._nak(frame.call_id, NakReason.AUTHENTICATION_TYPE_NOT_RECOGNIZED)
            return
        self._acknowledge(frame, pdu, answer)

    def _alter(self, frame: Frame, pdu: Bind) -> None:
        try:
            answer = self._leg(frame.verifier, frame.flags) if frame.verifier else None
        except RemoteProtocolError as error:
            self._failed(frame.verifier, error)
            context_id = pdu.elements[0].context_id if pdu.elements else 0
            self._send_fault(frame.call_id, context_id, ACCESS_DENIED, executed=False)
            self.machine.alter_refused()
            return
        self._acknowledge(frame, pdu, answer)

    def _acknowledge(self, frame: Frame, pdu: Bind, verifier: Verifier | None) -> None:
        accepted: dict[int, SyntaxId] = {}
        rejected: dict[int, tuple[int, int]] = {}
        answers = tuple([self._judged(element, accepted, rejected) for element in pdu.elements])
        address = "" if pdu.alter else self._address
        ack = BindAck(self.max_transmit, self.max_receive, self.group, address, answers, pdu.alter)
        flags = WHOLE | (CONCURRENT if self.multiplexed else 0)
        if frame.verifier is not None and self.securities[frame.verifier.context_id].sign_head:
            flags |= SUPPORT_HEADER_SIGN
        kind = PduType.ALTER_CONTEXT_RESPONSE if pdu.alter else PduType.BIND_ACK
        self._send(kind, ack.encode(frame.call_id, verifier, flags))
        self._tell(events.Bound(accepted, rejected, pdu.alter, frame.call_id))

    def _judged(
        self, element: Element, accepted: dict[int, SyntaxId], rejected: dict[int, tuple[int, int]]
    ) -> Answer:
        """The answer to one element. Asking for features makes no context, whatever number it bears."""
        mask = element.transfers[0].features if element.transfers else None
        if mask is not None:
            return Answer(ContextResult.NEGOTIATE_ACK, mask & _FEATURES, NO_SYNTAX)
        reason = self._objection(element)
        if reason:
            rejected[element.context_id] = (ContextResult.PROVIDER_REJECTION, reason)
            return Answer(ContextResult.PROVIDER_REJECTION, reason, NO_SYNTAX)
        self.presentations[element.context_id] = accepted[element.context_id] = element.abstract
        return Answer(ContextResult.ACCEPTANCE, 0, NDR20)

    def _objection(self, element: Element) -> int:
        if not self._interfaces(element.abstract):
            return ABSTRACT_SYNTAX_NOT_SUPPORTED
        if NDR20 not in element.transfers:
            return TRANSFER_SYNTAXES_NOT_SUPPORTED
        if (
            element.context_id not in self.presentations
            and len(self.presentations) >= self.limits.presentations
        ):
            return LOCAL_LIMIT_EXCEEDED
        return 0

    def _nak(self, call_id: int, reason: int) -> None:
        self._send(PduType.BIND_NAK, BindNak(reason).encode(call_id))

    # Handshakes

    def _leg(self, verifier: Verifier, flags: int) -> Verifier | None:
        """One leg of a new handshake or of one under way; the verifier of the answer, None when all is said."""
        security = self.securities.get(verifier.context_id)
        if security is None:
            security = self._begin(verifier)
            security.sign_head = bool(flags & SUPPORT_HEADER_SIGN)
        elif security.context.complete or security.failed:
            raise AuthenticationFailed(
                f"security context {verifier.context_id} is done", "[MS-RPCE] 3.3.3.4.2"
            )
        elif security.context.auth_type != verifier.auth_type:
            raise PeerMisbehaved("a handshake that changes its provider", "[MS-RPCE] 2.2.2.11")
        token = security.context.step(verifier.token)
        if security.context.complete:
            self._established(security)
        return security.verifier(token) if token else None

    def _begin(self, verifier: Verifier) -> Security:
        if len(self.securities) >= self.limits.securities:
            raise AuthenticationFailed(f"more than {self.limits.securities} security contexts")
        if not AuthLevel.CONNECT <= verifier.level <= AuthLevel.PRIVACY:
            raise AuthenticationFailed(f"authentication level {verifier.level}", "[MS-RPCE] 2.2.1.1.8")
        context = self._accept(verifier.auth_type, verifier.level)
        if context is None:
            raise AuthenticationFailed(f"no provider for type {verifier.auth_type}", "[MS-RPCE] 2.2.1.1.7")
        return self._add_security(verifier.context_id, verifier.level, context)

    def _established(self, security: Security) -> None:
        self._tell(events.Established(security.context_id, security.level, security.context.identity))

    def _failed(self, verifier: Verifier | None, error: RemoteProtocolError) -> None:
        number = verifier.context_id if verifier else 0
        security = self.securities.get(number)
        if security is not None and not security.context.complete:
            security.failed = True
        self._tell(events.AuthenticationRefused(number, error))

    def _auth3(self, frame: Frame, pdu: Auth3) -> None:
        """The last leg. It has no answer, so a failure is told at the first request (wire.md 2.4)."""
        assert frame.verifier is not None  # Auth3.decode has seen to it
        try:
            if frame.verifier.context_id not in self.securities:
                raise PeerMisbehaved("the third leg of a handshake that never began", pdu.CLAUSE)
            self._leg(frame.verifier, frame.flags)
            security = self.securities[frame.verifier.context_id]
            if not security.context.complete:
                raise AuthenticationFailed("the handshake needs more legs than it has", pdu.CLAUSE)
        except RemoteProtocolError as error:
            self._failed(frame.verifier, error)

    # Calls

    def _alone(self, data: bytes) -> events.Event | None:
        start = _PLAIN_REQUESTS.get(data[:8])
        if start is None or start > len(data) or self.securities or self._partial is not None:
            return None
        if self.machine.state is not _BOUND or self.observer is not None:
            return None
        length, signed, call_id, _, context_id, opnum = _NUMBERS.unpack_from(data, 8)
        interface, calls, limits = self.presentations.get(context_id), self._calls, self.limits
        if interface is None or signed or call_id in calls or len(calls) >= limits.calls:
            return None
        if length != len(data) or length > self.max_receive or length > limits.call:
            return None
        calls[call_id] = (context_id, None)
        target = guid_of(data[REQUEST_HEAD:start]) if start > REQUEST_HEAD else None
        call = (call_id, context_id, interface, opnum, target, data[start:], _UNPROTECTED, None, False)
        return _event(events.RequestReceived, call)

    def _request(self, frame: Frame, pdu: Request) -> None:
        call_id = frame.call_id
        if frame.flags & FIRST:
            if self._partial is not None or call_id in self._calls:
                raise PeerMisbehaved(f"call {call_id} begins within another", "[C706] 12.5.3.5")
            security = self._security_of(frame)
            call = _Call(pdu, security, self.limits.call, self._refusal(pdu, security, frame))
            self._partial = (call_id, call)
        elif self._partial is None or self._partial[0] != call_id:
            raise PeerMisbehaved(f"a fragment of call {call_id}, which did not begin", "[C706] 12.5.3.5")
        else:
            call = self._partial[1]
            if not call.same(pdu, self._security_of(frame)):
                raise PeerMisbehaved(
                    f"the fragments of call {call_id} contradict each other", "[C706] 12.5.3.5"
                )
        stub = call.assembly.add(frame.flags, self._stub(call, frame, pdu))
        if frame.flags & LAST:
            self._partial = None
        if stub is not None:
            self._called(call_id, call, stub, maybe=bool(frame.flags & MAYBE))

    def _security_of(self, frame: Frame) -> Security | None:
        """Whose call it is. At CONNECT requests come without a verifier; then the only context applies."""
        if frame.verifier is not None:
            return self.securities.get(frame.verifier.context_id)
        if len(self.securities) == 1:
            (only,) = self.securities.values()
            if not only.signs and not only.failed and only.context.complete:
                return only
        return None

    def _refusal(self, pdu: Request, security: Security | None, frame: Frame) -> int | None:
        """The status of the fault that a call gets without being handed over."""
        named = frame.verifier is not None and frame.verifier.level > AuthLevel.CONNECT
        if named and (security is None or security.failed or not security.context.complete):
            return ACCESS_DENIED
        if pdu.context_id not in self.presentations:
            return INVALID_PRESENTATION_CONTEXT
        if len(self._calls) >= self.limits.calls:
            return SERVER_TOO_BUSY
        return None

    def _stub(self, call: _Call, frame: Frame, pdu: Request) -> bytes:
        security = None if call.refusal == ACCESS_DENIED else call.security
        try:
            return self._opened(frame, security, pdu.stub_start)
        except AuthenticationFailed as error:
            # The keys are out of step from here on, so the connection cannot go on.
            self._send_fault(frame.call_id, pdu.context_id, ACCESS_DENIED, executed=False)
            raise error

    def _called(self, call_id: int, call: _Call, stub: bytes, *, maybe: bool) -> None:
        security = call.security
        if call.refusal is not None:
            self._send_fault(call_id, call.pdu.context_id, call.refusal, executed=False)
            return
        if not maybe:
            self._calls[call_id] = (call.pdu.context_id, security)
        level = AuthLevel.NONE if security is None else security.level
        identity: Any = None if security is None else security.context.identity
        pdu = call.pdu
        interface = self.presentations[pdu.context_id]
        self._tell(
            events.RequestReceived(
                call_id, pdu.context_id, interface, pdu.opnum, pdu.object, stub, level, identity, maybe
            )
        )

    def _send_fault(self, call_id: int, context_id: int, status: int, *, executed: bool) -> None:
        """Without a verifier, as Windows sends them: not every client moves its keys on for a fault."""
        pdu = Fault(context_id, status)
        flags = 0 if executed else DID_NOT_EXECUTE
        self._send_call(PduType.FAULT, pdu, call_id, b"", None, flags)

    def _cancelled(self, frame: Frame, pdu: Bare) -> None:
        if frame.call_id in self._calls:
            self._tell(events.CallCancelled(frame.call_id))

    def _orphaned(self, frame: Frame, pdu: Bare) -> None:
        if self._partial is not None and self._partial[0] == frame.call_id:
            self._partial = None
        elif self._calls.pop(frame.call_id, None) is not None:
            self._tell(events.CallOrphaned(frame.call_id))
