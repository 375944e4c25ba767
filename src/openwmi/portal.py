"""The loop that a service lives on: one daemon thread with an asyncio loop, and the ways to reach it.

Why a loop of its own: a service is shared by every thread and every event loop of the process, and must keep its
timers and callbacks going while a user's loop is busy or gone.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from openwmi.threads import outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

P = ParamSpec("P")
T = TypeVar("T")

# How long what runs on the loop may take to be cancelled when the loop ends.
CANCEL_SECONDS: Final = 0.2
_LOG: Final = logging.getLogger("openwmi.service")


class Submitted(Future[T]):
    """What a coroutine function on the loop will give."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self.task: asyncio.Task[T] | None = None

    def abandon(self) -> None:
        """Cancel on the loop what nobody waits for any more; from any thread. Nothing when it is done."""
        if not self.done() and not self.cancel() and self._loop.is_running():
            self._loop.call_soon_threadsafe(lambda: self.task is not None and self.task.cancel())


class Portal:
    """A running loop in a daemon thread. Exit never waits for it."""

    __slots__ = ("_stopped", "_tasks", "_thread", "loop")

    def __init__(self, name: str = "openwmi-service") -> None:
        self.loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[object]] = set()
        self._stopped = False
        started = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(started,), name=name, daemon=True)
        self._thread.start()
        started.wait()

    def _serve(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.call_soon(started.set)
        try:
            while not self._stopped:
                self._turn()
        finally:
            self.loop.close()

    def _turn(self) -> None:
        """Run the loop until it is stopped, or until a sink's or provider's coroutine raises SystemExit or the like,
        which asyncio lets through: that is no reason to end the service for everybody else."""
        try:
            self.loop.run_forever()
            self._stopped = True
        except BaseException:  # noqa: BLE001 - whatever it is, the loop goes on
            _LOG.exception("a coroutine on the service's loop tried to end it")

    def inside(self) -> bool:
        """Whether the caller runs on this portal's thread."""
        return threading.get_ident() == self._thread.ident

    def submit(
        self, function: Callable[P, Coroutine[object, object, T]], *args: P.args, **kwargs: P.kwargs
    ) -> Submitted[T]:
        """Start a coroutine function on the loop, from any thread."""
        future: Submitted[T] = Submitted(self.loop)
        self._start(future, lambda: function(*args, **kwargs))
        return future

    def _start(self, future: Submitted[T], made: Callable[[], Coroutine[object, object, T]]) -> None:
        def begin() -> None:
            if not future.set_running_or_notify_cancel():
                return
            task = future.task = self.loop.create_task(made())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(lambda done: _copy(done, future))

        self.loop.call_soon_threadsafe(begin)

    def run(
        self,
        function: Callable[P, Coroutine[object, object, T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a coroutine function on the loop and block until it is done; Ctrl-C cancels it there. Never from the
        loop's own thread."""
        if self.inside():
            raise RuntimeError("a blocking call from the service's own thread would wait for itself")
        future: Submitted[T] = Submitted(self.loop)
        try:
            self._start(future, lambda: function(*args, **kwargs))  # Ctrl-C may come as soon as it runs
            return outcome(future)
        except BaseException:
            future.abandon()
            raise

    async def wrap(
        self, function: Callable[P, Coroutine[object, object, T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Await a coroutine function that runs on the portal's loop, from any loop; cancellation travels with it."""
        if self.inside():
            return await function(*args, **kwargs)
        future = self.submit(function, *args, **kwargs)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            future.abandon()
            raise

    def stop(self) -> None:
        """Cancel what runs and end the loop; returns within a second or gives the thread up."""

        if self._thread.is_alive():
            self.submit(self._end)
            self._thread.join(1.0)

    async def _end(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=CANCEL_SECONDS)
        self.loop.stop()


def _copy(task: asyncio.Task[T], future: Future[T]) -> None:
    """Hand a task's result to the thread that waits for it."""
    if task.cancelled():
        future.set_exception(asyncio.CancelledError())
    elif (failure := task.exception()) is not None:
        future.set_exception(failure)
    else:
        future.set_result(task.result())
