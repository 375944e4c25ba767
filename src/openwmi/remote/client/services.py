"""IWbemServices of another machine: one namespace, one caller. Implements contract.services.Services."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.calls.running import IN_CALLBACK, RunningCall
from openwmi.calls.table import identity_of
from openwmi.contract import flags as f
from openwmi.contract.acceptance import checked_call, checked_child
from openwmi.contract.caller import Caller
from openwmi.contract.operations import (
    ExecMethod,
    ExecNotificationQuery,
    GetObject,
    PutClass,
    PutInstance,
    described,
)
from openwmi.model.classes import Class
from openwmi.model.errors import WbemError, error
from openwmi.model.status import RPC_E_DISCONNECTED, failed
from openwmi.remote.client import sharing
from openwmi.remote.client.asking import Ask, begun, result_of, synchronously
from openwmi.remote.client.failures import RemoteFailure, as_told, explained, placed, refused
from openwmi.remote.client.hearing import explanation, tell, unheard
from openwmi.remote.client.pulling import Pull
from openwmi.remote.client.pushing import Push
from openwmi.remote.client.settings import Settings
from openwmi.remote.client.signatures import Signatures
from openwmi.remote.places import RESOLVER_PORT, Address
from openwmi.wire.wmi import guids
from openwmi.wire.wmi.contexts import write_context
from openwmi.wire.wmi.reports import ASK, ASK_PROGRESS
from openwmi.wire.wmi.services import OPEN, inputs_of, method_of
from openwmi.wire.wmi.types import EMPTY

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Coroutine
    from typing import Any

    from openwmi.contract.context import Context
    from openwmi.contract.operations import AnyOperation
    from openwmi.contract.services import Sink
    from openwmi.remote.client.asking import Refuse
    from openwmi.remote.client.choosing import Choice
    from openwmi.remote.client.credentials import Credentials
    from openwmi.remote.client.machine import Machine
    from openwmi.remote.outbound.references import Proxy
    from openwmi.wire.dcom.orpc import Extent

    Explain = Callable[[WbemError], WbemError]

# A class that every namespace has.
_EVERYWHERE: Final = "__NAMESPACE"
_NAMING: Final = 5.0
_FORWARD: Final = f.WBEM_FLAG_RETURN_IMMEDIATELY | f.WBEM_FLAG_FORWARD_ONLY


class Order(NamedTuple):
    """An operation on its way to its call. flags, context: as they travel; explain: gives an error its place; progress:
    whether reports are wanted, where the flags cannot say so."""

    call: RunningCall
    operation: AnyOperation
    flags: int
    context: bytes | None
    explain: Explain
    progress: bool = False

    @property
    def reports(self) -> tuple[Extent, ...]:
        """What is asked for beside the answer."""
        return ASK_PROGRESS if self.progress else ASK


class RemoteServices:
    """A log-on to one namespace of another machine. Every method runs on the loop it was made on."""

    def __init__(self, machine: Machine, proxy: Proxy, namespace: str, locale: str | None) -> None:
        self.machine = machine
        self._proxy = proxy
        self._namespace = namespace.replace("/", "\\")
        self._subscriptions: set[RunningCall] = set()
        self._closed = False
        self._server = machine.host
        self._signatures = Signatures(self._look_up)
        name = machine.credentials.user
        self.caller = Caller(
            machine.principal,
            name,
            locale=locale or Caller._field_defaults["locale"],
            auth_level=machine.channel.level,
            remote=True,
        )
        machine.enter()

    @property
    def namespace(self) -> str:
        return self._namespace

    @property
    def server(self) -> str:
        """The name of the machine as it says itself."""
        return self._server

    async def identify(self) -> None:
        """Learn the names of server and namespace as objects there bear them. Nobody waits for it: until then, and
        where there is no such object, they are what was asked for."""
        try:
            async with asyncio.timeout(_NAMING):
                found = await self._look_up(GetObject(_EVERYWHERE))
        except (WbemError, TimeoutError):
            return
        if isinstance(found, Class):
            self._server = found.server or self._server
            self._namespace = found.namespace or self._namespace

    @property
    def loop(self) -> AbstractEventLoop:
        return self.machine.loop

    async def delivery(self) -> Choice:
        """How sinks of the program hear of their objects here, and why so."""
        return await self.machine.chosen()

    async def start(
        self, operation: AnyOperation, sink: Sink, flags: int = 0, context: Context | None = None
    ) -> RunningCall:
        """Accept or refuse (B16, B17). What can be seen wrong with a call is seen here; the rest the server says."""
        row = described(operation)
        flags = checked_call(operation, sink, flags, context)
        if self._closed:
            raise error(RPC_E_DISCONNECTED, "the connection is closed", operation=row.method)
        call = RunningCall(self.machine.calls, sink, identity_of(sink), self.machine.principal)
        self.machine.enter()
        try:
            await self._begin(call, operation, flags, write_context(context))
        except BaseException:
            self.machine.leave()
            raise
        call.add_done_callback(lambda _: self.machine.leave())
        self.machine.calls.remember(call, counted=row.delivers != "events")
        self.loop.call_soon(call.advance)
        return call

    async def _begin(
        self, call: RunningCall, operation: AnyOperation, flags: int, context: bytes | None
    ) -> None:
        """Have the server accept the operation, and give the call its source."""
        explain = partial(explained, operation=operation, host=self.machine.host, namespace=self._namespace)
        with placed(self.machine.host, described(operation).method):
            if isinstance(operation, ExecMethod):
                try:
                    operation = await self._signatures.filled(operation)
                except WbemError as reason:
                    call.machine.ended(RemoteFailure.of(explain(reason)))  # after acceptance (calls.md B18)
                    return
            order = Order(call, operation, flags, context, explain)
            if not (call.machine.timed and await self._push(order)):
                await self._poll(order)

    async def _poll(self, order: Order) -> None:
        """Start by asking for the results. The flag for progress is one of calls with a sink: servers of ours learn
        beside the call that it is wanted."""
        progress = bool(order.flags & f.WBEM_FLAG_SEND_STATUS)
        order = order._replace(flags=order.flags & ~f.WBEM_FLAG_SEND_STATUS, progress=progress)
        begin = self._enumerate if described(order.operation).enumerator else self._ask
        await begin(order)

    async def _push(self, order: Order) -> bool:
        """Start with an exported sink; False where the objects are to be polled for instead."""
        choice = await self.machine.chosen()
        if choice.place is None:
            return False
        call, operation = order.call, order.operation
        push = Push(
            call,
            self._proxy,
            self.machine,
            choice.place,
            progress=bool(order.flags & f.WBEM_FLAG_SEND_STATUS),
            explain=order.explain,
            otherwise=self._otherwise(order),
        )
        try:
            inputs = inputs_of(operation, order.flags, order.context, sink=push.reference())
            that, answer = await self._proxy.exchange(method_of(operation, asynchronous=True), inputs, ASK)
        except BaseException:
            push.withdraw()
            raise
        if failed(answer.result):
            push.withdraw()
            if self.machine.settles_for_polling(answer.result):
                return False
            raise self._refusal(operation)(answer.result, that)
        call.feed = push
        push.accepted()
        self._subscribed(call, operation)
        return True

    def _otherwise(self, order: Order) -> Callable[[], Coroutine[Any, Any, None]] | None:
        """How a call that was accepted is made anew by polling: only what reads may be done twice."""
        call, row = order.call, described(order.operation)
        if self.machine.settings.delivery != "auto" or not (
            row.enumerator or isinstance(order.operation, GetObject)
        ):
            return None

        async def poll() -> None:
            self.machine.poll_from_now_on(f"{self.machine.host} did not call back here")
            try:
                with placed(self.machine.host, row.method):
                    await self._poll(order)
            except WbemError as reason:
                call.on_outcome(RemoteFailure.of(order.explain(reason)))
            else:
                call.advance()

        return poll

    async def _ask(self, order: Order) -> None:
        """Start an operation with a single result."""
        call, operation, flags, context, explain, progress = order
        refusal = self._refusal(operation)
        if call.machine.timed or progress or isinstance(operation, PutInstance | PutClass):
            result = await begun(
                self._proxy, operation, flags, context, extensions=order.reports, refused=refusal
            )
            hear = partial(tell, call) if progress else unheard
            work = partial(result_of, result, operation, refusal, hear)
            call.feed = Ask(call, work, explain, result=result)
            return
        settings = self.machine.settings
        work = partial(
            synchronously, self._proxy, operation, flags, context, settings=settings, refused=refusal
        )
        call.feed = Ask(call, work, explain)

    async def _enumerate(self, order: Order) -> None:
        """Start an operation whose results are pulled."""
        call, operation, flags, context, explain, progress = order
        inputs = inputs_of(operation, flags | _FORWARD, context)

        async def begin() -> Proxy:
            method = method_of(operation, asynchronous=False)
            that, answer = await self._proxy.exchange(method, inputs, order.reports)
            if failed(answer.result):
                raise self._refusal(operation)(answer.result, that)
            return self._proxy.exporter.adopt(answer.enumerator, guids.IEnumWbemClassObject)

        enumerator = await self._proxy.exporter.obtain(begin())
        events = isinstance(operation, ExecNotificationQuery)
        settings = self.machine.settings
        call.feed = Pull(call, enumerator, settings, events=events, progress=progress, explain=explain)
        self._subscribed(call, operation)

    def _subscribed(self, call: RunningCall, operation: AnyOperation) -> None:
        if isinstance(operation, ExecNotificationQuery):
            self._subscriptions.add(call)
            call.add_done_callback(lambda _: self._subscriptions.discard(call))

    async def _look_up(self, operation: GetObject) -> object:
        objects, _ = await synchronously(
            self._proxy,
            operation,
            0,
            None,
            settings=self.machine.settings,
            refused=self._refusal(operation),
        )
        return objects[0] if objects else None

    def _refusal(self, operation: AnyOperation) -> Refuse:
        host, namespace = self.machine.host, self._namespace
        return lambda code, that: refused(code, operation, host, namespace, explanation(that))

    async def cancel(self, sink: object, *, inside: bool = False) -> None:
        """CancelAsyncCall; see contract.services.Services.cancel."""
        await self.machine.calls.cancel(sink, self.machine.principal, inside=inside or IN_CALLBACK.get())

    async def open(self, namespace: str) -> RemoteServices:
        """OpenNamespace: a path below this namespace; an absolute one or NULL is INVALID_PARAMETER (A38)."""
        namespace = checked_child(namespace)
        with placed(self.machine.host, "OpenNamespace"):
            inputs = OPEN.request.members.holds(
                namespace=namespace, flags=0, context=None, services=EMPTY, call_result=None
            )
            path = f"{self._namespace}\\{namespace}"

            async def ask() -> Proxy:
                that, answer = await self._proxy.exchange(OPEN, inputs, ASK)
                if failed(answer.result):
                    wrong = as_told(answer.result, explanation(that))
                    wrong.operation, wrong.namespace = "OpenNamespace", path
                    raise wrong
                return self._proxy.exporter.adopt(answer.services or None, guids.IWbemServices)

            proxy = await self._proxy.exporter.obtain(ask())
        return RemoteServices(self.machine, proxy, path, self.caller.locale)

    async def sibling(self, namespace: str) -> RemoteServices:
        """Log on to any namespace of that machine as the same caller; what OpenNamespace does not reach (A38)."""
        proxy = await self.machine.log_on(namespace, self.caller.locale)
        return RemoteServices(self.machine, proxy, namespace, self.caller.locale)

    async def again(self) -> RemoteServices:
        """Another log-on like this one, over a connection of its own: for who goes on after this one has broken."""
        machine = self.machine
        return await connect(
            machine.host,
            self._namespace,
            machine.credentials,
            port=machine.resolver.port,
            locale=self.caller.locale,
            settings=machine.settings,
        )

    async def event_sink(self) -> object:
        """QueryObjectSink: a sink that takes extrinsic events (B98, B99)."""
        from openwmi.remote.client.raising import event_sink

        with placed(self.machine.host, "QueryObjectSink"):
            return await event_sink(self._proxy)

    async def close(self) -> None:
        """Release the connection: its subscriptions end (B89); other calls end by themselves, and with the last of them
        the connection to the machine."""
        if self._closed:
            return
        self._closed = True
        await self.machine.calls.end(tuple(self._subscriptions), inside=IN_CALLBACK.get())
        self._proxy.drop()
        self.machine.leave()
        await self.machine.settled()


async def connect(
    host: str,
    namespace: str,
    credentials: Credentials,
    *,
    port: int | None = None,
    locale: str | None = None,
    context: Context | None = None,
    settings: Settings | None = None,
    shared: bool = False,
) -> RemoteServices:
    """Log on to a namespace of another machine. port: of its resolver, 135 by default; shared: over a connection that
    equal callers have already, where there is one."""
    way = sharing.entered if shared else sharing.alone
    machine = await way(Address(host, port or RESOLVER_PORT), credentials, settings or Settings())
    try:
        proxy = await machine.log_on(namespace, locale, context)
        services = RemoteServices(machine, proxy, namespace, locale)
        machine.farewell(services.identify())
        machine.leave()
        return services
    except BaseException:
        await machine.left()
        raise
