"""IEnumWbemClassObject, IWbemFetchSmartEnum, IWbemWCOSmartEnum: results, page by page.

[MS-WMI] 3.1.4.4, 3.1.4.6, 3.1.4.7; wire.md 5.9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from openwmi.wire.buffers import Layout, guid_of, octets_of
from openwmi.wire.dcom.method import ObjectMethod
from openwmi.wire.dcom.objref import INTERFACE_POINTER
from openwmi.wire.ndr import (
    GUID,
    INT32,
    UINT32,
    ByteArray,
    ConformantVaryingArray,
    Count,
    NdrReader,
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


# One of the two for every row or page: a frozen one would take twice as long to make.


@dataclass(slots=True)
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


@dataclass(slots=True)
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


# A page, or a row, at a time is what enumerating is: the parameters of the two Nexts go in one look. They are the same
# bytes as their members make one by one, which the tests hold them to.
_WANTED: Final = Layout("iI")
_ASKED: Final = Layout("16siI")
_PAGE: Final = Layout("III")
_PAIR: Final = Layout("II")


class _NextParameters(Parameters[Next]):
    def take(self, reader: NdrReader) -> Next:
        reader.align(4)
        return Next(*reader.fixed(_WANTED))


class _NextAnswerParameters(Parameters[NextAnswer]):
    def write(self, writer: NdrWriter, value: NextAnswer) -> None:
        """apObjects has room for as many as were asked for, not for as many as are given."""
        objects = value.objects
        writer.align(4)
        writer.fixed(_PAGE, max(value.room, len(objects)), 0, len(objects))
        for one in objects:
            writer.u32(0 if one is None else writer.referent())
        for one in objects:
            if one is not None:
                writer.align(4)
                writer.fixed(_PAIR, len(one), len(one))
                writer.octets(one)
        writer.align(4)
        writer.fixed(_PAIR, len(objects), value.result)


class _SmartNextParameters(Parameters[SmartNext]):
    def take(self, reader: NdrReader) -> SmartNext:
        reader.align(4)
        proxy, timeout, count = reader.fixed(_ASKED)
        return SmartNext(guid_of(proxy), timeout, count)

    def write(self, writer: NdrWriter, value: SmartNext) -> None:
        writer.align(4)
        writer.fixed(_ASKED, octets_of(value.proxy), value.timeout, value.count)


class _SmartNextAnswerParameters(Parameters[SmartNextAnswer]):
    def take(self, reader: NdrReader) -> SmartNextAnswer:
        reader.align(4)
        returned, size, referent = reader.fixed(_PAGE)
        packet = reader.octets(reader.u32()) if referent else None
        reader.align(4)
        if size != len(packet or b""):
            raise reader.misbehaved(f"size is {size}, packet has {len(packet or b'')}")
        return SmartNextAnswer(returned, packet, reader.u32())

    def write(self, writer: NdrWriter, value: SmartNextAnswer) -> None:
        packet = value.packet
        writer.align(4)
        writer.fixed(_PAGE, value.returned, len(packet or b""), 0 if packet is None else writer.referent())
        if packet is not None:
            writer.u32(len(packet))
            writer.octets(packet)
            writer.align(4)
        writer.u32(value.result)


_RESULT: Final = Parameters(Result, "[MS-WMI] 3.1.4.4", result=UINT32)
_ENUMERATOR: Final = Parameters(EnumeratorAnswer, "[MS-WMI] 3.1.4.4.4", enumerator=OBJECT, result=UINT32)
_NOTHING: Final = Parameters(Nothing, "[MS-WMI] 3.1.4.4")

RESET: Final = ObjectMethod("Reset", 3, _NOTHING, _RESULT)
NEXT: Final = ObjectMethod(
    "Next",
    4,
    _NextParameters(Next, "[MS-WMI] 3.1.4.4.2", timeout=INT32, count=UINT32),
    _NextAnswerParameters(
        NextAnswer,
        "[MS-WMI] 3.1.4.4.2",
        objects=ConformantVaryingArray(Unique(INTERFACE_POINTER)),
        returned=Count(UINT32, "objects"),
        result=UINT32,
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
    _SmartNextParameters(SmartNext, "[MS-WMI] 3.1.4.7.1", proxy=GUID, timeout=INT32, count=UINT32),
    _SmartNextAnswerParameters(
        SmartNextAnswer,
        "[MS-WMI] 3.1.4.7.1",
        returned=UINT32,
        size=Count(UINT32, "packet"),
        packet=Unique(ByteArray()),
        result=UINT32,
    ),
)
