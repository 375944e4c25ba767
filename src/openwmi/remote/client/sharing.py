"""Machines that several connections of a program share: equal callers have one association and one security context.

Equal are the address as it was named, the credentials and the settings, on one loop. A way is shared from the moment
that somebody sets out on it, and as long as it is sound: who comes later sets out anew. Two kinds are never shared:
those of credentials that come from a ticket cache, which others may fill for somebody else meanwhile, and those to
servers that take one call at a time, where one caller's patience would be the other's.
"""

from __future__ import annotations

import asyncio
from copy import copy
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary, WeakSet

from openwmi.model.errors import WbemError
from openwmi.remote.client.machine import Machine

if TYPE_CHECKING:
    from openwmi.remote.client.credentials import Credentials
    from openwmi.remote.client.settings import Settings
    from openwmi.remote.places import Address


class _Way:
    """A way to a machine, from the first step on. Its task holds it first, then the machine's connection."""

    def __init__(self, resolver: Address, credentials: Credentials, settings: Settings) -> None:
        loop = asyncio.get_running_loop()
        self._leads = resolver, credentials, settings
        self._machine: Machine | None = None
        self._over = False
        self._waiting = 0
        self._ready: asyncio.Future[Machine | None] = loop.create_future()
        self._task = loop.create_task(Machine.reach(resolver, credentials, settings))
        self._task.add_done_callback(self._arrived)

    def serves(self, resolver: Address, credentials: Credentials, settings: Settings) -> bool:
        """Whether somebody can go along."""
        sound = not self._over and (self._machine is None or self._machine.shareable)
        return sound and self._leads == (resolver, credentials, settings)

    async def entered(self) -> Machine:
        """The machine, entered on behalf of whoever asks."""
        if self._machine is not None:
            self._machine.enter()
            return self._machine
        self._waiting += 1
        try:
            await asyncio.wait([self._ready])
        except asyncio.CancelledError:
            await self._turned_back()
            raise
        machine = self._ready.result()
        if machine is None:
            reason = self._task.exception()
            assert reason is not None  # who cancels the task waits for nothing any more
            if isinstance(reason, WbemError):
                # Each has an error of its own: several tasks must not share a traceback.
                raise copy(reason).with_traceback(None) from reason.__cause__
            raise reason
        return machine

    def _arrived(self, task: asyncio.Task[Machine]) -> None:
        if task.cancelled() or task.exception() is not None:
            self._over = True
        else:
            self._machine = machine = task.result()
            machine.on_lost(self._lost)
            machine.enter()
            for _ in range(self._waiting):
                machine.enter()
            machine.leave()  # ends it where nobody waits any more
        self._ready.set_result(self._machine)

    async def _turned_back(self) -> None:
        """One of those who waited does not any more; the last of them ends the way."""
        if self._machine is not None:
            await self._machine.left()
            return
        self._waiting -= 1
        if not self._waiting and not self._over:
            self._over = True
            self._task.cancel()
            await asyncio.wait([self._ready])

    def _lost(self, reason: WbemError | None) -> None:
        self._over = True


_WAYS: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, WeakSet[_Way]]] = WeakKeyDictionary()


async def entered(resolver: Address, credentials: Credentials, settings: Settings) -> Machine:
    """A machine, shared with equal callers where that can be, and entered on behalf of whoever asks."""
    if not credentials.lasting:
        return await alone(resolver, credentials, settings)
    ways = _WAYS.setdefault(asyncio.get_running_loop(), WeakSet())
    found = next((way for way in ways if way.serves(resolver, credentials, settings)), None)
    if found is None:
        way = _Way(resolver, credentials, settings)
        ways.add(way)
        return await way.entered()
    machine = await found.entered()
    if machine.shareable:
        return machine
    await machine.left()
    return await alone(resolver, credentials, settings)


async def alone(resolver: Address, credentials: Credentials, settings: Settings) -> Machine:
    """A machine that is shared with nobody, entered."""
    machine = await Machine.reach(resolver, credentials, settings)
    machine.enter()
    return machine
