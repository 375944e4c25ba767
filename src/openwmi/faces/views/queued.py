"""NextAsync's requests: each is a sink that gets its objects in one call, one final status, one release (F15).

They are found by (principal, sink identity) when the sink is cancelled, like the operations of the service (D1, D13).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future as ThreadFuture
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from openwmi.contract.delivery import CANCELLED
from openwmi.faces.views.limits import SINK_PATIENCE
from openwmi.model.errors import WbemError
from openwmi.model.status import WBEM_E_NOT_FOUND, failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from openwmi.contract.outcome import Outcome
    from openwmi.contract.services import Services, Sink

# How long a cancel waits for a callback that is running (DESIGN.md section 1).
CANCEL_WAIT: Final = 1.0

# The requests on each loop; a service has one loop.
_WAITING: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, list[Queued]]] = WeakKeyDictionary()


class Queued:
    """One request. `withdraw` takes it out of its enumerator's queue."""

    __slots__ = (
        "_callback",
        "_cancelled",
        "_go",
        "_loop",
        "_task",
        "_withdraw",
        "decided",
        "finished",
        "identity",
        "principal",
        "sink",
    )

    def __init__(
        self, sink: Sink, principal: str, loop: asyncio.AbstractEventLoop, withdraw: Callable[[], object]
    ) -> None:
        self.sink = sink
        self.identity: object = getattr(sink, "identity", None) or sink
        self.principal = principal
        self.decided = False  # cancelling comes too late (D9)
        self.finished: asyncio.Future[None] = (
            loop.create_future()
        )  # or given up: the next request may be served
        self._loop = loop
        self._withdraw = withdraw
        self._callback: ThreadFuture[object] | None = None  # one that may still wait for its thread or loop
        self._cancelled = False
        self._go: asyncio.Future[None] = loop.create_future()
        self._task: asyncio.Task[None] | None = None
        _WAITING.setdefault(loop, []).append(self)

    def cancel(self) -> None:
        """End the request with CALL_CANCELLED; a running callback is not waited for here, one that has not begun yet
        never begins (D5)."""
        self._cancelled = True
        if self._callback is not None and not self.decided:
            self._callback.cancel()
        self._withdraw()
        _resolve(self._go)

    def serve(self, objects: Sequence[object], outcome: Outcome, after: asyncio.Future[None] | None) -> None:
        """Deliver, once the request before this one is through."""
        if after is None or after.done():
            _resolve(self._go)
        else:
            after.add_done_callback(lambda _: _resolve(self._go))
        self._task = self._loop.create_task(self._deliver(objects, outcome))

    async def _deliver(self, objects: Sequence[object], outcome: Outcome) -> None:
        try:
            await self._go
            if objects and not self._cancelled and not await self._accepted(self.sink.on_objects, objects):
                outcome = CANCELLED
            self.decided = True
            await self._accepted(self.sink.on_completed, CANCELLED if self._cancelled else outcome)
        finally:
            _WAITING[self._loop].remove(self)
            _resolve(self.finished)
            released = getattr(self.sink, "on_released", None)
            if released is not None:
                released()

    async def _accepted(self, method: Callable[[Any], object], argument: object) -> bool:
        """Call the sink and wait until it has returned; False when it failed (C5). One that takes too long fails, and
        no longer keeps the next request from being served (C7, C8)."""
        try:
            answer: Any = method(argument)
            if answer is None or isinstance(answer, int):
                return not (answer and failed(answer))
            self._callback = answer if isinstance(answer, ThreadFuture) else None
            callback = asyncio.ensure_future(_wrapped(answer))
            await asyncio.wait((callback,), timeout=SINK_PATIENCE)
            if not callback.done():
                _resolve(self.finished)
                await asyncio.wait((callback,))
                return False
            if callback.cancelled():
                return False
            result = callback.result()
        except Exception:  # noqa: BLE001 - a sink may raise anything; it ends its own request (C5)
            return False
        return not (isinstance(result, int) and failed(result))


async def _wrapped(answer: Any) -> object:
    return await (asyncio.wrap_future(answer) if isinstance(answer, ThreadFuture) else answer)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def cancel(services: Services, sink: object, *, inside: bool = False) -> None:
    """CancelAsyncCall, with the requests that this sink has waiting at enumerators (D1). See Services.cancel."""
    found = _of(services, sink)
    for request in found:
        request.cancel()
    try:
        await services.cancel(sink, inside=inside)
    except WbemError as refused:
        if refused.code != WBEM_E_NOT_FOUND or not found:
            raise
    if found and not inside:
        await asyncio.wait([request.finished for request in found], timeout=CANCEL_WAIT)


def _of(services: Services, sink: object) -> list[Queued]:
    """The requests of a sink that this caller may cancel (D13)."""
    if sink is None:
        return []
    identity = getattr(sink, "identity", None) or sink
    waiting: Iterable[Queued] = _WAITING.get(services.loop, ())
    mine = services.caller.sid
    return [r for r in waiting if r.identity is identity and r.principal == mine and not r.decided]
