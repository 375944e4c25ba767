"""Processes that begin and end on this machine, as events: told by the kernel, or seen in /proc."""

from __future__ import annotations

import errno
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.providers.listening import ELSEWHERE, Machine

from openwmi.model import status as s
from openwmi.providers.linux.connector import Connector
from openwmi.providers.processtrace import (
    CREATED,
    DELETED,
    START,
    STOP,
    KernelTrace,
    exit_code,
    unix_sid_bytes,
)

TRACES = "SELECT * FROM Win32_ProcessTrace"
INSTANCES = "SELECT * FROM __Instance{}Event WHERE TargetInstance ISA 'Win32_Process'"


def refused() -> Connector:
    raise PermissionError(errno.EPERM, "Operation not permitted")


def kernel_tells() -> bool:
    try:
        Connector().close()
    except OSError:
        return False
    return True


by_kernel = pytest.mark.skipif(not kernel_tells(), reason="this kernel does not tell us of processes")


@pytest.fixture
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    connect = {"kernel": Connector, "look": refused}[getattr(request, "param", "kernel")]
    here = Machine(KernelTrace(connect=connect))
    yield here
    here.host.shut_down()


both_ways = pytest.mark.parametrize(
    "machine", [pytest.param("kernel", marks=by_kernel), "look"], indirect=True, ids=["kernel", "look"]
)


def of(process: int) -> Callable[[Any], bool]:
    def wanted(event: Any) -> bool:
        target = event.get_("TargetInstance")
        return bool((event.ProcessID if target is None else target.ProcessId) == process)

    return wanted


def run(*command: str, seconds: float = 0.15) -> subprocess.Popen[bytes]:
    """A program that stays long enough to be seen in /proc."""
    return subprocess.Popen(["sh", "-c", f"sleep {seconds}; {' '.join(command)}"])


# The traces


@pytest.mark.slow
@pytest.mark.req("G-51", "E-01", "F-27")
@both_ways
def test_a_process_starts_and_stops(machine: Machine) -> None:
    heard = machine.subscribe(TRACES)
    before = time.time()
    child = run("exit", "7")
    child.wait()
    after = time.time()
    start, stop = heard.until(of(child.pid), 2)
    assert (start.classname_, stop.classname_) == ("Win32_ProcessStartTrace", "Win32_ProcessStopTrace")
    for event in (start, stop):
        assert event.ProcessName in ("sh", "dash", "bash", "busybox")
        assert event.ParentProcessID == os.getpid()
        assert event.SessionID == os.getsid(0)
        assert tuple(event.Sid) == unix_sid_bytes(os.geteuid())
        assert before - 0.2 < event.TIME_CREATED / 1e7 - 11_644_473_600 < after + 0.2
    assert stop.ExitStatus in (7, None)


@by_kernel
@pytest.mark.req("G-51")
def test_the_exit_status_is_what_a_shell_would_show(machine: Machine) -> None:
    heard = machine.subscribe("SELECT * FROM Win32_ProcessStopTrace")
    failed = subprocess.Popen(["sh", "-c", "exit 7"])
    killed = subprocess.Popen(["sleep", "30"])
    killed.kill()
    failed.wait()
    killed.wait()
    assert [one.ExitStatus for one in heard.until(of(failed.pid))] == [7]
    assert [one.ExitStatus for one in heard.until(of(killed.pid))] == [137]
    assert exit_code(0) == 0


@pytest.mark.slow
@by_kernel
@pytest.mark.req("G-51")
def test_no_process_is_too_short(machine: Machine) -> None:
    heard = machine.subscribe(TRACES)
    children = []
    for _ in range(30):
        child = subprocess.Popen(["true"])
        child.wait()
        children.append(child.pid)
    for process in children:
        start, stop = heard.until(of(process), 2)
        assert start.ParentProcessID == os.getpid()
        assert start.ProcessName in ("true", None)
        assert stop.ExitStatus == 0


