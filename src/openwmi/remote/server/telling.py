"""What answers say beside their HRESULTs, to clients that ask for it: what a sink of theirs would hear (B25, B27, G9).

A request that asks hears why it failed; the enumerator or the call result that it brings goes on telling (`Listening`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.contract.flags import WBEM_STATUS_COMPLETE, WBEM_STATUS_PROGRESS
from openwmi.model.errors import WmiError
from openwmi.wire.dcom.orpc import NO_THAT
from openwmi.wire.wmi.reports import asked, telling
from openwmi.wire.wmi.results import SetStatus
from openwmi.wire.wmi.types import reference_to

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openwmi.contract.outcome import Outcome, Progress
    from openwmi.model.errors import WbemError
    from openwmi.model.instances import Instance
    from openwmi.remote.inbound import Incoming
    from openwmi.wire.dcom.orpc import OrpcThat


def explained(target: Any, incoming: Incoming, failure: WbemError) -> OrpcThat:
    """Why a method failed: the error object, or a sentence where there is none."""
    if asked(incoming.this) is None and not getattr(target, "listened", False):
        return NO_THAT
    details = _object(failure.extended)
    return telling((final(failure.code, None if details else failure.message, details),))


def ended(outcome: Outcome) -> SetStatus:
    """The final status of an operation."""
    return final(outcome.status, outcome.text, _object(outcome.error))


def final(status: int, text: str | None, details: bytes | None) -> SetStatus:
    return SetStatus(WBEM_STATUS_COMPLETE, status, text, details)


def _object(details: Instance | None) -> bytes | None:
    """An error object as it travels; a provider's own may have no such form."""
    try:
        return None if details is None else reference_to(details)
    except WmiError:
        return None


def underway(reports: Iterable[Progress]) -> list[SetStatus]:
    """Reports of progress."""
    return [SetStatus(WBEM_STATUS_PROGRESS, one.hresult, one.message) for one in reports]
