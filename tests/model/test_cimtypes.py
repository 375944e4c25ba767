"""The CIM types: codes, names, ranges."""

from __future__ import annotations

import pytest

from openwmi.model.cimtypes import ARRAY, BY_NAME, EMPTY, ILLEGAL, INTEGER_RANGES, NAMES, CimType, type_name

# A-001, as printed there: MOF name, code, range where there is one.
TABLE = [
    ("sint8", 16, (-128, 127)),
    ("uint8", 17, (0, 255)),
    ("sint16", 2, (-32768, 32767)),
    ("uint16", 18, (0, 65535)),
    ("sint32", 3, (-(2**31), 2**31 - 1)),
    ("uint32", 19, (0, 2**32 - 1)),
    ("sint64", 20, (-(2**63), 2**63 - 1)),
    ("uint64", 21, (0, 2**64 - 1)),
    ("real32", 4, None),
    ("real64", 5, None),
    ("string", 8, None),
    ("boolean", 11, None),
    ("object", 13, None),
    ("datetime", 101, None),
    ("ref", 102, None),
    ("char16", 103, (0, 65535)),
]


@pytest.mark.req("A-001", "A-008")
def test_codes_names_and_ranges() -> None:
    assert [(name, code, INTEGER_RANGES.get(code)) for name, code, _ in TABLE] == TABLE
    assert {code: name for name, code, _ in TABLE} == NAMES
    assert {name: CimType(code) for name, code, _ in TABLE} == BY_NAME
    assert set(CimType) == set(NAMES)


@pytest.mark.req("A-002")
def test_special_codes() -> None:
    assert (EMPTY, ILLEGAL, ARRAY) == (0, 0xFFF, 0x2000)
    assert not {EMPTY, ILLEGAL} & set(NAMES)


@pytest.mark.parametrize(
    ("code", "name"), [(19, "uint32"), (19 | ARRAY, "uint32[]"), (102, "ref"), (0xFFF, "0xFFF"), (0, "0x0")]
)
def test_type_names(code: int, name: str) -> None:
    assert type_name(code) == name
