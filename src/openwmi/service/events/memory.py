"""How many bytes the events take that wait for slow consumers, of all temporary subscriptions together (calls.md H7).

Past a first threshold event providers are held up, for BRAKE_SECONDS at most; past a second one the subscription whose
events take most ends with QUEUE_OVERFLOW, and the next one, until there is room: who is slow costs only himself. What
an event takes is an estimate, and is made for those alone behind whom more than FEW events wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model.errors import error
from openwmi.model.instances import Instance
from openwmi.model.status import WBEM_E_QUEUE_OVERFLOW
from openwmi.service.weights import weight

if TYPE_CHECKING:
    from openwmi.service.events.exchange import Exchange
    from openwmi.service.events.plan import Event
    from openwmi.service.events.subscription import Subscription

FEW: Final = 64
# The sum over all slow subscriptions is made anew after so many events for any of them.
EVERY: Final = 64


class EventMemory:
    """Knows the subscriptions that are behind."""

    __slots__ = ("_exchange", "_seen", "_slow", "_weighed")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._slow: dict[Subscription, tuple[int, int]] = {}  # bytes of how many events
        self._seen = 0
        self._weighed: tuple[Event | None, int] = (None, 0)

    def behind(self, one: Subscription, event: Event) -> None:
        """One more event waits for a subscription behind more than FEW others."""
        total, count = self._slow.get(one, (0, 0))
        self._slow[one] = (total + self._weight(event), count + 1)
        self._seen += 1
        low = self._exchange.service.settings.event_memory_low
        if self._seen % EVERY == 0 or self._size(one) > low:
            self.settle()

    def forget(self, one: Subscription) -> None:
        self._slow.pop(one, None)

    def settle(self) -> None:
        """Slow providers down, let them go on, or end subscriptions, as the bytes that wait now ask for."""
        settings = self._exchange.service.settings
        for one in [one for one in self._slow if one.call.machine.waiting <= FEW]:
            del self._slow[one]
        sizes = {one: self._size(one) for one in self._slow}
        total = sum(sizes.values())
        while total > settings.event_memory_high:
            worst = max(sizes, key=sizes.__getitem__)
            total -= sizes.pop(worst)
            worst.end(
                error(
                    WBEM_E_QUEUE_OVERFLOW,
                    f"{worst.call.machine.waiting} events wait for a sink that does not take them, and all that wait"
                    f" take more than {settings.event_memory_high} bytes",
                )
            )
        self._exchange.brake(self, on=total > settings.event_memory_low)

    def _size(self, one: Subscription) -> int:
        total, count = self._slow[one]
        return total * one.call.machine.waiting // count

    def _weight(self, event: Event) -> int:
        """Of an event; that of the last one is known."""
        if self._weighed[0] is not event:
            self._weighed = (event, weight(Instance(event.class_.layout, event.row)))
        return self._weighed[1]
