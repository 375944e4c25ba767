"""Security descriptors as WMI objects: __SecurityDescriptor, __ACE and __Trustee, or the Win32_ ones of the same shape
(calls.md I20, model.md G-64)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from openwmi.model import descriptors as d
from openwmi.model.descriptors import Ace, Acl, SecurityDescriptor
from openwmi.model.instances import Instance
from openwmi.model.sids import NAMES, InvalidDescriptor, Sid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    # (class name, values) -> an instance of that class
    Spawn = Callable[[str, Mapping[str, Any]], Instance]

MAX_ENTRIES: Final = 4096
_OBJECT_TYPES: Final = frozenset((5, 6, 7, 8))
_BYTE: Final = 255


def as_object(descriptor: SecurityDescriptor, spawn: Spawn, prefix: str = "__") -> Instance:
    """The object that says what a descriptor says."""
    return spawn(
        f"{prefix}SecurityDescriptor",
        {
            "ControlFlags": descriptor.control,
            "Owner": _trustee(descriptor.owner, spawn, prefix),
            "Group": _trustee(descriptor.group, spawn, prefix),
            "DACL": _entries(descriptor.dacl, spawn, prefix),
            "SACL": _entries(descriptor.sacl, spawn, prefix),
        },
    )


def _entries(acl: Acl | None, spawn: Spawn, prefix: str) -> tuple[Instance, ...] | None:
    if acl is None:
        return None
    return tuple(
        spawn(
            f"{prefix}ACE",
            {
                "AccessMask": ace.mask,
                "AceFlags": ace.flags,
                "AceType": ace.type,
                "GuidObjectType": _guid_text(ace.object_type),
                "GuidInheritedObjectType": _guid_text(ace.inherited_type),
                "Trustee": _trustee(ace.sid, spawn, prefix),
            },
        )
        for ace in acl.aces
    )


def _trustee(sid: Sid | None, spawn: Spawn, prefix: str) -> Instance | None:
    if sid is None:
        return None
    raw = sid.encode()
    name = NAMES.get(sid)
    values = {"SID": tuple(raw), "SidLength": len(raw), "SIDString": str(sid), "Name": name}
    return spawn(f"{prefix}Trustee", values)


def _guid_text(guid: bytes | None) -> str | None:
    return f"{{{str(UUID(bytes_le=guid)).upper()}}}" if guid is not None else None


def from_object(given: Any) -> SecurityDescriptor:
    """The descriptor that an object says; InvalidDescriptor when it says none."""
    if not isinstance(given, Instance):
        raise InvalidDescriptor("a security descriptor is an instance of __SecurityDescriptor")
    control = _number(given, "ControlFlags", 0xFFFF)
    dacl = _acl(given, "DACL") if control & d.SE_DACL_PRESENT else None
    sacl = _acl(given, "SACL") if control & d.SE_SACL_PRESENT else None
    return SecurityDescriptor(
        _sid(_value(given, "Owner")), _sid(_value(given, "Group")), dacl, sacl, control | d.SE_SELF_RELATIVE
    )


def _value(given: Instance, name: str) -> Any:
    try:
        return given.raw_(name)
    except KeyError:
        return None


def _number(given: Instance, name: str, largest: int) -> int:
    value = _value(given, name)
    value = 0 if value is None else value
    if not isinstance(value, int) or not 0 <= value <= largest:
        raise InvalidDescriptor(f"{name} is a number of at most {largest}")
    return value


def _acl(given: Instance, name: str) -> Acl | None:
    entries = _value(given, name)
    if entries is None:
        return None
    if not isinstance(entries, tuple) or len(entries) > MAX_ENTRIES:
        raise InvalidDescriptor(f"{name} is an array of at most {MAX_ENTRIES} entries")
    aces = tuple(map(_ace, entries))
    return Acl(aces, 4 if any(ace.type in _OBJECT_TYPES for ace in aces) else 2)


def _ace(given: Any) -> Ace:
    if not isinstance(given, Instance):
        raise InvalidDescriptor("an entry is an instance of __ACE")
    kind = _number(given, "AceType", _BYTE)
    sid = _sid(_value(given, "Trustee"))
    if sid is None:
        raise InvalidDescriptor("an entry names its Trustee")
    ace = Ace(kind, _number(given, "AceFlags", _BYTE), _number(given, "AccessMask", 0xFFFFFFFF), sid)
    if kind not in _OBJECT_TYPES:
        return ace
    named, inherited = (_guid(_value(given, name)) for name in ("GuidObjectType", "GuidInheritedObjectType"))
    return ace._replace(object_type=named, inherited_type=inherited)


def _guid(text: Any) -> bytes | None:
    if not text:
        return None
    try:
        return UUID(str(text)).bytes_le
    except ValueError:
        raise InvalidDescriptor(f"not a GUID: {str(text)[:60]!r}") from None


def _sid(given: Any) -> Sid | None:
    """Whom a trustee names: by its SID, by the text of one, or by a name that every machine knows."""
    if given is None:
        return None
    if not isinstance(given, Instance):
        raise InvalidDescriptor("a trustee is an instance of __Trustee")
    raw, text, name = (_value(given, one) for one in ("SID", "SIDString", "Name"))
    if raw:
        try:
            return Sid.decode(bytes(raw))
        except (TypeError, ValueError):
            raise InvalidDescriptor("SID does not hold the bytes of one") from None
    if text:
        return Sid.parse(str(text))
    known = next((sid for sid, one in NAMES.items() if one.casefold() == str(name or "").casefold()), None)
    if known is None:
        raise InvalidDescriptor(
            f"a trustee needs its SID: nobody of the name {str(name)[:60]!r} is known everywhere"
        )
    return known
