"""A connection to one namespace: queries, objects, methods, calls with sinks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from openwmi.contract.flags import WBEM_FLAG_SHALLOW, WBEM_FLAG_USE_AMENDED_QUALIFIERS
from openwmi.contract.operations import (
    CreateClassEnum,
    DeleteClass,
    DeleteInstance,
    ExecMethod,
    GetObject,
    PutClass,
    PutInstance,
)
from openwmi.faces.aio.bridge import BLOCKING, Opening, hop, in_thread, opening, outer_loop, wind_up
from openwmi.faces.aio.call import Call
from openwmi.faces.aio.objects import Objects, Query
from openwmi.faces.aio.subscription import Subscription
from openwmi.faces.options import Options, log_on
from openwmi.faces.outside import log_on_there
from openwmi.faces.session import as_context
from openwmi.faces.target import Remote
from openwmi.model.classes import Class
from openwmi.model.errors import error
from openwmi.model.instances import Instance
from openwmi.model.paths import parse_path
from openwmi.model.status import WBEM_E_INVALID_CLASS, WBEM_E_INVALID_OBJECT_PATH, WBEM_E_INVALID_PARAMETER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openwmi.contract.context import Context
    from openwmi.contract.operations import AnyOperation
    from openwmi.contract.outcome import Outcome
    from openwmi.contract.services import Services, Sink
    from openwmi.faces.options import Auth, AuthLevel, Delivery, Overflow
    from openwmi.faces.session import Session
    from openwmi.host import Host


def connect(
    target: str | None = None,
    *,
    user: str | None = None,
    password: str | None = None,
    auth: Auth = "negotiate",
    auth_level: AuthLevel = "privacy",
    timeout: float | None = 30.0,
    delivery: Delivery = "auto",
    locale: str | None = None,
    context: Mapping[str, object] | Context | None = None,
    nt_hash: str | None = None,
    keytab: str | None = None,
    ccache: str | None = None,
    repository: str | None = None,
    subscriptions: bool = False,
    callback_port: int | None = None,
) -> Opening[Connection]:
    r"""Connect to a namespace: `async with openwmi.connect() as wmi`, or `wmi = await openwmi.connect()`.

    target: None for this machine's root\cimv2, a namespace of this machine, or `\\host\namespace`, `\\host[port]\...`,
    `host[port]`. Credentials (user and password, nt_hash, keytab or ccache), auth and auth_level are for other hosts
    and raise LocalCredentials for this machine. timeout: the longest silence of one step in seconds, None for any;
    never a total. delivery: how a sink is reached over the wire; callback_port: on which port of this machine, where a
    firewall lets one through; without them OPENWMI_DELIVERY and OPENWMI_CALLBACK_PORT hold. locale: "MS_409". context:
    values that go along with every call. repository: the store, ":memory:" for one of its own; subscriptions: serve the
    permanent ones.

    Raises InvalidNamespace, InvalidParameter, LocalCredentials, AccessDenied, and WbemError 0x800706BA for a host
    that cannot be reached.
    """
    return opening(
        Connection.open,
        Options(
            target,
            user,
            password,
            auth,
            auth_level,
            timeout,
            delivery,
            locale,
            context,
            nt_hash,
            keytab,
            ccache,
            repository,
            subscriptions,
            callback_port,
        ),
    )


class Connection:
    """One namespace, one caller. Closing it, or leaving its `async with`, cancels everything that it has running."""

    def __init__(self, session: Session, *, timeout: float | None, own: Host | None = None) -> None:
        self._session = session
        self._timeout = timeout
        self._own = own  # the host that nobody else uses

    @classmethod
    async def open(cls, options: Options) -> Connection:
        """What `connect` does with its options."""
        target = options.resolved()
        if isinstance(target, Remote):
            there = await hop(outer_loop(), log_on_there, target, options)
            return cls(there, timeout=options.timeout)
        host = options.host()
        session = await hop(host.portal.loop, log_on, host, target.namespace, options)
        return cls(session, timeout=options.timeout, own=host if options.private else None)

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Cancel what runs, with a cancel's guarantee, and let the connection go. A second time does nothing, as when
        the service has ended already."""
        await wind_up(self._session.loop, self._session.close)
        own, self._own = self._own, None
        if own is not None:
            from openwmi.host import end

            await in_thread(end, own)

    @property
    def namespace(self) -> str:
        r"""The namespace's path in its stored case, "root\CIMV2"."""
        return self._session.services.namespace

    @property
    def server(self) -> str:
        """The name of the machine, as __SERVER shows it."""
        return self._session.services.server

    @property
    def blocking(self) -> bool:
        """Whether calls of this face return when they are done, rather than something to await."""
        return BLOCKING

    @property
    def services(self) -> Services:
        """The seam below this face, for what takes one (`openwmi.mof.compile`). It lives on its own loop."""
        return self._session.services

    def query(
        self,
        text: str,
        /,
        *,
        flags: int = 0,
        context: Mapping[str, object] | Context | None = None,
        deadline: float | None = None,
        **params: object,
    ) -> Query:
        """A WQL query, sent when its result is read: `async for`, `fetch_all`, `first`, `one`, `batches`, `explain`.

        `{name}` in the text is replaced by the parameter of that name, quoted here. deadline: seconds for the whole.
        """
        from openwmi import wql

        return Query(
            self._session,
            wql.bind(text, params) if params else text,
            flags=flags,
            context=context,
            timeout=self._timeout,
            deadline=deadline,
        )

    async def get(
        self,
        path: str,
        /,
        *,
        flags: int = 0,
        context: Mapping[str, object] | Context | None = None,
        deadline: float | None = None,
    ) -> Instance:
        """The object of a path: an instance; a Class where the path names one, which the type does not know.
        NotFound when there is none."""
        found, _ = await self._finished(GetObject(path), flags=flags, context=context, deadline=deadline)
        return cast("Instance", found[0])

    async def get_class(self, name: str, /, *, amended: bool = False) -> Class:
        """A class by its name; `amended`: with its descriptions. NotFound when there is none."""
        flags = WBEM_FLAG_USE_AMENDED_QUALIFIERS if amended else 0
        found, _ = await self._finished(GetObject(name), flags=flags)
        if not name or not isinstance(found[0], Class):
            raise error(WBEM_E_INVALID_CLASS, f"{name!r} is not the name of a class", parameter=name)
        return found[0]

    async def call(
        self,
        target: str | Instance | Class,
        method: str,
        /,
        *,
        flags_: int = 0,
        context_: Mapping[str, object] | Context | None = None,
        deadline_: float | None = None,
        **params: object,
    ) -> Any:
        """Run a method of an object, a class, or what a path names. The result is an instance with `ReturnValue` and
        the out-parameters as properties, None for a method that has neither. In-parameters go by their names; this
        method's own options end in `_` to leave those free.

        A method that fails by itself says so in ReturnValue; what is raised concerns the call (B31).
        """
        operation = ExecMethod(
            path_of(target), method, params
        )  # none given: defaults and NULL, no NULL pointer
        found, _ = await self._finished(operation, flags=flags_, context=context_, deadline=deadline_)
        return found[0] if found else None

    async def start(
        self,
        operation: AnyOperation,
        sink: Sink,
        flags: int = 0,
        context: Mapping[str, object] | Context | None = None,
    ) -> Call:
        """The primitive: start an operation that delivers into a sink, and come back before it has done anything.

        The sink's on_objects(batch), on_progress(progress) (with SEND_STATUS) and on_completed(outcome) are called on
        this loop, plain or async, one at a time; raising from the first two cancels the call. Raises WbemError when the
        call is refused; the sink is not called then. The result waits for the outcome, or cancels.
        """
        return await Call(self._session)._begin(operation, sink, flags, as_context(context))

    def subscribe(
        self,
        query: str,
        /,
        *,
        max_queue: int = 1000,
        overflow: Overflow = "drop_oldest",
        context: Mapping[str, object] | Context | None = None,
    ) -> Subscription:
        """Events, to be opened with `async with` and read with `async for`.

        At most `max_queue` of them wait for their reader. overflow, when one more comes: "drop_oldest" forgets the
        oldest and counts it in `lost`; "error" ends the subscription with QueueOverflow; "block" leaves it with the
        service, as long as that has room.
        """
        return Subscription(
            self._session,
            query,
            max_queue=max_queue,
            overflow=overflow,
            context=context,
            timeout=self._timeout,
        )

    def classes(
        self, superclass: str = "", *, deep: bool = True, amended: bool = False, deadline: float | None = None
    ) -> Objects[Class]:
        """The classes below `superclass`, or all; `deep` False: those right below it. Read like a query."""
        flags = (0 if deep else WBEM_FLAG_SHALLOW) | (WBEM_FLAG_USE_AMENDED_QUALIFIERS if amended else 0)
        return Objects(
            self._session, CreateClassEnum(superclass), flags=flags, timeout=self._timeout, deadline=deadline
        )

    async def put(
        self,
        obj: Instance | Class,
        /,
        *,
        flags: int = 0,
        context: Mapping[str, object] | Context | None = None,
        deadline: float | None = None,
    ) -> str | None:
        """Store an instance or a class; the path under which it is stored. flags: CREATE_ONLY, UPDATE_ONLY ..."""
        if not isinstance(obj, Instance | Class):
            raise error(
                WBEM_E_INVALID_PARAMETER, f"not an object of WMI: {type(obj).__name__}", parameter="pInst"
            )
        operation = PutClass(obj) if isinstance(obj, Class) else PutInstance(obj)
        _, outcome = await self._finished(operation, flags=flags, context=context, deadline=deadline)
        return outcome.text

    async def delete(
        self,
        path: str | Instance | Class,
        /,
        *,
        flags: int = 0,
        context: Mapping[str, object] | Context | None = None,
        deadline: float | None = None,
    ) -> None:
        """Delete the instance or the class of a path; NotFound when there is none."""
        text = path_of(path)
        parsed = parse_path(text)
        operation = DeleteInstance(text) if parsed.is_instance else DeleteClass(parsed.class_name or "")
        await self._finished(operation, flags=flags, context=context, deadline=deadline)

    async def _finished(self, operation: AnyOperation, **options: Any) -> tuple[list[Any], Outcome]:
        """Run an operation to its end."""
        reading = Objects[Any](self._session, operation, timeout=self._timeout, **options).reading()
        return await reading.rest(), reading.outcome


def path_of(target: str | Instance | Class) -> str:
    """The path of what a method is called on, or what is deleted; INVALID_OBJECT_PATH when it has none."""
    if isinstance(target, str):
        return target
    if not isinstance(target, Instance | Class):
        raise error(
            WBEM_E_INVALID_PARAMETER, f"not a path and not an object: {target!r}", parameter="strObjectPath"
        )
    path = target.path_ if isinstance(target, Instance) else target.path
    path = path or (target.relpath_ if isinstance(target, Instance) else target.relpath)
    if not path:
        raise error(
            WBEM_E_INVALID_OBJECT_PATH, f"the {type(target).__name__.lower()} has no path: a key is missing"
        )
    return path
