"""The three messages of a handshake: NEGOTIATE, CHALLENGE, AUTHENTICATE ([MS-NLMP] 2.2.1).

Each begins with `NTLMSSP\\0` and its number. Text stands in a payload at the end, found by (length, room, offset)
fields; offsets are the sender's business, so they are only bounded, never compared with what we would have chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from openwmi.wire.buffers import Layout, Reader, Writer
from openwmi.wire.errors import LocalProtocolError, PeerMisbehaved
from openwmi.wire.ntlm.avpairs import Pairs, read_pairs
from openwmi.wire.ntlm.constants import AUTHENTICATE, CHALLENGE, NEGOTIATE, OS_VERSION, SIGNATURE

_FIELD: Final = Layout("HHI")
_TEXT: Final = "utf-16-le"
MIC_OFFSET: Final = 72
MIC_SIZE: Final = 16
_LARGEST: Final = 0x10000


def _opened(data: bytes, number: int, clause: str) -> Reader:
    """A reader behind signature and number."""
    if len(data) > _LARGEST:
        raise PeerMisbehaved(f"an NTLM message of {len(data)} bytes", clause)
    reader = Reader(data, clause)
    if reader.octets(8) != SIGNATURE:
        raise reader.misbehaved("not an NTLM message")
    found = reader.u32()
    if found != number:
        raise reader.misbehaved(f"NTLM message {found} where {number} was due")
    return reader


def _payload(reader: Reader) -> bytes:
    """What a field points at."""
    length, _, offset = reader.fixed(_FIELD)
    if not length:
        return b""
    return Reader(reader.data, reader.clause, min(offset, len(reader.data))).octets(length)


def _decoded(raw: bytes, clause: str) -> str:
    if len(raw) % 2:
        raise PeerMisbehaved("half a UTF-16 character", clause)
    return raw.decode(_TEXT, "surrogatepass")


def _assembled(head: Writer, values: list[bytes], tail: bytes) -> bytes:
    """Head, one field per value, tail, payload."""
    offset = len(head) + 8 * len(values) + len(tail)
    for value in values:
        if len(value) > 0xFFFF:
            raise LocalProtocolError(f"a field of {len(value)} bytes")
        head.fixed(_FIELD, len(value), len(value), offset)
        offset += len(value)
    head.octets(tail)
    for value in values:
        head.octets(value)
    return bytes(head)


def _head(number: int) -> Writer:
    writer = Writer()
    writer.octets(SIGNATURE)
    writer.u32(number)
    return writer


@dataclass(frozen=True, slots=True)
class Negotiate:
    """The client opens ([MS-NLMP] 2.2.1.1). Domain and workstation, which it may name, say nothing to us."""

    flags: int

    CLAUSE = "[MS-NLMP] 2.2.1.1"

    @classmethod
    def decode(cls, data: bytes) -> Negotiate:
        return cls(_opened(data, NEGOTIATE, cls.CLAUSE).u32())

    def encode(self) -> bytes:
        writer = _head(NEGOTIATE)
        writer.u32(self.flags)
        return _assembled(writer, [b"", b""], OS_VERSION)


@dataclass(frozen=True, slots=True)
class Challenge:
    """The server asks ([MS-NLMP] 2.2.1.2). info: its attributes; None when it names none."""

    flags: int
    challenge: bytes
    target: str
    info: bytes

    CLAUSE = "[MS-NLMP] 2.2.1.2"

    @classmethod
    def decode(cls, data: bytes) -> Challenge:
        reader = _opened(data, CHALLENGE, cls.CLAUSE)
        target = _payload(reader)
        flags, challenge = reader.u32(), reader.octets(8)
        reader.skip(8)
        info = _payload(reader) if reader.remaining >= 8 else b""
        return cls(flags, challenge, _decoded(target, cls.CLAUSE), info)

    def pairs(self) -> Pairs:
        return read_pairs(Reader(self.info, "[MS-NLMP] 2.2.2.1"))

    def encode(self) -> bytes:
        target = self.target.encode(_TEXT)
        writer = _head(CHALLENGE)
        offset = 56
        writer.fixed(_FIELD, len(target), len(target), offset)
        writer.u32(self.flags)
        writer.octets(self.challenge)
        writer.octets(bytes(8))
        writer.fixed(_FIELD, len(self.info), len(self.info), offset + len(target))
        writer.octets(OS_VERSION)
        writer.octets(target)
        writer.octets(self.info)
        return bytes(writer)


@dataclass(frozen=True, slots=True)
class Authenticate:
    """The client answers ([MS-NLMP] 2.2.1.3). mic: 16 bytes at its place; whether they are one, `ClientBlob` says."""

    flags: int
    lm_response: bytes = field(repr=False)
    nt_response: bytes = field(repr=False)
    domain: str
    user: str
    workstation: str
    session_key: bytes = field(repr=False)
    mic: bytes = field(default=b"", repr=False)

    CLAUSE = "[MS-NLMP] 2.2.1.3"

    @classmethod
    def decode(cls, data: bytes) -> Authenticate:
        reader = _opened(data, AUTHENTICATE, cls.CLAUSE)
        lm, nt, domain, user, workstation, key = [_payload(reader) for _ in range(6)]
        flags = reader.u32()
        of, who, at = [_decoded(raw, cls.CLAUSE) for raw in (domain, user, workstation)]
        return cls(flags, lm, nt, of, who, at, key, data[MIC_OFFSET : MIC_OFFSET + MIC_SIZE])

    def encode(self) -> bytes:
        texts = [text.encode(_TEXT, "surrogatepass") for text in (self.domain, self.user, self.workstation)]
        tail = Writer()
        tail.u32(self.flags)
        tail.octets(OS_VERSION)
        tail.octets(self.mic)
        values = [self.lm_response, self.nt_response, *texts, self.session_key]
        return _assembled(_head(AUTHENTICATE), values, bytes(tail))


@dataclass(frozen=True, slots=True)
class ClientBlob:
    """What an NTLMv2 response says besides its proof ([MS-NLMP] 2.2.2.7)."""

    timestamp: int
    challenge: bytes
    pairs: Pairs

    CLAUSE = "[MS-NLMP] 2.2.2.7"

    @classmethod
    def decode(cls, data: bytes) -> ClientBlob:
        reader = Reader(data, cls.CLAUSE)
        if reader.u8() != 1 or reader.u8() != 1:
            raise reader.misbehaved("an NTLMv2 response of another version")
        reader.skip(6)
        timestamp, challenge = reader.u64(), reader.octets(8)
        reader.skip(4)
        return cls(timestamp, challenge, read_pairs(reader))


def client_blob(timestamp: int, challenge: bytes, info: bytes) -> bytes:
    """The blob of a response: attributes with their terminator, then four bytes that mean nothing but must be there."""
    writer = Writer()
    writer.octets(b"\x01\x01" + bytes(6))
    writer.u64(timestamp)
    writer.octets(challenge + bytes(4) + info + bytes(4))
    return bytes(writer)
