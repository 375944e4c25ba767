"""How much events may take: quotas, queues, floods, thousands of subscriptions, an hour of polling."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.conftest import DEEP
from tests.service.conftest import Collector
from tests.service.test_event_providers import Threaded
from tests.service.test_events import CALLER, World, kinds
from tests.service.test_limits import Running

import openwmi
from openwmi import host
from openwmi.contract import operations as ops
from openwmi.contract.caller import Caller
from openwmi.model import status as s
from openwmi.mof import class_declarations

OTHER = Caller("S-1-22-1-7", "other")
POLLED = "SELECT * FROM __Instance{}Event WITHIN {} WHERE TargetInstance ISA 'Thing'"


@pytest.fixture
def world() -> Iterator[World]:
    here = World()
    yield here
    here.loop.run_until_complete(here.service.shut_down())
    here.loop.advance(1)
    assert here.loop.problems == []
    here.loop.close()


def subscribe(world: World, query: str, caller: Caller = CALLER, sink: Any = None) -> Any:
    sink = sink or Collector()
    wmi = world.loop.run_until_complete(world.service.connect(world.wmi._space.path, caller))
    world.loop.run_until_complete(wmi.start(ops.ExecNotificationQuery(query), sink))
    world.loop.settle()
    return sink


def ended_with(sink: Any) -> int | None:
    return None if sink.outcome is None else int(sink.outcome.status)


# Quotas


@pytest.mark.req("calls:H5", "E-25", "calls:B86")
def test_the_quota_of_one_user_and_of_all(world: World) -> None:
    settings = world.service.settings
    assert (settings.subscriptions, settings.subscriptions_per_user) == (10_000, 1_000)
    settings.subscriptions, settings.subscriptions_per_user = 3, 2
    query = "SELECT * FROM Alarm"
    sinks = [subscribe(world, query) for _ in range(3)]
    assert [ended_with(one) for one in sinks] == [None, None, s.WBEM_E_QUOTA_VIOLATION]
    others = [subscribe(world, query, OTHER) for _ in range(2)]
    assert [ended_with(one) for one in others] == [None, s.WBEM_E_QUOTA_VIOLATION]
    world.cancel(sinks[0])
    assert ended_with(subscribe(world, query, OTHER)) is None


@pytest.mark.req("calls:H5", "E-25")
def test_the_quota_of_polling(world: World) -> None:
    settings = world.service.settings
    assert (settings.polling, settings.polling_per_user) == (10_000, 1_000)
    settings.polling, settings.polling_per_user = 3, 2
    mine = [subscribe(world, POLLED.format("Creation", seconds)) for seconds in (5, 5, 6)]
    assert [ended_with(one) for one in mine] == [None, None, s.WBEM_E_QUOTA_VIOLATION]
    assert ended_with(subscribe(world, "SELECT * FROM Alarm")) is None
    others = [subscribe(world, POLLED.format("Creation", 5), OTHER) for _ in range(2)]
    assert [ended_with(one) for one in others] == [None, s.WBEM_E_QUOTA_VIOLATION]
    world.cancel(mine[0])
    assert ended_with(subscribe(world, POLLED.format("Creation", 5))) is None


@pytest.mark.req("calls:H5", "E-25")
def test_the_quota_of_the_memory_of_polling(world: World) -> None:
    settings = world.service.settings
    assert (settings.polling_memory, settings.polling_memory_per_user) == (10_000_000, 5_000_000)
    world.things.things = dict.fromkeys(map(str, range(100)), 1)
    sinks = [subscribe(world, POLLED.format("Operation", 5)) for _ in range(2)]
    (poll,) = world.service.exchange._polls.values()
    assert 5_000 < poll.memory < 20_000
    settings.polling_memory_per_user = 2 * poll.memory
    world.loop.advance(5)
    assert [ended_with(one) for one in sinks] == [None, None]
    world.things.things = dict.fromkeys(map(str, range(1000)), 1)
    world.loop.advance(5)
    assert [ended_with(one) for one in sinks] == [s.WBEM_E_QUOTA_VIOLATION] * 2
    assert not world.service.exchange._polls
    world.loop.advance(60)
    settings.polling_memory = poll.memory // 2
    refused = subscribe(world, POLLED.format("Creation", 5), OTHER)
    assert ended_with(refused) == s.WBEM_E_QUOTA_VIOLATION


@pytest.mark.req("calls:H5", "calls:H6")
def test_changed_quotas_are_in_force_at_once() -> None:
    here = Running()
    services = here.connect("root")
    assert here.host.settings.subscriptions_per_user == 1_000
    (arbitrator,) = here.collect(ops.GetObject("__ArbitratorConfiguration=@"), services=services).objects
    values = {"TemporarySubscriptionsPerUser": 1, "PollingInstructionsTotal": 5, "PollingMemoryPerUser": 7}
    done = here.collect(ops.PutInstance(arbitrator.with_(values)), services=services)
    assert done.outcome is not None
    done.outcome.raise_()
    settings = here.host.settings
    assert (settings.subscriptions_per_user, settings.polling, settings.polling_memory_per_user) == (1, 5, 7)
    assert here.status(ops.DeleteInstance("__ArbitratorConfiguration=@"), services=services) == 0
    assert (settings.subscriptions_per_user, settings.polling) == (1_000, 10_000)
    here.host.shut_down()


# Queues


class Slow(Collector):
    """A sink whose callbacks last until the test lets them come back."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._loop = world.loop
        self._answers: list[Any] = []

    def on_objects(self, batch: Any) -> Any:
        super().on_objects(batch)
        self._answers.append(self._loop.create_future())
        return self._answers[-1]

    def go_on(self) -> None:
        while self._answers:
            self._answers.pop(0).set_result(None)
            self._loop.settle()


