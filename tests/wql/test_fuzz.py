"""Any text gives a result or a WBEM_E_ code and never anything else (model.md D-05): thrown together, or damaged.

A fixed seed and 2,000 texts by default; 200,000 with OPENWMI_DEEP=1.
"""

from __future__ import annotations

import os
import random

import pytest
from tests.wql.casefiles import cases
from tests.wql.catalog import catalog
from tests.wql.table import rows
from tests.wql.test_rows import found

from openwmi import wql
from openwmi.model.errors import WbemError

COUNT = 200_000 if os.environ.get("OPENWMI_DEEP") == "1" else 2_000
SCHEMA = catalog()
TABLE = rows(SCHEMA)
CORPUS = [
    case.query
    for name in ("parse.txt", "syntax.txt", "rows.txt", "plans.txt", "refused.txt")
    for case in cases(name)
]
PIECES = [
    *(
        "SELECT",
        "FROM",
        "WHERE",
        "AND",
        "OR",
        "NOT",
        "LIKE",
        "IS",
        "NULL",
        "TRUE",
        "FALSE",
        "ISA",
        "WITHIN",
        "GROUP",
        "BY",
    ),
    *(
        "HAVING",
        "ASSOCIATORS",
        "REFERENCES",
        "OF",
        "*",
        ",",
        ".",
        "(",
        ")",
        "=",
        "<",
        ">",
        "<=",
        ">=",
        "<>",
        "!=",
        "+",
        "-",
    ),
    *(
        "{T.Id='a'}",
        "{",
        "}",
        "'",
        '"',
        "\\",
        "\\\\",
        "T",
        "Id",
        "S",
        "E",
        "E2",
        "Number",
        "U8",
        "U64",
        "R32",
        "B",
        "D",
        "Ref",
    ),
    *(
        "C",
        "A",
        "Device",
        "meta_class",
        "__CLASS",
        "__PATH",
        "__this",
        "TargetInstance",
        "__InstanceCreationEvent",
    ),
    *(
        "0",
        "1",
        "-1",
        "255",
        "1e308",
        "1e999",
        "9" * 300,
        ".5",
        "'x'",
        '"%a_"',
        "'[a-'",
        "'2024-01-01'",
        "'T.Id=\"a\"'",
    ),
    *("\x00", "\ud800", "é", "\u2028", "😀", "\n", "\t", ";", "/", "%", "--", "/*"),
]


COLUMNS = [
    *(name for name in SCHEMA.classes["t"].layout.names),
    "E.Number",
    "E.Text",
    "E.Deeper.Number",
    "__CLASS",
    "__PATH",
]
CONSTANTS = [
    *(
        "0",
        "1",
        "-1",
        "255",
        "256",
        "1.5",
        "1e308",
        "9" * 250,
        "TRUE",
        "false",
        "NULL",
        "'x'",
        "'%'",
        "'a%'",
        "'_'",
        "'[^a]%e'",
    ),
    *(
        "'7'",
        "'1.5'",
        "'1e999'",
        "''",
        "'2024-02-29 12:00'",
        "'20240229120000.000000+000'",
        "'********120000.000000+***'",
    ),
    *(
        "'00000001000000.000000:000'",
        "'T.Id=\"a\"'",
        "'Inner'",
        "'T'",
        "'\\\\\\\\HOST\\\\root\\\\cimv2:T.Id=\"a\"'",
    ),
]
OPERATORS = ["=", "<>", "!=", "<", ">", "<=", ">=", "LIKE", "ISA", "NOT ISA", "IS", "IS NOT"]
RELATIONS = OPERATORS[:7]
FITTING = [
    (
        ["Id", "S", "__CLASS", "__PATH", "E.Text"],
        [*RELATIONS, "LIKE"],
        [one for one in CONSTANTS if one[0] == "'"],
    ),
    (
        ["I8", "U32", "I64", "U64", "R32", "R64", "E.Number"],
        RELATIONS,
        ["0", "1", "-1", "256", "'7'", "9" * 250],
    ),
    (["B"], ["=", "<>"], ["TRUE", "false", "1"]),
    (["D"], RELATIONS, [one for one in CONSTANTS if one.startswith(("'2024", "'0000"))]),
    (["Ref", "Strong"], ["=", "<>", "LIKE"], [one for one in CONSTANTS if "T" in one and "'" in one]),
    (COLUMNS[:-6], ["IS", "IS NOT"], ["NULL"]),
    (["E", "E2", "__this", "E.Deeper"], ["ISA", "NOT ISA"], ["'Inner'", "'T'"]),
]


