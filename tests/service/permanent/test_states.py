"""What the store says of bindings at work: written before long, taken up after a restart, gone with the binding."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.service.permanent.conftest import SUBSCRIPTION, Hall

from openwmi.contract import operations as ops
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_FAILED
from openwmi.service.permanent.states import SAVE_SECONDS, SOON_SECONDS

Begin = Callable[[], Hall]


@pytest.fixture
def halls(tmp_path: Path) -> Iterator[Begin]:
    """Services on one store, one after the other."""
    made: list[Hall] = []

    def begin() -> Hall:
        made.append(Hall(str(tmp_path / "store.db")))
        return made[-1]

    yield begin
    for one in made:
        one.close()


def states(hall: Hall) -> list[Any]:
    return hall.run(ops.CreateInstanceEnum("OpenWMI_PermanentSubscription"), SUBSCRIPTION).objects


def saved(hall: Hall) -> None:
    hall.loop.advance(SAVE_SECONDS + SOON_SECONDS)


def test_a_binding_has_a_state(halls: Begin) -> None:
    hall = halls()
    hall.subscribed()
    assert states(hall) == []
    hall.loop.advance(SOON_SECONDS + 0.1)
    (one,) = states(hall)
    assert (one.State, one.Reason, one.Delivered) == ("active", None, 0)
    assert "__FilterToConsumerBinding." in one.Binding
    assert one.Filter.endswith('__EventFilter.Name="f"')
    hall.ring("x")
    hall.taker.behave = fail
    hall.ring("y")
    saved(hall)
    (one,) = states(hall)
    assert (one.Delivered, one.Failed, one.Dropped) == (1, 1, 0)
    assert (one.LastError, one.LastErrorDescription) == (WBEM_E_FAILED, "broken")
    assert one.raw_("LastFailure").startswith("20240101000000.")
    assert one.raw_("LastDelivery").startswith("20240101000000.")


def fail(events: Any) -> None:
    raise error(WBEM_E_FAILED, "broken")


def test_a_storm_is_not_written_event_by_event(halls: Begin) -> None:
    hall = halls()
    hall.subscribed()
    saved(hall)
    repository = hall.host.repository.existing
    assert repository is not None
    before = repository.last_change()
    for _ in range(100):
        hall.ring("x")
        hall.loop.advance(0.05)
    assert repository.last_change() - before <= 2
    saved(hall)
    assert states(hall)[0].Delivered == 100


def test_a_new_binding_is_told_at_once_though_something_has_just_been_written(halls: Begin) -> None:
    hall = halls()
    hall.subscribed()
    hall.loop.advance(SOON_SECONDS + 0.1)
    hall.ring("x")
    hall.consumer("d")
    hall.bind("f", "d")
    hall.loop.advance(SOON_SECONDS + 0.1)
    assert sorted(one.State for one in states(hall)) == ["active", "active"]


def test_counts_go_on_after_a_restart(halls: Begin) -> None:
    first = halls()
    first.subscribed()
    first.ring("x", "y")
    first.close()
    second = halls()
    second.ring("z")
    saved(second)
    (one,) = states(second)
    assert one.Delivered == 3


def test_what_is_inactive_says_why_and_what_is_gone_is_gone(halls: Begin) -> None:
    hall = halls()
    hall.bind()
    saved(hall)
    (one,) = states(hall)
    assert (one.State, one.Consumer) == ("inactive", None)
    assert one.Reason.startswith("there is no filter")
    hall.remove('__FilterToConsumerBinding.Filter="__EventFilter.Name=\\"f\\"",Consumer="Taker.Name=\\"c\\""')
    saved(hall)
    assert states(hall) == []


@pytest.mark.req("E-40", "E-41", "E-51")
def test_what_timers_missed_while_nobody_ran_reaches_consumers(tmp_path: Path) -> None:
    """A log file, since the standard consumers are there from the beginning."""
    store, log = str(tmp_path / "store.db"), tmp_path / "log"
    first = Hall(store)
    first.filter(query="SELECT * FROM __TimerEvent")
    first.consumer(kind="LogFileEventConsumer", Filename=str(log), Text="%TimerId% %NumFirings%")
    first.bind(kind="LogFileEventConsumer")
    first.interval("beat", 60_000)
    first.absolute("call", "000100")
    first.close()
    second = Hall(store, at=310)
    for _ in range(2000):
        second.loop.settle()
        if log.exists() and len(log.read_text().splitlines()) == 2:
            break
        threading.Event().wait(0.001)
    assert sorted(log.read_text().splitlines()) == ["beat 5", "call 1"]
    second.close()
