"""NTEventLogEventConsumer against sockets that stand for the journal's and syslog's: real datagrams in their forms."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.consumers.conftest import Event, Told

from openwmi.consumers.eventlog import DATAGRAM, NTEventLogEventConsumer
from openwmi.model.errors import WbemError
from openwmi.model.status import (
    WBEM_E_FAILED,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_NOT_SUPPORTED,
    WBEM_E_RETRY_LATER,
)


class Log:
    """A socket that entries arrive at."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        self._socket.settimeout(10)

    def raw(self) -> bytes:
        data, files, *_ = socket.recv_fds(self._socket, 1 << 20, 4)
        for file in files:
            assert not data
            data = os.pread(file, os.fstat(file).st_size, 0)
            with pytest.raises(PermissionError):
                os.pwrite(file, b"x", 0)  # the journal takes sealed files alone
            os.close(file)
        return data

    def entry(self) -> list[tuple[str, bytes]]:
        """An entry read as the journal reads it."""
        data, found = self.raw(), []
        while data:
            line, _, rest = data.partition(b"\n")
            if b"=" in line:
                name, _, value = line.partition(b"=")
                data = rest
            else:
                size = int.from_bytes(rest[:8], "little")
                name, value = line, rest[8 : 8 + size]
                assert rest[8 + size : 9 + size] == b"\n"
                data = rest[9 + size :]
            found.append((name.decode(), value))
        return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Log]:
    log = Log(str(tmp_path / "journal"))
    yield log
    log.close()


ENTRY = {"SourceName": "disks", "EventID": 0x80000007, "EventType": 2}


@pytest.mark.req("E-74")
def test_an_entry_has_what_the_consumer_says(tell: Told, event: Event, journal: Log) -> None:
    provider = NTEventLogEventConsumer(journal.path, "/nowhere")
    tell(
        provider,
        event(Text="C:", Number=5, Bytes=[0, 10, 255], Empty="S-1-5-18"),
        **ENTRY,
        Category=3,
        NumberOfInsertionStrings=2,
        InsertionStringTemplates=["disk %Text%\nis full", "%Number% left", "not this one"],
        NameOfRawDataProperty="Bytes",
        NameOfUserSidProperty="Empty",
    )
    assert journal.entry() == [
        ("MESSAGE", b"disk C:\nis full 5 left"),
        ("PRIORITY", b"4"),
        ("SYSLOG_IDENTIFIER", b"disks"),
        ("OPENWMI_EVENT_ID", b"2147483655"),
        ("OPENWMI_EVENT_TYPE", b"2"),
        ("OPENWMI_CATEGORY", b"3"),
        ("OPENWMI_STRING", b"disk C:\nis full"),
        ("OPENWMI_STRING", b"5 left"),
        ("OPENWMI_DATA", b"\x00\x0a\xff"),
        ("OPENWMI_USER", b"S-1-5-18"),
    ]


@pytest.mark.req("E-74")
def test_without_strings_the_message_is_the_events_class(tell: Told, event: Event, journal: Log) -> None:
    tell(NTEventLogEventConsumer(journal.path), event(), SourceName="s", EventID=1)
    assert dict(journal.entry())["MESSAGE"] == b"Rang"


@pytest.mark.req("E-74")
@pytest.mark.parametrize(
    ("kind", "priority"), [(0, b"6"), (1, b"3"), (2, b"4"), (4, b"6"), (8, b"5"), (16, b"4")]
)
def test_types_of_events_are_priorities(
    tell: Told, event: Event, journal: Log, kind: int, priority: bytes
) -> None:
    tell(NTEventLogEventConsumer(journal.path), event(), SourceName="s", EventID=1, EventType=kind)
    entry = dict(journal.entry())
    assert (entry["PRIORITY"], entry["OPENWMI_EVENT_TYPE"]) == (priority, b"%d" % kind)


@pytest.mark.req("E-74")
def test_a_sid_in_bytes_becomes_text(tell: Told, event: Event, journal: Log) -> None:
    sid = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0]
    for data, text in [(sid, b"S-1-5-32-544"), ([1, 2], b"0102")]:
        provider = NTEventLogEventConsumer(journal.path)
        tell(provider, event(Bytes=data), SourceName="s", EventID=1, NameOfUserSidProperty="Bytes")
        assert dict(journal.entry())["OPENWMI_USER"] == text


def test_an_entry_that_no_datagram_holds_travels_in_a_file(tell: Told, event: Event, journal: Log) -> None:
    text = "x" * (DATAGRAM * 5)
    values = {**ENTRY, "NumberOfInsertionStrings": 1, "InsertionStringTemplates": ["%Text%"]}
    tell(NTEventLogEventConsumer(journal.path), event(Text=text), **values)
    assert dict(journal.entry())["OPENWMI_STRING"] == text.encode()


def test_a_value_cannot_forge_a_field(tell: Told, event: Event, journal: Log) -> None:
    values = {**ENTRY, "NumberOfInsertionStrings": 1, "InsertionStringTemplates": ["%Text%"]}
    tell(NTEventLogEventConsumer(journal.path), event(Text="a\nPRIORITY=0\n_UID=0"), **values)
    entry = journal.entry()
    assert [value for name, value in entry if name in ("PRIORITY", "_UID")] == [b"4"]
    assert dict(entry)["MESSAGE"] == b"a\nPRIORITY=0\n_UID=0"


@pytest.mark.req("E-74")
def test_without_a_journal_syslog_has_the_text(tell: Told, event: Event, journal: Log) -> None:
    values = {**ENTRY, "NumberOfInsertionStrings": 1, "InsertionStringTemplates": ["a\nb %Text%"]}
    tell(NTEventLogEventConsumer("/nowhere", journal.path), event(Text="c"), **values)
    assert journal.raw() == b"<12>disks: a b c"


@pytest.mark.req("E-74", "E-57")
@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"SourceName": "a:b"}, WBEM_E_INVALID_PARAMETER),
        ({"EventType": 3}, WBEM_E_INVALID_PARAMETER),
        ({"UNCServerName": "\\\\elsewhere"}, WBEM_E_NOT_SUPPORTED),
        ({}, WBEM_E_FAILED),
    ],
)
def test_what_cannot_be_logged(tell: Told, event: Event, values: dict[str, object], code: int) -> None:
    with pytest.raises(WbemError) as failed:
        tell(NTEventLogEventConsumer("/nowhere", "/nowhere"), event(), **{**ENTRY, **values})
    assert failed.value.code == code


def test_a_journal_that_does_not_answer_is_tried_again(tell: Told, event: Event, journal: Log) -> None:
    journal.close()
    with pytest.raises(WbemError) as failed:
        tell(NTEventLogEventConsumer(journal.path), event(), **ENTRY, UNCServerName="\\\\.")
    assert failed.value.code == WBEM_E_RETRY_LATER
