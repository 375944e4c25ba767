"""Security descriptors as text: SDDL, both ways ([MS-DTYP] 2.5.1). Letters count in their case (calls.md I23)."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from openwmi.model import descriptors as d
from openwmi.model.descriptors import Ace, Acl, SecurityDescriptor
from openwmi.model.sids import ALIASES, DOMAIN_ALIASES, InvalidDescriptor, Sid

MAX_TEXT: Final = 0x20000

_TYPES: Final = {
    "A": 0,
    "D": 1,
    "AU": 2,
    "AL": 3,
    "OA": 5,
    "OD": 6,
    "OU": 7,
    "OL": 8,
    "ML": 0x11,
}
_FLAGS: Final = {
    "OI": d.OBJECT_INHERIT,
    "CI": d.CONTAINER_INHERIT,
    "NP": d.NO_PROPAGATE,
    "IO": d.INHERIT_ONLY,
    "ID": d.INHERITED,
    "SA": d.SUCCESSFUL_ACCESS,
    "FA": d.FAILED_ACCESS,
}
# Single bits first: they are how a mask is written.
_RIGHTS: Final = {
    "CC": 0x1,
    "DC": 0x2,
    "LC": 0x4,
    "SW": 0x8,
    "RP": 0x10,
    "WP": 0x20,
    "DT": 0x40,
    "LO": 0x80,
    "CR": 0x100,
    "SD": 0x10000,
    "RC": 0x20000,
    "WD": 0x40000,
    "WO": 0x80000,
    "GA": 0x10000000,
    "GX": 0x20000000,
    "GW": 0x40000000,
    "GR": 0x80000000,
}
_COMPOSED: Final = {
    "FA": 0x1F01FF,
    "FR": 0x120089,
    "FW": 0x120116,
    "FX": 0x1200A0,
    "KA": 0xF003F,
    "KR": 0x20019,
    "KW": 0x20006,
    "KX": 0x20019,
}
# What a mandatory label forbids, with letters of its own.
_LABELS: Final = {"NW": 0x1, "NR": 0x2, "NX": 0x4}
_LABEL: Final = 0x11
_DACL_FLAGS: Final = {
    "P": d.SE_DACL_PROTECTED,
    "AR": d.SE_DACL_AUTO_INHERIT_REQ,
    "AI": d.SE_DACL_AUTO_INHERITED,
}
_SACL_FLAGS: Final = {
    "P": d.SE_SACL_PROTECTED,
    "AR": d.SE_SACL_AUTO_INHERIT_REQ,
    "AI": d.SE_SACL_AUTO_INHERITED,
}
_NO_ACCESS_CONTROL: Final = "NO_ACCESS_CONTROL"
_PART: Final = re.compile(r"([OGDS]):")
_ACE: Final = re.compile(r"\(([^()]*)\)")
_LETTERS: Final = {sid: letters for letters, sid in reversed(ALIASES.items())}


def parse(text: str) -> SecurityDescriptor:
    """The descriptor that a text describes; InvalidDescriptor says what is wrong with it, and where."""
    if len(text) > MAX_TEXT:
        raise InvalidDescriptor(f"SDDL of {len(text)} characters; at most {MAX_TEXT} are allowed")
    parts = _parts(text)
    control = d.SE_SELF_RELATIVE
    acls: dict[str, Acl | None] = {}
    for letter, flags, present in (
        ("D", _DACL_FLAGS, d.SE_DACL_PRESENT),
        ("S", _SACL_FLAGS, d.SE_SACL_PRESENT),
    ):
        if letter in parts:
            acls[letter], bits = _acl(parts[letter], flags)
            control |= bits | present
    owner, group = parts.get("O"), parts.get("G")
    return SecurityDescriptor(
        _sid(owner) if owner is not None else None,
        _sid(group) if group is not None else None,
        acls.get("D"),
        acls.get("S"),
        control,
    )


def _parts(text: str) -> dict[str, str]:
    """The four parts by their letter. Inside an ACE no part can begin: it has no colon."""
    found = list(_PART.finditer(text))
    if not found or text[: found[0].start()].strip():
        raise InvalidDescriptor(f"SDDL begins with O:, G:, D: or S:, not with {text[:20]!r}")
    parts: dict[str, str] = {}
    for one, following in zip(found, [*found[1:], None], strict=True):
        letter = one.group(1)
        if letter in parts:
            raise InvalidDescriptor(f"SDDL has {letter}: twice")
        parts[letter] = text[one.end() : following.start() if following else len(text)].strip()
    return parts


def _acl(text: str, names: dict[str, int]) -> tuple[Acl | None, int]:
    """The list, None for that which lets everybody in, and its bits of the control word."""
    begin = text.find("(")
    flags, aces = (text, "") if begin < 0 else (text[:begin], text[begin:])
    flags = flags.strip()
    if flags.endswith(_NO_ACCESS_CONTROL) and not aces:
        return None, _bits(flags.removesuffix(_NO_ACCESS_CONTROL), names, "flag of the list")
    found = _ACE.findall(aces)
    if _ACE.sub("", aces).strip():
        raise InvalidDescriptor(f"not a list of ACEs: {aces[:60]!r}")
    made = tuple(_ace(one) for one in found)
    return Acl(made, _revision(made)), _bits(flags, names, "flag of the list")


def _revision(aces: tuple[Ace, ...]) -> int:
    """4 where there are ACEs for objects, else 2 ([MS-DTYP] 2.4.5)."""
    return 4 if any(ace.type in (5, 6, 7, 8) for ace in aces) else 2


def _bits(text: str, names: dict[str, int], what: str) -> int:
    """What a run of names says; the longest name that fits counts."""
    bits = at = 0
    while at < len(text):
        name = next((text[at : at + size] for size in (2, 1) if text[at : at + size] in names), None)
        if name is None:
            raise InvalidDescriptor(f"{text[at : at + 2]!r} is no {what} in SDDL")
        bits |= names[name]
        at += len(name)
    return bits


def _ace(text: str) -> Ace:
    fields = [field.strip() for field in text.split(";")]
    if len(fields) != 6:
        raise InvalidDescriptor(f"an ACE has six fields, ({text[:60]}) has {len(fields)}")
    kind, flags, rights, object_type, inherited_type, sid = fields
    if kind not in _TYPES:
        raise InvalidDescriptor(f"{kind[:20]!r} is no type of an ACE")
    number = _TYPES[kind]
    if (object_type or inherited_type) and number not in (5, 6, 7, 8):
        raise InvalidDescriptor(f"({text[:60]}): only types for objects have a GUID")
    return Ace(
        number,
        _bits(flags, _FLAGS, "flag of an ACE"),
        _mask(rights, number),
        _sid(sid),
        _guid(object_type),
        _guid(inherited_type),
    )


def _mask(text: str, kind: int) -> int:
    if text[:1].isdecimal():
        try:
            octal = text[:1] == "0" and text[1:2].isdecimal()
            mask = int(text, 8) if octal else int(text, 0)
        except ValueError:
            raise InvalidDescriptor(f"{text[:20]!r} is no access mask") from None
        if mask > 0xFFFFFFFF:
            raise InvalidDescriptor(f"an access mask has 32 bits, not {text[:20]!r}")
        return mask
    return _bits(text, _LABELS if kind == _LABEL else {**_RIGHTS, **_COMPOSED}, "access right")


def _guid(text: str) -> bytes | None:
    if not text:
        return None
    try:
        return UUID(text).bytes_le
    except ValueError:
        raise InvalidDescriptor(f"{text[:60]!r} is no GUID") from None


def _sid(text: str) -> Sid:
    known = ALIASES.get(text)
    if known is not None:
        return known
    if text in DOMAIN_ALIASES:
        raise InvalidDescriptor(f"{text} is somebody of a domain, and this machine is in none: write the SID")
    if text[:2] not in ("S-", "s-"):
        raise InvalidDescriptor(f"{text[:60]!r} is neither a SID nor the letters of one (case counts)")
    return Sid.parse(text)


def printed(descriptor: SecurityDescriptor) -> str:
    """The text of a descriptor. What SDDL has no words for, ACEs of unknown types, is InvalidDescriptor."""
    out = []
    if descriptor.owner is not None:
        out.append(f"O:{_named(descriptor.owner)}")
    if descriptor.group is not None:
        out.append(f"G:{_named(descriptor.group)}")
    if descriptor.dacl is not None or descriptor.control & d.SE_DACL_PRESENT:
        out.append("D:" + _printed_acl(descriptor.dacl, descriptor.control, _DACL_FLAGS))
    if descriptor.sacl is not None or descriptor.control & d.SE_SACL_PRESENT:
        out.append("S:" + _printed_acl(descriptor.sacl, descriptor.control, _SACL_FLAGS))
    return "".join(out)


def _named(sid: Sid) -> str:
    return _LETTERS.get(sid) or str(sid)


def _printed_acl(acl: Acl | None, control: int, names: dict[str, int]) -> str:
    flags = "".join(name for name, bit in names.items() if control & bit)
    if acl is None:
        return flags + _NO_ACCESS_CONTROL
    return flags + "".join(_printed_ace(ace) for ace in acl.aces)


def _printed_ace(ace: Ace) -> str:
    kind = next((name for name, number in _TYPES.items() if number == ace.type), None)
    if kind is None or ace.sid is None or ace.data:
        raise InvalidDescriptor(f"SDDL has no words for an ACE of type {ace.type} with further data")
    known = _FLAGS if not ace.flags & ~sum(_FLAGS.values()) else None
    if known is None:
        raise InvalidDescriptor(f"SDDL has no words for the ACE flags 0x{ace.flags:X}")
    flags = "".join(name for name, bit in _FLAGS.items() if ace.flags & bit)
    guids = (_printed_guid(ace.object_type), _printed_guid(ace.inherited_type))
    return "(" + ";".join((kind, flags, _printed_mask(ace.mask, ace.type), *guids, _named(ace.sid))) + ")"


def _printed_guid(guid: bytes | None) -> str:
    return str(UUID(bytes_le=guid)) if guid is not None else ""


def _printed_mask(mask: int, kind: int) -> str:
    """Letters where they say all of it, else the number."""
    names = _LABELS if kind == _LABEL else _RIGHTS
    return (
        f"0x{mask:x}" if mask & ~sum(names.values()) else "".join(n for n, bit in names.items() if mask & bit)
    )
