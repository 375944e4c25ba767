"""tools.requirements: the register of requirements finds its gaps."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tools.requirements import (
    CLOSE,
    OPEN,
    Row,
    Section,
    faults,
    fill,
    merge,
    read,
    specified,
    table,
    with_table,
    write,
)

CALLS = """\
# Title
## A. COM
### A.1 Process security [AC]
- A1 The first. See B17 and A2.
- A2 The second.
  - A3 is not at the start of a line's item.
## K. List
- K1 Query. [B17]
- J6a Odd.
### 0.1 Flags [x]
- 0.1a Bits.
"""
MODEL = """\
## 0. Status codes [x]
0-01 Success.
01 FAILED
## G. Host
General rules. G-01 Only keys (A-122). G-02 A value. Trap: see G-77.
| G-10 Win32_OperatingSystem [singleton] | G-99 | x |
A-306 OBS out of order.
A-302 Dispatch (D-06).
text A-500 in the middle
"""


def register(**rows: Row) -> list[Section]:
    return [Section("calls A", "A title", dict(rows), "calls.md A: COM")]


def record(
    collected: dict[str, list[str]],
    *,
    passed: Sequence[str] = (),
    failed: Sequence[str] = (),
    skipped: Sequence[str] = (),
) -> dict[str, Any]:
    return {
        "collected": collected,
        "passed": [*passed],
        "failed": [*failed],
        "skipped": [*skipped],
        "deep": [],
    }


@pytest.fixture(autouse=True)
def _no_specification(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tools.requirements.SPECIFICATION", tmp_path / "absent")


def test_ids_are_those_that_a_line_defines(tmp_path: Path) -> None:
    (tmp_path / "calls.md").write_text(CALLS)
    (tmp_path / "model.md").write_text(MODEL)
    sections = specified(tmp_path)
    assert [section.chapter for section in sections[:2]] == ["calls.md A: COM", "calls.md K: List"]
    found = {section.id: list(section.rows) for section in sections}
    assert found == {
        "calls A.1": ["calls:A1", "calls:A2"],
        "calls K": ["calls:K1", "calls:J6a"],
        "calls 0.1": ["calls:0.1a"],
        "model 0": ["0-01"],
        "model G": ["G-01", "G-02", "G-10", "A-306", "A-302"],
    }


def test_the_register_survives_writing_and_reading(tmp_path: Path) -> None:
    path = tmp_path / "register.toml"
    before = [
        Section(
            "calls A",
            'a "title"',
            {"calls:A1": {"status": "test", "tests": ["a::b", "c::d"], "later": "events"}},
        ),
        Section(
            "model B",
            "é",
            {"B-01": {"status": "n/a", "reason": "why\\not"}, "B-02": {"status": "issue", "issue": "x"}},
        ),
    ]
    write(before, path)
    assert read(path) == before
    assert tomllib.loads(path.read_text())["section"][0]["rows"]["calls:A1"]["tests"] == ["a::b", "c::d"]


def test_collected_markers_fill_rows_and_a_waiting_row_keeps_its_issue() -> None:
    rows = register(A1={"status": "test"}, A2={"status": "issue", "issue": "events"})
    fill(rows, {"A1": ["t::b", "t::a"], "A2": ["t::c"]})
    assert rows[0].rows == {
        "A1": {"status": "test", "tests": ["t::a", "t::b"]},
        "A2": {"status": "test", "later": "events", "tests": ["t::c"]},
    }
    fill(rows, {"A1": ["t::a"]})
    assert rows[0].rows["A2"]["status"] == "issue"
    assert rows[0].rows["A2"]["issue"] == "events"


def test_a_row_that_seemed_beyond_testing_takes_a_test() -> None:
    rows = register(A1={"status": "n/a", "reason": "nobody can"})
    fill(rows, {"A1": ["t::a"]})
    assert rows[0].rows["A1"] == {"status": "test", "tests": ["t::a"]}


def test_what_cannot_be_imported_just_now_keeps_its_rows() -> None:
    rows = register(A1={"status": "test", "tests": ["tests/com/x.py::a", "tests/wql/y.py::b"]})
    fill(rows, {}, ("tests/com",))
    assert rows[0].rows["A1"]["tests"] == ["tests/com/x.py::a"]


def test_a_new_requirement_gets_a_row_and_a_removed_one_loses_it() -> None:
    old = register(A1={"status": "issue", "issue": "x"}, A9={"status": "test"})
    new = merge(register(A1={}, A2={}), old)
    assert new[0].rows == {"A1": {"status": "issue", "issue": "x"}, "A2": {"status": "test"}}


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"status": "test"}, "A1: no test carries it"),
        ({"status": "issue"}, "A1: no issue"),
        ({"status": "n/a"}, "A1: no reason"),
        ({"status": "done"}, "A1: status is one of test, issue, n/a"),
    ],
)
def test_a_row_without_its_proof_is_a_fault(row: Row, fault: str) -> None:
    assert faults(register(A1=row)) == [fault]


def test_a_requirement_without_a_row_is_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "calls.md").write_text("## A. x\n- A1 one\n- A2 two\n")
    (tmp_path / "model.md").write_text("")
    monkeypatch.setattr("tools.requirements.SPECIFICATION", tmp_path)
    monkeypatch.setattr("tools.requirements.specified", lambda: specified(tmp_path))
    row = {"status": "n/a", "reason": "x"}
    assert faults([Section("calls A", "", {"calls:A1": row, "calls:A7": row})]) == [
        "calls:A2: no row",
        "calls:A7: the specification has no such requirement",
    ]


def test_the_session_must_have_run_and_passed_the_test() -> None:
    rows = register(A1={"status": "test", "tests": ["t::a"]})
    assert faults(rows, record({"A1": ["t::a"]}, passed=["t::a"])) == []
    assert faults(rows, record({"A1": ["t::a"]})) == ["A1: none of its tests ran and passed"]
    assert faults(rows, record({"A1": ["t::a"]}, passed=["t::a"], failed=["t::a"])) == ["A1: t::a failed"]
    assert faults(rows, record({"A1": ["t::a", "t::new"]}, passed=["t::a"])) == []
    assert faults(rows, record({"A1": ["t::new"]}, passed=["t::new"]))[0].startswith("A1: t::a is gone")
    assert "unknown requirement" in faults(rows, record({"A1": ["t::a"], "Z9": ["t::a"]}, passed=["t::a"]))[0]


def test_without_the_shared_folder_a_skipped_test_is_excused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = register(A1={"status": "test", "tests": ["t::a"]})
    skipped = record({"A1": ["t::a"]}, skipped=["t::a"])
    assert faults(rows, skipped) == []
    monkeypatch.setattr("tools.requirements.SPECIFICATION", tmp_path)
    monkeypatch.setattr("tools.requirements.specified", lambda: rows)
    assert faults(rows, skipped) == ["A1: none of its tests ran and passed"]


def test_the_readme_table_counts_what_is_proven() -> None:
    rows = register(
        A1={"status": "test", "tests": ["t::a"]},
        A2={"status": "issue", "issue": "events"},
        A3={"status": "n/a", "reason": "x"},
    )
    assert "| calls.md A: COM | 2 | 1 | events 1 |" in table(rows)
    text = with_table(f"a\n{OPEN}\nold\n{CLOSE}\nb\n", rows)
    assert text.startswith(f"a\n{OPEN}\n| chapter")
    assert text.endswith(f"| **all** | 2 | 1 | events 1 |\n{CLOSE}\nb\n")
    assert "old" not in text
    assert with_table(text, rows) == text
    assert with_table("no marks", rows) == "no marks"
