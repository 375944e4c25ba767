"""IRemUnknown and IRemUnknown2: more interfaces of an object, and references to it ([MS-DCOM] 3.1.1.5.6, 3.1.1.5.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from openwmi.wire.dcom.method import ObjectMethod
from openwmi.wire.dcom.objref import INTERFACE_POINTER, STD_OBJREF, StdObjRef
from openwmi.wire.ndr import GUID, UINT16, UINT32, ConformantArray, Count, Parameters, Structure, Unique

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class QueryInterface:
    """Ask for interfaces of the object behind an IPID, with so many references to each."""

    ipid: UUID
    refs: int
    iids: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class QueryInterfaceResult:
    """REMQIRESULT ([MS-DCOM] 2.2.24)."""

    result: int
    std: StdObjRef


@dataclass(frozen=True, slots=True)
class QueryInterfaceAnswer:
    results: Sequence[QueryInterfaceResult] | None
    result: int


@dataclass(frozen=True, slots=True)
class QueryInterface2:
    ipid: UUID
    iids: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class QueryInterface2Answer:
    """interfaces: OBJREFs, None where there is none."""

    results: Sequence[int]
    interfaces: Sequence[bytes | None]
    result: int


@dataclass(frozen=True, slots=True)
class InterfaceRef:
    """REMINTERFACEREF ([MS-DCOM] 2.2.23)."""

    ipid: UUID
    public_refs: int
    private_refs: int = 0


@dataclass(frozen=True, slots=True)
class References:
    refs: Sequence[InterfaceRef]


@dataclass(frozen=True, slots=True)
class AddRefAnswer:
    results: Sequence[int]
    result: int


@dataclass(frozen=True, slots=True)
class ReleaseAnswer:
    result: int


_RESULT: Final = Structure(QueryInterfaceResult, result=UINT32, std=STD_OBJREF)
_REF: Final = Structure(InterfaceRef, ipid=GUID, public_refs=UINT32, private_refs=UINT32)
_REFS: Final = Parameters(
    References, "[MS-DCOM] 3.1.1.5.6.1.2", count=Count(UINT16, "refs"), refs=ConformantArray(_REF)
)

REM_QUERY_INTERFACE: Final = ObjectMethod(
    "RemQueryInterface",
    3,
    Parameters(
        QueryInterface,
        "[MS-DCOM] 3.1.1.5.6.1.1",
        ipid=GUID,
        refs=UINT32,
        count=Count(UINT16, "iids"),
        iids=ConformantArray(GUID),
    ),
    Parameters(
        QueryInterfaceAnswer,
        "[MS-DCOM] 3.1.1.5.6.1.1",
        results=Unique(ConformantArray(_RESULT)),
        result=UINT32,
    ),
)
REM_ADD_REF: Final = ObjectMethod(
    "RemAddRef",
    4,
    _REFS,
    Parameters(AddRefAnswer, "[MS-DCOM] 3.1.1.5.6.1.2", results=ConformantArray(UINT32), result=UINT32),
)
REM_RELEASE: Final = ObjectMethod(
    "RemRelease", 5, _REFS, Parameters(ReleaseAnswer, "[MS-DCOM] 3.1.1.5.6.1.3", result=UINT32)
)
REM_QUERY_INTERFACE2: Final = ObjectMethod(
    "RemQueryInterface2",
    6,
    Parameters(
        QueryInterface2,
        "[MS-DCOM] 3.1.1.5.7.1.1",
        ipid=GUID,
        count=Count(UINT16, "iids"),
        iids=ConformantArray(GUID),
    ),
    Parameters(
        QueryInterface2Answer,
        "[MS-DCOM] 3.1.1.5.7.1.1",
        results=ConformantArray(UINT32),
        interfaces=ConformantArray(Unique(INTERFACE_POINTER)),
        result=UINT32,
    ),
)

METHODS: Final = (REM_QUERY_INTERFACE, REM_ADD_REF, REM_RELEASE, REM_QUERY_INTERFACE2)
