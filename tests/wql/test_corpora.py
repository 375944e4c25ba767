"""Queries that people wrote and rules that others publish: public repositories, Microsoft's pages, Wine, OMI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.wql.catalog import Catalog
from tests.wql.test_rows import found, planned

from openwmi import wql
from openwmi.model.errors import WbemError
from openwmi.model.instances import Instance

# Queries for Windows that are not WQL, and why; every other one must parse.
NOT_WQL = {
    "SELECT * FROM MicrosoftDNS_AType WHEREBIT": "a template's placeholder glued to WHERE",
    "SELECT * FROM MicrosoftDNS_CNAMEType WHEREBIT": "a template's placeholder glued to WHERE",
    "SELECT * FROM Win32_NTLogEvent WHERE _ LogFile='Application'": "the line continuation of Visual Basic",
    "SELECT * FROM __InstanceModificationEvent \\\n             WHERE TargetInstance ISA 'Win32_LocalTime'": (
        "the line continuation of C"
    ),
}
JOINS = 3  # of Configuration Manager, whose own provider reads an extended language with joins (D-04)

# Queries for other CIM implementations, whose dialects allow more; what makes them no WQL.
OTHER_DIALECTS = {
    "2 > 1": "two constants",
    "2>1": "two constants",
    "=%": "a placeholder",
    ", CIM_": "two classes",
}


def corpus(shared_data: Path, name: str) -> Any:
    return json.loads((shared_data / "wql" / name).read_text("utf-8"))


def parses(text: str) -> bool:
    try:
        tree = wql.parse(text)
    except WbemError as failure:
        assert failure.symbol == "WBEM_E_INVALID_QUERY"
        return False
    assert wql.parse(wql.text_of(tree)) == tree
    return True


@pytest.mark.req("D-03", "D-20", "D-21", "D-22", "D-25", "D-38", "D-90", "D-91")
def test_queries_written_for_windows_parse(shared_data: Path) -> None:
    queries = [entry for entry in corpus(shared_data, "queries.json") if entry["dialect"] == "wmi"]
    assert len(queries) > 350
    refused = [entry for entry in queries if not parses(entry["q"])]
    joins = [entry for entry in refused if entry["kind"] == "sms"]
    assert len(joins) == JOINS
    assert all(" join " in entry["q"] for entry in joins)
    assert {entry["q"] for entry in refused if entry not in joins} == set(NOT_WQL)


def test_queries_of_other_dialects_parse_or_show_why_not(shared_data: Path) -> None:
    queries = [entry["q"] for entry in corpus(shared_data, "queries.json") if entry["dialect"] == "cim"]
    assert len(queries) > 40
    refused = [text for text in queries if not parses(text)]
    assert [text for text in refused if not any(mark in text for mark in OTHER_DIALECTS)] == []


def test_schema_queries_are_told_from_data_queries(shared_data: Path) -> None:
    for entry in corpus(shared_data, "queries.json"):
        if entry["dialect"] == "wmi" and entry["kind"] == "schema":
            assert isinstance(wql.parse(entry["q"]), wql.SchemaSelect)


def pages_schema() -> Catalog:
    """The classes that the pages' examples speak of, with the properties they name."""
    schema = Catalog()
    for name, text in (
        ("PhysicalDisk", "uint32 Partitions; uint32 SectorsPerTrack"),
        ("MyClass", "string Prop1; boolean BoolProp"),
        ("Win32_ComputerSystem", "boolean InfraredSupported"),
        ("Win32_LogicalDisk", "uint32 DriveType; string FileSystem"),
        ("abc", "uint16 exampleUint16"),
        ("Strong", "uint32 P_Uint32"),
        ("MainClass", "object EmbedObj; object:Strong StrongEmbedObj"),
    ):
        schema.declare(name, f"key string Id; {text}", marks="dynamic provider:P")
    return schema


@pytest.mark.req("D-04", "D-10", "D-24", "D-25", "D-29", "D-70", "D-72")
def test_what_microsoft_calls_invalid_is_refused(shared_data: Path) -> None:
    rules = corpus(shared_data, "docs_rules.json")["invalid"]
    assert len(rules) == 13
    schema = pages_schema()
    for rule in rules:
        with pytest.raises(WbemError) as caught:
            planned(rule["q"], schema)
        assert caught.value.symbol == "WBEM_E_INVALID_QUERY", rule


