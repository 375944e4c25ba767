"""The register of requirements: every ID of the specification, and the test, issue or reason that answers it.

tests/requirements.toml has one row for every requirement of calls.md and model.md. A row's status is
`test` (a test carries `@pytest.mark.req("calls:B17")` or `req("A-160")`), `issue` (the later work that will bring
it) or `n/a` (with the reason why no program can keep it, or need not). A row of status `test` may also say under
`later` which work brings what is missing of it.

    python -m tools.requirements --update           collect the markers and fill in the rows' tests
    python -m tools.requirements --check [RECORD]   fail on a gap; RECORD is what a test session wrote
    python -m tools.requirements --readme           renew the table of what works in README.md
    python -m tools.requirements --list issue       the rows of one status
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
REGISTER = ROOT / "tests" / "requirements.toml"
README = ROOT / "README.md"
SPECIFICATION = ROOT.parent / "shared" / "spec"
STATUSES = ("test", "issue", "n/a")
OPEN, CLOSE = "<!-- works:begin -->", "<!-- works:end -->"

Row = dict[str, Any]


class Section(NamedTuple):
    """A part of the specification with its rows, in the order of the text; `chapter` is the heading above it."""

    id: str
    title: str
    rows: dict[str, Row]
    chapter: str = ""


# Reading the specification ------------------------------------------------------------------------------------

_HEADING = re.compile(r"(?P<level>#{2,3}) (?:(?P<id>[0-9A-K](?:\.?\d+)?)\.? )(?P<title>.+)")
_TITLE_END = re.compile(r" \[| \((?:all names|L =|E =|singleton|provider side|object model)")
_CALLS_ID = re.compile(r"- (0\.\d[a-z]|[A-K]\d+[a-z]?) ")
_MODEL_ID = re.compile(r"(?:\| )?((?:0|[A-G])-\d{2,3}) ")
_MODEL_RUN_IN = re.compile(r"\b(G-\d{2}) (?=[A-Z])")  # "General rules. G-01 Only ... G-02 A value ..."


def specified(folder: Path = SPECIFICATION) -> list[Section]:
    """The sections of calls.md and model.md with the IDs they define; rows are empty."""
    return _sections(folder / "calls.md", "calls:") + _sections(folder / "model.md", "")


def _sections(page: Path, prefix: str) -> list[Section]:
    sections: list[Section] = []
    chapter = ""
    for line in page.read_text(encoding="utf-8").splitlines():
        if heading := _HEADING.match(line):
            title = _TITLE_END.split(heading["title"])[0].strip()
            if heading["level"] == "##":
                chapter = f"{page.stem}.md {heading['id']}: {title}"
            sections.append(Section(f"{page.stem} {heading['id']}", title, {}, chapter))
        elif sections:
            for name in _defined(line, prefix):
                sections[-1].rows[prefix + name] = {}
    return [section for section in sections if section.rows]


def _defined(line: str, prefix: str) -> list[str]:
    if line.startswith(("General rules.", "Units that")):
        return _MODEL_RUN_IN.findall(line)
    found = (_CALLS_ID if prefix else _MODEL_ID).match(line)
    return [found[1]] if found else []


# The register -------------------------------------------------------------------------------------------------


def read(path: Path = REGISTER) -> list[Section]:
    """The register as it stands."""
    if not path.exists():
        return []
    tables = tomllib.loads(path.read_text(encoding="utf-8"))["section"]
    return [Section(table["id"], table["title"], table["rows"], table["chapter"]) for table in tables]


def write(sections: list[Section], path: Path = REGISTER) -> None:
    lines = [
        "# The register of requirements: one row for every ID of the specification (tools/requirements.py).",
        "# Lists of tests are collected from the markers: python -m tools.requirements --update",
    ]
    for section in sections:
        lines += ["", "[[section]]", f"id = {_text(section.id)}", f"title = {_text(section.title)}"]
        lines += [f"chapter = {_text(section.chapter)}", "[section.rows]"]
        lines += [f"{_text(name)} = {_inline(row)}" for name, row in section.rows.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)  # a JSON string without surrogates is a TOML basic string


def _inline(row: Row) -> str:
    parts = [f"{key} = {_text(row[key])}" for key in ("status", "issue", "reason", "later") if row.get(key)]
    tests = row.get("tests", [])
    if len(tests) == 1:
        parts.append(f"tests = [{_text(tests[0])}]")
    elif tests:
        parts.append("tests = [\n" + "".join(f"    {_text(test)},\n" for test in tests) + "]")
    return "{ " + ", ".join(parts) + " }"


def merge(sections: list[Section], register: list[Section]) -> list[Section]:
    """The rows of the register in the specification's order; a requirement without a row gets an empty one."""
    rows = {name: row for section in register for name, row in section.rows.items()}
    return [
        section._replace(rows={name: rows.get(name) or {"status": "test"} for name in section.rows})
        for section in sections
    ]


