"""What a person at a terminal gets: a table, colour, a list when it is too wide, progress; and nothing that bites."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Mapping

import pytest
from tests.cli.conftest import ROOT

SCRIPT = """
import sys
import openwmi.testing
from openwmi.cli import main, progress

progress.PATIENCE = progress.INTERVAL = {patience}
openwmi.testing.provide("root/CliTests", "class Cli_Shown { [key] uint32 Id; string Text; };", lambda: [
    {"Id": number, "Text": "\\x1b[31mred\\x07" + "x" * {width}} for number in (1, 2)])
sys.exit(main(["-n", "root/CliTests", *sys.argv[1:]]))
"""
QUERY = ("query", "SELECT Id, Text FROM Cli_Shown")


def at_terminal(
    *arguments: str, width: int = 5, eager: bool = False, environment: Mapping[str, str] | None = None
) -> str:
    """What appears on a terminal of 80 columns."""
    main, side = pty.openpty()
    script = SCRIPT.replace("{width}", str(width)).replace("{patience}", "0" if eager else "60")
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdout=side,
        stderr=side,
        stdin=subprocess.DEVNULL,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "src"),
            "TERM": "xterm",
            "COLUMNS": "80",
            **(environment or {}),
        },
    )
    os.close(side)
    shown = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        shown += piece
    os.close(main)
    process.wait(timeout=10)
    return shown.decode().replace("\r\n", "\n")


def test_a_terminal_gets_a_table() -> None:
    shown = at_terminal(*QUERY, environment={"NO_COLOR": "1"})
    assert shown.splitlines() == [
        "Id  Text",
        "--  --------------------",
        " 1  \\x1b[31mred\\x07xxxxx",
        " 2  \\x1b[31mred\\x07xxxxx",
    ]


def test_a_table_that_is_too_wide_becomes_a_list() -> None:
    shown = at_terminal(*QUERY, width=100, environment={"NO_COLOR": "1"})
    assert shown.splitlines()[:2] == ["Id   : 1", "Text : \\x1b[31mred\\x07" + "x" * 100]


@pytest.mark.slow
def test_colour_is_for_terminals_and_can_be_refused() -> None:
    assert "\x1b[1m" in at_terminal(*QUERY)
    assert "\x1b" not in at_terminal(*QUERY, environment={"NO_COLOR": "1"})
    assert "\x1b" not in at_terminal(*QUERY, environment={"TERM": "dumb"})
    assert "\x1b" not in at_terminal(*QUERY, "--color", "never")
    assert "\x1b[1;31merror:" in at_terminal("query", "SELEC")


@pytest.mark.parametrize("name", ["table", "list", "tsv", "csv", "json", "jsonl", "mof"])
def test_no_value_reaches_the_terminal_as_a_command(name: str) -> None:
    shown = at_terminal(*QUERY, "-o", name, "--color", "never")
    assert "red" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown


@pytest.mark.slow
def test_progress_is_one_line_that_makes_room_for_the_rows() -> None:
    """Win32_Process reports progress; the line appears, moves, and is wiped before rows are written."""
    query = (
        "query",
        "SELECT Name FROM Win32_Process",
        "-n",
        "root/cimv2",
        "--color",
        "never",
    )
    shown = at_terminal(*query, eager=True)
    assert " of " in shown
    assert "(Ctrl-C cancels)" in shown
    after = shown.rpartition("\r\x1b[K")[2]
    assert after.startswith("Name\n----")
    assert "Ctrl-C" not in at_terminal(*query)
    assert "Ctrl-C" not in at_terminal(*query, "-q", eager=True)


def test_one_object_is_a_list() -> None:
    shown = at_terminal("get", "Cli_Shown=1", environment={"NO_COLOR": "1"})
    assert shown.splitlines()[0] == "Id   : 1"


ENDLESS = """
import sys, time
import openwmi.testing
from openwmi.cli import main

def rows():
    while True:
        try:
            sys.stderr.write("asleep\\n")
            sys.stderr.flush()
            time.sleep(60)
        except KeyboardInterrupt:
            sys.stderr.write("provider will not stop\\n")
            sys.stderr.flush()
        yield {"Id": 1}

openwmi.testing.provide("root/CliTests", "class Cli_Stubborn { [key] uint32 Id; };", rows)
sys.exit(main(["-n", "root/CliTests", "query", "SELECT * FROM Cli_Stubborn WHERE Id = 2"]))
"""


@pytest.mark.slow
def test_a_second_interrupt_leaves_whatever_the_provider_does() -> None:
    """The provider swallows the first interrupt, which nobody can help; the second one ends the process."""
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "asleep\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline() == "provider will not stop\n"
        assert process.stderr.readline() == "asleep\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
