"""RPC over named pipes: the pipes of an SMB 2 connection, as far as they travel in the clear ([MS-SMB2] 2.2).

| offset | header | | offset | WRITE, IOCTL requests; READ, IOCTL responses |
|---|---|---|---|---|
| 0 | FE 'SMB' | | 64 | size of the fixed part |
| 12 | command | | 66.. | where the data are, how many, the pipe's FileId |
| 16 | flags: 1 is a response | | | |
| 20 | where the next message of this packet begins, 0 for none | | | |
| 24 | message ID, by which a response finds its request | | | |
"""

from __future__ import annotations

from typing import Final, NamedTuple

from openwmi.wire.buffers import Layout, Reader
from openwmi.wire.errors import PeerMisbehaved

_CLAUSE: Final = "[MS-SMB2] 2.2.1"
SESSION_HEADER: Final = 4
_HEADER: Final = 64
_HEAD: Final = Layout("IHHIHHIIQ")
_DATA: Final = Layout("HHI")
_IOCTL: Final = Layout("HHI")
_RANGES: Final = Layout("II")
_CREATE, _READ, _WRITE, _IOCTL_COMMAND = 5, 8, 9, 11
_PIPE_TRANSCEIVE: Final = 0x0011C017
_RESPONSE: Final = 1
_MOST_WAITING: Final = 4096
_MOST_COMPOUND: Final = 64
KINDS: Final = {
    b"\xffSMB": "SMB 1",
    b"\xfeSMB": "SMB 2",
    b"\xfdSMB": "SMB 3, encrypted",
    b"\xfcSMB": "SMB 3, compressed",
}


class PipeData(NamedTuple):
    """Bytes of one pipe; up: from the client."""

    pipe: bytes
    data: bytes
    up: bool


def kind_of(data: bytes) -> str | None:
    """Which SMB a stream begins with; None for anything else."""
    return KINDS.get(data[SESSION_HEADER : SESSION_HEADER + 4]) if data[:1] == b"\0" else None


def message_length(data: bytes | bytearray) -> int | None:
    """The whole length of the message at the start, its session header included; None while that is not there."""
    if len(data) < SESSION_HEADER:
        return None
    if data[0]:
        raise PeerMisbehaved(f"an SMB message begins with {data[0]}", "RFC 1002 4.3.1")
    return SESSION_HEADER + int.from_bytes(data[1:4], "big")


class Pipes:
    """What is known of an SMB connection: the files that are open, and requests that wait for their answer."""

    def __init__(self) -> None:
        self.names: dict[bytes, str] = {}
        self._waiting: dict[
            int, tuple[int, bytes]
        ] = {}  # message ID -> (command, FileId, or a CREATE's name)

    def message(self, message: bytes) -> list[PipeData]:
        """The bytes for pipes in one message, without its session header."""
        found: list[PipeData] = []
        position = 0
        for _ in range(_MOST_COMPOUND):
            if message[position : position + 4] != b"\xfeSMB":
                break
            reader = Reader(message, _CLAUSE, position)
            _, _, _, _, command, _, flags, following, number = reader.fixed(_HEAD)
            end = position + following if following else len(message)
            part = Reader(message, _CLAUSE, 0, min(end, len(message))).rest()[position:]
            data = self._one(Reader(part, _CLAUSE, min(_HEADER, len(part))), command, number, flags)
            if data is not None:
                found.append(data)
            if not following or following < _HEADER:
                break
            position = end
        return found

    def _one(self, reader: Reader, command: int, number: int, flags: int) -> PipeData | None:
        try:
            if flags & _RESPONSE:
                return self._response(reader, self._waiting.pop(number, None))
            return self._request(reader, command, number)
        except PeerMisbehaved:
            return None  # an error response, which has no data, or a message of another shape

    def _request(self, reader: Reader, command: int, number: int) -> PipeData | None:
        if command == _CREATE:
            reader.skip(44)
            start, size = reader.u16(), reader.u16()
            self._wait(number, command, _slice(reader, start, size))
        elif command == _READ:
            reader.skip(16)
            self._wait(number, command, reader.octets(16))
        elif command == _WRITE:
            _, start, size = reader.fixed(_DATA)
            reader.skip(8)
            pipe = reader.octets(16)
            return PipeData(pipe, _slice(reader, start, size), up=True)
        elif command == _IOCTL_COMMAND:
            _, _, control = reader.fixed(_IOCTL)
            pipe = reader.octets(16)
            start, size = reader.fixed(_RANGES)
            if control == _PIPE_TRANSCEIVE:
                self._wait(number, command, pipe)
                return PipeData(pipe, _slice(reader, start, size), up=True)
        return None

    def _response(self, reader: Reader, asked: tuple[int, bytes] | None) -> PipeData | None:
        if asked is None:
            return None
        command, about = asked
        if command == _CREATE:
            reader.skip(64)
            if len(self.names) >= _MOST_WAITING:
                self.names.clear()
            self.names[reader.octets(16)] = about.decode("utf-16-le", "replace")
        elif command == _READ:
            _, start = reader.u16(), reader.u8()
            reader.skip(1)
            return PipeData(about, _slice(reader, start, reader.u32()), up=False)
        elif command == _IOCTL_COMMAND:
            reader.skip(8 + 16 + 8)
            start, size = reader.fixed(_RANGES)
            return PipeData(about, _slice(reader, start, size), up=False)
        return None

    def _wait(self, number: int, command: int, about: bytes) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[number] = (command, about)


def _slice(reader: Reader, start: int, size: int) -> bytes:
    return Reader(reader.data, reader.clause, min(start, len(reader.data))).octets(size)
