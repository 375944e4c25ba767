"""Events: into one sink and into 1,000, with conditions that differ; what an idle subscription takes."""

from __future__ import annotations

import asyncio
import gc
import statistics
import tracemalloc
from collections.abc import Callable
from typing import NamedTuple

from bench.calls import resident, traced
from bench.harness import Budget, Line, Note, in_turn, ratio
from bench.sources import NAMESPACE, Counting
from openwmi import host, mof
from openwmi.contract.operations import ExecNotificationQuery
from openwmi.contract.services import Call
from openwmi.model.classes import Class
from openwmi.model.instances import Instance

IDLE = 10_000
MANY = 1_000
PAGE = 100
DECLARATION = "class {} : __ExtrinsicEvent {{ uint32 Number; string What; }};"


class Case(NamedTuple):
    """Subscriptions to a class of events of their own. where: of each, by its number; reached: by each event."""

    what: str
    name: str
    sinks: int
    where: Callable[[int], str]
    reached: int
    events: int


CASES = (
    Case("one sink", "Bench_One", 1, lambda number: "", 1, 20_000),
    Case("one of 1,000 sinks", "Bench_Fixed", MANY, lambda number: f" WHERE Number = {number}", 1, 20_000),
    Case(
        "one of 1,000 sinks whose conditions fix nothing",
        "Bench_Tried",
        MANY,
        lambda number: f" WHERE Number >= {number} AND Number < {number + 1}",
        1,
        200,
    ),
    Case("each of 1,000 sinks", "Bench_All", MANY, lambda number: "", MANY, 200),
)


class Prepared:
    """A case with its subscriptions in force."""

    def __init__(self, running: host.Host, case: Case) -> None:
        self.case = case
        self.sinks = [Counting() for _ in range(case.sinks)]
        self._portal = running.portal
        self.events: list[Instance | Class] = []
        self._portal.run(self._begin, running)

    async def _begin(self, running: host.Host) -> None:
        case, services = self.case, await running.services(NAMESPACE)
        self._sink = await services.event_sink()
        class_ = running.namespaces.named(NAMESPACE).schema.class_named(case.name)
        self.events = [class_.spawn({"Number": number % MANY, "What": "x"}) for number in range(case.events)]
        for number, sink in enumerate(self.sinks):
            query = f"SELECT * FROM {case.name}{case.where(number)}"
            call = await services.start(ExecNotificationQuery(query), sink)
            await call.begun()

    def run(self) -> None:
        """Raise every event, and wait until all have arrived."""
        self._portal.run(self._run)

    async def _run(self) -> None:
        expected = self._arrived() + self.case.events * self.case.reached
        for start in range(0, len(self.events), PAGE):
            self._sink.on_objects(self.events[start : start + PAGE])
            await asyncio.sleep(0)
        while self._arrived() < expected:
            await asyncio.sleep(0)

    def _arrived(self) -> int:
        return sum(sink.objects for sink in self.sinks)


def measure() -> list[Line]:
    running = host.local(host.MEMORY)
    space = running.namespaces.add(NAMESPACE)
    for case in CASES:
        for declaration in mof.class_declarations(DECLARATION.format(case.name), file=f"{case.name}.mof"):
            space.provided.add(declaration)
    running.settings.subscriptions = running.settings.subscriptions_per_user = 4 * IDLE
    grown = running.portal.run(_growth, running, resident)
    tracemalloc.start()
    allocated = running.portal.run(_growth, running, traced)
    tracemalloc.stop()
    prepared = {case.what: Prepared(running, case) for case in CASES}
    times = in_turn({what: one.run for what, one in prepared.items()}, rounds=5)
    host.end(running)
    return [
        Budget(
            "allocated per idle subscription (tracemalloc)",
            allocated / IDLE / 1024,
            4,
            at_least=False,
            unit=" KiB",
        ),
        Budget("resident per idle subscription", grown / IDLE / 1024, 4, at_least=False, unit=" KiB"),
        Budget(
            "into one of 1,000 sinks, over into the only one",
            ratio(times, "one of 1,000 sinks", "one sink"),
            3,
            at_least=False,
        ),
        *[_rate(case, statistics.median(times[case.what])) for case in CASES],
    ]


def _rate(case: Case, seconds: float) -> Note:
    events = case.events / seconds
    arrived = "" if case.reached == 1 else f", {events * case.reached:,.0f} deliveries/s"
    return Note(f"into {case.what}: {events:,.0f} events/s{arrived}")


async def _start(running: host.Host, count: int) -> list[Call]:
    services = await running.services(NAMESPACE)
    operation = ExecNotificationQuery("SELECT * FROM Bench_One WHERE Number > 5")
    calls = [await services.start(operation, Counting()) for _ in range(count)]
    for call in calls:
        await call.begun()
    return [*calls]


async def _growth(running: host.Host, level: Callable[[], int]) -> int:
    """By how much `level` grows with IDLE subscriptions. A first hundred pay for what is made once."""
    for call in await _start(running, 100):
        await call.cancel()
    gc.collect()
    before = level()
    calls = await _start(running, IDLE)
    gc.collect()
    grown = level() - before
    for call in calls:
        await call.cancel()
    return grown
