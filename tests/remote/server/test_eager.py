"""Coroutines that are begun without a task: values, waits, failures, cancelling."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from openwmi.remote.server.eager import eager


async def waits(*futures: asyncio.Future[int]) -> int:
    return sum([await one for one in futures])


def future() -> asyncio.Future[int]:
    return asyncio.get_running_loop().create_future()


async def test_what_need_not_wait_is_there_at_once() -> None:
    assert eager(waits()) == 0
    done = future()
    done.set_result(5)
    assert eager(waits(done)) == 5


async def test_the_rest_is_awaited_in_a_task() -> None:
    first, second = future(), future()
    rest: Any = eager(waits(first, second))
    assert isinstance(rest, Awaitable)
    task = asyncio.ensure_future(rest)
    await asyncio.sleep(0)
    first.set_result(1)
    await asyncio.sleep(0)
    assert not task.done()
    second.set_result(2)
    assert await task == 3


async def test_failures_at_every_step() -> None:
    async def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        eager(fails())
    waiting = future()
    rest: Any = eager(waits(waiting))
    waiting.set_exception(KeyError("x"))
    with pytest.raises(KeyError):
        await rest


async def test_cancelling_reaches_the_coroutine() -> None:
    seen: list[str] = []

    async def patient() -> int:
        try:
            await future()
        except asyncio.CancelledError as reason:
            seen.append(str(reason))
            return 7
        return 0

    rest: Any = eager(patient())
    task = asyncio.ensure_future(rest)
    await asyncio.sleep(0)
    task.cancel("enough")
    assert await task == 7
    assert seen == ["enough"]
