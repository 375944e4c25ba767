"""Start: CPU time over a bare interpreter, in units of `import asyncio`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.harness import Budget, Line, Note, Work, detail, in_turn

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 15
FLAGS = ("-I", "-S")  # as ./openwmi starts Python
MAIN = (
    f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); from openwmi.cli import main; sys.exit(main())"
)
QUERY = "SELECT Name, ProcessId FROM Win32_Process"


def python() -> str:
    """The interpreter itself: a launcher script in front of it (pyenv's, a virtual environment's) would be measured."""
    return os.path.realpath(sys.executable)


def cpu_of(work: Work) -> float:
    """CPU seconds of the child process that `work` runs."""
    return float(work())  # type: ignore[arg-type]


def child(*command: str) -> Work:
    """Runs a command with its output into a pipe that is read to the end; gives the CPU seconds it used."""

    # The launcher takes this Python, not a version manager's script of the same name.
    environment = {**os.environ, "PYTHON": python()}

    def work() -> float:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        assert process.stdout is not None
        output = process.stdout.read()
        process.stdout.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(
                f"{command[-3:]} ended with {process.returncode}: {output.decode(errors='replace')}"
            )
        return usage.ru_utime + usage.ru_stime

    return work


def measure() -> list[Line]:
    ours = (python(), *FLAGS, "-c", MAIN)
    contenders = {
        "bare": child(python(), *FLAGS, "-c", "pass"),
        "asyncio": child(python(), *FLAGS, "-c", "import asyncio"),
        "version": child(*ours, "--version"),
        "first row": child(*ours, "query", QUERY, "--limit", "1"),
        "all rows": child(*ours, "query", QUERY),
        "./openwmi": child(str(ROOT / "openwmi"), "query", QUERY, "--limit", "1"),
    }
    times = in_turn(contenders, rounds=ROUNDS, measure=cpu_of)
    over = {
        name: [a - b for a, b in zip(values, times["bare"], strict=True)] for name, values in times.items()
    }
    unit = sorted(over["asyncio"])[ROUNDS // 2]
    share = {name: sorted(values)[ROUNDS // 2] / unit for name, values in over.items()}
    return [
        Budget(
            "--version",
            share["version"],
            0.4,
            at_least=False,
            detail=detail(times, "version", "bare", "asyncio"),
        ),
        Budget(
            "first row of a local query to a pipe",
            share["first row"],
            1.5,
            at_least=False,
            detail=detail(times, "first row"),
        ),
        Note(
            f"all processes, two columns, to a pipe: {share['all rows']:.2f}x  [{detail(times, 'all rows')}]"
        ),
        Note(f"the first row through the launcher, its shell included: {share['./openwmi']:.2f}x"),
    ]
