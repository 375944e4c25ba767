"""Events through the COM-shaped face: consumers, enumerators of events, and the sink that raises them."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.faces.com.support import NAMESPACE, SECONDS, Recorder, connected

from openwmi import com, host, testing
from openwmi.model import sddl

_numbers = itertools.count(1)
STARTS = "SELECT * FROM __InstanceCreationEvent WITHIN 0.1 WHERE TargetInstance ISA 'Win32_Process'"
EVENTS = com.WBEM_FLAG_RETURN_IMMEDIATELY | com.WBEM_FLAG_FORWARD_ONLY


class Alarms:
    """An extrinsic event class of one test's own, and the sink that raises its events."""

    def __init__(self, services: com.IWbemServices) -> None:
        self.name = f"Com_Alarm{next(_numbers)}"
        testing.provide(NAMESPACE, f"class {self.name} : __ExtrinsicEvent {{ uint32 N; string Text; }};")
        self.query = f"SELECT * FROM {self.name}"
        self.services = services
        hr, self.class_, _ = services.GetObject(self.name, 0, None)
        assert hr == com.WBEM_S_NO_ERROR
        hr, self.sink = services.QueryObjectSink(0)
        assert hr == com.WBEM_S_NO_ERROR

    def event(self, n: int, text: str | None = None) -> com.IWbemClassObject:
        hr, made = self.class_.SpawnInstance(0)
        assert hr == com.WBEM_S_NO_ERROR
        assert made.Put("N", 0, n, 0) == com.WBEM_S_NO_ERROR
        assert made.Put("Text", 0, text, 0) == com.WBEM_S_NO_ERROR
        return made

    def ring(self, *numbers: int, sink: Any = None) -> int:
        return int((sink or self.sink).Indicate([self.event(n) for n in numbers]))

    def consumer(self, where: str = "") -> Recorder:
        sink = Recorder()
        hr = self.services.ExecNotificationQueryAsync("WQL", self.query + where, 0, None, sink)
        assert hr == com.WBEM_S_NO_ERROR
        return sink


@pytest.fixture
def alarms(services: com.IWbemServices) -> Iterator[Alarms]:
    before = subscriptions()
    made = Alarms(services)
    yield made
    made.sink.Release()
    assert until(lambda: subscriptions() == before), "a subscription was left behind"


def subscriptions() -> int:
    return host.local().service.exchange.count


def until(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + SECONDS
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True


def numbers(objects: list[Any]) -> list[int]:
    return [one.Get("N", 0)[1] for one in objects]


def heard(sink: Recorder, count: int) -> list[int]:
    assert until(lambda: len(sink.objects) >= count)
    return numbers(sink.objects)


# Temporary consumers


@pytest.mark.req("calls:B85", "calls:B99", "calls:C27", "calls:D6", "calls:C13")
def test_a_consumer_hears_events_until_it_is_cancelled_and_never_a_success(alarms: Alarms) -> None:
    sink = Recorder()
    flags = com.WBEM_FLAG_SEND_STATUS
    assert alarms.services.ExecNotificationQueryAsync("WQL", alarms.query, flags, None, sink) == 0
    assert sink.references == 2
    assert alarms.ring(1, 2) == com.WBEM_S_NO_ERROR
    assert alarms.ring(3) == com.WBEM_S_NO_ERROR
    assert heard(sink, 3) == [1, 2, 3]
    assert sink.statuses == []
    assert alarms.services.CancelAsyncCall(sink) == com.WBEM_S_NO_ERROR
    assert sink.finals == [com.WBEM_E_CALL_CANCELLED]
    assert sink.references == 1
    assert alarms.ring(4) == com.WBEM_S_NO_ERROR
    assert numbers(sink.objects) == [1, 2, 3]
    assert alarms.services.CancelAsyncCall(sink) == com.WBEM_E_NOT_FOUND


@pytest.mark.req("calls:B86", "D-100", "D-101")
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT * FROM Win32_Process", com.WBEM_E_NOT_EVENT_CLASS),
        (
            STARTS.replace("WITHIN 0.1", "").replace("Process", "LogicalDisk"),
            com.WBEMESS_E_REGISTRATION_TOO_PRECISE,
        ),
        ("SELECT * FROM No_Such_Event", com.WBEM_E_NOT_FOUND),
    ],
)
def test_what_is_wrong_with_a_query(services: com.IWbemServices, query: str, code: int) -> None:
    sink = Recorder()
    assert services.ExecNotificationQueryAsync("WQL", query, 0, None, sink) == com.WBEM_S_NO_ERROR
    sink.wait()
    assert sink.finals == [code]
    assert sink.objects == []
    assert services.ExecNotificationQuery("WQL", query, EVENTS, None) == (code, None)
    hr, reason = com.GetErrorInfo(0)
    assert hr == com.S_OK
    assert reason.GetDescription()[1]


