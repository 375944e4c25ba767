"""ActiveScriptEventConsumer: refused unless the service's own environment allows Python; then real processes."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.consumers.conftest import OWNER, Event, Told
from tests.consumers.test_logfile import mapped

from openwmi.consumers import running
from openwmi.consumers import script as scripts
from openwmi.consumers.script import VARIABLE, ActiveScriptEventConsumer, command_of
from openwmi.contract.caller import Caller
from openwmi.contract.provider import Delivery
from openwmi.model.errors import WbemError
from openwmi.model.status import (
    WBEM_E_ACCESS_DENIED,
    WBEM_E_FAILED,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_NOT_SUPPORTED,
    WBEM_E_SERVER_TOO_BUSY,
    WBEM_E_TIMED_OUT,
)
from openwmi.service.namespaces import Namespace


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "lua, Python")


@pytest.mark.req("E-73")
@pytest.mark.parametrize("engine", ["VBScript", "JScript", "python"])
def test_nothing_runs_unless_it_is_allowed(
    tell: Told, event: Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    script = f"open({str(tmp_path / 'ran')!r}, 'w')"
    with pytest.raises(WbemError) as failed:
        tell(ActiveScriptEventConsumer(), event(), ScriptingEngine=engine, ScriptText=script)
    assert failed.value.code == WBEM_E_NOT_SUPPORTED
    assert VARIABLE in failed.value.message
    assert os.listdir(tmp_path) == []


@pytest.mark.req("E-73")
def test_other_engines_do_not_run_even_then(tell: Told, event: Event, allowed: None) -> None:
    with pytest.raises(WbemError) as failed:
        tell(ActiveScriptEventConsumer(), event(), ScriptingEngine="VBScript", ScriptText="MsgBox 1")
    assert failed.value.code == WBEM_E_NOT_SUPPORTED


@pytest.mark.slow
@pytest.mark.req("E-73")
@pytest.mark.parametrize("from_file", [False, True])
def test_a_script_sees_the_event(
    tell: Told, event: Event, part: Event, allowed: None, tmp_path: Path, from_file: bool
) -> None:
    script = (
        f"with open({str(tmp_path / 'out')!r}, 'w') as out:\n"
        "    print(TargetEvent.text, TargetEvent.Numbers, TargetEvent.One.Drive, TargetEvent['__CLASS'],"
        " TargetEvent.Empty, file=out)\n"
    )
    (tmp_path / "script.py").write_text(script)
    how = {"ScriptFileName": str(tmp_path / "script.py")} if from_file else {"ScriptText": script}
    one = event(Text="é", Numbers=[1, 2], One=part(Id=1, Drive="C:"))
    tell(ActiveScriptEventConsumer(), one, ScriptingEngine="Python", **how)
    assert (tmp_path / "out").read_text() == "é [1, 2] C: Rang None\n"


@pytest.mark.slow
@pytest.mark.req("E-73", "E-57")
def test_a_script_that_fails_is_a_failure(tell: Told, event: Event, allowed: None) -> None:
    for script, says in [
        ("raise ValueError('no disk')", "ValueError: no disk"),
        ("import sys; sys.stderr.write('x' * 100_000 + '\\nlast'); sys.exit(3)", "exit code 3: last"),
        ("this is no Python", "SyntaxError"),
        ("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
    ]:
        with pytest.raises(WbemError, match=says) as failed:
            tell(ActiveScriptEventConsumer(), event(), ScriptingEngine="python", ScriptText=script)
        assert failed.value.code == WBEM_E_FAILED


@pytest.mark.slow
@pytest.mark.req("E-73")
def test_an_empty_file_name_is_none(tell: Told, event: Event, allowed: None) -> None:
    """impacket's wmipersist.py sends empty texts where Windows has NULL."""
    tell(ActiveScriptEventConsumer(), event(), ScriptingEngine="python", ScriptText="pass", ScriptFileName="")


@pytest.mark.slow
@pytest.mark.req("E-73")
def test_a_script_that_takes_too_long_is_killed(tell: Told, event: Event, allowed: None) -> None:
    script = "import subprocess; subprocess.run(['sleep', '1000'])"
    with pytest.raises(WbemError) as failed:
        tell(ActiveScriptEventConsumer(), event(), ScriptingEngine="python", ScriptText=script, KillTimeout=1)
    assert failed.value.code == WBEM_E_TIMED_OUT


class Gate:
    """What scripts wait for, each for a byte of its own, which is its exit code."""

    def __init__(self, folder: Path) -> None:
        path = str(folder / "gate")
        os.mkfifo(path)
        self._end = os.open(path, os.O_RDWR)
        self.script = f"import os, sys; sys.exit(os.read(os.open({path!r}, os.O_RDONLY), 1)[0])"

    def open(self, *codes: int) -> None:
        os.write(self._end, bytes(codes))

    def close(self) -> None:
        os.close(self._end)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    one = Gate(tmp_path)
    yield one
    one.close()


