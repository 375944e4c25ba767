"""Activation: from a class identifier to an object, by properties or in the old way.

IRemoteSCMActivator with its blob of properties ([MS-DCOM] 2.2.22, 3.1.2.5.2.3.2, 3.1.2.5.2.3.3) and IActivation
(3.1.2.5.2.3.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from openwmi.wire.buffers import Buffer, Reader, Writer
from openwmi.wire.dcom import guids, objref
from openwmi.wire.dcom.bindings import DUAL_STRING_ARRAY, DualStringArray
from openwmi.wire.dcom.method import ObjectMethod
from openwmi.wire.dcom.objref import INTERFACE_POINTER
from openwmi.wire.dcom.orpc import COM_VERSION, OUR_VERSION, ComVersion
from openwmi.wire.dcom.properties import Property, read_property, write_property
from openwmi.wire.errors import PeerMisbehaved
from openwmi.wire.ndr import (
    GUID,
    UINT16,
    UINT32,
    UINT64,
    ConformantArray,
    Count,
    Parameters,
    Reserved,
    Structure,
    Unique,
    WideString,
    deserialize,
    serialize,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

P = TypeVar("P")

CLAUSE: Final = "[MS-DCOM] 2.2.22"
_MOST_PROPERTIES: Final = 10  # MAX_ACTPROP_LIMIT, [MS-DCOM] 2.2.28.1
REGDB_E_CLASSNOTREG: Final = 0x80040154


@dataclass(frozen=True, slots=True)
class _Header:
    """CustomHeader ([MS-DCOM] 2.2.22.1): which properties follow, and how long each is."""

    total: int
    size: int
    context: int
    classes: Sequence[UUID] | None
    sizes: Sequence[int] | None


_HEADER: Final = Structure(
    _Header,
    total=UINT32,
    size=UINT32,
    reserved1=Reserved(UINT32),
    context=UINT32,
    count=Count(UINT32, "classes"),
    info=Reserved(GUID, guids.GUID_NULL),
    classes=Unique(ConformantArray(GUID)),
    sizes=Unique(ConformantArray(UINT32)),
    reserved2=Reserved(Unique(UINT32), None),
)
_DIFFERENT_MACHINE: Final = 2  # MSHCTX_DIFFERENTMACHINE


def read_properties(blob: Buffer) -> tuple[Property, ...]:
    """The properties of a blob, in their order."""
    reader = Reader(blob, CLAUSE)
    reader.skip(8)
    header = deserialize(_HEADER, reader)
    classes, sizes = header.classes or (), header.sizes or ()
    if not 1 <= len(classes) <= _MOST_PROPERTIES or len(classes) != len(sizes):
        raise reader.misbehaved(f"{len(classes)} properties of {len(sizes)} sizes")
    # Senders disagree about what the header's size counts; the properties end with the blob in any case.
    start = len(blob) - sum(sizes)
    if start < reader.position:
        raise reader.misbehaved(f"properties of {sum(sizes)} bytes in a blob of {len(blob)}")
    reader = Reader(blob, CLAUSE, start)
    return tuple(
        [read_property(clsid, reader.octets(size)) for clsid, size in zip(classes, sizes, strict=True)]
    )


def write_properties(properties: Sequence[Property]) -> bytes:
    """A blob: `u32 size, u32 0`, the header, the properties."""
    written = [write_property(value) for value in properties]
    classes, sizes = tuple(clsid for clsid, _ in written), tuple(len(data) for _, data in written)
    size = len(serialize(_HEADER, _Header(0, 0, 0, classes, sizes)))
    total = size + sum(sizes)
    writer = Writer()
    writer.u32(total)
    writer.u32(0)
    writer.octets(serialize(_HEADER, _Header(total, size, _DIFFERENT_MACHINE, classes, sizes)))
    for _, data in written:
        writer.octets(data)
    return bytes(writer)


def activation_in(properties: Sequence[Property]) -> bytes:
    """The OBJREF of a request's properties."""
    data = write_properties(properties)
    return objref.Custom(guids.IID_IActivationPropertiesIn, guids.CLSID_ActivationPropertiesIn, data).encode()


