"""IWbemCallResult and IWbemObjectSink: what a call came to, asked for or told ([MS-WMI] 3.1.4.5, 3.1.1.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from openwmi.wire.dcom.method import ObjectMethod
from openwmi.wire.ndr import INT32, UINT32, ConformantArray, Count, Parameters
from openwmi.wire.wmi.login import Result
from openwmi.wire.wmi.types import BSTR, OBJECT

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Timeout:
    """Milliseconds to wait, -1 for ever."""

    timeout: int


@dataclass(frozen=True, slots=True)
class ResultObject:
    found: bytes | None
    result: int = 0


@dataclass(frozen=True, slots=True)
class ResultString:
    text: str | None
    result: int = 0


@dataclass(frozen=True, slots=True)
class CallStatus:
    """status: the HRESULT of the operation; result: of the question."""

    status: int
    result: int = 0


@dataclass(frozen=True, slots=True)
class Indicate:
    """objects: OBJREFs, never none at all."""

    objects: Sequence[bytes | None]


@dataclass(frozen=True, slots=True)
class SetStatus:
    """flags: 0 complete, 2 progress; status: HRESULT, or progress as calls.md B34 packs it."""

    flags: int
    status: int
    text: str | None = None
    error: bytes | None = None


_TIMEOUT: Final = Parameters(Timeout, "[MS-WMI] 3.1.4.5", timeout=INT32)
_RESULT: Final = Parameters(Result, "[MS-WMI] 3.1.1.1", result=UINT32)
_OBJECT: Final = Parameters(ResultObject, "[MS-WMI] 3.1.4.5.1", found=OBJECT, result=UINT32)

GET_RESULT_OBJECT: Final = ObjectMethod("GetResultObject", 3, _TIMEOUT, _OBJECT)
GET_RESULT_STRING: Final = ObjectMethod(
    "GetResultString", 4, _TIMEOUT, Parameters(ResultString, "[MS-WMI] 3.1.4.5.2", text=BSTR, result=UINT32)
)
GET_RESULT_SERVICES: Final = ObjectMethod("GetResultServices", 5, _TIMEOUT, _OBJECT)
GET_CALL_STATUS: Final = ObjectMethod(
    "GetCallStatus", 6, _TIMEOUT, Parameters(CallStatus, "[MS-WMI] 3.1.4.5.4", status=UINT32, result=UINT32)
)
INDICATE: Final = ObjectMethod(
    "Indicate",
    3,
    Parameters(
        Indicate, "[MS-WMI] 3.1.1.1.1", count=Count(INT32, "objects"), objects=ConformantArray(OBJECT)
    ),
    _RESULT,
)
SET_STATUS: Final = ObjectMethod(
    "SetStatus",
    4,
    Parameters(SetStatus, "[MS-WMI] 3.1.1.1.2", flags=INT32, status=UINT32, text=BSTR, error=OBJECT),
    _RESULT,
)
