"""What only the asynchronous face has: waiting on the caller's loop, hops to another one, sinks called on it.

Its twin for threads is openwmi/faces/sync/bridge.py; everything between them is written once (tools/generate_sync.py).
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future as ThreadFuture
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, Protocol, TypeVar

from openwmi.faces.workers import WORKERS
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_SHUTTING_DOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from openwmi.contract.outcome import Outcome, Progress
    from openwmi.contract.services import Sink
    from openwmi.model.batches import Batch

P = ParamSpec("P")
T = TypeVar("T")

_LOG: Final = logging.getLogger("openwmi.faces")
BLOCKING: Final = False
_INSIDE: Final[ContextVar[bool]] = ContextVar("openwmi_inside_sink", default=False)


class Gate:
    """Lets one waiting reader through whenever something has happened; `wake` may be called on any thread."""

    __slots__ = ("_loop", "_open", "_waiter")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._open = False
        self._waiter: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Something has happened. Costs a hop only while somebody waits."""
        self._open = True
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            try:
                self._loop.call_soon_threadsafe(_resolve, waiter)
            except RuntimeError:  # the reader's loop is closed: nobody waits any more
                pass

    async def wait(self, seconds: float | None) -> bool:
        """Wait for the next event, or take the one that has been; False when `seconds` pass without."""
        waiter = self._waiter = self._loop.create_future()
        timer = None if seconds is None else self._loop.call_later(seconds, _resolve, waiter)
        try:
            if not self._open:  # looked at after the waiter is there: an event between would wake nobody
                await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
        opened, self._open = self._open, False
        return opened


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def outer_loop() -> asyncio.AbstractEventLoop:
    """The loop that connections to other machines live on: the caller's own."""
    return asyncio.get_running_loop()


async def hop(
    loop: asyncio.AbstractEventLoop,
    function: Callable[P, Coroutine[Any, Any, T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Await a coroutine function that runs on `loop`; cancelling the waiting cancels it there."""
    if loop is asyncio.get_running_loop():
        return await function(*args, **kwargs)
    if not loop.is_running():
        raise error(WBEM_E_SHUTTING_DOWN, "the service has ended")
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(function(*args, **kwargs), loop))


async def wind_up(
    loop: asyncio.AbstractEventLoop, function: Callable[[], Coroutine[Any, Any, object]]
) -> None:
    """Await a coroutine function that ends something on `loop`; where that is no more, everything has ended."""
    if loop.is_running():
        await hop(loop, function)


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Await a function that blocks."""
    return await asyncio.wrap_future(WORKERS.call(lambda: function(*args, **kwargs)))


async def result(future: ThreadFuture[T], seconds: float | None) -> T:
    """Await what another thread will tell; many may, and giving up disturbs nobody. TimeoutError after `seconds`."""
    return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), seconds)


def inside() -> bool:
    """Whether the caller is a sink that is being called (D14)."""
    return _INSIDE.get()


class Closable(Protocol):
    """What an opening gives."""

    async def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


class Opening(Generic[C]):
    """Something to be opened, by `await` or by `async with`; the latter closes it at the end."""

    __slots__ = ("_opened", "_start")

    def __init__(self, start: Callable[[], Coroutine[Any, Any, C]]) -> None:
        self._start = start
        self._opened: C | None = None

    def __await__(self) -> Generator[Any, Any, C]:
        return self._start().__await__()

    async def __aenter__(self) -> C:
        self._opened = await self
        return self._opened

    async def __aexit__(self, *exception: object) -> None:
        if self._opened is not None:
            await self._opened.close()


def opening(function: Callable[P, Coroutine[Any, Any, C]], *args: P.args, **kwargs: P.kwargs) -> Opening[C]:
    """An :class:`Opening` of what the function gives."""
    return Opening(lambda: function(*args, **kwargs))


class Outlet:
    """A program's sink, called on the loop it was given from: one hop for a batch, none where that is the service's."""

    __slots__ = ("_home", "_sink", "_task", "identity")

    def __init__(self, sink: Sink, loop: asyncio.AbstractEventLoop) -> None:
        self.identity: object = getattr(sink, "identity", None) or sink
        self._sink = sink
        home = asyncio.get_running_loop()
        self._home = None if home is loop else home
        self._task: asyncio.Task[object] | None = None

    def on_objects(self, batch: Batch) -> object:
        return self._pass(self._sink.on_objects, batch)

    def on_progress(self, progress: Progress) -> object:
        return self._pass(self._sink.on_progress, progress)

    def on_completed(self, outcome: Outcome) -> object:
        return self._pass(self._sink.on_completed, outcome)

    def on_released(self) -> None:
        released = getattr(self._sink, "on_released", None)
        if released is not None:
            if self._home is None:
                released()
            else:
                self._home.call_soon_threadsafe(released)

    def _pass(self, method: Callable[[Any], object], argument: object) -> object:
        if self._home is None:
            return _called(method, argument)
        future: ThreadFuture[object] = ThreadFuture()
        # A loop that is closed raises here: to the service, its client is dead (C9).
        self._home.call_soon_threadsafe(self._call, method, argument, future)
        return future

    def _call(self, method: Callable[[Any], object], argument: object, future: ThreadFuture[object]) -> None:
        """On the program's loop."""
        if not future.set_running_or_notify_cancel():
            return  # the call was cancelled while this loop was busy
        try:
            answer: Any = _called(method, argument)
        except BaseException as failure:
            future.set_exception(failure)  # the service hears of it
            if isinstance(failure, (SystemExit, KeyboardInterrupt)):
                raise  # and the loop's own program ends, as it would anywhere else
            return
        if not hasattr(answer, "__await__"):
            future.set_result(answer)
            return
        self._task = asyncio.ensure_future(answer)
        self._task.add_done_callback(lambda done: _copy(done, future))


def _called(method: Callable[[Any], object], argument: object) -> object:
    """Call a sink and know that one is being called; its coroutine inherits that."""
    token = _INSIDE.set(True)
    try:
        answer: Any = method(argument)
        return asyncio.ensure_future(_watched(answer)) if hasattr(answer, "__await__") else answer
    except Exception:
        _LOG.exception("a sink failed in %s: its call is cancelled", getattr(method, "__qualname__", method))
        raise
    finally:
        _INSIDE.reset(token)


async def _watched(answer: Any) -> object:
    try:
        return await answer
    except Exception:
        _LOG.exception("a sink failed: its call is cancelled")
        raise


def _copy(done: asyncio.Future[object], future: ThreadFuture[object]) -> None:
    if done.cancelled():
        future.set_exception(asyncio.CancelledError())
    elif (failure := done.exception()) is not None:
        future.set_exception(failure)
    else:
        future.set_result(done.result())
