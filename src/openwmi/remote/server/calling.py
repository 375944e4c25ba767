"""The way back to clients: one connection to each process of theirs that has sinks, kept while one of them is needed.

The server proves the same identity to the client as the client has proved to it: after NTLM the same account, after
Kerberos the service principal that the client has authenticated (DESIGN.md section 5, "Levels").
"""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final

from openwmi.model.errors import WbemError
from openwmi.remote.outbound.dialling import dial_tcp
from openwmi.remote.outbound.network import NETWORK, Security
from openwmi.remote.outbound.resolving import reach
from openwmi.wire.rpc import AuthLevel
from openwmi.wire.wmi.guids import IWbemObjectSink

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from openwmi.remote.inbound import Incoming
    from openwmi.remote.outbound.references import Proxy
    from openwmi.remote.server.server import Server
    from openwmi.remote.server.sinks import RemoteSink
    from openwmi.wire.dcom import objref

# Seconds for which a connection that has no sink any more is kept: the next call of the same client may come soon.
_LINGER: Final = 5.0


class Client:
    """One exporter of a client's: all sinks in it are called over one connection. host: where it has to be."""

    def __init__(self, owner: Clients, key: _Key, incoming: Incoming) -> None:
        self.host = incoming.association.peer.host
        # A machine with several addresses comes back from the one that was called, which is who the client expects.
        self._source = incoming.association.local.host
        self.principal = incoming.identity
        self.level = incoming.level
        self._owner = owner
        self.key = key
        self.sinks: set[RemoteSink] = set()
        self._first: asyncio.Task[Proxy] | None = None
        self._opened_by: objref.Standard | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def user(self) -> str:
        return str(self.principal.identity.name)

    @property
    def sid(self) -> str:
        return str(self.principal.identity.sid)

    # For its sinks

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._owner.server.spawn(work)

    def joined(self, sink: RemoteSink) -> None:
        """A call delivers there."""
        self.sinks.add(sink)
        self._owner.count(self.sid, 1)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def left(self, sink: RemoteSink, proxy: asyncio.Task[Proxy] | None) -> None:
        """Its call is over: give its references back."""
        if sink not in self.sinks:
            return
        self.sinks.discard(sink)
        self._owner.count(self.sid, -1)
        if proxy is not None:
            proxy.add_done_callback(self._dropped)
        if not self.sinks:
            self._timer = asyncio.get_running_loop().call_later(_LINGER, self._idle)

    def proxy(self, reference: objref.Standard) -> asyncio.Task[Proxy]:
        """The proxy of one sink, when the connection is there."""
        return self._owner.task(self._reached(reference))

    async def _reached(self, reference: objref.Standard) -> Proxy:
        while True:
            if self._first is None:
                self._opened_by = reference
                self._first = self._owner.task(self._open(reference))
            opening, mine = self._first, reference is self._opened_by
            try:
                first = await asyncio.shield(opening)
            except WbemError:
                if mine:
                    raise
                if self._first is opening:
                    self._first = None  # another reference may say better where its exporter is
            else:
                return first if mine else first.exporter.adopt(reference, IWbemObjectSink)

    async def _open(self, reference: objref.Standard) -> Proxy:
        try:
            proxy = await self._way(reference)
        except BaseException:
            self._owner.forget(self)
            raise
        proxy.exporter.channel.on_closed(self._closed)
        return proxy

    async def again(self, reference: objref.Standard, method: Any, inputs: Any) -> Any:
        """Call a sink once over a connection of its own: the one that there was is broken, its client need not be."""
        proxy = await self._way(reference)
        try:
            return await proxy.call(method, inputs)
        finally:
            await proxy.close()

    async def let_go(self, reference: objref.Standard) -> None:
        """Give a sink's references back over a connection of its own: over the old one there is no answer any more."""
        try:
            proxy = await self._way(reference)
        except WbemError:
            return  # it misses our pings
        await proxy.close()

    async def _way(self, reference: objref.Standard) -> Proxy:
        """A new connection to a sink's exporter."""
        securities = self._owner.securities(self)
        server = self._owner.server
        network = NETWORK._replace(
            dial=partial(dial_tcp, source=self._source),
            deadlines=NETWORK.deadlines._replace(call=server.limits.patience),
            trace=server.trace,
        )
        return await reach(
            reference,
            IWbemObjectSink,
            securities,
            allowed=lambda host: host == self.host,
            network=network,
        )

    def _closed(self, reason: WbemError | None) -> None:
        """The connection is gone, and the client with it: what it waits for ends."""
        self._owner.forget(self)
        for sink in tuple(self.sinks):
            sink.lost()

    @staticmethod
    def _dropped(done: asyncio.Task[Proxy]) -> None:
        if not done.cancelled() and done.exception() is None:
            done.result().drop()

    def _idle(self) -> None:
        self._timer = None
        self.spawn(self.close())

    async def close(self) -> None:
        """Give everything back and end the connection."""
        self._owner.forget(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._first is None:
            return
        if not self._first.done():
            self._first.cancel()
        await asyncio.wait([self._first])
        if not self._first.cancelled() and self._first.exception() is None:
            await self._first.result().exporter.close()


_Key = tuple[str, str, int, int]


class Clients:
    """The clients that have sinks here."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._clients: dict[_Key, Client] = {}
        self._sinks: Counter[str] = Counter()
        self._total = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        """How many sinks there are."""
        return self._total

    def sinks_of(self, user: str) -> int:
        return self._sinks[user]

    def sinks(self) -> list[RemoteSink]:
        return [sink for client in self._clients.values() for sink in client.sinks]

    def of(self, incoming: Incoming, oxid: int) -> Client:
        """The client that a sink is in: by who calls, from where, by its exporter, and by the level of the call, which
        no callback goes below."""
        key = (incoming.identity.identity.sid, incoming.association.peer.host, oxid, incoming.level)
        found = self._clients.get(key)
        if found is None:
            found = self._clients[key] = Client(self, key, incoming)
        return found

    def forget(self, client: Client) -> None:
        """It takes no further sinks; there may be another for the same key already."""
        if self._clients.get(client.key) is client:
            del self._clients[client.key]

    def count(self, user: str, more: int) -> None:
        self._total += more
        self._sinks[user] += more
        if not self._sinks[user]:
            del self._sinks[user]

    def task(self, work: Coroutine[Any, Any, Proxy]) -> asyncio.Task[Proxy]:
        """A task of ours, whose failure is told to whoever waits for it, and to nobody else."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()

    def securities(self, client: Client) -> list[Security | None]:
        """How to log on to a client, the best way first: privately, and never below the level of its own call."""
        initiate = self.server.logons.proving(client.principal)
        levels = [level for level in (AuthLevel.PRIVACY, AuthLevel.INTEGRITY) if level >= client.level]
        return [Security(initiate, level) for level in levels]

    async def close(self) -> None:
        """The server ends."""
        for client in list(self._clients.values()):
            await client.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))
