"""The faces against another machine: the same programs, a host in between. It is served in this process, over TCP."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.faces.com.support import Recorder
from tests.remote.server.serving import NAMESPACE, PASSWORD, Served, free_port

import openwmi
from openwmi import com, errors
from openwmi.model.status import (
    RPC_S_SERVER_UNAVAILABLE,
    SEC_E_NO_CREDENTIALS,
    WBEM_E_TRANSPORT_FAILURE,
)
from openwmi.remote.client.receiving import Receiver

SECONDS = 60.0


def run(work: Callable[[], Any]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(SECONDS):
            return await work()

    return asyncio.run(bounded())


class Sink:
    def __init__(self) -> None:
        self.objects: list[Any] = []
        self.outcome: Any = None
        self.released = 0

    def on_objects(self, batch: Any) -> None:
        self.objects.extend(batch)

    def on_progress(self, progress: Any) -> None:
        pass

    def on_completed(self, outcome: Any) -> None:
        self.outcome = outcome

    def on_released(self) -> None:
        self.released += 1


def test_the_asynchronous_face(target: str) -> None:
    async def work() -> None:
        async with openwmi.connect(target, user="ada", password=PASSWORD) as wmi:
            assert wmi.namespace == NAMESPACE
            rows = [row async for row in wmi.query("SELECT N, S FROM Row")]
            assert [(row.N, row.S) for row in rows] == [(n, f"s{n}") for n in range(250)]
            item = await wmi.get("Item.Id=1")
            assert (item.U64, item.Wide, item.Inner.Size) == (18446744073709551000, "schön 漢字", 7)
            out = await wmi.call("Row.N=3", "Do", What="ab", Times=3)
            assert (out.ReturnValue, out.Done, out.Length) == (5, "ababab", 6)
            assert await wmi.call("Row", "Rest") is None
            made = (await wmi.get_class("Item")).new_(Id=77, Text="new")
            path = await wmi.put(made)
            assert path.endswith("Item.Id=77")
            assert (await wmi.get("Item.Id=77")).Text == "new"
            await wmi.delete("Item.Id=77")
            with pytest.raises(errors.NotFound) as missing:
                await wmi.get("Item.Id=77")
            assert missing.value.host == "127.0.0.1"
            assert [one.name async for one in wmi.classes("Item")] == ["Special"]
            assert await wmi.query("SELECT * FROM Row WHERE N = {n}", n=7).one()

    run(work)


@pytest.mark.parametrize("delivery", ["sink", "poll", "auto"])
@pytest.mark.parametrize("level", ["privacy", "integrity"])
def test_calls_with_sinks(target: str, delivery: Any, level: Any) -> None:
    async def work() -> None:
        options: Any = {"delivery": delivery, "auth_level": level}
        async with openwmi.connect(target, user="ada", password=PASSWORD, **options) as wmi:
            sink = Sink()
            call = await wmi.start(openwmi.ExecQuery("SELECT * FROM Row"), sink, flags=openwmi.SEND_STATUS)
            assert (await call).ok
            assert [one.N for one in sink.objects] == list(range(250))
            assert sink.released == 1
            choice = await wmi.services.delivery()  # type: ignore[attr-defined]
            assert choice.mode == ("poll" if delivery == "poll" else "sink")

    run(work)


def test_callbacks_come_to_the_port_that_is_named(target: str) -> None:
    port = free_port()
    came_to: list[int] = []

    class Watching(Sink):
        def on_objects(self, batch: Any) -> None:
            super().on_objects(batch)
            listener = Receiver.here()._listener
            assert listener is not None
            came_to.extend(one.local.port for one in listener.associations if one.proven)

    async def work() -> None:
        options: Any = {"delivery": "sink", "callback_port": port}
        async with openwmi.connect(target, user="ada", password=PASSWORD, **options) as wmi:
            sink = Watching()
            assert (await (await wmi.start(openwmi.ExecQuery("SELECT * FROM Row"), sink))).ok
            assert len(sink.objects) == 250

    run(work)
    assert came_to
    assert set(came_to) == {port}


def test_a_callback_port_that_is_taken(target: str) -> None:
    """Polled, and said so; a sink that must be pushed to is refused by the call."""
    query = openwmi.ExecQuery("SELECT * FROM Row")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options: Any = {"user": "ada", "password": PASSWORD, "callback_port": taken.getsockname()[1]}
        why = f"port {options['callback_port']} cannot be opened for callbacks on 127.0.0.1"

        async def work() -> None:
            async with openwmi.connect(target, **options) as wmi:
                sink = Sink()
                assert (await (await wmi.start(query, sink))).ok
                assert len(sink.objects) == 250
                choice = await wmi.services.delivery()  # type: ignore[attr-defined]
                assert choice.mode == "poll"
                assert why in choice.why
            async with openwmi.connect(target, delivery="sink", **options) as wmi:
                with pytest.raises(openwmi.WbemError, match=re.escape(why)) as refused:
                    await wmi.start(query, Sink())
                assert refused.value.code == WBEM_E_TRANSPORT_FAILURE

        run(work)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def asked(locator: com.IWbemLocator, target: str, during: Callable[[], None]) -> tuple[int, Recorder]:
    """A query with a sink through `openwmi.com`; `during` runs in each of its callbacks with objects."""
    hr, services = locator.ConnectServer(target, "ada", PASSWORD, None, 0, None, None)
    assert hr == 0

    def indicate(objects: list[Any]) -> None:
        during()

    sink = Recorder(indicate)
    hr = services.ExecQueryAsync("WQL", "SELECT * FROM Row", 0, None, sink)
    if hr == 0:
        sink.wait()
        assert (sink.finals, len(sink.objects)) == ([0], 250)
    services.Release()
    return hr, sink


def test_the_environment_says_where_programs_of_com_are_called_back(
    target: str, locator: com.IWbemLocator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ConnectServer` has no parameter for that."""
    port = free_port()
    monkeypatch.setenv("OPENWMI_CALLBACK_PORT", str(port))
    monkeypatch.setenv("OPENWMI_DELIVERY", "sink")
    open_then: list[bool] = []
    assert asked(locator, target, lambda: open_then.append(listens(port)))[0] == 0
    assert set(open_then) == {True}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("OPENWMI_CALLBACK_PORT", str(taken.getsockname()[1]))
        hr, sink = asked(locator, target, lambda: None)
        assert (hr, sink.events) == (WBEM_E_TRANSPORT_FAILURE, [])
    port = free_port()
    monkeypatch.setenv("OPENWMI_CALLBACK_PORT", str(port))
    monkeypatch.setenv("OPENWMI_DELIVERY", "poll")
    open_then.clear()
    assert asked(locator, target, lambda: open_then.append(listens(port)))[0] == 0
    assert set(open_then) == {False}


