"""`openwmi serve` run by root, asked by impacket: what accounts may, and as whom they act on the machine."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.remote.server.impacket_kit import close_everything
from tests.remote.server.serving import PASSWORD, own_address
from tests.remote.server.test_impacket import LEVELS, Client, all_of, properties

wmi = pytest.importorskip("impacket.dcerpc.v5.dcom.wmi")
NULL = pytest.importorskip("impacket.dcerpc.v5.dtypes").NULL
ROOT = Path(__file__).resolve().parents[3]
DENIED = "WBEM_E_ACCESS_DENIED"
CIMV2 = "//./root/cimv2"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.geteuid() != 0,
        reason="becoming other users, and port 135, need root: run the tests as root, as CI does",
    ),
]


class Machine(NamedTuple):
    """A running `openwmi serve`, and its command line."""

    address: str
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[str]

    def openwmi(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "openwmi", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("served")
    environment = {**os.environ, "OPENWMI_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT / "src")}
    address, log = own_address(), folder / "log"
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "openwmi", "serve", "--listen", f"{address}:135"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    made = Machine(address, environment, log, process)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == f"listening on {address}:135\n"
        for words in ("plain", "mapped --as nobody", "boss --admin", "chief --admin --as root"):
            made.openwmi("user", "add", *words.split(), "--password-file", str(secret), "-q")
        yield made
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        process.stdout.close()  # type: ignore[union-attr]


@pytest.fixture
def client(machine: Machine) -> Iterator[Callable[..., Client]]:
    """Log on; impacket can have one client of an address at a time."""

    def connected(user: str, level: str = "privacy") -> Client:
        close_everything()
        return Client(machine.address, LEVELS[level], user)

    yield connected
    close_everything()


@pytest.fixture
def log_in(client: Callable[..., Client]) -> Callable[..., Any]:
    return lambda user, namespace=CIMV2, level="privacy": client(user, level).log_in(namespace)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "300"])
    yield process
    process.kill()
    process.wait()


def create(services: Any, command: str) -> dict[str, Any]:
    of_class, _ = services.GetObject("Win32_Process")
    return properties(of_class.Create(command, "/", None))


def instance(services: Any, pid: int) -> Any:
    (found,) = all_of(services.ExecQuery(f"SELECT * FROM Win32_Process WHERE ProcessId = {pid}", lFlags=0x30))
    return found


@pytest.mark.parametrize("user", ["plain", "boss"])
def test_an_unmapped_account_starts_and_ends_no_process(
    log_in: Callable[..., Any], sleeper: subprocess.Popen[bytes], tmp_path: Path, user: str
) -> None:
    services = log_in(user)
    made = create(services, f"touch {tmp_path}/made")
    assert (made["ReturnValue"], made["ProcessId"]) == (2, None)
    assert properties(instance(services, sleeper.pid).Terminate(1))["ReturnValue"] == 2
    assert sleeper.poll() is None
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("user", ["plain", "boss"])
def test_an_unmapped_account_reads_no_guarded_column(
    log_in: Callable[..., Any], sleeper: subprocess.Popen[bytes], user: str
) -> None:
    seen = properties(instance(log_in(user), sleeper.pid))
    assert seen["Name"] == "sleep"
    guarded = ("ExecutablePath", "CommandLine", "HandleCount", "ReadTransferCount", "WriteTransferCount")
    assert [seen[name] for name in guarded] == [None] * 5


@pytest.mark.req("F-27")
@pytest.mark.parametrize("user", ["plain", "mapped", "chief"])
def test_nobody_from_elsewhere_subscribes_to_files(log_in: Callable[..., Any], user: str) -> None:
    """However an account is mapped, and whatever rights it has; the call itself refuses, and waits for nothing."""
    query = (
        "SELECT * FROM __InstanceModificationEvent WITHIN 60 WHERE TargetInstance ISA 'CIM_DataFile'"
        " AND TargetInstance.Name = '/etc/hosts'"
    )
    services = log_in(user)
    began = time.monotonic()
    with pytest.raises(Exception, match=DENIED):
        services.ExecNotificationQuery(query, lFlags=0x30)
    assert time.monotonic() - began < 10


def test_an_account_that_is_mapped_to_nobody_acts_as_nobody(
    log_in: Callable[..., Any], sleeper: subprocess.Popen[bytes]
) -> None:
    nobody = pwd.getpwnam("nobody")
    services = log_in("mapped")
    made = create(services, "sleep 300")
    assert made["ReturnValue"] == 0
    pid = int(made["ProcessId"])
    status = Path(f"/proc/{pid}/status").read_text()
    assert f"\nUid:\t{nobody.pw_uid}\t{nobody.pw_uid}\t{nobody.pw_uid}\t{nobody.pw_uid}\n" in status
    own = instance(services, pid)
    assert properties(own)["ExecutablePath"].endswith("sleep")
    stranger = instance(services, sleeper.pid)
    assert properties(stranger)["ExecutablePath"] is None
    assert properties(stranger.Terminate(1))["ReturnValue"] == 2
    assert sleeper.poll() is None
    assert properties(own.Terminate(1))["ReturnValue"] == 0


def test_an_account_that_is_mapped_to_root_acts_as_root(
    log_in: Callable[..., Any], sleeper: subprocess.Popen[bytes]
) -> None:
    services = log_in("chief")
    found = instance(services, sleeper.pid)
    assert properties(found)["ExecutablePath"].endswith("sleep")
    assert properties(found)["CommandLine"] == "sleep 300"
    assert properties(found.Terminate(1))["ReturnValue"] == 0
    assert sleeper.wait(10) == -signal.SIGKILL


def test_rights_are_those_that_the_command_line_has_given(
    machine: Machine, client: Callable[..., Client]
) -> None:
    place = "//./root/subscription"
    made = client("plain").dcom.CoCreateInstanceEx(wmi.CLSID_WbemLevel1Login, wmi.IID_IWbemLevel1Login)
    login = wmi.IWbemLevel1Login(made)
    before = login.NTLMLogin(place, NULL, NULL)
    machine.openwmi("sec", "revoke", "root/subscription", "plain", "execute-methods")
    after = login.NTLMLogin(place, NULL, NULL)
    rights = [
        properties(one.GetObject("__SystemSecurity")[0].GetCallerAccessRights())["rights"]
        for one in (before, after)
    ]
    assert rights == [0x33, 0x31]  # a connection keeps what it has (A13)
    with pytest.raises(Exception, match=DENIED):
        after.ExecMethod("__SystemSecurity", "GetSD")
    machine.openwmi("sec", "grant", "root/subscription", "plain", "execute-methods", "read-security")
    of_class, _ = login.NTLMLogin(place, NULL, NULL).GetObject("__SystemSecurity")
    assert [int(one) for one in properties(of_class.GetSD())["SD"]][:2] == [1, 0]
    machine.openwmi("sec", "revoke", "root/subscription", "plain", "remote-enable")
    with pytest.raises(Exception, match=DENIED):
        login.NTLMLogin(place, NULL, NULL)


def test_a_namespace_that_requires_encryption(machine: Machine, log_in: Callable[..., Any]) -> None:
    """Each call's own level counts (A12): impacket logs on at the level that the server hints at, then raises it."""
    machine.openwmi("sec", "encrypt", "root/subscription")
    try:
        services = log_in("boss", "//./root/subscription", "integrity")
        with pytest.raises(Exception, match=DENIED):
            services.GetObject("__Namespace")
        services = log_in("boss", "//./root/subscription", "privacy")
        assert services.GetObject("__Namespace")
    finally:
        machine.openwmi("sec", "encrypt", "root/subscription", "--off")
    services = log_in("boss", "//./root/subscription", "integrity")
    assert services.GetObject("__Namespace")


def test_an_account_that_is_gone_logs_on_no_more(
    machine: Machine, client: Callable[..., Client], tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    machine.openwmi("user", "add", "brief", "--password-file", str(secret), "-q")
    brief = client("brief")
    assert brief.log_in(CIMV2) is not None
    machine.openwmi("user", "rm", "brief", "-q")
    refused = f"{DENIED}|rejected|rpc_s_access_denied"  # impacket opens new connections
    with pytest.raises(Exception, match=refused):
        brief.log_in(CIMV2)
    with pytest.raises(Exception, match="rpc_s_access_denied"):
        client("brief").log_in(CIMV2)


def test_what_was_done_stands_in_the_log_without_its_parameters(
    machine: Machine, log_in: Callable[..., Any]
) -> None:
    create(log_in("plain"), "login --password hunter2")
    text = machine.log.read_text()
    assert "hunter2" not in text
    assert PASSWORD not in text
    line = next(one for one in text.splitlines() if "openwmi.audit" in one and "Win32_Process.Create" in one)
    for field in ("account=plain", f"address={machine.address}"[:12], "operation=ExecMethod", "result=ok"):
        assert field in line
    assert "account=plain" in next(
        one for one in text.splitlines() if "openwmi.logon" in one and "plain" in one
    )
