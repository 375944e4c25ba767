"""IWbemStatusCodeText: the message and the subsystem of any HRESULT (calls.md G7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.faces.com.calling import invalid, method
from openwmi.faces.com.constants import WBEMSTATUS_FORMAT_NEWLINE, WBEMSTATUS_FORMAT_NO_NEWLINE
from openwmi.faces.com.guids import IID_IWbemStatusCodeText
from openwmi.faces.com.unknown import IUnknown
from openwmi.model.status import describe

if TYPE_CHECKING:
    from openwmi.faces.com.calling import Outs


def _checked(code: object, flags: object) -> int:
    if not isinstance(code, int):
        raise invalid("the HRESULT must be a number", "hRes")
    if flags not in (WBEMSTATUS_FORMAT_NEWLINE, WBEMSTATUS_FORMAT_NO_NEWLINE):
        raise invalid(f"unknown flags {flags!r}", "lFlags")
    return code & 0xFFFFFFFF


class IWbemStatusCodeText(IUnknown):
    """Texts are English whatever LocaleId says."""

    interfaces_ = (IID_IWbemStatusCodeText,)

    @method("MessageText")
    def GetErrorCodeText(
        self, hRes: int, LocaleId: int, lFlags: int, *, out: Outs = None
    ) -> tuple[int, str | None]:
        """(hr, message); with WBEMSTATUS_FORMAT_NEWLINE (0) it ends in a line break."""
        text = describe(_checked(hRes, lFlags)).text
        return 0, text if lFlags else text + "\r\n"

    @method("MessageText")
    def GetFacilityCodeText(
        self, hRes: int, LocaleId: int, lFlags: int, *, out: Outs = None
    ) -> tuple[int, str | None]:
        """(hr, subsystem): Windows, WBEM, SSPI or RPC."""
        return 0, describe(_checked(hRes, lFlags)).facility
