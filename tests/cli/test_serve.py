"""`openwmi serve` as a program: ready, ended by signals, one owner per store; and its parts, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.cli.running import DEADLINE, Running

import openwmi
from openwmi import host
from openwmi.accounts import Accounts
from openwmi.cli import foreground
from openwmi.cli.logs import logfmt, record_fields
from openwmi.errors import NotFound
from openwmi.wire.ntlm import nt_hash

PASSWORD = "Sesame, open"


class Served(Running):
    """A running `openwmi serve`."""

    def __init__(self, home: Path, *arguments: str, **environment: str) -> None:
        super().__init__(home, "serve", "--listen", "none", *arguments, **environment)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    running: list[Served] = []

    def begin(*arguments: str, **environment: str) -> Served:
        running.append(Served(tmp_path, *arguments, **environment))
        return running[-1]

    yield begin
    for one in running:
        one.gone()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_tells_that_it_is_ready_and_ends_with_a_signal(
    serve: Callable[..., Served], number: int, code: int
) -> None:
    one = serve()
    assert one.line() == "ready"
    returned, out, err = one.end(number)
    assert (returned, out) == (code, "")
    assert f"{signal.Signals(number).name}: ending" in err
    assert err.rstrip().endswith("message=ended")
    again = serve()
    assert again.line() == "ready"
    assert again.end(signal.SIGTERM)[0] == 0


@pytest.mark.slow
def test_a_second_one_tells_who_holds_the_lock_and_takes_over(serve: Callable[..., Served]) -> None:
    first = serve()
    assert first.line() == "ready"
    second = serve("--log-format", "json")
    assert second.line() == "ready"
    told = json.loads(second.log("another process"))
    assert (told["level"], told["holder"]) == ("warning", first.process.pid)
    first.end(signal.SIGKILL)
    second.log('"running the timers and permanent subscriptions"')
    assert second.end(signal.SIGTERM)[0] == 0


@pytest.mark.slow
def test_the_service_manager_is_told(serve: Callable[..., Served], tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(DEADLINE)
        one = serve(NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert manager.recv(100) == b"READY=1"
        one.end(signal.SIGTERM)
        assert manager.recv(100) == b"STOPPING=1"


@pytest.mark.slow
def test_a_store_that_cannot_be_had_is_an_error(serve: Callable[..., Served], tmp_path: Path) -> None:
    (tmp_path / "no.db").write_text("not a database")
    one = serve("--repository", str(tmp_path / "no.db"))
    code, out, err = one.ended()
    assert (code, out) == (1, "")
    assert "WBEM_E_CRITICAL_ERROR" in err


# A log that nobody reads


def full_pipe() -> tuple[int, int]:
    """A pipe that takes no more, both ends."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"." * 4095 + b"\n")
    os.set_blocking(writing, True)
    return reading, writing


async def look_ups(address: tuple[str, int], first: int, count: int) -> None:
    """Have objects looked up that are not there, each of which makes a line of the log."""
    target = rf"\\{address[0]}[{address[1]}]\root\cimv2"
    async with openwmi.connect(target, user="ada", password=PASSWORD) as wmi:
        for number in range(first, first + count, 50):
            names = [f"Missing{one:06}{'x' * 150}" for one in range(number, number + 50)]
            answers = await asyncio.wait_for(
                asyncio.gather(*map(wmi.get, names), return_exceptions=True), DEADLINE
            )
            assert [type(one) for one in answers] == [NotFound] * 50


@pytest.mark.slow
def test_a_log_that_nobody_reads_stops_nothing_and_tells_what_is_missing(tmp_path: Path) -> None:
    Accounts(str(tmp_path)).add("ada", nt_hash(PASSWORD), admin=True)
    reading, writing = full_pipe()
    one = Running(tmp_path, "serve", "--listen", "127.0.0.1:0", stderr=writing)
    os.close(writing)
    try:
        place, _, port = one.line().removeprefix("listening on ").rpartition(":")
        assert one.line() == "ready"
        asyncio.run(look_ups((place, int(port)), 0, 3000))
        log = os.fdopen(reading, errors="strict")
        told = next(line for line in log if " lost=" in line)
        asyncio.run(look_ups((place, int(port)), 3000, 50))
        one.process.send_signal(signal.SIGTERM)
        after = log.read()
        assert one.process.wait(DEADLINE) == 0
        log.close()
    finally:
        one.gone()
    assert "level=warning" in told
    assert int(told.rpartition("=")[2]) > 100
    assert sorted(re.findall(r"object=Missing(\d+)", after)[-50:]) == [
        f"{number:06}" for number in range(3000, 3050)
    ]
    assert after.rstrip().endswith("message=ended")


@pytest.mark.slow
def test_the_end_does_not_wait_for_a_reader_of_the_log(tmp_path: Path) -> None:
    reading, writing = full_pipe()
    one = Running(tmp_path, "serve", "--listen", "none", stderr=writing)
    os.close(writing)
    try:
        assert one.line() == "ready"
        one.process.send_signal(signal.SIGTERM)
        assert one.process.wait(DEADLINE) == 0
    finally:
        one.gone()
        os.close(reading)


