"""One subscription: the events of an exchange that match its plan go into its call (calls.md B85, B90)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.model.batches import Rows
from openwmi.model.errors import error
from openwmi.model.instances import Instance
from openwmi.model.status import WBEM_E_QUEUE_OVERFLOW
from openwmi.service.events.admission import receives
from openwmi.service.events.grouping import Grouper
from openwmi.service.events.memory import FEW

if TYPE_CHECKING:
    from openwmi.calls.running import RunningCall
    from openwmi.contract.caller import Caller
    from openwmi.model.errors import WbemError
    from openwmi.service.events.exchange import Exchange, Takes
    from openwmi.service.events.plan import Event, EventPlan
    from openwmi.service.namespaces import Namespace


class Subscription:
    """Stands where other calls have a feed: it produces when something happens, not when it is asked."""

    __slots__ = (
        "_awaited",
        "_burst",
        "_exchange",
        "_grouper",
        "_left",
        "call",
        "caller",
        "plan",
        "space",
        "takes",
    )

    def __init__(
        self,
        exchange: Exchange,
        space: Namespace,
        plan: EventPlan,
        call: RunningCall,
        caller: Caller,
        takes: Takes | None = None,
    ) -> None:
        self._exchange = exchange
        self.space = space
        self.plan = plan
        self.call = call
        self.caller = caller
        self.takes = takes
        self._grouper: Grouper | None = None
        self._awaited: tuple[object, ...] = ()
        self._burst = self._left = 0
        if plan.query.group_within is not None:
            aggregate = space.schema.class_named("__AggregateEvent")
            self._grouper = Grouper(exchange.loop, plan, aggregate, self._deliver_group)

    def allow(self, demand: int) -> None:
        """Events come by themselves; what the sink cannot take yet waits in the call, up to a limit."""

    def awaits(self, sources: list[object]) -> None:
        """The subscription is in force once each of these is: a poll whose first reading is through (B88), a provider
        that watches."""
        self._awaited = tuple(sources)
        if not sources:
            self.call.on_begun()

    def has_baseline(self, source: object) -> None:
        """A source is in force; a reading that failed counts, or a broken provider would hold up its caller."""
        if source in self._awaited:
            self._awaited = tuple(one for one in self._awaited if one is not source)
            if not self._awaited:
                self.call.on_begun()

    def missed(self, count: int | None, provider: str) -> None:
        """A provider could not raise all events: the gap ends the subscription, as a full queue does (B90)."""
        number = "an unknown number of" if count is None else count
        self.end(error(WBEM_E_QUEUE_OVERFLOW, f"{number} events of provider {provider} were lost"))

    def end(self, fault: WbemError) -> None:
        """End with an error. Nothing more is offered, even while a callback keeps the call from ending."""
        self.call.on_end(fault, 0)
        self.stop()

    def stop(self) -> None:
        """The call is over."""
        if self._grouper is not None:
            self._grouper.stop()
        self._exchange.remove(self)

    def offer(self, event: Event, selected: dict[EventPlan, Rows]) -> None:
        """Deliver an event if it matches and is meant for this subscriber (B91). selected: what queries have made of
        it already; subscriptions with one text share the work."""
        if not receives(event, self.caller) or (self.takes is not None and not self.takes(event)):
            return
        plan = self.plan
        rows = selected.get(plan)
        if rows is None:
            step = plan.steps[event.class_.name.lower()]
            rows = selected[plan] = Rows(step.layout, plan.selected(event))
        if not len(rows):
            return
        if self._grouper is not None:
            shaped = Instance(rows.layout, rows.rows[0])
            self._grouper.add(shaped, Instance(event.class_.layout, event.row))
        elif self._has_room():
            self.call.on_batch(rows)
            if self.call.machine.waiting > FEW:
                self._exchange.memory.behind(self, event)

    def _deliver_group(self, event: Instance) -> None:
        self._exchange.burst += 1
        if self._has_room():
            self.call.on_batch([event])

    def _has_room(self) -> bool:
        """Whether one more event may wait. Too many end the subscription with a status of its own: nothing is lost in
        silence (B90)."""
        limit, waiting = self._exchange.limit, self.call.machine.waiting
        if self._grouper is not None or self.plan.polled:
            # What one reading brings may be more than the limit: it counts what was there before.
            if self._burst != self._exchange.burst:
                self._burst, self._left = self._exchange.burst, waiting
            drop = self._exchange.service.settings.event_drop_limit
            if self._left > drop:
                limit, waiting = drop, self._left
        if waiting < limit:
            return True
        self.end(error(WBEM_E_QUEUE_OVERFLOW, f"{limit} events wait for a sink that does not take them"))
        return False
