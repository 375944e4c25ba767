"""Permanent subscriptions over processes: one of three fires, a killed service goes on after its restart."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.cli.test_serve import DEADLINE, Served

from openwmi import host
from openwmi.contract.operations import PutInstance

MOF = """
#pragma namespace("\\\\\\\\.\\\\root\\\\subscription")
instance of __EventFilter as $Filter {
    Name = "timers"; QueryLanguage = "WQL"; EventNamespace = "root\\\\cimv2";
    Query = "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA '__IntervalTimerInstruction'";
};
instance of CommandLineEventConsumer as $Told {
    Name = "told"; CommandLineTemplate = "sh -c 'echo \\"$1\\" > %s' sh %%TargetInstance.TimerId%%";
};
instance of LogFileEventConsumer as $Logged {
    Name = "logged"; Filename = "%s"; Text = "%%TargetInstance.TimerId%%";
};
instance of __FilterToConsumerBinding { Filter = $Filter; Consumer = $Logged; };
instance of __FilterToConsumerBinding { Filter = $Filter; Consumer = $Told; };
"""

OTHER = """
import sys
from openwmi import host
here = host.local(sys.argv[1], subscriptions=True)
here.portal.run(here.services)
print("running", flush=True)
sys.stdin.read()
"""


class Store:
    """A store with subscriptions in it, a log that they write, a pipe that tells of each event."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self._served: list[Served] = []
        self.log = folder / "fired.log"
        self.pipe = str(folder / "pipe")
        os.mkfifo(self.pipe)
        self._told = os.open(self.pipe, os.O_RDWR | os.O_NONBLOCK)
        (folder / "subscriptions.mof").write_text(MOF % (self.pipe, self.log))
        self.run("compile", str(folder / "subscriptions.mof"))

    def run(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "openwmi", *arguments],
            env={**os.environ, "OPENWMI_HOME": str(self.home)},
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr

    @property
    def path(self) -> str:
        return str(self.home / host.STORE)

    def make(self, name: str) -> None:
        """Commit what the filter is about, from this process."""
        here = host.local(self.path)
        timer: Any = here.one_shot("root\\cimv2").get("__IntervalTimerInstruction")
        here.one_shot("root\\cimv2").write(
            PutInstance(timer.spawn({"TimerId": name, "IntervalBetweenEvents": 10**9}))
        )

    def told(self) -> str:
        """What the program of the consumer says, once it has been started."""
        assert select.select([self._told], [], [], DEADLINE)[0], "nothing fires"
        return os.read(self._told, 4096).decode().strip()

    def logged(self, name: str) -> None:
        """Wait until the log has this name: it is written on a thread of the other process."""
        for _ in range(2000):
            if self.log.exists() and name in self.log.read_text().splitlines():
                return
            select.select([], [], [], 0.01)
        raise AssertionError(f"the log never has {name}")

    def told_of(self, name: str) -> None:
        """Wait until a program of the consumer says this name; others may be said before."""
        while name not in self.told().split():
            pass

    def silent(self) -> bool:
        return not select.select([self._told], [], [], 0)[0]

    def served(self) -> Served:
        """A service on this store; it ends with the test."""
        self._served.append(Served(self.home))
        return self._served[-1]

    def close(self) -> None:
        for one in self._served:
            one.process.kill()
            one.process.communicate()
        os.close(self._told)
        host.end(host.local(self.path))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    one = Store(tmp_path)
    yield one
    one.close()


EXTRINSIC = r"""
#pragma namespace("\\\\.\\root\\cimv2")
class Rang : __ExtrinsicEvent { string TimerId; };
#pragma namespace("\\\\.\\root\\subscription")
instance of __EventFilter as $Filter {
    Name = "rang"; QueryLanguage = "WQL"; EventNamespace = "root\\cimv2"; Query = "SELECT * FROM Rang";
    EventAccess = "O:BAG:BAD:(A;;0x80;;;BA)";
};
instance of CommandLineEventConsumer as $Told {
    Name = "rang"; CommandLineTemplate = "sh -c 'echo \"$1\" > %s' sh %%TimerId%%";
};
instance of __FilterToConsumerBinding { Filter = $Filter; Consumer = $Told; };
"""
RINGS = r"""
import sys
import openwmi.com as com
com.CoInitializeEx(None, com.COINIT_MULTITHREADED)
hr, locator = com.CoCreateInstance(com.CLSID_WbemLocator, None, com.CLSCTX_INPROC_SERVER, com.IID_IWbemLocator)
hr, services = locator.ConnectServer("root\\cimv2", None, None, None, 0, None, None)
hr, sink = services.QueryObjectSink(0)
hr, class_, _ = services.GetObject("Rang", 0, None)
for name in sys.argv[1:]:
    hr, event = class_.SpawnInstance(0)
    event.Put("TimerId", 0, name, 0)
    assert sink.Indicate([event]) == 0
"""


