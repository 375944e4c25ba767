"""Operations that have one result: an object, a string, or nothing but a status. Asked for and waited for.

For our own buffers in the synchronous form, one round trip; for a sink of the program semisynchronously, so that a call
that cannot begin is refused before it is accepted (calls.md B11, B16).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from openwmi.contract.flags import WBEM_FLAG_RETURN_IMMEDIATELY
from openwmi.contract.operations import PutInstance, described
from openwmi.contract.outcome import Outcome
from openwmi.model.errors import WbemError
from openwmi.model.status import WBEM_S_TIMEDOUT, failed
from openwmi.remote.client.failures import RemoteFailure
from openwmi.remote.client.hearing import reported, succeeded
from openwmi.wire.dcom.orpc import NO_THAT
from openwmi.wire.errors import PeerMisbehaved, ProtocolError
from openwmi.wire.wmi import guids, results
from openwmi.wire.wmi.reports import ASK
from openwmi.wire.wmi.services import inputs_of, method_of
from openwmi.wire.wmi.types import object_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from openwmi.calls.running import RunningCall
    from openwmi.contract.operations import AnyOperation
    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance
    from openwmi.remote.client.settings import Settings
    from openwmi.remote.outbound.references import Proxy
    from openwmi.wire.dcom.orpc import Extent, OrpcThat
    from openwmi.wire.wmi.results import SetStatus

    # (status, what came beside it) -> the error.
    Refuse = Callable[[int, OrpcThat], WbemError]
    # Is told of progress.
    Hear = Callable[[Sequence[SetStatus]], None]

# How long a call result is asked to wait at a time, in milliseconds: each answer shows that the server lives.
_WAIT: Final = 5000
# How long at least from one report of progress to the next, in seconds.
_REPORTED: Final = 0.05
# A synchronous method has no sign of life before its end; whoever waits has a deadline of his own.
_METHOD_SECONDS: Final = 86_400.0


class Ask:
    """Runs one operation and tells its call how it ended. Implements calls.running.Source.

    result: what is held for it there; released when it is stopped, however early.
    """

    def __init__(
        self,
        call: RunningCall,
        work: Callable[[], Awaitable[tuple[list[Any], Outcome]]],
        explain: Callable[[WbemError], WbemError],
        *,
        result: Proxy | None = None,
    ) -> None:
        self._call = call
        self._work = work
        self._result = result
        self._explain = explain
        self._task = asyncio.get_running_loop().create_task(self._run())

    def allow(self, demand: int) -> None:
        """One object always has room."""

    def stop(self) -> None:
        self._task.cancel()
        if self._result is not None:
            self._result.drop()

    async def _run(self) -> None:
        try:
            objects, outcome = await self._work()
        except WbemError as reason:
            self._call.on_outcome(RemoteFailure.of(self._explain(reason)))
            return
        if objects:
            self._call.on_batch(objects)
        self._call.on_outcome(outcome)


def objects_of(proxy: Proxy, reference: bytes | None) -> list[Class | Instance]:
    """The object that came by value, if one did."""
    if not reference:
        return []
    try:
        return [object_in(reference)]
    except ProtocolError as reason:
        raise proxy.exporter.channel.misbehaved("a result", reason) from reason


async def synchronously(
    services: Proxy,
    operation: AnyOperation,
    flags: int,
    context: bytes | None,
    *,
    settings: Settings,
    refused: Refuse,
) -> tuple[list[Any], Outcome]:
    """The operation in its synchronous form."""
    row = described(operation)
    inputs = replace(inputs_of(operation, flags, context), call_result=None)
    patience = settings.network.deadlines.call
    deadline = _METHOD_SECONDS if row.method == "ExecMethod" else patience
    that, answer = await services.exchange(
        method_of(operation, asynchronous=False), inputs, ASK, deadline=deadline
    )
    if failed(answer.result):
        raise refused(answer.result, that)
    return objects_of(services, getattr(answer, "found", None)), Outcome(answer.result)


async def begun(
    services: Proxy,
    operation: AnyOperation,
    flags: int,
    context: bytes | None,
    *,
    extensions: tuple[Extent, ...],
    refused: Refuse,
) -> Proxy:
    """Begin the operation semisynchronously; its call result. Raises what refuses it."""
    inputs = inputs_of(operation, flags | WBEM_FLAG_RETURN_IMMEDIATELY, context)

    async def begin() -> Proxy:
        that, answer = await services.exchange(method_of(operation, asynchronous=False), inputs, extensions)
        if failed(answer.result):
            raise refused(answer.result, that)
        return services.exporter.adopt(answer.call_result or None, guids.IWbemCallResult)

    return await services.exporter.obtain(begin())


async def result_of(
    result: Proxy, operation: AnyOperation, refused: Refuse, hear: Hear
) -> tuple[list[Any], Outcome]:
    """What a call result comes to, however long it takes; it is released on every way out."""
    try:
        status, that = await _status(result, hear)
        if failed(status):
            raise refused(status, that if that.extensions else await _why(result, operation))
        outcome = succeeded(status, reported(that))
        if described(operation).delivers == "object":
            that, found = await result.exchange(results.GET_RESULT_OBJECT, results.Timeout(_WAIT))
            if failed(found.result) and described(operation).method == "GetObject":
                raise refused(found.result, that)
            return objects_of(result, found.found), outcome
        if outcome.text is None and isinstance(operation, PutInstance):
            told = await result.call(results.GET_RESULT_STRING, results.Timeout(_WAIT))
            return [], Outcome(status, None if failed(told.result) else told.text)
        return [], outcome
    finally:
        result.drop()


async def _why(result: Proxy, operation: AnyOperation) -> OrpcThat:
    """What a server that is not ours says about a failed operation: beside a getter, which fails with it (F34)."""
    single = described(operation).delivers == "object"
    getter: Any = results.GET_RESULT_OBJECT if single else results.GET_RESULT_STRING
    try:
        return (await result.exchange(getter, results.Timeout(0)))[0]
    except WbemError:  # that is another failure, and not the one to tell of
        return NO_THAT


async def _status(result: Proxy, hear: Hear) -> tuple[int, OrpcThat]:
    """The final status of the operation (calls.md F29), and what is said about it; progress is heard until then."""
    loop = asyncio.get_running_loop()
    while True:
        since = loop.time()
        that, answer = await result.exchange(
            results.GET_CALL_STATUS,
            results.Timeout(_WAIT),
            deadline=_WAIT / 1000 + result.exporter.channel.deadlines.call,
        )
        if answer.result != WBEM_S_TIMEDOUT:
            if failed(answer.result):
                wrong = PeerMisbehaved(
                    f"GetCallStatus fails with 0x{answer.result:08X}", "[MS-WMI] 3.1.4.5.4"
                )
                raise result.exporter.channel.misbehaved("GetCallStatus", wrong)
            return int(answer.status), that
        reports = reported(that)
        hear(reports)
        # A server that does not wait must not make us ask without end.
        pause = _WAIT / 2000 if not reports else _REPORTED
        await asyncio.sleep(max(0.0, since + pause - loop.time()))
