"""IObjectExporter, the resolver: from an OXID to its endpoint, pings, signs of life ([MS-DCOM] 3.1.2.5.1).

No method here has an ORPCTHIS. Statuses are Win32 codes, not HRESULTs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from openwmi.wire.dcom.bindings import DUAL_STRING_ARRAY, DualStringArray
from openwmi.wire.dcom.method import Method
from openwmi.wire.dcom.orpc import COM_VERSION, OUR_VERSION, ComVersion
from openwmi.wire.ndr import (
    GUID,
    UINT16,
    UINT32,
    UINT64,
    ConformantArray,
    Count,
    Parameters,
    Reserved,
    Unique,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

OR_INVALID_OXID: Final = 1910
OR_INVALID_OID: Final = 1911
OR_INVALID_SET: Final = 1912


@dataclass(frozen=True, slots=True)
class ResolveOxid:
    """Where an exporter is, for one of these protocol sequences."""

    oxid: int
    protocols: Sequence[int]


@dataclass(frozen=True, slots=True)
class ResolveOxidAnswer:
    bindings: DualStringArray | None
    rem_unknown: UUID
    authn_hint: int
    status: int = 0


@dataclass(frozen=True, slots=True)
class ResolveOxid2Answer:
    bindings: DualStringArray | None
    rem_unknown: UUID
    authn_hint: int
    version: ComVersion = OUR_VERSION
    status: int = 0


@dataclass(frozen=True, slots=True)
class SimplePing:
    set_id: int


@dataclass(frozen=True, slots=True)
class Status:
    """All that a method answers."""

    status: int = 0


@dataclass(frozen=True, slots=True)
class ComplexPing:
    """A set of objects that somebody still holds: 0 makes a new one; None and an empty list are the same."""

    set_id: int
    sequence: int
    added: Sequence[int] | None = None
    deleted: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class ComplexPingAnswer:
    set_id: int
    backoff: int = 0
    status: int = 0


@dataclass(frozen=True, slots=True)
class Nothing:
    """A method without [in] parameters."""


@dataclass(frozen=True, slots=True)
class ServerAlive2Answer:
    bindings: DualStringArray | None
    version: ComVersion = OUR_VERSION
    status: int = 0


_OIDS: Final = Unique(ConformantArray(UINT64))
_RESOLVE: Final = "[MS-DCOM] 3.1.2.5.1.1"
_PING: Final = "[MS-DCOM] 3.1.2.5.1.3"


def _resolve(clause: str) -> Parameters[ResolveOxid]:
    count = Count(UINT16, "protocols")
    return Parameters(ResolveOxid, clause, oxid=UINT64, count=count, protocols=ConformantArray(UINT16))


RESOLVE_OXID: Final = Method(
    "ResolveOxid",
    0,
    _resolve(_RESOLVE),
    Parameters(
        ResolveOxidAnswer,
        _RESOLVE,
        bindings=Unique(DUAL_STRING_ARRAY),
        rem_unknown=GUID,
        authn_hint=UINT32,
        status=UINT32,
    ),
)
SIMPLE_PING: Final = Method(
    "SimplePing",
    1,
    Parameters(SimplePing, "[MS-DCOM] 3.1.2.5.1.2", set_id=UINT64),
    Parameters(Status, "[MS-DCOM] 3.1.2.5.1.2", status=UINT32),
)
COMPLEX_PING: Final = Method(
    "ComplexPing",
    2,
    Parameters(
        ComplexPing,
        _PING,
        set_id=UINT64,
        sequence=UINT16,
        add_count=Count(UINT16, "added"),
        delete_count=Count(UINT16, "deleted"),
        added=_OIDS,
        deleted=_OIDS,
    ),
    Parameters(ComplexPingAnswer, _PING, set_id=UINT64, backoff=UINT16, status=UINT32),
)
SERVER_ALIVE: Final = Method(
    "ServerAlive",
    3,
    Parameters(Nothing, "[MS-DCOM] 3.1.2.5.1.4"),
    Parameters(Status, "[MS-DCOM] 3.1.2.5.1.4", status=UINT32),
)
RESOLVE_OXID2: Final = Method(
    "ResolveOxid2",
    4,
    _resolve("[MS-DCOM] 3.1.2.5.1.5"),
    Parameters(
        ResolveOxid2Answer,
        "[MS-DCOM] 3.1.2.5.1.5",
        bindings=Unique(DUAL_STRING_ARRAY),
        rem_unknown=GUID,
        authn_hint=UINT32,
        version=COM_VERSION,
        status=UINT32,
    ),
)
SERVER_ALIVE2: Final = Method(
    "ServerAlive2",
    5,
    Parameters(Nothing, "[MS-DCOM] 3.1.2.5.1.6"),
    Parameters(
        ServerAlive2Answer,
        "[MS-DCOM] 3.1.2.5.1.6",
        version=COM_VERSION,
        bindings=Unique(DUAL_STRING_ARRAY),
        reserved=Reserved(UINT32),
        status=UINT32,
    ),
)

METHODS: Final = (RESOLVE_OXID, SIMPLE_PING, COMPLEX_PING, SERVER_ALIVE, RESOLVE_OXID2, SERVER_ALIVE2)
