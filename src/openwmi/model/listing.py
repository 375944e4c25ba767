"""Which members of an object a listing shows: the flags of GetNames and BeginEnumeration (model.md A-204, A-205)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_PARAMETER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openwmi.model.qualifiers import QualifierSet

# WBEM_CONDITION_FLAG_TYPE.
ALWAYS: Final = 0
ONLY_IF_TRUE: Final = 1
ONLY_IF_FALSE: Final = 2
ONLY_IF_IDENTICAL: Final = 3
KEYS_ONLY: Final = 0x4
REFS_ONLY: Final = 0x8
LOCAL_ONLY: Final = 0x10
PROPAGATED_ONLY: Final = 0x20
SYSTEM_ONLY: Final = 0x30
NONSYSTEM_ONLY: Final = 0x40
CLASS_OVERRIDES_ONLY: Final = 0x100
CLASS_LOCAL_AND_OVERRIDES: Final = 0x200

_CONDITION: Final = 0x3
_ORIGIN: Final = 0x70
_CLASS: Final = 0x300
_ORIGINS: Final = frozenset((0, LOCAL_ONLY, PROPAGATED_ONLY, SYSTEM_ONLY, NONSYSTEM_ONLY, _ORIGIN))


class Entry(NamedTuple):
    """A member as listings see it.

    own: introduced by this class, or changed by this instance; overridden: inherited by this class, and changed in it.
    """

    name: str
    value: Any
    type: int
    flavor: int
    own: bool = False
    overridden: bool = False
    system: bool = False
    qualifiers: QualifierSet | None = None

    @property
    def is_key(self) -> bool:
        return self.qualifiers is not None and self.qualifiers.truth("key")

    @property
    def is_reference(self) -> bool:
        return self.type & ~ARRAY == CimType.REFERENCE and not self.system


def _refuse(message: str) -> Exception:
    return error(WBEM_E_INVALID_PARAMETER, message, parameter="lFlags")


def names(
    entries: Iterable[Entry], flags: int = 0, qualifier: str | None = None, value: Any = None
) -> list[str]:
    """GetNames: the names of the members that pass `flags`; `qualifier` and `value` go with the conditions (A-204)."""
    condition = flags & _CONDITION
    if condition and not qualifier:
        raise error(
            WBEM_E_INVALID_PARAMETER, "the condition needs the name of a qualifier", parameter="qualifier"
        )
    if condition == ONLY_IF_IDENTICAL and value is None:
        raise error(
            WBEM_E_INVALID_PARAMETER, "the condition needs the value of a qualifier", parameter="value"
        )
    raw = tuple(value) if isinstance(value, list) else value
    return [
        one.name
        for one in enumeration(entries, flags & ~_CONDITION)
        if _meets(one, condition, qualifier or "", raw)
    ]


def enumeration(entries: Iterable[Entry], flags: int = 0, *, of_class: bool = False) -> list[Entry]:
    """BeginEnumeration: the members that pass `flags`, system properties first, the others by name (A-205, A-206)."""
    origin, kind = flags & _ORIGIN, flags & _CLASS
    if flags & ~(KEYS_ONLY | REFS_ONLY | _ORIGIN | _CLASS) or origin not in _ORIGINS:
        raise _refuse(f"the flags 0x{flags:X} are not possible here")
    if kind and (not of_class or origin in (LOCAL_ONLY, PROPAGATED_ONLY) or kind == _CLASS):
        raise _refuse(f"the flags 0x{flags:X} exclude each other, or are for classes only")
    chosen = [
        one
        for one in entries
        if _from(one, origin)
        and _of_kind(one, kind)
        and (not flags & KEYS_ONLY or one.is_key)
        and (not flags & REFS_ONLY or one.is_reference)
    ]
    chosen.sort(
        key=lambda one: "" if one.system else one.name.lower()
    )  # stable: system properties keep their order
    return chosen


def _from(one: Entry, origin: int) -> bool:
    if origin in (0, _ORIGIN):
        return True
    if origin in (SYSTEM_ONLY, NONSYSTEM_ONLY):
        return one.system == (origin == SYSTEM_ONLY)
    return not one.system and one.own == (origin == LOCAL_ONLY)


def _of_kind(one: Entry, kind: int) -> bool:
    if not kind:
        return True
    return one.overridden or (kind == CLASS_LOCAL_AND_OVERRIDES and one.own and not one.system)


def _meets(one: Entry, condition: int, qualifier: str, value: Any) -> bool:
    if condition == ALWAYS:
        return True
    found = one.qualifiers.get(qualifier) if one.qualifiers is not None else None
    if condition == ONLY_IF_IDENTICAL:
        return found is not None and type(found.value) is type(value) and found.value == value
    return (found is not None) == (condition == ONLY_IF_TRUE)
