"""Where providers run: found by the name in a class's Provider qualifier, each with its own bounded set of threads.

Three kinds: those that come with the service, those that a program registers with it while it runs, and those that the
repository of a namespace registers (service/registered). Of the same name, the program's wins, then the service's own.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from openwmi.contract.provider import batch_of
from openwmi.model.errors import WbemError, error
from openwmi.model.status import WBEM_E_PROVIDER_NOT_FOUND
from openwmi.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from openwmi.contract.caller import UnixUser
    from openwmi.contract.provider import Guard, Initialization
    from openwmi.model.classes import Class
    from openwmi.repository.repository import Change
    from openwmi.service.limits import HostQuotas
    from openwmi.service.namespaces import Namespace
    from openwmi.service.registered.hostprocess import HostProcesses
    from openwmi.service.registered.provider import RegisteredProvider
    from openwmi.service.registered.registration import Registration


# The roles that another method of the contract plays.
_METHODS = {"query": "instances", "search": "instances"}


def is_registration(change: Change) -> bool:
    """Whether a change of the repository concerns a __Win32Provider instance or a registration."""
    root = (change.path or "").partition("|")[0]
    return root.startswith("__") and root.endswith(("provider", "providerregistration"))


class HostedProvider:
    """A provider and the threads it may hold. A provider whose calls hang exhausts its own threads only."""

    __slots__ = ("blocking", "name", "provider", "threads")

    def __init__(self, provider: Any, threads: int) -> None:
        self.provider = provider
        self.name: str = provider.name
        self.threads = Threads(threads, name=f"openwmi-provider-{provider.name}")
        self.blocking: bool = getattr(provider, "blocking", True)

    def role(self, name: str) -> Callable[..., Any] | None:
        """The function that plays a role: a method of the provider's contract, "instances" for "query" too; None when
        it lacks it (F-20)."""
        return getattr(self.provider, _METHODS.get(name, name), None)

    @property
    def batch(self) -> int:
        """How many events one call may get."""
        return batch_of(self.provider)

    def guard(self, class_name: str) -> Guard | None:
        """What of a class the provider guards from those who are not its caller (service.acting)."""
        guard: Callable[[str], Guard | None] | None = getattr(self.provider, "guard", None)
        return guard(class_name) if guard is not None else None

    @property
    def deputy(self) -> str | None:
        """What does its work in the process of a caller, as "module:Class"."""
        found: str | None = getattr(self.provider, "deputy", None)
        return found


class Timer(Protocol):
    def cancel(self) -> None: ...


def _later(seconds: float, function: Callable[[], None]) -> Timer:
    timer = threading.Timer(seconds, function)
    timer.daemon = True
    timer.start()
    return timer


class Providers:
    """All providers of a service.

    load(name, namespace): makes one of the service's own that is asked for the first time, or gives None.
    raising(namespace): the names of the service's own that raise events there.
    announced: packages and modules that registrations may name (registered.code). now(): seconds, monotonic.
    quotas(): what host processes may use. idle(name): seconds that an unused object of a registered provider is kept
    at least, by the name of the singleton that says so (B-41); later(seconds, function): a timer. folder: of the store,
    where decoupled providers are met (F-08); None without one.
    """

    __slots__ = (
        "_folder",
        "_hosted",
        "_hosts",
        "_idle",
        "_later",
        "_load",
        "_lock",
        "_quotas",
        "_raising",
        "_serialized",
        "_spaces",
        "_timers",
        "announced",
        "now",
        "thread_limit",
    )

    def __init__(
        self,
        load: Callable[[str, str], object | None] = lambda name, namespace: None,
        *,
        raising: Callable[[str], Iterable[str]] = lambda namespace: (),
        announced: set[str] | None = None,
        quotas: Callable[[], HostQuotas] | None = None,
        thread_limit: int = 256,
        now: Callable[[], float] = time.monotonic,
        idle: Callable[[str], float] = lambda name: 300.0,
        later: Callable[[float, Callable[[], None]], Timer] = _later,
        folder: str | None = None,
    ) -> None:
        self._folder = folder
        self._load = load
        self._raising = raising
        self._hosted: dict[str, HostedProvider] = {}
        self._lock = threading.Lock()
        self._serialized: dict[str, threading.Lock] = {}
        self.announced = announced if announced is not None else set()
        self.thread_limit = thread_limit
        self.now = now
        self._quotas = quotas
        self._hosts: HostProcesses | None = None
        self._idle = idle
        self._later = later
        self._timers: dict[str, Timer] = {}
        self._spaces: set[NamespaceProviders] = set()

    def register(self, provider: Any) -> HostedProvider:
        """Make a provider known under its name in every namespace, replacing one of the same name."""
        hosted = HostedProvider(provider, self.thread_limit)
        self._hosted[hosted.name.lower()] = hosted
        return hosted

    def find(self, name: str, namespace: str) -> HostedProvider | None:
        """A provider that a program registered, or that the service brings for a namespace."""
        hosted = self._hosted.get(name.lower())
        if hosted is not None:
            return hosted
        key = f"{namespace}|{name}".lower()
        hosted = self._hosted.get(key)
        if hosted is None:
            with self._lock:
                hosted = self._hosted.get(key)
                if hosted is None and (provider := self._load(name, namespace)) is not None:
                    hosted = self._hosted[key] = HostedProvider(provider, self.thread_limit)
        return hosted

    @property
    def hosts(self) -> HostProcesses:
        """The host processes; made when the first provider asks for one."""
        with self._lock:
            if self._hosts is None:
                from openwmi.service.limits import default_quotas
                from openwmi.service.registered.hostprocess import HostProcesses

                self._hosts = HostProcesses(self._quotas or default_quotas, self._folder)
            return self._hosts

    def shut_down(self) -> None:
        """Release the registered providers, end the host processes."""
        with self._lock:
            timers, self._timers = self._timers, {}
        for timer in timers.values():
            timer.cancel()
        for space in list(self._spaces):
            space.retire()
        if self._hosts is not None:
            self._hosts.close()
            self._hosts = None

    def raising(self, namespace: str) -> Iterator[HostedProvider]:
        """Those that raise events of their own in a namespace (F-27)."""
        for key, one in list(self._hosted.items()):
            if "|" not in key and one.role("provide_events") is not None:
                yield one
        for name in self._raising(namespace):
            found = self.find(name, namespace)
            if found is not None and name.lower() not in self._hosted:
                yield found

    def registered(self, registration: Registration, space: NamespaceProviders) -> RegisteredProvider:
        """What runs the provider of a registration."""
        from openwmi.service.registered.provider import RegisteredProvider

        with self._lock:
            serialized = self._serialized.setdefault(registration.code, threading.Lock())
            self._spaces.add(space)

        def made(initialization: Initialization) -> Any:
            made = self._made(registration, initialization, space.namespace)
            self._watch_idle(registration.kept, self._idle(registration.kept))
            return made

        return RegisteredProvider(
            registration, made, thread_limit=self.thread_limit, now=self.now, serialized=serialized
        )

    def forget(self, space: NamespaceProviders) -> None:
        """A namespace has none of its own any more."""
        with self._lock:
            self._spaces.discard(space)

    def _watch_idle(self, kept: str, seconds: float) -> None:
        """Look once in each interval, as long as there is something to release: it goes between one and two intervals
        after its last use (B-41)."""
        with self._lock:
            if kept not in self._timers:
                self._timers[kept] = self._later(max(seconds, 1.0), lambda: self._sweep(kept, seconds))

    def _sweep(self, kept: str, seconds: float) -> None:
        with self._lock:
            self._timers.pop(kept, None)
        left = sum([space.sweep(kept, self.now() - seconds) for space in list(self._spaces)])
        if left:
            self._watch_idle(kept, seconds)

    def _made(self, registration: Registration, initialization: Initialization, space: Namespace) -> Any:
        """The object behind a registration, or its stand-in for one in a host process."""
        from openwmi.service.registered import code

        if registration.views:
            from openwmi.service.views.provider import ViewProvider

            return ViewProvider(space)

        if not (registration.ours or registration.decoupled):
            code.check_announced(registration.module, registration.class_name, self.announced)
        if registration.host is not None:
            from openwmi.service.registered.hostcall import HostedObject

            return HostedObject(self.hosts, registration, initialization, space.schema)
        return code.initialized(code.load(registration.module, registration.class_name), initialization)


class NamespaceProviders:
    """The providers of one namespace (F-01)."""

    __slots__ = ("_checked", "_lock", "_providers", "_raising", "_registered", "_space")

    def __init__(self, space: Namespace, providers: Providers) -> None:
        self._space = space
        self._providers = providers
        self._registered: dict[str, RegisteredProvider] = {}
        self._raising: list[str] | None = None  # the names of those that are registered to raise events
        self._checked: set[str] = set()  # those whose registration has not changed since it was read
        self._lock = threading.Lock()

    @property
    def namespace(self) -> Namespace:
        return self._space

    def of(self, class_: Class) -> HostedProvider:
        """The provider of a dynamic class; PROVIDER_NOT_FOUND when nobody registered it (B47, F-02)."""
        name = class_.provider
        hosted = self.named(name) if name else None
        if hosted is None:
            raise error(
                WBEM_E_PROVIDER_NOT_FOUND,
                f"class {class_.name} names provider {name or '(none)'}, which is not registered",
                parameter=class_.name,
            )
        return hosted

    def named(self, name: str) -> HostedProvider | None:
        """The provider of that name, or None; the codes of F-02 when it is registered but cannot be used."""
        return self._providers.find(name, self._space.path) or self._of_repository(name)

    def consumer(self, class_: Class) -> HostedProvider:
        """The provider that takes events for the instances of a class of consumers (F-29): the one that is registered
        for it, else the service's own of that name. PROVIDER_NOT_FOUND when there is none."""
        from openwmi.service.registered.registration import consumer_provider

        registered = consumer_provider(self._space, class_)
        names = (registered,) if registered is not None else (class_.name, *class_.derivation)
        hosted = next((found for name in names if (found := self.named(name)) is not None), None)
        if hosted is None:
            raise error(
                WBEM_E_PROVIDER_NOT_FOUND,
                f"no provider is registered for consumers of class {class_.name} in {self._space.path}",
                parameter=class_.name,
            )
        return hosted

    def raising(self) -> Iterator[HostedProvider]:
        """The providers that raise events of their own here (F-27)."""
        yield from self._providers.raising(self._space.path)
        for name in self._registered_events():
            if self._providers.find(name, self._space.path) is None:
                try:
                    found = self._of_repository(name)
                except WbemError as reason:
                    import logging  # a local query does without

                    logging.getLogger("openwmi.events").warning("events: %s", reason.message)
                    continue
                if found is not None and found.registration.events:
                    yield found

    def _registered_events(self) -> list[str]:
        if self._raising is None:
            from openwmi.service.registered.registration import event_providers

            found: list[str] = []
            self._raising = found  # before reading: a change during it is then noticed
            found += event_providers(self._space)
            return found
        return self._raising

    def changed(self) -> None:
        """Something about the registrations of this namespace has changed: they are read again when needed."""
        self._checked.clear()
        self._raising = None

    def retire(self) -> None:
        """Release every registered provider; the namespace is gone."""
        self.changed()
        self._providers.forget(self)
        with self._lock:
            gone = list(self._registered.values())
            self._registered.clear()
        for one in gone:
            one.retire()

    def acting(self, hosted: HostedProvider, user: UnixUser) -> HostedProvider:
        """A provider in a process of a Unix user."""
        from openwmi.service.registered.registration import deputy

        registration = deputy(hosted, user, self._space.path)
        key = f"\0{registration.host}{registration.code}"  # no name of a provider has it
        with self._lock:
            found = self._registered.get(key)
            if found is None:
                found = self._providers.registered(registration, self)
                self._registered[key] = found
            return found

    def sweep(self, kept: str, before: float) -> int:
        """Release what has been idle since a moment (F-07), of the providers that one setting is for; how many objects
        are left of them."""
        known = [one for one in list(self._registered.values()) if one.registration.kept == kept]
        for one in known:
            one.sweep(before)
        return sum(one.loaded for one in known)

    def _of_repository(self, name: str) -> RegisteredProvider | None:
        key = name.lower()
        if key in self._checked:
            found = self._registered.get(key)
            if found is not None:
                return found
        if self._space.namespaces.repository.existing is None:
            return None
        from openwmi.service.registered.registration import read_registration

        self._checked.add(key)  # before reading: a change during it is then noticed
        try:
            registration = read_registration(self._space, name)
        except BaseException:
            self._replace(key, None)
            raise
        found = self._registered.get(key)
        if registration is None or found is None or found.registration != registration:
            found = self._providers.registered(registration, self) if registration is not None else None
            self._replace(key, found)
        return found

    def _replace(self, key: str, new: RegisteredProvider | None) -> None:
        with self._lock:
            old = self._registered.pop(key, None)
            if new is not None:
                self._registered[key] = new
        if old is not None:
            old.retire()
