"""Where providers run: found by the name in a class's Provider qualifier, each with its own bounded set of threads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_PROVIDER_NOT_FOUND
from openwmi.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.model.classes import Class


class HostedProvider:
    """A provider and the threads it may hold. A provider whose calls hang exhausts its own threads only."""

    __slots__ = ("blocking", "name", "provider", "threads")

    def __init__(self, provider: Any, threads: int) -> None:
        self.provider = provider
        self.name: str = provider.name
        self.threads = Threads(threads, name=f"openwmi-provider-{provider.name}")
        self.blocking: bool = getattr(provider, "blocking", True)

    def role(self, name: str) -> Callable[..., Any] | None:
        """A method of the provider's contract, or None when it lacks it (F-20)."""
        return getattr(self.provider, name, None)


class Providers:
    """All providers of a service. `load(name)` makes one that is asked for the first time, or gives None."""

    __slots__ = ("_hosted", "_load", "_lock", "thread_limit")

    def __init__(
        self, load: Callable[[str], object | None] = lambda name: None, *, thread_limit: int = 256
    ) -> None:
        self._load = load
        self._hosted: dict[str, HostedProvider] = {}
        self._lock = threading.Lock()
        self.thread_limit = thread_limit

    def register(self, provider: Any) -> HostedProvider:
        """Make a provider known under its name, replacing one of the same name."""
        hosted = HostedProvider(provider, self.thread_limit)
        self._hosted[hosted.name.lower()] = hosted
        return hosted

    def of(self, class_: Class) -> HostedProvider:
        """The provider of a dynamic class; PROVIDER_NOT_FOUND when nobody registered it (B47, F-02)."""
        name = class_.provider
        hosted = self._find(name) if name else None
        if hosted is None:
            raise error(
                WBEM_E_PROVIDER_NOT_FOUND,
                f"class {class_.name} names provider {name or '(none)'}, which is not registered",
                parameter=class_.name,
            )
        return hosted

    def _find(self, name: str) -> HostedProvider | None:
        key = name.lower()
        hosted = self._hosted.get(key)
        if hosted is None:
            with self._lock:
                hosted = self._hosted.get(key)
                if hosted is None and (provider := self._load(name)) is not None:
                    hosted = self.register(provider)
        return hosted
