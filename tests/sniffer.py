"""What really passed through the loopback interface while something ran, as a capture: nothing of it is made up."""

from __future__ import annotations

import itertools
import mmap
import os
import select
import socket
import struct
import threading
from collections import defaultdict
from ipaddress import ip_address
from types import TracebackType
from typing import NamedTuple, Self

import pytest
from tests.wire.pcapfile import ACK, SYN, Address, conversation, ethernet, pcap

_IPV4 = 0x0800  # not ETH_P_ALL, which hears each packet of loopback twice: as it leaves, and as it comes
_SECONDS = 30.0
_TCP = 6
# linux/if_packet.h. The ring lies in memory that the kernel shares with us: what the buffer of a socket holds without
# CAP_NET_ADMIN is three of loopback's packets.
_SOL_PACKET, _RX_RING, _STATISTICS, _VERSION, _TPACKET_V3 = 263, 5, 6, 10, 2
_USER, _KERNEL = 1, 0  # whose a block is
_OUTGOING = 4
_BLOCK, _BLOCKS, _LARGEST, _RETIRE = 1 << 20, 64, 1 << 17, 10  # bytes, number, bytes of a packet, ms
_MOST = 256 << 20  # bytes kept


class Sniffer:
    """Keeps every packet of the loopback interface from the beginning of a block to its end.

    The socket is open before the block begins. What programs have read by the end of the block has passed it before the
    last packet, a datagram of our own, by which the reading thread knows that it has everything.
    """

    def __init__(self) -> None:
        self._packets: list[bytes] = []
        self._last = os.urandom(16)
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_IPV4))
        except (AttributeError, PermissionError):
            pytest.skip("packets of the loopback interface are for root on Linux (CAP_NET_RAW)")
        request = (_BLOCK, _BLOCKS, _LARGEST, _BLOCK * _BLOCKS // _LARGEST, _RETIRE, 0, 0)
        self._socket.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
        self._socket.setsockopt(_SOL_PACKET, _RX_RING, struct.pack("7I", *request))
        self._ring = mmap.mmap(self._socket.fileno(), _BLOCK * _BLOCKS)
        self._socket.bind(("lo", _IPV4))
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.bind(("127.0.0.1", 0))
            own.sendto(self._last, own.getsockname())
            self._thread.join(_SECONDS)
        with self._socket:
            assert not self._thread.is_alive(), "the last packet was not seen"
            _, lost, _ = struct.unpack("3I", self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 12))
        self._ring.close()
        if kind is None:
            assert self._failure is None, self._failure
            assert not lost, f"{lost} packets were lost"

    def _read(self) -> None:
        size = 0
        try:
            for block in itertools.cycle(range(0, _BLOCK * _BLOCKS, _BLOCK)):
                for packet in self._block(block):
                    if self._last in packet:
                        return
                    self._packets.append(packet)
                    size += len(packet)
                assert size < _MOST, "too much passes here"
        except (OSError, AssertionError) as failure:
            self._failure = failure

    def _block(self, start: int) -> list[bytes]:
        """The packets of a block of the ring (struct tpacket_block_desc), once the kernel lets us have it."""
        while not struct.unpack_from("I", self._ring, start + 8)[0] & _USER:
            assert select.select([self._socket], [], [], _SECONDS)[0], "nothing passes here"
        count, at = struct.unpack_from("2I", self._ring, start + 12)
        at += start
        found = []
        for _ in range(count):  # struct tpacket3_hdr, and a struct sockaddr_ll behind it
            beyond, _, _, length, _, _, head = struct.unpack_from("6IH", self._ring, at)
            if self._ring[at + 48 + 10] != _OUTGOING:
                found.append(self._ring[at + head : at + head + length])
            at += beyond
        struct.pack_into("I", self._ring, start + 8, _KERNEL)
        return found

    def capture(self, *ends: Address) -> bytes:
        """The TCP packets that have one of these addresses and ports at an end, as a pcap file."""
        return pcap([one for one in self._packets if _is_of(ends, one)])

    def apart(self, *ends: Address) -> bytes:
        """The same bytes with each PDU in packets of its own."""
        talks: dict[tuple[Address, Address], list[tuple[bool, bytes]]] = {}
        unread: dict[tuple[Address, Address], bytes] = defaultdict(bytes)
        for one in map(_tcp, (one for one in self._packets if _is_of(ends, one))):
            assert one is not None
            way = (one.source, one.destination)
            if one.flags & (SYN | ACK) == SYN:
                talks[way] = []
            up = way in talks
            pdus, unread[way] = _pdus(unread[way] + one.payload)
            talks[way if up else way[::-1]] += [(up, pdu) for pdu in pdus]
        packets = []
        for (client, server), chunks in talks.items():
            packets += conversation(chunks, client=client, server=server, largest=65000)
        return pcap([ethernet(one) for one in packets])


class _Tcp(NamedTuple):
    source: Address
    destination: Address
    flags: int
    payload: bytes


def _tcp(packet: bytes) -> _Tcp | None:
    """The TCP segment in an Ethernet frame. Loopback loses nothing and keeps the order."""
    ip = packet[14:]
    if len(ip) < 20 or ip[0] >> 4 != 4 or ip[9] != _TCP:
        return None
    tcp = ip[(ip[0] & 15) * 4 : struct.unpack_from(">H", ip, 2)[0]]
    ports = struct.unpack_from(">HH", tcp)
    source, destination = (str(ip_address(ip[start : start + 4])) for start in (12, 16))
    return _Tcp((source, ports[0]), (destination, ports[1]), tcp[13], tcp[(tcp[12] >> 4) * 4 :])


def _is_of(ends: tuple[Address, ...], packet: bytes) -> bool:
    found = _tcp(packet)
    return found is not None and bool({found.source, found.destination}.intersection(ends))


def _pdus(data: bytes) -> tuple[list[bytes], bytes]:
    """The whole PDUs that data begins with, each as long as its header says (C706 12.6.3.1), and the rest."""
    found = []
    while len(data) >= 16 and len(data) >= (size := struct.unpack_from("<H", data, 8)[0]) > 0:
        found.append(data[:size])
        data = data[size:]
    return found, data
