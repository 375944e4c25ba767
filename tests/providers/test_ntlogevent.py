"""Win32_NTLogEvent: entries of a real journald, read, looked up, and told as they are written."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from operator import eq, ge, gt, le, lt
from pathlib import Path
from typing import Any

import pytest
from tests.providers.journald import Journald, running
from tests.providers.listening import ELSEWHERE, Machine
from tests.providers.questions import GUEST, OWNER, check_types, request

from openwmi.contract.provider import Condition
from openwmi.model import status as s
from openwmi.model.errors import WbemError
from openwmi.providers.linux.journal import Entry, Journal
from openwmi.providers.ntlogevent import COLUMNS, LogEntries, NTEventLog, log_of

QUERY = "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Win32_NTLogEvent'"


@pytest.fixture(scope="module")
def journald() -> Iterator[Journald]:
    with running() as here:
        yield here


@pytest.fixture
def machine(journald: Journald) -> Iterator[Machine]:
    here = Machine(NTEventLog(str(journald.root)))
    yield here
    here.host.shut_down()


def asked(
    journald: Journald, *conditions: tuple[str, str, object], caller: Any = OWNER
) -> list[dict[str, Any]]:
    question = request(
        "Win32_NTLogEvent", caller=caller, conditions=tuple(Condition(*one) for one in conditions)
    )
    rows = LogEntries(str(journald.root)).instances(question)
    return [dict(zip(question.columns, row, strict=True)) for row in rows]


def entry(**fields: Any) -> Entry:
    return Entry({"__CURSOR": "s=ab;i=1f;b=c", "__REALTIME_TIMESTAMP": "1700000000123456", **fields})


# What an entry says, without a journal


@pytest.mark.req("G-46")
@pytest.mark.parametrize(
    ("fields", "log"),
    [
        ({"_TRANSPORT": "kernel", "SYSLOG_FACILITY": "0"}, "System"),
        ({"_TRANSPORT": "driver"}, "System"),
        ({"_TRANSPORT": "journal", "_PID": "1", "SYSLOG_FACILITY": "3"}, "System"),
        ({"_TRANSPORT": "syslog", "SYSLOG_FACILITY": "3", "_PID": "77"}, "Application"),
        ({"_TRANSPORT": "syslog", "SYSLOG_FACILITY": "10"}, "Security"),
        ({"_TRANSPORT": "audit"}, "Security"),
        ({"OPENWMI_EVENT_TYPE": "16"}, "Security"),
        ({"_TRANSPORT": "stdout"}, "Application"),
        ({}, "Application"),
    ],
)
def test_which_log_an_entry_is_in(fields: dict[str, str], log: str) -> None:
    assert log_of(entry(**fields)) == log


@pytest.mark.req("G-46")
@pytest.mark.parametrize(
    ("fields", "number", "words"),
    [
        ({"PRIORITY": "0"}, 1, "Error"),
        ({"PRIORITY": "3"}, 1, "Error"),
        ({"PRIORITY": "4"}, 2, "Warning"),
        ({"PRIORITY": "5"}, 3, "Information"),
        ({"PRIORITY": "7"}, 3, "Information"),
        ({"_TRANSPORT": "audit", "MESSAGE": "op=login acct=root res=success"}, 4, "Audit Success"),
        ({"_TRANSPORT": "audit", "MESSAGE": "op=login acct=root res=failed"}, 5, "Audit Failure"),
        ({"PRIORITY": "6", "OPENWMI_EVENT_TYPE": "16"}, 5, "Audit Failure"),
        ({"PRIORITY": "x"}, None, None),
        ({}, None, None),
    ],
)
def test_how_severe_an_entry_is(fields: dict[str, str], number: int | None, words: str | None) -> None:
    one = entry(**fields)
    assert (COLUMNS["EventType"](one), COLUMNS["Type"](one)) == (number, words)


def test_fields_that_make_no_sense_are_null() -> None:
    one = entry(
        OPENWMI_EVENT_ID="99999999999", OPENWMI_CATEGORY="70000", SYSLOG_FACILITY="4711", PRIORITY=None
    )
    read = {name: column(one) for name, column in COLUMNS.items()}
    assert read["EventIdentifier"] is read["EventCode"] is read["CategoryString"] is read["Message"] is None
    assert read["RecordNumber"] == 0x1F


# Instances


@pytest.mark.req("G-46", "G-02")
def test_every_property_comes_from_the_entry(journald: Journald) -> None:
    journald.write(
        MESSAGE=b"caf\xc3\xa9 \x01\xff",
        PRIORITY="4",
        SYSLOG_IDENTIFIER="probe",
        SYSLOG_FACILITY="19",
        OPENWMI_EVENT_ID=str(0xC0001234),
        OPENWMI_STRING=["one", b"t\xffo", "three"],
        OPENWMI_DATA=b"\x00\x01\xfe",
    )
    journald.sync()
    (one,) = [row for row in asked(journald) if row["SourceName"] == "probe"]
    check_types("Win32_NTLogEvent", [one])
    name = os.uname().nodename.partition(".")[0].upper()
    assert one.pop("TimeGenerated") <= one["TimeWritten"]
    assert len(one.pop("TimeWritten")) == 25
    assert one.pop("RecordNumber") > 0
    assert one == {
        "Category": 19,
        "CategoryString": "local3",
        "ComputerName": name,
        "Data": (0, 1, 0xFE),
        "EventCode": 0x1234,
        "EventIdentifier": 0xC0001234,
        "EventType": 2,
        "InsertionStrings": ("one", "t\\xffo", "three"),
        "Logfile": "Application",
        "Message": "café \x01\\xff",
        "SourceName": "probe",
        "Type": "Warning",
        "User": f"{name}\\root",
    }


@pytest.mark.req("G-46")
def test_newest_first_and_found_by_number(journald: Journald) -> None:
    for number in range(3):
        journald.write(MESSAGE=f"entry {number}", SYSLOG_IDENTIFIER="numbered", PRIORITY="6")
    journald.sync()
    found = [row for row in asked(journald) if row["SourceName"] == "numbered"]
    assert [row["Message"] for row in found] == ["entry 2", "entry 1", "entry 0"]
    family = LogEntries(str(journald.root))
    for row in found:
        keys = {"RecordNumber": row["RecordNumber"], "Logfile": "APPLICATION"}
        assert family.instance(request("Win32_NTLogEvent", "Message"), keys) == (row["Message"],)
        assert family.instance(request("Win32_NTLogEvent", "Message"), {**keys, "Logfile": "System"}) is None
    absent = {"RecordNumber": 4_000_000_000, "Logfile": "Application"}
    assert family.instance(request("Win32_NTLogEvent"), absent) is None


@pytest.mark.req("G-46")
def test_an_entry_in_a_file_that_was_rotated_away_is_found_too(journald: Journald) -> None:
    journald.write(MESSAGE="before", SYSLOG_IDENTIFIER="rotated")
    journald.sync()
    journald.rotate()
    journald.write(MESSAGE="after", SYSLOG_IDENTIFIER="rotated")
    journald.sync()
    rows = [row for row in asked(journald) if row["SourceName"] == "rotated"]
    assert [row["Message"] for row in rows] == ["after", "before"]
    for row in rows:
        keys = {name: row[name] for name in ("RecordNumber", "Logfile")}
        found = LogEntries(str(journald.root)).instance(request("Win32_NTLogEvent", "Message"), keys)
        assert found == (row["Message"],)


@pytest.mark.req("G-46")
def test_conditions_save_reading_and_lose_nothing(journald: Journald) -> None:
    journald.write(MESSAGE="who", SYSLOG_IDENTIFIER="guard", SYSLOG_FACILITY="10", PRIORITY="5")
    journald.write(MESSAGE="what", SYSLOG_IDENTIFIER="guard", SYSLOG_FACILITY="3", PRIORITY="5")
    journald.sync()
    every = asked(journald)
    for log in ("System", "Security", "Application"):
        wanted = [row for row in every if row["Logfile"] == log]
        assert wanted
        read = asked(journald, ("Logfile", "=", log.upper()))
        assert [row for row in read if row["Logfile"] == log] == wanted
    assert {row["Logfile"] for row in asked(journald, ("Logfile", "=", "Security"))} == {"Security"}
    moment = every[0]["TimeWritten"]
    for op, holds in ((">=", ge), ("<=", le), ("=", eq), (">", gt), ("<", lt)):
        read = [row["RecordNumber"] for row in asked(journald, ("TimeWritten", op, moment))]
        assert set(read) >= {row["RecordNumber"] for row in every if holds(row["TimeWritten"], moment)}


def test_a_long_message_is_read_whole(journald: Journald) -> None:
    journald.write(MESSAGE="x" * 100_000, SYSLOG_IDENTIFIER="long")
    journald.sync()
    (one,) = [row for row in asked(journald) if row["SourceName"] == "long"]
    assert one["Message"] == "x" * 100_000


@pytest.mark.req("G-66")
def test_callers_of_other_machines_see_nothing(journald: Journald) -> None:
    assert asked(journald)
    assert asked(journald, caller=GUEST) == []
    keys = {"RecordNumber": asked(journald)[0]["RecordNumber"], "Logfile": asked(journald)[0]["Logfile"]}
    assert LogEntries(str(journald.root)).instance(request("Win32_NTLogEvent", caller=GUEST), keys) is None


def test_a_reading_that_is_not_wanted_any_more_ends(journald: Journald) -> None:
    question = request("Win32_NTLogEvent")
    rows = LogEntries(str(journald.root)).instances(question)
    next(rows)
    question.cancel()
    assert len(list(rows)) < 1_000_000


@pytest.mark.req("G-46")
def test_a_machine_without_a_journal_says_so(tmp_path: Path) -> None:
    with pytest.raises(WbemError, match="neither a journal") as refused:
        list(LogEntries(str(tmp_path)).instances(request("Win32_NTLogEvent")))
    assert refused.value.code == s.WBEM_E_PROVIDER_NOT_CAPABLE
    assert NTEventLog(str(tmp_path)).events == ()


# Events


def messages(*names: str) -> Callable[[Any], bool]:
    return lambda event: event.TargetInstance.Message in names


@pytest.mark.slow
@pytest.mark.req("G-46", "F-27", "E-01")
def test_entries_are_told_as_they_are_written(journald: Journald, machine: Machine) -> None:
    journald.write(MESSAGE="older")
    journald.sync()
    heard = machine.subscribe(QUERY)
    for number in range(20):
        journald.write(MESSAGE=f"new {number}", SYSLOG_IDENTIFIER="told", PRIORITY="3")
    found = heard.until(lambda event: event.TargetInstance.SourceName == "told", 20)
    assert [event.TargetInstance.Message for event in found] == [f"new {number}" for number in range(20)]
    assert not [event for event in heard.events if event.TargetInstance.Message == "older"]
    target = found[0].TargetInstance
    assert (target.Type, target.Logfile) == ("Error", "Application")
    assert target.relpath_ == f'Win32_NTLogEvent.Logfile="Application",RecordNumber={target.RecordNumber}'


@pytest.mark.slow
@pytest.mark.req("F-28")
def test_a_query_chooses_its_entries(journald: Journald, machine: Machine) -> None:
    heard = machine.subscribe(
        QUERY + " AND TargetInstance.Logfile = 'Security' AND TargetInstance.EventType = 1"
    )
    journald.write(MESSAGE="no", PRIORITY="3", SYSLOG_FACILITY="3")
    journald.write(MESSAGE="no", PRIORITY="5", SYSLOG_FACILITY="10")
    journald.write(MESSAGE="yes", PRIORITY="2", SYSLOG_FACILITY="10")
    heard.until(messages("yes"))
    assert len(heard.events) == 1


@pytest.mark.slow
@pytest.mark.req("F-27")
def test_nothing_is_missed_over_restarts_of_journald_rotation_and_a_kill(
    journald: Journald, machine: Machine
) -> None:
    heard = machine.subscribe(QUERY)
    journald.write(MESSAGE="1")
    journald.stop()
    journald.start()
    journald.write(MESSAGE="2")
    journald.sync()
    journald.rotate()
    journald.write(MESSAGE="3")
    journald.sync()
    journald.stop(kill=True)
    journald.start()
    journald.write(MESSAGE="4")
    found = heard.until(messages("1", "2", "3", "4"), 4)
    assert [event.TargetInstance.Message for event in found] == ["1", "2", "3", "4"]


def readers_of(journald: Journald) -> list[int]:
    """The journalctl processes that follow this journal."""
    found = []
    for name in os.listdir("/proc"):
        try:
            line = Path(f"/proc/{name}/cmdline").read_bytes() if name.isdecimal() else b""
        except OSError:
            continue
        if line.startswith(b"journalctl") and str(journald.root).encode() in line and b"--follow" in line:
            found.append(int(name))
    return found


@pytest.mark.slow
@pytest.mark.req("F-27")
def test_a_journalctl_that_is_killed_is_replaced_where_it_was(journald: Journald, machine: Machine) -> None:
    heard = machine.subscribe(QUERY)
    journald.write(MESSAGE="before the kill")
    heard.until(messages("before the kill"))
    (reader,) = readers_of(journald)
    os.kill(reader, 9)
    journald.write(MESSAGE="after the kill")
    heard.until(messages("after the kill"))
    assert [e.TargetInstance.Message for e in heard.events].count("before the kill") == 1
    machine.host.shut_down()
    end = time.monotonic() + 10
    while readers_of(journald):  # killed, which takes the kernel a moment
        assert time.monotonic() < end


@pytest.mark.slow
@pytest.mark.req("calls:B90")
def test_entries_that_are_gone_before_they_are_read_are_no_secret(
    journald: Journald, machine: Machine
) -> None:
    heard = machine.subscribe(QUERY)
    journald.write(MESSAGE="known")
    heard.until(messages("known"))
    (reader,) = readers_of(journald)
    os.kill(reader, 19)
    for number in range(5):
        journald.write(MESSAGE=f"gone {number}")
    journald.sync()
    journald.rotate()
    journald.forget()
    journald.write(MESSAGE="later")
    journald.sync()
    os.kill(reader, 9)
    outcome = heard.until_ended()
    assert outcome.status == s.WBEM_E_QUEUE_OVERFLOW
    assert "5 events" in str(outcome.as_error())


@pytest.mark.slow
def test_the_first_entry_of_an_empty_journal_is_told(tmp_path: Path) -> None:
    with running() as other:
        other.stop()
        for path in (other.root / "run/log/journal").glob("*/*.journal"):
            path.unlink()
        machine = Machine(NTEventLog(str(other.root)))
        heard = machine.subscribe(QUERY)
        other.start()
        other.write(MESSAGE="the first one")
        heard.until(messages("the first one"))
        machine.host.shut_down()


@pytest.mark.req("F-27", "E-60")
def test_callers_of_other_machines_may_not_listen(journald: Journald, machine: Machine) -> None:
    heard = machine.start(QUERY, ELSEWHERE)
    assert heard.until_ended().status == s.WBEM_E_ACCESS_DENIED
    assert readers_of(journald) == []


def test_where_there_is_no_journal_nobody_raises_such_events(tmp_path: Path) -> None:
    machine = Machine(NTEventLog(str(tmp_path)))
    heard = machine.start(QUERY)
    assert heard.until_ended().status == s.WBEMESS_E_REGISTRATION_TOO_PRECISE
    machine.host.shut_down()


def test_journalctl_reads_without_the_environment(
    journald: Journald, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SYSTEMD_LESS and the like are not handed on; neither is what a shell's start files say."""
    monkeypatch.setenv("SYSTEMD_COLORS", "1")
    journald.write(MESSAGE="one")
    journald.sync()
    reading = Journal(str(journald.root)).read(
        "--follow", "--lines=1"
    )  # what ends has no environment any more
    next(iter(reading))
    environment = Path(f"/proc/{reading._process.pid}/environ").read_bytes()
    reading.close()
    assert b"LC_ALL=C.UTF-8" in environment
    assert b"SYSTEMD_COLORS" not in environment


