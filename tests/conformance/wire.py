"""The seam over the wire: our client to our server on loopback, both on the loop of the host that serves."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.conformance.support import Seam

from openwmi import host
from openwmi.accounts import Accounts
from openwmi.contract.caller import Caller
from openwmi.contract.services import Services
from openwmi.remote.client import Credentials, Settings, connect
from openwmi.remote.server import Server
from openwmi.wire.ntlm import nt_hash

PASSWORD = "Sesame, open"
_users = itertools.count(1)


class Serving:
    """A DCOM server before a host, with accounts that may everything."""

    def __init__(self, running: host.Host) -> None:
        self.host = running
        self.folder = tempfile.mkdtemp()
        self.accounts = Accounts(self.folder, names=(host.server_name().lower(),))
        self.users: dict[str, str] = {}
        self.server = running.portal.run(self._made)
        self.host_name, self.port = running.portal.run(self.server.listen, "127.0.0.1", 0)

    async def _made(self) -> Server:
        return Server(self.host.log_on, self.accounts, (host.server_name().lower(),))

    def user(self, sid: str) -> str:
        """The account for a principal of the tests."""
        if sid not in self.users:
            self.users[sid] = f"user{next(_users)}"
            self.accounts.add(self.users[sid], nt_hash(PASSWORD), admin=True)
        return self.users[sid]

    def close(self) -> None:
        self.host.portal.run(self.server.close)
        shutil.rmtree(self.folder)


class ClientSettings:
    """The client's settings, with the patiences of the service, so that a test shortens both at once."""

    def __init__(self, running: host.Host, own: Settings) -> None:
        self._host = running
        self._own = own

    def __getattr__(self, name: str) -> Any:
        shared = name in ("sink_patience", "cancel_wait")
        return getattr(self._host.settings if shared else self._own, name)


class WireSeam(Seam):
    """Services of the same host, reached as another machine reaches them."""

    details = False
    ahead = 6000
    prompt = 0.3
    delivery = "sink"
    level = "privacy"

    def __init__(self, running: host.Host, serving: Serving) -> None:
        self.serving = serving
        self.client: Any = ClientSettings(running, Settings(delivery=self.delivery))  # type: ignore[arg-type]
        self.opened: list[Any] = []
        super().__init__(running)

    async def connect(self, namespace: str | None = None, caller: Caller | None = None) -> Services:
        caller = caller or self.caller
        if caller.granted != self.caller.granted or caller.impersonation != self.caller.impersonation:
            pytest.skip("what an account may do is said by the descriptors of namespaces, not by its log-on")
        sid = caller.sid
        credentials = Credentials(self.serving.user(sid), PASSWORD, level=self.level)  # type: ignore[arg-type]
        services = await connect(
            "127.0.0.1",
            namespace or self.namespace,
            credentials,
            port=self.serving.port,
            settings=self.client,
        )
        self.opened.append(services)
        return services

    @property
    def running(self) -> int:
        """On the client's side, where it is known at once."""
        return sum({id(calls): calls.running for calls in self._tables()}.values())

    @property
    def left(self) -> int:
        return self.running + super().running

    def _tables(self) -> list[Any]:
        return [one.machine.calls for one in self.opened]

    async def event_sink(self) -> Any:
        services = await self._host.services(self.namespace)
        return await services.event_sink()

    def needs_local(self) -> None:
        pytest.skip("only the machine itself shows this")

    async def leave(self) -> None:
        for services in self.opened:
            await services.close()
        for services in self.opened:
            await services.machine.close()


class PushedSeam(WireSeam):
    """Results are pushed into the program's sinks, sealed."""


class PolledSeam(WireSeam):
    """Results are polled for, signed."""

    polls = True

    def needs_push(self) -> None:
        pytest.skip("an enumerator gives objects and a status, and nothing else")

    delivery = "poll"
    level = "integrity"


@contextmanager
def serving(running: host.Host) -> Iterator[Serving]:
    made = Serving(running)
    try:
        yield made
    finally:
        made.close()
