"""The only place that joins service and providers into a running host: this machine's WMI, in this process."""

from __future__ import annotations

import atexit
import os
import threading
from typing import TYPE_CHECKING, Final

from openwmi.contract.caller import Caller, unix_group_sid, unix_sid
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_NOT_SUPPORTED
from openwmi.repository.prebuilt import PrebuiltSchema
from openwmi.repository.shared import SharedRepository
from openwmi.service.hosting import Providers
from openwmi.service.namespaces import Namespaces, normalised

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openwmi.contract.logon import Identity
    from openwmi.model.classes import ClassDeclaration
    from openwmi.portal import Portal
    from openwmi.service.connection import Connection
    from openwmi.service.core import Service
    from openwmi.service.limits import HostQuotas
    from openwmi.service.mocked import Undriven
    from openwmi.service.oneshot import OneShot
    from openwmi.service.registered.decoupled import Decoupled
    from openwmi.service.schema import ClassSource
    from openwmi.service.settings import Settings

DEFAULT_NAMESPACE: Final = "root\\cimv2"
_SCRIPTING: Final = "scriptingstandardconsumersetting"
_REGISTRATIONS: Final = ("__win32provider", "__eventconsumerproviderregistration")
SUBSCRIPTION_NAMESPACE: Final = "root\\subscription"
MEMORY: Final = ":memory:"
STORE: Final = "repository.db"
# With "1" every service of the process does what connect(subscriptions=True) does.
SUBSCRIPTIONS: Final = "OPENWMI_SUBSCRIPTIONS"
# How long a callback that hangs may delay the interpreter's exit, in seconds.
EXIT_WAIT: Final = 0.5
# And how long the service itself may take beyond that.
GRACE: Final = 0.25


def server_name() -> str:
    """This machine's name as __SERVER shows it: the host name without domain, in upper case (A-172, G-03)."""
    name = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "localhost")
    return name.partition(".")[0].upper() or "LOCALHOST"


def home() -> str:
    """Where state lives: OPENWMI_HOME, else the platform's state directory."""
    chosen = os.environ.get("OPENWMI_HOME")
    if chosen:
        return os.path.abspath(chosen)
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "openwmi")


def owner() -> Caller:
    """The embedded caller: the user of this process, with every right on its own store (DESIGN.md section 2)."""
    uid = os.getuid() if hasattr(os, "getuid") else 0
    gids = os.getgroups() if hasattr(os, "getgroups") else []
    return Caller(unix_sid(uid), _user_name(uid), tuple(map(unix_group_sid, gids)))