@by_kernel
@pytest.mark.req("G-51")
def test_programs_that_fork_and_programs_that_follow_on_each_other(machine: Machine) -> None:
    heard = machine.subscribe(TRACES)
    forking = "import os, time; child = os.fork(); time.sleep(0.15); child and os.waitpid(child, 0)"
    parent = subprocess.Popen([sys.executable, "-c", forking])
    chain = subprocess.Popen(["sh", "-c", "exec sleep 0.15"])
    parent.wait()
    chain.wait()
    (own,) = [one for one in heard.until(of(parent.pid), 2) if one.classname_ == "Win32_ProcessStartTrace"]
    forked = heard.until(lambda one: one.ParentProcessID == parent.pid, 2)
    assert [one.classname_ for one in forked] == ["Win32_ProcessStartTrace", "Win32_ProcessStopTrace"]
    assert {one.ProcessName for one in forked} == {own.ProcessName}
    start, stop = heard.until(of(chain.pid), 2)
    assert stop.ProcessName == "sleep"
    assert start.ProcessName in ("sh", "dash", "bash", "busybox", "sleep")


@by_kernel
@pytest.mark.req("G-51")
def test_a_process_of_many_threads_stops_once(machine: Machine) -> None:
    heard = machine.subscribe(TRACES)
    threads = (
        "import ctypes, threading, time\n"
        "for _ in range(8): threading.Thread(target=time.sleep, args=(0.1,)).start()\n"
        "ctypes.CDLL(None).pthread_exit(None)\n"  # the first thread ends before the others
    )
    child = subprocess.Popen([sys.executable, "-c", threads])
    child.wait()
    events = heard.until(of(child.pid), 2)
    after = subprocess.Popen(["true"])
    after.wait()
    heard.until(of(after.pid), 2)
    assert [one.classname_ for one in heard.events if of(child.pid)(one)] == [
        one.classname_ for one in events
    ]
    assert events[1].classname_ == "Win32_ProcessStopTrace"


# The instances


@by_kernel
@pytest.mark.req("E-01", "E-02", "E-21", "F-27")
def test_instances_come_and_go_without_polling(machine: Machine) -> None:
    created = machine.subscribe(INSTANCES.format("Creation") + " AND TargetInstance.Name = 'sleep'")
    deleted = machine.subscribe(INSTANCES.format("Deletion"))
    child = subprocess.Popen(["sleep", "0.05"])
    (event,) = created.until(of(child.pid))
    process = event.TargetInstance
    assert process.CommandLine == "sleep 0.05"
    assert process.ParentProcessId == os.getpid()
    assert process.ExecutablePath.rpartition("/")[2] in ("sleep", "coreutils", "busybox")
    assert process.path_.endswith(f'Win32_Process.Handle="{child.pid}"')
    child.wait()
    (event,) = deleted.until(of(child.pid))
    assert event.TargetInstance.CommandLine == "sleep 0.05"
    assert event.TargetInstance.Handle == str(child.pid)


@by_kernel
@pytest.mark.req("F-27")
def test_a_process_that_was_there_before_is_known_when_it_goes(machine: Machine) -> None:
    child = subprocess.Popen(["sleep", "30"])
    traces = machine.subscribe(TRACES)
    deleted = machine.subscribe(INSTANCES.format("Deletion"))
    # The second subscription finds the provider at work, which reads what there is when it is told. By the time that
    # it tells of something that came later, it has.
    first = subprocess.Popen(["true"])
    first.wait()
    traces.until(of(first.pid), 2)
    child.kill()
    child.wait()
    (event,) = deleted.until(of(child.pid))
    assert event.TargetInstance.CommandLine == "sleep 30"
    (stop,) = traces.until(of(child.pid))
    assert stop.ProcessName == "sleep"


@by_kernel
@pytest.mark.req("E-21")
def test_modifications_are_still_polled(machine: Machine) -> None:
    outcome = machine.subscribe(INSTANCES.format("Modification")).outcome
    assert outcome.status == s.WBEMESS_E_REGISTRATION_TOO_PRECISE


