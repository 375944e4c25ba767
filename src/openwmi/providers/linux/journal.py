"""The journal of systemd, read through journalctl, which knows every form that its files may have.

An entry is found again by what its cursor begins with: the journal's sequence (s) and the entry's number in it (i). A
field of more than 4096 bytes is left out at first, so that a line stays bounded; `Journal.whole` reads it on request.
"""

from __future__ import annotations

import json
import os
from re import compile as pattern
from subprocess import DEVNULL, PIPE, Popen
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.providers.linux.files import beginning, listing, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# Of the fields of an entry, those that anybody here asks for.
FIELDS: Final = (
    "MESSAGE",
    "PRIORITY",
    "SYSLOG_FACILITY",
    "SYSLOG_IDENTIFIER",
    "_COMM",
    "_HOSTNAME",
    "_PID",
    "_SOURCE_REALTIME_TIMESTAMP",
    "_TRANSPORT",
    "_UID",
    "OPENWMI_CATEGORY",
    "OPENWMI_DATA",
    "OPENWMI_EVENT_ID",
    "OPENWMI_EVENT_TYPE",
    "OPENWMI_STRING",
    "OPENWMI_USER",
)
# Bytes of one line of journalctl. What is longer is not read: see Reading.skipped.
LONGEST: Final = 4 << 20
_FOLDERS: Final = ("/run/log/journal", "/var/log/journal")
_NUMBER: Final = pattern(r"s=(\w+);i=([0-9a-f]+)")
# The head of a journal file: signature, sequence, and the numbers of its first and last entry in it.
_SIGNATURE: Final = b"LPKSHHRH"
_SEQUENCE: Final = slice(72, 88)
_TAIL: Final = slice(160, 168)
_HEAD: Final = slice(168, 176)


class Entry(NamedTuple):
    """An entry as journalctl prints it."""

    values: dict[str, Any]

    @property
    def cursor(self) -> str:
        return str(self.values["__CURSOR"])

    @property
    def place(self) -> tuple[str, int]:
        """The sequence, and the number in it. Journals of one machine count together."""
        found = _NUMBER.match(self.cursor)
        return (found[1], int(found[2], 16)) if found else ("", 0)

    @property
    def received(self) -> int:
        """Microseconds since 1970."""
        return int(self.values["__REALTIME_TIMESTAMP"])

    def all(self, name: str) -> list[bytes]:
        """Every value of a field, in order."""
        value = self.values.get(name)
        if value is None:
            return []
        if isinstance(value, list) and value and not isinstance(value[0], int):
            return [_bytes(one) for one in value if one is not None]
        return [_bytes(value)]

    def text(self, name: str) -> str | None:
        found = self.all(name)
        return text(found[0]) if found else None

    def number(self, name: str) -> int | None:
        """A field that is a decimal number; None when it is none."""
        found = self.text(name)
        return int(found) if found is not None and found.isdecimal() and len(found) < 20 else None

    def has_more(self, name: str) -> bool:
        """Whether a field was left out for its length."""
        return name in self.values and self.values[name] is None


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, list) else str(value).encode("utf-8", "surrogatepass")


class Reading:
    """A journalctl at work; iterating gives its entries. skipped: lines that were too long. close() from any thread."""

    def __init__(self, command: list[str]) -> None:
        self.skipped = 0
        self._process: Popen[bytes] = Popen(
            command,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=DEVNULL,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
        )

    def __iter__(self) -> Iterator[Entry]:
        output = self._process.stdout
        assert output is not None
        while line := output.readline(LONGEST):
            if not line.endswith(b"\n"):
                self.skipped += 1
                _drain(output)
                continue
            entry = _parsed(line)
            if entry is not None:
                yield entry

    def end(self) -> None:
        """Have it end, and whoever reads it; from any thread."""
        self._process.kill()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def _drain(output: IO[bytes]) -> None:
    while (line := output.readline(LONGEST)) and not line.endswith(b"\n"):
        pass


def _parsed(line: bytes) -> Entry | None:
    try:
        values = json.loads(line)
    except ValueError:
        return None
    return Entry(values) if isinstance(values, dict) and "__CURSOR" in values else None