@pytest.mark.req("calls:B16", "calls:B86", "D-103")
def test_what_the_call_itself_refuses(services: com.IWbemServices) -> None:
    sink = Recorder()
    assert services.ExecNotificationQueryAsync("WQL", "SELECT", 0, None, sink) == com.WBEM_E_UNPARSABLE_QUERY
    for call in (
        ("WQL", STARTS, 0x10, None, sink),
        ("WQL", STARTS, 0, None, None),
        (None, STARTS, 0, None, sink),
    ):
        assert services.ExecNotificationQueryAsync(*call) == com.WBEM_E_INVALID_PARAMETER
    assert sink.events == []
    for flags in (0, 0x10, 0x20, 0xB0):
        assert services.ExecNotificationQuery("WQL", STARTS, flags, None) == (
            com.WBEM_E_INVALID_PARAMETER,
            None,
        )


@pytest.mark.slow
@pytest.mark.req("calls:B88", "E-20")
@pytest.mark.parametrize("semisynchronous", [False, True])
def test_a_process_that_is_started_next_is_heard_of(
    services: com.IWbemServices, semisynchronous: bool
) -> None:
    sink = Recorder()
    events: Any = None
    if semisynchronous:
        hr, events = services.ExecNotificationQuery("WQL", STARTS, EVENTS, None)
    else:
        hr = services.ExecNotificationQueryAsync("WQL", STARTS, 0, None, sink)
    assert hr == com.WBEM_S_NO_ERROR
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:

        def found() -> bool:
            if events is not None:
                hr, objects, _ = events.Next(1000, 1)
                assert hr in (com.WBEM_S_NO_ERROR, com.WBEM_S_TIMEDOUT)
                sink.objects.extend(objects)
            return any(pid(one) == started.pid for one in list(sink.objects))

        assert until(found)
        assert started.stdin is not None
        started.stdin.close()
    if events is None:
        assert services.CancelAsyncCall(sink) == com.WBEM_S_NO_ERROR
    else:
        events.Release()


def pid(event: com.IWbemClassObject) -> int:
    hr, target, _, _ = event.Get("TargetInstance", 0)
    assert (hr, event.Get("__CLASS", 0)[1]) == (0, "__InstanceCreationEvent")
    return int(target.Get("ProcessId", 0)[1])


@pytest.mark.req("calls:B89", "calls:A31", "calls:D6")
def test_releasing_the_services_ends_its_consumers(alarms: Alarms) -> None:
    other = connected()
    sink, kept = Recorder(), alarms.consumer()
    assert other.ExecNotificationQueryAsync("WQL", alarms.query, 0, None, sink) == com.WBEM_S_NO_ERROR
    hr, events = other.ExecNotificationQuery("WQL", alarms.query, EVENTS, None)
    assert hr == com.WBEM_S_NO_ERROR
    assert other.Release() == 0
    sink.wait()
    assert sink.finals == [com.WBEM_E_CALL_CANCELLED]
    assert events.Next(1000, 1) == (com.WBEM_E_CALL_CANCELLED, [], 0)
    events.Release()
    alarms.ring(1)
    assert heard(kept, 1) == [1]
    assert sink.objects == []
    assert alarms.services.CancelAsyncCall(kept) == com.WBEM_S_NO_ERROR


@pytest.mark.req("calls:C5", "calls:K8")
def test_a_consumer_that_fails_costs_only_itself(alarms: Alarms) -> None:
    failing = Recorder(lambda objects: com.WBEM_E_FAILED)
    assert alarms.services.ExecNotificationQueryAsync("WQL", alarms.query, 0, None, failing) == 0
    good = alarms.consumer()
    alarms.ring(1)
    failing.wait()
    alarms.ring(2)
    assert heard(good, 2) == [1, 2]
    assert failing.finals == [com.WBEM_E_CALL_CANCELLED]
    assert numbers(failing.objects) == [1]
    alarms.services.CancelAsyncCall(good)


