"""What only the synchronous face has: waiting on the calling thread, hops to the services' loop, sinks on workers.

Its twin for event loops is openwmi/faces/aio/bridge.py. Every wait can be interrupted by Ctrl-C.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from openwmi.faces.workers import WORKERS, inside_callback
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_SHUTTING_DOWN
from openwmi.threads import outcome, waited

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

    from openwmi.contract.outcome import Outcome, Progress
    from openwmi.contract.services import Sink
    from openwmi.model.batches import Batch

P = ParamSpec("P")
T = TypeVar("T")

_LOG: Final = logging.getLogger("openwmi.faces")
BLOCKING: Final = True

inside = inside_callback


class Gate:
    """Lets one waiting reader through whenever something has happened; `wake` may be called on any thread."""

    __slots__ = ("_event", "wake")

    def __init__(self) -> None:
        self._event = threading.Event()
        self.wake = self._event.set

    def wait(self, seconds: float | None) -> bool:
        """Wait for the next event, or take the one that has been; False when `seconds` pass without."""
        happened = waited(self._event.wait, seconds)
        self._event.clear()
        return happened


def outer_loop() -> asyncio.AbstractEventLoop:
    """The loop that connections to other machines live on."""
    from openwmi.faces.outside import portal

    return portal().loop


def hop(
    loop: asyncio.AbstractEventLoop,
    function: Callable[P, Coroutine[Any, Any, T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Run a coroutine function on `loop` and wait for it; Ctrl-C cancels it there."""
    if asyncio._get_running_loop() is loop:
        raise RuntimeError("a blocking call on the service's own loop would wait for itself")
    if not loop.is_running():
        raise error(WBEM_E_SHUTTING_DOWN, "the service has ended")
    future = asyncio.run_coroutine_threadsafe(function(*args, **kwargs), loop)
    try:
        return outcome(future)
    except BaseException:
        future.cancel()
        raise


def wind_up(loop: asyncio.AbstractEventLoop, function: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Run a coroutine function that ends something on `loop`; where that is no more, everything has ended."""
    if loop.is_running():
        hop(loop, function)


def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function that blocks; here everything may."""
    return function(*args, **kwargs)


def opening(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the function opens; nothing is put off."""
    return function(*args, **kwargs)


def result(future: Future[T], seconds: float | None) -> T:
    """Wait for what another thread will tell. TimeoutError after `seconds`."""
    return outcome(future, seconds)


class Outlet:
    """A program's sink, called on worker threads: one at a time for one call, because the service waits for each."""

    __slots__ = ("_sink", "identity")

    def __init__(self, sink: Sink, loop: asyncio.AbstractEventLoop) -> None:
        self.identity: object = getattr(sink, "identity", None) or sink
        self._sink = sink

    def on_objects(self, batch: Batch) -> object:
        return WORKERS.call(lambda: _called(self._sink.on_objects, batch))

    def on_progress(self, progress: Progress) -> object:
        return WORKERS.call(lambda: _called(self._sink.on_progress, progress))

    def on_completed(self, outcome: Outcome) -> object:
        return WORKERS.call(lambda: _called(self._sink.on_completed, outcome))

    def on_released(self) -> None:
        released = getattr(self._sink, "on_released", None)
        if released is not None:
            WORKERS.call(released)


def _called(method: Callable[[Any], object], argument: object) -> object:
    try:
        answer = method(argument)
        if hasattr(answer, "__await__"):
            answer.close() if hasattr(answer, "close") else None
            raise TypeError(
                "a sink of the synchronous face has plain methods; this one answers with an awaitable"
            )
    except Exception:
        _LOG.exception("a sink failed in %s: its call is cancelled", getattr(method, "__qualname__", method))
        raise
    return answer
