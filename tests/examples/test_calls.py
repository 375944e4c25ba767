"""The page's two procedures as programs: examples/asynchronous_call.py and examples/semisynchronous_call.py."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FAILED = "SetStatus(COMPLETE, 0x80041010)"


def run(name: str, *arguments: str) -> list[str]:
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / name), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.splitlines()


@pytest.mark.parametrize("name", ["asynchronous_call.py", "semisynchronous_call.py"])
def test_the_seven_steps_are_named_in_order(name: str) -> None:
    text = (ROOT / "examples" / name).read_text()
    assert re.findall(r"# Step (\d):", text) == list("1234567")


def heard(lines: list[str]) -> tuple[list[str], list[str]]:
    """What the sinks of the two calls heard, in order."""
    first = lines.index("the first call heard:")
    second = next(number for number, line in enumerate(lines) if line.startswith("CancelAsyncCall returned"))
    return lines[first + 1 : second], lines[second + 1 :]


@pytest.mark.slow
def test_asynchronous_call_on_real_processes() -> None:
    lines = run("asynchronous_call.py")
    first, second = heard(lines)
    assert first[-1].startswith("  SetStatus(COMPLETE, 0x00000000)")
    assert any(line.startswith("  SetStatus(PROGRESS): ") for line in first)
    indicated = [int(found[1]) for line in first if (found := re.match(r"  Indicate\((\d+)\)", line))]
    assert sum(indicated) > 0
    assert "CancelAsyncCall returned 0x00000000; the second call heard:" in lines
    assert second[-1].startswith("  SetStatus(COMPLETE, 0x80041032)")
    assert sum("COMPLETE" in line for line in first + second) == 2


@pytest.mark.slow
def test_asynchronous_call_on_another_query() -> None:
    first, second = heard(run("asynchronous_call.py", "--query", "SELECT * FROM No_Such_Class"))
    for lines in (first, second):
        assert lines[0].startswith(f"  {FAILED}")
        assert "No_Such_Class" in lines[1]
    first, _ = heard(
        run("asynchronous_call.py", "--namespace", "root", "--query", "SELECT Name FROM __NAMESPACE")
    )
    assert first[0].startswith("  Indicate")
    assert first[-1].startswith("  SetStatus(COMPLETE, 0x00000000)")


@pytest.mark.slow
def test_semisynchronous_call() -> None:
    lines = run("semisynchronous_call.py", "--query", "SELECT * FROM Win32_OperatingSystem")
    assert "Name=" in lines[0]
    assert lines[1].startswith("1 objects, ")
    assert lines[2] == "the operation ended with 0x00000000"
    assert lines[3] == "instance of Win32_OperatingSystem"
    assert lines[-1] == "};"
