"""An event loop whose clock the test moves, and threads that are turns of it: services without time and threads."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from openwmi.service.core import Service
from openwmi.service.feed import Feed, Segment


class ClockedLoop(asyncio.SelectorEventLoop):
    """A loop that never waits: its time is a number that `advance` moves."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.problems: list[dict[str, Any]] = []
        self.set_exception_handler(lambda loop, context: self.problems.append(context))

    def time(self) -> float:
        return self.now

    def turn(self, count: int = 1) -> None:
        """Run what is ready, `count` times over."""
        for _ in range(count):
            self.call_soon(self.stop)
            self.run_forever()

    def settle(self) -> None:
        """Run until nothing is ready any more (bounded)."""
        for _ in range(200):
            self.turn()
            if not self._ready:  # type: ignore[attr-defined]
                return
        raise AssertionError("the loop never comes to rest")

    def advance(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.now + seconds
        while self._scheduled and self._scheduled[0].when() <= end:  # type: ignore[attr-defined]
            self.now = max(self.now, self._scheduled[0].when())  # type: ignore[attr-defined]
            self.settle()
        self.now = end
        self.settle()


class Inline:
    """Stands in for worker threads: each job is one turn of the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def submit(self, job: Callable[[], object]) -> None:
        self.loop.call_soon(job)


@contextmanager
def clocked_service() -> Iterator[tuple[ClockedLoop, Service]]:
    """A service on a clocked loop; afterwards nothing may be left: no task, no timer, no call, no complaint."""
    loop = ClockedLoop()
    asyncio.set_event_loop(loop)
    try:
        service = Service(loop, namespaces=None)  # type: ignore[arg-type]
        yield loop, service
        loop.advance(3600)
        assert not asyncio.all_tasks(loop), "a task is left behind"
        assert not service.running, "a call is left in the table"
        gc.collect(0)
        assert loop.problems == []
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def feed(loop: ClockedLoop, segments: Iterator[Segment], reader: Any) -> Feed:
    """A feed whose planning takes a turn of the loop."""
    return Feed(loop, segments, Inline(loop), reader)  # type: ignore[arg-type]
