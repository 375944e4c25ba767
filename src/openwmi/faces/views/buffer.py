"""Objects between a call on its services' loop and a reader anywhere else: another loop, or a thread without one.

Only the reader's first step and its grants go to the loop, one hop for a whole batch; batches come back with one wake
for all that has gathered. There is no task and no queue item per object.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from openwmi.faces.views.limits import WINDOW
from openwmi.model.errors import WbemError, error
from openwmi.model.status import WBEM_E_SHUTTING_DOWN, WBEM_E_TIMED_OUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.contract.context import Context
    from openwmi.contract.operations import AnyOperation
    from openwmi.contract.outcome import Outcome, Progress
    from openwmi.contract.services import Call
    from openwmi.faces.session import Session
    from openwmi.model.batches import Batch


class Buffer:
    """Sink by credit of one call that is read in order, once. `wake` is called on the loop whenever something happened.

    At most `window` objects wait here; a reader that takes nothing stops the provider, and is waited for without end.
    deadline: seconds that the whole may take; then the call is cancelled at its source, whether anybody reads or not.
    Everything public but the sink's methods may be called from any thread.
    """

    __slots__ = (
        "_batches",
        "_begun",
        "_call",
        "_deadline",
        "_left",
        "_session",
        "_start",
        "_taken",
        "_tasks",
        "_timer",
        "_wake",
        "_window",
        "credit",
        "outcome",
        "refusal",
    )

    def __init__(
        self,
        session: Session,
        operation: AnyOperation,
        flags: int = 0,
        context: Context | None = None,
        *,
        deadline: float | None = None,
        window: int = WINDOW,
        wake: Callable[[], object],
    ) -> None:
        self.credit: int | None = window
        self._window = window
        self.outcome: Outcome | None = None
        self.refusal: BaseException | None = None
        self._session = session
        self._start = (operation, flags, context)
        self._deadline = deadline
        self._wake = wake
        self._batches: deque[Batch] = deque()
        self._taken = 0
        self._begun = self._left = False
        self._call: Call | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # The sink, on the loop

    def on_objects(self, batch: Batch) -> int | None:
        self._batches.append(batch)
        self._wake()
        return None

    def on_progress(self, progress: Progress) -> None:
        """A sign of life; what it says has no reader here."""
        self._wake()

    def on_completed(self, outcome: Outcome) -> None:
        self.outcome = outcome
        if self._timer is not None:
            self._timer.cancel()
        self._wake()

    # The reader, on any thread

    @property
    def ended(self) -> bool:
        """Whether nothing more will come. What has come may still wait to be taken."""
        return self.outcome is not None or self.refusal is not None

    def begin(self) -> None:
        """Start the call, once; what refuses it is found in `refusal`."""
        if not self._begun:
            self._begun = True
            self._session.post(self._begin)

    def take(self) -> list[Batch]:
        """All that has come since the last time; as much again may come."""
        found: list[Batch] = []
        while self._batches:
            found.append(self._batches.popleft())
        if found and not self.ended:
            self._renew(sum(map(len, found)))
        return found

    def _renew(self, count: int) -> None:
        """Credit for what was taken. Renewing it by the object would wake the provider for each of them."""
        self._taken += count
        if self._taken * 2 >= self._window:
            more, self._taken = self._taken, 0
            self._session.post(lambda: self._grant(more))

    def failure(self) -> BaseException | None:
        """Why the call failed or was refused; None when it succeeded."""
        failure = self.refusal
        if failure is None and self.outcome is not None and not self.outcome.ok:
            failure = self.outcome.as_error()
        if isinstance(failure, WbemError):
            failure.namespace = failure.namespace or self._session.services.namespace
        return failure

    def leave(self) -> None:
        """Nobody reads any more: cancel the call at its source. Harmless once it has ended."""
        if self._begun and not self._left:
            self._left = True
            if not self.ended and self._session.loop.is_running():
                self._session.post(self._leave)

    # On the loop

    async def end(self) -> None:
        """Leave, and wait until the source knows."""
        self._left = True
        if self._call is not None:
            await self._call.cancel()

    def _begin(self) -> None:
        self._tasks.append(self._session.loop.create_task(self._started()))

    async def _started(self) -> None:
        operation, flags, context = self._start
        try:
            self._call = await self._session.start(operation, self, flags, context)
        except asyncio.CancelledError:
            self._refuse(error(WBEM_E_SHUTTING_DOWN, "the service of this connection has ended"))
            raise
        except Exception as refusal:  # noqa: BLE001 - the reader raises it
            self._refuse(refusal)
            return
        if self._left:
            await self._call.cancel()
        elif self._deadline is not None and not self.ended:
            self._timer = self._session.loop.call_later(self._deadline, self._expire)

    def _refuse(self, refusal: BaseException) -> None:
        self.refusal = refusal
        self._wake()

    def _expire(self) -> None:
        self._refuse(error(WBEM_E_TIMED_OUT, f"the call did not end within {self._deadline:g} s"))
        self._leave()

    def _grant(self, count: int) -> None:
        if self._call is not None:
            self._call.grant(count)

    def _leave(self) -> None:
        if self._call is not None:
            self._tasks.append(self._session.loop.create_task(_cancelled(self._call)))


async def _cancelled(call: Call) -> None:
    await call.cancel()
