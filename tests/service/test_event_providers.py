"""Event providers: what they cover is not polled, they run while somebody listens, a failure or a flood is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.service.clocked import ClockedLoop, Inline
from tests.service.conftest import Collector, Running

from openwmi import host
from openwmi.contract import operations as ops
from openwmi.contract.caller import Caller
from openwmi.contract.provider import EventCoverage
from openwmi.model import status as s
from openwmi.model.errors import WbemError
from openwmi.mof import class_declarations
from openwmi.service.core import Service

LOCAL = Caller("S-1-22-1-0", "tester")
REMOTE = Caller("S-1-5-21-1-2-3-1001", "guest", remote=True, granted=0x23)
NAMESPACE = "root\\test_providers"
CLASSES = """
class Bell : __ExtrinsicEvent { string What; };
class LoudBell : Bell { };
[abstract] class Base { [key] string Name; };
[dynamic, provider("Things")] class Thing : Base { sint32 Size; };
[dynamic, provider("Things")] class Other : Base { sint32 Size; };
"""
CREATED = EventCoverage("__InstanceCreationEvent", "Thing")
DELETED = EventCoverage("__InstanceDeletionEvent", "Thing")
BELLS = EventCoverage("Bell")


class Ringer:
    """A provider of events that runs on the loop and raises what the test tells it to."""

    name = "Ringer"
    blocking = False

    def __init__(self, *events: EventCoverage) -> None:
        self.events = events
        self.sinks: list[Any] = []
        self.ended = 0
        self.failure: BaseException | None = None
        self._wake: asyncio.Event | None = None

    async def provide_events(self, sink: Any) -> None:
        self.sinks.append(sink)
        self._wake = asyncio.Event()
        sink.ready()
        try:
            await self._wake.wait()
        finally:
            self.ended += 1
        if self.failure is not None:
            raise self.failure

    @property
    def sink(self) -> Any:
        return self.sinks[-1]

    def end(self, failure: BaseException | None = None) -> None:
        self.failure = failure
        assert self._wake is not None
        self._wake.set()
        self.sink.loop.settle()

    def ring(self, what: str, class_name: str = "Bell") -> None:
        self.sink.indicate([self.sink.event(class_name, {"What": what})])
        self.sink.loop.settle()

    def tell(self, kind: str, name: str, size: int = 0, remote: bool | None = None) -> None:
        thing = self.sink.class_named("Thing").spawn({"Name": name, "Size": size})
        self.sink.indicate(
            [self.sink.event(f"__Instance{kind}Event", {"TargetInstance": thing})], remote=remote
        )
        self.sink.loop.settle()


class Things:
    """Instances of Thing and Other, which the test changes."""

    name = "Things"
    blocking = False

    def __init__(self) -> None:
        self.things: dict[str, dict[str, int]] = {"Thing": {}, "Other": {}}
        self.readings = 0

    def instances(self, request: Any) -> list[Any]:
        self.readings += 1
        things = self.things[request.class_.name]
        return [self.row(request, name, things[name]) for name in things]

    def instance(self, request: Any, keys: dict[str, Any]) -> Any:
        found = self.things[request.class_.name].get(keys["Name"])
        return None if found is None else self.row(request, keys["Name"], found)

    def row(self, request: Any, name: str, size: int) -> tuple[Any, ...]:
        values = {"Name": name, "Size": size}
        return tuple(values[column] for column in request.columns)


class World:
    """A service on a clocked loop with the classes above."""

    def __init__(self) -> None:
        self.loop = ClockedLoop()
        self.host = host.Host(host.MEMORY)
        self.things = Things()
        self.host.providers.register(self.things)
        space = self.host.namespaces.add(NAMESPACE)
        for declaration in class_declarations(CLASSES):
            space.provided.add(declaration)
        self.service = Service(self.loop, self.host.namespaces, planner=Inline(self.loop))  # type: ignore[arg-type]

    def ringer(self, *events: EventCoverage) -> Ringer:
        one = Ringer(*events)
        self.host.providers.register(one)
        return one

    def subscribe(self, query: str, caller: Caller = LOCAL, sink: Any = None) -> Collector:
        sink = sink or Collector()
        wmi = self.loop.run_until_complete(self.service.connect(NAMESPACE, caller))
        sink.call = self.loop.run_until_complete(wmi.start(ops.ExecNotificationQuery(query), sink))
        self.loop.settle()
        return sink

    def cancel(self, sink: Any) -> None:
        self.loop.run_until_complete(sink.call.cancel())
        self.loop.settle()

    def status(self, query: str) -> int:
        sink = self.subscribe(query)
        if sink.outcome is None:
            self.cancel(sink)
            return 0
        return sink.outcome.status

    def until(self, condition: Callable[[], bool]) -> None:
        """Turn the loop until something has happened on another thread."""
        for _ in range(10_000):
            self.loop.settle()
            if condition():
                return
            threading.Event().wait(0.001)
        raise AssertionError("it never happened")


@pytest.fixture
def world() -> Iterator[World]:
    here = World()
    yield here
    here.loop.run_until_complete(here.service.shut_down())
    here.loop.advance(1)
    assert here.loop.problems == []
    assert not asyncio.all_tasks(here.loop), "a provider's task is left behind"
    here.loop.close()


def whats(sink: Collector) -> list[str]:
    return [one.What for one in sink.objects]


def kinds(sink: Collector) -> list[tuple[str, str]]:
    return [
        (one.classname_[len("__Instance") : -len("Event")], one.TargetInstance.Name) for one in sink.objects
    ]


# Which subscriptions need a provider


@pytest.mark.req("F-27")
def test_a_provider_runs_from_the_first_subscription_to_the_last(world: World) -> None:
    ringer = world.ringer(BELLS)
    assert ringer.sinks == []
    sinks = [world.subscribe("SELECT * FROM Bell") for _ in range(3)]
    assert len(ringer.sinks) == 1
    ringer.ring("a")
    assert [whats(sink) for sink in sinks] == [["a"]] * 3
    for sink in sinks[:2]:
        world.cancel(sink)
    assert ringer.ended == 0
    ringer.ring("b")
    world.cancel(sinks[2])
    assert ringer.ended == 1
    assert ringer.sink.stopped
    assert whats(sinks[2]) == ["a", "b"]
    again = world.subscribe("SELECT * FROM Bell")
    assert len(ringer.sinks) == 2
    ringer.ring("c")
    assert whats(again) == ["c"]


@pytest.mark.req("F-27")
@pytest.mark.parametrize(
    ("query", "needed"),
    [
        ("SELECT * FROM LoudBell", True),
        ("SELECT * FROM __ExtrinsicEvent", True),
        ("SELECT * FROM __Event", True),
        ("SELECT * FROM __ClassCreationEvent", False),
        ("SELECT * FROM __TimerEvent", False),
        ("SELECT * FROM __InstanceCreationEvent WITHIN 5 WHERE TargetInstance ISA 'Other'", False),
        ("SELECT * FROM __InstanceModificationEvent WITHIN 5 WHERE TargetInstance ISA 'Thing'", False),
        ("SELECT * FROM __InstanceCreationEvent WITHIN 5 WHERE TargetInstance ISA 'Base'", True),
        ("SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Thing'", True),
    ],
)
def test_only_who_may_get_its_events_starts_a_provider(world: World, query: str, needed: bool) -> None:
    ringer = world.ringer(BELLS, CREATED)
    sink = world.subscribe(query)
    assert sink.outcome is None
    assert bool(ringer.sinks) == needed


PINNED = EventCoverage("__InstanceCreationEvent", "Thing", (("Name", "Size"), ("Name",)))


@pytest.mark.req("E-61", "F-27")
@pytest.mark.parametrize(
    ("where", "pins"),
    [
        ("TargetInstance.Name = 'a'", {(1, "a")}),
        (
            "TargetInstance.Size = 3 AND (TargetInstance.Name = 'a' AND NOT TargetInstance.Size = 1)",
            {(0, "a", 3)},
        ),
        ("TargetInstance.Name LIKE 'a'", None),
        ("TargetInstance.Name = 'a' OR TargetInstance.Name = 'b'", None),
        ("NOT TargetInstance.Name = 'a'", None),
        ("TargetInstance.Name <> 'a'", None),
        ("TargetInstance.Size = 3", None),
    ],
)
@pytest.mark.parametrize("within", ["", "WITHIN 5 "])
def test_a_provider_that_must_be_told_more_is_told_or_the_query_is_too_broad(
    world: World, where: str, pins: set[tuple[object, ...]] | None, within: str
) -> None:
    ringer = world.ringer(PINNED)
    query = f"SELECT * FROM __InstanceCreationEvent {within}WHERE TargetInstance ISA 'Thing' AND {where}"
    if pins is None:
        code = s.WBEMESS_E_REGISTRATION_TOO_BROAD if within else s.WBEMESS_E_REGISTRATION_TOO_PRECISE
        assert world.status(query) == code
        assert ringer.sinks == []
        return
    one = world.subscribe(query)
    changes: list[int] = []
    ringer.sink.on_change(lambda: changes.append(1))
    assert ringer.sink.pins(PINNED) == pins
    other = world.subscribe(query.replace("'a'", "'c'"))
    assert len(ringer.sink.pins(PINNED)) == 2
    world.cancel(other)
    assert ringer.sink.pins(PINNED) == pins
    assert len(changes) == 2
    assert world.things.readings == 0
    ringer.tell("Creation", "a", 3)
    ringer.tell("Creation", "c", 3)
    assert kinds(one) == [("Creation", "a")]
    ringer.end(OSError("gone"))
    assert one.outcome is not None
    assert one.outcome.status == s.WBEM_E_PROVIDER_FAILURE
    assert world.things.readings == 0


def test_who_asks_for_all_events_does_not_start_a_provider_that_must_be_told_more(world: World) -> None:
    ringer = world.ringer(PINNED)
    assert world.status("SELECT * FROM __Event") == 0
    assert ringer.sinks == []


@pytest.mark.req("F-27", "E-60", "calls:C32")
def test_a_provider_says_who_may_listen(world: World) -> None:
    class Choosy(Ringer):
        def may_subscribe(self, coverage: EventCoverage, caller: Caller) -> bool:
            return not caller.remote

    choosy = Choosy(BELLS, CREATED)
    world.host.providers.register(choosy)
    for query in (
        "SELECT * FROM Bell",
        "SELECT * FROM LoudBell",
        "SELECT * FROM __InstanceCreationEvent WITHIN 5 WHERE TargetInstance ISA 'Thing'",
    ):
        refused = world.subscribe(query, REMOTE)
        assert refused.outcome is not None
        assert refused.outcome.status == s.WBEM_E_ACCESS_DENIED
    every = world.subscribe("SELECT * FROM __Event", REMOTE)
    assert every.outcome is None
    assert choosy.sinks == []
    assert world.service.exchange.count == 1
    mine = world.subscribe("SELECT * FROM Bell")
    choosy.ring("a")
    assert whats(mine) == ["a"]


@pytest.mark.req("F-27")
def test_a_subscription_is_in_force_when_its_provider_is_ready(world: World) -> None:
    class Slow(Ringer):
        async def provide_events(self, sink: Any) -> None:
            self.sinks.append(sink)
            await asyncio.Event().wait()

    slow = Slow(BELLS)
    world.host.providers.register(slow)
    sink = world.subscribe("SELECT * FROM Bell")
    assert not sink.call.under_way
    slow.sink.ready()
    world.loop.settle()
    assert sink.call.under_way
    world.cancel(sink)
    mute = world.subscribe("SELECT * FROM Bell")
    world.loop.advance(0.9)
    assert not mute.call.under_way
    world.loop.advance(0.2)
    assert mute.call.under_way


# What is filtered, and what is polled


@pytest.mark.req("F-28", "E-06")
def test_the_service_filters_what_a_provider_raises(world: World) -> None:
    ringer = world.ringer(BELLS)
    some = world.subscribe("SELECT What FROM Bell WHERE What LIKE 'a%'")
    loud = world.subscribe("SELECT * FROM LoudBell")
    grouped = world.subscribe("SELECT * FROM Bell GROUP WITHIN 10")
    for what in ("ab", "b", "ac"):
        ringer.ring(what)
    ringer.ring("ad", "LoudBell")
    assert whats(some) == ["ab", "ac", "ad"]
    assert whats(loud) == ["ad"]
    world.loop.advance(11)
    assert [one.NumberOfEvents for one in grouped.objects] == [4]


@pytest.mark.req("E-21", "D-101", "calls:B86")
def test_within_is_needed_where_no_provider_covers_class_and_kind(world: World) -> None:
    query = "SELECT * FROM {} WHERE TargetInstance ISA '{}'"
    assert (
        world.status(query.format("__InstanceCreationEvent", "Thing")) == s.WBEMESS_E_REGISTRATION_TOO_PRECISE
    )
    world.ringer(CREATED, DELETED)
    assert world.status(query.format("__InstanceCreationEvent", "Thing")) == 0
    for event, class_ in (
        ("__InstanceOperationEvent", "Thing"),
        ("__InstanceModificationEvent", "Thing"),
        ("__InstanceCreationEvent", "Other"),
        ("__InstanceCreationEvent", "Base"),
    ):
        assert world.status(query.format(event, class_)) == s.WBEMESS_E_REGISTRATION_TOO_PRECISE
    world.ringer(EventCoverage("__InstanceOperationEvent", "Base"))
    assert world.status(query.format("__InstanceOperationEvent", "Base")) == 0


@pytest.mark.req("E-21")
def test_only_the_kinds_that_nobody_raises_are_polled(world: World) -> None:
    ringer = world.ringer(CREATED, DELETED)
    sink = world.subscribe("SELECT * FROM __InstanceOperationEvent WITHIN 1 WHERE TargetInstance ISA 'Base'")
    world.things.things = {"Thing": {"t": 1}, "Other": {"o": 1}}
    ringer.tell("Creation", "t")
    world.loop.advance(1)
    assert kinds(sink) == [("Creation", "t"), ("Creation", "o")]
    world.things.things = {"Thing": {"t": 2}, "Other": {"o": 2}}
    world.loop.advance(1)
    assert sorted(kinds(sink)[2:]) == [("Modification", "o"), ("Modification", "t")]
    world.things.things = {"Thing": {}, "Other": {}}
    world.loop.advance(1)
    assert kinds(sink)[4:] == [("Deletion", "o")]


@pytest.mark.req("E-21")
def test_what_a_provider_raises_whole_is_not_read_at_all(world: World) -> None:
    ringer = world.ringer(CREATED)
    sink = world.subscribe("SELECT * FROM __InstanceCreationEvent WITHIN 1 WHERE TargetInstance ISA 'Thing'")
    world.loop.advance(60)
    assert world.things.readings == 0
    ringer.tell("Creation", "t")
    assert kinds(sink) == [("Creation", "t")]


def test_callers_of_other_machines_may_be_told_other_events(world: World) -> None:
    ringer = world.ringer(CREATED)
    query = "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Thing'"
    here = world.subscribe(query)
    changes: list[int] = []
    ringer.sink.on_change(lambda: changes.append(1))
    assert ringer.sink.wanted(CREATED)
    assert ringer.sink.wanted(CREATED, remote=False)
    assert not ringer.sink.wanted(CREATED, remote=True)
    there = world.subscribe(query, REMOTE)
    assert ringer.sink.wanted(CREATED, remote=True)
    assert len(changes) == 1
    world.cancel(world.subscribe(query, REMOTE))
    assert len(changes) == 1
    ringer.tell("Creation", "all", remote=False)
    ringer.tell("Creation", "less", remote=True)
    ringer.tell("Creation", "same")
    assert [name for _, name in kinds(here)] == ["all", "same"]
    assert [name for _, name in kinds(there)] == ["less", "same"]
    world.cancel(there)
    assert not ringer.sink.wanted(CREATED, remote=True)
    assert len(changes) == 2


@pytest.mark.req("F-27")
def test_a_provider_raises_what_it_covers_and_nothing_else(world: World) -> None:
    ringer = world.ringer(BELLS)
    sink = world.subscribe("SELECT * FROM __ExtrinsicEvent")
    thing = ringer.sink.class_named("Thing").spawn({"Name": "a"})
    strange = ringer.sink.event("__InstanceCreationEvent", {"TargetInstance": thing})
    for event in (strange, thing):
        with pytest.raises(WbemError) as refused:
            ringer.sink.indicate([event])
        assert refused.value.code == s.WBEM_E_INVALID_OBJECT
    assert sink.objects == []


# Failing


@pytest.mark.req("F-02", "F-27")
@pytest.mark.parametrize("failure", [OSError("the wire is cut"), None], ids=["raises", "comes back"])
def test_who_depends_on_a_failing_provider_is_told(world: World, failure: BaseException | None) -> None:
    ringer = world.ringer(BELLS, CREATED)
    bells = world.subscribe("SELECT * FROM Bell")
    created = world.subscribe("SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Thing'")
    classes = world.subscribe("SELECT * FROM __ClassCreationEvent")
    ringer.end(failure)
    for sink in (bells, created):
        assert sink.outcome is not None
        assert sink.outcome.status == s.WBEM_E_PROVIDER_FAILURE
        assert "Ringer" in sink.outcome.error.Description
        assert sink.released == 1
    assert classes.outcome is None
    fresh = world.subscribe("SELECT * FROM Bell")
    ringer.ring("again")
    assert whats(fresh) == ["again"]


@pytest.mark.req("E-21", "F-27")
def test_polling_takes_over_where_within_was_given(world: World) -> None:
    ringer = world.ringer(CREATED, DELETED)
    query = "SELECT * FROM __InstanceOperationEvent WITHIN 1 WHERE TargetInstance ISA 'Thing'"
    both = world.subscribe(query)
    created = world.subscribe(query.replace("Operation", "Creation"))
    ringer.tell("Creation", "a")
    world.things.things["Thing"] = {"a": 1}
    world.loop.advance(1)
    ringer.end(OSError("the wire is cut"))
    world.things.things["Thing"] = {"a": 1, "b": 1}
    world.loop.advance(1)
    assert kinds(both) == kinds(created) == [("Creation", "a"), ("Creation", "b")]
    world.things.things["Thing"] = {"b": 1}
    world.loop.advance(1)
    assert kinds(both)[2:] == [("Deletion", "a")]
    # Another subscriber brings the provider back, and its events are not raised twice.
    late = world.subscribe(query.replace("Operation", "Creation"))
    ringer.tell("Creation", "c")
    world.things.things["Thing"]["c"] = 1
    world.loop.advance(2)
    assert kinds(both)[3:] == kinds(created)[2:] == kinds(late) == [("Creation", "c")]


@pytest.mark.req("F-27", "calls:B90")
def test_events_that_a_provider_could_not_have_are_no_secret(world: World) -> None:
    ringer = world.ringer(BELLS)
    sink = world.subscribe("SELECT * FROM Bell")
    ringer.ring("a")
    ringer.sink.lost(17)
    world.loop.settle()
    assert whats(sink) == ["a"]
    assert sink.outcome is not None
    assert sink.outcome.status == s.WBEM_E_QUEUE_OVERFLOW
    assert "17 events" in sink.outcome.error.Description


# On threads


class Threaded:
    """A provider that raises on its own thread as fast as it can, until it is stopped or has raised `count`."""

    name = "Threaded"
    events = (BELLS,)

    def __init__(self, count: int) -> None:
        self.count = count
        self.raised = 0
        self.go = threading.Event()
        self.waited = threading.Event()
        self.stopped = threading.Event()

    def provide_events(self, sink: Any) -> None:
        sink.on_stop(self.stopped.set)
        sink.ready()
        assert self.go.wait(10)
        for number in range(self.count):
            if not sink.indicate([sink.event("Bell", {"What": str(number)})]):
                break
            self.raised += 1
        self.waited.set()
        while not sink.wait(10):
            pass


@pytest.mark.req("F-27", "E-56")
def test_a_flood_is_held_up_and_nothing_of_it_is_lost(world: World) -> None:
    world.service.settings.event_queue = 1000
    flood = Threaded(5000)
    world.host.providers.register(flood)
    sink = world.subscribe("SELECT * FROM Bell")
    flood.go.set()
    while flood.raised < 1000:
        flood.waited.wait(0.001)
    assert not flood.waited.wait(0.02), "it goes on though the loop takes nothing"
    assert flood.raised == 1000
    assert sink.objects == []
    world.until(lambda: len(sink.objects) == 5000)
    assert whats(sink) == [str(number) for number in range(5000)]
    world.cancel(sink)
    assert flood.stopped.wait(10)


@pytest.mark.req("F-27", "calls:B90")
def test_a_sink_that_does_not_keep_up_ends_and_the_provider_is_stopped(world: World) -> None:
    answers: list[Any] = []

    class Stuck(Collector):
        def on_objects(self, batch: Any) -> Any:
            super().on_objects(batch)
            answers.append(world.loop.create_future())
            return answers[-1]

    world.service.settings.event_queue = 100
    flood = Threaded(1_000_000)
    world.host.providers.register(flood)
    stuck = world.subscribe("SELECT * FROM Bell", sink=Stuck())
    flood.go.set()
    world.until(flood.stopped.is_set)
    assert flood.raised < 10_000
    for answer in answers:  # a callback that comes back lets the next one begin
        answer.set_result(None)
        world.loop.settle()
    assert stuck.outcome is not None
    assert stuck.outcome.status == s.WBEM_E_QUEUE_OVERFLOW
    assert stuck.released == 1


@pytest.mark.req("F-27")
def test_a_provider_that_ignores_its_end_holds_nobody_up(world: World) -> None:
    go = threading.Event()
    entered = threading.Event()

    class Deaf(Threaded):
        def provide_events(self, sink: Any) -> None:
            entered.set()
            go.wait(30)
            assert not sink.indicate([sink.event("Bell", {"What": "late"})])
            self.waited.set()

    deaf = Deaf(0)
    world.host.providers.register(deaf)
    sink = world.subscribe("SELECT * FROM Bell")
    assert entered.wait(10)
    world.cancel(sink)
    assert sink.released == 1
    go.set()
    assert deaf.waited.wait(10)
    assert sink.objects == []


def test_a_provider_on_the_real_loop(running: Running) -> None:
    space = running.host.namespaces.add("root\\test_threaded")
    for declaration in class_declarations("class Bell : __ExtrinsicEvent { string What; };"):
        space.provided.add(declaration)
    flood = Threaded(3000)
    running.host.providers.register(flood)
    sink = Collector()
    services = running.connect("root\\test_threaded")
    running.start(ops.ExecNotificationQuery("SELECT * FROM Bell"), sink, services=services)
    flood.go.set()
    assert flood.waited.wait(10)
    while len(sink.objects) < 3000:
        turned = threading.Event()
        running.host.portal.loop.call_soon_threadsafe(turned.set)
        assert turned.wait(10)
    running.cancel(sink, services=services)
    assert flood.stopped.wait(10)
    assert len(sink.objects) == 3000
