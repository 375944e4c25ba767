"""ExecQuery as a client sees it (calls.md B.13, B40, B44, B45)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.conformance.support import Seam, rows
from tests.conformance.test_acceptance import refusal

from openwmi.contract import operations as ops
from openwmi.model.classes import Class
from openwmi.model.status import (
    WBEM_E_INVALID_CLASS,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_INVALID_QUERY,
    WBEM_E_INVALID_QUERY_TYPE,
    WBEM_E_QUOTA_VIOLATION,
)

DIRECT_READ, PROTOTYPE, ENSURE_LOCATABLE = 0x200, 2, 0x100
SERVED = """
[dynamic, provider("{provider}")] class Upper { [key] uint32 N; string Name; uint32 Age; };
[dynamic, provider("{provider}")] class Lower : Upper { string Extra; };
"""
PEOPLE = (
    {"N": 1, "Name": "ann", "Age": 20},
    {"N": 2, "Name": "Bob", "Age": 30},
    {"N": 3, "Name": None, "Age": 40},
)


def people(request: Any) -> Iterator[tuple[object, ...]]:
    if request.class_.name == "Upper":
        yield from rows(request, *PEOPLE)
    else:
        yield from rows(request, {"N": 9, "Name": "low", "Age": 5, "Extra": "e"})


async def found(seam: Seam, text: str, flags: int = 0) -> list[Any]:
    heard = await seam.hear(ops.ExecQuery(text), flags)
    assert heard.outcome.status == 0, heard.outcome
    return heard.objects


@pytest.mark.req("calls:B77", "D-01")
@pytest.mark.parametrize("language", ["WQL", "wql", "Wql"])
async def test_the_language_is_wql_in_any_case(seam: Seam, language: str) -> None:
    assert await seam.status(ops.ExecQuery("SELECT * FROM __Namespace", language)) == 0


@pytest.mark.req("calls:B77", "D-01")
async def test_another_language_or_no_query(seam: Seam) -> None:
    operation = ops.ExecQuery("SELECT * FROM __Namespace", "SQL")
    assert await seam.status(operation) == WBEM_E_INVALID_QUERY_TYPE
    assert await refusal(seam, ops.ExecQuery("")) == WBEM_E_INVALID_PARAMETER
    assert await refusal(seam, ops.ExecQuery(None, "SQL")) == WBEM_E_INVALID_PARAMETER  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT", WBEM_E_INVALID_QUERY),
        ("SELECT * FROM Upper WHERE", WBEM_E_INVALID_QUERY),
        ("SELECT * FROM Upper WHERE Age = 'x'", WBEM_E_INVALID_QUERY),
        ("SELECT * FROM Upper WHERE No = 1", WBEM_E_INVALID_QUERY),
        ("SELECT No FROM Upper", WBEM_E_INVALID_QUERY),
        ("SELECT * FROM No_Such", WBEM_E_INVALID_CLASS),
        ("SELECT * FROM Upper WHERE " + " OR ".join(f"N={n}" for n in range(1500)), WBEM_E_QUOTA_VIOLATION),
    ],
    ids=["bare", "no condition", "type", "property", "column", "class", "terms"],
)
@pytest.mark.req("calls:B77", "calls:B78", "calls:B79", "calls:B80", "D-05", "D-08")
async def test_what_is_wrong_with_a_query_has_its_code(seam: Seam, query: str, code: int) -> None:
    seam.serve(SERVED, instances=people)
    assert await seam.status(ops.ExecQuery(query)) == code


@pytest.mark.req("calls:B81", "D-07")
async def test_the_service_filters_and_projects_what_a_provider_gives(seam: Seam) -> None:
    """This provider ignores conditions, and is asked for no more columns than the query names."""
    asked = []

    def instances(request: Any) -> Iterator[tuple[object, ...]]:
        asked.append((request.class_.name, set(request.columns)))
        return people(request)

    seam.serve(SERVED, instances=instances)
    rows_ = await found(seam, "SELECT Name FROM Upper WHERE Age > 25 AND Name IS NOT NULL")
    assert [(one.Name, one.names_) for one in rows_] == [("Bob", ("Name",))]
    assert {name for name, _ in asked} == {"Upper", "Lower"}
    assert all(columns <= {"Name", "Age", "N"} for _, columns in asked)
    assert await found(seam, "SELECT * FROM Upper WHERE Age > 99") == []


@pytest.mark.req("calls:B40", "A-267")
async def test_direct_read_asks_the_named_class_alone(seam: Seam) -> None:
    seam.serve(SERVED, instances=people)
    assert {one.classname_ for one in await found(seam, "SELECT * FROM Upper")} == {"Upper", "Lower"}
    assert {one.classname_ for one in await found(seam, "SELECT * FROM Upper", DIRECT_READ)} == {"Upper"}


@pytest.mark.req("calls:B44", "A-144")
async def test_ensure_locatable_keeps_the_path(seam: Seam) -> None:
    seam.serve(SERVED, instances=people)
    (one,) = await found(seam, "SELECT Name FROM Upper WHERE Age = 20", ENSURE_LOCATABLE)
    assert one["__RELPATH"] == "Upper.N=1"
    assert one["__PATH"] == f"\\\\{seam.services.server}\\{seam.services.namespace}:Upper.N=1"
    assert one["__SERVER"] == seam.services.server


@pytest.mark.req("calls:B45")
async def test_a_prototype_is_one_class_with_the_selected_properties(seam: Seam) -> None:
    def never(request: Any) -> Iterator[tuple[object, ...]]:
        raise AssertionError("a prototype runs nothing")

    seam.serve(SERVED, instances=never)
    (one,) = await found(seam, "SELECT Age, Name FROM Upper", PROTOTYPE)
    assert isinstance(one, Class)
    assert {name.lower() for name in one.properties} == {"age", "name"}


@pytest.mark.req("calls:B61", "D-90")
async def test_a_schema_query_gives_classes(seam: Seam) -> None:
    seam.serve(SERVED)
    assert [one.name for one in await found(seam, "SELECT * FROM meta_class WHERE __this ISA 'Upper'")] != []
    only = await found(seam, "SELECT * FROM meta_class WHERE __class = 'lower'")
    assert [one.name for one in only] == ["Lower"]
