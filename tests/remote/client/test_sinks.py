"""Sinks of the program on the wire: pushed objects, guards against a server that breaks the contract, cancel."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.conformance.support import Recorder
from tests.remote.client.host import METHOD, THING, USER, Host, SinkCall, class_named
from tests.remote.client.kit import QUERY, Buffer, add, clocked, closed, heard, logged_on, things
from tests.remote.memory import NOW, PASSWORD

from openwmi.contract import flags as f
from openwmi.contract import operations as ops
from openwmi.contract.outcome import Outcome, Progress
from openwmi.model import status as codes
from openwmi.model.errors import NotFound, WbemError
from openwmi.remote.client import receiving
from openwmi.remote.client.services import RemoteServices
from openwmi.remote.inbound import Association, Listener
from openwmi.remote.outbound.channel import Channel
from openwmi.remote.outbound.network import Network, Security
from openwmi.remote.outbound.resolving import reach
from openwmi.remote.places import Address
from openwmi.wire.dcom.guids import IObjectExporter, IRemUnknown
from openwmi.wire.ntlm import Credential, Initiator
from openwmi.wire.rpc import SyntaxId
from openwmi.wire.wmi import guids as g
from openwmi.wire.wmi import results as r

LOCAL = "10.0.0.1"


@pytest.fixture(autouse=True)
def hosts(monkeypatch: pytest.MonkeyPatch) -> list[Host]:
    """Listeners of the client are reached through the network of the last host that was made."""
    made: list[Host] = []
    init = Host.__init__

    def remembered(self: Host, *arguments: Any, **options: Any) -> None:
        init(self, *arguments, **options)
        made.append(self)

    async def listen(self: Listener, host: str, port: int = 0) -> Address:
        address = Address(host, port or 40000 + len(made[-1].network.hosts))
        made[-1].network.listen(address, lambda: Association(self))  # type: ignore[arg-type]
        self.addresses.append(address)
        return address

    monkeypatch.setattr(Host, "__init__", remembered)
    monkeypatch.setattr(Listener, "listen", listen)
    return made


def nobody_listens() -> None:
    receiver = receiving.Receiver.here()
    assert receiver._listener is None
    assert len(receiver.exporter) == 0
    assert not receiver._machines


async def ended(host: Host, services: Any) -> None:
    await closed(host, services)
    nobody_listens()


@asynccontextmanager
async def pushing(*found: Any, **options: Any) -> AsyncIterator[tuple[Host, RemoteServices]]:
    """The same as `logged_on`, and nobody listens afterwards."""
    async with logged_on(*found, **options) as both:
        yield both
    nobody_listens()


@pytest.mark.req("calls:K1")
@clocked
async def test_objects_are_pushed_into_the_sink() -> None:
    async with pushing(things(250)) as (host, services):
        sink = await heard(services, QUERY, Recorder())
        assert [one.N for one in sink.objects] == list(range(250))
        assert sink.kinds == ["objects", "completed", "released"]
        assert sink.outcome == Outcome()
        assert host.calls[-1] == "ExecQueryAsync"
        choice = await services.delivery()
        assert (choice.mode, choice.why) == ("sink", "10.0.0.2 calls back to 10.0.0.1[135]")


@pytest.mark.req("calls:E18")
@pytest.mark.req("calls:E18")
@clocked
async def test_nothing_listens_for_a_query_that_is_pulled() -> None:
    """calls.md E18."""
    async with pushing(things(5)) as (host, services):
        await heard(services, QUERY, Buffer())
        assert not any(address.host == LOCAL for address in host.network.hosts)


@clocked
async def test_polling_where_it_was_asked_for() -> None:
    async with pushing(things(120), delivery="poll") as (host, services):
        sink = await heard(services, QUERY, Recorder())
        assert len(sink.objects) == 120
        assert "ExecQuery" in host.calls
        assert (await services.delivery()).mode == "poll"


@clocked
async def test_without_port_135_a_server_on_135_is_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    """wire.md 6.2: whatever a reference says, it would come to 135."""
    listen = Listener.listen

    async def unprivileged(self: Listener, host: str, port: int = 0) -> Address:
        if port == 135:
            raise PermissionError(13, "Permission denied")
        return await listen(self, host, port)

    monkeypatch.setattr(Listener, "listen", unprivileged)
    host = Host(things(3))
    services = await host.connect()
    assert len((await heard(services, QUERY, Recorder())).objects) == 3
    choice = await services.delivery()
    assert choice.mode == "poll"
    assert "port 135" in choice.why
    await services.close()
    forced = await host.connect(delivery="sink")
    assert len((await heard(forced, QUERY, Recorder())).objects) == 3
    assert host.calls[-1] == "ExecQueryAsync"
    await ended(host, forced)


@clocked
async def test_a_port_that_is_named_is_the_one_also_for_a_server_on_135() -> None:
    """Something may lead what comes to 135 there; nothing else listens, on 135 least of all."""
    async with pushing(things(3), callback_port=4135) as (host, services):
        assert len((await heard(services, QUERY, Recorder())).objects) == 3
        assert host.calls[-1] == "ExecQueryAsync"
        choice = await services.delivery()
        assert (choice.mode, choice.why) == ("sink", "10.0.0.2 calls back to 10.0.0.1[4135]")
        assert [one.port for one in host.network.hosts if one.host == LOCAL] == [4135]


@clocked
async def test_a_server_that_cannot_call_back_is_polled_from_then_on() -> None:
    host = Host(things(3))
    host.refuse["ExecQueryAsync"] = codes.RPC_S_SERVER_UNAVAILABLE
    services = await host.connect()
    for _ in range(2):
        assert len((await heard(services, QUERY, Recorder())).objects) == 3
    assert host.calls.count("ExecQueryAsync") == 1
    choice = await services.delivery()
    assert (choice.mode, choice.why) == ("poll", "10.0.0.2 cannot call back here (0x800706BA)")
    await services.close()
    strict = await host.connect(delivery="sink")
    with pytest.raises(WbemError) as caught:
        await strict.start(QUERY, Recorder())
    assert caught.value.code == codes.RPC_S_SERVER_UNAVAILABLE
    await ended(host, strict)


@pytest.mark.req("calls:B16")
@clocked
async def test_a_refused_call_keeps_no_sink() -> None:
    host = Host(things(3))
    host.refuse["ExecQueryAsync"] = codes.WBEM_E_QUOTA_VIOLATION
    services = await host.connect()
    sink = Recorder()
    with pytest.raises(WbemError) as caught:
        await services.start(QUERY, sink)
    assert caught.value.code == codes.WBEM_E_QUOTA_VIOLATION
    assert sink.events == []
    assert len(receiving.Receiver.here().exporter) == 0
    await ended(host, services)


@pytest.mark.req("calls:B30", "calls:B31", "calls:B28")
@clocked
async def test_single_results_are_pushed_too() -> None:
    host = Host()
    host.objects["doer"] = class_named(METHOD)
    services = await host.connect()

    async def answered(call: SinkCall) -> None:
        if isinstance(call.operation, ops.ExecMethod):
            await call.indicate(add(call.operation))
        await call.status(0, text="a path" if isinstance(call.operation, ops.PutInstance) else None)

    host.push = answered
    sink = await heard(services, ops.ExecMethod("Doer", "Add", {"A": 1, "B": 2}), Recorder())
    assert sink.objects[0].Sum == 3
    stored = await heard(services, ops.PutInstance(things(1)[0]), Recorder())
    assert stored.outcome == Outcome(0, "a path")
    for operation in (ops.PutClass(class_named(THING)), ops.DeleteClass("T"), ops.DeleteInstance("T=1")):
        assert (await heard(services, operation, Recorder())).kinds == ["completed", "released"]
    await ended(host, services)


@pytest.mark.req("calls:B34", "calls:B35", "calls:B36")
@clocked
async def test_progress_reaches_whoever_asked_for_it() -> None:
    host = Host()

    async def reporting(call: SinkCall) -> None:
        await call.status(0x80640019, flags=2, text="a quarter")
        await call.status()

    host.push = reporting
    services = await host.connect()
    sink = await heard(services, QUERY, Recorder(), f.WBEM_FLAG_SEND_STATUS)
    assert sink.events[0] == ("progress", Progress(25, 0x8064, "a quarter"))
    silent = await heard(services, QUERY, Recorder())
    assert silent.kinds == ["completed", "released"]
    await ended(host, services)


@pytest.mark.req("calls:B27", "calls:G10")
@clocked
async def test_a_failure_brings_its_error_object() -> None:
    host = Host()
    status = class_named("class MyStatus { uint32 StatusCode; string Description; };")
    details = status.spawn({"StatusCode": 7, "Description": "mine"})

    async def failing(call: SinkCall) -> None:
        await call.status(codes.WBEM_E_NOT_FOUND, error=details)

    host.push = failing
    services = await host.connect()
    sink = await heard(services, QUERY, Recorder())
    assert sink.outcome.status == codes.WBEM_E_NOT_FOUND
    assert sink.outcome.error is not None
    assert sink.outcome.error.StatusCode == 7
    failure = sink.outcome.as_error()
    assert isinstance(failure, NotFound)
    assert (failure.message, failure.host, failure.operation) == ("mine", "10.0.0.2", "ExecQuery")
    await ended(host, services)


@pytest.mark.req("calls:B21", "calls:C19")
@clocked
async def test_callbacks_may_come_before_the_answer_of_the_call() -> None:
    host = Host(things(3))
    late = asyncio.Event()

    def meddle(name: str, request: Any, stub: Any) -> Any:
        return stub

    asynchronous = host.exporter.called

    def delayed(association: Any, request: Any) -> Any:
        answer = asynchronous(association, request)
        if request.interface == g.IWbemServices and request.opnum == 21:

            async def later() -> bytes:
                stub = await answer if isinstance(answer, Awaitable) else answer
                await late.wait()
                return stub  # type: ignore[no-any-return]

            return later()
        return answer

    host.exporter.called = delayed  # type: ignore[method-assign]
    host.meddle = meddle
    services = await host.connect()
    sink = Recorder()
    starting = asyncio.ensure_future(services.start(QUERY, sink))
    await asyncio.sleep(5)
    assert not starting.done()
    assert sink.events == []
    late.set()
    call = await starting
    assert (await call).status == 0
    assert sink.kinds == ["objects", "completed", "released"]
    await ended(host, services)


@pytest.mark.req("calls:B22", "calls:B23", "calls:B24", "calls:D9")
@clocked
async def test_a_server_that_breaks_the_contract_is_kept_to_it() -> None:
    host = Host()
    answers: list[int] = []

    async def wild(call: SinkCall) -> None:
        first, second = things(2)
        await call.indicate()
        both = await asyncio.gather(call.indicate(first), call.indicate(second))
        answers.extend(both)
        answers.append(await call.status(0))
        answers.append(await call.indicate(first))
        answers.append(await call.status(codes.WBEM_E_FAILED))
        await asyncio.sleep(30)
        with pytest.raises(WbemError):
            await call.indicate(first)

    host.push = wild
    services = await host.connect()

    async def slowly(_: Any) -> None:
        await asyncio.sleep(1)

    sink = Recorder(objects=slowly)
    await heard(services, QUERY, sink)
    assert [kind for kind, _ in sink.events] == ["objects", "objects", "completed", "released"]
    await asyncio.sleep(60)
    assert answers == [0, 0, 0, codes.WBEM_E_CALL_CANCELLED, 0]
    await ended(host, services)


@pytest.mark.req("calls:B37")
@clocked
async def test_a_status_that_is_neither_end_nor_progress_is_an_error() -> None:
    host = Host()
    answers: list[int] = []

    async def odd(call: SinkCall) -> None:
        answers.append(await call.status(0, flags=1))
        await call.status()

    host.push = odd
    services = await host.connect()
    sink = await heard(services, QUERY, Recorder())
    assert answers == [codes.WBEM_E_INVALID_PARAMETER]
    assert sink.outcome == Outcome()
    await ended(host, services)


@pytest.mark.req("calls:C5", "calls:K8")
@clocked
async def test_a_sink_that_fails_ends_its_call_at_the_server() -> None:
    async with pushing(things(500)) as (host, services):
        sink = await heard(services, QUERY, Recorder(objects=lambda _: codes.WBEM_E_FAILED))
        assert [kind for kind, _ in sink.events] == ["objects", "completed", "released"]
        assert sink.outcome.status == codes.WBEM_E_CALL_CANCELLED
        await asyncio.sleep(10)
        assert host.sinks[0].cancelled.is_set()


@pytest.mark.slow
@clocked
async def test_a_slow_sink_is_felt_by_the_server() -> None:
    """Back-pressure: at most a window of objects waits here, and the server's callback waits with it."""
    async with pushing(things(10_000)) as (host, services):
        sent = 0

        async def counting(call: SinkCall) -> None:
            nonlocal sent
            for start in range(0, 10_000, 500):
                await call.indicate(*host.rows[start : start + 500])
                sent += 500
            await call.status()

        host.push = counting
        gate = asyncio.Event()
        sink = Recorder(objects=lambda _: gate.wait())
        call = await services.start(QUERY, sink)
        await asyncio.sleep(15)
        assert sent <= 3500
        gate.set()
        assert (await call).status == 0
        assert len(sink.objects) == 10_000


