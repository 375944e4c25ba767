"""Lazy results of the asynchronous face: reading, leaving, waiting."""

from __future__ import annotations

import asyncio
import datetime
import gc
import time
from collections.abc import Iterator

import pytest
from tests.faces.support import NAMESPACE, World, idle, running

import openwmi
from openwmi import errors
from openwmi.model.status import WBEM_E_INVALID_QUERY, WBEM_E_PROVIDER_FAILURE


async def test_objects_come_as_they_are_read(world: World) -> None:
    query = world.serve(3)
    async with openwmi.connect(NAMESPACE) as wmi:
        seen = [(one.N, one["s"]) async for one in wmi.query(query)]
        assert seen == [(0, "s0"), (1, "s1"), (2, "s2")]
        assert [one.N for one in await wmi.query(query).fetch_all()] == [0, 1, 2]
        assert [one.N for one in [await wmi.query(query).first()] if one] == [0]
        assert (await wmi.query(f"{query} WHERE N = 1").one()).S == "s1"


async def test_nothing_is_sent_until_it_is_read(world: World) -> None:
    query = world.serve(3)
    async with openwmi.connect(NAMESPACE) as wmi:
        lazy = wmi.query(query)
        reading = aiter(lazy)
        await asyncio.sleep(0.01)
        assert world.produced == 0
        assert (await anext(reading)).N == 0
        assert len(await lazy.fetch_all()) == 3  # each reading is a call of its own
        await reading.aclose()


async def test_first_and_one_ask_for_no_more_than_they_need(world: World) -> None:
    query = world.serve(world.endless)
    async with openwmi.connect(NAMESPACE) as wmi:
        found = await wmi.query(query).first()
        assert found is not None
        assert found.N == 0
        with pytest.raises(errors.AmbiguousOperation):
            await wmi.query(query).one()
        assert await asyncio.to_thread(idle)
        assert world.produced < 20


async def test_one_of_none(world: World) -> None:
    query = world.serve(0)
    async with openwmi.connect(NAMESPACE) as wmi:
        assert await wmi.query(query).first() is None
        with pytest.raises(errors.NotFound):
            await wmi.query(query).one()


@pytest.mark.parametrize(
    ("count", "size", "sizes"), [(5, 2, [2, 2, 1]), (4, 2, [2, 2]), (0, 2, []), (2500, 2000, [2000, 500])]
)
async def test_batches_have_one_size(world: World, count: int, size: int, sizes: list[int]) -> None:
    query = world.serve(count)
    async with openwmi.connect(NAMESPACE) as wmi:
        batches = [batch async for batch in wmi.query(query).batches(size)]
        assert [len(batch) for batch in batches] == sizes
        assert [one.N for batch in batches for one in batch] == list(range(count))
        for wrong in (0, -1, 1.5):
            with pytest.raises(errors.InvalidParameter):
                wmi.query(query).batches(wrong)  # type: ignore[arg-type]


async def test_the_first_object_does_not_wait_for_a_second(world: World) -> None:
    query = world.serve(world.one_then_silence)
    async with openwmi.connect(NAMESPACE) as wmi:
        reading = aiter(wmi.query(query))
        assert (await anext(reading)).N == 1
        world.gate.set()
        assert (await anext(reading)).N == 2
        with pytest.raises(StopAsyncIteration):
            await anext(reading)
        with pytest.raises(StopAsyncIteration):
            await anext(reading)


async def test_parameters_are_quoted_here(world: World) -> None:
    query = world.serve(3)
    async with openwmi.connect(NAMESPACE) as wmi:
        found = await wmi.query(
            f"{query} WHERE S = {{text}} OR N > {{n}}", text="s0' OR 1=1", n=1
        ).fetch_all()
        assert [one.N for one in found] == [2]
        with pytest.raises(errors.InvalidParameter):
            wmi.query(f"{query} WHERE S = {{text}}", other=1)


