"""Event providers that the repository registers: EventQueryList, beginning, end, and what it is about (F-27)."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.service.conftest import Collector
from tests.service.registered import samples
from tests.service.registered.conftest import SAMPLES, Registered

from openwmi.contract import operations as ops
from openwmi.contract.provider import EventCoverage
from openwmi.model import status as s
from openwmi.model.errors import WbemError
from openwmi.service.registered.eventqueries import coverages

_numbers = itertools.count(1)
CLASSES = """
class Registered_Alarm : __ExtrinsicEvent { uint32 Number; string Text; };
class Registered_LoudAlarm : Registered_Alarm { uint32 Level; };
class Registered_Silent : __ExtrinsicEvent { uint32 Number; };
"""


@pytest.fixture(scope="module", autouse=True)
def _classes(registered: Registered) -> None:
    registered.compile(CLASSES)


@pytest.fixture
def alarms(registered: Registered) -> Iterator[Callable[..., str]]:
    """Registers an event provider; it is gone after the test."""
    made: list[str] = []

    def register(*queries: str, code: str = "Alarms", more: str = "") -> str:
        name = f"Alarms{next(_numbers)}"
        listed = ", ".join(f'"{one}"' for one in queries)
        registered.compile(
            f'instance of __Win32Provider as $P {{ Name = "{name}"; CLSID = "python:{SAMPLES}:{code}"; {more} }};'
            f" instance of __EventProviderRegistration {{ provider = $P; EventQueryList = {{{listed}}}; }};"
        )
        made.append(name)
        return name

    yield register
    for name in made:
        path = f'__EventProviderRegistration.provider="__Win32Provider.Name=\\"{name}\\""'
        (found,) = [
            one.relpath_
            for one in registered.collect(ops.CreateInstanceEnum("__EventProviderRegistration")).objects
            if name in one.provider
        ]
        assert registered.status(ops.DeleteInstance(found)) == 0, path
        assert registered.status(ops.DeleteInstance(f'__Win32Provider="{name}"')) == 0


def subscribe(registered: Registered, query: str) -> Collector:
    sink = Collector()
    registered.start(ops.ExecNotificationQuery(query), sink)
    return sink


def refusal(registered: Registered, query: str) -> int:
    """With which code a subscription ends by itself."""
    sink = subscribe(registered, query)
    assert sink.finished.wait(10)
    assert sink.outcome is not None
    return sink.outcome.status


def wait_for(happened: Callable[[], Any]) -> None:
    end = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.req("F-27", "F-28", "F-01")
def test_a_registered_provider_raises_events_while_somebody_listens(
    registered: Registered, alarms: Callable[..., str], log: list[Any]
) -> None:
    alarms("select * from Registered_Alarm")
    assert log == []
    sink = subscribe(registered, "SELECT * FROM Registered_Alarm WHERE Number > 1")
    wait_for(lambda: ("begin", None) in log)
    for number in range(1, 4):
        samples.RAISED.append(("Registered_LoudAlarm", {"Number": number, "Level": 9}))
    wait_for(lambda: len(sink.objects) == 2)
    assert [(one.classname_, one.Number, one.Level) for one in sink.objects] == [
        ("Registered_LoudAlarm", 2, 9),
        ("Registered_LoudAlarm", 3, 9),
    ]
    other = subscribe(registered, "SELECT * FROM Registered_LoudAlarm")
    registered.cancel(sink)
    samples.RAISED.append(("Registered_LoudAlarm", {"Number": 7}))
    wait_for(lambda: other.objects)
    assert ("end", None) not in log
    registered.cancel(other)
    wait_for(lambda: ("end", None) in log)
    assert [entry[0] for entry in log] == ["initialize", "begin", "end"]


@pytest.mark.req("F-27")
def test_an_asynchronous_one_is_cancelled(registered: Registered, alarms: Callable[..., str]) -> None:
    alarms("select * from Registered_Alarm", code="AsynchronousAlarms")
    sink = subscribe(registered, "SELECT * FROM Registered_Alarm WHERE Number > 2")
    wait_for(lambda: len(sink.objects) > 2)
    registered.cancel(sink)
    assert sink.finished.wait(10)


@pytest.mark.req("F-27", "E-21")
def test_intrinsic_events_that_a_registration_covers_need_no_polling(
    registered: Registered, alarms: Callable[..., str], log: list[Any]
) -> None:
    served = registered.register()
    query = f"SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA '{served}'"
    assert refusal(registered, query) == s.WBEMESS_E_REGISTRATION_TOO_PRECISE
    alarms(f"select * from __InstanceCreationEvent where TargetInstance isa '{served}'")
    sink = subscribe(registered, query)
    wait_for(lambda: ("begin", None) in log)
    samples.RAISED.append(
        (
            "__InstanceCreationEvent",
            lambda outlet: {"TargetInstance": outlet.class_named(served).spawn({"Number": 11})},
        )
    )
    wait_for(lambda: sink.objects)
    assert sink.objects[0].TargetInstance.Number == 11
    registered.cancel(sink)


@pytest.mark.req("F-02", "F-27")
@pytest.mark.parametrize(
    ("queries", "more"),
    [
        (("not a query",), ""),
        (("select * from Registered_Alarm",), "Enabled = FALSE;"),
        (("select * from Registered_Alarm",), 'HostingModel = "LocalSystemHost";'),
    ],
)
def test_registrations_that_raise_nothing(
    registered: Registered, alarms: Callable[..., str], queries: tuple[str, ...], more: str
) -> None:
    name = alarms(*queries, more=more)
    space = registered.host.namespaces.named("root\\default")
    assert name not in [one.name for one in space.providers.raising()]
    registered.cancel(
        subscribe(registered, "SELECT * FROM Registered_Alarm")
    )  # any program may raise it (D-104)


@pytest.mark.req("F-02", "F-27")
def test_code_that_cannot_be_loaded_fails_who_listens(
    registered: Registered, alarms: Callable[..., str]
) -> None:
    alarms("select * from Registered_Alarm", code="Absent")
    assert refusal(registered, "SELECT * FROM Registered_Alarm") == s.WBEM_E_PROVIDER_LOAD_FAILURE


@pytest.mark.req("F-27")
def test_what_the_queries_of_a_list_cover() -> None:
    assert coverages(["select * from A", 'select * from B where X = 1 and Y = "z"']) == (
        EventCoverage("A"),
        EventCoverage("B"),
    )
    assert coverages(
        [
            "select * from __InstanceCreationEvent where TargetInstance isa 'One'",
            "select * from __InstanceDeletionEvent where TargetInstance isa 'One' or targetinstance isa 'Two'",
        ]
    ) == (
        EventCoverage("__InstanceCreationEvent", "One"),
        EventCoverage("__InstanceDeletionEvent", "One"),
        EventCoverage("__InstanceDeletionEvent", "Two"),
    )
    with pytest.raises(WbemError) as caught:
        coverages(
            ["select * from __InstanceCreationEvent where TargetInstance isa 'One' and TargetInstance.X = 1"]
        )
    assert caught.value.code == s.WBEM_E_INVALID_QUERY