@pytest.mark.req("calls:B90", "calls:H9")
def test_a_polling_queue_holds_what_a_reading_brings_and_a_thousand_of_earlier_ones(world: World) -> None:
    sink = subscribe(world, POLLED.format("Modification", 5), sink=Slow(world))
    fast = subscribe(world, POLLED.format("Modification", 5))
    for size in range(3):
        world.things.things = dict.fromkeys(map(str, range(600)), size)
        world.loop.advance(5)  # the first reading with them modifies nothing: they are new
    # Of two readings the sink has the first event, 1,199 wait: the next reading finds too many.
    assert ended_with(sink) is None
    world.things.things = dict.fromkeys(map(str, range(600)), 5)
    world.loop.advance(5)
    sink.go_on()
    assert ended_with(sink) == s.WBEM_E_QUEUE_OVERFLOW
    assert len(sink.objects) == 1200
    assert (len(fast.objects), ended_with(fast)) == (1800, None)


@pytest.mark.req("calls:B90", "calls:H9")
def test_a_queue_of_groups_holds_a_thousand(world: World) -> None:
    world.service.settings.event_drop_limit = 10
    sink = subscribe(world, "SELECT * FROM Alarm GROUP WITHIN 1 BY Level", sink=Slow(world))
    for round_ in range(3):
        for level in range(6):
            world.raise_alarm(Level=level)
        world.loop.advance(2)
        assert ended_with(sink) is None, round_
    for level in range(6):
        world.raise_alarm(Level=level)
    world.loop.advance(2)
    sink.go_on()
    assert ended_with(sink) == s.WBEM_E_QUEUE_OVERFLOW


@pytest.mark.req("calls:H7", "E-57")
def test_the_memory_of_events_holds_providers_up_and_then_ends_the_slowest(world: World) -> None:
    settings = world.service.settings
    assert (settings.event_memory_low, settings.event_memory_high) == (10_000_000, 20_000_000)
    settings.event_memory_low, settings.event_memory_high = 400_000, 900_000
    exchange = world.service.exchange
    slow, slower, fast = Slow(world), Slow(world), Collector()
    subscribe(world, "SELECT * FROM Alarm WHERE Level = 1", sink=slow)
    subscribe(world, "SELECT * FROM Alarm", sink=slower)
    subscribe(world, "SELECT * FROM Alarm", sink=fast)
    text = "x" * 1000  # two bytes a character
    for _ in range(130):
        world.raise_alarm(What=text, Level=2)
    assert not exchange.braked
    for _ in range(150):
        world.raise_alarm(What=text, Level=1)
    assert exchange.braked, "more than the first threshold waits"
    world.loop.advance(2.1)
    assert not exchange.braked, "nobody is held up for long"
    for _ in range(100):
        world.raise_alarm(What=text, Level=1)
    assert ended_with(fast) is ended_with(slow) is None
    slower.go_on()
    assert ended_with(slower) == s.WBEM_E_QUEUE_OVERFLOW
    assert len(fast.objects) == 380
    slow.go_on()
    assert len(slow.objects) == 250
    world.raise_alarm(What=text, Level=1)
    assert len(slow.objects) == 251
    assert not exchange.braked
    slow.go_on()


