"""How guessing is slowed: what failed lately, per account and address, and per address, in a bounded table.

A few failures are free. From then on every further one holds the pair back for twice as long, up to a minute: what is
tried meanwhile is refused without being looked at, so that trying in parallel gains nothing. An account is held back
for the addresses that failed alone, or anybody could lock anybody out.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

ENTRIES: Final = 4096
FREE_PAIR: Final = 4
FREE_ADDRESS: Final = 20
FIRST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 60.0
# Without a failure for so long, all is forgotten.
FORGET_SECONDS: Final = 900.0
# How long a peer waits for the answer to a failed attempt.
ANSWER_SECONDS: Final = 0.5
LONGEST_ANSWER: Final = 5.0

Key = tuple[str, str]


class _Failures(NamedTuple):
    number: int
    last: float
    until: float


class Throttle:
    """Failed attempts. `now` is in seconds of a monotonic clock."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: OrderedDict[Key, _Failures] = OrderedDict()

    def held(self, account: str, address: str, now: float) -> bool:
        """Whether an attempt is refused without being looked at."""
        return any(self._at(key, now).until > now for key in _keys(account, address))

    def failed(self, account: str, address: str, now: float) -> float:
        """Take note; the seconds that the peer should wait for its answer."""
        pair, whole = _keys(account, address)
        longest = max(self._count(pair, FREE_PAIR, now), self._count(whole, FREE_ADDRESS, now))
        return min(max(ANSWER_SECONDS, longest), LONGEST_ANSWER)

    def answer(self, account: str, address: str, now: float) -> float:
        """The seconds that a peer should wait for the answer to what was refused unlooked at."""
        return min(max(self._at(key, now).until for key in _keys(account, address)) - now, LONGEST_ANSWER)

    def passed(self, account: str, address: str) -> None:
        """The right password clears the account for this address; what the address did to others stays."""
        self._entries.pop(_keys(account, address)[0], None)

    def failures(self, account: str, address: str, now: float) -> int:
        return self._at(_keys(account, address)[0], now).number

    def __len__(self) -> int:
        return len(self._entries)

    def _at(self, key: Key, now: float) -> _Failures:
        found = self._entries.get(key)
        if found is None or now - found.last > FORGET_SECONDS:
            return _Failures(0, now, 0.0)
        return found

    def _count(self, key: Key, free: int, now: float) -> float:
        count = self._at(key, now).number + 1
        beyond = min(count - free, 16)
        seconds = min(FIRST_SECONDS * 2.0 ** (beyond - 1), LONGEST_SECONDS) if beyond > 0 else 0.0
        self._entries[key] = _Failures(count, now, now + seconds)
        self._entries.move_to_end(key)
        while len(self._entries) > ENTRIES:
            self._entries.popitem(last=False)
        return seconds


def _keys(account: str, address: str) -> tuple[Key, Key]:
    where = _network(address)
    return (account.casefold(), where), ("", where)


def _network(address: str) -> str:
    """The address, of IPv6 the /64 that one host has for itself."""
    if ":" not in address:
        return address
    from ipaddress import IPv6Address

    try:
        return IPv6Address(int(IPv6Address(address.partition("%")[0])) >> 64 << 64).compressed
    except ValueError:
        return address
