"""IEnumWbemClassObject and IWbemCallResult: blocking calls on the views of a call (calls.md F)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from openwmi.contract.flags import WBEM_INFINITE
from openwmi.faces.com.calling import method
from openwmi.faces.com.guids import IID_IEnumWbemClassObject, IID_IWbemCallResult
from openwmi.faces.com.objects import IWbemClassObject, class_object, optional_object
from openwmi.faces.com.process import PROCESS
from openwmi.faces.com.security import Proxy
from openwmi.faces.com.sinks import SinkCall, checked_sink
from openwmi.faces.views.limits import counted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openwmi.faces.com.calling import Outs
    from openwmi.faces.com.connection import Connection
    from openwmi.faces.com.services import IWbemServices
    from openwmi.faces.com.sinks import IWbemObjectSink
    from openwmi.faces.views import CallResult, Enumerator

T = TypeVar("T")


class IEnumWbemClassObject(Proxy):
    """A result set that is read in portions."""

    interfaces_ = (IID_IEnumWbemClassObject,)

    def __init__(self, connection: Connection, view: Enumerator) -> None:
        super().__init__(connection)
        self._view = view

    def released_(self) -> None:
        """Whatever is outstanding is cancelled; a running provider is not waited for (F22, F23)."""
        self.connection_.post(self._view.release)

    def __del__(self) -> None:
        """Nobody can release an enumerator that no name leads to any more: what it holds is let go."""
        if self.referenced_:
            self.connection_.post(self._view.release)

    @method("apObjects", "puReturned", failed=([], 0))
    def Next(
        self, lTimeout: int, uCount: int, *, out: Outs = None
    ) -> tuple[int, list[IWbemClassObject], int]:
        """(hr, objects, how many). S_OK: exactly uCount; S_FALSE: the end, with the last ones; S_TIMEDOUT: those that
        came in time (F3). After a failure ([], 0)."""
        status, found = self.admitted_().run(self._view.next, lTimeout, uCount)
        objects = [class_object(one, self.connection_.find_class) for one in found]
        return status, objects, len(objects)

    @method()
    def NextAsync(self, uCount: int, pSink: IWbemObjectSink | None) -> int:
        """Queue a request: the sink hears one Indicate with the objects and one final status (F14, F15)."""
        connection = self.admitted_()
        sink = SinkCall(checked_sink(pSink), connection, owner=self)
        if not PROCESS.secured and counted(uCount):
            sink.abandon()  # nobody may call into this process (A1, A2)
            return 0
        status = connection.run(self._view.next_async, uCount, sink)
        if status == 0:
            sink.hold()
        return status

    @method()
    def Skip(self, lTimeout: int, nCount: int) -> int:
        return self.admitted_().run(self._view.skip, lTimeout, nCount)

    @method()
    def Reset(self) -> int:
        return self.admitted_().run(self._view.reset)

    @method("ppEnum")
    def Clone(self, *, out: Outs = None) -> tuple[int, IEnumWbemClassObject | None]:
        """A second enumerator at the same position of the same result set (F18)."""
        connection = self.admitted_()
        return 0, IEnumWbemClassObject(connection, connection.run(self._view.clone))


class IWbemCallResult(Proxy):
    """The outcome of a semisynchronous operation. Timeouts are milliseconds; WBEM_S_TIMEDOUT may be tried again."""

    interfaces_ = (IID_IWbemCallResult,)

    def __init__(self, connection: Connection, view: CallResult) -> None:
        super().__init__(connection)
        self._view = view

    def _got(self, getter: Callable[[int], Awaitable[tuple[int, T]]], timeout: int) -> tuple[int, T]:
        return self.admitted_().run(getter, timeout)

    @method("ppResultObject")
    def GetResultObject(self, lTimeout: int, *, out: Outs = None) -> tuple[int, IWbemClassObject | None]:
        """(hr, object): a copy of its own each time (F32); the operation's error when it failed (F28)."""
        status, found = self._got(self._view.object, lTimeout)
        return status, optional_object(found, self.connection_.find_class)

    @method("pstrResultString")
    def GetResultString(self, lTimeout: int, *, out: Outs = None) -> tuple[int, str | None]:
        """(hr, path of what a put stored)."""
        return self._got(self._view.string, lTimeout)

    @method("ppServices")
    def GetResultServices(self, lTimeout: int, *, out: Outs = None) -> tuple[int, IWbemServices | None]:
        """(hr, services) of OpenNamespace."""
        from openwmi.faces.com.connection import Connection
        from openwmi.faces.com.services import IWbemServices

        status, found = self._got(self._view.services, lTimeout)
        if found is None:
            return status, None
        return status, IWbemServices(Connection(self.connection_.portal, found))

    @method("plStatus")
    def GetCallStatus(self, lTimeout: int, *, out: Outs = None) -> tuple[int, int | None]:
        """(hr, status): the operation's final HRESULT, also when it is a failure (F29)."""
        return self._got(self._view.call_status, lTimeout)

    def settled_(self) -> int:
        """Wait for the end; the operation's final HRESULT."""
        _, status = self.connection_.run(self._view.call_status, WBEM_INFINITE)
        return status or 0
