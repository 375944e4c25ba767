"""Association groups: connections of one client that share what the server holds for it ([C706] 9.3.3.2, 12.6.3.1)."""

from __future__ import annotations


class AssociationGroups:
    """The groups of one server. Shared by its connections; numbers count up from a start that the owner chooses."""

    def __init__(self, start: int = 0x10000, limit: int = 65_536) -> None:
        self._next = start & 0xFFFFFFFF or 1
        self._limit = limit
        self._members: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._members)

    def join(self, group: int) -> int | None:
        """Join a group by its number, or a new one with 0. None: no such group, or too many."""
        if group:
            if group not in self._members:
                return None
        else:
            if len(self._members) >= self._limit:
                return None
            while self._next in self._members or not self._next:
                self._next = (self._next + 1) & 0xFFFFFFFF
            group = self._next
            self._next = (self._next + 1) & 0xFFFFFFFF
        self._members[group] = self._members.get(group, 0) + 1
        return group

    def leave(self, group: int) -> None:
        """A connection ended; the group ends with its last one."""
        left = self._members.get(group, 0) - 1
        if left > 0:
            self._members[group] = left
        else:
            self._members.pop(group, None)
