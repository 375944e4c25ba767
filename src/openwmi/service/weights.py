"""About how many bytes an object takes while it waits or is kept: what queues and baselines are measured by (E-58)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.model.instances import Instance

if TYPE_CHECKING:
    from collections.abc import Iterable

# The object itself, beside its values.
OBJECT: Final = 64


def weight(instance: Instance) -> int:
    """The bytes of an instance with everything embedded in it."""
    total = 0
    waiting: list[Any] = [instance]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Instance):
            total += OBJECT
            waiting.extend(value.values_)
        elif isinstance(value, tuple):
            waiting.extend(_heavy(value))
            total += 8 * len(value)
        elif isinstance(value, str):
            total += 2 * len(value) + 8
        else:
            total += 8
    return total


def _heavy(values: Iterable[Any]) -> list[Any]:
    return [one for one in values if isinstance(one, (str, tuple, Instance))]
