"""ExecNotificationQuery and QueryObjectSink (calls.md B.14, B.16), through whatever implements the seam."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.conformance.support import Recorder, Seam, rows

from openwmi.contract import operations as ops
from openwmi.contract.flags import (
    WBEM_FLAG_FORWARD_ONLY,
    WBEM_FLAG_RETURN_IMMEDIATELY,
    WBEM_FLAG_SEND_STATUS,
    WBEM_INFINITE,
)
from openwmi.contract.services import Call
from openwmi.faces.views import Enumerator, perform
from openwmi.model import status as s
from openwmi.model.errors import WbemError

THING = '[dynamic, provider("{provider}")] class Thing { [key] uint32 N; uint32 Size; };'
BELL = "class Bell : __ExtrinsicEvent { uint32 N; string Tone; };"
APPEARS = "SELECT * FROM __InstanceCreationEvent WITHIN 0.1 WHERE TargetInstance ISA 'Thing'"
READING = WBEM_FLAG_RETURN_IMMEDIATELY | WBEM_FLAG_FORWARD_ONLY


class Things:
    """A class that is polled, and whose instances the test changes. It may wait at a gate before it answers."""

    def __init__(self, seam: Seam, *numbers: int, gate: Any = None) -> None:
        self.things = dict.fromkeys(numbers, 0)
        self.gate = gate
        self.failing = False
        seam.serve(THING, instances=self.instances, instance=self.instance)

    def instances(self, request: Any) -> Any:
        found = [{"N": n, "Size": size} for n, size in self.things.items()]
        if self.gate is not None:
            self.gate.wait()
        if self.failing:
            raise OSError("not now")
        return list(rows(request, *found))

    def instance(self, request: Any, keys: dict[str, Any]) -> Any:
        n = keys["N"]
        return next(rows(request, {"N": n, "Size": self.things[n]})) if n in self.things else None


class Bells:
    """An extrinsic event class and the sink that rings."""

    def __init__(self, bell: Any, sink: Any) -> None:
        self.bell = bell
        self.sink = sink

    @classmethod
    async def made(cls, seam: Seam) -> Bells:
        seam.serve(BELL)
        found: Any = (await perform(seam.services, ops.GetObject("Bell"))).object
        return cls(found, await seam.event_sink())

    def ring(self, *numbers: int) -> int:
        return int(self.sink.on_objects([self.bell.spawn({"N": n}) for n in numbers]))


async def subscribed(seam: Seam, query: str, sink: Recorder | None = None, flags: int = 0) -> Recorder:
    """A sink whose subscription is in force, or has failed."""
    sink = sink or Recorder()
    call = await seam.start(ops.ExecNotificationQuery(query), sink, flags)
    await call.begun()
    return sink


async def numbers(sink: Recorder, count: int) -> list[int]:
    """The numbers of the events, once `count` of them have come."""
    while len(sink.objects) < count:
        sink.heard.clear()
        await sink.heard.wait()
    return [one.N for one in sink.objects]


async def until(true: Any) -> None:
    while not true():
        await asyncio.sleep(0.001)


# Subscribing


@pytest.mark.req("calls:B88", "E-20")
async def test_a_subscription_is_in_force_with_its_baseline(seam: Seam) -> None:
    gate = seam.gate()
    things = Things(seam, 1, gate=gate)
    sink = Recorder()

    async def beginning() -> Call:
        call = await seam.start(ops.ExecNotificationQuery(APPEARS), sink)
        await call.begun()
        return call

    begun = asyncio.ensure_future(beginning())
    await until(gate.reached.is_set)
    await asyncio.sleep(0.01)
    assert not begun.done()
    gate.open()
    call = await begun
    things.things[2] = 0
    await until(lambda: sink.objects)
    assert [one.TargetInstance.N for one in sink.objects] == [2]
    await call.cancel()


@pytest.mark.req("calls:B88")
async def test_a_second_subscription_begins_with_a_baseline_of_its_own(seam: Seam) -> None:
    things = Things(seam, 1)
    first = await subscribed(seam, APPEARS.replace("0.1", "3600"))
    things.things[2] = 0
    second = await subscribed(seam, APPEARS.replace("0.1", "3600"))
    await until(lambda: first.objects)
    assert [one.TargetInstance.N for one in first.objects] == [2]
    assert second.events == []
    for sink in (first, second):
        await seam.services.cancel(sink)


async def test_a_baseline_that_fails_is_not_waited_for(seam: Seam) -> None:
    things = Things(seam, 1)
    things.failing = True
    sink = await subscribed(seam, APPEARS)
    assert sink.events == []
    things.failing = False
    await seam.services.cancel(sink)


async def test_any_other_call_has_begun_when_it_is_accepted(seam: Seam) -> None:
    gate = seam.gate()
    Things(seam, 1, gate=gate)
    call = await seam.start(ops.CreateInstanceEnum("Thing"), Recorder())
    await call.begun()
    assert not call.done
    gate.open()
    assert (await call).ok
    await call.begun()


@pytest.mark.req("calls:B86", "D-100", "D-101")
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT * FROM Thing", s.WBEM_E_NOT_EVENT_CLASS),
        (APPEARS.replace("WITHIN 0.1", ""), s.WBEMESS_E_REGISTRATION_TOO_PRECISE),
        ("SELECT * FROM __InstanceCreationEvent WITHIN 5", s.WBEMESS_E_REGISTRATION_TOO_BROAD),
        ("SELECT * FROM Bell GROUP BY N", s.WBEM_E_MISSING_GROUP_WITHIN),
        ("SELECT * FROM Bell GROUP WITHIN 1 BY *", s.WBEM_E_MISSING_AGGREGATION_LIST),
    ],
)
async def test_what_is_wrong_with_a_query(seam: Seam, query: str, code: int) -> None:
    """By the final status of the asynchronous form, alone; by the call itself with an enumerator, and so where the
    sink's events are polled for."""
    Things(seam)
    seam.serve(BELL)
    if seam.polls:
        with pytest.raises(WbemError) as refused:
            await subscribed(seam, query)
    else:
        sink = await subscribed(seam, query)
        await until(lambda: sink.kinds == ["completed", "released"])
        assert sink.outcome.status == code
        assert sink.outcome.error is not None
        with pytest.raises(WbemError) as refused:
            await Enumerator.start(seam.services, ops.ExecNotificationQuery(query), READING)
    assert refused.value.code == code
    assert refused.value.extended is not None


