"""A connection's end on the loop of its services: what it has running, so that leaving it cancels all of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from openwmi.contract.context import Context
from openwmi.model.errors import error
from openwmi.model.status import RPC_E_DISCONNECTED, WBEM_E_SHUTTING_DOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openwmi.contract.operations import AnyOperation
    from openwmi.contract.services import Call, Services, Sink


class Session:
    """One log-on as the Python faces use it. `context`: values that go along with every call."""

    def __init__(self, services: Services, context: Context | None = None) -> None:
        self.services = services
        self.loop = services.loop
        self.context = context
        self._calls: set[Call] = set()
        self._closed = False

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

    async def close(self) -> None:
        """Cancel what runs, each with the guarantee of a cancel, then let the services go."""
        if self._closed:
            return
        self._closed = True
        await asyncio.gather(*(call.cancel() for call in tuple(self._calls)))
        await self.services.close()


def as_context(values: Mapping[str, object] | Context | None) -> Context | None:
    """The values of a call's context as the services take them."""
    return values if values is None or isinstance(values, Context) else Context(values)
