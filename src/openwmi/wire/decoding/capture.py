"""Capture files, cut into packets: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng), either order.

| pcap | | pcapng block | |
|---|---|---|---|
| 0 | magic: order, and what a fraction counts | 0 | type |
| 20 | link type in the low 16 bits | 4 | length of the block, at its end again |
| 24 | packets: seconds, fraction, bytes here, bytes on the wire, data | 8 | body: what the type says, data, options |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.wire.buffers import Layout, Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLAUSE: Final = "draft-ietf-opsawg-pcap"
_CLAUSE_NG: Final = "draft-ietf-opsawg-pcapng"
_SECTION: Final = b"\x0a\x0d\x0d\x0a"
_MICRO: Final = 1_000_000
_NANO: Final = 1_000_000_000
# The first four bytes -> (order, fractions of a second).
_MAGIC: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", _MICRO),
    b"\xa1\xb2\xc3\xd4": (">", _MICRO),
    b"\x4d\x3c\xb2\xa1": ("<", _NANO),
    b"\xa1\xb2\x3c\x4d": (">", _NANO),
}
_ORDER: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 1, 2, 3, 6
_RESOLUTION: Final = 9  # if_tsresol
_MOST_INTERFACES: Final = 4096
LARGEST_PACKET: Final = 1 << 24


class Packet(NamedTuple):
    """One packet. seconds: since 1970, None where the file does not say; cut: it was longer on the wire."""

    number: int
    seconds: float | None
    link: int
    data: bytes
    cut: bool = False


def is_capture(data: bytes) -> bool:
    return data[:4] in _MAGIC or data[:4] == _SECTION


def packets(data: bytes) -> Iterator[Packet]:
    """The packets of a file, in its order. A file that breaks off raises PeerMisbehaved after its last whole one."""
    if data[:4] == _SECTION:
        return _Sections(data).packets()
    return _classic(data)


def _classic(data: bytes) -> Iterator[Packet]:
    reader = Reader(data, _CLAUSE)
    known = _MAGIC.get(reader.octets(4))
    if known is None:
        raise reader.misbehaved("not a capture file")
    order, fractions = known
    head = Layout("IIII", order)
    reader.skip(16)
    link = reader.fixed(Layout("I", order))[0] & 0xFFFF
    number = 0
    while reader.remaining:
        number += 1
        seconds, fraction, here, there = reader.fixed(head)
        body = reader.octets(_bounded(reader, here))
        yield Packet(number, seconds + fraction / fractions, link, body, there > here)


def _bounded(reader: Reader, size: int) -> int:
    if size > LARGEST_PACKET:
        raise reader.misbehaved(f"a packet of {size} bytes")
    return size


class _Sections:
    """The sections of a pcapng file, each with its own order and interfaces."""

    def __init__(self, data: bytes) -> None:
        self._reader = Reader(data, _CLAUSE_NG)
        self._order = "<"
        self._interfaces: list[tuple[int, int]] = []  # (link type, fractions of a second)
        self._number = 0

    def packets(self) -> Iterator[Packet]:
        reader = self._reader
        while reader.remaining:
            if reader.data[reader.position : reader.position + 4] == _SECTION:
                self._section()
            kind, length = reader.fixed(Layout("II", self._order))
            if length < 12 or length % 4:
                raise reader.misbehaved(f"a block of {length} bytes")
            body = reader.part(length - 12)
            reader.skip(4)
            found = self._block(kind, body)
            if found is not None:
                yield found

    def _section(self) -> None:
        """A section begins: its byte order stands behind its length."""
        at = self._reader.position + 8
        order = _ORDER.get(bytes(self._reader.data[at : at + 4]))
        if order is None:
            raise self._reader.misbehaved("a section without its byte order")
        self._order = order
        self._interfaces = []

    def _block(self, kind: int, body: Reader) -> Packet | None:
        if kind == _INTERFACE:
            self._interface(body)
        elif kind == _PACKET:
            interface, high, low, here, there = body.fixed(Layout("IIIII", self._order))
            return self._packet(body, interface, high << 32 | low, here, there)
        elif kind == _OLD_PACKET:
            interface, _, high, low, here, there = body.fixed(Layout("HHIIII", self._order))
            return self._packet(body, interface, high << 32 | low, here, there)
        elif kind == _SIMPLE_PACKET:
            there = body.fixed(Layout("I", self._order))[0]
            return self._packet(body, 0, None, min(there, body.remaining), there)
        return None

    def _interface(self, body: Reader) -> None:
        if len(self._interfaces) >= _MOST_INTERFACES:
            raise body.misbehaved(f"more than {_MOST_INTERFACES} interfaces")
        link, _, _ = body.fixed(Layout("HHI", self._order))
        self._interfaces.append((link, self._fractions(body)))

    def _fractions(self, options: Reader) -> int:
        while options.remaining >= 4:
            code, size = options.fixed(Layout("HH", self._order))
            value = options.octets(size)
            if code == 0:
                break
            if code == _RESOLUTION and value:
                exponent = value[0] & 0x7F
                return int(2 ** min(exponent, 63) if value[0] & 0x80 else 10 ** min(exponent, 18))
            options.skip(min(-size % 4, options.remaining))
        return _MICRO

    def _packet(self, body: Reader, interface: int, ticks: int | None, here: int, there: int) -> Packet:
        if interface >= len(self._interfaces):
            raise body.misbehaved(f"a packet of interface {interface}, which was not described")
        link, fractions = self._interfaces[interface]
        self._number += 1
        data = body.octets(_bounded(body, here))
        seconds = None if ticks is None else ticks / fractions
        return Packet(self._number, seconds, link, data, there > here)
