"""What becomes of events is told: counted for each binding, logged, and raised as events in their turn (E-08, E-57).

    __ConsumerFailureEvent       a consumer failed; with the event, the code and its explanation
    __EventQueueOverflowEvent    there was no room for an event
    __EventDroppedEvent          an event was given up; without one: nobody knows which events there were

They are raised in the consumer's namespace, for administrators alone. None is raised about an event that is such a
report itself, or a failing consumer of reports would never come to rest.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from openwmi.service.events.admission import ADMINISTRATORS_ONLY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from openwmi.model.errors import WbemError
    from openwmi.model.instances import Instance
    from openwmi.service.core import Service
    from openwmi.service.namespaces import Namespace
    from openwmi.service.permanent.channel import Channel, Waiting
    from openwmi.service.permanent.route import Route
    from openwmi.service.permanent.states import States
    from openwmi.service.permanent.stored import EventConsumer

# A line of the log for the same consumer comes not more often than this; the next one says what was left out.
QUIET_SECONDS: Final = 10.0
_UINT32: Final = 0xFFFFFFFF
_LOG: Final = logging.getLogger("openwmi.events")


class Reports:
    """Hears from channels and filters; everything runs on the service's loop."""

    def __init__(self, service: Service, states: States) -> None:
        self._service = service
        self._states = states
        self._said: dict[str, tuple[float, int]] = {}

    # What happens

    def activated(self, routes: Iterable[Route], trouble: str | None) -> None:
        """A filter works, or does not."""
        for route in routes:
            route.reason = trouble
        self._states.changed(soon=True)

    def delivered(self, routes: Iterable[Route]) -> None:
        now = self._service.exchange.clock()
        for route in routes:
            route.delivered += 1
            route.last_delivery = now
        self._states.changed()

    def failed(self, consumer: EventConsumer, events: Sequence[Waiting], fault: WbemError) -> None:
        """A consumer did not do what it was to do with these events."""
        self._note([one.route for one in events], fault.code, fault.message)
        for one in events:
            one.route.failed += 1
        self._log(consumer, len(events), f"a consumer failed: {fault.message}", fault.code)
        space = consumer.space
        if self._heard(space, "__ConsumerFailureEvent"):
            details = self._details(space, fault)
            for one in events:
                values = {
                    "ErrorCode": fault.code,
                    "ErrorDescription": fault.message,
                    "ErrorObject": details,
                }
                self._raise(consumer, "__ConsumerFailureEvent", one.event, values)

    def overflowed(self, consumer: EventConsumer, one: Waiting, size: int) -> None:
        """There is no room for one more event."""
        text = f"{size} bytes of events wait for the consumer; this one is dropped"
        self._note([one.route], None, text)
        one.route.dropped += 1
        self._log(consumer, 1, "a consumer does not keep up: events are dropped", None)
        if self._heard(consumer.space, "__EventQueueOverflowEvent"):
            values = {"CurrentQueueSize": min(size, _UINT32)}
            self._raise(consumer, "__EventQueueOverflowEvent", one.event, values)

    def dropped(self, consumer: EventConsumer, events: Sequence[Waiting], why: str) -> None:
        """Events are given up that nobody has tried to deliver, or of which nobody knows whether they were."""
        self._note([one.route for one in events], None, f"events were dropped: {why}")
        for one in events:
            one.route.dropped += 1
        self._log(consumer, len(events), f"events were dropped: {why}", None)
        if self._heard(consumer.space, "__EventDroppedEvent"):
            for one in events:
                self._raise(consumer, "__EventDroppedEvent", one.event, {})

    def missed(self, routes: Iterable[Route], why: str) -> None:
        """Events were missed, and nobody knows which."""
        for route in routes:
            consumer = route.binding.consumer
            if consumer is not None:
                self._note([route], None, why)
                self._log(consumer, 0, f"there is a gap: {why}", None)
                if self._heard(consumer.space, "__EventDroppedEvent"):
                    self._raise(consumer, "__EventDroppedEvent", None, {})

    def congested(self, channel: Channel, *, slow: bool) -> None:
        """A consumer that wants providers slowed down cannot keep up, or can again (E-55)."""
        self._service.exchange.brake(channel, on=slow)

    # How it is told

    def _note(self, routes: Iterable[Route], code: int | None, text: str) -> None:
        now = self._service.exchange.clock()
        for route in routes:
            route.last_error, route.last_text, route.last_failure = code, text, now
        self._states.changed()

    def _log(self, consumer: EventConsumer, count: int, text: str, code: int | None) -> None:
        now = self._service.loop.time()
        last, left_out = self._said.get(consumer.path, (-QUIET_SECONDS, 0))
        if now - last < QUIET_SECONDS:
            self._said[consumer.path] = (last, left_out + 1)
            return
        if len(self._said) >= 10_000:
            self._said.clear()
        self._said[consumer.path] = (now, 0)
        fields: dict[str, Any] = {"consumer": consumer.path}
        if count:
            fields["events"] = count
        if code is not None:
            fields["code"] = f"0x{code:08X}"
        if left_out:
            fields["more"] = left_out
        _LOG.warning("%s", text, extra={"fields": fields})

    def _heard(self, space: Namespace, name: str) -> bool:
        return self._service.exchange.listening(space.path, name)

    def _details(self, space: Namespace, fault: WbemError) -> Instance:
        return space.schema.class_named("__ExtendedStatus").spawn(
            {
                "StatusCode": fault.code,
                "Description": fault.message,
                "Operation": "IndicateToConsumer",
                "ParameterInfo": fault.parameter,
                "ProviderName": getattr(fault, "provider", None),
            }
        )

    def _raise(
        self, consumer: EventConsumer, name: str, event: Instance | None, values: dict[str, Any]
    ) -> None:
        if event is not None and event.class_ is not None and event.class_.inherits_from("__SystemEvent"):
            return
        exchange = self._service.exchange
        about = {
            "Event": event,
            "IntendedConsumer": consumer.path,
            "SECURITY_DESCRIPTOR": ADMINISTRATORS_ONLY,
            **values,
        }
        exchange.raise_event(consumer.space.path, exchange.made(consumer.space, name, about))
