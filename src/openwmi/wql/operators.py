"""What generated code calls where an expression does not suffice: patterns, datetimes, references, embedded objects.

`helper(specification)` builds such a function once. Unless said otherwise it takes a raw value that is not NULL and
tells whether it matches.
"""

from __future__ import annotations

import operator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from openwmi.model.cimtypes import CimType
from openwmi.model.datetimes import sort_key
from openwmi.model.errors import WbemError
from openwmi.model.paths import parse_path, relpath_of
from openwmi.wql.like import matcher
from openwmi.wql.text import fold

if TYPE_CHECKING:
    from collections.abc import Callable

_RELATIONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_REMEMBERED: Final = 256  # references that one comparison has taken apart and keeps


@lru_cache(maxsize=512)
def helper(specification: tuple[Any, ...]) -> Callable[..., Any]:
    """The function that a specification of openwmi.wql.expressions describes."""
    kind, *arguments = specification
    if kind in ("embedded", "isa", "trim"):
        from openwmi.wql import embedded

        return embedded.BUILDERS[kind](*arguments)
    return _BUILDERS[kind](*arguments)


def text_form(value: Any, code: int) -> str:
    """What LIKE compares of a value that is no string (D-35)."""
    if code == CimType.BOOLEAN:
        return "TRUE" if value else "FALSE"
    return chr(value) if code == CimType.CHAR16 else str(value)


def _like(pattern: str, code: int) -> Callable[[Any], bool]:
    match = matcher(pattern)
    if code == CimType.STRING:
        return lambda value: match(fold(value))
    return lambda value: match(fold(text_form(value, code)))


def _datetime(op: str, constant: str) -> Callable[[str], bool]:
    """Instants compare with instants and intervals with intervals, whatever the offset (A-026, D-30, D-31). What has no
    order, for an asterisk or for being of the other kind, is compared as text by = and <>, and matches nothing else
    (A-022)."""
    relation = _RELATIONS[op]
    key = sort_key(constant)
    suffix = constant[21:]
    interval = constant[21] == ":"

    def compare(value: str) -> bool:
        if value[21:] == suffix and "*" not in value and key is not None:
            return relation(value, constant)  # the same offset: text order is time order
        other = sort_key(value) if key is not None and (value[21:22] == ":") == interval else None
        if other is not None:
            return relation(other, key)
        return relation(value, constant) if op in ("=", "<>") else False

    return compare


def _reference(op: str, constant: str, home: tuple[str | None, str | None]) -> Callable[[str], bool]:
    """Paths compare in normal form, without case; a text that is no path compares as text (D-33)."""
    wanted = comparable_path(constant, *home)
    equal = op == "="
    known: dict[str, bool] = {}

    def compare(value: str) -> bool:
        found = known.get(value)
        if found is None:
            if len(known) >= _REMEMBERED:
                known.clear()
            found = known[value] = (comparable_path(value, *home) == wanted) is equal
        return found

    return compare


def comparable_path(text: str, namespace: str | None, server: str | None) -> object:
    """`text` as something equal for equal paths; what it leaves out is this namespace and server (A-048, A-161)."""
    try:
        path = parse_path(text)
    except WbemError:
        return fold(text)
    if path.namespace is None:
        path = path._replace(namespace=namespace)
    if path.server is None or path.server == ".":
        path = path._replace(server=server)
    return path.folded()


def _relpath(
    prefix: str, class_name: str, key_names: tuple[str, ...], types: tuple[int, ...]
) -> Callable[..., str | None]:
    """A function of the key values: the path of the instance, None while a key is NULL (A-143)."""

    def path(*values: Any) -> str | None:
        relpath = relpath_of(class_name, key_names, types, values)
        return None if relpath is None else prefix + relpath

    return path


_BUILDERS: Final[dict[str, Callable[..., Callable[..., Any]]]] = {
    "datetime": _datetime,
    "fold": lambda: fold,
    "like": _like,
    "reference": _reference,
    "relpath": _relpath,
}
