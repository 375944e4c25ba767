"""A query against classes: which are read, in which order, and why others are not (D3).

A plan is made once per query and schema and kept with the parsed query. `Plan.explain` prints what runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.wql.catalog import Catalog, known_class
from openwmi.wql.checks import Scope
from openwmi.wql.decided import asks_class, decided
from openwmi.wql.diagnose import syntax_error
from openwmi.wql.selection import Selection, selection
from openwmi.wql.steps import Condition, Step, step_for
from openwmi.wql.terms import FALSE, TRUE

if TYPE_CHECKING:
    from openwmi.model.classes import Class
    from openwmi.wql.syntax import Node, Select

PROTOTYPE: Final = 0x2  # calls.md B45
ENSURE_LOCATABLE: Final = 0x100  # calls.md B44
DIRECT_READ: Final = 0x200  # calls.md B40
_KEPT: Final = 4  # plans kept with one parsed query: a text is asked in few namespaces, with few flags

__all__ = ["Catalog", "Condition", "Plan", "Step", "plan"]


class Plan:
    """What a query reads. `steps` stand in reading order; `skipped` names the other classes of the closure and why."""

    __slots__ = ("class_", "closure", "flags", "query", "selection", "skipped", "steps", "version")

    def __init__(self, query: Select, class_: Class, chosen: Selection | None, flags: int) -> None:
        self.query = query
        self.class_ = class_
        self.selection = chosen
        self.flags = flags
        self.closure: tuple[Class, ...] = ()
        self.steps: tuple[Step, ...] = ()
        self.skipped: tuple[tuple[str, str], ...] = ()
        self.version: object = None

    def explain(self) -> str:
        """The plan as text for people."""
        from openwmi.wql.explain import explain

        return explain(self)

    def prototype(self) -> Class:
        """A class that has the selected properties alone (B45)."""
        from openwmi.wql.prototype import prototype

        return prototype(self)

    def holds(self, catalog: Catalog, flags: int) -> bool:
        """Whether this plan is what `plan` would make of its query now."""
        if flags != self.flags:
            return False
        version = getattr(catalog, "version", None)
        if version is not None:
            return version is self.version
        if catalog.find_class(self.query.class_name.text) is not self.class_:
            return False
        return bool(flags & PROTOTYPE) or self.closure == _closure(self.class_, catalog, flags)


def plan(select: Select, catalog: Catalog, *, flags: int = 0) -> Plan:
    """The plan of a data query. Of `flags` PROTOTYPE, ENSURE_LOCATABLE and DIRECT_READ count.

    Raises INVALID_CLASS for an unknown class; INVALID_QUERY for unknown properties, for operators and constants that do
    not fit, and for clauses of event queries. Each has the place in the text and, for names, a near one.
    """
    flags &= PROTOTYPE | ENSURE_LOCATABLE | DIRECT_READ
    for kept in select.plans:
        if kept.holds(catalog, flags):
            return kept
    made = _plan(select, catalog, flags)
    select.plans = (made, *select.plans[: _KEPT - 1])
    return made


def _plan(select: Select, catalog: Catalog, flags: int) -> Plan:
    version = getattr(catalog, "version", None)
    _refuse_event_clauses(select)
    class_ = known_class(select.text, select.class_name, catalog)
    scope = Scope(select.text, class_)
    chosen = None if select.columns is None else selection(scope, select.columns)
    where = scope.condition(select.where) if select.where is not None else TRUE
    made = Plan(select, class_, chosen, flags)
    made.version = version
    if not flags & PROTOTYPE:
        made.closure = _closure(class_, catalog, flags)
        made.steps, made.skipped = _steps(made, where)
    return made


def _refuse_event_clauses(select: Select) -> None:
    clause = select.within or select.group or (select.having and select.having.path)
    if clause:
        message = "WITHIN, GROUP and HAVING belong in event queries"
        raise syntax_error(select.text, clause.span, message, "data queries have no intervals and no groups")


def _closure(class_: Class, catalog: Catalog, flags: int) -> tuple[Class, ...]:
    """The class and, unless it is to be read directly, its descendants (D-50, B40)."""
    return (class_,) if flags & DIRECT_READ else (class_, *catalog.subclasses(class_.name))


def _steps(made: Plan, where: Node) -> tuple[tuple[Step, ...], tuple[tuple[str, str], ...]]:
    steps: list[Step] = []
    skipped: list[tuple[str, str]] = []
    differs = asks_class(where)
    for class_ in made.closure:
        if class_.is_abstract:
            skipped.append((class_.name, "abstract"))
            continue
        if class_.is_dynamic and not class_.provider:
            skipped.append((class_.name, "dynamic, but no provider"))
            continue
        condition = decided(where, class_) if differs else where
        if condition == FALSE:
            skipped.append((class_.name, "no instance can match"))
            continue
        left = None if condition == TRUE else condition
        steps.append(step_for(class_, made.selection, left, locatable=bool(made.flags & ENSURE_LOCATABLE)))
    return tuple(steps), tuple(skipped)
