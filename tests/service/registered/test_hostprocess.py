"""Providers in host processes: what they can do there, how they end, and what their end does not touch."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.service.conftest import Collector
from tests.service.registered.conftest import Registered

from openwmi import host
from openwmi.contract import flags as f
from openwmi.contract import operations as ops
from openwmi.model import status as s

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="there are no such processes"),
]
HOST = 'HostingModel = "LocalSystemHost:{}";'


@pytest.fixture
def tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def group(registered: Registered, request: pytest.FixtureRequest) -> Iterator[str]:
    """A host process of the test's own."""
    yield request.node.name
    for one in registered.host.providers.hosts.running:
        if one.name.group == request.node.name.lower():
            one.end(ValueError("the test is over"))  # type: ignore[arg-type]


def until(condition: Callable[[], Any]) -> None:
    """Wait for something that another process does; a second is long."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)


def query(registered: Registered, name: str) -> Collector:
    return registered.collect(ops.ExecQuery(f"SELECT * FROM {name}"))


def status(sink: Collector) -> int:
    assert sink.outcome is not None
    return sink.outcome.status


def pid_of(registered: Registered, name: str) -> int:
    pid: int = registered.collect(ops.GetObject(f"{name}=1")).objects[0].Pid
    return pid


class Waiting(Collector):
    """A sink whose call is known to run once the first object is there."""

    def until_running(self) -> None:
        until(lambda: self.objects)


@pytest.mark.req("F-03", "F-20")
def test_a_provider_in_a_process_of_its_own(registered: Registered, group: str) -> None:
    name = registered.register(
        registrations="instance of __InstanceProviderRegistration { provider = $P; SupportsGet = TRUE;"
        " SupportsEnumeration = TRUE; SupportsPut = TRUE; SupportsDelete = TRUE; };"
        "instance of __MethodProviderRegistration { provider = $P; };",
        more=HOST.format(group),
    )
    found = query(registered, name).objects
    assert [(one.Number, one.Name, one.Values) for one in found[:2]] == [
        (0, "thing 0", [0, 1]),
        (1, "thing 1", [1, 2]),
    ]
    assert len({one.Pid for one in found}) == 1
    assert found[0].Pid != os.getpid()
    assert registered.status(ops.GetObject(f"{name}=17")) == s.WBEM_E_NOT_FOUND
    changed = found[2].with_({"Name": "changed"})
    assert registered.status(ops.PutInstance(changed)) == 0
    assert registered.collect(ops.GetObject(f"{name}=2")).objects[0].Name == "changed"
    assert registered.status(ops.DeleteInstance(f"{name}=2")) == 0
    assert registered.status(ops.GetObject(f"{name}=2")) == s.WBEM_E_NOT_FOUND
    (said,) = registered.collect(ops.ExecMethod(name, "Say", {"Text": "hello"})).objects
    assert said.Reply == "Say hello None"


@pytest.mark.req("F-03")
def test_a_group_shares_a_process(registered: Registered, group: str) -> None:
    one, two = (registered.register(more=HOST.format(group)) for _ in range(2))
    other = registered.register(more=HOST.format(f"{group}-other"))
    assert pid_of(registered, one) == pid_of(registered, two)
    assert pid_of(registered, other) != pid_of(registered, one)


@pytest.mark.req("F-02", "F-03")
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("Absent", s.WBEM_E_PROVIDER_LOAD_FAILURE),
        ("Unready", s.WBEM_E_INITIALIZATION_FAILURE),
        ("Refusing", s.WBEM_E_ACCESS_DENIED),
        ("Failing", s.WBEM_E_PROVIDER_FAILURE),
        ("Wrong", s.WBEM_E_PROVIDER_FAILURE),
    ],
)
def test_failures_cross_over(registered: Registered, code: str, expected: int) -> None:
    name = registered.register(code, more=HOST.format("failures"))
    assert status(query(registered, name)) == expected
    if code == "Wrong":
        assert registered.status(ops.GetObject(f"{name}=1")) == s.WBEM_E_PROVIDER_FAILURE
        assert registered.status(ops.DeleteInstance(f"{name}=1")) == s.WBEM_E_PROVIDER_FAILURE  # it left


@pytest.mark.req("F-02", "F-03")
def test_asynchronous_and_late_providers(registered: Registered, group: str) -> None:
    name = registered.register("Asynchronous", more=HOST.format(group))
    assert [one.Number for one in query(registered, name).objects] == [0, 1, 2]
    more = HOST.format(group) + 'OperationTimeoutInterval = "00000000000001.000000:000";'
    name = registered.register("Stuck", more=more)
    assert status(query(registered, name)) == s.WBEM_E_PROVIDER_TIMED_OUT
    more = HOST.format(group) + 'InitializationTimeoutInterval = "00000000000000.100000:000";'
    assert (
        status(query(registered, registered.register("SlowStart", more=more))) == s.WBEM_E_PROVIDER_TIMED_OUT
    )


@pytest.mark.req("F-03", "F-02")
def test_killing_a_host_disturbs_nobody_else(registered: Registered, group: str, tmp: Path) -> None:
    victim = registered.register("Slow", more=HOST.format(group))
    neighbour = registered.register("Slow", more=HOST.format(f"{group}-other"))
    sinks = []
    for name in (victim, neighbour):
        sink = Waiting()
        registered.start(ops.ExecQuery(f"SELECT * FROM {name}"), sink)
        sink.until_running()
        sinks.append(sink)
    first = sinks[0].objects[0].Pid
    os.kill(first, signal.SIGKILL)
    assert sinks[0].finished.wait(20)
    assert status(sinks[0]) == s.WBEM_E_PROVIDER_FAILURE
    assert sinks[0].released == 1
    again = Waiting()
    registered.start(ops.ExecQuery(f"SELECT * FROM {victim}"), again)
    again.until_running()
    assert again.objects[0].Pid != first
    assert sinks[1].outcome is None
    for sink in (again, sinks[1]):
        registered.cancel(sink)
        assert sink.finished.wait(20)


@pytest.mark.req("F-03")
def test_kills_at_any_moment(registered: Registered, group: str, deep: bool) -> None:
    """Each call ends once, with all its objects or with PROVIDER_FAILURE, wherever the signal meets it."""
    name = registered.register(more=HOST.format(group))
    outcomes = set()
    for turn in range(300 if deep else 12):
        sink = Collector()
        registered.start(ops.ExecQuery(f"SELECT * FROM {name}"), sink)
        end = time.monotonic() + turn % 12 * 0.02
        while time.monotonic() < end and not sink.finished.is_set():
            pass
        for one in registered.host.providers.hosts.running:
            if one.name.group == group.lower() and one.pid is not None:
                try:
                    os.kill(one.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        assert sink.finished.wait(20)
        outcomes.add(status(sink))
        assert status(sink) in (0, s.WBEM_E_PROVIDER_FAILURE)
        assert status(sink) or len(sink.objects) == 5
    assert status(query(registered, name)) in (0, s.WBEM_E_PROVIDER_FAILURE)
    until(lambda: status(query(registered, name)) == 0)
    assert outcomes == {0, s.WBEM_E_PROVIDER_FAILURE}


@pytest.mark.req("F-03", "calls:C21")
def test_cancel_and_progress_reach_the_other_process(registered: Registered, group: str, tmp: Path) -> None:
    name = registered.register("Slow", more=HOST.format(group))
    sink = Waiting()
    registered.start(ops.ExecQuery(f"SELECT * FROM {name}"), sink, f.WBEM_FLAG_SEND_STATUS)
    sink.until_running()
    until(lambda: sink.progress)
    assert sink.progress[0].message == "halfway"
    pid = sink.objects[0].Pid
    registered.cancel(sink)
    assert status(sink) == s.WBEM_E_CALL_CANCELLED
    until(lambda: (tmp / f"cancelled-{pid}").exists())


@pytest.mark.req("F-03")
def test_a_slow_reader_is_not_flooded(registered: Registered, group: str) -> None:
    """Rows come as credit allows: a host process is at most a window ahead of its reader."""
    name = registered.register("Many", more=HOST.format(group))
    sink: Any = Collector()
    sink.credit = 1500
    call = registered.start(ops.ExecQuery(f"SELECT Number, Name FROM {name}"), sink)
    until(lambda: len(sink.objects) == 1500)
    time.sleep(0.05)
    (channel,) = [
        channel
        for one in registered.host.providers.hosts.running
        if one.name.group == group.lower()
        for channel in one._channels.values()
    ]
    assert sum(len(payload) for _, payload in channel.frames) < 1_000_000
    registered.host.portal.submit(_granted, call).result(10)
    until(lambda: len(sink.objects) == 2500)
    assert [one.Number for one in sink.objects] == list(range(2500))
    registered.cancel(sink)


async def _granted(call: Any) -> None:
    call.grant(1000)


@pytest.mark.req("F-03")
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_what_a_host_process_has(
    registered: Registered, group: str, capfd: pytest.CaptureFixture[str]
) -> None:
    os.environ["OPENWMI_TEST_SECRET"] = "x"
    try:
        name = registered.register("Looking", more=HOST.format(group))
        (found,) = query(registered, name).objects
    finally:
        del os.environ["OPENWMI_TEST_SECRET"]
    descriptors = found.Name.split(",")
    assert descriptors[:3] == ["/dev/null"] * 3
    rest = descriptors[3:]
    assert not [
        one for one in rest if not one.startswith(("socket:", "anon_inode:[eventpoll]", "pipe:", "/proc"))
    ]
    assert sum(one.startswith("socket:") for one in rest) == 3  # the service's, and its loop's own pair
    assert "SECRET" not in found.Owner
    assert os.getsid(found.Pid) == found.Pid
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def everybody_reads(file: str) -> bool:
    """Whether no directory on the way to it keeps other users out."""
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in Path(file).resolve().parents)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.skipif(os.geteuid() != 0, reason="becoming nobody needs root")
@pytest.mark.skipif(
    not everybody_reads(__file__), reason="nobody may not read the provider in this directory"
)
def test_a_lesser_account_has_no_rights_of_the_services(registered: Registered, group: str) -> None:
    """Its providers' code is loaded as nobody, who must be able to read it."""
    import pwd

    lesser = registered.register("Looking", more=f'HostingModel = "NetworkServiceHost:{group}";')
    assert query(registered, lesser).objects[0].Number == pwd.getpwnam("nobody").pw_uid


