"""The select list against a class: which properties, which system properties, which parts of embedded objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from openwmi.model.system import SYSTEM_TYPES

if TYPE_CHECKING:
    from openwmi.wql.checks import Scope
    from openwmi.wql.syntax import PropertyPath


class Selection(NamedTuple):
    """A select list with its names settled, duplicates dropped (D-52).

    names: declared names, in the order of the list. system: system properties in upper case (A-147).
    parts: for an embedded object that is wanted in part, its lower-case name and the paths below it (D-105).
    """

    names: tuple[str, ...]
    system: tuple[str, ...]
    parts: dict[str, tuple[tuple[str, ...], ...]]


def selection(scope: Scope, columns: tuple[PropertyPath, ...]) -> Selection:
    """Raises INVALID_QUERY for a property that the class lacks (D-08, D-50)."""
    names: dict[str, None] = {}
    system: dict[str, None] = {}
    parts: dict[str, list[tuple[str, ...]]] = {}
    for path in columns:
        first = path.names[0]
        if first.text.upper() in SYSTEM_TYPES and len(path.names) == 1:
            system[first.text.upper()] = None
            continue
        column = scope.column(path)
        if column.system:
            scope.refuse(path.span, f"{first.text} cannot be selected")
        names[column.name] = None
        parts.setdefault(column.name.lower(), []).append(column.tail)
    return Selection(
        tuple(names),
        tuple(system),
        {
            name: tuple(dict.fromkeys(paths))
            for name, paths in parts.items()
            if () not in paths and ("*",) not in paths
        },
    )
