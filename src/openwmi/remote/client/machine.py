"""One log-on to another machine: the way there, its exporter, and everything of ours that lives on it.

Connecting has phases, and an error says in which one it happened: name, connect, bind (on the resolver's port),
activation, connect and bind (on the exporter's), log-on.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary, WeakValueDictionary

from openwmi.calls.table import Calls
from openwmi.model.errors import WbemError, error
from openwmi.model.status import (
    E_ACCESSDENIED,
    E_NOTIMPL,
    RPC_S_SERVER_UNAVAILABLE,
    RPC_S_UNKNOWN_AUTHN_SERVICE,
    failed,
)
from openwmi.remote.client.activation import Activated, activate
from openwmi.remote.client.choosing import UNREACHED, Choice, choose
from openwmi.remote.client.failures import placed
from openwmi.remote.client.hearing import explanation
from openwmi.remote.client.receiving import Receiver
from openwmi.remote.client.settings import Settings
from openwmi.remote.outbound.channel import Channel
from openwmi.remote.outbound.failures import failure
from openwmi.remote.outbound.pinging import Pinger
from openwmi.remote.outbound.references import PARTING, RemoteExporter
from openwmi.remote.outbound.resolving import first_taken, server_alive2
from openwmi.remote.places import Address
from openwmi.wire.dcom.guids import IRemoteSCMActivator, IRemUnknown
from openwmi.wire.ntlm import Initiator
from openwmi.wire.spnego import SpnegoInitiator
from openwmi.wire.wmi import guids
from openwmi.wire.wmi.contexts import write_context
from openwmi.wire.wmi.login import (
    ESTABLISH_POSITION,
    NTLM_LOGIN,
    SET_CLIENT_INFO,
    EstablishPosition,
    NtlmLogin,
    SetClientInfo,
)
from openwmi.wire.wmi.reports import ASK

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from openwmi.contract.context import Context
    from openwmi.remote.client.credentials import Credentials
    from openwmi.remote.outbound.network import Security
    from openwmi.remote.outbound.references import Proxy

# Asked for in one bind, so that nearly no call has to wait for its interface.
_INTERFACES: Final = (
    guids.IWbemLevel1Login,
    IRemUnknown,
    guids.IWbemServices,
    guids.IEnumWbemClassObject,
    guids.IWbemFetchSmartEnum,
    guids.IWbemWCOSmartEnum,
    guids.IWbemLoginClientID,
)

# Where nothing but the kind of authentication was wrong. A password that was refused is not tried in another way.
_ANOTHER_KIND: Final = frozenset({RPC_S_UNKNOWN_AUTHN_SERVICE})
# Calls under way over one connection, from which on nobody else joins: one has room for 256.
_CROWDED: Final = 64

_ONE_LOCALE: Final = re.compile("MS_[0-9A-F]{1,8}", re.IGNORECASE)

_CALLS: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[str, Calls]]] = (
    WeakKeyDictionary()
)


class Machine:
    """Another machine, as one user. It is let go when nothing that `enter` announced is left."""

    def __init__(
        self, resolver: Address, credentials: Credentials, exporter: RemoteExporter, settings: Settings
    ) -> None:
        self.resolver = resolver
        self.credentials = credentials
        self.exporter = exporter
        self.settings = settings
        self.loop = asyncio.get_running_loop()
        self.calls = _calls(self.loop, self.principal, settings)
        self._uses = 0
        self._choice: Choice | None = None
        self._receiver: Receiver | None = None
        self._login: Proxy | None = None
        self._client: Proxy | None = None
        self._ending: asyncio.Task[None] | None = None
        self._farewells: set[asyncio.Task[object]] = set()

    @property
    def host(self) -> str:
        """As it was named."""
        return self.resolver.host

    @property
    def channel(self) -> Channel:
        return self.exporter.channel

    @property
    def address(self) -> str:
        """The address that its name led to."""
        return self.channel.remote.host

    @property
    def local(self) -> str:
        """The address of ours that it sees."""
        return self.channel.local.host

    @property
    def by_ntlm(self) -> bool:
        """Whether it was NTLM that we logged on with, whatever was negotiated about."""
        context = self.channel.context
        chosen = context.chosen if isinstance(context, SpnegoInitiator) else context
        return isinstance(chosen, Initiator)

    @property
    def principal(self) -> str:
        """Who we are there: calls are found by this and their sink (calls.md D13)."""
        return f"{self.credentials.user}@{self.host}[{self.resolver.port}]".lower()

    @classmethod
    async def reach(
        cls, resolver: Address, credentials: Credentials, settings: Settings | None = None
    ) -> Machine:
        """All but the log-on to a namespace."""
        settings = settings or Settings()
        with placed(resolver.host):
            try:
                securities = credentials.securities(resolver.host)
            except WbemError:
                # Whether the host is there is said first: nobody's password helps where it is not.
                await server_alive2(resolver, network=settings.network)
                raise
            opening, security = await _opened(resolver, securities, settings)
            try:
                activated = await _activated(opening, credentials)
                channel = await _exporter(opening, activated, security, resolver, settings)
            except BaseException:
                opening.abort()
                raise
            pinger = Pinger(resolver, security, target=f"RPCSS/{resolver.host}", network=settings.network)
            exporter = RemoteExporter(channel, activated.oxid, activated.rem_unknown, pinger)
            machine = cls(resolver, credentials, exporter, settings)
            machine._login = exporter.adopt(activated.reference, guids.IWbemLevel1Login)
            if activated.client is not None:
                machine._client = exporter.adopt(activated.client, guids.IWbemLoginClientID)
            return machine

    async def log_on(
        self, namespace: str, locale: str | None = None, context: Context | None = None
    ) -> Proxy:
        """IWbemLevel1Login::NTLMLogin: the proxy for IWbemServices of a namespace (calls.md A.4)."""
        assert self._login is not None
        with placed(self.host, "log-on"):
            self._introduce()
            locale = await self._understood(locale)
            path = "//./" + namespace.replace("\\", "/")
            inputs = NtlmLogin(path, locale, 0, write_context(context))
            return await self.exporter.obtain(self._logged_on(self._login, namespace, inputs))

    async def _logged_on(self, login: Proxy, namespace: str, inputs: NtlmLogin) -> Proxy:
        that, answer = await login.exchange(NTLM_LOGIN, inputs, ASK)
        if failed(answer.result):
            said = explanation(that).text
            why = f"{self.host} refuses {namespace}" + (f": {said}" if said else "")
            raise error(answer.result, why, namespace=namespace)
        return self.exporter.adopt(answer.services, guids.IWbemServices)

    async def _understood(self, locales: str | None) -> str | None:
        """Preferred locales as the server takes them: several, and other forms than MS_409, are for those that know
        how to pass over what they do not know; of the others one alone, the first that they can read (A33)."""
        if locales is None or _ONE_LOCALE.fullmatch(locales):
            return locales
        assert self._login is not None
        answer = await self._login.call(ESTABLISH_POSITION, EstablishPosition())
        if answer.result != E_NOTIMPL:
            return locales
        found = (one.strip() for one in locales.split(","))
        return next((one for one in found if _ONE_LOCALE.fullmatch(one)), None)

    def _introduce(self) -> None:
        """Say who calls, for the server's records, once; whether it listens does not matter (calls.md A32)."""
        client, self._client = self._client, None
        if client is None or not self.channel.bound(guids.IWbemLoginClientID):
            return
        # Sent, not awaited: the log-on goes right behind it.
        told = client.send(SET_CLIENT_INFO, SetClientInfo(socket.gethostname(), os.getpid()))

        def done(answer: asyncio.Future[bytes]) -> None:
            if not answer.cancelled():
                answer.exception()
            client.drop()

        told.add_done_callback(done)

    # How sinks hear of their objects

    async def chosen(self) -> Choice:
        """How sinks of the program are served, decided with the first of them."""
        if self._choice is None:
            self._choice = await choose(self)
        return self._choice

    @property
    def receiver(self) -> Receiver:
        """Where it reaches our sinks."""
        if self._receiver is None:
            self._receiver = Receiver.here()
        return self._receiver

    def settles_for_polling(self, code: int) -> bool:
        """Whether a call with a sink that was refused like this is made anew by polling, and all others after it."""
        if self.settings.delivery != "auto" or code not in UNREACHED:
            return False
        self.poll_from_now_on(f"{self.host} cannot call back here (0x{code:08X})")
        return True

    def poll_from_now_on(self, why: str) -> None:
        """Pushing does not work there."""
        self._choice = Choice("poll", why)

    # Who uses it

    def enter(self) -> None:
        """One more thing of ours lives there."""
        self._uses += 1

    def leave(self) -> None:
        """One less; the last one lets the machine go."""
        self._uses -= 1
        if not self._uses and self._ending is None:
            self._ending = self.loop.create_task(self._end())

    async def left(self) -> None:
        """`leave`, and see the end out where that was the last."""
        self.leave()
        if self._ending is not None:
            await asyncio.wait([self._ending])

    @property
    def shareable(self) -> bool:
        """Whether somebody else can join in: it is sound, takes several calls at a time, and is not crowded."""
        channel = self.channel
        free = channel.multiplexed and channel.in_flight < _CROWDED
        return self._ending is None and channel.usable and free

    async def close(self) -> None:
        """Release everything and end the connection."""
        if self._ending is None:
            self._ending = self.loop.create_task(self._end())
        await asyncio.wait([self._ending])

    def farewell(self, work: Coroutine[Any, Any, object]) -> None:
        """Do one more thing there, which nobody waits for but the end."""
        self.enter()
        task = self.loop.create_task(work)
        self._farewells.add(task)
        task.add_done_callback(self._said)

    def _said(self, task: asyncio.Task[object]) -> None:
        self._farewells.discard(task)
        self.leave()

    async def settled(self) -> None:
        """Wait, not for long, until all is said, and for the end that `leave` has begun then, if it has."""
        if self._farewells:
            await asyncio.wait(self._farewells, timeout=PARTING)
            await asyncio.sleep(0)
        if self._ending is not None:
            await asyncio.wait([self._ending])

    async def _end(self) -> None:
        await self.exporter.close()
        if self._receiver is not None:
            await self._receiver.leave(self)

    def on_lost(self, callback: Callable[[WbemError | None], object]) -> None:
        """Have `callback` told when the connection has ended."""
        self.channel.on_closed(callback)

    def off_lost(self, callback: Callable[[WbemError | None], object]) -> None:
        """Take it back."""
        self.channel.off_closed(callback)


