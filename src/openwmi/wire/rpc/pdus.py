"""Which class holds which PDU: one table, and `decode` over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.wire.rpc.binding import Auth3, Bind, BindAck, BindNak
from openwmi.wire.rpc.calls import Bare, Fault, Request, Response
from openwmi.wire.rpc.constants import PduType
from openwmi.wire.rpc.frame import Frame, read_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Pdu = Bind | BindAck | BindNak | Auth3 | Request | Response | Fault | Bare

DECODERS: Final[Mapping[PduType, Callable[[Frame], Pdu]]] = {
    PduType.REQUEST: Request.decode,
    PduType.RESPONSE: Response.decode,
    PduType.FAULT: Fault.decode,
    PduType.BIND: Bind.decode,
    PduType.BIND_ACK: BindAck.decode,
    PduType.BIND_NAK: BindNak.decode,
    PduType.ALTER_CONTEXT: Bind.decode,
    PduType.ALTER_CONTEXT_RESPONSE: BindAck.decode,
    PduType.AUTH3: Auth3.decode,
    PduType.SHUTDOWN: Bare.decode,
    PduType.CANCEL: Bare.decode,
    PduType.ORPHANED: Bare.decode,
}


def decode(data: bytes) -> tuple[Frame, Pdu]:
    """One whole fragment: its frame and its body."""
    frame = read_frame(data)
    return frame, DECODERS[frame.kind](frame)