@pytest.mark.req("calls:H10", "calls:H12", "B-42")
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_too_much_ends_a_host(group: str) -> None:
    own = Registered()
    own.cimv2 = own.connect("root\\default")
    root = own.connect("root")
    (quotas,) = own.collect(ops.GetObject("__ProviderHostQuotaConfiguration=@"), services=root).objects
    small = quotas.with_(
        {"MemoryPerHost": 256 << 20, "HandlesPerHost": 40, "ThreadsPerHost": 20, "ProcessLimitAllHosts": 2}
    )
    assert own.status(ops.PutInstance(small), services=root) == 0
    try:
        name = own.register("Greedy", more=HOST.format(group))
        assert status(query(own, name)) == s.WBEM_E_QUOTA_VIOLATION
        sink = Collector()
        own.start(ops.GetObject(f"{name}=2"), sink)
        until(lambda: own.host.providers.hosts.poll() or sink.finished.is_set())
        assert status(sink) == s.WBEM_E_QUOTA_VIOLATION
        assert (
            own.status(ops.GetObject(f"{name}=1")) == s.WBEM_E_PROVIDER_FAILURE
        )  # the kernel keeps this one
        names = [own.register(more=HOST.format(f"{group}-{number}")) for number in range(3)]
        codes = [own.status(ops.GetObject(f"{one}=1")) for one in names]
        assert codes == [0, s.WBEM_E_QUOTA_VIOLATION, s.WBEM_E_QUOTA_VIOLATION]
    finally:
        own.host.shut_down()
    assert own.host.providers._hosts is None


@pytest.mark.req("F-03")
def test_a_host_process_ends_with_the_service(tmp: Path) -> None:
    """Killed, the service cannot clean up: its host processes notice."""
    import subprocess

    program = """
import os, sys, time
from openwmi import host
from openwmi.contract import operations as ops
from tests.service.registered.conftest import Registered, SAMPLES
host.announce(SAMPLES)
own = Registered()
own.cimv2 = own.connect("root\\\\default")
name = own.register(more='HostingModel = "LocalSystemHost";')
print(own.collect(ops.GetObject(f"{name}=1")).objects[0].Pid, flush=True)
time.sleep(60)
"""
    root = Path(host.__file__).parents[2]
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}"},
    )
    assert child.stdout is not None
    pid = int(child.stdout.readline())
    assert Path(f"/proc/{pid}").exists() or sys.platform != "linux"
    child.kill()
    child.wait()
    child.stdout.close()

    def gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"  # waits for init to bury it

    until(gone)
