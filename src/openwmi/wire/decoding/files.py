"""Whole files: which kind one is, and the records of what is in it."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from openwmi.model.errors import WmiError
from openwmi.wire.dcom import objref
from openwmi.wire.decoding import capture, hexdump, tokens
from openwmi.wire.decoding.association import Association, Record
from openwmi.wire.decoding.calls import Objects
from openwmi.wire.decoding.conversations import Conversation
from openwmi.wire.decoding.keys import NO_KEYS, Keys
from openwmi.wire.decoding.objects import described
from openwmi.wire.decoding.segments import segment
from openwmi.wire.decoding.streams import Piece, Streams
from openwmi.wire.decoding.values import Printer, message_of, octets
from openwmi.wire.errors import PeerMisbehaved, RemoteProtocolError
from openwmi.wire.rpc.frame import fragment_length
from openwmi.wmio import decode as decode_object
from openwmi.wmio.arrays import ArrayDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_CONVERSATIONS: Final = 65_536
_UNIT, _MEOW, _NTLM = b"\x78\x56\x34\x12", b"MEOW", b"NTLMSSP\0"
_ETHERNET: Final = 1


def decode(data: bytes, keys: Keys = NO_KEYS) -> Iterator[Record]:
    """The records of a capture (pcap, pcapng), of a hex dump, or of bytes: PDUs, an OBJREF, a WMI object, a token.

    What is broken is told in a record under `error`; only a file that is none of these raises PeerMisbehaved.
    """
    if not data:
        raise PeerMisbehaved("the file is empty")
    if capture.is_capture(data):
        yield from decode_capture(BytesIO(data).read, keys)
    elif hexdump.looks_like_text(data):
        objects = Objects()
        association = Association(objects, keys)
        for blob in hexdump.blobs(data.decode("ascii", "replace")):
            yield from _blob(blob, association, keys)
    else:
        yield from _blob(data, Association(Objects(), keys), keys)


# Captures


def decode_capture(read: capture.Read, keys: Keys = NO_KEYS) -> Iterator[Record]:
    """The records of a capture that is still growing, each as soon as it can be told. read: at most so many bytes."""
    streams, talks = Streams(), _Talks(keys)
    try:
        for packet in capture.packets(read):
            found = segment(packet)
            if found is None:
                talks.others += 1
                continue
            for piece in streams.add(found):
                yield from talks.records(piece, packet)
    except PeerMisbehaved as error:
        yield {"error": f"the file breaks off: {error}"}
    for piece in streams.rest():
        yield from talks.records(piece, None)
    if talks.others:
        yield {"packets": talks.others, "carries": "no TCP, or TCP that cannot be read"}


class _Talks:
    """The connections of a capture, and what they share."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._objects = Objects()
        self._known: dict[int, Conversation] = {}
        self.others = 0

    def records(self, piece: Piece, packet: capture.Packet | None) -> Iterator[Record]:
        talk = self._known.get(piece.connection)
        if talk is None:
            if len(self._known) >= _MOST_CONVERSATIONS:
                del self._known[next(iter(self._known))]
            talk = self._known[piece.connection] = Conversation(self._objects, self._keys)
        place: Record = {"packet": packet.number} if packet is not None else {}
        if packet is not None and packet.seconds is not None:
            place["time"] = round(packet.seconds, 6)
        place |= {"from": str(piece.source), "to": str(piece.destination)}
        for record in talk.add(piece):
            yield {**place, **record}


# Blobs


def _blob(blob: bytes, association: Association, keys: Keys) -> Iterator[Record]:
    """Whatever the first bytes say."""
    if blob[:1] == b"\5":
        yield from _pdus(blob, association)
        return
    packet = capture.Packet(1, None, _ETHERNET, blob)
    found = segment(packet)
    if found is not None:
        yield from _frame(found.payload, association)
        return
    for begins, read in (
        (_UNIT, _object),
        (_MEOW, _reference),
        (_NTLM, _token),
        (b"\x60", _token),
        (b"\xa1", _token),
    ):
        if blob.startswith(begins):
            yield read(blob)
            return
    if blob[4:12] == b"WBEMDATA":
        yield from _packet(blob)
        return
    raise PeerMisbehaved(
        f"{octets(blob[:16])}...: not a capture, a PDU, an OBJREF, a WMI object or a token of a handshake"
    )


def _pdus(blob: bytes, association: Association) -> Iterator[Record]:
    position = 0
    while position < len(blob):
        try:
            length = fragment_length(blob, position)
        except RemoteProtocolError as error:
            yield {"error": str(error), "skipped": len(blob) - position}
            return
        if length is None or position + length > len(blob):
            yield {
                "error": f"a PDU breaks off after {len(blob) - position} bytes",
                "skipped": len(blob) - position,
            }
            return
        yield association.pdu(blob[position : position + length])
        position += length


def _frame(payload: bytes, association: Association) -> Iterator[Record]:
    if payload:
        yield from _pdus(payload, association)


def _object(blob: bytes) -> Record:
    return _tried("object", lambda: described(decode_object(blob)))


def _reference(blob: bytes) -> Record:
    return _tried("reference", lambda: Printer().reference(objref.decode(blob)))


def _token(blob: bytes) -> Record:
    return {"handshake": tokens.described(blob)}


def _packet(blob: bytes) -> Iterator[Record]:
    try:
        for one in ArrayDecoder().decode(blob):
            yield {"object": described(one)}
    except WmiError as error:
        yield {"error": message_of(error)}


def _tried(name: str, read: Any) -> Record:
    try:
        return {name: read()}
    except WmiError as error:
        return {"error": message_of(error)}
