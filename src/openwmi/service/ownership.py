"""The owner lock: of all processes that share a store one runs what only one may run, which is permanent subscriptions
and timers (DESIGN.md section 2).

It is a lock of the operating system on a file beside the store, so that a process that is killed holds it no longer. A
process that does not get it asks again from time to time, and takes over. The file has the number of who holds it and
is touched now and then; whoever gives the lock back empties it. So the next one knows whether somebody was killed, and
when at the earliest.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

# How often a process that waits for the lock asks for it.
RETRY_SECONDS: Final = 1.0
# How often the holder gives a sign of life.
TOUCH_SECONDS: Final = 10.0
_LOG: Final = logging.getLogger("openwmi.events")


class Orphaned(NamedTuple):
    """A holder that ended without giving the lock back, and when it was seen last, in seconds since 1970."""

    holder: int
    seen: float


class Ownership:
    """One process's part in it; everything here runs on the service's loop.

    path: of the file, None for a store that no other process can see. orphaned: who had it before, if it was killed.
    """

    __slots__ = ("_begin", "_descriptor", "_end", "_loop", "_path", "_timer", "held", "orphaned")

    def __init__(self, path: str | None, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._loop = loop
        self._descriptor: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._begin: list[Callable[[], object]] = []
        self._end: list[Callable[[], object]] = []
        self.held = False
        self.orphaned: Orphaned | None = None

    @property
    def holder(self) -> int | None:
        """The process that holds the lock, as far as it is known: who takes it writes its number into the file."""
        if self._path is None:
            return os.getpid() if self.held else None
        try:
            with open(self._path, encoding="ascii") as file:
                return int(file.read(20))
        except (OSError, ValueError):
            return None

    def when_held(self, begin: Callable[[], object], end: Callable[[], object]) -> None:
        """Have `begin` run once the lock is held, at once if it is, and `end` before it is given back."""
        self._begin.append(begin)
        self._end.append(end)
        if self.held:
            begin()

    def pursue(self) -> None:
        """Take the lock now, or as soon as nobody else holds it. A second time does nothing."""
        if self.held or self._timer is not None:
            return
        if not self._taken():
            self._timer = self._loop.call_later(RETRY_SECONDS, self._again)
            return
        self.held = True
        self._touch()
        for begin in list(self._begin):
            begin()

    def release(self) -> None:
        """End what depends on the lock and give it back, or ask for it no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.held:
            for end in reversed(self._end):
                end()
            self.held = False
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def _touch(self) -> None:
        if self._descriptor is not None:
            os.utime(self._descriptor)
            self._timer = self._loop.call_later(TOUCH_SECONDS, self._touch)

    def _again(self) -> None:
        self._timer = None
        self.pursue()

    def _taken(self) -> bool:
        if self._path is None:
            return True
        import fcntl

        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as reason:
            _LOG.warning("the owner lock %s cannot be opened: %s", self._path, reason)
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        self.orphaned = _orphaned(descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        return True


def _orphaned(descriptor: int) -> Orphaned | None:
    said = os.pread(descriptor, 20, 0).strip()
    return Orphaned(int(said), os.fstat(descriptor).st_mtime) if said.isdigit() else None


def is_held(path: str) -> bool:
    """Whether some process holds the lock just now; asking does not keep anybody from taking it for long."""
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
