"""Log-on: IWbemLocator.ConnectServer (calls.md A.3) and OpenNamespace (A.5)."""

from __future__ import annotations

import pytest
from tests.faces.com.support import connected, created

from openwmi import com, host

UNREACHABLE = 0x800706BA
BAD = com.WBEM_E_INVALID_PARAMETER


@pytest.fixture
def locator() -> com.IWbemLocator:
    return created(com.CLSID_WbemLocator, com.IID_IWbemLocator)


def connect(locator: com.IWbemLocator, resource: str | None) -> int:
    hr, services = locator.ConnectServer(resource, None, None, None, 0, None, None)
    assert (services is None) == (hr != 0)  # A28
    if services is not None:
        assert services.Release() == 0
    return hr


@pytest.mark.req("calls:A21", "calls:A28", "calls:A29", "calls:A30")
@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("ROOT", 0),
        ("ROOT\\CIMV2", 0),
        ("ROOT/CIMV2", 0),
        ("\\\\.\\ROOT", 0),
        ("\\\\./ROOT", 0),
        ("//./ROOT", 0),
        ("//.\\ROOT", 0),
        ("\\/.\\ROOT", 0),
        ("\\\\localhost\\ROOT", 0),
        ("", com.WBEM_E_INVALID_NAMESPACE),
        ("\\", com.WBEM_E_INVALID_NAMESPACE),
        ("\\\\", com.WBEM_E_INVALID_NAMESPACE),
        ("\\\\.", com.WBEM_E_INVALID_NAMESPACE),
        ("\\\\.\\", com.WBEM_E_INVALID_NAMESPACE),
        ("\\ROOT", com.WBEM_E_INVALID_NAMESPACE),
        ("NONE", com.WBEM_E_INVALID_NAMESPACE),
        ("\\\\.\\NONE", com.WBEM_E_INVALID_NAMESPACE),
        ("ROOT\\NONE", com.WBEM_E_INVALID_NAMESPACE),
        ("ROOT\\\\CIMV2", com.WBEM_E_INVALID_NAMESPACE),
        ("ROOT\\CIMV2\\", com.WBEM_E_INVALID_NAMESPACE),
        ("\\\\\\.\\ROOT", BAD),
        ("\\\\ROOT", UNREACHABLE),
        ("\\\\.ROOT", UNREACHABLE),
        ("\\\\no-such-host.invalid\\root\\cimv2", UNREACHABLE),
        (None, BAD),
    ],
)
def test_resources(locator: com.IWbemLocator, resource: str | None, expected: int) -> None:
    assert connect(locator, resource) == expected


@pytest.mark.req("calls:A21")
def test_own_name_is_this_machine(locator: com.IWbemLocator) -> None:
    assert connect(locator, f"\\\\{host.server_name().lower()}\\root\\cimv2") == 0


@pytest.mark.req("calls:A22", "calls:A23", "calls:A24", "calls:A25", "calls:A26", "calls:A27")
@pytest.mark.parametrize(
    ("user", "password", "locale", "flags", "authority", "expected"),
    [
        (None, None, None, 0, None, 0),
        (None, None, None, 0, "", 0),
        ("u", None, None, 0, None, com.WBEM_E_LOCAL_CREDENTIALS),
        ("", None, None, 0, None, com.WBEM_E_LOCAL_CREDENTIALS),
        (None, "", None, 0, None, com.WBEM_E_LOCAL_CREDENTIALS),
        (None, None, None, 0, "Kerberos:host/x", com.WBEM_E_LOCAL_CREDENTIALS),
        ("D\\u", "p", None, 0, "NTLMDOMAIN:D", BAD),
        (None, None, None, 0, "nonsense", BAD),
        (None, None, "MS_409", 0, None, 0),
        (None, None, "ms_407", 0, None, 0),
        (None, None, "MS_7FFF", 0, None, 0),
        (None, None, "german", 0, None, BAD),
        (None, None, "MS_XYZ", 0, None, BAD),
        (None, None, None, 0x80, None, 0),
        (None, None, None, 0x40, None, 0),
        (None, None, None, 0x1, None, BAD),
    ],
)
def test_account_locale_and_flags(
    locator: com.IWbemLocator,
    user: str | None,
    password: str | None,
    locale: str | None,
    flags: int,
    authority: str | None,
    expected: int,
) -> None:
    hr, services = locator.ConnectServer("root\\cimv2", user, password, locale, flags, authority, None)
    assert hr == expected
    assert (services is None) == (hr != 0)
    if services is not None:
        services.Release()


@pytest.mark.req("calls:A25")
def test_credentials_with_a_dot_are_refused_too(locator: com.IWbemLocator) -> None:
    hr, services = locator.ConnectServer("\\\\.\\root\\cimv2", "u", "p", None, 0, None, None)
    assert (hr, services) == (com.WBEM_E_LOCAL_CREDENTIALS, None)


@pytest.mark.req("calls:A16", "calls:A28")
def test_null_out_pointer(locator: com.IWbemLocator) -> None:
    assert locator.ConnectServer("root", None, None, None, 0, None, None, out=()) == (BAD, None)


@pytest.mark.req("calls:A38", "calls:A39", "calls:A40", "calls:A41", "calls:B14")
def test_open_namespace() -> None:
    root = connected("root")
    hr, child, _ = root.OpenNamespace("cimv2", 0, None)
    assert hr == 0
    assert child.GetObject("Win32_Process", 0, None)[0] == 0
    assert root.OpenNamespace(None, 0, None)[0] == BAD
    assert root.OpenNamespace("\\\\.\\root\\cimv2", 0, None) == (BAD, None, None)
    assert root.OpenNamespace("none", 0, None) == (com.WBEM_E_INVALID_NAMESPACE, None, None)
    assert root.OpenNamespace("cimv2", 0x80, None)[0] == BAD
    assert root.OpenNamespace("cimv2", 0, None, out=())[0] == BAD
    assert root.OpenNamespace("cimv2", 0x10, None, out={"ppWorkingNamespace"})[0] == BAD
    assert root.OpenNamespace("cimv2", 0, com.IWbemContext())[0] == BAD

    hr, direct, result = root.OpenNamespace("cimv2", 0x10, None)
    assert (hr, direct) == (0, None)
    hr, services = result.GetResultServices(com.WBEM_INFINITE)
    assert hr == 0
    assert services.GetObject("Win32_Process", 0, None)[0] == 0
    assert result.GetResultObject(0)[0] == com.WBEM_E_INVALID_OPERATION


@pytest.mark.req("calls:A40", "calls:A41", "calls:B12")
def test_open_namespace_fills_what_is_asked_for() -> None:
    """One page has the two outs exclude each other; here a call result that is asked for comes in any case (B12)."""
    root = connected("root")
    both = {"ppWorkingNamespace", "ppResult"}
    for flags in (0, 0x10):
        hr, direct, result = root.OpenNamespace("cimv2", flags, None, out=both)
        assert hr == 0
        assert (direct is None) == bool(flags)
        hr, services = result.GetResultServices(com.WBEM_INFINITE)
        assert hr == 0
        assert services.GetObject("Win32_Process", 0, None)[0] == 0
    hr, direct, result = root.OpenNamespace("cimv2", 0, None, out={"ppWorkingNamespace"})
    assert (hr, result) == (0, None)
    assert direct is not None
