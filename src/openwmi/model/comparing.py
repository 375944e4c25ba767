"""Whether two objects are the same, in the sense of IWbemClassObject::CompareTo (model.md A-230, A-231)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.model.classes import Class
from openwmi.model.errors import error
from openwmi.model.instances import Extras, Instance
from openwmi.model.members import same_name
from openwmi.model.qualifiers import EMPTY
from openwmi.model.status import WBEM_E_INVALID_PARAMETER

if TYPE_CHECKING:
    from openwmi.model.members import Method, Property
    from openwmi.model.qualifiers import QualifierSet

# WBEM_COMPARISON_FLAG.
IGNORE_QUALIFIERS: Final = 0x1
IGNORE_OBJECT_SOURCE: Final = 0x2
IGNORE_DEFAULT_VALUES: Final = 0x4
IGNORE_CLASS: Final = 0x8
IGNORE_CASE: Final = 0x10
IGNORE_FLAVOR: Final = 0x20
_ALL: Final = 0x3F


def compare(one: Class | Instance, other: Class | Instance, flags: int = 0) -> bool:
    """True for the same. Objects of different genus never are; INVALID_PARAMETER for unknown flags."""
    if flags & ~_ALL:
        raise error(
            WBEM_E_INVALID_PARAMETER, f"the flags 0x{flags:X} are not possible here", parameter="lFlags"
        )
    if isinstance(one, Class) and isinstance(other, Class):
        return _same_place(one, other, flags) and _same_class(one, other, flags)
    if isinstance(one, Instance) and isinstance(other, Instance):
        return _same_instance(one, other, flags)
    return False


def _same_place(one: Any, other: Any, flags: int) -> bool:
    return bool(flags & IGNORE_OBJECT_SOURCE) or (
        same_name(one.namespace, other.namespace) and same_name(one.server, other.server)
    )


# Instances ----------------------------------------------------------------------------------------------------------


def _same_instance(one: Instance, other: Instance, flags: int) -> bool:
    left, right = one.layout_, other.layout_
    if not _same_place(left, right, flags) or left.index.keys() != right.index.keys():
        return False
    if not flags & IGNORE_CLASS and not _same_line(
        left.class_name, left.derivation, right.class_name, right.derivation
    ):
        return False
    if not flags & IGNORE_QUALIFIERS and not _same_extras(
        one.extras_ or Extras(), other.extras_ or Extras(), flags
    ):
        return False
    return all(
        left.types[position] == right.types[right.index[name]]
        and _same_value(one.values_[position], other.values_[right.index[name]], flags)
        for name, position in left.index.items()
    )


def _same_extras(one: Extras, other: Extras, flags: int) -> bool:
    return _same_qualifiers(one.qualifiers, other.qualifiers, flags) and all(
        _same_qualifiers(one.properties.get(name, EMPTY), other.properties.get(name, EMPTY), flags)
        for name in one.properties.keys() | other.properties.keys()
    )


def _same_value(one: Any, other: Any, flags: int) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(lambda a, b: _same_value(a, b, flags), one, other))
    if isinstance(one, (Class, Instance)) and isinstance(other, (Class, Instance)):
        return compare(one, other, flags)
    if flags & IGNORE_CASE and isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    return type(one) is type(other) and bool(one == other or (one != one and other != other))


# Classes ------------------------------------------------------------------------------------------------------------


def _same_class(one: Class, other: Class, flags: int) -> bool:
    return (
        _same_line(one.name, one.derivation, other.name, other.derivation)
        and (flags & IGNORE_QUALIFIERS != 0 or _same_qualifiers(one.qualifiers, other.qualifiers, flags))
        and one.properties.keys() == other.properties.keys()
        and one.methods.keys() == other.methods.keys()
        and all(
            _same_property(entry, other.properties[name], flags) for name, entry in one.properties.items()
        )
        and all(_same_method(entry, other.methods[name], flags) for name, entry in one.methods.items())
    )


def _same_line(name: str, above: tuple[str, ...], other: str, other_above: tuple[str, ...]) -> bool:
    return same_name(name, other) and [one.lower() for one in above] == [one.lower() for one in other_above]


def _same_property(one: Property, other: Property, flags: int) -> bool:
    return (
        one.type == other.type
        and same_name(one.reference, other.reference)
        and (flags & IGNORE_DEFAULT_VALUES != 0 or _same_value(one.default, other.default, flags))
        and (flags & IGNORE_QUALIFIERS != 0 or _same_qualifiers(one.qualifiers, other.qualifiers, flags))
    )


def _same_method(one: Method, other: Method, flags: int) -> bool:
    return (
        _same_side(one.inputs, other.inputs, flags)
        and _same_side(one.outputs, other.outputs, flags)
        and (flags & IGNORE_QUALIFIERS != 0 or _same_qualifiers(one.qualifiers, other.qualifiers, flags))
    )


def _same_side(one: Class | None, other: Class | None, flags: int) -> bool:
    if one is None or other is None:
        return one is other
    return _same_class(one, other, flags)


def _same_qualifiers(one: QualifierSet, other: QualifierSet, flags: int) -> bool:
    if len(one) != len(other):
        return False
    for entry in one:
        found = other.get(entry.name)
        if found is None or entry.type != found.type or not _same_value(entry.value, found.value, flags):
            return False
        if not flags & IGNORE_FLAVOR and entry.flavor != found.flavor:
            return False
    return True
