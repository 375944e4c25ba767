"""From a packet to the TCP segment in it: link layers, IPv4 and IPv6 with extension headers, TCP."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.wire.buffers import Layout, Reader
from openwmi.wire.errors import PeerMisbehaved

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.wire.decoding.capture import Packet

_WORD: Final = Layout("H", ">")
_IPV4: Final = Layout("BBHHHBBH", ">")
_IPV6: Final = Layout("IHBB", ">")
_TCP: Final = Layout("HHIIBBHHH", ">")
_ETHER_IPV4, _ETHER_IPV6 = 0x0800, 0x86DD
_VLANS: Final = frozenset({0x8100, 0x88A8, 0x9100})
_PROTOCOL_TCP, _FRAGMENT, _AUTHENTICATION = 6, 44, 51
_EXTENSIONS: Final = frozenset({0, 43, 60, _FRAGMENT, _AUTHENTICATION})
_MOST_HEADERS: Final = 8
FIN, SYN, ACK = 1, 2, 16


class Address(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Segment(NamedTuple):
    """A TCP segment. size: of its payload on the wire; what the capture cut off of it is missing in `payload`."""

    source: Address
    destination: Address
    sequence: int
    acknowledged: int
    flags: int
    payload: bytes
    size: int


def segment(packet: Packet) -> Segment | None:
    """The TCP segment of a packet; None for other protocols, other links and what is cut or broken in its headers."""
    network = _LINKS.get(packet.link)
    if network is None:
        return None
    reader = Reader(packet.data, "RFC 9293")
    try:
        return _internet(reader, network(reader), cut=packet.cut)
    except PeerMisbehaved:
        return None


# Link layers: what each leaves is the EtherType, and the reader stands at the network header.


def _ethernet(reader: Reader) -> int:
    reader.skip(12)
    kind: int = reader.fixed(_WORD)[0]
    for _ in range(_MOST_HEADERS):
        if kind not in _VLANS:
            break
        reader.skip(2)
        kind = reader.fixed(_WORD)[0]
    return kind


def _raw(reader: Reader) -> int:
    """The version in the first four bits of the network header tells it."""
    first = reader.data[reader.position] if reader.remaining else 0
    return {4: _ETHER_IPV4, 6: _ETHER_IPV6}.get(first >> 4, 0)


def _loopback(reader: Reader) -> int:
    """An address family in the byte order of whoever captured, which does not matter: the header tells the version."""
    reader.skip(4)
    return _raw(reader)


def _cooked(reader: Reader) -> int:
    reader.skip(14)
    return int(reader.fixed(_WORD)[0])


def _cooked2(reader: Reader) -> int:
    kind: int = reader.fixed(_WORD)[0]
    reader.skip(18)
    return kind


_LINKS: Final[dict[int, Callable[[Reader], int]]] = {
    0: _loopback,
    1: _ethernet,
    12: _raw,
    14: _raw,
    101: _raw,
    108: _loopback,
    113: _cooked,
    228: _raw,
    229: _raw,
    276: _cooked2,
}


# Network and transport


def _internet(reader: Reader, kind: int, *, cut: bool) -> Segment | None:
    if kind == _ETHER_IPV4:
        return _ipv4(reader, cut=cut)
    return _ipv6(reader, cut=cut) if kind == _ETHER_IPV6 else None


def _ipv4(reader: Reader, *, cut: bool) -> Segment | None:
    start = reader.position
    first, _, total, _, fragment, _, protocol, _ = reader.fixed(_IPV4)
    source, destination = reader.octets(4), reader.octets(4)
    if protocol != _PROTOCOL_TCP or fragment & 0x3FFF:
        return None  # a fragment of a packet: rare in TCP, and its part of the stream counts as missing
    header = (first & 15) * 4
    reader.skip(header - (reader.position - start))
    size = total - header if total else reader.remaining  # 0 where the network card cuts later
    return _tcp(reader, source, destination, size, cut=cut)


def _ipv6(reader: Reader, *, cut: bool) -> Segment | None:
    _, size, kind, _ = reader.fixed(_IPV6)
    source, destination = reader.octets(16), reader.octets(16)
    start = reader.position
    size = size or reader.remaining
    for _ in range(_MOST_HEADERS):
        if kind not in _EXTENSIONS:
            break
        this, kind, length = kind, reader.u8(), reader.u8()
        if this == _FRAGMENT:
            if reader.fixed(_WORD)[0] & 0xFFF9:
                return None
            reader.skip(4)
        else:
            reader.skip((length + 2) * 4 - 2 if this == _AUTHENTICATION else length * 8 + 6)
    if kind != _PROTOCOL_TCP:
        return None
    return _tcp(reader, source, destination, size - (reader.position - start), cut=cut)


def _tcp(reader: Reader, source: bytes, destination: bytes, size: int, *, cut: bool) -> Segment:
    """The rest: `size` bytes of TCP, as far as they are there; the link may have put pad bytes behind them."""
    start = reader.position
    here, there, sequence, acknowledged, offset, flags, _, _, _ = reader.fixed(_TCP)
    header = (offset >> 4) * 4
    reader.skip(header - (reader.position - start))
    length = max(size - header, 0)
    payload = reader.octets(min(length, reader.remaining))
    return Segment(
        Address(str(ip_address(source)), here),
        Address(str(ip_address(destination)), there),
        sequence,
        acknowledged,
        flags,
        payload,
        length if cut else len(payload),
    )
