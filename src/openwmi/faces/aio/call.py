"""A call that a program started with a sink of its own: waiting for its end, and cancelling it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.faces.aio.bridge import Outlet, hop, inside, result, wind_up
from openwmi.faces.calls import Running
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_PARAMETER, WBEM_E_TIMED_OUT

if TYPE_CHECKING:
    from collections.abc import Generator

    from openwmi.contract.context import Context
    from openwmi.contract.operations import AnyOperation
    from openwmi.contract.outcome import Outcome
    from openwmi.contract.services import Sink
    from openwmi.faces.session import Session


class Call:
    """What `start` gives. Awaiting it waits for the outcome and raises nothing for a failed one; giving up the waiting
    does not end the call."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._running = Running(session)

    async def _begin(
        self, operation: AnyOperation, sink: Sink | None, flags: int, context: Context | None
    ) -> Call:
        if sink is None:
            raise error(WBEM_E_INVALID_PARAMETER, "the sink is NULL", parameter="pResponseHandler")
        loop = self._session.loop
        try:
            await hop(loop, self._running.start, operation, Outlet(sink, loop), flags, context)
        except BaseException:
            self._running.leave()
            raise
        return self

    @property
    def done(self) -> bool:
        """Whether the sink has heard the final status and has been released."""
        return self._running.ended.done()

    async def wait(self, timeout: float | None = None) -> Outcome:
        """Wait for the final status; TimedOut when it has not come within `timeout` seconds."""
        try:
            return await result(self._running.ended, timeout)
        except TimeoutError:
            raise error(WBEM_E_TIMED_OUT, f"the call has not ended within {timeout:g} s") from None

    def __await__(self) -> Generator[Any, Any, Outcome]:
        return self.wait().__await__()

    async def cancel(self) -> None:
        """End the call: when this returns, no callback starts any more, and the sink has heard CALL_CANCELLED and was
        released. Where a callback is running it is waited for a second at most, and not at all when this is called
        from inside a callback. Harmless when the call has ended."""
        running = self._running
        await wind_up(self._session.loop, running.cancel_inside if inside() else running.cancel)
