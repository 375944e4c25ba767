"""From batches of objects to rows of values in the order they are shown: what stands between a call and a format."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from openwmi.model.batches import Rows
from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.classes import Class

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from openwmi.model.batches import Batch
    from openwmi.model.instances import Instance
    from openwmi.model.layouts import Layout

ABSENT = 0  # the "type" of a column that the object's class does not have
# The ten system properties in the order tools show them (model.md A-141).
SYSTEM = (
    *("__GENUS", "__CLASS", "__SUPERCLASS", "__DYNASTY", "__RELPATH", "__PROPERTY_COUNT"),
    *("__DERIVATION", "__SERVER", "__NAMESPACE", "__PATH"),
)
_SYSTEM_TYPES = {
    "__genus": CimType.SINT32,
    "__property_count": CimType.SINT32,
    "__derivation": CimType.STRING | ARRAY,
}

Row = tuple[Any, ...]


class Block(NamedTuple):
    """Rows of one shape: `codes` has the type of each column, ABSENT where objects of this class lack it."""

    codes: tuple[int, ...]
    rows: list[Row]


class Columns:
    """The columns of one result, and how each class's values are put into their order."""

    __slots__ = ("_shapes", "names")

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        # By identity; the layout is kept with its shape, so that no other can get its id.
        self._shapes: dict[int, tuple[Layout, _Shape]] = {}

    def blocks(self, batch: Batch) -> Iterator[Block]:
        """A batch of instances as rows, cut where the class changes."""
        if isinstance(batch, Rows):
            shape = self._shape(batch.layout)
            if shape.system:
                yield Block(shape.codes, [shape.extended(instance) for instance in batch])
            else:
                yield Block(shape.codes, [*map(shape.pick, batch.rows)])
            return
        rows: list[Row] = []
        current: _Shape | None = None
        for instance in batch:
            if isinstance(instance, Class):
                raise TypeError(f"class {instance.name} among instances")
            shape = self._shape(instance.layout_)
            if shape is not current and rows and current is not None:
                yield Block(current.codes, rows)
                rows = []
            current = shape
            rows.append(shape.extended(instance) if shape.system else shape.pick(instance.values_))
        if rows and current is not None:
            yield Block(current.codes, rows)

    def _shape(self, layout: Layout) -> _Shape:
        known = self._shapes.get(id(layout))
        if known is None:
            known = self._shapes[id(layout)] = (layout, _Shape(layout, self.names))
        return known[1]


class _Shape:
    """How the values of one layout become a row of the columns."""

    __slots__ = ("_width", "codes", "pick", "system")

    def __init__(self, layout: Layout, names: Sequence[str]) -> None:
        codes: list[int] = []
        positions: list[int] = []
        system: list[str] = []
        for name in names:
            position = layout.index.get(name.lower())
            if position is not None:
                codes.append(layout.types[position])
                positions.append(position)
            elif name.startswith("__"):
                codes.append(_SYSTEM_TYPES.get(name.lower(), CimType.STRING))
                positions.append(len(layout.names) + len(system))
                system.append(name)
            else:
                codes.append(ABSENT)
                positions.append(-1)
        self.codes = tuple(codes)
        self.system = tuple(system)
        self.pick = _picker(positions)

    def extended(self, instance: Instance) -> Row:
        """The row of an instance whose system properties are among the columns."""
        more = [instance.system_(name) for name in self.system]
        values = (tuple(value) if isinstance(value, list) else value for value in more)
        return self.pick((*instance.values_, *values))


def _picker(positions: Sequence[int]) -> Callable[[Row], Row]:
    if -1 in positions:
        return lambda values: tuple([None if at < 0 else values[at] for at in positions])
    if list(positions) == list(range(len(positions))):
        return lambda values: values[: len(positions)]
    if len(positions) == 1:
        only = positions[0]
        return lambda values: (values[only],)
    return itemgetter(*positions)


def all_columns(layouts: Iterable[Layout]) -> tuple[str, ...]:
    """The columns of `SELECT *`: keys first, then the rest in declared order; several classes add up."""
    names: dict[str, str] = {}
    for layout in layouts:
        keys = [layout.names[position] for position in layout.keys]
        for name in (*keys, *layout.names):
            names.setdefault(name.lower(), name)
    return tuple(names.values())