SAYING = """
import asyncio, logging, threading, warnings
from openwmi.cli.logs import write_logs
write_logs("json", logging.INFO)
logging.getLogger("openwmi.x").info("ours")
logging.getLogger("openwmi.x").debug("not asked for")
logging.getLogger("openwmi.x").error("%d", "no number")
logging.getLogger("asyncio").error("theirs")
logging.getLogger("else").info("not asked for")
warnings.warn("careful")
thread = threading.Thread(target=lambda: 1 / 0, name="worker")
thread.start(); thread.join()
class Odd:
    def __del__(self): raise ValueError("odd")
odd = Odd(); del odd
"""


@pytest.mark.slow
def test_whatever_speaks_speaks_through_the_log() -> None:
    """asyncio, warnings, and errors that nobody catches would write to standard error themselves, and wait."""
    ended = subprocess.run(
        [sys.executable, "-c", SAYING], stderr=subprocess.PIPE, text=True, timeout=DEADLINE, check=True
    )
    said = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [(one["logger"], one["level"]) for one in said] == [
        ("openwmi.x", "info"),
        ("openwmi.log", "error"),
        ("asyncio", "error"),
        ("py.warnings", "warning"),
        ("openwmi.log", "error"),
        ("openwmi.log", "error"),
    ]
    assert "makes no sense" in said[1]["message"]
    assert "careful" in said[3]["message"]
    assert "worker has ended with an error" in said[4]["message"]
    assert "ZeroDivisionError" in said[4]["trace"]
    assert "Odd.__del__" in said[5]["message"]


# Parts


class Story:
    """What happens to parts, and signals sent from inside: the main thread of these tests is that of pytest."""

    def __init__(self) -> None:
        self.said: list[str] = []

    @asynccontextmanager
    async def part(self, name: str, *, fails: bool = False) -> AsyncIterator[str]:
        if fails:
            raise OSError(98, "Address already in use", name)
        self.said.append(f"{name} begins on {threading.current_thread().name}")
        yield f"listening on {name}"
        self.said.append(f"{name} ends")

    def tell(self, line: str) -> None:
        self.said.append(line)
        if line == "ready":
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[host.Host]:
    one = host.Host(str(tmp_path / "store.db"))
    one.own()
    yield one
    one.shut_down()


def test_parts_begin_in_order_on_the_loop_and_end_in_the_reverse_one(here: host.Host) -> None:
    story = Story()
    ran = foreground.Foreground(here, [story.part("a"), story.part("b")], story.tell).run()
    assert ran == signal.SIGTERM
    assert story.said == [
        "a begins on openwmi-service",
        "b begins on openwmi-service",
        "listening on a",
        "listening on b",
        "ready",
        "b ends",
        "a ends",
    ]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_part_that_cannot_begin_ends_those_before_it(here: host.Host) -> None:
    story = Story()
    with pytest.raises(OSError, match="Address already in use"):
        foreground.Foreground(here, [story.part("a"), story.part("b", fails=True)], story.tell).run()
    assert story.said == ["a begins on openwmi-service", "a ends"]


def test_a_part_that_does_not_end_is_given_up(
    here: host.Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(foreground, "PARTS_WAIT", 0.02)

    @asynccontextmanager
    async def stuck() -> AsyncIterator[str]:
        try:
            yield ""
        finally:
            await asyncio.Event().wait()

    story = Story()
    foreground.Foreground(here, [stuck()], story.tell).run()
    assert story.said == ["ready"]
    assert "has not ended" in caplog.text


def test_a_signal_that_is_told_twice_is_one_and_the_next_one_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """timeout(1) tells the process, and then its group."""
    left: list[int] = []
    now = 100.0
    monkeypatch.setattr(foreground.os, "_exit", left.append)
    monkeypatch.setattr(foreground, "monotonic", lambda: now)
    with foreground.signals() as arrived:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
        assert arrived.get() == signal.SIGTERM
        assert left == []
        now += foreground.TWICE_SECONDS + 0.01
        os.kill(os.getpid(), signal.SIGINT)
        assert left == [128 + signal.SIGINT]


def test_a_signal_ends_it_while_a_part_still_begins(here: host.Host) -> None:
    @asynccontextmanager
    async def slow() -> AsyncIterator[str]:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()
        yield "never"

    story = Story()
    assert foreground.Foreground(here, [slow()], story.tell).run() == signal.SIGTERM
    assert story.said == []


# The lines


def test_lines_are_one_line_whatever_is_said() -> None:
    record = logging.LogRecord("openwmi.x", logging.INFO, "f", 1, 'a "b"\n%s', ("c",), None)
    record.fields = {"address": "10.0.0.1", "name": "", "odd": "é=ü"}
    record.created = 0.5
    line = logfmt(record_fields(record))
    assert line == (
        'time=1970-01-01T00:00:00.500Z level=info logger=openwmi.x message="a \\"b\\"\\nc"'
        ' address=10.0.0.1 name="" odd="\\u00e9=\\u00fc"'
    )
