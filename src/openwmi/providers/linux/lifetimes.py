"""From forks, execs and exits to processes that begin and end: what the provider of process events makes of them.

A process begins with a fork, but it becomes the program one waits for with the exec that follows. So its beginning is
told with the exec, or when it has not come after a while: some processes never exec. That while is the most that a
beginning is told late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.providers.linux.connector import EXEC, EXIT, FORK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from openwmi.providers.linux.connector import Happening

# Seconds that a process may take from its fork to its exec.
PATIENCE: Final = 0.05
STARTED, CHANGED, ENDED = "started", "changed", "ended"


class Turn(NamedTuple):
    """One change in the life of a process: it has STARTED, CHANGED to another program, or ENDED.

    parent: 0 where it is not known. status: as wait(2) has it; None where it is not known. time: nanoseconds since
    the boot, 0 where it is not known. fresh: started without an exec so far, so that its program is its parent's.
    """

    what: str
    process: int
    parent: int = 0
    status: int | None = None
    time: int = 0
    fresh: bool = False


class Lifetimes:
    """Which processes there are.

    known: those that were there at a moment. since: that moment, in nanoseconds since the boot; events may be older.
    is_alive(process): whether a process whose first thread has ended has others that have not.
    """

    def __init__(self, known: Iterable[int], since: int, *, is_alive: Callable[[int], bool]) -> None:
        self.known = set(known)
        self._since = since
        self._is_alive = is_alive
        self._young: dict[int, tuple[float, Turn]] = {}  # by process: when it is told at the latest, and what
        self._headless: dict[int, int] = {}  # processes that live on without their first thread: its status

    def take(self, happening: Happening, now: float) -> Iterable[Turn]:
        """What an event means. now: seconds, of any clock that goes on steadily."""
        what, thread, process, parent, status, time = happening
        if what == FORK:
            if thread == process and time >= self._since:
                yield from self._ended(process, None, time)  # one of the same number whose end was not told
                self.known.add(process)
                turn = Turn(STARTED, process, parent, time=time, fresh=True)
                self._young[process] = (now + PATIENCE, turn)
        elif what == EXEC:
            yield from self._on_exec(process, time)
        elif what == EXIT:
            yield from self._on_exit(thread, process, status, time)

    def due(self, now: float) -> Iterable[Turn]:
        """The processes whose exec has not come in time."""
        while self._young:
            process, (latest, turn) = next(iter(self._young.items()))
            if latest > now:
                return
            del self._young[process]
            yield turn

    @property
    def next_due(self) -> float | None:
        """When `due` has something at the earliest."""
        return next(iter(self._young.values()))[0] if self._young else None

    def compare(self, present: Iterable[int], since: int) -> Iterable[Turn]:
        """What must have happened, when these processes were there at a moment and events are missing."""
        self._since = since
        now = set(present)
        for process in sorted(self.known - now):
            yield from self._ended(process, None, 0)
        for process in sorted(now - self.known):
            self.known.add(process)
            yield Turn(STARTED, process)

    def _on_exec(self, process: int, time: int) -> Iterable[Turn]:
        self._headless.pop(process, None)  # a thread has taken the place of the first one
        young = self._young.pop(process, None)
        if young is not None:
            yield young[1]._replace(fresh=False)
        elif process in self.known:
            yield Turn(CHANGED, process, time=time)
        else:  # begun before anybody listened, and not there when all were listed
            self.known.add(process)
            yield Turn(STARTED, process, time=time)

    def _on_exit(self, thread: int, process: int, status: int, time: int) -> Iterable[Turn]:
        if thread == process:
            if process in self.known and self._is_alive(process):
                self._headless[process] = status
                return
        elif process not in self._headless or self._is_alive(process):
            return
        yield from self._ended(process, self._headless.pop(process, status), time)

    def _ended(self, process: int, status: int | None, time: int) -> Iterable[Turn]:
        young = self._young.pop(process, None)
        if young is not None:
            yield young[1]
        self._headless.pop(process, None)
        if process in self.known:
            self.known.discard(process)
            yield Turn(ENDED, process, status=status, time=time)
