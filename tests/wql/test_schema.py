"""Schema queries: which class definitions they mean (model.md D5)."""

from __future__ import annotations

import pytest
from tests.wql.catalog import catalog

from openwmi import wql
from openwmi.model.errors import WbemError

SCHEMA = catalog()


def classes(where: str) -> list[str]:
    query = wql.parse(f"SELECT * FROM meta_class{where and ' WHERE ' + where}")
    assert isinstance(query, wql.SchemaSelect)
    wanted = wql.schema_filter(query, SCHEMA)
    return [class_.name for class_ in SCHEMA.classes.values() if wanted(class_)]


@pytest.mark.req("D-90")
def test_without_a_condition_every_class_is_meant() -> None:
    names = classes("")
    assert names == [class_.name for class_ in SCHEMA.classes.values()]
    assert "__Event" in names
    assert "T" in names


@pytest.mark.req("D-91")
@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("__CLASS = 'modem'", ["Modem"]),
        ("__Class LIKE '%modem'", ["Modem", "FastModem"]),
        ("__dynasty = 'Device' AND __CLASS > 'k'", ["Modem", "Keyboard", "Stored"]),
        ("__SUPERCLASS = 'Device'", ["Modem", "Keyboard", "Broken", "Stored"]),
        ("__this ISA 'MODEM'", ["Modem", "FastModem"]),
        ("__CLASS ISA 'Modem'", ["Modem", "FastModem"]),
        ("__this ISA 'Nothing'", []),
        (
            "NOT __class < 'Device' AND __superclass IS NOT NULL AND NOT __this ISA '__SystemClass'",
            ["InnerChild", "Modem", "FastModem", "Keyboard", "Stored"],
        ),
        ("__superclass IS NULL AND __class LIKE '[_][_]%'", ["__SystemClass"]),
        ("'T' = __class OR __dynasty IS NULL", ["T"]),
    ],
)
def test_conditions_on_class_definitions(where: str, expected: list[str]) -> None:
    assert classes(where) == expected


@pytest.mark.req("D-90", "D-91")
@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("Name = 'x'", "a schema query compares __CLASS, __DYNASTY, __SUPERCLASS and __this, not Name"),
        ("__PATH = 'x'", "a schema query compares __CLASS, __DYNASTY, __SUPERCLASS and __this, not __PATH"),
        (
            "__this.Name = 1",
            "a schema query compares __CLASS, __DYNASTY, __SUPERCLASS and __this, not __this.Name",
        ),
        (
            "__this = 'x'",
            "__this: an embedded object has no value to compare: name one of its properties, or use ISA",
        ),
        ("__SUPERCLASS ISA 'x'", "ISA asks for the class of an object, and __superclass is a string"),
    ],
)
def test_other_properties_are_refused(where: str, message: str) -> None:
    with pytest.raises(WbemError) as caught:
        classes(where)
    assert caught.value.symbol == "WBEM_E_INVALID_QUERY"
    assert caught.value.message == message
    assert caught.value.span is not None
