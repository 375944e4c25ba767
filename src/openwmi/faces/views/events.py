"""Events between a subscription and its reader, and what happens when the reader is slower (calls.md B.14)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from openwmi.contract.operations import ExecNotificationQuery
from openwmi.faces.views.buffer import Buffer
from openwmi.faces.views.limits import BASELINE_PATIENCE
from openwmi.model.errors import WbemError, error
from openwmi.model.status import (
    CO_E_SERVER_STOPPING,
    RPC_E_DISCONNECTED,
    RPC_S_CALL_FAILED,
    RPC_S_SERVER_UNAVAILABLE,
    WBEM_E_CALL_CANCELLED,
    WBEM_E_QUEUE_OVERFLOW,
    WBEM_E_SHUTTING_DOWN,
    WBEM_E_TIMED_OUT,
    WBEM_E_TRANSPORT_FAILURE,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.contract.context import Context
    from openwmi.contract.outcome import Outcome
    from openwmi.contract.services import Call
    from openwmi.faces.session import Session
    from openwmi.model.batches import Batch
    from openwmi.model.instances import Instance

# How a subscription ends when the connection to its machine breaks, or that machine ends or loses us.
BROKEN: Final = frozenset(
    {
        CO_E_SERVER_STOPPING,
        RPC_E_DISCONNECTED,
        RPC_S_CALL_FAILED,
        RPC_S_SERVER_UNAVAILABLE,
        WBEM_E_CALL_CANCELLED,
        WBEM_E_SHUTTING_DOWN,
        WBEM_E_TIMED_OUT,
        WBEM_E_TRANSPORT_FAILURE,
    }
)
# A machine may take its time to start again. Seconds.
RETRY_SECONDS: Final = 900.0
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0


async def in_force(call: Call) -> None:
    """Wait until a subscription is in force or has failed, but no longer than BASELINE_PATIENCE: a provider that hangs
    over its baseline does not hold up a caller who asked not to wait."""
    try:
        await asyncio.wait_for(call.begun(), BASELINE_PATIENCE)
    except TimeoutError:
        pass


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    """Whether an event is set before the time is up."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


class EventBuffer(Buffer):
    """At most `most` events wait here. `overflow`, when one more comes: "drop_oldest" forgets the oldest and counts it
    in `lost`; "error" ends the subscription with QUEUE_OVERFLOW; "block" leaves it with the service, which keeps as
    many as its own limit says (B90).

    When the connection to another machine breaks, it subscribes anew as soon as it can. What happened meanwhile nobody
    knows, so that each of these `gaps` counts as one more lost event.
    """

    __slots__ = ("_drops", "_ending", "_most", "accepted", "gaps", "lost")

    def __init__(
        self,
        session: Session,
        query: str,
        context: Context | None,
        *,
        most: int,
        overflow: str,
        wake: Callable[[], object],
    ) -> None:
        super().__init__(session, ExecNotificationQuery(query), 0, context, window=most, wake=wake)
        if overflow != "block":
            self.credit = None
        self._most = most
        self._drops = overflow == "drop_oldest"
        self.accepted = False
        self.gaps = 0
        self.lost = 0
        self._ending: asyncio.Event | None = (
            None  # set when nobody wants a subscription that is broken any more
        )

    def on_objects(self, batch: Batch) -> int | None:
        if self.credit is not None:
            self._batches.extend([event] for event in batch)
        elif (code := self._kept(batch)) is not None:
            return code
        self._wake()
        return None

    def _kept(self, batch: Batch) -> int | None:
        for event in batch:
            if len(self._batches) >= self._most:
                if not self._drops:
                    self._refuse(
                        error(WBEM_E_QUEUE_OVERFLOW, f"more than {self._most} events wait to be read")
                    )
                    return WBEM_E_QUEUE_OVERFLOW  # a sink that fails ends its call (C5)
                if self.pop() is not None:
                    self.lost += 1
            self._batches.append([event])
        return None

    def pop(self) -> Instance | None:
        """The oldest event that waits."""
        try:
            event: Any = self._batches.popleft()[0]
        except IndexError:
            return None
        return event  # type: ignore[no-any-return]

    def read(self) -> Instance | None:
        """The next event for the reader, from any thread; None when none waits."""
        event = self.pop()
        if event is not None and self.credit is not None and not self.ended:
            self._renew(1)
        return event

    # A connection that breaks

    def on_completed(self, outcome: Outcome) -> None:
        wanted = self.accepted and not self._left and self.refusal is None
        if wanted and outcome.status in BROKEN and self._session.restorable:
            self._session.attempt(self._resume(outcome))
        else:
            super().on_completed(outcome)

    async def _resume(self, outcome: Outcome) -> None:
        """Subscribe anew, waiting longer each time, until that works, is refused, or has taken too long."""
        self.gaps += 1
        self.lost += 1
        try:
            if await self._resumed():
                return
        except WbemError as refusal:
            self._refuse(refusal)
            return
        except asyncio.CancelledError:
            super().on_completed(outcome)
            raise
        super().on_completed(outcome)

    async def _resumed(self) -> bool:
        """Whether it goes on; False when nobody wants it any more, or for too long. Raises what refuses it."""
        operation, flags, context = self._start
        clock = self._session.loop.time
        self._ending = ending = asyncio.Event()
        until, pause = clock() + RETRY_SECONDS, FIRST_PAUSE
        while clock() < until and not await _set_within(ending, pause):
            pause = min(2 * pause, LONGEST_PAUSE)
            try:
                self._call = await self._session.restart(operation, self, flags, context)
            except WbemError as reason:
                if reason.code not in BROKEN:
                    raise
                continue
            if ending.is_set():
                await self._call.cancel()
            return True
        return False

    async def end(self) -> None:
        self._give_up()
        await super().end()

    def _leave(self) -> None:
        self._give_up()
        super()._leave()

    def _give_up(self) -> None:
        if self._ending is not None:
            self._ending.set()

    async def _started(self) -> None:
        await super()._started()
        if self._call is not None:
            await self._call.begun()
            self.accepted = True
            self._wake()
