"""What an NDR type is, and the primitive ones.

Every value has three parts in the stream ([C706] 14.3.12.3): the *conformance*, the element count of an open array,
which is hoisted before the outermost structure around it; the *head*, its fixed part; and the *tail*, the referents
of its pointers, which follow the whole construct in the order of the pointers. Reading and writing are three methods
each, so that a structure only passes them on and the order comes out right by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from openwmi.wire.buffers import Reader, Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from openwmi.wire.ndr.streams import NdrReader, NdrWriter

T = TypeVar("T")


class Type(Generic[T]):
    """A type of NDR20 with Python values of type T.

    alignment: 1, 2, 4 or 8; minimum: the fewest bytes that a head takes, at least 1, by which counts are bounded
    before anything is made of them; conformant: whether a count is hoisted.
    """

    alignment: int = 1
    minimum: int = 1
    conformant: bool = False

    def read(self, reader: NdrReader) -> T:
        """The whole value at the reader's place: a parameter, or the referent of a pointer."""
        count = self.read_count(reader)
        return self.read_tail(reader, self.read_head(reader, count))

    def read_count(self, reader: NdrReader) -> int:
        """The hoisted element count; 0 where there is none."""
        return 0

    def read_head(self, reader: NdrReader, count: int) -> Any:
        """The fixed part; what it returns goes to `read_tail`."""
        raise NotImplementedError

    def read_tail(self, reader: NdrReader, head: Any) -> T:
        """The referents; returns the finished value."""
        value: T = head
        return value

    def write(self, writer: NdrWriter, value: T) -> None:
        self.write_count(writer, value)
        self.write_head(writer, value)
        self.write_tail(writer, value)

    def write_count(self, writer: NdrWriter, value: T) -> None:
        pass

    def write_head(self, writer: NdrWriter, value: T) -> None:
        raise NotImplementedError

    def write_tail(self, writer: NdrWriter, value: T) -> None:
        pass


class Primitive(Type[T]):
    """A number or a GUID: aligned to its size, and all head."""

    def __init__(
        self, size: int, read: Callable[[Reader], T], write: Callable[[Writer, T], None], alignment: int = 0
    ) -> None:
        self.minimum = size
        self.alignment = alignment or size
        self._read = read
        self._write = write

    def read_head(self, reader: NdrReader, count: int) -> T:
        reader.align(self.alignment)
        return self._read(reader)

    def write_head(self, writer: NdrWriter, value: T) -> None:
        writer.align(self.alignment)
        self._write(writer, value)


def _write_bool(writer: Writer, value: bool) -> None:
    writer.u32(1 if value else 0)


UINT8: Final[Type[int]] = Primitive(1, Reader.u8, Writer.u8)
UINT16: Final[Type[int]] = Primitive(2, Reader.u16, Writer.u16)
UINT32: Final[Type[int]] = Primitive(4, Reader.u32, Writer.u32)
UINT64: Final[Type[int]] = Primitive(8, Reader.u64, Writer.u64)
INT16: Final[Type[int]] = Primitive(2, Reader.i16, Writer.i16)
INT32: Final[Type[int]] = Primitive(4, Reader.i32, Writer.i32)
# BOOL is a long of [MS-DTYP] 2.2.3: any value but 0 is true.
BOOL: Final[Type[bool]] = Primitive(4, lambda reader: reader.u32() != 0, _write_bool)
GUID: Final[Type[UUID]] = Primitive(16, Reader.guid, Writer.guid, 4)
