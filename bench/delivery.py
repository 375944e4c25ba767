"""Delivery: rows from a provider through a call into a sink, beside an asyncio.Queue of one object at a time."""

from __future__ import annotations

import asyncio
import statistics
import time

import openwmi
from bench.harness import Budget, Line, Note, detail, in_turn, ratio
from bench.sources import NAMESPACE, Counting, OneThenSilence, Rows, rows, serve
from openwmi import host
from openwmi.contract.operations import ExecQuery

COUNT = 20_000
SAMPLES = 40


class Reading(Counting):
    """A sink that reads one property of every object."""

    def on_objects(self, batch: object) -> None:
        for one in batch:  # type: ignore[attr-defined]
            one.Number  # noqa: B018
            self.objects += 1


def measure() -> list[Line]:
    source = rows(COUNT)
    serve(Rows("Bench_Rows", source), "Bench_Rows")
    running = host.local()
    query = "SELECT * FROM Bench_Rows"

    def through(sink: Counting) -> int:
        async def call() -> None:
            services = await running.services(NAMESPACE)
            outcome = await (await services.start(ExecQuery(query), sink))
            outcome.raise_()

        running.portal.run(call)
        if sink.objects != COUNT:
            raise RuntimeError(f"{sink.objects} of {COUNT} objects arrived")
        return sink.objects

    def face() -> int:
        async def read() -> int:
            count = 0
            async with openwmi.connect(NAMESPACE) as wmi:
                async for _ in wmi.query(query):
                    count += 1
            return count

        return asyncio.run(read())

    times = in_turn(
        {
            "queue": lambda: asyncio.run(_queue(source)),
            "sink": lambda: through(Counting()),
            "sink that reads": lambda: through(Reading()),
            "async for": face,
        }
    )
    return [
        Budget(
            "into a sink, over an asyncio.Queue",
            ratio(times, "queue", "sink"),
            5,
            at_least=True,
            detail=f"{detail(times, 'sink', 'queue', per=COUNT)} an object",
        ),
        _first_object(),
        Note(
            f"into a sink that reads a property of each: {ratio(times, 'queue', 'sink that reads'):.2f}x; "
            f"`async for` of the async face: {ratio(times, 'queue', 'async for'):.2f}x"
        ),
    ]


async def _queue(source: list[tuple[object, ...]]) -> int:
    """The peer: a producer and a consumer task with a bounded queue between them, one object at a time."""
    queue: asyncio.Queue[tuple[object, ...] | None] = asyncio.Queue(1000)

    async def produce() -> None:
        for row in source:
            await queue.put(row)
        await queue.put(None)

    count = 0
    async with asyncio.TaskGroup() as group:
        group.create_task(produce())
        while await queue.get() is not None:
            count += 1
    return count


def _first_object() -> Budget:
    """How long the first object takes when the next one is far away, against a call that has only this one."""
    lonely, alone = OneThenSilence("Bench_Lonely"), OneThenSilence("Bench_Alone")
    alone.release.set()
    serve(lonely, "Bench_Lonely")
    serve(alone, "Bench_Alone")
    running = host.local()

    async def until_first(name: str) -> float:
        services = await running.services(NAMESPACE)
        arrived = asyncio.Event()
        start = time.perf_counter()
        call = await services.start(ExecQuery(f"SELECT * FROM {name}"), Counting(arrived.set))
        await arrived.wait()
        took = time.perf_counter() - start
        lonely.release.set()
        await call
        lonely.release.clear()
        return took

    pairs = [
        (running.portal.run(until_first, "Bench_Lonely"), running.portal.run(until_first, "Bench_Alone"))
        for _ in range(SAMPLES)
    ]
    share = statistics.median(a / b for a, b in pairs)
    took = statistics.median(a for a, _ in pairs) * 1e6
    return Budget(
        "first object while the second is far, over a single one",
        share,
        1.5,
        at_least=False,
        detail=f"{took:.0f} us after the call",
    )
