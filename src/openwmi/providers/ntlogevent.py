"""Win32_NTLogEvent on Linux: the entries of systemd's journal, and each as an event when it is written (G-46).

Logfile is "Security" for what the kernel audits and for the facilities auth, authpriv and audit; "System" for the
kernel, for the journal's own words, and for those of process 1, which manages services; "Application" for the rest.
RecordNumber is the journal's own number of the entry, modulo 2**32: it counts through all three logs. TimeGenerated is
when the program says it has made the entry, where it says so, TimeWritten when the journal received it. EventType is 1
for the priorities emerg to err, 2 for warning, 3 for the others, and 4 or 5 for what is audited; Category is the
facility of syslog. EventIdentifier, InsertionStrings and Data are there for entries that have been written with them,
as NTEventLogEventConsumer does; EventCode is the lower half of EventIdentifier.

A machine without a journal shows the lines of its syslog daemon's files as they are now, with what they say: no
priority, hence no EventType; the number of the line as RecordNumber; the facility of those in auth.log alone.

NULL always: nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from openwmi.contract.provider import EventCoverage, Guard
from openwmi.model.datetimes import FILETIME_1970, CimDateTime
from openwmi.model.errors import error
from openwmi.model.instances import Instance
from openwmi.model.status import WBEM_E_PROVIDER_NOT_CAPABLE
from openwmi.providers.cimwin32 import CimWin32
from openwmi.providers.columns import Readable, reader, same
from openwmi.providers.linux.clock import datetime_text
from openwmi.providers.linux.control import user_name
from openwmi.providers.linux.files import text
from openwmi.providers.linux.journal import Entry, Gap, Journal, Tail, either
from openwmi.providers.linux.syslog import Follower, entries, sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from openwmi.contract.caller import Caller
    from openwmi.contract.provider import EventSink, Request, Row

CREATED: Final = EventCoverage("__InstanceCreationEvent", "Win32_NTLogEvent")
MODIFIED: Final = EventCoverage("__InstanceModificationEvent", "Win32_NTLogEvent")  # an entry never changes
APPLICATION, SECURITY, SYSTEM = "Application", "Security", "System"
FACILITIES: Final = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *("ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5"),
    *("local6", "local7"),
)
_GUARDED: Final = (4, 10, 13)  # auth, authpriv, audit
_ERROR, _WARNING, _INFORMATION, _PASSED, _FAILED = 1, 2, 3, 4, 5
_TYPES: Final = ("Success", "Error", "Warning", "Information", "Audit Success", "Audit Failure")
# What NTEventLogEventConsumer.EventType says, as Win32_NTLogEvent.EventType.
_WRITTEN: Final = {0: 0, 1: _ERROR, 2: _WARNING, 4: _INFORMATION, 8: _PASSED, 16: _FAILED}
_UINT32: Final = 1 << 32
# A journalctl that ends is started again after this; so many that say nothing in a row are one too many.
PAUSE_SECONDS: Final = 0.25
FRUITLESS: Final = 40


class LogEntries(Readable):
    """The entries that a caller may see; those of the journal the newest first."""

    guard = Guard(instances=True)

    def __init__(self, root: str = "") -> None:
        self._root = root

    def instances(self, request: Request) -> Iterator[Row]:
        if not request.as_caller:
            return
        journal = Journal(self._root)
        if not journal.exists:
            yield from map(row_reader(request.columns), _file_entries(self._root))
            return
        reading = journal.read("--reverse", *_selection(request))
        request.on_cancel(reading.end)
        read = self._reader(request.columns, journal)
        try:
            for entry in reading:
                yield read(entry)
        finally:
            reading.close()

    def instance(self, request: Request, keys: Mapping[str, object]) -> Row | None:
        number = keys.get("RecordNumber")
        if not request.as_caller or not isinstance(number, int):
            return None
        journal = Journal(self._root)
        candidates = journal.numbered(number)
        if not journal.exists:
            candidates = (one for one in _file_entries(self._root) if one.place[1] == number)
        for entry in candidates:
            if same(log_of(entry), str(keys.get("Logfile"))):
                return self._reader(request.columns, journal)(entry)
        return None

    def _reader(self, columns: tuple[str, ...], journal: Journal) -> Callable[[Entry], Row]:
        """With the whole message, however long, when it is wanted."""
        read, complete = row_reader(columns), "Message" in columns

        def row(entry: Entry) -> Row:
            return read(journal.whole(entry) if complete and entry.has_more("MESSAGE") else entry)

        return row


def _file_entries(root: str) -> Iterator[Entry]:
    """Those of a syslog daemon's files, the oldest first. PROVIDER_NOT_CAPABLE where there are none."""
    from heapq import merge

    files = sources(root)
    if not files:
        raise error(
            WBEM_E_PROVIDER_NOT_CAPABLE,
            "this machine has neither a journal of systemd nor log files of a syslog daemon in /var/log",
        )
    return iter(merge(*map(entries, files), key=lambda entry: entry.received))


