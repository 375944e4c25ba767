"""As much of DER as SPNEGO needs: definite lengths, one tag at a time, nothing recursive ([X690] 8.1)."""

from __future__ import annotations

from typing import Final

from openwmi.wire.buffers import Reader
from openwmi.wire.errors import LocalProtocolError

SEQUENCE: Final = 0x30
OCTET_STRING: Final = 0x04
OBJECT_IDENTIFIER: Final = 0x06
ENUMERATED: Final = 0x0A
APPLICATION_0: Final = 0x60
_CONTEXT: Final = 0xA0
_LONGEST: Final = 0xFFFF


def context(number: int) -> int:
    """The tag of an explicitly tagged member."""
    return _CONTEXT | number


def read(reader: Reader) -> tuple[int, bytes]:
    """The next (tag, content)."""
    tag, length = reader.u8(), reader.u8()
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4:
            raise reader.misbehaved(f"a length in {size} bytes")
        length = int.from_bytes(reader.octets(size), "big")
    return tag, reader.octets(length)


def expect(reader: Reader, tag: int) -> Reader:
    """A reader over the content of the next value, which must have this tag."""
    found, content = read(reader)
    if found != tag:
        raise reader.misbehaved(f"tag 0x{found:02X} where 0x{tag:02X} was due")
    return Reader(content, reader.clause)


def value(tag: int, *parts: bytes) -> bytes:
    """Tag, length and content."""
    content = b"".join(parts)
    size = len(content)
    if size > _LONGEST:
        raise LocalProtocolError(f"{size} bytes in a token", "RFC 4178")
    if size < 0x80:
        return bytes((tag, size)) + content
    if size < 0x100:
        return bytes((tag, 0x81, size)) + content
    return bytes((tag, 0x82, size >> 8, size & 0xFF)) + content
