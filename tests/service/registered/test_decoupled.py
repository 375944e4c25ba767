"""Decoupled providers: a running program serves classes for every service of the store (F-08)."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.service.conftest import Collector
from tests.service.registered.conftest import Registered
from tests.service.registered.samples import Things

from openwmi import host
from openwmi.contract import operations as ops
from openwmi.model import status as s
from openwmi.model.errors import WbemError
from openwmi.service.registered import meeting

ROOT = Path(__file__).resolve().parents[3]
NAMESPACE = "root\\default"
DECOUPLED = 'HostingModel = "Decoupled:Com";'
METHODS = "instance of __MethodProviderRegistration { provider = $P; };"
INSTANCES = (
    "instance of __InstanceProviderRegistration { provider = $P; SupportsGet = TRUE; SupportsEnumeration = TRUE;"
    " SupportsPut = TRUE; SupportsDelete = TRUE; };"
)
PROGRAM = """
import sys
from openwmi import host
from tests.service.registered import samples
store, name, code = sys.argv[1:]
with host.decoupled("root/default", name, getattr(samples, code)(), repository=store):
    print("serving", flush=True)
    sys.stdin.read()
print("goes on", flush=True)
"""


class Service(Registered):
    """A service on a store that others may open, too."""

    def __init__(self, store: Path) -> None:
        self.host = host.Host(str(store))
        self.cimv2 = self.connect(NAMESPACE)


class Program:
    """A program that serves a provider."""

    def __init__(self, store: Path, name: str, code: str = "Things") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(store), name, code],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "serving\n"

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> str:
        """Let it close its provider and go on; what it says then."""
        return self.process.communicate(timeout=20)[0]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "repository.db"


@pytest.fixture
def service(store: Path) -> Iterator[Service]:
    here = Service(store)
    yield here
    here.host.shut_down()


@pytest.fixture
def serve(store: Path) -> Iterator[Callable[..., Program]]:
    programs: list[Program] = []

    def start(name: str, code: str = "Things") -> Program:
        programs.append(Program(store, name, code))
        return programs[-1]

    yield start
    for one in programs:
        if one.process.poll() is None:
            one.kill()
        for pipe in (one.process.stdin, one.process.stdout):
            if pipe is not None:
                pipe.close()


def registered(service: Service) -> str:
    return service.register(registrations=INSTANCES + METHODS, more=DECOUPLED, clsid="")


def numbers(service: Service, name: str, where: str = "") -> list[int]:
    return [one.Number for one in service.collect(ops.ExecQuery(f"SELECT * FROM {name}{where}")).objects]


@pytest.mark.slow
@pytest.mark.req("F-08", "F-03", "F-06")
def test_a_program_serves_a_class(service: Service, serve: Callable[..., Program]) -> None:
    name = registered(service)
    program = serve(name)
    assert numbers(service, name, " WHERE Number > 2") == [3, 4]
    (one,) = service.collect(ops.GetObject(f"{name}=3")).objects
    assert (one.Name, one.Pid) == ("thing 3", program.pid)
    assert NAMESPACE in one.Owner.replace("\\\\", "\\"), "it was told where it is"
    assert service.status(ops.PutInstance(one.with_({"Name": "renamed"}))) == 0
    assert service.collect(ops.GetObject(f"{name}=3")).objects[0].Name == "renamed"
    assert service.status(ops.DeleteInstance(f"{name}=3")) == 0
    assert numbers(service, name) == [0, 1, 2, 4]
    (said,) = service.collect(ops.ExecMethod(name, "Say", {"Text": "hello"})).objects
    assert said.Reply == "Say hello None"
    assert service.status(ops.GetObject(f"{name}=9")) == s.WBEM_E_NOT_FOUND
    assert program.end() == "goes on\n"
    assert numbers(service, name) == []


@pytest.mark.slow
@pytest.mark.req("F-08")
def test_while_it_does_not_run(service: Service, serve: Callable[..., Program]) -> None:
    name = registered(service)

    def absent() -> None:
        assert numbers(service, name) == []
        assert service.status(ops.CreateInstanceEnum(name)) == 0
        assert service.status(ops.GetObject(f"{name}=1")) == s.WBEM_E_PROVIDER_NOT_FOUND
        assert service.status(ops.ExecMethod(name, "Say", {"Text": ""})) == s.WBEM_E_PROVIDER_NOT_FOUND

    absent()
    program = serve(name)
    assert numbers(service, name) == [0, 1, 2, 3, 4]
    program.kill()
    absent()
    assert numbers(service, name) == []
    serve(name)
    assert numbers(service, name) == [0, 1, 2, 3, 4]


@pytest.mark.slow
@pytest.mark.req("F-08", "F-02")
def test_its_death_fails_its_calls_and_nothing_else(service: Service, serve: Callable[..., Program]) -> None:
    name, other = registered(service), registered(service)
    program = serve(name, "Slow")
    serve(other)
    sink: Any = Collector()
    service.start(ops.ExecQuery(f"SELECT * FROM {name}"), sink, 0x80)
    wait_for(lambda: sink.objects)
    assert sink.progress
    program.kill()
    assert sink.finished.wait(20)
    assert sink.outcome.status == s.WBEM_E_PROVIDER_FAILURE
    assert numbers(service, other) == [0, 1, 2, 3, 4]


@pytest.mark.slow
@pytest.mark.req("F-08")
def test_a_cancelled_call_is_cancelled_in_the_program(
    service: Service, serve: Callable[..., Program], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    name = registered(service)
    program = serve(name, "Slow")
    sink: Any = Collector()
    service.start(ops.ExecQuery(f"SELECT * FROM {name}"), sink)
    wait_for(lambda: sink.objects)
    service.cancel(sink)
    assert sink.finished.wait(20)
    wait_for(lambda: (tmp_path / f"cancelled-{program.pid}").exists())


@pytest.mark.slow
@pytest.mark.req("F-08")
def test_several_services_are_served_and_the_end_of_one_disturbs_nobody(
    service: Service, store: Path, serve: Callable[..., Program]
) -> None:
    name = registered(service)
    serve(name)
    other = Service(store)
    assert numbers(other, name) == numbers(service, name) == [0, 1, 2, 3, 4]
    other.host.shut_down()
    assert numbers(service, name) == [0, 1, 2, 3, 4]
    third = Service(store)
    assert numbers(third, name) == [0, 1, 2, 3, 4]
    third.host.shut_down()


@pytest.mark.slow
@pytest.mark.req("F-08")
def test_one_program_serves_a_name(service: Service, store: Path, serve: Callable[..., Program]) -> None:
    name = registered(service)
    program = serve(name)
    with pytest.raises(WbemError) as caught:
        host.decoupled(NAMESPACE, name.upper(), Things(), repository=str(store))
    assert caught.value.code == s.WBEM_E_PROVIDER_ALREADY_REGISTERED
    host.decoupled("root\\cimv2", name, Things(), repository=str(store)).close()  # another one
    program.kill()
    with host.decoupled(NAMESPACE, name, Things(), repository=str(store)) as own:
        assert numbers(service, name) == [0, 1, 2, 3, 4]
        own.close()
        assert numbers(service, name) == []
    host.decoupled(NAMESPACE, name, Things(), repository=str(store)).close()


@pytest.mark.req("F-08")
def test_what_is_not_spoken_as_it_should_be_ends_that_connection(service: Service, store: Path) -> None:
    name = registered(service)
    with host.decoupled(NAMESPACE, name, Things(), repository=str(store)):
        for rubbish in (b"\xff" * 100, b"\x00\x00\x00\x02Q\x00\x00\x00\x01{]", b"GET / HTTP/1.1\r\n\r\n"):
            connection = meeting.reached(str(store.parent), NAMESPACE, name)
            connection.setblocking(True)
            connection.settimeout(5)
            connection.sendall(rubbish)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
            connection.close()
        assert numbers(service, name) == [0, 1, 2, 3, 4]


@pytest.mark.slow
@pytest.mark.req("F-08")
def test_a_store_may_lie_deep_and_its_folder_is_for_its_user_alone(tmp_path: Path) -> None:
    store = tmp_path.joinpath(*["a-rather-long-name-of-a-folder"] * 5) / "repository.db"
    store.parent.mkdir(parents=True)
    here = Service(store)
    name = registered(here)
    try:
        with host.decoupled(NAMESPACE, name, Things(), repository=str(store)):
            assert numbers(here, name) == [0, 1, 2, 3, 4]
            assert (store.parent / meeting.FOLDER).stat().st_mode & 0o077 == 0
    finally:
        here.host.shut_down()


@pytest.mark.req("F-08")
def test_a_store_in_memory_is_its_own_programs(registered_in_memory: Registered) -> None:
    with pytest.raises(WbemError) as caught:
        host.decoupled(NAMESPACE, "any", Things(), repository=":memory:")
    assert caught.value.code == s.WBEM_E_NOT_SUPPORTED
    name = registered_in_memory.register(registrations=INSTANCES, more=DECOUPLED, clsid="")
    assert registered_in_memory.status(ops.ExecQuery(f"SELECT * FROM {name}")) == 0
    assert registered_in_memory.status(ops.GetObject(f"{name}=1")) == s.WBEM_E_PROVIDER_NOT_FOUND


@pytest.fixture
def registered_in_memory() -> Iterator[Registered]:
    here = Registered()
    here.cimv2 = here.connect(NAMESPACE)
    yield here
    host.end(here.host)


def wait_for(happened: Callable[[], Any]) -> None:
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.001)