def test_a_connection_that_says_how_it_is_called_back_does_not_ask_the_environment(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENWMI_DELIVERY", "poll")
    port = free_port()

    async def mode(**options: Any) -> tuple[str, str]:
        async with openwmi.connect(target, user="ada", password=PASSWORD, **options) as wmi:
            choice = await wmi.services.delivery()  # type: ignore[attr-defined]
            return choice.mode, choice.why

    assert run(mode)[0] == "poll"
    assert run(lambda: mode(delivery="sink"))[0] == "sink"
    monkeypatch.setenv("OPENWMI_DELIVERY", "")
    monkeypatch.setenv("OPENWMI_CALLBACK_PORT", "4135")
    assert f"[{port}]" in run(lambda: mode(callback_port=port))[1]


@pytest.mark.parametrize(
    ("name", "value"),
    [("OPENWMI_DELIVERY", "push"), ("OPENWMI_CALLBACK_PORT", "0"), ("OPENWMI_CALLBACK_PORT", "a")],
)
def test_an_environment_that_makes_no_sense_is_told(
    target: str, locator: com.IWbemLocator, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    async def work() -> None:
        with pytest.raises(errors.InvalidParameter, match=f"{name} is .*{value}"):
            await openwmi.connect(target, user="ada", password=PASSWORD)

    run(work)
    hr, services = locator.ConnectServer(target, "ada", PASSWORD, None, 0, None, None)
    assert (hr, services) == (com.WBEM_E_INVALID_PARAMETER, None)


def test_events(served: Served, target: str) -> None:
    async def work() -> None:
        async with openwmi.connect(target, user="ada", password=PASSWORD) as wmi:
            query = "SELECT * FROM __InstanceCreationEvent WITHIN 0.1 WHERE TargetInstance ISA 'Item'"
            async with wmi.subscribe(query) as events:
                await wmi.put((await wmi.get_class("Item")).new_(Id=500))
                event = await events.next(10)
                assert event is not None
                assert event.TargetInstance.Id == 500
            await wmi.delete("Item.Id=500")

    run(work)


def test_leaving_early_cancels_at_the_source(served: Served, target: str) -> None:
    async def work() -> None:
        async with openwmi.connect(target, user="ada", password=PASSWORD) as wmi:
            async for row in wmi.query("SELECT * FROM Row"):
                assert row.N == 0
                break
        while served.host.service.running:
            await asyncio.sleep(0.005)

    run(work)


def test_the_synchronous_face(target: str) -> None:
    with openwmi.sync.connect(target, user="ada", password=PASSWORD) as wmi:
        assert [row.N for row in wmi.query("SELECT N FROM Row")] == list(range(250))
        sink = Sink()
        assert wmi.start(openwmi.ExecQuery("SELECT * FROM Row"), sink).wait(SECONDS).ok
        assert len(sink.objects) == 250
        assert wmi.call("Row.N=3", "Do", What="x", Times=2).Done == "xx"


class ComSink(com.IWbemObjectSink):
    def __init__(self) -> None:
        self.objects: list[Any] = []
        self.statuses: list[Any] = []

    def Indicate(self, objects: Any) -> int:
        self.objects.extend(objects)
        return com.WBEM_S_NO_ERROR

    def SetStatus(self, flags: int, result: int, text: str | None, details: Any) -> int:
        self.statuses.append((flags, result))
        return com.WBEM_S_NO_ERROR


@pytest.fixture
def locator() -> Iterator[com.IWbemLocator]:
    com.CoInitializeEx(None, com.COINIT_MULTITHREADED)
    com.CoInitializeSecurity(
        None,
        -1,
        None,
        None,
        com.RPC_C_AUTHN_LEVEL_DEFAULT,
        com.RPC_C_IMP_LEVEL_IMPERSONATE,
        None,
        com.EOAC_NONE,
        None,
    )
    hr, found = com.CoCreateInstance(
        com.CLSID_WbemLocator, None, com.CLSCTX_INPROC_SERVER, com.IID_IWbemLocator
    )
    assert hr == 0
    yield found
    com.CoUninitialize()


@pytest.mark.slow
def test_the_com_face(target: str, locator: com.IWbemLocator) -> None:
    hr, services = locator.ConnectServer(target, "ada", PASSWORD, None, 0, None, None)
    assert hr == 0
    assert services is not None
    hr, enumerator = services.ExecQuery("WQL", "SELECT N FROM Row", 0x30, None)
    assert hr == 0
    hr, objects, returned = enumerator.Next(com.WBEM_INFINITE, 1000)
    assert (hr, returned) == (com.WBEM_S_FALSE, 250)
    hr, found, _ = services.GetObject("Item.Id=1", 0, None)
    assert hr == 0
    assert found.Get("Text", 0)[1] == "plain"
    sink = ComSink()
    assert services.ExecQueryAsync("WQL", "SELECT * FROM Row", 0, None, sink) == 0
    while not sink.statuses:
        asyncio.run(asyncio.sleep(0.005))
    assert (len(sink.objects), sink.statuses) == (250, [(0, 0)])
    hr, wrong = locator.ConnectServer(target, "ada", "guess", None, 0, None, None)
    assert (hr, wrong) == (com.E_ACCESSDENIED, None)
    hr, _ = locator.ConnectServer(
        target.replace("ServeTests", "Nowhere"), "ada", PASSWORD, None, 0, None, None
    )
    assert hr == com.WBEM_E_INVALID_NAMESPACE
    assert services.Release() == 0


@pytest.mark.slow
def test_who_may_not(target: str) -> None:
    async def attempt(**options: Any) -> None:
        async with openwmi.connect(target, **options):
            pass

    with pytest.raises(errors.AccessDenied) as denied:
        run(lambda: attempt(user="ada", password="guess"))
    assert (denied.value.host, denied.value.phase) == ("127.0.0.1", "RemoteCreateInstance")
    with pytest.raises(openwmi.WbemError) as lacking:
        run(lambda: attempt())
    assert lacking.value.code == SEC_E_NO_CREDENTIALS
    with pytest.raises(errors.AccessDenied):
        run(lambda: attempt(user="eve", password=PASSWORD))


def test_equal_connections_share_a_socket_and_its_log_on(served: Served, target: str) -> None:
    async def work() -> None:
        before = set(served.server.listener.associations)

        def ours() -> set[Any]:
            return set(served.server.listener.associations) - before

        async with openwmi.connect(target, user="ada", password=PASSWORD) as first:
            alone = ours()
            assert len(alone) == 1
            async with openwmi.connect(target, user="ada", password=PASSWORD) as second:
                assert ours() == alone
                async with openwmi.connect(target, user="ada", password=PASSWORD, auth_level="integrity"):
                    assert len(ours()) == 2
            assert len(await first.query("SELECT N FROM Row").fetch_all()) == 250
            assert second.namespace == first.namespace

    run(work)


def test_a_host_that_is_not_there_is_said_first() -> None:
    async def attempt() -> None:
        async with openwmi.connect(r"\\no.such.host.invalid\root\cimv2"):
            pass

    with pytest.raises(openwmi.WbemError) as failure:
        run(attempt)
    assert (failure.value.code, failure.value.phase) == (RPC_S_SERVER_UNAVAILABLE, "name")
    assert failure.value.host == "no.such.host.invalid"


def test_an_nt_hash_instead_of_a_password(target: str) -> None:
    from openwmi.wire.ntlm import nt_hash

    async def work() -> None:
        async with openwmi.connect(target, user="ada", nt_hash=nt_hash(PASSWORD).hex()) as wmi:
            assert len(await wmi.query("SELECT N FROM Row").fetch_all()) == 250

    run(work)
