"""What the command line loads before it answers: the budgets of start, as a list of modules that must not be there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.cli.conftest import ROOT

RUN = """
import sys
before = set(sys.modules)
sys.path.insert(0, {source!r})
from openwmi.cli import main
code = main({arguments!r})
sys.stderr.write(" ".join(sorted(set(sys.modules) - before)))
sys.exit(code)
"""
# Never for a local query: what would cost more than it, and what belongs to other ways of calling.
HEAVY = {
    *(
        "asyncio",
        "ssl",
        "socket",
        "selectors",
        "logging",
        "inspect",
        "dataclasses",
        "json",
        "sqlite3",
        "pathlib",
    ),
    *(
        "argparse",
        "datetime",
        "difflib",
        "traceback",
        "subprocess",
        "concurrent",
        "hashlib",
        "secrets",
        "urllib",
    ),
    *(
        "rich",
        "cryptography",
        "psutil",
        "zoneinfo",
        "xml",
        "tempfile",
        "shutil",
        "decimal",
        "fnmatch",
        "textwrap",
    ),
    *(
        "openwmi.wire",
        "openwmi.wmio",
        "openwmi.remote",
        "openwmi.faces",
        "openwmi.cli.failures",
        "openwmi.wql.events",
    ),
    *("openwmi.mof.compiler", "openwmi.mof.printer", "openwmi.mof.cimxml", "openwmi.service.core"),
}


def loaded(*arguments: str) -> set[str]:
    """The modules that a command line adds to those of a bare interpreter started as the launcher starts it, on a
    machine where nothing is stored yet."""
    program = RUN.format(source=str(ROOT / "src"), arguments=list(arguments))
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        env={**os.environ, "OPENWMI_HOME": "/no/such/home"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(ended.stderr.split())


def test_version_loads_next_to_nothing() -> None:
    assert {name for name in loaded("--version") if name.startswith("openwmi")} == {"openwmi", "openwmi.cli"}
    assert loaded("--version") <= {"__future__", "gc", "openwmi", "openwmi.cli"}


def test_help_loads_no_verb() -> None:
    assert not {name for name in loaded("--help") if name.startswith("openwmi.cli.")}


@pytest.mark.parametrize("arguments", [(), ("--explain",), ("-o", "csv"), ("-o", "list")], ids=str)
def test_a_local_query_loads_no_event_loop_and_nothing_heavy(arguments: tuple[str, ...]) -> None:
    names = loaded("query", "SELECT Name, ProcessId FROM Win32_Process WHERE ProcessId > 0", *arguments)
    heavy = {name for name in names if name in HEAVY or any(name.startswith(f"{one}.") for one in HEAVY)}
    assert not heavy


@pytest.mark.parametrize(
    "arguments", [["-I", "-S", "-c", "{run}"], ["-m", "openwmi"]], ids=["as the launcher does", "python -m"]
)
def test_the_version_is_printed(arguments: list[str]) -> None:
    run = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); from openwmi.cli import main; sys.exit(main())"
    ended = subprocess.run(
        [sys.executable, *(argument.replace("{run}", run) for argument in arguments), "--version"],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT / "src")},
        timeout=60,
    )
    assert ended.returncode == 0
    assert ended.stdout.startswith("openwmi ")
    assert ended.stdout.strip().removeprefix("openwmi ")[0].isdigit()
