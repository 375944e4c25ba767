"""What an event query must fulfil before anybody evaluates it, with the codes of D-100 to D-105 and calls.md B86."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.status import (
    WBEM_E_AGGREGATING_BY_OBJECT,
    WBEM_E_INVALID_CLASS,
    WBEM_E_MISSING_AGGREGATION_LIST,
    WBEM_E_MISSING_GROUP_WITHIN,
    WBEM_E_NOT_EVENT_CLASS,
    WBEM_E_NOT_FOUND,
    WBEMESS_E_REGISTRATION_TOO_PRECISE,
)
from openwmi.wql.catalog import known_class
from openwmi.wql.checks import Scope
from openwmi.wql.diagnose import query_error, syntax_error
from openwmi.wql.selection import Selection, selection
from openwmi.wql.syntax import And, Comparison, Isa, Name, Node, Or, fold

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.model.classes import Class
    from openwmi.wql.catalog import Catalog
    from openwmi.wql.syntax import Group, Literal, Select

SHORTEST: Final = 0.1  # seconds; shorter WITHIN intervals become this (D-101)
LONGEST: Final = 4294967.295  # seconds; 32 bits of milliseconds (B87)
_TARGETS: Final = ("targetinstance", "previousinstance")


class EventQuery(NamedTuple):
    """An event query that may be registered.

    targets: the classes that WHERE restricts TargetInstance to, none where it does not. within, group_within: seconds.
    where: the condition with its names settled (openwmi.wql.terms).
    """

    select: Select
    class_: Class
    selection: Selection | None
    where: Node | None
    targets: tuple[Class, ...]
    within: float | None
    group_within: float | None


def event_checks(
    select: Select, catalog: Catalog, *, raised: Callable[[Class, Class | None], bool] | None = None
) -> EventQuery:
    """The settled query.

    raised: whether a provider raises events of a class itself, about instances of the second class; without it nobody
    does. The service raises what concerns classes, namespaces and static instances on its own.

    Raises NOT_FOUND for an unknown class, NOT_EVENT_CLASS, INVALID_CLASS for an extrinsic class that nobody raises,
    REGISTRATION_TOO_PRECISE where only polling could help and WITHIN is missing, MISSING_GROUP_WITHIN,
    MISSING_AGGREGATION_LIST, AGGREGATING_BY_OBJECT, PROPERTY_NOT_AN_OBJECT, INVALID_OPERATOR and INVALID_QUERY.
    """
    class_ = known_class(select.text, select.class_name, catalog, WBEM_E_NOT_FOUND)
    if not class_.inherits_from("__Event"):
        message = f"{class_.name} is not an event class: it does not derive from __Event"
        hint = f"ask for __InstanceCreationEvent WITHIN 5 WHERE TargetInstance ISA '{class_.name}'"
        raise query_error(WBEM_E_NOT_EVENT_CLASS, select.text, select.class_name.span, message, hint)
    scope = Scope(select.text, class_, event=True)
    chosen = None if select.columns is None else selection(scope, select.columns)
    where = None if select.where is None else scope.condition(select.where)
    within = None if select.within is None else _seconds(select.text, select.within)
    group_within = None if select.group is None else _grouped(scope, select.group)
    if select.having is not None:
        _check_having(select, select.having)
    targets = _targets(select, catalog)
    _check_raised(select, class_, targets, catalog, raised or _nobody)
    return EventQuery(select, class_, chosen, where, targets, within, group_within)


def _nobody(_: Class, __: Class | None) -> bool:
    return False


def _seconds(text: str, literal: Literal) -> float:
    """An interval in seconds; zero and less are refused (D-101, E-33), the rest brought into range."""
    value = literal.value
    assert isinstance(value, (int, float))
    if value <= 0:
        raise syntax_error(text, literal.span, "an interval is longer than 0 seconds")
    return min(max(float(value), SHORTEST), LONGEST)


def _grouped(scope: Scope, group: Group) -> float:
    if group.within is None:
        message = "GROUP needs WITHIN and a number of seconds"
        raise query_error(WBEM_E_MISSING_GROUP_WITHIN, scope.text, group.span, message)
    if group.by == ():
        message = "BY needs a list of properties; all of them (*) cannot be aggregated"
        raise query_error(WBEM_E_MISSING_AGGREGATION_LIST, scope.text, group.span, message)
    for path in group.by or ():
        column = scope.column(path)
        if column.tail:
            continue
        if column.code == CimType.OBJECT:
            message = f"{column.name} is an embedded object; group by one of its properties"
            raise query_error(WBEM_E_AGGREGATING_BY_OBJECT, scope.text, path.span, message)
        if column.code & ARRAY:
            message = f"{column.name} is an array, which cannot be aggregated"
            raise query_error(WBEM_E_MISSING_AGGREGATION_LIST, scope.text, path.span, message)
    return _seconds(scope.text, group.within)


def _check_having(select: Select, having: Comparison) -> None:
    """HAVING stands after GROUP and compares NumberOfEvents with a whole number (D-102, E-32)."""
    if select.group is None:
        raise syntax_error(select.text, having.path.span, "HAVING goes with GROUP WITHIN")
    if having.path.folded != ("numberofevents",):
        raise syntax_error(select.text, having.path.span, "HAVING compares NumberOfEvents and nothing else")
    if not isinstance(having.literal.value, int):
        raise syntax_error(select.text, having.literal.span, "NumberOfEvents is compared with a whole number")


# -- which instances the events are about


def pinned(select: Select) -> dict[str, object]:
    """The properties of TargetInstance, by lower-case name, that WHERE compares with "=": all of them must hold."""
    return {} if select.where is None else fold(select.where, _pinned)


def _pinned(node: Node, below: list[dict[str, object]]) -> dict[str, object]:
    if isinstance(node, Comparison):
        path = node.path.folded
        pins = path[0] == "targetinstance" and len(path) == 2 and node.op == "="
        return {path[1]: node.literal.value} if pins else {}
    if isinstance(node, And):
        return {name: value for one in below for name, value in one.items()}
    return {}


def _targets(select: Select, catalog: Catalog) -> tuple[Class, ...]:
    """The classes of TargetInstance; NOT_FOUND for one that does not exist, for it would never match."""
    if select.where is None:
        return ()
    names = fold(select.where, _restricted)
    return tuple(known_class(select.text, name, catalog, WBEM_E_NOT_FOUND) for name in names or ())


def _restricted(node: Node, below: list[tuple[Name, ...] | None]) -> tuple[Name, ...] | None:
    """The classes that `node` restricts the target to, None where it does not restrict it."""
    if isinstance(node, Isa) and node.path.folded[0] in _TARGETS and len(node.path.names) == 1:
        return None if node.negated else (node.class_name,)
    if isinstance(node, Comparison):
        path = node.path.folded
        named = path[0] in _TARGETS and path[1:] == ("__class",) and isinstance(node.literal.value, str)
        return (Name(str(node.literal.value), node.literal.span),) if named and node.op == "=" else None
    if isinstance(node, And):
        return next((names for names in below if names is not None), None)
    if isinstance(node, Or):
        known = [names for names in below if names is not None]
        return tuple(name for names in known for name in names) if len(known) == len(below) else None
    return None


def _check_raised(
    select: Select,
    class_: Class,
    targets: tuple[Class, ...],
    catalog: Catalog,
    raised: Callable[[Class, Class | None], bool],
) -> None:
    """Whether anybody, provider, repository or poll, can raise what the query wants (D-101, D-104, B86)."""
    if class_.inherits_from("__ExtrinsicEvent"):
        if not raised(class_, None):
            message = f"no provider raises {class_.name}"
            raise query_error(WBEM_E_INVALID_CLASS, select.text, select.class_name.span, message)
        return
    if select.within is not None or not class_.inherits_from("__InstanceOperationEvent"):
        return
    if targets and all(_raised_itself(class_, target, catalog, raised) for target in targets):
        return
    message = f"nobody raises {class_.name} for these instances on their own; they must be polled"
    hint = f"write FROM {class_.name} WITHIN 5 WHERE ..."
    raise query_error(WBEMESS_E_REGISTRATION_TOO_PRECISE, select.text, select.class_name.span, message, hint)


def _raised_itself(
    class_: Class, target: Class, catalog: Catalog, raised: Callable[[Class, Class | None], bool]
) -> bool:
    """Static instances are raised by the repository, dynamic ones by a provider that says so."""
    every = (target, *catalog.subclasses(target.name))
    return all(not one.is_dynamic or raised(class_, one) for one in every)
