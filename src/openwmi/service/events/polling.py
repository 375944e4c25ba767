"""Polling: instances read at intervals and compared, for classes whose provider raises no events (model.md E2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.contract.operations import CreateInstanceEnum, ExecQuery, GetObject
from openwmi.model.errors import WbemError
from openwmi.model.status import (
    WBEM_E_ACCESS_DENIED,
    WBEM_E_NOT_SUPPORTED,
    WBEM_E_PROVIDER_LOAD_FAILURE,
    WBEM_E_PROVIDER_NOT_CAPABLE,
    WBEM_E_PROVIDER_NOT_FOUND,
    WBEM_E_TOO_MUCH_DATA,
)
from openwmi.service.events.plan import CREATION, DELETION, MODIFICATION
from openwmi.service.execute import segments
from openwmi.service.execution import Execution
from openwmi.service.feed import Feed
from openwmi.service.weights import weight

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from openwmi.contract.caller import Caller
    from openwmi.contract.operations import AnyOperation
    from openwmi.model.batches import Batch
    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance
    from openwmi.model.layouts import Layout
    from openwmi.service.events.exchange import Exchange
    from openwmi.service.events.subscription import Subscription
    from openwmi.service.namespaces import Namespace
    from openwmi.threads import Threads

_PAGE: Final = 1000
# Failures of the first reading that no later one will mend.
_NEVER: Final = frozenset(
    (
        WBEM_E_ACCESS_DENIED,
        WBEM_E_NOT_SUPPORTED,
        WBEM_E_PROVIDER_LOAD_FAILURE,
        WBEM_E_PROVIDER_NOT_CAPABLE,
        WBEM_E_PROVIDER_NOT_FOUND,
        WBEM_E_TOO_MUCH_DATA,
    )
)


class _Reading:
    """One operation read to its end; tells its objects, or the failure that ended it."""

    __slots__ = ("_done", "_feed", "objects")

    def __init__(
        self, poll: Poll, operation: AnyOperation, done: Callable[[list[Any], BaseException | None], None]
    ) -> None:
        self.objects: list[Any] = []
        self._done = done
        execution = poll.execution()
        self._feed = Feed(poll.loop, segments(execution, operation), poll.planner, self)
        self._feed.allow(_PAGE)

    def on_batch(self, batch: Batch) -> None:
        self.objects.extend(batch)
        self._feed.allow(_PAGE)

    def on_end(self, fault: BaseException | None, status: int) -> None:
        self._done(self.objects, fault)

    def stop(self) -> None:
        self._feed.stop()


class Poll:
    """One class read at one interval for any number of subscriptions. The first reading is the baseline (E-20).

    While only creations and deletions are wanted, later readings ask for the keys, and then for the new instances
    alone (E-22). The interval does not drift: each reading is due at a multiple of it after the first.
    """

    __slots__ = (
        "_baseline",
        "_due",
        "_ended",
        "_exchange",
        "_fresh",
        "_joined",
        "_lazy",
        "_reading",
        "_subscriptions",
        "_timer",
        "caller",
        "class_",
        "interval",
        "loop",
        "memory",
        "planner",
        "readings",
        "space",
    )

    def __init__(
        self,
        exchange: Exchange,
        space: Namespace,
        class_: Class,
        interval: float,
        caller: Caller,
        *,
        ended: Callable[[], None],
    ) -> None:
        self._exchange = exchange
        self.loop: asyncio.AbstractEventLoop = exchange.loop
        self.planner: Threads = exchange.service.planner
        self.space = space
        self.class_ = class_
        self.interval = interval
        self.caller = caller
        self._ended = ended
        self._subscriptions: dict[Subscription, None] = {}
        self._joined: set[Subscription] = set()  # wait for a reading to begin that is their baseline
        self._fresh: set[Subscription] = set()  # the reading that runs is their baseline
        self._baseline: dict[str, Instance] | None = None
        self._lazy: dict[Layout, frozenset[int]] = {}  # of each layout, where its lazy properties stand
        self._reading: _Reading | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self.readings = 0
        self.memory = 0  # about the bytes of the baseline

    def add(self, subscription: Subscription) -> None:
        """Let a subscription take part. It begins with a reading of its own as its baseline, so that it hears of
        nothing older and misses nothing newer; those who were here before profit."""
        self._subscriptions[subscription] = None
        self._joined.add(subscription)
        if self._baseline is None and self._reading is None:
            self._due = self.loop.time() + self.interval
        if self._reading is None:
            if self._timer is not None:
                self._timer.cancel()
            self._read()

    def __len__(self) -> int:
        return len(self._subscriptions)

    def serves(self, subscription: Subscription) -> bool:
        """Whether a subscription takes part."""
        return subscription in self._subscriptions

    def remove(self, subscription: Subscription) -> None:
        """The last one to leave ends the poll."""
        if self._subscriptions.pop(subscription, subscription) is not None:
            return
        self._fresh.discard(subscription)
        self._joined.discard(subscription)
        if not self._subscriptions:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._reading is not None:
                self._reading.stop()
                self._reading = None
            self._ended()

    def execution(self) -> Execution:
        """One reading, on behalf of the subscribers (E-26)."""
        return Execution(self.space, self.caller)

    def _wanted(self, kind: str) -> bool:
        return any(kind in one.plan.steps for one in self._subscriptions)

    def _read(self) -> None:
        self._timer = None
        self._exchange.burst += 1
        self.readings += 1
        self._fresh |= self._joined
        self._joined.clear()
        operation: AnyOperation = CreateInstanceEnum(self.class_.name)
        done = self._compared
        if self._baseline is not None and not self._wanted(MODIFICATION) and self.class_.keys:
            keys = ", ".join(self.class_.keys)
            operation = ExecQuery(f"SELECT __RELPATH, {keys} FROM {self.class_.name}")
            done = self._compared_keys
        self._reading = _Reading(self, operation, done)

    def _tick(self) -> None:
        """A multiple of the interval. The next is counted from when this one was due, not from now."""
        self._due += self.interval
        self._read()

    def _next(self) -> None:
        """Wait for the next multiple of the interval; those that a slow reading has used up are left out."""
        self._reading = None
        if not self._subscriptions:
            return
        if self._joined:
            self._read()
            return
        now = self.loop.time()
        if self._due <= now:
            self._due += self.interval * ((now - self._due) // self.interval + 1)
        self._timer = self.loop.call_at(self._due, self._tick)

    def _through(self, *, failed: bool) -> None:
        """A reading is through: it was the baseline of those who waited for it. What failed is none, but is not
        waited for either."""
        for subscription in self._fresh:
            subscription.has_baseline(self)
        if not failed:
            self._fresh.clear()
        self._next()

    def _compared(self, objects: list[Any], fault: BaseException | None) -> None:
        """A reading of whole instances. One that failed changes nothing: the next one is compared instead (B88). Whose
        class this machine can never read hears so at once, instead of waiting for events that nobody can have."""
        if fault is None:
            now = {one.relpath_ or "": one for one in objects}
            before, self._baseline = self._baseline, now
            self._weigh()
            if before is not None:
                self._tell(before, now)
        elif self._baseline is None and isinstance(fault, WbemError) and fault.code in _NEVER:
            for subscription in tuple(self._fresh):
                subscription.end(fault)
        self._through(failed=fault is not None)

    def _compared_keys(self, objects: list[Any], fault: BaseException | None) -> None:
        """A reading of keys: what is new is fetched, one by one, before its event."""
        before = self._baseline
        assert before is not None
        if fault is not None:
            self._through(failed=True)
            return
        paths = {one["__RELPATH"]: None for one in objects}
        gone = {path: one for path, one in before.items() if path not in paths}
        for path, one in gone.items():
            del before[path]
            self._raise(DELETION, {"TargetInstance": one})
        self._fetch([path for path in paths if path not in before])

    def _fetch(self, paths: list[str]) -> None:
        if not paths or not self._subscriptions:
            self._weigh()
            self._through(failed=False)
            return
        path = paths.pop(0)

        def fetched(objects: list[Any], fault: BaseException | None) -> None:
            if objects and self._baseline is not None:
                # Else gone again already: short-lived objects are missed (E-20).
                self._baseline[path] = objects[0]
                self._raise(CREATION, {"TargetInstance": objects[0]})
            self._fetch(paths)

        self._reading = _Reading(self, GetObject(path), fetched)

    def _weigh(self) -> None:
        """Past the quota of memory the poll ends, with everybody who depends on it (E-25)."""
        assert self._baseline is not None
        self.memory = sum(map(weight, self._baseline.values()))
        fault = self._exchange.polling_fault(self.caller)
        if fault is not None:
            for subscription in tuple(self._subscriptions):
                subscription.end(fault)

    def _tell(self, before: dict[str, Instance], now: dict[str, Instance]) -> None:
        for path, one in before.items():
            if path not in now:
                self._raise(DELETION, {"TargetInstance": one})
        for path, one in now.items():
            old = before.get(path)
            if old is None:
                self._raise(CREATION, {"TargetInstance": one})
            elif old.values_ != one.values_ and self._differ(old, one):
                self._raise(MODIFICATION, {"TargetInstance": one, "PreviousInstance": old})

    def _differ(self, old: Instance, now: Instance) -> bool:
        """Whether more than lazy properties differ, which a reading need not have (E-22)."""
        lazy = self._lazy.get(now.layout_)
        if lazy is None:
            declared = now.class_.properties.values() if now.class_ is not None else ()
            names = {one.name for one in declared if one.qualifiers.truth("lazy")}
            lazy = self._lazy[now.layout_] = frozenset(
                position for position, name in enumerate(now.layout_.names) if name in names
            )
        if not lazy or old.layout_ is not now.layout_:
            return True
        pairs = enumerate(zip(old.values_, now.values_, strict=True))
        return any(before != after for position, (before, after) in pairs if position not in lazy)

    def _raise(self, kind: str, values: dict[str, Any]) -> None:
        if self._exchange.raised_by_provider(self.space, kind, values["TargetInstance"]):
            return  # the kinds that its provider raises are not raised twice (E-21)
        if self._wanted(kind):
            event = self._exchange.made(self.space, kind, values)
            waiting = self._fresh | self._joined
            receivers = [one for one in self._subscriptions if one not in waiting]
            self._exchange.raise_event(self.space.path, event, receivers)
