"""A connection's end on the loop of its services: what it has running, so that leaving it cancels all of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from openwmi.contract.context import Context
from openwmi.model.errors import error
from openwmi.model.status import RPC_E_DISCONNECTED, WBEM_E_SHUTTING_DOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from openwmi.contract.operations import AnyOperation
    from openwmi.contract.services import Call, Services, Sink


class Session:
    """One log-on as the Python faces use it. `context`: values that go along with every call."""

    def __init__(self, services: Services, context: Context | None = None) -> None:
        self.services = services
        self.loop = services.loop
        self.context = context
        self._calls: set[Call] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._attempts: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def restorable(self) -> bool:
        """Whether there is a way to log on anew when the connection breaks: it leads to another machine."""
        return not self._closed and hasattr(self.services, "again")

    def post(self, function: Callable[[], object]) -> None:
        """Run a function on the loop, from any thread; SHUTTING_DOWN when the loop is no more."""
        if not self.loop.is_running():
            raise error(WBEM_E_SHUTTING_DOWN, "the service of this connection has ended")
        self.loop.call_soon_threadsafe(function)

    async def start(
        self, operation: AnyOperation, sink: Sink, flags: int = 0, context: Context | None = None
    ) -> Call:
        """Start an operation and remember it until it has ended."""
        if self._closed:
            raise error(RPC_E_DISCONNECTED, "the connection is closed")
        call = await self.services.start(operation, sink, flags, context or self.context)
        self._calls.add(call)
        call.add_done_callback(lambda _: self._calls.discard(call))
        return call

    async def restart(
        self, operation: AnyOperation, sink: Sink, flags: int = 0, context: Context | None = None
    ) -> Call:
        """Start an operation over a log-on of its own, which ends with it: that of this session has broken."""
        services: Services = await self.services.again()  # type: ignore[attr-defined]
        try:
            if self._closed:
                raise error(RPC_E_DISCONNECTED, "the connection is closed")
            call = await services.start(operation, sink, flags, context or self.context)
        except BaseException:
            await services.close()
            raise
        self._calls.add(call)

        def over(_: object) -> None:
            self._calls.discard(call)
            self._spawn(services.close(), self._tasks)

        call.add_done_callback(over)
        return call

    def attempt(self, work: Coroutine[object, object, None]) -> None:
        """Do something that is given up when the connection is closed."""
        self._spawn(work, self._attempts)

    def _spawn(self, work: Coroutine[object, object, None], among: set[asyncio.Task[None]]) -> None:
        task = self.loop.create_task(work)
        among.add(task)
        task.add_done_callback(among.discard)

    async def close(self) -> None:
        """Cancel what runs, each with the guarantee of a cancel, then let the services go."""
        if self._closed:
            return
        self._closed = True
        for attempt in self._attempts:
            attempt.cancel()
        await asyncio.gather(*(call.cancel() for call in tuple(self._calls)))
        await self.services.close()
        if left := self._tasks | self._attempts:
            await asyncio.wait(left)


def as_context(values: Mapping[str, object] | Context | None) -> Context | None:
    """The values of a call's context as the services take them."""
    return values if values is None or isinstance(values, Context) else Context(values)
