"""IWbemEventSink: what QueryObjectSink gives, so that a program raises extrinsic events (calls.md B.16, C.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.contract.flags import (
    WBEM_FLAG_BATCH_IF_NEEDED,
    WBEM_FLAG_MUST_BATCH,
    WBEM_FLAG_MUST_NOT_BATCH,
    WBEM_INFINITE,
)
from openwmi.faces.com.calling import invalid, method
from openwmi.faces.com.calls import content
from openwmi.faces.com.guids import IID_IWbemEventSink, IID_IWbemObjectSink
from openwmi.faces.com.security import Proxy
from openwmi.faces.com.sinks import IWbemObjectSink
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_NOT_SUPPORTED, WBEM_S_FALSE, WBEM_S_NO_ERROR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from openwmi.faces.com.calling import Outs
    from openwmi.faces.com.connection import Connection
    from openwmi.faces.com.objects import IWbemClassObject
    from openwmi.faces.com.unknown import IUnknown

_NO_LIMIT: Final = 0xFFFFFFFF


class IWbemEventSink(Proxy, IWbemObjectSink):
    """Takes events of one namespace. Released for the last time it raises what it was told to hold back."""

    interfaces_ = (IID_IWbemObjectSink, IID_IWbemEventSink)

    def __init__(self, connection: Connection, sink: Any) -> None:
        super().__init__(connection)
        self._sink = sink

    def interface_(self, iid: UUID) -> IUnknown | None:
        """What another host gives has Indicate and SetStatus alone."""
        if iid == IID_IWbemEventSink and not hasattr(self._sink, "restricted"):
            return None
        return super().interface_(iid)

    def released_(self) -> None:
        if hasattr(self._sink, "flush"):
            self.connection_.post(lambda: _on_loop(self._sink.flush))

    def _run(self, function: Callable[..., Any], *args: object) -> Any:
        return self.admitted_().run(_on_loop, function, *args)

    @method()
    def Indicate(self, objects: Sequence[IWbemClassObject]) -> int:
        """Raise events, in order; all or none of them. INVALID_CLASS for an object that is no extrinsic event,
        INVALID_OBJECT for a class."""
        if not isinstance(objects, (list, tuple)) or None in objects:
            raise invalid("Indicate: an object is NULL", "apObjArray")
        return int(self._run(self._sink.on_objects, [content(one) for one in objects]))

    @method()
    def SetStatus(
        self, lFlags: int, hResult: int, strParam: str | None, pObjParam: IWbemClassObject | None
    ) -> int:
        """Event sinks need none, and nobody hears it (C27)."""
        self.admitted_()
        return WBEM_S_NO_ERROR

    @method()
    def IsActive(self) -> int:
        """WBEM_S_NO_ERROR when somebody wants what this sink lets through, WBEM_S_FALSE otherwise; the unrestricted
        sink always says that somebody does (C29)."""
        return WBEM_S_NO_ERROR if self._run(lambda: self._sink.active) else WBEM_S_FALSE

    @method("ppSink")
    def GetRestrictedSink(
        self, lNumQueries: int, awszQueries: Sequence[str], pCallback: object, *, out: Outs = None
    ) -> tuple[int, IWbemEventSink | None]:
        """(hr, sink) for the events that one of these queries selects (C28). No interface is documented for the
        callback object, so one that is not NULL gets NOT_SUPPORTED; ask IsActive."""
        connection = self.admitted_()
        if not isinstance(awszQueries, (list, tuple)) or len(awszQueries) != lNumQueries or not awszQueries:
            raise invalid("GetRestrictedSink takes lNumQueries event queries, one or more", "awszQueries")
        if not all(isinstance(one, str) for one in awszQueries):
            raise invalid("GetRestrictedSink: a query is NULL", "awszQueries")
        if pCallback is not None:
            raise error(WBEM_E_NOT_SUPPORTED, "GetRestrictedSink calls nobody back", parameter="pCallback")
        return 0, IWbemEventSink(connection, connection.run(_on_loop, self._sink.restricted, awszQueries))

    @method()
    def SetBatchingParameters(self, lFlags: int, dwMaxBufferSize: int, dwMaxSendLatency: int) -> int:
        """MUST_BATCH: hold events back until so many bytes have gathered (0xFFFFFFFF: no limit) or the oldest has
        waited so many milliseconds (WBEM_INFINITE: no limit); otherwise an Indicate raises its events at once (C30)."""
        if lFlags not in (WBEM_FLAG_BATCH_IF_NEEDED, WBEM_FLAG_MUST_BATCH, WBEM_FLAG_MUST_NOT_BATCH):
            raise invalid(f"SetBatchingParameters does not take flags {lFlags!r}", "lFlags")
        for value in (dwMaxBufferSize, dwMaxSendLatency):
            if not isinstance(value, int) or not 0 <= value <= _NO_LIMIT:
                raise invalid(f"not an unsigned 32-bit number: {value!r}")
        if lFlags != WBEM_FLAG_MUST_BATCH:
            self._run(self._sink.flush)
            return 0
        size = None if dwMaxBufferSize == _NO_LIMIT else dwMaxBufferSize
        self._run(
            self._sink.batch, size, None if dwMaxSendLatency == WBEM_INFINITE else dwMaxSendLatency / 1000
        )
        return 0

    @method()
    def SetSinkSecurity(self, lSDLength: int, pSD: bytes | None) -> int:
        """Who receives the events of this sink: whom a self-relative descriptor allows WBEM_RIGHT_SUBSCRIBE; NULL:
        everybody (C31)."""
        if pSD is not None and (not isinstance(pSD, (bytes, bytearray)) or len(pSD) != lSDLength):
            raise invalid("SetSinkSecurity takes lSDLength bytes", "pSD")
        self._run(self._sink.secure, None if pSD is None else bytes(pSD))
        return 0


async def _on_loop(function: Callable[..., Any], *args: object) -> Any:
    """What the sink says, on the service's loop, where it lives; another host's takes its time."""
    answer = function(*args)
    return await answer if hasattr(answer, "__await__") else answer
