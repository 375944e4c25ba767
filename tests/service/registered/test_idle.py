"""Registered providers are released when nobody has used them for a while, and made again when needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.service.conftest import Collector
from tests.service.registered import samples
from tests.service.registered.conftest import Registered

from openwmi.contract import operations as ops


class Clock:
    """Time that the test moves, and the timers that are set by it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def later(self, seconds: float, function: Callable[[], None]) -> Clock:
        self.timers.append((self.now + seconds, function))
        return self

    def cancel(self) -> None:
        self.timers.clear()

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := sorted((one for one in self.timers if one[0] <= end), key=lambda one: one[0]):
            self.timers.remove(due[0])
            self.now = due[0][0]
            due[0][1]()
        self.now = end


@pytest.fixture
def clock(registered: Registered) -> Iterator[Clock]:
    """The clock of the providers, for one test."""
    providers: Any = registered.host.providers
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(providers, "now", lambda: clock.now)
        patch.setattr(providers, "_later", clock.later)
        providers.shut_down()
        yield clock
        providers.shut_down()


def counted(what: str, name: str) -> int:
    return sum(entry[0] == what and entry[1].name == name for entry in list(samples.LOG))


def closed(name: str, count: int) -> None:
    """Wait until the provider's threads have told as many objects of their release."""
    end = time.monotonic() + 10
    while counted("close", name) < count and time.monotonic() < end:
        time.sleep(0.001)
    assert counted("close", name) == count


@pytest.mark.req("B-41", "F-07")
def test_release_between_one_and_two_intervals(registered: Registered, clock: Clock, log: list[Any]) -> None:
    name = registered.register()
    for _ in range(3):
        assert registered.status(ops.GetObject(f"{name}=1")) == 0
        clock.advance(200)
    assert counted("initialize", name) == 1
    clock.advance(290)  # two looks since the last use, the second of them after an interval
    closed(name, 0)
    clock.advance(110)
    closed(name, 1)
    assert clock.timers == []
    assert registered.status(ops.GetObject(f"{name}=1")) == 0
    assert counted("initialize", name) == 2


@pytest.mark.req("B-41")
def test_the_interval_is_a_setting_and_what_is_in_use_stays(
    registered: Registered, clock: Clock, log: list[Any]
) -> None:
    root = registered.connect("root")
    (control,) = registered.collect(ops.GetObject("__ObjectProviderCacheControl=@"), services=root).objects
    brief = control.with_({"ClearAfter": "00000000000010.000000:000"})
    assert registered.status(ops.PutInstance(brief), services=root) == 0
    try:
        name = registered.register()
        sink: Any = Collector()
        sink.credit = 2
        registered.start(ops.ExecQuery(f"SELECT * FROM {name}"), sink)
        while len(sink.objects) < 2:
            pass
        clock.advance(100)
        assert counted("close", name) == 0
        registered.cancel(sink)
        assert sink.finished.wait(10)
        provider: Any = registered.host.namespaces.named("root\\default").providers.named(name)
        while any(one.calls for one in provider._objects.values()):
            pass
        clock.advance(20)
        closed(name, 1)
    finally:
        assert registered.status(ops.DeleteInstance("__ObjectProviderCacheControl=@"), services=root) == 0


@pytest.mark.slow
@pytest.mark.req("F-07", "F-03")
def test_a_host_process_without_providers_ends(registered: Registered, clock: Clock) -> None:
    name = registered.register(more='HostingModel = "LocalSystemHost:idle";')
    (found,) = registered.collect(ops.GetObject(f"{name}=1")).objects
    hosts = registered.host.providers.hosts
    (process,) = [one for one in hosts.running if one.pid == found.Pid]
    clock.advance(600)
    end = time.monotonic() + 10
    while process in hosts.running and time.monotonic() < end:
        time.sleep(0.001)
    assert process not in hosts.running
    assert registered.collect(ops.GetObject(f"{name}=1")).objects[0].Pid != found.Pid
