"""Putting the fragments of one call together ([C706] 12.5.3.5 to 12.5.3.7), within a bound."""

from __future__ import annotations

from openwmi.wire.errors import PeerMisbehaved
from openwmi.wire.rpc.constants import FIRST, LAST


class Assembly:
    """The stub of one request or response as it grows."""

    __slots__ = ("_begun", "_limit", "_parts", "size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self.size = 0
        self._begun = False

    def add(self, flags: int, stub: bytes) -> bytes | None:
        """Take one fragment's stub; the whole stub with the last one, else None."""
        if bool(flags & FIRST) == self._begun:
            what = "a second first fragment" if self._begun else "a fragment of a call that did not begin"
            raise PeerMisbehaved(what, "[C706] 12.6.3.1")
        self._begun = True
        self.size += len(stub)
        if self.size > self._limit:
            raise PeerMisbehaved(f"a call of more than {self._limit} bytes")
        if not flags & LAST:
            if not stub:
                # Empty fragments would let a peer send for ever without reaching the limit.
                raise PeerMisbehaved("an empty fragment before the last", "[C706] 12.6.3.1")
            self._parts.append(stub)
            return None
        if not self._parts:
            return stub
        self._parts.append(stub)
        return b"".join(self._parts)
