"""Interface and class identifiers of WMI ([MS-WMI] 1.9, wire.md 5.8)."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from openwmi.wire.rpc.syntax import SyntaxId


def _interface(text: str) -> SyntaxId:
    return SyntaxId(UUID(text))


IWbemLevel1Login: Final = _interface("f309ad18-d86a-11d0-a075-00c04fb68820")
IWbemLoginClientID: Final = _interface("d4781cd6-e5d3-44df-ad94-930efe48a887")
IWbemLoginClientIDEx: Final = _interface("9f6c78ef-fce5-42fa-abea-3e7df91921dc")
IWbemLoginHelper: Final = _interface("541679ab-2e5f-11d3-b34e-00104bcc4b4a")
IWbemServices: Final = _interface("9556dc99-828c-11cf-a37e-00aa003240c7")
IEnumWbemClassObject: Final = _interface("027947e1-d731-11ce-a357-000000000001")
IWbemCallResult: Final = _interface("44aca675-e8fc-11d0-a07c-00c04fb68820")
IWbemFetchSmartEnum: Final = _interface("1c1c45ee-4395-11d2-b60b-00104b703efd")
IWbemWCOSmartEnum: Final = _interface("423ec01e-2e35-11d2-b604-00104b703efd")
IWbemObjectSink: Final = _interface("7c857801-7381-11cf-884d-00aa004b2e24")
IUnsecuredApartment: Final = _interface("1cfaba8c-1523-11d1-ad79-00c04fd8fdff")
IWbemUnsecuredApartment: Final = _interface("31739d04-3471-4cf4-9a7c-57a44ae71956")

IID_IWbemContext: Final = UUID("44aca674-e8fc-11d0-a07c-00c04fb68820")
CLSID_WbemContext: Final = UUID("674b6698-ee92-11d0-ad71-00c04fd8fdff")
IID_IWbemClassObject: Final = UUID("dc12a681-737f-11cf-884d-00aa004b2e24")
CLSID_WbemClassObject: Final = UUID("4590f812-1d3a-11d0-891f-00aa004b2e24")
CLSID_WbemLevel1Login: Final = UUID("8bc3f05e-d86b-11d0-a075-00c04fb68820")
CLSID_UnsecuredApartment: Final = UUID("49bd2028-1523-11d1-ad79-00c04fd8fdff")

# An ORPC extension of our own ([MS-DCOM] 2.2.21); see wire.wmi.reports.
EXTENT_Reports: Final = UUID("879fb9ed-552b-4608-8579-aa3990d2b104")
