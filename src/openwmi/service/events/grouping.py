"""GROUP WITHIN ... BY ... HAVING: many events become one __AggregateEvent (model.md E3)."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final

from openwmi.model.instances import Instance

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from openwmi.model.classes import Class
    from openwmi.service.events.plan import EventPlan

_HAVING: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


class Grouper:
    """The open groups of one subscription. The first matching event opens a group's interval (E-30)."""

    __slots__ = (
        "_aggregate",
        "_by",
        "_counts",
        "_deliver",
        "_first",
        "_having",
        "_interval",
        "_loop",
        "_timers",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        plan: EventPlan,
        aggregate: Class,
        deliver: Callable[[Instance], None],
    ) -> None:
        query = plan.query
        group = query.select.group
        assert group is not None
        assert query.group_within is not None
        self._loop = loop
        self._interval = query.group_within
        self._by = tuple(tuple(path.folded) for path in group.by or ())
        self._having = query.select.having
        self._aggregate = aggregate
        self._deliver = deliver
        self._counts: dict[tuple[Any, ...], int] = {}
        self._first: dict[tuple[Any, ...], Instance] = {}
        self._timers: dict[tuple[Any, ...], asyncio.TimerHandle] = {}

    def add(self, event: Instance, whole: Instance) -> None:
        """Count an event. event: as the subscription's select list shapes it; whole: for the values of BY."""
        key = tuple(_folded(_value(whole, path)) for path in self._by)
        if key not in self._counts:
            self._counts[key] = 0
            self._first[key] = event
            self._timers[key] = self._loop.call_later(self._interval, self._close, key)
        self._counts[key] += 1

    def stop(self) -> None:
        """Nobody wants the open groups any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._counts.clear()
        self._first.clear()

    def _close(self, key: tuple[Any, ...]) -> None:
        count = self._counts.pop(key)
        first = self._first.pop(key)
        del self._timers[key]
        having = self._having
        if having is None or _HAVING[having.op](count, having.literal.value):
            self._deliver(self._aggregate.spawn({"NumberOfEvents": count, "Representative": first}))


def _value(event: Any, path: tuple[str, ...]) -> Any:
    """The value at a dotted path; NULL where it leads through an object that is not there."""
    for name in path:
        if not isinstance(event, Instance):
            return None
        if name.startswith("__"):
            event = event.system_(name)
            continue
        position = event.layout_.index.get(name)
        event = None if position is None else event.values_[position]
    return event


def _folded(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value
