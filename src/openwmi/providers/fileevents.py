"""Files that come, go and change, as events of CIM_DataFile, told by inotify (G-45).

A query has to pin Name or Path: nobody can watch all files. A directory that is not there yet is waited for in the one
above it. What a deletion tells was read before; a file that is gone again before anybody has looked is told with its
name alone. When the kernel's queue overflows, the subscriptions hear of the gap.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from openwmi.contract.provider import EventCoverage
from openwmi.model.instances import Instance
from openwmi.providers.columns import reader
from openwmi.providers.datafile import COLUMNS, File, exact, files_in, look, real
from openwmi.providers.linux import inotify
from openwmi.providers.linux.host import Host
from openwmi.providers.linux.inotify import Inotify, Message
from openwmi.providers.linux.wakeup import Wakeup

if TYPE_CHECKING:
    from openwmi.contract.caller import Caller
    from openwmi.contract.provider import EventSink, Row

_PINNED: Final = (("Name",), ("Path",))
CREATED, DELETED, MODIFIED = (
    EventCoverage(f"__Instance{what}Event", "CIM_DataFile", _PINNED)
    for what in ("Creation", "Deletion", "Modification")
)
_APPEARS: Final = inotify.CREATE | inotify.MOVED_TO
_VANISHES: Final = inotify.DELETE | inotify.MOVED_FROM
_CHANGES: Final = inotify.MODIFY | inotify.ATTRIB | inotify.CLOSE_WRITE
_ITSELF: Final = inotify.DELETE_SELF | inotify.MOVE_SELF | inotify.UNMOUNT | inotify.IGNORED
_ALL: Final = _APPEARS | _VANISHES | _CHANGES | inotify.DELETE_SELF | inotify.MOVE_SELF


class DataFileEvents:
    """The provider."""

    name = "DataFileEvents"
    events = (CREATED, DELETED, MODIFIED)

    def __init__(self, root: str = "") -> None:
        self._root = root

    def may_subscribe(self, coverage: EventCoverage, caller: Caller) -> bool:
        """What this program may see is not for callers of other machines."""
        return not caller.remote

    def provide_events(self, sink: EventSink) -> None:
        with Wakeup() as wakeup:
            sink.on_stop(wakeup.wake)
            sink.on_change(wakeup.wake)
            queue = Inotify()
            try:
                Watch(sink, Host(self._root), queue).run(wakeup)
            finally:
                queue.close()


class Watch:
    """One run of the provider: what is watched, and what is known of it."""

    def __init__(self, sink: EventSink, host: Host, queue: Inotify) -> None:
        self._sink = sink
        self._host = host
        self._queue = queue
        self._layout = sink.class_named("CIM_DataFile").layout
        self._read = reader(COLUMNS, self._layout.names)
        self._directories: dict[str, Directory] = {}  # by the text that a query pins
        self._by_watch: dict[int, set[Directory]] = {}
        self._events: list[Instance] = []

    def run(self, wakeup: Wakeup) -> None:
        self._renew()
        while not self._sink.stopped:
            if wakeup.wait(self._queue):
                self._renew()
            messages = self._queue.read()
            for message in messages:
                self._take(message)
            events, self._events = self._events, []
            if events:
                self._sink.indicate(events, remote=False)

    def _renew(self) -> None:
        """Watch what is wanted now."""
        wanted = {
            self._named(str(value) if number else os.path.dirname(str(value)))
            for coverage in DataFileEvents.events
            for number, value in self._sink.pins(coverage)
        }
        for path in wanted - self._directories.keys():
            directory = self._directories[path] = Directory(path)
            self._arm(directory, silent=True)
        for path in self._directories.keys() - wanted:
            self._release(self._directories.pop(path))
        self._sink.ready()

    def _named(self, path: str) -> str:
        """One text for the many in which a directory may be pinned."""
        found = exact(self._host, path or "/")
        return os.path.normpath(path or "/") if found is None else os.fsdecode(found)

    # Watches

    def _arm(self, directory: Directory, *, silent: bool) -> None:
        """Watch a directory, or the nearest one above it as long as it is not there. What is in it is known from now
        on, and told, unless it is silent, as having come."""
        while True:
            path = exact(self._host, directory.pinned)
            there = path is not None and os.path.isdir(real(self._host, path))
            if not there or path is None:
                path = self._above(directory.pinned)
            try:
                watch = self._queue.watch(real(self._host, path), _ALL)
            except (FileNotFoundError, NotADirectoryError):
                continue  # gone meanwhile
            self._by_watch.setdefault(watch, set()).add(directory)
            directory.watch, directory.path = watch, path if there else None
            if there or exact(self._host, directory.pinned) is None:
                break
            self._release(directory)  # it has come meanwhile
        if directory.path is not None:
            for found in files_in(self._host, directory.path):
                self._on_appearing(directory, found, silent=silent)

    def _above(self, pinned: str) -> bytes:
        """The nearest directory that exists."""
        path = os.path.normpath(pinned)
        while path not in ("/", ""):
            path = os.path.dirname(path)
            found = exact(self._host, path)
            if found is not None and os.path.isdir(real(self._host, found)):
                return found
        return b"/"

    def _release(self, directory: Directory) -> None:
        """Give up its watch, which the kernel ends when it was the last one's."""
        others = self._by_watch.get(directory.watch)
        if others is not None:
            others.discard(directory)
            if not others:
                del self._by_watch[directory.watch]
                self._queue.unwatch(directory.watch)

    # Messages

    def _take(self, message: Message) -> None:
        if message.what & inotify.OVERFLOW:
            self._sink.lost(None)
            return
        for directory in tuple(self._by_watch.get(message.watch, ())):
            if message.what & _ITSELF:
                self._on_vanished(directory)
            elif directory.path is None:
                if message.what & _APPEARS:
                    self._release(directory)
                    self._arm(directory, silent=False)
            elif not message.what & inotify.IS_DIRECTORY and message.name:
                self._on_entry(directory, message)

    def _on_vanished(self, directory: Directory) -> None:
        """The directory is gone, or somewhere else: so are its files."""
        for name in sorted(directory.known):
            self._tell(DELETED, TargetInstance=directory.known[name])
        directory.known.clear()
        self._release(directory)
        self._arm(directory, silent=False)

    def _on_entry(self, directory: Directory, message: Message) -> None:
        name = message.name
        assert directory.path is not None
        if message.what & _VANISHES:
            row = directory.known.pop(name, None)
            if row is not None:
                self._tell(DELETED, TargetInstance=row)
            return
        path = directory.path.rstrip(b"/") + b"/" + name
        found = look(self._host, path)
        if message.what & _APPEARS:
            if found is None and os.path.isdir(real(self._host, path)):
                return  # a link to a directory
            self._on_appearing(directory, found or File(self._host, path, None), silent=False)
        elif found is not None and name in directory.known:
            self._on_changed(directory, name, self._read(found))

    def _on_appearing(self, directory: Directory, found: File, *, silent: bool) -> None:
        name, row = found.path.rpartition(b"/")[2], self._read(found)
        if name in directory.known:  # something else has been moved to where it was
            self._on_changed(directory, name, row)
            return
        directory.known[name] = row
        if not silent:
            self._tell(CREATED, TargetInstance=row)

    def _on_changed(self, directory: Directory, name: bytes, row: Row) -> None:
        before = directory.known[name]
        if row != before:
            directory.known[name] = row
            self._tell(MODIFIED, TargetInstance=row, PreviousInstance=before)

    def _tell(self, coverage: EventCoverage, **rows: Row) -> None:
        if self._sink.wanted(coverage):
            values = {name: Instance(self._layout, row) for name, row in rows.items()}
            self._events.append(self._sink.event(coverage.event, values))


class Directory:
    """A directory that a query has pinned. path: where it is, None while it does not exist; watch: on it, or on one
    above it; known: rows of its files, by name."""

    __slots__ = ("known", "path", "pinned", "watch")

    def __init__(self, pinned: str) -> None:
        self.pinned = pinned
        self.path: bytes | None = None
        self.watch = -1
        self.known: dict[bytes, Row] = {}
