"""Services that begin, end and change, as events of Win32_Service: what systemd tells over D-Bus (G-28).

What is known of each service is read once; each signal that systemd sends carries what has changed. A service that is
loaded or unloaded, and unit files that come, go or are enabled, make the lists be read and compared. When systemd is
started anew, or signals had no room, the subscriptions hear of the gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.contract.provider import EventCoverage
from openwmi.model.instances import Instance
from openwmi.providers.columns import reader
from openwmi.providers.linux.host import Host
from openwmi.providers.linux.systemd import (
    BUS_NAME,
    SUFFIX,
    Listed,
    Refusal,
    Signal,
    Systemd,
    is_here,
    path_of,
)
from openwmi.providers.linux.wakeup import Wakeup
from openwmi.providers.service import COLUMNS, Service

if TYPE_CHECKING:
    from openwmi.contract.provider import EventSink, Row

CREATED, DELETED, MODIFIED = (
    EventCoverage(f"__Instance{what}Event", "Win32_Service")
    for what in ("Creation", "Deletion", "Modification")
)
# Properties that the lists hold, too.
_LISTED: Final = {
    "ActiveState": "active",
    "SubState": "sub",
    "Description": "description",
    "UnitFileState": "file_state",
}


class ServiceEvents:
    """The provider."""

    name = "ServiceEvents"

    def __init__(self, root: str = "", *, address: str | None = None) -> None:
        self._root = root
        self._address = address

    @property
    def events(self) -> tuple[EventCoverage, ...]:
        """Nothing where systemd has not started the machine, or without the package that speaks with it."""
        from importlib.util import find_spec

        here = self._address is not None or is_here(self._root)
        return (CREATED, DELETED, MODIFIED) if here and find_spec("jeepney") is not None else ()

    def provide_events(self, sink: EventSink) -> None:
        systemd = Systemd(self._address)
        try:
            with Wakeup() as wakeup:
                sink.on_stop(wakeup.wake)
                Watch(sink, Host(self._root), systemd).run(wakeup)
        finally:
            systemd.close()


class Known:
    """What is known of a service: as the lists show it, its properties as they were told last, and what Win32_Service
    makes of them."""

    __slots__ = ("listed", "row", "told")

    def __init__(self, listed: Listed, told: dict[str, Any], row: Row) -> None:
        self.listed = listed
        self.told = told
        self.row = row


class Watch:
    """One run of the provider: what is known of each service, and what is told of it."""

    def __init__(self, sink: EventSink, host: Host, systemd: Systemd) -> None:
        self._sink = sink
        self._host = host
        self._systemd = systemd
        self._layout = sink.class_named("Win32_Service").layout
        self._row = reader(COLUMNS, self._layout.names)
        self._known: dict[str, Known] = {}  # by the path of the object
        self._events: list[Instance] = []

    def run(self, wakeup: Wakeup) -> None:
        self._systemd.listen()
        self._compare()
        self._events.clear()
        self._sink.ready()
        while not self._sink.stopped:
            while signals := list(self._systemd.signals(0.0)):
                self._on_signals(signals)
            wakeup.wait(self._systemd)

    def _on_signals(self, signals: list[Signal]) -> None:
        stale = False
        for signal in signals:
            stale |= self._is_stale(signal)
        if stale:
            self._compare(anew=any(signal.member == "Reloading" for signal in signals))
        if self._systemd.missed:
            self._systemd.missed = False
            self._sink.lost(None)
        events, self._events = self._events, []
        if events:
            self._sink.indicate(events)

    def _is_stale(self, signal: Signal) -> bool:
        """Take what a signal says; whether the lists have to be read again. That a known service is loaded or unloaded
        says nothing: asking for one that is not loaded loads it, for as long as it takes."""
        member, body = signal.member, signal.body
        if member == "PropertiesChanged":
            known = self._known.get(signal.path)
            if known is not None:
                self._on_changed(known, {name: value for name, (_, value) in body[1].items()})
            return False
        if member == "NameOwnerChanged":
            return self._on_new_owner(*body)
        if member in ("UnitNew", "UnitRemoved"):
            known = self._known.get(body[1])
            if known is None:
                return member == "UnitNew" and str(body[0]).endswith(SUFFIX)
            return member == "UnitRemoved" and not known.listed.file_state
        return member == "UnitFilesChanged" or (member == "Reloading" and not body[0])

    def _on_new_owner(self, name: str, before: str, now: str) -> bool:
        """systemd has begun or ended: what it did meanwhile nobody can say."""
        if name != BUS_NAME:
            return False
        self._sink.lost(None)
        if now:
            self._systemd.ask("Subscribe")
        return bool(now)

    def _on_changed(self, known: Known, changes: dict[str, Any], listed: Listed | None = None) -> None:
        known.told.update(changes)
        news = {field: changes[name] for name, field in _LISTED.items() if name in changes}
        known.listed = (listed or known.listed)._replace(**news)
        before, known.row = known.row, self._row(Service(self._host, known.listed, None, known.told))
        if known.row != before:
            self._tell(MODIFIED, TargetInstance=known.row, PreviousInstance=before)

    def _compare(self, *, anew: bool = False) -> None:
        """Read the lists and tell what is different. anew: the services have been read from their files again."""
        present = {}
        for listed in self._systemd.services():
            path = listed.path or path_of(listed.unit)
            present[path] = listed
            known = self._known.get(path)
            if known is None or anew:
                try:
                    told = self._systemd.properties(listed)
                except Refusal:  # gone already
                    continue
                if known is None:
                    self._on_new(path, listed, told)
                else:
                    self._on_changed(known, told, listed)
            elif listed._replace(path=None) != known.listed._replace(path=None):
                self._on_changed(known, {}, listed)
        for path in self._known.keys() - present.keys():
            self._tell(DELETED, TargetInstance=self._known.pop(path).row)

    def _on_new(self, path: str, listed: Listed, told: dict[str, Any]) -> None:
        row = self._row(Service(self._host, listed, None, told))
        self._known[path] = Known(listed, told, row)
        self._tell(CREATED, TargetInstance=row)

    def _tell(self, coverage: EventCoverage, **rows: Row) -> None:
        if self._sink.wanted(coverage):
            values = {name: Instance(self._layout, row) for name, row in rows.items()}
            self._events.append(self._sink.event(coverage.event, values))
