"""What only the asynchronous face has: gates, hops, outlets."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from typing import Any

import pytest

from openwmi import host
from openwmi.faces.aio.bridge import Gate, Outlet, hop, in_thread
from openwmi.model.errors import WbemError
from openwmi.model.status import WBEM_E_SHUTTING_DOWN


async def test_a_gate_lets_through_what_came_before_and_what_comes_later() -> None:
    gate = Gate()
    gate.wake()
    gate.wake()
    start = time.perf_counter()
    assert await gate.wait(5)
    assert time.perf_counter() - start < 1
    assert not await gate.wait(0.01)
    threading.Timer(0.01, gate.wake).start()
    assert await gate.wait(5)
    waiting = asyncio.ensure_future(gate.wait(None))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.wake()
    assert await gate.wait(5)


def test_a_gate_may_be_woken_when_its_loop_is_gone() -> None:
    async def leave_waiting() -> Gate:
        gate = Gate()
        task = asyncio.ensure_future(gate.wait(None))
        await asyncio.sleep(0)
        gate._waiter = asyncio.get_running_loop().create_future()
        task.cancel()
        return gate

    gate = asyncio.run(leave_waiting())
    gate.wake()


async def test_a_hop_carries_results_failures_and_cancelling() -> None:
    loop = host.local().portal.loop
    seen: list[Any] = []

    async def where() -> int:
        return threading.get_ident()

    async def failing() -> None:
        raise KeyError("there")

    async def endless() -> None:
        seen.append("begun")
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            seen.append("cancelled")

    assert await hop(loop, where) != threading.get_ident()
    assert await hop(asyncio.get_running_loop(), where) == threading.get_ident()
    with pytest.raises(KeyError):
        await hop(loop, failing)
    hopping = asyncio.ensure_future(hop(loop, endless))
    while not seen:
        await asyncio.sleep(0.001)
    hopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hopping
    while len(seen) < 2:
        await asyncio.sleep(0.001)
    assert seen == ["begun", "cancelled"]


async def test_a_hop_to_a_loop_that_has_ended_says_so() -> None:
    async def never() -> None:
        """Not reached."""

    ended = asyncio.new_event_loop()
    with pytest.raises(WbemError) as failure:
        await hop(ended, never)
    ended.close()
    assert failure.value.code == WBEM_E_SHUTTING_DOWN


async def test_blocking_functions_run_elsewhere() -> None:
    assert await in_thread(threading.get_ident) != threading.get_ident()


class Plain:
    def on_objects(self, batch: Any) -> str:
        return f"had {batch}"

    on_progress = on_completed = on_objects


async def test_an_outlet_hops_only_where_it_must() -> None:
    here = Outlet(Plain(), asyncio.get_running_loop())
    assert here.on_objects(1) == "had 1"  # type: ignore[arg-type]
    there = Outlet(Plain(), host.local().portal.loop)
    answer = there.on_objects(2)  # type: ignore[arg-type]
    assert isinstance(answer, Future)
    assert await asyncio.wrap_future(answer) == "had 2"