def sensible(chance: random.Random) -> str:
    """A query that parses more often than not, with operators and constants that fit their columns or do not."""
    terms = []
    for _ in range(chance.randrange(1, 5)):
        if chance.random() < 0.8:
            columns, operators, constants = chance.choice(FITTING)
        else:
            columns, operators, constants = COLUMNS, OPERATORS, CONSTANTS
        term = f"{chance.choice(columns)} {chance.choice(operators)} {chance.choice(constants)}"
        terms.append(chance.choice(("{}", "{}", "NOT {}", "({})", "NOT ({})")).format(term))
    where = terms[0] + "".join(f" {chance.choice(('AND', 'OR'))} {term}" for term in terms[1:])
    chosen = chance.choice(("*", "Id", ", ".join(chance.choices(COLUMNS, k=3)), "__PATH, S"))
    return f"SELECT {chosen} FROM T WHERE {where}"


def damaged(chance: random.Random) -> str:
    """A text: pieces thrown together, or a query of the corpus with characters and pieces changed."""
    kind = chance.random()
    if kind < 0.4:
        return sensible(chance)
    if kind < 0.5:
        return " ".join(chance.choice(PIECES) for _ in range(chance.randrange(12)))
    text = list(chance.choice(CORPUS))
    for _ in range(chance.randrange(3)):
        at = chance.randrange(len(text) + 1)
        change = chance.randrange(4)
        if change == 0:
            del text[at : at + chance.randrange(1, 6)]
        elif change == 1:
            text.insert(at, " " + chance.choice(PIECES) + " ")
        elif change == 2:
            text.insert(at, chr(chance.choice((chance.randrange(128), chance.randrange(0x11_0000)))))
        else:
            other = chance.randrange(len(text) + 1)
            text[at:at] = text[min(at, other) : max(at, other)]
    return "".join(text)


def run(text: str) -> str:
    """Everything a text can be asked for; the code it ends with, or "rows"."""
    try:
        query = wql.parse(text)
        again = wql.text_of(query)
        assert wql.parse(again) == query
        if isinstance(query, wql.SchemaSelect):
            wanted = wql.schema_filter(query, SCHEMA)
            assert {wanted(class_) for class_ in SCHEMA.classes.values()} <= {True, False}
        if not isinstance(query, wql.Select):
            return "parsed"
        events(query)
        plan = wql.plan(query, SCHEMA)
        plan.explain()
        if plan.class_ is SCHEMA.classes["t"]:
            found(plan, TABLE)
    except WbemError as failure:
        return checked(failure)
    return "rows"


def events(query: wql.Select) -> None:
    try:
        wql.event_checks(query, SCHEMA)
    except WbemError as failure:
        checked(failure)


def checked(failure: WbemError) -> str:
    assert failure.symbol.startswith(("WBEM_E_", "WBEMESS_E_"))
    if failure.span is not None and failure.text is not None:
        start, end = failure.span
        assert 0 <= start <= end <= len(failure.text)
        wql.caret(failure.text, failure.span, failure.hint)
    return failure.symbol


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.req("D-05", "D-09")
def test_any_text_gives_a_result_or_a_code() -> None:
    chance = random.Random(20260117)
    outcomes: dict[str, int] = {}
    for _ in range(COUNT):
        text = damaged(chance)
        try:
            outcome = run(text)
        except Exception as failure:
            raise AssertionError(f"{text!r} gave {type(failure).__name__}: {failure}") from failure
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    expected = {"rows", "parsed", "WBEM_E_INVALID_QUERY", "WBEM_E_INVALID_CLASS", "WBEM_E_INVALID_PARAMETER"}
    assert expected <= set(outcomes)
    assert outcomes["rows"] > COUNT / 5
