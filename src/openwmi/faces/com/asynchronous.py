"""The ten asynchronous methods of IWbemServices (calls.md B.3, B.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.contract import operations as ops
from openwmi.faces.com.calling import method
from openwmi.faces.com.calls import content, given, started
from openwmi.faces.com.security import Proxy

if TYPE_CHECKING:
    from openwmi.faces.com.contexts import IWbemContext
    from openwmi.faces.com.objects import IWbemClassObject
    from openwmi.faces.com.sinks import IWbemObjectSink


class AsynchronousCalls(Proxy):
    """Each takes the sink last and returns at once: 0 when the call was accepted, and the sink hears the rest."""

    @method()
    def GetObjectAsync(
        self,
        strObjectPath: str | None,
        lFlags: int,
        pCtx: IWbemContext | None,
        pResponseHandler: IWbemObjectSink | None,
    ) -> int:
        return started(self, ops.GetObject(strObjectPath), lFlags, pCtx, pResponseHandler)

    @method()
    def PutClassAsync(
        self,
        pObject: IWbemClassObject | None,
        lFlags: int,
        pCtx: IWbemContext | None,
        pResponseHandler: IWbemObjectSink | None,
    ) -> int:
        return started(self, ops.PutClass(content(pObject)), lFlags, pCtx, pResponseHandler)

    @method()
    def DeleteClassAsync(
        self,
        strClass: str | None,
        lFlags: int,
        pCtx: IWbemContext | None,
        pResponseHandler: IWbemObjectSink | None,
    ) -> int:
        return started(self, ops.DeleteClass(given(strClass)), lFlags, pCtx, pResponseHandler)

    @method()
    def PutInstanceAsync(
        self,
        pInst: IWbemClassObject | None,
        lFlags: int,
        pCtx: IWbemContext | None,
        pResponseHandler: IWbemObjectSink | None,
    ) -> int:
        return started(self, ops.PutInstance(content(pInst)), lFlags, pCtx, pResponseHandler)

    @method()
    def DeleteInstanceAsync(
        self,
        strObjectPath: str | None,
        lFlags: int,
        pCtx: IWbemContext | None,
        pResponseHandler: IWbemObjectSink | None,
    ) -> int:
        return started(self, ops.DeleteInstance(given(strObjectPath)), lFlags, pCtx, pResponseHandler)

    @method()
    def CreateClassEnumAsync(
        self,
        strSuperclass: str | None,
        lFlags: int,
        pCtx: IWbemContext | None,
        pResponseHandler: IWbemObjectSink | None,
    ) -> int:
        return started(self, ops.CreateClassEnum(strSuperclass), lFlags, pCtx, pResponseHandler)

    @method()
    def CreateInstanceEnumAsync(
        self,
        strFilter: str | None,
        lFlags: int,
        pCtx: IWbemContext | None,
        pResponseHandler: IWbemObjectSink | None,
    ) -> int:
        return started(self, ops.CreateInstanceEnum(given(strFilter)), lFlags, pCtx, pResponseHandler)

    @method()
    def ExecQueryAsync(
        self,
        strQueryLanguage: str | None,
        strQuery: str | None,
        lFlags: int,
        pCtx: IWbemContext | None,
        pResponseHandler: IWbemObjectSink | None,
    ) -> int:
        """Step 4 of the page: returns at once; the sink hears the objects, and then how it ended."""
        return started(
            self, ops.ExecQuery(given(strQuery), given(strQueryLanguage)), lFlags, pCtx, pResponseHandler
        )

    @method()
    def ExecNotificationQueryAsync(
        self,
        strQueryLanguage: str | None,
        strQuery: str | None,
        lFlags: int,
        pCtx: IWbemContext | None,
        pResponseHandler: IWbemObjectSink | None,
    ) -> int:
        """A temporary event consumer: the sink hears of each event, and of the end only when the query fails or
        CancelAsyncCall has been called (B85). Comes back when the subscription is in force: what the program does next
        is heard, unless a provider takes more than a second over its baseline."""
        return started(
            self,
            ops.ExecNotificationQuery(given(strQuery), given(strQueryLanguage)),
            lFlags,
            pCtx,
            pResponseHandler,
        )

    @method()
    def ExecMethodAsync(
        self,
        strObjectPath: str | None,
        strMethodName: str | None,
        lFlags: int,
        pCtx: IWbemContext | None,
        pInParams: IWbemClassObject | None,
        pResponseHandler: IWbemObjectSink | None,
    ) -> int:
        operation = ops.ExecMethod(given(strObjectPath), given(strMethodName), content(pInParams))
        return started(self, operation, lFlags, pCtx, pResponseHandler)
