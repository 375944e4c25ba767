"""A started call as any thread sees it: whether it has ended, and cancelling it."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openwmi.contract.context import Context
    from openwmi.contract.operations import AnyOperation
    from openwmi.contract.outcome import Outcome
    from openwmi.contract.services import Call, Sink
    from openwmi.faces.session import Session


class Running:
    """A call with a sink of the program's own. `ended` holds the outcome once the sink has been released."""

    __slots__ = ("_call", "_left", "_session", "_tasks", "ended")

    def __init__(self, session: Session) -> None:
        self.ended: Future[Outcome] = Future()
        self._session = session
        self._call: Call | None = None
        self._left = False
        self._tasks: list[asyncio.Task[None]] = []

    async def start(
        self, operation: AnyOperation, sink: Sink, flags: int = 0, context: Context | None = None
    ) -> None:
        """On the loop: start the call; raises what refuses it."""
        self._call = await self._session.start(operation, sink, flags, context)
        self._call.add_done_callback(self.ended.set_result)

    async def cancel(self) -> None:
        """On the loop: end the call, with the guarantee of CancelAsyncCall."""
        if self._call is not None:
            await self._call.cancel()

    async def cancel_inside(self) -> None:
        """On the loop: end the call from within a callback, which must not be waited for (D14)."""
        self._cancel_soon()
        await asyncio.sleep(0)  # the first step of the task is what ends the call

    def leave(self) -> None:
        """From any thread: whoever started the call has gone before hearing that it runs."""
        self._session.post(self._cancel_soon)

    def _cancel_soon(self) -> None:
        self._tasks.append(self._session.loop.create_task(self.cancel()))
