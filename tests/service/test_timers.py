"""Timers on a clock that the test moves: what fires when, what was missed, what a restart remembers; who runs them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.service.clocked import ClockedLoop, Inline
from tests.service.conftest import Collector

from openwmi import host
from openwmi.contract import operations as ops
from openwmi.contract.caller import Caller
from openwmi.model.datetimes import unix_time
from openwmi.service.core import Service
from openwmi.service.events.exchange import Exchange
from openwmi.service.events.timers import SAVE_SECONDS, Instruction
from openwmi.service.ownership import RETRY_SECONDS, Ownership
from openwmi.threads import Threads

CALLER = Caller("S-1-22-1-0", "tester")
NAMESPACE = "root\\cimv2"
# 2024-01-01 00:00:00 UTC.
NEW_YEAR = 1_704_067_200


class World:
    """A service on a clocked loop that owns its store. `at`: seconds after NEW_YEAR when it begins."""

    def __init__(self, store: str = host.MEMORY, at: float = 0.0) -> None:
        self.loop = ClockedLoop()
        self.start = NEW_YEAR + at
        self.host = host.Host(store)
        self.service = Service(self.loop, self.host.namespaces, planner=Inline(self.loop))  # type: ignore[arg-type]
        self.service._exchange = Exchange(self.service, clock=self.clock)
        self.prepare()
        self.loop.call_soon(self.service.own, None)
        self.loop.settle()
        self.closed = False

    def prepare(self) -> None:
        """What has to be there before the service owns its store."""

    def clock(self) -> float:
        return self.start + self.loop.time()

    def run(self, operation: Any, namespace: str = NAMESPACE) -> Collector:
        wmi = self.loop.run_until_complete(self.service.connect(namespace, CALLER))
        sink = Collector()
        self.loop.run_until_complete(wmi.start(operation, sink))
        self.loop.settle()
        while not isinstance(operation, ops.ExecNotificationQuery) and not sink.finished.wait(0.001):
            self.loop.settle()  # the store is read and written on threads
        self.loop.settle()
        return sink

    def subscribe(self, name: str = "", namespace: str = NAMESPACE) -> Collector:
        where = f" WHERE TimerId = '{name}'" if name else ""
        return self.run(ops.ExecNotificationQuery(f"SELECT * FROM __TimerEvent{where}"), namespace)

    def put(self, kind: str, namespace: str = NAMESPACE, **values: Any) -> None:
        class_ = self.host.namespaces.named(namespace).schema.class_named(f"__{kind}TimerInstruction")
        assert self.run(ops.PutInstance(class_.spawn(values)), namespace).outcome.status == 0  # type: ignore[union-attr]

    def interval(self, name: str, milliseconds: int, **values: Any) -> None:
        self.put("Interval", TimerId=name, IntervalBetweenEvents=milliseconds, **values)

    def absolute(self, name: str, at: str, **values: Any) -> None:
        self.put("Absolute", TimerId=name, EventDateTime=f"20240101{at}.000000+000", **values)

    def delete(self, kind: str, name: str) -> None:
        assert self.run(ops.DeleteInstance(f'__{kind}TimerInstruction="{name}"')).outcome.status == 0  # type: ignore[union-attr]

    def remembered(self) -> dict[str, int]:
        found = self.run(ops.ExecQuery("SELECT * FROM __TimerNextFiring")).objects
        return {one.TimerId: one.NextEvent64BitTime for one in found}

    def kill(self) -> None:
        """End without a word."""
        self.closed = True
        self.loop.close()
        self.host.repository.close()

    def close(self) -> None:
        if not self.closed:
            self.loop.run_until_complete(self.service.shut_down())
            self.loop.advance(1)
            assert self.loop.problems == []
            assert all(one.cancelled() for one in self.loop._scheduled), "a timer is left behind"  # type: ignore[attr-defined]
            assert not asyncio.all_tasks(self.loop)
            self.kill()


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[Any]:
    """Make services one after the other on one store."""
    made: list[World] = []

    def begin(at: float = 0.0) -> World:
        made.append(World(str(tmp_path / "timers.db"), at))
        return made[-1]

    yield begin
    for one in made:
        one.close()


@pytest.fixture
def world() -> Iterator[World]:
    here = World()
    yield here
    here.close()


def firings(sink: Collector) -> list[tuple[str, int]]:
    return [(one.TimerId, one.NumFirings) for one in sink.objects]


# Intervals


@pytest.mark.req("E-40", "E-41", "E-01")
def test_an_interval_fires_again_and_again_without_drift(world: World) -> None:
    sink = world.subscribe("beat")
    world.interval("beat", 1500)
    world.interval("other", 100)
    world.loop.advance(1.4)
    assert sink.objects == []
    world.loop.advance(60)
    assert firings(sink) == [("beat", 1)] * 40
    times = [one.TIME_CREATED / 1e7 - 11_644_473_600 - NEW_YEAR for one in sink.objects]
    assert times == pytest.approx([1.5 * count for count in range(1, 41)], abs=0.001)


@pytest.mark.req("E-40")
def test_firings_that_come_too_close_are_one_event(world: World) -> None:
    sink = world.subscribe()
    world.interval("fast", 10)
    world.loop.advance(1.0)
    assert firings(sink) == [("fast", 1)] + [("fast", 10)] * 9


@pytest.mark.req("E-40")
@pytest.mark.parametrize("skip", [False, True])
def test_what_a_busy_loop_has_missed_is_told_with_the_next_event(world: World, skip: bool) -> None:
    sink = world.subscribe()
    world.interval("beat", 1000, SkipIfPassed=skip)
    world.loop.advance(1.5)
    world.loop.now += 5  # nothing runs for five seconds
    world.loop.advance(1.0)
    assert firings(sink) == [("beat", 1), ("beat", 1 if skip else 5), ("beat", 1)]


@pytest.mark.req("E-41")
def test_deleting_the_instance_stops_the_timer(world: World) -> None:
    sink = world.subscribe()
    world.interval("beat", 1000)
    world.loop.advance(2)
    assert list(world.remembered()) == ["beat"]
    world.delete("Interval", "beat")
    world.loop.advance(60)
    assert len(sink.objects) == 2
    assert world.remembered() == {}


@pytest.mark.req("E-41")
def test_an_instruction_that_changes_begins_anew_and_one_that_does_not_goes_on(world: World) -> None:
    sink = world.subscribe()
    world.interval("beat", 10_000)
    world.loop.advance(9)
    world.interval("beat", 10_000)
    world.loop.advance(1)
    assert len(sink.objects) == 1
    world.loop.advance(9)
    world.interval("beat", 5_000)
    world.loop.advance(4.9)
    assert len(sink.objects) == 1
    world.loop.advance(0.2)
    assert len(sink.objects) == 2


@pytest.mark.req("E-41")
def test_timers_belong_to_their_namespace(world: World) -> None:
    here, there = world.subscribe(), world.subscribe(namespace="root\\default")
    world.interval("beat", 1000)
    world.put("Interval", "root\\default", TimerId="beat", IntervalBetweenEvents=2000)
    world.loop.advance(4)
    assert (len(here.objects), len(there.objects)) == (4, 2)


def test_a_timer_that_can_never_fire_does_no_harm(world: World) -> None:
    sink = world.subscribe()
    world.interval("never", 0)
    world.put("Absolute", TimerId="whenever", EventDateTime="20240101******.******+***")
    world.interval("beat", 1000)
    world.loop.advance(3)
    assert firings(sink) == [("beat", 1)] * 3


# Moments


@pytest.mark.req("E-40")
def test_a_moment_comes_once(world: World) -> None:
    sink = world.subscribe()
    world.absolute("call", "000500")
    world.loop.advance(299)
    assert sink.objects == []
    world.loop.advance(1.1)
    assert firings(sink) == [("call", 1)]
    world.loop.advance(300)
    world.absolute("call", "000500")
    world.loop.advance(1)
    assert len(sink.objects) == 1


@pytest.mark.req("E-40")
@pytest.mark.parametrize(("skip", "count"), [(False, 1), (True, 0)])
def test_a_moment_that_has_passed(world: World, skip: bool, count: int) -> None:
    sink = world.subscribe()
    world.start += 3600
    world.absolute("early", "000100", SkipIfPassed=skip)
    assert len(sink.objects) == count
    world.loop.advance(60)
    assert len(sink.objects) == count


@pytest.mark.req("E-40")
def test_a_moment_follows_the_clock_when_it_is_set(world: World) -> None:
    sink = world.subscribe()
    world.absolute("noon", "120000", SkipIfPassed=True)
    world.loop.advance(60)
    world.start += 12 * 3600 - 90
    world.loop.advance(29)
    assert sink.objects == []
    world.loop.advance(32)
    assert firings(sink) == [("noon", 1)]


@pytest.mark.req("E-41")
def test_a_moment_that_is_put_off_or_cancelled(world: World) -> None:
    sink = world.subscribe()
    world.absolute("call", "000100")
    world.absolute("gone", "000100")
    world.loop.advance(30)
    world.absolute("call", "000200")
    world.delete("Absolute", "gone")
    world.loop.advance(60)
    assert sink.objects == []
    world.loop.advance(31)
    assert firings(sink) == [("call", 1)]
    world.absolute("call", "000300")
    world.loop.advance(60)
    assert firings(sink) == [("call", 1)] * 2


# Restarts


@pytest.mark.req("E-40", "E-41")
@pytest.mark.parametrize("skip", [False, True])
def test_an_interval_goes_on_after_a_restart(worlds: Any, skip: bool) -> None:
    first = worlds()
    first.interval("beat", 60_000, SkipIfPassed=skip)
    first.loop.advance(90)
    assert unix_time(first.remembered()["beat"]) == pytest.approx(NEW_YEAR + 120, abs=0.01)
    first.close()
    second = worlds(at=100)
    sink = second.subscribe()
    second.loop.advance(19)
    assert sink.objects == []
    second.loop.advance(2)
    assert firings(sink) == [("beat", 1)]
    second.close()
    third = worlds(at=400)  # 180, 240, 300 and 360 are past
    sink = third.subscribe()
    third.loop.advance(10)
    assert firings(sink) == []  # nobody listened when it was told
    third.loop.advance(11)
    assert firings(sink) == [("beat", 1)]


@pytest.mark.req("E-40", "E-41")
def test_what_was_missed_while_nobody_ran_is_told_in_one_event(worlds: Any) -> None:
    first = worlds()
    first.interval("beat", 60_000)
    first.close()
    told: list[tuple[str, int]] = []
    original = Exchange.raise_event

    def heard(self: Exchange, path: str, event: Any, only: Any = None) -> None:
        names = event.class_.layout.names
        told.append((event.row[names.index("TimerId")], event.row[names.index("NumFirings")]))
        original(self, path, event, only)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Exchange, "raise_event", heard)
        patch.setattr(Exchange, "listening", lambda *_: True)
        second = worlds(at=310)
    assert told == [("beat", 5)]
    second.close()


@pytest.mark.req("E-41")
def test_after_a_kill_little_is_told_again(worlds: Any) -> None:
    first = worlds()
    first.interval("beat", 1000)
    first.loop.advance(25.5)
    saved = unix_time(first.remembered()["beat"]) - NEW_YEAR
    assert 26 - SAVE_SECONDS <= saved <= 26
    first.kill()
    second = worlds(at=25.7)
    sink = second.subscribe()
    second.loop.advance(0.5)
    assert firings(sink) == [("beat", 1)]


@pytest.mark.slow
@pytest.mark.req("E-40", "E-41")
def test_a_moment_that_has_fired_does_not_fire_again_and_one_that_was_missed_does(worlds: Any) -> None:
    first = worlds()
    first.absolute("done", "000010")
    first.absolute("missed", "000100")
    first.absolute("skipped", "000100", SkipIfPassed=True)
    first.absolute("later", "001000")
    sink = first.subscribe()
    first.loop.advance(20)
    assert firings(sink) == [("done", 1)]
    first.kill()
    with pytest.MonkeyPatch.context() as patch:
        told: list[str] = []
        patch.setattr(
            "openwmi.service.events.timers.Timers.fire",
            lambda _, instruction, count: told.append(instruction.name),
        )
        second = worlds(at=120)
        assert told == ["missed"]
    sink = second.subscribe()
    second.loop.advance(600)
    assert firings(sink) == [("later", 1)]
    assert len(second.remembered()) == 4


# Who runs them


@pytest.mark.req("E-41")
def test_timers_run_only_where_the_lock_is_held(tmp_path: Path) -> None:
    lock = str(tmp_path / "owner")
    loop = ClockedLoop()
    begun: list[str] = []
    first, second = Ownership(lock, loop), Ownership(lock, loop)
    for name, one in (("first", first), ("second", second)):
        one.when_held(lambda name=name: begun.append(name), lambda name=name: begun.append(f"{name} ends"))  # type: ignore[misc]
        one.pursue()
        one.pursue()
    loop.advance(RETRY_SECONDS * 3)
    assert begun == ["first"]
    assert first.held
    assert not second.held
    first.release()
    loop.advance(RETRY_SECONDS)
    assert begun == ["first", "first ends", "second"]
    second.when_held(lambda: begun.append("late"), lambda: None)
    assert begun[-1] == "late"
    second.release()
    second.release()
    loop.advance(10)
    assert begun[-1] == "second ends"
    assert os.stat(lock).st_mode & 0o777 == 0o600
    loop.close()


def test_a_lock_that_cannot_be_had_is_asked_for_again(tmp_path: Path) -> None:
    loop = ClockedLoop()
    (tmp_path / "file").write_text("in the way")
    one = Ownership(str(tmp_path / "file" / "owner"), loop)
    one.pursue()
    assert not one.held
    (tmp_path / "file").unlink()
    loop.advance(RETRY_SECONDS)
    assert one.held
    one.release()
    loop.close()


PROGRAM = """
import sys, threading
from openwmi import host
here = host.local(sys.argv[1], subscriptions=True)
held = threading.Event()
here.portal.loop.call_soon_threadsafe(lambda: here.service.ownership.when_held(held.set, lambda: None))
held.wait()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_another_process_takes_over_when_the_owner_is_killed(tmp_path: Path) -> None:
    store = str(tmp_path / "shared.db")
    command = [sys.executable, "-c", PROGRAM, store]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    here = host.local(store, subscriptions=True)
    ended = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), here.portal.loop)
    ended.result(10)
    assert here.service.ownership is not None
    assert not here.service.ownership.held
    other.send_signal(signal.SIGKILL)
    other.communicate()

    async def taken() -> bool:
        while not here.service.ownership.held:  # type: ignore[union-attr]
            await asyncio.sleep(0.02)
        return True

    assert asyncio.run_coroutine_threadsafe(taken(), here.portal.loop).result(10)
    host.end(here)