@pytest.mark.req("calls:B86", "D-09")
async def test_a_text_that_does_not_parse_is_refused_by_the_call(seam: Seam) -> None:
    operation, sink = ops.ExecNotificationQuery("SELECT * FROM"), Recorder()
    for starting in (
        seam.start(operation, sink),
        Enumerator.start(seam.services, operation, READING),
    ):
        with pytest.raises(WbemError) as refused:
            await starting
        assert refused.value.code == s.WBEM_E_UNPARSABLE_QUERY
    assert sink.events == []


@pytest.mark.req("calls:B84", "D-103")
@pytest.mark.parametrize("flags", [0, WBEM_FLAG_RETURN_IMMEDIATELY, WBEM_FLAG_FORWARD_ONLY])
async def test_the_enumerator_form_is_never_synchronous(seam: Seam, flags: int) -> None:
    seam.serve(BELL)
    with pytest.raises(WbemError) as refused:
        await Enumerator.start(seam.services, ops.ExecNotificationQuery("SELECT * FROM Bell"), flags)
    assert refused.value.code == s.WBEM_E_INVALID_PARAMETER
    assert seam.subscriptions == 0


# Delivery


@pytest.mark.req("calls:B85", "calls:C2", "calls:C19")
async def test_events_come_in_order_and_nothing_else_does(seam: Seam) -> None:
    bells = await Bells.made(seam)
    sink = await subscribed(seam, "SELECT * FROM Bell", flags=WBEM_FLAG_SEND_STATUS)
    assert bells.ring(1, 2) == 0
    assert bells.ring(3) == 0
    assert await numbers(sink, 3) == [1, 2, 3]
    assert set(sink.kinds) == {"objects"}
    await seam.services.cancel(sink)


