"""examples/temporary_consumer.py: it hears of a process that starts, ends by cancelling, and says what is wrong."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CANCELLED = "SetStatus(COMPLETE, 0x80041032)"
NOTHING = "SELECT * FROM __NamespaceDeletionEvent"


@contextmanager
def consumer(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The running example, once it waits for events or has ended."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", str(ROOT / "examples" / "temporary_consumer.py"), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        yield running
        running.kill()


def ended(running: subprocess.Popen[str]) -> tuple[int, list[str], str]:
    out, err = running.communicate(timeout=60)
    return running.returncode, out.splitlines(), err


def waits(running: subprocess.Popen[str]) -> None:
    assert running.stderr is not None
    assert running.stderr.readline().startswith("waiting for events: ")


@pytest.mark.slow
@pytest.mark.req("calls:B85", "calls:D6", "calls:C11")
def test_it_hears_of_a_process_and_ends_by_cancelling() -> None:
    query = "SELECT * FROM __InstanceCreationEvent WITHIN 0.1 WHERE TargetInstance ISA 'Win32_Process'"
    with consumer("--query", query) as running:
        waits(running)
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:
            assert running.stdout is not None
            lines = iter(running.stdout.readline, "")
            assert any(line.endswith(f"(process {started.pid})\n") for line in lines)
            assert started.stdin is not None
            started.stdin.close()
        running.send_signal(signal.SIGINT)
        code, out, err = ended(running)
    assert (code, err) == (0, "")
    assert out[-1].startswith(CANCELLED)


@pytest.mark.slow
def test_it_ends_after_as_many_events_as_it_was_told() -> None:
    with consumer("--count", "1", "--for", "30") as running:
        waits(running)
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:
            code, out, err = ended(running)
            assert started.stdin is not None
            started.stdin.close()
    assert (code, err) == (0, "")
    assert len(out) == 2
    assert re.fullmatch(r"__InstanceCreationEvent: .+ \(process \d+\)", out[0])
    assert out[1].startswith(CANCELLED)


@pytest.mark.slow
def test_it_ends_after_its_time() -> None:
    with consumer("--for", "0.05", "--query", NOTHING) as running:
        code, out, err = ended(running)
    assert (code, err) == (0, f"waiting for events: {NOTHING}\n")
    assert len(out) == 1
    assert out[0].startswith(CANCELLED)


@pytest.mark.slow
def test_a_query_that_is_wrong_is_heard_by_the_sink() -> None:
    with consumer("--query", "SELECT * FROM Win32_Process") as running:
        code, out, err = ended(running)
    assert (code, err) == (1, "")
    assert len(out) == 1
    assert out[0].startswith("SetStatus(COMPLETE, 0x80041059)")


def test_the_seven_steps_are_named_in_order() -> None:
    text = (ROOT / "examples" / "temporary_consumer.py").read_text()
    assert re.findall(r"# Step (\d):", text) == list("1234567")
