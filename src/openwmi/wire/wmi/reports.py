"""What a sink would hear of a call that has none: an ORPC extension of our own, beside the answers of methods.

A method's answer has room for an HRESULT, and for nothing that explains it; an enumerator's has none for progress.
[MS-DCOM] 2.2.21 lets anybody define extensions, and has everybody pass over those that they do not know. Not all who
call themselves clients do (wire.md 5.2): this one is sent to whoever has asked for it with the same extension, and to
nobody else.

| in | data |
|---|---|
| ORPCTHIS | `u32` flags: 1 progress is wanted, too; what else may be set is ignored |
| ORPCTHAT | `u32 count`, then as often the [in] parameters of IWbemObjectSink::SetStatus, oldest first |

What a request asks for holds for its own answer, and for those of the enumerator or call result that it brings. The
last report may be final (flags 0): then its status is the operation's, its text what GetResultString would give, or,
where a method failed without an error object, a sentence about it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.contract.flags import WBEM_STATUS_COMPLETE, WBEM_STATUS_PROGRESS
from openwmi.wire.dcom.orpc import NO_THAT, Extent, OrpcThat, OrpcThis
from openwmi.wire.errors import BAD_STUB_DATA, PeerMisbehaved
from openwmi.wire.ndr import NdrReader, NdrWriter
from openwmi.wire.wmi.guids import EXTENT_Reports
from openwmi.wire.wmi.results import SET_STATUS, SetStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

CLAUSE: Final = "wire.wmi.reports"
# Of one answer: reports of progress, beside which there may be a final one; characters of a text; bytes of an error
# object, and of all together, which the others add up to.
MOST: Final = 64
TEXT: Final = 2048
_OBJECT: Final = 256 << 10
LARGEST: Final = 1 << 20
_PROGRESS: Final = 1


class Asked(NamedTuple):
    """What a client wants to hear besides how things end."""

    progress: bool = False


ASK: Final = (Extent(EXTENT_Reports, (0).to_bytes(4, "little")),)
ASK_PROGRESS: Final = (Extent(EXTENT_Reports, _PROGRESS.to_bytes(4, "little")),)


def asked(this: OrpcThis | None) -> Asked | None:
    """Whether a request asks for reports, and for which."""
    data = None if this is None else _data(this.extensions)
    if data is None:
        return None
    return Asked(bool(flags_of(data) & _PROGRESS))


def flags_of(data: bytes) -> int:
    """What the data of a request's extension say; too few of them say nothing."""
    return int.from_bytes(data[:4], "little") if len(data) >= 4 else 0


def _data(extensions: tuple[Extent, ...] | None) -> bytes | None:
    return next((one.data for one in extensions or () if one.id == EXTENT_Reports), None)


def telling(reports: Sequence[SetStatus]) -> OrpcThat:
    """ORPCTHAT with these reports. Of more than MOST the newest; what is too long for its bound is cut or left out."""
    if not reports:
        return NO_THAT
    told = reports[-MOST:]
    writer = NdrWriter()
    writer.u32(len(told))
    for report in told:
        SET_STATUS.request.write(writer, _bounded(report))
    return OrpcThat(extensions=(Extent(EXTENT_Reports, bytes(writer)),))


def _bounded(report: SetStatus) -> SetStatus:
    if report.text is not None and len(report.text) > TEXT:
        report = replace(report, text=report.text[: TEXT - 3] + "...")
    if report.error is not None and len(report.error) > _OBJECT:
        report = replace(report, error=None)
    return report


def told(that: OrpcThat) -> tuple[SetStatus, ...]:
    """The reports that come with an answer; PeerMisbehaved where they are not what they should be."""
    data = _data(that.extensions)
    return () if data is None else read(data)


def read(data: bytes) -> tuple[SetStatus, ...]:
    """The reports in the data of an extension."""
    if len(data) > LARGEST:
        raise PeerMisbehaved(f"reports of {len(data)} bytes", CLAUSE, status=BAD_STUB_DATA)
    reader = NdrReader(data, CLAUSE)
    count = reader.u32()
    if count > MOST + 1:
        raise PeerMisbehaved(f"{count} reports at once", CLAUSE, status=BAD_STUB_DATA)
    reports = tuple([SET_STATUS.request.read(reader) for _ in range(count)])
    for at, report in enumerate(reports, 1):
        last = report.flags == WBEM_STATUS_COMPLETE and at == count
        if not last and report.flags != WBEM_STATUS_PROGRESS:
            raise PeerMisbehaved(
                f"report {at} of {count} has flags {report.flags}", CLAUSE, status=BAD_STUB_DATA
            )
    return reports
