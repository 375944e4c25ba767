"""The five real objects, and what the MOF beside each of them says, as comparable facts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from openwmi import mof
from openwmi.model.cimtypes import ARRAY, NAMES, type_name
from openwmi.model.classes import Class
from openwmi.model.qualifiers import QualifierSet

NAMES_OF_DUMPS = (
    "wmio_structure_example",
    "wmio_instance_encoding",
    "wmio_class_encoding_with_methods",
    "wmio_win32_process_startup",
    "wmio_win32_process",
)
# The printer names all ancestors of a class; MOF has a place for one.
_ANCESTORS = re.compile(r"(:\s*\w+)((?:\s+\w+)+)(\s*\{)")

Facts = dict[tuple[str, ...], Any]


def dump(shared_data: Path, name: str) -> bytes:
    return bytes.fromhex((shared_data / "wmio" / f"{name}.dump").read_text())


def sidecar(shared_data: Path, name: str) -> list[Any]:
    """The nodes of the MOF beside a dump."""
    text = (shared_data / "wmio" / f"{name}.mof").read_text()
    return list(mof.parse(_ANCESTORS.sub(r"\1\3", text)))


def facts_of_class(class_: Class) -> Facts:
    """What a decoded class says, as far as the printer prints it."""
    found: Facts = {(): (class_.name, class_.superclass)}
    found.update(_qualifiers((), class_.qualifiers))
    for one in class_.properties.values():
        found["property", one.name] = (
            _type(one.type, one.reference),
            _plain(one.default if one.has_default else None),
        )
        found.update(_qualifiers(("property", one.name), one.qualifiers))
    for method in class_.methods.values():
        returned = method.outputs.property("ReturnValue") if method.outputs is not None else None
        found["method", method.name] = type_name(returned.type) if returned is not None else "void"
        found.update(_qualifiers(("method", method.name), method.qualifiers))
        for side in (method.inputs, method.outputs):
            for one in side.properties.values() if side is not None else ():
                if one.name != "ReturnValue":
                    place = ("method", method.name, one.name)
                    found[place] = _type(one.type, one.reference)
                    found.update(_qualifiers(place, one.qualifiers))
    return found


def facts_of_node(node: Any) -> Facts:
    """What the printed class says."""
    found: Facts = {(): (node.name, node.superclass)}
    found.update(_printed((), node.qualifiers))
    for one in node.properties:
        found["property", one.name] = _word(one), _plain(one.value)
        found.update(_printed(("property", one.name), one.qualifiers))
    for method in node.methods:
        found["method", method.name] = method.type
        found.update(_printed(("method", method.name), method.qualifiers))
        for one in method.parameters:
            found["method", method.name, one.name] = _word(one)
            found.update(_printed(("method", method.name, one.name), one.qualifiers))
    return found


def differences(real: Facts, printed: Facts) -> set[tuple[tuple[str, ...], Any, Any]]:
    """(what, decoded, printed) where the two do not agree; None where one of them says nothing."""
    return {
        (key, _hashable(real.get(key)), _hashable(printed.get(key)))
        for key in real.keys() | printed.keys()
        if real.get(key) != printed.get(key)
    }


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _type(code: int, reference: str | None) -> str:
    if reference is None:
        return type_name(code)
    return f"object:{reference}" if code & ~ARRAY == 13 else f"ref:{reference}"


def _word(one: Any) -> str:
    word = one.type if one.type in NAMES.values() else f"object:{one.type}"
    return f"{word}[]" if one.array is not None else word


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _qualifiers(place: tuple[str, ...], qualifiers: QualifierSet) -> Facts:
    return {
        (*place, "[]", one.name.lower()): _plain(one.value)
        for one in qualifiers
        if one.name.lower() != "cimtype"
    }


def _printed(place: tuple[str, ...], qualifiers: Any) -> Facts:
    return {
        (*place, "[]", one.name.lower()): True if one.value is None else _plain(one.value)
        for one in qualifiers
    }
