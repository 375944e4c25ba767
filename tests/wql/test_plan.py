"""Plans: classes, columns, what providers may decide, key look-ups, what they print (model.md D3; calls.md B.5)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wql import walker
from tests.wql.casefiles import Case, every_case
from tests.wql.catalog import NAMESPACE, SERVER, catalog
from tests.wql.table import rows
from tests.wql.test_rows import SMALL, conditions, found, planned

from openwmi import wql
from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.errors import QuerySyntaxError, WbemError
from openwmi.model.instances import Instance
from openwmi.wql.plan import DIRECT_READ, ENSURE_LOCATABLE, PROTOTYPE

SCHEMA = catalog()
TABLE = rows(SCHEMA)


@pytest.mark.req(
    "A-147", "A-150", "D-27", "D-28", "D-37", "D-50", "D-51", "D-52", "D-53", "D-55", "calls:B81"
)
@every_case("plans.txt")
def test_a_plan_prints_what_it_does(case: Case) -> None:
    assert planned(case.query, SCHEMA).explain().splitlines() == case.expected


@pytest.mark.req("D-08", "D-10", "D-24", "D-29", "D-32", "D-34", "D-36", "D-50", "calls:B78", "calls:B79")
@every_case("refused.txt")
def test_what_the_classes_do_not_fit_is_refused_with_the_place(case: Case) -> None:
    with pytest.raises(WbemError) as caught:
        planned(case.query, SCHEMA)
    failure = caught.value
    symbol, *shown, sentence = case.expected
    assert failure.symbol == symbol
    assert isinstance(failure, QuerySyntaxError) is (symbol == "WBEM_E_INVALID_QUERY")
    assert failure.text == case.query
    assert failure.span is not None
    assert wql.caret(case.query, failure.span, failure.hint).splitlines() == shown
    assert failure.message == sentence


@pytest.mark.req("D-55")
def test_the_seam_of_a_step() -> None:
    (step,) = planned("SELECT S FROM T WHERE Id = 'a' AND U32 >= 7 AND S LIKE 'x%'", SCHEMA).steps
    assert step.class_ is SCHEMA.classes["t"]
    assert step.columns == ("Id", "U32", "S")
    assert step.conditions == (("Id", "=", "a"), ("U32", ">=", 7))
    assert step.keys == {"Id": "a"}
    assert step.residual == "S LIKE 'x%'"
    assert step.layout.names == ("S",)
    source = iter([("a", 7, "xyz"), ("A", 9, "XY"), ("a", 6, "xyz"), ("a", None, "x"), ("a", 7, None)])
    assert list(step.run(source)) == [("xyz",), ("XY",)]


def test_a_step_yields_each_row_as_soon_as_it_is_there() -> None:
    (step,) = planned("SELECT Id FROM T WHERE U32 > 1", SCHEMA).steps
    read = []

    def provider() -> Any:
        for number in range(10):
            read.append(number)
            yield str(number), number

    result = step.run(provider())
    assert next(result) == ("2",)
    assert read == [0, 1, 2]


@pytest.mark.req("A-144", "A-145", "A-146")
def test_the_objects_of_a_projection() -> None:
    plan = planned("SELECT S FROM T WHERE Id = 'a'", SCHEMA)
    one = Instance(plan.steps[0].layout, found(plan, TABLE)[0])
    assert one.S == "Explorer.EXE"
    assert one["__CLASS"] == "T"
    assert one["__PROPERTY_COUNT"] == 1
    assert [one[name] for name in ("__PATH", "__RELPATH", "__SERVER", "__SUPERCLASS")] == [None] * 4
    assert "Id" not in one
    with_key = planned("SELECT S, Id FROM T WHERE Id = 'a'", SCHEMA)
    other = Instance(with_key.steps[0].layout, found(with_key, TABLE)[0])
    assert (other["__RELPATH"], other["__PATH"]) == ('T.Id="a"', None)
    whole = planned("SELECT * FROM T WHERE Id = 'a'", SCHEMA)
    assert (
        Instance(whole.steps[0].layout, found(whole, TABLE)[0])["__PATH"]
        == f'\\\\{SERVER}\\{NAMESPACE}:T.Id="a"'
    )


@pytest.mark.req("A-147")
@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ("__PATH", {"__PATH": f'\\\\{SERVER}\\{NAMESPACE}:T.Id="a"'}),
        ("__RELPATH, S", {"__RELPATH": 'T.Id="a"', "S": "Explorer.EXE"}),
        ("__server, __NameSpace", {"__SERVER": SERVER, "__NAMESPACE": NAMESPACE}),
        ("__DYNASTY, __DERIVATION", {"__DYNASTY": "T", "__DERIVATION": []}),
    ],
)
def test_system_properties_of_the_list_are_filled(listed: str, expected: dict[str, Any]) -> None:
    plan = planned(f"SELECT {listed} FROM T WHERE Id = 'a'", SCHEMA)
    one = Instance(plan.steps[0].layout, found(plan, TABLE)[0])
    assert {name: one[name] for name in expected} == expected


@pytest.mark.req("calls:B44", "D-56")
def test_ensure_locatable_brings_keys_and_path() -> None:
    plan = planned("SELECT S FROM T WHERE U32 = 7", SCHEMA, ENSURE_LOCATABLE)
    assert plan.steps[0].layout.names == ("Id", "S")
    one = Instance(plan.steps[0].layout, found(plan, TABLE)[0])
    assert one["__PATH"] == f'\\\\{SERVER}\\{NAMESPACE}:T.Id="a"'
    assert one["__RELPATH"] == 'T.Id="a"'
    assert one["__SERVER"] == SERVER


@pytest.mark.req("calls:B40", "D-56")
def test_direct_read_reads_the_class_alone() -> None:
    assert [step.class_.name for step in planned("SELECT * FROM Modem", SCHEMA, DIRECT_READ).steps] == [
        "Modem"
    ]
    assert planned("SELECT * FROM Device", SCHEMA, DIRECT_READ).steps == ()


@pytest.mark.req("calls:B45", "D-56")
def test_a_prototype_is_a_class_with_the_selected_properties() -> None:
    plan = planned("SELECT S, Id FROM T WHERE U32 = 7", SCHEMA, PROTOTYPE)
    assert plan.steps == ()
    assert plan.explain().splitlines()[1].startswith("prototype")
    shape = plan.prototype()
    assert shape.name == "T"
    assert [one.name for one in shape.properties.values()] == ["Id", "S"]
    orders = {one.name: one.qualifiers.get("Order") for one in shape.properties.values()}
    assert {name: order and (order.value, order.type) for name, order in orders.items()} == {
        "S": ((0,), CimType.SINT32 | ARRAY),
        "Id": ((1,), CimType.SINT32 | ARRAY),
    }
    every = planned("SELECT * FROM T", SCHEMA, PROTOTYPE).prototype()
    assert list(every.properties) == list(SCHEMA.classes["t"].properties)


@pytest.mark.req("D-105")
def test_a_dotted_column_keeps_part_of_an_embedded_object() -> None:
    plan = planned("SELECT E.Number, E.Deeper.Number, E.Absent FROM T WHERE Id = 'b'", SCHEMA)
    (row,) = found(plan, TABLE)
    (part,) = row
    assert part.classname_ == "InnerChild"
    assert part.names_ == ("Number", "Deeper")
    assert part.Number == 6
    assert part.Deeper.names_ == ("Number",)
    assert part.Deeper.Number == 9
    (whole,) = found(planned("SELECT E.*, E.Number FROM T WHERE Id = 'b'", SCHEMA), TABLE)[0]
    assert whole.More == "more"
    (nothing,) = found(planned("SELECT E.Number FROM T WHERE Id = 'n'", SCHEMA), TABLE)[0]
    assert nothing is None


# Keeping plans ----------------------------------------------------------------------------------------------------


def test_a_plan_is_kept_while_its_classes_are_the_same() -> None:
    schema = catalog()
    text = "SELECT Speed FROM Device WHERE Speed > 1"
    first = planned(text, schema)
    assert planned(text, schema) is first
    assert planned(text, schema, ENSURE_LOCATABLE) is not first
    assert planned(text, schema) is first
    assert planned(text, schema, PROTOTYPE) is planned(text, schema, PROTOTYPE)
    assert planned(text, catalog()) is not first
    schema.declare("Router", "", "Device", "dynamic provider:Routers")
    again = planned(text, schema)
    assert [step.class_.name for step in again.steps][-1] == "Router"


def test_a_catalog_with_a_version_is_asked_for_that_alone() -> None:
    schema = catalog()
    schema.version = object()  # type: ignore[attr-defined]
    first = planned("SELECT Keys FROM Keyboard", schema)
    schema.classes.clear()
    assert planned("SELECT Keys FROM Keyboard", schema) is first
    schema.version = object()  # type: ignore[attr-defined]
    with pytest.raises(WbemError):
        planned("SELECT Keys FROM Keyboard", schema)


def test_few_plans_are_kept_with_a_query() -> None:
    select = wql.parse("SELECT Keys FROM Keyboard WHERE Keys = 77")
    assert isinstance(select, wql.Select)
    for _ in range(20):
        wql.plan(select, catalog())
    assert len(select.plans) <= 4


# Generated code ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@given(conditions(st.text(st.sampled_from("aA%_[]^'\\\"\nß"), max_size=8)))
def test_generated_code_holds_positions_and_constants_only(condition: str) -> None:
    source = planned(f"SELECT Id FROM R WHERE {condition}", SMALL).steps[0].source
    without_text = re.sub(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", "''", source)
    words = set(re.findall(r"[A-Za-z_]\w*", without_text))
    allowed = r"def|run|rows|return|for|in|if|is|and|or|not|None|else|len|upper|isascii|iter|_|e|[chpqr]\d*"
    assert [word for word in words if not re.fullmatch(allowed, word)] == []


@pytest.mark.req("D-05")
@pytest.mark.parametrize(
    "where",
    [
        "U32 = 1 AND (S = 'b' OR (" * 120 + "I8 = 1" + "))" * 120,
        "NOT (U32 = 1 OR " * 200 + "I8 = 1" + ")" * 200,
        " OR ".join(f"U32 = {number}" for number in range(256)),
        " AND ".join(f"NOT S LIKE '%{number}_%_'" for number in range(256)),
        "(U32 = 7 OR " * 60 + "(S = 'x' AND NOT (" * 60 + "I8 = 1" + "))" * 60 + ")" * 60,
    ],
    ids=["alternating", "negated", "wide", "patterns", "mixed"],
)
def test_the_deepest_and_widest_conditions_compile(where: str) -> None:
    plan = planned(f"SELECT Id FROM T WHERE {where}", SCHEMA)
    assert plan.explain()
    assert plan.query.where is not None
    names = [name.lower() for name in SCHEMA.classes["t"].layout.names]
    expected = [
        row[:1] for row in TABLE if walker.holds(plan.query.where, dict(zip(names, row, strict=True)))
    ]
    assert found(plan, TABLE) == expected


@pytest.mark.req("D-05")
def test_no_nesting_exhausts_the_stack_of_a_caller_who_has_used_most_of_it() -> None:
    """The interpreter allows 1,000 frames; the whole way from text to rows must do with a few."""
    text = "SELECT Id FROM T WHERE " + "NOT (U32 = 1 OR (S = 'x' AND " * 100 + "I8 = 1" + "))" * 100

    def descend(frames: int) -> int:
        if frames:
            return descend(frames - 1)
        plan = wql.plan(wql.parser.parse.__wrapped__(text), SCHEMA)
        plan.explain()
        return len(found(plan, TABLE))

    assert descend(0) == descend(750)
