"""PDUs that make and change an association: bind, alter_context, their answers, bind_nak, auth3.

[C706] 12.6.4.1 to 12.6.4.5, [MS-RPCE] 2.2.2.5 to 2.2.2.10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from openwmi.wire.buffers import Layout, Reader, Writer
from openwmi.wire.errors import LocalProtocolError
from openwmi.wire.rpc.constants import WHOLE, PduType
from openwmi.wire.rpc.frame import Frame, Verifier, write_frame
from openwmi.wire.rpc.syntax import SyntaxId

_SIZES: Final = Layout("HHI")
_COUNT: Final = Layout("BBH")
_ELEMENT: Final = Layout("HBB")


@dataclass(frozen=True, slots=True)
class Element:
    """One presentation context that a client asks for. Some clients put several transfer syntaxes into one."""

    context_id: int
    abstract: SyntaxId
    transfers: tuple[SyntaxId, ...]

    @classmethod
    def read(cls, reader: Reader) -> Element:
        context_id, count, _ = reader.fixed(_ELEMENT)
        abstract = SyntaxId.read(reader)
        return cls(context_id, abstract, tuple([SyntaxId.read(reader) for _ in range(count)]))

    def write(self, writer: Writer) -> None:
        writer.fixed(_ELEMENT, self.context_id, len(self.transfers), 0)
        self.abstract.write(writer)
        for transfer in self.transfers:
            transfer.write(writer)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one element, in its place."""

    result: int
    reason: int
    transfer: SyntaxId

    @classmethod
    def read(cls, reader: Reader) -> Answer:
        return cls(reader.u16(), reader.u16(), SyntaxId.read(reader))

    def write(self, writer: Writer) -> None:
        writer.u16(self.result)
        writer.u16(self.reason)
        self.transfer.write(writer)


@dataclass(frozen=True, slots=True)
class Bind:
    """bind and alter_context: the same body under two numbers (`alter`)."""

    max_transmit: int
    max_receive: int
    group: int
    elements: tuple[Element, ...]
    alter: bool = False

    CLAUSE = "[C706] 12.6.4.3"

    @classmethod
    def decode(cls, frame: Frame) -> Bind:
        reader = frame.body(cls.CLAUSE)
        transmit, receive, group = reader.fixed(_SIZES)
        count, _, _ = reader.fixed(_COUNT)
        elements = tuple([Element.read(reader) for _ in range(count)])
        return cls(transmit, receive, group, elements, frame.kind is PduType.ALTER_CONTEXT)

    def encode(self, call_id: int, verifier: Verifier | None = None, flags: int = WHOLE) -> bytes:
        writer = Writer()
        writer.fixed(_SIZES, self.max_transmit, self.max_receive, self.group)
        writer.fixed(_COUNT, len(self.elements), 0, 0)
        for element in self.elements:
            element.write(writer)
        kind = PduType.ALTER_CONTEXT if self.alter else PduType.BIND
        return write_frame(kind, flags, call_id, writer, verifier)


@dataclass(frozen=True, slots=True)
class BindAck:
    """bind_ack and alter_context_resp. address: the port as text, without its NUL; empty in the latter."""

    max_transmit: int
    max_receive: int
    group: int
    address: str
    answers: tuple[Answer, ...]
    alter: bool = False

    CLAUSE = "[C706] 12.6.4.4"

    @classmethod
    def decode(cls, frame: Frame) -> BindAck:
        reader = frame.body(cls.CLAUSE)
        transmit, receive, group = reader.fixed(_SIZES)
        # Latin-1 takes every byte; some servers leave the NUL out, some say length 0 and still send one.
        address = reader.octets(reader.u16()).decode("latin-1").split("\0")[0]
        reader.align(4)
        count, _, _ = reader.fixed(_COUNT)
        answers = tuple([Answer.read(reader) for _ in range(count)])
        return cls(transmit, receive, group, address, answers, frame.kind is PduType.ALTER_CONTEXT_RESPONSE)

    def encode(self, call_id: int, verifier: Verifier | None = None, flags: int = WHOLE) -> bytes:
        writer = Writer()
        writer.fixed(_SIZES, self.max_transmit, self.max_receive, self.group)
        try:
            address = self.address.encode("ascii") + b"\0" if self.address else b""
        except UnicodeEncodeError:
            raise LocalProtocolError("a secondary address is ASCII", self.CLAUSE) from None
        writer.u16(len(address))
        writer.octets(address)
        writer.align(4)
        writer.fixed(_COUNT, len(self.answers), 0, 0)
        for answer in self.answers:
            answer.write(writer)
        kind = PduType.ALTER_CONTEXT_RESPONSE if self.alter else PduType.BIND_ACK
        return write_frame(kind, flags, call_id, writer, verifier)


@dataclass(frozen=True, slots=True)
class BindNak:
    """A bind refused as a whole; versions: (major, minor) pairs that the server speaks."""

    reason: int
    versions: tuple[tuple[int, int], ...] = ((5, 0),)

    CLAUSE = "[C706] 12.6.4.5"

    @classmethod
    def decode(cls, frame: Frame) -> BindNak:
        reader = frame.body(cls.CLAUSE)
        reason = reader.u16()
        # Old servers leave the list out; new ones add extended error information after it.
        count = reader.u8() if reader.remaining else 0
        return cls(reason, tuple([(reader.u8(), reader.u8()) for _ in range(count)]))

    def encode(self, call_id: int) -> bytes:
        writer = Writer()
        writer.u16(self.reason)
        writer.u8(len(self.versions))
        for major, minor in self.versions:
            writer.u8(major)
            writer.u8(minor)
        return write_frame(PduType.BIND_NAK, WHOLE, call_id, writer, None)


@dataclass(frozen=True, slots=True)
class Auth3:
    """The third leg of a handshake; it has no answer ([MS-RPCE] 2.2.2.10). All it says is in its verifier."""

    CLAUSE = "[MS-RPCE] 2.2.2.10"

    @classmethod
    def decode(cls, frame: Frame) -> Auth3:
        if frame.verifier is None:
            raise frame.body(cls.CLAUSE).misbehaved("an auth3 without a verifier")
        return cls()

    def encode(self, call_id: int, verifier: Verifier, flags: int = WHOLE) -> bytes:
        writer = Writer()
        writer.octets(b"    ")  # four bytes that the receiver ignores
        return write_frame(PduType.AUTH3, flags, call_id, writer, verifier)
