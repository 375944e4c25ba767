"""Class and interface identifiers: CLSID_* and IID_* of wbemcli.h, wbemprov.h, wmiutils.h and objidl.h.

Each is a :class:`uuid.UUID`: comparable, hashable, printable. Wherever an identifier is taken, its text is taken too.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

IID_IUnknown: Final = UUID("00000000-0000-0000-C000-000000000046")
IID_IDispatch: Final = UUID("00020400-0000-0000-C000-000000000046")
IID_IClientSecurity: Final = UUID("0000013D-0000-0000-C000-000000000046")
IID_IServerSecurity: Final = UUID("0000013E-0000-0000-C000-000000000046")
IID_IMarshal: Final = UUID("00000003-0000-0000-C000-000000000046")
IID_IErrorInfo: Final = UUID("1CF2B120-547D-101B-8E65-08002B2BD119")
IID_ISupportErrorInfo: Final = UUID("DF0B3D60-548F-101B-8E65-08002B2BD119")

CLSID_WbemLocator: Final = UUID("4590F811-1D3A-11D0-891F-00AA004B2E24")
CLSID_WbemContext: Final = UUID("674B6698-EE92-11D0-AD71-00C04FD8FDFF")
CLSID_UnsecuredApartment: Final = UUID("49BD2028-1523-11D1-AD79-00C04FD8FDFF")
CLSID_WbemStatusCodeText: Final = UUID("EB87E1BD-3233-11D2-AEC9-00C04FB68820")
CLSID_WbemObjectTextSrc: Final = UUID("8D1C559D-84F0-4BB3-A7D5-56A7435A9BA6")
CLSID_WbemDefPath: Final = UUID("CF4CC405-E2C5-4DDD-B3CE-5E7582D8C9FA")

IID_IWbemLocator: Final = UUID("DC12A687-737F-11CF-884D-00AA004B2E24")
IID_IWbemServices: Final = UUID("9556DC99-828C-11CF-A37E-00AA003240C7")
IID_IWbemObjectSink: Final = UUID("7C857801-7381-11CF-884D-00AA004B2E24")
IID_IWbemEventSink: Final = UUID("3AE0080A-7E3A-4366-BF89-0FEEDC931659")
IID_IEnumWbemClassObject: Final = UUID("027947E1-D731-11CE-A357-000000000001")
IID_IWbemCallResult: Final = UUID("44ACA675-E8FC-11D0-A07C-00C04FB68820")
IID_IWbemClassObject: Final = UUID("DC12A681-737F-11CF-884D-00AA004B2E24")
IID_IWbemQualifierSet: Final = UUID("DC12A680-737F-11CF-884D-00AA004B2E24")
IID_IWbemContext: Final = UUID("44ACA674-E8FC-11D0-A07C-00C04FB68820")
IID_IUnsecuredApartment: Final = UUID("1CFABA8C-1523-11D1-AD79-00C04FD8FDFF")
IID_IWbemUnsecuredApartment: Final = UUID("31739D04-3471-4CF4-9A7C-57A44AE71956")
IID_IWbemStatusCodeText: Final = UUID("EB87E1BC-3233-11D2-AEC9-00C04FB68820")
IID_IWbemObjectTextSrc: Final = UUID("BFBF883A-CAD7-11D3-A11B-00105A1F515A")
IID_IWbemPath: Final = UUID("3BC15AF2-736C-477E-9E51-238AF8667DCC")
IID_IWbemPathKeyList: Final = UUID("9AE62877-7544-4BB0-AA26-A13824659ED6")
IID_IWbemRefresher: Final = UUID("49353C99-516B-11D1-AEA6-00C04FB68820")
IID_IWbemRefreshingServices: Final = UUID("2C9273E0-1DC3-11D3-B364-00105A1F8177")


def as_guid(value: object) -> UUID | None:
    """The identifier that a UUID or its text (with or without braces, in any case) stands for; None otherwise."""
    if isinstance(value, UUID):
        return value
    if isinstance(value, str):
        try:
            return UUID(value)
        except ValueError:
            return None
    return None
