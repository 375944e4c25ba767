"""openwmi.cli.values: raw values as text and as JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwmi.cli import values
from openwmi.model.cimtypes import ARRAY, CimType


@pytest.mark.req("A-020", "A-023")
@pytest.mark.parametrize(
    ("dmtf", "iso"),
    [
        ("20240501123456.123456+120", "2024-05-01T12:34:56.123456+02:00"),
        ("20240501123456.000000+000", "2024-05-01T12:34:56+00:00"),
        ("20240501123456.000000-330", "2024-05-01T12:34:56-05:30"),
        ("20240501123456.500000+***", "2024-05-01T12:34:56.500000"),
        ("****0101******.******+***", "****0101******.******+***"),
        ("20240501******.******+***", "20240501******.******+***"),
        ("00000000000000.000000:000", "PT0S"),
        ("00000001020304.500000:000", "P1DT2H3M4.5S"),
        ("00000002000000.000000:000", "P2D"),
        ("00000000000000.000001:000", "PT0.000001S"),
        ("00000000001000.000000:000", "PT10M"),
        ("99999999235959.999999:000", "P99999999DT23H59M59.999999S"),
    ],
)
def test_datetimes_are_iso_8601(dmtf: str, iso: str) -> None:
    assert values.iso(dmtf) == iso
    assert values.text_form(CimType.DATETIME)(dmtf) == iso
    assert values.text_form(CimType.DATETIME, dmtf=True)(dmtf) == dmtf


@pytest.mark.parametrize(
    ("code", "raw", "text", "document"),
    [
        (CimType.UINT64, 2**64 - 1, "18446744073709551615", 2**64 - 1),
        (CimType.SINT64, -(2**63), "-9223372036854775808", -(2**63)),
        (CimType.BOOLEAN, True, "TRUE", True),
        (CimType.BOOLEAN, False, "FALSE", False),
        (CimType.CHAR16, 65, "65", 65),
        (CimType.REAL64, 0.5, "0.5", 0.5),
        (CimType.REAL64, float("inf"), "inf", "Infinity"),
        (CimType.REAL64, float("-inf"), "-inf", "-Infinity"),
        (CimType.STRING, "a b", "a b", "a b"),
        (CimType.STRING | ARRAY, ("a", "b,c"), '["a", "b,c"]', ["a", "b,c"]),
        (CimType.STRING | ARRAY, (), "[]", []),
        (CimType.BOOLEAN | ARRAY, (True,), "[true]", [True]),
        (
            CimType.DATETIME | ARRAY,
            ("20240501123456.000000+000",),
            '["2024-05-01T12:34:56+00:00"]',
            ["2024-05-01T12:34:56+00:00"],
        ),
        (CimType.REFERENCE, 'A.B="c"', 'A.B="c"', 'A.B="c"'),
    ],
)
def test_each_type_has_one_text_and_one_json_form(
    code: int, raw: object, text: str, document: object
) -> None:
    assert values.text_form(code)(raw) == text
    assert values.json_form(code)(raw) == document


@pytest.mark.parametrize("code", [code | array for code in CimType for array in (0, ARRAY)])
def test_null_is_null_in_json_whatever_the_type(code: int) -> None:
    assert values.json_form(code)(None) is None


def test_not_a_number_is_not_json_and_gets_its_name() -> None:
    assert values.json_form(CimType.REAL32)(float("nan")) == "NaN"


@pytest.mark.slow
@given(st.text())
def test_an_escaped_field_is_one_line_and_can_be_read_back(text: str) -> None:
    field = values.reversible(text)
    assert not set(field) & {"\t", "\n", "\r", "\0", "\x1b", "\x85"}
    assert field.encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass") == field
    assert unescaped(field) == text


def unescaped(field: str) -> str:
    """The reader that docs/output-formats.md describes."""
    plain, position = "", 0
    while position < len(field):
        if field[position] != "\\":
            plain += field[position]
            position += 1
            continue
        kind = field[position + 1]
        if kind in "xu":
            digits = 2 if kind == "x" else 4
            plain += chr(int(field[position + 2 : position + 2 + digits], 16))
            position += 2 + digits
        else:
            plain += {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}[kind]
            position += 2
    return plain


@given(st.text())
def test_text_for_people_cannot_move_the_cursor(text: str) -> None:
    assert all(
        sign == " " or not sign.isspace() or sign.isprintable() or ord(sign) > 0x9F
        for sign in values.shown(text)
    )
    assert not any(ord(sign) < 0x20 or 0x7F <= ord(sign) < 0xA0 for sign in values.shown(text))


def test_a_backslash_for_people_stays_single() -> None:
    assert values.shown("C:\\new") == "C:\\new"


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.slow
@given(DOCUMENTS)
def test_json_text_is_the_one_line_that_json_would_write(document: object) -> None:
    text = values.json_text(document)
    assert text == json.dumps(document, ensure_ascii=False)
    assert json.loads(text) == document
