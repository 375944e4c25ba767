"""Lines that a thread writes: in order, whole, never waited for, and what is lost is told where it would have stood."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator

import pytest

from openwmi.cli.lines import LineWriter, write_all

PATIENCE = 20.0
PIPE = 4096


class Pipe:
    """A small pipe that nobody reads unless asked."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        fcntl.fcntl(self.writing, fcntl.F_SETPIPE_SZ, PIPE)
        self.read = b""

    def lines(self, until: Callable[[list[str]], bool]) -> list[str]:
        while not until(self.read.decode().splitlines()):
            piece = os.read(self.reading, PIPE)
            assert piece
            self.read += piece
        return self.read.decode().splitlines()

    def close(self) -> None:
        for one in (self.reading, self.writing):
            if one >= 0:
                os.close(one)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def notice(lines: int) -> str:
    return f"lost {lines}\n"


def test_lines_are_written_in_order(pipe: Pipe) -> None:
    writer = LineWriter(pipe.writing, 1000, notice=notice)
    for number in range(20):
        writer.put(f"{number}\n")
    assert writer.flush(PATIENCE) == 0
    assert pipe.lines(lambda lines: len(lines) == 20) == [str(number) for number in range(20)]


def test_nobody_waits_for_the_reader_and_what_is_missing_is_told_in_its_place(pipe: Pipe) -> None:
    writer = LineWriter(pipe.writing, 8 * PIPE, notice=notice)
    for number in range(10_000):
        writer.put(f"{number:07}\n")
    assert writer.flush(0.0) > 9_000
    lines = pipe.lines(lambda lines: lines[-1:] != [] and lines[-1].startswith("lost"))
    assert writer.flush(PATIENCE) == 0
    kept = lines[:-1]
    assert kept == [f"{number:07}" for number in range(len(kept))]
    assert 8 * PIPE // 8 <= len(kept) < 10_000
    assert lines[-1] == f"lost {10_000 - len(kept)}"
    writer.put("more\n")
    assert pipe.lines(lambda lines: lines[-1] == "more")[-2] == lines[-1]


def test_many_at_once_lose_nothing_that_is_not_counted(pipe: Pipe) -> None:
    writer = LineWriter(pipe.writing, PIPE, notice=notice)

    def talk(name: str) -> None:
        for number in range(2_000):
            writer.put(f"{name} {number}\n")

    talkers = [threading.Thread(target=talk, args=(name,)) for name in "abc"]
    for one in talkers:
        one.start()

    def counted(lines: list[str]) -> int:
        return sum(int(one.split()[1]) if one.startswith("lost") else 1 for one in lines)

    lines = pipe.lines(lambda lines: pipe.read.endswith(b"\n") and counted(lines) == 6_000)
    for one in talkers:
        one.join(PATIENCE)
    assert writer.flush(PATIENCE) == 0
    for name in "abc":
        heard = [int(one.split()[1]) for one in lines if one.startswith(f"{name} ")]
        assert heard == sorted(heard)


def test_a_line_longer_than_the_room_is_written_where_nothing_else_waits() -> None:
    reading, writing = os.pipe()
    writer = LineWriter(writing, 10, notice=notice)
    writer.put("x" * 100 + "\n")
    assert writer.flush(PATIENCE) == 0
    assert os.read(reading, 1000) == b"x" * 100 + b"\n"
    os.close(reading)
    os.close(writing)


def test_what_cannot_be_written_is_lost_and_told_when_it_can_again(pipe: Pipe) -> None:
    """As on a disk that is full for a while: here a descriptor of a pipe without a reader, then of one with."""
    reading, writing = os.pipe()
    os.close(reading)
    writer = LineWriter(writing, 1000, notice=notice)
    for number in range(3):
        writer.put(f"{number}\n")
        assert writer.flush(PATIENCE) == number + 1
    os.dup2(pipe.writing, writing)
    writer.put("again\n")
    assert writer.flush(PATIENCE) == 0
    assert pipe.lines(lambda lines: "again" in lines) == ["lost 3", "again"]
    os.close(writing)


def test_the_first_failure_may_end_it() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    reasons: list[OSError] = []
    writer = LineWriter(writing, 1000, notice=notice, failed=reasons.append)
    writer.put("1\n")
    assert writer.flush(PATIENCE) == 0
    writer.put("2\n")
    assert writer.flush(PATIENCE) == 0
    assert [type(one) for one in reasons] == [BrokenPipeError]
    os.close(writing)


def test_a_descriptor_that_does_not_block_is_waited_for(pipe: Pipe) -> None:
    os.set_blocking(pipe.writing, False)
    thread = threading.Thread(target=write_all, args=(pipe.writing, b"y\n" * PIPE), daemon=True)
    thread.start()
    assert pipe.lines(lambda lines: len(lines) == PIPE) == ["y"] * PIPE
    thread.join(PATIENCE)
