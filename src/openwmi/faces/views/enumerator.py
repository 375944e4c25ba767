"""IEnumWbemClassObject: a result set read in portions, from any number of positions (calls.md F.1).

Requests are served strictly in the order they came, from one position (F15, F20). Next and Skip wait their time at
most; NextAsync waits in the queue; Reset takes effect in its turn, so that it disturbs nothing before it (F17).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from openwmi.contract.flags import (
    WBEM_FLAG_FORWARD_ONLY,
    WBEM_FLAG_RETURN_IMMEDIATELY,
    WBEM_FLAG_SEND_STATUS,
)
from openwmi.contract.operations import ExecNotificationQuery
from openwmi.contract.outcome import Outcome
from openwmi.faces.views.events import in_force
from openwmi.faces.views.limits import HELD, admitted, counted, seconds, source_flags
from openwmi.faces.views.queued import Queued
from openwmi.faces.views.results import ResultSet
from openwmi.model.errors import error
from openwmi.model.status import (
    WBEM_E_CALL_CANCELLED,
    WBEM_E_INVALID_OPERATION,
    WBEM_E_INVALID_PARAMETER,
    WBEM_S_FALSE,
    WBEM_S_NO_ERROR,
    WBEM_S_TIMEDOUT,
)

if TYPE_CHECKING:
    from openwmi.contract.caller import Caller
    from openwmi.contract.context import Context
    from openwmi.contract.operations import AnyOperation
    from openwmi.contract.services import Services, Sink
    from openwmi.faces.views.reports import Reports
    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance


class _Request:
    """`count` objects wanted, or one of the other methods waiting its turn. `status` None: not served yet."""

    __slots__ = ("count", "objects", "queued", "skips", "status", "taken", "waiter")

    def __init__(self, count: int, *, skips: bool = False) -> None:
        self.count = count
        self.skips = skips
        self.taken = 0
        self.objects: list[Instance | Class] = []
        self.status: int | None = None
        self.queued: Queued | None = None
        self.waiter: asyncio.Future[None] | None = None


_RESET = _Request(0)


class Enumerator:
    """One position in a result set. Every method: ACCESS_DENIED to a caller who is not its maker (F1)."""

    __slots__ = ("_last", "_loop", "_queue", "_released", "_results", "caller", "position")

    def __init__(
        self, results: ResultSet, caller: Caller, loop: asyncio.AbstractEventLoop, position: int = 0
    ) -> None:
        self.caller = caller
        self.position = position
        self._results = results
        self._loop = loop
        self._queue: deque[_Request] = deque()
        self._last: Queued | None = None
        self._released = False
        results.join(self)

    @classmethod
    async def start(
        cls,
        services: Services,
        operation: AnyOperation,
        flags: int = 0,
        context: Context | None = None,
        *,
        held: int = HELD,
        progress: bool = False,
    ) -> Enumerator:
        """The synchronous or, with RETURN_IMMEDIATELY, the semisynchronous form of an operation that enumerates.

        Semisynchronous: comes back as soon as the operation is accepted; later failures appear at Next (B11, F11). A
        subscription comes back once it is in force, and raises what is wrong with its query (B86).
        Synchronous: collects everything first and raises the operation's failure (B10).

        progress: have `reports` of it, for each of which a Next that waits comes back.
        """
        semisync = bool(flags & WBEM_FLAG_RETURN_IMMEDIATELY)
        source = source_flags(operation, flags, "semisync" if semisync else "sync")
        if progress:
            source |= WBEM_FLAG_SEND_STATUS
        results = ResultSet(forward=semisync and bool(flags & WBEM_FLAG_FORWARD_ONLY), held=held)
        self = cls(results, services.caller, services.loop)
        call = await services.start(operation, results, source, context)
        results.attach(call)
        subscribes = isinstance(operation, ExecNotificationQuery)
        if semisync and not subscribes:
            self.changed()
            return self
        try:
            await (in_force(call) if subscribes else call)
        except asyncio.CancelledError:
            await self.release()
            raise
        if results.outcome is not None and not results.outcome.ok:
            await self.release()
            results.outcome.raise_()
        results.forward = bool(flags & WBEM_FLAG_FORWARD_ONLY)
        return self

    @property
    def outcome(self) -> Outcome | None:
        """How the operation ended; None while it runs."""
        return self._results.outcome

    @property
    def kept(self) -> int:
        """How many objects its result set holds now; clones share them."""
        return self._results.kept

    @property
    def reports(self) -> Reports:
        """Of progress; clones share them."""
        return self._results.reports

    async def next(
        self, timeout: int, count: int, *, caller: Caller | None = None
    ) -> tuple[int, list[Instance | Class]]:
        """(status, objects): WBEM_S_NO_ERROR with exactly `count`; WBEM_S_FALSE at the end, with fewer or none;
        WBEM_S_TIMEDOUT with what was there in time (F3). `timeout` in milliseconds (F6, F7); `count` 0 gives nothing.

        A failed operation raises once its objects are read (F9); where some were left for this call, they come with
        WBEM_S_TIMEDOUT, which never means the end (F4). After the end the same answer repeats (F10).
        """
        self._check(caller)
        patience = seconds(timeout)
        request = _Request(counted(count))
        if not count:
            return WBEM_S_NO_ERROR, []
        return await self._answer(request, patience), request.objects

    def ahead(self, most: int) -> list[Instance | Class]:
        """What `next` would give at once, up to so many objects, left unread; nothing where others wait before."""
        if self._queue or self._released:
            return []
        results = self._results
        return results.objects(self.position, min(most, results.arrived - self.position))

    def passes(self, count: int) -> bool:
        """Read so many objects without looking at them, where `next` would give them at once; whether it did."""
        if self._queue or self._released or self._results.arrived - self.position < count:
            return False
        self.position += count
        self._results.passed(self.position)
        self._results.want(self.position, 0)
        return True

    async def skip(self, timeout: int, count: int, *, caller: Caller | None = None) -> int:
        """WBEM_S_NO_ERROR, WBEM_S_FALSE past the end, WBEM_S_TIMEDOUT when too few came in time (F13)."""
        self._check(caller)
        patience = seconds(timeout)
        request = _Request(counted(count), skips=True)
        return await self._answer(request, patience)

    async def next_async(self, count: int, sink: Sink | None, *, caller: Caller | None = None) -> int:
        """Queue a request for `count` objects: the sink hears of them in one call, then WBEM_S_NO_ERROR,
        WBEM_S_FALSE or the operation's failure (F15). WBEM_S_FALSE, and the sink unused, for no objects and when the
        end is known to have been reached (F14, F16)."""
        self._check(caller)
        counted(count)
        if sink is None:
            raise error(WBEM_E_INVALID_PARAMETER, "NextAsync: the sink is NULL", parameter="pSink")
        results = self._results
        ended = results.outcome is not None and results.outcome.ok
        if not count or (ended and not self._queue and self.position >= results.arrived):
            return WBEM_S_FALSE
        request = _Request(count)
        request.queued = Queued(sink, self.caller.sid, self._loop, lambda: self._withdraw(request))
        self._queue.append(request)
        self.changed()
        return WBEM_S_NO_ERROR

    async def reset(self, *, caller: Caller | None = None) -> int:
        """Back to the first object; INVALID_OPERATION where objects are read once only (F19)."""
        self._check(caller)
        self._check_direction("Reset")
        self._queue.append(_RESET)
        self.changed()
        return WBEM_S_NO_ERROR

    async def clone(self, *, caller: Caller | None = None) -> Enumerator:
        """A second position over the same result set, without the requests that wait here (F17, F18)."""
        self._check(caller)
        self._check_direction("Clone")
        return Enumerator(self._results, self.caller, self._loop, self.position)

    async def release(self) -> None:
        """Nothing that waits here is served any more; with the last clone the operation is cancelled (F22, F23)."""
        if self._released:
            return
        self._released = True
        waiting, self._queue = self._queue, deque()
        for request in waiting:
            if request.queued is not None:
                request.queued.cancel()
            elif request.waiter is not None:
                _wake(request.waiter)
        await self._results.leave(self)

    # Serving

    def changed(self) -> None:
        """Serve what can be served; let the provider go on where that is not enough."""
        while self._queue and self._serve(self._queue[0]):
            self._queue.popleft()
        head = self._queue[0].count if self._queue else 0
        self._results.want(self.position, head)

    def reported(self) -> None:
        """A Next that waits comes back, with what there is: whoever sent it hears of the progress at once."""
        head = self._queue[0] if self._queue else None
        if head is not None and head.waiter is not None and not head.skips:
            _wake(head.waiter)

    def _serve(self, request: _Request) -> bool:
        if request is _RESET:
            self.position = 0
            return True
        results = self._results
        if request.skips:
            self._take(request)
            enough = request.taken == request.count
        else:
            # A request that is larger than may be held at once gets what may be, and asks again.
            most = min(request.count, results.held) if results.forward else request.count
            enough = results.arrived - self.position >= most
        if not enough and results.outcome is None:
            return False
        self._finish(request)
        return True

    def _take(self, request: _Request) -> None:
        """Give the request what is there, as far as it wants it."""
        results = self._results
        count = min(results.arrived - self.position, request.count - request.taken)
        if count and not request.skips:
            request.objects = results.objects(self.position, count)
        request.taken += count
        self.position += count
        results.passed(self.position)

    def _finish(self, request: _Request) -> None:
        self._take(request)
        outcome = self._results.outcome
        if request.taken == request.count:
            request.status = WBEM_S_NO_ERROR
        elif outcome is None:
            request.status = WBEM_S_TIMEDOUT
        else:
            request.status = WBEM_S_FALSE if outcome.ok else outcome.status
        if request.waiter is not None:
            _wake(request.waiter)
        if request.queued is not None:
            self._deliver(request.queued, request, outcome)

    def _deliver(self, queued: Queued, request: _Request, outcome: Outcome | None) -> None:
        status = request.status or WBEM_S_NO_ERROR
        final = outcome if outcome is not None and outcome.status == status else Outcome(status)
        queued.serve(request.objects, final, None if self._last is None else self._last.finished)
        self._last = queued

    async def _answer(self, request: _Request, patience: float | None) -> int:
        """Wait for the request's turn and its objects; the status it ends with, or the operation's failure."""
        self._queue.append(request)
        self.changed()
        waits = request.skips or not self._results.reports
        if request.status is None and patience != 0 and waits:
            await self._wait(request, patience)
        if self._released:
            raise error(WBEM_E_CALL_CANCELLED, "the enumerator was released meanwhile")
        if request.status is None:
            if self._queue[0] is request:
                self._take(request)
            self._leave(request)
            return WBEM_S_TIMEDOUT
        outcome = self._results.outcome
        if outcome is None or outcome.ok or request.status != outcome.status:
            return request.status
        if request.taken:
            return WBEM_S_TIMEDOUT
        raise outcome.as_error()

    async def _wait(self, request: _Request, patience: float | None) -> None:
        waiter = request.waiter = self._loop.create_future()
        timer = None if patience is None else self._loop.call_later(patience, _wake, waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            self._leave(request)
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _leave(self, request: _Request) -> None:
        """Take a request out of the queue; those behind it may be served now."""
        if request in self._queue:
            self._queue.remove(request)
            self.changed()

    def _withdraw(self, request: _Request) -> None:
        """A request of NextAsync was cancelled before it was served (D1)."""
        if request.status is None and request.queued is not None:
            self._leave(request)
            request.status = WBEM_E_CALL_CANCELLED
            request.queued.serve((), Outcome(WBEM_E_CALL_CANCELLED), None)

    def _check(self, caller: Caller | None) -> None:
        admitted(self.caller, caller)
        if self._released:
            raise error(WBEM_E_CALL_CANCELLED, "the enumerator was released")

    def _check_direction(self, method: str) -> None:
        if self._results.forward:
            raise error(
                WBEM_E_INVALID_OPERATION, f"{method}: the enumerator is forward-only", operation=method
            )


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
