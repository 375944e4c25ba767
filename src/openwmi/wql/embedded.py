"""Below an embedded object: dotted paths, ISA, and projections that keep part of an object (D-34, D-36, D-105)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.model.cimtypes import CimType
from openwmi.model.classes import Class
from openwmi.model.instances import Instance
from openwmi.model.system import SYSTEM_TYPES
from openwmi.wql.literals import Mismatch, check_operator, constant
from openwmi.wql.syntax import Literal
from openwmi.wql.terms import ISA, LIKE

if TYPE_CHECKING:
    from collections.abc import Callable


def _embedded(
    tail: tuple[str, ...], op: str, value: Any, home: tuple[str | None, str | None]
) -> Callable[[Any], bool]:
    """A test of the property at the end of `tail`, whose type each object decides. An object on the way that is NULL,
    or has no such property, or one of a type that does not take the comparison, does not match (D-34)."""
    *steps, last = tail
    tests: dict[int, Callable[[Any], bool]] = {}

    def test(target: Any) -> bool:
        for step in steps:
            code, target = _read(target, step)
            if code != CimType.OBJECT or target is None:
                return False
        code, found = _read(target, last)
        if not code:
            return False
        known = tests.get(code)
        if known is None:
            known = tests[code] = _leaf(op, value, code, home)
        return known(found)

    return test


def _leaf(op: str, value: Any, code: int, home: tuple[str | None, str | None]) -> Callable[[Any], bool]:
    """`value op` for the type `code`; a test that never holds where the type does not take it."""
    from openwmi.wql.compile import value_test

    try:
        if isinstance(value, Literal):
            value = constant(value, code, op)
        elif op == LIKE:
            check_operator(op, code)
        elif op == ISA and code != CimType.OBJECT:
            return _never
    except Mismatch:
        return _never
    return value_test(op, value, code, home)


def _never(_: Any) -> bool:
    return False


def _read(target: Any, name: str) -> tuple[int, Any]:
    """Type code and raw value of a property of an embedded instance or class; code 0 when it has none of that name."""
    if name.startswith("__") and name.upper() in SYSTEM_TYPES:
        return SYSTEM_TYPES[name.upper()], target.system_(name.upper())
    if isinstance(target, Class):
        declared = target.property(name)
        return (declared.type, declared.default) if declared else (0, None)
    layout = target.layout_
    position = layout.index.get(name)
    return (0, None) if position is None else (layout.types[position], target.values_[position])


def _isa(name: str) -> Callable[[Any], bool]:
    """True for instances of the class `name` (lower case) and of its descendants, and for these classes themselves."""
    known: dict[tuple[str, tuple[str, ...]], bool] = {}

    def test(target: Any) -> bool:
        if isinstance(target, Class):
            return target.inherits_from(name)
        layout = target.layout_
        key = layout.class_name, layout.derivation
        found = known.get(key)
        if found is None:
            found = known[key] = name in (key[0].lower(), *(above.lower() for above in key[1]))
        return found

    return test


def _trim(wanted: tuple[tuple[str, ...], ...]) -> Callable[[Any], Any]:
    """A function from an embedded object (or None) to one with nothing but the `wanted` paths below it (D-105).

    A path that ends in "*" wants everything from there on.
    """
    below: dict[str, set[tuple[str, ...]]] = {}
    for head, *rest in wanted:
        below.setdefault(head, set()).add(tuple(rest))
    whole = "*" in below
    deeper = {name: _trim(tuple(paths)) for name, paths in below.items() if () not in paths and name != "*"}

    def trim(target: Any) -> Any:
        if whole or not isinstance(target, Instance):
            return target
        layout = target.layout_
        layout = layout.project(below, system=[name for name in below if name.upper() in SYSTEM_TYPES])
        values = [target.values_[position] for position in layout.source]
        for name, cut in deeper.items():
            position = layout.index.get(name)
            if position is not None:
                values[position] = cut(values[position])
        return Instance(layout, tuple(values))

    return trim


BUILDERS: Final[dict[str, Callable[..., Callable[..., Any]]]] = {
    "embedded": _embedded,
    "isa": _isa,
    "trim": _trim,
}
