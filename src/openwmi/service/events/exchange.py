"""Where events are raised and find their subscriptions; runs on the service's loop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from openwmi import wql
from openwmi.model.datetimes import filetime
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_QUOTA_VIOLATION
from openwmi.service.events.audience import Audience
from openwmi.service.events.memory import EventMemory
from openwmi.service.events.plan import KINDS, OPERATION, Event, EventPlan, event_plan, polled_targets
from openwmi.service.events.polling import Poll
from openwmi.service.events.providers import EventProviders
from openwmi.service.events.stored import StoredEvents
from openwmi.service.events.subscription import Subscription
from openwmi.wql.events import pinned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from openwmi.calls.running import RunningCall
    from openwmi.contract.caller import Caller
    from openwmi.model.batches import Rows
    from openwmi.model.classes import Class
    from openwmi.model.errors import WbemError
    from openwmi.model.instances import Instance
    from openwmi.service.core import Service
    from openwmi.service.events.timers import Timers
    from openwmi.service.namespaces import Namespace

    Takes = Callable[[Event], bool]

# 100 ns ticks between 1601 and 1970.
# How often the store is asked what other processes have committed, while somebody subscribes to that.
LOOK_SECONDS: Final = 0.1
# How long providers are slowed down for a consumer that wants it (H7: MaxWaitOnEvents).
BRAKE_SECONDS: Final = 2.0


class Exchange:
    """All subscriptions of one service, by namespace and event class."""

    def __init__(self, service: Service, *, clock: Callable[[], float] = time.time) -> None:
        self.service = service
        self.loop = service.loop
        self.clock = clock
        self._plans: dict[tuple[Any, ...], EventPlan] = {}
        self._by_class: dict[tuple[str, str], Audience] = {}
        # Classes whose bases have no subscriptions that the class itself has not.
        self._looked_at: dict[tuple[str, str], Class] = {}
        self._by_user: dict[str, int] = {}
        self._polls: dict[tuple[str, str, float, str], Poll] = {}
        self._stored = StoredEvents(self)
        self._providers = EventProviders(self)
        self._timers: Timers | None = None
        self.memory = EventMemory(self)
        self._brakes: set[object] = set()
        self._brakes_until = 0.0
        self.count = 0
        self.burst = 0  # counts what raises several events at once: readings of polls, groups that close

    @property
    def limit(self) -> int:
        """How many events may wait for one subscription."""
        return self.service.settings.event_queue

    @property
    def timers(self) -> Timers:
        """The timers of the store, at rest until somebody begins them."""
        if self._timers is None:
            from openwmi.service.events.timers import Timers

            self._timers = Timers(self)
        return self._timers

    # Subscribing

    def subscribe(
        self,
        space: Namespace,
        text: str,
        call: RunningCall,
        caller: Caller,
        *,
        takes: Takes | None = None,
    ) -> Subscription:
        """Begin to deliver; raises what is wrong with the query, and QUOTA_VIOLATION past the limits (H5).

        takes: of a permanent filter, which has limits of its own: whether it takes an event at all (E-60).
        """
        if takes is None:
            self._check_quota(text, caller)
        plan = self._plan(space, text)
        self._check_polling(plan, caller)
        self._providers.check(space, plan, caller)
        subscription = Subscription(self, space, plan, call, caller, takes)
        self._looked_at.clear()
        for name in plan.steps:
            self._audience(space.path.lower(), name).add(subscription)
        self.count += 1
        if takes is None:
            self._by_user[caller.sid] = self._by_user.get(caller.sid, 0) + 1
        polls = [self._poll(subscription, class_) for class_ in plan.polled]
        subscription.awaits([*polls, *self._providers.join(subscription)])
        for poll in polls:
            poll.add(subscription)
        self._stored.watch(space)
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """End a subscription; a second time does nothing."""
        key = subscription.space.path.lower()
        known = False
        for name in subscription.plan.steps:
            subscriptions = self._by_class.get((key, name))
            if subscriptions is not None and subscriptions.discard(subscription):
                known = True
                if not subscriptions:
                    del self._by_class[key, name]
        if not known:
            return
        self.count -= 1
        self.memory.forget(subscription)
        if subscription.takes is None:
            self._uncount(subscription.call.principal)
        for poll in list(self._polls.values()):
            poll.remove(subscription)
        self._providers.leave(subscription)

    def _check_quota(self, text: str, caller: Caller) -> None:
        settings = self.service.settings
        mine, total = self._by_user.get(caller.sid, 0), sum(self._by_user.values())
        if total >= settings.subscriptions or mine >= settings.subscriptions_per_user:
            raise error(
                WBEM_E_QUOTA_VIOLATION,
                f"{mine} subscriptions of {caller.name}, {total} in all: the quota is reached",
                parameter=text,
            )

    def _check_polling(self, plan: EventPlan, caller: Caller) -> None:
        """QUOTA_VIOLATION for more polling than one user, or all, may have (E-25)."""
        if not plan.polled:
            return
        settings, more = self.service.settings, len(plan.polled)
        counts = [(poll.caller.sid, len(poll)) for poll in self._polls.values()]
        total, mine = sum(count for _, count in counts), sum(c for sid, c in counts if sid == caller.sid)
        if total + more > settings.polling or mine + more > settings.polling_per_user:
            raise error(
                WBEM_E_QUOTA_VIOLATION,
                f"{mine} classes are polled for {caller.name}, {total} in all: the quota is reached",
                parameter=plan.query.select.text,
            )

    def polling_fault(self, caller: Caller) -> WbemError | None:
        """What is to be said when the instances that polls remember take more than the quota of memory."""
        settings, sizes = (
            self.service.settings,
            [(one.caller.sid, one.memory) for one in self._polls.values()],
        )
        total, mine = sum(size for _, size in sizes), sum(size for sid, size in sizes if sid == caller.sid)
        if total <= settings.polling_memory and mine <= settings.polling_memory_per_user:
            return None
        return error(
            WBEM_E_QUOTA_VIOLATION,
            f"polling for {caller.name} takes {mine} bytes, {total} in all: the quota of memory is reached",
        )

    def _uncount(self, sid: str) -> None:
        left = self._by_user[sid] - 1
        if left:
            self._by_user[sid] = left
        else:
            del self._by_user[sid]

    def _plan(self, space: Namespace, text: str) -> EventPlan:
        """The plan of a query; 10,000 subscriptions with one text share it."""
        raising = self._providers.raising(space)
        key = (space.path.lower(), text, tuple(raising.values()))
        plan = self._plans.get(key)
        if plan is None or plan.query.class_ is not space.schema.find_class(plan.query.class_.name):
            pins = pinned(wql.parse_event(text))

            def raised(event: Class, target: Class | None) -> bool:
                """Whether such events can be raised without polling: extrinsic ones by any program (D-104)."""
                if target is None:
                    return True
                kinds = map(space.schema.class_named, KINDS) if event.name == OPERATION else (event,)
                return all(self._providers.covered(raising.values(), one, target, pins=pins) for one in kinds)

            plan = event_plan(space, text, raised=raised)
            if len(self._plans) >= 4096:
                self._plans.clear()
            self._plans[key] = plan
        return plan

    # Polling

    def poll_instead(self, subscription: Subscription) -> None:
        """A provider that was to raise what this subscription wants has failed: poll what nobody raises now."""
        space, plan = subscription.space, subscription.plan

        def raised(event: Class, target: Class | None) -> bool:
            return target is not None and self._providers.covered_now(space, event, target)

        for class_ in polled_targets(space, plan.query, plan.steps, raised):
            poll = self._poll(subscription, class_)
            if not poll.serves(subscription):
                poll.add(subscription)

    def raised_by_provider(self, space: Namespace, kind: str, instance: Instance) -> bool:
        """Whether a provider at work raises events of this kind about such an instance by itself."""
        class_ = instance.class_
        return (
            self._providers.at_work
            and class_ is not None
            and self._providers.covered_now(space, space.schema.class_named(kind), class_)
        )

    def _poll(self, subscription: Subscription, class_: Class) -> Poll:
        """The poll that subscriptions with the same class, interval and caller share."""
        within = subscription.plan.query.within
        caller = subscription.caller
        assert within is not None
        key = (subscription.space.path.lower(), class_.name.lower(), within, caller.sid)
        poll = self._polls.get(key)
        if poll is None:

            def ended() -> None:
                self._polls.pop(key, None)

            poll = self._polls[key] = Poll(self, subscription.space, class_, within, caller, ended=ended)
        return poll

    # Slowing down

    @property
    def braked(self) -> bool:
        """Whether providers are to be slowed down just now (E-55, H7)."""
        if self.memory in self._brakes:
            self.memory.settle()
        return bool(self._brakes) and self.loop.time() < self._brakes_until

    def brake(self, whom: object, *, on: bool) -> None:
        """Somebody cannot keep up, or can again. Nobody holds providers up for longer than BRAKE_SECONDS at a time:
        after that what does not fit is dropped (E-58: MaxWaitOnEvents)."""
        if not on:
            self._brakes.discard(whom)
        elif whom not in self._brakes:
            self._brakes_until = self.loop.time() + BRAKE_SECONDS
            self._brakes.add(whom)

    # Raising

    def listening(self, path: str, class_name: str) -> bool:
        """Whether anybody subscribes to events of this class in this namespace."""
        return (path.lower(), class_name.lower()) in self._by_class

    def listeners(self, space: Namespace, event: Event) -> Iterable[Subscription]:
        """Who may want an event in this namespace."""
        found = self._found(space.path, event.class_)
        return found.candidates(event) if found is not None else ()

    def _audience(self, space: str, name: str) -> Audience:
        """Who subscribes to a class, both in lower case."""
        found = self._by_class.get((space, name))
        if found is None:
            found = self._by_class[space, name] = Audience(name)
        return found

    def _found(self, path: str, class_: Class) -> Audience | None:
        """The subscriptions to events of a class. Those to a base class of it may be older than the class (E-06)."""
        space, name = path.lower(), class_.name.lower()
        if not class_.is_system and self._looked_at.get((space, name)) is not class_:
            self._looked_at[space, name] = class_
            for above in class_.derivation:
                for subscription in tuple(self._by_class.get((space, above.lower()), ())):
                    subscription.plan.settle(class_)
                    if name in subscription.plan.steps and subscription not in self._by_class.get(
                        (space, name), ()
                    ):
                        self._audience(space, name).add(subscription)
        return self._by_class.get((space, name))

    def raise_event(self, path: str, event: Event, only: Iterable[Subscription] | None = None) -> None:
        """Offer an event to the subscriptions of a namespace, or to some of them."""
        found = self._found(path, event.class_)
        if found is None:
            return
        event = self._stamped(event)
        selected: dict[EventPlan, Rows] = {}
        wanted = tuple(found.candidates(event)) if only is None else [one for one in only if one in found]
        for subscription in wanted:
            subscription.offer(event, selected)

    def _stamped(self, event: Event) -> Event:
        """With TIME_CREATED, when it is missing (E-05)."""
        position = event.class_.layout.index.get("time_created")
        if position is None or event.row[position] is not None:
            return event
        row: list[Any] = list(event.row)
        row[position] = filetime(self.clock())
        return event._replace(row=tuple(row))

    def made(self, space: Namespace, class_name: str, values: dict[str, Any]) -> Event:
        """An event of a system class."""
        class_ = space.schema.class_named(class_name)
        index = class_.layout.index
        row: list[Any] = [None] * len(index)
        for name, value in values.items():
            row[index[name.lower()]] = value
        return Event(class_, tuple(row))