@pytest.mark.req("E-57", "calls:C7")
def test_consumers_that_hang_raise_or_refuse_cost_only_themselves(world: World) -> None:
    class Raising(Collector):
        def on_objects(self, batch: Any) -> Any:
            raise RuntimeError("no")

    class Refusing(Collector):
        def on_objects(self, batch: Any) -> Any:
            return 0x80004005

    query = "SELECT * FROM Alarm"
    hanging, raising, refusing = Slow(world), Raising(), Refusing()
    for one in (hanging, raising, refusing):
        subscribe(world, query, sink=one)
    good = subscribe(world, query)
    for level in range(100):
        world.raise_alarm(Level=level)
        world.loop.settle()
    assert [one.Level for one in good.objects] == list(range(100))
    assert ended_with(raising) == ended_with(refusing) == s.WBEM_E_CALL_CANCELLED
    world.loop.advance(31)
    hanging.go_on()
    assert ended_with(hanging) == s.WBEM_E_CALL_CANCELLED
    assert ended_with(good) is None
    assert world.service.exchange.count == 1


# Many


def predicate(number: int) -> tuple[str, Callable[[str, int], bool]]:
    """One of a thousand conditions on a thing, and what it means."""
    kind, value = number % 8, number // 8
    return [
        (f"TargetInstance.Size = {value}", lambda name, size: size == value),
        (f"TargetInstance.Size > {value}", lambda name, size: size > value),
        (f"TargetInstance.Size <> {value}", lambda name, size: size != value),
        (f"TargetInstance.Name = 'THING{value}'", lambda name, size: name == f"thing{value}"),
        (f"TargetInstance.Name LIKE '%g{value}'", lambda name, size: name.endswith(f"g{value}")),
        (f"NOT TargetInstance.Size = {value}", lambda name, size: size != value),
        (
            f"(TargetInstance.Size = {value} OR TargetInstance.Size = 7)",
            lambda name, size: size in (value, 7),
        ),
        (
            f"TargetInstance.Size = {value} AND TargetInstance.Name = 'thing{value}'",
            lambda name, size: size == value and name == f"thing{value}",
        ),
    ][kind]


@pytest.mark.slow
@pytest.mark.req("E-23", "F-28", "calls:H5")
def test_one_change_reaches_exactly_those_of_a_thousand_subscriptions_that_match(world: World) -> None:
    world.things.things = {"thing5": 0, "other": 1}
    meaning = [predicate(number) for number in range(1000)]
    assert len({text for text, _ in meaning}) == 1000
    sinks = [subscribe(world, POLLED.format("Modification", 60) + f" AND {text}") for text, _ in meaning]
    before = len(world.things.columns)
    for name, size in (("thing5", 5), ("other", 60), ("thing5", 7)):
        for sink in sinks:
            sink.batches.clear()
        world.things.things[name] = size
        world.loop.advance(60)
        reached = [number for number, sink in enumerate(sinks) if sink.objects]
        assert reached == [number for number, (_, means) in enumerate(meaning) if means(name, size)]
        assert all(len(sinks[number].objects) == 1 for number in reached)
    assert len(world.things.columns) - before == 3, "one reading serves them all"


