"""The objects that are exported, who holds references to which interface of them, and when nobody does any more.

No I/O and no clock: the time is an argument (wire.md 5.7).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final
from uuid import UUID

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_QUOTA_VIOLATION, WBEM_E_SERVER_TOO_BUSY
from openwmi.remote.inbound.pings import PingSets
from openwmi.wire.dcom.guids import IID_IUnknown
from openwmi.wire.dcom.objref import SORF_NOPING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from openwmi.remote.inbound.association import Association
    from openwmi.remote.inbound.incoming import Exported, Interface
    from openwmi.remote.inbound.limits import ExporterLimits

_IUNKNOWN: Final[Interface] = {}


class Entry:
    """One exported object. owner: for whom it was made; calls: methods under way; pinged: it has been in a ping set."""

    __slots__ = ("associations", "calls", "flags", "object", "oid", "owner", "pinged", "pointers")

    def __init__(self, exported: Exported, oid: int, owner: Hashable, flags: int) -> None:
        self.object = exported
        self.oid = oid
        self.owner = owner
        self.flags = flags
        self.calls = 0
        self.pinged = False
        self.pointers: dict[tuple[UUID, Hashable], Pointer] = {}
        self.associations: set[Association] = set()


class Pointer:
    """One interface of an object, for one user: what an IPID stands for."""

    __slots__ = ("entry", "iid", "interface", "ipid", "references", "user")

    def __init__(self, entry: Entry, iid: UUID, ipid: UUID, user: Hashable, interface: Interface) -> None:
        self.entry = entry
        self.iid = iid
        self.ipid = ipid
        self.user = user
        self.interface = interface
        self.references = 0


class Objects:
    """The table. random: n -> n random bytes; connected: whether an open connection is a sign of life for objects that
    nobody has pinged yet, as for clients that never ping."""

    def __init__(
        self, random: Callable[[int], bytes], limits: ExporterLimits, *, connected: bool = True
    ) -> None:
        self._random = random
        self.connected = connected
        self._limits = limits
        self._entries: dict[int, Entry] = {}
        self._by_object: dict[int, Entry] = {}
        self._pointers: dict[UUID, Pointer] = {}
        self._per_user: Counter[Hashable] = Counter()
        self._used: dict[Association, set[Entry]] = {}
        self._forsaken: dict[int, float] = {}  # OID -> since when nobody shows a sign of life
        self.pings = PingSets(random, self._entries.__contains__, limits)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Exported]:
        return iter([entry.object for entry in self._entries.values()])

    def find(self, ipid: UUID) -> Pointer | None:
        return self._pointers.get(ipid)

    # References

    def marshalled(
        self, exported: Exported, iid: UUID, user: Hashable, *, references: int, flags: int, now: float
    ) -> Pointer:
        """A pointer to an interface, with so many more references: the same one for the same object, interface and
        user. QUOTA_VIOLATION, SERVER_TOO_BUSY past the limits."""
        entry = self._by_object.get(id(exported))
        if entry is None:
            entry = self._entered(exported, user, flags)
            self._forsake(entry, now)
        pointer = entry.pointers.get((iid, user))
        if pointer is None:
            interface = _IUNKNOWN if iid == IID_IUnknown else exported.interfaces[iid]
            pointer = Pointer(entry, iid, self._ipid(), user, interface)
            entry.pointers[iid, user] = self._pointers[pointer.ipid] = pointer
        self.add(pointer, references)
        return pointer

    def _entered(self, exported: Exported, user: Hashable, flags: int) -> Entry:
        if len(self._entries) >= self._limits.objects:
            raise error(WBEM_E_SERVER_TOO_BUSY, f"{self._limits.objects} objects are held, the limit")
        if self._per_user[user] >= self._limits.per_user:
            raise error(
                WBEM_E_QUOTA_VIOLATION, f"{self._limits.per_user} objects are held, the limit of a user"
            )
        oid = int.from_bytes(self._random(8), "little")
        while oid in self._entries or not oid:
            oid += 1
        entry = self._entries[oid] = self._by_object[id(exported)] = Entry(exported, oid, user, flags)
        self._per_user[user] += 1
        return entry

    def _ipid(self) -> UUID:
        """128 bits that nobody guesses: all of them random, whatever versions of UUIDs say."""
        return UUID(bytes_le=self._random(16))

    def add(self, pointer: Pointer, references: int) -> bool:
        """More references; False when that would be too many."""
        if pointer.references + references > self._limits.references:
            return False
        pointer.references += references
        return True

    def release(self, pointer: Pointer, references: int) -> None:
        """Fewer references; releasing more than there are is no error (wire.md 5.7)."""
        pointer.references = max(0, pointer.references - references)
        if pointer.references:
            return
        entry = pointer.entry
        del entry.pointers[pointer.iid, pointer.user], self._pointers[pointer.ipid]
        if not entry.pointers:
            self._remove(entry)

    def withdraw(self, exported: Exported) -> None:
        """Forget an object, whoever holds it; one that is not here is no error."""
        entry = self._by_object.get(id(exported))
        if entry is not None:
            self._remove(entry)

    def _remove(self, entry: Entry) -> None:
        del self._entries[entry.oid], self._by_object[id(entry.object)]
        for pointer in entry.pointers.values():
            del self._pointers[pointer.ipid]
        self._per_user[entry.owner] -= 1
        if not self._per_user[entry.owner]:
            del self._per_user[entry.owner]
        for association in entry.associations:
            self._used[association].discard(entry)
        self._forsaken.pop(entry.oid, None)
        self.pings.forget(entry.oid)
        entry.object.released()

    # Signs of life

    def used(self, entry: Entry, association: Association) -> None:
        """A connection has got, or has called, an object."""
        if association not in entry.associations and entry.oid in self._entries:
            entry.associations.add(association)
            self._used.setdefault(association, set()).add(entry)
            if self._is_connected(entry):
                self._forsaken.pop(entry.oid, None)

    def use_of(self, exported: Exported, association: Association) -> None:
        """The same by the object."""
        entry = self._by_object.get(id(exported))
        if entry is not None:
            self.used(entry, association)

    def pinged_over(self, association: Association) -> bool:
        """Whether somebody pings for an object that a connection has got or called."""
        return any(self.pings.holds(entry.oid) for entry in self._used.get(association, ()))

    def lost(self, association: Association, now: float) -> None:
        """A connection is gone. That is no release: the client may come back on another one."""
        for entry in self._used.pop(association, ()):
            entry.associations.discard(association)
            self._forsake(entry, now)

    def changed(
        self,
        set_id: int,
        sequence: int,
        added: tuple[int, ...],
        deleted: tuple[int, ...],
        now: float,
        *,
        user: Hashable = None,
    ) -> tuple[int, int]:
        """ComplexPing of a user: (set, status)."""
        set_id, status, gone = self.pings.change(set_id, sequence, added, deleted, now, user=user)
        for entry in filter(None, map(self._entries.get, added)):
            entry.pinged = True
        for oid in gone:
            self._forsake(self._entries[oid], now)
        return set_id, status

    def _forsake(self, entry: Entry, now: float) -> None:
        """Begin to count, if nobody shows a sign of life."""
        if not (self._is_connected(entry) or entry.flags & SORF_NOPING or self.pings.holds(entry.oid)):
            self._forsaken[entry.oid] = now

    def _is_connected(self, entry: Entry) -> bool:
        """For who pings an open connection is no sign of life: it may be dead, and to leave a set is to let go."""
        return self.connected and bool(entry.associations) and not entry.pinged

    def expire(self, now: float) -> None:
        """Remove the objects whose pings have stopped, and those that were never pinged and whose connections are gone
        for as long. One with a call under way stays."""
        for oid in self.pings.expired(now):
            entry = self._entries[oid]
            if entry.calls:
                self._forsake(entry, now)
            else:
                self._remove(entry)
        for oid, since in list(self._forsaken.items()):
            if self.pings.holds(oid):
                del self._forsaken[oid]
            elif now - since > self._limits.life and not self._entries[oid].calls:
                self._remove(self._entries[oid])
