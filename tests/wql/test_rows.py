"""What queries find: fixture files, a second evaluator and SQLite on the same rows (model.md D2, D3)."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wql import walker
from tests.wql.casefiles import Case, every_case
from tests.wql.catalog import Catalog, catalog
from tests.wql.table import rows

from openwmi import wql


def planned(text: str, schema: Catalog, flags: int = 0) -> wql.Plan:
    select = wql.parse(text)
    assert isinstance(select, wql.Select)
    return wql.plan(select, schema, flags=flags)


def found(plan: wql.Plan, table: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """What a provider that ignores conditions makes of `table`, the rows of all properties of the only class."""
    result: list[tuple[Any, ...]] = []
    for step in plan.steps:
        places = [step.class_.layout.index[name.lower()] for name in step.columns]
        result += step.run(tuple(row[place] for place in places) for row in table)
    return result


SCHEMA = catalog()
TABLE = rows(SCHEMA)


@pytest.mark.req(
    *("A-022", "A-026", "A-047", "A-048", "A-150", "A-175", "D-07", "D-20", "D-21", "D-23", "D-24", "D-25"),
    *("D-26", "D-27", "D-28", "D-29", "D-30", "D-32", "D-33", "D-34", "D-35", "D-36", "D-37"),
)
@every_case("rows.txt")
def test_a_query_finds_its_rows(case: Case) -> None:
    plan = planned(case.query, SCHEMA)
    assert {step.layout.names for step in plan.steps} <= {("Id",)}
    assert [row[0] for row in found(plan, TABLE)] == " ".join(case.expected).split()


@pytest.mark.req("D-31")
def test_intervals_compare_as_durations() -> None:
    schema = Catalog()
    schema.declare("Timer", "key string Id; datetime Length", marks="dynamic provider:T")
    table = [
        ("day", "00000001000000.000000:000"),
        ("date", "20240101000000.000000+000"),
        ("hour", "00000000010000.000000:000"),
    ]
    for condition, expected in (
        ("Length > '00000000235959.999999:000'", ["day"]),
        ("Length <= '00000001000000.000000:000'", ["day", "hour"]),
        ("Length = '00000000010000.000000:000'", ["hour"]),
        ("Length <> '00000000010000.000000:000'", ["day", "date"]),
        ("Length > '20230101000000.000000+000'", ["date"]),
    ):
        plan = planned(f"SELECT Id FROM Timer WHERE {condition}", schema)
        assert [row[0] for row in found(plan, table)] == expected


# Random conditions on random rows ---------------------------------------------------------------------------------

NAMES = {"S": "string", "I32": "sint32", "U64": "uint64", "R64": "real64", "B": "boolean"}
LETTERS = "aAbBß%_[x]-^1"
texts = st.text(st.sampled_from("aAbBsSß1[%_"), max_size=4)
values = st.fixed_dictionaries(
    {
        "s": st.none() | texts,
        "i32": st.none() | st.integers(-3, 3),
        "u64": st.none() | st.sampled_from([0, 1, 2, 9, 10, 2**63, 2**64 - 1]),
        "r64": st.none() | st.sampled_from([-1.5, 0.0, 0.5, 2.0]),
        "b": st.none() | st.booleans(),
    }
)
relations = st.sampled_from(["=", "<>", "!=", "<", ">", "<=", ">="])
numbers = st.sampled_from(
    ["-2", "0", "1", "2", "9", "10", "'1'", "18446744073709551615", "99999999999999999999"]
)
reals = st.one_of(numbers, st.sampled_from(["0.5", "-1.5", "'2.0'"]))


def quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def predicates(patterns: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def compared(name: str, constants: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.builds(lambda op, constant: f"{name} {op} {constant}", relations, constants)

    return st.one_of(
        compared("S", texts.map(quote)),
        compared("I32", numbers),
        compared("U64", numbers),
        compared("R64", reals),
        st.builds(
            lambda op, constant: f"B {op} {constant}",
            st.sampled_from(["=", "<>"]),
            st.sampled_from(["TRUE", "FALSE", "1", "0", "'true'"]),
        ),
        st.builds(
            lambda name, word: f"{name} IS {word}NULL",
            st.sampled_from(list(NAMES)),
            st.sampled_from(["", "NOT "]),
        ),
        st.builds(lambda pattern: f"S LIKE {quote(pattern)}", patterns),
    )


def conditions(patterns: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def joined(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.builds(
                lambda one, word, two: f"{one} {word} {two}",
                children,
                st.sampled_from(["AND", "OR"]),
                children,
            ),
            children.map(lambda inner: f"({inner})"),
            children.map(lambda inner: f"NOT ({inner})"),
        )

    return st.recursive(predicates(patterns), joined, max_leaves=8)


def small_schema() -> Catalog:
    schema = Catalog()
    text = "key uint32 Id; " + "; ".join(f"{word} {name}" for name, word in NAMES.items())
    schema.declare("R", text, marks="dynamic provider:R")
    return schema


SMALL = small_schema()
tables = st.lists(values, min_size=1, max_size=12)


def numbered(table: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(number, *(row[name.lower()] for name in NAMES)) for number, row in enumerate(table)]


@pytest.mark.slow
@pytest.mark.req("D-20", "D-23", "D-24", "D-25", "D-26", "D-27", "D-28", "D-29", "D-35")
@given(conditions(st.text(st.sampled_from(LETTERS), max_size=6)), tables)
def test_the_compiled_condition_and_a_tree_walker_agree(condition: str, table: list[dict[str, Any]]) -> None:
    plan = planned(f"SELECT Id FROM R WHERE {condition}", SMALL)
    where = plan.query.where
    assert where is not None
    expected = [number for number, row in enumerate(table) if walker.holds(where, row)]
    assert [row[0] for row in found(plan, numbered(table))] == expected
    star = planned(f"SELECT * FROM R WHERE {condition}", SMALL)
    assert [row[0] for row in found(star, numbered(table))] == expected


@pytest.mark.slow
@pytest.mark.req("D-20", "D-25", "D-26", "D-27", "D-28", "D-29", "D-35")
@given(conditions(st.text(st.sampled_from("aAb%_1"), max_size=6)), tables)
def test_the_compiled_condition_and_sqlite_agree(condition: str, table: list[dict[str, Any]]) -> None:
    """SQLite knows three truth values, WQL two: there every predicate becomes COALESCE(predicate, 0)."""
    plan = planned(f"SELECT Id FROM R WHERE {condition}", SMALL)
    assert plan.query.where is not None
    base = sqlite3.connect(":memory:")
    base.create_function(
        "fold", 1, lambda value: value if value is None else walker.upper(value), deterministic=True
    )
    base.create_function(
        "number", 1, lambda value: None if value is None else f"{value + 2**65:030}", deterministic=True
    )
    base.execute("CREATE TABLE r (id, s, i32, u64, r64, b)")
    stored = [
        (number, s, i32, None if u64 is None else str(u64), r64, b)
        for number, s, i32, u64, r64, b in numbered(table)
    ]
    base.executemany("INSERT INTO r VALUES (?, ?, ?, ?, ?, ?)", stored)
    base.create_function(
        "wide", 1, lambda value: None if value is None else f"{int(value) + 2**70:030}", deterministic=True
    )
    chosen = base.execute(f"SELECT id FROM r WHERE {sql(plan.query.where)} ORDER BY id").fetchall()
    assert found(plan, numbered(table)) == chosen
    base.close()


def sql(node: Any) -> str:
    """A condition as SQL with two truth values."""
    if isinstance(node, wql.syntax.Not):
        return f"NOT ({sql(node.items[0])})"
    if hasattr(node, "items"):
        word = " AND " if isinstance(node, wql.syntax.And) else " OR "
        return "(" + word.join(sql(item) for item in node.items) + ")"
    name = node.path.folded[0]
    if isinstance(node, wql.syntax.IsNull):
        return f"{name} IS {'NOT ' if node.negated else ''}NULL"
    if isinstance(node, wql.syntax.Like):
        pattern = walker.upper(node.pattern).replace("'", "''")
        return f"COALESCE(fold({name}) LIKE '{pattern}', 0)"
    constant = walker.constant(node.literal, name)
    if name == "s":
        folded = walker.upper(constant).replace("'", "''")
        return f"COALESCE(fold(s) {node.op} '{folded}', 0)"
    if name == "b":
        return f"COALESCE(b {node.op} {int(constant)}, 0)"
    if name == "r64":
        return f"COALESCE(r64 {node.op} {constant!r}, 0)"
    return f"COALESCE(wide({name}) {node.op} '{constant + 2**70:030}', 0)"
