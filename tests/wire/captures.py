"""Reading packet captures: TCP streams out of pcap and pcapng files, PDUs out of streams."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

Address = tuple[bytes, int]
GAP = b"gap"
HEADER = re.compile(rb"\x05\x00[\x00\x02\x03\x0b-\x13].\x10\x00\x00\x00", re.DOTALL)


def packets(path: Path) -> Iterator[tuple[int, bytes]]:
    """(link type, bytes) of each packet of a pcap or pcapng file."""
    data = path.read_bytes()
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        yield from _pcapng(data)
        return
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    link = struct.unpack_from(order + "I", data, 20)[0]
    position = 24
    while position + 16 <= len(data):
        size = struct.unpack_from(order + "I", data, position + 8)[0]
        yield link, data[position + 16 : position + 16 + size]
        position += 16 + size


def _pcapng(data: bytes) -> Iterator[tuple[int, bytes]]:
    order = "<" if data[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
    links: list[int] = []
    position = 0
    while position + 12 <= len(data):
        kind, size = struct.unpack_from(order + "II", data, position)
        if kind == 1:
            links.append(struct.unpack_from(order + "H", data, position + 8)[0])
        elif kind == 6:
            interface, _, _, captured = struct.unpack_from(order + "IIII", data, position + 8)
            yield links[interface], data[position + 28 : position + 28 + captured]
        elif kind == 3:
            yield links[0], data[position + 12 : position + size - 4]
        position += size


def _segment(link: int, packet: bytes) -> tuple[Address, Address, int, int, bytes] | None:
    """Source, destination, sequence number, flags and payload of a TCP segment."""
    if link == 1:
        start, kind = 14, packet[12:14]
        if kind == b"\x81\x00":
            start, kind = 18, packet[16:18]
    elif link in (101, 12, 228, 229):
        start, kind = 0, b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    elif link == 113:
        start, kind = 16, packet[14:16]
    elif link == 0:
        start, kind = 4, b"\x08\x00"
    else:
        return None
    ip = packet[start:]
    if kind == b"\x08\x00":
        if ip[9] != 6:
            return None
        source, destination = ip[12:16], ip[16:20]
        total = struct.unpack_from(">H", ip, 2)[0] or len(ip)
        tcp = ip[(ip[0] & 15) * 4 : total]
    elif kind == b"\x86\xdd" and ip[6] == 6:
        source, destination = ip[8:24], ip[24:40]
        tcp = ip[40 : 40 + struct.unpack_from(">H", ip, 4)[0]]
    else:
        return None
    ports = struct.unpack_from(">HH", tcp)
    sequence = struct.unpack_from(">I", tcp, 4)[0]
    return (source, ports[0]), (destination, ports[1]), sequence, tcp[13], tcp[(tcp[12] >> 4) * 4 :]


def conversations(path: Path) -> list[list[tuple[bool, bytes]]]:
    """Per TCP connection the RPC PDUs in the order of the wire: (from the client, bytes).

    The client is who sends the first PDU. Gaps in a capture end what is read of that direction.
    """
    flows: dict[frozenset[Address], list[tuple[Address, bytes]]] = {}
    expected: dict[tuple[Address, Address], int] = {}
    pending: dict[tuple[Address, Address], dict[int, bytes]] = {}
    for link, packet in packets(path):
        segment = _segment(link, packet)
        if segment is None:
            continue
        source, destination, sequence, flags, payload = segment
        way = (source, destination)
        if flags & 2:
            expected[way] = (sequence + 1) & 0xFFFFFFFF
            pending[way] = {}
            flows.setdefault(frozenset(way), [])
            continue
        if not payload:
            continue
        waiting = pending.setdefault(way, {})
        if way not in expected:
            expected[way] = sequence
        waiting.setdefault(sequence, payload)
        while expected[way] in waiting:
            data = waiting.pop(expected[way])
            flows.setdefault(frozenset(way), []).append((source, data))
            expected[way] = (expected[way] + len(data)) & 0xFFFFFFFF
    for way, waiting in pending.items():  # what comes after a gap
        for sequence in sorted(waiting):
            if (sequence - expected[way]) & 0x80000000:
                continue  # sent again
            flows.setdefault(frozenset(way), []).append((way[0], GAP if sequence != expected[way] else b""))
            flows[frozenset(way)].append((way[0], waiting[sequence]))
            expected[way] = (sequence + len(waiting[sequence])) & 0xFFFFFFFF
    return [_pdus(pieces) or _inside(pieces) for pieces in flows.values() if pieces]


def _inside(pieces: list[tuple[Address, bytes]]) -> list[tuple[bool, bytes]]:
    """PDUs inside another protocol, such as SMB's named pipes: found by the look of their headers."""
    found: list[tuple[bool, bytes]] = []
    for source, data in pieces:
        for match in HEADER.finditer(data):
            size = (
                struct.unpack_from("<H", data, match.start() + 8)[0] if match.start() + 16 <= len(data) else 0
            )
            if 16 <= size <= len(data) - match.start():
                found.append((source == pieces[0][0], data[match.start() : match.start() + size]))
    return found


def _pdus(pieces: list[tuple[Address, bytes]]) -> list[tuple[bool, bytes]]:
    buffers: dict[Address, bytes] = {}
    client = pieces[0][0]
    found: list[tuple[bool, bytes]] = []
    for source, data in pieces:
        buffer = b"" if data is GAP else buffers.get(source, b"") + data
        while len(buffer) >= 16 and buffer[:2] == b"\5\0":
            size = struct.unpack_from("<H", buffer, 8)[0]
            if size < 16 or len(buffer) < size:
                break
            found.append((source == client, buffer[:size]))
            buffer = buffer[size:]
        buffers[source] = buffer
    return found
