"""How a method of IWbemServices runs its operation: asynchronously, as an enumerator, or with one result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.contract.flags import WBEM_FLAG_RETURN_IMMEDIATELY
from openwmi.contract.operations import ExecNotificationQuery, GetObject, checked_arguments, checked_flags
from openwmi.faces import views
from openwmi.faces.com.calling import invalid
from openwmi.faces.com.contexts import values_of
from openwmi.faces.com.objects import IWbemClassObject, optional_object
from openwmi.faces.com.process import PROCESS
from openwmi.faces.com.results import IEnumWbemClassObject, IWbemCallResult
from openwmi.faces.com.sinks import SinkCall, checked_sink
from openwmi.model.status import failed

if TYPE_CHECKING:
    from openwmi.contract.operations import AnyOperation
    from openwmi.faces.com.calling import Outs
    from openwmi.faces.com.security import Proxy


def started(proxy: Proxy, operation: AnyOperation, flags: int, context: object, sink: object) -> int:
    """The asynchronous form: accepted or refused at once; an accepted call holds its sink (B16, B17)."""
    connection = proxy.admitted_()
    call = SinkCall(checked_sink(sink), connection)
    values = values_of(context)
    if not PROCESS.secured:
        checked_arguments(operation)
        checked_flags(operation, flags, "async")
        call.abandon()  # nobody may call into this process (A1, A2)
        return 0
    running = connection.run(connection.services.start, operation, call, flags, values)
    call.hold()
    if isinstance(operation, ExecNotificationQuery):
        connection.run(views.in_force, running)
    return 0


def enumerated(
    proxy: Proxy, operation: AnyOperation, flags: int, context: object
) -> tuple[int, IEnumWbemClassObject]:
    """The enumerator of a synchronous or semisynchronous call (B10, B11)."""
    connection = proxy.admitted_()
    view = connection.run(views.Enumerator.start, connection.services, operation, flags, values_of(context))
    return 0, IEnumWbemClassObject(connection, view)


def single(
    proxy: Proxy, operation: AnyOperation, flags: int, context: object, out: Outs, direct: str = ""
) -> tuple[IWbemClassObject | None, IWbemCallResult | None]:
    """The direct object and the call result of a call that gives one result (B12, B13).

    With RETURN_IMMEDIATELY the call result alone. Without it a call result that is asked for carries the outcome
    beside the direct object; GetObject for the call result alone comes back at once, as the documented sample has it.
    """
    connection = proxy.admitted_()
    wanted = out or ()
    values = values_of(context)
    at_once = isinstance(flags, int) and bool(flags & WBEM_FLAG_RETURN_IMMEDIATELY)
    if "ppCallResult" not in wanted:
        if at_once:
            raise invalid("RETURN_IMMEDIATELY needs a call result", "ppCallResult")
        done = connection.run(views.perform, connection.services, operation, flags, values)
        return optional_object(done.object, connection.find_class) if direct in wanted else None, None
    view = connection.run(views.CallResult.start, connection.services, operation, flags, values)
    result = IWbemCallResult(connection, view)
    if at_once or (isinstance(operation, GetObject) and direct not in wanted):
        return None, result
    if failed(result.settled_()) or direct not in wanted:
        return None, result
    return optional_object(connection.run(view.object, 0)[1], connection.find_class), result


def given(argument: object) -> Any:
    """An argument as it came: what is NULL or no text is refused with the operation's other arguments (B6)."""
    return argument


def content(subject: object) -> Any:
    """The content of an object argument; None for NULL, INVALID_PARAMETER for what is no object."""
    if subject is None:
        return None
    if not isinstance(subject, IWbemClassObject):
        raise invalid("the argument is no IWbemClassObject", "pObject")
    return subject.snapshot_()