def test_the_environment_makes_every_service_an_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    here = host.Host(host.MEMORY)
    assert here.service.ownership is None
    here.shut_down()
    monkeypatch.setenv(host.SUBSCRIPTIONS, "1")
    here = host.Host(host.MEMORY)
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), here.portal.loop).result(10)
    assert here.service.ownership is not None
    assert here.service.ownership.held
    here.shut_down()


def test_what_a_thread_still_does_when_the_store_has_been_closed_is_no_news(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At the end of a process: a reading and a writing that come too late fail, and the log ends with the end."""
    here = host.Host(str(tmp_path / "store.db"))
    here.repository.opened()
    here.own()
    service = here.service
    submitted: list[Callable[[], object]] = []
    waiting: list[asyncio.Future[int]] = []

    class Late(Threads):
        def submit(self, job: Callable[[], object]) -> None:
            submitted.append(job)

    async def busy() -> None:
        await service.permanent.begun()
        while service.exchange.timers._reading or not service.exchange.timers._running:
            await asyncio.sleep(0.001)
        service.planner = Late(1, name="late")
        service.exchange.timers._read()
        service.permanent._read()
        space = here.namespaces.named("root\\cimv2")
        service.exchange.timers.record(Instruction(space, "beat", skip=False, interval=1.0), 5)
        service.permanent.states.forget(["gone"])
        waiting.append(asyncio.ensure_future(service.aside(lambda: 7)))
        await asyncio.sleep(0)

    here.portal.submit(busy).result(60)
    here.repository.leave()
    assert len(submitted) == 5
    for job in submitted[:4]:
        job()
    here.shut_down()
    submitted[4]()
    assert waiting[0].cancelled()
    assert caplog.records == []
