"""Callbacks into clients' sinks: asynchronous calls and NextAsync deliver there (wire.md 6, calls.md C, D, E.2).

A client names its sink by a reference that leads to an address. Only the address that it calls from itself is ever
called back: else anybody with an account could have this machine log on to any other (wire.md 6.4).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet, WeakValueDictionary

from openwmi.contract.flags import WBEM_STATUS_COMPLETE, WBEM_STATUS_PROGRESS
from openwmi.contract.operations import ExecNotificationQuery
from openwmi.faces import views
from openwmi.model.errors import WbemError, error
from openwmi.model.status import (
    E_ACCESSDENIED,
    RPC_S_UNKNOWN_AUTHN_SERVICE,
    WBEM_E_ACCESS_DENIED,
    WBEM_E_CALL_CANCELLED,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_NOT_FOUND,
    WBEM_E_QUOTA_VIOLATION,
    WBEM_E_SERVER_TOO_BUSY,
    WBEM_E_SHUTTING_DOWN,
    WBEM_E_TIMED_OUT,
    failed,
)
from openwmi.remote.outbound.resolving import addresses_of, permitted
from openwmi.remote.server.calling import Client, Clients
from openwmi.wire.dcom import objref
from openwmi.wire.rpc import AuthLevel
from openwmi.wire.wmi.results import INDICATE, SET_STATUS, Indicate, SetStatus
from openwmi.wire.wmi.types import reference_to

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from openwmi.contract.context import Context
    from openwmi.contract.operations import AnyOperation
    from openwmi.contract.outcome import Outcome, Progress
    from openwmi.contract.services import Call, Services
    from openwmi.model.batches import Batch
    from openwmi.remote.inbound import Incoming
    from openwmi.remote.outbound.references import Proxy
    from openwmi.remote.server.limits import ServerLimits
    from openwmi.remote.server.server import Server

_REACHED_WITHIN: Final = 3.0  # seconds
# How a sink refuses a level that it is called at.
_UNTRUSTED: Final = frozenset({E_ACCESSDENIED, RPC_S_UNKNOWN_AUTHN_SERVICE})
_LAST_WORDS: Final = 1.0  # seconds for the sinks of a server that ends
_LOG: Final = logging.getLogger("openwmi.remote")


class Name:
    """What a sink is known by, whichever of its references is given: cancel compares it with `is` (D16)."""

    __slots__ = ("__weakref__", "sinks")

    def __init__(self) -> None:
        self.sinks: WeakSet[RemoteSink] = WeakSet()


class RemoteSink:
    """A sink of a client's, for one call. Implements contract.services.Sink.

    It works by credit, so that no batch is larger than one callback may carry and the time of each callback counts by
    itself (C7); the deadline is kept here.
    """

    def __init__(
        self,
        name: Name,
        services: Services,
        client: Client,
        reference: objref.Standard,
        limits: ServerLimits,
    ) -> None:
        self.identity = name
        self.principal = services.caller.sid
        self.credit = limits.objects
        self.cancelled = False
        self.ending = False
        self._services = services
        self._client = client
        self._reference = reference
        self._limits = limits
        self._owed = 0
        self._call: Call | None = None
        self._proxy: asyncio.Task[Proxy] | None = None
        self._dead = False
        self._cut = False  # the connection to it broke
        self._late = False  # it did not answer in time
        name.sinks.add(self)

    async def reach(self) -> None:
        """Find the way to the sink before its call begins, as Windows does when it takes the reference apart: what is
        not there, or does not let us in, refuses the call. A client that is only slow is not waited for: it may serve
        nobody before it has its answer."""
        self._client.joined(self)
        found = self._found()
        await asyncio.wait((found,), timeout=_REACHED_WITHIN)
        if found.done():
            try:
                found.result()
            except WbemError as refusal:
                _LOG.warning("a sink cannot be called: %s", refusal, extra={"fields": self._fields()})
                if refusal.code in _UNTRUSTED and least_level(self._services) >= AuthLevel.PRIVACY:
                    raise error(
                        WBEM_E_ACCESS_DENIED,
                        f"{self._services.namespace} requires encryption, and the sink cannot be called privately",
                        parameter="pResponseHandler",
                    ) from refusal
                raise

    def attach(self, call: Call) -> None:
        """The call was accepted."""
        self._call = call
        if self._owed:
            call.grant(self._owed)

    def received(self, refs: int) -> None:
        """Another reference to the sink has come, and is released with it (wire.md 6.5)."""
        self._found().add_done_callback(lambda done: _received(done, refs))

    def lost(self) -> None:
        """The connection to the sink is gone: its call ends."""
        self._dead = self._cut = self.cancelled = True
        if self._call is not None:
            self._client.spawn(self._call.cancel())

    async def end(self) -> None:
        """The server ends, and the call with it: the sink is told so."""
        self.ending = self.cancelled = True
        if self._call is not None:
            await self._call.cancel()

    @property
    def _given_up(self) -> bool:
        """Whether its client has cancelled the call: it need not keep the sink until the end of it has come."""
        return self.cancelled and not self._cut and not self.ending

    def _found(self) -> asyncio.Task[Proxy]:
        if self._proxy is None:
            self._proxy = self._client.proxy(self._reference)
        return self._proxy

    # The sink

    async def on_objects(self, batch: Batch) -> int:
        for references in _portions(batch, self._limits):
            if self.cancelled:
                return WBEM_E_CALL_CANCELLED
            result = await self._told(INDICATE, Indicate(references))
            if failed(result):
                return result
        if self._call is not None:
            self._call.grant(len(batch))
        else:
            self._owed += len(batch)
        return 0

    async def on_progress(self, progress: Progress) -> int:
        return await self._told(
            SET_STATUS, SetStatus(WBEM_STATUS_PROGRESS, progress.hresult, progress.message)
        )

    async def on_completed(self, outcome: Outcome) -> int:
        details = None if outcome.error is None else reference_to(outcome.error)
        ended = self.ending and outcome.status == WBEM_E_CALL_CANCELLED
        code = WBEM_E_SHUTTING_DOWN if ended else outcome.status
        status = SetStatus(WBEM_STATUS_COMPLETE, code, outcome.text, details)
        if self._cut:
            # Else a client that is still there would wait for ever, and take an end of events for silence.
            status = self._fit(status, self._client.level) or status
            answer = await self._client.again(self._reference, SET_STATUS, status)
            return int(answer.result)
        return await self._told(SET_STATUS, status)

    def on_released(self) -> None:
        self._client.left(self, self._proxy)
        if self._late:
            self._client.spawn(self._client.let_go(self._reference))

    def abandon(self) -> None:
        """The call was refused: the references that came along are given back (wire.md 6.5)."""
        self.on_released()

    async def _told(self, method: Any, inputs: Any) -> int:
        """Call the sink and wait for its answer, but not for ever. After a call that was given up none is made any
        more: it may still be running there (C8)."""
        if self._dead:
            return WBEM_E_CALL_CANCELLED
        try:
            async with asyncio.timeout(self._limits.patience):
                proxy = await asyncio.shield(self._found())
            inputs = self._fit(inputs, proxy.level)
            if inputs is None:
                return WBEM_E_ACCESS_DENIED
            answer = await proxy.call(method, inputs, deadline=self._limits.patience)
        except TimeoutError:
            self._dead = self._late = True
            raise error(WBEM_E_TIMED_OUT, "the client's sink cannot be reached in time") from None
        except WbemError as failure:
            self._dead = True
            self._late = failure.code == WBEM_E_TIMED_OUT
            if not self._given_up:
                _LOG.info("a sink failed: %s", failure, extra={"fields": self._fields()})
            raise
        return int(answer.result)

    def _fit(self, inputs: Any, level: int) -> Any:
        """What may be told at a level: everything, but where the namespace has come to require encryption since the
        call began nothing but that it is over, and why (E14). None for nothing."""
        if level >= least_level(self._services):
            return inputs
        _LOG.warning("a sink that is not called privately is told nothing", extra={"fields": self._fields()})
        if isinstance(inputs, SetStatus) and inputs.flags == WBEM_STATUS_COMPLETE:
            return SetStatus(WBEM_STATUS_COMPLETE, WBEM_E_ACCESS_DENIED, None, None)
        return None

    def _fields(self) -> dict[str, str]:
        """For the log."""
        client = self._client
        return {"account": client.user, "address": client.host, "namespace": self._services.namespace}


def least_level(services: Services) -> int:
    """The level below which nothing of a namespace may travel now; it may come to require encryption at any time."""
    return int(getattr(services, "least_level", 0))


def _received(done: asyncio.Task[Proxy], refs: int) -> None:
    if not done.cancelled() and done.exception() is None:
        done.result().received(refs)


def _portions(batch: Batch, limits: ServerLimits) -> Iterator[Sequence[bytes]]:
    """A batch in the portions of one Indicate each: by number and by size, never an empty one (C2, B23)."""
    portion: list[bytes] = []
    size = 0
    for one in batch:
        reference = reference_to(one)
        if portion and (len(portion) >= limits.objects or size + len(reference) > limits.size):
            yield portion
            portion, size = [], 0
        portion.append(reference)
        size += len(reference)
    if portion:
        yield portion


class Callbacks:
    """All sinks of clients that wait for callbacks."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._names: WeakValueDictionary[tuple[int, int], Name] = WeakValueDictionary()
        self.clients = Clients(server)
        self._ending = False

    async def start(
        self,
        services: Services,
        operation: AnyOperation,
        reference: bytes | None,
        incoming: Incoming,
        *,
        flags: int,
        context: Context | None,
    ) -> None:
        """Start an operation that delivers into a client's sink; raises what it is refused with (B16)."""
        sink = await self._sink(reference, incoming, services)
        try:
            if sink is not None:
                await sink.reach()
            call = await services.start(operation, sink, flags, context)  # type: ignore[arg-type]
        except BaseException:
            if sink is not None:
                sink.abandon()
            raise
        assert sink is not None  # a NULL sink has been refused
        sink.attach(call)
        if isinstance(operation, ExecNotificationQuery):
            await views.in_force(call)

    async def start_next(
        self,
        view: views.Enumerator,
        services: Services,
        reference: bytes | None,
        incoming: Incoming,
        count: int,
    ) -> int:
        """NextAsync: the status; with WBEM_S_FALSE the sink is not used (F14, F16)."""
        sink = await self._sink(reference, incoming, services)
        try:
            if sink is not None:
                await sink.reach()
            status = await view.next_async(count, sink)
        except BaseException:
            if sink is not None:
                sink.abandon()
            raise
        assert sink is not None  # as above
        if status:
            sink.abandon()
        return status

    async def cancel(self, services: Services, reference: bytes | None) -> None:
        """CancelAsyncCall: every pending call of this caller and sink, in whatever namespace (D1, D13)."""
        if reference is None:
            raise error(WBEM_E_INVALID_PARAMETER, "CancelAsyncCall: the sink is NULL", parameter="pSink")
        found = objref.standard(reference)
        name = self._names.get((found.std.oxid, found.std.oid))
        mine = [] if name is None else self._of(name, services.caller.sid)
        if not mine:
            raise error(WBEM_E_NOT_FOUND, "CancelAsyncCall: no call of this sink is running")
        for sink in mine:
            sink.cancelled = True  # no further Indicate of a batch that is under way (D5)
        mine[0].received(found.std.public_refs)
        # Nobody waits for the client here: it may be waiting for this very answer (D4).
        await views.cancel(services, name, inside=True)

    @staticmethod
    def _of(name: Name, principal: str) -> list[RemoteSink]:
        return [sink for sink in name.sinks if sink.principal == principal]

    async def close(self) -> None:
        """The server ends: every call does, its sink hears of it, and the connections go."""
        self._ending = True
        ending = [asyncio.ensure_future(sink.end()) for sink in self.clients.sinks()]
        if ending:
            await asyncio.wait(ending, timeout=_LAST_WORDS)
        await self.clients.close()

    async def _sink(
        self, reference: bytes | None, incoming: Incoming, services: Services
    ) -> RemoteSink | None:
        """The sink behind a reference, if it is where its caller is; None for NULL, which the operation refuses."""
        if self._ending:
            raise error(WBEM_E_SHUTTING_DOWN, "the server is shutting down")
        if reference is None:
            return None
        found = objref.standard(reference)
        host = incoming.association.peer.host
        if not await permitted(addresses_of(found.bindings), lambda one: one == host):
            raise error(
                WBEM_E_ACCESS_DENIED,
                f"the sink is not at {host}, where its caller is",
                parameter="pResponseHandler",
            )
        self._check_room(services.caller.sid)
        key = (found.std.oxid, found.std.oid)
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = Name()
        client = self.clients.of(incoming, found.std.oxid)
        standard = objref.Standard(found.iid, found.std, found.bindings)
        return RemoteSink(name, services, client, standard, self._server.limits)

    def _check_room(self, user: str) -> None:
        limits, clients = self._server.limits, self.clients
        if clients.sinks_of(user) >= limits.sinks_per_user:
            raise error(
                WBEM_E_QUOTA_VIOLATION,
                f"{limits.sinks_per_user} sinks wait for callbacks, the limit of a user",
            )
        if len(clients) >= limits.sinks:
            raise error(WBEM_E_SERVER_TOO_BUSY, f"{limits.sinks} sinks wait for callbacks, the limit")