@pytest.mark.req("calls:D1", "calls:D15")
def test_a_consumer_behind_a_stub_is_cancelled_through_the_stub(alarms: Alarms) -> None:
    hr, apartment = com.CoCreateInstance(
        com.CLSID_UnsecuredApartment, None, com.CLSCTX_LOCAL_SERVER, com.IID_IWbemUnsecuredApartment
    )
    sink = Recorder()
    hr, stub = apartment.CreateSinkStub(sink, 0, None)
    assert alarms.services.ExecNotificationQueryAsync("WQL", alarms.query, 0, None, stub) == 0
    alarms.ring(1)
    assert heard(sink, 1) == [1]
    assert alarms.services.CancelAsyncCall(sink) == com.WBEM_E_NOT_FOUND
    assert alarms.services.CancelAsyncCall(stub) == com.WBEM_S_NO_ERROR
    assert sink.finals == [com.WBEM_E_CALL_CANCELLED]


# Enumerators of events


@pytest.mark.req("calls:B84", "calls:F3", "calls:F6", "calls:F19", "calls:F22")
def test_an_enumerator_of_events_waits_its_time(alarms: Alarms) -> None:
    hr, events = alarms.services.ExecNotificationQuery("WQL", alarms.query, EVENTS, None)
    assert hr == com.WBEM_S_NO_ERROR
    assert events.Next(com.WBEM_NO_WAIT, 1) == (com.WBEM_S_TIMEDOUT, [], 0)
    start = time.monotonic()
    assert events.Next(30, 1) == (com.WBEM_S_TIMEDOUT, [], 0)
    assert time.monotonic() - start >= 0.03
    alarms.ring(1, 2, 3)
    hr, found, count = events.Next(com.WBEM_INFINITE, 2)
    assert (hr, numbers(found), count) == (com.WBEM_S_NO_ERROR, [1, 2], 2)
    hr, found, count = events.Next(10, 2)
    assert (hr, numbers(found), count) == (com.WBEM_S_TIMEDOUT, [3], 1)
    timer = threading.Timer(0.02, alarms.ring, (4, 5))
    timer.start()
    hr, found, count = events.Next(com.WBEM_INFINITE, 1)
    assert (hr, numbers(found)) == (com.WBEM_S_NO_ERROR, [4])
    assert events.Skip(com.WBEM_INFINITE, 1) == com.WBEM_S_NO_ERROR
    timer.join()
    assert events.Reset() == com.WBEM_E_INVALID_OPERATION
    assert events.Clone()[0] == com.WBEM_E_INVALID_OPERATION
    assert events.Release() == 0


@pytest.mark.req("calls:F14", "calls:F15", "calls:D1")
def test_next_async_over_events(alarms: Alarms) -> None:
    hr, events = alarms.services.ExecNotificationQuery("WQL", alarms.query, EVENTS, None)
    first, second = Recorder(), Recorder()
    assert events.NextAsync(2, first) == com.WBEM_S_NO_ERROR
    assert events.NextAsync(1, second) == com.WBEM_S_NO_ERROR
    alarms.ring(1)
    alarms.ring(2)
    first.wait()
    assert (first.indicated, first.finals) == ([2], [com.WBEM_S_NO_ERROR])
    assert numbers(first.objects) == [1, 2]
    assert alarms.services.CancelAsyncCall(second) == com.WBEM_S_NO_ERROR
    second.wait()
    assert (second.indicated, second.finals) == ([], [com.WBEM_E_CALL_CANCELLED])
    alarms.ring(3)
    hr, found, _ = events.Next(com.WBEM_INFINITE, 1)
    assert numbers(found) == [3]
    events.Release()


# Raising


