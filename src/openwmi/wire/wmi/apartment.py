"""IUnsecuredApartment and IWbemUnsecuredApartment on the wire, where they only say that they are local
([MS-WMI] 3.1.4.15, 3.1.4.16)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from openwmi.wire.dcom.method import ObjectMethod
from openwmi.wire.ndr import UINT32, Parameters
from openwmi.wire.wmi.login import Unread
from openwmi.wire.wmi.types import OBJECT

_CLAUSE: Final = "[MS-WMI] 3.1.4.15"


@dataclass(frozen=True, slots=True)
class Stub:
    """stub: an OBJREF, None after a failure."""

    stub: bytes | None = None
    result: int = 0


_UNREAD: Final = Parameters(Unread, _CLAUSE)
_STUB: Final = Parameters(Stub, _CLAUSE, stub=OBJECT, result=UINT32)
CREATE_OBJECT_STUB: Final = ObjectMethod("CreateObjectStub", 3, _UNREAD, _STUB)
CREATE_SINK_STUB: Final = ObjectMethod("CreateSinkStub", 4, _UNREAD, _STUB)
