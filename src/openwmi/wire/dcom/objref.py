"""OBJREF: a reference to an object, as it travels inside an MInterfacePointer ([MS-DCOM] 2.2.14, 2.2.18).

| offset | size | what |
|---|---|---|
| 0 | 4 | `MEOW` |
| 4 | 4 | form: 1 standard, 2 handler, 4 custom, 8 extended |
| 8 | 16 | IID |
| 24 | | the form's own part; packed, no alignment anywhere |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from openwmi.wire.buffers import Buffer, Layout, Reader, Writer
from openwmi.wire.dcom.bindings import DualStringArray
from openwmi.wire.errors import PeerMisbehaved
from openwmi.wire.ndr import GUID, UINT32, UINT64, NdrReader, NdrWriter, Structure, Type

if TYPE_CHECKING:
    from uuid import UUID

CLAUSE: Final = "[MS-DCOM] 2.2.18"
_SIGNATURE: Final = b"MEOW"
_STANDARD: Final = 1
_HANDLER: Final = 2
_CUSTOM: Final = 4
_EXTENDED: Final = 8
_CONTEXT_SIGNATURE: Final = 0x4E535956
_STD: Final = Layout("IIQQ")

SORF_NOPING: Final = 0x1000


@dataclass(frozen=True, slots=True)
class StdObjRef:
    """STDOBJREF: exporter, object, interface, and the references that come along ([MS-DCOM] 2.2.18.2)."""

    flags: int
    public_refs: int
    oxid: int
    oid: int
    ipid: UUID

    @classmethod
    def read(cls, reader: Reader) -> StdObjRef:
        flags, refs, oxid, oid = reader.fixed(_STD)
        return cls(flags, refs, oxid, oid, reader.guid())

    def write(self, writer: Writer) -> None:
        writer.fixed(_STD, self.flags, self.public_refs, self.oxid, self.oid)
        writer.guid(self.ipid)


# The same where it is a parameter, aligned to 8.
STD_OBJREF: Final = Structure(StdObjRef, flags=UINT32, public_refs=UINT32, oxid=UINT64, oid=UINT64, ipid=GUID)


@dataclass(frozen=True, slots=True)
class Standard:
    """OBJREF_STANDARD: bindings are those of the resolver of the object's machine ([MS-DCOM] 2.2.18.4)."""

    iid: UUID
    std: StdObjRef
    bindings: DualStringArray

    def encode(self) -> bytes:
        writer = _opened(_STANDARD, self.iid)
        self.std.write(writer)
        self.bindings.write(writer)
        return bytes(writer)


@dataclass(frozen=True, slots=True)
class Handler:
    """OBJREF_HANDLER: a standard one that names a helper class ([MS-DCOM] 2.2.18.5)."""

    iid: UUID
    std: StdObjRef
    clsid: UUID
    bindings: DualStringArray

    def encode(self) -> bytes:
        writer = _opened(_HANDLER, self.iid)
        self.std.write(writer)
        writer.guid(self.clsid)
        self.bindings.write(writer)
        return bytes(writer)


@dataclass(frozen=True, slots=True)
class Custom:
    """OBJREF_CUSTOM: an object by value; clsid says how to read the data ([MS-DCOM] 2.2.18.6).

    The field before the data holds their length in some senders and that plus 8 in others: it is not looked at, the
    length is that of the MInterfacePointer (wire.md 5.2).
    """

    iid: UUID
    clsid: UUID
    data: bytes

    def encode(self) -> bytes:
        writer = _opened(_CUSTOM, self.iid)
        writer.guid(self.clsid)
        writer.u32(0)
        writer.u32(len(self.data) + 8)  # as Windows fills it
        writer.octets(self.data)
        return bytes(writer)


@dataclass(frozen=True, slots=True)
class Extended:
    """OBJREF_EXTENDED: a standard one with a context, of which only the standard part is read ([MS-DCOM] 2.2.18.7)."""

    iid: UUID
    std: StdObjRef
    bindings: DualStringArray
    context: bytes = b""

    def encode(self) -> bytes:
        writer = _opened(_EXTENDED, self.iid)
        self.std.write(writer)
        writer.u32(_CONTEXT_SIGNATURE)
        self.bindings.write(writer)
        writer.octets(self.context)
        return bytes(writer)


ObjRef = Standard | Handler | Custom | Extended


def _opened(form: int, iid: UUID) -> Writer:
    writer = Writer()
    writer.octets(_SIGNATURE)
    writer.u32(form)
    writer.guid(iid)
    return writer


def decode(data: Buffer) -> ObjRef:
    """The reference in the bytes of an MInterfacePointer."""
    reader = Reader(data, CLAUSE)
    if reader.octets(4) != _SIGNATURE:
        raise reader.misbehaved("an OBJREF without its signature")
    form, iid = reader.u32(), reader.guid()
    if form == _CUSTOM:
        clsid = reader.guid()
        reader.skip(8)
        return Custom(iid, clsid, reader.rest())
    if form not in (_STANDARD, _HANDLER, _EXTENDED):
        raise reader.misbehaved(f"an OBJREF of form {form}")
    std = StdObjRef.read(reader)
    if form == _STANDARD:
        return Standard(iid, std, DualStringArray.read(reader))
    if form == _HANDLER:
        clsid = reader.guid()
        return Handler(iid, std, clsid, DualStringArray.read(reader))
    if reader.u32() != _CONTEXT_SIGNATURE:
        raise reader.misbehaved("an extended OBJREF without its signature")
    bindings = DualStringArray.read(reader)
    return Extended(iid, std, bindings, reader.rest())


def standard(data: Buffer | None) -> Standard | Handler | Extended:
    """A reference to an object of the peer's; one by value, or NULL, is refused."""
    found = None if data is None else decode(data)
    if found is None or isinstance(found, Custom):
        raise PeerMisbehaved("a reference to an object was due", CLAUSE)
    return found


def custom(data: Buffer | None, clsid: UUID) -> bytes:
    """The data of an object by value of this class."""
    found = None if data is None else decode(data)
    if not isinstance(found, Custom) or found.clsid != clsid:
        raise PeerMisbehaved(f"an object by value of class {clsid} was due", CLAUSE)
    return found.data


class _InterfacePointerType(Type[bytes]):
    """MInterfacePointer: a count twice, and the bytes of an OBJREF ([MS-DCOM] 2.2.14)."""

    alignment = 4
    minimum = 4
    conformant = True

    def read_count(self, reader: NdrReader) -> int:
        reader.align(4)
        return reader.u32()

    def read_head(self, reader: NdrReader, count: int) -> bytes:
        reader.align(4)
        size = reader.u32()
        if size > count:
            raise reader.misbehaved(f"an interface pointer of {size} bytes in {count}")
        data = reader.octets(size)
        reader.skip(count - size)
        return data

    def write_count(self, writer: NdrWriter, value: bytes) -> None:
        writer.align(4)
        writer.u32(len(value))

    def write_head(self, writer: NdrWriter, value: bytes) -> None:
        writer.align(4)
        writer.u32(len(value))
        writer.octets(value)


INTERFACE_POINTER: Final = _InterfacePointerType()
