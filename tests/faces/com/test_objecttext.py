"""IWbemObjectTextSrc: CIM-XML in both formats."""

from __future__ import annotations

import pytest
from tests.faces.com.support import created

from openwmi import com

FORMATS = (com.WMI_OBJ_TEXT_CIM_DTD_2_0, com.WMI_OBJ_TEXT_WMI_DTD_2_0)
BAD = com.WBEM_E_INVALID_PARAMETER


@pytest.fixture
def source_() -> com.IWbemObjectTextSrc:
    return created(com.CLSID_WbemObjectTextSrc, com.IID_IWbemObjectTextSrc)


@pytest.mark.parametrize("form", FORMATS)
def test_an_instance_comes_back(
    services: com.IWbemServices, source_: com.IWbemObjectTextSrc, form: int
) -> None:
    _, found, _ = services.GetObject("Win32_OperatingSystem=@", 0, None)
    hr, text = source_.GetText(0, found, form, None)
    assert hr == 0
    assert "Win32_OperatingSystem" in text
    hr, again = source_.CreateFromText(0, text, form, None)
    assert hr == 0
    for name in ("Caption", "TotalVisibleMemorySize", "LastBootUpTime"):
        assert again.Get(name, 0)[1] == found.Get(name, 0)[1]


@pytest.mark.parametrize("form", FORMATS)
def test_a_class_comes_back(services: com.IWbemServices, source_: com.IWbemObjectTextSrc, form: int) -> None:
    _, found, _ = services.GetObject("CIM_Process", 0, None)
    hr, text = source_.GetText(0, found, form, None)
    assert hr == 0
    hr, again = source_.CreateFromText(0, text, form, None)
    assert hr == 0
    assert again.Get("__CLASS", 0)[1] == "CIM_Process"
    assert again.Get("Handle", 0)[2] == com.CIM_STRING


def test_arguments(services: com.IWbemServices, source_: com.IWbemObjectTextSrc) -> None:
    _, found, _ = services.GetObject("CIM_Process", 0, None)
    assert source_.GetText(1, found, 1, None) == (BAD, None)
    assert source_.GetText(0, None, 1, None) == (BAD, None)
    assert source_.GetText(0, found, 3, None) == (BAD, None)
    assert source_.GetText(0, found, 1, None, out=()) == (BAD, None)
    assert source_.CreateFromText(0, None, 1, None) == (BAD, None)
    hr, made = source_.CreateFromText(0, "<CLASS", 1, None)
    assert hr & 0x80000000
    assert made is None