@pytest.mark.req("calls:C5", "calls:D5")
@clocked
async def test_the_callback_that_waits_for_room_hears_of_a_cancel() -> None:
    """So that the server stops at once, and not with the next object."""
    async with pushing(things(10_000)) as (host, services):
        answers: list[int] = []

        async def counting(call: SinkCall) -> None:
            for start in range(0, 10_000, 500):
                answers.append(await call.indicate(*host.rows[start : start + 500]))
                if answers[-1]:
                    return

        host.push = counting
        gate = asyncio.Event()
        sink = Recorder(objects=lambda _: gate.wait())
        call = await services.start(QUERY, sink)
        await asyncio.sleep(5)
        waiting = len(answers)
        await call.cancel()
        await asyncio.sleep(1)
        assert answers == [0] * waiting + [codes.WBEM_E_CALL_CANCELLED]
        gate.set()
        assert (await call).status == codes.WBEM_E_CALL_CANCELLED


@clocked
async def test_a_server_that_never_comes_is_polled_where_that_is_harmless() -> None:
    host = Host(things(5))
    host.objects["doer"] = class_named(METHOD)
    host.finds_back = False
    services = await host.connect()
    before = asyncio.get_running_loop().time()
    sink = await heard(services, QUERY, Recorder())
    assert [one.N for one in sink.objects] == list(range(5))
    assert sink.kinds == ["objects", "completed", "released"]
    assert 10 <= asyncio.get_running_loop().time() - before < 11
    assert (await services.delivery()).why == "10.0.0.2 did not call back here"
    await services.close()
    once = await host.connect()
    called = await heard(once, ops.ExecMethod("Doer", "Ping"), Recorder())
    assert called.outcome.status == codes.WBEM_E_TRANSPORT_FAILURE
    assert "did not call back within 10 s" in str(called.outcome.as_error())
    assert host.calls.count("ExecMethodAsync") == 1
    assert "ExecMethod" not in host.calls
    await ended(host, once)


