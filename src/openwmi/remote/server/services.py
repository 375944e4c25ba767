"""IWbemServices for remote callers: twenty methods from the table of operations, and the three beside it.

Synchronous and semisynchronous forms are the views that the Python faces use; the asynchronous ones deliver into a
remote sink (calls.md B).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from openwmi.contract.acceptance import checked_child
from openwmi.contract.flags import WBEM_FLAG_FORWARD_ONLY, WBEM_FLAG_RETURN_IMMEDIATELY
from openwmi.contract.operations import AnyOperation, GetObject, described
from openwmi.faces.views import CallResult, Enumerator, perform
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_ACCESS_DENIED, WBEM_E_INVALID_PARAMETER, failed
from openwmi.remote.inbound import Incoming, interface
from openwmi.remote.server.enumerators import ENUMERATORS, EnumeratorObject
from openwmi.remote.server.eventsinks import EVENT_SINKS, EventSinkObject
from openwmi.remote.server.positions import Position
from openwmi.remote.server.results import RESULTS, CallResultObject
from openwmi.remote.server.sinks import least_level
from openwmi.wire.wmi import guids, reports
from openwmi.wire.wmi import services as w
from openwmi.wire.wmi.contexts import read_context
from openwmi.wire.wmi.types import EMPTY, reference_to

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openwmi.contract.context import Context
    from openwmi.contract.services import Services
    from openwmi.remote.inbound import Interface
    from openwmi.remote.server.server import Server

_UNSIGNED: Final = 0xFFFFFFFF
# A result that is read in order, once, and freed as it is read.
_READ_ONCE: Final = WBEM_FLAG_RETURN_IMMEDIATELY | WBEM_FLAG_FORWARD_ONLY


def _invalid(message: str, parameter: str) -> Exception:
    return error(WBEM_E_INVALID_PARAMETER, message, parameter=parameter)


class Asked(NamedTuple):
    """One call of an operation. inputs: as they came; holds: makes its [out] parameters."""

    incoming: Incoming
    operation: AnyOperation
    flags: int
    context: Context | None
    inputs: Any
    holds: Callable[..., Any]


class ServicesObject:
    """One log-on to one namespace."""

    __slots__ = ("_server", "services")

    def __init__(self, server: Server, services: Services) -> None:
        self._server = server
        self.services = services

    def released(self) -> None:
        """The last reference closes the connection, and its subscriptions end (A31, B89)."""
        self._server.spawn(self.services.close())

    def checked(self, incoming: Incoming) -> None:
        """Refuse a call below the level that the namespace asks for (A12)."""
        if incoming.level < least_level(self.services):
            raise error(
                WBEM_E_ACCESS_DENIED,
                f"namespace {self.services.namespace} requires packet privacy (RequiresEncryption)",
                namespace=self.services.namespace,
            )

    # Operations

    def perform(self, method: w.ServicesMethod, incoming: Incoming, inputs: Any) -> Awaitable[Any]:
        """Any of the twenty."""
        self.checked(incoming)
        operation = w.operation_of(method.opnum, inputs)
        context, flags = read_context(inputs.context), inputs.flags & _UNSIGNED
        asked = Asked(incoming, operation, flags, context, inputs, method.response.members.holds)
        if w.is_asynchronous(method.opnum):
            return self._started(asked)
        return self._enumerated(asked) if described(operation).enumerator else self._single(asked)

    async def _started(self, asked: Asked) -> Any:
        """The asynchronous form: answered when the call is accepted or refused (B16, B17)."""
        incoming, operation, flags, context, inputs, holds = asked
        callbacks = self._server.callbacks
        await callbacks.start(self.services, operation, inputs.sink, incoming, flags=flags, context=context)
        return holds(result=0)

    async def _enumerated(self, asked: Asked) -> Any:
        """An enumerator over what the operation finds."""
        incoming, operation, flags, context, _, holds = asked
        once = flags & _READ_ONCE == _READ_ONCE
        held = self._server.limits.held if once else self._server.room(self.services.caller)
        told, progress = _listens(incoming)
        view = await Enumerator.start(self.services, operation, flags, context, held=held, progress=progress)
        position = Position(self._server, view, listened=told)
        reference = EnumeratorObject(self._server, self, position).given(incoming)
        return holds(enumerator=reference, result=0)

    async def _single(self, asked: Asked) -> Any:
        """A direct object, a call result or both, as far as their pointers are not NULL (B12, B13)."""
        incoming, operation, flags, context, inputs, holds = asked
        values: dict[str, Any] = {"result": 0, "call_result": inputs.call_result}
        direct = getattr(inputs, "found", None) is not None
        if hasattr(inputs, "found"):
            values["found"] = inputs.found
        at_once = bool(flags & WBEM_FLAG_RETURN_IMMEDIATELY)
        if inputs.call_result is None:
            if at_once:
                raise _invalid("RETURN_IMMEDIATELY needs a call result", "ppCallResult")
            if isinstance(operation, GetObject) and not direct:
                raise _invalid("GetObject: ppObject and ppCallResult are NULL", "ppObject")
            done = await perform(self.services, operation, flags, context)
            if direct and done.object is not None:
                values["found"] = reference_to(done.object)
            return holds(**values)
        told, progress = _listens(incoming)
        progress = progress and at_once
        view = await CallResult.start(self.services, operation, flags, context, progress=progress)
        if not at_once and (direct or not isinstance(operation, GetObject)):
            values |= await _settled(view, direct=direct)
        values["call_result"] = CallResultObject(self._server, self, view, listened=told).given(incoming)
        return holds(**values)

    # The three others

    async def open(self, incoming: Incoming, inputs: Any) -> Any:
        """OpenNamespace (A38 to A42)."""
        self.checked(incoming)
        holds = w.OPEN.response.members.holds
        namespace, flags = inputs.namespace, inputs.flags & _UNSIGNED
        if inputs.context is not None:
            raise _invalid("the context of OpenNamespace is reserved", "pCtx")
        if flags not in (0, WBEM_FLAG_RETURN_IMMEDIATELY):
            raise _invalid(f"OpenNamespace does not take flags 0x{flags:X}", "lFlags")
        namespace = checked_child(namespace)
        if inputs.call_result is None:
            if flags or inputs.services is None:
                raise _invalid("OpenNamespace: ppResult or ppWorkingNamespace is NULL", "ppResult")
            services = await self.services.open(namespace)
            return holds(services=self.given(services, incoming), call_result=None, result=0)
        view = CallResult.opening(self.services, namespace)
        opened = inputs.services
        if not flags and opened is not None:
            _, found = await view.services(-1)
            assert found is not None  # a failure has raised
            opened = self.given(found, incoming)
        told, _ = _listens(incoming)
        result = CallResultObject(self._server, self, view, listened=told).given(incoming)
        return holds(services=opened, call_result=result, result=0)

    def given(self, services: Services, incoming: Incoming) -> bytes:
        """The reference to another log-on of the same caller."""
        made = ServicesObject(self._server, services)
        return self._server.give(made, guids.IWbemServices.uuid, incoming)

    async def cancel(self, incoming: Incoming, inputs: Any) -> Any:
        """CancelAsyncCall (D)."""
        self.checked(incoming)
        await self._server.callbacks.cancel(self.services, inputs.sink)
        return w.CANCEL.response.members.holds(result=0)

    async def event_sink(self, incoming: Incoming, inputs: Any) -> Any:
        """QueryObjectSink (B98, B99)."""
        self.checked(incoming)
        if inputs.flags:
            raise _invalid(f"QueryObjectSink does not take flags {inputs.flags}", "lFlags")
        found = await self.services.event_sink()
        reference = EventSinkObject(self._server, self, found).given(incoming)
        return w.EVENT_SINK.response.members.holds(sink=reference, result=0)

    interfaces: ClassVar[dict[Any, Interface]] = {}


def _listens(incoming: Incoming) -> tuple[bool, bool]:
    """Whether a caller hears what is said beside answers, and whether of progress, too."""
    found = reports.asked(incoming.this)
    return found is not None, found is not None and found.progress


async def _settled(view: CallResult, *, direct: bool) -> dict[str, Any]:
    """Wait until the operation is over: its object, where that is wanted and there is one. Its failure is told by the
    call result alone (B13)."""
    _, status = await view.call_status(-1)
    if status is None or failed(status) or not direct:
        return {"found": EMPTY} if direct else {}
    _, found = await view.object(-1)
    return {"found": EMPTY if found is None else reference_to(found)}


def _served(method: w.ServicesMethod) -> Any:
    def serve(target: ServicesObject, incoming: Incoming, inputs: Any) -> Any:
        return target.perform(method, incoming, inputs)

    return serve


_OTHERS: Final = {
    w.OPEN.opnum: ServicesObject.open,
    w.CANCEL.opnum: ServicesObject.cancel,
    w.EVENT_SINK.opnum: ServicesObject.event_sink,
}
ServicesObject.interfaces[guids.IWbemServices.uuid] = interface(
    *((method, _OTHERS.get(opnum) or _served(method)) for opnum, method in w.METHODS.items())
)

# Every interface that a client may come to hold.
EXPORTED: Final = frozenset({guids.IWbemServices.uuid, *ENUMERATORS, *RESULTS, *EVENT_SINKS})
