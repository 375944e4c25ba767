"""IWbemServices of the embedded service: one namespace, one caller. Implements contract.services.Services."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

from openwmi.calls.running import IN_CALLBACK, RunningCall
from openwmi.calls.table import identity_of
from openwmi.contract import flags as f
from openwmi.contract.acceptance import checked_call, checked_child
from openwmi.contract.operations import (
    ExecNotificationQuery,
    described,
)
from openwmi.contract.outcome import Outcome
from openwmi.model.errors import WbemError, error
from openwmi.model.status import (
    WBEM_E_INVALID_NAMESPACE,
)
from openwmi.service.execute import planned, refused_at_once, segments
from openwmi.service.execution import Execution
from openwmi.service.faults import as_fault, failed_outcome
from openwmi.service.feed import Feed
from openwmi.service.logon import check_connection, check_right, required

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from openwmi.contract.caller import Caller
    from openwmi.contract.context import Context
    from openwmi.contract.operations import AnyOperation
    from openwmi.contract.services import Sink
    from openwmi.service.core import Service
    from openwmi.service.events.sink import EventSink
    from openwmi.service.namespaces import Namespace


class Connection:
    """A log-on to one namespace. Every method runs on the service's loop."""

    __slots__ = ("_service", "_space", "_subscriptions", "caller")

    def __init__(self, service: Service, space: Namespace, caller: Caller) -> None:
        self._service = service
        self._space = space
        self.caller = caller
        self._subscriptions: WeakSet[RunningCall] = WeakSet()

    @property
    def namespace(self) -> str:
        return self._space.path

    @property
    def server(self) -> str:
        return self._space.server

    @property
    def loop(self) -> AbstractEventLoop:
        return self._service.loop

    @property
    def least_level(self) -> int:
        """The lowest authentication level at which a call over the network may come, as the namespace is now (A12)."""
        return self._space.namespaces.access.least_level(self._space.path)

    async def start(
        self, operation: AnyOperation, sink: Sink, flags: int = 0, context: Context | None = None
    ) -> RunningCall:
        """Accept or refuse (B16, B17); what the work itself finds wrong comes with the final status (B18)."""
        if not self.caller.remote:
            return self._accepted(operation, sink, flags, context)
        try:
            call = self._accepted(operation, sink, flags, context)
        except WbemError as refusal:
            self._note(operation, refusal.code)
            raise
        if isinstance(operation, ExecNotificationQuery):
            self._note(operation, 0)  # it may last for months
        call.add_done_callback(lambda outcome: self._note(operation, outcome.status))
        return call

    def _note(self, operation: AnyOperation, status: int) -> None:
        """Tell the audit what became of an operation of somebody from another machine (I25)."""
        from openwmi.service.audit import of_operation

        self._service.audit(of_operation(self.caller, self._space, operation, status))

    def _accepted(
        self, operation: AnyOperation, sink: Sink, flags: int, context: Context | None
    ) -> RunningCall:
        self._space.namespaces.refresh()
        self._check_namespace()
        row = described(operation)
        flags = checked_call(operation, sink, flags, context)
        self._check_right(required(operation, row.right), row.method)
        refused_at_once(operation)
        if row.delivers != "events":  # these have a quota of their own (H5)
            self._service.check_room(self.caller)
        return self._started(operation, sink, flags, context)

    def _started(
        self, operation: AnyOperation, sink: Sink, flags: int, context: Context | None
    ) -> RunningCall:
        schema = self._space.schema
        wants_progress = bool(flags & f.WBEM_FLAG_SEND_STATUS)

        def finish(fault: BaseException | None, status: int) -> Outcome:
            if fault is not None:
                return failed_outcome(as_fault(fault), operation, schema)
            return Outcome(status, execution.text)

        call = RunningCall(self._service.calls, sink, identity_of(sink), self.caller.sid, finish=finish)
        execution = Execution(
            self._space,
            self.caller,
            flags=flags,
            context=context.copy() if context is not None else None,
            report=call.report if wants_progress else None,
        )
        if isinstance(operation, ExecNotificationQuery):
            self._service.calls.remember(call, counted=False)
            call.under_way = False
            self._subscriptions.add(call)
            self.loop.call_soon(self._subscribe, operation.query, call)
            return call
        call.feed = Feed(self.loop, segments(execution, operation), self._service.planner, call)
        self._service.calls.remember(call)
        # The first step is taken after this coroutine has returned: start() never does the work it accepts.
        self.loop.call_soon(call.advance)
        return call

    def _subscribe(self, query: str, call: RunningCall) -> None:
        """Begin a subscription; what is wrong with it is its final status (B85, B86)."""
        if call.machine.pending:
            try:
                call.feed = self._service.exchange.subscribe(self._space, query, call, self.caller)
            except Exception as failure:  # noqa: BLE001 - whatever it is, it ends this call alone
                call.on_end(failure, 0)
                return
        call.advance()

    async def cancel(self, sink: object, *, inside: bool = False) -> None:
        """CancelAsyncCall; see contract.services.Services.cancel."""
        await self._service.calls.cancel(sink, self.caller.sid, inside=inside or IN_CALLBACK.get())

    async def open(self, namespace: str) -> Connection:
        """OpenNamespace: a path below this namespace; an absolute one or NULL is INVALID_PARAMETER (A38)."""
        self._check_namespace()
        namespace = checked_child(namespace)
        return await self._service.log_on(f"{self.namespace}\\{namespace}", self.caller, "OpenNamespace")

    async def sibling(self, namespace: str) -> Connection:
        """Log on to any namespace of this host as the same caller; what OpenNamespace does not reach (A38)."""
        return await self._service.log_on(namespace, self.caller)

    async def event_sink(self) -> EventSink:
        """QueryObjectSink: a sink that takes extrinsic events for this namespace (B98, B99)."""
        from openwmi.service.events.sink import EventSink

        status = 0
        try:
            self._check_namespace()
            self._check_right(f.WBEM_ENABLE | f.WBEM_FULL_WRITE_REP, "QueryObjectSink")
        except WbemError as refusal:
            status = refusal.code
            raise
        finally:
            if self.caller.remote:
                from openwmi.service.audit import entry

                right = f.WBEM_FULL_WRITE_REP
                self._service.audit(
                    entry(self.caller, self._space, "QueryObjectSink", right=right, status=status)
                )
        return EventSink(self._service.exchange, self._space, publisher=self.caller)

    async def explain(self, query: str, flags: int = 0) -> str:
        """The text of the plan that a data query would run."""
        return planned(self._space, query, flags).explain()

    async def close(self) -> None:
        """Release the connection: its subscriptions end (B89); other calls end by themselves."""
        await self._service.calls.end(tuple(self._subscriptions), inside=IN_CALLBACK.get())

    def _check_namespace(self) -> None:
        """A namespace that has been deleted since log-on refuses every call (A14)."""
        if self._service.namespaces.find(self.namespace) is not self._space:
            raise error(
                WBEM_E_INVALID_NAMESPACE, f"namespace {self.namespace} is gone", namespace=self.namespace
            )

    def _check_right(self, right: int, method: str) -> None:
        check_connection(self.caller, self._space, method)
        check_right(self.caller, self._space, right, method)
