"""The frame around every PDU: common header, and the verifier at its end.

| offset | size | what ([C706] 12.6.3.1) |
|---|---|---|
| 0 | 2 | version 5, 0 |
| 2 | 1 | PDU type |
| 3 | 1 | flags |
| 4 | 4 | data representation: 10 00 00 00, little-endian, ASCII, IEEE |
| 8 | 2 | length of the whole fragment |
| 10 | 2 | length of the authentication token |
| 12 | 4 | call ID |
| end - token - 8 | 8 | type, level, pad length, 0, security context ID ([MS-RPCE] 2.2.2.11) |
| end - token | | the token |
"""

from __future__ import annotations

from typing import Final, NamedTuple

from openwmi.wire.buffers import Layout, Reader, Writer
from openwmi.wire.errors import LocalProtocolError, PeerIncompatible, PeerMisbehaved
from openwmi.wire.rpc.constants import PduType

HEADER_SIZE: Final = 16
TRAILER_SIZE: Final = 8
_HEADER: Final = Layout("BBBBIHHI")
_TRAILER: Final = Layout("BBBBI")
LITTLE_ENDIAN: Final = 0x10
_CLAUSE: Final = "[C706] 12.6.3.1"
_TYPES: Final = {int(kind): kind for kind in PduType}


class Verifier(NamedTuple):
    """Who protects a PDU, and with what proof. pad: bytes before the trailer that belong to nobody."""

    auth_type: int
    level: int
    context_id: int
    token: bytes
    pad: int = 0

    def trailer(self) -> bytes:
        return trailer(self.auth_type, self.level, self.pad, self.context_id)


def trailer(auth_type: int, level: int, pad: int, context_id: int) -> bytes:
    """The eight bytes before the token."""
    return _TRAILER.pack(auth_type, level, pad, 0, context_id)


class Frame(NamedTuple):
    """One PDU with header and verifier read. The body is data[16:body_end], pad bytes included."""

    data: bytes
    kind: PduType
    flags: int
    call_id: int
    body_end: int
    verifier: Verifier | None

    def body(self, clause: str) -> Reader:
        return Reader(self.data, clause, HEADER_SIZE, self.body_end)


def fixed(frame: Frame, layout: Layout, clause: str) -> tuple[int, ...]:
    """The numbers at the start of a body. Calls are read this way, without a Reader each: they are most of the PDUs."""
    if frame.body_end - HEADER_SIZE < layout.size:
        raise PeerMisbehaved(f"a body of {frame.body_end - HEADER_SIZE} bytes", clause)
    return layout.unpack_from(frame.data, HEADER_SIZE)


def fragment_length(data: bytes | bytearray, position: int) -> int | None:
    """The length of the PDU that begins at a position; None while its header is not all there.

    The version and the data representation are checked here, before the length is believed.
    """
    if len(data) - position < HEADER_SIZE:
        return None
    major, minor, _, _, representation, length, _, _ = _HEADER.unpack_from(data, position)
    if major != 5 or minor > 1:
        raise PeerIncompatible(f"RPC version {major}.{minor}", _CLAUSE)
    if representation & 0xFFFF != LITTLE_ENDIAN:
        raise PeerIncompatible(f"data representation 0x{representation:08X}", "[C706] 14.1")
    if length < HEADER_SIZE:
        raise PeerMisbehaved(f"a fragment of {length} bytes", _CLAUSE)
    return int(length)


def read_frame(data: bytes) -> Frame:
    """Header and verifier of exactly one PDU."""
    if fragment_length(data, 0) != len(data):
        raise PeerMisbehaved(f"{len(data)} bytes are not one fragment", _CLAUSE)
    return parse_frame(data)


def parse_frame(data: bytes) -> Frame:
    """The same for bytes that were cut out by `fragment_length`."""
    _, _, number, flags, _, length, auth_length, call_id = _HEADER.unpack_from(data, 0)
    kind = _TYPES.get(number)
    if kind is None:
        raise PeerMisbehaved(f"PDU type {number}", _CLAUSE)
    if not auth_length:
        return Frame(data, kind, flags, call_id, length, None)
    start = length - auth_length - TRAILER_SIZE
    if start < HEADER_SIZE or start % 4:
        raise PeerMisbehaved(f"a verifier at byte {start} of {length}", "[MS-RPCE] 2.2.2.11")
    auth_type, level, pad, _, context_id = _TRAILER.unpack_from(data, start)
    if pad > start - HEADER_SIZE:
        raise PeerMisbehaved(f"{pad} pad bytes in a body of {start - HEADER_SIZE}", "[MS-RPCE] 2.2.2.11")
    token = data[length - auth_length :]
    return Frame(data, kind, flags, call_id, start, Verifier(auth_type, level, context_id, token, pad))


def write_header(kind: PduType, flags: int, length: int, auth_length: int, call_id: int) -> bytes:
    if length > 0xFFFF or auth_length > 0xFFFF:
        raise LocalProtocolError(f"a fragment of {length} bytes", _CLAUSE)
    return _HEADER.pack(5, 0, kind, flags, LITTLE_ENDIAN, length, auth_length, call_id & 0xFFFFFFFF)


def write_frame(kind: PduType, flags: int, call_id: int, body: Writer, verifier: Verifier | None) -> bytes:
    """A whole PDU that is not a fragment of a call: header, body, pad to four, verifier."""
    if verifier is None or not verifier.token:
        return write_header(kind, flags, HEADER_SIZE + len(body), 0, call_id) + bytes(body)
    pad = -len(body) % 4
    body.octets(bytes(pad))
    length = HEADER_SIZE + len(body) + TRAILER_SIZE + len(verifier.token)
    end = trailer(verifier.auth_type, verifier.level, pad, verifier.context_id) + verifier.token
    return write_header(kind, flags, length, len(verifier.token), call_id) + bytes(body) + end
