"""openwmi query: rows as they come, limit, parameters, plan, progress, interrupts, readers that leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.conftest import NAMESPACE, ROOT, Main, Program

import openwmi.testing

PY = "SELECT Name, ProcessId FROM Win32_Process WHERE Name LIKE 'py%'"
DEBIAN = "/usr/bin/python3"

# An endless class, slow enough to be caught in the act, that says when its provider is told to stop.
ENDLESS = """
import sys, time
import openwmi.testing
from openwmi.cli import main

def rows():
    number = 0
    try:
        while True:
            number += 1
            yield {"Number": number}
            time.sleep({pause})
    finally:
        sys.stderr.write("source ended\\n")
        sys.stderr.flush()

openwmi.testing.provide("root/CliTests", "class Cli_Endless { [key] uint32 Number; };", rows)
sys.exit(main(["query", "SELECT * FROM Cli_Endless", "-n", "root/CliTests", *sys.argv[1:]]))
"""


def endless(*arguments: str, pause: float = 0.01, **streams: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", ENDLESS.replace("{pause}", str(pause)), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams},  # type: ignore[call-overload]
    )


def test_the_first_command_of_the_readme_prints_real_rows(program: Program) -> None:
    code, out, err = program("query", "SELECT Name, ProcessId FROM Win32_Process")
    assert (code, err) == (0, "")
    rows = [line.split("\t") for line in out.splitlines()]
    assert {len(row) for row in rows} == {2}
    assert len(rows) > 1
    assert "1" in {pid for _, pid in rows}


@pytest.mark.skipif(not Path(DEBIAN).exists(), reason="needs the system's Python")
def test_the_system_python_needs_no_packages() -> None:
    """This test runs under a Python program, so that at least one row matches."""
    ended = subprocess.run(
        [str(ROOT / "openwmi"), "query", PY],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/tmp"), "PYTHON": DEBIAN},
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    names = [line.split("\t")[0] for line in ended.stdout.splitlines()]
    assert all(name.lower().startswith("py") for name in names)


def test_limit_stops_and_says_so(main: Main) -> None:
    code, out, err = main("query", "SELECT Number FROM Cli_Number", "--limit", "3")
    assert (code, out) == (0, "0\n1\n2\n")
    assert err == "3 rows shown, more exist (--limit 0 shows all)\n"


@pytest.mark.parametrize("limit", ["10", "11", "0"])
def test_a_limit_that_is_not_reached_says_nothing(main: Main, limit: str) -> None:
    code, out, err = main("query", "SELECT Number FROM Cli_Number", "--limit", limit)
    assert (code, len(out.splitlines()), err) == (0, 10, "")


def test_parameters_are_quoted(main: Main) -> None:
    text = "SELECT Id FROM Cli_Everything WHERE Label = {label} OR Id = {id}"
    assert main("query", text, "--param", "label=fir'st", "--param", "id=2").out == "2\n"
    assert main("query", text, "--param=label=first", "--param", "id=9").out == "1\n"


def test_explain_prints_the_plan_and_runs_nothing(main: Main) -> None:
    code, out, err = main("query", "SELECT Label FROM Cli_Everything WHERE Id = 2", "--explain")
    assert (code, err) == (0, "")
    assert "Cli_Everything" in out
    assert "Label" in out
    assert "first" not in out
    assert main("query", "SELECT * FROM meta_class", "--explain").code == 0


def test_options_may_stand_anywhere(main: Main) -> None:
    text = "SELECT Number FROM Cli_Number WHERE Number = 7"
    out = main("query", text, "-o", "jsonl").out
    assert main("-o", "jsonl", "query", text).out == out
    assert main("query", "-ojsonl", text).out == out
    assert main("query", "--output=jsonl", text).out == out
    assert json.loads(out) == {"Number": 7}


def test_q_is_query(main: Main) -> None:
    assert main("q", "SELECT Number FROM Cli_Number WHERE Number = 7").out == "7\n"


@pytest.mark.slow
def test_each_row_is_written_when_it_comes() -> None:
    """The provider waits a minute after its first row; nobody waits for the minute."""
    process = endless(pause=60)
    assert process.stdout is not None
    started = time.monotonic()
    assert process.stdout.readline() == "1\n"
    assert time.monotonic() - started < 30
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)


@pytest.mark.slow
def test_an_interrupt_cancels_at_the_source() -> None:
    process = endless()
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "source ended" in err
    assert "cancelled" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_json_that_was_interrupted_can_still_be_read() -> None:
    with endless("-o", "json") as process:
        assert process.stdout is not None
        begun = process.stdout.readline() + process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert json.loads(begun + process.stdout.read())[0] == {"Number": 1}


@pytest.mark.slow
def test_a_reader_that_leaves_ends_the_query_quietly() -> None:
    with endless() as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == "source ended\n"
    assert process.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_an_error() -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [str(ROOT / "openwmi"), "query", "SELECT ProcessId FROM Win32_Process"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: the results could not be written: ")
    assert "Traceback" not in ended.stderr


def test_progress_is_reported_when_asked(program: Program) -> None:
    code, out, err = program("query", "SELECT Name FROM Win32_Process", "--progress")
    assert code == 0
    assert err.startswith("progress: ")
    assert " of " in err
    assert "progress" not in out


def test_a_schema_query_prints_classes(main: Main) -> None:
    out = main("query", "SELECT * FROM meta_class WHERE __this ISA 'Cli_Base'").out
    assert {"Cli_Base\t\\N", "Cli_Other\tCli_Base", "Cli_Everything\tCli_Base"} <= set(out.splitlines())


LINKS = """
[association] class Cli_Link { [key] Cli_Other ref Left; [key] Cli_Everything ref Right; };
"""


@pytest.mark.req("D-73")
def test_what_is_associated_is_printed_with_the_columns_of_its_classes(main: Main) -> None:
    link = {"Left": 'Cli_Other.Name="o"', "Right": "Cli_Everything.Id=2"}
    openwmi.testing.provide(NAMESPACE, LINKS, lambda: [link])
    text = "ASSOCIATORS OF {Cli_Other.Name='o'}"
    (row,) = json.loads(main("query", text, "-o", "json").out)
    assert (row["Id"], row["Texts"]) == (2, [])
    assert main("query", text, "-o", "name").out == "Cli_Everything.Id=2\n"
    assert main("query", "REFERENCES OF {Cli_Other.Name='o'}", "-o", "csv").out.startswith("Left,Right\r\n")
    assert main("query", f"{text} WHERE ClassDefsOnly", "-o", "name").out == "Cli_Everything\n"
    assert main("query", text, "--explain").code == 0
