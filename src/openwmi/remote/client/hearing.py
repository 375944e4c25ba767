"""What a server says beside its answers: why a method failed, how far an operation is, how it ended.

Between two of ours that is all that a sink would hear (wire.wmi.reports). Servers of Windows may send error information
beside a failure ([MS-DCOM] 2.2.21.1). What cannot be read is as if it had not been said: the answer itself counts.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.contract.flags import WBEM_STATUS_COMPLETE, WBEM_STATUS_PROGRESS
from openwmi.contract.outcome import Outcome, Progress
from openwmi.model.errors import WmiError
from openwmi.model.instances import Instance
from openwmi.model.status import failed
from openwmi.wire.dcom import objref
from openwmi.wire.dcom.errorinfo import read_error_info, reference_in
from openwmi.wire.dcom.guids import CLSID_ErrorObject
from openwmi.wire.wmi import reports
from openwmi.wire.wmi.types import object_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openwmi.calls.running import RunningCall
    from openwmi.wire.dcom.orpc import OrpcThat
    from openwmi.wire.wmi.results import SetStatus

_LOG: Final = logging.getLogger("openwmi.remote")


class Explanation(NamedTuple):
    """Of a final status: its text, and the error object."""

    text: str | None = None
    error: Instance | None = None


UNEXPLAINED: Final = Explanation()


def reported(that: OrpcThat) -> tuple[SetStatus, ...]:
    """The reports that come with an answer."""
    if that.extensions is None:
        return ()
    try:
        return reports.told(that)
    except WmiError as reason:
        _LOG.info("reports that cannot be read: %s", reason)
        return ()


def explanation(that: OrpcThat) -> Explanation:
    """What comes with the answer of a method that failed."""
    if that.extensions is None:
        return UNEXPLAINED
    told = reported(that)
    if told and told[-1].flags == WBEM_STATUS_COMPLETE and failed(told[-1].status):
        return _final(told[-1])
    return _information(that)


def tell(call: RunningCall, told: Sequence[SetStatus]) -> None:
    """Have the sink of a call hear of progress, as if the server had come to tell it."""
    for report in told:
        if report.flags == WBEM_STATUS_PROGRESS:
            call.machine.reported(Progress.from_hresult(report.status, report.text))
            call.advance()


def unheard(told: Sequence[SetStatus]) -> None:
    """Progress that nobody has asked for."""


def succeeded(status: int, told: Sequence[SetStatus]) -> Outcome:
    """How an operation ended that did not fail: with what a final report adds, where it agrees with that."""
    if told and told[-1].flags == WBEM_STATUS_COMPLETE and not failed(told[-1].status):
        return Outcome(told[-1].status, told[-1].text)
    return Outcome(status)


def _final(report: SetStatus) -> Explanation:
    """What a final report says, but for its status."""
    return Explanation(report.text, error_object(report.error))


def error_object(reference: bytes | None) -> Instance | None:
    """An error object that came by value; what is none, or cannot be read to the end, is not shown as one."""
    if reference is None:
        return None
    try:
        found = object_in(reference)
        if not isinstance(found, Instance):
            return None
        _ = found.values_, found.as_dict_()  # which is decoded when it is looked at
    except WmiError as reason:
        _LOG.info("an error object that cannot be read: %s", reason)
        return None
    return found


def _information(that: OrpcThat) -> Explanation:
    """Error information: in words, or the error object itself."""
    reference = reference_in(that.extensions)
    if reference is None:
        return UNEXPLAINED
    try:
        found = objref.decode(reference)
        if isinstance(found, objref.Custom) and found.clsid == CLSID_ErrorObject:
            return Explanation(read_error_info(found.data).description)
    except WmiError as reason:
        _LOG.info("error information that cannot be read: %s", reason)
        return UNEXPLAINED
    return Explanation(None, error_object(reference))