@pytest.mark.req("calls:C19", "calls:B21")
async def test_events_may_come_before_the_caller_has_gone_on(seam: Seam) -> None:
    bells = await Bells.made(seam)
    early: list[bool] = []
    returned = False
    sink = Recorder(objects=lambda count: early.append(not returned))
    call = await seam.start(ops.ExecNotificationQuery("SELECT * FROM Bell"), sink)
    await call.begun()
    bells.ring(1)
    await until(lambda: early)
    returned = True
    assert early == [True]
    await call.cancel()


@pytest.mark.req("calls:B85", "calls:D1", "calls:D6", "calls:D9")
async def test_a_subscription_ends_by_cancel_with_one_status(seam: Seam) -> None:
    bells = await Bells.made(seam)
    sink = Recorder()
    await subscribed(seam, "SELECT * FROM Bell", sink)
    await subscribed(seam, "SELECT N FROM Bell", sink)
    bells.ring(1)
    await numbers(sink, 2)
    await seam.services.cancel(sink)
    kinds = [kind for kind, _ in sink.events if kind != "objects"]
    assert kinds == ["completed", "released"] * 2
    assert {argument.status for kind, argument in sink.events if kind == "completed"} == {
        s.WBEM_E_CALL_CANCELLED
    }
    bells.ring(2)
    await until(lambda: not seam.subscriptions)
    assert len(sink.objects) == 2
    with pytest.raises(WbemError) as refused:
        await seam.services.cancel(sink)
    assert refused.value.code == s.WBEM_E_NOT_FOUND


@pytest.mark.req("calls:B89", "E-50")
async def test_releasing_the_services_ends_their_subscriptions_and_no_others(seam: Seam) -> None:
    bells = await Bells.made(seam)
    other = await seam.connect()
    here, there = Recorder(), Recorder()
    query = ops.ExecNotificationQuery("SELECT * FROM Bell")
    await (await seam.start(query, here)).begun()
    await (await seam.start(query, there, services=other)).begun()
    await other.close()
    assert there.outcome.status == s.WBEM_E_CALL_CANCELLED
    assert there.released_once()
    bells.ring(1)
    assert await numbers(here, 1) == [1]
    assert there.objects == []
    await seam.services.cancel(here)


@pytest.mark.req("calls:C5", "calls:K8")
async def test_a_sink_that_fails_costs_only_itself(seam: Seam) -> None:
    bells = await Bells.made(seam)
    failing = await subscribed(seam, "SELECT * FROM Bell", Recorder(objects=lambda count: s.WBEM_E_FAILED))
    good = await subscribed(seam, "SELECT * FROM Bell")
    bells.ring(1)
    bells.ring(2)
    assert await numbers(good, 2) == [1, 2]
    assert failing.kinds == ["objects", "completed", "released"]
    assert failing.outcome.status == s.WBEM_E_CALL_CANCELLED
    await seam.services.cancel(good)


@pytest.mark.req("calls:B90", "calls:B24", "E-50")
async def test_a_slow_sink_finds_what_came_meanwhile_in_order(seam: Seam) -> None:
    bells = await Bells.made(seam)
    go_on = asyncio.Event()
    slow = await subscribed(seam, "SELECT * FROM Bell", Recorder(objects=lambda count: go_on.wait()))
    for n in range(100):
        bells.ring(n)
    await until(lambda: slow.objects)
    assert len(slow.events) == 1
    go_on.set()
    assert await numbers(slow, 100) == list(range(100))
    assert len(slow.events) < 10
    await seam.services.cancel(slow)