class NTEventLog(CimWin32):
    """The provider: instances, and their creation as it happens."""

    name = "MS_NT_EVENTLOG_PROVIDER"

    def __init__(self, root: str = "") -> None:
        super().__init__(root)
        self._root = root

    @property
    def events(self) -> tuple[EventCoverage, ...]:
        """Nothing where there is no log to follow."""
        return (CREATED, MODIFIED) if Journal(self._root).exists or sources(self._root) else ()

    def may_subscribe(self, coverage: EventCoverage, caller: Caller) -> bool:
        """Entries hold what accounts of other machines are not shown."""
        return not caller.remote

    def provide_events(self, sink: EventSink) -> None:
        journal = Journal(self._root)
        if journal.exists:
            self._follow_journal(sink, journal)
        else:
            self._follow_files(sink)

    def _follow_journal(self, sink: EventSink, journal: Journal) -> None:
        tail = Tail(journal)
        sink.on_stop(tail.end)
        tell = self._teller(sink)
        fruitless = 0
        while not sink.stopped:
            told = tail.told
            for one in tail.run(sink.ready, lambda: sink.stopped):
                tell(journal.whole(one) if isinstance(one, Entry) and one.has_more("MESSAGE") else one)
            fruitless = 0 if tail.told > told or tail.empty else fruitless + 1
            if fruitless > FRUITLESS:
                raise RuntimeError("journalctl ends as soon as it is started")
            sink.wait(PAUSE_SECONDS)

    def _follow_files(self, sink: EventSink) -> None:
        """Look at the files whenever something in their directory changes."""
        from openwmi.providers.linux.inotify import CREATE, MODIFY, MOVED_TO, Inotify
        from openwmi.providers.linux.wakeup import Wakeup

        tell, queue = self._teller(sink), Inotify()
        followers = []
        try:
            with Wakeup() as wakeup:
                sink.on_stop(wakeup.wake)
                queue.watch(os.fsencode(f"{self._root}/var/log"), CREATE | MODIFY | MOVED_TO)
                followers = [Follower(source) for source in sources(self._root)]
                sink.ready()
                while not sink.stopped:
                    wakeup.wait(queue)
                    queue.read()
                    for follower in followers:
                        for one in follower.more():
                            tell(one)
        finally:
            queue.close()
            for follower in followers:
                follower.close()

    def _teller(self, sink: EventSink) -> Callable[[Entry | Gap], None]:
        """What tells a sink of an entry, or of some that are gone."""
        class_ = sink.class_named("Win32_NTLogEvent")
        read = row_reader(class_.layout.names)

        def tell(one: Entry | Gap) -> None:
            if isinstance(one, Gap):
                sink.lost(one.entries)
                return
            event = sink.event(CREATED.event, {"TargetInstance": Instance(class_.layout, read(one))})
            sink.indicate([event], remote=False)

        return tell


def row_reader(columns: tuple[str, ...]) -> Callable[[Entry], Row]:
    """A function that reads the wanted columns of entries."""
    users: dict[int, str] = {}

    def user(entry: Entry) -> str | None:
        named, uid = entry.text("OPENWMI_USER"), entry.number("_UID")
        if named is not None or uid is None:
            return named
        if uid not in users:
            users[uid] = user_name(uid)
        return f"{_computer(entry)}\\{users[uid]}"

    return reader({**COLUMNS, "User": user}, columns)


def _selection(request: Request) -> list[str]:
    """What of the question journalctl can answer by itself."""
    arguments = []
    for condition in request.conditions:
        if condition.name == "Logfile" and condition.op == "=":
            arguments += _of_log(str(condition.value))
        elif condition.name == "TimeWritten" and condition.op in (">", ">=", "="):
            arguments += _time("--since", condition.value)
        elif condition.name == "TimeWritten" and condition.op in ("<", "<="):
            arguments += _time("--until", condition.value)
    return arguments


