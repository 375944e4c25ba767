"""Event subscriptions: polling and groups on a clock that the test moves, the store's events, extrinsic ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.service.clocked import ClockedLoop, Inline
from tests.service.conftest import Collector, Running

from openwmi import host, testing
from openwmi.contract import operations as ops
from openwmi.contract.caller import Caller
from openwmi.model import status as s
from openwmi.model.classes import derive
from openwmi.model.errors import WbemError, error
from openwmi.mof import class_declarations
from openwmi.service.connection import Connection
from openwmi.service.core import Service

CALLER = Caller("S-1-22-1-0", "tester")
NAMESPACE = "root\\test_events"


class Things:
    """A provider of which the test changes the things; counts what is read of it."""

    def __init__(self) -> None:
        self.things: dict[str, int] = {}
        self.columns: list[tuple[str, ...]] = []
        self.conditions: list[Any] = []
        self.failing = False
        self.failure: Exception = OSError("not now")
        self.more = False  # whether classes below Thing have instances, too
        self.name = "Things"
        self.blocking = False

    def instances(self, request: Any) -> list[Any]:
        self.columns.append(request.columns)
        self.conditions.append(request.conditions)
        if self.failing:
            raise self.failure
        if request.class_.name == "SubThing" and not self.more:
            return []
        return [self.row(request, name) for name in self.things]

    def instance(self, request: Any, keys: dict[str, Any]) -> Any:
        self.columns.append(request.columns)
        return self.row(request, keys["Name"]) if keys["Name"] in self.things else None

    def row(self, request: Any, name: str) -> tuple[Any, ...]:
        values = {"Name": name, "Size": self.things[name]}
        return tuple(values.get(column) for column in request.columns)


class World:
    """A service on a clocked loop, with one polled class."""

    def __init__(self) -> None:
        self.loop = ClockedLoop()
        self.host = host.Host(host.MEMORY)
        self.things = Things()
        self.host.providers.register(self.things)
        space = self.host.namespaces.add(NAMESPACE)
        text = '[dynamic, provider("Things")] class Thing { [key] string Name; sint32 Size; };'
        for declaration in class_declarations(
            text + "class Alarm : __ExtrinsicEvent { string What; sint32 Level; };"
        ):
            space.provided.add(declaration)
        self.service = Service(self.loop, self.host.namespaces, planner=Inline(self.loop))  # type: ignore[arg-type]
        self.wmi: Connection = self.loop.run_until_complete(self.service.connect(NAMESPACE, CALLER))

    def subscribe(self, query: str) -> Collector:
        sink = Collector()
        self.loop.run_until_complete(self.wmi.start(ops.ExecNotificationQuery(query), sink))
        self.loop.settle()
        return sink

    def status(self, query: str) -> int:
        try:
            sink = self.subscribe(query)
        except WbemError as reason:
            return reason.code
        if sink.outcome is None:
            self.cancel(sink)
            return 0
        return sink.outcome.status

    def cancel(self, sink: Collector) -> None:
        self.loop.run_until_complete(self.wmi.cancel(sink))

    def raise_alarm(self, **values: Any) -> int:
        sink: Any = self.loop.run_until_complete(self.wmi.event_sink())
        alarm = self.host.namespaces.named(NAMESPACE).schema.class_named("Alarm").spawn(values)
        return int(sink.on_objects([alarm]))


@pytest.fixture
def world() -> Iterator[World]:
    here = World()
    yield here
    here.loop.run_until_complete(here.service.shut_down())
    here.loop.advance(1)
    assert here.loop.problems == []
    here.loop.close()


def kinds(sink: Collector) -> list[tuple[str, str]]:
    return [(one.classname_, one.TargetInstance.Name) for one in sink.objects]


@pytest.mark.req("E-20", "E-02", "calls:B88")
def test_polling_tells_what_came_went_and_changed(world: World) -> None:
    world.things.things = {"a": 1, "b": 2}
    sink = world.subscribe(
        "SELECT * FROM __InstanceOperationEvent WITHIN 60 WHERE TargetInstance ISA 'Thing'"
    )
    world.loop.advance(61)
    assert sink.objects == []
    world.things.things = {"b": 3, "c": 4}
    world.loop.advance(60)
    assert sorted(kinds(sink)) == [
        ("__InstanceCreationEvent", "c"),
        ("__InstanceDeletionEvent", "a"),
        ("__InstanceModificationEvent", "b"),
    ]
    changed = next(one for one in sink.objects if one.classname_ == "__InstanceModificationEvent")
    assert (changed.PreviousInstance.Size, changed.TargetInstance.Size) == (2, 3)
    assert changed["__PATH"] is None
    assert changed.TargetInstance.path_.endswith('Thing.Name="b"')


@pytest.mark.slow
@pytest.mark.req("calls:B87")
def test_an_hour_of_polling_takes_sixty_readings(world: World) -> None:
    world.subscribe("SELECT * FROM __InstanceModificationEvent WITHIN 60 WHERE TargetInstance ISA 'Thing'")
    first = len(world.things.columns)
    world.loop.advance(3600)
    assert len(world.things.columns) - first == 60


@pytest.mark.req("E-22")
def test_creations_read_keys_and_then_only_what_is_new(world: World) -> None:
    world.things.things = {"a": 1}
    sink = world.subscribe("SELECT * FROM __InstanceCreationEvent WITHIN 1 WHERE TargetInstance ISA 'Thing'")
    world.things.columns.clear()
    world.loop.advance(1)
    assert world.things.columns == [("Name",)]
    world.things.things["b"] = 2
    world.loop.advance(1)
    assert world.things.columns[1:] == [("Name",), ("Name", "Size")]
    assert sink.objects[0].TargetInstance.Size == 2


def test_one_poll_serves_all_subscriptions_of_a_class(world: World) -> None:
    query = (
        "SELECT * FROM __InstanceOperationEvent WITHIN 5 WHERE TargetInstance ISA 'Thing'"
        " AND TargetInstance.Size = {}"
    )
    sinks = [world.subscribe(query.format(size)) for size in range(50)]
    late = world.subscribe(query.format(7))
    world.things.columns.clear()
    world.things.things = {"a": 7}
    world.loop.advance(5)
    assert len(world.things.columns) == 1
    assert [len(sink.objects) for sink in sinks] == [1 if size == 7 else 0 for size in range(50)]
    for sink in [*sinks, late]:
        world.cancel(sink)
    world.things.columns.clear()
    world.loop.advance(60)
    assert world.things.columns == []


@pytest.mark.req("calls:B88")
def test_a_reading_that_fails_changes_nothing(world: World) -> None:
    world.things.things = {"a": 1}
    sink = world.subscribe("SELECT * FROM __InstanceOperationEvent WITHIN 1 WHERE TargetInstance ISA 'Thing'")
    world.things.failing = True
    world.loop.advance(3)
    assert sink.objects == []
    world.things.failing = False
    world.things.things = {"a": 1, "b": 1}
    world.loop.advance(1)
    assert kinds(sink) == [("__InstanceCreationEvent", "b")]


@pytest.mark.req("E-20", "calls:B88")
def test_a_class_that_this_machine_can_never_read_is_not_waited_for(world: World) -> None:
    query = "SELECT * FROM __InstanceOperationEvent WITHIN 1 WHERE TargetInstance ISA 'Thing'"
    world.things.failing = True
    patient = world.subscribe(query)
    assert patient.outcome is None, "a provider may mend"
    world.cancel(patient)
    world.things.failure = error(s.WBEM_E_PROVIDER_NOT_CAPABLE, "there is no such thing on this machine")
    told = world.subscribe(query)
    assert told.outcome is not None
    assert told.outcome.status == s.WBEM_E_PROVIDER_NOT_CAPABLE
    assert "no such thing" in str(told.outcome.as_error())
    assert told.released == 1
    assert not world.service.exchange._polls


@pytest.mark.req("E-07", "E-23", "D-36", "D-105", "A-149")
def test_conditions_and_projections(world: World) -> None:
    sink = world.subscribe(
        "SELECT TargetInstance.Name FROM __InstanceModificationEvent WITHIN 1"
        " WHERE TargetInstance ISA 'Thing' AND PreviousInstance.Size < 5 AND TargetInstance.Size >= 5"
    )
    world.things.things = {"a": 1, "b": 6}
    world.loop.advance(1)
    world.things.things = {"a": 7, "b": 7}
    world.loop.advance(1)
    (event,) = sink.objects
    assert event.TargetInstance.Name == "a"
    assert event.get_("PreviousInstance") is None


@pytest.mark.req("E-23", "E-24")
def test_a_condition_is_not_left_to_the_provider_that_is_polled(world: World) -> None:
    """It would make a change into the filter a creation, and one out of it a deletion."""
    sink = world.subscribe(
        "SELECT * FROM __InstanceOperationEvent WITHIN 1 WHERE TargetInstance ISA 'Thing' AND TargetInstance.Size = 2"
    )
    for size in (1, 2, 3):
        world.things.things = {"a": size}
        world.loop.advance(1)
    assert kinds(sink) == [("__InstanceModificationEvent", "a")]
    assert not any(world.things.conditions)


@pytest.mark.req("E-22")
def test_every_property_counts_for_a_modification_not_only_those_that_are_selected(world: World) -> None:
    sink = world.subscribe(
        "SELECT TargetInstance.Name FROM __InstanceModificationEvent WITHIN 1 WHERE TargetInstance ISA 'Thing'"
    )
    for size in (1, 2):
        world.things.things = {"a": size}
        world.loop.advance(1)
    assert [one.TargetInstance.Name for one in sink.objects] == ["a"]
    assert set(world.things.columns) == {("Name", "Size")}


@pytest.mark.req("E-22")
def test_lazy_properties_make_no_modification(world: World) -> None:
    (declaration,) = class_declarations(
        '[dynamic, provider("Things")] class Lazy { [key] string Name; [lazy] sint32 Size; };'
    )
    world.host.namespaces.named(NAMESPACE).provided.add(declaration)
    query = "SELECT * FROM __InstanceOperationEvent WITHIN 1 WHERE TargetInstance ISA 'Lazy'"
    sink = world.subscribe(query)
    for things in ({"a": 1}, {"a": 2}, {"a": 3, "b": 1}):
        world.things.things = things
        world.loop.advance(1)
    assert kinds(sink) == [("__InstanceCreationEvent", "a"), ("__InstanceCreationEvent", "b")]
    assert [one.TargetInstance.Size for one in sink.objects] == [1, 1]


@pytest.mark.req("E-30", "E-31", "E-32", "D-102")
def test_groups(world: World) -> None:
    sink = world.subscribe("SELECT * FROM Alarm GROUP WITHIN 10 BY What HAVING NumberOfEvents > 1")
    for what in ("x", "y", "X", "x"):
        assert world.raise_alarm(What=what, Level=1) == 0
    world.loop.advance(9)
    assert sink.objects == []
    world.loop.advance(2)
    (event,) = sink.objects
    assert (event.classname_, event.NumberOfEvents, event.Representative.What) == ("__AggregateEvent", 3, "x")
    world.raise_alarm(What="x")
    world.loop.advance(20)
    assert len(sink.objects) == 1


@pytest.mark.req("E-31", "E-30", "E-32")
def test_groups_of_polled_events_by_a_property_of_the_instance(world: World) -> None:
    """Each group has an interval of its own, which its first event begins."""
    sink = world.subscribe(
        "SELECT * FROM __InstanceCreationEvent WITHIN 1 WHERE TargetInstance ISA 'Thing'"
        " GROUP WITHIN 10 BY TargetInstance.Size"
    )
    for names, seconds in (("ab", 1), ("abc", 4), ("abcd", 4)):
        world.things.things = {name: 1 if name in "ac" else 2 for name in names}
        world.loop.advance(seconds)
    assert sink.objects == []
    world.loop.advance(3)
    groups = [(one.NumberOfEvents, one.Representative.TargetInstance.Name) for one in sink.objects]
    assert groups == [(2, "a"), (2, "b")]
    assert {one.Representative.classname_ for one in sink.objects} == {"__InstanceCreationEvent"}
    world.things.things = {"e": 1}
    world.loop.advance(12)
    assert [one.NumberOfEvents for one in sink.objects] == [2, 2, 1]


@pytest.mark.req("E-06", "E-07", "A-149", "D-105")
def test_classes_of_events_and_of_instances_narrow_a_query(world: World) -> None:
    space = world.host.namespaces.named(NAMESPACE)
    (declaration,) = class_declarations(
        '[dynamic, provider("Things")] class SubThing : Thing { sint32 More; };'
    )
    space.provided.add(declaration)
    space.schema.forget("SubThing")
    base = "SELECT * FROM __InstanceOperationEvent WITHIN 1 WHERE TargetInstance ISA 'Thing'"
    sinks = {
        "all": world.subscribe(base),
        "creations": world.subscribe(base + " AND __CLASS = '__InstanceCreationEvent'"),
        "exact": world.subscribe(base + " AND TargetInstance.__CLASS = 'Thing'"),
        "below": world.subscribe(base + " AND TargetInstance.__CLASS = 'SubThing'"),
        "whole": world.subscribe(base.replace("*", "TargetInstance")),
    }
    world.things.more = True
    world.things.things = {"a": 1}
    world.loop.advance(1)
    world.things.things = {"a": 2}
    world.loop.advance(1)
    told = {
        name: sorted((one.classname_[10:-5], one.TargetInstance.classname_) for one in sink.objects)
        for name, sink in sinks.items()
    }
    both = ("Thing", "SubThing")
    creations = sorted(("Creation", name) for name in both)
    every = sorted((kind, name) for kind in ("Creation", "Modification") for name in both)
    assert told["all"] == told["whole"] == every
    assert told["creations"] == creations
    assert told["exact"] == [one for one in every if one[1] == "Thing"]
    assert told["below"] == [one for one in every if one[1] == "SubThing"]
    for event in sinks["whole"].objects:
        assert event.TargetInstance.Size in (1, 2)
        assert event.get_("TIME_CREATED") is None
        assert [event[f"__{name}"] for name in ("NAMESPACE", "PATH", "RELPATH", "SERVER")] == [None] * 4
        assert event.TargetInstance["__RELPATH"].endswith('Thing.Name="a"')


@pytest.mark.req("E-05")
def test_an_event_keeps_the_time_it_brings(world: World) -> None:
    sink = world.subscribe("SELECT * FROM Alarm")
    world.raise_alarm(What="a", TIME_CREATED=131_000_000_000_000_000)
    world.raise_alarm(What="b")
    first, second = sink.objects
    assert first.TIME_CREATED == 131_000_000_000_000_000
    assert second.TIME_CREATED > 134_000_000_000_000_000


@pytest.mark.req("calls:B99", "calls:C27", "E-05", "E-06")
def test_extrinsic_events_reach_those_who_asked(world: World) -> None:
    high = world.subscribe("SELECT * FROM Alarm WHERE Level > 5")
    all_ = world.subscribe("SELECT What FROM Alarm")
    base = world.subscribe("SELECT * FROM __ExtrinsicEvent")
    for level in (1, 9):
        assert world.raise_alarm(What=str(level), Level=level) == 0
    assert [one.What for one in high.objects] == ["9"]
    assert [one.What for one in all_.objects] == ["1", "9"]
    assert len(base.objects) == 2
    assert high.objects[0].TIME_CREATED > 130_000_000_000_000_000
    sink: Any = world.loop.run_until_complete(world.wmi.event_sink())
    thing = world.host.namespaces.named(NAMESPACE).schema.class_named("Thing").spawn({"Name": "a"})
    assert sink.on_objects([thing]) == s.WBEM_E_INVALID_CLASS


@pytest.mark.req("E-06")
def test_a_class_derived_later_reaches_those_who_asked_for_its_base(world: World) -> None:
    base = world.subscribe("SELECT * FROM __ExtrinsicEvent")
    alarms = world.subscribe("SELECT * FROM Alarm WHERE Level > 5")
    space = world.host.namespaces.named(NAMESPACE)
    for declaration in class_declarations("class FireAlarm : Alarm { string Where; };"):
        space.provided.add(declaration)
        space.schema.forget(declaration.name)
    late = world.subscribe("SELECT * FROM Alarm WHERE Level > 5")
    sink: Any = world.loop.run_until_complete(world.wmi.event_sink())
    class_ = space.schema.class_named("FireAlarm")
    assert sink.on_objects([class_.spawn({"Level": 9}), class_.spawn({"Level": 1})]) == 0
    assert [len(one.objects) for one in (base, alarms, late)] == [2, 1, 1]
    for one in (base, alarms, late):
        world.cancel(one)
    assert world.service.exchange.count == 0
    assert not world.service.exchange._by_class


@pytest.mark.req("calls:B85", "calls:D6")
def test_a_subscription_ends_by_cancel_alone(world: World) -> None:
    sink = world.subscribe("SELECT * FROM Alarm")
    world.loop.advance(3600)
    assert sink.outcome is None
    world.cancel(sink)
    assert sink.outcome is not None
    assert sink.outcome.status == s.WBEM_E_CALL_CANCELLED
    assert sink.released == 1
    world.raise_alarm(What="late")
    assert sink.objects == []


@pytest.mark.req("calls:B86", "D-100", "D-101", "D-102", "D-104")
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT * FROM Thing", s.WBEM_E_NOT_EVENT_CLASS),
        ("SELECT * FROM NoSuchEvent", s.WBEM_E_NOT_FOUND),
        ("SELEC", s.WBEM_E_UNPARSABLE_QUERY),
        (
            "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Thing'",
            s.WBEMESS_E_REGISTRATION_TOO_PRECISE,
        ),
        ("SELECT * FROM __InstanceCreationEvent WITHIN 5", s.WBEMESS_E_REGISTRATION_TOO_BROAD),
        ("SELECT * FROM Alarm GROUP BY What", s.WBEM_E_MISSING_GROUP_WITHIN),
        ("SELECT * FROM Alarm", 0),
        ("SELECT * FROM __ClassCreationEvent", 0),
    ],
)
def test_what_is_wrong_with_a_query(world: World, query: str, code: int) -> None:
    assert world.status(query) == code


@pytest.mark.req("calls:B90")
def test_a_queue_that_overflows_says_so(world: World) -> None:
    class Stuck(Collector):
        def on_objects(self, batch: Any) -> Any:
            super().on_objects(batch)
            return world.loop.create_future() if len(self.batches) == 1 else None

    world.service.settings.event_queue = 10
    sink = Stuck()
    world.loop.run_until_complete(world.wmi.start(ops.ExecNotificationQuery("SELECT * FROM Alarm"), sink))
    world.loop.settle()
    other = world.subscribe("SELECT * FROM Alarm")
    for number in range(20):
        world.raise_alarm(Level=number)
    assert len(other.objects) == 20
    assert sink.outcome is None
    world.loop.advance(31)
    world.cancel(other)


@pytest.mark.req("calls:H5", "E-25")
def test_quotas_of_subscriptions(world: World) -> None:
    world.service.settings.subscriptions_per_user = 3
    sinks = [world.subscribe("SELECT * FROM Alarm") for _ in range(4)]
    assert sinks[3].outcome is not None
    assert sinks[3].outcome.status == s.WBEM_E_QUOTA_VIOLATION
    world.cancel(sinks[0])
    assert world.status("SELECT * FROM Alarm") == 0


# The store's events, on the real loop


@pytest.mark.req("E-01", "E-02", "E-03", "B-08", "calls:B58", "A-258", "calls:B71")
def test_events_of_the_store(running: Running) -> None:
    sinks = {
        name: Collector()
        for name in ("__ClassOperationEvent", "__InstanceOperationEvent", "__NamespaceOperationEvent")
    }
    for name, sink in sinks.items():
        where = " WHERE TargetInstance ISA 'Test_Watched'" if "Instance" in name else ""
        if where:
            declared = derive(
                next(iter(class_declarations("class Test_Watched { [key] string K; sint32 V; };"))), None
            )
            assert running.status(ops.PutClass(declared)) == 0
        running.start(ops.ExecNotificationQuery(f"SELECT * FROM {name}{where}"), sink)
    class_ = running.collect(ops.GetObject("Test_Watched")).objects[0]
    for value in (1, 2):
        assert running.status(ops.PutInstance(class_.spawn({"K": "a", "V": value}))) == 0
    assert running.status(ops.DeleteInstance('Test_Watched="a"')) == 0
    child = running.collect(ops.GetObject("__NAMESPACE")).objects[0].spawn({"Name": "test_watched"})
    assert running.status(ops.PutInstance(child)) == 0
    assert running.status(ops.DeleteInstance('__NAMESPACE="test_watched"')) == 0
    assert running.status(ops.DeleteClass("Test_Watched")) == 0
    done = threading.Event()
    running.host.portal.loop.call_soon_threadsafe(done.set)
    assert done.wait(10)
    instances = sinks["__InstanceOperationEvent"].objects
    assert [one.classname_[len("__Instance") :] for one in instances] == [
        "CreationEvent",
        "ModificationEvent",
        "DeletionEvent",
    ]
    assert [one.TargetInstance.V for one in instances] == [1, 2, 2]
    assert instances[1].PreviousInstance.V == 1
    assert [one.classname_ for one in sinks["__NamespaceOperationEvent"].objects] == [
        "__NamespaceCreationEvent",
        "__NamespaceDeletionEvent",
    ]
    classes = sinks["__ClassOperationEvent"].objects
    assert classes[-1].classname_ == "__ClassDeletionEvent"
    assert classes[-1].TargetClass.name == "Test_Watched"
    for sink in sinks.values():
        running.cancel(sink)
        assert sink.finished.wait(10)


@pytest.mark.req("E-03")
def test_a_class_that_is_deleted_takes_others_along_and_each_is_told_but_no_instance(
    running: Running,
) -> None:
    texts = ("class Test_Above { [key] string K; };", "class Test_Below : Test_Above { sint32 V; };")
    for text in texts:
        declaration = next(iter(class_declarations(text)))
        above = running.collect(ops.GetObject("Test_Above")).objects[0] if declaration.superclass else None
        assert running.status(ops.PutClass(derive(declaration, above))) == 0
    class_ = running.collect(ops.GetObject("Test_Below")).objects[0]
    assert running.status(ops.PutInstance(class_.spawn({"K": "a", "V": 1}))) == 0
    classes, instances = Collector(), Collector()
    running.start(ops.ExecNotificationQuery("SELECT * FROM __ClassDeletionEvent"), classes)
    query = "SELECT * FROM __InstanceDeletionEvent WHERE TargetInstance ISA 'Test_Above'"
    running.start(ops.ExecNotificationQuery(query), instances)
    assert running.status(ops.DeleteClass("Test_Above")) == 0
    done = threading.Event()
    running.host.portal.loop.call_soon_threadsafe(done.set)
    assert done.wait(10)
    assert sorted(one.TargetClass.name for one in classes.objects) == ["Test_Above", "Test_Below"]
    assert instances.objects == []
    for sink in (classes, instances):
        running.cancel(sink)


@pytest.mark.req("E-04", "E-02")
def test_what_is_written_again_as_it_was_counts_as_modified(running: Running) -> None:
    declared = derive(next(iter(class_declarations("class Test_Same { [key] string K; sint32 V; };"))), None)
    assert running.status(ops.PutClass(declared)) == 0
    same = running.collect(ops.GetObject("Test_Same")).objects[0].spawn({"K": "a", "V": 1})
    assert running.status(ops.PutInstance(same)) == 0
    sinks = [Collector(), Collector()]
    instances = "SELECT * FROM __InstanceModificationEvent WHERE TargetInstance ISA 'Test_Same'"
    for query, sink in zip((instances, "SELECT * FROM __ClassModificationEvent"), sinks, strict=True):
        running.start(ops.ExecNotificationQuery(query), sink)
    assert running.status(ops.PutInstance(same)) == 0
    assert running.status(ops.PutClass(running.collect(ops.GetObject("Test_Same")).objects[0])) == 0
    done = threading.Event()
    running.host.portal.loop.call_soon_threadsafe(done.set)
    assert done.wait(10)
    (changed,) = sinks[0].objects
    assert changed.PreviousInstance.values_ == changed.TargetInstance.values_ == same.values_
    (written,) = sinks[1].objects
    assert (written.PreviousClass.name, written.TargetClass.name) == ("Test_Same", "Test_Same")
    for sink in sinks:
        running.cancel(sink)


def test_a_real_class_is_polled(running: Running) -> None:
    things: dict[str, int] = {"a": 1}
    testing.provide(
        "root\\cimv2",
        "class Test_Polled { [key] string K; };",
        instances=lambda: [{"K": name} for name in list(things)],
    )
    sink = Collector()
    heard = threading.Event()
    original = sink.on_objects
    sink.on_objects = lambda batch: (original(batch), heard.set())[0]  # type: ignore[method-assign]
    query = "SELECT * FROM __InstanceCreationEvent WITHIN 0.1 WHERE TargetInstance ISA 'Test_Polled'"
    running.start(ops.ExecNotificationQuery(query), sink)
    assert running.status(ops.CreateInstanceEnum("Test_Polled")) == 0
    things["b"] = 1
    assert heard.wait(10)
    assert sink.objects[0].TargetInstance.K in ("a", "b")
    running.cancel(sink)
