"""One consumer: the queue of its events, and their delivery to its provider, one call at a time and in order.

    offered -> waits (bounded by bytes) -> delivered
                                        -> failed: told to the reports, with every event of the call
                                        -> asks for another attempt: waits again, in front
    offered while there is no room: dropped, told to the reports

A provider that does not answer in time fails the events it was given, and its thread is left behind. The time is
sink_patience, and longer where the provider says so for a delivery (EventConsumerProvider, delivery_limit). After
MOST_ABANDONED such threads nothing more is given to it until one of them comes back: its events wait, and in the end
overflow, which is told like everything else. Nobody but this consumer notices.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.contract.provider import Delivery
from openwmi.model.errors import error
from openwmi.model.names import is_machine
from openwmi.model.status import (
    WBEM_E_NOT_SUPPORTED,
    WBEM_E_PROVIDER_NOT_CAPABLE,
    WBEM_E_PROVIDER_TIMED_OUT,
    WBEM_E_RETRY_LATER,
    WBEM_E_SERVER_TOO_BUSY,
)
from openwmi.service.faults import provider_fault
from openwmi.service.weights import weight

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from openwmi.contract.caller import Caller
    from openwmi.model.errors import WbemError
    from openwmi.model.instances import Instance
    from openwmi.service.core import Service
    from openwmi.service.hosting import HostedProvider
    from openwmi.service.permanent.reports import Reports
    from openwmi.service.permanent.route import Route
    from openwmi.service.permanent.stored import EventConsumer

# Waits before the second, third and fourth attempt, in seconds.
DELAYS: Final = (1.0, 4.0, 16.0)
MOST_ABANDONED: Final = 4
_AGAIN: Final = frozenset((WBEM_E_RETRY_LATER, WBEM_E_SERVER_TOO_BUSY))


class Budget:
    """Bytes that the queues of all consumers share (E-08, H8)."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0


class Waiting(NamedTuple):
    """An event on its way to a consumer."""

    event: Instance
    route: Route
    publisher: Caller | None
    weight: int


class _Attempt:
    """One call of the provider. over: its answer interests nobody any more."""

    __slots__ = ("events", "over", "patience", "request", "task", "timer")

    def __init__(self, events: list[Waiting], patience: float) -> None:
        self.events = events
        self.patience = patience
        self.request: Delivery | None = None
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.over = False


