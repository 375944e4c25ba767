"""IEnumWbemClassObject, IWbemFetchSmartEnum, IWbemWCOSmartEnum: results, page by page.

[MS-WMI] 3.1.4.4, 3.1.4.6, 3.1.4.7; wire.md 5.9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from openwmi.wire.dcom.method import ObjectMethod
from openwmi.wire.dcom.objref import INTERFACE_POINTER
from openwmi.wire.ndr import (
    GUID,
    INT32,
    UINT32,
    ByteArray,
    ConformantVaryingArray,
    Count,
    NdrWriter,
    Parameters,
    Unique,
)
from openwmi.wire.wmi.login import Result
from openwmi.wire.wmi.types import OBJECT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class Nothing:
    """A method without [in] parameters."""


@dataclass(frozen=True, slots=True)
class Next:
    """timeout: milliseconds, -1 for ever."""

    timeout: int
    count: int


@dataclass(frozen=True, slots=True)
class NextAnswer:
    """objects: OBJREFs; room: how many were asked for, which the array announces."""

    objects: Sequence[bytes | None]
    result: int = 0
    room: int = 0


@dataclass(frozen=True, slots=True)
class NextAsync:
    count: int
    sink: bytes | None


@dataclass(frozen=True, slots=True)
class EnumeratorAnswer:
    enumerator: bytes | None
    result: int = 0


@dataclass(frozen=True, slots=True)
class SmartNext:
    """proxy: a number of the client's own, by which the server knows what classes it has sent."""

    proxy: UUID
    timeout: int
    count: int


@dataclass(frozen=True, slots=True)
class SmartNextAnswer:
    """packet: an ObjectArray of [MS-WMIO], None for an empty page."""

    returned: int
    packet: bytes | None
    result: int = 0


class _Objects(ConformantVaryingArray[bytes | None]):
    """apObjects: its room is the count asked for, not the count given."""

    def write_all(self, writer: NdrWriter, value: NextAnswer) -> None:
        writer.align(4)
        writer.u32(max(value.room, len(value.objects)))
        self.write_head(writer, value.objects)
        self.write_tail(writer, value.objects)


_OBJECTS: Final = _Objects(Unique(INTERFACE_POINTER))


class _NextAnswerParameters(Parameters[NextAnswer]):
    """The answer of Next; the array's room depends on the call."""

    def write(self, writer: NdrWriter, value: NextAnswer) -> None:
        _OBJECTS.write_all(writer, value)
        UINT32.write(writer, len(value.objects))
        UINT32.write(writer, value.result)


_RESULT: Final = Parameters(Result, "[MS-WMI] 3.1.4.4", result=UINT32)
_ENUMERATOR: Final = Parameters(EnumeratorAnswer, "[MS-WMI] 3.1.4.4.4", enumerator=OBJECT, result=UINT32)
_NOTHING: Final = Parameters(Nothing, "[MS-WMI] 3.1.4.4")

RESET: Final = ObjectMethod("Reset", 3, _NOTHING, _RESULT)
NEXT: Final = ObjectMethod(
    "Next",
    4,
    Parameters(Next, "[MS-WMI] 3.1.4.4.2", timeout=INT32, count=UINT32),
    _NextAnswerParameters(
        NextAnswer, "[MS-WMI] 3.1.4.4.2", objects=_OBJECTS, returned=Count(UINT32, "objects"), result=UINT32
    ),
)
NEXT_ASYNC: Final = ObjectMethod(
    "NextAsync", 5, Parameters(NextAsync, "[MS-WMI] 3.1.4.4.3", count=UINT32, sink=OBJECT), _RESULT
)
CLONE: Final = ObjectMethod("Clone", 6, _NOTHING, _ENUMERATOR)
SKIP: Final = ObjectMethod(
    "Skip", 7, Parameters(Next, "[MS-WMI] 3.1.4.4.5", timeout=INT32, count=UINT32), _RESULT
)
GET_SMART_ENUM: Final = ObjectMethod("GetSmartEnum", 3, _NOTHING, _ENUMERATOR)
SMART_NEXT: Final = ObjectMethod(
    "Next",
    3,
    Parameters(SmartNext, "[MS-WMI] 3.1.4.7.1", proxy=GUID, timeout=INT32, count=UINT32),
    Parameters(
        SmartNextAnswer,
        "[MS-WMI] 3.1.4.7.1",
        returned=UINT32,
        size=Count(UINT32, "packet"),
        packet=Unique(ByteArray()),
        result=UINT32,
    ),
)