# With the program that people use


@pytest.mark.slow
@pytest.mark.req("G-46", "E-01")
def test_the_command_line_watches_and_queries_the_log(journald: Journald) -> None:
    where = "TargetInstance.SourceName = 'cli' AND TargetInstance.EventType = 1"
    query = f"{QUERY} AND {where}"
    program = (sys.executable, "-m", "openwmi")
    watch = journald.inside(*program, "watch", query, "--count", "1", "-v", "-o", "jsonl")
    assert watch.stderr is not None
    assert "watching; Ctrl-C ends it\n" in iter(watch.stderr.readline, "")
    journald.write(MESSAGE="not this", SYSLOG_IDENTIFIER="cli", PRIORITY="6")
    journald.write(MESSAGE="the disk is full", SYSLOG_IDENTIFIER="cli", PRIORITY="3")
    out, _ = watch.communicate(timeout=30)
    target = json.loads(out)["TargetInstance"]
    assert (target["Message"], target["Logfile"], watch.returncode) == ("the disk is full", "Application", 0)
    path = f"Win32_NTLogEvent.Logfile='Application',RecordNumber={target['RecordNumber']}"
    looked_up = journald.inside(*program, "get", path, "Message", "-o", "jsonl")
    out, err = looked_up.communicate(timeout=30)
    assert (json.loads(out)["Message"], err) == ("the disk is full", "")