class Channel:
    """Everything here runs on the service's loop, but what is said to run on a thread."""

    def __init__(self, service: Service, consumer: EventConsumer, budget: Budget, reports: Reports) -> None:
        self._service = service
        self._loop = service.loop
        self.consumer = consumer
        self._budget = budget
        self._reports = reports
        self._queue: deque[Waiting] = deque()
        self.size = 0
        self._hosted: HostedProvider | None = None
        self._attempt: _Attempt | None = None
        self._failures = 0
        self._pause: asyncio.TimerHandle | None = None
        self._abandoned = 0
        self._stopped = False
        self._idle: asyncio.Future[None] | None = None

    @property
    def limit(self) -> int:
        """Bytes that may wait (E-58)."""
        return self.consumer.instance.raw_("MaximumQueueSize") or self._budget.limit

    @property
    def waiting(self) -> int:
        """How many events are on their way."""
        return len(self._queue) + (len(self._attempt.events) if self._attempt is not None else 0)

    def becomes(self, consumer: EventConsumer) -> None:
        """The consumer has changed in the store; what waits is for the one it is now."""
        self.consumer = consumer
        self.reload()

    def reload(self) -> None:
        """Its provider may be another one now."""
        self._hosted = None

    # In

    def offer(self, event: Instance, route: Route, publisher: Caller | None = None) -> None:
        """Have an event delivered, or reported when there is no room for it. One that comes alone always has room."""
        one = Waiting(event, route, publisher, weight(event))
        if self.size and (
            self.size + one.weight > self.limit or self._budget.used + one.weight > self._budget.limit
        ):
            self._reports.overflowed(self.consumer, one, self.size)
            return
        self._queue.append(one)
        self._weigh(one.weight)
        self._advance()

    def _weigh(self, change: int) -> None:
        self.size += change
        self._budget.used += change
        if self._queue and self._queue[-1].route.binding.slows and self.size > self.limit // 2:
            self._reports.congested(self, slow=True)
        elif self.size <= self.limit // 4:
            self._reports.congested(self, slow=False)

    # Out

    def _advance(self) -> None:
        """Give the provider the next events, unless it is busy, has to be waited for, or is beyond hope."""
        if self._attempt is not None or self._pause is not None or self._stopped:
            return
        if not self._queue:
            if self._idle is not None and not self._idle.done():
                self._idle.set_result(None)
            return
        if self._abandoned >= MOST_ABANDONED:
            return
        attempt = self._attempt = _Attempt(self._taken(), self._service.settings.sink_patience)
        attempt.timer = self._loop.call_later(attempt.patience, self._on_expired, attempt)
        if self._hosted is None:
            self._service.planner.submit(lambda: self._resolve(attempt))
        else:
            self._begin(attempt, self._hosted)

    def _taken(self) -> list[Waiting]:
        """The events of the next call: as many of one route as the provider likes, or one (synchronous delivery)."""
        first = self._queue.popleft()
        events = [first]
        most = 1
        if self._hosted is not None and not first.route.binding.synchronous:
            most = self._hosted.batch
        while len(events) < most and self._queue:
            following = self._queue[0]
            if following.route is not first.route or following.publisher != first.publisher:
                break
            events.append(self._queue.popleft())
        return events

    def _resolve(self, attempt: _Attempt) -> None:
        """On a thread: find the provider of the consumer's class."""
        consumer = self.consumer
        failure: BaseException | None = None
        hosted: HostedProvider | None = None
        try:
            class_ = consumer.instance.class_
            assert class_ is not None
            hosted = consumer.space.providers.consumer(class_)
        except Exception as reason:  # noqa: BLE001 - a registration may be anything
            failure = reason
        self._tell(self._resolved, attempt, hosted, failure)

    def _resolved(
        self, attempt: _Attempt, hosted: HostedProvider | None, failure: BaseException | None
    ) -> None:
        if attempt.over:
            self._returned()
            return
        if hosted is None:
            assert failure is not None
            self._done(attempt, failure)
            return
        self._hosted = hosted
        self._begin(attempt, hosted)

    def _begin(self, attempt: _Attempt, hosted: HostedProvider) -> None:
        consumer, route = self.consumer.instance, attempt.events[0].route
        role, actor = hosted.role("consume"), route.binding.actor
        if role is None or consumer.class_ is None or actor is None:
            message = f"provider {hosted.name} does not take events for {consumer.classname_}"
            self._done(attempt, error(WBEM_E_PROVIDER_NOT_CAPABLE, message))
            return
        if not is_machine(consumer.raw_("MachineName"), self.consumer.space.server):
            message = f"events are not sent to another machine ({consumer.MachineName})"
            self._done(attempt, error(WBEM_E_NOT_SUPPORTED, message, parameter="MachineName"))
            return
        attempt.request = Delivery(
            consumer.class_,
            caller=actor,
            publisher=attempt.events[0].publisher if route.binding.maintains else None,
            late=lambda failure: self._tell(self._late, attempt, failure),
            singleton=self._service.namespaces.singleton,
        )

        def work() -> None:
            self._work(attempt, role, hosted)

        if hosted.blocking:
            hosted.threads.submit(work)
        else:
            self._loop.call_soon(work)

    def _work(self, attempt: _Attempt, role: Callable[..., Any], hosted: HostedProvider) -> None:
        """On a thread of the provider; on the loop when it says that it does not block."""
        failure: BaseException | None = None
        try:
            self._ask_limit(attempt, hosted)
            events = tuple(one.event for one in attempt.events)
            answer = role(attempt.request, self.consumer.instance, events)
            if hasattr(answer, "__await__"):
                self._tell(self._await, attempt, answer)
                return
        except BaseException as reason:  # noqa: BLE001 - on a thread nobody else would hear of it
            failure = reason
        self._tell(self._done, attempt, failure)

    def _ask_limit(self, attempt: _Attempt, hosted: HostedProvider) -> None:
        """Where work does: how long the delivery may take by the provider's own rules."""
        limit = hosted.role("delivery_limit")
        seconds = None if limit is None else limit(attempt.request, self.consumer.instance)
        if seconds:
            self._tell(self._prolong, attempt, seconds * len(attempt.events))

    def _prolong(self, attempt: _Attempt, seconds: float) -> None:
        """The provider ends the call by itself after so long, and has the usual time to say so."""
        if attempt.over:
            return
        if attempt.timer is not None:
            attempt.timer.cancel()
        attempt.patience = seconds + self._service.settings.sink_patience
        attempt.timer = self._loop.call_later(attempt.patience, self._on_expired, attempt)

    def _await(self, attempt: _Attempt, answer: Any) -> None:
        if attempt.over:
            answer.close()
            self._returned()
            return
        attempt.task = self._loop.create_task(self._awaited(attempt, answer))

    async def _awaited(self, attempt: _Attempt, answer: Any) -> None:
        failure: BaseException | None = None
        try:
            await answer
        except Exception as reason:  # noqa: BLE001 - a provider may raise anything
            failure = reason
        self._done(attempt, failure)

    def _done(self, attempt: _Attempt, failure: BaseException | None) -> None:
        if attempt.over:
            self._returned()
            return
        self._settle(attempt)
        if failure is None:
            self._failures = 0
            self._free(attempt.events)
            self._reports.delivered([one.route for one in attempt.events])
        else:
            self._on_failure(attempt, failure)
        self._advance()

    def _on_failure(self, attempt: _Attempt, failure: BaseException) -> None:
        fault = self._fault(failure)
        if fault.code in _AGAIN and self._failures < len(DELAYS) and not self._stopped:
            self._queue.extendleft(reversed(attempt.events))
            self._pause = self._loop.call_later(DELAYS[self._failures], self._resume)
            self._failures += 1
            return
        self._failures = 0
        self._free(attempt.events)
        self._reports.failed(self.consumer, attempt.events, fault)

    def _resume(self) -> None:
        self._pause = None
        self._advance()

    def _on_expired(self, attempt: _Attempt) -> None:
        """The provider has had its time."""
        self._abandon(attempt)
        self._free(attempt.events)
        message = f"the consumer did not take the event within {attempt.patience:g} s"
        self._reports.failed(self.consumer, attempt.events, error(WBEM_E_PROVIDER_TIMED_OUT, message))
        self._advance()

    def _abandon(self, attempt: _Attempt) -> None:
        """Wait for the provider no longer; a coroutine ends, a thread is left behind."""
        self._settle(attempt)
        self._abandoned += 1
        if attempt.request is not None:
            attempt.request.cancel()
        if attempt.task is not None:
            attempt.task.cancel()
            self._abandoned -= 1

    def _settle(self, attempt: _Attempt) -> None:
        attempt.over = True
        if attempt.timer is not None:
            attempt.timer.cancel()
        if self._attempt is attempt:
            self._attempt = None

    def _returned(self) -> None:
        """A thread that was left behind has come back."""
        self._abandoned -= 1
        self._advance()

    def _late(self, attempt: _Attempt, failure: BaseException) -> None:
        """Something that the provider had taken over has failed after all."""
        if not self._stopped:
            self._reports.failed(self.consumer, attempt.events, self._fault(failure))

    def _fault(self, failure: BaseException) -> WbemError:
        name = self._hosted.name if self._hosted is not None else self.consumer.instance.classname_
        return provider_fault(failure, name, self.consumer.path)

    def _free(self, events: Sequence[Waiting]) -> None:
        self._weigh(-sum([one.weight for one in events]))

    def _tell(self, function: Callable[..., object], *arguments: Any) -> None:
        """Have something done on the loop, from any thread."""
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the service has ended
            self._stopped = True

    # The end

    async def drained(self) -> None:
        """Wait until nothing is on its way any more."""
        while self.waiting and not self._stopped:
            self._idle = self._loop.create_future()
            await self._idle

    def leave(self, route: Route) -> None:
        """A binding is gone, and with it what waits because of it."""
        gone = [one for one in self._queue if one.route is route]
        if gone:
            self._queue = deque(one for one in self._queue if one.route is not route)
            self._free(gone)
            self._reports.dropped(self.consumer, gone, "its binding is gone")

    def stop(self, why: str) -> None:
        """Deliver no more; what waits is dropped, and told."""
        self._stopped = True
        if self._pause is not None:
            self._pause.cancel()
        lost = list(self._queue)
        if self._attempt is not None:
            lost[:0] = self._attempt.events
            self._abandon(self._attempt)
        self._queue.clear()
        self._free(lost)
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)
        if lost:
            self._reports.dropped(self.consumer, lost, why)
