"""Events as rows: what happened, when, to which object, and what changed; or the columns that a query names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from openwmi.cli.records import ABSENT
from openwmi.cli.values import text_form
from openwmi.model.cimtypes import CimType
from openwmi.model.classes import Class
from openwmi.model.instances import Instance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openwmi.cli.subscribing import Watched

    Cell = tuple[int, Any]

_WORDS = {
    "__instancecreationevent": "create",
    "__instancemodificationevent": "modify",
    "__instancedeletionevent": "delete",
}
_TARGETS = ("TargetInstance", "TargetClass", "TargetNamespace")
_PREVIOUS = ("PreviousInstance", "PreviousClass", "PreviousNamespace")
# What every event has and nobody looks at.
_COMMON = frozenset(("security_descriptor", "time_created"))
_TEXT = int(CimType.STRING)


class Column(NamedTuple):
    """A column, and how its type and its raw value come from an event."""

    name: str
    cell: Callable[[Instance], Cell]


def columns(watched: Watched) -> list[Column]:
    """The columns for the events of a subscription."""
    if watched.select.columns is not None:
        return [Column(path.text, _at(path.folded)) for path in watched.select.columns]
    if watched.properties:
        path = () if _is_event_class(watched) else ("targetinstance",)
        return [
            Column("Event", _word),
            *(Column(name, _at((*path, name.lower()))) for name in watched.properties),
        ]
    return list(_usual(watched))


def row(columns: list[Column], event: Instance) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """Types and values of one event."""
    cells = [column.cell(event) for column in columns]
    return tuple(code for code, _ in cells), tuple(value for _, value in cells)


def subject(event: Instance) -> Instance | Class | None:
    """The object that an event is about; for a group of events its representative's."""
    event = _inner(event)
    found = (event.get_(name) for name in _TARGETS)
    return next((one for one in found if isinstance(one, (Instance, Class))), None)


def word(event: Instance) -> str:
    """What happened: create, modify or delete, else the class of the event."""
    name = _inner(event).classname_
    return _WORDS.get(name.lower(), name)


def moment(event: Instance) -> str | None:
    """When it happened, as DMTF text in UTC."""
    created = _inner(event).get_("TIME_CREATED")
    if not isinstance(created, int):
        return None
    from openwmi.model.datetimes import CimDateTime

    return str(CimDateTime.from_filetime(created))


def _is_event_class(watched: Watched) -> bool:
    return watched.event is not None and not watched.event.inherits_from("__InstanceOperationEvent")


def _usual(watched: Watched) -> Iterator[Column]:
    """The columns where none are named."""
    declared = {} if watched.event is None else watched.event.properties
    about = {name.lower() for name in (*_TARGETS, *_PREVIOUS)}
    yield Column("Event", _word)
    yield Column("Time", lambda event: (int(CimType.DATETIME), moment(event)))
    if watched.select.group is not None:
        yield Column("Count", _at(("numberofevents",)))
    if declared.keys() & about:
        yield Column("Object", _object)
    if "targetinstance" in declared:
        yield Column("Name", _name)
        if watched.event is not None and watched.event.name.lower() in (
            "__instanceoperationevent",
            "__instancemodificationevent",
        ):
            yield Column("Changed", lambda event: (_TEXT, changes(event)))
    for name, one in declared.items():
        if name not in about | _COMMON:
            yield Column(one.name, _within(_at((name,))))


def _within(cell: Callable[[Instance], Cell]) -> Callable[[Instance], Cell]:
    """A cell of the representative, where the event stands for a group."""
    return lambda event: cell(_inner(event))


def _inner(event: Instance) -> Instance:
    inner = event.get_("Representative")
    return inner if isinstance(inner, Instance) else event


def _word(event: Instance) -> Cell:
    return _TEXT, word(event)


def _object(event: Instance) -> Cell:
    found = subject(event)
    if isinstance(found, Class):
        return _TEXT, found.name
    return _TEXT, None if found is None else found.relpath_ or found.classname_


def _name(event: Instance) -> Cell:
    found = subject(event)
    if not isinstance(found, Instance):
        return ABSENT, None
    return _TEXT, found.get_("Name") or found.get_("Caption")


def _at(path: tuple[str, ...]) -> Callable[[Instance], Cell]:
    """The value at a path of properties, with its type; a system property is text."""

    def cell(event: Instance) -> Cell:
        found: Any = event
        code = ABSENT
        for name in path:
            if not isinstance(found, Instance):
                return code, None
            position = found.layout_.index.get(name)
            if position is None:
                return (_TEXT, found.system_(name)) if name.startswith("__") else (ABSENT, None)
            code, found = found.layout_.types[position], found.values_[position]
        return code, found

    return cell


def changes(event: Instance) -> str | None:
    """What a modification changed: `Name: old -> new`, by commas; None for any other event."""
    event = _inner(event)
    new, old = event.get_("TargetInstance"), event.get_("PreviousInstance")
    if not isinstance(new, Instance) or not isinstance(old, Instance):
        return None
    layout = new.layout_
    told = []
    for position, (name, code) in enumerate(zip(layout.names, layout.types, strict=True)):
        before = old.layout_.index.get(name.lower())
        if before is not None and old.values_[before] != new.values_[position]:
            form = text_form(code)
            values = (old.values_[before], new.values_[position])
            told.append(f"{name}: {' -> '.join('NULL' if one is None else form(one) for one in values)}")
    return ", ".join(told)
