"""Names: what is well-formed, and the code for what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwmi.model.errors import WbemError
from openwmi.model.names import (
    check_class_name,
    check_member_name,
    is_identifier,
    is_machine,
    namespace_path,
)
from openwmi.model.status import (
    WBEM_E_INVALID_NAMESPACE,
    WBEM_E_INVALID_OBJECT,
    WBEM_E_INVALID_OPERATION,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_METHOD_NAME_TOO_WIDE,
    WBEM_E_PROPERTY_NAME_TOO_WIDE,
    WBEM_E_QUALIFIER_NAME_TOO_WIDE,
    WBEM_E_QUOTA_VIOLATION,
)


@pytest.mark.req("A-061", "A-062")
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("_Private", WBEM_E_INVALID_OPERATION),
        ("__", WBEM_E_INVALID_OPERATION),
        ("Class_", WBEM_E_INVALID_OBJECT),
        ("", WBEM_E_INVALID_PARAMETER),
        ("1Class", WBEM_E_INVALID_PARAMETER),
        ("My Class", WBEM_E_INVALID_PARAMETER),
        ("My-Class", WBEM_E_INVALID_PARAMETER),
        ("C" * 256, WBEM_E_QUOTA_VIOLATION),
        ("C" * 100_000, WBEM_E_QUOTA_VIOLATION),
    ],
)
def test_class_names_that_are_refused(name: str, code: int) -> None:
    with pytest.raises(WbemError) as caught:
        check_class_name(name)
    assert caught.value.code == code


@pytest.mark.req("A-061", "A-064")
@pytest.mark.parametrize("name", ["C", "Win32_Process", "C" * 255, "Größe", "__EventFilter", "class", "a__b"])
def test_class_names_that_are_taken(name: str) -> None:
    check_class_name(name)


@pytest.mark.req("A-061")
def test_names_of_system_classes_are_reserved_for_the_system() -> None:
    with pytest.raises(WbemError) as caught:
        check_class_name("__Mine", system=False)
    assert caught.value.code == WBEM_E_INVALID_OPERATION


@pytest.mark.req("A-063")
@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("property", WBEM_E_PROPERTY_NAME_TOO_WIDE),
        ("method", WBEM_E_METHOD_NAME_TOO_WIDE),
        ("qualifier", WBEM_E_QUALIFIER_NAME_TOO_WIDE),
    ],
)
def test_member_names(kind: str, code: int) -> None:
    check_member_name("M" * 255, kind)
    with pytest.raises(WbemError) as caught:
        check_member_name("M" * 256, kind)
    assert caught.value.code == code
    for name in ("_m", "m_", "", "m n", "1m", "m."):
        with pytest.raises(WbemError) as caught:
            check_member_name(name, kind)
        assert caught.value.code == WBEM_E_INVALID_PARAMETER


@pytest.mark.req("A-065")
def test_namespaces() -> None:
    assert namespace_path("root/cimv2\\ms_409") == "root\\cimv2\\ms_409"
    for text in (
        "",
        "root\\",
        "\\root",
        "root\\\\cimv2",
        "root\\1st",
        "root\\_x",
        "root\\a b",
        "root\\" + "x" * 256,
    ):
        with pytest.raises(WbemError) as caught:
            namespace_path(text)
        assert caught.value.code == WBEM_E_INVALID_NAMESPACE


@given(st.text(min_size=1, max_size=8))
def test_identifiers_have_letters_digits_and_underscores_only(name: str) -> None:
    if is_identifier(name):
        assert not name[0].isdigit()
        assert all(char == "_" or char.isprintable() for char in name)
        assert not any(char.isspace() or char in "\\/:.,='\"-" for char in name)


@pytest.mark.parametrize(
    "name", [None, "", ".", "LocalHost", "127.0.0.1", "::1", "host", "\\\\HOST", "\\\\."]
)
def test_what_means_this_machine(name: str | None) -> None:
    assert is_machine(name, "HOST")


@pytest.mark.parametrize("name", ["other", "host2", "\\\\other", "host.example.org", "127.0.0.2", ".."])
def test_what_means_another_machine(name: str) -> None:
    assert not is_machine(name, "HOST")