async def test_values_are_pythons_own(world: World) -> None:
    when = datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.UTC)
    query = world.serve(lambda: iter([{"N": 1, "When": when}, {"N": 2}]))
    async with openwmi.connect(NAMESPACE) as wmi:
        first, second = await wmi.query(query).fetch_all()
        assert first.When == when
        assert second.When is None
        assert second.S is None


# Errors ----------------------------------------------------------------------------------------------------------


async def test_objects_before_a_failure_come_first(world: World) -> None:
    query = world.serve(world.failing)
    async with openwmi.connect(NAMESPACE) as wmi:
        reading = aiter(wmi.query(query))
        assert (await anext(reading)).N == 1
        with pytest.raises(errors.ProviderFailure) as failure:
            await anext(reading)
        assert failure.value.code == WBEM_E_PROVIDER_FAILURE
        assert failure.value.extended is not None
        assert failure.value.namespace == NAMESPACE


async def test_a_syntax_error_says_where(world: World) -> None:
    async with openwmi.connect(NAMESPACE) as wmi:
        with pytest.raises(openwmi.QuerySyntaxError) as failure:
            await wmi.query("SELECT * FORM Thing").fetch_all()
        assert failure.value.code == WBEM_E_INVALID_QUERY
        assert failure.value.span == (9, 13)
        assert failure.value.operation == "ExecQuery"
        assert failure.value.extended is not None


@pytest.mark.req("calls:B16", "calls:B77")
async def test_a_refused_call_raises_at_the_first_step() -> None:
    async with openwmi.connect(NAMESPACE) as wmi:
        for refused in (wmi.query(""), wmi.query("SELECT * FROM T", flags=0x10)):
            with pytest.raises(errors.InvalidParameter):
                await refused.first()


# Leaving ---------------------------------------------------------------------------------------------------------


@pytest.mark.req("calls:D6", "calls:D10")
async def test_leaving_a_loop_early_cancels_at_the_source(world: World) -> None:
    query = world.serve(world.endless)
    async with openwmi.connect(NAMESPACE) as wmi:
        start = time.perf_counter()
        async for _ in wmi.query(query):
            break
        assert await asyncio.to_thread(idle)
        assert await asyncio.to_thread(world.closed.wait, 1)
        assert time.perf_counter() - start < 1


async def test_leaving_by_an_exception_cancels_at_the_source(world: World) -> None:
    query = world.serve(world.endless)

    async def read(wmi: openwmi.Connection) -> None:
        async for _ in wmi.query(query):
            raise KeyError("mine")

    async with openwmi.connect(NAMESPACE) as wmi:
        with pytest.raises(KeyError):
            await read(wmi)
        gc.collect()
        assert await asyncio.to_thread(idle)


async def test_closing_the_connection_ends_what_is_being_read(world: World) -> None:
    query = world.serve(world.endless)
    async with openwmi.connect(NAMESPACE) as wmi:
        reading = aiter(wmi.query(query))
        await anext(reading)
    assert running() == 0
    with pytest.raises(errors.CallCancelled):
        await reading.rest()


@pytest.mark.parametrize("blocked", [True, False])
async def test_a_cancelled_task_leaves_nothing_behind(world: World, blocked: bool) -> None:
    query = world.serve(world.blocked if blocked else world.endless)
    async with openwmi.connect(NAMESPACE) as wmi:
        task = asyncio.ensure_future(wmi.query(query).fetch_all())
        if blocked:
            await asyncio.to_thread(world.reached.wait)
        else:
            while world.produced < 5000:
                await asyncio.sleep(0.001)
        task.cancel()
        start = time.perf_counter()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(idle)
        assert time.perf_counter() - start < 1


