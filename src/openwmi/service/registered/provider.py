"""A registered provider at work: its objects, made on demand for whom the registration says, and released when idle."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from openwmi.contract.flags import WBEM_ENABLE
from openwmi.contract.provider import Initialization, batch_of
from openwmi.model import sddl
from openwmi.model.descriptors import GENERIC_ALL, GENERIC_READ, allowed
from openwmi.model.errors import WbemError, error
from openwmi.model.status import WBEM_E_ACCESS_DENIED, WBEM_E_PROVIDER_NOT_CAPABLE, WBEM_E_PROVIDER_NOT_FOUND
from openwmi.service.access import sids_of
from openwmi.service.hosting import HostedProvider
from openwmi.service.registered.patience import Patience
from openwmi.threads import Threads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from openwmi.contract.caller import Caller
    from openwmi.contract.provider import EventSink, Request
    from openwmi.model.descriptors import SecurityDescriptor
    from openwmi.model.instances import Instance
    from openwmi.service.registered.registration import Registration

    # Makes the object behind a registration: in this process, or a stand-in for one in a host process.
    Make = Callable[[Initialization], Any]
    Key = tuple[str | None, str | None]

# What a SecurityDescriptor of a provider gives: use, by its own name or the generic one, or everything.
_ANY_USE: Final = WBEM_ENABLE | GENERIC_READ | GENERIC_ALL
# The methods that play the roles of a registration.
_METHODS: Final = {"query": "instances", "search": "instances"}
# The role that a registration must declare for one that has no flag of its own.
_DECLARED: Final = {"search": "instances", "delivery_limit": "consume"}


class _Object:
    """A loaded provider object, and how many calls use it."""

    __slots__ = ("calls", "provider", "retired", "used")

    def __init__(self, provider: Any) -> None:
        self.provider = provider
        self.calls = 0
        self.used = 0.0
        self.retired = False

    @property
    def alive(self) -> bool:
        """False once the process that it lived in is gone."""
        return bool(getattr(self.provider, "alive", True))


class RegisteredProvider(HostedProvider):
    """The provider of one registration.

    now(): seconds of a monotonic clock. serialized: the lock for initialisations that must not overlap (F-04).
    """

    __slots__ = (
        "_callers",
        "_keyed",
        "_lock",
        "_make",
        "_now",
        "_objects",
        "_operations",
        "_serialized",
        "_starts",
        "registration",
    )

    def __init__(
        self,
        registration: Registration,
        make: Make,
        *,
        thread_limit: int,
        now: Callable[[], float],
        serialized: threading.Lock,
    ) -> None:
        super().__init__(registration, thread_limit)
        self.registration = registration
        self._callers = sddl.parse(registration.callers) if registration.callers is not None else None
        # With a time limit the work is done on these, and watched from the others.
        worked = Threads(thread_limit, name=f"openwmi-limited-{self.name}")
        # A host process is waited for with the limit as it is (registered.hostcall).
        self._operations = Patience(
            self.name, registration.operation_timeout if registration.host is None else None, worked
        )
        self._starts = Patience(
            self.name, registration.initialization_timeout if registration.host is None else None, worked
        )
        self._make = make
        self._now = now
        self._serialized = serialized if registration.reentrancy == 0 else threading.Lock()
        self._objects: dict[Key, _Object] = {}
        self._keyed: dict[Key, threading.Lock] = {}
        self._lock = threading.Lock()

    def role(self, name: str) -> Callable[..., Any] | None:
        """The function that plays a role; None when no registration declares it (F-20)."""
        if _DECLARED.get(name, name) not in self.registration.roles:
            return None
        if name == "provide_events":
            return self._provide_events
        if name == "delivery_limit":
            return self._delivery_limit
        method = _METHODS.get(name, name)
        if self.registration.decoupled and name in ("instances", "query"):
            return lambda request, *arguments: self._rows_if_running(request, arguments)
        return lambda request, *arguments: self._called(method, request, arguments)

    @property
    def batch(self) -> int:
        """As the object says that has been made; before that nobody knows."""
        with self._lock:
            return next((batch_of(one.provider) for one in self._objects.values()), 1)

    @property
    def loaded(self) -> int:
        """How many objects there are at the moment."""
        return len(self._objects)

    # Calls

    def _rows_if_running(self, request: Request, arguments: tuple[Any, ...]) -> Any:
        """An enumeration; while the program of a decoupled provider does not run, there is nothing (F-08)."""
        try:
            return self._called("instances", request, arguments)
        except WbemError as reason:
            if reason.code == WBEM_E_PROVIDER_NOT_FOUND:
                return ()
            raise

    def _delivery_limit(self, request: Request, consumer: Instance) -> float | None:
        """What a consumer provider may have, and need not."""
        with _Use(self, self._entered(self._key(request.caller))) as use:
            limit = getattr(use.used.provider, "delivery_limit", None)
            return None if limit is None else self._operations.answer(lambda: limit(request, consumer))

    def _provide_events(self, sink: EventSink) -> Any:
        """Let the provider raise events until nobody wants them any more; it is in use all the while (F-27)."""
        with _Use(self, self._entered((None, None))) as use:
            provide = getattr(use.used.provider, "provide_events", None)
            if provide is None:
                raise error(
                    WBEM_E_PROVIDER_NOT_CAPABLE,
                    f"provider {self.name} is registered for events, but has no method provide_events",
                    parameter=self.name,
                )
            answer = provide(sink)
            return _awaited(use, answer) if hasattr(answer, "__await__") else None

    def _called(self, method: str, request: Request, arguments: tuple[Any, ...]) -> Any:
        registration = self.registration
        if self._callers is not None and not _may_call(self._callers, request.caller):
            raise error(
                WBEM_E_ACCESS_DENIED,
                f"provider {self.name} serves only whom its SecurityDescriptor names",
                parameter=self.name,
            )
        if not registration.selects:
            request.conditions = ()  # it enumerates; the service filters (F-21)
        with _Use(self, self._entered(self._key(request.caller))) as use:
            function = getattr(use.used.provider, method, None)
            if function is None:
                raise error(
                    WBEM_E_PROVIDER_NOT_CAPABLE,
                    f"provider {self.name} is registered for it, but has no method {method}",
                    parameter=self.name,
                )
            answer = self._operations.answer(lambda: function(request, *arguments))
            if hasattr(answer, "__aiter__"):
                return _async_rows(use, answer)
            if hasattr(answer, "__await__"):
                return _awaited(use, answer)
            if hasattr(answer, "__next__"):
                return _rows(use, answer)
            return answer

    # Objects

    def _key(self, caller: Caller) -> Key:
        registration = self.registration
        return (
            caller.sid if registration.per_user else None,
            caller.locale if registration.per_locale else None,
        )

    def _entered(self, key: Key) -> _Object:
        """The object for a user and locale, made if there is none, and counted as in use."""
        found = self._taken(key)
        if found is None:
            with self._keyed.setdefault(key, threading.Lock()):
                found = self._taken(key)
                if found is None:
                    made = _Object(self._made(key))
                    with self._lock:
                        self._objects[key] = found = made
                        made.calls = 1
        return found

    def _taken(self, key: Key) -> _Object | None:
        with self._lock:
            found = self._objects.get(key)
            if found is not None and not found.alive:
                del self._objects[key]
                found = None
            if found is not None:
                found.calls += 1
            return found

    def _made(self, key: Key) -> Any:
        registration = self.registration
        initialization = Initialization(self.name, registration.namespace, *key)

        def made() -> Any:
            return self._make(initialization)

        if registration.reentrancy == 2:
            return self._starts.answer(made)
        with self._serialized:
            return self._starts.answer(made)

    def left(self, used: _Object) -> None:
        """A call has ended."""
        with self._lock:
            used.calls -= 1
            used.used = self._now()
            close = used.retired and used.calls == 0
        if close:
            self._close(used)

    # Release

    def sweep(self, before: float) -> None:
        """Release what nobody has used since a moment (F-07)."""
        with self._lock:
            idle = [key for key, one in self._objects.items() if not one.calls and one.used <= before]
            released = [self._objects.pop(key) for key in idle]
        for one in released:
            self._close(one)

    def retire(self) -> None:
        """Release everything: what is in use, when its calls have ended."""
        with self._lock:
            released = list(self._objects.values())
            self._objects.clear()
            for one in released:
                one.retired = True
            idle = [one for one in released if not one.calls]
        for one in idle:
            self._close(one)

    def _close(self, released: _Object) -> None:
        close = getattr(released.provider, "close", None)
        if close is not None:
            self.threads.submit(lambda: _closed(close))


def _may_call(callers: SecurityDescriptor, caller: Caller) -> bool:
    """Whether a SecurityDescriptor gives a caller something; callers of this machine are its owner (F-04)."""
    return not caller.remote or allowed(callers, sids_of(caller), _ANY_USE) != 0


class _Use:
    """One call's use of an object: it ends with this, however the call ends and whether or not it was ever read. A
    failure ends it at once, since whoever keeps the failure keeps this with its traceback."""

    __slots__ = ("_ended", "_owner", "used")

    def __init__(self, owner: RegisteredProvider, used: _Object) -> None:
        self._owner = owner
        self._ended = False
        self.used = used

    def end(self) -> None:
        if not self._ended:
            self._ended = True
            self._owner.left(self.used)

    def __del__(self) -> None:
        self.end()

    def __enter__(self) -> _Use:
        return self

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        if failure is not None:
            self.end()


def _rows(use: _Use, rows: Any) -> Iterator[Any]:
    try:
        yield from rows
    finally:
        use.end()


async def _async_rows(use: _Use, rows: Any) -> AsyncIterator[Any]:
    try:
        async for row in rows:
            yield row
    finally:
        if (close := getattr(rows, "aclose", None)) is not None:
            await close()
        use.end()


async def _awaited(use: _Use, answer: Awaitable[Any]) -> Any:
    try:
        return await answer
    finally:
        use.end()


def _closed(close: Callable[[], object]) -> None:
    """Tell a provider that it is released; what it raises then interests nobody any more."""
    try:
        close()
    except Exception:  # noqa: S110, BLE001 - the object is gone, there is nobody to tell
        pass
