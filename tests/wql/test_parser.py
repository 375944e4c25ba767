"""From text to tree and back (model.md D1, D2, D4, D5, D6)."""

from __future__ import annotations

import pytest
from tests.wql.casefiles import Case, every_case

from openwmi import wql
from openwmi.model.errors import QuerySyntaxError, WbemError
from openwmi.wql.conditions import MAX_DEPTH, MAX_TERMS
from openwmi.wql.syntax import And, Comparison, Or
from openwmi.wql.tokens import MAX_QUERY


@pytest.mark.req("D-02", "D-03", "D-20", "D-21", "D-22", "D-25", "D-38")
@every_case("parse.txt")
def test_a_query_is_printed_in_one_spelling(case: Case) -> None:
    tree = wql.parse(case.query)
    assert wql.text_of(tree) == case.expected[0]
    again = wql.parse(case.expected[0])
    assert again == tree
    assert wql.text_of(again) == case.expected[0]


@pytest.mark.req("D-02", "D-04", "D-09", "D-20", "D-22", "D-25", "D-52", "D-57", "D-90", "calls:B77")
@every_case("syntax.txt")
def test_a_text_that_is_no_query_is_refused_with_the_place(case: Case) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        wql.parse(case.query)
    failure = caught.value
    assert failure.symbol == "WBEM_E_INVALID_QUERY"
    *shown, sentence = case.expected
    assert wql.caret(case.query, failure.span, failure.hint).splitlines() == shown
    assert failure.message == sentence


@pytest.mark.req("D-01")
def test_an_empty_query_is_an_invalid_parameter() -> None:
    with pytest.raises(WbemError) as caught:
        wql.parse("")
    assert caught.value.symbol == "WBEM_E_INVALID_PARAMETER"


@pytest.mark.req("D-05", "calls:B7", "calls:B80")
@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM t WHERE a = '" + "x" * MAX_QUERY + "'",
        "SELECT * FROM t WHERE " + " OR ".join(["a=1"] * (MAX_TERMS + 1)),
        "SELECT * FROM t WHERE " + "(" * (MAX_DEPTH + 1) + "a=1" + ")" * (MAX_DEPTH + 1),
        "SELECT * FROM t WHERE " + "NOT (" * (MAX_DEPTH + 1) + "a=1" + ")" * (MAX_DEPTH + 1),
        "SELECT * FROM t WHERE " + "(" * 16_000,
        "SELECT * FROM " + "x" * 0x1001,
    ],
    ids=["text", "terms", "parentheses", "negations", "open", "name"],
)
def test_beyond_the_limits_is_a_quota_violation(text: str) -> None:
    with pytest.raises(WbemError) as caught:
        wql.parse(text)
    assert caught.value.symbol == "WBEM_E_QUOTA_VIOLATION"


@pytest.mark.req("D-05")
@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM t WHERE " + " OR ".join(["a=1"] * MAX_TERMS),
        "SELECT * FROM t WHERE " + "(" * MAX_DEPTH + "a=1" + ")" * MAX_DEPTH,
        "SELECT * FROM t WHERE " + "NOT (" * MAX_DEPTH + "a=1" + ")" * MAX_DEPTH,
        "SELECT * FROM t WHERE " + "a=1 AND (b=1 OR (" * 120 + "c=1" + "))" * 120,
    ],
    ids=["terms", "parentheses", "negations", "alternating"],
)
def test_up_to_the_limits_a_query_parses_and_prints(text: str) -> None:
    tree = wql.parse(text)
    assert wql.parse(wql.text_of(tree)) == tree


def test_the_same_text_is_parsed_once() -> None:
    assert wql.parse("SELECT a FROM OnceOnly") is wql.parse("SELECT a FROM OnceOnly")


def test_nodes_know_their_place() -> None:
    text = "SELECT Name FROM Thing WHERE 5 < a.b AND c = 'x' OR d = 1"
    tree = wql.parse(text)
    assert isinstance(tree, wql.Select)
    assert tree.columns is not None
    assert [text[slice(*path.span)] for path in tree.columns] == ["Name"]
    assert text[slice(*tree.class_name.span)] == "Thing"
    assert isinstance(tree.where, Or)
    both = tree.where.items[0]
    assert isinstance(both, And)
    first, second = both.items
    assert isinstance(first, Comparison)
    assert isinstance(second, Comparison)
    assert text[slice(*first.path.span)] == "a.b"
    assert text[slice(*first.literal.span)] == "5"
    assert text[slice(*first.op_span)] == "<"
    assert text[slice(*second.literal.span)] == "'x'"


@pytest.mark.req("D-70", "D-72")
def test_the_clauses_of_an_association_query() -> None:
    tree = wql.parse("ASSOCIATORS OF {Win32_Service='x'} WHERE resultclass = 'Win32_Y' KeysOnly")
    assert isinstance(tree, wql.Associators)
    assert tree.source == "Win32_Service='x'"
    assert tree.text[slice(*tree.source_span)] == tree.source
    assert tree.option("ResultClass") == "Win32_Y"
    assert tree.option("Role") is None
    assert tree.flag("KEYSONLY")
    assert not tree.flag("SchemaOnly")
    assert tree != wql.parse("REFERENCES OF {Win32_Service='x'} WHERE resultclass = 'Win32_Y' KeysOnly")


@pytest.mark.req("D-09")
@pytest.mark.parametrize(
    "text", ["SELECT * FROM", "ASSOCIATORS OF {a}", "SELECT * FROM meta_class", "nonsense"]
)
def test_an_event_query_that_does_not_parse_has_its_own_code(text: str) -> None:
    with pytest.raises(WbemError) as caught:
        wql.parse_event(text)
    assert caught.value.symbol == "WBEM_E_UNPARSABLE_QUERY"
    assert wql.caret(caught.value.text, caught.value.span)


@pytest.mark.req("D-102")
def test_what_has_a_code_of_its_own_in_event_queries_parses() -> None:
    for text in (
        "SELECT * FROM e GROUP BY a",
        "SELECT * FROM e GROUP WITHIN 5 BY",
        "SELECT * FROM e GROUP WITHIN 5 BY HAVING NumberOfEvents > 1",
        "SELECT * FROM e HAVING NumberOfEvents > 1",
        "SELECT * FROM e WITHIN -1",
    ):
        assert isinstance(wql.parse_event(text), wql.Select)