@pytest.mark.slow
@pytest.mark.req("E-51", "calls:B99")
def test_what_a_program_raises_reaches_the_process_that_runs_subscriptions(
    store: Store, tmp_path: Path
) -> None:
    (tmp_path / "extrinsic.mof").write_text(EXTRINSIC % store.pipe)
    store.run("compile", str(tmp_path / "extrinsic.mof"))
    served = store.served()
    try:
        assert served.line() == "ready"
        environment = {**os.environ, "OPENWMI_HOME": str(store.home)}
        for name in ("one", "two"):  # each program ends at once
            subprocess.run([sys.executable, "-c", RINGS, name], env=environment, check=True, timeout=60)
            assert store.told() == name
        assert store.silent()
    finally:
        served.process.kill()
        served.process.communicate()


def lines(store: Store, count: int) -> list[str]:
    """The lines of the log once there are so many of them (they are written on a thread of the other process)."""
    for _ in range(2000):
        found = store.log.read_text().splitlines() if store.log.exists() else []
        if len(found) >= count:
            return found
        select.select([], [], [], 0.01)
    raise AssertionError(f"the log has {found}")


@pytest.mark.slow
@pytest.mark.req("E-51")
def test_it_still_fires_after_a_kill_and_a_restart(store: Store) -> None:
    first = store.served()
    assert first.line() == "ready"
    store.make("one")
    assert store.told() == "one"
    assert lines(store, 1) == ["one"]
    first.end(signal.SIGKILL)
    second = store.served()
    assert second.line() == "ready"
    assert str(first.process.pid) in second.log("without giving the lock back")
    store.make("two")
    assert store.told() == "two"
    assert lines(store, 2) == ["one", "two"]
    code, _, _ = second.end(signal.SIGTERM)
    assert code == 0
    third = store.served()
    assert third.line() == "ready"
    store.make("three")
    assert store.told() == "three"
    assert "without giving" not in third.end(signal.SIGTERM)[2]


@pytest.mark.slow
@pytest.mark.req("E-51")
def test_three_processes_on_one_store_fire_once(store: Store) -> None:
    others = [
        subprocess.Popen(
            [sys.executable, "-c", OTHER, store.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    served = store.served()
    try:
        assert served.line() == "ready"
        for one in others:
            assert one.stdout is not None
            assert one.stdout.readline() == b"running\n"
        for number in range(3):
            store.make(str(number))
            assert store.told() == str(number)
        assert lines(store, 3) == ["0", "1", "2"]
        assert store.silent()
    finally:
        served.process.kill()
        served.process.communicate()
        for one in others:
            one.kill()
            one.communicate()
    assert lines(store, 3) == ["0", "1", "2"]


@pytest.mark.slow
@pytest.mark.req("E-51", "E-57")
def test_a_service_that_is_killed_in_mid_stream_loses_nothing_in_silence(store: Store, deep: bool) -> None:
    """What it had not delivered is lost, and said to be: one gap for each kill, no event twice, none lost outside."""
    random = Random(7)
    doubtful: set[str] = set()
    certain: list[str] = []
    running = store.served()
    assert running.line() == "ready"
    for number in range(20 if deep else 3):
        store.make(f"sure-{number}")
        certain.append(f"sure-{number}")
        store.told_of(f"sure-{number}")
        store.logged(f"sure-{number}")
        stream = [f"{number}-{position}" for position in range(random.randint(1, 12))]
        doubtful.update(stream)
        for name in stream:
            store.make(name)
        select.select([], [], [], random.random() * 0.2)
        killed = running.process.pid
        running.end(signal.SIGKILL)
        running = store.served()
        assert running.line() == "ready"
        assert str(killed) in running.log("without giving the lock back")
        assert "there is a gap" in running.log("there is a gap")
    store.make("last")
    store.logged("last")
    assert running.end(signal.SIGTERM)[0] == 0
    found = store.log.read_text().splitlines()
    assert len(found) == len(set(found))
    assert [name for name in found if name not in doubtful] == [*certain, "last"]
