"""Every MOF file of the corpus compiles, prints and compiles back to the same, or is refused where the table says.

corpus.json has a row for each file: what it needs ("@dmtf": the DMTF schema, "@own": prerequisites.mof, "@newer":
newer.mof, else other files of the corpus, in order; the system classes are always there), and where and why it is
refused.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.mof import corpus

from openwmi import mof
from openwmi.model import ClassDeclaration, Instance
from openwmi.model.comparing import IGNORE_OBJECT_SOURCE, compare
from openwmi.model.errors import MofError

TABLE: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("corpus.json").read_text())

pytestmark = pytest.mark.usefixtures("shared_data")


def test_the_table_knows_every_file() -> None:
    assert sorted(TABLE) == list(corpus.files())
    assert len(TABLE) == 447
    refused = [row["refused"] for row in TABLE.values() if "refused" in row]
    assert len(refused) == 57
    assert all(row["why"] for row in refused)


@pytest.mark.slow  # the first that needs the DMTF schema resolves it
@pytest.mark.req(
    "A-232", "A-233", "A-234", "A-235", "C-01", "C-02", "C-03", "C-04", "C-10", "C-14", "C-22", "C-24"
)
@pytest.mark.parametrize("path", sorted(path for path, row in TABLE.items() if "refused" not in row))
def test_what_a_file_declares_survives_printing(path: str) -> None:
    classes = corpus.prepared(TABLE[path].get("needs", []))
    compiled = classes.load(path)
    for item in compiled:
        text = mof.print_class(item) if isinstance(item, ClassDeclaration) else mof.print_instance(item)
        assert text.endswith("};")
        again = list(mof.declarations(text, lambda name: classes.get(name.lower())))
        assert [step.item for step in again] == [item], text
        if isinstance(item, Instance):
            (found,) = (step.item for step in again)
            assert isinstance(found, Instance)
            assert compare(found, item, IGNORE_OBJECT_SOURCE)


@pytest.mark.req("C-43")
@pytest.mark.parametrize("path", sorted(path for path, row in TABLE.items() if "refused" in row))
def test_a_file_is_refused_where_the_table_says(path: str) -> None:
    expected = TABLE[path]["refused"]
    classes = corpus.prepared(TABLE[path].get("needs", []))
    with pytest.raises(MofError) as caught:
        classes.load(path)
    found = caught.value
    assert (found.symbol, found.line, found.file) == (
        expected["code"],
        expected["line"],
        expected.get("file", path),
    )
    lines = mof.explain(found).split("\n")
    assert lines[0].startswith(f"{found.file}:{found.line}:{found.column}: ")
    assert lines[2].endswith("^")


@pytest.mark.slow
@pytest.mark.req("C-10", "A-104", "A-107")
def test_the_dmtf_schema_resolves_but_for_one_branch_that_wmi_forbids() -> None:
    # CIM_PolicyInSystem is abstract below CIM_HostedDependency, which is not; six classes stand below it.
    classes, refused = corpus.dmtf()
    assert Counter(reason.symbol for reason in refused) == {
        "WBEM_E_CANNOT_BE_ABSTRACT": 1,
        "WBEM_E_INVALID_SUPERCLASS": 6,
    }
    found = [one for one in classes.values() if not one.is_system]
    assert len(found) == 1438 - 7
    system = classes["cim_computersystem"]
    assert system.derivation[-1] == "CIM_ManagedElement"
    assert system.keys == ("Name", "CreationClassName")
    assert system.qualifiers.value("version") == "2.36.0"
    method = system.methods["requeststatechange"]
    assert method.inputs is not None
    assert list(method.inputs.properties) == ["requestedstate", "timeoutperiod"]
    assert method.inputs.properties["requestedstate"].qualifiers.value("id") == 0
    assert method.outputs is not None
    assert list(method.outputs.properties) == ["job", "returnvalue"]


@pytest.mark.slow
@pytest.mark.req("A-235")
def test_every_class_of_the_dmtf_schema_survives_printing() -> None:
    classes, _ = corpus.dmtf()
    text = "\n".join(mof.print_class(one) for one in classes.values() if not one.is_system)
    again = list(mof.class_declarations(text))
    assert len(again) == 1431
    for declared in again:
        assert declared == classes[declared.name.lower()].declaration


@pytest.mark.slow
def test_the_blocks_of_the_documentation_parse_or_say_where_they_do_not() -> None:
    """1,423 fenced blocks, simplified or damaged by their writers: most parse, and nothing but MofError comes out."""
    parsed = 0
    refused: Counter[str] = Counter()
    with gzip.open(corpus.MOF / "msdocs-blocks.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            block = json.loads(line)
            try:
                mof.parse(block["text"], file=block["src"])
                parsed += 1
            except MofError as reason:
                assert reason.line >= 1
                assert reason.column >= 1
                refused[reason.symbol] += 1
    assert parsed >= 1334
    assert parsed + refused.total() == 1423
    # Escapes that do not exist ("C:\dir"), qualifiers with two values in parentheses, "..." and prose.
    assert refused["WBEMMOF_E_ILLEGAL_CONSTANT_VALUE"] + refused["WBEMMOF_E_EXPECTED_CLOSE_PAREN"] >= 60
