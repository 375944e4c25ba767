"""The network face of `openwmi serve`, as a program: where it listens, mocks, read-only, sockets passed on, signals."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
from tests.remote.kit import RESOLVER, Caller, Refusal
from tests.remote.server import serving
from tests.remote.server.session import CollectingSink, Session, ipid_of, sink_host

from openwmi.accounts import Accounts
from openwmi.cli import network
from openwmi.model import status
from openwmi.remote.client import Credentials, connect
from openwmi.wire.dcom.exporter import SERVER_ALIVE2, Nothing
from openwmi.wire.ntlm import nt_hash
from openwmi.wire.wmi import enumerators as w
from openwmi.wire.wmi import services
from openwmi.wire.wmi.types import object_in, reference_to

DEADLINE = 60.0
pytestmark = pytest.mark.slow
MOCK = """
class Win32_Process { [key] string Handle; uint32 ProcessId; string Name; };
instance of Win32_Process { Handle = "4"; ProcessId = 4; Name = "System"; };
instance of Win32_LogicalDisk { DeviceID = "C:"; Size = 1000; };
#pragma namespace("\\\\\\\\.\\\\root\\\\default")
class Thing { [key] uint32 N; };
instance of Thing { N = 1; };
"""


def accounts(home: Path) -> None:
    """ada, who may everything, and bob."""
    store = Accounts(str(home))
    if not store.accounts:
        store.add("ada", nt_hash(serving.PASSWORD), admin=True)
        store.add("bob", nt_hash(serving.PASSWORD))


class Program:
    """A running `openwmi serve` with the accounts ada (everything) and bob."""

    def __init__(self, home: Path, *arguments: str, **options: Any) -> None:
        accounts(home)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "openwmi", "serve", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OPENWMI_HOME": str(home)},
            **options,
        )

    def lines(self, until: str = "ready") -> list[str]:
        """What it prints, up to a line; the test fails when that does not come."""
        text = ""
        end = time.monotonic() + DEADLINE
        assert self.process.stdout is not None
        while until not in text.splitlines():
            ready, _, _ = select.select([self.process.stdout], [], [], end - time.monotonic())
            assert ready, f"only {text}"
            more = os.read(self.process.stdout.fileno(), 4096).decode()
            assert more, f"it ended after {text}"
            text += more
        return text.splitlines()

    def address(self) -> tuple[str, int]:
        (line,) = [one for one in self.lines() if one.startswith("listening on ")]
        host, _, port = line.removeprefix("listening on ").rpartition(":")
        return host.strip("[]"), int(port)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    running: list[Program] = []

    def begin(*arguments: str, **options: Any) -> Program:
        running.append(Program(tmp_path / "home", *arguments, **options))
        return running[-1]

    yield begin
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


@contextlib.asynccontextmanager
async def session(
    address: tuple[str, int], namespace: str = "root\\cimv2", **options: Any
) -> AsyncIterator[Session]:
    made = await Session.open(address, namespace, **options)
    try:
        yield made
    finally:
        await made.close()


async def rows(one: Session, query: str) -> list[Any]:
    opened = await one.call(services.METHODS[20], language="WQL", query=query, flags=0x30)
    assert opened.result == 0
    answer = await one.caller.call(w.NEXT, w.Next(-1, 1000), ipid_of(opened.enumerator))
    assert answer.result == 1, hex(answer.result)
    return [object_in(each) for each in answer.objects]


def test_it_says_where_it_listens_within_eight_seconds(serve: Callable[..., Program]) -> None:
    begun = time.monotonic()
    one = serve("--listen", "127.0.0.1:0", "--listen", "[::1]:0" if socket.has_ipv6 else "127.0.0.1:0")
    lines = one.lines()
    assert time.monotonic() - begun < 8
    assert [line.rpartition(":")[0] for line in lines[:-1]] == [
        "listening on 127.0.0.1",
        "listening on [::1]",
    ]
    assert one.end() == 0


def test_clients_find_it_by_whatever_name_they_know_it(serve: Callable[..., Program]) -> None:
    one = serve("--listen", "127.0.0.1:0", "--name", "wmi.example.org", "--name", "outside[4000]")
    host, port = one.address()

    async def ask() -> None:
        caller = await Caller.connect((host, port), [RESOLVER], user=None, level=1)
        alive = await caller.call(SERVER_ALIVE2, Nothing())
        found = [each.address for each in alive.bindings.strings]
        assert found[:2] == [f"127.0.0.1[{port}]", f"localhost[{port}]"]
        assert found[-2:] == [f"wmi.example.org[{port}]", "outside[4000]"]
        await caller.close()

    run(ask)


def test_objects_may_have_a_port_of_their_own(serve: Callable[..., Program]) -> None:
    one = serve("--listen", "127.0.0.1:0", "--objects-port", "0")
    *places, ready = one.lines()
    assert [line.rpartition(":")[0] for line in places] == ["listening on 127.0.0.1", "objects on 127.0.0.1"]
    resolver, objects = (int(line.rpartition(":")[2]) for line in places)

    async def ask() -> None:
        who = Credentials("ada", serving.PASSWORD)
        there = await connect("127.0.0.1", "root\\cimv2", who, port=resolver)
        assert there.machine.channel.remote.port == objects != resolver
        await there.close()

    run(ask)
    assert one.end() == 0


def test_without_listen_it_is_loopback_alone(serve: Callable[..., Program]) -> None:
    one = serve()
    host, port = one.address()
    assert host == "127.0.0.1"

    async def ask() -> None:
        async with session((host, port)) as client:
            (found,) = await rows(
                client, f"SELECT ProcessId FROM Win32_Process WHERE ProcessId = {os.getpid()}"
            )
            assert found.ProcessId == os.getpid()

    run(ask)
    again = serve()
    assert again.address() != (host, port)
    assert one.end() == 0


def test_a_port_that_is_taken_is_an_error(serve: Callable[..., Program]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        one = serve("--listen", f"127.0.0.1:{taken.getsockname()[1]}")
        assert one.process.wait(DEADLINE) == 1


def test_a_mock_serves_what_its_files_declare_and_nothing_else(
    serve: Callable[..., Program], tmp_path: Path
) -> None:
    (tmp_path / "mock.mof").write_text(MOCK)
    one = serve("--listen", "127.0.0.1:0", "--mof", str(tmp_path / "mock.mof"))
    address = one.address()

    async def ask() -> None:
        async with session(address) as client:
            assert [each.Name for each in await rows(client, "SELECT * FROM Win32_Process")] == ["System"]
            assert [each.Size for each in await rows(client, "SELECT * FROM Win32_LogicalDisk")] == [1000]
            assert await rows(client, "SELECT * FROM Win32_OperatingSystem") == []
        async with session(address, "root\\default") as client:
            assert [each.N for each in await rows(client, "SELECT * FROM Thing")] == [1]

    run(ask)
    (tmp_path / "bad.mof").write_text("class {")
    bad = serve("--listen", "127.0.0.1:0", "--mof", str(tmp_path / "bad.mof"))
    assert bad.process.wait(DEADLINE) == 2


def test_read_only_means_everybody(serve: Callable[..., Program], tmp_path: Path) -> None:
    (tmp_path / "mock.mof").write_text(MOCK)
    one = serve("--listen", "127.0.0.1:0", "--mof", str(tmp_path / "mock.mof"), "--readonly")
    address = one.address()

    async def ask() -> None:
        async with session(address, "root\\default") as client:
            got = await client.call(services.METHODS[6], path="Thing", found=b"")
            two = reference_to(object_in(got.found).spawn({"N": 2}))  # type: ignore[union-attr]
            for opnum, inputs in (
                (14, {"object": two}),
                (16, {"path": "Thing.N=1"}),
                (8, {"object": got.found}),
                (10, {"name": "Thing"}),
                (24, {"path": "__SystemSecurity=@", "method": "GetSD", "found": b""}),
            ):
                answer = await client.call(services.METHODS[opnum], **inputs)
                assert answer.result == status.WBEM_E_ACCESS_DENIED, opnum
            assert len(await rows(client, "SELECT * FROM Thing")) == 1

    run(ask)


def test_sockets_of_the_service_manager(serve: Callable[..., Program], tmp_path: Path) -> None:
    """As systemd does it: the socket is number 3, and LISTEN_PID names the process."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        number = listening.fileno()
        program = (
            f"import os, sys; os.dup2({number}, 3);"
            "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()));"
            "os.execv(sys.executable, [sys.executable, '-m', 'openwmi', 'serve'])"
        )
        accounts(tmp_path / "home")
        one = subprocess.Popen(
            [sys.executable, "-c", program],
            pass_fds=(number,),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OPENWMI_HOME": str(tmp_path / "home")},
        )
    assert one.stdout is not None
    try:
        assert one.stdout.readline() == f"listening on 127.0.0.1:{port}\n"
        assert one.stdout.readline() == "ready\n"

        async def ask() -> None:
            async with session(("127.0.0.1", port)) as client:
                assert len(await rows(client, "SELECT * FROM Win32_OperatingSystem")) == 1

        run(ask)
    finally:
        one.terminate()
        one.communicate()
    assert one.returncode == 0