class Journal:
    """The journal of the machine whose file tree begins at `root`, as far as this program may read it."""

    def __init__(self, root: str = "") -> None:
        self._root = root

    @property
    def exists(self) -> bool:
        """Whether there is one, and the program that reads it."""
        from shutil import which

        return which("journalctl") is not None and (
            os.path.exists(f"{self._root}/run/systemd/journal/socket") or any(True for _ in self.files())
        )

    def read(self, *arguments: str, fields: Sequence[str] = FIELDS) -> Reading:
        """Start a journalctl."""
        command = ["journalctl", "--no-pager", "--quiet", "--output=json"]
        command.append("--output-fields=" + ",".join(fields))
        if self._root:
            command.append(f"--root={self._root}")
        return Reading([*command, *arguments])

    def one(self, *arguments: str) -> Entry | None:
        """The first entry of what some arguments select."""
        reading = self.read(*arguments, "--lines=1")
        try:
            return next(iter(reading), None)
        finally:
            reading.close()

    def last(self) -> Entry | None:
        return self.one()

    def whole(self, entry: Entry) -> Entry:
        """The same entry with fields of any length, as far as a line holds them."""
        return self.one("--all", f"--cursor={entry.cursor}") or entry

    def numbered(self, number: int) -> Iterator[Entry]:
        """The entries that have a number in their sequence, modulo 2**32."""
        for sequence, first, last in sorted(set(self._sequences())):
            nearest = number + ((last - number) >> 32 << 32)
            for candidate in range(nearest, max(first, 0) - 1, -(1 << 32)):
                found = self.one(f"--cursor=s={sequence};i={candidate:x}")
                if found is not None and found.place == (sequence, candidate):
                    yield found

    def files(self) -> Iterator[str]:
        """The journal files of this machine."""
        for folder in _FOLDERS:
            for machine in listing(self._root + folder):
                for name in listing(f"{self._root}{folder}/{machine}"):
                    if name.endswith((".journal", ".journal~")):
                        yield f"{self._root}{folder}/{machine}/{name}"

    def _sequences(self) -> Iterator[tuple[str, int, int]]:
        """Of each file: its sequence, and the numbers of its first and last entry."""
        for path in self.files():
            try:
                head = beginning(path, _HEAD.stop)
            except OSError:
                continue
            if head.startswith(_SIGNATURE) and len(head) == _HEAD.stop:
                first, last = (int.from_bytes(head[part], "little") for part in (_HEAD, _TAIL))
                if last:
                    yield head[_SEQUENCE].hex(), first, last


class Gap(NamedTuple):
    """Entries that were written and cannot be read any more: their number, at least 1."""

    entries: int


class Tail:
    """Entries as they are written, from its making on. It goes on behind the last one it knows whenever journalctl has
    ended; that this entry is still there proves that none is missing."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known = journal.last()
        self._reading: Reading | None = None
        self.told = 0  # lines of journalctl, those of entries that were known included

    @property
    def empty(self) -> bool:
        """Whether the journal has had no entry yet: journalctl does not wait for the first one."""
        return self._known is None

    def end(self) -> None:
        """Have the reading end; from any thread."""
        reading = self._reading
        if reading is not None:
            reading.end()

    def run(self, began: Callable[[], None], stopped: Callable[[], bool]) -> Iterator[Entry | Gap]:
        """One journalctl to its end. began: called when whatever is written from now on is heard."""
        known = self._known
        cursor = [] if known is None else [f"--cursor={known.cursor}"]
        reading = self._reading = self._journal.read("--follow", "--no-tail", *cursor)
        skipped = 0
        try:
            if stopped():
                return
            if known is None:  # all there is will be new
                began()
            for entry in reading:
                self.told += 1
                missing = reading.skipped - skipped
                skipped = reading.skipped
                if known is not None:
                    began()
                    missing += _missing(known, entry)
                if missing:
                    yield Gap(missing)
                if known is None or missing:
                    self._known = entry
                    yield entry
                known = None
        finally:
            self._reading = None
            reading.close()


def _missing(known: Entry, first: Entry) -> int:
    """How many entries are gone, at least 1, when a reading from a known one begins with another."""
    (sequence, number), (other, found) = known.place, first.place
    if (sequence, number) == (other, found):
        return 0
    return max(found - number - 1, 1) if sequence == other else 1


def either(**alternatives: Sequence[object]) -> list[str]:
    """Arguments for entries that have one of the values in one of the fields."""
    terms = [f"{name}={value}" for name, values in alternatives.items() for value in values]
    return [part for term in terms for part in ("+", term)][1:]
