"""The threads that run what may hang in a program's own code: sinks, and look-ups of names.

A call's callbacks never overlap, because the service starts the next one only when the future of the last is done.
The number of threads is bounded; a job that does not come back stops counting after a while, so that one that hangs
takes no place from others. All are daemons: nothing here delays the interpreter's exit.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

from openwmi.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

LIMIT: Final = 32
# A job that takes longer than this is taken for one that hangs: another thread takes its place. Shorter than a cancel
# waits, so that a final status is never kept back that long by other sinks.
PATIENCE: Final = 0.5
_LOCAL: Final = threading.local()


def inside_callback() -> bool:
    """Whether this thread is calling a sink: nothing may wait for that callback then (calls.md D14)."""
    return bool(getattr(_LOCAL, "depth", 0))


def client() -> Any:
    """What was given as `client` to the callback that runs on this thread; None outside a callback."""
    return getattr(_LOCAL, "client", None)


class Workers(Threads):
    """Daemon threads, started on demand and bounded; a stuck one is replaced."""

    __slots__ = ("_overseen", "_since")

    def __init__(self, limit: int = LIMIT, *, name: str = "openwmi-sink") -> None:
        super().__init__(limit, name=name)
        self._since: dict[object, float] = {}
        self._overseen = False

    def call(self, job: Callable[[], T], client: object = None) -> Future[T]:
        """Run a callback on some thread; the future holds what it returns or raises, and can be cancelled until the
        callback begins."""
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            with self._lock:
                self._since[future] = monotonic()
            _LOCAL.depth, _LOCAL.client = 1, client
            try:
                result = job()
            except BaseException as exception:  # noqa: BLE001 - the future's reader hears of it; the worker goes on
                future.set_exception(exception)
            else:
                future.set_result(result)
            finally:
                _LOCAL.depth, _LOCAL.client = 0, None
                self._finished(future)

        self.submit(work)
        self._oversee()
        return future

    def _finished(self, future: object) -> None:
        with self._lock:
            if self._since.pop(future, None) is None:  # it had been replaced
                self._limit -= 1

    def _oversee(self) -> None:
        """While jobs wait for a thread, watch for those that hang."""
        with self._lock:
            if self._overseen or not self._jobs or self._running < self._limit:
                return
            self._overseen = True
        threading.Thread(target=self._watch, name="openwmi-watch", daemon=True).start()

    def _watch(self) -> None:
        pause = threading.Event()
        while True:
            with self._lock:
                if not self._jobs:
                    self._overseen = False
                    return
                late = monotonic() - PATIENCE
                stuck = [future for future, since in self._since.items() if since < late]
                for future in stuck:
                    del self._since[future]
                self._limit += len(stuck)
            for _ in stuck:
                self.submit(_nothing)  # starts a thread for the waiting jobs, now that there is room
            pause.wait(PATIENCE / 4)


def _nothing() -> None:
    pass


WORKERS: Final = Workers()
