"""A coroutine that nearly always ends without waiting, run without a task: its first step is taken at once.

A task costs as much as the rest of a call that finds its objects ready. The first step must not ask for the current
task (asyncio.timeout does); awaiting futures is all that happens here.
"""

from __future__ import annotations

import types
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator

T = TypeVar("T")


def eager(work: Coroutine[Any, Any, T]) -> T | Awaitable[T]:
    """What the coroutine gives, where it does not have to wait; else what is left of it."""
    try:
        waiting = work.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    return _left(work, waiting)


async def _left(work: Coroutine[Any, Any, T], waiting: Any) -> T:
    rest: T = await _resumed(work, waiting)
    return rest


@types.coroutine
def _resumed(work: Coroutine[Any, Any, T], waiting: Any) -> Generator[Any, Any, T]:
    """Hand the future that the first step waits for to the task that runs the rest."""
    while True:
        try:
            answer = yield waiting
        except BaseException as failure:  # noqa: BLE001 - it goes to the coroutine, whatever it is
            take: Callable[[], Any] = partial(work.throw, failure)
        else:
            take = partial(work.send, answer)
        try:
            waiting = take()
        except StopIteration as done:
            value: T = done.value
            return value
