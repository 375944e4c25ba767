"""One RPC connection that goes by, PDU by PDU: what each says, given what came before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.wire.decoding import tokens
from openwmi.wire.decoding.calls import Call, Objects
from openwmi.wire.decoding.interfaces import INTERFACES, uuid_text
from openwmi.wire.decoding.keys import NO_KEYS, Handshake, Keys
from openwmi.wire.decoding.values import fault_text
from openwmi.wire.errors import RemoteProtocolError
from openwmi.wire.rpc.binding import Answer, Bind, BindAck, BindNak
from openwmi.wire.rpc.calls import Fault, Request, Response
from openwmi.wire.rpc.constants import (
    CONCURRENT,
    DID_NOT_EXECUTE,
    FIRST,
    LAST,
    MAYBE,
    OBJECT,
    PENDING_CANCEL,
    SUPPORT_HEADER_SIGN,
    AuthLevel,
    AuthType,
    ContextResult,
    NakReason,
    PduType,
)
from openwmi.wire.rpc.frame import Frame, read_frame
from openwmi.wire.rpc.pdus import DECODERS
from openwmi.wire.rpc.security import unprotected
from openwmi.wire.rpc.syntax import NDR20, NDR64, SyntaxId

if TYPE_CHECKING:
    from enum import IntEnum

Record = dict[str, Any]

_FROM_CLIENT: Final = frozenset(
    (
        PduType.REQUEST,
        PduType.BIND,
        PduType.ALTER_CONTEXT,
        PduType.AUTH3,
        PduType.CANCEL,
        PduType.ORPHANED,
    )
)
_BINDING: Final = frozenset(
    (
        PduType.BIND,
        PduType.BIND_ACK,
        PduType.ALTER_CONTEXT,
        PduType.ALTER_CONTEXT_RESPONSE,
        PduType.AUTH3,
    )
)
_SYNTAXES: Final = {NDR20.uuid: "NDR20", NDR64.uuid: "NDR64"}
_MOST_CALLS: Final = 4096
_MOST_HANDSHAKES: Final = 4096


class _Opened(NamedTuple):
    """A call's stub: what could be read of it, and what is to be said about that."""

    stub: bytes | None
    said: str | None = None


