"""GetErrorInfo and IErrorInfo: why the last call of this thread failed (calls.md G9, G11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.faces.com import faults
from openwmi.faces.com.calling import Failure, method
from openwmi.faces.com.constants import E_INVALIDARG, S_FALSE, S_OK
from openwmi.faces.com.guids import IID_IErrorInfo, IID_IWbemClassObject, IID_IWbemServices
from openwmi.faces.com.unknown import IUnknown

if TYPE_CHECKING:
    from uuid import UUID

    from openwmi.faces.com.calling import Outs
    from openwmi.faces.com.connection import Connection
    from openwmi.model.errors import WbemError
    from openwmi.model.instances import Instance

# The source of an error in which no provider took part (G11).
SERVICE_NAME = "Windows Management"


class IErrorInfo(IUnknown):
    """A failure in words; query it for IWbemClassObject to get its __ExtendedStatus object."""

    interfaces_ = (IID_IErrorInfo,)

    def __init__(self, fault: WbemError, connection: Connection | None) -> None:
        self._fault = fault
        self._connection = connection

    def interface_(self, iid: UUID) -> IUnknown | None:
        if iid != IID_IWbemClassObject:
            return super().interface_(iid)
        details = self._fault.extended or self._made()
        if details is None:
            return None
        from openwmi.faces.com.objects import class_object

        return class_object(details)

    def _made(self) -> Instance | None:
        """The object for an error that the service gave without one: a call that it refused."""
        if self._connection is None:
            return None
        fault = self._fault
        found = self._connection.find_class("__ExtendedStatus")
        if found is None:
            return None
        values = {
            "StatusCode": fault.code,
            "Description": fault.message,
            "Operation": fault.operation,
            "ParameterInfo": fault.parameter or fault.path or fault.namespace,
            "ProviderName": self._source,
        }
        return found.spawn(values)

    @property
    def _source(self) -> str:
        return getattr(self._fault, "provider", None) or SERVICE_NAME

    @method("pGUID")
    def GetGUID(self, *, out: Outs = None) -> tuple[int, UUID | None]:
        """(hr, the interface that failed)."""
        return 0, IID_IWbemServices

    @method("pBstrSource")
    def GetSource(self, *, out: Outs = None) -> tuple[int, str | None]:
        return 0, self._source

    @method("pBstrDescription")
    def GetDescription(self, *, out: Outs = None) -> tuple[int, str | None]:
        return 0, self._fault.message

    @method("pBstrHelpFile")
    def GetHelpFile(self, *, out: Outs = None) -> tuple[int, str | None]:
        return 0, None

    @method("pdwHelpContext")
    def GetHelpContext(self, *, out: Outs = None) -> tuple[int, int | None]:
        return 0, 0


@method("pperrinfo")
def GetErrorInfo(dwReserved: int, *, out: Outs = None) -> tuple[int, Any]:
    """(hr, IErrorInfo) for the last failing call of this thread, which forgets it; S_FALSE when there is none."""
    if dwReserved:
        raise Failure(E_INVALIDARG)
    found = faults.taken()
    return (S_FALSE, None) if found is None else (S_OK, IErrorInfo(*found))