def fill(register: list[Section], collected: dict[str, list[str]], broken: tuple[str, ...] = ()) -> None:
    """Put the collected tests into the rows; those of paths that are broken just now stay as they are.

    A row that waited for an issue and has a test now keeps the issue under `later`: strike it out by hand when
    nothing is missing.
    """
    for section in register:
        for name, row in section.rows.items():
            kept = (test for test in row.get("tests", ()) if broken and test.startswith(broken))
            tests = sorted({*collected.get(name, ()), *kept})
            if tests and row["status"] == "issue":
                row["status"], row["later"] = "test", row.pop("issue")
            elif tests and row["status"] == "n/a":  # somebody found a way
                row["status"] = "test"
                del row["reason"]
            elif not tests and row["status"] == "test" and "later" in row:
                row["status"], row["issue"] = "issue", row.pop("later")
            if row["status"] == "test":
                row["tests"] = tests


def collect() -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """The markers of the test tree, requirement ID to tests; and the paths that could not be imported."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "record.json")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only", "-q", "--continue-on-collection-errors"],
            cwd=ROOT,
            env={**os.environ, "OPENWMI_RECORD": str(target)},
            capture_output=True,
            text=True,
            check=False,
        )
        broken = re.findall(r"^ERROR (\S+)", done.stdout, re.MULTILINE)
        for path in broken:
            print(f"{path} cannot be imported: its rows stay as they are", file=sys.stderr)
        return json.loads(target.read_text(encoding="utf-8"))["collected"], tuple(broken)


# Checking -----------------------------------------------------------------------------------------------------


def faults(register: list[Section], record: dict[str, Any] | None = None) -> list[str]:
    """What is wrong with the register, a line each; with the record of a session, also what that session shows."""
    rows = {name: row for section in register for name, row in section.rows.items()}
    found = [fault for name, row in rows.items() for fault in _shape(name, row)]
    if SPECIFICATION.is_dir():
        wanted = [name for section in specified() for name in section.rows]
        found += [f"{name}: no row" for name in wanted if name not in rows]
        found += [f"{name}: the specification has no such requirement" for name in rows if name not in wanted]
    if record is not None:
        found += _against(rows, record)
    return found


def _shape(name: str, row: Row) -> list[str]:
    status = row.get("status")
    needed = {"test": "tests", "issue": "issue", "n/a": "reason"}.get(status or "")
    if needed is None:
        return [f"{name}: status is one of {', '.join(STATUSES)}"]
    if not row.get(needed):
        return [f"{name}: {'no test carries it' if status == 'test' else f'no {needed}'}"]
    return []


def _against(rows: dict[str, Row], record: dict[str, Any]) -> list[str]:
    collected: dict[str, list[str]] = record["collected"]
    passed, failed, deep = set(record["passed"]), set(record["failed"]), set(record["deep"])
    # A clone without the shared folder beside it skips the tests that read real-world data.
    excused = set() if SPECIFICATION.is_dir() else set(record["skipped"]) - deep
    found = [
        f"{name}: {tests[0]} names an unknown requirement"
        for name, tests in collected.items()
        if name not in rows
    ]
    for name, row in rows.items():
        tests = row.get("tests", [])
        if gone := set(tests) - set(collected.get(name, [])):
            found.append(f"{name}: {min(gone)} is gone (python -m tools.requirements --update)")
        elif row["status"] == "test" and tests:
            if failing := failed.intersection(tests):
                found.append(f"{name}: {min(failing)} failed")
            elif not passed.union(excused).intersection(tests):
                found.append(
                    f"{name}: none of its tests ran and passed{' (deep only)' if set(tests) <= deep else ''}"
                )
    return found


def _unlisted(register: list[Section], record: dict[str, Any]) -> int:
    """How many markers the register does not list: no fault, since what it does list holds."""
    collected: dict[str, list[str]] = record["collected"]
    return sum(
        len(set(collected.get(name, ())) - set(row.get("tests", ())))
        for section in register
        for name, row in section.rows.items()
    )


# The README's table -------------------------------------------------------------------------------------------


def table(register: list[Section]) -> str:
    """What works, by chapter of the specification, as a Markdown table."""
    chapters: dict[str, list[Row]] = {}
    for section in register:
        chapters.setdefault(section.chapter, []).extend(section.rows.values())
    lines = [
        "| chapter of the specification | requirements | proven by tests | still to come |",
        "|---|---:|---:|---|",
    ]
    for chapter, rows in chapters.items():
        lines.append(_line(chapter, rows))
    lines.append(_line("**all**", [row for rows in chapters.values() for row in rows]))
    return "\n".join(lines)


def _line(chapter: str, rows: list[Row]) -> str:
    """One line of the table. A requirement that a test proves in part is counted there, and named as still to come."""
    applies = [row for row in rows if row["status"] != "n/a"]
    proven = sum(1 for row in applies if row["status"] == "test" and row.get("tests"))
    waits = Counter(row.get("issue") or row.get("later") for row in applies)
    rest = ", ".join(f"{issue} {count}" for issue, count in waits.items() if issue)
    return f"| {chapter} | {len(applies)} | {proven} | {rest} |"


def with_table(text: str, register: list[Section]) -> str:
    """README's text with the table between its two marks renewed; unchanged where it has no marks."""
    if OPEN not in text or CLOSE not in text:
        return text
    head, _, rest = text.partition(OPEN)
    _, _, tail = rest.partition(CLOSE)
    return f"{head}{OPEN}\n{table(register)}\n{CLOSE}{tail}"


