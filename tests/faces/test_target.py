"""Where a name leads (calls.md A.3; DESIGN.md section 4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwmi.faces.target import Local, Remote, check_locale, resolve
from openwmi.host import server_name
from openwmi.model.errors import WbemError
from openwmi.model.status import (
    WBEM_E_INVALID_NAMESPACE,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_LOCAL_CREDENTIALS,
    WBEM_E_QUOTA_VIOLATION,
)


def code(*arguments: str | None, **named: str | bool) -> int:
    with pytest.raises(WbemError) as failure:
        resolve(*arguments, **named)  # type: ignore[arg-type]
    return failure.value.code


@pytest.mark.parametrize(
    ("text", "namespace"),
    [
        ("ROOT", "ROOT"),
        (r"ROOT\CIMV2", r"ROOT\CIMV2"),
        ("ROOT/CIMV2", r"ROOT\CIMV2"),
        (r"\\.\ROOT", "ROOT"),
        (r"\\./ROOT", "ROOT"),
        ("//./ROOT", "ROOT"),
        (r"//.\ROOT", "ROOT"),
        (r"\/.\ROOT", "ROOT"),
        ("NONE", "NONE"),
        (r"\\.\NONE", "NONE"),
        (r"\\localhost\root\cimv2", r"root\cimv2"),
        (rf"\\{server_name().title()}\root", "root"),
        (r"\\LOCALHOST", r"root\cimv2"),
    ],
)
@pytest.mark.req("calls:A21", "calls:A30")
def test_these_are_namespaces_of_this_machine(text: str, namespace: str) -> None:
    """That NONE is none, the service says."""
    assert resolve(text) == Local(namespace)


@pytest.mark.parametrize(
    "text",
    ["", "\\", "\\\\", "\\\\.", "\\\\.\\", "\\ROOT", "/", "//", r"ROOT\\CIMV2", "ROOT\\CIMV2\\", "\\\\h\\"],
)
@pytest.mark.req("calls:A30")
def test_these_are_no_namespaces(text: str) -> None:
    assert code(text) == WBEM_E_INVALID_NAMESPACE


@pytest.mark.parametrize(
    "text",
    [r"\\\.\ROOT", r"\\[135]\ROOT", None, r"\\h[0]\r", r"\\h[65536]\r", r"\\h[x]\r", r"\\h[]\r", "h[1]]"],
)
@pytest.mark.req("calls:A21", "calls:A30")
def test_these_are_refused_as_parameters(text: str | None) -> None:
    assert code(text) == WBEM_E_INVALID_PARAMETER


@pytest.mark.parametrize(
    ("text", "remote"),
    [
        (r"\\ROOT", Remote("ROOT", None, r"root\cimv2")),
        (r"\\.ROOT", Remote(".ROOT", None, r"root\cimv2")),
        (r"\\dc01\root\cimv2", Remote("dc01", None, r"root\cimv2")),
        (r"//dc01.example.org/root/default", Remote("dc01.example.org", None, r"root\default")),
        (r"\\dc01[1135]\root", Remote("dc01", 1135, "root")),
        (r"\\192.0.2.7\root", Remote("192.0.2.7", None, "root")),
        (r"\\127.0.0.1\root", Remote("127.0.0.1", None, "root")),
        (r"\\fe80::1[135]\root\cimv2", Remote("fe80::1", 135, r"root\cimv2")),
        (r"\\fe80::1%eth0[135]\root", Remote("fe80::1%eth0", 135, "root")),
        (r"\\localhost[1135]\root", Remote("localhost", 1135, "root")),
        ("dc01[135]", Remote("dc01", 135, r"root\cimv2")),
        ("192.0.2.7", Remote("192.0.2.7", None, r"root\cimv2")),
        ("::1", Remote("::1", None, r"root\cimv2")),
        ("::1[135]", Remote("::1", 135, r"root\cimv2")),
    ],
)
@pytest.mark.req("calls:A21", "calls:A30")
def test_these_lead_over_the_wire(text: str, remote: Remote) -> None:
    assert resolve(text) == remote


@pytest.mark.req("calls:A22", "calls:A25")
def test_this_machine_takes_no_credentials() -> None:
    for credentials in (
        {"user": "u"},
        {"password": ""},
        {"user": ""},
        {"authority": "NTLMDOMAIN:D"},
        {"other": True},
    ):
        assert code("root", **credentials) == WBEM_E_LOCAL_CREDENTIALS  # type: ignore[arg-type]
        assert code(r"\\.\root", **credentials) == WBEM_E_LOCAL_CREDENTIALS  # type: ignore[arg-type]
        assert isinstance(resolve(r"\\localhost\root", **credentials), Remote)  # type: ignore[arg-type]
    assert resolve("root", authority="") == Local("root")


@pytest.mark.req("calls:A23", "calls:A24")
def test_forms_of_the_authority() -> None:
    assert code(r"\\h\root", user=r"D\u", authority="NTLMDOMAIN:D") == WBEM_E_INVALID_PARAMETER
    assert code(r"\\.\root", user=r"D\u", authority="NTLMDOMAIN:D") == WBEM_E_INVALID_PARAMETER
    for authority in ("Basic:x", "NTLMDOMAIN:", "kerberos", "x"):
        assert code(r"\\h\root", user="u", authority=authority) == WBEM_E_INVALID_PARAMETER
    for authority in ("NTLMDOMAIN:D", "ntlmdomain:D", r"Kerberos:D\host$"):
        assert resolve(r"\\h\root", user="u", authority=authority) == Remote("h", None, "root")


@pytest.mark.req("calls:A26")
def test_locales() -> None:
    for good in (None, "MS_409", "ms_409", "MS_4", "MS_FFFFFFFF", "MS_407,ms_409"):
        check_locale(good)
    for bad in ("", "MS_", "409", "MS_xyz", "en-US", "MS_409,", "MS_123456789", 7):
        with pytest.raises(WbemError) as failure:
            check_locale(bad)  # type: ignore[arg-type]
        assert failure.value.code == WBEM_E_INVALID_PARAMETER


@pytest.mark.req("calls:A36")
def test_a_path_has_a_length() -> None:
    assert isinstance(resolve("a" * 8173), Local)
    assert code("a" * 8174) == WBEM_E_QUOTA_VIOLATION


@pytest.mark.slow
@given(st.text(alphabet="\\/.[]:a1 é", max_size=12))
def test_any_text_leads_somewhere_or_has_a_code(text: str) -> None:
    try:
        assert isinstance(resolve(text), Local | Remote)
    except WbemError as failure:
        assert failure.code in (WBEM_E_INVALID_NAMESPACE, WBEM_E_INVALID_PARAMETER)
