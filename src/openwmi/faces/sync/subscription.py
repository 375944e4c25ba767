# Written from openwmi/faces/aio/subscription.py by tools/generate_sync.py: change that one.
"""Events as they happen: what `subscribe` gives."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from openwmi.faces.options import chosen
from openwmi.faces.session import as_context
from openwmi.faces.sync.bridge import Gate, wind_up
from openwmi.faces.views.events import EventBuffer
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_OPERATION, WBEM_E_INVALID_PARAMETER, WBEM_E_TIMED_OUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from openwmi.contract.context import Context
    from openwmi.faces.options import Overflow
    from openwmi.faces.session import Session
    from openwmi.model.instances import Instance


class Subscription:
    """A subscription, in force between `with` and its end; events are read with `for`, which ends only with
    the subscription: with a failure, or CallCancelled when it or the connection is closed.

    timeout: how long the service may take to bring it into force, in seconds: with polling that takes one reading of
    the class. Waiting for an event has no limit.
    """

    def __init__(
        self,
        session: Session,
        query: str,
        *,
        max_queue: int,
        overflow: Overflow,
        context: Mapping[str, object] | Context | None,
        timeout: float | None,
    ) -> None:
        chosen("overflow", overflow)
        if not isinstance(max_queue, int) or max_queue < 1:
            raise error(
                WBEM_E_INVALID_PARAMETER,
                f"max_queue is a number of events, not {max_queue!r}",
                parameter="max_queue",
            )
        self._session = session
        self._options: Any = {"most": max_queue, "overflow": overflow}
        self._context = as_context(context)
        self._timeout = timeout
        self._gate: Gate | None = None
        self._buffer: EventBuffer | None = None
        self.query = query

    @property
    def lost(self) -> int:
        """How many events were dropped because too many waited; each of the `gaps` counts as one more."""
        return 0 if self._buffer is None else self._buffer.lost

    @property
    def gaps(self) -> int:
        """How often the connection to another machine broke and the subscription began anew; nobody knows what happened
        there meanwhile."""
        return 0 if self._buffer is None else self._buffer.gaps

    def __enter__(self) -> Subscription:
        """Subscribe: whatever happens after this is heard. Raises what the service finds wrong with the query."""
        self._gate = Gate()
        self._buffer = buffer = EventBuffer(
            self._session, self.query, self._context, wake=self._gate.wake, **self._options
        )
        buffer.begin()
        try:
            while not buffer.accepted and not buffer.ended:
                if not self._gate.wait(self._timeout):
                    raise error(WBEM_E_TIMED_OUT, f"the service did not answer within {self._timeout:g} s")
            self._check()
        except BaseException:
            buffer.leave()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        """Unsubscribe."""
        if self._buffer is not None:
            wind_up(self._session.loop, self._buffer.end)

    def __del__(self) -> None:
        if getattr(self, "_buffer", None) is not None:
            self._buffer.leave()  # type: ignore[union-attr]

    def __iter__(self) -> Iterator[Instance]:
        return self

    def __next__(self) -> Instance:
        """The next event, whenever it comes. Giving up the waiting loses nothing."""
        event = self._next(None)
        assert event is not None  # what waits without end does not come back without
        return event

    def next(self, timeout: float) -> Instance | None:
        """The next event, or None when none has come within `timeout` seconds."""
        return self._next(monotonic() + timeout)

    def _next(self, until: float | None) -> Instance | None:
        gate, buffer = self._gate, self._buffer
        if gate is None or buffer is None:
            raise error(WBEM_E_INVALID_OPERATION, "a subscription is opened with `with`")
        while True:
            ended = buffer.ended  # looked at first: what came before the end is there by then
            event = buffer.read()
            if event is not None:
                return event
            if ended:
                self._check()
                raise StopIteration
            left = None if until is None else until - monotonic()
            if (left is not None and left <= 0) or not gate.wait(left):
                return buffer.read()

    def _check(self) -> None:
        """Raise the failure of the subscription, where there is one."""
        failure = None if self._buffer is None else self._buffer.failure()
        if failure is not None:
            raise failure
