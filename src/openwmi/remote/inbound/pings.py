"""Ping sets: by which a client keeps many objects alive with one message ([MS-DCOM] 3.1.2.1, 3.1.2.5.1.2, .3).

No clock and no I/O: the time is an argument.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from openwmi.wire.dcom.exporter import OR_INVALID_SET

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from openwmi.remote.inbound.limits import ExporterLimits

_NO_RESOURCES: Final = 14  # ERROR_OUTOFMEMORY
# Changes that overtook each other on the way lie this close together; some clients send no sequence number at all but
# whatever they have (wire.md 5.6), so a number further off says nothing.
_REORDERED: Final = 16


class _Set:
    __slots__ = ("members", "owner", "seen", "sequence")

    def __init__(self, owner: Hashable, now: float) -> None:
        self.owner = owner
        self.members: set[int] = set()
        self.seen = now
        self.sequence = 0


class PingSets:
    """The sets of one exporter. random: n -> n random bytes; exists: whether an OID is one of ours."""

    def __init__(
        self, random: Callable[[int], bytes], exists: Callable[[int], bool], limits: ExporterLimits
    ) -> None:
        self._random = random
        self._exists = exists
        self._limits = limits
        self._sets: dict[int, _Set] = {}
        self._per_user: Counter[Hashable] = Counter()
        self._holders: dict[int, set[int]] = {}  # OID -> the sets that it is in

    def __len__(self) -> int:
        return len(self._sets)

    def holds(self, oid: int) -> bool:
        """Whether somebody pings for an object."""
        return oid in self._holders

    def simple(self, set_id: int, now: float) -> int:
        """A ping; its status."""
        found = self._sets.get(set_id)
        if found is None:
            return OR_INVALID_SET
        found.seen = now
        return 0

    def change(
        self,
        set_id: int,
        sequence: int,
        added: Iterable[int],
        deleted: Iterable[int],
        now: float,
        *,
        user: Hashable = None,
    ) -> tuple[int, int, frozenset[int]]:
        """A ping that changes its set, or makes one (0): (set, status, objects that nobody pings for any more).

        user: who makes it, so that none takes the room of all. Objects that are not ours are passed over; a change
        that a later one overtook is only a ping.
        """
        if not set_id:
            full = len(self._sets) >= self._limits.sets
            if full or self._per_user[user] >= self._limits.sets_per_user:
                return 0, _NO_RESOURCES, frozenset()
            set_id = int.from_bytes(self._random(8), "little") or 1
            self._sets[set_id] = _Set(user, now)
            self._per_user[user] += 1
        elif set_id not in self._sets:
            return 0, OR_INVALID_SET, frozenset()
        found = self._sets[set_id]
        found.seen = now
        if 0 < (found.sequence - sequence) % 0x10000 <= _REORDERED:
            return set_id, 0, frozenset()
        found.sequence = sequence
        gone = self._remove(set_id, found, set(deleted))
        status = self._add(set_id, found, set(added))
        return set_id, status, gone

    def forget(self, oid: int) -> None:
        """An object is gone."""
        for number in self._holders.pop(oid, ()):
            self._sets[number].members.discard(oid)

    def expired(self, now: float) -> frozenset[int]:
        """Drop the sets that nobody has pinged for too long; the objects that are in no set any more."""
        late = [number for number, one in self._sets.items() if now - one.seen > self._limits.life]
        gone: set[int] = set()
        for number in late:
            one = self._sets.pop(number)
            self._per_user[one.owner] -= 1
            if not self._per_user[one.owner]:
                del self._per_user[one.owner]
            gone |= self._remove(number, one, set(one.members))
        return frozenset(gone)

    def _add(self, number: int, found: _Set, oids: set[int]) -> int:
        more = {oid for oid in oids - found.members if self._exists(oid)}
        if len(found.members) + len(more) > self._limits.members:
            return _NO_RESOURCES
        found.members |= more
        for oid in more:
            self._holders.setdefault(oid, set()).add(number)
        return 0

    def _remove(self, number: int, found: _Set, oids: set[int]) -> frozenset[int]:
        less = oids & found.members
        found.members -= less
        gone = []
        for oid in less:
            self._holders[oid].discard(number)
            if not self._holders[oid]:
                del self._holders[oid]
                gone.append(oid)
        return frozenset(gone)
