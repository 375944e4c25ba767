"""The table of operations under way: found by principal and sink identity, cancelled, waited for (calls.md D1, D13)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_PARAMETER, WBEM_E_NOT_FOUND

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from openwmi.calls.running import RunningCall


class Patience(Protocol):
    """How long sinks are waited for, in seconds. sink_patience: for one callback (C7); cancel_wait: by a cancel."""

    sink_patience: float
    cancel_wait: float


def identity_of(sink: object) -> object:
    """What cancel compares by `is`: COM identity for wrappers that have one, else the sink itself (D16)."""
    return getattr(sink, "identity", None) or sink


class Calls:
    """The calls of one loop."""

    __slots__ = ("__weakref__", "_by_sink", "_by_user", "loop", "patience")

    def __init__(self, loop: asyncio.AbstractEventLoop, patience: Patience) -> None:
        self.loop = loop
        self.patience = patience
        # Operations by sink identity; D13: matched across all Services of one principal. The value holds the identity
        # object itself alive, so that an id cannot be reused while its call runs.
        self._by_sink: dict[int, list[RunningCall]] = {}
        self._by_user: dict[str, int] = {}

    @property
    def running(self) -> int:
        """Operations that have not been released yet."""
        return sum(self._by_user.values())

    def of_user(self, principal: str) -> int:
        """How many of them a principal has."""
        return self._by_user.get(principal, 0)

    def remember(self, call: RunningCall, *, counted: bool = True) -> None:
        """Put a call into the table; subscriptions do not count as calls."""
        call.counted = counted
        self._by_sink.setdefault(id(call.identity), []).append(call)
        if not counted:
            return
        self._by_user[call.principal] = self._by_user.get(call.principal, 0) + 1

    def forget(self, call: RunningCall) -> None:
        """Take a call out of the table; a second time does nothing."""
        calls = self._by_sink.get(id(call.identity))
        if calls is None or call not in calls:
            return
        calls.remove(call)
        if not calls:
            del self._by_sink[id(call.identity)]
        if not call.counted:
            return
        left = self._by_user[call.principal] - 1
        if left:
            self._by_user[call.principal] = left
        else:
            del self._by_user[call.principal]

    async def cancel(self, sink: object, principal: str, *, inside: bool) -> None:
        """CancelAsyncCall for one principal: see contract.services.Services.cancel."""
        if sink is None:
            raise error(WBEM_E_INVALID_PARAMETER, "CancelAsyncCall: the sink is NULL", parameter="pSink")
        found = [
            call
            for call in self._by_sink.get(id(identity_of(sink)), ())
            if call.principal == principal and call.machine.pending
        ]
        if not found:
            raise error(WBEM_E_NOT_FOUND, "CancelAsyncCall: no call of this sink is running")
        await self.end(found, inside=inside)

    async def end(self, calls: Collection[RunningCall], *, inside: bool = False) -> None:
        """Cancel calls, all before the first of their sinks hears of it."""
        for call in calls:
            call.decide()
        for call in calls:
            call.advance()
        if not inside:
            await self.settled(calls)

    async def end_all(self) -> None:
        """Cancel whatever runs."""
        await self.end([call for group in self._by_sink.values() for call in group])

    async def settled(self, calls: Iterable[RunningCall]) -> None:
        """Wait until these calls have released their sinks, but no longer than the setting allows (D4, D7)."""
        waiting = [asyncio.ensure_future(_released(call)) for call in calls if not call.done]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=self.patience.cancel_wait)
            for task in late:
                task.cancel()


async def _released(call: RunningCall) -> None:
    await call
