"""The sink that an event provider is given: from any thread to the service's loop, in order and bounded
(contract.provider.EventSink; calls.md C.3)."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_OBJECT
from openwmi.service.events.plan import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from openwmi.contract.provider import EventCoverage
    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance
    from openwmi.service.events.exchange import Exchange
    from openwmi.service.events.subscription import Subscription
    from openwmi.service.namespaces import Namespace

    Raised = tuple[Event, bool | None]

# Events that are offered to subscriptions in one turn of the loop.
SLICE: Final = 256
# How often it is looked whether a consumer that cannot keep up still slows everybody down.
BRAKED_SECONDS: Final = 0.05
_LOG: Final = logging.getLogger("openwmi.events")


class Outlet:
    """Takes one provider's events. What waits for the loop is bounded: a provider that is faster is held up."""

    __slots__ = (
        "_exchange",
        "_limit",
        "_lost",
        "_on_change",
        "_on_stop",
        "_ready",
        "_room",
        "_scheduled",
        "_seen",
        "_space",
        "_stopped",
        "_waiting",
        "_wants",
        "coverages",
        "loop",
        "subscriptions",
    )

    def __init__(
        self,
        exchange: Exchange,
        space: Namespace,
        coverages: tuple[EventCoverage, ...],
        *,
        ready: Callable[[frozenset[Subscription]], None],
        lost: Callable[[int | None], None],
    ) -> None:
        self._exchange = exchange
        self._space = space
        self.coverages = coverages
        self.loop = exchange.loop
        self._ready = ready
        self._lost = lost
        self._limit = exchange.limit
        self._stopped = threading.Event()
        self._on_stop: list[Callable[[], object]] = []
        self._on_change: list[Callable[[], object]] = []
        self._room = threading.Condition()
        self._waiting: deque[Raised] = deque()
        self._scheduled = False
        # Who listens, and to which coverages; and how many listen to each, of this machine and of others.
        self.subscriptions: dict[Subscription, tuple[EventCoverage, ...]] = {}
        self._wants: dict[tuple[EventCoverage, bool], int] = {}
        self._seen: frozenset[Subscription] = frozenset()  # those whose pins the provider has been told

    # For the provider, on any thread

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def on_stop(self, call: Callable[[], object]) -> None:
        with self._room:
            self._on_stop.append(call)
            gone = self.stopped
        if gone:
            _tell_all([call])

    def on_change(self, call: Callable[[], object]) -> None:
        self._on_change.append(call)

    def wait(self, seconds: float) -> bool:
        return self._stopped.wait(seconds)

    def ready(self) -> None:
        self.tell(self._ready, self._seen)

    def wanted(self, coverage: EventCoverage, *, remote: bool | None = None) -> bool:
        if remote is not None:
            return self._wants.get((coverage, remote), 0) > 0
        return self._wants.get((coverage, False), 0) > 0 or self._wants.get((coverage, True), 0) > 0

    def pins(self, coverage: EventCoverage) -> frozenset[tuple[object, ...]]:
        subscriptions = self.subscriptions.copy()
        self._seen = frozenset(subscriptions)
        return frozenset(
            _pin(coverage, one.plan.pins) for one, needed in subscriptions.items() if coverage in needed
        )

    def class_named(self, name: str) -> Class:
        return self._space.schema.class_named(name)

    def event(self, class_name: str, values: Mapping[str, object]) -> Instance:
        return self.class_named(class_name).spawn(values)

    def indicate(self, events: Sequence[Instance], *, remote: bool | None = None) -> bool:
        raised = [(self._checked(one), remote) for one in events]
        if self._on_loop():
            for one in raised:
                self._raise(one)
            return not self.stopped
        for start in range(0, len(raised), SLICE):
            if not self._queue(raised[start : start + SLICE]):
                return False
        return not self.stopped

    def lost(self, count: int | None) -> None:
        self.tell(self._lost, count)

    def tell(self, function: Callable[..., object], *arguments: Any) -> None:
        """Have a function run on the loop, after what has been raised so far."""
        if self._on_loop():
            function(*arguments)
            return
        try:
            self.loop.call_soon_threadsafe(self._after_waiting, function, *arguments)
        except RuntimeError:  # the service has ended
            self._stopped.set()

    def _checked(self, event: Instance) -> Event:
        class_ = event.class_
        if class_ is None or not any(class_.inherits_from(one.event) for one in self.coverages):
            raise error(
                WBEM_E_INVALID_OBJECT,
                f"{event.classname_} is none of the events that the provider covers",
                parameter=event.classname_,
            )
        return Event(class_, event.values_)

    def _on_loop(self) -> bool:
        try:
            return asyncio.get_running_loop() is self.loop
        except RuntimeError:
            return False

    def _queue(self, raised: list[Raised]) -> bool:
        """Have events wait for the loop, as soon as there is room for them."""
        with self._room:
            while len(self._waiting) >= self._limit and not self.stopped:
                self._room.wait()
            if self.stopped:
                return False
            self._waiting.extend(raised)
            scheduled, self._scheduled = self._scheduled, True
        if not scheduled:
            try:
                self.loop.call_soon_threadsafe(self._drain)
            except RuntimeError:  # the service has ended
                self._stopped.set()
        return True

    # On the loop

    def join(self, subscription: Subscription, needed: tuple[EventCoverage, ...]) -> None:
        """Somebody listens to some of the coverages."""
        self.subscriptions[subscription] = needed
        self._count(subscription, needed, 1)

    def leave(self, subscription: Subscription) -> bool:
        """Somebody is gone; False when it was not here."""
        needed = self.subscriptions.pop(subscription, None)
        if needed is not None:
            self._count(subscription, needed, -1)
        return needed is not None

    def _count(self, subscription: Subscription, needed: tuple[EventCoverage, ...], change: int) -> None:
        changed = False
        for one in needed:
            key = (one, subscription.caller.remote)
            before = self._wants.get(key, 0)
            self._wants[key] = before + change
            changed = changed or not before or not before + change or bool(one.pinned)
        if changed:
            _tell_all(self._on_change)

    def stop(self) -> None:
        """Nobody wants events any more: what waits is dropped, whoever waits goes on."""
        with self._room:
            self._stopped.set()
            self._waiting.clear()
            self._room.notify_all()
            calls, self._on_stop = self._on_stop, []
        _tell_all(calls)

    def _drain(self) -> None:
        """Offer what waits, a slice in each turn, so that a flood does not keep the loop from its other work. While a
        consumer that slows providers down cannot keep up, what waits stays, and in the end the provider with it."""
        if self._exchange.braked and not self.stopped:
            self.loop.call_later(BRAKED_SECONDS, self._drain)
        else:
            self._offer_slice()

    def _offer_slice(self) -> None:
        with self._room:
            raised = [self._waiting.popleft() for _ in range(min(SLICE, len(self._waiting)))]
            self._scheduled = bool(self._waiting)
            self._room.notify_all()
        for one in raised:
            self._raise(one)
        if self._scheduled:
            self.loop.call_soon(self._drain)

    def _after_waiting(self, function: Callable[..., object], *arguments: Any) -> None:
        for _ in range(0, len(self._waiting), SLICE):
            self._offer_slice()
        function(*arguments)

    def _raise(self, raised: Raised) -> None:
        if self.stopped:
            return
        event, remote = raised
        only = None
        if remote is not None:
            only = [
                one for one in self._exchange.listeners(self._space, event) if one.caller.remote is remote
            ]
        self._exchange.raise_event(self._space.path, event, only)


def alternative(coverage: EventCoverage, pins: Collection[str]) -> int | None:
    """Which of the alternatives of a coverage a query has pinned; None when it has none of them."""
    return next(
        (
            number
            for number, names in enumerate(coverage.pinned)
            if all(name.lower() in pins for name in names)
        ),
        None,
    )


def _pin(coverage: EventCoverage, pins: Mapping[str, object]) -> tuple[object, ...]:
    number = alternative(coverage, pins)
    assert number is not None  # or the subscription would have been refused
    return (number, *[pins[name.lower()] for name in coverage.pinned[number]])


def _tell_all(calls: list[Callable[[], object]]) -> None:
    """Run what a provider wanted to be told by; what goes wrong in it is its own affair."""
    for call in calls:
        try:
            call()
        except Exception:  # noqa: BLE001 - a provider may raise anything
            _LOG.warning("an event provider failed when it was told", exc_info=True)
