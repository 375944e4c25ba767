"""IWbemServices: all 23 methods in their synchronous, semisynchronous and asynchronous forms (calls.md B)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.contract import operations as ops
from openwmi.contract.acceptance import checked_child
from openwmi.contract.flags import WBEM_FLAG_RETURN_IMMEDIATELY
from openwmi.faces import views
from openwmi.faces.com.asynchronous import AsynchronousCalls
from openwmi.faces.com.calling import invalid, method
from openwmi.faces.com.calls import content, enumerated, given, single
from openwmi.faces.com.connection import Connection
from openwmi.faces.com.eventsinks import IWbemEventSink
from openwmi.faces.com.guids import IID_IWbemServices
from openwmi.faces.com.results import IWbemCallResult
from openwmi.faces.com.sinks import identity, namesake
from openwmi.faces.com.unknown import IUnknown
from openwmi.faces.workers import inside_callback
from openwmi.model.errors import WbemError
from openwmi.model.status import WBEM_E_NOT_FOUND

if TYPE_CHECKING:
    from openwmi.contract.services import Services
    from openwmi.faces.com.calling import Outs
    from openwmi.faces.com.contexts import IWbemContext
    from openwmi.faces.com.objects import IWbemClassObject
    from openwmi.faces.com.results import IEnumWbemClassObject
    from openwmi.faces.com.sinks import IWbemObjectSink


class IWbemServices(AsynchronousCalls):
    """One namespace, as one caller. Released for the last time it closes, and its subscriptions end (A31, B89)."""

    interfaces_ = (IID_IWbemServices,)

    def released_(self) -> None:
        self.connection_.post(self.connection_.services.close)

    # Namespaces, cancelling, events

    @method("ppWorkingNamespace", "ppResult", optional=("ppWorkingNamespace", "ppResult"))
    def OpenNamespace(
        self, strNamespace: str | None, lFlags: int, pCtx: IWbemContext | None, *, out: Outs = None
    ) -> tuple[int, IWbemServices | None, IWbemCallResult | None]:
        """(hr, services, call result): a namespace below this one (A38). With RETURN_IMMEDIATELY the call result
        alone; without it both, as far as their pointers are not NULL (A39, A41)."""
        connection = self.admitted_()
        wanted = out or ()
        path = checked_child(strNamespace)
        if pCtx is not None:
            raise invalid("the context of OpenNamespace is reserved", "pCtx")
        if lFlags not in (0, WBEM_FLAG_RETURN_IMMEDIATELY):
            raise invalid(f"OpenNamespace does not take flags {lFlags!r}", "lFlags")
        needed = "ppResult" if lFlags else "ppWorkingNamespace"
        if needed not in wanted and (lFlags or not wanted):
            raise invalid(f"OpenNamespace: {needed} is NULL", needed)
        if "ppResult" not in wanted:
            return 0, self._opened(connection.run(connection.services.open, path)), None
        view = connection.run(_opening, connection.services, path)
        result = IWbemCallResult(connection, view)
        if lFlags or needed not in wanted:
            return 0, None, result
        _, services = connection.run(view.services, -1)
        assert services is not None
        return 0, self._opened(services), result

    def _opened(self, services: Services) -> IWbemServices:
        return IWbemServices(Connection(self.connection_.portal, services))

    @method()
    def CancelAsyncCall(self, pSink: IUnknown | None) -> int:
        """Cancel every pending call of a sink, waiting requests of NextAsync included (D). NOT_FOUND is harmless."""
        connection = self.admitted_()
        if not isinstance(pSink, IUnknown):
            raise invalid("CancelAsyncCall: the sink is NULL", "pSink")
        try:
            _cancel(connection, pSink)
        except WbemError as fault:
            other = namesake(pSink) if fault.code == WBEM_E_NOT_FOUND else None
            if other is None:
                raise
            _cancel(connection, other)
        return 0

    @method("ppResponseHandler")
    def QueryObjectSink(self, lFlags: int, *, out: Outs = None) -> tuple[int, IWbemObjectSink | None]:
        """(hr, sink): its Indicate raises extrinsic events (B98, B99). It answers IWbemEventSink, too."""
        connection = self.admitted_()
        if lFlags:
            raise invalid(f"QueryObjectSink does not take flags {lFlags!r}", "lFlags")
        found = connection.run(connection.services.event_sink)
        return 0, None if found is None else IWbemEventSink(connection, found)

    # Objects

    @method("ppObject", "ppCallResult", optional=("ppObject",))
    def GetObject(
        self, strObjectPath: str | None, lFlags: int, pCtx: IWbemContext | None, *, out: Outs = None
    ) -> tuple[int, IWbemClassObject | None, IWbemCallResult | None]:
        """(hr, object, call result): a class or an instance; NULL or "" gives an empty class (B46)."""
        if not out:
            raise invalid("GetObject: ppObject and ppCallResult are NULL", "ppObject")
        return 0, *single(self, ops.GetObject(strObjectPath), lFlags, pCtx, out, "ppObject")

    @method("ppCallResult")
    def PutClass(
        self, pObject: IWbemClassObject | None, lFlags: int, pCtx: IWbemContext | None, *, out: Outs = None
    ) -> tuple[int, IWbemCallResult | None]:
        return 0, single(self, ops.PutClass(content(pObject)), lFlags, pCtx, out)[1]

    @method("ppCallResult")
    def DeleteClass(
        self, strClass: str | None, lFlags: int, pCtx: IWbemContext | None, *, out: Outs = None
    ) -> tuple[int, IWbemCallResult | None]:
        return 0, single(self, ops.DeleteClass(given(strClass)), lFlags, pCtx, out)[1]

    @method("ppCallResult")
    def PutInstance(
        self, pInst: IWbemClassObject | None, lFlags: int, pCtx: IWbemContext | None, *, out: Outs = None
    ) -> tuple[int, IWbemCallResult | None]:
        return 0, single(self, ops.PutInstance(content(pInst)), lFlags, pCtx, out)[1]

    @method("ppCallResult")
    def DeleteInstance(
        self, strObjectPath: str | None, lFlags: int, pCtx: IWbemContext | None, *, out: Outs = None
    ) -> tuple[int, IWbemCallResult | None]:
        return 0, single(self, ops.DeleteInstance(given(strObjectPath)), lFlags, pCtx, out)[1]

    # Sets

    @method("ppEnum")
    def CreateClassEnum(
        self, strSuperclass: str | None, lFlags: int, pCtx: IWbemContext | None, *, out: Outs = None
    ) -> tuple[int, IEnumWbemClassObject | None]:
        return enumerated(self, ops.CreateClassEnum(strSuperclass), lFlags, pCtx)

    @method("ppEnum")
    def CreateInstanceEnum(
        self, strFilter: str | None, lFlags: int, pCtx: IWbemContext | None, *, out: Outs = None
    ) -> tuple[int, IEnumWbemClassObject | None]:
        return enumerated(self, ops.CreateInstanceEnum(given(strFilter)), lFlags, pCtx)

    # Queries

    @method("ppEnum")
    def ExecQuery(
        self,
        strQueryLanguage: str | None,
        strQuery: str | None,
        lFlags: int,
        pCtx: IWbemContext | None,
        *,
        out: Outs = None,
    ) -> tuple[int, IEnumWbemClassObject | None]:
        return enumerated(self, ops.ExecQuery(given(strQuery), given(strQueryLanguage)), lFlags, pCtx)

    @method("ppEnum")
    def ExecNotificationQuery(
        self,
        strQueryLanguage: str | None,
        strQuery: str | None,
        lFlags: int,
        pCtx: IWbemContext | None,
        *,
        out: Outs = None,
    ) -> tuple[int, IEnumWbemClassObject | None]:
        """An enumerator of events; only with the flags 0x30 (B84)."""
        return enumerated(
            self, ops.ExecNotificationQuery(given(strQuery), given(strQueryLanguage)), lFlags, pCtx
        )

    # Methods

    @method("ppOutParams", "ppCallResult", optional=("ppOutParams",))
    def ExecMethod(
        self,
        strObjectPath: str | None,
        strMethodName: str | None,
        lFlags: int,
        pCtx: IWbemContext | None,
        pInParams: IWbemClassObject | None,
        *,
        out: Outs = None,
    ) -> tuple[int, IWbemClassObject | None, IWbemCallResult | None]:
        """(hr, out-parameters, call result). What the method itself says is in their ReturnValue (B31)."""
        operation = ops.ExecMethod(given(strObjectPath), given(strMethodName), content(pInParams))
        return 0, *single(self, operation, lFlags, pCtx, out, "ppOutParams")


def _cancel(connection: Connection, sink: IUnknown) -> None:
    connection.run(views.cancel, connection.services, identity(sink), inside=inside_callback())


async def _opening(services: Services, namespace: str) -> views.CallResult:
    return views.CallResult.opening(services, namespace)
