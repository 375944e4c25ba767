"""A DCOM server: its exporter, its listener, its log-ons, and the callbacks it owes to clients' sinks."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import WeakSet

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_ACCESS_DENIED, WBEM_E_QUOTA_VIOLATION
from openwmi.remote.inbound import Addresses, Exporter, Listener
from openwmi.remote.inbound.listener import listen, separate
from openwmi.remote.places import address_of
from openwmi.remote.server.activation import ACTIVATORS
from openwmi.remote.server.apartment import Apartment
from openwmi.remote.server.limits import ServerLimits
from openwmi.remote.server.login import Login
from openwmi.remote.server.logons import LogOns, Principal, sid_of
from openwmi.remote.server.services import EXPORTED
from openwmi.remote.server.sinks import Callbacks
from openwmi.remote.server.telling import explained
from openwmi.wire.ntlm import ServerNames

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from socket import socket
    from uuid import UUID

    from openwmi.contract.caller import Caller
    from openwmi.contract.logon import Authority, Identity
    from openwmi.contract.services import Services
    from openwmi.remote.inbound import Exported, Incoming
    from openwmi.remote.places import Address
    from openwmi.remote.server.positions import Position
    from openwmi.wire.decoding import Trace

_LOG: Final = logging.getLogger("openwmi.remote")


class LogOn(Protocol):
    """Who logs an account on to a namespace: `Host.log_on`. Raises WbemError when it may not, or there is none."""

    async def __call__(
        self,
        identity: Identity,
        namespace: str,
        *,
        address: str,
        auth_level: int,
        locale: str | None,
    ) -> Services: ...


class Server:
    """Serves namespaces to clients. Lives on the loop of the Services that `log_on` gives.

    names: of this machine, the shortest first; aliases: whatever else clients may know it by; random, clock, now: as
    os.urandom, time.monotonic, time.time; trace: is told of every PDU.
    """

    def __init__(
        self,
        log_on: LogOn,
        authority: Authority,
        names: Sequence[str],
        *,
        aliases: Sequence[str] = (),
        domain: str = "WORKGROUP",
        limits: ServerLimits | None = None,
        random: Callable[[int], bytes] = os.urandom,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        trace: Trace | None = None,
    ) -> None:
        self.trace = trace
        self.limits = limits or ServerLimits()
        self.random = random
        short = names[0] if names else "localhost"
        called = ServerNames(short.upper(), domain, names[-1] if names else short, domain.lower())
        self.logons = LogOns(authority, called, random=random, now=now)
        self.exporter = Exporter(
            {*Login.interfaces, *Apartment.interfaces, *EXPORTED},
            Addresses((*names, *aliases)),
            activators={iid: (table, self) for iid, table in ACTIVATORS.items()},
            principal=sid_of,
            explain=explained,
            random=random,
            clock=clock,
            limits=self.limits.exporter,
        )
        self.listener = Listener(
            self.exporter,
            self.logons.accept,
            established=self.logons.established,
            refused=self.logons.refused,
            limits=self.limits.listener,
            clock=clock,
            trace=trace,
        )
        self.callbacks = Callbacks(self)
        self.positions: WeakSet[Position] = WeakSet()
        self._log_on = log_on
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int, *, objects: int | None = None) -> Address:
        """Serve on a port; where it is. OSError when it cannot be had.

        objects: the port of the objects, to which the first one then only leads, as port 135 of Windows does.
        """
        return await listen(self.listener, self.exporter.addresses, host, port, objects=objects)

    async def adopt(self, listening: socket, *, objects: int | None = None) -> Address:
        """Serve on a socket that somebody has opened for us."""
        if objects is not None:
            await separate(
                self.listener, self.exporter.addresses, address_of(listening.getsockname()), objects
            )
        return await self.listener.adopt(listening)

    def accounts_changed(self) -> None:
        """Break off the connections whose accounts are not what they were; they may log on anew."""
        for association in self.logons.outdated():
            association.end("its account has been removed or changed")

    async def close(self) -> None:
        """End all calls with SHUTTING_DOWN, then all connections and objects."""
        await self.callbacks.close()
        await self.listener.close()
        for exported in list(self.exporter.objects):
            self.exporter.withdraw(exported)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=1.0)
            for task in late:
                task.cancel()

    # For the objects

    async def log_on(
        self, principal: object, namespace: str, *, address: str, auth_level: int, locale: str | None
    ) -> Services:
        """A connection to a namespace for who has proven to be somebody."""
        assert isinstance(principal, Principal)  # nobody else gets past the exporter's level
        identity = principal.identity
        if not self.logons.valid(identity):
            raise error(WBEM_E_ACCESS_DENIED, f"the account {identity.name} is gone, or has changed")
        return await self._log_on(identity, namespace, address=address, auth_level=auth_level, locale=locale)

    def give(self, made: Exported, iid: UUID, incoming: Incoming) -> bytes:
        """The reference to an object that was made for the caller of a method; when it is refused, nobody has the
        object, and it is released."""
        try:
            return self.exporter.answer(made, iid, incoming)
        except BaseException:
            made.released()
            raise

    def room(self, caller: Caller) -> int:
        """How many objects one more result of a caller may keep; QUOTA_VIOLATION when it is none."""
        mine = sum(one.view.kept for one in self.positions if one.view.caller.sid == caller.sid)
        left = self.limits.held_per_user - mine
        if left <= 0:
            raise error(
                WBEM_E_QUOTA_VIOLATION,
                f"the results of {caller.name} keep {mine} objects, {self.limits.held_per_user} may be",
            )
        return min(self.limits.held, left)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something for which no caller waits."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned)

    def _spawned(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _LOG.error("a clean-up failed", exc_info=task.exception())
