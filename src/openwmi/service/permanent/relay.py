"""Events that programs raise in other processes: by the change log to the one that runs permanent subscriptions.

An extrinsic event is raised in one process; on Windows there is but one. Where the store has permanent subscriptions,
and another process runs them, the event goes into the change log, too, as an entry of kind "event+": its path says who
raised it, what was before is the event. The process that runs them raises it anew, for permanent subscriptions alone.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.contract.caller import Caller
from openwmi.model.errors import WbemError
from openwmi.model.instances import Instance
from openwmi.service.events.plan import Event
from openwmi.service.permanent.checks import BINDING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openwmi.repository.repository import Change
    from openwmi.service.core import Service
    from openwmi.service.namespaces import Namespace, Namespaces

KIND: Final = "event+"
SEPARATOR: Final = "\x1f"
# Events that may wait to be written; what is more is counted and told.
LIMIT: Final = 10_000
# Entries of one transaction: others want to write, too.
PORTION: Final = 500
# How long it is taken for granted whether the store has permanent subscriptions.
LOOK_SECONDS: Final = 0.25
_LOG: Final = logging.getLogger("openwmi.events")


class _Sent(NamedTuple):
    space: Namespace
    event: Event


class Relay:
    """The sending half; everything here runs on the service's loop, but the writing itself."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._waiting: deque[_Sent] = deque()
        self._lock = threading.Lock()
        self._writing = False
        self._looked = -LOOK_SECONDS
        self._wanted = False
        self.lost = 0

    def send(self, space: Namespace, events: Iterable[Event]) -> None:
        """Let the process that runs permanent subscriptions have these events, if there may be one."""
        if not self._is_wanted():
            return
        for event in events:
            if len(self._waiting) >= LIMIT:
                self._lose(1)
            else:
                self._waiting.append(_Sent(space, event))
        if self._waiting and not self._writing:
            self._writing = True
            self._service.planner.submit(self._write)

    def _is_wanted(self) -> bool:
        ownership = self._service.ownership
        if ownership is not None and ownership.held:
            return False
        now = self._service.loop.time()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._wanted = self._service.namespaces.repository.count_instances(BINDING) > 0
        return self._wanted

    def _lose(self, count: int) -> None:
        if not self.lost:
            _LOG.warning(
                "events for permanent subscriptions come faster than the store takes them: some are lost"
            )
        self.lost += count

    def _write(self) -> None:
        """On a thread: write what waits."""
        while True:
            self.flush()
            self._writing = False
            if not self._waiting:  # what came meanwhile has seen that somebody writes
                return
            self._writing = True

    def flush(self) -> None:
        """Write what waits, now, and be sure that what somebody else was just writing is written. From any thread."""
        with self._lock:
            while self._waiting:
                self._write_portion()

    def _write_portion(self) -> None:
        portion: list[_Sent] = []
        while self._waiting and len(portion) < PORTION:
            portion.append(self._waiting.popleft())
        try:
            self._service.namespaces.repository.opened().log_events(KIND, [_logged(one) for one in portion])
        except Exception:  # noqa: BLE001 - the store is another program's too
            _LOG.warning(
                "%d events for permanent subscriptions cannot be stored", len(portion), exc_info=True
            )
            self.lost += len(portion)


def _logged(sent: _Sent) -> tuple[str, str, Instance]:
    space, event = sent
    return space.path, publisher_text(event.publisher), Instance(event.class_.layout, event.row)


def publisher_text(publisher: Caller | None) -> str:
    """Who raised an event, as the log keeps it: what EventAccess may ask for."""
    if publisher is None:
        return ""
    where = "remote" if publisher.remote else "here"
    return SEPARATOR.join((where, publisher.sid, publisher.name, *publisher.groups))


def _publisher(text: str | None) -> Caller | None:
    if not text:
        return None
    where, sid, name, *groups = text.split(SEPARATOR)
    return Caller(sid, name, tuple(groups), remote=where == "remote")


def received(namespaces: Namespaces, change: Change) -> tuple[Namespace, Event] | None:
    """The event that an entry of the log holds; None where its class or its namespace is gone, or it makes no sense."""
    try:
        return _received(namespaces, change)
    except (LookupError, TypeError, ValueError, WbemError):
        _LOG.warning(
            "an event of class %s in the change log cannot be read", change.class_name, exc_info=True
        )
        return None


def _received(namespaces: Namespaces, change: Change) -> tuple[Namespace, Event] | None:
    space, repository = namespaces.find(change.namespace), namespaces.repository.existing
    class_ = space.schema.find_class(change.class_name) if space is not None else None
    if space is None or class_ is None or repository is None or change.before is None:
        return None
    stored: Any = repository.logged(change.before, space.schema.find_class)
    if not isinstance(stored, Instance):
        return None
    index = stored.layout_.index
    row = tuple([stored.values_[index[name]] if name in index else None for name in class_.layout.index])
    return space, Event(class_, row, _publisher(change.path))
