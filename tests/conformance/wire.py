"""The seam over the wire: our client to our server on loopback, both on the loop of the host that serves."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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
    """A DCOM server before a host, with accounts that may everything. kdc: of the realm that its keytab is for."""

    def __init__(self, running: host.Host, kdc: Any = None) -> None:
        self.host = running
        self.kdc = kdc
        self.folder = tempfile.mkdtemp()
        if kdc is not None:
            shutil.copy(kdc.keytab, Path(self.folder) / "krb5.keytab")
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
            principals = (self.kdc.principal,) if self.kdc is not None and len(self.users) == 1 else ()
            self.accounts.add(self.users[sid], nt_hash(PASSWORD), admin=True, principals=principals)
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
    target = "127.0.0.1"

    def __init__(self, running: host.Host, serving: Serving) -> None:
        self.serving = serving
        self.client: Any = ClientSettings(running, Settings(delivery=self.delivery))  # type: ignore[arg-type]
        self.opened: list[Any] = []
        super().__init__(running)

    async def connect(self, namespace: str | None = None, caller: Caller | None = None) -> Services:
        caller = caller or self.caller
        if caller.granted != self.caller.granted or caller.impersonation != self.caller.impersonation:
            pytest.skip("what an account may do is said by the descriptors of namespaces, not by its log-on")
        services = await connect(
            self.target,
            namespace or self.namespace,
            self.credentials(caller.sid),
            port=self.serving.port,
            settings=self.client,
        )
        self.opened.append(services)
        await services.identify()  # which nobody waits for otherwise
        return services

    def credentials(self, sid: str) -> Credentials:
        return Credentials(self.serving.user(sid), PASSWORD, level=self.level)  # type: ignore[arg-type]

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


class KerberosSeam(WireSeam):
    """Results are pushed, after a log-on with Kerberos; the server comes back as the service that it is."""

    target = "localhost"

    def credentials(self, sid: str) -> Credentials:
        kdc = self.serving.kdc
        self.serving.user(self.caller.sid)
        if sid != self.caller.sid:  # the realm has one user
            return super().credentials(sid)
        both = Path(self.serving.folder) / "both.keytab"
        if not both.exists():
            both.write_bytes(Path(kdc.client_keytab).read_bytes() + Path(kdc.keytab).read_bytes()[2:])
        return Credentials(kdc.principal, keytab=str(both), auth="kerberos")


@contextmanager
def serving(running: host.Host, kdc: Any = None) -> Iterator[Serving]:
    made = Serving(running, kdc)
    try:
        yield made
    finally:
        made.close()
