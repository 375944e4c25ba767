"""Log files of a syslog daemon, for machines without a journal: their lines as entries, and more of them as they come.

A line says when, on which host, by which program, and what; what the daemon has left out, facility and priority above
all, nobody knows any more. An entry's number is that of its line: it begins again with the file.
"""

from __future__ import annotations

import os
from datetime import datetime
from re import compile as pattern
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from openwmi.providers.linux.files import text
from openwmi.providers.linux.journal import Entry, Gap

if TYPE_CHECKING:
    from collections.abc import Iterator

# The files of either log, the first of them that exists: everything, and what is about accounts.
GENERAL: Final = ("/var/log/syslog", "/var/log/messages")
GUARDED: Final = ("/var/log/auth.log", "/var/log/secure")
AUTHPRIV: Final = "10"  # the facility of what is in the second
LONGEST: Final = 65536  # bytes of a line; the rest of a longer one is left out
# `Nov  9 14:32:05 host sshd[7]: text`, or with a complete moment: `2026-11-09T14:32:05.123456+01:00 host ...`
_LINE: Final = pattern(
    rb"(?P<when>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S{8,24}) (?P<host>\S+) "
    rb"(?P<tag>[^\s:\[]+)(?:\[(?P<pid>\d+)\])?: ?(?P<text>.*)"
)


class Source(NamedTuple):
    """One log file. facility: of its entries, where the file alone says it."""

    path: str
    facility: str | None


def sources(root: str = "") -> list[Source]:
    """The log files of a machine."""
    found = []
    for names, facility in ((GENERAL, None), (GUARDED, AUTHPRIV)):
        path = next((root + name for name in names if os.path.isfile(root + name)), None)
        if path is not None:
            found.append(Source(path, facility))
    return found


def parsed(line: bytes, number: int, source: Source, *, now: datetime) -> Entry | None:
    """A line as an entry; None when it is none. now: fixes the year where the line does not say it."""
    found = _LINE.fullmatch(line.rstrip(b"\n"))
    moment = None if found is None else _moment(found["when"].decode("ascii", "replace"), now)
    if found is None or moment is None:
        return None
    tag = text(found["tag"])
    values = {
        "__CURSOR": f"s={'auth' if source.facility else 'syslog'};i={number:x}",
        "__REALTIME_TIMESTAMP": str(int(moment.timestamp() * 1_000_000)),
        "MESSAGE": text(found["text"]),
        "SYSLOG_IDENTIFIER": tag,
        "_HOSTNAME": text(found["host"]),
    }
    if found["pid"] is not None:
        values["_PID"] = found["pid"].decode("ascii")
    if source.facility is not None:
        values["SYSLOG_FACILITY"] = source.facility
    if tag == "kernel":
        values["_TRANSPORT"] = "kernel"
    return Entry(values)


def _moment(when: str, now: datetime) -> datetime | None:
    """Local time where no zone is given; without a year the last such day that is not in the future."""
    try:
        if when[4] == "-":
            return datetime.fromisoformat(when).astimezone()
        for year in (now.year, now.year - 1):
            found = datetime.strptime(f"{year} {when}", "%Y %b %d %H:%M:%S").astimezone()
            if (found - now).days < 1:
                return found
    except ValueError:  # no such day, or not in this year
        pass
    return None


def entries(source: Source) -> Iterator[Entry]:
    """The lines of a file, the oldest first; none of a file that cannot be read."""
    now = datetime.now().astimezone()
    if not os.access(source.path, os.R_OK, effective_ids=True):
        return
    with open(source.path, "rb") as file:
        for number, line in enumerate(_lines(file), start=1):
            found = parsed(line, number, source, now=now)
            if found is not None:
                yield found


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines, cut where they are too long."""
    while line := file.readline(LONGEST):
        rest = line
        while not rest.endswith(b"\n") and (rest := file.readline(LONGEST)):
            pass
        yield line


class Follower:
    """A log file from its end on, over rotations: what is renamed away is read to its end, a new one from its start."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._descriptor = -1
        self._number = 0
        self._rest = b""
        self._position = 0
        self._open(at_end=True)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def more(self) -> list[Entry | Gap]:
        """What has been written since. A Gap for a file that was emptied: what had not been read is gone."""
        found: list[Entry | Gap] = []
        if self._descriptor >= 0:
            if os.fstat(self._descriptor).st_size < self._position:
                found.append(Gap(1))
                os.lseek(self._descriptor, 0, os.SEEK_SET)
                self._number = self._position = 0
                self._rest = b""
            found += self._read()
        if self._is_replaced():
            self.close()
            self._open(at_end=False)
            found += self._read()
        return found

    def _is_replaced(self) -> bool:
        try:
            there = os.stat(self._source.path)
        except OSError:
            return False
        if self._descriptor < 0:
            return True
        here = os.fstat(self._descriptor)
        return (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino)

    def _open(self, *, at_end: bool) -> None:
        self._number = self._position = 0
        self._rest = b""
        try:
            self._descriptor = os.open(self._source.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return
        if at_end:
            self._read(silent=True)

    def _read(self, *, silent: bool = False) -> list[Entry | Gap]:
        found: list[Entry | Gap] = []
        now = datetime.now().astimezone()
        while self._descriptor >= 0 and (data := os.read(self._descriptor, LONGEST)):
            self._position += len(data)
            *lines, rest = (self._rest + data).split(b"\n")
            self._rest = rest[:LONGEST]
            for line in lines:
                self._number += 1
                entry = None if silent else parsed(line, self._number, self._source, now=now)
                if entry is not None:
                    found.append(entry)
        return found
