"""What peers may cost: numbers, bytes and seconds that everything coming in meets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from openwmi.wire.rpc import Limits
from openwmi.wire.rpc.constants import LARGEST_FRAGMENT

# As large as the client offers to take: that costs a third less per object than the fragments of Windows (wire.md 7.8).
_LARGE_FRAGMENTS: Final = Limits(fragment=LARGEST_FRAGMENT)


@dataclass(frozen=True, slots=True)
class ListenerLimits:
    """Bounds of a listener and its connections.

    connections, per_address: open at once; contexts, contexts_per_address: security contexts of all their connections;
    in_flight: bytes of the calls of one connection that are under way, beyond which no more is read; buffered: bytes of
    all calls of all connections, beyond which the one that has most is ended; unproven: bytes of an unfinished call of
    a peer that has not proved who it is.
    Seconds: handshake: without a sign of life before the peer has proved who it is; stranger: in all for a peer that
    never does; fragment: until a fragment is whole, or the next one of the same call comes; unread: that answers wait
    for the peer to read; idle: with no call under way; period: between two looks at all of this.
    """

    connections: int = 4096
    per_address: int = 2048
    contexts: int = 50_000
    contexts_per_address: int = 20_000
    in_flight: int = 32 << 20
    buffered: int = 256 << 20
    unproven: int = 64 << 10
    handshake: float = 30.0
    stranger: float = 300.0
    fragment: float = 30.0
    unread: float = 120.0
    idle: float = 7200.0
    period: float = 5.0
    rpc: Limits = _LARGE_FRAGMENTS


@dataclass(frozen=True, slots=True)
class ExporterLimits:
    """Bounds of an object table.

    objects, per_user: exported at once; references: that one user may hold on one interface of one object; sets: of
    pings, sets_per_user of them of one user; members: objects in one set. ping, periods: an object lives that many ping
    periods without a sign of life ([MS-DCOM] 3.1.2.2, wire.md 5.7).
    """

    objects: int = 100_000
    per_user: int = 50_000
    references: int = 1 << 20
    sets: int = 10_000
    sets_per_user: int = 5_000
    members: int = 100_000
    ping: float = 120.0
    periods: int = 3

    @property
    def life(self) -> float:
        """Seconds that an object lives without a sign of life of its client."""
        return self.ping * self.periods
