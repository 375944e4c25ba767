"""The listening sockets of one server or of one client's sinks, and all connections that came to them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from openwmi.remote.inbound.association import Association, Serving
from openwmi.remote.inbound.limits import ListenerLimits
from openwmi.remote.places import Address, address_of, plain_host
from openwmi.wire.rpc import AssociationGroups, ServerConnection

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine

    from openwmi.remote.inbound.addresses import Addresses
    from openwmi.wire.decoding import Trace
    from openwmi.wire.rpc import SecurityContext
    from openwmi.wire.rpc import events as e

_LOG: Final = logging.getLogger("openwmi.remote")
_BACKLOG: Final = 512
_LAST_WORDS: Final = 0.5  # seconds for the calls of a listener that ends, and then for its connections


def _everybody(host: str) -> bool:
    return True


def _nothing(association: Association, event: e.Established) -> None:
    """Nobody wants to know."""


def _log_refusal(association: Association, event: e.AuthenticationRefused) -> float:
    fields = {"address": association.peer.host}
    _LOG.warning("log-on refused: %s", event.error, extra={"fields": fields})
    return 0.0


class Listener:
    """Every port of a listener serves what `serving` says for it.

    accept: (authentication type, level, connection) -> the accepting side of a handshake, None for "not here"; admit:
    which peers, by address; established, refused: told of handshakes; the latter gives the seconds for which the
    connection is not listened to; trace: is told of every PDU. One listener lives on one loop.
    """

    def __init__(
        self,
        serving: Serving,
        accept: Callable[[int, int, Association], SecurityContext | None],
        *,
        admit: Callable[[str], bool] = _everybody,
        established: Callable[[Association, e.Established], None] = _nothing,
        refused: Callable[[Association, e.AuthenticationRefused], float] = _log_refusal,
        limits: ListenerLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
        trace: Trace | None = None,
    ) -> None:
        self.serving = serving
        self.limits = limits or ListenerLimits()
        self.associations: set[Association] = set()
        self.addresses: list[Address] = []
        self._accept = accept
        self._admit = admit
        self.established = established
        self.refused = refused
        self._clock = clock
        self._trace = trace
        self._groups = AssociationGroups(limit=self.limits.connections)
        self._by_host: Counter[str] = Counter()
        self._contexts: Counter[str] = Counter()
        self._kept = 0
        self._servers: list[asyncio.Server] = []
        self._sweeper: asyncio.TimerHandle | None = None
        self._ending = False

    # For the owner

    async def listen(self, host: str, port: int = 0) -> Address:
        """Open a port (0: any free one); where it is. OSError when it cannot be had."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Association(self), host, port, backlog=_BACKLOG)
        return self._opened_server(server)

    async def adopt(self, listening: socket.socket) -> Address:
        """Serve on a socket that listens already, or is bound: one that systemd passed on."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Association(self), sock=listening, backlog=_BACKLOG)
        return self._opened_server(server)

    def leave(self, place: Address) -> None:
        """Take no more connections at one of the addresses."""
        for server in [one for one in self._servers if address_of(one.sockets[0].getsockname()) == place]:
            server.close()
            self._servers.remove(server)
            self.addresses.remove(place)

    async def close(self, grace: float = 0.0) -> None:
        """Take no more connections; end all calls after `grace` seconds, then the connections."""
        self._ending = True
        for server in self._servers:
            server.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        open_now = list(self.associations)
        if grace and open_now:
            await _bounded([one.wait_for_calls() for one in open_now], grace)
        for one in open_now:
            one.cancel_calls()
        await _bounded([one.wait_for_calls() for one in open_now], _LAST_WORDS)
        for one in open_now:
            one.shut_down()
        await _bounded([one.gone.wait() for one in open_now], _LAST_WORDS)
        for one in list(self.associations):
            one.end("the server ends")
        await _bounded([one.gone.wait() for one in open_now], _LAST_WORDS)

    def sweep(self, now: float) -> None:
        """End the connections that let us wait for too long."""
        for one in list(self.associations):
            reason = one.overdue(now)
            if reason is not None:
                one.end(reason)
        self.serving.sweep(now)

    # For the associations

    def now(self) -> float:
        return self._clock()

    def opened(self, association: Association) -> ServerConnection | None:
        host = association.peer.host
        reason = self._objection(host)
        if reason is not None:
            _LOG.info("connection refused: %s", reason, extra={"fields": {"address": host}})
            return None
        self.associations.add(association)
        self._by_host[host] += 1
        rpc = ServerConnection(
            lambda interface: self.serving.serves(interface, association.local),
            lambda auth_type, level: self._accepting(auth_type, level, association),
            groups=self._groups,
            address=str(association.local.port),
            limits=self.limits.rpc,
        )
        if self._trace is not None:
            self._trace.watch(rpc, peer=association.peer, local=association.local)
        return rpc

    def _accepting(self, auth_type: int, level: int, association: Association) -> SecurityContext | None:
        """One more handshake, within the bounds of all."""
        host, limits = association.peer.host, self.limits
        if self._contexts.total() >= limits.contexts or self._contexts[host] >= limits.contexts_per_address:
            _LOG.warning("too many security contexts", extra={"fields": {"address": host}})
            return None
        made = self._accept(auth_type, level, association)
        if made is not None:
            association.contexts += 1
            self._contexts[host] += 1
        return made

    def _objection(self, host: str) -> str | None:
        if self._ending:
            return "the server ends"
        if len(self.associations) >= self.limits.connections:
            return "too many connections"
        if self._by_host[host] >= self.limits.per_address:
            return "too many connections from this address"
        return None if self._admit(host) else "not an address that is expected"

    def keeps(self, association: Association, more: int) -> None:
        self._kept += more
        if self._kept > self.limits.buffered and more > 0:
            max(self.associations, key=lambda one: one.kept).end("it keeps too much, and so do all together")

    def closed(self, association: Association) -> None:
        self.associations.discard(association)
        host = association.peer.host
        self._by_host[host] -= 1
        self._contexts[host] -= association.contexts
        if self._by_host[host] <= 0:
            del self._by_host[host], self._contexts[host]

    def _opened_server(self, server: asyncio.Server) -> Address:
        self._servers.append(server)
        address = address_of(server.sockets[0].getsockname())
        self.addresses.append(address)
        if self._sweeper is None:
            self._schedule()
        return address

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweeper = loop.call_later(self.limits.period, self._look)

    def _look(self) -> None:
        self.sweep(self._clock())
        self._schedule()


async def _bounded(waits: list[Coroutine[Any, Any, object]], seconds: float) -> None:
    """Wait for all of them, but no longer than that."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()


async def listen(
    listener: Listener, addresses: Addresses, host: str, port: int, *, objects: int | None = None
) -> Address:
    """Open a port for everything, or one that leads to the port of the objects; where it is."""
    if objects is None:
        return await listener.listen(host, port)
    # Nobody comes to a port before what it is for is known: not before this returns where any port will do.
    before = tuple(listener.addresses)
    place = await separate(listener, addresses, Address(plain_host(host), port), objects)
    try:
        resolver = await listener.listen(host, port)
    except OSError:
        if place not in before:
            listener.leave(place)
        raise
    addresses.apart(resolver, place)
    return resolver


async def separate(listener: Listener, addresses: Addresses, resolver: Address, objects: int) -> Address:
    """Open the port of the objects that another address leads to, or will; where it is. Several may lead there."""
    place = Address(resolver.host, objects)
    if place not in listener.addresses:
        place = await listener.listen(*place)
    addresses.apart(resolver, place)
    return place
