"""TCP connections of a capture: what each carries, its RPC PDUs, and the record of each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from openwmi.wire.decoding import smb
from openwmi.wire.decoding.association import Association, Record
from openwmi.wire.errors import RemoteProtocolError
from openwmi.wire.rpc.frame import fragment_length

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openwmi.wire.decoding.calls import Objects
    from openwmi.wire.decoding.keys import Keys
    from openwmi.wire.decoding.streams import Piece

# How a PDU looks: version, a type, flags, data representation. For streams whose beginning is missing.
_PDU: Final = re.compile(rb"\x05[\x00\x01][\x00\x02\x03\x0b-\x13].\x10\x00\x00\x00", re.DOTALL)
_LOOK: Final = 8
_HEADER: Final = 16
_LARGEST_MESSAGE: Final = 1 << 24
_MOST_PIPES: Final = 1024
_PIPED: Final = frozenset(smb.KINDS.values())  # SMB 2 may begin with the greeting of SMB 1
_HTTP: Final = (b"GET ", b"POST", b"HTTP", b"HEAD", b"PUT ", b"OPTI", b"RPC_")


class Pdus:
    """One direction of a stream, cut into PDUs; what is no PDU is passed over and told."""

    def __init__(self) -> None:
        self._arrived = bytearray()
        self._passed = 0

    def lost(self) -> int:
        """Bytes are missing: what was begun cannot be finished. How many bytes of it there were."""
        begun = len(self._arrived)
        self._arrived.clear()
        return begun

    def add(self, data: bytes) -> Iterator[bytes | int]:
        """Whole PDUs; a number stands for so many bytes that are none."""
        self._arrived += data
        while True:
            found = self._next()
            if found is None:
                return
            if self._passed:
                passed, self._passed = self._passed, 0
                yield passed
            yield found

    def _next(self) -> bytes | None:
        arrived = self._arrived
        start = self._found()
        self._passed += start
        del arrived[:start]
        length = fragment_length(arrived, 0) if len(arrived) >= _HEADER else None
        if length is None or len(arrived) < length:
            return None
        pdu = bytes(arrived[:length])
        del arrived[:length]
        return pdu

    def _found(self) -> int:
        """Where the next PDU begins, or may begin when more has come."""
        arrived, start = self._arrived, 0
        while (match := _PDU.search(arrived, start)) is not None:
            try:
                fragment_length(arrived, match.start())
            except RemoteProtocolError:
                start = match.start() + 1  # it looked like one
            else:
                return match.start()
        return max(len(arrived) - _LOOK + 1, start) if len(arrived) >= _LOOK else 0


class Talk:
    """One association and its two directions: a TCP connection, or a pipe inside one."""

    def __init__(self, objects: Objects, keys: Keys) -> None:
        self._association = Association(objects, keys)
        self._ways = {True: Pdus(), False: Pdus()}

    def add(self, data: bytes, *, up: bool) -> Iterator[Record]:
        for found in self._ways[up].add(data):
            if isinstance(found, int):
                yield {"skipped": found}
                self._association.lost(up=up)
            else:
                yield self._association.pdu(found)

    def lost(self, missing: int, *, up: bool) -> Record:
        begun = self._ways[up].lost()
        self._association.lost(up=up)
        return {"missing": missing, **({"begun": begun} if begun else {})}


class Conversation:
    """One TCP connection."""

    def __init__(self, objects: Objects, keys: Keys) -> None:
        self._objects = objects
        self._keys = keys
        self._carries: str | None = None
        self._client: Any = None
        self._talk = Talk(objects, keys)
        self._smb: dict[bool, bytearray] = {True: bytearray(), False: bytearray()}
        self._pipes = smb.Pipes()
        self._piped: dict[bytes, Talk] = {}

    def add(self, piece: Piece) -> Iterator[Record]:
        """What a piece of either direction completes. The first sender counts as the client until a PDU tells."""
        if self._client is None:
            self._client = piece.source
        up = piece.source == self._client
        if piece.missing:
            yield from self._lost(piece.missing, up=up)
        if not piece.data:
            return
        if self._carries is None:
            yield from self._recognised(piece.data)
        if self._carries == "RPC":
            yield from self._talk.add(piece.data, up=up)
        elif self._carries in _PIPED:
            yield from self._messages(piece.data, up=up)

    def _recognised(self, data: bytes) -> Iterator[Record]:
        """What the first bytes look like; RPC needs no word."""
        self._carries = _carried(data)
        if self._carries != "RPC":
            yield {"carries": self._carries}

    def _lost(self, missing: int, *, up: bool) -> Iterator[Record]:
        if self._carries in (None, "RPC"):
            yield self._talk.lost(missing, up=up)
        elif self._carries in _PIPED:
            self._smb[up].clear()
            for talk in self._piped.values():
                talk.lost(missing, up=up)
            yield {"missing": missing}

    def _messages(self, data: bytes, *, up: bool) -> Iterator[Record]:
        """The pipes' bytes in whole SMB messages."""
        arrived = self._smb[up]
        arrived += data
        while True:
            try:
                length = smb.message_length(arrived)
            except RemoteProtocolError as error:
                arrived.clear()
                yield {"error": str(error)}
                return
            if length is None or len(arrived) < length:
                if length is not None and length > _LARGEST_MESSAGE:
                    arrived.clear()
                return
            message = bytes(arrived[smb.SESSION_HEADER : length])
            del arrived[:length]
            for part in self._pipes.message(message):
                yield from self._pipe(part)

    def _pipe(self, part: smb.PipeData) -> Iterator[Record]:
        talk = self._piped.get(part.pipe)
        if talk is None:
            if not _PDU.match(part.data):
                return  # a file, not a pipe that speaks RPC
            if len(self._piped) >= _MOST_PIPES:
                del self._piped[next(iter(self._piped))]
            talk = self._piped[part.pipe] = Talk(self._objects, self._keys)
        name = self._pipes.names.get(part.pipe)
        for record in talk.add(part.data, up=part.up):
            yield {"pipe": name or part.pipe.hex(), **record}


def _carried(data: bytes) -> str:
    if data[0] == 5 and (len(data) < _LOOK or _PDU.match(data)):
        return "RPC"
    kind = smb.kind_of(data)
    if kind is not None:
        return kind
    if data.startswith(_HTTP):
        return "HTTP"
    return "RPC" if _PDU.search(data) else "something else"