# Cancel -------------------------------------------------------------------------------------------------------


def endless(call: SinkCall) -> Any:
    async def forever() -> None:
        while not call.cancelled.is_set():
            if await call.indicate(*things(1)) & 0x80000000:
                break
            await asyncio.sleep(0.01)
        await call.status(codes.WBEM_E_CALL_CANCELLED)

    return forever()


@pytest.mark.req("calls:D5", "calls:D6", "calls:D7", "calls:K5")
@clocked
async def test_nothing_comes_after_a_cancel() -> None:
    host = Host()
    host.push = endless
    services = await host.connect()
    sink = Recorder()
    call = await services.start(QUERY, sink)
    await asyncio.sleep(1)
    loop = asyncio.get_running_loop()
    before = loop.time()
    await services.cancel(sink)
    assert loop.time() - before <= 1.0
    assert sink.kinds == ["objects", "completed", "released"]
    assert sink.outcome.status == codes.WBEM_E_CALL_CANCELLED
    assert call.done
    count = len(sink.events)
    await asyncio.sleep(60)
    assert len(sink.events) == count
    assert host.calls.count("CancelAsyncCall") == 1
    assert len(receiving.Receiver.here().exporter) == 0
    await ended(host, services)


@pytest.mark.req("calls:D2", "calls:D3")
@clocked
async def test_cancelling_what_does_not_run() -> None:
    async with pushing() as (_, services):
        with pytest.raises(NotFound):
            await services.cancel(Recorder())
        with pytest.raises(WbemError) as caught:
            await services.cancel(None)
        assert caught.value.code == codes.WBEM_E_INVALID_PARAMETER


