"""Hexadecimal text as bytes: plain digits, and the dumps of xxd, hexdump -C, od and Wireshark.

A line of a dump begins with an offset, and offset 0 begins another blob. Plain digits are one blob.
"""

from __future__ import annotations

import re
from typing import Final

from openwmi.wire.errors import PeerMisbehaved

# An offset, a colon or blanks, pairs of digits in groups; what stands behind two blanks or a bar is the text column.
_LINE: Final = re.compile(r"^\s*(?:0x)?([0-9a-fA-F]{3,16})(?::|\s)\s*(.*)$")
_GROUP: Final = re.compile(r"^(?:[0-9a-fA-F]{2})+$")
_PLAIN: Final = re.compile(r"0x|\\x|[\s,:;{}\"'-]", re.IGNORECASE)
_COLUMNS: Final = re.compile(r"\s{2,}")
_LINE_BYTES: Final = 16
_COMMENT: Final = re.compile(r"^\s*(?:#|//)")


def looks_like_text(data: bytes) -> bool:
    """Whether a file is text of this kind, not bytes."""
    head = data[:4096]
    return bool(head.strip()) and all(byte in b"\t\r\n\f" or 32 <= byte < 127 for byte in head)


def blobs(text: str) -> list[bytes]:
    """The blobs of a text; PeerMisbehaved for anything else than hexadecimal."""
    lines = [line for line in text.splitlines() if line.strip() and not _COMMENT.match(line)]
    if not lines:
        return []
    first = _LINE.match(lines[0])
    if first is not None and not int(first[1], 16) and len(lines[0].split()) > 1:
        return _dumped(lines)
    digits = "".join(_PLAIN.sub("", line) for line in lines)
    try:
        return [bytes.fromhex(digits)]
    except ValueError:
        raise PeerMisbehaved("the text is not hexadecimal") from None


def _dumped(lines: list[str]) -> list[bytes]:
    found: list[bytearray] = []
    for number, line in enumerate(lines, 1):
        match = _LINE.match(line)
        if match is None:
            continue  # a heading between two dumps
        offset = int(match[1], 16)
        if offset == 0 or not found:
            found.append(bytearray())
        blob = found[-1]
        if offset != len(blob):
            octal = int(match[1], 8) if set(match[1]) <= set("01234567") else -1
            if octal != len(blob):
                raise PeerMisbehaved(
                    f"line {number} of the dump begins at {match[1]}, {len(blob)} bytes came before"
                )
        blob += _octets(match[2])
    return [bytes(blob) for blob in found if blob]


def _octets(line: str) -> bytes:
    """The bytes of a line, sixteen at most, up to its text column: as many characters as there were bytes."""
    data = bytearray()
    for column in _COLUMNS.split(line.strip()):
        if data and len(column) == len(data) and not column.isspace():
            break
        for group in column.split():
            if not _GROUP.match(group) or len(data) >= _LINE_BYTES:
                return bytes(data[:_LINE_BYTES])
            data += bytes.fromhex(group)
    return bytes(data[:_LINE_BYTES])