@pytest.mark.req("calls:B99", "calls:B100", "calls:C27")
def test_only_extrinsic_events_are_raised_and_all_or_none(alarms: Alarms) -> None:
    sink = alarms.consumer()
    _, process, _ = alarms.services.GetObject("Win32_Process", 0, None)
    assert alarms.sink.Indicate([alarms.event(1), process.SpawnInstance(0)[1]]) == com.WBEM_E_INVALID_CLASS
    assert alarms.sink.Indicate([alarms.class_]) == com.WBEM_E_INVALID_OBJECT
    for wrong in (None, [None], "x", [alarms]):
        assert alarms.sink.Indicate(wrong) == com.WBEM_E_INVALID_PARAMETER
    assert alarms.sink.Indicate([]) == com.WBEM_S_NO_ERROR
    assert alarms.sink.SetStatus(0, 0, None, None) == com.WBEM_S_NO_ERROR
    alarms.ring(2)
    assert heard(sink, 1) == [2]
    alarms.services.CancelAsyncCall(sink)


@pytest.mark.req("calls:B99")
def test_the_event_sink_is_an_object_of_its_own(alarms: Alarms) -> None:
    hr, sink = alarms.services.QueryObjectSink(0)
    assert isinstance(sink, com.IWbemObjectSink)
    for iid in (com.IID_IUnknown, com.IID_IWbemObjectSink, com.IID_IWbemEventSink):
        hr, found = sink.QueryInterface(iid)
        assert (hr, found) == (com.S_OK, sink)
        sink.Release()
    assert sink.QueryInterface(com.IID_IWbemServices) == (com.E_NOINTERFACE, None)
    assert sink.Release() == 0
    assert sink.Indicate([alarms.event(1)]) == com.RPC_E_DISCONNECTED
    assert alarms.services.QueryObjectSink(1) == (com.WBEM_E_INVALID_PARAMETER, None)


@pytest.mark.req("calls:C28", "calls:C29")
def test_a_restricted_sink_passes_what_its_queries_select_and_knows_who_wants_it(alarms: Alarms) -> None:
    assert alarms.sink.IsActive() == com.WBEM_S_NO_ERROR
    queries = [f"{alarms.query} WHERE N < 3", f"{alarms.query} WHERE N > 7"]
    hr, restricted = alarms.sink.GetRestrictedSink(2, queries, None)
    assert hr == com.WBEM_S_NO_ERROR
    assert restricted.IsActive() == com.WBEM_S_FALSE
    sink = alarms.consumer(" WHERE N <> 2")
    assert restricted.IsActive() == com.WBEM_S_NO_ERROR
    assert alarms.ring(*range(1, 10), sink=restricted) == com.WBEM_S_NO_ERROR
    assert heard(sink, 3) == [1, 8, 9]
    hr, both = restricted.GetRestrictedSink(1, [f"{alarms.query} WHERE N > 1"], None)
    assert alarms.ring(1, 5, 8, sink=both) == com.WBEM_S_NO_ERROR
    assert heard(sink, 4) == [1, 8, 9, 8]
    alarms.services.CancelAsyncCall(sink)
    assert restricted.IsActive() == com.WBEM_S_FALSE
    assert both.IsActive() == com.WBEM_S_FALSE
    for wrong in ((0, [], None), (2, queries[:1], None), (1, [None], None), (1, None, None)):
        assert alarms.sink.GetRestrictedSink(*wrong) == (com.WBEM_E_INVALID_PARAMETER, None)
    assert alarms.sink.GetRestrictedSink(1, ["SELECT"], None)[0] == com.WBEM_E_UNPARSABLE_QUERY
    assert alarms.sink.GetRestrictedSink(1, queries[:1], sink)[0] == com.WBEM_E_NOT_SUPPORTED


