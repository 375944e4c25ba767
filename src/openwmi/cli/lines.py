"""Lines that a thread of their own writes to a descriptor: whoever says something never waits for whoever reads it.

write(2) takes as long as a reader sleeps, or a disk hangs, and a log must not hold up the loop that serves clients. So
lines stand in a queue of bounded size. What finds no room is lost, and counted, and the count stands in its place.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

# Written at a time: a thread gets its turn 200 times a second where another one computes.
_PIECE: Final = 1 << 16


class _Entry(NamedTuple):
    """A line, or the notice of lines that were lost. lines: how many are lost with it."""

    data: bytes
    lines: int


class LineWriter:
    """What is put is written in that order, without the pieces that there was no room for.

    room: bytes that may wait; notice: the line that tells how many were lost; failed: is told on the thread what ended
    the writing. Without it nothing does: what cannot be written is lost like what finds no room.
    """

    def __init__(
        self,
        descriptor: int,
        room: int,
        *,
        notice: Callable[[int], str],
        failed: Callable[[OSError], object] | None = None,
    ) -> None:
        self._descriptor = descriptor
        self._room = room
        self._notice = notice
        self._failed = failed
        self._changed = threading.Condition()
        self._waiting: deque[_Entry] = deque()
        self._size = 0
        self._writing = 0  # lines that the thread has in hand
        self._lost = 0
        self._broken = False  # the last attempt to write failed
        self._over = False
        self._thread: threading.Thread | None = None

    def put(self, line: str) -> None:
        """Have a line written, its end included. From any thread; never waits."""
        data = line.encode("utf-8", "backslashreplace")
        with self._changed:
            if self._over:
                return
            # Once lines are lost, half the room must be free before there is one again: few notices, not one a line.
            room = self._room // 2 if self._lost else self._room
            if self._waiting and self._size + len(data) > room:
                self._lost += 1
                return
            if self._lost:
                self._append_notice()
            self._append(_Entry(data, 1))
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="openwmi-lines", daemon=True)
                self._thread.start()

    def flush(self, seconds: float) -> int:
        """Wait until all is written, no longer than this; how many lines are not, those that were lost included."""
        with self._changed:
            self._changed.wait_for(self._is_idle, seconds)
            return sum(entry.lines for entry in self._waiting) + self._writing + self._lost

    def _append(self, entry: _Entry) -> None:
        self._waiting.append(entry)
        self._size += len(entry.data)

    def _append_notice(self) -> None:
        self._append(_Entry(self._notice(self._lost).encode("utf-8", "backslashreplace"), self._lost))
        self._lost = 0

    def _is_idle(self) -> bool:
        told = not self._lost or self._broken
        return self._over or (told and not self._waiting and not self._writing)

    def _work(self) -> None:
        while (entries := self._next()) is not None:
            try:
                write_all(self._descriptor, b"".join(entry.data for entry in entries))
            except OSError as reason:
                self._on_failure(reason)
            else:
                self._on_written()

    def _next(self) -> list[_Entry] | None:
        """What is written next, as much as goes at a time; None when it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._waiting or (self._lost and not self._broken))
            if self._over:
                return None
            if not self._waiting:
                self._append_notice()
            taken: list[_Entry] = []
            size = 0
            while self._waiting and (not taken or size + len(self._waiting[0].data) <= _PIECE):
                taken.append(self._waiting.popleft())
                size += len(taken[-1].data)
            self._size -= size
            self._writing = sum(entry.lines for entry in taken)
            return taken

    def _on_written(self) -> None:
        with self._changed:
            self._writing = 0
            self._broken = False
            self._changed.notify_all()

    def _on_failure(self, reason: OSError) -> None:
        if self._failed is not None:
            self._failed(reason)
        with self._changed:
            self._lost += self._writing
            self._writing = 0
            self._broken = True
            if self._failed is not None:
                self._over = True
                self._waiting.clear()
                self._lost = 0
            self._changed.notify_all()


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything, also to what does not block: a terminal, or a pipe, whose other owner made it so."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
