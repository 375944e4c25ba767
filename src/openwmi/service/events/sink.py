"""The sink that QueryObjectSink gives: programs raise extrinsic events with it (calls.md B98-B100, C.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.model.descriptors import SecurityDescriptor
from openwmi.model.errors import WbemError, error
from openwmi.model.instances import Instance
from openwmi.model.sids import InvalidDescriptor
from openwmi.model.status import WBEM_E_INVALID_OBJECT, WBEM_E_INVALID_PARAMETER, WBEM_S_NO_ERROR
from openwmi.service.events.plan import Event, check_extrinsic, event_plan

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Sequence

    from openwmi.contract.caller import Caller
    from openwmi.contract.outcome import Outcome, Progress
    from openwmi.model.batches import Batch
    from openwmi.service.events.exchange import Exchange
    from openwmi.service.events.plan import EventPlan
    from openwmi.service.namespaces import Namespace


class EventSink:
    """Takes events on the service's loop. Each goes to the subscriptions it matches; the sink keeps none, unless it was
    told to batch."""

    __slots__ = ("_batcher", "_descriptor", "_exchange", "_parent", "_plans", "_publisher", "_space")

    def __init__(
        self,
        exchange: Exchange,
        space: Namespace,
        plans: tuple[EventPlan, ...] = (),
        parent: EventSink | None = None,
        *,
        publisher: Caller | None = None,
    ) -> None:
        """publisher: who raises the events; None for the service itself."""
        self._exchange = exchange
        self._space = space
        self._plans = plans
        self._parent = parent
        self._publisher = publisher
        self._descriptor: tuple[int, ...] | None = None
        self._batcher: _Batcher | None = None

    def secure(self, descriptor: bytes | None) -> None:
        """Have the events of this sink, and of those made from it, received by whom a descriptor allows to (C31); an
        event that has a descriptor of its own says that itself. None: by everybody. INVALID_PARAMETER for what is no
        descriptor, or has no owner or no group."""
        if descriptor is None:
            self._descriptor = None
            return
        try:
            read = SecurityDescriptor.decode(descriptor)
        except InvalidDescriptor as reason:
            raise error(WBEM_E_INVALID_PARAMETER, f"SetSinkSecurity: {reason}", parameter="pSD") from None
        if read.owner is None or read.group is None:
            raise error(
                WBEM_E_INVALID_PARAMETER, "SetSinkSecurity: owner or group is missing", parameter="pSD"
            )
        self._descriptor = tuple(descriptor)

    @property
    def descriptor(self) -> tuple[int, ...] | None:
        """What applies to events that say nothing themselves."""
        if self._descriptor is None and self._parent is not None:
            return self._parent.descriptor
        return self._descriptor

    def restricted(self, queries: Iterable[str]) -> EventSink:
        """A sink that lets through what one of the queries selects, and says whether anybody wants that (C28). Raises
        what is wrong with a query."""
        plans = tuple(event_plan(self._space, text, raised=_anybody) for text in queries)
        return EventSink(self._exchange, self._space, plans, self, publisher=self._publisher)

    @property
    def active(self) -> bool:
        """Whether somebody subscribes to a class of events that this sink lets through; the unrestricted sink always
        says so (C29)."""
        listening, path = self._exchange.listening, self._space.path
        if not any(listening(path, name) for plan in self._plans for name in plan.steps):
            return self._parent is None
        return self._parent is None or self._parent.active

    def batch(self, size: int | None, seconds: float | None) -> None:
        """Hold events back until `size` bytes have gathered or the oldest has waited `seconds`; None is no limit (C30).
        What has been held back under the last rule is raised now."""
        self.flush()
        self._batcher = _Batcher(self._exchange.loop, self._raise, size, seconds)

    def flush(self) -> None:
        """Raise what is held back, and hold back no more."""
        batcher, self._batcher = self._batcher, None
        if batcher is not None:
            batcher.flush()

    def on_objects(self, batch: Batch) -> int:
        """Raise every event of a batch; the first that is none is the HRESULT, and nothing of it is raised."""
        events = []
        for one in batch:
            if not isinstance(one, Instance):
                return WBEM_E_INVALID_OBJECT
            try:
                class_ = self._space.schema.class_named(one.classname_)
                check_extrinsic(self._space, class_)
            except WbemError as reason:
                return reason.code
            index = one.layout_.index
            values = [one.values_[index[name]] if name in index else None for name in class_.layout.index]
            position = class_.layout.index["security_descriptor"]
            if values[position] is None:
                values[position] = self.descriptor
            event = Event(class_, tuple(values), self._publisher)
            if self._admits(event):
                events.append(event)
        if self._batcher is not None:
            self._batcher.add(events)
        else:
            self._raise(events)
        return WBEM_S_NO_ERROR

    def on_progress(self, progress: Progress) -> int:
        """Event sinks take no status (C27)."""
        return WBEM_S_NO_ERROR

    def on_completed(self, outcome: Outcome) -> int:
        """Event sinks take no status (C27)."""
        return WBEM_S_NO_ERROR

    def _raise(self, events: Sequence[Event]) -> None:
        for event in events:
            self._exchange.raise_event(self._space.path, event)
        self._exchange.service.relay.send(self._space, events)

    def _admits(self, event: Event) -> bool:
        if self._parent is None:
            return True
        return any(plan.selected(event) for plan in self._plans) and self._parent._admits(event)


class _Batcher:
    """Events that are held back to be raised together."""

    __slots__ = ("_events", "_loop", "_raise", "_seconds", "_size", "_timer", "_weight")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        raising: Callable[[Sequence[Event]], None],
        size: int | None,
        seconds: float | None,
    ) -> None:
        self._loop = loop
        self._raise = raising
        self._size = size
        self._seconds = seconds
        self._events: list[Event] = []
        self._weight = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, events: list[Event]) -> None:
        self._events += events
        self._weight += sum(map(_weight, events))
        if self._size is not None and self._weight >= self._size:
            self.flush()
        elif self._events and self._timer is None and self._seconds is not None:
            self._timer = self._loop.call_later(self._seconds, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        events, self._events, self._weight = self._events, [], 0
        self._raise(events)


def _weight(event: Event) -> int:
    """About the bytes that the values of an event take."""
    return sum(2 * len(value) if isinstance(value, (str, tuple)) else 8 for value in event.row)


def _anybody(_: object, __: object) -> bool:
    """Whoever has the sink raises the events: no query of it is too precise."""
    return True
