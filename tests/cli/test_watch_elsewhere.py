"""`openwmi watch` of another machine: it outlives the end of the server there, and says what nobody can know."""

from __future__ import annotations

import itertools
import random
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.running import DEADLINE, Running

import openwmi
from openwmi.accounts import Accounts
from openwmi.mof import compile as compile_mof
from openwmi.wire.ntlm import nt_hash

PASSWORD = "Open, Sesame"
CLASS = "class Note { [key] uint32 Number; };"
pytestmark = pytest.mark.slow


def steady_port() -> int:
    """A free port that the kernel gives to no client: a server finds it free when it comes back."""
    for port in random.sample(range(10_000, 30_000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("a hundred ports are taken")


class Machine:
    """A machine that serves from a store of its own, whenever it is up."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = steady_port()
        self.place = f"127.0.0.1[{self.port}]"
        self.numbers = itertools.count(1)
        self.runs: list[Running] = []
        Accounts(str(home)).add("ops", nt_hash(PASSWORD), admin=True)
        self.password = home / "password"
        self.password.write_text(PASSWORD + "\n")
        self.password.chmod(0o600)

    def up(self) -> None:
        self.server = Running(self.home, "serve", "--quiet", "--listen", f"127.0.0.1:{self.port}")
        self.runs.append(self.server)
        assert self.server.line() == f"listening on 127.0.0.1:{self.port}"

    def killed(self) -> None:
        self.server.end(signal.SIGKILL)

    def connect(self) -> openwmi.sync.Connection:
        return openwmi.sync.connect(rf"\\{self.place}\root\default", user="ops", password=PASSWORD)

    def note(self) -> int:
        """Put one more object."""
        number = next(self.numbers)
        with self.connect() as wmi:
            wmi.put(wmi.get_class("Note").new_(Number=number))
        return number

    def watch(self, *arguments: str) -> Running:
        """`openwmi watch` of what appears there, in force."""
        who = ("-H", self.place, "-u", "ops", "--password-file", str(self.password), "-n", "root/default")
        what = ("Note", "Number", "--on", "create", "--within", "0.1")
        self.runs.append(Running(self.home / "elsewhere", "watch", *what, *who, *arguments, "-v"))
        self.runs[-1].log("watching; Ctrl-C ends it")
        return self.runs[-1]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    made.up()
    with made.connect() as wmi:
        compile_mof(CLASS, wmi)
    yield made
    for one in made.runs:
        one.gone()


def number_of(row: str) -> int:
    return int(row.split("\t")[1])


@pytest.mark.parametrize("pushed", [True, False], ids=["pushed", "polled"])
def test_it_goes_on_with_a_server_that_was_killed_and_is_there_again(machine: Machine, pushed: bool) -> None:
    with socket.socket() as way_back:
        way_back.bind(("127.0.0.1", 0))
        port = way_back.getsockname()[1]
        if pushed:
            way_back.close()  # else nobody can listen there, and the events are polled for
        watch = machine.watch("--callback-port", str(port), "--count", "2")
        first = machine.note()
        assert number_of(watch.line()) == first
        with socket.socket() as probe:
            assert (probe.connect_ex(("127.0.0.1", port)) == 0) is pushed
        machine.killed()
        watch.log("the connection broke: what happens until it is there again is lost")
        assert watch.process.poll() is None
        machine.up()
        # When the subscription is in force again is for the server to know: what is put before that is not heard of.
        until = time.monotonic() + DEADLINE
        while watch.process.poll() is None:
            assert time.monotonic() < until
            last = machine.note()
        code, out, err = watch.ended()
    assert (code, err) == (0, "")
    assert first < number_of(out) <= last


def test_what_a_server_refuses_when_it_is_there_again_ends_it(machine: Machine) -> None:
    watch = machine.watch()
    machine.killed()
    watch.log("the connection broke")
    Accounts(str(machine.home)).remove("ops")
    machine.up()
    code, out, err = watch.ended()
    assert (code, out) == (4, "")
    assert "denied" in err.lower()
