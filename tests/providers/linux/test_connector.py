"""The kernel's process connector: what its messages say, what is lost when nobody reads, and who may listen."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwmi.providers.linux.connector import (
    EXEC,
    EXIT,
    FORK,
    Acknowledgement,
    Connector,
    Counted,
    Happening,
    parsed,
)


def message(
    what: int, body: bytes, *, processor: int = 0, number: int = 0, token: int = 0, time: int = 0
) -> bytes:
    event = struct.pack("=IIQ", what, processor, time) + body
    inner = struct.pack("=IIIIHH", 1, 1, number, token, len(event), 0) + event
    return struct.pack("=IHHII", 16 + len(inner), 3, 0, 0, 0) + inner


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (message(FORK, struct.pack("=iiii", 11, 10, 21, 20), time=5), Happening(FORK, 21, 20, 10, 0, 5)),
        (message(EXEC, struct.pack("=ii", 20, 20)), Happening(EXEC, 20, 20, 0, 0, 0)),
        (message(EXIT, struct.pack("=iiIIii", 20, 20, 256, 17, 10, 10)), Happening(EXIT, 20, 20, 0, 256, 0)),
        (message(EXIT, struct.pack("=iiII", 20, 20, 9, 17)), Happening(EXIT, 20, 20, 0, 9, 0)),
        (message(0x200, b"\0" * 24), None),
        (message(FORK, b"\0" * 12), None),
    ],
    ids=["fork", "exec", "exit", "exit of an old kernel", "another event", "cut short"],
)
def test_a_message_says_what_has_happened(data: bytes, expected: Happening | None) -> None:
    found = parsed(data)
    assert isinstance(found, Counted)
    assert found.happening == expected


def test_each_processor_counts_its_own_messages() -> None:
    found = parsed(message(EXEC, struct.pack("=ii", 1, 1), processor=3, number=77))
    assert found == Counted(3, 77, Happening(EXEC, 1, 1, 0, 0, 0))


def test_the_acknowledgement_has_an_error_number() -> None:
    body = struct.pack("=I", 1)
    assert parsed(message(0, body, token=8, processor=2, number=5)) == Acknowledgement(8, 1, 2, 5)


@given(st.binary(max_size=120) | st.binary(max_size=30).map(lambda body: message(FORK, body)))
def test_no_message_does_harm(data: bytes) -> None:
    found = parsed(data)
    assert found is None or isinstance(found, Counted | Acknowledgement)


# On this machine


@pytest.fixture
def listening() -> Iterator[Callable[..., Any]]:
    opened = []

    def made(class_: type[Connector] = Connector, **options: Any) -> Any:
        try:
            opened.append(class_(**options))
        except OSError as reason:
            pytest.skip(f"this kernel does not tell us: {reason}")
        return opened[-1]

    yield made
    for one in opened:
        one.close()


def drained(source: Connector) -> tuple[list[Happening], int]:
    """Everything that waits."""
    all_, lost = source.read()
    while True:
        more, missing = source.read()
        if not more:
            return all_, lost + missing
        all_, lost = all_ + more, lost + missing


def test_a_child_is_forked_runs_a_program_and_exits(listening: Callable[..., Any]) -> None:
    source = listening()
    child = subprocess.Popen(["sh", "-c", "exit 7"])
    child.wait()
    mine = [one for one in drained(source)[0] if one.process == child.pid and one.thread == child.pid]
    assert [one.what for one in mine] == [FORK, EXEC, EXIT]
    assert mine[0].parent == os.getpid()
    assert os.waitstatus_to_exitcode(mine[2].status) == 7
    assert mine[0].time <= mine[1].time <= mine[2].time


def test_other_listeners_come_and_go_without_a_gap(listening: Callable[..., Any]) -> None:
    """Everybody hears the answers that the others get, and on newer kernels they have numbers, too."""
    source = listening()
    for _ in range(5):
        subprocess.run(["true"], check=True)
        Connector().close()
    subprocess.run(["true"], check=True)
    happenings, lost = drained(source)
    assert lost == 0
    assert len(happenings) >= 6 * 3


class Counting(Connector):
    """Counts its messages, those without interest too."""

    messages = 0

    def _skipped(self, counted: Counted) -> int:
        self.messages += 1
        return super()._skipped(counted)


def test_what_the_kernel_had_to_leave_out_is_counted(listening: Callable[..., Any]) -> None:
    large, small = listening(Counting), listening(Counting, buffer=4096)
    for _ in range(20):
        subprocess.run(["true"], check=True)
    assert large.read()[1] == 0
    drained(small)
    # A message that arrives tells how many are missing before it.
    before = small.messages
    for _ in range(8):
        subprocess.run(["true"], check=True)
        found, lost = small.read()
        if lost:
            break
    else:
        raise AssertionError("nothing was lost, or nobody said so")
    assert found
    assert before < small.messages


# Tells what a Connector comes to, after steps that a fresh process can take.
PROGRAM = """
import ctypes, os
from openwmi.providers.linux.connector import Connector
def namespace(flag):
    if ctypes.CDLL(None, use_errno=True).unshare(flag):
        raise SystemExit("not allowed")
    child = os.fork()
    if child:
        raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
def nobody():
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
STEPS
try:
    Connector().close()
except OSError as reason:
    print(type(reason).__name__, flush=True)
else:
    print("listens", flush=True)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="gives root's rights away")
@pytest.mark.parametrize(
    ("steps", "answers"),
    [
        ("nobody()", {"listens", "PermissionError"}),
        ("namespace(0x20000000)", {"TimeoutError"}),
        ("namespace(0x20000000); nobody()", {"TimeoutError", "PermissionError"}),
        ("namespace(0x40000000)", {"ConnectionRefusedError"}),
    ],
    ids=["without rights", "other processes", "other processes, without rights", "another network"],
)
def test_who_may_not_listen_is_told_so(listening: Callable[..., Any], steps: str, answers: set[str]) -> None:
    """What this process hears meanwhile is no answer to the other one."""
    listening()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("STEPS", steps)], capture_output=True, text=True, check=False
    )
    if "not allowed" in done.stderr:
        pytest.skip("this machine allows no namespaces")
    assert done.stdout.strip() in answers, done.stderr
