"""What a provider is asked, what it answers, and how it raises events (model.md F2; DESIGN.md section 3).

A provider yields *rows*: tuples of raw values aligned with ``request.columns``. It reads only what those columns
need. ``request.conditions`` are hints that may save work; the service always filters again.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence

    from openwmi.contract.caller import Caller
    from openwmi.contract.context import Context
    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance

Row = tuple[object, ...]


class Condition(NamedTuple):
    """One property compared with one constant, coerced to the property's type; conditions are ANDed."""

    name: str
    op: str
    value: object


class Initialization(NamedTuple):
    """What a registered provider is told before its first request (F-06).

    name: of its __Win32Provider instance. namespace: the one it serves. user: the SID of the only user of this object,
    with PerUserInitialization, else None; locale: likewise, with PerLocaleInitialization.
    """

    name: str
    namespace: str
    user: str | None = None
    locale: str | None = None


class PropertyPlace(NamedTuple):
    """Which value a property provider is asked for (F-26).

    name: of the property. The contexts are what the qualifiers ClassContext of the class, InstanceContext of the
    instance and PropertyContext of the property say; None where there is no such qualifier.
    """

    name: str
    class_context: str | None
    instance_context: str | None
    property_context: str | None


class Guard(NamedTuple):
    """What of a class only the rights of the caller's own Unix user may reach, not those of the service (DESIGN.md
    section 5). A provider says it with ``guard(class_name)``.

    columns: properties that the system shows to their owner alone. instances: so are whole instances. writes: so is
    putting and deleting them. methods: those that change this machine, in lower case, and the out-parameters that
    refuse one; None for ACCESS_DENIED.
    """

    columns: frozenset[str] = frozenset()
    instances: bool = False
    writes: bool = False
    methods: Mapping[str, Mapping[str, object] | None] = MappingProxyType({})


class Request:
    """One question to a provider.

    class_: the class whose instances are wanted (exactly this class: subclasses are asked separately, F-23).
    columns: names of the properties to fill, in their declared spelling and in class order.
    progress(current, total, message): report progress; reaches the sink when it asked for it.
    cancelled: True once nobody wants the answer any more; long readers poll it.
    as_caller: whether this process has the rights of the caller and no others, so that what it can read he may see and
    what it can do he may do. While it is False, what is guarded is NULL or refused, whatever this process could do.
    """

    __slots__ = (
        "_on_cancel",
        "_report",
        "as_caller",
        "caller",
        "cancelled",
        "class_",
        "columns",
        "conditions",
        "context",
    )

    def __init__(
        self,
        class_: Class,
        columns: tuple[str, ...],
        conditions: tuple[Condition, ...] = (),
        *,
        caller: Caller,
        context: Context | None = None,
        report: Callable[[int, int, str | None], None] | None = None,
        as_caller: bool | None = None,
    ) -> None:
        """as_caller: None where the process is the service's, whose owner alone it stands for."""
        self.class_ = class_
        self.columns = columns
        self.conditions = conditions
        self.caller = caller
        self.context = context
        self.cancelled = False
        self.as_caller = not caller.remote if as_caller is None else as_caller
        self._report = report
        self._on_cancel: Callable[[], object] | None = None

    def cancel(self) -> None:
        """Say that nobody wants the answer any more; from any thread, and any number of times."""
        self.cancelled = True
        if self._on_cancel is not None:
            self._on_cancel()

    def on_cancel(self, call: Callable[[], object]) -> None:
        """Have `call` run once the answer is not wanted any more: at once if that is so. It must not wait, and it may
        run twice."""
        self._on_cancel = call
        if self.cancelled:
            call()

    def reading(self, columns: tuple[str, ...]) -> Request:
        """The same question for other columns."""
        return Request(
            self.class_,
            columns,
            self.conditions,
            caller=self.caller,
            context=self.context,
            report=self._report,
            as_caller=self.as_caller,
        )

    def progress(self, current: int, total: int, message: str | None = None) -> None:
        """Report how much of how much is done; may be called from any thread, costs nothing when nobody listens."""
        if self._report is not None and not self.cancelled:
            self._report(current, total, message)


class Delivery(Request):
    """Events for a logical consumer, an instance of a class below __EventConsumer (F-29).

    caller: who created the subscription; what is done is done for it, never with the rights of anybody else.
    publisher: who raised the events, where the binding has MaintainSecurityContext and they came from a program (E-55).
    late(failure): say that something taken over has failed after all, from any thread; the delivery itself may be over.
    singleton(namespace, class): the instance of a singleton class, None when there is no such class. Not on the loop.
    """

    __slots__ = ("_late", "_singleton", "publisher")

    def __init__(
        self,
        class_: Class,
        *,
        caller: Caller,
        publisher: Caller | None = None,
        late: Callable[[Exception], object] | None = None,
        singleton: Callable[[str, str], Instance | None] = lambda namespace, class_name: None,
    ) -> None:
        super().__init__(class_, (), caller=caller)
        self.publisher = publisher
        self._late = late
        self._singleton = singleton

    def singleton(self, namespace: str, class_name: str) -> Instance | None:
        return self._singleton(namespace, class_name)

    def late(self, failure: Exception) -> None:
        if self._late is not None:
            self._late(failure)


