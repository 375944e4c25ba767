"""The one bounds-checked Reader and the one Writer through which all bytes of this room go.

Little-endian throughout: a peer with another data representation is refused in the PDU header ([C706] 14.1).
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct, error, pack, unpack_from
from typing import Final
from uuid import UUID

from openwmi.wire.errors import LocalProtocolError, PeerMisbehaved

_U16: Final = Struct("<H")
_U32: Final = Struct("<I")
_U64: Final = Struct("<Q")
_I16: Final = Struct("<h")
_I32: Final = Struct("<i")
_ZEROS: Final = bytes(16)

Buffer = bytes | bytearray | memoryview


# A connection names the same few objects and interfaces again and again, and making a UUID costs more than reading
# the rest of a call's head.


@lru_cache(4096)
def guid_of(raw: bytes) -> UUID:
    """The identifier in 16 bytes, in the order of the wire."""
    return UUID(bytes_le=raw)


@lru_cache(4096)
def octets_of(value: UUID) -> bytes:
    """The 16 bytes of an identifier, in the order of the wire."""
    return value.bytes_le


class Layout:
    """A run of numbers that is read or written at once: format characters of `struct`, no alignment.

    Little-endian, as everything of this room; network headers and capture files, which decoding reads, may differ.
    """

    __slots__ = ("pack", "size", "unpack_from")

    def __init__(self, form: str, order: str = "<") -> None:
        made = Struct(order + form)
        self.size = made.size
        self.pack = made.pack
        self.unpack_from = made.unpack_from


class Reader:
    """Reads forward through a buffer. Whatever would pass its end raises PeerMisbehaved with the clause at hand.

    Alignment counts from the first byte of the buffer given, wherever reading starts.
    """

    __slots__ = ("clause", "data", "end", "position")

    def __init__(self, data: Buffer, clause: str, start: int = 0, end: int | None = None) -> None:
        self.data = data
        self.clause = clause
        self.position = start
        self.end = len(data) if end is None else end
        if not 0 <= start <= self.end <= len(data):
            raise self.misbehaved(f"bytes {start} to {end} of a message of {len(data)} bytes")

    @property
    def remaining(self) -> int:
        return self.end - self.position

    def misbehaved(self, message: str) -> PeerMisbehaved:
        """The error to raise about these bytes."""
        return PeerMisbehaved(message, self.clause)

    def _take(self, size: int) -> int:
        """The position before `size` bytes, which are then behind us."""
        start = self.position
        if not 0 <= size <= self.end - start:
            raise self.misbehaved(
                f"the message ends {size - self.end + start} bytes early, at byte {self.end}"
            )
        self.position = start + size
        return start

    def u8(self) -> int:
        return self.data[self._take(1)]

    def u16(self) -> int:
        value: int = _U16.unpack_from(self.data, self._take(2))[0]
        return value

    def u32(self) -> int:
        value: int = _U32.unpack_from(self.data, self._take(4))[0]
        return value

    def u64(self) -> int:
        value: int = _U64.unpack_from(self.data, self._take(8))[0]
        return value

    def i16(self) -> int:
        value: int = _I16.unpack_from(self.data, self._take(2))[0]
        return value

    def i32(self) -> int:
        value: int = _I32.unpack_from(self.data, self._take(4))[0]
        return value

    def fixed(self, layout: Layout) -> tuple[int, ...]:
        """The numbers of a layout."""
        return layout.unpack_from(self.data, self._take(layout.size))

    def guid(self) -> UUID:
        start = self._take(16)
        return guid_of(bytes(self.data[start : start + 16]))

    def octets(self, size: int) -> bytes:
        start = self._take(size)
        return bytes(self.data[start : start + size])

    def rest(self) -> bytes:
        return self.octets(self.remaining)

    def words(self, count: int) -> tuple[int, ...]:
        """`count` 16-bit units."""
        return unpack_from(f"<{count}H", self.data, self._take(2 * count))

    def utf16(self, units: int) -> str:
        """`units` UTF-16 code units as text; unpaired surrogates stay, as Windows lets them."""
        return self.octets(2 * units).decode("utf-16-le", "surrogatepass")

    def skip(self, size: int) -> None:
        self._take(size)

    def align(self, boundary: int) -> None:
        """Go on to a multiple of `boundary`; what the pad bytes hold is the peer's business (wire.md 5.1)."""
        self._take(-self.position % boundary)

    def part(self, size: int, clause: str | None = None) -> Reader:
        """A reader of its own over the next `size` bytes, with alignment counted from there."""
        return Reader(self.octets(size), clause or self.clause)


class Writer:
    """Collects bytes. A value that has no encoding is our caller's mistake: LocalProtocolError."""

    __slots__ = ("data",)

    def __init__(self) -> None:
        self.data = bytearray()

    def __len__(self) -> int:
        return len(self.data)

    def __bytes__(self) -> bytes:
        return bytes(self.data)

    def _pack(self, form: Struct, value: int) -> None:
        try:
            self.data += form.pack(value)
        except error as reason:
            raise LocalProtocolError(f"{value!r} does not fit: {reason}") from None

    def u8(self, value: int) -> None:
        if not 0 <= value <= 0xFF:
            raise LocalProtocolError(f"{value!r} does not fit into one byte")
        self.data.append(value)

    def u16(self, value: int) -> None:
        self._pack(_U16, value)

    def u32(self, value: int) -> None:
        self._pack(_U32, value)

    def u64(self, value: int) -> None:
        self._pack(_U64, value)

    def i16(self, value: int) -> None:
        self._pack(_I16, value)

    def i32(self, value: int) -> None:
        self._pack(_I32, value)

    def fixed(self, layout: Layout, *values: int | bytes) -> None:
        try:
            self.data += layout.pack(*values)
        except error as reason:
            raise LocalProtocolError(f"{values!r} do not fit: {reason}") from None

    def guid(self, value: UUID) -> None:
        self.data += octets_of(value)

    def octets(self, value: Buffer) -> None:
        self.data += value

    def words(self, values: tuple[int, ...] | list[int]) -> None:
        try:
            self.data += pack(f"<{len(values)}H", *values)
        except error as reason:
            raise LocalProtocolError(f"not 16-bit numbers: {reason}") from None

    def utf16(self, text: str) -> None:
        self.data += text.encode("utf-16-le", "surrogatepass")

    def align(self, boundary: int) -> None:
        self.data += _ZEROS[: -len(self.data) % boundary]
