"""Which interface has which name and which methods: those that this room speaks, and names of others often seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from openwmi.wire.dcom import activation, exporter, guids, remunknown
from openwmi.wire.dcom.guids import ole
from openwmi.wire.dcom.method import Method, ObjectMethod
from openwmi.wire.wmi import enumerators, login, results, services
from openwmi.wire.wmi import guids as wmi

if TYPE_CHECKING:
    from collections.abc import Mapping

AnyMethod = Method[Any, Any] | ObjectMethod[Any, Any]


class Interface(NamedTuple):
    """methods: those whose parameters are known, by opnum; names: of methods whose parameters are not."""

    name: str
    methods: Mapping[int, AnyMethod] = {}
    names: Mapping[int, str] = {}

    def method_name(self, opnum: int) -> str:
        known = self.methods.get(opnum)
        return known.name if known is not None else self.names.get(opnum, f"opnum {opnum}")


def _spoken(name: str, *methods: AnyMethod, names: Mapping[int, str] | None = None) -> Interface:
    return Interface(name, {method.opnum: method for method in methods}, names or {})


_REM_UNKNOWN: Final = remunknown.METHODS
_SPOKEN: Final = {
    guids.IObjectExporter: _spoken("IObjectExporter", *exporter.METHODS),
    guids.IRemUnknown: _spoken("IRemUnknown", *_REM_UNKNOWN),
    guids.IRemUnknown2: _spoken("IRemUnknown2", *_REM_UNKNOWN),
    guids.IRemoteSCMActivator: _spoken(
        "IRemoteSCMActivator", activation.REMOTE_GET_CLASS_OBJECT, activation.REMOTE_CREATE_INSTANCE
    ),
    guids.IActivation: _spoken("IActivation", activation.REMOTE_ACTIVATION),
    wmi.IWbemLevel1Login: _spoken(
        "IWbemLevel1Login",
        login.ESTABLISH_POSITION,
        login.NTLM_LOGIN,
        names={4: "RequestChallenge", 5: "WBEMLogin"},
    ),
    wmi.IWbemLoginClientID: _spoken("IWbemLoginClientID", login.SET_CLIENT_INFO),
    wmi.IWbemLoginClientIDEx: _spoken("IWbemLoginClientIDEx", names={3: "SetClientInfoEx"}),
    wmi.IWbemLoginHelper: _spoken("IWbemLoginHelper", names={3: "SetEvent"}),
    wmi.IWbemServices: _spoken("IWbemServices", *services.METHODS.values()),
    wmi.IEnumWbemClassObject: _spoken(
        "IEnumWbemClassObject",
        enumerators.RESET,
        enumerators.NEXT,
        enumerators.NEXT_ASYNC,
        enumerators.CLONE,
        enumerators.SKIP,
    ),
    wmi.IWbemFetchSmartEnum: _spoken("IWbemFetchSmartEnum", enumerators.GET_SMART_ENUM),
    wmi.IWbemWCOSmartEnum: _spoken("IWbemWCOSmartEnum", enumerators.SMART_NEXT),
    wmi.IWbemCallResult: _spoken(
        "IWbemCallResult",
        results.GET_RESULT_OBJECT,
        results.GET_RESULT_STRING,
        results.GET_RESULT_SERVICES,
        results.GET_CALL_STATUS,
    ),
    wmi.IWbemObjectSink: _spoken("IWbemObjectSink", results.INDICATE, results.SET_STATUS),
}
_DISPATCH: Final = {3: "GetTypeInfoCount", 4: "GetTypeInfo", 5: "GetIDsOfNames", 6: "Invoke"}
_EPM: Final = {2: "ept_lookup", 3: "ept_map", 4: "ept_lookup_handle_free"}
_NAMED: Final = {
    UUID("e1af8308-5d1f-11c9-91a4-08002b14a0fa"): Interface("EPM, the endpoint mapper", names=_EPM),
    UUID("12345778-1234-abcd-ef00-0123456789ac"): Interface("SAMR, accounts"),
    UUID("12345778-1234-abcd-ef00-0123456789ab"): Interface("LSARPC, security policy"),
    UUID("12345678-1234-abcd-ef00-01234567cffb"): Interface("NETLOGON"),
    UUID("e3514235-4b06-11d1-ab04-00c04fc2dcd2"): Interface("DRSUAPI, directory replication"),
    UUID("367abb81-9844-35f1-ad32-98f038001003"): Interface("SVCCTL, services"),
    UUID("338cd001-2244-31f1-aaaa-900038001003"): Interface("WINREG, the registry"),
    UUID("4b324fc8-1670-01d3-1278-5a47bf6ee188"): Interface("SRVSVC, shares"),
    UUID("3dde7c30-165d-11d1-ab8f-00805f14db40"): Interface("BackupKey, protected storage"),
    UUID("86d35949-83c9-4044-b424-db363231fd0c"): Interface("ITaskSchedulerService"),
    UUID("2c9273e0-1dc3-11d3-b364-00105a1f8177"): Interface("IWbemRefreshingServices"),
    UUID("f1e9c5b2-f59b-11d2-b362-00105a1f8177"): Interface("IWbemRemoteRefresher"),
    ole(0x00): Interface("IUnknown"),
    ole(0x01): Interface("IClassFactory", names={3: "CreateInstance", 4: "LockServer"}),
    UUID("00020400-0000-0000-c000-000000000046"): Interface("IDispatch", names=_DISPATCH),
    UUID("00020401-0000-0000-c000-000000000046"): Interface("ITypeInfo"),
    UUID("b196b283-bab4-101a-b69c-00aa00341d07"): Interface("IProvideClassInfo"),
}
INTERFACES: Final[Mapping[UUID, Interface]] = {
    **_NAMED,
    **{syntax.uuid: interface for syntax, interface in _SPOKEN.items()},
}
_CLASSES: Final = {
    wmi.CLSID_WbemLevel1Login: "CLSID_WbemLevel1Login",
    wmi.CLSID_WbemClassObject: "CLSID_WbemClassObject",
    wmi.CLSID_WbemContext: "CLSID_WbemContext",
    wmi.IID_IWbemClassObject: "IWbemClassObject",
    wmi.IID_IWbemContext: "IWbemContext",
    guids.CLSID_SpecialSystemProperties: "SpecialSystemProperties",
    guids.CLSID_InstanceInfo: "InstanceInfo",
    guids.IID_IActivationPropertiesIn: "IActivationPropertiesIn",
    guids.IID_IActivationPropertiesOut: "IActivationPropertiesOut",
    UUID("49b2791a-b1ae-4c90-9b8e-e860ba07f889"): "MMC20.Application",
    UUID("9ba05972-f6a8-11cf-a442-00a0c90a8f39"): "ShellWindows",
}


def uuid_text(value: UUID) -> str:
    """An identifier, with its name behind it where it has one."""
    known = INTERFACES.get(value)
    name = known.name if known is not None else _CLASSES.get(value)
    return f"{value} ({name})" if name else str(value)