@pytest.mark.slow
@pytest.mark.req("calls:B90")
async def test_an_overfull_queue_ends_the_subscription_after_what_it_holds(seam: Seam) -> None:
    bells = await Bells.made(seam)
    go_on = asyncio.Event()
    slow = await subscribed(seam, "SELECT * FROM Bell", Recorder(objects=lambda count: go_on.wait()))
    other = await subscribed(seam, "SELECT * FROM Bell")
    count = seam.settings.event_queue + seam.ahead + 3
    for n in range(count):
        assert bells.ring(n) == 0
        if not n % 500:
            await numbers(other, n)
    await numbers(other, count)
    go_on.set()
    await until(lambda: slow.kinds[-1] == "released")
    assert await numbers(slow, seam.settings.event_queue) == list(range(len(slow.objects)))
    assert slow.outcome.status == s.WBEM_E_QUEUE_OVERFLOW
    assert len(other.objects) == count
    await seam.services.cancel(other)


# Raising


@pytest.mark.req("calls:B98", "calls:B99", "calls:C27")
async def test_the_event_sink_takes_extrinsic_events_of_its_namespace_alone(seam: Seam) -> None:
    bells = await Bells.made(seam)
    Things(seam)
    sink = await subscribed(seam, "SELECT * FROM Bell")
    thing: Any = (await perform(seam.services, ops.GetObject("Thing"))).object
    assert (
        bells.sink.on_objects([bells.bell.spawn({"N": 1}), thing.spawn({"N": 1})]) == s.WBEM_E_INVALID_CLASS
    )
    assert bells.sink.on_objects([bells.bell]) == s.WBEM_E_INVALID_OBJECT
    assert sink.events == []
    assert bells.ring(7) == 0
    assert await numbers(sink, 1) == [7]
    assert sink.objects[0].Tone is None
    assert sink.objects[0].TIME_CREATED > 0
    await seam.services.cancel(sink)


# Enumerating


@pytest.mark.req("calls:B84", "calls:F3", "calls:F6", "calls:F22", "E-50")
async def test_an_enumerator_of_events_waits_its_time_and_never_ends(seam: Seam) -> None:
    bells = await Bells.made(seam)
    query = ops.ExecNotificationQuery("SELECT N FROM Bell WHERE N > 1")
    enumerator = await Enumerator.start(seam.services, query, READING)
    assert await enumerator.next(0, 1) == (s.WBEM_S_TIMEDOUT, [])
    assert await enumerator.next(5, 1) == (s.WBEM_S_TIMEDOUT, [])
    waiting = asyncio.ensure_future(enumerator.next(WBEM_INFINITE, 2))
    await asyncio.sleep(0)
    bells.ring(1, 2)
    await asyncio.sleep(0.005)
    assert not waiting.done()
    bells.ring(3)
    status, found = await waiting
    assert (status, [one.N for one in found]) == (s.WBEM_S_NO_ERROR, [2, 3])
    await enumerator.release()
    await until(lambda: not seam.subscriptions)


@pytest.mark.req("calls:B88", "E-20")
async def test_an_enumerator_comes_back_with_its_baseline(seam: Seam) -> None:
    things = Things(seam, 1)
    enumerator = await Enumerator.start(seam.services, ops.ExecNotificationQuery(APPEARS), READING)
    things.things[2] = 0
    status, found = await enumerator.next(WBEM_INFINITE, 1)
    assert (status, found[0].TargetInstance.N) == (s.WBEM_S_NO_ERROR, 2)  # type: ignore[union-attr]
    await enumerator.release()


@pytest.mark.slow
@pytest.mark.req("calls:B11")
async def test_an_enumerator_does_not_wait_for_a_provider_that_hangs(seam: Seam) -> None:
    gate = seam.gate()
    Things(seam, 1, gate=gate)
    async with asyncio.timeout(3):
        enumerator = await Enumerator.start(seam.services, ops.ExecNotificationQuery(APPEARS), READING)
    assert await enumerator.next(0, 1) == (s.WBEM_S_TIMEDOUT, [])
    await enumerator.release()
