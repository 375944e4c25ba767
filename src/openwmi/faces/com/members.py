"""Which properties of an object a program asks for: the flags of GetNames and BeginEnumeration (A-204 to A-206)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.faces.com import constants as c
from openwmi.faces.com.calling import invalid
from openwmi.faces.com.class_drafts import ClassDraft
from openwmi.faces.com.variants import from_variant, is_null
from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.errors import WbemError
from openwmi.model.system import SYSTEM_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.faces.com.instance_drafts import InstanceDraft

    Draft = ClassDraft | InstanceDraft
    Test = Callable[[str], bool]

_KINDS: Final = c.WBEM_FLAG_KEYS_ONLY | c.WBEM_FLAG_REFS_ONLY
_NAMES: Final = c.WBEM_MASK_PRIMARY_CONDITION | _KINDS | c.WBEM_MASK_CONDITION_ORIGIN
_ENUMERATION: Final = _KINDS | c.WBEM_MASK_CONDITION_ORIGIN
# Origins beside which system properties are not asked for.
_ORDINARY: Final = (c.WBEM_FLAG_LOCAL_ONLY, c.WBEM_FLAG_PROPAGATED_ONLY, c.WBEM_FLAG_NONSYSTEM_ONLY)


def _flags(flags: object, allowed: int) -> int:
    if not isinstance(flags, int) or flags & ~allowed:
        raise invalid(f"unknown flags {flags!r}", "lFlags")
    return flags


def selected(draft: Draft, qualifier: str | None, flags: int, value: Any) -> list[str]:
    """GetNames: system properties in their fixed order, then the others in alphabetical order."""
    flags = _flags(flags, _NAMES)
    condition = flags & c.WBEM_MASK_PRIMARY_CONDITION
    if condition == c.WBEM_FLAG_ALWAYS:
        return _listed(draft, flags, lambda name: True, system=True)
    if not qualifier:
        raise invalid("this condition needs the name of a qualifier", "wszQualifierName")
    if condition == c.WBEM_FLAG_ONLY_IF_TRUE:
        return _listed(draft, flags, lambda name: qualifier in draft.property_qualifiers(name), system=False)
    if condition == c.WBEM_FLAG_ONLY_IF_FALSE:
        return _listed(
            draft, flags, lambda name: qualifier not in draft.property_qualifiers(name), system=True
        )
    if is_null(value):
        raise invalid("this condition needs the value of the qualifier", "pQualifierVal")
    return _listed(draft, flags, _identical(draft, qualifier, value), system=False)


def _identical(draft: Draft, qualifier: str, value: Any) -> Test:
    def test(name: str) -> bool:
        found = draft.property_qualifiers(name).get(qualifier)
        if found is None:
            return False
        try:
            return bool(from_variant(value, found.type) == found.value)
        except WbemError:
            return False

    return test


def enumerated(draft: Draft, flags: int) -> list[str]:
    """BeginEnumeration: the same flags without conditions; for classes also which properties they override."""
    allowed = _ENUMERATION
    if isinstance(draft, ClassDraft):
        allowed |= c.WBEM_MASK_CLASS_CONDITION
    flags = _flags(flags, allowed)
    own = flags & c.WBEM_MASK_CLASS_CONDITION
    if not own:
        return _listed(draft, flags, lambda name: True, system=True)
    overrides_only = own == c.WBEM_FLAG_CLASS_OVERRIDES_ONLY

    def test(name: str) -> bool:
        one = draft.declared(name)
        assert one is not None
        return one.local and not (overrides_only and one.origin.lower() == draft.content.name.lower())

    return _listed(draft, flags, test, system=False)


def _listed(draft: Draft, flags: int, test: Test, *, system: bool) -> list[str]:
    origin = flags & c.WBEM_MASK_CONDITION_ORIGIN
    found: list[str] = []
    if origin == c.WBEM_FLAG_SYSTEM_ONLY or (system and not flags & _KINDS and origin not in _ORDINARY):
        found.extend(SYSTEM_NAMES)
    if origin != c.WBEM_FLAG_SYSTEM_ONLY:
        names = [name for name in draft.names if _wanted(draft, name, flags, origin) and test(name)]
        found.extend(sorted(names, key=str.lower))
    return found


def _wanted(draft: Draft, name: str, flags: int, origin: int) -> bool:
    member = draft.member(name)
    assert member is not None
    if flags & c.WBEM_FLAG_KEYS_ONLY and not draft.is_key(name):
        return False
    if flags & c.WBEM_FLAG_REFS_ONLY and member[1] & ~ARRAY != CimType.REFERENCE:
        return False
    if origin in (c.WBEM_FLAG_LOCAL_ONLY, c.WBEM_FLAG_PROPAGATED_ONLY):
        declared = draft.declared(name)
        local = member[2] if declared is None else declared.local
        return local == (origin == c.WBEM_FLAG_LOCAL_ONLY)
    return True
