"""Log files of a syslog daemon: what a line says, and following a file over rotations."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.listening import Machine
from tests.providers.questions import OWNER, check_types, request

from openwmi.model import status as s
from openwmi.providers.linux.journal import Entry, Gap
from openwmi.providers.linux.syslog import LONGEST, Follower, Source, entries, parsed, sources
from openwmi.providers.ntlogevent import LogEntries, NTEventLog

GENERAL = Source("/var/log/syslog", None)
GUARDED = Source("/var/log/auth.log", "10")
NOW = datetime(2026, 3, 1, 12, 0, 0).astimezone()
QUERY = "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Win32_NTLogEvent'"


def micros(*parts: int) -> str:
    return str(int(datetime(*parts).astimezone().timestamp() * 1_000_000))  # type: ignore[arg-type]


@pytest.mark.req("G-46")
@pytest.mark.parametrize(
    ("line", "source", "expected"),
    [
        (
            b"Feb  9 14:32:05 web sshd[77]: Accepted key\n",
            GUARDED,
            {
                "__REALTIME_TIMESTAMP": micros(2026, 2, 9, 14, 32, 5),
                "MESSAGE": "Accepted key",
                "SYSLOG_IDENTIFIER": "sshd",
                "_HOSTNAME": "web",
                "_PID": "77",
                "SYSLOG_FACILITY": "10",
            },
        ),
        (
            b"Nov 29 00:00:00 web kernel: [   0.1] it boots",
            GENERAL,
            {
                "__REALTIME_TIMESTAMP": micros(2025, 11, 29),
                "MESSAGE": "[   0.1] it boots",
                "SYSLOG_IDENTIFIER": "kernel",
                "_HOSTNAME": "web",
                "_TRANSPORT": "kernel",
            },
        ),
        (
            b"2026-02-09T14:32:05.123456+00:00 web.example.org cron: caf\xc3\xa9 \xff",
            GENERAL,
            {
                "__REALTIME_TIMESTAMP": "1770647525123456",
                "MESSAGE": "café \\xff",
                "SYSLOG_IDENTIFIER": "cron",
                "_HOSTNAME": "web.example.org",
            },
        ),
        (b"Feb 29 00:00:00 web a: no such day in either year", GENERAL, None),
        (b"--- a line of something else", GENERAL, None),
        (b"", GENERAL, None),
    ],
)
def test_what_a_line_says(line: bytes, source: Source, expected: dict[str, str] | None) -> None:
    found = parsed(line, 31, source, now=NOW)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert found.place[1] == 31
        assert {name: value for name, value in found.values.items() if name != "__CURSOR"} == expected


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda end: b"Feb  9 14:32:05 h t[1]: " + end))
def test_no_line_does_harm(line: bytes) -> None:
    found = parsed(line, 1, GENERAL, now=NOW)
    assert found is None or found.received > 0


@pytest.mark.req("G-46")
def test_a_log_without_years_is_of_the_last_twelve_months() -> None:
    for days in (0, 1, 200, 360):
        when = NOW - timedelta(days=days)
        found = parsed(f"{when:%b %e %H:%M:%S} h t: x".encode(), 1, GENERAL, now=NOW)
        assert found is not None
        assert found.received == int(when.timestamp() * 1_000_000)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "var/log").mkdir(parents=True)
    path = tmp_path / "var/log/syslog"
    path.touch()
    return path


def line(text: str, tag: str = "probe") -> str:
    return f"{time.strftime('%b %e %H:%M:%S')} host {tag}: {text}\n"


def add(log: Path, *texts: str, tag: str = "probe") -> None:
    with log.open("a") as file:
        file.writelines(line(text, tag) for text in texts)


def messages(found: list[Entry | Gap]) -> list[object]:
    return [one.text("MESSAGE") if isinstance(one, Entry) else one for one in found]


def test_a_line_that_is_too_long_is_cut(log: Path) -> None:
    add(log, "x" * (2 * LONGEST), "after")
    found = [one.text("MESSAGE") for one in entries(Source(str(log), None))]
    assert found[1] == "after"
    assert found[0] is not None
    assert LONGEST - 100 < len(found[0]) < LONGEST


def test_a_file_is_followed_over_a_rotation(log: Path) -> None:
    add(log, "old")
    follower = Follower(Source(str(log), None))
    assert follower.more() == []
    add(log, "a")
    assert messages(follower.more()) == ["a"]
    with log.open("a") as file:
        file.write(line("in halves")[:20])
        file.flush()
        assert follower.more() == []
        file.write(line("in halves")[20:])
    assert messages(follower.more()) == ["in halves"]
    add(log, "last of the old file")
    log.rename(log.with_name("syslog.1"))
    add(log, "first of the new one")
    assert messages(follower.more()) == ["last of the old file", "first of the new one"]
    follower.close()


def test_a_file_that_is_emptied_is_a_gap(log: Path) -> None:
    add(log, "a", "b")
    follower = Follower(Source(str(log), None))
    log.write_text("")
    add(log, "c")
    assert messages(follower.more()) == [Gap(1), "c"]
    follower.close()


# Through the provider


@pytest.mark.req("G-46", "G-02")
def test_the_lines_are_instances_where_there_is_no_journal(log: Path) -> None:
    add(log, "one", "two")
    add(log.with_name("auth.log"), "in", tag="sshd")
    root = str(log.parents[2])
    assert [one.path.rpartition("/")[2] for one in sources(root)] == ["syslog", "auth.log"]
    question = request("Win32_NTLogEvent", caller=OWNER)
    rows = [dict(zip(question.columns, row, strict=True)) for row in LogEntries(root).instances(question)]
    check_types("Win32_NTLogEvent", rows)
    told = {(row["Logfile"], row["RecordNumber"], row["Message"], row["EventType"]) for row in rows}
    assert told == {
        ("Application", 1, "one", None),
        ("Application", 2, "two", None),
        ("Security", 1, "in", None),
    }
    for row in rows:
        keys = {name: row[name] for name in ("Logfile", "RecordNumber")}
        assert LogEntries(root).instance(request("Win32_NTLogEvent", "Message"), keys) == (row["Message"],)
    assert LogEntries(root).instance(question, {"Logfile": "System", "RecordNumber": 1}) is None


@pytest.fixture
def machine(log: Path) -> Iterator[Machine]:
    here = Machine(NTEventLog(str(log.parents[2])))
    yield here
    here.host.shut_down()


@pytest.mark.req("G-46", "F-27", "E-01")
def test_lines_are_told_as_they_are_written(log: Path, machine: Machine) -> None:
    add(log, "old")
    heard = machine.subscribe(QUERY)
    add(log, "a", "b")
    log.rename(log.with_name("syslog.1"))
    add(log, "c")

    def told(event: Any) -> bool:
        return event.TargetInstance.Message in ("a", "b", "c", "old")

    assert [one.TargetInstance.Message for one in heard.until(told, 3)] == ["a", "b", "c"]


@pytest.mark.req("calls:B90")
def test_a_log_that_is_emptied_is_no_secret(log: Path, machine: Machine) -> None:
    add(log, *map(str, range(100)))
    heard = machine.subscribe(QUERY)
    log.write_text("")
    add(log, "x")
    assert heard.until_ended().status == s.WBEM_E_QUEUE_OVERFLOW
