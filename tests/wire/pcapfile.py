"""Captures made by tests: TCP segments in packets of several links, in pcap and pcapng files of either order."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Any, NamedTuple

from openwmi.wire.rpc import ServerConnection

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
CLIENT, SERVER = ("192.0.2.1", 50_000), ("192.0.2.2", 135)
Address = tuple[str, int]


class Tcp(NamedTuple):
    source: Address
    destination: Address
    sequence: int
    acknowledged: int
    flags: int
    payload: bytes = b""


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data) // 2}H", data)) if len(data) % 2 == 0 else _checksum(data + b"\0")
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def ip(segment: Tcp) -> bytes:
    """The IP packet of a segment, with true checksums."""
    source, destination = (ip_address(end[0]).packed for end in (segment.source, segment.destination))
    head = struct.pack(
        ">HHIIBBHHH",
        segment.source[1],
        segment.destination[1],
        segment.sequence & 0xFFFFFFFF,
        segment.acknowledged & 0xFFFFFFFF,
        5 << 4,
        segment.flags,
        0xFFFF,
        0,
        0,
    )
    size = len(head) + len(segment.payload)
    pseudo = source + destination + struct.pack(">HH", 6, size) if len(source) == 4 else b""
    pseudo = pseudo or source + destination + struct.pack(">II", size, 6)
    check = 0xFFFF & ~_checksum(pseudo + head + segment.payload)
    tcp = head[:16] + struct.pack(">H", check) + head[18:] + segment.payload
    if len(source) == 16:
        return struct.pack(">IHBB", 6 << 28, size, 6, 64) + source + destination + tcp
    front = struct.pack(">BBHHHBBH", 0x45, 0, 20 + size, 0, 0x4000, 64, 6, 0) + source + destination
    return front[:10] + struct.pack(">H", 0xFFFF & ~_checksum(front)) + front[12:] + tcp


def ethernet(segment: Tcp, vlans: int = 0) -> bytes:
    packet = ip(segment)
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    return bytes(range(12)) + b"\x81\x00\x00\x01" * vlans + kind + packet


def conversation(
    chunks: Iterable[tuple[bool, bytes]],
    *,
    client: Address = CLIENT,
    server: Address = SERVER,
    largest: int = 1400,
) -> list[Tcp]:
    """The segments of a connection that carries chunks: (from the client, bytes)."""
    next_ = {True: 1000, False: 0xFFFFFF00}  # one side's numbers run over
    ends = {True: (client, server), False: (server, client)}

    def segment(up: bool, flags: int, payload: bytes = b"") -> Tcp:
        made = Tcp(*ends[up], next_[up], next_[not up] if flags & ACK else 0, flags, payload)
        next_[up] = (next_[up] + len(payload) + (1 if flags & (SYN | FIN) else 0)) & 0xFFFFFFFF
        return made

    found = [segment(True, SYN), segment(False, SYN | ACK), segment(True, ACK)]
    for up, data in chunks:
        for start in range(0, len(data), largest):
            found += [segment(up, ACK | PSH, data[start : start + largest]), segment(not up, ACK)]
    return [*found, segment(True, FIN | ACK), segment(False, FIN | ACK), segment(True, ACK)]


def pcap(packets: Sequence[bytes], link: int = 1, *, order: str = "<", nano: bool = False) -> bytes:
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    head = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 0x40000, link)
    return head + b"".join(
        struct.pack(order + "IIII", 1_700_000_000, number * 1000, len(data), len(data)) + data
        for number, data in enumerate(packets)
    )


def pcapng(
    packets: Sequence[bytes], link: int = 1, *, order: str = "<", resolution: int | None = None
) -> bytes:
    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        return (
            struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)
        )

    ticks = 1_700_000_000 * 10 ** (6 if resolution is None else resolution)
    options = b"" if resolution is None else struct.pack(order + "HHB3xHH", 9, 1, resolution, 0, 0)
    section = block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    interface = block(1, struct.pack(order + "HHI", link, 0, 0) + options)
    named = block(4, b"\0" * 4)  # a name resolution block, which says nothing to us
    return (
        section
        + interface
        + named
        + b"".join(
            block(
                6,
                struct.pack(order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data)) + data,
            )
            for data in packets
        )
    )


class Recorder:
    """Stands where a Trace may stand, and keeps what travels over real connections, for a capture of it.

    watched: how many connections.
    """

    def __init__(self) -> None:
        self._talks: list[tuple[Address, Address, list[tuple[bool, bytes]]]] = []

    @property
    def watched(self) -> int:
        return len(self._talks)

    def watch(self, connection: Any, *, peer: tuple[str, int], local: tuple[str, int]) -> None:
        chunks: list[tuple[bool, bytes]] = []
        serving = isinstance(connection, ServerConnection)
        client, server = (peer, local) if serving else (local, peer)
        self._talks.append(((client[0], client[1]), (server[0], server[1]), chunks))

        def seen(data: bytes, stub: bytes | None, *, outgoing: bool) -> None:
            chunks.append((outgoing is not serving, data))

        connection.observer = seen

    def pcap(self) -> bytes:
        packets: list[bytes] = []
        for client, server, chunks in self._talks:
            segments = conversation(chunks, client=client, server=server)
            packets += [ethernet(one) for one in segments]
        return pcap(packets)
