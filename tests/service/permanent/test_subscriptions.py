"""Permanent subscriptions at work, on a clock that the test moves: what is active, and what becomes of events."""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import select
import shutil
import tempfile
import threading
from typing import Any

import pytest
from tests.service.conftest import Collector
from tests.service.permanent.conftest import CIMV2, SUBSCRIPTION, Hall, Taker, never

from openwmi.contract import operations as ops
from openwmi.contract.caller import Caller, UnixUser
from openwmi.contract.provider import EventCoverage
from openwmi.model.errors import error
from openwmi.model.instances import Extras, Instance
from openwmi.model.qualifiers import Qualifier, QualifierSet
from openwmi.model.sids import Sid
from openwmi.model.status import (
    WBEM_E_ACCESS_DENIED,
    WBEM_E_FAILED,
    WBEM_E_NOT_SUPPORTED,
    WBEM_E_PROVIDER_FAILURE,
    WBEM_E_PROVIDER_NOT_FOUND,
    WBEM_E_PROVIDER_TIMED_OUT,
    WBEM_E_RETRY_LATER,
)
from openwmi.service.permanent.channel import DELAYS, MOST_ABANDONED
from openwmi.service.permanent.checks import creator_of

GONE = "the account that created it is gone, or is no administrator any more"
ALICE = Caller("S-1-5-21-1-2-3-1000", "alice", remote=True)


# What is active


@pytest.mark.req("E-51", "E-54")
@pytest.mark.parametrize("order", [("f", "c", "b"), ("b", "c", "f"), ("c", "b", "f")])
def test_an_event_reaches_the_consumer_in_whatever_order_things_were_stored(
    hall: Hall, order: tuple[str, ...]
) -> None:
    hall.ring("early")
    for step in order:
        {"f": hall.filter, "c": hall.consumer, "b": hall.bind}[step]()
    hall.ring("one", "two")
    assert hall.taker.texts == [("c", "one"), ("c", "two")]
    request, consumer, (event,) = hall.taker.calls[0]
    assert (request.caller.sid, consumer.Name, event.classname_) == ("S-1-22-1-0", "c", "Rang")


@pytest.mark.req("E-51")
def test_it_ends_with_each_of_its_parts_and_begins_again_with_them(hall: Hall) -> None:
    hall.subscribed()
    for path, again in [
        ('__EventFilter.Name="f"', hall.filter),
        ('Taker.Name="c"', hall.consumer),
        (
            '__FilterToConsumerBinding.Filter="__EventFilter.Name=\\"f\\"",Consumer="Taker.Name=\\"c\\""',
            hall.bind,
        ),
    ]:
        hall.taker.calls.clear()
        hall.remove(path)
        hall.ring("lost")
        assert hall.taker.texts == []
        assert hall.service.exchange.count == 0
        again()
        hall.ring("found")
        assert hall.taker.texts == [("c", "found")]


@pytest.mark.req("E-51")
def test_a_change_takes_effect(hall: Hall) -> None:
    hall.subscribed()
    hall.consumer(Note="new")
    hall.ring("one")
    assert hall.taker.calls[-1][1].Note == "new"
    hall.filter(query="SELECT * FROM Rang WHERE Text = 'this'")
    hall.ring("that", "this")
    assert hall.taker.texts == [("c", "one"), ("c", "this")]
    assert hall.service.exchange.count == 1


@pytest.mark.req("E-51")
def test_one_filter_and_many_consumers_and_the_other_way_round(hall: Hall) -> None:
    hall.filter("f")
    hall.filter("g", "SELECT * FROM Rang WHERE Text = 'both'")
    for name in ("a", "b"):
        hall.consumer(name)
        hall.bind("f", name)
    hall.bind("g", "a")
    assert hall.service.exchange.count == 2
    hall.ring("both")
    assert sorted(hall.taker.texts) == [("a", "both"), ("a", "both"), ("b", "both")]
    hall.remove('Taker.Name="b"')
    hall.ring("one")
    assert hall.taker.texts[3:] == [("a", "one")]


@pytest.mark.req("E-53")
def test_all_three_have_the_same_creator_or_nothing_is_delivered(hall: Hall) -> None:
    hall.filter()
    hall.store("Taker", ALICE, Name="c")
    hall.bind()
    hall.ring("lost")
    assert hall.taker.texts == []
    assert hall.reasons == ["filter, consumer and binding were not created by the same account"]
    hall.consumer()
    hall.ring("found")
    assert hall.taker.texts == [("c", "found")]


