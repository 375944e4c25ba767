"""PDUs that carry calls: request, response, fault, and those without a body: shutdown, co_cancel, orphaned.

[C706] 12.6.4.2, 12.6.4.6 to 12.6.4.11. A call PDU is a *head* (everything before the stub), the stub with its pad,
and the verifier; the head is what a signature covers besides, so it is made and kept as bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.wire.buffers import Layout, Reader, Writer, octets_of
from openwmi.wire.rpc.constants import OBJECT, WHOLE, PduType
from openwmi.wire.rpc.frame import LITTLE_ENDIAN, Frame, fixed, write_frame, write_header

if TYPE_CHECKING:
    from uuid import UUID

_REQUEST: Final = Layout("IHH")
_RESPONSE: Final = Layout("IHBB")
_FAULT: Final = Layout("IHBBII")
# Common header and body at once: calls are most of what is written.
_REQUEST_WHOLE: Final = Layout("BBBBIHHIIHH")
_RESPONSE_WHOLE: Final = Layout("BBBBIHHIIHBB")

_REQUEST_TYPE: Final = int(PduType.REQUEST)
_RESPONSE_TYPE: Final = int(PduType.RESPONSE)

REQUEST_CLAUSE: Final = "[C706] 12.6.4.9"
RESPONSE_CLAUSE: Final = "[C706] 12.6.4.10"
REQUEST_HEAD: Final = 24
OBJECT_SIZE: Final = 16
RESPONSE_HEAD: Final = 24
FAULT_HEAD: Final = 32


class Request(NamedTuple):
    """One fragment of a call. stub_start: where the stub begins in the frame's data."""

    context_id: int
    opnum: int
    object: UUID | None = None
    alloc_hint: int = 0
    stub_start: int = REQUEST_HEAD

    @classmethod
    def decode(cls, frame: Frame) -> Request:
        hint, context_id, opnum = fixed(frame, _REQUEST, REQUEST_CLAUSE)
        if not frame.flags & OBJECT:
            return cls(context_id, opnum, None, hint, REQUEST_HEAD)
        reader = Reader(frame.data, REQUEST_CLAUSE, REQUEST_HEAD, frame.body_end)
        return cls(context_id, opnum, reader.guid(), hint, REQUEST_HEAD + OBJECT_SIZE)

    @property
    def head_size(self) -> int:
        return REQUEST_HEAD if self.object is None else REQUEST_HEAD + OBJECT_SIZE

    def head(self, flags: int, length: int, auth_length: int, call_id: int, hint: int) -> bytes:
        """The bytes before the stub. hint: bytes of stub from here to the end of the call."""
        return request_head(
            flags, length, call_id, hint, self.context_id, self.opnum, self.object, signed=auth_length
        )


def request_head(
    flags: int,
    length: int,
    call_id: int,
    hint: int,
    context_id: int,
    opnum: int,
    target: UUID | None,
    *,
    signed: int = 0,
) -> bytes:
    """The bytes before the stub of a request. signed: bytes of its token."""
    bits = flags if target is None else flags | OBJECT
    numbers = LITTLE_ENDIAN, length, signed, call_id, hint, context_id, opnum
    head = _REQUEST_WHOLE.pack(5, 0, _REQUEST_TYPE, bits, *numbers)
    return head if target is None else head + octets_of(target)


class Response(NamedTuple):
    """One fragment of an answer."""

    context_id: int
    cancels: int = 0
    alloc_hint: int = 0
    stub_start: int = RESPONSE_HEAD

    @classmethod
    def decode(cls, frame: Frame) -> Response:
        hint, context_id, cancels, _ = fixed(frame, _RESPONSE, RESPONSE_CLAUSE)
        return cls(context_id, cancels, hint, RESPONSE_HEAD)

    @property
    def head_size(self) -> int:
        return RESPONSE_HEAD

    def head(self, flags: int, length: int, auth_length: int, call_id: int, hint: int) -> bytes:
        return response_head(
            flags, length, call_id, hint, self.context_id, cancels=self.cancels, signed=auth_length
        )


def response_head(
    flags: int, length: int, call_id: int, hint: int, context_id: int, *, cancels: int = 0, signed: int = 0
) -> bytes:
    """The bytes before the stub of a response. signed: bytes of its token."""
    numbers = LITTLE_ENDIAN, length, signed, call_id, hint, context_id, cancels, 0
    return _RESPONSE_WHOLE.pack(5, 0, _RESPONSE_TYPE, flags, *numbers)


@dataclass(frozen=True, slots=True)
class Fault:
    """A call that failed before or around the method itself; status: a fault code or an HRESULT.

    extended: what follows is extended error information ([MS-RPCE] 2.2.2.6, [MS-EERR]), which nobody here reads.
    """

    context_id: int
    status: int
    cancels: int = 0
    extended: int = 0
    alloc_hint: int = FAULT_HEAD - RESPONSE_HEAD
    stub_start: int = FAULT_HEAD

    CLAUSE = "[C706] 12.6.4.7"

    @classmethod
    def decode(cls, frame: Frame) -> Fault:
        reader = frame.body(cls.CLAUSE)
        hint, context_id, cancels, extended, status, _ = reader.fixed(_FAULT)
        return cls(context_id, status, cancels, extended, hint, reader.position)

    head_size = FAULT_HEAD

    def head(self, flags: int, length: int, auth_length: int, call_id: int, hint: int) -> bytes:
        head = write_header(PduType.FAULT, flags, length, auth_length, call_id)
        status = self.status & 0xFFFFFFFF
        return head + _FAULT.pack(hint, self.context_id, self.cancels, self.extended, status, 0)


@dataclass(frozen=True, slots=True)
class Bare:
    """shutdown, co_cancel, orphaned: a header that says it all ([C706] 12.6.4.11, 12.6.4.6, 12.6.4.8)."""

    kind: PduType

    @classmethod
    def decode(cls, frame: Frame) -> Bare:
        return cls(frame.kind)

    def encode(self, call_id: int) -> bytes:
        return write_frame(self.kind, WHOLE, call_id, Writer(), None)
