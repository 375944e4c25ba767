"""Where servers reach the sinks of this process: one listener per loop, there only while sinks wait (wire.md 6.3, 6.4).

It serves the resolver, IRemUnknown and IWbemObjectSink and nothing else; it lets in only servers that have a call of
ours, and takes only those who prove to be the one that was logged on to.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakKeyDictionary

from openwmi.remote.client.credentials import filetime
from openwmi.remote.inbound.addresses import Addresses
from openwmi.remote.inbound.exporter import ANYONE, Exporter
from openwmi.remote.inbound.keytabs import Keys
from openwmi.remote.inbound.limits import ListenerLimits
from openwmi.remote.inbound.listener import Listener, listen
from openwmi.remote.places import RESOLVER_PORT, Address
from openwmi.wire.dcom.bindings import SecurityBinding
from openwmi.wire.ntlm import Acceptor, ServerNames
from openwmi.wire.rpc.constants import AuthType
from openwmi.wire.spnego import Mechanism, accepting
from openwmi.wire.wmi.guids import IWbemObjectSink

if TYPE_CHECKING:
    from openwmi.remote.client.machine import Machine
    from openwmi.remote.inbound.association import Association
    from openwmi.remote.inbound.incoming import Exported
    from openwmi.wire.decoding import Trace
    from openwmi.wire.kerberos import ServiceKeys
    from openwmi.wire.rpc.events import Established
    from openwmi.wire.rpc.security import SecurityContext

_REFERENCES: Final = 5
_NAMES: Final = ServerNames("OPENWMI", "OPENWMI", "openwmi", "openwmi")
_OFFERED: Final = (SecurityBinding(AuthType.NTLM), SecurityBinding(AuthType.SPNEGO))
# What a server of ours may be called in its realm.
_SERVICES: Final = frozenset({"host", "rpcss"})

_RECEIVERS: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, Receiver]] = WeakKeyDictionary()


def _now() -> float:
    """The time of the running loop, which a receiver must not keep alive."""
    return asyncio.get_running_loop().time()


class _Wanted(NamedTuple):
    """An address of ours, and the ports that servers shall come to there."""

    host: str
    well_known: bool
    port: int
    objects: int | None


class Receiver:
    """The listener of one loop, and the machines that may come to it."""

    def __init__(self) -> None:
        self.exporter = Exporter(
            (IWbemObjectSink.uuid,), Addresses(securities=_OFFERED), clock=_now, connected=False
        )
        self._machines: Counter[Machine] = Counter()
        self._listener: Listener | None = None
        self._places: dict[_Wanted, asyncio.Future[Address]] = {}
        self._users: set[Machine] = set()
        self._keys = Keys()
        self._came: set[str] = set()  # the addresses from which somebody has logged on

    @classmethod
    def here(cls) -> Receiver:
        """That of the running loop."""
        loop = asyncio.get_running_loop()
        if loop not in _RECEIVERS:
            _RECEIVERS[loop] = cls()
        return _RECEIVERS[loop]

    async def place(self, machine: Machine) -> Address:
        """The port on which a machine is expected, opened with the first call; OSError when none is to be had.

        A machine whose resolver is on 135 may come to 135, whatever a reference says (wire.md 6.2): this is the port
        then, unless the program names another one, to which it may have what comes to 135 led.
        """
        settings = machine.settings
        well_known = machine.resolver.port == RESOLVER_PORT and not settings.callback_port
        key = _Wanted(machine.local, well_known, settings.callback_port, settings.callback_objects)
        if key not in self._places:
            self._places[key] = asyncio.ensure_future(self._open(key, settings.network.trace))
        try:
            return await asyncio.shield(self._places[key])
        except OSError:
            self._places.pop(key, None)
            raise

    async def _open(self, wanted: _Wanted, trace: Trace | None) -> Address:
        if self._listener is None:
            self._listener = Listener(
                self.exporter,
                self._accept,
                admit=self._admits,
                established=self._established,
                limits=ListenerLimits(),
                clock=_now,
                trace=trace,
            )
        opening = partial(
            listen, self._listener, self.exporter.addresses, wanted.host, objects=wanted.objects
        )
        if wanted.well_known:
            try:
                return await opening(RESOLVER_PORT)
            except OSError:  # taken, or not for this user
                pass
        return await opening(wanted.port)

    # Who is expected

    def expect(self, machine: Machine) -> None:
        """A machine has one more call with a sink."""
        self._machines[machine] += 1
        self._users.add(machine)

    def dismiss(self, machine: Machine) -> None:
        """One less: with the last one it is not let in any more."""
        self._machines[machine] -= 1
        if self._machines[machine] <= 0:
            del self._machines[machine]

    async def leave(self, machine: Machine) -> None:
        """A machine is let go. Nothing listens when no machine is left that ever had a sink."""
        self._users.discard(machine)
        if all(one.address != machine.address for one in self._users):
            self._came.discard(machine.address)
        listener = self._listener
        if not self._users and listener is not None:
            self._listener = None
            self._places.clear()
            self.exporter.addresses.together()
            await listener.close()

    def reference(self, exported: Exported, place: Address) -> bytes:
        """An OBJREF to a sink. The server pings it ([MS-DCOM] 3.2.6.1): when it stops, it has let the sink go or is
        gone, which nothing else shows where no event comes."""
        return self.exporter.export(
            exported, IWbemObjectSink.uuid, user=ANYONE, local=place, refs=_REFERENCES
        )

    def _admits(self, host: str) -> bool:
        return any(machine.address == host for machine in self._machines)

    def reached(self, machine: Machine) -> bool:
        """Whether a machine has logged on here. It need not stay: what it came for may be only where the sink is, until
        there is something to tell."""
        return machine.address in self._came

    def _established(self, association: Association, event: Established) -> None:
        self._came.add(association.peer.host)

    def _accept(self, auth_type: int, level: int, association: Association) -> SecurityContext | None:
        """The accepting side of a callback's log-on: the server comes as the user that we logged on to it as, whose
        secret both know; after Kerberos, as the service that it is."""
        expected = [machine for machine in self._machines if machine.address == association.peer.host]
        ntlm = partial(_ntlm, expected)
        if auth_type == AuthType.NTLM:
            return ntlm()
        keytab = next((one.credentials.keytab for one in expected if one.credentials.keytab), None)
        keys = self._keys.of(keytab) if keytab is not None else None
        kerberos = None if keys is None else partial(_kerberos, expected, keys)
        if auth_type == AuthType.SPNEGO:
            return accepting(kerberos=kerberos, ntlm=ntlm)
        return kerberos() if kerberos is not None and auth_type == AuthType.KERBEROS else None


def _ntlm(expected: list[Machine]) -> Acceptor:
    """Takes the user that we logged on as."""

    def accounts(domain: str, user: str) -> tuple[str, bytes] | None:
        for machine in expected:
            secret = machine.credentials.secret
            if secret is not None and user.lower() == machine.credentials.account[1].lower():
                return machine.principal, secret
        return None

    return Acceptor(accounts, _NAMES, os.urandom(8), filetime=filetime())


def _kerberos(expected: list[Machine], keys: ServiceKeys) -> Mechanism:
    """Takes the service that we logged on to, `host/NAME@REALM`, by a key of our keytab."""
    from openwmi.wire import kerberos

    def principals(name: str) -> str | None:
        service, _, host = name.partition("@")[0].partition("/")
        for machine in expected:
            if service.lower() in _SERVICES and host.lower() == machine.host.lower():
                return machine.principal
        return None

    return kerberos.Acceptor(keys, principals)
