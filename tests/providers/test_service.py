"""Win32_Service: the services of a real systemd, read, controlled, and told of as they change."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.providers.listening import ELSEWHERE, Heard, Machine
from tests.providers.questions import GUEST, OWNER, check_types, class_named, request
from tests.providers.systemd import Manager, running

from openwmi.contract.provider import Condition, Request
from openwmi.model import status as s
from openwmi.model.errors import WbemError
from openwmi.providers import service as module
from openwmi.providers.linux.host import Host
from openwmi.providers.linux.systemd import Listed, Systemd, path_of
from openwmi.providers.service import COLUMNS, Service, Services
from openwmi.providers.serviceevents import ServiceEvents


def unit(command: str = "/bin/sleep 1000", more: str = "", install: str = "", **settings: str) -> str:
    """A unit file."""
    lines = "\n".join(f"{name}={value}" for name, value in settings.items())
    return (
        f"[Unit]\nDefaultDependencies=no\n{lines}\n[Service]\nExecStart={command}\n{more}\n"
        f"[Install]\nWantedBy={install}\n"
    )


UNITS = {
    "sleeper.service": unit("/bin/sh -c 'sleep 1000'", Description="It sleeps"),
    "Cafe@x-1.service": unit(),
    "template@.service": unit(),
    "other-name.service": "->sleeper.service",
    "failing.service": unit("/bin/sh -c 'exit 42'", "Type=oneshot"),
    "killed.service": unit("/bin/sh -c 'kill -9 $$$$'", "Type=oneshot"),
    "well.service": unit("/bin/true", "Type=oneshot"),
    "stays.service": unit("/bin/true", "Type=oneshot\nRemainAfterExit=yes"),
    "enablable.service": unit(install="default.target"),
    "blocked.service": unit(),
    "needy.service": unit(Requires="failing.service", After="failing.service"),
    "slow.service": unit("/bin/sleep 1000", "ExecStartPre=/bin/sleep 0.4"),
    "nothing.service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStop=/bin/true\n",
}
OPERATION = "SELECT * FROM __Instance{}Event WHERE TargetInstance ISA 'Win32_Service'"


@pytest.fixture(scope="module")
def manager() -> Iterator[Manager]:
    with running({name: text for name, text in UNITS.items() if not text.startswith("->")}) as here:
        (here.units / "other-name.service").symlink_to("sleeper.service")
        here.control("reload")
        yield here


@pytest.fixture
def machine(manager: Manager) -> Iterator[Machine]:
    here = Machine(ServiceEvents(address=manager.address))
    yield here
    here.host.shut_down()


def services(manager: Manager, *columns: str, caller: Any = OWNER, **fixed: str) -> dict[str, dict[str, Any]]:
    """What the instances say, by name."""
    conditions = tuple(Condition(name, "=", value) for name, value in fixed.items())
    question = request("Win32_Service", *columns, caller=caller, conditions=conditions)
    rows = [dict(zip(question.columns, row, strict=True)) for row in family(manager).instances(question)]
    return {row.get("Name", str(number)): row for number, row in enumerate(rows)}


def family(manager: Manager) -> Services:
    return Services(address=manager.address)


def call(manager: Manager, name: str, method: str, caller: Any = OWNER, **params: object) -> int:
    question = Request(class_named("Win32_Service"), (), caller=caller)
    answer: Mapping[str, Any] = family(manager).method(question, method, {"Name": name}, params)
    return int(answer["ReturnValue"])


def one(manager: Manager, name: str, *columns: str) -> Any:
    found = family(manager).instance(request("Win32_Service", *columns), {"Name": name})
    return found[0] if found is not None and len(columns) == 1 else found


# Instances


@pytest.mark.req("G-28")
def test_what_counts_as_a_service(manager: Manager) -> None:
    names = set(services(manager, "Name"))
    expected = {name.removesuffix(".service") for name in UNITS if name.endswith(".service")} | {"dbus"}
    assert names == expected - {"template@", "other-name"}


@pytest.mark.req("G-28", "G-02", "G-03", "G-04")
def test_every_property_of_a_running_service(manager: Manager) -> None:
    assert call(manager, "sleeper", "StartService") == 0
    (row,) = services(manager, Name="SLEEPER").values()
    check_types("Win32_Service", [row])
    assert row.pop("ProcessId") > 0
    assert isinstance(row.pop("AcceptPause"), bool)
    null = {name for name, value in row.items() if value is None}
    assert null == {"CheckPoint", "InstallDate", "TagId", "WaitHint"}
    assert {name: value for name, value in row.items() if name not in null} == {
        "AcceptStop": True,
        "Caption": "It sleeps",
        "CreationClassName": "Win32_Service",
        "DelayedAutoStart": False,
        "Description": "It sleeps",
        "DesktopInteract": False,
        "DisplayName": "It sleeps",
        "ErrorControl": "Normal",
        "ExitCode": 0,
        "Name": "sleeper",
        "PathName": "/bin/sh -c 'sleep 1000'",
        "ServiceSpecificExitCode": 0,
        "ServiceType": "Own Process",
        "StartMode": "Manual",
        "StartName": "root",
        "Started": True,
        "State": "Running",
        "Status": "OK",
        "SystemCreationClassName": "Win32_ComputerSystem",
        "SystemName": Host().name,
    }
    assert call(manager, "sleeper", "StopService") == 0


@pytest.mark.req("G-28")
def test_how_services_ended(manager: Manager) -> None:
    columns = ("State", "Started", "ProcessId", "ExitCode", "ServiceSpecificExitCode", "Status", "AcceptStop")
    assert one(manager, "blocked", *columns) == ("Stopped", False, 0, 1077, 0, "OK", False)
    for name in ("failing", "killed", "well", "stays"):
        call(manager, name, "StartService")
    assert one(manager, "failing", *columns) == ("Stopped", False, 0, 1066, 42, "Error", False)
    assert one(manager, "killed", *columns) == ("Stopped", False, 0, 1066, 128 + 9, "Error", False)
    assert one(manager, "stays", *columns) == ("Running", True, 0, 0, 0, "OK", True)
    assert one(manager, "nothing", "PathName") is None


@pytest.mark.req("G-28", "A-007")
def test_a_look_up_finds_the_name_in_any_case(manager: Manager) -> None:
    assert one(manager, "CAFE@X-1", "Name") == "Cafe@x-1"
    assert one(manager, "no such service", "Name") is None
    assert one(manager, "sleeper.service", "Name") is None


def test_paths_of_objects_are_those_of_systemd(manager: Manager) -> None:
    systemd = Systemd(manager.address)
    for listed in systemd.services():
        assert listed.path in (None, path_of(listed.unit))
        assert systemd.ask("LoadUnit", "s", listed.unit) == (path_of(listed.unit),)
    systemd.close()


@pytest.mark.req("G-28", "G-04")
def test_a_service_without_a_description_is_called_by_its_name(manager: Manager) -> None:
    assert one(manager, "blocked", "DisplayName") in ("blocked", "blocked.service")


@pytest.mark.req("G-28")
@pytest.mark.parametrize(
    ("active", "freezer", "state", "status"),
    [
        ("active", "running", "Running", "OK"),
        ("reloading", "running", "Running", "OK"),
        ("activating", "running", "Start Pending", "Starting"),
        ("deactivating", "running", "Stop Pending", "Stopping"),
        ("inactive", "running", "Stopped", "OK"),
        ("failed", "running", "Stopped", "Error"),
        ("active", "frozen", "Paused", "OK"),
        ("active", "freezing", "Pause Pending", "OK"),
        ("active", "thawing", "Continue Pending", "OK"),
        ("inactive", "frozen", "Stopped", "OK"),
        ("something new", "running", "Unknown", "OK"),
    ],
)
def test_states(active: str, freezer: str, state: str, status: str) -> None:
    listed = Listed("a.service", "", active, "", None, "static")
    service = Service(Host(), listed, None, {"FreezerState": freezer})
    assert (COLUMNS["State"](service), COLUMNS["Status"](service)) == (state, status)


@pytest.mark.req("G-28")
@pytest.mark.parametrize(
    ("file", "mode"),
    [
        *[("enabled", "Auto"), ("enabled-runtime", "Auto"), ("static", "Manual"), ("disabled", "Manual")],
        *[("masked", "Disabled"), ("masked-runtime", "Disabled"), ("indirect", "Manual"), (None, "Manual")],
    ],
)
def test_start_modes(file: str | None, mode: str) -> None:
    service = Service(Host(), Listed("a.service", "", "active", "", None, file), None, {})
    assert COLUMNS["StartMode"](service) == mode


def test_a_query_for_lists_asks_nothing_of_single_services(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Systemd, "properties", lambda *_: pytest.fail("asked"))
    rows = services(manager, "Name", "StartMode", "Started")
    assert len(rows) > 5


# Machines without


@pytest.mark.req("G-28", "F-20")
def test_a_machine_without_systemd_says_so(tmp_path: Path) -> None:
    with pytest.raises(WbemError, match="systemd has not started this machine") as refused:
        list(Services(str(tmp_path)).instances(request("Win32_Service")))
    assert refused.value.code == s.WBEM_E_PROVIDER_NOT_CAPABLE
    assert ServiceEvents(str(tmp_path)).events == ()
    with pytest.raises(WbemError, match="cannot be reached") as refused:
        list(Services(address=f"unix:path={tmp_path}/none").instances(request("Win32_Service")))
    assert refused.value.code == s.WBEM_E_PROVIDER_NOT_CAPABLE


def test_a_program_without_jeepney_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "jeepney"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jeepney", None)
    with pytest.raises(WbemError, match=r"openwmi\[systemd\]") as refused:
        list(Services(address="unix:path=/nowhere").instances(request("Win32_Service")))
    assert refused.value.code == s.WBEM_E_PROVIDER_LOAD_FAILURE


# Methods


@pytest.mark.slow
@pytest.mark.req("G-29")
def test_start_and_stop(manager: Manager) -> None:
    assert call(manager, "sleeper", "InterrogateService") == module.NOT_ACTIVE
    assert call(manager, "sleeper", "startservice") == 0
    assert one(manager, "sleeper", "State") == "Running"
    assert call(manager, "sleeper", "StartService") == module.ALREADY_RUNNING
    assert call(manager, "sleeper", "InterrogateService") == 0
    assert call(manager, "sleeper", "UserControlService", ControlCode=200) == module.NOT_SUPPORTED
    assert call(manager, "sleeper", "StopService") == 0
    assert one(manager, "sleeper", "State") == "Stopped"
    assert call(manager, "sleeper", "StopService") == module.NOT_ACTIVE
    assert call(manager, "sleeper", "PauseService") == module.NOT_ACTIVE
    assert call(manager, "sleeper", "ResumeService") == module.NOT_ACTIVE
    assert call(manager, "needy", "StartService") == module.DEPENDENCY_FAILURE
    assert call(manager, "failing", "StartService") == module.UNKNOWN_FAILURE
    assert call(manager, "no such service", "StartService") == module.UNKNOWN_FAILURE


@pytest.mark.req("G-29")
def test_a_start_that_takes_too_long_says_so(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openwmi.providers.linux.systemd.JOB_SECONDS", 0.05)
    assert call(manager, "slow", "StartService") == module.TIMEOUT
    monkeypatch.undo()
    call(manager, "slow", "StopService")


@pytest.mark.slow
@pytest.mark.req("G-29")
def test_start_modes_are_changed(manager: Manager) -> None:
    for mode, shown in (("Automatic", "Auto"), ("Manual", "Manual"), ("Disabled", "Disabled")):
        assert call(manager, "enablable", "ChangeStartMode", StartMode=mode) == 0
        assert one(manager, "enablable", "StartMode") == shown
    assert call(manager, "enablable", "StartService") == module.DISABLED
    assert call(manager, "enablable", "ChangeStartMode", StartMode="manual") == 0
    assert one(manager, "enablable", "StartMode") == "Manual"
    assert call(manager, "blocked", "ChangeStartMode", StartMode="Boot") == module.NOT_SUPPORTED
    assert call(manager, "blocked", "ChangeStartMode", StartMode="often") == module.INVALID_PARAMETER
    assert call(manager, "sleeper", "ChangeStartMode", StartMode="Automatic") in (0, module.CANNOT_ACCEPT)


@pytest.mark.req("G-29", "G-60")
def test_what_systemd_does_not_let_programs_do_is_not_supported(manager: Manager) -> None:
    assert call(manager, "enablable", "Change", StartMode="Automatic") == 0
    assert one(manager, "enablable", "StartMode") == "Auto"
    assert call(manager, "enablable", "Change", StartMode="Manual", DisplayName=None) == 0
    assert one(manager, "enablable", "StartMode") == "Manual"
    assert call(manager, "enablable", "Change", DisplayName="x") == module.NOT_SUPPORTED
    assert call(manager, "enablable", "Change") == 0
    assert call(manager, "enablable", "Delete") == module.NOT_SUPPORTED
    question = Request(class_named("Win32_Service"), (), caller=OWNER)
    answer = family(manager).method(question, "Create", None, {"Name": "x", "PathName": "/bin/true"})
    assert answer == {"ReturnValue": module.NOT_SUPPORTED}


@pytest.mark.req("G-29", "G-60")
def test_callers_of_other_machines_change_nothing(manager: Manager) -> None:
    assert services(manager, "Name", caller=GUEST)
    assert call(manager, "sleeper", "StartService", GUEST) == module.ACCESS_DENIED
    assert one(manager, "sleeper", "State") == "Stopped"


# Events


def kind(event: Any) -> str:
    return str(event.classname_[len("__Instance") : -len("Event")])


def states(heard: Heard, name: str) -> list[tuple[str, str]]:
    """The changes of state of a service that were told."""
    pairs = [
        (e.PreviousInstance.State, e.TargetInstance.State)
        for e in heard.events
        if kind(e) == "Modification" and e.TargetInstance.Name == name
    ]
    return [(before, after) for before, after in pairs if before != after]


@pytest.mark.slow
@pytest.mark.req("G-28", "F-27", "E-01", "E-02", "G-61")
def test_a_service_that_starts_and_stops_is_told_of_without_polling(
    manager: Manager, machine: Machine
) -> None:
    heard = machine.subscribe(OPERATION.format("Modification"))
    manager.control("start", "slow.service", "replace")
    heard.until(lambda e: e.TargetInstance.Name == "slow" and e.TargetInstance.State == "Running")
    (running,) = heard.until(
        lambda e: (e.TargetInstance.Name, e.TargetInstance.State) == ("slow", "Running")
    )[-1:]
    manager.control("stop", "slow.service", "replace")
    heard.until(lambda e: e.TargetInstance.Name == "slow" and e.TargetInstance.State == "Stopped")
    assert states(heard, "slow") == [
        ("Stopped", "Start Pending"),
        ("Start Pending", "Running"),
        ("Running", "Stop Pending"),
        ("Stop Pending", "Stopped"),
    ] or states(heard, "slow") == [
        ("Stopped", "Start Pending"),
        ("Start Pending", "Running"),
        ("Running", "Stopped"),
    ]
    assert any(e.TargetInstance.ProcessId for e in heard.events)
    rows = [e for e in heard.events if e.TargetInstance.Name == "slow"]
    for earlier, later in pairwise(rows):
        assert later.PreviousInstance.values_ == earlier.TargetInstance.values_
    assert running.TargetInstance.relpath_ == 'Win32_Service.Name="slow"'


@pytest.mark.slow
@pytest.mark.req("G-28", "E-07")
def test_a_service_that_dies_is_told_of(manager: Manager, machine: Machine) -> None:
    call(manager, "sleeper", "StartService")
    heard = machine.subscribe(
        OPERATION.format("Modification")
        + " AND TargetInstance.State = 'Stopped' AND PreviousInstance.State <> 'Stopped'"
    )
    manager.control("kill", "sleeper.service", "main", "9")
    (event,) = heard.until(lambda e: True)
    assert event.TargetInstance.Name == "sleeper"
    final = heard.until(lambda e: True)[-1].TargetInstance
    assert (final.Status, final.ExitCode) == ("Error", 1066)


@pytest.mark.slow
@pytest.mark.req("G-28", "E-01")
def test_services_that_are_added_changed_and_removed(manager: Manager, machine: Machine) -> None:
    heard = machine.subscribe(OPERATION.format("Operation"))
    manager.write("added.service", unit("/bin/sleep 5", Description="One"))
    heard.until(lambda e: kind(e) == "Creation" and e.TargetInstance.Name == "added")
    manager.write("added.service", unit("/bin/sleep 6", Description="Two"))
    heard.until(lambda e: kind(e) == "Modification" and e.TargetInstance.PathName == "/bin/sleep 6")
    call(manager, "added", "ChangeStartMode", StartMode="Disabled")
    heard.until(lambda e: e.TargetInstance.Name == "added" and e.TargetInstance.StartMode == "Disabled")
    call(manager, "added", "ChangeStartMode", StartMode="Manual")
    manager.remove("added.service")
    heard.until(lambda e: kind(e) == "Deletion" and e.TargetInstance.Name == "added")
    assert {e.TargetInstance.Name for e in heard.events} == {"added"}
    assert [kind(e) for e in heard.events].count("Creation") == 1


@pytest.mark.slow
@pytest.mark.req("G-28")
def test_looking_at_a_service_that_is_not_loaded_tells_nothing(manager: Manager, machine: Machine) -> None:
    """systemd loads it for the question, and says so."""
    heard = machine.subscribe(OPERATION.format("Operation"))
    services(manager)
    call(manager, "sleeper", "StartService")
    heard.until(lambda e: e.TargetInstance.Name == "sleeper" and e.TargetInstance.State == "Running")
    assert {e.TargetInstance.Name for e in heard.events} == {"sleeper"}
    call(manager, "sleeper", "StopService")


@pytest.mark.slow
@pytest.mark.req("F-27")
def test_callers_of_other_machines_hear_of_services_too(manager: Manager, machine: Machine) -> None:
    heard = machine.subscribe(OPERATION.format("Modification"), ELSEWHERE)
    call(manager, "stays", "StopService")
    call(manager, "stays", "StartService")
    heard.until(lambda e: (e.TargetInstance.Name, e.TargetInstance.State) == ("stays", "Running"))


@pytest.mark.slow
@pytest.mark.req("calls:B90", "F-27", "E-21")
def test_a_systemd_that_goes_away_is_no_secret() -> None:
    with running({"a.service": unit()}) as manager:
        machine = Machine(ServiceEvents(address=manager.address))
        heard = machine.subscribe(OPERATION.format("Modification"))
        manager.stop()
        assert heard.until_ended().status in (s.WBEM_E_PROVIDER_FAILURE, s.WBEM_E_QUEUE_OVERFLOW)
        machine.host.shut_down()


# With the program that people use


def openwmi(manager: Manager, *arguments: str) -> Any:
    running = manager.inside(sys.executable, "-m", "openwmi", *arguments)
    out, err = running.communicate(timeout=30)
    return running.returncode, out, err


@pytest.mark.slow
@pytest.mark.req("G-28", "G-29")
def test_the_command_line_shows_and_controls_services(manager: Manager) -> None:
    path = 'Win32_Service.Name="sleeper"'
    query = "SELECT Name, State, PathName FROM Win32_Service WHERE Name LIKE 'sleep%'"
    code, out, err = openwmi(manager, "query", query, "-o", "jsonl")
    assert (code, err) == (0, "")
    row = json.loads(out)
    assert (row["Name"], row["State"], row["PathName"]) == ("sleeper", "Stopped", "/bin/sh -c 'sleep 1000'")
    assert openwmi(manager, "call", path, "StartService")[0] == 0
    assert one(manager, "sleeper", "State") == "Running"
    assert (
        openwmi(manager, "call", path, "StartService")[0] == 7
    )  # a method that returned something else than 0
    assert openwmi(manager, "call", path, "ChangeStartMode", "StartMode=often")[0] == 7
    assert openwmi(manager, "call", path, "StopService")[0] == 0
    assert one(manager, "sleeper", "State") == "Stopped"


@pytest.mark.slow
@pytest.mark.req("G-28", "E-21", "G-61")
def test_the_command_line_watches_services(manager: Manager, tmp_path: Path) -> None:
    """Another poll than the first would come after an hour."""
    where = "Name = 'sleeper' AND TargetInstance.State = 'Running'"
    arguments = (
        "watch",
        "Win32_Service",
        "--on",
        "modify",
        "--within",
        "1h",
        "--count",
        "1",
        "-v",
        "-o",
        "jsonl",
    )
    watch = manager.inside(sys.executable, "-m", "openwmi", *arguments, "--where", where)
    assert watch.stderr is not None
    assert "watching; Ctrl-C ends it\n" in iter(watch.stderr.readline, "")
    manager.control("start", "sleeper.service", "replace")
    out, _ = watch.communicate(timeout=30)
    assert json.loads(out)["TargetInstance"]["Name"] == "sleeper"
    assert watch.returncode == 0
    call(manager, "sleeper", "StopService")
