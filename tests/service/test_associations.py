"""ASSOCIATORS OF and REFERENCES OF over stored and provided association classes (model.md D4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.service.conftest import Running

from openwmi import testing
from openwmi.contract import operations as ops
from openwmi.contract.outcome import Outcome
from openwmi.model import status as s
from openwmi.model.classes import derive
from openwmi.mof import class_declarations

NAMESPACE = "root\\test_associations"
SCHEMA = """
[Mark] class Person { [key] string Name; sint32 Age; };
class Child : Person { };
class House { [key] string Address; };
[association, Strong] class LivesIn { [key] Person REF Who; [key] House REF Where; };
[association] class ParentOf { [key] Person REF Parent; [key] Child REF Young; };
[association] class Served { [key] Person REF Who; [key] House REF Where; string Note; };
"""


@pytest.fixture(scope="module")
def world(running: Running) -> Any:
    testing.provide(
        NAMESPACE,
        "[association] class Served { [key] Person REF Who; [key] House REF Where; string Note; };",
        instances=served,
    )
    services = running.connect(NAMESPACE)
    for declaration in class_declarations(SCHEMA):
        if declaration.name == "Served":
            continue
        parent = None
        if declaration.superclass:
            parent = running.collect(ops.GetObject(declaration.superclass), services=services).objects[0]
        assert running.status(ops.PutClass(derive(declaration, parent)), services=services) == 0

    def save(class_name: str, **values: Any) -> None:
        class_ = running.collect(ops.GetObject(class_name), services=services).objects[0]
        assert running.status(ops.PutInstance(class_.spawn(values)), services=services) == 0

    for name, age in (("Ann", 50), ("Bob", 20), ('it\'s "q"\\', 1)):
        save("Person", Name=name, Age=age)
    save("Child", Name="Cid", Age=5)
    save("House", Address="Elm 1")
    save("House", Address="Oak 2")
    save("LivesIn", Who='Person.Name="Ann"', Where='House.Address="Elm 1"')
    save("LivesIn", Who="\\\\.\\root\\test_associations:Person='ann'", Where="House='Oak 2'")
    save("LivesIn", Who='Person.Name="Bob"', Where='House.Address="Elm 1"')
    save("LivesIn", Who='Person.Name="Bob"', Where='House.Address="gone"')
    save("LivesIn", Who='Person.Name="it\'s \\"q\\"\\\\"', Where='House.Address="Oak 2"')
    save("ParentOf", Parent='Person.Name="Ann"', Young='Child.Name="Cid"')
    return services


def served() -> Iterator[dict[str, object]]:
    yield {"Who": 'Person.Name="Ann"', "Where": 'House.Address="Oak 2"', "Note": "n"}
    yield {"Who": 'Person.Name="Bob"', "Where": 'House.Address="Oak 2"', "Note": "n"}


@pytest.fixture
def ask(running: Running, world: Any) -> Any:
    def asked(query: str) -> Any:
        sink = running.collect(ops.ExecQuery(query), services=world)
        assert isinstance(sink.outcome, Outcome)
        return sink.objects if sink.outcome.ok else sink.outcome.status

    return asked


def names(found: Any) -> list[str]:
    return sorted(one.get_("Name") or one.get_("Address") for one in found)


ANN = '{Person.Name="Ann"}'


@pytest.mark.req("D-76", "D-73", "D-75")
def test_what_is_at_the_other_ends(ask: Any) -> None:
    assert names(ask(f"ASSOCIATORS OF {ANN}")) == ["Cid", "Elm 1", "Oak 2", "Oak 2"]
    assert names(ask("associators of{House='elm 1'}")) == ["Ann", "Bob"]
    assert names(ask("ASSOCIATORS OF {Person.Name='Bob'}")) == ["Elm 1", "Oak 2"]
    assert names(ask('ASSOCIATORS OF {Person.Name="it\'s \\"q\\"\\\\"}')) == ["Oak 2"]


@pytest.mark.req("D-71")
def test_clauses_of_associators(ask: Any) -> None:
    assert names(ask(f"ASSOCIATORS OF {ANN} WHERE AssocClass = livesin")) == ["Elm 1", "Oak 2"]
    assert names(ask(f"ASSOCIATORS OF {ANN} WHERE ResultClass = Person")) == ["Cid"]
    assert names(ask(f"ASSOCIATORS OF {ANN} WHERE Role = Parent")) == ["Cid"]
    assert names(ask(f"ASSOCIATORS OF {ANN} WHERE ResultRole = Where AssocClass = Served")) == ["Oak 2"]
    assert names(ask(f"ASSOCIATORS OF {ANN} WHERE RequiredAssocQualifier = Strong")) == ["Elm 1", "Oak 2"]
    assert names(ask("ASSOCIATORS OF {House='Elm 1'} WHERE RequiredQualifier = Mark")) == ["Ann", "Bob"]
    assert ask(f"ASSOCIATORS OF {ANN} WHERE RequiredQualifier = Mark ResultClass = House") == []


@pytest.mark.req("D-72")
def test_class_definitions_and_keys_only(ask: Any) -> None:
    assert sorted(one.name for one in ask(f"ASSOCIATORS OF {ANN} WHERE ClassDefsOnly")) == ["Child", "House"]
    (cid,) = ask(f"ASSOCIATORS OF {ANN} WHERE ResultClass = Child KeysOnly")
    assert (cid.Name, cid.Age) == ("Cid", None)
    assert ask(f"ASSOCIATORS OF {ANN} WHERE ClassDefsOnly ResultClass = House") == s.WBEM_E_INVALID_QUERY


@pytest.mark.req("D-73", "D-71", "D-72")
def test_references(ask: Any) -> None:
    found = ask(f"REFERENCES OF {ANN}")
    assert sorted(one.classname_ for one in found) == ["LivesIn", "LivesIn", "ParentOf", "Served"]
    assert [one.Note for one in ask(f"REFERENCES OF {ANN} WHERE ResultClass = Served")] == ["n"]
    assert len(ask(f"REFERENCES OF {ANN} WHERE Role = Who")) == 3
    assert len(ask(f"REFERENCES OF {ANN} WHERE RequiredQualifier = Strong")) == 2
    definitions = ask(f"REFERENCES OF {ANN} WHERE ClassDefsOnly")
    assert sorted(one.name for one in definitions) == ["LivesIn", "ParentOf", "Served"]
    (one,) = ask(f"REFERENCES OF {ANN} WHERE ResultClass = Served KeysOnly")
    assert one.Note is None
    assert one.Who is not None


@pytest.mark.req("D-74")
def test_schema_only(ask: Any) -> None:
    assert sorted(one.name for one in ask("REFERENCES OF {Person} WHERE SchemaOnly")) == [
        "LivesIn",
        "ParentOf",
        "Served",
    ]
    assert sorted(one.name for one in ask("ASSOCIATORS OF {Person} WHERE SchemaOnly")) == [
        "Child",
        "House",
        "House",
    ]
    assert [
        one.name for one in ask("ASSOCIATORS OF {Child} WHERE SchemaOnly ResultClass=Person Role=Young")
    ] == ["Person"]
    assert ask("ASSOCIATORS OF {Person} WHERE SchemaOnly ClassDefsOnly") == s.WBEM_E_INVALID_QUERY
    assert ask("ASSOCIATORS OF {Person}") == s.WBEM_E_INVALID_OBJECT_PATH


@pytest.mark.req("D-77")
def test_both_directions_of_a_self_association(ask: Any) -> None:
    assert names(ask("ASSOCIATORS OF {Child.Name='Cid'}")) == ["Ann"]
    assert names(ask("ASSOCIATORS OF {Child.Name='Cid'} WHERE Role = Young")) == ["Ann"]
    assert ask("ASSOCIATORS OF {Child.Name='Cid'} WHERE Role = Parent") == []


@pytest.mark.req("D-75", "D-70")
def test_what_is_refused(ask: Any) -> None:
    assert ask("ASSOCIATORS OF {Person.Name='Nobody'}") == s.WBEM_E_NOT_FOUND
    assert ask("REFERENCES OF {Nothing.Name='x'}") == s.WBEM_E_NOT_FOUND
    assert ask(f"ASSOCIATORS OF {ANN} WHERE AssocClass = Nothing") == s.WBEM_E_INVALID_CLASS
    assert ask(f"REFERENCES OF {ANN} WHERE ResultClass=LivesIn AND Role=Who") == s.WBEM_E_INVALID_QUERY