class EventConsumerProvider(Protocol):
    """Does something with events (F-29). What `consume` raises is the fate of the events it was given: they count as
    lost, and a __ConsumerFailureEvent says so for each. WBEM_E_RETRY_LATER and SERVER_TOO_BUSY ask for another attempt
    a little later, in order. A plain function runs on a thread of the provider; one at a time for each consumer.

    batch: an optional number, of the events that one call may get; 1 when it is missing. delivery_limit(request,
    consumer): optional too; seconds after which the provider itself ends the work for one event, None where it sets no
    such limit. A call is waited for that much longer than usual."""

    name: str

    def consume(
        self, request: Delivery, consumer: Instance, events: Sequence[Instance]
    ) -> Awaitable[None] | None: ...


def batch_of(provider: object) -> int:
    """How many events one call of a consumer provider may get."""
    batch = getattr(provider, "batch", 1)
    return batch if isinstance(batch, int) and batch > 0 else 1


class EventCoverage(NamedTuple):
    """One kind of event that a provider raises without being polled: a query of its EventQueryList (F-27).

    event: the name of an event class; those below it are meant too. target: of intrinsic events the class whose
    instances they are about: all of its instances, and those of the classes below it. pinned: what a provider that
    cannot watch all of them has to be told: alternatives, each the names of properties of TargetInstance that a query
    compares with "=". Another query for that target is too broad (E-61).
    """

    event: str
    target: str | None = None
    pinned: tuple[tuple[str, ...], ...] = ()


class EventSink(Protocol):
    """Where a provider's events go while somebody wants them. Every method may be called from any thread.

    remote: None for everybody, or whether callers of other machines are meant or those of this one, where the two may
    not see the same.
    """

    @property
    def stopped(self) -> bool:
        """True once nobody wants events any more."""

    def on_stop(self, call: Callable[[], object]) -> None:
        """Have `call` run when nobody wants events any more: at once if that is so. It must not wait."""

    def on_change(self, call: Callable[[], object]) -> None:
        """Have `call` run whenever something is wanted that was not before, or the other way round. It must not wait.
        (This is what NewQuery and CancelQuery tell.)"""

    def wait(self, seconds: float) -> bool:
        """Sleep, but not longer than events are wanted; True when they are not any more. Not on the event loop."""

    def ready(self) -> None:
        """Say that whatever happens from now on is heard: subscriptions are in force. After a second it counts as said.
        What has been pinned is in force with the first `ready` that follows a `pins` in which it stood."""

    def wanted(self, coverage: EventCoverage, *, remote: bool | None = None) -> bool:
        """Whether somebody subscribes to what such a coverage yields. Cheap. What nobody wants may be raised, too
        (F-28)."""

    def pins(self, coverage: EventCoverage) -> frozenset[tuple[object, ...]]:
        """What the subscriptions have pinned: the alternative's number, then the values of its properties."""

    def class_named(self, name: str) -> Class:
        """A class of the namespace, for instances to embed."""

    def event(self, class_name: str, values: Mapping[str, object]) -> Instance:
        """An event with these values, each coerced to its property's type; the rest is NULL."""

    def indicate(self, events: Sequence[Instance], *, remote: bool | None = None) -> bool:
        """Raise events, in order; False when nobody wants any. While too many wait it does not come back, except on the
        event loop."""

    def lost(self, count: int | None) -> None:
        """Say that events could not be had, None when nobody knows how many. Their subscribers hear of it, as of any
        other gap (B90)."""


class Provider(Protocol):
    """A source of instances. Every method but the name may be missing: the service then answers NOT_CAPABLE (F-20).

    ``instances`` may be a plain generator (it then runs in a thread and may block), an async generator, or return a
    list. The others may be plain or async. Anything they raise that is not a WbemError becomes PROVIDER_FAILURE for
    that call alone. A provider that a registration names (F-01) may also have ``initialize(initialization)``, called
    before anything else, and ``close()``, called when it is released; both plain.

    A source of events has ``events``, the coverages of what it raises, and ``provide_events(sink)`` (F-27). That is
    called when the first subscription needs it, and raises events until the last one is gone: a plain function, which
    runs on a thread of its own, returns once ``sink.stopped``; a coroutine is cancelled. Coming back before that, or
    raising, fails everybody who depends on it, unless polling can take over. With ``may_subscribe(coverage, caller)``
    it says who may hear of them; the others get ACCESS_DENIED, before it is started (AccessCheck, F-27).

    One that can read or do what not every caller may has ``guard(class_name)``, a :class:`Guard` or None, and
    ``deputy``: "module:Class" of what is made, without arguments, in a process of the caller's own user. It may have
    ``prepare()``, plain, called there before the process becomes that user.
    """

    name: str

    def instances(self, request: Request) -> Iterable[Row] | AsyncIterable[Row]: ...

    def instance(
        self, request: Request, keys: Mapping[str, object]
    ) -> Row | Awaitable[Row | None] | None: ...

    def method(
        self,
        request: Request,
        method: str,
        keys: Mapping[str, object] | None,
        params: Mapping[str, object],
    ) -> Mapping[str, object] | Awaitable[Mapping[str, object]]: ...

    def put(self, request: Request, instance: Instance, flags: int) -> Awaitable[None] | None: ...

    def delete(self, request: Request, keys: Mapping[str, object]) -> Awaitable[None] | None: ...

    def get_property(self, request: Request, place: PropertyPlace) -> object: ...

    def put_property(
        self, request: Request, place: PropertyPlace, value: object
    ) -> Awaitable[None] | None: ...
