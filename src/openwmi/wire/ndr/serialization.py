"""Type serialization version 1: one NDR value in a frame of its own ([MS-RPCE] 2.2.6).

| offset | size | what |
|---|---|---|
| 0 | 1 | version, 1 |
| 1 | 1 | 0x10, little-endian |
| 2 | 2 | 8, the length of this header |
| 4 | 4 | filler |
| 8 | 4 | length of the value, its pad to 8 included |
| 12 | 4 | filler |
| 16 | | the value, aligned from here, padded to 8 |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from openwmi.wire.errors import PeerIncompatible
from openwmi.wire.ndr.streams import NdrReader, NdrWriter

if TYPE_CHECKING:
    from openwmi.wire.buffers import Reader
    from openwmi.wire.ndr.types import Type

T = TypeVar("T")

_CLAUSE = "[MS-RPCE] 2.2.6"


def serialize(type_: Type[T], value: T) -> bytes:
    """The frame with the value in it."""
    body = NdrWriter()
    type_.write(body, value)
    body.align(8)
    frame = NdrWriter()
    frame.octets(b"\x01\x10\x08\x00\xcc\xcc\xcc\xcc")
    frame.u32(len(body))
    frame.u32(0)
    frame.octets(body.data)
    return bytes(frame)


def deserialize(type_: Type[T], reader: Reader) -> T:
    """The value in the frame at the reader's place; the reader goes on after the frame."""
    version, order, length = reader.u8(), reader.u8(), reader.u16()
    if version != 1 or order != 0x10 or length != 8:
        raise PeerIncompatible(f"a serialized type of version {version}, format 0x{order:02X}", _CLAUSE)
    reader.skip(4)
    size = reader.u32()
    reader.skip(4)
    return type_.read(NdrReader(reader.octets(size), _CLAUSE))
