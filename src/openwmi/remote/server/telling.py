"""What answers say beside their HRESULTs, to clients that ask for it: what a sink of theirs would hear (B25, B27, G9).

A request that asks hears why it failed; the enumerator or the call result that it brings goes on telling: it is
`listened` to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from openwmi.contract.flags import WBEM_STATUS_COMPLETE, WBEM_STATUS_PROGRESS
from openwmi.model.errors import WmiError
from openwmi.wire.dcom.orpc import NO_THAT
from openwmi.wire.wmi.reports import asked, telling
from openwmi.wire.wmi.results import SetStatus
from openwmi.wire.wmi.types import reference_to

if TYPE_CHECKING:
    from openwmi.contract.outcome import Outcome
    from openwmi.faces.views.reports import Reports
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


class Told(Protocol):
    """What an operation comes to, as its views say it."""

    @property
    def outcome(self) -> Outcome | None: ...

    @property
    def reports(self) -> Reports: ...


def beside(view: Told, *, over: bool) -> OrpcThat:
    """What a view's answer says besides: progress since the last one; with the last one (over) how it ended, where a
    status alone does not say that."""
    reports = [SetStatus(WBEM_STATUS_PROGRESS, one.hresult, one.message) for one in view.reports.heard()]
    outcome = view.outcome
    if over and outcome is not None and (outcome.status or outcome.text):
        reports.append(final(outcome.status, outcome.text, _object(outcome.error)))
    return telling(reports)


def final(status: int, text: str | None, details: bytes | None) -> SetStatus:
    """The last report."""
    return SetStatus(WBEM_STATUS_COMPLETE, status, text, details)


def _object(details: Instance | None) -> bytes | None:
    """An error object as it travels; a provider's own may have no such form."""
    try:
        return None if details is None else reference_to(details)
    except WmiError:
        return None