@pytest.mark.req("E-53")
def test_a_creator_that_is_gone_has_no_subscriptions(hall: Hall) -> None:
    hall.service.find_creator = lambda sid: None
    hall.subscribed()
    hall.ring("lost")
    assert (hall.taker.texts, hall.reasons) == ([], [GONE])


@pytest.mark.req("E-53")
def test_bindings_across_namespaces(hall: Hall) -> None:
    hall.filter()
    hall.consumer()
    wmi = hall.host.namespaces.named(CIMV2)
    class_ = wmi.schema.class_named("__FilterToConsumerBinding")
    server = hall.host.namespaces.server
    ends = {
        "Filter": f'\\\\{server}\\root\\subscription:__EventFilter.Name="f"',
        "Consumer": '\\\\.\\root\\subscription:Taker="c"',
    }
    assert hall.run(ops.PutInstance(class_.spawn(ends)), CIMV2).outcome.status == 0  # type: ignore[union-attr]
    hall.ring("x")
    assert hall.taker.texts == [("c", "x")]


@pytest.mark.req("E-53")
def test_a_binding_may_name_its_machine_in_any_way_in_which_paths_may(hall: Hall) -> None:
    hall.filter(EventNamespace="\\\\127.0.0.1\\root\\cimv2")
    hall.consumer()
    hall.bind(Consumer="\\\\localhost\\root\\subscription:Taker.Name='c'")
    hall.ring("x")
    assert hall.taker.texts == [("c", "x")]


@pytest.mark.parametrize(
    "consumer",
    [
        "Nothing.Name='c'",
        "Taker.Name='other'",
        "\\\\elsewhere\\root\\subscription:Taker.Name='c'",
        "Taker.No='c'",
    ],
)
def test_a_binding_that_leads_nowhere_waits(hall: Hall, consumer: str) -> None:
    hall.filter()
    hall.consumer()
    hall.bind(Consumer=consumer)
    hall.ring("x")
    (reason,) = hall.reasons
    assert reason is not None
    assert reason.startswith("there is no consumer")
    assert hall.taker.texts == []


@pytest.mark.req("E-52")
def test_without_a_namespace_of_its_own_a_filter_is_about_where_it_stands(hall: Hall) -> None:
    hall.filter(
        query="SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA '__EventFilter'",
        EventNamespace=None,
    )
    hall.consumer()
    hall.bind()
    hall.taker.behave = lambda events: None
    hall.filter("another")
    ((_, _, (event,)),) = hall.taker.calls
    assert event.TargetInstance.Name == "another"


@pytest.mark.req("E-52")
def test_a_namespace_may_come_later(hall: Hall) -> None:
    hall.filter(query="SELECT * FROM __ClassCreationEvent", EventNamespace="root\\later")
    hall.consumer()
    hall.bind()
    assert hall.reasons == ["there is no namespace of the filter's EventNamespace"]
    hall.host.namespaces.create("root\\later")
    hall.loop.settle()
    assert hall.reasons == [None]


