"""LIKE: patterns and the cheapest test for each (model.md D-35)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wql import walker

from openwmi.model.cimtypes import CimType
from openwmi.wql.compile import value_test
from openwmi.wql.like import Pattern, analyse, matcher
from openwmi.wql.terms import LIKE
from openwmi.wql.text import fold


def matches(text: str, pattern: str) -> bool:
    return value_test(LIKE, pattern, CimType.STRING, (None, None))(text)


@pytest.mark.req("D-35")
def test_what_windows_answers(shared_data: Path) -> None:
    facts = json.loads((shared_data / "wql" / "wine_windows_facts.json").read_text("utf-8"))
    wrong = [
        fact
        for fact in facts["like_on_explorer.exe"]
        if matches("explorer.exe", fact["pattern"]) != fact["match"]
    ]
    assert wrong == []


@pytest.mark.req("D-35")
def test_the_cases_of_another_implementation(shared_data: Path) -> None:
    """All 136, the three among them that must not blow up included: no pattern there uses OMI's backslash."""
    cases = json.loads((shared_data / "wql" / "omi_eval_like.json").read_text("utf-8"))["like"]
    assert len(cases) == 136
    assert [case for case in cases if matches(case["text"], case["pattern"]) is not case["match"]] == []


@pytest.mark.req("D-35")
@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", Pattern("equal", "")),
        ("abc", Pattern("equal", "ABC")),
        ("%", Pattern("any")),
        ("%%%", Pattern("any")),
        ("abc%", Pattern("prefix", "ABC")),
        ("abc%%", Pattern("prefix", "ABC")),
        ("%abc", Pattern("suffix", tail="ABC")),
        ("a%c", Pattern("both", "A", "C")),
        ("%b%", Pattern("contains", "B")),
        ("%%b%%", Pattern("contains", "B")),
        ("[_]%", Pattern("prefix", "_")),
        ("[[]a[%]", Pattern("equal", "[A%")),
        ("a[b", Pattern("equal", "A[B")),
        ("[^]", Pattern("equal", "^")),
        ("a_c", Pattern("regex")),
        ("[ab]%", Pattern("regex")),
        ("a%b%c", Pattern("regex")),
        ("%b%c%", Pattern("regex")),
        ("%b%c", Pattern("regex")),
    ],
)
def test_a_regular_expression_is_the_last_resort(pattern: str, expected: Pattern) -> None:
    assert analyse(pattern) == expected


@pytest.mark.req("D-23", "D-35")
@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("[a-c]", "B", True),
        ("[A-C]", "b", True),
        ("[^a-c]", "B", False),
        ("[c-a]", "b", False),
        ("[^c-a]", "b", True),
        ("[]", "", False),
        ("[]", "a", False),
        ("[a-]", "-", True),
        ("[a^]", "^", True),
        ("_", "\n", True),
        ("a%b", "a\nb", True),
        ("stra_e", "Straße", True),
        ("%ss%", "Straße", False),
        ("straße", "STRAßE", True),
        ("ÄÖ%", "äöü", True),
        ("%ÖÜ", "äöü", True),
        ("a%", "", False),
        ("aa%a", "aaa", True),
        ("aa%aa", "aaa", False),
        ("%", "", True),
        ("%ﬁ%", "xﬁx", True),
        ("fi%", "ﬁx", False),
        ("%st", "xﬆ", False),
        ("ss%", "ß", False),
    ],
)
def test_case_sets_and_odd_characters(pattern: str, text: str, expected: bool) -> None:
    assert matches(text, pattern) is expected
    assert matcher(pattern)(fold(text)) is expected


@pytest.mark.req("D-26", "D-35")
def test_null_matches_no_pattern() -> None:
    for pattern in ("%", "", "a%", "%a", "%a%", "_", "a%b", "a"):
        assert not value_test(LIKE, pattern, CimType.STRING, (None, None))(None)
        assert not value_test(LIKE, pattern, CimType.UINT32, (None, None))(None)


@pytest.mark.req("D-35")
@pytest.mark.parametrize(
    ("code", "value", "pattern"),
    [
        (CimType.UINT32, 42, "4_"),
        (CimType.SINT64, -(2**63), "-922%"),
        (CimType.BOOLEAN, True, "tr%"),
        (CimType.BOOLEAN, False, "FALSE"),
        (CimType.REAL64, 1.5, "1.5"),
        (CimType.CHAR16, 65, "a"),
        (CimType.DATETIME, "20240101000000.000000+000", "2024%"),
        (CimType.REFERENCE, 'A.B="x"', "a.b=%"),
    ],
)
def test_other_types_are_compared_as_text(code: int, value: object, pattern: str) -> None:
    assert value_test(LIKE, pattern, code, (None, None))(value)
    assert not value_test(LIKE, f"x{pattern}", code, (None, None))(value)


letters = st.text(st.sampled_from("aAbBßﬁÄ%_[]^-\n"), max_size=8)


@pytest.mark.slow
@pytest.mark.req("D-35")
@given(letters, letters)
def test_every_way_to_decide_a_pattern_agrees(pattern: str, text: str) -> None:
    expected = walker.like(pattern, text)
    assert matches(text, pattern) is expected
    assert matcher(pattern)(fold(text)) is expected


@pytest.mark.slow
@pytest.mark.req("D-05", "D-35")
def test_no_pattern_takes_long() -> None:
    text = "a" * 5_000
    for pattern in (
        "%a" * 2_000 + "b",
        "a%" * 4_000,
        "%_a" * 1_500 + "%b",
        "[a-b]%" * 1_000 + "c",
        "_" * 8_000,
    ):
        matches(text, pattern)
