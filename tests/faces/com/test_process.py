"""COM of the process, CoCreateInstance, blankets, the error object (calls.md A.1, A10, A11, E15, G9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.faces.com.support import Recorder, connected, created

from openwmi import com

Make = Callable[..., Any]
BLANKET = (com.RPC_C_AUTHN_WINNT, com.RPC_C_AUTHZ_NONE, None)


@pytest.mark.slow
@pytest.mark.req("calls:A3", "calls:A6")
def test_life_of_a_process(program: Make) -> None:
    done = program(
        """
good = [None, -1, None, None, com.RPC_C_AUTHN_LEVEL_NONE, 3, None, 0, None]
def changed(index, value):
    return good[:index] + [value] + good[index + 1:]
out = [
    com.CoCreateInstance(com.CLSID_WbemLocator, None, 1, com.IID_IWbemLocator)[0],
    com.CoInitializeSecurity(*good),
    com.CoInitializeEx(object(), 0),
    com.CoInitializeEx(None, 0x100),
    com.CoInitializeEx(None, com.COINIT_MULTITHREADED),
    com.CoInitializeEx(None, com.COINIT_MULTITHREADED),
    com.CoInitializeEx(None, com.COINIT_APARTMENTTHREADED),
    com.CoInitializeSecurity(*changed(5, com.RPC_C_IMP_LEVEL_DEFAULT)),
    com.CoInitializeSecurity(*changed(4, 7)),
    com.CoInitializeSecurity(*changed(3, 1)),
    com.CoInitializeSecurity(*changed(1, -2)),
    com.CoInitializeSecurity(*changed(7, com.EOAC_ACCESS_CONTROL)),
    com.CoInitializeSecurity(*changed(7, com.EOAC_ACCESS_CONTROL | com.EOAC_APPID)),
    com.CoInitializeSecurity(*good),
    com.CoInitializeSecurity(*good),
    com.CoUninitialize(),
    com.CoCreateInstance(com.CLSID_WbemLocator, None, 1, com.IID_IWbemLocator)[0],
    com.CoUninitialize(),
    com.CoCreateInstance(com.CLSID_WbemLocator, None, 1, com.IID_IWbemLocator)[0],
]
print(*map(hex, out))
"""
    )
    assert done.stderr == ""
    invalid = "0x80070057"
    assert done.stdout.split() == [
        "0x800401f0",
        "0x800401f0",
        invalid,
        invalid,
        "0x0",
        "0x1",
        "0x80010106",
        *[invalid] * 6,
        "0x0",
        "0x80010119",
        "0x0",
        "0x0",
        "0x0",
        "0x800401f0",
    ]


@pytest.mark.slow
@pytest.mark.req("calls:A6", "calls:A7", "calls:A10")
def test_impersonation_is_the_process_s_until_a_blanket_raises_it(program: Make) -> None:
    done = program(
        """
