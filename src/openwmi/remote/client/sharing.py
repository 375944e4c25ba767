"""Machines that several connections of a program share: equal callers have one association and one security context.

Equal are the address as it was named, the credentials and the settings, on one loop. A way is shared from the moment
that somebody sets out on it, and as long as it is sound: who comes later sets out anew. Two kinds are never shared:
those of credentials that come from a ticket cache, which others may fill for somebody else meanwhile, and those to
servers that take one call at a time, where one caller's patience would be the other's.

Only so many set out at a time (Settings.log_ons); the others wait for their turn, in the order in which they came.
Handshakes cost time of ours, too: were ten thousand of them under way together, most would be late through no fault of
their servers. The deadlines of a log-on begin with its turn. A machine that is silent has its turn until they are over.
"""

from __future__ import annotations

import asyncio
from copy import copy
from typing import TYPE_CHECKING, Final, TypeAlias
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from openwmi.model.errors import WbemError
from openwmi.remote.client.machine import Machine

if TYPE_CHECKING:
    from openwmi.remote.client.credentials import Credentials
    from openwmi.remote.client.settings import Settings
    from openwmi.remote.places import Address


# Turns to log on, by how many there are; held by those who have one or wait for one.
_Turns: TypeAlias = WeakValueDictionary[int, asyncio.Semaphore]
_TURNS: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns]] = WeakKeyDictionary()


async def _reached(resolver: Address, credentials: Credentials, settings: Settings) -> Machine:
    """A machine, when it is its turn."""
    turns = _TURNS.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
    turn = turns.get(settings.log_ons)
    if turn is None:
        turn = turns[settings.log_ons] = asyncio.Semaphore(settings.log_ons)
    async with turn:
        return await Machine.reach(resolver, credentials, settings)


class _Way:
    """A way to a machine, from the first step on. Its task holds it first, then the machine's connection.

    beside: all ways to the same place; it lasts as long as one of them.
    """

    def __init__(
        self, resolver: Address, credentials: Credentials, settings: Settings, beside: WeakSet[_Way]
    ) -> None:
        loop = asyncio.get_running_loop()
        self._beside = beside
        beside.add(self)
        self._leads = resolver, credentials, settings
        self._machine: Machine | None = None
        self._over = False
        self._waiting = 0
        self._ready: asyncio.Future[Machine | None] = loop.create_future()
        self._task = loop.create_task(_reached(resolver, credentials, settings))
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


_Ways: TypeAlias = WeakValueDictionary["Address", WeakSet[_Way]]
_WAYS: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _Ways]] = WeakKeyDictionary()


async def entered(resolver: Address, credentials: Credentials, settings: Settings) -> Machine:
    """A machine, shared with equal callers where that can be, and entered on behalf of whoever asks."""
    if not credentials.lasting:
        return await alone(resolver, credentials, settings)
    everywhere = _WAYS.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
    ways = everywhere.get(resolver)
    if ways is None:
        ways = everywhere[resolver] = WeakSet()
    found = next((way for way in ways if way.serves(resolver, credentials, settings)), None)
    if found is None:
        return await _Way(resolver, credentials, settings, ways).entered()
    machine = await found.entered()
    if machine.shareable:
        return machine
    await machine.left()
    return await alone(resolver, credentials, settings)


async def alone(resolver: Address, credentials: Credentials, settings: Settings) -> Machine:
    """A machine that is shared with nobody, entered."""
    machine = await _reached(resolver, credentials, settings)
    machine.enter()
    return machine
