"""Types that WMI's interfaces share: BSTR, pointers that go both ways, CIM objects by value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.wire.dcom import objref
from openwmi.wire.dcom.objref import INTERFACE_POINTER
from openwmi.wire.ndr import NdrReader, NdrWriter, Type, Unique
from openwmi.wire.wmi.guids import CLSID_WbemClassObject, IID_IWbemClassObject
from openwmi.wmio import decode, encode

if TYPE_CHECKING:
    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance


class _WordBlob(Type[str]):
    """FLAGGED_WORD_BLOB, what a BSTR points at ([MS-OAUT] 2.2.23.1).

    Some peers count a NUL that a BSTR does not have (wire.md 5.2): NULs at the end are taken off, and none is sent.
    """

    alignment = 4
    minimum = 8
    conformant = True

    def read_count(self, reader: NdrReader) -> int:
        reader.align(4)
        return reader.u32()

    def read_head(self, reader: NdrReader, count: int) -> str:
        reader.align(4)
        reader.u32()
        size = reader.u32()
        if size > count:
            raise reader.misbehaved(f"a string of {size} characters in {count}")
        text = reader.utf16(size).rstrip("\0")
        reader.skip(2 * (count - size))
        return text

    def write_count(self, writer: NdrWriter, value: str) -> None:
        writer.align(4)
        writer.u32(_units(value))

    def write_head(self, writer: NdrWriter, value: str) -> None:
        size = _units(value)
        writer.align(4)
        writer.u32(2 * size)
        writer.u32(size)
        writer.utf16(value)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


BSTR: Final[Type[str | None]] = Unique(_WordBlob())
OBJECT: Final[Type[bytes | None]] = Unique(INTERFACE_POINTER)


class _InOut(Type[bytes | None]):
    """[in, out, unique] Interface**: None where the caller wants none, EMPTY where there is none, else an OBJREF."""

    alignment = 4
    minimum = 4

    def read_head(self, reader: NdrReader, count: int) -> int:
        reader.align(4)
        return reader.u32()

    def read_tail(self, reader: NdrReader, head: int) -> bytes | None:
        if not head:
            return None
        found = OBJECT.read(reader)
        return EMPTY if found is None else found

    def write_head(self, writer: NdrWriter, value: bytes | None) -> None:
        writer.align(4)
        writer.u32(0 if value is None else writer.referent())

    def write_tail(self, writer: NdrWriter, value: bytes | None) -> None:
        if value is not None:
            OBJECT.write(writer, value or None)


EMPTY: Final = b""
IN_OUT: Final[Type[bytes | None]] = _InOut()


# What all of them begin with; then come the length and the object.
_BY_VALUE: Final = objref.Custom(IID_IWbemClassObject, CLSID_WbemClassObject, b"").encode()[:-4]


def reference_to(value: Class | Instance) -> bytes:
    """The OBJREF that carries a CIM object by value: one `objref.Custom` a row would take longer than the row."""
    data = encode(value)
    return b"%b%b%b" % (_BY_VALUE, (len(data) + 8).to_bytes(4, "little"), data)


def object_in(reference: bytes | None) -> Class | Instance:
    """The CIM object that an OBJREF carries."""
    return decode(objref.custom(reference, CLSID_WbemClassObject))
