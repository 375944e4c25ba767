"""A filter at work: subscribed in the name of its creator, and again after whatever ended it.

It is a sink like any other, but one that never keeps anybody waiting: what it gets goes into the queues of consumers.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from openwmi.calls.running import RunningCall
from openwmi.contract import flags as f
from openwmi.contract.outcome import Outcome
from openwmi.model.errors import WbemError, error
from openwmi.model.instances import Instance
from openwmi.model.sids import InvalidDescriptor
from openwmi.model.status import (
    WBEM_E_ACCESS_DENIED,
    WBEM_E_CALL_CANCELLED,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_QUEUE_OVERFLOW,
)
from openwmi.service.events.admission import publishes
from openwmi.service.faults import as_fault
from openwmi.service.permanent.checks import check_polling

if TYPE_CHECKING:
    import asyncio

    from openwmi.contract.caller import Caller
    from openwmi.contract.outcome import Progress
    from openwmi.model.batches import Batch
    from openwmi.service.core import Service
    from openwmi.service.events.plan import Event
    from openwmi.service.events.subscription import Subscription
    from openwmi.service.permanent.reports import Reports
    from openwmi.service.permanent.route import Route
    from openwmi.service.permanent.stored import EventFilter

# Waits before another attempt; whatever changes in the store brings one at once.
FIRST_DELAY: Final = 1.0
LONGEST_DELAY: Final = 60.0
# What WinMgmt calls it in the application log of Windows when a filter cannot be activated (E-52).
EVENT_ID: Final = 10
_LOG: Final = logging.getLogger("openwmi.events")


class ActiveFilter:
    """Everything here runs on the service's loop. Implements contract.services.Sink."""

    def __init__(self, service: Service, said: EventFilter, caller: Caller, reports: Reports) -> None:
        self._service = service
        self._reports = reports
        self.said = said
        self.caller = caller
        self.routes: dict[str, Route] = {}
        self.trouble: str | None = None
        self._call: RunningCall | None = None
        self._publisher: Caller | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._delay = FIRST_DELAY
        self._stopped = False

    def start(self) -> None:
        """Subscribe, if it is not; what is wrong is told, and tried again later."""
        if self._call is not None or self._stopped:
            return
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        call = RunningCall(self._service.calls, self, self, self.caller.sid, finish=_finished)
        self._service.calls.remember(call, counted=False)
        call.under_way = False
        self._call = call
        try:
            call.feed = self._subscribed(call)
        except Exception as failure:  # noqa: BLE001 - whatever it is, it keeps this filter from working and no other
            call.on_end(failure, 0)
            return
        self._set_trouble(None)
        self._delay = FIRST_DELAY
        call.advance()

    def _subscribed(self, call: RunningCall) -> Subscription:
        watched = self.said.watched
        assert watched is not None
        if self.said.access:
            self._check_access(self.said.access)
        if not watched.namespaces.access.granted(self.caller, watched.path) & f.WBEM_ENABLE:
            raise error(WBEM_E_ACCESS_DENIED, f"{self.caller.name} may not read {watched.path}")
        exchange = self._service.exchange
        made = exchange.subscribe(watched, self.said.query, call, self.caller, takes=self._takes)
        try:
            check_polling(made.plan, self.caller)
        except WbemError:
            made.stop()
            raise
        return made

    def _check_access(self, access: str) -> None:
        """It was checked when it was stored, but not by us if another program wrote the store."""
        try:
            publishes(access, None)
        except InvalidDescriptor as reason:
            raise error(WBEM_E_INVALID_PARAMETER, f"EventAccess is no SDDL: {reason}") from None

    def _takes(self, event: Event) -> bool:
        """Whether EventAccess lets this event in (E-60)."""
        self._publisher = event.publisher
        return not self.said.access or publishes(self.said.access, event.publisher)

    async def begun(self) -> None:
        """Wait until what happens is heard; at once when there is something wrong."""
        if self._call is not None:
            await self._call.begun()

    def stop(self) -> None:
        """Unsubscribe for good."""
        self._stopped = True
        if self._retry is not None:
            self._retry.cancel()
        call, self._call = self._call, None
        if call is not None and call.decide():
            call.advance()

    # As a sink

    def on_objects(self, batch: Batch) -> None:
        publisher = self._publisher
        for event in batch:
            assert isinstance(event, Instance)
            for route in tuple(self.routes.values()):
                if route.channel is not None:
                    route.channel.offer(event, route, publisher)

    def on_progress(self, progress: Progress) -> None:
        """Subscriptions make none (B85)."""

    def on_completed(self, outcome: Outcome) -> None:
        """The subscription has ended without being told to."""
        self._call = None
        if self._stopped or outcome.status == WBEM_E_CALL_CANCELLED:
            return
        text = outcome.text or f"0x{outcome.status:08X}"
        if outcome.status == WBEM_E_QUEUE_OVERFLOW:
            # Events could not be had. The filter goes on; that there is a gap is told.
            self._reports.missed(tuple(self.routes.values()), text)
            self._retry = self._service.loop.call_later(0, self._again)
            return
        if text != self.trouble:
            fields = {"id": EVENT_ID, "code": f"0x{outcome.status:08X}", "filter": self.said.path}
            _LOG.error("an event filter cannot be activated: %s", text, extra={"fields": fields})
        self._set_trouble(text)
        self._retry = self._service.loop.call_later(self._delay, self._again)
        self._delay = min(self._delay * 2, LONGEST_DELAY)

    def _again(self) -> None:
        self._retry = None
        self.start()

    def _set_trouble(self, text: str | None) -> None:
        self.trouble = text
        self._reports.activated(self.routes.values(), text)


def _finished(fault: BaseException | None, status: int) -> Outcome:
    """The end of a subscription with what went wrong, as this sink is told."""
    if fault is None:
        return Outcome(status)
    reason = as_fault(fault)
    return Outcome(reason.code, reason.message)