def test_the_end_is_told_to_everybody_who_waits(serve: Callable[..., Program]) -> None:
    one = serve("--listen", "127.0.0.1:0")
    address = one.address()
    query = (
        "SELECT * FROM __InstanceCreationEvent WITHIN 3600 WHERE TargetInstance ISA 'Win32_OperatingSystem'"
    )

    async def ask() -> None:
        async with sink_host() as host, session(address) as client:
            opened = await client.call(services.METHODS[22], language="WQL", query=query, flags=0x30)
            waiting = client.caller.begin(w.NEXT, w.Next(-1, 1), ipid_of(opened.enumerator))
            sink = CollectingSink()
            answer = await client.call(
                services.METHODS[23], language="WQL", query=query, sink=host.export(sink)
            )
            assert answer.result == 0
            one.process.send_signal(signal.SIGTERM)
            told = await client.caller.answer(waiting)
            assert isinstance(told, bytes)
            assert w.NEXT.answered(told)[1].result == status.WBEM_E_SHUTTING_DOWN
            await asyncio.wait_for(sink.done.wait(), 5)
            assert [each.status for each in sink.statuses] == [status.WBEM_E_SHUTTING_DOWN]

    run(ask)
    assert one.process.wait(DEADLINE) == 0


def test_a_hangup_reads_the_accounts_anew_and_ends_only_those_that_are_gone(
    serve: Callable[..., Program], tmp_path: Path
) -> None:
    one = serve("--listen", "127.0.0.1:0")
    address = one.address()

    async def ask() -> None:
        async with session(address) as client, session(address, user="bob") as gone:
            one.process.send_signal(signal.SIGHUP)
            assert len(await rows(gone, "SELECT * FROM Win32_OperatingSystem")) == 1
            Accounts(str(tmp_path / "home")).remove("bob")
            one.process.send_signal(signal.SIGHUP)
            with pytest.raises((Refusal, OSError)):
                await gone.caller.until(lambda event: False)
            assert len(await rows(client, "SELECT * FROM Win32_OperatingSystem")) == 1

    run(ask)
    assert one.process.poll() is None
    assert one.end() == 0


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("0.0.0.0:135", "0.0.0.0", 135),
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("localhost", "localhost", 135),
        ("[::1]:5000", "::1", 5000),
        ("[::]", "::", 135),
    ],
)
def test_places(text: str, host: str, port: int) -> None:
    found = network.place(text)
    assert found == (host, port)
    assert network.place(str(found)) == found


