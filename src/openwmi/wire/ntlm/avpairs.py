"""Attribute/value pairs: what the server says about itself, and the client repeats ([MS-NLMP] 2.2.2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.wire.buffers import Layout, Reader, Writer
from openwmi.wire.errors import PeerMisbehaved
from openwmi.wire.ntlm.constants import AV_END

if TYPE_CHECKING:
    from collections.abc import Iterable

CLAUSE: Final = "[MS-NLMP] 2.2.2.1"
_PAIR: Final = Layout("HH")
_LIMIT: Final = 64

Pairs = tuple[tuple[int, bytes], ...]


def read_pairs(reader: Reader) -> Pairs:
    """The pairs up to the terminator, which must be there; unknown ones are kept."""
    found: list[tuple[int, bytes]] = []
    while True:
        number, size = reader.fixed(_PAIR)
        if number == AV_END:
            return tuple(found)
        if len(found) >= _LIMIT:
            raise PeerMisbehaved(f"more than {_LIMIT} attributes", CLAUSE)
        found.append((number, reader.octets(size)))


def write_pairs(pairs: Iterable[tuple[int, bytes]]) -> bytes:
    """The pairs and the terminator."""
    writer = Writer()
    for number, value in pairs:
        writer.fixed(_PAIR, number, len(value))
        writer.octets(value)
    writer.fixed(_PAIR, AV_END, 0)
    return bytes(writer)


def value_of(pairs: Pairs, number: int) -> bytes | None:
    """The first value of an attribute."""
    return next((value for found, value in pairs if found == number), None)


def number_of(pairs: Pairs, number: int) -> int:
    """An attribute that is a number, 0 when it is missing."""
    return int.from_bytes(value_of(pairs, number) or b"", "little")