@pytest.mark.slow
@pytest.mark.req("calls:H5")
def test_ten_thousand_idle_subscriptions_are_small_and_the_excess_gets_its_code(world: World) -> None:
    limit, count = 4096, 10_000
    queries = ("SELECT * FROM Alarm WHERE Level > 5", POLLED.format("Creation", 3600))
    for query in queries:
        subscribe(world, query)  # pays for what is made once
    sinks = [Collector() for _ in range(count)]
    for sink in sinks[: 1000 - len(queries)]:
        subscribe(world, queries[0], sink=sink)
    assert ended_with(subscribe(world, queries[0])) == s.WBEM_E_QUOTA_VIOLATION
    settings = world.service.settings
    settings.subscriptions = settings.subscriptions_per_user = settings.polling_per_user = 2 * count
    gc.collect()
    tracemalloc.start()
    rest = sinks[1000 - len(queries) :]
    operations = [ops.ExecNotificationQuery(query) for query in queries]

    async def start() -> None:
        for number, sink in enumerate(rest):
            await world.wmi.start(operations[number % 50 == 0], sink)

    world.loop.run_until_complete(start())
    world.loop.settle()
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert world.service.exchange.count == count + len(queries)
    assert taken / len(rest) < limit, f"{taken / len(rest):.0f} bytes each"
    before = len(world.things.columns)
    world.loop.advance(3600)
    assert len(world.things.columns) - before == 1
    assert all(not sink.objects for sink in sinks)


@pytest.mark.slow
@pytest.mark.req("calls:B87", "E-20")
def test_an_hour_of_polling_runs_in_under_a_second(world: World) -> None:
    world.things.things = dict.fromkeys(map(str, range(100)), 1)
    sink = subscribe(world, POLLED.format("Operation", 60))
    first = len(world.things.columns)
    begun = time.process_time()  # what others do on this machine meanwhile does not count
    for minute in range(60):
        world.things.things[str(minute)] = 2
        world.loop.advance(60)
    assert time.process_time() - begun < 1
    assert len(world.things.columns) - first == 60
    assert kinds(sink) == [("__InstanceModificationEvent", str(minute)) for minute in range(60)]


FLOOD = 1_000_000 if DEEP else 20_000


BELLS = "root\\test_flood"


@pytest.fixture
def flood() -> Threaded:
    """A provider in the service of this process that raises as many events as it can, once it is let go."""
    made = Threaded(FLOOD)
    running = host.local()
    space = running.namespaces.add(BELLS)
    for declaration in class_declarations("class Bell : __ExtrinsicEvent { string What; };"):
        space.provided.add(declaration)
    running.providers.register(made)
    return made


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.req("E-56", "F-27")
def test_of_a_flood_everything_arrives_in_order(flood: Threaded) -> None:
    done = threading.Event()

    class Counting(Collector):
        count = 0
        ordered = True

        def on_objects(self, batch: Any) -> None:
            for one in batch:
                self.ordered &= one.What == str(self.count)
                self.count += 1
            if self.count == FLOOD:
                done.set()

    sink, running = Counting(), host.local()
    services = running.portal.submit(running.services, BELLS).result(10)
    running.portal.submit(services.start, ops.ExecNotificationQuery("SELECT * FROM Bell"), sink).result(10)
    flood.go.set()
    assert done.wait(600), f"{sink.count} of {FLOOD}"
    assert sink.ordered
    assert sink.outcome is None
    running.portal.submit(services.cancel, sink).result(10)
    assert flood.stopped.wait(10)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.req("calls:B90", "E-57")
def test_of_a_flood_a_reader_who_is_late_knows_how_much_he_has_missed(flood: Threaded) -> None:
    with openwmi.sync.connect(BELLS) as wmi, wmi.subscribe("SELECT * FROM Bell", max_queue=1000) as events:
        flood.go.set()
        assert flood.waited.wait(600)
        read = [int(first.What)] if (first := events.next(10)) is not None else []
        while len(read) + events.lost < FLOOD:
            event = events.next(10)
            assert event is not None, f"{len(read)} were read and {events.lost} lost, of {FLOOD}"
            read.append(int(event.What))
        assert events.next(0) is None
    assert read == sorted(set(read))
    assert events.lost > 0
    assert flood.stopped.wait(10)
