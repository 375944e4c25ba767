"""Who subscribes to one class of events in one namespace, found by what the conditions fix.

A condition like `Number = 5 AND ...` or `TargetInstance.Name = 'a' AND ...` can hold for events with that value alone.
Such subscriptions are kept by that value, so that an event is tried on those that may want it, and not on thousands.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from openwmi.model.cimtypes import INTEGER_RANGES, CimType
from openwmi.model.instances import Instance
from openwmi.wql.text import fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from openwmi.service.events.plan import Event, EventPlan
    from openwmi.service.events.subscription import Subscription

    Group = dict[Subscription, None]

_TARGET: Final = "targetinstance"
# Their equality is that of the folded text, and that of numbers.
_EXACT: Final = frozenset((CimType.STRING, *INTEGER_RANGES))


class Audience:
    """A set of subscriptions. Those that fix nothing are in `_rest`, the others in `_fixed`: by the property of the
    event, or of its TargetInstance, and by the value."""

    __slots__ = ("_all", "_class_name", "_fixed", "_rest")

    def __init__(self, class_name: str) -> None:
        self._class_name = class_name.lower()
        self._all: Group = {}
        self._rest: Group = {}
        self._fixed: dict[tuple[str, ...], dict[object, Group]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Subscription]:
        return iter(self._all)

    def __contains__(self, one: object) -> bool:
        return one in self._all

    def add(self, one: Subscription) -> None:
        self._all[one] = None
        key = key_of(one.plan, self._class_name)
        if key is None:
            self._rest[one] = None
        else:
            path, value = key
            self._fixed.setdefault(path, {}).setdefault(value, {})[one] = None

    def discard(self, one: Subscription) -> bool:
        """Take a subscription out; whether it was there."""
        if self._all.pop(one, one) is not None:
            return False
        key = key_of(one.plan, self._class_name)
        if key is None:
            del self._rest[one]
            return True
        path, value = key
        groups = self._fixed[path]
        del groups[value][one]
        if not groups[value]:
            del groups[value]
        if not groups:
            del self._fixed[path]
        return True

    def candidates(self, event: Event) -> Iterable[Subscription]:
        """Those that may want an event."""
        if not self._fixed:
            return self._rest
        groups = [self._rest]
        for path, by_value in self._fixed.items():
            found = by_value.get(_value(event, path))
            if found:
                groups.append(found)
        return chain.from_iterable(groups)


def key_of(plan: EventPlan, class_name: str) -> tuple[tuple[str, ...], object] | None:
    """The first property that a plan fixes for events of a class, and the value as `_value` would give it."""
    step = plan.steps[class_name]
    for condition in step.conditions:
        if condition.op == "=":
            declared = step.class_.property(condition.name)
            key = None if declared is None else _exact(condition.value, declared.type)
            if key is not None:
                return (condition.name.lower(),), key
    for name, value in plan.pins.items():
        properties = [target.property(name) for target in plan.query.targets]
        types = {None if declared is None else declared.type for declared in properties}
        if len(types) == 1 and (code := types.pop()) is not None:
            key = _exact(value, code)
            if key is not None:
                return (_TARGET, name), key
    return None


def _exact(value: Any, code: int) -> object:
    """A constant as a key; None where equality is more than that of keys."""
    if code not in _EXACT or isinstance(value, bool):
        return None
    if code == CimType.STRING:
        return fold(value) if isinstance(value, str) else None
    return value if isinstance(value, int) else None


def _value(event: Event, path: tuple[str, ...]) -> object:
    """What an event has at a path, folded; None for NULL and for what is not there, which equals nothing."""
    position = event.class_.layout.index.get(path[0])
    value = None if position is None else event.row[position]
    if len(path) == 2:
        if not isinstance(value, Instance):
            return None
        position = value.layout_.index.get(path[1])
        value = None if position is None else value.values_[position]
    return fold(value) if isinstance(value, str) else value
