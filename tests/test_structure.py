"""What holds for the tree as a whole: the start path, what stands where, and how modules look."""

from __future__ import annotations

import ast
import os
import re
import statistics
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "openwmi"
MODULES = sorted(PACKAGE.rglob("*.py"))

SANS_IO = {"model", "mof", "wmio", "wql", "contract", "wire"}
# Clocks, randomness, threads, tasks and sockets are the business of the rooms around them.
INPUT_OUTPUT = {
    *(
        "asyncio",
        "concurrent",
        "multiprocessing",
        "queue",
        "random",
        "secrets",
        "select",
        "selectors",
        "signal",
    ),
    *("logging", "socket", "ssl", "subprocess", "tempfile", "threading", "time"),
}
# What a local query to a pipe has no use for; each costs the start 5 to 100 ms (DESIGN.md section 7).
HEAVY = {
    *(
        "asyncio",
        "concurrent.futures",
        "cryptography",
        "dataclasses",
        "email",
        "http",
        "inspect",
        "json",
        "logging",
    ),
    *("pathlib", "rich", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "urllib.parse"),
    *(
        "openwmi.wire",
        "openwmi.remote",
        "openwmi.repository.store",
        "openwmi.scripting",
        "openwmi.com",
        "openwmi.faces.com",
    ),
}


def named(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


every_module = pytest.mark.parametrize("path", MODULES, ids=named)


# What is imported ---------------------------------------------------------------------------------------------


def imported_by(*arguments: str) -> set[str]:
    """The modules that a fresh interpreter loads to run one command line, as `./openwmi` starts it.

    On a machine whose store nothing has been written to yet: where there is one, a query has to read it.
    """
    program = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); from openwmi.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "importtime", "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OPENWMI_HOME": str(ROOT / "no-such-folder")},
    )
    lines = re.findall(r"^import time: .*\|\s+([\w.]+)$", done.stderr, re.MULTILINE)
    noise = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert done.returncode == 0, "\n".join(noise)
    assert done.stdout
    return set(lines)


def test_version_loads_next_to_nothing() -> None:
    loaded = imported_by("--version")
    assert {name for name in loaded if name.startswith("openwmi")} <= {"openwmi", "openwmi.cli"}
    assert not loaded & {*HEAVY, "argparse", "enum", "re", "typing"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "query",
    ["SELECT Name, ProcessId FROM Win32_Process", "SELECT * FROM Win32_OperatingSystem"],
    ids=["rows", "one"],
)
def test_a_local_query_loads_no_more_than_it_needs(query: str) -> None:
    loaded = imported_by("query", query)
    assert "openwmi.wql" in loaded
    assert sorted(loaded & HEAVY) == []


# Where imports stand ------------------------------------------------------------------------------------------


def imports(tree: ast.Module, *, everywhere: bool) -> Iterator[str]:
    """The modules that `tree` imports at run time: at its top only, or everywhere; never those for types alone."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += node.orelse
        elif everywhere or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            pending += ast.iter_child_nodes(node)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", [path for path in MODULES if room_of(path) in SANS_IO], ids=named)
def test_a_room_without_io_touches_none(path: Path) -> None:
    used = {name.split(".")[0] for name in imports(ast.parse(path.read_text("utf-8")), everywhere=True)}
    assert sorted(used & INPUT_OUTPUT) == []


@pytest.mark.parametrize(
    "path", [path for path in MODULES if room_of(path) in {"faces", "com", "cli"}], ids=named
)
def test_faces_open_a_host_or_a_remote_inside_a_function(path: Path) -> None:
    late = (
        "openwmi.host",
        "openwmi.remote",
        "openwmi.service",
        "openwmi.repository.store",
        "openwmi.providers",
        "openwmi.wire",
    )
    names = imports(ast.parse(path.read_text("utf-8")), everywhere=False)
    assert [name for name in names if f"{name}.".startswith(tuple(f"{room}." for room in late))] == []


# How a module looks -------------------------------------------------------------------------------------------


@every_module
def test_a_module_says_what_lives_there(path: Path) -> None:
    first = (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n\n")[0]
    assert first.rstrip().endswith((".", ")")), "the docstring's first sentence says what lives in the module"


@every_module
def test_nothing_is_left_to_be_done_in_a_comment(path: Path) -> None:
    found = re.findall(r"#.*\b(?:TODO|FIXME|XXX|HACK)\b.*", path.read_text("utf-8"))
    assert found == [], "an open end is an issue, or a row in tests/requirements.toml"


def lengths_of_functions() -> list[tuple[int, str]]:
    return [
        ((node.end_lineno or node.lineno) - node.lineno + 1, f"{named(path)}:{node.lineno} {node.name}")
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


@pytest.mark.slow
def test_modules_and_functions_stay_short() -> None:
    """STYLE.md: the median module has 150-200 lines, and 95 % of the functions stay under 50."""
    modules = {named(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    longest = sorted(modules.items(), key=lambda pair: -pair[1])[:8]
    assert statistics.median(modules.values()) <= 200, longest
    assert longest[0][1] <= 700, longest
    functions = sorted(lengths_of_functions(), reverse=True)
    assert functions[len(functions) // 20][0] < 50, functions[: len(functions) // 20]


# What is packaged ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_wheel_holds_everything_below_the_package(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("openwmi/")}
    kept = (path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc")
    assert {str(path.relative_to(PACKAGE.parent)) for path in kept} == packed
    assert any(name.endswith(".mof") for name in packed)
    assert "openwmi/py.typed" in packed