def _user_name(uid: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return str(uid)


class Host:
    """This machine's WMI in this process. The loop starts with the first call that needs one."""

    def __init__(self, store: str, *, mock: bool = False, subscriptions: bool = True) -> None:
        """`store`: the repository file, or MEMORY for one that ends with the process. mock: the shipped classes come
        without their providers, so that nothing of this machine shows. subscriptions: False forbids those that
        OPENWMI_SUBSCRIPTIONS asks for."""
        schema = PrebuiltSchema()
        shipped: dict[str, ClassSource] = {
            DEFAULT_NAMESPACE: schema.part("cimv2"),
            SUBSCRIPTION_NAMESPACE: schema.part("subscription"),
        }
        self._undriven: list[Undriven] = []
        if mock:
            from openwmi.service.mocked import Undriven

            self._undriven = [Undriven(source) for source in shipped.values()]
            shipped = dict(zip(shipped, self._undriven, strict=True))

        def sources(path: str) -> Iterable[ClassSource]:
            return (shipped[path],) if path in shipped else ()

        self.providers = Providers(
            _no_provider if mock else _shipped_provider,
            raising=_no_events if mock else _shipped_events,
            quotas=self._quotas,
            announced=_announced,
            idle=self._idle_seconds,
            folder=None if store == MEMORY else os.path.dirname(store),
        )
        self.repository = SharedRepository(store)
        self.namespaces = Namespaces(
            server_name(),
            self.providers,
            self.repository,
            sources=sources,
            system=schema.part("system"),
            identification=self._identification,
            brought=_brought,
        )
        self.caller = owner()
        self._owns = subscriptions and os.environ.get(SUBSCRIPTIONS) == "1"
        if self._owns:
            self.mend_at_opening()
        self._service: Service | None = None
        self._portal: Portal | None = None
        self._lock = threading.Lock()

    def give_way(self, names: Iterable[str]) -> None:
        """In a mock: forget shipped classes of these names, because others are about to be put."""
        for source in self._undriven:
            source.hidden.update(name.lower() for name in names)

    @property
    def portal(self) -> Portal:
        """The loop that the service lives on."""
        self._running()
        assert self._portal is not None
        return self._portal

    @property
    def service(self) -> Service:
        return self._running()

    @property
    def settings(self) -> Settings:
        return self._running().settings

    def _running(self) -> Service:
        with self._lock:
            if self._service is None:
                from openwmi.portal import Portal
                from openwmi.service.core import Service
                from openwmi.service.limits import follow

                self._portal = Portal()
                self._service = Service(self._portal.loop, self.namespaces)
                self._service.find_creator = self.creator
                follow(self.namespaces, self._service)
                if self._owns:
                    self._portal.loop.call_soon_threadsafe(self._service.own, self.owner_lock)
            return self._service

    def mend_at_opening(self) -> None:
        """Rebuild the store when it is found damaged before it is opened (C-44)."""
        path, lock = self.repository.path, self.owner_lock
        if lock is None:
            return

        def mend() -> None:
            if os.path.exists(path):
                from openwmi.recovery.rebuilding import mend

                mend(path, lock)

        self.repository.mend = mend

    def own(self) -> None:
        """Run the permanent subscriptions and timers of the store from now on, if no other process does."""
        self.mend_at_opening()
        running = self._running()
        if not self._owns:
            self._owns = True
            running.loop.call_soon_threadsafe(running.own, self.owner_lock)

    @property
    def owner_lock(self) -> str | None:
        """The file whose lock the process has that runs them."""
        store = self.repository.path
        return None if store == MEMORY else f"{store}.owner"

    def _quotas(self) -> HostQuotas:
        from openwmi.service.limits import host_quotas

        return host_quotas(self.namespaces)

    def _idle_seconds(self, name: str) -> float:
        from openwmi.service.limits import idle_seconds

        return idle_seconds(self.namespaces, name)

    def _identification(self) -> dict[str, object]:
        """What __CIMOMIdentification says. Its moment of setup is that of the store, NULL where there is none."""
        from openwmi import __version__

        store = self.repository.existing
        made = store.store.setting("created") if store is not None else None
        folder = None if self.repository.path == MEMORY else os.path.dirname(self.repository.path)
        return {
            "VersionUsedToCreateDB": __version__,
            "VersionCurrentlyRunning": __version__,
            "WorkingDirectory": folder,
            "SetupDateTime": made,
        }

    async def services(
        self, namespace: str = DEFAULT_NAMESPACE, caller: Caller | None = None, locale: str | None = None
    ) -> Connection:
        """Log on to a namespace; runs on the portal's loop. Where this process runs permanent subscriptions, they are
        in force by then."""
        who = caller or self.caller
        running = self._running()
        if self._owns:
            await running.permanent.begun()
        return await running.connect(namespace, who._replace(locale=locale) if locale else who)

    async def log_on(
        self,
        identity: Identity,
        namespace: str,
        *,
        address: str,
        auth_level: int,
        locale: str | None = None,
    ) -> Connection:
        """Log an account on over the network, with the rights that it has in the namespace now (NTLMLogin, A36). Its
        impersonation level does not travel: who logs on is acted for (wire.md 4.4)."""
        from openwmi.accounts.callers import remote_caller
        from openwmi.service.logon import checked_locale

        running = self._running()
        caller = await running.aside(lambda: remote_caller(identity))
        caller = caller._replace(
            address=address,
            auth_level=auth_level,
            locale=checked_locale(locale) if locale else caller.locale,
        )
        return await running.log_on(namespace, caller)

    def creator(self, sid: bytes | str) -> Caller | None:
        """Who a stored CreatorSID stands for now; None for an account that is gone. It may block."""
        from openwmi.accounts import Accounts
        from openwmi.accounts.callers import creator, sid_of

        found = sid_of(sid)
        return creator(found, self.caller, Accounts(home())) if found is not None else None

    def granted(self, caller: Caller, namespace: str) -> int:
        """The rights that a caller has in a namespace now."""
        return self.namespaces.access.granted(caller, self.namespaces.named(namespace).path)

    def one_shot(self, namespace: str = DEFAULT_NAMESPACE) -> OneShot:
        """A namespace for one operation at a time, without an event loop."""
        from openwmi.service.oneshot import OneShot

        return OneShot(self.namespaces.named(namespace), self.caller)

    def shut_down(self) -> None:
        """Cancel running calls, release their sinks, end the loop: about a second at most."""
        with self._lock:
            service, portal = self._service, self._portal
            self._service = self._portal = None
        if service is not None and portal is not None and portal.loop.is_running():
            ending = portal.submit(service.shut_down)
            try:
                ending.exception(timeout=service.settings.cancel_wait + GRACE)
            except TimeoutError:
                pass  # somebody's coroutine holds the loop: its thread is given up
            else:
                portal.stop()
        self.providers.shut_down()


def _shipped_provider(name: str, namespace: str) -> object | None:
    if namespace.lower() == DEFAULT_NAMESPACE:
        from openwmi import providers

        found = providers.provider(name)
        if found is not None:
            return found
    from openwmi import consumers

    return consumers.provider(name)


def _brought(namespace: str, class_name: str) -> Iterable[dict[str, object]]:
    """What the service brings: the registrations of its own consumers (E-76), the settings of scripts (E-73)."""
    if (namespace, class_name) == (DEFAULT_NAMESPACE, _SCRIPTING):
        return ({},)
    if namespace != SUBSCRIPTION_NAMESPACE or class_name not in _REGISTRATIONS:
        return ()
    from openwmi import consumers

    return consumers.registrations(class_name)


def _shipped_events(namespace: str) -> Iterable[str]:
    """The names of those that raise events in a namespace."""
    if namespace.lower() != DEFAULT_NAMESPACE:
        return ()
    from openwmi import providers

    return providers.RAISING


def _no_provider(name: str, namespace: str) -> object | None:
    return None


def _no_events(namespace: str) -> Iterable[str]:
    return ()


_hosts: dict[str, Host] = {}
_provided: list[tuple[str, ClassDeclaration, object]] = []
_announced: set[str] = set()
_lock = threading.Lock()


def announce(module: str) -> None:
    """Let registrations in the repository name classes of a module, or of the modules of a package (F-01). Without
    this, an entry point or OPENWMI_PROVIDER_MODULES no code is imported on the word of a registration."""
    _announced.add(module)


def decoupled(namespace: str, name: str, provider: object, *, repository: str | None = None) -> Decoupled:
    """Serve a decoupled provider (F-08) from this program, for every service of the store: until it is closed, or the
    program ends.

    name: that of a __Win32Provider of the namespace whose HostingModel is "Decoupled:Com". provider: an object with the
    methods of the contract, called on threads of this program. PROVIDER_ALREADY_REGISTERED while it is served already.
    """
    store = store_file(repository)
    if store == MEMORY:
        raise error(WBEM_E_NOT_SUPPORTED, "a store in memory is known to its own program alone")
    from openwmi.portal import Portal
    from openwmi.service.registered.decoupled import Decoupled
    from openwmi.service.registered.meeting import Claim

    claim = Claim(os.path.dirname(store), normalised(namespace), name)
    return Decoupled(provider, claim, Portal("openwmi-decoupled"))


def store_file(repository: str | None) -> str:
    """The repository file that a name leads to: a file, a folder that holds one, or the store of OPENWMI_HOME."""
    if repository == MEMORY:
        return MEMORY
    path = os.path.abspath(repository) if repository else home()
    return path if path.endswith(".db") or os.path.isfile(path) else os.path.join(path, STORE)


def local(repository: str | None = None, *, subscriptions: bool = False, mock: bool = False) -> Host:
    """The running host of a store: one per process and store; ":memory:" is a new one each time.

    subscriptions: run its permanent subscriptions and timers, if no other process does. mock: see Host.
    """
    store = store_file(repository)
    with _lock:
        host = None if store == MEMORY else _hosts.get(store)
        if host is None:
            host = Host(store, mock=mock)
            for namespace, declaration, provider in _provided:
                _add(host, namespace, declaration, provider)
            if not _hosts:
                atexit.unregister(_shut_all)
                atexit.register(_shut_all)
            _hosts[store if store != MEMORY else f"{MEMORY}{id(host)}"] = host
    if subscriptions:
        host.own()
    return host


def end(host: Host) -> None:
    """Shut down a host that nobody can find any more: that of a ":memory:" store, with its connection."""
    with _lock:
        for store in [store for store, one in _hosts.items() if one is host]:
            del _hosts[store]
    host.shut_down()


def provide(namespace: str, declaration: ClassDeclaration, provider: object) -> None:
    """Serve a dynamic class in every host of this process, present and future, until the process ends."""
    normalised(namespace)  # refused here, and not by every host to come
    with _lock:
        _provided.append((namespace, declaration, provider))
        for host in _hosts.values():
            _add(host, namespace, declaration, provider)


def _add(host: Host, namespace: str, declaration: ClassDeclaration, provider: object) -> None:
    space = host.namespaces.add(namespace)
    host.providers.register(provider)
    space.provided.add(declaration)
    space.schema.forget(declaration.name)


def _shut_all() -> None:
    """At interpreter exit: cancel calls, release sinks, all within a second (DESIGN.md section 2)."""
    for host in list(_hosts.values()):
        if host._service is not None:
            host._service.settings.cancel_wait = EXIT_WAIT
        host.shut_down()
        host.repository.leave()