class Association:
    """The state of one connection. objects: what is known of the objects behind all connections of the capture."""

    def __init__(self, objects: Objects | None = None, keys: Keys = NO_KEYS) -> None:
        self._objects = objects if objects is not None else Objects()
        self._keys = keys
        self._asked: dict[int, tuple[tuple[int, SyntaxId], ...]] = {}
        self._presentations: dict[int, SyntaxId] = {}
        self._encodings: dict[int, str] = {}  # of presentation contexts that do not use NDR20
        self._handshakes: dict[int, Handshake] = {}
        self._calls: dict[int, Call] = {}

    def pdu(self, data: bytes, stub: bytes | None = None) -> Record:
        """What one whole PDU says. stub: of a call, in the clear without its pad, where the caller has unsealed it.

        Whatever is broken in it is told in the record under `error`.
        """
        try:
            frame = read_frame(data)
        except RemoteProtocolError as error:
            return {"pdu": "broken", "error": str(error), "size": len(data)}
        record: Record = {"pdu": frame.kind.name.lower(), "call": frame.call_id}
        flags = _flag_names(frame)
        if flags:
            record["flags"] = flags
        try:
            self._body(record, frame, stub)
        except RemoteProtocolError as error:
            record["error"] = str(error)
        return record

    def lost(self, *, up: bool) -> None:
        """Bytes of one direction are missing."""
        for handshake in self._handshakes.values():
            handshake.lost(up=up)
        for call in self._calls.values():
            call.lost(up=up)

    def _body(self, record: Record, frame: Frame, stub: bytes | None) -> None:
        pdu: Any = DECODERS[frame.kind](frame)
        if frame.verifier is not None:
            self._verifier(record, frame)
        if isinstance(pdu, Bind):
            self._bind(record, frame, pdu)
        elif isinstance(pdu, BindAck):
            self._acknowledged(record, frame, pdu)
        elif isinstance(pdu, BindNak):
            record["reason"] = _name_of(NakReason, pdu.reason)
            record["versions"] = [f"{major}.{minor}" for major, minor in pdu.versions]
        elif isinstance(pdu, Request):
            self._request(record, frame, pdu, stub)
        elif isinstance(pdu, Response):
            self._response(record, frame, pdu, stub)
        elif isinstance(pdu, Fault):
            self._fault(record, frame, pdu)

    # Binding

    def _verifier(self, record: Record, frame: Frame) -> None:
        verifier = frame.verifier
        assert verifier is not None
        record["auth"] = {
            "type": _name_of(AuthType, verifier.auth_type),
            "level": _name_of(AuthLevel, verifier.level),
            "context": verifier.context_id,
        }
        if frame.kind not in _BINDING:
            return
        record["auth"]["token"] = tokens.described(verifier.token)
        if frame.kind is PduType.BIND:
            self._handshakes.clear()  # nothing of what was proven before goes on
        handshake = self._handshakes.get(verifier.context_id)
        if handshake is None:
            if len(self._handshakes) >= _MOST_HANDSHAKES:
                del self._handshakes[next(iter(self._handshakes))]
            handshake = self._handshakes[verifier.context_id] = Handshake(verifier, self._keys)
        handshake.token(verifier, frame.flags, up=frame.kind in _FROM_CLIENT)

    def _bind(self, record: Record, frame: Frame, pdu: Bind) -> None:
        record |= {"max_transmit": pdu.max_transmit, "max_receive": pdu.max_receive, "group": pdu.group}
        record["contexts"] = [
            {
                "context": one.context_id,
                "interface": _syntax(one.abstract),
                "transfer": [_transfer(transfer) for transfer in one.transfers],
            }
            for one in pdu.elements
        ]
        if len(self._asked) >= _MOST_CALLS:
            self._asked.clear()
        self._asked[frame.call_id] = tuple([(one.context_id, one.abstract) for one in pdu.elements])
        for one in pdu.elements:
            # Already now: of a capture that lost the answer, the calls can still be read.
            if not one.transfers or one.transfers[0].features is None:
                self._presentations[one.context_id] = one.abstract

    def _acknowledged(self, record: Record, frame: Frame, pdu: BindAck) -> None:
        record |= {"max_transmit": pdu.max_transmit, "max_receive": pdu.max_receive, "group": pdu.group}
        if pdu.address:
            record["address"] = pdu.address
        asked = self._asked.pop(frame.call_id, ())
        record["contexts"] = [
            self._answer(answer, asked[number] if number < len(asked) else None)
            for number, answer in enumerate(pdu.answers)
        ]

    def _answer(self, answer: Answer, asked: tuple[int, SyntaxId] | None) -> Record:
        """What became of one element; which encoding its calls use is settled here."""
        record: Record = {} if asked is None else {"interface": _syntax(asked[1])}
        record["result"] = _name_of(ContextResult, answer.result)
        if answer.reason:
            record["reason"] = answer.reason
        if answer.result == ContextResult.ACCEPTANCE:
            record["transfer"] = _transfer(answer.transfer)
            if asked is not None and answer.transfer != NDR20:
                self._encodings[asked[0]] = record["transfer"]
        return record

    # Calls

    def _request(self, record: Record, frame: Frame, pdu: Request, stub: bytes | None) -> None:
        call = self._calls.get(frame.call_id)
        if call is None or frame.flags & FIRST:
            interface = self._objects.interface_of(pdu.object, self._presentations.get(pdu.context_id))
            encoding = self._encodings.get(pdu.context_id)
            call = Call(self._objects, interface, pdu.opnum, pdu.object, encoding=encoding)
            self._calls.pop(frame.call_id, None)
            if len(self._calls) >= _MOST_CALLS:
                del self._calls[next(iter(self._calls))]
            self._calls[frame.call_id] = call
        record["context"] = pdu.context_id
        record |= call.names()
        if pdu.object is not None:
            record["object"] = str(pdu.object)
        self._carried(record, frame, self._opened(frame, pdu.stub_start, stub), call, up=True)
        if frame.flags & MAYBE and frame.flags & LAST:
            del self._calls[frame.call_id]

    def _response(self, record: Record, frame: Frame, pdu: Response, stub: bytes | None) -> None:
        record["context"] = pdu.context_id
        call = self._calls.get(frame.call_id)
        if call is None:
            interface = self._objects.interface_of(None, self._presentations.get(pdu.context_id))
            call = Call(self._objects, interface, None, None)
        record |= call.names()
        self._carried(record, frame, self._opened(frame, pdu.stub_start, stub), call, up=False)
        if frame.flags & LAST:
            self._calls.pop(frame.call_id, None)

    def _fault(self, record: Record, frame: Frame, pdu: Fault) -> None:
        record["context"] = pdu.context_id
        call = self._calls.pop(frame.call_id, None)
        if call is not None:
            record |= call.names()
        record["status"] = fault_text(pdu.status)
        if frame.verifier is not None:
            self._opened(frame, pdu.stub_start, None)  # moves the keys on

    def _opened(self, frame: Frame, start: int, stub: bytes | None) -> _Opened:
        if stub is not None:
            return _Opened(stub)
        verifier = frame.verifier
        if verifier is None or verifier.level <= AuthLevel.CONNECT:
            return _Opened(unprotected(frame, start))
        handshake = self._handshakes.get(verifier.context_id)
        if handshake is None:
            sealed = verifier.level >= AuthLevel.PRIVACY
            return _Opened(None, "sealed") if sealed else _Opened(unprotected(frame, start))
        return _Opened(*handshake.stub(frame, start, up=frame.kind in _FROM_CLIENT))

    def _carried(self, record: Record, frame: Frame, opened: _Opened, call: Call, *, up: bool) -> None:
        """The part of a call that a fragment carries; with the last one its parameters."""
        record["size"] = len(opened.stub) if opened.stub is not None else frame.body_end
        if opened.said:
            record["protection"] = opened.said
        parameters = call.add(opened.stub, frame.flags, up=up)
        if parameters:
            record |= parameters


def _flag_names(frame: Frame) -> list[str]:
    """What the flags say besides that a PDU is whole."""
    binding = frame.kind in _BINDING
    named = (
        (CONCURRENT, "concurrent"),
        (DID_NOT_EXECUTE, "did_not_execute"),
        (MAYBE, "maybe"),
        (OBJECT, "object"),
        (SUPPORT_HEADER_SIGN, "header_signing" if binding else "pending_cancel"),
    )
    found = [name for bit, name in named if frame.flags & bit]
    if not frame.flags & FIRST or not frame.flags & LAST:
        found.insert(0, "first" if frame.flags & FIRST else "last" if frame.flags & LAST else "middle")
    return found


assert SUPPORT_HEADER_SIGN == PENDING_CANCEL


def _name_of(kind: type[IntEnum], value: int) -> str | int:
    try:
        return kind(value).name.lower()
    except ValueError:
        return value


def _syntax(value: SyntaxId) -> str:
    version = f" v{value.version & 0xFFFF}.{value.version >> 16}" if value.uuid not in INTERFACES else ""
    return f"{uuid_text(value.uuid)}{version}"


def _transfer(value: SyntaxId) -> str:
    if value.features is not None:
        return f"features {value.features}"
    return _SYNTAXES.get(value.uuid) or str(value.uuid)