@pytest.mark.slow
@pytest.mark.req("E-73", "E-57")
def test_a_script_without_a_limit_runs_on_and_is_no_failure(
    tell: Told, event: Event, allowed: None, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts, "PATIENCE", 0.01)
    monkeypatch.setattr(running, "RUNNING", 3)
    monkeypatch.setattr(running, "PATIENCE", 0.01)
    provider = ActiveScriptEventConsumer()
    for _ in range(3):
        tell(provider, event(), ScriptingEngine="python", ScriptText=gate.script)
    assert not provider.settle(0)
    with pytest.raises(WbemError) as failed:
        tell(provider, event(), ScriptingEngine="python", ScriptText="pass")
    assert failed.value.code == WBEM_E_SERVER_TOO_BUSY, "its events wait"
    assert tell.late == []
    gate.open(0, 3, 0)
    assert provider.settle(60)
    (late,) = tell.late
    assert (late.code, late.message) == (WBEM_E_FAILED, "the script ended with exit code 3: ")


@pytest.mark.slow
def test_a_script_with_a_limit_is_waited_for(
    tell: Told, event: Event, allowed: None, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts, "PATIENCE", 0.0)
    gate.open(5)
    with pytest.raises(WbemError, match="exit code 5"):
        tell(
            ActiveScriptEventConsumer(),
            event(),
            ScriptingEngine="python",
            ScriptText=gate.script,
            KillTimeout=60,
        )
    assert tell.late == []


@pytest.mark.req("E-73")
def test_the_setting_for_all_scripts_counts_where_a_consumer_says_nothing(
    tell: Told, subscription: Namespace
) -> None:
    namespaces = subscription.namespaces
    cimv2 = namespaces.named("root\\cimv2")
    setting = namespaces.singleton(cimv2.path, "ScriptingStandardConsumerSetting")
    assert setting is not None
    assert (setting.MaximumScripts, setting.Timeout) == (300, 0)
    one, other = (
        tell.consumer("ActiveScriptEventConsumer"),
        tell.consumer("ActiveScriptEventConsumer", KillTimeout=7),
    )
    assert one.class_ is not None
    for minutes, seconds in [(0, 0), (2, 120)]:
        changed = setting.with_({"Timeout": minutes})
        request = Delivery(one.class_, caller=OWNER, singleton=lambda namespace, name, found=changed: found)  # type: ignore[misc]
        assert command_of(request, one).seconds == seconds
        assert command_of(request, other).seconds == 7
        assert ActiveScriptEventConsumer().delivery_limit(request, one) == (seconds or None)
        assert ActiveScriptEventConsumer().delivery_limit(request, other) == 7
    assert namespaces.singleton(cimv2.path, "Win32_Process") is None
    assert namespaces.singleton("root\\nowhere", "ScriptingStandardConsumerSetting") is None


@pytest.mark.req("E-73")
@pytest.mark.parametrize(
    "values", [{}, {"ScriptText": "pass", "ScriptFileName": "/x"}, {"ScriptText": "", "ScriptFileName": ""}]
)
def test_exactly_one_of_text_and_file(
    tell: Told, event: Event, allowed: None, values: dict[str, str]
) -> None:
    with pytest.raises(WbemError) as failed:
        tell(ActiveScriptEventConsumer(), event(), ScriptingEngine="python", **values)
    assert failed.value.code == WBEM_E_INVALID_PARAMETER


def test_an_account_that_stands_for_nobody_runs_nothing(tell: Told, event: Event, allowed: None) -> None:
    stranger = Caller("S-1-5-32-544", "Administrators", remote=True)
    with pytest.raises(WbemError) as failed:
        tell(
            ActiveScriptEventConsumer(), event(), caller=stranger, ScriptingEngine="python", ScriptText="pass"
        )
    assert failed.value.code == WBEM_E_ACCESS_DENIED


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_a_script_runs_as_who_created_it_and_so_is_its_file_read(
    tell: Told, event: Event, allowed: None, tmp_path: Path
) -> None:
    creator = mapped()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "secret").chmod(0o600)
    provider = ActiveScriptEventConsumer()
    uid = pwd.getpwnam("nobody").pw_uid
    script = f"import os, sys; sys.exit(f'{{os.getuid()}} {{os.getgroups()}}' if os.getuid() == {uid} else 0)"
    with pytest.raises(WbemError, match=str(uid)):
        tell(provider, event(), caller=creator, ScriptingEngine="python", ScriptText=script)
    with pytest.raises(WbemError, match="PermissionError") as failed:
        tell(
            provider,
            event(),
            caller=creator,
            ScriptingEngine="python",
            ScriptFileName=str(tmp_path / "secret"),
        )
    assert "secret'" in failed.value.message