@pytest.mark.req("D-34")
def test_a_property_that_an_embedded_class_lacks_is_no_error(shared_data: Path) -> None:
    schema = pages_schema()
    strong = schema.classes["strong"].spawn({"P_Uint32": 70011})
    table = [("1", strong, strong)]
    for rule in corpus(shared_data, "docs_rules.json")["valid_but_empty"]:
        assert found(planned(rule["q"], schema), table) == []
    assert (
        len(found(planned("SELECT * FROM MainClass WHERE StrongEmbedObj.P_Uint32 = 70011", schema), table))
        == 1
    )


@pytest.mark.req("D-23", "D-24")
def test_what_microsoft_calls_equivalent_finds_the_same(shared_data: Path) -> None:
    schema = pages_schema()
    table = [
        ("1", "cat", True),
        ("2", "CAT", False),
        ("3", "dog", None),
        ("4", None, True),
        ("5", "cAt", False),
    ]
    groups = corpus(shared_data, "docs_rules.json")["equivalent"]
    assert len(groups) == 3
    for group in groups:
        results = [found(planned(text, schema), table) for text in group]
        assert results[0]
        assert all(result == results[0] for result in results), group


@pytest.mark.req("D-01", "D-03", "D-21", "D-22", "D-25")
def test_what_windows_accepts_parses(shared_data: Path) -> None:
    facts = corpus(shared_data, "wine_windows_facts.json")
    for text in facts["execquery_returns_S_OK"]:
        assert parses(text), text


@pytest.mark.req("D-01")
def test_an_empty_text_is_an_invalid_parameter_as_on_windows(shared_data: Path) -> None:
    facts = corpus(shared_data, "wine_windows_facts.json")["execquery_errors"]
    (empty,) = (fact for fact in facts if fact["query"] == "")
    with pytest.raises(WbemError) as caught:
        wql.parse("")
    assert caught.value.symbol == empty["hr"]


# OMI's evaluation cases whose syntax is OMI's own, not WMI's.
OMI_ONLY = {
    "A.CIM_StorageVolume::": "a class scope before the property",
    "::": "a class scope before the property",
    "NullStr = NullStr": "two properties (D-04)",
    "NULL = NULL": "two constants",
    "\\_": "backslash escapes in LIKE; WQL brackets (D-22, D-35)",
    "A > NULL": "an order against NULL (D-25)",
}


def omi_schema() -> Catalog:
    schema = Catalog()
    schema.declare("Y", "", marks="abstract")
    schema.declare("X", "key sint32 A; string B; boolean C; real64 D; string E", "Y", "dynamic provider:P")
    schema.declare("CIM_StorageVolume", "uint32 Count")
    schema.declare(
        "A",
        "boolean BooleanS; uint8 Uint8S; sint8 Sint8S; uint16 Uint16S; sint16 Sint16S; uint32 Uint32S; sint32 Sint32S;"
        "uint64 Uint64S; sint64 Sint64S; real32 Real32S; real64 Real64S; char16 Char16S; datetime DatetimeS;"
        "key string StringS; string StringL; string NullStr; object SourceInstance",
        marks="dynamic provider:P",
    )
    return schema


@pytest.mark.req("D-20", "D-23", "D-24", "D-25", "D-29", "D-30", "D-34", "D-35", "D-36")
def test_the_evaluation_cases_of_another_implementation(shared_data: Path) -> None:
    data = corpus(shared_data, "omi_eval_like.json")
    schema = omi_schema()
    count = excluded = 0
    for case in data["eval"]:
        if any(mark in case["q"] for mark in OMI_ONLY):
            excluded += 1
            continue
        text = case["q"].replace(
            "WHERE X ISA", "WHERE __this ISA"
        )  # OMI names the class where WQL says __this
        result = found(planned(text, schema), [omi_row(schema, data["instances"][case["instance"]])])
        assert bool(result) is (case["result"] == "match"), case
        count += 1
    assert (count, excluded) == (41, 8)


def omi_row(schema: Catalog, values: dict[str, Any]) -> tuple[Any, ...]:
    class_ = schema.classes[values["class"].lower()]
    made: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            inner = dict(value)
            made[name] = schema.classes[inner.pop("class").lower()].spawn(inner)
        elif name not in ("class", "note"):
            made[name] = value
    one = class_.spawn(made)
    assert isinstance(one, Instance)
    return one.values_
