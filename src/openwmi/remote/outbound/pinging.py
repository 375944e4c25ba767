"""Pings: as long as something pingable is held, its server hears of it every two minutes ([MS-DCOM] 3.2.6.1).

What is held for less than a period is never pinged: a server waits for three of them before it reaps.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from openwmi.model.errors import WbemError
from openwmi.remote.outbound.channel import Channel
from openwmi.remote.outbound.network import NETWORK, Network, Security
from openwmi.wire.dcom.exporter import COMPLEX_PING, OR_INVALID_SET, SIMPLE_PING, ComplexPing, SimplePing
from openwmi.wire.dcom.guids import IObjectExporter

if TYPE_CHECKING:
    from openwmi.remote.places import Address

PERIOD: Final = 120.0
_AT_ONCE: Final = 1000


class Pinger:
    """The ping set of one client at one resolver. Connects anew for each ping, as everybody does."""

    def __init__(
        self,
        resolver: Address,
        security: Security | None,
        *,
        target: str = "",
        network: Network = NETWORK,
    ) -> None:
        self._resolver = resolver
        self._security = security
        self._target = target
        self._network = network
        self._counts: dict[int, int] = {}
        self._known: set[int] = set()  # what the server's set holds, as far as it was told
        self._set = 0
        self._sequence = 0
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self.failure: WbemError | None = None

    @property
    def pinged(self) -> frozenset[int]:
        """The objects that are held."""
        return frozenset(self._counts)

    def add(self, oid: int) -> None:
        """An object is held, once more."""
        self._counts[oid] = self._counts.get(oid, 0) + 1
        if self._timer is None and self._task is None:
            self._wind()

    def remove(self, oid: int) -> None:
        """An object is held once less."""
        count = self._counts.get(oid, 0) - 1
        if count > 0:
            self._counts[oid] = count
        else:
            self._counts.pop(oid, None)

    def close(self) -> None:
        """Nothing is held any more. The set dies by itself at the server."""
        self._counts.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            self._task.cancel()

    def _wind(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(PERIOD, self._due)

    def _due(self) -> None:
        self._timer = None
        if self._counts or self._known:
            self._task = asyncio.get_running_loop().create_task(self._ping())
            self._task.add_done_callback(self._done)

    def _done(self, _: asyncio.Task[None]) -> None:
        self._task = None
        if self._counts:
            self._wind()

    async def _ping(self) -> None:
        try:
            channel = await Channel.open(
                self._resolver,
                IObjectExporter,
                self._security,
                target=self._target,
                network=self._network,
            )
        except WbemError as reason:
            self.failure = reason  # the next period tries again: the server waits for three
            return
        try:
            await self._tell(channel)
            self.failure = None
        except WbemError as reason:
            self.failure = reason
        finally:
            await channel.close()

    async def _tell(self, channel: Channel) -> None:
        """One ping: a simple one while the set stays as it is."""
        added, gone = set(self._counts) - self._known, self._known - set(self._counts)
        if self._set and not added and not gone:
            answer = await channel.call(IObjectExporter, SIMPLE_PING, SimplePing(self._set))
            if answer.status != OR_INVALID_SET:
                return
            # The server has forgotten the set; it gets all of it again.
            self._set, self._known, added = 0, set(), set(self._counts)
        while added or gone:
            plus, minus = tuple(added)[:_AT_ONCE], tuple(gone)[:_AT_ONCE]
            self._sequence = self._sequence + 1 & 0xFFFF
            changed = await channel.call(
                IObjectExporter,
                COMPLEX_PING,
                ComplexPing(self._set, self._sequence, plus or None, minus or None),
            )
            self._set = changed.set_id if not changed.status else 0
            if changed.status:
                self._known = set()
                return
            self._known = (self._known | set(plus)) - set(minus)
            added -= set(plus)
            gone -= set(minus)
