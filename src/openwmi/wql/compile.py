"""Conditions and projections as Python code, generated once per text and class (DESIGN.md section 3).

A step becomes one generator expression over rows that are tuples: unpack, test, project. The source holds positions and
constants alone, so that classes of the same shape share the code, and the cache is by source.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from openwmi.wql.expressions import Helpers, Home, condition, term
from openwmi.wql.operators import helper
from openwmi.wql.terms import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from openwmi.wql.syntax import Node

Row: TypeAlias = tuple[Any, ...]
Runner: TypeAlias = "Callable[[Iterable[Row]], Iterator[Row]]"

_WIDE: Final = 10  # columns from which on the few that are used are taken one by one


class Shape:
    """What a step does to a row.

    columns: how many values a row has. positions: where each column that the condition names stands.
    result: what a row of the result holds, by position and, for an embedded object in part, the paths to keep; None
    for the row itself.
    computed: columns that are made from others (a path from the keys): name -> (specification, positions).
    home: namespace and server of the class, which complete a relative reference.
    """

    __slots__ = ("columns", "computed", "home", "positions", "result")

    def __init__(
        self,
        columns: int,
        positions: dict[str, int],
        result: tuple[tuple[int, tuple[tuple[str, ...], ...]], ...] | None,
        computed: dict[str, tuple[tuple[Any, ...], tuple[int, ...]]],
        home: Home,
    ) -> None:
        self.columns = columns
        self.positions = positions
        self.result = result
        self.computed = computed
        self.home = home


def source_of(root: Node | None, shape: Shape) -> tuple[str, tuple[tuple[Any, ...], ...]]:
    """The generated text of a step, and the specifications of the helpers h0, h1, ... that it calls.

    root: the condition, None for every row.
    """
    if root is None and shape.result is None:
        return "def run(rows):\n return iter(rows)\n", ()
    return _Writer(shape).write(root)


class _Writer:
    """The locals of one generator expression: c3 is the column at position 3, p0 the first computed one."""

    __slots__ = ("_bound", "_helpers", "_shape", "_used")

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._helpers = Helpers(shape.home)
        self._used: set[int] = set()
        self._bound: dict[str, str] = {}  # computed column -> its local

    def write(self, root: Node | None) -> tuple[str, tuple[tuple[Any, ...], ...]]:
        test = "" if root is None else f" if {condition(root, self._local, self._locals, self._helpers)}"
        result = self._result()
        bindings = "".join(self._binding(name, local) for name, local in self._bound.items())
        text = f"def run(rows):\n return ({result} for {self._target()}{bindings}{test})\n"
        return "".join(self._helpers.functions) + text, tuple(self._helpers.specs)

    def _local(self, column: Column) -> str:
        if column.name in self._shape.computed:
            self._used.update(self._shape.computed[column.name][1])
            return self._bound.setdefault(column.name, f"p{len(self._bound)}")
        position = self._shape.positions[column.name.lower()]
        self._used.add(position)
        return f"c{position}"

    def _locals(self) -> tuple[str, ...]:
        return *(f"c{position}" for position in sorted(self._used)), *self._bound.values()

    def _result(self) -> str:
        if self._shape.result is None:
            return "r"
        values = []
        for position, wanted in self._shape.result:
            self._used.add(position)
            local = f"c{position}"
            values.append(f"{self._helpers.name('trim', wanted)}({local})" if wanted else local)
        return f"({', '.join(values)}{',' if len(values) == 1 else ''})"

    def _target(self) -> str:
        """The `for` clauses that put the used columns into locals: all by unpacking, or few of many one by one."""
        width = self._shape.columns
        if width > _WIDE and len(self._used) * 2 < width:
            return "r in rows" + "".join(f" for c{used} in (r[{used}],)" for used in sorted(self._used))
        names = ", ".join(f"c{position}" if position in self._used else "_" for position in range(width))
        unpacked = f"{names}," if width == 1 else names
        if self._shape.result is None:
            return f"r in rows for {unpacked or '_'} in (r,)"
        return f"{unpacked or '_'} in rows"

    def _binding(self, name: str, local: str) -> str:
        specification, positions = self._shape.computed[name]
        arguments = ", ".join(f"c{position}" for position in positions)
        return f" for {local} in ({self._helpers.name(*specification)}({arguments}),)"


@lru_cache(maxsize=512)
def compiled(source: str, specifications: tuple[tuple[Any, ...], ...]) -> Runner:
    """The function `run` of a generated text."""
    namespace: dict[str, Any] = {"__builtins__": {"iter": iter, "len": len}}
    namespace.update((f"h{index}", helper(one)) for index, one in enumerate(specifications))
    exec(compile(source, "<wql>", "exec"), namespace)  # noqa: S102 - our own text: positions and repr of constants
    run: Runner = namespace["run"]
    return run


@lru_cache(maxsize=512)
def value_test(op: str, value: Any, code: int, home: Home) -> Callable[[Any], bool]:
    """`value op constant` as a function of one raw value, which may be None."""
    helpers = Helpers(home)
    expression = term(op, value, Column("", code), "v", helpers)
    namespace: dict[str, Any] = {"__builtins__": {"len": len}}
    namespace.update((f"h{index}", helper(one)) for index, one in enumerate(helpers.specs))
    test: Callable[[Any], bool] = eval(f"lambda v: {expression.text}", namespace)  # noqa: S307 - as in `compiled`
    return test
