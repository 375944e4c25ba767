"""Event providers at work: which ones a subscription needs, what they raise, how they begin and end (model.md F-27).

A provider is started with the first subscription that needs it and stopped after the last. What it raises goes to all
subscriptions of the namespace, each of which filters for itself (F-28). A provider that fails takes those with it that
depend on it alone; where WITHIN was given, polling takes over.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_ACCESS_DENIED, WBEMESS_E_REGISTRATION_TOO_BROAD
from openwmi.service.events.outlet import Outlet, alternative
from openwmi.service.faults import provider_fault

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Collection, Iterable

    from openwmi.contract.caller import Caller
    from openwmi.contract.provider import EventCoverage
    from openwmi.model.classes import Class
    from openwmi.model.errors import WbemError
    from openwmi.service.events.exchange import Exchange
    from openwmi.service.events.plan import EventPlan
    from openwmi.service.events.subscription import Subscription
    from openwmi.service.hosting import HostedProvider
    from openwmi.service.namespaces import Namespace

    Coverages = tuple[EventCoverage, ...]

# A provider that does not say when it is ready counts as ready after this.
READY_SECONDS: Final = 1.0
# What a provider covers holds for so long.
COVERS_SECONDS: Final = 1.0
_LOG: Final = logging.getLogger("openwmi.events")


class ProviderRun:
    """One provider raising events in one namespace, from its first subscription to its last."""

    __slots__ = ("_failed", "_ready", "_task", "_timer", "coverages", "hosted", "in_force", "outlet", "space")

    def __init__(
        self, providers: EventProviders, space: Namespace, hosted: HostedProvider, coverages: Coverages
    ) -> None:
        self.space = space
        self.hosted = hosted
        self.coverages = coverages
        self.in_force = False
        self._ready = providers.ready
        self._failed = providers.failed
        exchange = providers.exchange
        self.outlet = Outlet(exchange, space, coverages, ready=self.begun, lost=self._lost)
        self._task: asyncio.Task[None] | None = None
        loop = exchange.loop
        self._timer = loop.call_later(READY_SECONDS, self.begun)
        if hosted.blocking:
            hosted.threads.submit(self._work)
        else:
            loop.call_soon(self._work)

    def begun(self, seen: frozenset[Subscription] | None = None) -> None:
        """Whatever happens from now on is heard. seen: those of whom the provider knows what they have pinned; None for
        one that has not said so in time."""
        if self.outlet.stopped:
            return
        self.in_force = True
        ready = [
            one for one in self.outlet.subscriptions if seen is None or not self.pins(one) or one in seen
        ]
        if len(ready) == len(self.outlet.subscriptions):
            self._timer.cancel()
        self._ready(self, ready)

    def pins(self, subscription: Subscription) -> bool:
        """Whether the provider has to be told more by a subscription before it is in force."""
        return any(one.pinned for one in self.outlet.subscriptions[subscription])

    def await_ready(self) -> None:
        """Somebody waits: for the provider to say that it is ready, but not for long."""
        loop = self.outlet.loop
        if self._timer.cancelled() or self._timer.when() <= loop.time():
            self._timer = loop.call_later(READY_SECONDS, self.begun)

    def stop(self) -> None:
        """Nobody wants its events any more. A thread that does not come back is left behind."""
        self.in_force = False
        self._timer.cancel()
        self.outlet.stop()
        if self._task is not None:
            self._task.cancel()

    def _lost(self, count: int | None) -> None:
        for subscription in tuple(self.outlet.subscriptions):
            subscription.missed(count, self.hosted.name)

    def _work(self) -> None:
        """On a thread of the provider; on the loop when it says that it does not block."""
        failure: BaseException | None = None
        try:
            role = self.hosted.role("provide_events")
            answer = role(self.outlet) if role is not None else None
            if hasattr(answer, "__await__"):
                self.outlet.tell(self._await, answer)
                return
        except BaseException as reason:  # noqa: BLE001 - on a thread nobody else would hear of it
            failure = reason
        self.outlet.tell(self._over, failure)

    def _await(self, answer: Any) -> None:
        if self.outlet.stopped:
            answer.close()
            return
        self._task = self.outlet.loop.create_task(self._awaited(answer))

    async def _awaited(self, answer: Any) -> None:
        failure: BaseException | None = None
        try:
            await answer
        except Exception as reason:  # noqa: BLE001 - a provider may raise anything
            failure = reason
        self._over(failure)

    def _over(self, failure: BaseException | None) -> None:
        """It came back: in order if it was told to stop."""
        if self.outlet.stopped:
            return
        if failure is None:
            failure = RuntimeError("it ended, though somebody wanted its events")
        self._failed(self, failure)


class EventProviders:
    """All event providers of one exchange. Everything here runs on its loop."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._runs: dict[tuple[str, str], ProviderRun] = {}
        self._below: dict[tuple[object, str], frozenset[str]] = {}
        self._covered: dict[HostedProvider, tuple[float, Coverages]] = {}

    @property
    def at_work(self) -> bool:
        return bool(self._runs)

    # What is covered

    def raising(self, space: Namespace) -> dict[HostedProvider, Coverages]:
        """The providers that may raise events in a namespace, at work or not, and what they cover."""
        return {one: self._covers(one) for one in space.providers.raising()}

    def _covers(self, hosted: HostedProvider) -> Coverages:
        """What a provider covers, which may depend on what the machine has: asked for once in a while."""
        now = self.exchange.loop.time()
        known = self._covered.get(hosted)
        if known is None or now >= known[0]:
            if len(self._covered) >= 256:
                self._covered.clear()
            known = self._covered[hosted] = (now + COVERS_SECONDS, tuple(hosted.provider.events))
        return known[1]

    @staticmethod
    def covered(
        coverages: Iterable[Coverages],
        event: Class,
        target: Class,
        *,
        pins: Collection[str] = (),
    ) -> bool:
        """Whether some coverage yields events of a class about every instance of another one that a query wants. pins:
        the properties that it has pinned."""
        return any(
            one.target is not None
            and target.inherits_from(one.target)
            and event.inherits_from(one.event)
            and (not one.pinned or alternative(one, pins) is not None)
            for some in coverages
            for one in some
        )

    def check(self, space: Namespace, plan: EventPlan, caller: Caller) -> None:
        """REGISTRATION_TOO_BROAD for a query whose provider has to be told more (E-61); ACCESS_DENIED for a caller that
        a provider does not let listen (F-27). Who asks for events of all kinds is told of the others."""
        for hosted, coverages in self.raising(space).items():
            for one in coverages:
                if not self._is_meant(plan, one) or not self._yields(space, plan, one):
                    continue
                if one.pinned and alternative(one, plan.pins) is None:
                    raise _too_broad(one, plan)
                if not _lets(hosted, one, caller):
                    raise error(
                        WBEM_E_ACCESS_DENIED,
                        f"{caller.name} may not subscribe to {one.event} of provider {hosted.name}",
                        parameter=plan.query.select.text,
                    )

    def covered_now(self, space: Namespace, event: Class, target: Class) -> bool:
        """The same, of providers that are at work."""
        runs = (run for run in self._runs.values() if run.space is space and run.in_force)
        return self.covered((run.coverages for run in runs), event, target)

    def _is_meant(self, plan: EventPlan, coverage: EventCoverage) -> bool:
        """Whether a query says what it is about, and not just some base class of all events."""
        return bool(plan.query.targets) or plan.query.class_.inherits_from(coverage.event)

    def _needed(self, subscription: Subscription, hosted: HostedProvider, coverages: Coverages) -> Coverages:
        """The coverages that a provider has to raise for a subscription."""
        plan, caller = subscription.plan, subscription.caller
        return tuple(
            one
            for one in coverages
            if self._yields(subscription.space, plan, one)
            and (not one.pinned or alternative(one, plan.pins) is not None)
            and _lets(hosted, one, caller)
        )

    def _yields(self, space: Namespace, plan: EventPlan, coverage: EventCoverage) -> bool:
        """Whether a coverage can yield something that a query wants."""
        schema = space.schema
        key = (schema.version, coverage.event)
        names = self._below.get(key)
        if names is None:
            if len(self._below) >= 256:
                self._below.clear()
            known = schema.find_class(coverage.event)
            classes = () if known is None else (known, *schema.subclasses(known.name))
            names = self._below[key] = frozenset(one.name.lower() for one in classes)
        if names.isdisjoint(plan.steps):
            return False
        targets = plan.query.targets
        if coverage.target is None or not targets:
            return True
        covered = schema.find_class(coverage.target)
        return covered is not None and any(
            one.inherits_from(covered.name) or covered.inherits_from(one.name) for one in targets
        )

    # Subscribers

    def join(self, subscription: Subscription) -> list[object]:
        """Have the providers raise events that a subscription wants; those that do not yet, but soon."""
        space = subscription.space
        waited: list[object] = []
        for hosted, coverages in self.raising(space).items():
            needed = self._needed(subscription, hosted, coverages)
            if not needed:
                continue
            key = (space.path.lower(), hosted.name.lower())
            run = self._runs.get(key)
            if run is not None and (run.hosted is not hosted or run.coverages != coverages):
                self.failed(run, RuntimeError("another provider has taken its place"))
                run = None
            if run is None:
                run = self._runs[key] = ProviderRun(self, space, hosted, coverages)
            run.outlet.join(subscription, needed)
            if not run.in_force or run.pins(subscription):
                run.await_ready()
                waited.append(run)
        return waited

    def leave(self, subscription: Subscription) -> None:
        """A subscription is over; a provider whose last one it was is stopped."""
        for key, run in list(self._runs.items()):
            if run.outlet.leave(subscription) and not run.outlet.subscriptions:
                del self._runs[key]
                run.stop()

    def ready(self, run: ProviderRun, subscriptions: Iterable[Subscription]) -> None:
        """A provider hears of what happens from now on."""
        for subscription in subscriptions:
            subscription.has_baseline(run)

    def failed(self, run: ProviderRun, failure: BaseException) -> None:
        """A provider is gone. Polling takes its place where that was allowed; the others are told (F-02)."""
        fault = provider_fault(failure, run.hosted.name, f"the events of {run.space.path}")
        _LOG.warning("%s", fault.message)
        self._runs = {key: one for key, one in self._runs.items() if one is not run}
        dependants = dict(run.outlet.subscriptions)
        run.stop()
        for subscription, needed in dependants.items():
            polls = all(one.target and not one.pinned for one in needed)
            if subscription.plan.query.within is not None and polls:
                self.exchange.poll_instead(subscription)
                subscription.has_baseline(run)
            else:
                subscription.end(fault)


def _lets(hosted: HostedProvider, coverage: EventCoverage, caller: Caller) -> bool:
    """Whether a provider lets a caller listen."""
    may_subscribe = hosted.role("may_subscribe")
    return may_subscribe is None or bool(may_subscribe(coverage, caller))


def _too_broad(coverage: EventCoverage, plan: EventPlan) -> WbemError:
    terms = " or ".join(
        " and ".join(f"TargetInstance.{name} = '...'" for name in names) for names in coverage.pinned
    )
    return error(
        WBEMESS_E_REGISTRATION_TOO_BROAD,
        f"{coverage.target} is too large to be watched as a whole: say which, with {terms}",
        parameter=plan.query.select.text,
    )