@pytest.mark.req("calls:C30")
def test_batching_holds_events_back_until_they_are_enough_or_old(alarms: Alarms) -> None:
    sink = alarms.consumer()
    batching = alarms.sink.SetBatchingParameters
    assert batching(com.WBEM_FLAG_MUST_BATCH, 0xFFFFFFFF, com.WBEM_INFINITE) == com.WBEM_S_NO_ERROR
    alarms.ring(1)
    alarms.ring(2)
    assert sink.objects == []
    assert batching(com.WBEM_FLAG_MUST_BATCH, 400, com.WBEM_INFINITE) == com.WBEM_S_NO_ERROR
    assert heard(sink, 2) == [1, 2]
    assert alarms.sink.Indicate([alarms.event(3, "x" * 100)]) == com.WBEM_S_NO_ERROR
    assert len(sink.objects) == 2
    assert alarms.sink.Indicate([alarms.event(4, "x" * 100)]) == com.WBEM_S_NO_ERROR
    assert heard(sink, 4) == [1, 2, 3, 4]
    assert batching(com.WBEM_FLAG_MUST_BATCH, 0xFFFFFFFF, 20) == com.WBEM_S_NO_ERROR
    start = time.monotonic()
    alarms.ring(5)
    assert heard(sink, 5)[4] == 5
    assert time.monotonic() - start >= 0.02
    for n, flags in ((6, com.WBEM_FLAG_BATCH_IF_NEEDED), (7, com.WBEM_FLAG_MUST_NOT_BATCH)):
        assert batching(flags, 0xFFFFFFFF, com.WBEM_INFINITE) == com.WBEM_S_NO_ERROR
        alarms.ring(n)
        assert heard(sink, n)[-1] == n
    for wrong in ((3, 0, 0), (1, -1, 0), (1, 0, 1 << 32), (1, None, 0)):
        assert batching(*wrong) == com.WBEM_E_INVALID_PARAMETER
    alarms.services.CancelAsyncCall(sink)


@pytest.mark.req("calls:C30")
def test_a_released_sink_raises_what_it_holds_back(alarms: Alarms) -> None:
    sink = alarms.consumer()
    _, second = alarms.services.QueryObjectSink(0)
    second.SetBatchingParameters(com.WBEM_FLAG_MUST_BATCH, 0xFFFFFFFF, com.WBEM_INFINITE)
    alarms.ring(1, sink=second)
    assert second.Release() == 0
    assert heard(sink, 1) == [1]
    alarms.services.CancelAsyncCall(sink)


@pytest.mark.req("calls:C31", "calls:C32")
def test_a_descriptor_says_who_hears_of_what_a_sink_raises(alarms: Alarms) -> None:
    sink = alarms.consumer()
    _, second = alarms.services.QueryObjectSink(0)
    for number, text in enumerate(("O:BAG:BAD:(A;;0x40;;;SY)", "O:BAG:BAD:(A;;0x40;;;BA)"), 1):
        data = sddl.parse(text).encode()
        assert second.SetSinkSecurity(len(data), data) == com.WBEM_S_NO_ERROR
        alarms.ring(number, sink=second)
    assert second.SetSinkSecurity(0, None) == com.WBEM_S_NO_ERROR
    alarms.ring(3, sink=second)
    assert heard(sink, 2) == [2, 3]  # who tests is the owner of the store, and no system account
    alarms.services.CancelAsyncCall(sink)


@pytest.mark.req("calls:C31")
def test_what_is_no_descriptor_is_refused(alarms: Alarms) -> None:
    without_group = sddl.parse("O:BAD:(A;;0x40;;;BA)").encode()
    for size, data in [
        (4, b"\1\0\4\200"),
        (5, b"\1\0\4\200"),
        (0, "text"),
        (len(without_group), without_group),
    ]:
        assert alarms.sink.SetSinkSecurity(size, data) == com.WBEM_E_INVALID_PARAMETER


@pytest.mark.req("calls:B99", "calls:C16")
def test_events_of_one_namespace_may_be_passed_on_by_a_sink_of_the_service(alarms: Alarms) -> None:
    """The sink that QueryObjectSink gives is a sink like any other: a subscription may deliver into it."""
    testing.provide("root\\ComEcho", f"class {alarms.name} : __ExtrinsicEvent {{ uint32 N; string Text; }};")
    echo = connected("root\\ComEcho")
    hr, onward = echo.QueryObjectSink(0)
    assert alarms.services.ExecNotificationQueryAsync("WQL", alarms.query, 0, None, onward) == 0
    sink = Recorder()
    assert echo.ExecNotificationQueryAsync("WQL", alarms.query, 0, None, sink) == com.WBEM_S_NO_ERROR
    alarms.ring(1, 2)
    assert heard(sink, 2) == [1, 2]
    assert alarms.services.CancelAsyncCall(onward) == com.WBEM_S_NO_ERROR
    assert echo.CancelAsyncCall(sink) == com.WBEM_S_NO_ERROR
    onward.Release()
    echo.Release()
