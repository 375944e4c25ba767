"""Security descriptors: their parts, and their self-relative bytes ([MS-DTYP] 2.4.4 to 2.4.6).

descriptor  0 revision 1 | 1 zero | 2 control u16 | 4 owner u32 | 8 group u32 | 12 SACL u32 | 16 DACL u32   (offsets)
ACL         0 revision | 1 zero | 2 size u16 | 4 count u16 | 6 zero u16 | 8 ACEs
ACE         0 type | 1 flags | 2 size u16 | 4 access mask u32 | (objects: flags u32, GUIDs) | SID | data
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.model.sids import InvalidAcl, InvalidDescriptor, Sid

if TYPE_CHECKING:
    from collections.abc import Iterator

# The largest that is read: two ACLs of at most 64 KiB each, and two SIDs.
MAX_BYTES: Final = 0x20400
_MAX_ACL: Final = 0xFFFC
_HEAD, _ACL_HEAD, _ACE_HEAD, _GUID = 20, 8, 4, 16

# Control
SE_DACL_PRESENT: Final = 0x0004
SE_SACL_PRESENT: Final = 0x0010
SE_DACL_AUTO_INHERIT_REQ: Final = 0x0100
SE_SACL_AUTO_INHERIT_REQ: Final = 0x0200
SE_DACL_AUTO_INHERITED: Final = 0x0400
SE_SACL_AUTO_INHERITED: Final = 0x0800
SE_DACL_PROTECTED: Final = 0x1000
SE_SACL_PROTECTED: Final = 0x2000
SE_SELF_RELATIVE: Final = 0x8000

GENERIC_ALL: Final = 0x10000000
GENERIC_READ: Final = 0x80000000

# Types of ACEs
ALLOWED: Final = 0
DENIED: Final = 1
AUDIT: Final = 2
_PLAIN: Final = frozenset((0, 1, 2, 3, 9, 10, 13, 14, 0x11, 0x12, 0x13))
_OBJECTS: Final = frozenset((5, 6, 7, 8, 11, 12, 15, 16))

# Flags of ACEs (calls.md I10)
OBJECT_INHERIT: Final = 0x01
CONTAINER_INHERIT: Final = 0x02
NO_PROPAGATE: Final = 0x04
INHERIT_ONLY: Final = 0x08
INHERITED: Final = 0x10
SUCCESSFUL_ACCESS: Final = 0x40
FAILED_ACCESS: Final = 0x80


class Ace(NamedTuple):
    """Who may, may not, or is watched doing what.

    sid: None where the type is one that nobody has described; `data` is then all of it. object_type, inherited_type:
    the GUIDs of the types for objects, 16 bytes as they are on the wire.
    """

    type: int
    flags: int
    mask: int
    sid: Sid | None
    object_type: bytes | None = None
    inherited_type: bytes | None = None
    data: bytes = b""

    def encode(self) -> bytes:
        body = self.data
        if self.sid is not None:
            body = self.mask.to_bytes(4, "little") + self._guids() + self.sid.encode() + self.data
        body += bytes(-len(body) % 4)
        size = _ACE_HEAD + len(body)
        if size > _MAX_ACL:
            raise InvalidDescriptor("an ACE is too long")
        return bytes((self.type, self.flags)) + size.to_bytes(2, "little") + body

    def _guids(self) -> bytes:
        if self.type not in _OBJECTS:
            return b""
        present = (self.object_type is not None) | (self.inherited_type is not None) << 1
        return present.to_bytes(4, "little") + (self.object_type or b"") + (self.inherited_type or b"")

    @classmethod
    def decode(cls, data: bytes) -> Ace:
        """All of one ACE, head included."""
        kind, flags, body = data[0], data[1], data[_ACE_HEAD:]
        if kind not in _PLAIN and kind not in _OBJECTS:
            return cls(kind, flags, 0, None, data=body)
        if len(body) < 4:
            raise InvalidAcl("an ACE without an access mask")
        mask = int.from_bytes(body[:4], "little")
        at = 4
        guids: list[bytes | None] = [None, None]
        if kind in _OBJECTS:
            present = int.from_bytes(body[4:8], "little")
            at = 8
            for number in range(2):
                if present >> number & 1:
                    guids[number] = body[at : at + _GUID]
                    at += _GUID
            if present > 3 or at > len(body):
                raise InvalidAcl("an ACE for objects has a head that cannot be")
        try:
            sid = Sid.decode(body, at)
        except InvalidDescriptor as reason:
            raise InvalidAcl(f"an ACE: {reason}") from None
        rest = body[at + 8 + 4 * len(sid.parts) :]
        return cls(kind, flags, mask, sid, guids[0], guids[1], rest)


class Acl(NamedTuple):
    """An ordered list of ACEs: the first that says something about a right decides (I19)."""

    aces: tuple[Ace, ...] = ()
    revision: int = 2

    def encode(self) -> bytes:
        body = b"".join(ace.encode() for ace in self.aces)
        size = _ACL_HEAD + len(body)
        if size > _MAX_ACL or len(self.aces) > 0xFFFF:
            raise InvalidDescriptor("an ACL has at most 64 KiB")
        head = bytes((self.revision, 0)) + size.to_bytes(2, "little")
        return head + len(self.aces).to_bytes(2, "little") + bytes(2) + body

    @classmethod
    def decode(cls, data: bytes, start: int) -> Acl:
        if start < 0 or len(data) < start + _ACL_HEAD:
            raise InvalidDescriptor("an ACL lies outside of its descriptor")
        revision = data[start]
        size = int.from_bytes(data[start + 2 : start + 4], "little")
        count = int.from_bytes(data[start + 4 : start + 6], "little")
        if revision not in (2, 4) or size < _ACL_HEAD or len(data) < start + size:
            raise InvalidAcl("an ACL has a head that cannot be")
        return cls(tuple(_aces(data[start + _ACL_HEAD : start + size], count)), revision)


def _aces(data: bytes, count: int) -> Iterator[Ace]:
    at = 0
    for _ in range(count):
        size = int.from_bytes(data[at + 2 : at + 4], "little")
        if size < _ACE_HEAD or size % 4 or at + size > len(data):
            raise InvalidAcl("an ACE has a length that cannot be")
        yield Ace.decode(data[at : at + size])
        at += size


class SecurityDescriptor(NamedTuple):
    """Owner, group, and who may do what (dacl) or is watched (sacl).

    An ACL that is None while `control` says that it is present lets everybody do everything; that is how the NULL ACL
    of Windows comes out.
    """

    owner: Sid | None = None
    group: Sid | None = None
    dacl: Acl | None = None
    sacl: Acl | None = None
    control: int = SE_SELF_RELATIVE

    def encode(self) -> bytes:
        """The self-relative form, parts in the order in which Windows writes them."""
        control = self.control | SE_SELF_RELATIVE
        control |= SE_DACL_PRESENT if self.dacl is not None else 0
        control |= SE_SACL_PRESENT if self.sacl is not None else 0
        out = bytearray(_HEAD)
        out[0] = 1
        out[2:4] = control.to_bytes(2, "little")
        for at, part in ((12, self.sacl), (16, self.dacl), (4, self.owner), (8, self.group)):
            if part is not None:
                out[at : at + 4] = len(out).to_bytes(4, "little")
                out += part.encode()
        return bytes(out)

    @classmethod
    def decode(cls, data: bytes) -> SecurityDescriptor:
        """InvalidDescriptor for anything that is not one, self-relative and of revision 1."""
        if not _HEAD <= len(data) <= MAX_BYTES or data[0] != 1:
            raise InvalidDescriptor("not a security descriptor of revision 1")
        control = int.from_bytes(data[2:4], "little")
        if not control & SE_SELF_RELATIVE:
            raise InvalidDescriptor("the security descriptor is not self-relative")
        owner, group, sacl, dacl = (int.from_bytes(data[at : at + 4], "little") for at in range(4, _HEAD, 4))
        return cls(
            Sid.decode(data, owner) if owner else None,
            Sid.decode(data, group) if group else None,
            Acl.decode(data, dacl) if dacl and control & SE_DACL_PRESENT else None,
            Acl.decode(data, sacl) if sacl and control & SE_SACL_PRESENT else None,
            control,
        )


def allowed(descriptor: SecurityDescriptor, sids: frozenset[Sid], wanted: int = 0xFFFFFFFF) -> int:
    """The rights among `wanted` that a descriptor gives to whoever has these SIDs ([MS-DTYP] 2.5.3.2).

    In the order of the list: what one ACE has allowed no later one takes away, and the other way round.
    """
    if descriptor.dacl is None:
        return wanted
    granted = refused = 0
    for ace in descriptor.dacl.aces:
        if ace.flags & INHERIT_ONLY or ace.sid not in sids:
            continue
        if ace.type == ALLOWED:
            granted |= ace.mask & ~refused
        elif ace.type == DENIED:
            refused |= ace.mask & ~granted
    return granted & wanted


def inherited(parent: Acl | None) -> tuple[Ace, ...]:
    """What a namespace takes over from the one above it (I11)."""
    if parent is None:
        return ()
    return tuple(_copied(ace) for ace in parent.aces if ace.flags & CONTAINER_INHERIT)


def _copied(ace: Ace) -> Ace:
    flags = ace.flags & ~INHERIT_ONLY | INHERITED
    if ace.flags & NO_PROPAGATE:
        flags &= ~CONTAINER_INHERIT
    return ace._replace(flags=flags)