initialise(impersonation=com.RPC_C_IMP_LEVEL_IDENTIFY)
services = connect()
query = "SELECT * FROM Win32_OperatingSystem"
secure = (com.RPC_C_AUTHN_WINNT, com.RPC_C_AUTHZ_NONE, None, com.RPC_C_AUTHN_LEVEL_CALL, 3, None, com.EOAC_NONE)
print(hex(services.ExecQuery("WQL", query, 0x30, None)[0]))
print(com.CoSetProxyBlanket(services, *secure))
hr, enumerator = services.ExecQuery("WQL", query, 0x30, None)
print(hr, hex(enumerator.Next(-1, 1)[0]))
print(com.CoSetProxyBlanket(enumerator, *secure))
print(hex(enumerator.Next(-1, 1)[0]))
"""
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["0x80041003", "0", "0", "0x80041003", "0", "0x0"]


@pytest.mark.req("calls:A7", "calls:A8", "calls:A10", "calls:A11")
def test_blanket_of_a_proxy(services: com.IWbemServices) -> None:
    assert com.CoQueryProxyBlanket(services) == (0, 10, 0, None, 6, 3, None, 0)
    assert com.CoQueryProxyBlanket(services, out={"pAuthnLevel"}) == (
        0,
        None,
        None,
        None,
        6,
        None,
        None,
        None,
    )
    assert com.CoSetProxyBlanket(services, *BLANKET, 5, 3, None, 0) == 0
    assert com.CoQueryProxyBlanket(services)[4] == 5
    hr, security = services.QueryInterface(com.IID_IClientSecurity)
    assert hr == 0
    assert security.QueryBlanket(services)[4] == 5
    assert security.SetBlanket(services, *BLANKET, 6, 3, None, 0) == 0
    for level, impersonation in ((com.RPC_C_AUTHN_LEVEL_NONE, 3), (6, com.RPC_C_IMP_LEVEL_IDENTIFY)):
        assert com.CoSetProxyBlanket(services, *BLANKET, level, impersonation, None, 0) == 0
        assert services.GetObject(None, 0, None) == (com.WBEM_E_ACCESS_DENIED, None, None)
        assert services.ExecQueryAsync("WQL", "x", 0, None, com.IWbemObjectSink()) == com.WBEM_E_ACCESS_DENIED
        assert services.CancelAsyncCall(com.IWbemObjectSink()) == com.WBEM_E_ACCESS_DENIED


@pytest.mark.req("calls:A7")
@pytest.mark.parametrize(
    "values",
    [
        (99, 0, None, 6, 3, None, 0),
        (10, 99, None, 6, 3, None, 0),
        (10, 0, None, 7, 3, None, 0),
        (10, 0, None, 6, 9, None, 0),
    ],
)
def test_blankets_that_do_not_exist(services: com.IWbemServices, values: tuple[Any, ...]) -> None:
    assert com.CoSetProxyBlanket(services, *values) == com.E_INVALIDARG


@pytest.mark.req("calls:A7")
def test_defaults_of_a_blanket(services: com.IWbemServices) -> None:
    default = com.RPC_C_AUTHN_DEFAULT
    com.CoSetProxyBlanket(services, *BLANKET, 4, 4, "me", 0)
    hr = com.CoSetProxyBlanket(
        services,
        default,
        com.RPC_C_AUTHZ_DEFAULT,
        com.COLE_DEFAULT_PRINCIPAL,
        0,
        0,
        com.COLE_DEFAULT_AUTHINFO,
        0,
    )
    assert hr == 0
    assert com.CoQueryProxyBlanket(services) == (0, 10, 0, None, 6, 3, "me", 0)


def test_only_proxies_have_blankets() -> None:
    context = com.IWbemContext()
    assert com.CoSetProxyBlanket(context, *BLANKET, 6, 3, None, 0) == com.E_NOINTERFACE
    assert com.CoQueryProxyBlanket(context)[0] == com.E_NOINTERFACE
    assert com.CoQueryProxyBlanket(None)[0] == com.E_INVALIDARG
    assert context.QueryInterface(com.IID_IClientSecurity) == (com.E_NOINTERFACE, None)


@pytest.mark.req("calls:E9", "calls:E11", "calls:E13", "calls:E15", "calls:A4")
def test_a_callback_can_ask_who_calls(services: com.IWbemServices) -> None:
    asked: list[tuple[Any, ...]] = []

    class Sink(Recorder):
        def SetStatus(self, lFlags: int, hResult: int, strParam: Any, pObjParam: Any) -> int:
            asked.append(com.CoQueryClientBlanket())
            asked.append(com.CoQueryClientBlanket(com.EOAC_NONE, out={"pAuthnLevel"}))
            return super().SetStatus(lFlags, hResult, strParam, pObjParam)

    sink = Sink()
    assert services.GetObjectAsync(None, 0, None, sink) == 0
    sink.wait()
    hr, service, _, _, level, _, name, _ = asked[0]
    assert (hr, service, level) == (0, com.RPC_C_AUTHN_WINNT, com.RPC_C_AUTHN_LEVEL_PKT_PRIVACY)
    assert isinstance(name, str)
    assert asked[1] == (0, None, None, None, 6, None, None, None)
    assert com.CoQueryClientBlanket() == (com.RPC_E_CALL_COMPLETE, *[None] * 7)


def test_create_instance() -> None:
    create = com.CoCreateInstance
    inproc = com.CLSCTX_INPROC_SERVER
    known = {
        com.CLSID_WbemLocator: com.IID_IWbemLocator,
        com.CLSID_WbemDefPath: com.IID_IWbemPath,
        com.CLSID_WbemContext: com.IID_IWbemContext,
        com.CLSID_UnsecuredApartment: com.IID_IUnsecuredApartment,
        com.CLSID_WbemStatusCodeText: com.IID_IWbemStatusCodeText,
        com.CLSID_WbemObjectTextSrc: com.IID_IWbemObjectTextSrc,
    }
    for clsid, iid in known.items():
        for wanted in (iid, com.IID_IUnknown, str(iid), "{" + str(iid).upper() + "}"):
            hr, made = create(clsid, None, com.CLSCTX_ALL, wanted)
            assert hr == 0
            assert made.AddRef() == 2
            assert made.Release() == 1
            assert made.Release() == 0
        assert create(clsid, None, inproc, com.IID_IWbemServices) == (com.E_NOINTERFACE, None)
    assert create(com.IID_IUnknown, None, inproc, com.IID_IUnknown) == (com.REGDB_E_CLASSNOTREG, None)
    assert create(com.CLSID_WbemLocator, None, 0, com.IID_IUnknown) == (com.E_INVALIDARG, None)
    outer = com.IWbemContext()
    assert create(com.CLSID_WbemLocator, outer, inproc, com.IID_IUnknown)[0] == com.CLASS_E_NOAGGREGATION


def test_query_interface_of_every_object(services: com.IWbemServices) -> None:
    hr, enumerator = services.ExecQuery("WQL", "SELECT * FROM Win32_OperatingSystem", 0x30, None)
    hr, (system,), _ = enumerator.Next(-1, 1)
    hr, _, result = services.GetObject("Win32_Process", 0x10, None, out={"ppCallResult"})
    objects = {
        com.IID_IWbemServices: services,
        com.IID_IEnumWbemClassObject: enumerator,
        com.IID_IWbemClassObject: system,
        com.IID_IWbemCallResult: result,
        com.IID_IWbemQualifierSet: system.GetQualifierSet()[1],
        com.IID_IWbemObjectSink: com.IWbemObjectSink(),
    }
    for iid, subject in objects.items():
        assert subject.QueryInterface(iid) == (0, subject)
        assert subject.QueryInterface(com.IID_IUnknown) == (0, subject)
        assert subject.Release() == 2
        assert subject.Release() == 1
        assert subject.QueryInterface(com.IID_IWbemRefresher) == (com.E_NOINTERFACE, None)
        assert subject.QueryInterface("nonsense") == (com.E_NOINTERFACE, None)
        assert subject.QueryInterface(None) == (com.E_POINTER, None)
        assert subject.QueryInterface(iid, out=()) == (com.E_POINTER, None)


def test_strings_are_themselves() -> None:
    assert com.SysAllocString("x") == "x"
    assert com.SysAllocString(None) is None
    com.SysFreeString("x")


@pytest.mark.req("calls:G9", "calls:G11", "calls:G8")
def test_error_object_of_the_thread(services: com.IWbemServices) -> None:
    query = "SELEC nothing"
    assert services.ExecQuery("WQL", query, 0, None) == (com.WBEM_E_INVALID_QUERY, None)
    hr, info = com.GetErrorInfo(0)
    assert hr == 0
    assert info.GetDescription()[1]
    assert info.GetSource()[0] == 0
    hr, details = info.QueryInterface(com.IID_IWbemClassObject)
    assert hr == 0
    assert details.Get("__CLASS", 0)[1] == "__ExtendedStatus"
    assert details.Get("StatusCode", 0)[1] == com.WBEM_E_INVALID_QUERY - (1 << 32)
    assert details.Get("Operation", 0)[1] == "ExecQuery"
    assert details.Get("ParameterInfo", 0)[1] == query
    assert details.Get("ProviderName", 0)[1] == "Windows Management"
    assert com.GetErrorInfo(0) == (com.S_FALSE, None)  # it was taken


@pytest.mark.req("calls:G9")
def test_error_object_of_a_refused_call(services: com.IWbemServices) -> None:
    assert services.DeleteClass(None, 0, None)[0] == com.WBEM_E_INVALID_PARAMETER
    hr, info = com.GetErrorInfo(0)
    assert hr == 0
    hr, details = info.QueryInterface(com.IID_IWbemClassObject)
    assert hr == 0
    assert details.Get("Operation", 0)[1] == "DeleteClass"
    assert com.GetErrorInfo(1)[0] == com.E_INVALIDARG


@pytest.mark.req("calls:G9", "calls:F34")
def test_error_object_belongs_to_the_failing_thread(services: com.IWbemServices) -> None:
    import threading

    services.ExecQuery("WQL", "bad", 0, None)
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(com.GetErrorInfo(0)[0]))
    thread.start()
    thread.join()
    assert seen == [com.S_FALSE]
    assert com.GetErrorInfo(0)[0] == 0
    hr, _, result = services.GetObject("No_Such_Class", 0x10, None, out={"ppCallResult"})
    assert hr == 0
    assert com.GetErrorInfo(0)[0] == com.S_FALSE
    assert result.GetResultObject(com.WBEM_INFINITE) == (com.WBEM_E_NOT_FOUND, None)
    assert com.GetErrorInfo(0)[0] == 0


@pytest.mark.req("calls:A31")
def test_a_released_proxy_answers_disconnected() -> None:
    services = connected()
    hr, enumerator = services.ExecQuery("WQL", "SELECT * FROM Win32_OperatingSystem", 0x30, None)
    assert enumerator.Release() == 0
    assert enumerator.Next(0, 1) == (com.RPC_E_DISCONNECTED, [], 0)
    assert services.Release() == 0
    assert services.Release() == 0
    assert services.GetObject(None, 0, None) == (com.RPC_E_DISCONNECTED, None, None)


def test_arguments_of_a_wrong_kind(services: com.IWbemServices) -> None:
    bad = com.WBEM_E_INVALID_PARAMETER
    assert services.ExecQuery("WQL", "SELECT * FROM Win32_Process", None, None)[0] == bad  # type: ignore[arg-type]
    assert services.ExecQuery("WQL", 5, 0, None)[0] == bad  # type: ignore[arg-type]
    assert services.GetObject(5, 0, None)[0] == bad  # type: ignore[arg-type]
    assert services.GetObject("Win32_Process", "0", None)[0] == bad  # type: ignore[arg-type]
    assert com.IWbemPath().SetText("x", "y") == bad  # type: ignore[arg-type]
    assert com.IWbemContext().SetValue(5, 0, 1) == bad  # type: ignore[arg-type]


def test_apartments_belong_to_threads() -> None:
    import threading

    codes: list[int] = []

    def other() -> None:
        codes.append(com.CoInitializeEx(None, com.COINIT_APARTMENTTHREADED))
        codes.append(com.CoInitializeEx(None, com.COINIT_MULTITHREADED))
        codes.append(com.CoUninitialize())

    for _ in range(2):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert codes == [com.S_FALSE, com.RPC_E_CHANGED_MODE, 0] * 2


def test_wrong_number_of_arguments_is_a_type_error(services: com.IWbemServices) -> None:
    with pytest.raises(TypeError):
        services.GetObject("x")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        services.GetObject("x", 0, None, None, None)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="no out parameter ppNothing"):
        services.GetObject("x", 0, None, out={"ppNothing"})
    with pytest.raises(TypeError):
        com.CoInitializeEx()  # type: ignore[call-arg]


def test_unsecured_apartment_is_created_as_a_local_server() -> None:
    made = created(com.CLSID_UnsecuredApartment, com.IID_IWbemUnsecuredApartment, com.CLSCTX_LOCAL_SERVER)
    assert made.QueryInterface(com.IID_IUnsecuredApartment)[0] == 0