@pytest.mark.parametrize("text", ["", ":135", "host:", "host:x", "host:70000", "::1", "::1:135", "[::1]x:1"])
def test_places_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=".*"):
        network.place(text)
    assert network.place("none") is None


UNITS = Path(__file__).resolve().parents[2] / "packaging" / "systemd"


def unit(name: str) -> ConfigParser:
    """A unit file; systemd's own syntax is that of ConfigParser as far as these files go."""
    parsed = ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read(UNITS / name)
    return parsed


def test_the_unit_starts_what_there_is_and_waits_for_what_is_told() -> None:
    from openwmi.cli.options import CommandLine
    from openwmi.cli.verbs import serve as verb

    service = unit("openwmi.service")["Service"]
    program = shlex.split(service["ExecStart"])
    assert program[:3] == ["/usr/bin/env", "openwmi", "serve"]
    CommandLine("serve", "x", verb).read(program[3:])
    assert service["Type"] == "notify"
    assert service["ExecReload"].endswith("-HUP $MAINPID")
    assert "OPENWMI_HOME=/var/lib/" + service["StateDirectory"] in service["Environment"]
    assert unit("openwmi.socket")["Socket"]["ListenStream"] == f"{network.LOOPBACK}:{network.PORT}"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("name", ["openwmi.service", "openwmi.socket"])
def test_systemd_finds_nothing_wrong_with_the_units(name: str) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", UNITS / name], capture_output=True, text=True, check=False
    )
    assert "openwmi" not in done.stderr, done.stderr
