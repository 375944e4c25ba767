"""ORPC extensions in words: reports of ours, error information of Windows' servers, bytes of all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.model.errors import WmiError
from openwmi.wire.dcom import objref
from openwmi.wire.dcom.errorinfo import read_error_info
from openwmi.wire.dcom.guids import CLSID_ErrorExtension, CLSID_ErrorObject
from openwmi.wire.decoding.values import message_of, octets
from openwmi.wire.wmi import reports
from openwmi.wire.wmi.guids import EXTENT_Reports

if TYPE_CHECKING:
    from openwmi.wire.dcom.orpc import Extent
    from openwmi.wire.decoding.values import Printer


def extension(one: Extent, printer: Printer, *, asks: bool) -> dict[str, Any]:
    """One extension of a request (asks) or of an answer."""
    try:
        if one.id == EXTENT_Reports:
            if asks:
                return {"extension": "reports", "asked": reports.flags_of(one.data)}
            return {"extension": "reports", "reports": printer.value(reports.read(one.data))}
        if one.id == CLSID_ErrorExtension:
            return {"extension": "error information", "information": _information(one.data, printer)}
    except WmiError as error:
        return {"extension": printer.value(one.id), "error": message_of(error), "data": octets(one.data)}
    return {"extension": printer.value(one.id), "data": octets(one.data)}


def _information(data: bytes, printer: Printer) -> Any:
    found = objref.decode(data)
    if isinstance(found, objref.Custom) and found.clsid == CLSID_ErrorObject:
        return printer.value(read_error_info(found.data))
    return printer.reference(found)
