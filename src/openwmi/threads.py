"""Worker threads that can be abandoned, for blocking providers and callbacks into user code; waits that Ctrl-C ends.

The standard library's executors join their threads at exit and never replace a stuck one. Here every thread is a
daemon, a stuck one costs only its own place, and nothing delays the interpreter's exit.
"""

from __future__ import annotations

import threading
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from asyncio import Future as Answer
    from collections.abc import Callable
    from concurrent.futures import Future

T = TypeVar("T")

# How long Ctrl-C may go unnoticed. A signal that arrives just before a wait begins does not end it, so that every wait
# of the main thread looks up from it now and then.
LOOK_SECONDS: Final = 0.2
# An idle worker stays this long, so that a run of short jobs does not start a thread each.
IDLE_SECONDS: Final = 10.0


class Threads:
    """At most `limit` daemon threads, started on demand. Jobs beyond that wait in a queue and hold no thread.

    A job is a callable without arguments that handles its own errors; work that is awaited (`run`) need not.
    """

    __slots__ = ("_idle", "_jobs", "_limit", "_lock", "_name", "_running", "_wake")

    def __init__(self, limit: int, *, name: str) -> None:
        self._limit = limit
        self._name = name
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._jobs: deque[Callable[[], object]] = deque()
        self._running = 0
        self._idle = 0

    def submit(self, job: Callable[[], object]) -> None:
        """Run a job on some worker thread, in the order of submission as far as threads are free."""
        with self._lock:
            self._jobs.append(job)
            if self._idle >= len(self._jobs):
                self._wake.notify()
                return
            if self._running >= self._limit:
                return
            self._running += 1
        threading.Thread(target=self._work, name=self._name, daemon=True).start()

    async def run(self, work: Callable[[], T]) -> T:
        """What a blocking piece of work gives or raises. Whoever stops waiting leaves its thread behind."""
        import asyncio  # only those who await need it

        loop = asyncio.get_running_loop()
        answer: Answer[T] = loop.create_future()

        def settle(value: T | None, failure: Exception | None) -> None:
            if answer.done():
                return
            if failure is not None:
                answer.set_exception(failure)
            else:
                answer.set_result(value)  # type: ignore[arg-type]

        def job() -> None:
            value: T | None = None
            failure: Exception | None = None
            try:
                value = work()
            except Exception as reason:  # noqa: BLE001 - whoever waits raises it
                failure = reason
            try:
                loop.call_soon_threadsafe(settle, value, failure)
            except RuntimeError:  # the loop has ended meanwhile
                pass

        self.submit(job)
        return await answer

    @property
    def running(self) -> int:
        """Threads alive, idle ones included."""
        return self._running

    def _next(self) -> Callable[[], object] | None:
        with self._lock:
            if not self._jobs:
                self._idle += 1
                self._wake.wait(IDLE_SECONDS)
                self._idle -= 1
            if self._jobs:
                return self._jobs.popleft()
            self._running -= 1
            return None

    def _work(self) -> None:
        while (job := self._next()) is not None:
            job()
            del job  # an idle thread must not keep the last call alive


def waited(wait: Callable[[float | None], bool], seconds: float | None = None) -> bool:
    """`wait(seconds)` of an event or the like, and Ctrl-C is noticed. False when the time is over; None has no end."""
    if threading.current_thread() is not threading.main_thread():
        return wait(seconds)
    end = None if seconds is None else monotonic() + seconds
    while True:
        left = LOOK_SECONDS if end is None else end - monotonic()
        if wait(max(0.0, min(left, LOOK_SECONDS))):
            return True
        if left <= 0:
            return False


def settled(answer: Any) -> Any:
    """What the method of a provider has given; an asynchronous one is run to its end on this thread."""
    if not hasattr(answer, "__await__"):
        return answer
    import asyncio  # most providers need none

    async def wait() -> Any:
        return await answer

    return asyncio.run(wait())


def outcome(future: Future[T], seconds: float | None = None) -> T:
    """What a future gives, waited for so that Ctrl-C is noticed. TimeoutError when the time is over."""

    def settled(seconds: float | None) -> bool:
        try:
            future.exception(seconds)
        except TimeoutError:
            return future.done()
        return True

    if not future.done() and not waited(settled, seconds):
        raise TimeoutError
    return future.result()
