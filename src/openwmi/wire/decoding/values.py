"""Values of parameters as what JSON takes: structures, references, CIM objects, all within bounds."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from openwmi.model.classes import Class
from openwmi.model.errors import WbemError, WmiError
from openwmi.model.instances import Instance
from openwmi.model.status import describe
from openwmi.wire import errors
from openwmi.wire.dcom import activation, guids, objref
from openwmi.wire.dcom.bindings import TOWER_NAMED_PIPE, TOWER_TCP, DualStringArray
from openwmi.wire.dcom.properties import Property, ScmReplyInfo, Unknown
from openwmi.wire.decoding.interfaces import uuid_text
from openwmi.wire.decoding.objects import described
from openwmi.wire.wmi.contexts import read_context
from openwmi.wire.wmi.guids import CLSID_WbemClassObject, CLSID_WbemContext
from openwmi.wmio import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SHOWN_BYTES: Final = 256
_MOST_ITEMS: Final = 100_000
_STATUS_NAMES: Final = frozenset({"result", "status", "results"})
_TOWERS: Final = {TOWER_TCP: "ncacn_ip_tcp", TOWER_NAMED_PIPE: "ncacn_np"}
_FAULTS: Final = {
    errors.ACCESS_DENIED: "ERROR_ACCESS_DENIED",
    errors.BAD_STUB_DATA: "RPC_X_BAD_STUB_DATA",
    errors.OPNUM_OUT_OF_RANGE: "nca_s_op_rng_error",
    errors.UNKNOWN_INTERFACE: "nca_s_unk_if",
    errors.PROTOCOL_ERROR: "nca_s_proto_error",
    errors.SERVER_TOO_BUSY: "nca_s_server_too_busy",
    errors.INVALID_PRESENTATION_CONTEXT: "nca_s_invalid_pres_context_id",
    errors.SECURITY_PACKAGE_ERROR: "RPC_S_SEC_PKG_ERROR",
}
_MEOW, _UNIT = b"MEOW", b"\x78\x56\x34\x12"


def _ignored(fact: Any) -> None:
    """Nobody wants to know."""


def status_text(code: int) -> str:
    """A status with its name; 0 is 0."""
    unsigned = code & 0xFFFFFFFF
    symbol = describe(unsigned).symbol
    number = f"0x{unsigned:08X}" if unsigned > 9 else str(unsigned)
    return number if not symbol or symbol.startswith("0x") else f"{number} {symbol}"


def fault_text(code: int) -> str:
    """The status of a fault; RPC has names of its own for some."""
    name = _FAULTS.get(code & 0xFFFFFFFF)
    return status_text(code) if name is None else f"0x{code & 0xFFFFFFFF:08X} {name}"


def octets(data: bytes) -> str:
    """Bytes in hexadecimal, the first few."""
    shown = data[:SHOWN_BYTES].hex()
    return shown if len(data) <= SHOWN_BYTES else f"{shown}... ({len(data)} bytes)"


class Printer:
    """Makes values readable. learn: told of every reference to an object, and of every exporter, that is met."""

    def __init__(self, learn: Callable[[Any], None] = _ignored) -> None:
        self._learn = learn

    def value(self, value: Any, name: str = "") -> Any:
        if value is None or isinstance(value, bool | str | float):
            return value
        if isinstance(value, int):
            return status_text(value) if name in _STATUS_NAMES else int(value)
        if isinstance(value, UUID):
            return uuid_text(value)
        if isinstance(value, bytes):
            return self.octets(value)
        if isinstance(value, DualStringArray):
            return bindings_document(value)
        if isinstance(value, Class | Instance):
            return described(value)
        return self._composed(value, name)

    def _composed(self, value: Any, name: str) -> Any:
        if is_dataclass(value):
            return {field.name: self.value(getattr(value, field.name), field.name) for field in fields(value)}
        if hasattr(value, "_asdict"):
            return {key: self.value(item, key) for key, item in value._asdict().items()}
        if isinstance(value, tuple | list):
            return [self.value(item, name) for item in value[:_MOST_ITEMS]]
        return str(value)

    def octets(self, data: bytes) -> Any:
        """Bytes that may be a reference, or a CIM object; what is broken inside is told in its place."""
        try:
            if data.startswith(_MEOW):
                return self.reference(objref.decode(data))
            if data.startswith(_UNIT):
                return described(decode(data))
        except WmiError as error:
            return {"error": message_of(error), "bytes": octets(data)}
        return octets(data)

    def reference(self, reference: objref.ObjRef) -> Any:
        if isinstance(reference, objref.Custom):
            return self._by_value(reference)
        self._learn(reference)
        document = {
            "objref": type(reference).__name__.lower(),
            "iid": uuid_text(reference.iid),
            "oxid": f"{reference.std.oxid:016x}",
            "oid": f"{reference.std.oid:016x}",
            "ipid": str(reference.std.ipid),
            "public_refs": reference.std.public_refs,
            "flags": reference.std.flags,
            "bindings": bindings_document(reference.bindings),
        }
        if isinstance(reference, objref.Handler):
            document["handler"] = uuid_text(reference.clsid)
        return document

    def _by_value(self, reference: objref.Custom) -> Any:
        if reference.clsid == CLSID_WbemClassObject:
            return described(decode(reference.data))
        if reference.clsid == CLSID_WbemContext:
            found = read_context(reference.encode())
            return {"context": {name: self.value(value) for name, value in (found.items() if found else ())}}
        if reference.clsid in (guids.CLSID_ActivationPropertiesIn, guids.CLSID_ActivationPropertiesOut):
            return self._properties(activation.read_properties(reference.data))
        return {
            "objref": "custom",
            "iid": uuid_text(reference.iid),
            "clsid": uuid_text(reference.clsid),
            "data": octets(reference.data),
        }

    def _properties(self, properties: Sequence[Property]) -> dict[str, Any]:
        """The properties of an activation, by their names."""
        for found in properties:
            if isinstance(found, ScmReplyInfo) and found.reply is not None:
                self._learn(found.reply)
        return dict([self._property(found) for found in properties])

    def _property(self, found: Property) -> tuple[str, Any]:
        if isinstance(found, Unknown):
            return uuid_text(found.clsid), octets(found.data)
        return type(found).__name__, self.value(found)


def bindings_document(value: DualStringArray) -> dict[str, Any]:
    return {
        "strings": [f"{_TOWERS.get(one.tower, one.tower)}:{one.address}" for one in value.strings],
        "securities": [f"{one.service} {one.principal}".rstrip() for one in value.securities],
    }


def message_of(error: WmiError) -> str:
    """What went wrong in one line."""
    return f"{error.symbol}: {error.message}" if isinstance(error, WbemError) else str(error)
