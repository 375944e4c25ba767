"""The seam over the wire: our client to our server on loopback, both on the loop of the host that serves.

Ways differ in how results come, who vouches for the caller, how messages are protected, and on how many ports. Every
value of each of these meets every value of each other one in some way.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from tests.conformance.support import Seam
from tests.kerberos_kit import Kdc

from openwmi import host
from openwmi.accounts import Accounts
from openwmi.contract.caller import Caller
from openwmi.contract.flags import ALL_NAMESPACE_RIGHTS, WBEM_REMOTE_ACCESS
from openwmi.contract.services import Services
from openwmi.model import descriptors as d
from openwmi.remote.client import Credentials, Settings, connect
from openwmi.remote.server import Server
from openwmi.wire.ntlm import nt_hash

PASSWORD: Final = "Sesame, open"


class Way(NamedTuple):
    """How one gets at a server and its results to a sink. ports: of the server and of the sinks."""

    delivery: Literal["sink", "poll"]
    auth: Literal["ntlm", "kerberos"]
    level: Literal["privacy", "integrity"]
    ports: Literal[1, 2]

    def __str__(self) -> str:
        how = "pushed" if self.delivery == "sink" else "polled"
        return f"{how}-{self.auth}-{self.level}-{'one-port' if self.ports == 1 else 'two-ports'}"


WAYS: Final = (
    Way("sink", "ntlm", "privacy", 1),
    Way("sink", "kerberos", "integrity", 2),
    Way("poll", "ntlm", "integrity", 2),
    Way("poll", "kerberos", "privacy", 2),
    Way("poll", "kerberos", "integrity", 1),
)


class Serving:
    """A DCOM server before a host, with accounts: for each principal of the tests one that may everything, or one that
    may what a namespace grants it."""

    def __init__(self, running: host.Host, kdc: Kdc | None) -> None:
        self.host = running
        self.kdc = kdc
        self.folder = tempfile.mkdtemp()
        if kdc is not None:
            shutil.copy(kdc.keytab, Path(self.folder, "krb5.keytab"))
            self.keys = Path(self.folder, "client.keytab")
            # Who the callers are, and what this machine is: after Kerberos that lets the server call back.
            self.keys.write_bytes(Path(kdc.client_keytab).read_bytes() + Path(kdc.keytab).read_bytes()[2:])
        self.accounts = Accounts(self.folder, names=(host.server_name().lower(),))
        self.users: dict[tuple[str, bool], str] = {}
        self.server = running.portal.run(self._made)
        listen = partial(running.portal.run, self.server.listen, "127.0.0.1", 0)
        self.ports = {1: listen()[1], 2: listen(objects=0)[1]}

    async def _made(self) -> Server:
        return Server(self.host.log_on, self.accounts, (host.server_name().lower(),))

    def user(self, sid: str, *, admin: bool = True) -> str:
        """The account for a principal of the tests; they have no more than the KDC knows."""
        key = (sid, admin)
        if key not in self.users:
            self.users[key] = name = Kdc.users[len(self.users)]
            principals = () if self.kdc is None else (f"{name}@{self.kdc.realm}",)
            self.accounts.add(name, nt_hash(PASSWORD), admin=admin, principals=principals)
        return self.users[key]

    def credentials(self, user: str, way: Way) -> Credentials:
        if way.auth == "ntlm":
            return Credentials(user, PASSWORD, auth="ntlm", level=way.level)
        assert self.kdc is not None
        name = f"{user}@{self.kdc.realm}"
        if way.delivery == "sink":
            return Credentials(name, keytab=str(self.keys), auth="kerberos", level=way.level)
        return Credentials(name, self.kdc.password, auth="kerberos", level=way.level)

    def grant(self, user: str, namespace: str, rights: int) -> None:
        """Have a namespace grant an account exactly these rights, for log-ons from now on (calls.md A13)."""
        sid, access = self.accounts.named(user).sid, self.host.namespaces.access
        others = ALL_NAMESPACE_RIGHTS & ~rights
        entries = (d.Ace(d.DENIED, 0, others, sid), d.Ace(d.ALLOWED, 0, rights, sid))
        own = access.own(namespace)
        kept = tuple(one for one in own.dacl.aces if one.sid != sid) if own.dacl is not None else ()
        made = own._replace(dacl=d.Acl(entries + kept))
        access.store(self.host.namespaces.named(namespace), made)

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

    ahead = 6000
    prompt = 0.3

    def __init__(self, running: host.Host, serving: Serving, way: Way) -> None:
        self.serving = serving
        self.way = way
        self.polls = way.delivery == "poll"
        own = Settings(delivery=way.delivery, callback_objects=None if way.ports == 1 else 0)
        self.client: Any = ClientSettings(running, own)
        self.opened: list[Any] = []
        super().__init__(running)

    async def connect(self, namespace: str | None = None, caller: Caller | None = None) -> Services:
        caller = caller or self.caller
        namespace = namespace or self.namespace
        whole = caller.granted == self.caller.granted
        user = self.serving.user(caller.sid, admin=whole)
        if not whole:
            # Who is not remote at the embedded service is here, and needs the right to be.
            remote = 0 if caller.remote else WBEM_REMOTE_ACCESS
            self.serving.grant(user, namespace, caller.granted | remote)
        services = await connect(
            "127.0.0.1" if self.way.auth == "ntlm" else "localhost",
            namespace,
            self.serving.credentials(user, self.way),
            port=self.serving.ports[self.way.ports],
            settings=self.client,
        )
        self.opened.append(services)
        await services.identify()  # which nobody waits for otherwise
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

    async def leave(self) -> None:
        for services in self.opened:
            await services.close()
        for services in self.opened:
            await services.machine.close()


@contextmanager
def serving(running: host.Host, kdc: Kdc | None = None) -> Iterator[Serving]:
    made = Serving(running, kdc)
    try:
        yield made
    finally:
        made.close()
