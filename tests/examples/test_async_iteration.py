"""examples/async_iteration.py runs as it is, and on a namespace and query of the caller's choice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> list[str]:
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / "async_iteration.py"), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.splitlines()


@pytest.mark.slow
def test_it_prints_this_machines_processes() -> None:
    *rows, count, first, error = run()
    assert count == f"{len(rows)} objects"
    assert any("ProcessId=1" in row.split(", ") or row.endswith("ProcessId=1") for row in rows)
    assert first.startswith("first: Win32_Process")
    assert error == "as expected: WBEM_E_INVALID_CLASS 0x80041010"


@pytest.mark.slow
def test_it_takes_a_namespace_and_a_query() -> None:
    lines = run("--namespace", "root", "--query", "SELECT Name FROM __NAMESPACE WHERE Name = 'cimv2'")
    assert lines[:2] == ["   Name=cimv2", "1 objects"]
