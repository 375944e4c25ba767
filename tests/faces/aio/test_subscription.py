"""Events through the asynchronous face."""

from __future__ import annotations

import asyncio
import gc
import itertools
import tracemalloc
from typing import Any

import pytest
from tests.faces.support import NAMESPACE, SECONDS, World

import openwmi
from openwmi import errors
from openwmi.model.status import WBEM_E_QUEUE_OVERFLOW

_numbers = itertools.count(1)
GOOD = "SELECT * FROM __InstanceCreationEvent WITHIN 1 WHERE TargetInstance ISA 'Win32_Process'"


class Alarm:
    """An extrinsic event class of its own for one test, and the way to raise its events."""

    def __init__(self, wmi: openwmi.Connection, name: str) -> None:
        self.wmi = wmi
        self.name = name
        self.query = f"SELECT * FROM {name}"

    @classmethod
    async def made(cls, wmi: openwmi.Connection) -> Alarm:
        name = f"Alarm_{next(_numbers)}"
        text = f"class {name} : __ExtrinsicEvent {{ uint32 N; }};"
        await openwmi.mof.compile(text, wmi)
        return cls(wmi, name)

    async def ring(self, *numbers: int) -> None:
        """Raise events, all at once."""
        class_ = await self.wmi.get_class(self.name)
        events = [class_.new_(N=n) for n in numbers]

        async def raised() -> Any:
            sink: Any = await self.wmi.services.event_sink()
            return sink.on_objects(events)

        future = asyncio.run_coroutine_threadsafe(raised(), self.wmi.services.loop)
        assert await asyncio.wrap_future(future) == 0


async def some(events: openwmi.Subscription, count: int) -> list[int]:
    async with asyncio.timeout(SECONDS):
        return [(await anext(aiter(events))).N for _ in range(count)]


@pytest.mark.req("calls:B85", "calls:B99")
async def test_events_come_as_they_happen() -> None:
    async with openwmi.connect(repository=":memory:") as wmi:
        alarm = await Alarm.made(wmi)
        async with wmi.subscribe(f"{alarm.query} WHERE N < 100") as events:
            await alarm.ring(1, 200, 2)
            assert await some(events, 2) == [1, 2]
            waiting = asyncio.ensure_future(some(events, 1))
            await asyncio.sleep(0.01)
            assert not waiting.done()
            await alarm.ring(3)
            assert await waiting == [3]
            assert events.lost == 0


@pytest.mark.req("calls:B86")
async def test_what_is_wrong_with_a_query_is_raised_when_it_is_opened() -> None:
    async with openwmi.connect() as wmi:
        for query, error in (
            ("SELECT * FROM", errors.UnparsableQuery),
            ("SELECT * FROM Win32_Process", errors.NotEventClass),
            ("", errors.InvalidParameter),
        ):
            with pytest.raises(error):
                async with wmi.subscribe(query):
                    pass
        with pytest.raises(errors.InvalidParameter):
            wmi.subscribe(GOOD, overflow="explode")  # type: ignore[arg-type]
        with pytest.raises(errors.InvalidParameter):
            wmi.subscribe(GOOD, max_queue=0)
        with pytest.raises(errors.InvalidOperation):
            await anext(aiter(wmi.subscribe(GOOD)))


async def test_dropping_the_oldest_is_counted() -> None:
    async with openwmi.connect(repository=":memory:") as wmi:
        alarm = await Alarm.made(wmi)
        async with wmi.subscribe(alarm.query, max_queue=3) as events:
            await alarm.ring(*range(10))
            assert events.lost == 7
            assert await some(events, 1) == [7]
            await alarm.ring(10, 11)
            assert events.lost == 8
            assert await some(events, 3) == [9, 10, 11]


@pytest.mark.req("calls:B90")
async def test_an_error_at_the_limit_comes_after_what_was_kept() -> None:
    async with openwmi.connect(repository=":memory:") as wmi:
        alarm = await Alarm.made(wmi)
        async with wmi.subscribe(alarm.query, max_queue=2, overflow="error") as events:
            await alarm.ring(1, 2, 3)
            assert await some(events, 2) == [1, 2]
            with pytest.raises(errors.QueueOverflow) as failure:
                await anext(aiter(events))
            assert failure.value.code == WBEM_E_QUEUE_OVERFLOW
            assert events.lost == 0


async def test_blocking_leaves_them_with_the_service() -> None:
    async with openwmi.connect(repository=":memory:") as wmi:
        alarm = await Alarm.made(wmi)
        async with wmi.subscribe(alarm.query, max_queue=2, overflow="block") as events:
            await alarm.ring(*range(10))
            assert events._buffer is not None
            assert len(events._buffer._batches) == 2
            assert await some(events, 10) == list(range(10))
            assert events.lost == 0


