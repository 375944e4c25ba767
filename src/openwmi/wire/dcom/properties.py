"""The properties of an activation, each serialized by itself ([MS-DCOM] 2.2.22.2). Unknown ones stay bytes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from openwmi.wire.buffers import Reader
from openwmi.wire.dcom import guids
from openwmi.wire.dcom.bindings import DUAL_STRING_ARRAY, TOWER_TCP, DualStringArray
from openwmi.wire.dcom.objref import INTERFACE_POINTER
from openwmi.wire.dcom.orpc import COM_VERSION, OUR_VERSION, ComVersion
from openwmi.wire.ndr import (
    GUID,
    INT32,
    UINT16,
    UINT32,
    UINT64,
    ConformantArray,
    Count,
    Reserved,
    Structure,
    Type,
    Unique,
    WideString,
    deserialize,
    serialize,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

_MIP: Final = Unique(INTERFACE_POINTER)


@dataclass(frozen=True, slots=True)
class InstantiationInfo:
    """What is to be made, and which interfaces of it are wanted (2.2.22.2.1). size: set when written."""

    class_id: UUID
    iids: Sequence[UUID] | None
    class_context: int = 0
    flags: int = 0
    surrogate: int = 0
    instance_flag: int = 0
    size: int = 0
    version: ComVersion = OUR_VERSION


@dataclass(frozen=True, slots=True)
class ActivationContextInfo:
    """Contexts of the client (2.2.22.2.5)."""

    client_ok: int = 0
    client_context: bytes | None = None
    prototype_context: bytes | None = None


@dataclass(frozen=True, slots=True)
class LocationInfo:
    """Where to activate; all NULL and zero on the wire (2.2.22.2.6)."""

    machine: str | None = None
    process: int = 0
    apartment: int = 0
    context: int = 0


@dataclass(frozen=True, slots=True)
class ScmRequest:
    """customREMOTE_REQUEST_SCM_INFO (2.2.22.2.4)."""

    impersonation: int = 2
    protocols: Sequence[int] | None = (TOWER_TCP,)


@dataclass(frozen=True, slots=True)
class ScmRequestInfo:
    request: ScmRequest | None


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """COSERVERINFO (2.2.22.2.7.1)."""

    name: str | None


@dataclass(frozen=True, slots=True)
class SecurityInfo:
    """Who is to be talked to (2.2.22.2.7)."""

    flags: int
    server: ServerInfo | None


@dataclass(frozen=True, slots=True)
class PropsOutInfo:
    """What was asked for, what came of it, and the interfaces as OBJREFs (2.2.22.2.9)."""

    iids: Sequence[UUID] | None
    results: Sequence[int] | None
    interfaces: Sequence[bytes | None] | None


@dataclass(frozen=True, slots=True)
class ScmReply:
    """customREMOTE_REPLY_SCM_INFO: the exporter of the object (2.2.22.2.8)."""

    oxid: int
    bindings: DualStringArray | None
    rem_unknown: UUID
    authn_hint: int
    version: ComVersion = OUR_VERSION


@dataclass(frozen=True, slots=True)
class ScmReplyInfo:
    reply: ScmReply | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A property that this side has no use for, as it came."""

    clsid: UUID
    data: bytes


Property = (
    InstantiationInfo
    | ActivationContextInfo
    | LocationInfo
    | ScmRequestInfo
    | SecurityInfo
    | PropsOutInfo
    | ScmReplyInfo
    | Unknown
)

_INSTANTIATION: Final = Structure(
    InstantiationInfo,
    class_id=GUID,
    class_context=UINT32,
    flags=UINT32,
    surrogate=INT32,
    count=Count(UINT32, "iids"),
    instance_flag=UINT32,
    iids=Unique(ConformantArray(GUID)),
    size=UINT32,
    version=COM_VERSION,
)
_REQUEST: Final = Structure(
    ScmRequest,
    impersonation=UINT32,
    count=Count(UINT16, "protocols"),
    protocols=Unique(ConformantArray(UINT16)),
)
_REPLY: Final = Structure(
    ScmReply,
    oxid=UINT64,
    bindings=Unique(DUAL_STRING_ARRAY),
    rem_unknown=GUID,
    authn_hint=UINT32,
    version=COM_VERSION,
)
_SERVER: Final = Structure(
    ServerInfo,
    reserved1=Reserved(UINT32),
    name=Unique(WideString()),
    reserved2=Reserved(Unique(UINT32), None),
    reserved3=Reserved(UINT32),
)
_NULL: Final = Reserved(Unique(UINT32), None)

TYPES: Final[Mapping[UUID, tuple[type[Any], Type[Any]]]] = {
    guids.CLSID_InstantiationInfo: (InstantiationInfo, _INSTANTIATION),
    guids.CLSID_ActivationContextInfo: (
        ActivationContextInfo,
        Structure(
            ActivationContextInfo,
            client_ok=INT32,
            reserved1=Reserved(INT32),
            reserved2=Reserved(UINT32),
            reserved3=Reserved(UINT32),
            client_context=_MIP,
            prototype_context=_MIP,
        ),
    ),
    guids.CLSID_ServerLocationInfo: (
        LocationInfo,
        Structure(
            LocationInfo, machine=Unique(WideString()), process=UINT32, apartment=UINT32, context=UINT32
        ),
    ),
    guids.CLSID_ScmRequestInfo: (
        ScmRequestInfo,
        Structure(ScmRequestInfo, reserved=_NULL, request=Unique(_REQUEST)),
    ),
    guids.CLSID_SecurityInfo: (
        SecurityInfo,
        Structure(SecurityInfo, flags=UINT32, server=Unique(_SERVER), reserved=_NULL),
    ),
    guids.CLSID_PropsOutInfo: (
        PropsOutInfo,
        Structure(
            PropsOutInfo,
            count=Count(UINT32, "iids"),
            iids=Unique(ConformantArray(GUID)),
            results=Unique(ConformantArray(UINT32)),
            interfaces=Unique(ConformantArray(_MIP)),
        ),
    ),
    guids.CLSID_ScmReplyInfo: (
        ScmReplyInfo,
        Structure(ScmReplyInfo, reserved=_NULL, reply=Unique(_REPLY)),
    ),
}
_CLSIDS: Final = {holds: clsid for clsid, (holds, _) in TYPES.items()}


def read_property(clsid: UUID, data: bytes) -> Property:
    """One property from its frame."""
    if clsid not in TYPES:
        return Unknown(clsid, data)
    found: Property = deserialize(TYPES[clsid][1], Reader(data, "[MS-DCOM] 2.2.22.2"))
    return found


def write_property(value: Property) -> tuple[UUID, bytes]:
    """(what it is, its frame)."""
    if isinstance(value, Unknown):
        return value.clsid, value.data
    clsid = _CLSIDS[type(value)]
    type_ = TYPES[clsid][1]
    if isinstance(value, InstantiationInfo):
        value = replace(value, size=len(serialize(type_, value)))
    return clsid, serialize(type_, value)
