"""The two tokens of a negotiation: NegTokenInit and NegTokenResp (RFC 4178 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from openwmi.wire.buffers import Reader
from openwmi.wire.spnego import der

SPNEGO: Final = bytes.fromhex("2b0601050502")  # 1.3.6.1.5.5.2
_MOST_MECHANISMS: Final = 16


class NegState(IntEnum):
    ACCEPT_COMPLETED = 0
    ACCEPT_INCOMPLETE = 1
    REJECT = 2
    REQUEST_MIC = 3


def _octets(content: bytes, clause: str) -> bytes:
    return der.expect(Reader(content, clause), der.OCTET_STRING).rest()


@dataclass(frozen=True, slots=True)
class NegTokenInit:
    """The initiator opens: mechanisms in its order of preference (OIDs without tag and length), a token for the first.

    listed: the DER of the mechanism list as it travels, which the MICs cover.
    """

    mechanisms: tuple[bytes, ...]
    token: bytes | None
    listed: bytes

    CLAUSE = "RFC 4178 4.2.1"

    @classmethod
    def decode(cls, data: bytes) -> NegTokenInit:
        frame = der.expect(Reader(data, cls.CLAUSE), der.APPLICATION_0)
        if der.expect(frame, der.OBJECT_IDENTIFIER).rest() != SPNEGO:
            raise frame.misbehaved("a token of another mechanism")
        body = der.expect(der.expect(frame, der.context(0)), der.SEQUENCE)
        listed = der.expect(body, der.context(0)).rest()
        mechanisms: list[bytes] = []
        names = der.expect(Reader(listed, cls.CLAUSE), der.SEQUENCE)
        while names.remaining:
            mechanisms.append(der.expect(names, der.OBJECT_IDENTIFIER).rest())
            if len(mechanisms) > _MOST_MECHANISMS:
                raise names.misbehaved(f"more than {_MOST_MECHANISMS} mechanisms")
        token = None
        while body.remaining:  # flags and hints say nothing to us
            tag, content = der.read(body)
            if tag == der.context(2):
                token = _octets(content, cls.CLAUSE)
        return cls(tuple(mechanisms), token, listed)

    def encode(self) -> bytes:
        body = der.value(der.context(0), self.listed)
        if self.token is not None:
            body += der.value(der.context(2), der.value(der.OCTET_STRING, self.token))
        choice = der.value(der.context(0), der.value(der.SEQUENCE, body))
        return der.value(der.APPLICATION_0, der.value(der.OBJECT_IDENTIFIER, SPNEGO), choice)


def mechanism_list(mechanisms: tuple[bytes, ...]) -> bytes:
    """The DER of a mechanism list."""
    return der.value(der.SEQUENCE, *(der.value(der.OBJECT_IDENTIFIER, name) for name in mechanisms))


@dataclass(frozen=True, slots=True)
class NegTokenResp:
    """Every later token, of either side."""

    state: int | None = None
    mechanism: bytes | None = None
    token: bytes | None = None
    mic: bytes | None = None

    CLAUSE = "RFC 4178 4.2.2"

    @classmethod
    def decode(cls, data: bytes) -> NegTokenResp:
        body = der.expect(der.expect(Reader(data, cls.CLAUSE), der.context(1)), der.SEQUENCE)
        state = mechanism = token = mic = None
        while body.remaining:
            tag, content = der.read(body)
            if tag == der.context(0):
                inner = der.expect(Reader(content, cls.CLAUSE), der.ENUMERATED)
                state = inner.u8()
            elif tag == der.context(1):
                mechanism = der.expect(Reader(content, cls.CLAUSE), der.OBJECT_IDENTIFIER).rest()
            elif tag == der.context(2):
                token = _octets(content, cls.CLAUSE)
            elif tag == der.context(3):
                mic = _octets(content, cls.CLAUSE)
        return cls(state, mechanism, token, mic)

    def encode(self) -> bytes:
        body = b""
        if self.state is not None:
            body += der.value(der.context(0), der.value(der.ENUMERATED, bytes((self.state,))))
        if self.mechanism is not None:
            body += der.value(der.context(1), der.value(der.OBJECT_IDENTIFIER, self.mechanism))
        if self.token is not None:
            body += der.value(der.context(2), der.value(der.OCTET_STRING, self.token))
        if self.mic is not None:
            body += der.value(der.context(3), der.value(der.OCTET_STRING, self.mic))
        return der.value(der.context(1), der.value(der.SEQUENCE, body))
