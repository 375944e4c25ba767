"""Capture files, cut into packets: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng), either order.

| pcap | | pcapng block | |
|---|---|---|---|
| 0 | magic: order, and what a fraction counts | 0 | type |
| 20 | link type in the low 16 bits | 4 | length of the block, at its end again |
| 24 | packets: seconds, fraction, bytes here, bytes on the wire, data | 8 | body: what the type says, data, options |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.wire.buffers import Layout, Reader
from openwmi.wire.errors import PeerMisbehaved

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


# Gives the next bytes of a file, at most so many; fewer only at its end.
Read = Callable[[int], bytes]


def packets(read: Read) -> Iterator[Packet]:
    """The packets of a file, each as soon as it is read. One that breaks off raises PeerMisbehaved after its last."""
    source = _Source(read)
    magic = source.exactly(4)
    if magic == _SECTION:
        return _Sections(source).packets()
    known = _MAGIC.get(magic)
    if known is None:
        raise PeerMisbehaved("not a capture file", _CLAUSE)
    return _classic(source, *known)


class _Source:
    """A file that is read forward."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def exactly(self, size: int) -> bytes:
        found = self._read(size)
        if len(found) < size:
            raise PeerMisbehaved(f"the file ends {size - len(found)} bytes early", _CLAUSE)
        return found

    def next(self, size: int) -> bytes | None:
        """The same, but None where the file ends."""
        first = self._read(1)
        return first + self.exactly(size - 1) if first else None


def _classic(source: _Source, order: str, fractions: int) -> Iterator[Packet]:
    head = Layout("IIII", order)
    source.exactly(16)
    link = Layout("I", order).unpack_from(source.exactly(4), 0)[0] & 0xFFFF
    number = 0
    while (record := source.next(head.size)) is not None:
        number += 1
        seconds, fraction, here, there = head.unpack_from(record, 0)
        yield Packet(
            number, seconds + fraction / fractions, link, source.exactly(_bounded(here)), there > here
        )


def _bounded(size: int) -> int:
    if size > LARGEST_PACKET:
        raise PeerMisbehaved(f"a packet of {size} bytes", _CLAUSE)
    return size


class _Sections:
    """The sections of a pcapng file, each with its own order and interfaces."""

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._order = "<"
        self._interfaces: list[tuple[int, int]] = []  # (link type, fractions of a second)
        self._number = 0

    def packets(self) -> Iterator[Packet]:
        kind: bytes | None = _SECTION  # it has been read already
        while kind is not None:
            if kind == _SECTION:
                self._section()
            elif (found := self._plain(kind)) is not None:
                yield found
            kind = self._source.next(4)

    def _section(self) -> None:
        """A section begins: its byte order stands behind its length."""
        length, magic = self._source.exactly(4), self._source.exactly(4)
        order = _ORDER.get(magic)
        if order is None:
            raise PeerMisbehaved("a section without its byte order", _CLAUSE_NG)
        self._order = order
        self._interfaces = []
        self._source.exactly(self._body(length) - 4 + 4)

    def _plain(self, kind: bytes) -> Packet | None:
        body = self._source.exactly(self._body(self._source.exactly(4)))
        self._source.exactly(4)
        return self._block(self._number_in(kind), Reader(body, _CLAUSE_NG))

    def _body(self, length: bytes) -> int:
        """The size of a block's body."""
        size = self._number_in(length)
        if not 12 <= size <= LARGEST_PACKET or size % 4:
            raise PeerMisbehaved(f"a block of {size} bytes", _CLAUSE_NG)
        return size - 12

    def _number_in(self, octets: bytes) -> int:
        return int(Layout("I", self._order).unpack_from(octets, 0)[0])

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
        data = body.octets(_bounded(here))
        seconds = None if ticks is None else ticks / fractions
        return Packet(self._number, seconds, link, data, there > here)