@pytest.mark.req("calls:B89")
async def test_leaving_ends_the_subscription_at_its_source() -> None:
    async with openwmi.connect(repository=":memory:") as wmi:
        alarm = await Alarm.made(wmi)

        async def count() -> int:
            return int(wmi.services._service.exchange.count)  # type: ignore[attr-defined]

        async def subscriptions() -> int:
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(count(), wmi.services.loop))

        async with wmi.subscribe(alarm.query):
            assert await subscriptions() == 1
        assert await subscriptions() == 0
        dropped = wmi.subscribe(alarm.query)
        await dropped.__aenter__()
        assert await subscriptions() == 1
        del dropped
        assert await subscriptions() == 0


@pytest.mark.req("calls:B89", "calls:D6")
async def test_closing_the_connection_ends_its_subscriptions() -> None:
    wmi = await openwmi.connect(repository=":memory:")
    alarm = await Alarm.made(wmi)
    async with wmi.subscribe(alarm.query) as events:
        await alarm.ring(1)
        await wmi.close()
        assert await some(events, 1) == [1]
        with pytest.raises(errors.CallCancelled):
            await anext(aiter(events))


async def test_giving_up_the_waiting_loses_nothing() -> None:
    async with openwmi.connect(repository=":memory:") as wmi:
        alarm = await Alarm.made(wmi)
        async with wmi.subscribe(alarm.query) as events:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await anext(aiter(events))
            await alarm.ring(5)
            assert await some(events, 1) == [5]


def appears(world: World) -> str:
    return f"SELECT * FROM __InstanceCreationEvent WITHIN 0.1 WHERE TargetInstance ISA '{world.name}'"


@pytest.mark.req("calls:B88", "E-20")
async def test_opened_means_that_nothing_more_is_missed(world: World) -> None:
    numbers = [1]
    world.serve(lambda: ({"N": n} for n in list(numbers)))
    async with openwmi.connect(NAMESPACE) as wmi:
        for n in (2, 3):
            async with wmi.subscribe(appears(world)) as events:
                numbers.append(n)
                event = await events.next(SECONDS)
                assert event is not None
                assert event.TargetInstance.N == n


async def test_opening_waits_for_the_timeout_of_the_connection_and_no_longer(world: World) -> None:
    world.serve(world.blocked)
    async with openwmi.connect(NAMESPACE, timeout=0.05) as wmi:
        with pytest.raises(errors.TimedOut):
            async with wmi.subscribe(appears(world)):
                pass
        exchange = wmi.services._service.exchange  # type: ignore[attr-defined]
        while exchange.count:
            await asyncio.sleep(0.001)


async def test_waiting_for_the_next_event_may_have_a_limit() -> None:
    async with openwmi.connect(repository=":memory:") as wmi:
        alarm = await Alarm.made(wmi)
        async with wmi.subscribe(alarm.query) as events:
            assert await events.next(0) is None
            assert await events.next(0.005) is None
            await alarm.ring(1)
            event = await events.next(0)
            assert event is not None
            assert event.N == 1
            waiting = asyncio.ensure_future(events.next(SECONDS))
            await asyncio.sleep(0)
            await alarm.ring(2)
            assert (await waiting).N == 2  # type: ignore[union-attr]
        with pytest.raises(errors.CallCancelled):
            await events.next(SECONDS)


@pytest.mark.slow
async def test_events_keep_their_order_under_a_flood() -> None:
    async with openwmi.connect(repository=":memory:") as wmi:
        alarm = await Alarm.made(wmi)
        async with wmi.subscribe(alarm.query, max_queue=5000, overflow="error") as events:
            for start in range(0, 5000, 250):
                await alarm.ring(*range(start, start + 250))
            assert await some(events, 5000) == list(range(5000))


@pytest.mark.slow
async def test_an_idle_subscription_costs_little() -> None:
    count = 500
    async with openwmi.connect(repository=":memory:") as wmi:
        alarm = await Alarm.made(wmi)
        settings = wmi.services._service.settings  # type: ignore[attr-defined]
        settings.subscriptions = settings.subscriptions_per_user = 2 * count
        opened = []

        async def more(number: int) -> None:
            for _ in range(number):
                opened.append(await wmi.subscribe(alarm.query).__aenter__())

        await more(10)
        gc.collect()
        tracemalloc.start(1)
        try:
            before = tracemalloc.get_traced_memory()[0]
            await more(count)
            gc.collect()
            each = (tracemalloc.get_traced_memory()[0] - before) / count
        finally:
            tracemalloc.stop()
        assert each <= 4096
        await alarm.ring(1)
        for events in (opened[0], opened[-1]):
            assert await some(events, 1) == [1]
