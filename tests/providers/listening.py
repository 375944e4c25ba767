"""Subscribing to what this machine does: a running service with one provider of events, and a sink that waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from openwmi import host
from openwmi.contract import operations as ops
from openwmi.contract.caller import Caller

HERE = Caller("S-1-22-1-0", "tester")
ELSEWHERE = Caller("S-1-5-21-1-2-3-1001", "guest", remote=True, granted=0x23)


class Heard:
    """A sink that can be waited on."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.outcome: Any = None
        self._more = threading.Condition()

    def on_objects(self, batch: Any) -> None:
        with self._more:
            self.events.extend(batch)
            self._more.notify_all()

    def on_progress(self, progress: Any) -> None: ...

    def on_completed(self, outcome: Any) -> None:
        with self._more:
            self.outcome = outcome
            self._more.notify_all()

    def until(self, wanted: Callable[[Any], bool], count: int = 1) -> list[Any]:
        """The events that fit, as soon as there are so many."""
        found: list[Any] = []

        def enough() -> bool:
            found[:] = [one for one in self.events if wanted(one)]
            return len(found) >= count

        with self._more:
            assert self._more.wait_for(enough, 60), f"only {len(found)} of {len(self.events)} events"
        return found

    def until_ended(self) -> Any:
        """The outcome, as soon as there is one."""
        with self._more:
            assert self._more.wait_for(lambda: self.outcome is not None, 60), "it has not ended"
        return self.outcome


class Machine:
    """A running service with one provider of events."""

    def __init__(self, provider: object) -> None:
        self.host = host.Host(host.MEMORY)
        self.host.providers.register(provider)

    def subscribe(self, query: str, caller: Caller = HERE) -> Heard:
        """In force when this returns."""
        return self.start(query, caller, in_force=True)

    def start(self, query: str, caller: Caller = HERE, *, in_force: bool = False) -> Heard:
        """Subscribe, and perhaps wait until the subscription is in force."""
        heard = Heard()
        services = self.host.portal.submit(self.host.services, "root\\cimv2", caller).result(60)

        async def begun() -> None:
            call = await services.start(ops.ExecNotificationQuery(query), heard)
            if in_force:
                await call.begun()

        self.host.portal.submit(begun).result(60)
        return heard
