"""The COM-shaped face: the interfaces of wbemcli.h and wmiutils.h, line for line (DESIGN.md section 4).

Every function and method takes its [in] parameters in order and returns the HRESULT, or a tuple of it and every
[out] parameter. Nothing raises except a misuse of Python itself.
"""

from __future__ import annotations

from openwmi.contract.flags import *  # noqa: F403
from openwmi.faces.com.apartment import IUnsecuredApartment as IUnsecuredApartment
from openwmi.faces.com.apartment import IWbemUnsecuredApartment as IWbemUnsecuredApartment
from openwmi.faces.com.constants import *  # noqa: F403
from openwmi.faces.com.contexts import IWbemContext as IWbemContext
from openwmi.faces.com.creation import CoCreateInstance as CoCreateInstance
from openwmi.faces.com.errorinfo import GetErrorInfo as GetErrorInfo
from openwmi.faces.com.errorinfo import IErrorInfo as IErrorInfo
from openwmi.faces.com.eventsinks import IWbemEventSink as IWbemEventSink
from openwmi.faces.com.guids import *  # noqa: F403
from openwmi.faces.com.keylists import IWbemPathKeyList as IWbemPathKeyList
from openwmi.faces.com.locator import IWbemLocator as IWbemLocator
from openwmi.faces.com.objects import IWbemClassObject as IWbemClassObject
from openwmi.faces.com.objecttext import IWbemObjectTextSrc as IWbemObjectTextSrc
from openwmi.faces.com.paths import IWbemPath as IWbemPath
from openwmi.faces.com.process import CoInitialize as CoInitialize
from openwmi.faces.com.process import CoInitializeEx as CoInitializeEx
from openwmi.faces.com.process import CoInitializeSecurity as CoInitializeSecurity
from openwmi.faces.com.process import CoUninitialize as CoUninitialize
from openwmi.faces.com.process import SysAllocString as SysAllocString
from openwmi.faces.com.process import SysFreeString as SysFreeString
from openwmi.faces.com.qualifiers import IWbemQualifierSet as IWbemQualifierSet
from openwmi.faces.com.results import IEnumWbemClassObject as IEnumWbemClassObject
from openwmi.faces.com.results import IWbemCallResult as IWbemCallResult
from openwmi.faces.com.security import CoQueryClientBlanket as CoQueryClientBlanket
from openwmi.faces.com.security import CoQueryProxyBlanket as CoQueryProxyBlanket
from openwmi.faces.com.security import CoSetProxyBlanket as CoSetProxyBlanket
from openwmi.faces.com.security import IClientSecurity as IClientSecurity
from openwmi.faces.com.services import IWbemServices as IWbemServices
from openwmi.faces.com.sinks import IWbemObjectSink as IWbemObjectSink
from openwmi.faces.com.statustext import IWbemStatusCodeText as IWbemStatusCodeText
from openwmi.faces.com.unknown import IUnknown as IUnknown
from openwmi.faces.com.variants import NULL as NULL
from openwmi.faces.com.variants import VARIANT as VARIANT
