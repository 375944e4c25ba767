"""Events between a subscription and its reader, and what happens when the reader is slower (calls.md B.14)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from openwmi.contract.operations import ExecNotificationQuery
from openwmi.faces.views.buffer import Buffer
from openwmi.faces.views.limits import BASELINE_PATIENCE
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_QUEUE_OVERFLOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.contract.context import Context
    from openwmi.contract.services import Call
    from openwmi.faces.session import Session
    from openwmi.model.batches import Batch
    from openwmi.model.instances import Instance


async def in_force(call: Call) -> None:
    """Wait until a subscription is in force or has failed, but no longer than BASELINE_PATIENCE: a provider that hangs
    over its baseline does not hold up a caller who asked not to wait."""
    try:
        await asyncio.wait_for(call.begun(), BASELINE_PATIENCE)
    except TimeoutError:
        pass


class EventBuffer(Buffer):
    """At most `most` events wait here. `overflow`, when one more comes: "drop_oldest" forgets the oldest and counts it
    in `lost`; "error" ends the subscription with QUEUE_OVERFLOW; "block" leaves it with the service, which keeps as
    many as its own limit says (B90)."""

    __slots__ = ("_drops", "_most", "accepted", "lost")

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
        self.lost = 0

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

    async def _started(self) -> None:
        await super()._started()
        if self._call is not None:
            await self._call.begun()
            self.accepted = True
            self._wake()
