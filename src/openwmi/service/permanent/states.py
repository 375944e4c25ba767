"""What the store says of bindings at work: instances of OpenWMI_PermanentSubscription in root\\subscription.

They are for whoever wants to know, `openwmi sub ls` first of all; the counts go on over restarts. Written by the holder
of the owner lock, not oftener than every SAVE_SECONDS.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from openwmi.model.datetimes import CimDateTime, filetime, unix_time
from openwmi.service.stored import ident_of, keys_of, root_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from openwmi.model.instances import Instance
    from openwmi.service.core import Service
    from openwmi.service.permanent.route import Route

NAMESPACE: Final = "root\\subscription"
CLASS: Final = "OpenWMI_PermanentSubscription"
# What is new is stored after a moment, in which more of it may come; and then not again for a while.
SOON_SECONDS: Final = 0.5
SAVE_SECONDS: Final = 5.0
_LOG: Final = logging.getLogger("openwmi.events")


def state_of(route: Route) -> dict[str, Any]:
    """What is stored of a binding, by property."""
    binding = route.binding
    return {
        "Binding": binding.path,
        "Filter": binding.filter.path if binding.filter is not None else None,
        "Consumer": binding.consumer.path if binding.consumer is not None else None,
        "State": route.state,
        "Reason": route.reason,
        "Delivered": route.delivered,
        "Failed": route.failed,
        "Dropped": route.dropped,
        "LastError": route.last_error,
        "LastErrorDescription": route.last_text,
        "LastFailure": _moment(route.last_failure),
        "LastDelivery": _moment(route.last_delivery),
    }


def resumed(route: Route, stored: Instance) -> None:
    """Take up the counts where they stood."""
    route.delivered = stored.raw_("Delivered") or 0
    route.failed = stored.raw_("Failed") or 0
    route.dropped = stored.raw_("Dropped") or 0
    route.last_error = stored.raw_("LastError")
    route.last_text = stored.raw_("LastErrorDescription")
    route.last_failure = _seconds(stored.raw_("LastFailure"))
    route.last_delivery = _seconds(stored.raw_("LastDelivery"))
    route.seen = {name: stored.raw_(name) for name in state_of(route)}


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else str(CimDateTime.from_filetime(filetime(seconds)))


def _seconds(moment: str | None) -> float | None:
    return None if moment is None else unix_time(CimDateTime(moment).to_filetime())


class States:
    """Reads on a thread, writes on one; everything else on the service's loop."""

    def __init__(self, service: Service, routes: dict[str, Route]) -> None:
        self._service = service
        self._namespaces = service.namespaces
        self._routes = routes
        self._timer: asyncio.TimerHandle | None = None
        self._saved = -SAVE_SECONDS

    def stored(self) -> dict[str, Instance]:
        """On a thread: what the store has, by binding."""
        space = self._namespaces.find(NAMESPACE)
        if space is None or not self._namespaces.repository.has_instances(NAMESPACE, (CLASS,)):
            return {}
        found = space.static_instances(space.schema.class_named(CLASS))
        return {str(one.raw_("Binding")).upper(): one for one in found}

    def changed(self, *, soon: bool = False) -> None:
        """Something about a binding is new: have it stored before long; soon, where it is more than counts."""
        loop = self._service.loop
        wait = SOON_SECONDS if soon else max(SOON_SECONDS, self._saved + SAVE_SECONDS - loop.time())
        if self._timer is not None:
            if not soon or self._timer.when() <= loop.time() + wait:
                return
            self._timer.cancel()
        self._timer = loop.call_later(wait, self._save)

    def forget(self, paths: Iterable[str]) -> None:
        """Bindings are gone."""
        gone = list(paths)
        if gone:
            self._service.planner.submit(lambda: self._write([], gone))

    def end(self) -> None:
        """Store what is left to store."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._write(self._news(), [])

    def _save(self) -> None:
        self._timer = None
        self._saved = self._service.loop.time()
        news = self._news()
        if news:
            self._service.planner.submit(lambda: self._write(news, []))

    def _news(self) -> list[dict[str, Any]]:
        found = []
        for route in self._routes.values():
            state = state_of(route)
            if state != route.seen:
                route.seen = state
                found.append(state)
        return found

    def _write(self, states: list[dict[str, Any]], gone: list[str]) -> None:
        if not states and not gone:
            return
        try:
            self._write_all(states, gone)
        except Exception:  # noqa: BLE001 - subscriptions go on without a memory
            if not self._namespaces.repository.left:  # whose end has stored it
                _LOG.warning("what permanent subscriptions do cannot be stored", exc_info=True)

    def _write_all(self, states: list[dict[str, Any]], gone: list[str]) -> None:
        repository = self._namespaces.repository.opened()
        class_ = self._namespaces.named(NAMESPACE).schema.class_named(CLASS)
        root = root_of(class_)
        with repository.store.writing():
            for state in states:
                one = class_.spawn(state)
                repository.put_instance(
                    NAMESPACE, one, root=root, ident=ident_of(class_, keys_of(one)) or "", indexed={}
                )
            for path in gone:
                ident = ident_of(class_, {"Binding": path}) or ""
                repository.delete_instance(NAMESPACE, CLASS, root=root, ident=ident)