def _time(option: str, value: object) -> list[str]:
    """A moment, to the second that holds it or the one after it: the service looks closer."""
    try:
        seconds = (CimDateTime(str(value)).to_filetime() - FILETIME_1970) // 10_000_000
    except ValueError:  # it leaves something open
        return []
    return [f"{option}=@{seconds if option == '--since' else seconds + 1}"]


def _of_log(name: str) -> list[str]:
    """A superset of the entries of one log."""
    if same(name, SECURITY):
        return either(_TRANSPORT=["audit"], SYSLOG_FACILITY=_GUARDED, OPENWMI_EVENT_TYPE=[8, 16])
    if same(name, SYSTEM):
        return either(_TRANSPORT=["kernel", "driver"], SYSLOG_FACILITY=[0], _PID=[1])
    return []


def log_of(entry: Entry) -> str:
    transport, facility = entry.text("_TRANSPORT"), entry.number("SYSLOG_FACILITY")
    if entry.number("OPENWMI_EVENT_TYPE") in (8, 16) or transport == "audit" or facility in _GUARDED:
        return SECURITY
    if transport in ("kernel", "driver") or facility == 0 or entry.number("_PID") == 1:
        return SYSTEM
    return APPLICATION


def _event_type(entry: Entry) -> int | None:
    written, priority = entry.number("OPENWMI_EVENT_TYPE"), entry.number("PRIORITY")
    if written in _WRITTEN:
        return _WRITTEN[written]
    if entry.text("_TRANSPORT") == "audit":
        message = entry.text("MESSAGE") or ""
        return _FAILED if any(mark in message for mark in _DENIED) else _PASSED
    if priority is None:
        return None
    return _ERROR if priority <= 3 else _WARNING if priority == 4 else _INFORMATION


_DENIED: Final = ("res=0", "res=failed", "success=no")


def _type(entry: Entry) -> str | None:
    found = _event_type(entry)
    return None if found is None else _TYPES[found]


def _bounded(name: str, bits: int) -> Callable[[Entry], int | None]:
    def read(entry: Entry) -> int | None:
        found = entry.number(name)
        return found if found is not None and found < 1 << bits else None

    return read


_identifier = _bounded("OPENWMI_EVENT_ID", 32)
_own_category = _bounded("OPENWMI_CATEGORY", 16)


def _code(entry: Entry) -> int | None:
    found = _identifier(entry)
    return None if found is None else found & 0xFFFF


def _category(entry: Entry) -> int | None:
    found = _own_category(entry)
    return entry.number("SYSLOG_FACILITY") if found is None else found


def _category_name(entry: Entry) -> str | None:
    facility = entry.number("SYSLOG_FACILITY")
    if _own_category(entry) is not None or facility is None or facility >= len(FACILITIES):
        return None
    return FACILITIES[facility]


def _generated(entry: Entry) -> str:
    return _moment(entry.number("_SOURCE_REALTIME_TIMESTAMP") or entry.received)


def _moment(micros: int) -> str:
    return datetime_text(*divmod(micros, 1_000_000))


def _computer(entry: Entry) -> str | None:
    name = entry.text("_HOSTNAME")
    return None if name is None else name.partition(".")[0].upper()


def _strings(entry: Entry) -> tuple[str, ...] | None:
    return tuple(map(text, entry.all("OPENWMI_STRING"))) or None


def _data(entry: Entry) -> tuple[int, ...] | None:
    found = entry.all("OPENWMI_DATA")
    return tuple(found[0]) if found else None


COLUMNS: Final[dict[str, Callable[[Any], object]]] = {
    "Category": _category,
    "CategoryString": _category_name,
    "ComputerName": _computer,
    "Data": _data,
    "EventCode": _code,
    "EventIdentifier": _identifier,
    "EventType": _event_type,
    "InsertionStrings": _strings,
    "Logfile": log_of,
    "Message": lambda entry: entry.text("MESSAGE"),
    "RecordNumber": lambda entry: entry.place[1] % _UINT32,
    "SourceName": lambda entry: entry.text("SYSLOG_IDENTIFIER") or entry.text("_COMM"),
    "TimeGenerated": _generated,
    "TimeWritten": lambda entry: _moment(entry.received),
    "Type": _type,
    "User": lambda entry: entry.text("OPENWMI_USER"),
}
family = LogEntries