@by_kernel
def test_callers_of_other_machines_see_no_more_than_by_asking(machine: Machine) -> None:
    here = machine.subscribe(INSTANCES.format("Creation"))
    there = machine.subscribe(INSTANCES.format("Creation"), ELSEWHERE)
    child = subprocess.Popen(["sleep", "0.05"])
    child.wait()
    assert here.until(of(child.pid))[0].TargetInstance.ExecutablePath is not None
    (event,) = there.until(of(child.pid))
    assert event.TargetInstance.ExecutablePath is None
    assert event.TargetInstance.CommandLine is None
    assert event.TargetInstance.Name == "sleep"


# Without the kernel


@pytest.mark.req("D-101", "F-27")
@pytest.mark.parametrize("machine", ["look"], indirect=True)
def test_without_the_kernel_instances_need_within(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    outcome = machine.subscribe(INSTANCES.format("Creation")).outcome
    assert outcome.status == s.WBEMESS_E_REGISTRATION_TOO_PRECISE
    with caplog.at_level(logging.INFO, "openwmi.events"):
        machine.subscribe(TRACES)
    (line,) = caplog.messages
    assert "Operation not permitted" in line
    assert "/proc" in line


@by_kernel
def test_the_log_says_that_the_kernel_tells(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "openwmi.events"):
        machine.subscribe(TRACES)
    assert caplog.messages == ["process events come from the kernel's process connector"]


def test_what_is_covered_is_asked_of_the_kernel_once() -> None:
    asked = []

    def connect() -> Connector:
        asked.append(1)
        return refused()

    trace = KernelTrace(connect=connect)
    assert trace.events == trace.events == (START, STOP)
    assert len(asked) == 1
    if kernel_tells():
        assert KernelTrace().events == (START, STOP, CREATED, DELETED)


class Gappy:
    """A connector that has lost messages as soon as anybody reads."""

    def __init__(self) -> None:
        self.here, self.there = socket.socketpair()

    def fileno(self) -> int:
        return self.here.fileno()

    def read(self) -> tuple[list[Any], int]:
        try:
            return [], len(self.here.recv(100, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return [], 0

    def close(self) -> None:
        self.here.close()
        self.there.close()


@pytest.mark.req("F-27", "calls:B90")
def test_a_gap_is_told_and_what_can_be_made_up_for_is_made_up() -> None:
    made: list[Gappy] = []

    def connect() -> Any:
        made.append(Gappy())
        return made[-1]

    here = Machine(KernelTrace(connect=connect))
    heard = here.subscribe(TRACES)
    with subprocess.Popen(["sleep", "30"]) as child:
        made[-1].there.send(b"12345")
        (start,) = heard.until(of(child.pid))
        assert start.ProcessName in ("sleep", None)
        assert heard.until(lambda _: heard.outcome is not None) is not None
        assert heard.outcome.status == s.WBEM_E_QUEUE_OVERFLOW
        assert "5 events" in heard.outcome.error.Description
        child.kill()
    here.host.shut_down()


@by_kernel
@pytest.mark.req("F-02", "F-27")
def test_a_connector_that_breaks_fails_who_depends_on_it_alone() -> None:
    class Breaking(Gappy):
        def read(self) -> tuple[list[Any], int]:
            if super().read()[1]:
                raise OSError(errno.EIO, "it is broken")
            return [], 0

    made: list[Breaking] = []

    def connect() -> Any:
        made.append(Breaking())
        return made[-1]

    here = Machine(KernelTrace(connect=connect))
    bare = here.subscribe(INSTANCES.format("Creation"))
    polled = here.subscribe(INSTANCES.format("Creation").replace(" WHERE", " WITHIN 0.1 WHERE"))
    made[-1].there.send(b"!")
    assert bare.until(lambda _: True, 0) == []
    with bare._more:
        assert bare._more.wait_for(lambda: bare.outcome is not None, 10)
    assert bare.outcome.status == s.WBEM_E_PROVIDER_FAILURE
    for _ in range(100):
        with subprocess.Popen(["sleep", "0.2"]) as child:
            child.wait()
        if any(of(child.pid)(one) for one in polled.events):
            break
    else:
        raise AssertionError("polling has not taken over")
    here.host.shut_down()
