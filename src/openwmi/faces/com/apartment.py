"""IUnsecuredApartment and IWbemUnsecuredApartment: stubs that stand for a sink towards the service (calls.md E.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.contract.flags import (
    WBEM_FLAG_UNSECAPP_CHECK_ACCESS,
    WBEM_FLAG_UNSECAPP_DEFAULT_CHECK_ACCESS,
    WBEM_FLAG_UNSECAPP_DONT_CHECK_ACCESS,
)
from openwmi.faces.com.calling import Failure, invalid, method, reserved
from openwmi.faces.com.constants import E_NOINTERFACE
from openwmi.faces.com.guids import IID_IUnsecuredApartment, IID_IWbemObjectSink, IID_IWbemUnsecuredApartment
from openwmi.faces.com.sinks import IWbemObjectSink
from openwmi.faces.com.unknown import IUnknown
from openwmi.model.status import failed

if TYPE_CHECKING:
    from openwmi.faces.com.calling import Outs
    from openwmi.faces.com.objects import IWbemClassObject

_ACCESS_FLAGS: Final = (
    WBEM_FLAG_UNSECAPP_DEFAULT_CHECK_ACCESS,
    WBEM_FLAG_UNSECAPP_CHECK_ACCESS,
    WBEM_FLAG_UNSECAPP_DONT_CHECK_ACCESS,
)


class SinkStub(IWbemObjectSink):
    """A sink that forwards to another, which it owns a reference on (E6). It is an object of its own: a call that was
    given the stub is cancelled through the stub and not through the inner sink (D15)."""

    def __init__(self, inner: IWbemObjectSink) -> None:
        self._inner = inner

    def Indicate(self, objects: list[IWbemClassObject]) -> int | None:
        return self._inner.Indicate(objects)  # its result goes back unchanged (E8)

    def SetStatus(
        self, lFlags: int, hResult: int, strParam: str | None, pObjParam: IWbemClassObject | None
    ) -> int | None:
        return self._inner.SetStatus(lFlags, hResult, strParam, pObjParam)

    def released_(self) -> None:
        self._inner.Release()


def _stub(subject: object) -> SinkStub:
    """A stub for what the object says is its sink; E_NOINTERFACE when it is none (E1)."""
    if not isinstance(subject, IUnknown):
        raise Failure(E_NOINTERFACE)
    hr, sink = subject.QueryInterface(IID_IWbemObjectSink)
    if failed(hr) or sink is None:
        raise Failure(E_NOINTERFACE)
    return SinkStub(sink)  # QueryInterface's reference becomes the stub's


class IUnsecuredApartment(IUnknown):
    """Makes stubs. Everything here is one process, so a stub needs no process of its own."""

    interfaces_ = (IID_IUnsecuredApartment, IID_IWbemUnsecuredApartment)

    @method("ppStub")
    def CreateObjectStub(self, pObject: IUnknown | None, *, out: Outs = None) -> tuple[int, IUnknown | None]:
        """(hr, stub): query the stub for IWbemObjectSink. E_NOINTERFACE when the object is no sink."""
        if pObject is None:
            raise invalid("CreateObjectStub: the object is NULL", "pObject")
        return 0, _stub(pObject)


class IWbemUnsecuredApartment(IUnsecuredApartment):
    """Makes stubs with a say in who may call them. In one process only the service does, which every setting of E3
    admits: the flags are checked and have nothing left to decide."""

    @method("ppStub")
    def CreateSinkStub(
        self, pSink: IWbemObjectSink | None, dwFlags: int, wszReserved: None, *, out: Outs = None
    ) -> tuple[int, IWbemObjectSink | None]:
        """(hr, stub). Flags other than 0, 1, 2 or a reserved text: INVALID_PARAMETER (E2)."""
        if pSink is None:
            raise invalid("CreateSinkStub: the sink is NULL", "pSink")
        if dwFlags not in _ACCESS_FLAGS:
            raise invalid(f"CreateSinkStub: unknown flags 0x{dwFlags:X}", "dwFlags")
        reserved(wszReserved is not None, "wszReserved")
        return 0, _stub(pSink)