# ----------------------------------------------------------------------------------------------------------------


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--check", nargs="?", const="", metavar="RECORD")
    parser.add_argument("--readme", action="store_true")
    parser.add_argument("--list", choices=[*STATUSES, "missing"])
    options = parser.parse_args(argv)
    register = read()
    if options.update:
        if SPECIFICATION.is_dir():
            register = merge(specified(), register)
        fill(register, *collect())
        write(register)
    if (options.update or options.readme) and README.exists():
        text = README.read_text(encoding="utf-8")
        if (renewed := with_table(text, register)) != text:
            README.write_text(renewed, encoding="utf-8")
    if options.list:
        _print_rows(register, options.list)
    return _check(register, options.check) if options.check is not None else 0


def _print_rows(register: list[Section], status: str) -> None:
    for section in register:
        for name, row in section.rows.items():
            if status == "missing" and not _shape(name, row):
                continue
            if status in (row["status"], "missing"):
                print(name, row.get("issue") or row.get("reason") or " ".join(row.get("tests", [])), sep="\t")


def _check(register: list[Section], record: str) -> int:
    found = faults(register, json.loads(Path(record).read_text(encoding="utf-8")) if record else None)
    if README.exists() and with_table(text := README.read_text(encoding="utf-8"), register) != text:
        found.append(
            "README.md: the table of what works is not current (python -m tools.requirements --readme)"
        )
    for fault in found:
        print(fault, file=sys.stderr)
    if record and (more := _unlisted(register, json.loads(Path(record).read_text(encoding="utf-8")))):
        print(
            f"{more} markers are not in the register yet: python -m tools.requirements --update",
            file=sys.stderr,
        )
    if found:
        print(f"{len(found)} faults in tests/requirements.toml", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