@pytest.mark.req("E-52")
def test_a_filter_that_cannot_be_activated_is_logged_under_its_number_and_tried_again(
    hall: Hall, caplog: pytest.LogCaptureFixture
) -> None:
    hall.filter(query="SELECT * FROM Not_Yet")
    hall.consumer()
    hall.bind()
    (record,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert record.fields["id"] == 10  # type: ignore[attr-defined]
    assert "Not_Yet" in record.getMessage()
    hall.loop.advance(600)
    assert len([one for one in caplog.records if one.levelno == logging.ERROR]) == 1  # said once
    space = hall.host.namespaces.named(CIMV2)
    from openwmi.mof import class_declarations

    (declaration,) = class_declarations("class Not_Yet : __ExtrinsicEvent { string Text; };", file="x")
    hall.run(ops.PutClass(_class(space, declaration)), CIMV2)
    assert hall.reasons == [None]


def _class(space: Any, declaration: Any) -> Any:
    from openwmi.model.classes import derive

    parent = space.schema.class_named(declaration.superclass)
    return derive(declaration, parent, namespace=space.path, server=space.server)


@pytest.mark.req("E-59")
def test_a_creator_who_may_not_read_the_namespace_hears_nothing(hall: Hall) -> None:
    hall.service.find_creator = lambda sid: ALICE
    hall.subscribed()
    hall.ring("lost")
    assert hall.taker.texts == []
    assert hall.reasons == [f"alice may not read {CIMV2}"]


@pytest.mark.req("E-26")
def test_polling_takes_an_administrator_when_it_begins_too(hall: Hall) -> None:
    hall.service.find_creator = lambda sid: ALICE._replace(groups=("S-1-5-11",))
    query = "SELECT * FROM __InstanceModificationEvent WITHIN 5 WHERE TargetInstance ISA 'Win32_LogicalDisk'"
    hall.filter(query=query)
    hall.consumer()
    hall.bind()
    (reason,) = hall.reasons
    assert reason is not None
    assert "alice is no administrator" in reason
    assert hall.service.exchange.count == 0


# Delivery


@pytest.mark.req("E-55", "E-56")
@pytest.mark.parametrize(
    ("values", "sizes"),
    [
        ({}, [1, 3, 1]),
        ({"DeliveryQoS": 1}, [1, 3, 1]),
        ({"DeliveryQoS": 0}, [1, 1, 1, 1, 1]),
        ({"DeliverSynchronously": True, "DeliveryQoS": 1}, [1, 1, 1, 1, 1]),
    ],
)
def test_express_delivery_gathers_what_waits_and_the_other_does_not(
    hall: Hall, values: dict[str, Any], sizes: list[int]
) -> None:
    hall.taker.batch = 3
    hall.subscribed(**values)
    hall.taker.behave = lambda events: _turns(3)
    exchange = hall.service.exchange
    for number in range(5):
        exchange.raise_event(CIMV2, hall.event(str(number)))
    hall.loop.settle()
    assert [text for _, text in hall.taker.texts] == list("01234")
    assert [len(events) for _, _, events in hall.taker.calls] == sizes


async def _turns(count: int) -> None:
    import asyncio

    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.req("E-55")
def test_who_raised_an_event_is_passed_on_where_the_binding_says_so(hall: Hall) -> None:
    hall.subscribed("plain")
    hall.consumer("told")
    hall.bind("f", "told", MaintainSecurityContext=True)
    hall.ring("x", publisher=ALICE)
    assert {consumer.Name: request.publisher for request, consumer, _ in hall.taker.calls} == {
        "plain": None,
        "told": ALICE,
    }
    assert all(request.caller.sid == "S-1-22-1-0" for request, _, _ in hall.taker.calls)


@pytest.mark.req("calls:C33", "E-60")
@pytest.mark.parametrize(
    ("access", "heard"),
    [
        (None, ["service", "owner", "alice"]),
        ("O:BAG:BAD:(A;;0x80;;;BA)", ["service", "owner"]),
        ("O:BAG:BAD:(A;;0x80;;;SY)", ["service"]),
        (f"O:BAG:BAD:(A;;0x80;;;{ALICE.sid})", ["alice"]),
        ("O:BAG:BAD:(A;;0x40;;;BA)", []),
    ],
)
def test_a_filter_says_whose_events_it_takes(hall: Hall, access: str | None, heard: list[str]) -> None:
    hall.filter(EventAccess=access)
    hall.consumer()
    hall.bind()
    hall.ring("service")
    hall.ring("owner", publisher=Caller("S-1-22-1-0", "owner"))
    hall.ring("alice", publisher=ALICE)
    assert [text for _, text in hall.taker.texts] == heard


# Failures


@pytest.mark.req("E-57", "E-08", "calls:H8")
def test_a_failing_consumer_is_told_of_and_does_no_harm_to_others(
    hall: Hall, caplog: pytest.LogCaptureFixture
) -> None:
    hall.subscribed("bad")
    hall.consumer("good")
    hall.bind("f", "good")
    failures = hall.hears("__ConsumerFailureEvent")
    dropped = hall.hears("__EventDroppedEvent")
    queue = hall.taker.calls

    def behave(events: Any) -> None:
        if queue[-1][1].Name == "bad":
            raise (
                error(WBEM_E_FAILED, "no such luck") if events[0].Text == "one" else ZeroDivisionError("oops")
            )

    hall.taker.behave = behave
    hall.ring("one", "two")
    assert [text for name, text in hall.taker.texts if name == "good"] == ["one", "two"]
    first, second = failures.objects
    assert (first.ErrorCode, first.ErrorDescription) == (WBEM_E_FAILED, "no such luck")
    assert (first.Event.classname_, first.Event.Text) == ("Rang", "one")
    assert first.IntendedConsumer.endswith('\\root\\subscription:Taker.Name="bad"')
    assert first.ErrorObject.StatusCode == WBEM_E_FAILED
    assert first.ErrorObject.ProviderName == "Taker"
    assert first.TIME_CREATED > 0
    assert second.ErrorCode == WBEM_E_PROVIDER_FAILURE
    assert "ZeroDivisionError: oops" in second.ErrorDescription
    assert dropped.objects == failures.objects  # a failure is a kind of dropped event
    counts = {route.binding.consumer.path.rpartition("=")[2]: route for route in _routes(hall)}  # type: ignore[union-attr]
    assert (counts['"bad"'].failed, counts['"bad"'].delivered) == (2, 0)
    assert (counts['"good"'].failed, counts['"good"'].delivered) == (0, 2)
    assert counts['"bad"'].last_error == WBEM_E_PROVIDER_FAILURE
    assert "no such luck" in caplog.text


def _routes(hall: Hall) -> list[Any]:
    return list(hall.service.permanent.routes.values())


@pytest.mark.req("E-08")
def test_only_administrators_hear_of_failures(hall: Hall) -> None:
    hall.subscribed()
    hall.taker.behave = _fail

    async def listening() -> Any:
        wmi = await hall.service.connect(SUBSCRIPTION, ALICE)
        sink = Collector()
        await wmi.start(ops.ExecNotificationQuery("SELECT * FROM __SystemEvent"), sink)
        return sink

    stranger = hall.loop.run_until_complete(listening())
    owner = hall.hears("__SystemEvent")
    hall.ring("x")
    assert (len(owner.objects), len(stranger.objects)) == (1, 0)


def _fail(events: Any) -> None:
    raise error(WBEM_E_FAILED, "broken")


@pytest.mark.req("E-57")
def test_what_may_pass_is_tried_again_in_order(hall: Hall) -> None:
    hall.subscribed()
    failures = hall.hears("__ConsumerFailureEvent")
    times: list[float] = []
    left = 2

    def behave(events: Any) -> None:
        nonlocal left
        times.append(hall.loop.time())
        if left:
            left -= 1
            raise error(WBEM_E_RETRY_LATER, "busy")

    hall.taker.behave = behave
    hall.ring("one", "two")
    hall.loop.advance(sum(DELAYS))
    assert times == pytest.approx([0, DELAYS[0], DELAYS[0] + DELAYS[1], DELAYS[0] + DELAYS[1]])
    assert [text for _, text in hall.taker.texts] == ["one", "one", "one", "two"]
    assert failures.objects == []


@pytest.mark.req("E-57")
def test_some_attempts_are_enough(hall: Hall) -> None:
    hall.subscribed()
    failures = hall.hears("__ConsumerFailureEvent")

    def behave(events: Any) -> None:
        if events[0].Text == "one":
            raise error(WBEM_E_RETRY_LATER, "busy")

    hall.taker.behave = behave
    hall.ring("one", "two")
    hall.loop.advance(sum(DELAYS))
    assert [text for _, text in hall.taker.texts] == ["one"] * (len(DELAYS) + 1) + ["two"]
    assert [one.ErrorCode for one in failures.objects] == [WBEM_E_RETRY_LATER]


@pytest.mark.req("E-57")
def test_a_consumer_that_hangs_loses_its_events_one_by_one_and_nobody_elses(hall: Hall) -> None:
    hall.subscribed("stuck")
    hall.consumer("good")
    hall.bind("f", "good")
    failures = hall.hears("__ConsumerFailureEvent")
    hall.taker.behave = lambda events: never() if hall.taker.calls[-1][1].Name == "stuck" else None
    hall.ring("one", "two")
    assert [text for name, text in hall.taker.texts if name == "good"] == ["one", "two"]
    assert failures.objects == []
    hall.loop.advance(30.1)
    assert [(one.Event.Text, one.ErrorCode) for one in failures.objects] == [
        ("one", WBEM_E_PROVIDER_TIMED_OUT)
    ]
    assert hall.taker.calls[0][0].cancelled
    hall.loop.advance(30.1)
    assert len(failures.objects) == 2
    hall.taker.behave = lambda events: None
    hall.ring("three")
    assert hall.taker.texts[-2:] == [("stuck", "three"), ("good", "three")]


@pytest.mark.req("E-57", "E-73")
@pytest.mark.parametrize(("limit", "patience"), [(100.0, 130.0), (None, 30.0)])
def test_a_provider_with_a_limit_of_its_own_is_waited_for_until_then(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, limit: float | None, patience: float
) -> None:
    asked = []

    def delivery_limit(request: Any, consumer: Instance) -> float | None:
        asked.append(consumer.Name)
        return limit

    monkeypatch.setattr(hall.taker, "delivery_limit", delivery_limit, raising=False)
    hall.subscribed()
    failures = hall.hears("__ConsumerFailureEvent")
    hall.taker.behave = lambda events: never()
    hall.ring("one")
    hall.loop.advance(patience - 0.1)
    assert failures.objects == []
    hall.loop.advance(0.2)
    (one,) = failures.objects
    assert one.ErrorCode == WBEM_E_PROVIDER_TIMED_OUT
    assert f"within {patience:g} s" in one.ErrorDescription
    assert asked == ["c"]


@pytest.mark.req("E-57")
def test_work_within_a_long_limit_is_a_success(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hall.taker, "delivery_limit", lambda request, consumer: 100.0, raising=False)
    hall.subscribed()
    failures = hall.hears("__ConsumerFailureEvent")
    hall.taker.behave = lambda events: asyncio.sleep(90)
    hall.ring("one", "two")
    hall.loop.advance(200)
    assert [text for _, text in hall.taker.texts] == ["one", "two"]
    assert _routes(hall)[0].delivered == 2
    assert failures.objects == []


class Sleeper(Taker):
    """Blocks its thread until it is woken."""

    blocking = True

    def __init__(self) -> None:
        super().__init__("Sleeper")
        self.awake = threading.Event()
        self.entered = threading.Semaphore(0)
        self.left = threading.Semaphore(0)
        self.behave = self.sleep

    def sleep(self, events: Any) -> None:
        self.entered.release()
        assert self.awake.wait(20)
        self.left.release()


@pytest.mark.req("E-57")
def test_threads_that_hang_are_left_behind_but_not_without_end(hall: Hall) -> None:
    sleeper = Sleeper()
    hall.host.providers.register(sleeper)
    hall.subscribed(kind="Sleeper")
    failures = hall.hears("__ConsumerFailureEvent")
    hall.ring(*[str(number) for number in range(MOST_ABANDONED + 3)])
    for _ in range(MOST_ABANDONED):
        assert sleeper.entered.acquire(timeout=20)
        hall.loop.advance(30.1)
    assert len(failures.objects) == MOST_ABANDONED
    hall.loop.advance(600)
    assert not sleeper.entered.acquire(blocking=False)  # the rest waits
    sleeper.awake.set()
    for _ in range(MOST_ABANDONED + 3):
        assert sleeper.left.acquire(timeout=20)
        _until(hall, lambda: hall.service.permanent is not None)
    _until(hall, lambda: _routes(hall)[0].delivered == 3)
    assert len(failures.objects) == MOST_ABANDONED


def _until(hall: Hall, true: Any) -> None:
    """Turn the loop until threads have told what they had to."""
    for _ in range(20_000):
        hall.loop.settle()
        if true():
            return
        threading.Event().wait(0.001)
    raise AssertionError("it never happens")


@pytest.mark.req("E-57")
def test_what_fails_later_is_told_too(hall: Hall) -> None:
    hall.subscribed()
    failures = hall.hears("__ConsumerFailureEvent")
    hall.ring("x")
    request = hall.taker.calls[0][0]
    thread = threading.Thread(target=lambda: request.late(error(WBEM_E_FAILED, "it ended badly")))
    thread.start()
    thread.join()
    hall.loop.settle()
    (one,) = failures.objects
    assert (one.Event.Text, one.ErrorDescription) == ("x", "it ended badly")


@pytest.mark.req("E-08", "E-76")
def test_a_consumer_without_a_provider_cannot_be_reached(hall: Hall) -> None:
    hall.subscribed(kind="Stranger")
    failures = hall.hears("__ConsumerFailureEvent")
    hall.ring("x")
    assert [one.ErrorCode for one in failures.objects] == [WBEM_E_PROVIDER_NOT_FOUND]


@pytest.mark.req("E-76")
@pytest.mark.parametrize(
    ("machine", "here"), [(None, True), ("", True), ("\\\\.", True), ("elsewhere", False)]
)
def test_consumers_are_those_of_this_machine(hall: Hall, machine: str | None, here: bool) -> None:
    hall.filter()
    hall.consumer(MachineName=machine)
    hall.bind()
    failures = hall.hears("__ConsumerFailureEvent")
    hall.ring("x")
    assert hall.taker.texts == [("c", "x")] * here
    assert [one.ErrorCode for one in failures.objects] == [WBEM_E_NOT_SUPPORTED] * (not here)


@pytest.mark.req("E-55")
def test_each_consumer_that_cannot_keep_up_slows_providers_down_for_a_while(hall: Hall) -> None:
    hall.filter()
    for name in ("a", "b"):
        hall.consumer(name, MaximumQueueSize=2000)
        hall.bind("f", name, SlowDownProviders=True)
    stuck = {"a"}
    hall.taker.behave = lambda events: never() if hall.taker.calls[-1][1].Name in stuck else None
    hall.ring("x" * 400, "x" * 400)
    assert hall.service.exchange.braked
    hall.loop.advance(3)
    assert not hall.service.exchange.braked
    stuck.add("b")
    hall.ring("x" * 400, "x" * 400)
    assert hall.service.exchange.braked
    hall.loop.advance(3)


@pytest.mark.req("E-57")
def test_no_report_is_made_of_a_report(hall: Hall) -> None:
    """A consumer of failures that fails itself would never come to rest."""
    hall.subscribed()
    hall.filter("failures", "SELECT * FROM __EventDroppedEvent", EventNamespace=SUBSCRIPTION)
    hall.consumer("reporter", MaximumQueueSize=1)
    hall.bind("failures", "reporter")
    heard = hall.hears("__EventDroppedEvent")
    hall.taker.behave = _fail
    hall.ring("x")
    assert len(heard.objects) == 1
    assert [consumer.Name for _, consumer, _ in hall.taker.calls] == ["c", "reporter"]


# Queues


@pytest.mark.req("E-58", "E-08", "calls:H8")
def test_a_queue_is_bounded_by_the_consumers_bytes(hall: Hall) -> None:
    hall.subscribed(MaximumQueueSize=1000)
    overflows = hall.hears("__EventQueueOverflowEvent")
    hall.taker.behave = lambda events: _turns(1)
    for number in range(10):
        hall.service.exchange.raise_event(CIMV2, hall.event(f"{number}" + "x" * 100))
    hall.loop.settle()
    taken = [text[0] for _, text in hall.taker.texts]
    lost = [one.Event.Text[0] for one in overflows.objects]
    assert taken == [str(number) for number in range(len(taken))]
    assert 1 < len(taken) < 5
    assert sorted(taken + lost) == [str(number) for number in range(10)]
    assert all(600 < one.CurrentQueueSize <= 1000 for one in overflows.objects)
    (route,) = _routes(hall)
    assert (route.delivered, route.dropped) == (len(taken), len(lost))
    hall.ring("again")
    assert hall.taker.texts[-1] == ("c", "again")
    assert route.channel.size == 0


@pytest.mark.req("E-08", "calls:H8")
def test_all_queues_together_are_bounded(hall: Hall) -> None:
    hall.service.permanent._budget.limit = 1000
    hall.subscribed("a")
    hall.consumer("b")
    hall.bind("f", "b")
    overflows = hall.hears("__EventQueueOverflowEvent")
    hall.taker.behave = lambda events: _turns(1)
    for _ in range(10):
        hall.service.exchange.raise_event(CIMV2, hall.event("x" * 100))
    hall.loop.settle()
    assert len(hall.taker.texts) + len(overflows.objects) == 20
    assert overflows.objects
    assert hall.service.permanent._budget.used == 0


def test_an_event_that_is_larger_than_the_queue_is_delivered_when_it_comes_alone(hall: Hall) -> None:
    hall.subscribed(MaximumQueueSize=10)
    hall.ring("x" * 1000)
    assert len(hall.taker.texts) == 1


@pytest.mark.req("E-55", "E-58")
def test_providers_are_slowed_down_for_a_consumer_that_wants_it(hall: Hall) -> None:
    hall.subscribed("slow", MaximumQueueSize=2000, SlowDownProviders=True)
    exchange = hall.service.exchange
    hall.taker.behave = lambda events: never()
    hall.ring("x" * 400)
    assert not exchange.braked
    hall.ring("x" * 400)
    assert exchange.braked
    hall.loop.advance(2.1)
    assert not exchange.braked  # longer than that nobody waits: then events are dropped
    hall.taker.behave = lambda events: None
    hall.loop.advance(30)
    hall.ring("x")
    assert not exchange._brakes


class Flooder:
    """Raises events as fast as it may, on a thread."""

    name = "Flooder"
    events = (EventCoverage("Rang"),)

    def __init__(self, count: int) -> None:
        self.count = count
        self.raised = 0

    def provide_events(self, sink: Any) -> None:
        sink.ready()
        for _ in range(self.count):
            if not sink.indicate([sink.event("Rang", {"Text": "x" * 400})]):
                return
            self.raised += 1
        sink.wait(3600)


@pytest.mark.req("E-55", "E-57", "E-58")
def test_a_flood_is_held_up_for_a_while_and_then_dropped_and_counted(hall: Hall) -> None:
    hall.service.settings.event_queue = 3
    flooder = Flooder(60)
    hall.host.providers.register(flooder)
    hall.taker.behave = lambda events: never()
    hall.subscribed(MaximumQueueSize=3000, SlowDownProviders=True)
    exchange = hall.service.exchange
    _until(hall, lambda: exchange.braked)
    held = flooder.raised
    for _ in range(50):  # time passes for the provider, but not on the clock
        hall.loop.settle()
        threading.Event().wait(0.001)
    assert flooder.raised - held <= 2 * hall.service.settings.event_queue
    assert flooder.raised < flooder.count
    (route,) = _routes(hall)
    assert route.dropped == 0
    hall.loop.advance(2.1)
    _until(hall, lambda: _turned(hall) and flooder.raised == flooder.count)
    _until(
        hall, lambda: _turned(hall) and route.dropped + route.failed + route.channel.waiting == flooder.count
    )
    assert route.dropped > 40


def _turned(hall: Hall) -> bool:
    hall.loop.advance(0.1)
    return True


def test_others_do_not_slow_anybody_down(hall: Hall) -> None:
    hall.subscribed(MaximumQueueSize=2000)
    hall.taker.behave = lambda events: never()
    hall.ring(*["x" * 400] * 3)
    assert not hall.service.exchange.braked
    hall.loop.advance(100)


@pytest.mark.req("E-57")
def test_a_gap_is_told_and_the_filter_goes_on(hall: Hall) -> None:
    hall.subscribed()
    dropped = hall.hears("__EventDroppedEvent")
    (subscription,) = [
        one for found in hall.service.exchange._by_class.values() for one in found if one.takes is not None
    ][:1]
    subscription.missed(5, "SomeProvider")
    hall.loop.advance(0.1)
    (one,) = dropped.objects
    assert one.Event is None
    assert one.IntendedConsumer.endswith('Taker.Name="c"')
    (route,) = _routes(hall)
    assert route.last_text == "5 events of provider SomeProvider were lost"
    hall.ring("after")
    assert hall.taker.texts == [("c", "after")]


# The end


@pytest.mark.req("E-57")
def test_what_still_waits_at_the_end_is_told(hall: Hall, caplog: pytest.LogCaptureFixture) -> None:
    hall.subscribed()
    hall.taker.behave = lambda events: never()
    hall.ring("one", "two", "three")
    (route,) = _routes(hall)
    hall.close()
    assert route.dropped == 3
    (record,) = [one for one in caplog.records if "events were dropped" in one.getMessage()]
    assert record.getMessage() == "events were dropped: the service ends"
    assert record.fields["events"] == 3  # type: ignore[attr-defined]


def test_draining_waits_for_what_is_on_its_way_and_takes_nothing_more(hall: Hall) -> None:
    import asyncio

    hall.subscribed()
    gate = asyncio.Event()

    async def held() -> None:
        await gate.wait()

    hall.taker.behave = lambda events: held()
    hall.ring("one", "two")
    draining = hall.loop.create_task(hall.service.permanent.drained())
    hall.loop.settle()
    hall.ring("three")
    assert not draining.done()
    gate.set()
    hall.loop.settle()
    assert draining.done()
    assert [text for _, text in hall.taker.texts] == ["one", "two"]


def test_the_lock_decides(hall: Hall) -> None:
    hall.subscribed()
    ownership = hall.service.ownership
    assert ownership is not None
    ownership.release()
    hall.ring("lost")
    assert hall.taker.texts == []
    assert hall.service.exchange.count == 0
    ownership.pursue()
    hall.loop.settle()
    hall.ring("found")
    assert hall.taker.texts == [("c", "found")]


def _administrators(*found: Caller) -> Any:
    """Accounts of which these are all that there are."""
    known = {
        one.sid: one
        for one in (Caller(ADMINISTRATORS, "Administrators", (ADMINISTRATORS,), remote=True), *found)
    }
    return lambda sid: known.get(str(Sid.decode(sid)))


ADMINISTRATORS = "S-1-5-32-544"
BOSS = Caller("S-1-5-21-1-2-3-1001", "boss", (ADMINISTRATORS,), remote=True)
OTHER = BOSS._replace(sid="S-1-5-21-1-2-3-1002", name="other")


def _all_of(hall: Hall, consumer: Caller, kind: str = "Taker", **values: Any) -> None:
    """A subscription of administrators: the consumer is that of one of them."""
    query = {"QueryLanguage": "WQL", "EventNamespace": CIMV2, "Query": "SELECT * FROM Rang"}
    hall.store("__EventFilter", BOSS, Name="f", **query)
    hall.store(kind, consumer, Name="c", **values)
    ends = {"Filter": '__EventFilter.Name="f"', "Consumer": f'{kind}.Name="c"'}
    hall.store("__FilterToConsumerBinding", BOSS, **ends)


@pytest.mark.req("E-71", "E-53", "B-43")
def test_things_are_done_for_the_administrator_who_wrote_them_down(hall: Hall) -> None:
    hall.service.find_creator = _administrators(BOSS, OTHER)
    _all_of(hall, OTHER)
    hall.ring("x")
    ((request, consumer, _),) = hall.taker.calls
    assert request.caller == OTHER
    assert str(Sid.decode(bytes(consumer.CreatorSID))) == ADMINISTRATORS


@pytest.mark.req("E-53", "B-43")
def test_who_is_no_administrator_any_more_has_nothing_done(hall: Hall) -> None:
    hall.service.find_creator = _administrators(BOSS, OTHER._replace(groups=()))
    _all_of(hall, OTHER)
    hall.ring("x")
    assert (hall.taker.calls, hall.reasons) == ([], [GONE])


@pytest.mark.req("B-43")
def test_nobody_signs_for_somebody_else(hall: Hall) -> None:
    hall.service.find_creator = _administrators(BOSS, OTHER)
    space = hall.host.namespaces.named(SUBSCRIPTION)
    forged = Extras(QualifierSet((Qualifier("OpenWMI_Creator", OTHER.sid, 8),)))
    for caller, signed in [(BOSS, BOSS.sid), (ALICE, None)]:
        plain = space.schema.class_named("Taker").spawn({"Name": "c"})
        given = Instance(plain.layout_, plain.values_, plain.defaults_, forged)
        sink = Collector()
        services = hall.loop.run_until_complete(hall.service.connect(SUBSCRIPTION, caller))
        hall.loop.run_until_complete(services.start(ops.PutInstance(given), sink))
        _until(hall, sink.finished.is_set)
        (stored,) = hall.run(ops.GetObject('Taker.Name="c"'), SUBSCRIPTION).objects
        assert creator_of(stored) == signed


@pytest.mark.req("E-71", "B-43")
def test_an_administrator_who_stands_for_no_user_starts_no_programs(hall: Hall) -> None:
    hall.service.find_creator = _administrators(BOSS)
    _all_of(hall, BOSS, "CommandLineEventConsumer", CommandLineTemplate="true")
    failures = hall.hears("__ConsumerFailureEvent")
    hall.ring("x")
    _until(hall, lambda: failures.objects)
    assert [one.ErrorCode for one in failures.objects] == [WBEM_E_ACCESS_DENIED]


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
@pytest.mark.req("E-71")
def test_a_program_runs_as_the_user_that_its_administrator_stands_for(hall: Hall) -> None:
    nobody = pwd.getpwnam("nobody")
    mapped = BOSS._replace(runs_as=UnixUser("nobody", nobody.pw_uid, nobody.pw_gid, (nobody.pw_gid,)))
    hall.service.find_creator = _administrators(mapped)
    folder = tempfile.mkdtemp(dir="/tmp")  # where others may come, unlike below pytest's own folder
    os.chmod(folder, 0o755)
    pipe = f"{folder}/pipe"
    os.mkfifo(pipe)
    os.chmod(pipe, 0o622)
    reading = os.open(pipe, os.O_RDWR)
    _all_of(hall, BOSS, "CommandLineEventConsumer", CommandLineTemplate=f"sh -c 'id -u > {pipe}'")
    hall.ring("x")
    _until(hall, lambda: _routes(hall)[0].delivered)
    assert select.select([reading], [], [], 20)[0]
    assert int(os.read(reading, 100)) == nobody.pw_uid
    os.close(reading)
    shutil.rmtree(folder)
