"""`openwmi watch`: events as they happen, a row each, or a program run for each."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from openwmi.cli.durations import duration
from openwmi.cli.eventrows import columns, row, subject
from openwmi.cli.formats import writer_for
from openwmi.cli.options import Argument, Option, count
from openwmi.cli.session import Session
from openwmi.cli.subscribing import KINDS, watched
from openwmi.cli.values import json_text, object_document
from openwmi.model.errors import WbemError

if TYPE_CHECKING:
    from openwmi.cli.console import Console
    from openwmi.cli.executing import Program
    from openwmi.cli.options import Options
    from openwmi.cli.subscribing import Watched
    from openwmi.model.instances import Instance
    from openwmi.sync import Subscription

EXAMPLES = """
openwmi watch Win32_Process --on create
openwmi watch Win32_LogicalDisk DeviceID FreeSpace --on modify --within 30s --where "FreeSpace < 1000000000"
openwmi watch Win32_Process --on delete --where "Name = 'backup'" --count 1
openwmi watch "SELECT * FROM __InstanceCreationEvent WITHIN 2 WHERE TargetInstance ISA 'Win32_Process'" -o jsonl
openwmi watch Win32_Process --on create --for 10m --exec "logger -t openwmi"
"""

# How long a break or a loss may go unsaid while nothing happens. Seconds.
TELLING = 1.0
OVERFLOW = {"drop-oldest": "drop_oldest", "block": "block", "error": "error"}


def _kind(text: str) -> str:
    if text.lower() not in KINDS:
        raise ValueError(text)
    return text.lower()


def _interval(text: str) -> float:
    seconds = duration(text)
    if not seconds:
        raise ValueError(text)
    return seconds


def _overflow(text: str) -> str:
    if text.lower() not in OVERFLOW:
        raise ValueError(text)
    return OVERFLOW[text.lower()]


ARGUMENTS = (
    Argument("what", "QUERY|CLASS", "an event query, a class of events, or a class whose instances to watch"),
    Argument("properties", "PROPERTY", "of a class: the properties to show", many=True, optional=True),
)
OPTIONS = (
    Option("on", "create, modify, delete or any: what happens to instances", value="KIND", convert=_kind),
    Option("within", "how often to look where nobody tells, 1s unless given", value="D", convert=_interval),
    Option("where", "a WQL condition on the instances of the class", value="CONDITION"),
    Option("count", "end after N events; 0 is never", value="N", default=0, convert=count),
    Option(
        "for",
        "end after this time; the exit code is 0 whether events came or not",
        value="D",
        convert=duration,
    ),
    Option("exec", "run this program for each event, with the event as JSON on its input", value="CMD"),
    Option(
        "overflow",
        "drop-oldest, block or error: what happens when more than 1000 events wait",
        value="POLICY",
        default="drop_oldest",
        convert=_overflow,
    ),
)


def run(options: Options, console: Console) -> int:
    """Subscribe and show what comes until there is enough of it; 0 then, 130 for Ctrl-C."""
    session = Session(options.namespace, options)
    wanted = watched(session, options)
    if console.verbosity:
        console.note(wanted.text)
    program = _program(options, session, console)
    view = None if program is not None and options.output is None else _View(options, wanted, console)
    try:
        with (
            session.connected() as wmi,
            wmi.subscribe(wanted.text, overflow=options.overflow) as events,
        ):
            if console.narrates or console.verbosity:
                console.note("watching; Ctrl-C ends it")
            _Following(events, view, program, console).run(options)
    except WbemError as failure:
        raise session.failed(failure) from failure
    return 0


def _program(options: Options, session: Session, console: Console) -> Program | None:
    if options.exec is None:
        return None
    from openwmi.cli.executing import Program

    return Program(options.exec, session.namespace, console)


class _View:
    """Events in an output format: whole where the format shows objects, else as rows."""

    def __init__(self, options: Options, wanted: Watched, console: Console) -> None:
        self._writer = writer_for(options.output, console, raw=options.raw)
        self._format = (options.output or "").lower()
        self._columns = columns(wanted)
        self._writer.begin([column.name for column in self._columns])
        self.pause, self.end = self._writer.pause, self._writer.end

    def show(self, event: Instance) -> None:
        writer: Any = self._writer
        if self._format in ("json", "jsonl"):
            writer.documents([json_text(object_document(event, dmtf=writer.raw))])
        elif self._format in ("mof", "xml"):
            writer.batch([event])
        elif self._format == "name":
            writer.batch([subject(event) or event])
        else:
            codes, values = row(self._columns, event)
            writer.rows(codes, [values])


class _Following:
    """One subscription followed to its end: rows appended, programs run, losses told whether --quiet or not."""

    def __init__(
        self, events: Subscription, view: _View | None, program: Program | None, console: Console
    ) -> None:
        self._events = events
        self._view = view
        self._program = program
        self._console = console
        self._gaps = self._lost = 0

    def run(self, options: Options) -> None:
        seconds = getattr(options, "for")
        until = None if seconds is None else monotonic() + seconds
        left = options.count or None
        try:
            while left != 0 and (until is None or monotonic() < until):
                event = self._events.next(0) or self._next(until)
                if event is not None:
                    self._show(event, raw=options.raw)
                    left = None if left is None else left - 1
        finally:
            self._tell()
            if self._view is not None:
                self._view.end()

    def _next(self, until: float | None) -> Instance | None:
        """Wait a while for an event; meanwhile everything so far is to be seen."""
        if self._view is not None:
            self._view.pause()
        self._tell()
        left = TELLING if until is None else min(TELLING, until - monotonic())
        return self._events.next(max(0.0, left))

    def _show(self, event: Instance, *, raw: bool) -> None:
        if self._view is not None:
            self._view.show(event)
        if self._program is not None:
            self._console.flush()
            self._program(event, raw=raw)

    def _tell(self) -> None:
        """Say how many events were dropped since the last time."""
        gaps = self._events.gaps
        if gaps > self._gaps:
            self._console.complain("the connection broke: what happens until it is there again is lost\n")
        lost = self._events.lost - gaps
        if lost > self._lost:
            self._console.complain(
                f"lost: {lost - self._lost} events, {lost} in all, because more than 1000 were waiting\n"
            )
        self._gaps, self._lost = gaps, lost
