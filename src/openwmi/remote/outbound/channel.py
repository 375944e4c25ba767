"""One association over one transport: opened phase by phase, several calls under way, a deadline on every wait.

It drives `wire.rpc.ClientConnection`. Whatever ends it, ends every call on it with an error that says where. A call is
a future: whoever cancels it, or is cancelled while waiting for it, gives the call up at the server, too.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID, uuid4

from openwmi.remote.outbound import failures
from openwmi.remote.outbound.asking import Question, unheard
from openwmi.remote.outbound.dialling import Dial, NoSuchName
from openwmi.remote.outbound.network import NETWORK, Network, Security
from openwmi.remote.places import Address, address_of
from openwmi.wire.dcom.orpc import OrpcThis
from openwmi.wire.errors import ProtocolError
from openwmi.wire.rpc import ClientConnection, events
from openwmi.wire.rpc.constants import AuthLevel
from openwmi.wire.rpc.syntax import SyntaxId

if TYPE_CHECKING:
    from openwmi.model.errors import WbemError
    from openwmi.wire.dcom.method import Method, ObjectMethod
    from openwmi.wire.dcom.orpc import Extent, OrpcThat
    from openwmi.wire.rpc.security import SecurityContext

In = TypeVar("In")
Out = TypeVar("Out")

_MOST_WAITING: Final = 1024


class Call(asyncio.Future[bytes]):
    """A call from the moment it is asked for: waiting for its turn first, under way once it has a number.

    It is the future of its answer's stub. Whoever does not want to wait a turn of the loop for that sets `then`, which
    is called as soon as it is done, cancelling excepted.
    """

    def __init__(
        self, channel: Channel, interface: SyntaxId, opnum: int, stub: bytes, *, seconds: float, method: str
    ) -> None:
        super().__init__(loop=channel.loop)
        self.channel = channel
        self.interface = interface
        self.opnum = opnum
        self.stub = stub
        self.object_id: UUID | None = None
        self.method = method
        self.seconds = seconds
        self.due = channel.loop.time() + seconds
        self.call_id: int | None = None
        self.then: Callable[[Call], object] | None = None

    def answered(self, stub: bytes) -> None:
        if not self.done():
            self.set_result(stub)
            if self.then is not None:
                self.then(self)

    def failed(self, reason: WbemError) -> None:
        if not self.done():
            self.set_exception(reason)
            if self.then is not None:
                self.then(self)

    def cancel(self, msg: Any = None) -> bool:
        """Nobody waits for it any more: it is given up at the server, too."""
        if not super().cancel(msg):
            return False
        self.channel.give_up(self)
        return True


class Channel(asyncio.Protocol):
    """An association of RPC. Lives on the loop it was opened on."""

    def __init__(self, address: Address, network: Network = NETWORK) -> None:
        self.peer = address
        self.local = Address("", 0)
        self.remote = address
        self.level: int = AuthLevel.NONE
        self.context: SecurityContext | None = None
        self.deadlines = network.deadlines
        self.loop = asyncio.get_running_loop()
        self._rpc = ClientConnection(network.limits)
        self._trace = network.trace
        self._transport: asyncio.Transport | None = None
        self._numbers: dict[SyntaxId, int] = {}
        self._question = Question(self.loop, self._late)
        self._waiting: deque[Call] = deque()
        self._calls: dict[int, Call] = {}
        self._watch: asyncio.TimerHandle | None = None  # one for all calls: for the deadline that comes first
        self._writable = True
        self._flushing = False
        self._shut = False
        self._failure: WbemError | None = None
        self._watchers: dict[Callable[[WbemError | None], object], None] = {}

    @classmethod
    async def open(
        cls,
        address: Address,
        interfaces: SyntaxId | Sequence[SyntaxId],
        security: Security | None = None,
        *,
        target: str = "",
        network: Network = NETWORK,
    ) -> Channel:
        """Connect, bind, log on. Of several interfaces the first must be there; more come with `require`."""
        channel = cls(address, network)
        wanted = [interfaces] if isinstance(interfaces, SyntaxId) else list(interfaces)
        try:
            await channel._connect(network.dial)
            await channel._bind(wanted, security, target)
        except BaseException:
            channel.abort()
            raise
        return channel

    # State

    @property
    def closed(self) -> bool:
        return self._failure is not None or self._rpc.closed

    @property
    def usable(self) -> bool:
        """Whether new calls are welcome: it is open, and the server has not asked for an end."""
        return not self.closed and not self._shut

    @property
    def multiplexed(self) -> bool:
        """Whether the server takes several calls at a time."""
        return self._rpc.multiplexed

    @property
    def in_flight(self) -> int:
        """How many calls wait for their turn or their answer."""
        return len(self._waiting) + len(self._calls)

    def bound(self, interface: SyntaxId) -> bool:
        """Whether calls of an interface can be sent at once."""
        return interface in self._numbers

    def on_closed(self, callback: Callable[[WbemError | None], object]) -> None:
        """Have `callback` told, once, that the channel has ended and why; None after `close`."""
        self._watchers[callback] = None

    def off_closed(self, callback: Callable[[WbemError | None], object]) -> None:
        """Take it back."""
        self._watchers.pop(callback, None)

    # Calls

    async def call(
        self,
        interface: SyntaxId,
        method: Method[In, Out],
        inputs: In,
        *,
        deadline: float | None = None,
    ) -> Out:
        """Call a method without an object."""
        await self.require(interface)
        stub = await self.send(interface, method, method.call(inputs), deadline=deadline)
        return self.decoded(method.name, method.answered, stub)

    async def invoke(
        self,
        interface: SyntaxId,
        ipid: UUID | None,
        method: ObjectMethod[In, Out],
        inputs: In,
        *,
        deadline: float | None = None,
    ) -> Out:
        """Call a method of the object behind an IPID; None: of an interface that has no objects (activation)."""
        return (await self.exchange(interface, ipid, method, inputs, deadline=deadline))[1]

    async def exchange(
        self,
        interface: SyntaxId,
        ipid: UUID | None,
        method: ObjectMethod[In, Out],
        inputs: In,
        *,
        extensions: tuple[Extent, ...] | None = None,
        deadline: float | None = None,
    ) -> tuple[OrpcThat, Out]:
        """The same with what is said beside the parameters, both ways."""
        await self.require(interface)
        stub = method.call(inputs, OrpcThis(uuid4(), extensions=extensions))
        answer = await self.send(interface, method, stub, object_id=ipid, deadline=deadline)
        return self.decoded(method.name, method.answered, answer)

    def send(
        self,
        interface: SyntaxId,
        method: Method[Any, Any] | ObjectMethod[Any, Any],
        stub: bytes,
        *,
        object_id: UUID | None = None,
        deadline: float | None = None,
    ) -> Call:
        """Send a call of a bound interface, at once where possible; the future of its answer's stub."""
        seconds = self.deadlines.call if deadline is None else deadline
        call = Call(self, interface, method.opnum, stub, seconds=seconds, method=method.name)
        call.object_id = object_id
        refusal = self._refusal(method.name)
        if refusal is not None:
            call.set_exception(refusal)
            return call
        if self._watch is None or call.due < self._watch.when():
            self._watch_for(call.due)
        self._waiting.append(call)
        self._pump()
        return call

    def decoded(self, method: str, decode: Callable[[bytes], Out], stub: bytes) -> Out:
        """What a stub says. One that does not hold its parameters is the peer's fault, and ends the channel."""
        try:
            return decode(stub)
        except ProtocolError as reason:
            raise self.misbehaved(method, reason) from reason

    def misbehaved(self, phase: str, reason: ProtocolError) -> WbemError:
        """The error to raise about a peer that broke the rules, which ends the channel."""
        wrong = failures.broken(self.peer, phase, reason)
        self._end(wrong)
        return wrong

    async def require(self, interface: SyntaxId) -> None:
        """Make sure that an interface is bound, asking for it where it is not ([MS-RPCE] 3.3.1.5.2)."""
        while interface not in self._numbers:
            if not self.usable:
                raise failures.closed(self.peer, "alter_context", self._failure)
            if (answer := self._question.answer) is not None:
                await asyncio.wait([answer])
                if self._failure is not None:
                    raise self._told("alter_context")
                continue
            number = max(self._rpc.presentations, default=0) + 1
            self._rpc.alter([(number, interface)])
            bound = await asyncio.shield(self._ask("alter_context"))
            if number not in bound.accepted:
                raise failures.rejected(self.peer, interface.uuid, bound.rejected.get(number, (0, 0)))

    async def close(self) -> None:
        """End in order: calls under way fail, what is written still goes out."""
        self._end(None)

    def abort(self) -> None:
        """End at once."""
        transport = self._transport
        self._end(None)
        if transport is not None:
            transport.abort()

    # Opening

    async def _connect(self, dial: Dial) -> None:
        try:
            async with asyncio.timeout(self.deadlines.connect):
                await dial(lambda: self, self.peer)
        except NoSuchName as reason:
            raise failures.unreachable(self.peer, "name", f"it has no address: {reason}") from None
        except TimeoutError:
            seconds = self.deadlines.connect
            raise failures.unreachable(self.peer, "connect", f"no answer within {seconds:g} s") from None
        except (OSError, UnicodeError) as reason:
            number = getattr(reason, "errno", None)
            why = os.strerror(number) if number else str(reason)
            raise failures.unreachable(self.peer, "connect", why) from None

    async def _bind(self, interfaces: list[SyntaxId], security: Security | None, target: str) -> None:
        context = None
        level: int = AuthLevel.NONE
        try:
            if security is not None:
                made = security.initiate(target)
                context = await made if isinstance(made, Awaitable) else made
                level = security.level
            self._rpc.bind(list(enumerate(interfaces)), context, level=level)
        except ProtocolError as reason:
            raise failures.broken(self.peer, "bind", reason) from reason
        bound = await self._ask("bind")
        self.level, self.context = level, context
        if 0 not in bound.accepted:
            raise failures.rejected(self.peer, interfaces[0].uuid, bound.rejected.get(0, (0, 0)))

    def _ask(self, phase: str) -> asyncio.Future[events.Bound]:
        """Send a bind or an alter_context; its answer."""
        if self._failure is not None:
            answer = unheard(self.loop)
            answer.set_exception(self._failure)
            return answer
        answer = self._question.begin(phase, self.deadlines.bind)
        self._flush()
        return answer

    def _late(self, phase: str) -> None:
        self._end(failures.silent(self.peer, phase, self.deadlines.bind))

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.local = address_of(transport.get_extra_info("sockname"), self.local)
        self.remote = address_of(transport.get_extra_info("peername"), self.peer)
        if self._trace is not None:
            self._trace.watch(self._rpc, peer=self.remote, local=self.local)

    def data_received(self, data: bytes) -> None:
        for event in self._rpc.receive(data):
            self._happened(event)
        self._pump()
        self._leave_if_asked()

    def eof_received(self) -> None:
        self._end(failures.cut(self.peer, self._phase(), None))

    def connection_lost(self, reason: Exception | None) -> None:
        self._end(failures.cut(self.peer, self._phase(), reason))
        self._transport = None

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._pump()

    # What it means

    def _happened(self, event: events.Event) -> None:
        if isinstance(event, events.ResponseReceived):
            call = self._calls.pop(event.call_id, None)
            if call is not None:
                call.answered(event.stub)
        elif isinstance(event, events.FaultReceived):
            call = self._calls.pop(event.call_id, None)
            if call is not None:
                call.failed(failures.faulted(self.peer, call.method, event.status, executed=event.executed))
        elif isinstance(event, events.Bound):
            self._numbers.update({interface: number for number, interface in event.accepted.items()})
            self._question.answered(event)
        elif isinstance(event, events.Refused):
            self._refused(event)
        elif isinstance(event, events.ShutdownReceived):
            self._shut = True
        elif isinstance(event, events.Broken):
            self._end(failures.broken(self.peer, self._phase(), event.error))

    def _refused(self, event: events.Refused) -> None:
        made = (
            failures.faulted(self.peer, "alter_context", event.reason)
            if event.alter
            else failures.naked(self.peer, event.reason)
        )
        if event.alter:
            self._question.failed(made)
        else:
            self._end(made)

    def _phase(self) -> str:
        """What the peer was last known to be doing for us."""
        if self._calls:
            return next(iter(self._calls.values())).method
        return self._question.phase or "idle"

    # Sending

    def _pump(self) -> None:
        """Send what may be sent: while the transport takes it, and one at a time where the server wants that."""
        while self._waiting and self._writable and not self.closed:
            if not self._rpc.multiplexed and self._calls:
                break
            if len(self._calls) >= self._rpc.limits.calls:
                break
            self._put(self._waiting.popleft())
        if self._rpc.unsent:
            self._flush_soon()

    def _put(self, call: Call) -> None:
        try:
            number = self._rpc.request(
                self._numbers[call.interface], call.opnum, call.stub, object_id=call.object_id
            )
        except ProtocolError as reason:
            call.failed(failures.broken(self.peer, call.method, reason))
            return
        call.stub = b""
        call.call_id = number
        self._calls[number] = call
        self._flush()

    def _flush(self) -> None:
        data = self._rpc.take()
        if data and self._transport is not None:
            self._transport.write(data)

    def _flush_soon(self) -> None:
        """Send what a handshake left to say, unless a first request takes it along (wire.md 2.5)."""
        if not self._flushing and not self.closed:
            self._flushing = True
            self.loop.call_soon(self._flush_now)

    def _flush_now(self) -> None:
        self._flushing = False
        self._flush()

    # Ends

    def _watch_for(self, due: float) -> None:
        """Look at the deadlines then, and not before: calls end long before theirs, and a timer for each of them would
        cost as much as the rest of sending it."""
        if self._watch is not None:
            self._watch.cancel()
        self._watch = self.loop.call_at(due, self._overdue, due)

    def _overdue(self, now: float) -> None:
        self._watch = None
        for call in [*self._calls.values(), *self._waiting]:
            if call.due <= now:
                self.give_up(call)
                call.failed(failures.silent(self.peer, call.method, call.seconds))
        if self.in_flight and self._watch is None:
            self._watch_for(min(call.due for call in [*self._calls.values(), *self._waiting]))

    def give_up(self, call: Call) -> None:
        """Nobody waits for a call any more."""
        if call.call_id is None:
            if call in self._waiting:
                self._waiting.remove(call)
        elif self._calls.pop(call.call_id, None) is not None and not self.closed:
            self._rpc.orphan(call.call_id)
            self._flush()
        self._pump()
        self._leave_if_asked()

    def _leave_if_asked(self) -> None:
        """The server has asked for an end, and all calls have had theirs."""
        if self._shut and not self.in_flight and not self.closed:
            self._end(failures.closed(self.peer, "shutdown"))

    def _end(self, reason: WbemError | None) -> None:
        """Whatever ends the channel comes here, once."""
        if self._failure is not None:
            return
        self._failure = reason or failures.closed(self.peer, "close")
        self._rpc.close()
        pending = [*self._calls.values(), *self._waiting]
        self._calls.clear()
        self._waiting.clear()
        self._question.failed(self._failure)
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._transport is not None:
            self._transport.close()
        for call in pending:
            call.failed(self._told(call.method))
        watchers, self._watchers = self._watchers, {}
        for watcher in watchers:
            watcher(reason)

    def _told(self, phase: str) -> WbemError:
        """The reason of the end, as an error of this call's own: several tasks must not share a traceback."""
        reason = self._failure
        assert reason is not None
        return failures.failure(reason.code, reason.message, self.peer, phase, reason.__cause__)

    def _refusal(self, phase: str) -> WbemError | None:
        """Why no call can be taken now."""
        if not self.usable:
            return failures.closed(self.peer, phase, self._failure)
        return failures.busy(self.peer, phase) if len(self._waiting) >= _MOST_WAITING else None