def activation_out(properties: Sequence[Property]) -> bytes:
    """The OBJREF of an answer's properties: PropsOutInfo and ScmReplyInfo, in this order (wire.md 5.4)."""
    data = write_properties(properties)
    return objref.Custom(
        guids.IID_IActivationPropertiesOut, guids.CLSID_ActivationPropertiesOut, data
    ).encode()


def properties_in(reference: Buffer | None) -> tuple[Property, ...]:
    return read_properties(objref.custom(reference, guids.CLSID_ActivationPropertiesIn))


def properties_out(reference: Buffer | None) -> tuple[Property, ...]:
    return read_properties(objref.custom(reference, guids.CLSID_ActivationPropertiesOut))


def find(properties: Sequence[Property], kind: type[P]) -> P:
    """The property of a kind, wherever it stands: clients differ in their order."""
    for value in properties:
        if isinstance(value, kind):
            return value
    raise PeerMisbehaved(f"no {kind.__name__} among the properties", CLAUSE)


# IRemoteSCMActivator


@dataclass(frozen=True, slots=True)
class CreateInstance:
    """properties: an OBJREF, see `activation_in`."""

    properties: bytes | None
    outer: bytes | None = None


@dataclass(frozen=True, slots=True)
class ClassObject:
    properties: bytes | None


@dataclass(frozen=True, slots=True)
class ActivationAnswer:
    """properties: an OBJREF, see `activation_out`; None when the result is a failure."""

    properties: bytes | None
    result: int = 0


_MIP: Final = Unique(INTERFACE_POINTER)


def _answer(clause: str) -> Parameters[ActivationAnswer]:
    return Parameters(ActivationAnswer, clause, properties=_MIP, result=UINT32)


REMOTE_GET_CLASS_OBJECT: Final = ObjectMethod(
    "RemoteGetClassObject",
    3,
    Parameters(ClassObject, "[MS-DCOM] 3.1.2.5.2.3.2", properties=_MIP),
    _answer("[MS-DCOM] 3.1.2.5.2.3.2"),
)
REMOTE_CREATE_INSTANCE: Final = ObjectMethod(
    "RemoteCreateInstance",
    4,
    Parameters(CreateInstance, "[MS-DCOM] 3.1.2.5.2.3.3", outer=_MIP, properties=_MIP),
    _answer("[MS-DCOM] 3.1.2.5.2.3.3"),
)


# IActivation


@dataclass(frozen=True, slots=True)
class Activation:
    class_id: UUID
    iids: Sequence[UUID] | None
    protocols: Sequence[int]
    name: str | None = None
    storage: bytes | None = None
    impersonation: int = 2
    mode: int = 0


@dataclass(frozen=True, slots=True)
class ActivatedAnswer:
    """result: of the activation; results: of each interface; status: of the call."""

    oxid: int
    bindings: DualStringArray | None
    rem_unknown: UUID
    authn_hint: int
    result: int
    interfaces: Sequence[bytes | None]
    results: Sequence[int]
    version: ComVersion = OUR_VERSION
    status: int = 0


REMOTE_ACTIVATION: Final[ObjectMethod[Activation, ActivatedAnswer]] = ObjectMethod(
    "RemoteActivation",
    0,
    Parameters(
        Activation,
        "[MS-DCOM] 3.1.2.5.2.3.1",
        class_id=GUID,
        name=Unique(WideString()),
        storage=_MIP,
        impersonation=UINT32,
        mode=UINT32,
        count=Count(UINT32, "iids"),
        iids=Unique(ConformantArray(GUID)),
        protocol_count=Count(UINT16, "protocols"),
        protocols=ConformantArray(UINT16),
    ),
    Parameters(
        ActivatedAnswer,
        "[MS-DCOM] 3.1.2.5.2.3.1",
        oxid=UINT64,
        bindings=Unique(DUAL_STRING_ARRAY),
        rem_unknown=GUID,
        authn_hint=UINT32,
        version=COM_VERSION,
        result=UINT32,
        interfaces=ConformantArray(_MIP),
        results=ConformantArray(UINT32),
        status=UINT32,
    ),
)

METHODS: Final[tuple[ObjectMethod[Any, Any], ...]] = (
    REMOTE_GET_CLASS_OBJECT,
    REMOTE_CREATE_INSTANCE,
    REMOTE_ACTIVATION,
)