@pytest.mark.req("calls:D12", "calls:C16")
@clocked
async def test_a_call_cancelled_by_itself_leaves_the_others_of_its_sink() -> None:
    host = Host()
    host.push = endless
    services = await host.connect()
    sink = Recorder()
    first = await services.start(QUERY, sink)
    second = await services.start(QUERY, sink)
    await asyncio.sleep(0.1)
    await first.cancel()
    assert first.done
    assert not second.done
    await services.cancel(sink)
    assert second.done
    assert [kind for kind, _ in sink.events].count("released") == 2
    await ended(host, services)


@clocked
async def test_a_cancel_that_the_server_does_not_answer_returns_all_the_same() -> None:
    host = Host()
    host.push = endless
    host.meddle = lambda name, request, stub: None if name == "CancelAsyncCall" else stub
    services = await host.connect()
    sink = Recorder()
    await services.start(QUERY, sink)
    await asyncio.sleep(0.1)
    before = asyncio.get_running_loop().time()
    await services.cancel(sink)
    assert asyncio.get_running_loop().time() - before <= 1.0
    assert sink.released_once()
    await asyncio.sleep(30)
    await ended(host, services)


@clocked
async def test_a_server_that_dies_ends_its_calls() -> None:
    host = Host()

    async def silent(call: SinkCall) -> None:
        await asyncio.sleep(3600)

    host.push = silent
    services = await host.connect()
    sink = Recorder()
    call = await services.start(ops.ExecNotificationQuery("SELECT * FROM X"), sink)
    await asyncio.sleep(1)
    services.machine.channel.connection_lost(ConnectionResetError("reset"))
    assert (await call).status == codes.RPC_S_CALL_FAILED
    assert sink.kinds == ["completed", "released"]
    for one in host.sinks:
        assert one.task is not None
        one.task.cancel()
    await services.close()
    nobody_listens()


