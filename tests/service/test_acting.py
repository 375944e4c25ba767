"""Nobody remote acts as the service (DESIGN.md section 5): what is guarded is reached as the caller's own Unix user, in
a process that really is that user, or not at all."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.service.conftest import Collector, Running
from tests.service.vault import MOF, Plain, Vault

import openwmi
from openwmi.contract import operations as ops
from openwmi.contract.logon import Identity
from openwmi.model.status import WBEM_E_ACCESS_DENIED, WBEM_E_PROVIDER_FAILURE
from openwmi.mof import class_declarations
from openwmi.providers import CLASSES
from openwmi.service.connection import Connection

NAMESPACE = "root\\Vault"
as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="becoming another user needs root: run the tests as root, as CI does"
)
GROUPS = ("S-1-1-0", "S-1-5-2", "S-1-5-11", "S-1-5-32-544")


@pytest.fixture
def vault(running: Running) -> Iterator[Running]:
    space = running.host.namespaces.add(NAMESPACE)
    running.host.providers.register(Vault())
    running.host.providers.register(Plain())
    for one in class_declarations(MOF):
        space.provided.add(one)
        space.schema.forget(one.name)
    yield running
    space.providers.retire()
    until_none(running)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that everybody can enter, and only its owner write to."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


def log_on(running: Running, runs_as: str | None, namespace: str = NAMESPACE) -> Connection:
    who = Identity("S-1-5-21-1-2-3-1001", "alice", GROUPS, runs_as)
    return running.host.portal.submit(
        running.host.log_on, who, namespace, address="192.0.2.7", auth_level=6
    ).result(10)


def only(running: Running, operation: ops.AnyOperation, services: Connection) -> Any:
    sink = running.collect(operation, services=services)
    assert sink.outcome is not None
    assert sink.outcome.status == 0
    (one,) = sink.objects
    return one


def until_none(running: Running) -> None:
    """Wait until the processes of callers have gone; they are let go of on another thread."""
    pause = threading.Event()
    for _ in range(2000):
        if not processes(running):
            return
        pause.wait(0.02)
    raise AssertionError(processes(running))


def processes(running: Running) -> list[Any]:
    hosts = running.host.providers._hosts
    return hosts.running if hosts is not None else []


SECRET = "SELECT * FROM Vault_Secret"


def test_the_owner_reads_and_does_everything_in_the_services_own_process(vault: Running) -> None:
    owner = vault.connect(NAMESPACE)
    before = processes(vault)
    secret = only(vault, ops.ExecQuery(SECRET), owner)
    assert (secret.Closed, secret.Uid, secret.AsCaller) == ("closed", os.geteuid(), True)
    assert only(vault, ops.ExecMethod("Vault_Secret", "Change", {"How": "well"}), owner).ReturnValue == 0
    assert len(vault.collect(ops.CreateInstanceEnum("Vault_Hidden"), services=owner).objects) == 1
    assert processes(vault) == before


@pytest.mark.req("calls:I5", "calls:A18", "G-66")
def test_an_unmapped_account_gets_null_nothing_and_a_refusal(vault: Running, tmp_path: Path) -> None:
    alice = log_on(vault, None)
    secret = only(vault, ops.ExecQuery(SECRET), alice)
    assert (secret.Open, secret.Closed, secret.AsCaller) == ("open", None, False)
    assert only(vault, ops.GetObject("Vault_Secret.Number=1"), alice).Closed is None
    assert vault.collect(ops.CreateInstanceEnum("Vault_Hidden"), services=alice).objects == []
    changed = only(vault, ops.ExecMethod("Vault_Secret", "Change", {"How": "die"}), alice)
    assert (changed.ReturnValue, changed.Uid) == (2, None)
    assert vault.status(ops.ExecMethod("Vault_Secret", "Erase"), services=alice) == WBEM_E_ACCESS_DENIED
    assert (
        only(vault, ops.ExecMethod("Vault_Secret", "Look"), alice).Uid == os.geteuid()
    )  # it changes nothing
    put = ops.PutInstance(secret.with_({"Open": str(tmp_path / "put")}))
    assert vault.status(put, services=alice) == WBEM_E_ACCESS_DENIED
    assert vault.status(ops.DeleteInstance("Vault_Secret.Number=1"), services=alice) == WBEM_E_ACCESS_DENIED
    assert not (tmp_path / "put").exists()
    assert processes(vault) == []


def test_one_that_guards_nothing_runs_where_it_is(vault: Running) -> None:
    alice = log_on(vault, "nobody")
    assert only(vault, ops.ExecQuery("SELECT * FROM Vault_Plain"), alice).Uid == os.geteuid()
    assert only(vault, ops.ExecMethod("Vault_Plain", "Do"), alice).ReturnValue == 0
    assert only(vault, ops.ExecQuery("SELECT Number, Open FROM Vault_Secret"), alice).Open == "open"
    assert processes(vault) == []


@as_root
@pytest.mark.slow
@pytest.mark.req("calls:A18", "A-323", "G-66")
def test_a_mapped_account_reads_and_does_as_its_own_user(vault: Running, reachable: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    alice = log_on(vault, "nobody")
    secret = only(vault, ops.ExecQuery(SECRET), alice)
    assert (secret.Closed, secret.Uid, secret.AsCaller) == ("closed", nobody.pw_uid, True)
    assert secret.Caller == f"alice True 192.0.2.7 {('nobody', *os.getgrouplist('nobody', nobody.pw_gid))}"
    assert only(vault, ops.GetObject("Vault_Secret.Number=1"), alice).Uid == nobody.pw_uid
    assert only(vault, ops.CreateInstanceEnum("Vault_Hidden"), alice).Uid == nobody.pw_uid
    for method in ("Change", "Erase"):
        params = {"How": "well"} if method == "Change" else None
        assert only(vault, ops.ExecMethod("Vault_Secret", method, params), alice).ReturnValue == 0
    assert only(vault, ops.ExecMethod("Vault_Secret", "Change", {"How": "well"}), alice).Uid == nobody.pw_uid
    # Files of ours are out of reach for it, although the service could write them.
    put = ops.PutInstance(secret.with_({"Open": str(reachable / "put")}))
    assert vault.status(put, services=alice) == WBEM_E_PROVIDER_FAILURE
    assert not (reachable / "put").exists()
    reachable.chmod(0o777)
    assert vault.status(put, services=alice) == 0
    assert (reachable / "put").read_text() == f"put by {nobody.pw_uid}"
    assert (reachable / "put").stat().st_uid == nobody.pw_uid
    failed = vault.collect(ops.DeleteInstance("Vault_Secret.Number=1"), services=alice).outcome
    assert failed is not None
    assert failed.error is not None
    assert f"deleted by {nobody.pw_uid}" in str(failed.error["Description"])


@as_root
@pytest.mark.slow
def test_associations_are_followed_as_the_caller(vault: Running) -> None:
    query = "ASSOCIATORS OF {Vault_Secret.Number=1}"
    assert only(vault, ops.ExecQuery(query), log_on(vault, "nobody")).Uid == pwd.getpwnam("nobody").pw_uid
    assert vault.collect(ops.ExecQuery(query), services=log_on(vault, None)).objects == []


@as_root
@pytest.mark.slow
def test_the_process_has_the_users_rights_and_no_way_back(vault: Running) -> None:
    only(vault, ops.ExecQuery(SECRET), log_on(vault, "daemon"))
    (process,) = processes(vault)
    lines = dict(
        line.split(":\t", 1)
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
        if ":\t" in line
    )
    user = pwd.getpwnam("daemon")
    assert lines["Uid"].split() == [str(user.pw_uid)] * 4
    assert lines["Gid"].split() == [str(user.pw_gid)] * 4
    assert {int(one) for one in lines["Groups"].split()} == set(os.getgrouplist("daemon", user.pw_gid))
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(lines[capabilities], 16) == 0
    assert lines["NoNewPrivs"].strip() == "1"
    open_files = {
        os.readlink(f"/proc/{process.pid}/fd/{one}").split(":")[0]
        for one in os.listdir(f"/proc/{process.pid}/fd")
    }
    assert open_files <= {"/dev/null", "socket", "anon_inode", "/dev/urandom"}


@as_root
@pytest.mark.slow
def test_users_do_not_share_a_process_and_one_that_dies_takes_its_own_calls_alone(vault: Running) -> None:
    alice, bob = log_on(vault, "nobody"), log_on(vault, "daemon")
    only(vault, ops.ExecQuery(SECRET), alice)
    only(vault, ops.ExecQuery(SECRET), bob)
    assert len(processes(vault)) == 2
    waiting = Collector()
    vault.start(ops.ExecMethod("Vault_Secret", "Change", {"How": "hang"}), waiting, services=alice)
    died = vault.collect(ops.ExecMethod("Vault_Secret", "Change", {"How": "die"}), services=bob)
    assert died.outcome is not None
    assert died.outcome.status == WBEM_E_PROVIDER_FAILURE
    assert not waiting.finished.is_set()
    secret = only(vault, ops.ExecQuery(SECRET), bob)  # with another process
    assert secret.Uid == pwd.getpwnam("daemon").pw_uid
    for process in processes(vault):
        if ":nobody:" in process.name.account:
            os.kill(process.pid, signal.SIGKILL)
    assert waiting.finished.wait(10)
    assert waiting.outcome is not None
    assert waiting.outcome.status == WBEM_E_PROVIDER_FAILURE


@as_root
@pytest.mark.slow
def test_calls_of_one_user_run_side_by_side_in_one_process(vault: Running) -> None:
    alice = log_on(vault, "nobody")
    sinks = [Collector() for _ in range(20)]
    for sink in sinks:
        vault.start(ops.ExecQuery(SECRET), sink, services=alice)
    assert all(sink.finished.wait(20) for sink in sinks)
    assert {sink.objects[0].Uid for sink in sinks} == {pwd.getpwnam("nobody").pw_uid}
    assert len(processes(vault)) == 1


@as_root
def test_an_account_whose_user_is_gone_is_like_one_without(vault: Running) -> None:
    alice = log_on(vault, "no-such-user-here")
    assert only(vault, ops.ExecQuery(SECRET), alice).Closed is None
    assert only(vault, ops.ExecMethod("Vault_Secret", "Change", {"How": "die"}), alice).ReturnValue == 2


NOT_ROOT = """
import os, pwd
from openwmi.contract.caller import UnixUser
from openwmi.service.acting import can_become
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print([can_become(UnixUser(str(uid), uid, uid)) for uid in (65534, 65533, 0)])
"""


@as_root
@pytest.mark.slow
def test_a_service_that_is_not_root_becomes_nobody_else(vault: Running) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", NOT_ROOT],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)},
    )
    assert ended.stdout.strip() == "[True, False, False]", ended.stderr
    assert ended.stderr.count("is not root: it cannot act as") == 2


# Processes, the class that all this is for


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "300"])
    yield process
    process.kill()
    process.wait()


CIMV2 = "root\\cimv2"


def create(running: Running, services: Connection, command: str, **more: Any) -> Any:
    params = {"CommandLine": command, **more}
    return only(running, ops.ExecMethod("Win32_Process", "Create", params), services)


@pytest.mark.req("G-26", "calls:I5")
def test_an_unmapped_account_neither_starts_nor_ends_a_process(
    running: Running, sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    alice = log_on(running, None, CIMV2)
    made = create(running, alice, f"touch {tmp_path}/made")
    assert (made.ReturnValue, made.ProcessId) == (2, None)
    path = f'Win32_Process.Handle="{sleeper.pid}"'
    for method, params in (("Terminate", {"Reason": 1}), ("SetPriority", {"Priority": 64})):
        assert only(running, ops.ExecMethod(path, method, params), alice).ReturnValue == 2
    assert sleeper.poll() is None
    assert os.getpriority(os.PRIO_PROCESS, sleeper.pid) == os.getpriority(os.PRIO_PROCESS, 0)
    assert not (tmp_path / "made").exists()


@pytest.mark.req("G-25", "G-66")
def test_an_unmapped_account_reads_no_guarded_column(
    running: Running, sleeper: subprocess.Popen[bytes]
) -> None:
    alice = log_on(running, None, CIMV2)
    columns = "ExecutablePath, CommandLine, HandleCount, ReadTransferCount, WriteOperationCount"
    for query in (
        f"SELECT Name, {columns} FROM Win32_Process WHERE ProcessId = {sleeper.pid}",
        f"SELECT Name, {columns} FROM Win32_Process WHERE Name = 'sleep' AND ProcessId = {sleeper.pid}",
    ):
        row = only(running, ops.ExecQuery(query), alice)
        assert row.Name == "sleep"
        assert [row[one.strip()] for one in columns.split(",")] == [None] * 5
    found = running.collect(
        ops.ExecQuery(
            f"SELECT Name FROM Win32_Process WHERE CommandLine = 'sleep 300' AND ProcessId = {sleeper.pid}"
        ),
        services=alice,
    )
    assert found.objects == []  # nor learns them by asking


@as_root
@pytest.mark.slow
@pytest.mark.req("G-26", "calls:A18")
def test_a_mapped_account_starts_processes_as_its_user_and_ends_those_alone(
    running: Running, sleeper: subprocess.Popen[bytes]
) -> None:
    nobody = pwd.getpwnam("nobody")
    alice = log_on(running, "nobody", CIMV2)
    made = create(running, alice, "sleep 300")
    assert made.ReturnValue == 0
    status = Path(f"/proc/{made.ProcessId}/status").read_text()
    assert f"Uid:\t{nobody.pw_uid}\t{nobody.pw_uid}\t{nobody.pw_uid}\t{nobody.pw_uid}\n" in status
    assert f"Gid:\t{nobody.pw_gid}\t" in status
    environment = Path(f"/proc/{made.ProcessId}/environ").read_bytes().split(b"\0")
    assert f"HOME={nobody.pw_dir}".encode() in environment
    assert not any(one.startswith(b"OPENWMI") for one in environment)
    limits = Path(f"/proc/{made.ProcessId}/limits").read_text().splitlines()
    ours = Path("/proc/self/limits").read_text().splitlines()
    assert [one for one in limits if "data size" in one] == [one for one in ours if "data size" in one]
    query = f"SELECT ExecutablePath, CommandLine, HandleCount FROM Win32_Process WHERE ProcessId = {made.ProcessId}"
    row = only(running, ops.ExecQuery(query), alice)
    assert row.ExecutablePath.endswith("sleep")
    assert row.CommandLine == "sleep 300"
    stranger = only(running, ops.ExecQuery(query.replace(str(made.ProcessId), str(sleeper.pid))), alice)
    assert (stranger.ExecutablePath, stranger.HandleCount) == (None, None)
    other = f'Win32_Process.Handle="{sleeper.pid}"'
    assert only(running, ops.ExecMethod(other, "Terminate", {"Reason": 1}), alice).ReturnValue == 2
    assert sleeper.poll() is None
    own = f'Win32_Process.Handle="{made.ProcessId}"'
    assert only(running, ops.ExecMethod(own, "SetPriority", {"Priority": 64}), alice).ReturnValue == 0
    assert os.getpriority(os.PRIO_PROCESS, made.ProcessId) == 19
    assert only(running, ops.ExecMethod(own, "Terminate", {"Reason": 1}), alice).ReturnValue == 0


@as_root
@pytest.mark.slow
def test_what_was_started_outlives_the_process_that_started_it(running: Running) -> None:
    alice = log_on(running, "nobody", CIMV2)
    made = create(running, alice, "sleep 300")
    running.host.namespaces.named(CIMV2).providers.retire()
    until_none(running)
    os.kill(made.ProcessId, signal.SIGKILL)  # raises when it is gone already


@as_root
@pytest.mark.slow
def test_a_startup_object_reaches_the_callers_process(running: Running, tmp_path: Path) -> None:
    alice = log_on(running, "nobody", CIMV2)
    class_ = running.host.namespaces.named(CIMV2).schema.class_named("Win32_ProcessStartup")
    startup = class_.spawn({"EnvironmentVariables": ("COLOUR=green",), "PriorityClass": 64})
    made = create(running, alice, "sleep 300", ProcessStartupInformation=startup)
    assert made.ReturnValue == 0
    assert b"COLOUR=green" in Path(f"/proc/{made.ProcessId}/environ").read_bytes().split(b"\0")
    assert os.getpriority(os.PRIO_PROCESS, made.ProcessId) == 19
    os.kill(made.ProcessId, signal.SIGKILL)


@as_root
@pytest.mark.slow
def test_files_are_those_that_the_user_can_reach(running: Running, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    secret = tmp_path / "secret"
    secret.write_text("x")

    def found(services: Connection, path: str) -> int:
        query = ops.ExecQuery(f"SELECT Name FROM CIM_DataFile WHERE Name = '{path}'")
        return len(running.collect(query, services=services).objects)

    owner, mapped, unmapped = (
        running.connect(CIMV2),
        log_on(running, "nobody", CIMV2),
        log_on(running, None, CIMV2),
    )
    assert [found(one, "/etc/passwd") for one in (owner, mapped, unmapped)] == [1, 1, 0]
    assert [found(one, str(secret)) for one in (owner, mapped, unmapped)] == [1, 0, 0]


READS = {("win32_process", name) for name in ("getowner", "getownersid", "getavailablevirtualsize")}
NOT_THERE = {("win32_process", "attachdebugger")}  # the provider answers NOT_CAPABLE


def test_every_method_that_comes_with_the_service_is_guarded_or_known_to_read_only(running: Running) -> None:
    """Whoever writes a new one has to say which it is."""
    from openwmi.providers.cimwin32 import CimWin32

    provider = CimWin32()
    schema = running.host.namespaces.named(CIMV2).schema
    tried = 0
    for name, entry in CLASSES.items():
        if entry.module is None:
            continue
        class_ = schema.class_named(name)
        if type(provider._family(name)).method.__module__ == "openwmi.providers.columns":  # type: ignore[attr-defined]
            continue  # NOT_CAPABLE for every method
        guard = provider.guard(name)
        guarded = guard.methods if guard is not None else {}
        for key, method in class_.methods.items():
            if method.qualifiers.truth("implemented"):
                tried += 1
                assert key in guarded or (name, key) in READS | NOT_THERE, f"{class_.name}.{method.name}"
    assert tried > 10


DYING = """
import os, signal
from tests.service import test_acting as t
from tests.service.conftest import Running
running = Running()
alice = t.log_on(running, "nobody", t.CIMV2)
made = t.create(running, alice, "sleep 300")
print(t.processes(running)[0].pid, made.ProcessId, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def is_running(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


@as_root
@pytest.mark.slow
def test_a_service_that_is_killed_takes_the_callers_process_with_it_and_not_what_was_started() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", DYING],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)},
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    helper, started = map(int, ended.stdout.split())
    try:
        pause = threading.Event()
        for _ in range(200):
            if not is_running(helper):
                break
            pause.wait(0.05)
        assert not is_running(helper)
        assert is_running(started)
    finally:
        os.kill(started, signal.SIGKILL)


OUT_OF_REACH = """
import openwmi
from tests.service import test_acting as t
from tests.service.conftest import Running
running = Running()
alice = t.log_on(running, "nobody", t.CIMV2)
print(openwmi.__file__, t.create(running, alice, "true").ReturnValue, flush=True)
"""


@as_root
@pytest.mark.slow
def test_it_is_the_same_where_the_user_cannot_read_the_program(tmp_path: Path) -> None:
    """Installed below root's own directory, say: what the process needs is loaded before it is the user."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    shutil.copytree(Path(openwmi.__file__).parent, private / "openwmi", ignore=lambda *_: {"__pycache__"})
    ended = subprocess.run(
        [sys.executable, "-c", OUT_OF_REACH],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(private), *filter(None, sys.path)])},
    )
    assert ended.stdout.split() == [str(private / "openwmi/__init__.py"), "0"], ended.stderr
