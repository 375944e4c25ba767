"""IWbemContext and IWbemStatusCodeText (calls.md G.1, G.2; model.md A-294)."""

from __future__ import annotations

import pytest

from openwmi import com


@pytest.fixture
def context() -> com.IWbemContext:
    return com.IWbemContext()


@pytest.mark.req("calls:G1", "A-294")
def test_values(context: com.IWbemContext) -> None:
    assert context.SetValue("Name", 0, "a") == 0
    assert context.SetValue("NAME", 0, "b") == 0
    assert context.GetValue("name", 0) == (0, "b")
    assert context.GetNames(0) == (0, ["Name"])
    assert context.GetValue("other", 0) == (com.WBEM_E_NOT_FOUND, None)
    assert context.DeleteValue("other", 0) == com.WBEM_E_NOT_FOUND
    assert context.DeleteValue("nAME", 0) == 0
    assert context.GetNames(0) == (0, [])


@pytest.mark.req("calls:G1", "A-294")
def test_nulls_and_flags(context: com.IWbemContext) -> None:
    bad = com.WBEM_E_INVALID_PARAMETER
    assert context.SetValue(None, 0, 1) == bad
    assert context.SetValue("n", 0, com.NULL) == bad
    assert context.SetValue("n", 1, 1) == bad
    assert context.GetValue(None, 0) == (bad, None)
    assert context.GetValue("n", 0, out=()) == (bad, None)
    assert context.DeleteValue(None, 0) == bad
    assert context.GetNames(4) == (bad, None)
    assert context.BeginEnumeration(1) == bad
    assert context.SetValue("n", 0, object()) == bad


@pytest.mark.req("calls:G1")
def test_clone_is_independent(context: com.IWbemContext) -> None:
    context.SetValue("a", 0, [1, 2])
    hr, twin = context.Clone()
    assert hr == 0
    twin.SetValue("a", 0, [3])
    twin.SetValue("b", 0, 1)
    assert context.GetValue("a", 0) == (0, [1, 2])
    assert context.GetNames(0) == (0, ["a"])
    assert twin.DeleteAll() == 0
    assert context.GetValue("a", 0)[0] == 0


@pytest.mark.req("calls:G2", "A-294")
def test_enumeration(context: com.IWbemContext) -> None:
    context.SetValue("a", 0, 1)
    context.SetValue("b", 0, "x")
    assert context.Next(0) == (com.WBEM_E_UNEXPECTED, None, None)
    assert context.EndEnumeration() == com.WBEM_E_UNEXPECTED
    assert context.BeginEnumeration(0) == 0
    assert context.Next(0) == (0, "a", 1)
    assert context.Next(0, out={"pstrName"}) == (0, "b", None)
    assert context.Next(0) == (com.WBEM_S_NO_MORE_DATA, None, None)
    assert context.Next(0) == (com.WBEM_S_NO_MORE_DATA, None, None)
    assert context.EndEnumeration() == 0
    assert context.Next(0)[0] == com.WBEM_E_UNEXPECTED


@pytest.mark.req("calls:G3")
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (7, 7),
        (1.5, 1.5),
        (True, True),
        ("text", "text"),
        (None, None),
        (["a", "b"], ["a", "b"]),
        (com.VARIANT(com.VT_I4, 3), 3),
        (com.VARIANT(com.VT_ARRAY | com.VT_BSTR, ["x"]), ["x"]),
        (b"\x01\x02", [1, 2]),
    ],
)
def test_value_types(context: com.IWbemContext, given: object, kept: object) -> None:
    assert context.SetValue("v", 0, given) == 0
    assert context.GetValue("v", 0) == (0, kept)


@pytest.fixture
def texts() -> com.IWbemStatusCodeText:
    return com.IWbemStatusCodeText()


@pytest.mark.req("calls:G7")
def test_messages(texts: com.IWbemStatusCodeText) -> None:
    hr, text = texts.GetErrorCodeText(com.WBEM_E_NOT_FOUND, 0, com.WBEMSTATUS_FORMAT_NO_NEWLINE)
    assert hr == 0
    assert text
    assert not text.endswith("\n")
    assert texts.GetErrorCodeText(com.WBEM_E_NOT_FOUND, 0, 0) == (0, text + "\r\n")
    signed = com.WBEM_E_NOT_FOUND - (1 << 32)
    assert texts.GetErrorCodeText(signed, 0, 1) == (0, text)
    assert texts.GetErrorCodeText(com.WBEM_E_NOT_FOUND, 0, 2)[0] == com.WBEM_E_INVALID_PARAMETER
    assert texts.GetErrorCodeText(com.WBEM_E_NOT_FOUND, 0, 0, out=())[0] == com.WBEM_E_INVALID_PARAMETER


@pytest.mark.req("calls:G7", "calls:G14")
@pytest.mark.parametrize(
    ("code", "facility"),
    [
        (com.WBEM_E_NOT_FOUND, "WBEM"),
        (com.WBEM_S_TIMEDOUT, "WBEM"),
        (0x800706BA, "RPC"),
        (0x80010108, "RPC"),
        (0x80090308, "SSPI"),
        (0x80070005, "Windows"),
        (0x8000FFFF, "Windows"),
    ],
)
def test_foreign_codes_have_text_and_facility(
    texts: com.IWbemStatusCodeText, code: int, facility: str
) -> None:
    hr, text = texts.GetErrorCodeText(code, 0, 0)
    assert hr == 0
    assert text
    assert texts.GetFacilityCodeText(code, 0, 0) == (0, facility)
