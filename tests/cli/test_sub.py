"""`openwmi sub` in this process, on a store of the tests' own; serve is another process where one has to run."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Ended
from tests.cli.test_serve import Served

from openwmi import host
from openwmi.cli import main as openwmi_main
from openwmi.contract.operations import DeleteInstance, PutInstance
from openwmi.service.ownership import Ownership, is_held

TIMERS = "SELECT * FROM __TimerEvent"
MADE = "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA '__IntervalTimerInstruction'"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("OPENWMI_HOME", str(tmp_path / "home"))
    yield tmp_path / "home"
    host.end(host.local())


@pytest.fixture
def sub(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        code = openwmi_main(["sub", *arguments])
        return Ended(code, *capsys.readouterr())

    return run


def rows(sub: Callable[..., Ended]) -> list[dict[str, Any]]:
    ended = sub("ls", "-o", "json")
    assert ended.code == 0
    found: list[dict[str, Any]] = json.loads(ended.out)
    return found


def test_nothing_is_there_at_first(sub: Callable[..., Ended], home: Path) -> None:
    assert sub("ls") == Ended(0, "", "")
    assert rows(sub) == []
    assert not home.exists()  # looking makes no store


def test_a_subscription_from_options_is_three_objects(sub: Callable[..., Ended], tmp_path: Path) -> None:
    ended = sub(
        "add", "t", "--query", TIMERS, "--log", str(tmp_path / "log"), "--text", "%TimerId%", "--dry-run"
    )
    assert ended.code == 0
    for line in (
        'Name = "t";',
        'Query = "SELECT * FROM __TimerEvent";',
        'EventNamespace = "root\\\\cimv2";',
        f'Filename = "{tmp_path}/log";',
        'Text = "%TimerId%";',
        'Filter = "__EventFilter.Name=\\"t\\"";',
        'Consumer = "LogFileEventConsumer.Name=\\"t\\"";',
    ):
        assert line in ended.out
    assert rows(sub) == []
    assert sub("add", "t", "--query", TIMERS, "--log", str(tmp_path / "log")).code == 0
    (row,) = rows(sub)
    assert (row["Name"], row["Consumer"], row["State"]) == ("t", "LogFileEventConsumer t", "not running")
    assert "openwmi serve" in row["Why"]
    assert row["Query"] == TIMERS


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        (
            ("--command", "true %TimerId%", "--kill-after", "2m", "--directory", "/tmp"),
            {"CommandLineTemplate": "true %TimerId%", "KillTimeout": 120, "WorkingDirectory": "/tmp"},
        ),
        (
            ("--journal", "disks", "--event-id", "7", "--type", "error", "--text", "%TimerId%"),
            {"SourceName": "disks", "EventID": 7, "EventType": 1, "InsertionStringTemplates": ["%TimerId%"]},
        ),
        (
            ("--mail", "a@example.org", "--smtp", "mail:2525", "--subject", "s"),
            {"ToLine": "a@example.org", "SMTPServer": "mail:2525", "Subject": "s", "Message": "%__CLASS%"},
        ),
        (("--log", "/x", "--max-size", "0"), {"Filename": "/x", "MaximumFileSize": 0}),
    ],
)
def test_what_happens_with_an_event(
    sub: Callable[..., Ended], arguments: tuple[str, ...], values: dict[str, Any]
) -> None:
    assert sub("add", "t", "--query", TIMERS, *arguments).code == 0
    (row,) = rows(sub)
    class_name, _, name = row["Consumer"].partition(" ")
    stored = host.local().one_shot("root\\subscription").get(f'{class_name}.Name="{name}"')
    assert {key: stored[key] for key in values} == values


def test_a_name_is_taken_once_unless_it_is_replaced(sub: Callable[..., Ended]) -> None:
    assert sub("add", "t", "--query", TIMERS, "--log", "/one").code == 0
    refused = sub("add", "t", "--query", TIMERS, "--log", "/two")
    assert refused.code == 1
    assert "WBEM_E_ALREADY_EXISTS" in refused.err
    assert sub("add", "t", "--query", MADE, "--log", "/two", "--replace").code == 0
    (row,) = rows(sub)
    assert row["Query"] == MADE


def test_all_or_nothing(sub: Callable[..., Ended]) -> None:
    """The consumer is refused after the filter has been taken."""
    assert sub("add", "t", "--query", TIMERS, "--log", "/x").code == 0
    shot = host.local().one_shot("root\\subscription")
    shot.write(DeleteInstance('__EventFilter.Name="t"'))
    ended = sub("add", "t", "--query", MADE, "--log", "/y")
    assert (ended.code, "LogFileEventConsumer" in ended.err) == (1, True)
    assert [one for batch in shot.query("SELECT * FROM __EventFilter") for one in batch] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "ACTION is missing"),
        (("lst",), "did you mean ls?"),
        (("ls", "x"), "sub ls takes no NAME"),
        (("add",), "sub add needs a NAME"),
        (("add", "x", "--from", "f"), "sub add takes no NAME"),
        (("add", "x", "--log", "/x"), "--query"),
        (("add", "x", "--query", TIMERS), "one of --log, --command, --journal and --mail"),
        (("add", "x", "--query", TIMERS, "--log", "/x", "--mail", "y"), "one of --log"),
        (("add", "x", "--query", TIMERS, "--journal", "s", "--type", "loud"), "--type is one of"),
        (("add", "x", "--query", "SELEC", "--log", "/x"), "did you mean SELECT?"),
    ],
)
def test_what_cannot_be_meant(sub: Callable[..., Ended], arguments: tuple[str, ...], says: str) -> None:
    ended = sub(*arguments)
    assert ended.code == 2
    assert says in ended.err


def test_what_the_service_refuses(sub: Callable[..., Ended]) -> None:
    query = "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Win32_LogicalDisk'"
    ended = sub("add", "x", "--query", query, "--log", "/x")
    assert ended.code == 1
    assert "WBEMESS_E_REGISTRATION_TOO_PRECISE" in ended.err
    assert rows(sub) == []


MOF = """
instance of __EventFilter as $Filter { Name = "m"; QueryLanguage = "WQL"; Query = "SELECT * FROM __TimerEvent"; };
instance of LogFileEventConsumer as $Consumer { Name = "m"; Filename = "/x"; Text = "x"; };
instance of __FilterToConsumerBinding { Filter = $Filter; Consumer = $Consumer; };
"""


def test_a_subscription_from_a_file(sub: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "sub.mof").write_text(MOF)
    assert sub("add", "--from", str(tmp_path / "sub.mof"), "--dry-run").code == 0
    assert rows(sub) == []
    ended = sub("add", "--from", str(tmp_path / "sub.mof"))
    assert ended.code == 0
    assert "3 instances stored" in ended.err
    assert "no process runs it yet" in ended.err
    assert [row["Name"] for row in rows(sub)] == ["m"]
    (tmp_path / "bad.mof").write_text("instance of {")
    assert sub("add", "--from", str(tmp_path / "bad.mof")).code == 2


# Removing


def test_removing_takes_what_nobody_else_uses(sub: Callable[..., Ended], home: Path) -> None:
    assert sub("add", "a", "--query", TIMERS, "--log", "/a").code == 0
    assert sub("add", "b", "--query", TIMERS, "--log", "/b").code == 0
    shot = host.local().one_shot("root\\subscription")
    binding: Any = shot.get("__FilterToConsumerBinding")
    ends = {"Filter": '__EventFilter.Name="a"', "Consumer": 'LogFileEventConsumer.Name="b"'}
    shot.write(PutInstance(binding.spawn(ends)))
    assert sub("rm", "B", "-v").err.count("root\\subscription") == 4  # two bindings, the filter, the consumer
    assert [row["Consumer"] for row in rows(sub)] == ["LogFileEventConsumer a"]
    assert sub("rm", "a").code == 0
    ended = sub("rm", "a")
    assert (ended.code, "WBEM_E_NOT_FOUND" in ended.err) == (1, True)
    left = [one for batch in shot.query("SELECT * FROM __EventFilter") for one in batch]
    assert left == []


# Trying


def test_a_consumer_is_tried_with_a_sample(sub: Callable[..., Ended], tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert sub("add", "t", "--query", TIMERS, "--log", str(log), "--text", "%TimerId% %NumFirings%").code == 0
    assert sub("test", "t") == Ended(0, 'LogFileEventConsumer.Name="t": took it\n', "")
    assert log.read_text() == "sample \n"
    assert sub("add", "m", "--query", MADE, "--log", str(log)).code == 0
    assert sub("test", "m").code == 0
    assert log.read_text().endswith('\n__InstanceCreationEvent __IntervalTimerInstruction.TimerId="sample"\n')


def test_the_sample_is_about_a_real_instance_where_there_is_one(
    sub: Callable[..., Ended], tmp_path: Path
) -> None:
    query = (
        "SELECT * FROM __InstanceModificationEvent WITHIN 60 WHERE TargetInstance ISA 'Win32_OperatingSystem'"
    )
    log = tmp_path / "log"
    assert sub("add", "t", "--query", query, "--log", str(log), "--text", "%TargetInstance.CSName%").code == 0
    assert sub("test", "t").code == 0
    assert log.read_text().strip() == os.uname().nodename.partition(".")[0].upper()


def test_a_consumer_that_fails_is_the_commands_failure(sub: Callable[..., Ended]) -> None:
    assert sub("add", "t", "--query", TIMERS, "--log", "/no/such/folder/log").code == 0
    ended = sub("test", "t")
    assert ended.code == 1
    assert "No such file or directory" in ended.err
    assert sub("add", "c", "--query", TIMERS, "--command", "sh -c 'exit 3'").code == 0
    ended = sub("test", "c")
    assert ended.code == 1
    assert "exit code 3" in ended.err


def test_what_is_not_whole_cannot_be_tried(sub: Callable[..., Ended]) -> None:
    assert sub("add", "t", "--query", TIMERS, "--log", "/x").code == 0
    host.local().one_shot("root\\subscription").write(DeleteInstance('LogFileEventConsumer.Name="t"'))
    ended = sub("test", "t")
    assert ended.code == 1
    assert "there is no consumer" in ended.err
    (row,) = rows(sub)
    assert (row["State"], row["Consumer"]) == ("inactive", "(none)")


# With a process that runs them


@pytest.mark.slow
def test_ls_says_what_runs_and_what_failed(sub: Callable[..., Ended], home: Path, tmp_path: Path) -> None:
    served = Served(home)
    try:
        assert served.line() == "ready"
        log = tmp_path / "log"
        assert "no process" not in sub("add", "good", "--query", MADE, "--log", str(log)).err
        assert sub("add", "bad", "--query", MADE, "--log", "/no/such/folder/log").code == 0
        assert any({row["State"] for row in rows(sub)} == {"active"} for _ in range(2000))
        shot = host.local().one_shot("root\\cimv2")
        timer: Any = shot.get("__IntervalTimerInstruction")
        shot.write(PutInstance(timer.spawn({"TimerId": "x", "IntervalBetweenEvents": 10_000_000})))
        served.log("No such file or directory")
        served.end(15)  # what it has to say is stored then at the latest
    finally:
        served.process.kill()
        served.process.communicate()
    found = {row["Name"]: row for row in rows(sub)}
    assert log.read_text() == '__InstanceCreationEvent __IntervalTimerInstruction.TimerId="x"\n'
    assert (found["good"]["Delivered"], found["good"]["Failed"]) == (1, 0)
    assert (found["bad"]["Delivered"], found["bad"]["Failed"]) == (0, 1)
    assert found["bad"]["LastFailure"] is not None


def test_a_held_lock_is_seen(home: Path) -> None:
    lock = str(home / "lock")
    assert not is_held(lock)
    loop = asyncio.new_event_loop()
    one = Ownership(lock, loop)
    one.pursue()
    assert is_held(lock)
    one.release()
    assert not is_held(lock)
    loop.close()
