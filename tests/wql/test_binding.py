"""Values into query text: constants, parameters, and no way to say anything else with them (DESIGN.md section 4)."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wql.catalog import catalog

from openwmi import wql
from openwmi.model.datetimes import CimDateTime
from openwmi.model.errors import WbemError
from openwmi.model.paths import parse_path
from openwmi.wql.syntax import Comparison, IsNull

UTC = datetime.timezone.utc  # noqa: UP017 - the same in every version
EAST = datetime.timezone(datetime.timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "NULL"),
        (True, "TRUE"),
        (False, "FALSE"),
        (0, "0"),
        (-5, "-5"),
        (2**64 - 1, "18446744073709551615"),
        (1.5, "1.5"),
        (1e300, "1e+300"),
        ("", "''"),
        ("it's", "'it\\'s'"),
        ("C:\\dir", "'C:\\\\dir'"),
        (datetime.datetime(2024, 2, 29, 12, 30, tzinfo=EAST), "'20240229123000.000000+120'"),
        (datetime.datetime(2024, 2, 29, 12, 30), "'20240229123000.000000+***'"),  # noqa: DTZ001 - that is the case
        (datetime.timedelta(days=1, hours=2), "'00000001020000.000000:000'"),
        (CimDateTime.of(2000, 1, 1), "'20000101******.******+***'"),
        (parse_path('T.Id="a"'), "'T.Id=\"a\"'"),
    ],
)
def test_a_value_as_a_constant(value: Any, expected: str) -> None:
    assert wql.escape(value) == expected
    tree = wql.parse(f"SELECT * FROM t WHERE a = {wql.escape(value)}")
    assert isinstance(tree, wql.Select)
    assert isinstance(tree.where, Comparison | IsNull)


@pytest.mark.parametrize("value", [[1], {"a": 1}, b"x", object(), float("nan"), float("inf"), 1j])
def test_what_has_no_constant(value: Any) -> None:
    with pytest.raises(WbemError) as caught:
        wql.escape(value)
    assert caught.value.symbol == "WBEM_E_TYPE_MISMATCH"


@given(st.text())
def test_no_text_ends_its_constant(text: str) -> None:
    tree = wql.parse(wql.bind("SELECT * FROM t WHERE a = {value} AND b = 1", {"value": text}))
    assert isinstance(tree, wql.Select)
    first, second = tree.where.items  # type: ignore[union-attr]
    assert first.literal.value == text
    assert second.literal.value == 1


def test_parameters_are_filled_outside_of_quotes_only() -> None:
    bound = wql.bind(
        'SELECT * FROM t WHERE a = {x} AND b LIKE \'{x}%\' AND c = "\\"{x}" AND d > {y_1} AND e = {x}',
        {"x": "v", "y_1": 3},
    )
    assert (
        bound == "SELECT * FROM t WHERE a = 'v' AND b LIKE '{x}%' AND c = \"\\\"{x}\" AND d > 3 AND e = 'v'"
    )


def test_without_parameters_the_text_is_left_alone() -> None:
    for text in (
        "SELECT * FROM t WHERE a = '{x}'",
        "ASSOCIATORS OF {T} WHERE SchemaOnly",
        "{",
        "no {query} at all",
    ):
        assert wql.bind(text, {}) == text


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("SELECT * FROM t WHERE a = {x}", {"y": 1}),
        ("SELECT * FROM t WHERE a = {x}", {"x": 1, "y": 2}),
        ("SELECT * FROM t WHERE a = '{x}'", {"x": 1}),
    ],
)
def test_every_parameter_has_a_value_and_every_value_a_parameter(text: str, params: dict[str, Any]) -> None:
    with pytest.raises(WbemError) as caught:
        wql.bind(text, params)
    assert caught.value.symbol == "WBEM_E_INVALID_PARAMETER"


def test_the_source_of_an_association_query() -> None:
    one = catalog().classes["t"].spawn({"Id": 'it\'s "a"'})
    bound = wql.bind("ASSOCIATORS OF {disk} WHERE ResultClass = {name}", {"disk": one, "name": "T"})
    tree = wql.parse(bound)
    assert isinstance(tree, wql.Associators)
    assert parse_path(tree.source).folded() == parse_path(one.path_).folded()
    assert tree.option("ResultClass") == "T"
    by_text = wql.bind("references of {disk}", {"disk": "T.Id='a'"})
    assert by_text == 'references of {T.Id="a"}'
    assert (
        wql.bind("ASSOCIATORS OF {T} WHERE Role = {r}", {"r": "x"}) == "ASSOCIATORS OF {T} WHERE Role = 'x'"
    )


@pytest.mark.parametrize("path", ["a} WHERE SchemaOnly", "", 'T.Id="a', 7])
def test_a_source_that_is_no_path_is_refused(path: Any) -> None:
    with pytest.raises(WbemError) as caught:
        wql.bind("ASSOCIATORS OF {disk}", {"disk": path})
    assert caught.value.symbol in ("WBEM_E_INVALID_OBJECT_PATH", "WBEM_E_INVALID_PARAMETER")