@clocked
async def test_a_sink_let_go_without_a_final_status() -> None:
    host = Host()

    async def forgetful(call: SinkCall) -> None:
        await call.indicate(*things(1))

    host.push = forgetful
    services = await host.connect()
    sink = await heard(services, QUERY, Recorder())
    assert sink.outcome.status == codes.WBEM_E_CALL_CANCELLED
    assert "without a final status" in str(sink.outcome.as_error())
    await ended(host, services)


@clocked
async def test_closing_ends_subscriptions() -> None:
    host = Host()
    host.push = endless
    services = await host.connect()
    sink = Recorder()
    await services.start(ops.ExecNotificationQuery("SELECT * FROM X"), sink)
    await asyncio.sleep(0.1)
    await services.close()
    assert sink.outcome.status == codes.WBEM_E_CALL_CANCELLED
    assert sink.released_once()
    await asyncio.sleep(10)
    await ended(host, services)


# Who may call -------------------------------------------------------------------------------------------------


def stranger(level: int = 6, password: str = PASSWORD, user: str = USER) -> Security:
    def initiate(target: str) -> Initiator:
        return Initiator(Credential(user, password=password), os.urandom(24), filetime=NOW, target=target)

    return Security(initiate, level)


@clocked
async def waiting_sink(test: Callable[[Host, SinkCall], Awaitable[None]], **options: Any) -> None:
    """Run a test while a sink waits for the host."""
    host = Host(things(1))
    go, done = asyncio.Event(), asyncio.Event()

    async def waits(call: SinkCall) -> None:
        go.set()
        await done.wait()
        await call.honest()

    host.push = waits
    services = await host.connect(**options)
    sink = Recorder()
    call = await services.start(QUERY, sink)
    await go.wait()
    try:
        await test(host, host.sinks[0])
        assert sink.events == []
    finally:
        done.set()
    assert (await call).status == 0
    await ended(host, services)