@pytest.mark.parametrize("turns", range(8))
async def test_cancelling_at_any_step_leaves_nothing_behind(world: World, turns: int) -> None:
    query = world.serve(world.one_then_silence)
    async with openwmi.connect(NAMESPACE) as wmi:
        task = asyncio.ensure_future(wmi.query(query).fetch_all())
        for _ in range(turns):
            await asyncio.sleep(0.0003 * (turns // 4))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(idle)


# Time ------------------------------------------------------------------------------------------------------------


async def test_silence_ends_a_call_at_its_source(world: World) -> None:
    query = world.serve(world.one_then_silence)
    async with openwmi.connect(NAMESPACE, timeout=0.05) as wmi:
        reading = aiter(wmi.query(query))
        assert (await anext(reading)).N == 1
        with pytest.raises(errors.TimedOut, match="0.05"):
            await anext(reading)
        assert await asyncio.to_thread(idle)


@pytest.mark.slow
async def test_a_slow_reader_is_not_silence(world: World) -> None:
    """No timer runs while the reader is away, however little it lets the provider do."""
    query = world.serve(5000)
    async with openwmi.connect(NAMESPACE, timeout=0.05) as wmi:
        count = 0
        async for _ in wmi.query(query):
            if count % 1000 == 0:
                await asyncio.sleep(0.06)
            count += 1
        assert count == 5000


async def test_progress_is_a_sign_of_life(world: World) -> None:
    """A provider that only reports is not silent."""
    from openwmi import host, mof

    name = world.name

    class Reporting:
        def __init__(self) -> None:
            self.name = f"{name}_reporting"

        def instances(self, request: object) -> Iterator[tuple[object, ...]]:
            for step in range(15):
                time.sleep(0.01)
                request.progress(step, 15)  # type: ignore[attr-defined]
            yield (1,)

    (declaration,) = mof.class_declarations(
        f'[dynamic, provider("{name}_reporting")] class {name} {{ [key] uint32 N; }};'
    )
    host.provide(NAMESPACE, declaration, Reporting())
    async with openwmi.connect(NAMESPACE, timeout=0.1) as wmi:
        assert [one.N async for one in wmi.query(f"SELECT * FROM {name}")] == [1]


async def test_a_deadline_is_a_total(world: World) -> None:
    query = world.serve(world.endless)
    async with openwmi.connect(NAMESPACE) as wmi:
        start = time.perf_counter()
        with pytest.raises(errors.TimedOut, match="0.1 s"):
            async for _ in wmi.query(query, deadline=0.1):
                pass
        assert 0.1 <= time.perf_counter() - start < 1
        assert await asyncio.to_thread(idle)


async def test_a_deadline_holds_while_nobody_reads(world: World) -> None:
    query = world.serve(world.endless)
    async with openwmi.connect(NAMESPACE) as wmi:
        reading = aiter(wmi.query(query, deadline=0.05))
        await anext(reading)
        assert await asyncio.to_thread(idle)
        with pytest.raises(errors.TimedOut):
            await reading.rest()


async def test_a_deadline_that_was_kept_is_forgotten(world: World) -> None:
    query = world.serve(3)
    async with openwmi.connect(NAMESPACE) as wmi:
        reading = aiter(wmi.query(query, deadline=0.05))
        assert len(await reading.rest()) == 3
        await asyncio.sleep(0.1)
        assert reading.outcome.ok
        assert reading._buffer.refusal is None


@pytest.mark.parametrize("deadline", [0, -1, "soon", True])
async def test_a_deadline_is_a_number_of_seconds(deadline: float) -> None:
    async with openwmi.connect(NAMESPACE) as wmi:
        with pytest.raises(errors.InvalidParameter):
            wmi.query("SELECT * FROM T", deadline=deadline)


@pytest.mark.req("calls:F21")
async def test_a_slow_reader_stops_the_provider(world: World) -> None:
    query = world.serve(world.endless)
    async with openwmi.connect(NAMESPACE) as wmi:
        read = 0
        async for _ in wmi.query(query):
            read += 1
            if read % 1000 == 1:
                await asyncio.sleep(0.003)
                assert world.produced - read <= 3000
            if read == 20_000:
                break


async def test_the_plan_explains_itself(world: World) -> None:
    query = world.serve(3)
    async with openwmi.connect(NAMESPACE) as wmi:
        plan = await wmi.query(f"{query} WHERE N > {{n}}", n=1).explain()
        assert world.name in plan
        assert world.produced == 0
