"""Coroutines on a loop whose clock jumps to the next timer whenever nothing else is left to do."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tests.service.clocked import ClockedLoop

T = TypeVar("T")


class JumpingLoop(ClockedLoop):
    """A clocked loop that moves its own clock."""

    def settle(self) -> None:
        """Run until nothing is ready any more, however much that is."""
        for _ in range(1_000_000):
            self.turn()
            if not self._ready:  # type: ignore[attr-defined]
                return
        raise AssertionError("the loop never comes to rest")

    def complete(self, work: Coroutine[Any, Any, T], *, within: float = 86_400.0) -> T:
        """Run to the end; AssertionError when it can never come, or only after more than `within` seconds."""
        task = self.create_task(work)
        end = self.now + within
        while True:
            self.settle()
            if task.done():
                return task.result()
            assert self._scheduled, "nothing is left that could go on"  # type: ignore[attr-defined]
            when = self._scheduled[0].when()  # type: ignore[attr-defined]
            assert when <= end, f"not done after {within} s"
            self.advance(max(0.0, when - self.now))


def jumping(work: Callable[[JumpingLoop], Coroutine[Any, Any, T]], *, within: float = 86_400.0) -> T:
    """Run one coroutine function on a loop of its own. Afterwards nothing may be left: no task, no complaint."""
    loop = JumpingLoop()
    asyncio.set_event_loop(loop)
    try:
        result = loop.complete(work(loop), within=within)
        loop.settle()
        left = [task for task in asyncio.all_tasks(loop) if not task.done()]
        assert left == [], left
        gc.collect(0)
        assert loop.problems == [], loop.problems
        return result
    finally:
        asyncio.set_event_loop(None)
        loop.close()
