"""The permanent subscriptions of a store, run by the holder of the owner lock (model.md E5; DESIGN.md section 2).

What the store says is read when the lock is gained and whenever a process has changed it; what has not changed goes on
as it is. One filter subscribes once, however many consumers it is bound to; one consumer has one queue, however many
filters are bound to it.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from openwmi.service.hosting import is_registration
from openwmi.service.permanent.channel import Budget, Channel
from openwmi.service.permanent.checks import BINDING, CONSUMER, FILTER
from openwmi.service.permanent.filters import ActiveFilter
from openwmi.service.permanent.relay import KIND, received
from openwmi.service.permanent.reports import Reports
from openwmi.service.permanent.route import Route
from openwmi.service.permanent.states import States, resumed
from openwmi.service.permanent.stored import bindings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from openwmi.model.instances import Instance
    from openwmi.repository.repository import Change
    from openwmi.service.core import Service
    from openwmi.service.events.plan import Event
    from openwmi.service.namespaces import Namespace
    from openwmi.service.ownership import Orphaned
    from openwmi.service.permanent.stored import Binding

LIMIT: Final = 10_000
BEGIN_SECONDS: Final = 5.0
_LOG: Final = logging.getLogger("openwmi.events")


class PermanentSubscriptions:
    """All of a store. Everything but reading and writing it runs on the service's loop."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._loop = service.loop
        self._namespaces = service.namespaces
        self.routes: dict[str, Route] = {}
        self.states = States(service, self.routes)
        self.reports = Reports(service, self.states)
        self._budget = Budget(service.settings.permanent_queues)
        self._filters: dict[tuple[str, str], ActiveFilter] = {}
        self._channels: dict[str, Channel] = {}
        self._running = False
        self._listening = False
        self._reading = False
        self._stale = False
        self._orphaned: Orphaned | None = None
        self._then: Callable[[], object] | None = None
        self._known = False  # what the store has
        self._in_force = False
        self._waiting: list[asyncio.Future[None]] = []

    # Beginning and ending

    def begin(self, then: Callable[[], object] = lambda: None) -> None:
        """The owner lock is held: start what the store has, and after that something else."""
        self._running = True
        self._then = then
        ownership = self._service.ownership
        self._orphaned = ownership.orphaned if ownership is not None else None
        if not self._listening:
            self._listening = True
            self._namespaces.repository.listen(self._on_change)
        self._read()

    def end(self) -> None:
        """Stop all; what waits for consumers is dropped, and told."""
        self._running = self._known = self._in_force = False
        self._wake()
        for one in self._filters.values():
            one.stop()
        for channel in self._channels.values():
            channel.stop("the service ends")
        self.states.end()
        self._filters.clear()
        self._channels.clear()
        self.routes.clear()

    async def begun(self) -> None:
        """Wait until all that the store has is in force, but no longer than BEGIN_SECONDS; not at all where another
        process runs it. Who comes later need not wait."""
        if self._running and not self._in_force:
            try:
                await asyncio.wait_for(self._begun(), BEGIN_SECONDS)
            except TimeoutError:
                _LOG.warning("not all permanent subscriptions are in force after %g seconds", BEGIN_SECONDS)
            self._in_force = True

    async def _begun(self) -> None:
        while self._running and not self._known:
            waiting: asyncio.Future[None] = self._loop.create_future()
            self._waiting.append(waiting)
            await waiting
        for one in list(self._filters.values()):
            await one.begun()

    async def drained(self) -> None:
        """Take in no more events, and wait until those on their way have been delivered."""
        for one in self._filters.values():
            one.stop()
        for channel in list(self._channels.values()):
            await channel.drained()

    # What the store says

    def _on_change(self, change: Change) -> None:
        """In any thread."""
        if not self._running:
            return
        if change.kind == KIND:
            self._on_event(change)
        elif change.kind == "gap" or change.kind.startswith("namespace") or self._is_part(change):
            self._tell(self._read)
        elif change.kind.startswith("class"):
            self._tell(self._retry)
        elif is_registration(change):
            self._tell(self._reload)

    def _on_event(self, change: Change) -> None:
        """A program of another process has raised an event; permanent subscriptions hear of it here alone."""
        found = received(self._namespaces, change)
        if found is not None:
            self._tell(lambda: self._raise(*found))

    def _raise(self, space: Namespace, event: Event) -> None:
        exchange = self._service.exchange
        permanent = [one for one in exchange.listeners(space, event) if one.takes is not None]
        exchange.raise_event(space.path, event, permanent)

    def _is_part(self, change: Change) -> bool:
        """Whether it is about a filter, a consumer or a binding."""
        name = change.class_name.lower()
        if not change.kind.startswith("instance"):
            return False
        if name in (FILTER, BINDING):
            return True
        space = self._namespaces.find(change.namespace)
        class_ = space.schema.find_class(name) if space is not None else None
        return class_ is not None and any(class_.inherits_from(one) for one in (CONSUMER, FILTER, BINDING))

    def _read(self) -> None:
        """Have the bindings read on another thread; a change meanwhile has them read once more."""
        if self._reading:
            self._stale = True
            return
        self._reading = True

        def job() -> None:
            found: list[Binding] | None = None
            known: dict[str, Instance] = {}
            try:
                known = self.states.stored()
                found = list(bindings(self._namespaces, self._service.find_creator))
            except Exception:  # noqa: BLE001 - the store is another program's too: look again with its next change
                if self._running and not self._namespaces.repository.left:
                    _LOG.warning("the permanent subscriptions cannot be read", exc_info=True)
            self._tell(lambda: self._on_read(found, known))

        self._service.planner.submit(job)

    def _on_read(self, found: list[Binding] | None, known: dict[str, Instance]) -> None:
        self._reading = False
        self._known = True
        self._wake()
        if self._running and found is not None:
            if len(found) > LIMIT:
                _LOG.warning("%d permanent subscriptions: the first %d of them run", len(found), LIMIT)
            self._take(found[:LIMIT], known)
            self._tell_of_gap()
        then, self._then = self._then, None
        if then is not None and self._running:
            then()
        if self._stale:
            self._stale = False
            self._read()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)

    def _tell_of_gap(self) -> None:
        """Whoever ran this before was killed: what happened since then has been missed."""
        orphaned, self._orphaned = self._orphaned, None
        if orphaned is not None:
            since = datetime.fromtimestamp(orphaned.seen, UTC).isoformat(timespec="seconds")
            text = f"process {orphaned.holder} ended without giving the lock back; events since {since} were missed"
            _LOG.warning("%s", text)
            self.reports.missed([route for route in self.routes.values() if route.reason is None], text)

    def _tell(self, function: Callable[[], None]) -> None:
        """Have something done on the loop, from any thread."""
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:  # the service has ended
            self._running = False

    # From what it says to what runs

    def _take(self, found: Iterable[Binding], known: dict[str, Instance]) -> None:
        """Start what is new, stop what is gone; what says what it said goes on as it is. known: what was stored of
        them."""
        wanted = {one.key: one for one in found}
        for key in [key for key in self.routes if key not in wanted]:
            self._drop(key)
        for key, binding in wanted.items():
            route = self.routes.get(key)
            if route is None:
                self.routes[key] = route = Route(binding)
                if key in known:
                    resumed(route, known[key])
            elif route.binding != binding:
                self._leave(route)
                route.binding, route.reason = binding, binding.trouble
            if binding.trouble is None and route.channel is None:
                self._join(route)
        self._tidy()
        for one in list(self._filters.values()):
            one.start()
        self.states.forget(str(one.raw_("Binding")) for key, one in known.items() if key not in wanted)
        self.states.changed(soon=True)

    def _join(self, route: Route) -> None:
        """Connect a filter with a consumer."""
        binding = route.binding
        assert binding.filter is not None
        assert binding.consumer is not None
        assert binding.caller is not None
        key = binding.consumer.path.upper()
        channel = self._channels.get(key)
        if channel is None:
            channel = Channel(self._service, binding.consumer, self._budget, self.reports)
            self._channels[key] = channel
        elif channel.consumer != binding.consumer:
            channel.becomes(binding.consumer)
        route.channel = channel
        name = (binding.filter.path.upper(), binding.caller.sid)
        known = self._filters.get(name)
        if known is not None and known.said != binding.filter:
            self._replace(name, known)
            known = None
        if known is None:
            known = self._filters[name] = ActiveFilter(
                self._service, binding.filter, binding.caller, self.reports
            )
        known.routes[binding.key] = route
        route.reason = known.trouble

    def _replace(self, name: tuple[str, str], old: ActiveFilter) -> None:
        """A filter says something else now. Its other bindings come to the new one in their turn."""
        old.stop()
        del self._filters[name]
        for route in tuple(old.routes.values()):
            route.channel = None

    def _leave(self, route: Route) -> None:
        """Take a binding from its filter; what waits for its consumer is still delivered."""
        for one in self._filters.values():
            one.routes.pop(route.binding.key, None)
        route.channel = None

    def _drop(self, key: str) -> None:
        route = self.routes.pop(key)
        channel = route.channel
        self._leave(route)
        if channel is not None:
            channel.leave(route)

    def _tidy(self) -> None:
        """End filters without consumers, and consumers without filters."""
        for name, one in list(self._filters.items()):
            if not one.routes:
                del self._filters[name]
                one.stop()
        used = {id(route.channel) for route in self.routes.values() if route.channel is not None}
        for key, channel in list(self._channels.items()):
            if id(channel) not in used:
                del self._channels[key]
                channel.stop("its binding is gone")

    def _retry(self) -> None:
        """A class has changed: what could not be activated may be now."""
        for one in self._filters.values():
            if one.trouble is not None:
                one.start()

    def _reload(self) -> None:
        """A provider's registration has changed."""
        for channel in self._channels.values():
            channel.reload()
