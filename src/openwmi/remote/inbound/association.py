"""One connection that came in: bytes to calls, answers to bytes, back-pressure, deadlines, the end.

Calls are answered in the order they came in unless the client said that it takes several at a time ([C706] 9.3.2.2);
then each is answered when it is ready.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from openwmi.remote.inbound.answering import ENDING
from openwmi.remote.inbound.incoming import Fault
from openwmi.remote.places import Address, address_of
from openwmi.wire.rpc import ServerConnection
from openwmi.wire.rpc import events as e

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from openwmi.remote.inbound.limits import ListenerLimits
    from openwmi.wire.rpc import SecurityContext, SyntaxId

_LOG: Final = logging.getLogger("openwmi.remote")
_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)
_HANDSHAKES: Final = (e.Established, e.AuthenticationRefused)
_CALL_CANCELLED: Final = 0x1C00000D  # nca_s_fault_cancel
_UNSPECIFIED: Final = 0x1C000012  # nca_s_fault_unspec


class Serving(Protocol):
    """What answers the calls of associations."""

    def serves(self, interface: SyntaxId, local: Address) -> bool:
        """Whether a client that came to an address of ours may bind to an interface there."""
        ...

    def called(self, association: Association, request: e.RequestReceived) -> bytes | Awaitable[bytes]:
        """The stub of the answer, now or later. Raises Fault."""
        ...

    def awaited(self, association: Association) -> bool:
        """Whether its client shows elsewhere that it is there: by pinging for what it has got over this connection."""
        ...

    def lost(self, association: Association) -> None:
        """The connection is gone."""

    def sweep(self, now: float) -> None:
        """Let go of what nobody has wanted for too long; called every few seconds."""


class Owner(Protocol):
    """The listener, as its associations see it."""

    limits: ListenerLimits
    serving: Serving

    def now(self) -> float: ...

    def opened(self, association: Association) -> ServerConnection | None:
        """Admit a connection, or not."""
        ...

    def established(self, association: Association, event: e.Established) -> None:
        """A handshake succeeded."""

    def refused(self, association: Association, event: e.AuthenticationRefused) -> float:
        """A handshake failed: seconds for which nothing more is taken from this connection."""
        ...

    def keeps(self, association: Association, more: int) -> None:
        """So many more bytes of calls are kept for a connection; fewer, when negative."""

    def closed(self, association: Association) -> None: ...


class Association(asyncio.Protocol):
    """One client's connection. peer, local: its two ends."""

    def __init__(self, owner: Owner) -> None:
        self.peer = self.local = Address("", 0)
        self.proven = False  # a handshake has succeeded
        self.contexts = 0  # handshakes begun
        self.gone = asyncio.Event()
        self._owner = owner
        self._rpc: ServerConnection | None = None
        self._transport: asyncio.Transport | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._queue: deque[e.RequestReceived] = deque()
        self.kept = 0  # bytes of calls, whole ones and others
        self._opened = 0.0  # when the connection came
        self._since = 0.0  # the last time that the peer did something
        self._begun: float | None = None  # since when a PDU has been arriving
        self._unread: float | None = None  # since when answers wait for the peer to read
        self._drained = asyncio.Event()
        self._drained.set()
        self._holding: asyncio.TimerHandle | None = None
        self._held: list[e.Event] = []
        self._sizes: dict[int, int] = {}  # bytes of the calls that wait or are under way
        self._in_flight = 0
        self._listens = True

    def __repr__(self) -> str:
        return f"<Association {self.peer.host} port {self.peer.port}>"

    @property
    def calls(self) -> int:
        """How many calls are under way."""
        return len(self._tasks) + len(self._queue)

    def context(self, security_id: int) -> SecurityContext | None:
        """One of its security contexts, by its number."""
        found = self._rpc.securities.get(security_id) if self._rpc is not None else None
        return None if found is None else found.context

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.peer = address_of(transport.get_extra_info("peername"))
        self.local = address_of(transport.get_extra_info("sockname"))
        self._opened = self._since = self._owner.now()
        self._rpc = self._owner.opened(self)
        if self._rpc is None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._rpc is None or self._rpc.closed:
            return
        self._since = self._owner.now()
        due = self._rpc.arriving + len(data)
        happened = self._rpc.receive(data)
        if self._begun is None or self._rpc.arriving < due:
            self._begun = self._since if self._rpc.arriving else None
        self._handle_all(happened)
        if not self._flush() and any(isinstance(event, _HANDSHAKES) for event in happened):
            self._acknowledge()
        self._account()

    def pause_writing(self) -> None:
        """The peer does not read: take nothing more from it, and let answers wait."""
        self._unread = self._owner.now()
        self._drained.clear()
        self._regulate()

    def resume_writing(self) -> None:
        self._unread = None
        self._drained.set()
        self._regulate()

    def connection_lost(self, error: Exception | None) -> None:
        if self._holding is not None:
            self._holding.cancel()
        self._queue.clear()
        for task in self._tasks.values():
            self._cancel(task)
        self._drained.set()
        self.gone.set()
        rpc, self._rpc = self._rpc, None
        if rpc is None:
            return
        rpc.close()
        self._owner.keeps(self, -self.kept)
        self.kept = 0
        self._owner.serving.lost(self)
        self._owner.closed(self)

    # For the owner

    def overdue(self, now: float) -> str | None:
        """What this connection lets us wait for too long; None for nothing."""
        limits, silent = self._owner.limits, now - self._since
        if self._unread is not None:
            return "answers are not read" if now - self._unread > limits.unread else None
        if self._listens:
            if self._begun is not None and now - self._begun > limits.fragment:
                return "the rest of a fragment does not come"
            if self._rpc is not None and self._rpc.waiting and silent > limits.fragment:
                return "the rest of a call does not come"
        if self.calls:
            return None
        if not self.proven and (silent > limits.handshake or now - self._opened > limits.stranger):
            return "nobody logs on"
        return "idle" if silent > limits.idle and not self._owner.serving.awaited(self) else None

    def end(self, reason: str) -> None:
        """Break the connection off."""
        _LOG.info("connection ended: %s", reason, extra={"fields": {"address": self.peer.host}})
        if self._transport is not None:
            self._transport.abort()

    def cancel_calls(self) -> None:
        """End what is under way; see `answering.ENDING`."""
        self._queue.clear()
        for task in self._tasks.values():
            self._cancel(task, ENDING)

    def _cancel(self, task: asyncio.Task[None], why: str | None = None) -> None:
        """Cancel a call behind its first step: one that never began would leave the method's coroutine unawaited, and
        could not tell its client why it ends."""
        asyncio.get_running_loop().call_soon(task.cancel, why)

    def shut_down(self) -> None:
        """Ask the client to go, and close the connection once what is written has been sent."""
        if self._rpc is not None and not self._rpc.closed and self._transport is not None:
            if self._rpc.presentations:
                self._rpc.shutdown()
            self._flush()
            self._transport.close()

    async def wait_for_calls(self) -> None:
        """Until no call is under way."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    # Events

    def _handle_all(self, happened: list[e.Event]) -> None:
        """What comes after a failed log-on in the same piece waits with the connection."""
        for number, event in enumerate(happened):
            self._handle(event)
            if self._holding is not None:
                self._held += happened[number + 1 :]
                return
        if self._rpc is not None and self._rpc.closed and self._transport is not None:
            self._flush()
            self._transport.close()

    def _handle(self, event: e.Event) -> None:
        match event:
            case e.RequestReceived():
                self._requested(event)
            case e.Established():
                self.proven = True
                self._owner.established(self, event)
            case e.AuthenticationRefused():
                self._hold(self._owner.refused(self, event))
            case e.CallCancelled() | e.CallOrphaned():
                task = self._tasks.get(event.call_id)
                if task is not None:
                    self._cancel(task)
            case e.Broken():
                _LOG.info("protocol broken: %s", event.error, extra={"fields": {"address": self.peer.host}})
            case _:
                pass

    def _requested(self, request: e.RequestReceived) -> None:
        assert self._rpc is not None
        if self._tasks and not self._rpc.multiplexed:
            self._queue.append(request)
            self._count(request.call_id, len(request.stub))
            return
        try:
            answer = self._owner.serving.called(self, request)
        except Fault as fault:
            self._rpc.fault(request.call_id, fault.status, executed=False)
            return
        except Exception:  # noqa: BLE001 - a mistake of ours ends its own call, not the connection
            _LOG.exception("a call failed")
            self._rpc.fault(request.call_id, _UNSPECIFIED)
            return
        if isinstance(answer, bytes):
            self._rpc.respond(request.call_id, answer)
        else:
            self._count(request.call_id, len(request.stub))
            self._begin(request.call_id, answer)

    def _count(self, call_id: int, size: int) -> None:
        """A call is kept, with so many bytes; 0: no longer."""
        self._in_flight += size - self._sizes.pop(call_id, 0)
        if size:
            self._sizes[call_id] = size
        self._regulate()

    def _begin(self, call_id: int, answer: Awaitable[bytes]) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(call_id, answer))
        self._tasks[call_id] = task
        task.add_done_callback(lambda done: self._over(call_id, answer, done))

    async def _answer(self, call_id: int, answer: Awaitable[bytes]) -> None:
        """Wait for an answer, then for the peer to read, and send it."""
        try:
            stub = await answer
        except Fault as fault:
            self._fault(call_id, fault.status, executed=False)
        except Exception:  # noqa: BLE001 - as above
            _LOG.exception("a call failed")
            self._fault(call_id, _UNSPECIFIED, executed=True)
        else:
            await self._drained.wait()
            if self._rpc is not None:
                self._rpc.respond(call_id, stub)
                self._flush()

    def _fault(self, call_id: int, status: int, *, executed: bool) -> None:
        if self._rpc is not None and not self._rpc.closed:
            self._rpc.fault(call_id, status, executed=executed)
            self._flush()

    def _over(self, call_id: int, answer: Awaitable[bytes], task: asyncio.Task[None]) -> None:
        """A call is over. One that was given up gets a fault, if the client still listens."""
        if self._tasks.get(call_id) is task:
            del self._tasks[call_id]
            self._count(call_id, 0)
        if isinstance(answer, Coroutine):
            answer.close()  # it may never have been begun
        if task.cancelled():
            self._fault(call_id, _CALL_CANCELLED, executed=True)
        self._since = self._owner.now()
        while self._queue and not self._tasks and self._rpc is not None:
            request = self._queue.popleft()
            self._count(request.call_id, 0)
            self._requested(request)
        self._flush()
        self._account()

    # Bytes

    def _flush(self) -> bool:
        """Send what is to be sent, in one write; whether there was anything."""
        if self._holding is not None:
            return False
        data = self._rpc.take() if self._rpc is not None else b""
        if not data or self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(data)
        return True

    def _acknowledge(self) -> None:
        """Nothing answers an AUTH3, and the client's next small write waits for our delayed acknowledgement: 40 ms for
        each handshake (wire.md 2.5). The option does not stay set."""
        peer: Any = self._transport.get_extra_info("socket") if self._transport is not None else None
        if peer is not None and _QUICKACK is not None:
            try:
                peer.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            except OSError:
                pass  # the connection is going down; asyncio will say so

    def _account(self) -> None:
        """Bound what calls keep: little before the peer has proved who it is, and not too much in all."""
        rpc = self._rpc
        if rpc is None:
            return
        more = rpc.waiting + self._in_flight - self.kept
        if not more:
            return
        self.kept += more
        if not self.proven and self.kept > self._owner.limits.unproven:
            self.end("a large call by nobody known")
        self._owner.keeps(self, more)

    def _hold(self, seconds: float) -> None:
        """Take nothing from this connection for a while, and say nothing."""
        if seconds > 0 and self._holding is None:
            self._holding = asyncio.get_running_loop().call_later(seconds, self._release)
            self._regulate()

    def _release(self) -> None:
        self._holding = None
        self._since = self._owner.now()
        self._regulate()
        held, self._held = self._held, []
        self._handle_all(held)
        self._flush()

    def _regulate(self) -> None:
        """Read on, or leave what comes with the peer: while it is held, does not read, or has enough under way."""
        listen = (
            self._holding is None
            and self._drained.is_set()
            and self._in_flight <= self._owner.limits.in_flight
        )
        if listen is self._listens or self._transport is None or self._transport.is_closing():
            return
        self._listens = listen
        if listen:
            self._since = self._owner.now()
            if self._begun is not None:
                self._begun = self._since  # it could not go on
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()
