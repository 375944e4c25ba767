"""Interface and class identifiers of DCOM ([MS-DCOM] 1.9)."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from openwmi.wire.rpc.syntax import SyntaxId


def ole(number: int) -> UUID:
    """An identifier of the family 0000xxxx-0000-0000-C000-000000000046."""
    return UUID(f"{number:08x}-0000-0000-c000-000000000046")


GUID_NULL: Final = UUID(int=0)
IID_IUnknown: Final = ole(0x00)
IID_IRemUnknown: Final = ole(0x131)
IID_IRemUnknown2: Final = ole(0x143)
IID_IActivationPropertiesIn: Final = ole(0x1A2)
IID_IActivationPropertiesOut: Final = ole(0x1A3)
CLSID_ActivationPropertiesIn: Final = ole(0x338)
CLSID_ActivationPropertiesOut: Final = ole(0x339)
CLSID_InstantiationInfo: Final = ole(0x1AB)
CLSID_ActivationContextInfo: Final = ole(0x1A5)
CLSID_ServerLocationInfo: Final = ole(0x1A4)
CLSID_ScmRequestInfo: Final = ole(0x1AA)
CLSID_SecurityInfo: Final = ole(0x1A6)
CLSID_InstanceInfo: Final = ole(0x1AD)
CLSID_SpecialSystemProperties: Final = ole(0x1B9)
CLSID_PropsOutInfo: Final = ole(0x339)
CLSID_ScmReplyInfo: Final = ole(0x1B6)
CLSID_ErrorExtension: Final = ole(0x31C)
CLSID_ErrorObject: Final = ole(0x31B)

IRemUnknown: Final = SyntaxId(IID_IRemUnknown)
IRemUnknown2: Final = SyntaxId(IID_IRemUnknown2)
IRemoteSCMActivator: Final = SyntaxId(ole(0x1A0))
IActivation: Final = SyntaxId(UUID("4d9f4ab8-7d1c-11cf-861e-0020af6e7c57"))
IObjectExporter: Final = SyntaxId(UUID("99fcfec4-5260-101b-bbcb-00aa0021347a"))