def _calls(loop: asyncio.AbstractEventLoop, principal: str, settings: Settings) -> Calls:
    """The calls of one principal there, over however many connections: any of them may cancel (calls.md D13)."""
    tables = _CALLS.setdefault(loop, WeakValueDictionary())
    found = tables.get(principal)
    if found is None:
        found = tables[principal] = Calls(loop, settings)
    return found


async def _activated(opening: Channel, credentials: Credentials) -> Activated:
    """The first call is where a log-on that failed shows (wire.md 2.4)."""
    try:
        return await activate(opening)
    except WbemError as reason:
        if reason.code != E_ACCESSDENIED:
            raise
        who = credentials.user or "the user of these tickets"
        why = f"{opening.peer.host} does not let {who} in: the password is wrong, or the account may not activate WMI"
        raise failure(E_ACCESSDENIED, why, opening.peer, reason.phase or "activation", reason) from reason


async def _opened(
    resolver: Address, securities: Sequence[Security], settings: Settings
) -> tuple[Channel, Security]:
    """The channel to the activator, with the first kind of authentication that is taken there."""
    target = f"RPCSS/{resolver.host}"

    async def attempt(security: Security) -> tuple[Channel, Security]:
        channel = await Channel.open(
            resolver, IRemoteSCMActivator, security, target=target, network=settings.network
        )
        return channel, security

    return await first_taken(securities, attempt, refusals=_ANOTHER_KIND)


async def _exporter(
    opening: Channel, activated: Activated, security: Security, resolver: Address, settings: Settings
) -> Channel:
    """The channel to the exporter, at the address that the resolver was reached at and nowhere else.

    Bindings name all addresses of a server, some of which lead to other machines from here; and logging on at an
    address that a server names would show our proof to whomever it likes.
    """
    if opening.remote.port in activated.ports:
        return opening
    last: WbemError | None = None
    for port in activated.ports:
        try:
            channel = await Channel.open(
                Address(opening.remote.host, port),
                _INTERFACES,
                security,
                target=f"host/{resolver.host}",
                network=settings.network,
            )
        except WbemError as reason:
            if reason.code != RPC_S_SERVER_UNAVAILABLE:
                raise
            last = reason
        else:
            await opening.close()
            return channel
    assert last is not None  # an exporter without a port is refused in activation
    raise last
