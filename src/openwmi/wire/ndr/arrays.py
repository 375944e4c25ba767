"""Arrays and strings of NDR ([C706] 14.3.3 and 14.3.4). Every count is checked against the bytes that are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from openwmi.wire.errors import LocalProtocolError
from openwmi.wire.ndr.types import Type

if TYPE_CHECKING:
    from openwmi.wire.ndr.streams import NdrReader, NdrWriter

T = TypeVar("T")


def _bounded(reader: NdrReader, count: int, size: int) -> int:
    if count * size > reader.remaining:
        raise reader.misbehaved(f"an array of {count} elements in {reader.remaining} bytes")
    return count


class _Array(Type[Sequence[T]]):
    """What arrays of every kind share: heads of all elements, then tails of all elements."""

    def __init__(self, element: Type[T]) -> None:
        if element.conformant:
            raise LocalProtocolError("an array of open arrays", "[C706] 14.3.3.1")
        self.element = element
        self.alignment = element.alignment

    def _read_heads(self, reader: NdrReader, count: int) -> list[Any]:
        element = self.element
        return [element.read_head(reader, 0) for _ in range(_bounded(reader, count, element.minimum))]

    def read_tail(self, reader: NdrReader, head: list[Any]) -> Sequence[T]:
        element = self.element
        return tuple([element.read_tail(reader, state) for state in head])

    def _write_heads(self, writer: NdrWriter, value: Sequence[T]) -> None:
        for item in value:
            self.element.write_head(writer, item)

    def write_tail(self, writer: NdrWriter, value: Sequence[T]) -> None:
        for item in value:
            self.element.write_tail(writer, item)


class FixedArray(_Array[T]):
    """As many elements as the interface says ([C706] 14.3.3.1)."""

    def __init__(self, element: Type[T], count: int) -> None:
        super().__init__(element)
        self.count = count
        self.minimum = max(1, element.minimum * count)

    def read_head(self, reader: NdrReader, count: int) -> list[Any]:
        return self._read_heads(reader, self.count)

    def write_head(self, writer: NdrWriter, value: Sequence[T]) -> None:
        if len(value) != self.count:
            raise LocalProtocolError(f"{len(value)} elements for an array of {self.count}")
        self._write_heads(writer, value)


class ConformantArray(_Array[T]):
    """A count, hoisted, and that many elements ([C706] 14.3.3.2)."""

    conformant = True

    def read_count(self, reader: NdrReader) -> int:
        reader.align(4)
        return reader.u32()

    def read_head(self, reader: NdrReader, count: int) -> list[Any]:
        return self._read_heads(reader, count)

    def write_count(self, writer: NdrWriter, value: Sequence[T]) -> None:
        writer.align(4)
        writer.u32(len(value))

    def write_head(self, writer: NdrWriter, value: Sequence[T]) -> None:
        self._write_heads(writer, value)


class VaryingArray(_Array[T]):
    """An offset, which is always 0 here, and a count, then the elements ([C706] 14.3.3.3)."""

    def __init__(self, element: Type[T]) -> None:
        super().__init__(element)
        self.alignment = max(4, element.alignment)
        self.minimum = 8

    def _read_extent(self, reader: NdrReader) -> int:
        reader.align(4)
        if reader.u32():
            raise reader.misbehaved("an array that does not start at its first element")
        return reader.u32()

    def read_head(self, reader: NdrReader, count: int) -> list[Any]:
        return self._read_heads(reader, self._read_extent(reader))

    def write_head(self, writer: NdrWriter, value: Sequence[T]) -> None:
        writer.align(4)
        writer.u32(0)
        writer.u32(len(value))
        self._write_heads(writer, value)


class ConformantVaryingArray(VaryingArray[T]):
    """The room there is, hoisted, then offset and count and the elements ([C706] 14.3.3.4).

    `room` is the count to announce when it is larger than what is sent: the size of the caller's buffer.
    """

    conformant = True

    def __init__(self, element: Type[T], room: int = 0) -> None:
        super().__init__(element)
        self.room = room

    def read_count(self, reader: NdrReader) -> int:
        reader.align(4)
        return reader.u32()

    def read_head(self, reader: NdrReader, count: int) -> list[Any]:
        actual = self._read_extent(reader)
        if actual > count:
            raise reader.misbehaved(f"{actual} elements in an array that has room for {count}")
        return self._read_heads(reader, actual)

    def write_count(self, writer: NdrWriter, value: Sequence[T]) -> None:
        writer.align(4)
        writer.u32(max(self.room, len(value)))


class ByteArray(Type[bytes]):
    """A conformant array of bytes, as bytes."""

    conformant = True

    def read_count(self, reader: NdrReader) -> int:
        reader.align(4)
        return reader.u32()

    def read_head(self, reader: NdrReader, count: int) -> bytes:
        return reader.octets(count)

    def write_count(self, writer: NdrWriter, value: bytes) -> None:
        writer.align(4)
        writer.u32(len(value))

    def write_head(self, writer: NdrWriter, value: bytes) -> None:
        writer.octets(value)


class WideString(Type[str]):
    """[string] wchar_t*: UTF-16 with its NUL on the wire, text without it in Python ([C706] 14.3.4).

    Reading takes a string whose NUL is missing, too: peers differ, and nothing depends on it.
    """

    alignment = 4
    minimum = 8
    conformant = True

    def read_count(self, reader: NdrReader) -> int:
        reader.align(4)
        return reader.u32()

    def read_head(self, reader: NdrReader, count: int) -> str:
        reader.align(4)
        if reader.u32():
            raise reader.misbehaved("a string that does not start at its first character")
        actual = reader.u32()
        if actual > count:
            raise reader.misbehaved(f"{actual} characters in a string that has room for {count}")
        return reader.utf16(actual).rstrip("\0")

    def write_count(self, writer: NdrWriter, value: str) -> None:
        writer.align(4)
        writer.u32(_units(value) + 1)

    def write_head(self, writer: NdrWriter, value: str) -> None:
        writer.align(4)
        writer.u32(0)
        writer.u32(_units(value) + 1)
        writer.utf16(value + "\0")


def _units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)
