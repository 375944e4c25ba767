"""IWbemCallResult: the outcome of a semisynchronous operation that gives one result (calls.md F.2)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from openwmi.contract.flags import WBEM_FLAG_SEND_STATUS
from openwmi.contract.operations import described
from openwmi.faces.views.limits import admitted, seconds, source_flags
from openwmi.faces.views.reports import Reports
from openwmi.faces.views.synchronous import Collector
from openwmi.model.errors import WbemError, error
from openwmi.model.status import WBEM_E_INVALID_OPERATION, WBEM_S_NO_ERROR, WBEM_S_TIMEDOUT

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from openwmi.contract.caller import Caller
    from openwmi.contract.context import Context
    from openwmi.contract.operations import AnyOperation
    from openwmi.contract.outcome import Outcome, Progress
    from openwmi.contract.services import Services
    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance


class _Listener(Collector):
    """Sink of a call result: passes reports on to it."""

    __slots__ = ("_result",)

    def __init__(self, result: CallResult) -> None:
        super().__init__()
        self._result = result

    def on_progress(self, progress: Progress) -> None:
        self._result.reported(progress)


class CallResult:
    """The getters wait up to `timeout` milliseconds: (WBEM_S_TIMEDOUT, None) when it is not over by then (F27).

    Once it is: (status, value); a failed operation raises its error, except from :meth:`call_status` (F28, F29); a
    getter that does not fit the operation raises INVALID_OPERATION (F31). Objects are immutable, so that each getter
    gives a copy of its own in effect (F32). Dropping a call result does not end the operation (F35).

    outcome: how the operation ended; None while it runs, and always of OpenNamespace. reports: of progress, where it
    was asked for; with each a getter that waits comes back.
    """

    __slots__ = (
        "_failure",
        "_gives",
        "_objects",
        "_over",
        "_services",
        "_stirred",
        "_task",
        "caller",
        "outcome",
        "reports",
    )

    def __init__(self, caller: Caller, loop: asyncio.AbstractEventLoop, gives: str) -> None:
        self.caller = caller
        self._gives = gives
        self._over: asyncio.Future[None] = loop.create_future()
        self._objects: list[Instance | Class] = []
        self.outcome: Outcome | None = None
        self.reports = Reports()
        self._stirred: asyncio.Future[None] = loop.create_future()
        self._failure: WbemError | None = None
        self._services: Services | None = None
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls,
        services: Services,
        operation: AnyOperation,
        flags: int = 0,
        context: Context | None = None,
        *,
        progress: bool = False,
    ) -> CallResult:
        """Start an operation and come back; raises only when it is not accepted (B11, B13)."""
        source = source_flags(operation, flags, "semisync")
        self = cls(services.caller, services.loop, described(operation).delivers)
        if progress:
            source |= WBEM_FLAG_SEND_STATUS
        collector = _Listener(self)
        call = await services.start(operation, collector, source, context)

        def over(outcome: Outcome) -> None:
            self._objects, self.outcome = collector.objects, outcome
            self._over.set_result(None)

        call.add_done_callback(over)
        return self

    @classmethod
    def opening(cls, services: Services, namespace: str) -> CallResult:
        """The semisynchronous form of OpenNamespace."""
        self = cls(services.caller, services.loop, "services")
        self._task = services.loop.create_task(self._open(services.open(namespace)))
        return self

    async def _open(self, opening: Coroutine[object, object, Services]) -> None:
        try:
            self._services = await opening
        except WbemError as failure:
            self._failure = failure
        finally:
            self._over.set_result(None)

    async def object(
        self, timeout: int, *, caller: Caller | None = None
    ) -> tuple[int, Instance | Class | None]:
        """GetResultObject: of GetObject and ExecMethod; None from a method without results."""
        if not await self._wait(timeout, caller):
            return WBEM_S_TIMEDOUT, None
        self._check("GetResultObject", self._gives == "object")
        return self._status, self._objects[0] if self._objects else None

    async def string(self, timeout: int, *, caller: Caller | None = None) -> tuple[int, str | None]:
        """GetResultString: the path that a put has stored (B28)."""
        if not await self._wait(timeout, caller):
            return WBEM_S_TIMEDOUT, None
        text = None if self.outcome is None else self.outcome.text
        self._check("GetResultString", text is not None)
        return self._status, text

    async def services(self, timeout: int, *, caller: Caller | None = None) -> tuple[int, Services | None]:
        """GetResultServices: of OpenNamespace."""
        if not await self._wait(timeout, caller):
            return WBEM_S_TIMEDOUT, None
        self._check("GetResultServices", self._gives == "services")
        return WBEM_S_NO_ERROR, self._services

    async def call_status(self, timeout: int, *, caller: Caller | None = None) -> tuple[int, int | None]:
        """GetCallStatus: WBEM_S_NO_ERROR with the operation's final HRESULT, a failure too (F29); for every operation
        (F33)."""
        if not await self._wait(timeout, caller):
            return WBEM_S_TIMEDOUT, None
        return WBEM_S_NO_ERROR, self._status if self._failure is None else self._failure.code

    def reported(self, progress: Progress) -> None:
        """The operation is that far."""
        self.reports.add(progress)
        stirred, self._stirred = self._stirred, self._over.get_loop().create_future()
        stirred.set_result(None)

    @property
    def _status(self) -> int:
        return WBEM_S_NO_ERROR if self.outcome is None else self.outcome.status

    def _check(self, getter: str, fits: bool) -> None:
        """Raise the operation's own failure, or that this getter has nothing to give."""
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        if self.outcome is not None:
            self.outcome.raise_()
        if not fits:
            raise error(
                WBEM_E_INVALID_OPERATION, f"{getter}: the operation gives no such result", operation=getter
            )

    async def _wait(self, timeout: int, caller: Caller | None) -> bool:
        admitted(self.caller, caller)
        patience = seconds(timeout)
        if not self._over.done() and patience != 0 and not self.reports:
            either = asyncio.FIRST_COMPLETED
            await asyncio.wait((self._over, self._stirred), timeout=patience, return_when=either)
        return self._over.done()