@pytest.mark.req("calls:E3", "calls:E15", "calls:E16")
@pytest.mark.parametrize(
    ("level", "password", "user"),
    [(5, PASSWORD, USER), (6, "guessed", USER), (6, PASSWORD, "eve")],
    ids=["integrity", "password", "user"],
)
def test_nobody_calls_a_sink_but_the_server_that_was_logged_on_to(
    level: int, password: str, user: str
) -> None:
    """wire.md 6.4: below the level of the log-on, or as anybody else: fault 5, and the sink hears nothing."""

    async def test(host: Host, call: SinkCall) -> None:
        with pytest.raises(WbemError) as caught:
            await called_back(host, call, stranger(level, password, user))
        assert caught.value.code in {codes.E_ACCESSDENIED, codes.SEC_E_LOGON_DENIED}

    waiting_sink(test)


async def called_back(host: Host, call: SinkCall, security: Security) -> int:
    """What the sink answers to a progress report, which nobody asked for, over a connection of its own."""

    async def dial(factory: Any, address: Any) -> Any:
        return await host.network.dial_from(Address("10.0.0.2", 50001), factory, address)  # type: ignore[arg-type]

    proxy = await reach(
        call.reference,
        g.IWbemObjectSink,
        [security],
        allowed=lambda host: True,
        network=Network(dial),
    )
    try:
        return int((await proxy.call(r.SET_STATUS, r.SetStatus(2, 0x640019))).result)
    finally:
        proxy.drop()
        await proxy.exporter.channel.close()


@pytest.mark.req("calls:A4", "calls:E13")
def test_callbacks_come_at_integrity_where_the_log_on_did() -> None:
    async def test(host: Host, call: SinkCall) -> None:
        for level in (5, 6):
            assert await called_back(host, call, stranger(level, PASSWORD, USER)) == 0
        with pytest.raises(WbemError) as caught:
            await called_back(host, call, stranger(4, PASSWORD, USER))
        assert caught.value.code == codes.E_ACCESSDENIED

    waiting_sink(test, level="integrity")


def test_other_machines_are_not_even_let_in() -> None:
    async def test(host: Host, call: SinkCall) -> None:
        async def dial(factory: Any, address: Any) -> Any:
            return await host.network.dial_from(Address("10.6.6.6", 50001), factory, address)  # type: ignore[arg-type]

        with pytest.raises(WbemError) as caught:
            await Channel.open(
                Address(LOCAL, 135),  # type: ignore[arg-type]
                IObjectExporter,
                network=Network(dial),
            )
        assert caught.value.code == codes.RPC_S_CALL_FAILED

    waiting_sink(test)


def test_the_listener_serves_sinks_and_nothing_else() -> None:
    async def test(host: Host, call: SinkCall) -> None:
        async def dial(factory: Any, address: Any) -> Any:
            return await host.network.dial_from(Address("10.0.0.2", 50001), factory, address)  # type: ignore[arg-type]

        for interface in (
            g.IWbemServices,
            g.IWbemLevel1Login,
            SyntaxId(class_named(THING) and g.IID_IWbemContext),
        ):
            with pytest.raises(WbemError) as caught:
                await Channel.open(Address(LOCAL, 135), interface, network=Network(dial))  # type: ignore[arg-type]
            assert caught.value.code == codes.RPC_S_UNKNOWN_IF
        channel = await Channel.open(Address(LOCAL, 135), IRemUnknown, network=Network(dial))  # type: ignore[arg-type]
        await channel.close()

    waiting_sink(test)
