"""One accepted operation: its delivery machine, the feed that fills it, and the sink that it calls."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future as ThreadFuture
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, Final, Protocol

from openwmi.contract.delivery import RELEASE, STOP, Deliver, Delivery, Finish, Report
from openwmi.contract.outcome import Outcome, Progress
from openwmi.model.status import failed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from openwmi.calls.table import Calls
    from openwmi.contract.services import Sink
    from openwmi.model.batches import Batch

# Set while a sink's coroutine runs: CancelAsyncCall from inside a callback must not wait for that callback (D14).
IN_CALLBACK: Final[ContextVar[bool]] = ContextVar("openwmi_in_callback", default=False)


class Source(Protocol):
    """What fills a call: a feed, or a subscription."""

    def allow(self, demand: int) -> None: ...

    def stop(self) -> None: ...


class RunningCall:
    """A call; lives on the loop of its table. Implements contract.services.Call."""

    __slots__ = (
        "__weakref__",
        "_advancing",
        "_callback",
        "_done",
        "_loop",
        "_progress",
        "_sink",
        "_table",
        "_timer",
        "_waiting",
        "counted",
        "feed",
        "finish",
        "identity",
        "machine",
        "principal",
        "under_way",
    )

    def __init__(
        self,
        table: Calls,
        sink: Sink,
        identity: object,
        principal: str,
        *,
        finish: Callable[[BaseException | None, int], Outcome] | None = None,
    ) -> None:
        self._table = table
        self._loop = table.loop
        self._sink: Sink | None = sink
        self.identity = identity
        self.principal = principal
        self.finish = finish
        self.machine = Delivery(credit=getattr(sink, "credit", None))
        self.feed: Source | None = None
        self.counted = True
        self.under_way = True  # no subscription that has not begun yet
        self._waiting: asyncio.Future[None] | None = None
        self._advancing = False
        self._callback: ThreadFuture[object] | None = None  # one that may still wait for its thread or loop
        self._timer: asyncio.TimerHandle | None = None
        self._progress: Progress | None = None
        self._done: list[Callable[[Outcome], object]] | None = None

    # For the user of the call

    @property
    def done(self) -> bool:
        return self.machine.closed

    def grant(self, count: int) -> None:
        self.machine.granted(count)
        self.advance()

    async def cancel(self) -> None:
        """End this call alone, with CancelAsyncCall's guarantee; harmless when it has ended."""
        if self.decide():
            self.advance()
            if not self.machine.closed and not IN_CALLBACK.get():
                await self._table.settled((self,))

    def decide(self) -> bool:
        """Decide that the call ends as cancelled; False when its end is decided already. A callback that has not begun
        yet, because its thread or its loop is busy with others, never begins (D5)."""
        if not self.machine.cancel():
            return False
        if self._callback is not None:
            self._callback.cancel()
        return True

    async def begun(self) -> None:
        """Wait until a subscription is in force, or has ended; see contract.services.Call."""
        if self.under_way:
            return
        if self._waiting is None:
            self._waiting = self._loop.create_future()
        await asyncio.shield(self._waiting)

    def add_done_callback(self, callback: Callable[[Outcome], object]) -> None:
        if self.machine.closed:
            callback(self.machine.outcome)
        elif self._done is None:
            self._done = [callback]
        else:
            self._done.append(callback)

    def remove_done_callback(self, callback: Callable[[Outcome], object]) -> None:
        if self._done is not None and callback in self._done:
            self._done.remove(callback)

    def __await__(self) -> Generator[Any, None, Outcome]:
        if not self.machine.closed:
            waiter: asyncio.Future[Outcome] = self._loop.create_future()

            def wake(outcome: Outcome) -> None:
                if not waiter.done():
                    waiter.set_result(outcome)

            self.add_done_callback(wake)
            try:
                return (yield from waiter)
            finally:
                self.remove_done_callback(wake)
        return self.machine.outcome

    # From the feed (contract of feed.Reader)

    def on_batch(self, batch: Batch) -> None:
        self.machine.produced(batch)
        self.advance()

    def on_end(self, fault: BaseException | None, status: int) -> None:
        assert self.finish is not None  # given where a feed of our own ends the call
        self.on_outcome(self.finish(fault, status))

    def on_outcome(self, outcome: Outcome) -> None:
        """The source is through, and this is how it ended."""
        self.machine.ended(outcome)
        self.advance()

    def on_begun(self) -> None:
        """The subscription is in force, or never will be; a second time does nothing."""
        self.under_way = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def report(self, current: int, total: int, message: str | None) -> None:
        """A provider's progress, from any thread. Reports that come faster than the loop turns are merged."""
        waiting = self._progress is not None
        self._progress = Progress(current, total, message)
        if not waiting:
            try:
                self._loop.call_soon_threadsafe(self._on_progress)
            except RuntimeError:  # the service has ended
                self._progress = None

    def _on_progress(self) -> None:
        progress, self._progress = self._progress, None
        if progress is not None:
            self.machine.reported(progress)
            self.advance()

    # Driving the machine

    def advance(self) -> None:
        """Perform every action that is due. A sink may re-enter by cancelling from its callback."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while (action := self.machine.next_action()) is not None:
                if isinstance(action, Deliver):
                    self._invoke("on_objects", action.batch)
                elif isinstance(action, Report):
                    self._invoke("on_progress", action.progress)
                elif isinstance(action, Finish):
                    self._invoke("on_completed", action.outcome)
                elif action is STOP:
                    self._stop_source()
                elif action is RELEASE:
                    self._release()
        finally:
            self._advancing = False
        if self.feed is not None and (demand := self.machine.demand):
            self.feed.allow(demand)

    def _stop_source(self) -> None:
        feed, self.feed = self.feed, None
        if feed is not None:
            feed.stop()

    def _invoke(self, method: str, argument: object) -> None:
        """Call the sink. An answer that is still to come is waited for, with the 30 s rule (C7)."""
        try:
            answer = getattr(self._sink, method)(argument)
            if answer is not None and not isinstance(answer, int):
                answer = self._eventual(answer)
        except BaseException:  # noqa: BLE001 - a sink may raise anything; it ends its own call (C5)
            self.machine.returned(failed=True)
            return
        if answer is None or isinstance(answer, int):
            self.machine.returned(failed=answer is not None and failed(answer))
            return
        if answer.done():
            self.machine.returned(failed=_failure(answer))
            return
        if self.machine.timed:
            self._timer = self._loop.call_later(self._table.patience.sink_patience, self._on_expired)
        answer.add_done_callback(self._on_returned)

    def _eventual(self, answer: Any) -> asyncio.Future[object]:
        """The future that tells when the sink's callback is through."""
        if isinstance(answer, asyncio.Future):
            return answer
        if isinstance(answer, ThreadFuture):
            self._callback = answer
            return asyncio.wrap_future(answer, loop=self._loop)
        context = copy_context()
        context.run(IN_CALLBACK.set, True)
        return self._loop.create_task(_awaiting(answer), context=context)

    def _on_returned(self, answer: asyncio.Future[object]) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._callback = None
        self.machine.returned(failed=_failure(answer))
        self.advance()

    def _on_expired(self) -> None:
        self._timer = None
        self.decide()
        self.machine.expired()
        self._table.forget(self)
        self.advance()

    def _release(self) -> None:
        """The end: the sink is let go, the call leaves the service's table, whoever waits is told."""
        sink, self._sink = self._sink, None
        self._stop_source()
        self._table.forget(self)
        released = getattr(sink, "on_released", None)
        if released is not None:
            try:
                released()
            except BaseException:  # noqa: S110, BLE001 - after the final status nothing a sink does matters any more (C6)
                pass
        self.on_begun()
        callbacks, self._done = self._done, None
        for callback in callbacks or ():
            callback(self.machine.outcome)


async def _awaiting(answer: Any) -> object:
    return await answer


def _failure(answer: asyncio.Future[object]) -> bool:
    """Whether a finished callback failed: it raised, was cancelled, or gave a failing HRESULT (C5)."""
    if answer.cancelled() or answer.exception() is not None:
        return True
    result = answer.result()
    return isinstance(result, int) and failed(result)
