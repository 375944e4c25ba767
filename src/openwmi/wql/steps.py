"""One class of a plan: the columns to read, what its provider may decide, the code that filters (D-51 to D-55)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.model.cimtypes import CimType
from openwmi.wql.compile import Row, Runner, Shape, compiled, source_of
from openwmi.wql.decided import PATHS
from openwmi.wql.literals import in_range
from openwmi.wql.printer import condition_text
from openwmi.wql.syntax import RELATIONS, And, Node, fold
from openwmi.wql.terms import Term, conjunction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from openwmi.model.classes import Class
    from openwmi.model.layouts import Layout
    from openwmi.wql.selection import Selection

# Keys whose equality is not the equality of their text: a look-up might miss what a comparison finds (D-55).
_NO_LOOK_UP: Final = (CimType.DATETIME, CimType.REFERENCE, CimType.REAL32, CimType.REAL64)


class Condition(NamedTuple):
    """A comparison that a provider may use to yield fewer rows, its value of the property's type.

    It means what WQL means: strings without case, datetimes by instant, references as paths, NULL never. What a
    provider yields too much the step drops; what it drops wrongly is lost.
    """

    name: str
    op: str
    value: Any


class Step:
    """One concrete class to read.

    columns: declared names, in class order, of the properties that a row holds.
    conditions: ANDed. residual: WQL text of what they do not say, None when they say all.
    keys: the value of each key by declared name where WHERE fixes them all: one instance to look up, which the step
    still filters. layout: of the rows that `run` yields.
    """

    __slots__ = (
        "_condition",
        "_run",
        "_shape",
        "class_",
        "columns",
        "conditions",
        "keys",
        "layout",
        "residual",
    )

    def __init__(
        self, class_: Class, condition: Node | None, columns: tuple[str, ...], layout: Layout, shape: Shape
    ) -> None:
        self.class_ = class_
        self.columns = columns
        self.layout = layout
        self.conditions, self.residual = _pushed(condition)
        self.keys = _keys(class_, self.conditions)
        self._condition = condition
        self._shape = shape
        self._run: Runner | None = None

    def run(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows of the result, each as soon as `rows` yields it. `rows` are tuples aligned with `columns`."""
        run = self._run
        if run is None:
            run = self._run = compiled(*source_of(self._condition, self._shape))
        return run(rows)

    @property
    def source(self) -> str:
        """The generated Python code."""
        return source_of(self._condition, self._shape)[0]


def step_for(class_: Class, chosen: Selection | None, condition: Node | None, *, locatable: bool) -> Step:
    """The step that reads `class_`. chosen: the select list, None for `*`. condition: None for every row."""
    whole = class_.layout
    layout = whole
    if chosen is not None:
        layout = whole.project(chosen.names, locatable=locatable, system=chosen.system)
    used = _used(condition)
    needed = {name.lower() for name in (*layout.names, *used)}
    computed: list[str] = [name for name in PATHS if name in used]
    if computed:
        needed.update(name.lower() for name in class_.keys)
    columns = tuple(name for name in whole.names if name.lower() in needed)
    positions = {name.lower(): position for position, name in enumerate(columns)}
    parts = chosen.parts if chosen is not None else {}
    result = None
    if layout.names != columns or parts:
        result = tuple((positions[name.lower()], parts.get(name.lower(), ())) for name in layout.names)
    paths = {name: _path_of(class_, name, positions) for name in computed}
    shape = Shape(len(columns), positions, result, paths, (class_.namespace, class_.server))
    return Step(class_, condition, columns, layout, shape)


def _path_of(class_: Class, name: str, positions: dict[str, int]) -> tuple[tuple[Any, ...], tuple[int, ...]]:
    """How __PATH or __RELPATH is made from the keys: the helper's specification, and where the keys stand."""
    prefix = f"\\\\{class_.server}\\{class_.namespace}:" if name == "__path" else ""
    types = tuple(class_.properties[key.lower()].type for key in class_.keys)
    specification = ("relpath", prefix, class_.name, tuple(class_.keys), types)
    return specification, tuple(positions[key.lower()] for key in class_.keys)


def _used(condition: Node | None) -> set[str]:
    """Names of the columns of a condition."""
    found: set[str] = set()

    def visit(node: Node, _: list[None]) -> None:
        if isinstance(node, Term):
            found.add(node.column.name)

    if condition is not None:
        fold(condition, visit)
    return found


def _pushed(condition: Node | None) -> tuple[tuple[Condition, ...], str | None]:
    """The comparisons ANDed at the top that a provider may use, and the text of everything else."""
    if condition is None:
        return (), None
    pushed: list[Condition] = []
    rest: list[Node] = []
    for item in condition.items if isinstance(condition, And) else (condition,):
        if isinstance(item, Term) and _pushable(item):
            pushed.append(Condition(item.column.name, item.op, item.value))
        else:
            rest.append(item)
    return tuple(pushed), condition_text(conjunction(rest)) if rest else None


def _pushable(term: Term) -> bool:
    column = term.column
    plain = not column.tail and not column.system and term.op in RELATIONS
    return plain and in_range(term.value, column.code)


def _keys(class_: Class, conditions: tuple[Condition, ...]) -> dict[str, Any] | None:
    """The value of every key, where each is compared by `=` and text equality is enough to find the instance (D-55)."""
    fixed = {
        condition.name.lower(): condition.value for condition in reversed(conditions) if condition.op == "="
    }
    found: dict[str, Any] = {}
    for key in class_.keys:
        if key.lower() not in fixed or class_.properties[key.lower()].type in _NO_LOOK_UP:
            return None
        found[key] = fixed[key.lower()]
    return found or None
