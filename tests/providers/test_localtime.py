"""Win32_LocalTime and Win32_UTCTime: what the calendar says, and an event on each second of the clock."""

from __future__ import annotations

import calendar
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.providers.questions import Ask, class_named
from tests.service.clocked import ClockedLoop, Inline
from tests.service.conftest import Collector

from openwmi import host
from openwmi.contract import operations as ops
from openwmi.contract.caller import Caller
from openwmi.providers.localtime import COLUMNS, Win32ClockProvider
from openwmi.service.core import Service

# 2024-01-01, a Monday, 00:00:00 UTC.
NEW_YEAR = 1_704_067_200
QUERY = "SELECT * FROM __InstanceModificationEvent WHERE TargetInstance ISA '{}'"


@pytest.mark.req("G-41")
def test_the_singletons_show_the_clock(ask: Ask) -> None:
    for name, zone in (("Win32_LocalTime", time.localtime), ("Win32_UTCTime", time.gmtime)):
        before = time.time()
        (found,) = ask(name)
        shown = [zone(before), zone(time.time())]
        assert found["Milliseconds"] is None
        del found["Milliseconds"]
        assert found in [{column: read(one) for column, read in COLUMNS.items()} for one in shown]
        assert class_named(name).is_singleton


@pytest.mark.req("G-41")
@pytest.mark.parametrize("year", [2006, 2015, 2024])
def test_weeks_days_and_quarters_are_those_of_a_calendar(year: int) -> None:
    weeks = calendar.Calendar(firstweekday=calendar.SUNDAY)
    for month in range(1, 13):
        for number, week in enumerate(weeks.monthdayscalendar(year, month), start=1):
            for weekday, day in enumerate(week):
                if day:
                    moment = time.gmtime(calendar.timegm((year, month, day, 12, 0, 0)))
                    values = {name: read(moment) for name, read in COLUMNS.items()}
                    assert (values["WeekInMonth"], values["DayOfWeek"]) == (number, weekday)
                    assert values["Quarter"] == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4][month - 1]


class World:
    """The provider on a clocked loop; `set` moves its clock against the loop's."""

    def __init__(self) -> None:
        self.loop = ClockedLoop()
        self.start = NEW_YEAR + 0.25
        self.host = host.Host(host.MEMORY)
        self.host.providers.register(Win32ClockProvider(now=lambda: self.start + self.loop.time()))
        self.service = Service(self.loop, self.host.namespaces, planner=Inline(self.loop))  # type: ignore[arg-type]
        caller = Caller("S-1-22-1-0", "tester")
        self.wmi: Any = self.loop.run_until_complete(self.service.connect("root\\cimv2", caller))

    def subscribe(self, query: str) -> Collector:
        sink = Collector()
        self.loop.run_until_complete(self.wmi.start(ops.ExecNotificationQuery(query), sink))
        self.loop.settle()
        return sink

    def close(self) -> None:
        self.loop.run_until_complete(self.service.shut_down())
        self.loop.settle()
        assert self.loop.problems == []
        self.loop.close()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("TZ", "XXX-3:30")
    time.tzset()
    here = World()
    yield here
    here.close()
    monkeypatch.undo()
    time.tzset()


def at(target: Any) -> tuple[int, int, int]:
    return target.Hour, target.Minute, target.Second


@pytest.mark.req("E-42", "F-27", "G-41")
def test_an_event_a_second_without_within_and_without_drift(world: World) -> None:
    utc = world.subscribe(QUERY.format("Win32_UTCTime"))
    local = world.subscribe(QUERY.format("Win32_LocalTime"))
    assert utc.objects == []
    world.loop.advance(0.74)
    assert utc.objects == []
    world.loop.advance(0.02)
    assert [at(one.TargetInstance) for one in utc.objects] == [(0, 0, 1)]
    world.loop.advance(900)
    seen = [at(one.TargetInstance) for one in utc.objects]
    assert len(seen) == 901
    assert seen == [time.gmtime(NEW_YEAR + second)[3:6] for second in range(1, 902)]
    assert [at(one.PreviousInstance) for one in utc.objects[1:]] == seen[:-1]
    assert at(local.objects[0].TargetInstance) == (3, 30, 1)
    assert len(local.objects) == 901
    assert utc.objects[0].TargetInstance.relpath_ == "Win32_UTCTime=@"


@pytest.mark.req("E-42", "F-28")
def test_a_query_names_its_moments(world: World) -> None:
    sink = world.subscribe(QUERY.format("Win32_LocalTime") + " AND TargetInstance.Second=0")
    both = world.subscribe(QUERY.format("Win32_CurrentTime") + " AND TargetInstance.Second=0")
    world.loop.advance(180)
    assert [at(one.TargetInstance) for one in sink.objects] == [(3, 31, 0), (3, 32, 0), (3, 33, 0)]
    assert len(both.objects) == 6


@pytest.mark.req("E-42")
def test_a_loop_that_was_busy_tells_every_second_it_has_slept_through(world: World) -> None:
    sink = world.subscribe(QUERY.format("Win32_UTCTime"))
    world.loop.advance(1)
    world.start += 10
    world.loop.advance(1)
    assert [at(one.TargetInstance)[2] for one in sink.objects] == list(range(1, 13))


@pytest.mark.req("E-42")
@pytest.mark.parametrize("jump", [-3600, 86_400], ids=["back", "forward"])
def test_a_clock_that_is_set_goes_on_from_there(world: World, jump: int) -> None:
    sink = world.subscribe(QUERY.format("Win32_UTCTime"))
    world.loop.advance(2)
    world.start += jump
    del sink.batches[:]
    world.loop.advance(2)
    seen = [
        calendar.timegm((t.Year, t.Month, t.Day, *at(t))) - NEW_YEAR
        for t in (o.TargetInstance for o in sink.objects)
    ]
    assert seen == [jump + 3, jump + 4]
    assert os.environ["TZ"] == "XXX-3:30"
