"""The service: its namespaces, the table of running operations, its settings and its threads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from openwmi.calls.table import Calls
from openwmi.model.errors import WbemError, error
from openwmi.model.status import (
    WBEM_E_NOT_AVAILABLE,
    WBEM_E_QUOTA_VIOLATION,
    WBEM_E_SERVER_TOO_BUSY,
    WBEM_E_SHUTTING_DOWN,
)
from openwmi.service.feed import PLANNER
from openwmi.service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.contract.caller import Caller
    from openwmi.service.audit import AuditEntry
    from openwmi.service.connection import Connection
    from openwmi.service.events.exchange import Exchange
    from openwmi.service.namespaces import Namespaces
    from openwmi.service.ownership import Ownership
    from openwmi.service.permanent.relay import Relay
    from openwmi.service.permanent.stored import FindCreator
    from openwmi.service.permanent.subscriptions import PermanentSubscriptions
    from openwmi.threads import Threads

Answer = TypeVar("Answer")


class Service:
    """One running service on one loop. Everything here runs on that loop."""

    __slots__ = (
        "_ended",
        "_exchange",
        "_permanent",
        "_relay",
        "audit",
        "calls",
        "find_creator",
        "loop",
        "namespaces",
        "ownership",
        "planner",
        "settings",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        namespaces: Namespaces,
        settings: Settings | None = None,
        planner: Threads = PLANNER,
    ) -> None:
        self.loop = loop
        self.namespaces = namespaces
        self.settings = settings or Settings()
        self.planner = planner
        self.calls = Calls(loop, self.settings)
        self._ended = False
        self._exchange: Exchange | None = None
        self._permanent: PermanentSubscriptions | None = None
        self._relay: Relay | None = None
        # What becomes of every operation of a remote caller.
        self.audit: Callable[[AuditEntry], object] = _logged
        # Who a CreatorSID stands for now.
        self.find_creator: FindCreator = _nobody
        self.ownership: Ownership | None = None

    @property
    def exchange(self) -> Exchange:
        """Where events meet subscriptions; made with the first of either."""
        if self._exchange is None:
            from openwmi.service.events.exchange import Exchange

            self._exchange = Exchange(self)
        return self._exchange

    @property
    def permanent(self) -> PermanentSubscriptions:
        """The permanent subscriptions of the store, at rest until somebody begins them."""
        if self._permanent is None:
            from openwmi.service.permanent.subscriptions import PermanentSubscriptions

            self._permanent = PermanentSubscriptions(self)
        return self._permanent

    @property
    def relay(self) -> Relay:
        """The way of events to the process that runs the permanent subscriptions."""
        if self._relay is None:
            from openwmi.service.permanent.relay import Relay

            self._relay = Relay(self)
        return self._relay

    def own(self, path: str | None) -> Ownership:
        """Run what only one process of a store may run, as soon as this one is it. path: of the lock's file, None for a
        store that no other process can see."""
        if self.ownership is None:
            from openwmi.service.ownership import Ownership

            self.ownership = Ownership(path, self.loop)
            timers, permanent = self.exchange.timers, self.permanent
            self.ownership.when_held(lambda: permanent.begin(timers.begin), permanent.end)
            # What timers have missed they tell when they begin: permanent subscriptions are there by then.
            self.ownership.when_held(lambda: None, timers.end)
            self.ownership.pursue()
        return self.ownership

    async def connect(self, namespace: str, caller: Caller) -> Connection:
        """A connection for a caller whose rights are known: the owner's, with all of them. INVALID_NAMESPACE when the
        namespace does not exist (A29)."""
        from openwmi.service.connection import Connection

        return Connection(self, self.namespaces.named(namespace), caller)

    async def aside(self, work: Callable[[], Answer]) -> Answer:
        """What a piece of work gives that may block, done on a thread; NOT_AVAILABLE when it takes too long."""
        try:
            return await asyncio.wait_for(self.planner.run(work), self.settings.sink_patience)
        except TimeoutError:
            raise error(WBEM_E_NOT_AVAILABLE, "this machine does not answer in time") from None

    async def log_on(self, namespace: str, caller: Caller, operation: str = "NTLMLogin") -> Connection:
        """Log on with the rights that the namespace gives this caller now: INVALID_NAMESPACE, or ACCESS_DENIED for who
        may not enter, is not where it may enter from, or comes too unprotected (A13, A36, A42)."""
        from openwmi.service.connection import Connection
        from openwmi.service.logon import logged_on

        space = self.namespaces.named(namespace)
        if not caller.remote:
            return Connection(self, space, logged_on(caller, space, operation))
        from openwmi.service.audit import entry

        try:
            found = Connection(self, space, logged_on(caller, space, operation))
        except WbemError as refusal:
            self.audit(entry(caller, space, operation, status=refusal.code))
            raise
        self.audit(entry(caller, space, operation, status=0))
        return found

    # The table of operations

    @property
    def running(self) -> int:
        """Operations that have not been released yet."""
        return self.calls.running

    def check_room(self, caller: Caller) -> None:
        """Refuse a call past the limits: SERVER_TOO_BUSY for all, QUOTA_VIOLATION for one user (H2)."""
        if self._ended:
            raise error(WBEM_E_SHUTTING_DOWN, "the service is shutting down")
        settings = self.settings
        most = settings.max_calls_per_account if caller.remote else settings.max_calls_per_user
        if self.calls.of_user(caller.sid) >= most:
            raise error(WBEM_E_QUOTA_VIOLATION, f"{caller.name} has {most} calls running, the limit")
        if self.running >= self.settings.max_calls:
            raise error(WBEM_E_SERVER_TOO_BUSY, f"{self.settings.max_calls} calls are running, the limit")

    async def shut_down(self) -> None:
        """Refuse new calls, cancel the running ones, wait a bounded time for their sinks."""
        self._ended = True
        if self.ownership is not None:
            self.ownership.release()
        if self._relay is not None:
            self._relay.flush()
        await self.calls.end_all()


def _logged(entry: AuditEntry) -> None:
    from openwmi.service.audit import logged

    logged(entry)


def _nobody(creator: bytes) -> Caller | None:
    """Nothing is done in anybody's name where nobody knows whose that is."""
    return None
