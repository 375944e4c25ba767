"""Processes that begin and end, as events: Win32_ProcessStartTrace and StopTrace, and the creation and deletion of
Win32_Process (G-51).

Where the kernel tells of them (linux.connector) nothing is looked for. Elsewhere /proc is looked at every LOOK_SECONDS,
for the two classes of trace events alone: who wants to know when instances of Win32_Process come and go has to say
WITHIN there. Which of the two it is stands in the log, as openwmi.events.

What a process is called is read as soon as it has begun. One that is gone by then is told, too, with what is known: its
number, its parent's, and when. It is no secret either when the kernel had to leave out events.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.contract.provider import EventCoverage
from openwmi.model.datetimes import FILETIME_1970
from openwmi.model.instances import Instance
from openwmi.providers.linux.clock import datetime_text
from openwmi.providers.linux.connector import Connector
from openwmi.providers.linux.control import user_id
from openwmi.providers.linux.files import contents, listing
from openwmi.providers.linux.host import Host
from openwmi.providers.linux.lifetimes import CHANGED, STARTED, Lifetimes, Turn
from openwmi.providers.linux.processes import process_reader
from openwmi.providers.linux.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from openwmi.contract.provider import EventSink, Row

START: Final = EventCoverage("Win32_ProcessStartTrace")
STOP: Final = EventCoverage("Win32_ProcessStopTrace")
CREATED: Final = EventCoverage("__InstanceCreationEvent", "Win32_Process")
DELETED: Final = EventCoverage("__InstanceDeletionEvent", "Win32_Process")
LOOK_SECONDS: Final = 0.04
# Flags of a task, field 9 of /proc/PID/stat: it is ending; it has not run another program since its fork.
_EXITING, _NO_EXEC = 0x4, 0x40
_FACTS: Final = ("Name", "ParentProcessId", "SessionId")


class Facts(NamedTuple):
    """What trace events tell of a process; None where it was gone before anybody looked."""

    name: str | None = None
    parent: int | None = None
    session: int | None = None
    user: int | None = None


class KernelTrace:
    """The provider. connect(): a Connector, or OSError where the kernel does not tell."""

    name = "WMI Kernel Trace Event Provider"

    def __init__(self, root: str = "", *, connect: Callable[[], Connector] = Connector) -> None:
        self._root = root
        self._connect = connect
        self._events: tuple[EventCoverage, ...] | None = None

    @property
    def events(self) -> tuple[EventCoverage, ...]:
        """What is covered depends on what the kernel grants; it is asked once."""
        if self._events is None:
            try:
                self._connect().close()
                self._events = (START, STOP, CREATED, DELETED)
            except OSError:
                self._events = (START, STOP)
        return self._events

    def provide_events(self, sink: EventSink) -> None:
        from logging import getLogger

        log = getLogger("openwmi.events")
        watch = Watch(sink, Host(self._root))
        try:
            connector = self._connect()
        except OSError as reason:
            log.warning(
                "process events: the kernel does not tell (%s); /proc is looked at every %d ms instead,"
                " and processes that end within that time are missed",
                reason.strerror or reason,
                LOOK_SECONDS * 1000,
            )
            watch.look()
            return
        log.info("process events come from the kernel's process connector")
        try:
            watch.listen(connector)
        finally:
            connector.close()


class Watch:
    """One run of the provider: what is known of each process, and what is told of it."""

    def __init__(self, sink: EventSink, host: Host) -> None:
        self._sink = sink
        self._host = host
        self._read = process_reader(host, _FACTS, guarded=False)
        self._facts: dict[int, Facts] = {}
        # What Win32_Process said of each process, for callers of this machine and of others; when deletions are wanted.
        self._rows: dict[tuple[int, bool], Row] = {}
        self._remembers: set[bool] = set()
        self._events: list[tuple[Instance, bool | None]] = []
        self._layout = sink.class_named("Win32_Process").layout
        self._readers = {
            remote: process_reader(host, self._layout.names, guarded=not remote) for remote in (False, True)
        }

    def listen(self, connector: Connector) -> None:
        """Tell what the kernel tells, until nobody wants it any more."""
        from time import monotonic, monotonic_ns

        with Wakeup() as wakeup:
            self._sink.on_stop(wakeup.wake)
            self._sink.on_change(wakeup.wake)
            lives = self._begun()
            while not self._sink.stopped:
                due = lives.next_due
                if wakeup.wait(connector, None if due is None else max(due - monotonic(), 0.0) * 1000 + 1):
                    self._remember(lives.known)
                happenings, lost = connector.read()
                for happening in happenings:
                    self._tell(lives.take(happening, monotonic()))
                self._tell(lives.due(monotonic()))
                if lost:
                    since = monotonic_ns()
                    self._tell(lives.compare(self._present(), since))
                    self._sink.lost(lost)

    def look(self) -> None:
        """Look at /proc until nobody wants events any more."""
        from time import monotonic_ns

        lives = self._begun()
        seen: set[int] = set()
        while not self._sink.wait(LOOK_SECONDS):
            self._remember(lives.known)
            present = self._present()
            # One that has not run its program yet is given until the next look.
            young = {process for process in present - lives.known - seen if self._has_flag(process, _NO_EXEC)}
            self._tell(lives.compare(present - young, monotonic_ns()))
            seen = young

    def _begun(self) -> Lifetimes:
        """With the processes that are there already, of whose beginning nothing is told."""
        from time import monotonic_ns

        since = monotonic_ns()
        lives = Lifetimes(self._present(), since, is_alive=self._is_alive)
        for process in lives.known:
            self._facts[process] = self._look_at(process)
        self._remember(lives.known)
        self._sink.ready()
        return lives

    # What /proc says

    def _present(self) -> set[int]:
        return {int(name) for name in listing(f"{self._host.root}/proc") if name.isdecimal()}

    def _look_at(self, process: int) -> Facts:
        row = self._read(str(process))
        if row is None:
            return Facts()
        name, parent, session = row
        return Facts(name, parent, session, user_id(self._host, str(process)))  # type: ignore[arg-type]

    def _is_alive(self, process: int) -> bool:
        """Whether other threads than the first go on."""
        tasks = listing(f"{self._host.root}/proc/{process}/task")
        return any(not self._has_flag(process, _EXITING, task) for task in tasks if task != str(process))

    def _has_flag(self, process: int, flag: int, task: str | None = None) -> bool:
        """Whether a task has a flag; one that is gone has all of them."""
        path = f"{self._host.root}/proc/{process}" + (f"/task/{task}" if task else "")
        try:
            stat = contents(path + "/stat", 1024)
        except OSError:
            return True
        return bool(int(stat[stat.rindex(b")") + 2 :].split(None, 7)[6]) & flag)

    def _remember(self, processes: Iterable[int]) -> None:
        """Have at hand what deletions tell, of all processes: it cannot be read any more when they come."""
        wanted = {remote for remote in (False, True) if self._sink.wanted(DELETED, remote=remote)}
        fresh, self._remembers = wanted - self._remembers, wanted
        for remote in fresh:
            for process in processes:
                self._image(process, remote)
        if not wanted:
            self._rows.clear()

    def _image(self, process: int, remote: bool, begun: int = 0) -> Row:
        """All that Win32_Process says of a process, or what is known of one that is gone. begun: when, if known."""
        row = self._readers[remote](str(process))
        if row is None:
            row = self._known(process, self._facts.get(process, Facts()), begun)
        if remote in self._remembers:
            self._rows[process, remote] = row
        return row

    def _known(self, process: int, facts: Facts, begun: int = 0) -> Row:
        values: dict[str, object] = {
            "Handle": str(process),
            "ProcessId": process,
            "Name": facts.name,
            "Caption": facts.name,
            "Description": facts.name,
            "ParentProcessId": facts.parent,
            "SessionId": facts.session,
            "CreationDate": _date(begun) if begun else None,
            "CreationClassName": "Win32_Process",
            "CSCreationClassName": "Win32_ComputerSystem",
            "CSName": self._host.name,
            "OSCreationClassName": "Win32_OperatingSystem",
            "OSName": self._host.system_name,
            "WindowsVersion": self._host.version,
        }
        return tuple([values.get(name) for name in self._layout.names])

    # What is told

    def _tell(self, turns: Iterable[Turn]) -> None:
        for turn in turns:
            if turn.what == STARTED:
                self._on_started(turn)
            elif turn.what == CHANGED:
                self._on_changed(turn)
            else:
                self._on_ended(turn)
        events, self._events = self._events, []
        for remote, group in groupby(events, key=lambda pair: pair[1]):
            self._sink.indicate([event for event, _ in group], remote=remote)

    def _on_started(self, turn: Turn) -> None:
        process = turn.process
        facts = self._look_at(process)
        if facts.parent is None:  # gone already
            above = self._facts.get(turn.parent, Facts())
            name = above.name if turn.fresh else None
            facts = Facts(name, turn.parent or None, above.session, above.user)
        elif turn.parent:
            facts = facts._replace(parent=turn.parent)
        self._facts[process] = facts
        if self._sink.wanted(START):
            self._trace(START, turn, facts)
        for remote in (False, True):
            if self._sink.wanted(CREATED, remote=remote):
                self._instance(CREATED, turn, self._image(process, remote, turn.time), remote)
            elif remote in self._remembers:
                self._image(process, remote, turn.time)

    def _on_changed(self, turn: Turn) -> None:
        facts = self._look_at(turn.process)
        if facts.parent is not None:
            self._facts[turn.process] = facts
            for remote in self._remembers:
                self._image(turn.process, remote)

    def _on_ended(self, turn: Turn) -> None:
        facts = self._facts.pop(turn.process, Facts())
        if self._sink.wanted(STOP):
            self._trace(STOP, turn, facts, ExitStatus=None if turn.status is None else exit_code(turn.status))
        for remote in (False, True):
            row = self._rows.pop((turn.process, remote), None)
            if self._sink.wanted(DELETED, remote=remote):
                self._instance(DELETED, turn, row or self._known(turn.process, facts), remote)

    def _trace(self, coverage: EventCoverage, turn: Turn, facts: Facts, **more: object) -> None:
        values = {
            "TIME_CREATED": _filetime(turn.time),
            "ProcessID": turn.process,
            "ParentProcessID": facts.parent,
            "SessionID": facts.session,
            "Sid": None if facts.user is None else unix_sid_bytes(facts.user),
            "ProcessName": facts.name,
            **more,
        }
        self._events.append((self._sink.event(coverage.event, values), None))

    def _instance(self, coverage: EventCoverage, turn: Turn, row: Row, remote: bool) -> None:
        values = {"TIME_CREATED": _filetime(turn.time), "TargetInstance": Instance(self._layout, row)}
        self._events.append((self._sink.event(coverage.event, values), remote))


def exit_code(status: int) -> int:
    """What a shell would show of a status of wait(2)."""
    signal = status & 0x7F
    return 128 + signal if signal else status >> 8 & 0xFF


def unix_sid_bytes(user: int) -> tuple[int, ...]:
    """S-1-22-1-USER in binary: revision, how many numbers follow, the authority, the numbers."""
    return (1, 2, 0, 0, 0, 0, 0, 22, 1, 0, 0, 0, *user.to_bytes(4, "little"))


def _wall(time: int) -> int:
    """Nanoseconds since 1970 for nanoseconds since the boot."""
    from time import monotonic_ns, time_ns

    return time_ns() - monotonic_ns() + time


def _filetime(time: int) -> int | None:
    return _wall(time) // 100 + FILETIME_1970 if time else None


def _date(time: int) -> str:
    seconds, fraction = divmod(_wall(time), 1_000_000_000)
    return datetime_text(seconds, fraction // 1000)
