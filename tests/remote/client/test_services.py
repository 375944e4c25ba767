"""The client against a scripted host in memory: log-on, the ten operations pulled, what is held and given back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.conformance.support import Recorder
from tests.remote.client.host import EXPORTER, HOST, METHOD, RESOLVER, THING, USER, Host, Login, class_named
from tests.remote.client.kit import QUERY, Buffer, add, clocked, closed, heard, logged_on, things
from tests.remote.memory import PASSWORD

from openwmi.contract import operations as ops
from openwmi.contract.outcome import Outcome
from openwmi.model import status as codes
from openwmi.model.errors import AccessDenied, InvalidNamespace, NotFound, WbemError
from openwmi.remote.client import Credentials, Settings, connect
from openwmi.remote.outbound.dialling import Address
from openwmi.remote.outbound.network import Network
from openwmi.wire.wmi import guids as g


@pytest.mark.req("calls:A32", "calls:F26")
@clocked
async def test_a_query_from_log_on_to_release() -> None:
    async with logged_on(things(250)) as (host, services):
        assert host.network.dialled == [RESOLVER, EXPORTER]
        sink = await heard(services, QUERY)
        assert [one.N for one in sink.objects] == list(range(250))
        assert [one.S for one in sink.objects][-1] == "s249"
        assert sink.outcome == Outcome()
        assert [name for name in host.calls if name != "GetObject"] == [
            "RemoteCreateInstance",
            "SetClientInfo",
            "NTLMLogin",
            "ExecQuery",
            "GetSmartEnum",
            *["SmartNext"] * 3,
        ]


@clocked
async def test_the_name_of_a_server_is_looked_up_once() -> None:
    """Where it led first is where everything goes: a second look could lead a proof of ours to another machine."""
    host = Host(things(1))
    dialled: list[Address] = []

    async def dial(factory: Any, address: Address) -> Any:
        dialled.append(address)
        there = Address(HOST, address.port) if address.host == "server.example" else address
        return await host.network.dial(factory, there)

    settings = Settings(network=Network(dial))
    services = await connect("server.example", "root", Credentials(USER, PASSWORD), settings=settings)
    assert dialled == [Address("server.example", 135), EXPORTER]
    assert services.machine.host == "server.example"
    await closed(host, services)


@pytest.mark.req("calls:A32")
@clocked
async def test_a_server_that_does_not_want_to_know_who_calls_is_logged_on_to_all_the_same() -> None:
    host = Host(things(1))
    host.refuse["SetClientInfo"] = codes.WBEM_E_FAILED
    services = await host.connect()
    assert len((await heard(services, QUERY)).objects) == 1
    await closed(host, services)
    without = {iid: table for iid, table in Login.interfaces.items() if iid != g.IWbemLoginClientID.uuid}
    host = Host(things(1))
    host.login = type("Older", (Login,), {"interfaces": without})
    services = await host.connect()
    assert host.calls[:2] == ["RemoteCreateInstance", "NTLMLogin"]
    assert len((await heard(services, QUERY)).objects) == 1
    await closed(host, services)


@pytest.mark.req("calls:A33", "calls:A26")
@pytest.mark.parametrize(
    ("locales", "knows", "told"),
    [
        (None, None, None),
        ("MS_409", None, "MS_409"),
        ("MS_407,MS_409", True, "MS_407,MS_409"),
        ("de-DE", True, "de-DE"),
        ("de-DE,ms_409,MS_407", False, "ms_409"),
        ("de-DE,en-US", False, None),
    ],
)
@clocked
async def test_locales_that_not_every_server_can_read_are_said_after_asking_it(
    locales: str | None, knows: bool | None, told: str | None
) -> None:
    """knows: what the server says to EstablishPosition; None where it must not be asked."""
    host = Host(things(1))
    host.knows_locales = bool(knows)
    services = await host.connect(locale=locales)
    asked = ["EstablishPosition"] if knows is not None else []
    assert [call for call in host.calls if call in ("EstablishPosition", "NTLMLogin")] == [
        *asked,
        "NTLMLogin",
    ]
    assert host.locales == [told]
    await closed(host, services)


@clocked
async def test_resolver_and_exporter_on_one_port_share_a_connection() -> None:
    async with logged_on(things(3), one_port=True) as (host, services):
        assert len((await heard(services, QUERY)).objects) == 3
        assert host.network.dialled == [RESOLVER]


@clocked
async def test_an_empty_result() -> None:
    async with logged_on() as (_, services):
        sink = await heard(services, QUERY)
        assert sink.kinds == ["completed", "released"]


@pytest.mark.req("calls:F26")
@clocked
async def test_a_server_without_smart_enumerators_is_asked_for_plain_pages() -> None:
    host = Host(things(250))
    host.smart = False
    services = await host.connect()
    sink = await heard(services, QUERY)
    assert [one.N for one in sink.objects] == list(range(250))
    assert host.calls[-3:] == ["Next"] * 3
    await closed(host, services)


@clocked
async def test_the_next_page_is_asked_for_before_this_one_is_decoded() -> None:
    async with logged_on(things(500)) as (_, services):
        asked: list[int] = []

        class Watching(Buffer):
            def on_objects(self, batch: Any) -> Any:
                asked.append(services.machine.channel.in_flight)
                return super().on_objects(batch)

        await heard(services, QUERY, Watching())
        assert asked == [1, 1, 1, 1, 1]


@clocked
async def test_nobody_asks_for_what_nobody_wants() -> None:
    """Demand is a credit: a reader that takes nothing is sent no more than it has room for."""
    async with logged_on(things(1000)) as (_, services):
        sink = Buffer()
        sink.credit = 150
        call = await services.start(QUERY, sink)
        await asyncio.sleep(60)
        assert len(sink.objects) == 150
        call.grant(1000)
        assert (await call).status == 0
        assert len(sink.objects) == 1000


@clocked
async def test_leaving_early_gives_the_enumerator_back() -> None:
    async with logged_on(things(1000)) as (host, services):
        sink = Buffer()
        sink.credit = 100
        call = await services.start(QUERY, sink)
        await asyncio.sleep(1)
        await call.cancel()
        assert sink.kinds == ["objects", "completed", "released"]
        assert sink.outcome.status == codes.WBEM_E_CALL_CANCELLED
        await asyncio.sleep(0.1)
        assert len(host.exporter) == 2  # log-on object and services


@clocked
async def test_objects_that_come_before_a_failure() -> None:
    host = Host(things(150))
    host.end_status = codes.WBEM_E_PROVIDER_FAILURE
    services = await host.connect()
    sink = await heard(services, QUERY)
    assert len(sink.objects) == 150
    failure = sink.outcome.as_error()
    assert (failure.code, failure.host, failure.operation) == (
        codes.WBEM_E_PROVIDER_FAILURE,
        "10.0.0.2",
        "ExecQuery",
    )
    assert failure.namespace == "root\\cimv2"
    await closed(host, services)


@clocked
async def test_a_partial_result_says_so() -> None:
    host = Host(things(5))
    host.end_status = codes.WBEM_S_PARTIAL_RESULTS
    services = await host.connect()
    assert (await heard(services, QUERY)).outcome == Outcome(codes.WBEM_S_PARTIAL_RESULTS)
    await closed(host, services)


@clocked
async def test_a_refusal_is_raised_and_the_sink_hears_nothing() -> None:
    host = Host()
    host.refuse["ExecQuery"] = codes.WBEM_E_ACCESS_DENIED
    services = await host.connect()
    sink = Buffer()
    with pytest.raises(AccessDenied) as caught:
        await services.start(QUERY, sink)
    assert (caught.value.host, caught.value.phase) == ("10.0.0.2", "ExecQuery")
    assert sink.events == []
    await closed(host, services)


@clocked
async def test_one_object() -> None:
    host = Host()
    host.objects["thing.n=1"] = things(2)[1]
    host.objects["thing"] = class_named(THING)
    services = await host.connect()
    sink = await heard(services, ops.GetObject("Thing.N=1"))
    assert [one.S for one in sink.objects] == ["s1"]
    assert (await heard(services, ops.GetObject("Thing"))).objects[0].name == "Thing"
    missing = await heard(services, ops.GetObject("Thing.N=9"))
    assert missing.outcome.status == codes.WBEM_E_NOT_FOUND
    failure = missing.outcome.as_error()
    assert isinstance(failure, NotFound)
    assert (failure.parameter, failure.host) == ("Thing.N=9", "10.0.0.2")
    await closed(host, services)


@clocked
async def test_an_object_for_a_sink_of_the_program_by_polling() -> None:
    host = Host()
    host.objects["thing.n=1"] = things(2)[1]
    services = await host.connect(delivery="poll")
    sink = await heard(services, ops.GetObject("Thing.N=1"), Recorder())
    assert sink.kinds == ["objects", "completed", "released"]
    assert host.calls[-3:] == ["GetObject", "GetCallStatus", "GetResultObject"]
    with pytest.raises(NotFound):
        await services.start(ops.GetObject("Thing.N=9"), Recorder())
    await closed(host, services)


@pytest.mark.req("calls:B28")
@clocked
async def test_puts_and_deletes() -> None:
    async with logged_on() as (_, services):
        stored = await heard(services, ops.PutInstance(things(1)[0]))
        assert stored.outcome == Outcome(0, "\\\\HOST\\root\\cimv2:Thing.N=1")
        assert (await heard(services, ops.PutClass(class_named(THING)))).outcome == Outcome()
        assert (await heard(services, ops.DeleteInstance("Thing.N=1"))).outcome == Outcome()
        assert (await heard(services, ops.DeleteClass("Thing"))).outcome == Outcome()


@pytest.mark.req("calls:B94")
@clocked
async def test_methods_with_parameters_by_name() -> None:
    host = Host()
    host.objects["doer"] = class_named(METHOD)
    host.method = add
    services = await host.connect()
    sink = await heard(services, ops.ExecMethod("Doer", "Add", {"A": 40, "b": 2}))
    assert (sink.objects[0].Sum, sink.objects[0].ReturnValue) == (42, 0)
    for params, code in (
        ({"C": 1}, codes.WBEM_E_INVALID_METHOD_PARAMETERS),
        ({"A": "much"}, codes.WBEM_E_INVALID_METHOD_PARAMETERS),
    ):
        failed = await heard(services, ops.ExecMethod("Doer", "Add", params))
        assert failed.outcome.status == code
    missing = await heard(services, ops.ExecMethod("Doer", "Subtract", {"A": 1}))
    assert missing.outcome.status == codes.WBEM_E_INVALID_METHOD
    assert host.calls.count("GetObject") == 2  # once for the names, once for the signature
    await closed(host, services)


@clocked
async def test_events_come_one_by_one_and_without_delay() -> None:
    host = Host()
    services = await host.connect()
    loop = asyncio.get_running_loop()
    times: list[float] = []

    class Watching(Buffer):
        def on_objects(self, batch: Any) -> Any:
            times.append(loop.time())
            return super().on_objects(batch)

    sink = Watching()
    call = await services.start(ops.ExecNotificationQuery("SELECT * FROM Something"), sink)
    expected = []
    for one in things(5):
        await asyncio.sleep(7)
        host.events.append(one)
        host.more.set()
        expected.append(loop.time())
        await asyncio.sleep(0.001)
    assert times == expected
    await asyncio.sleep(14 * 60)
    host.events += things(120)
    host.more.set()
    await asyncio.sleep(0.001)
    assert len(sink.objects) == 125
    await services.close()
    assert sink.outcome.status == codes.WBEM_E_CALL_CANCELLED
    assert call.done
    assert len(host.exporter) == 0


@clocked
async def test_a_namespace_below() -> None:
    host = Host(things(1))
    services = await host.connect(namespace="root")
    below = await services.open("cimv2")
    assert below.namespace == "root\\cimv2"
    await services.close()
    assert len((await heard(below, QUERY)).objects) == 1
    await closed(host, below)


@clocked
async def test_log_ons_that_fail_leave_nothing() -> None:
    host = Host()
    with pytest.raises(AccessDenied) as caught:
        await host.connect(password="wrong")
    assert (caught.value.host, caught.value.phase) == ("10.0.0.2", "RemoteCreateInstance")
    host.refuse["NTLMLogin"] = codes.WBEM_E_INVALID_NAMESPACE
    with pytest.raises(InvalidNamespace) as caught_too:
        await host.connect()
    assert (caught_too.value.host, caught_too.value.phase) == ("10.0.0.2", "log-on")
    await asyncio.sleep(1)
    assert not host.listener.associations
    assert len(host.exporter) == 0
    del host.network.hosts[EXPORTER]
    with pytest.raises(WbemError) as unreachable:
        await host.connect()
    assert unreachable.value.code == codes.RPC_S_SERVER_UNAVAILABLE
    assert "49152" in str(unreachable.value)


@clocked
async def test_a_connection_that_breaks_ends_its_calls_with_the_reason() -> None:
    host = Host(things(1000))
    services = await host.connect()
    sink = Buffer()
    sink.credit = 100
    call = await services.start(QUERY, sink)
    await asyncio.sleep(1)
    host.network.connections[-1].reset()
    await asyncio.sleep(1)
    call.grant(100)
    outcome = await call
    assert outcome.status in (codes.RPC_S_CALL_FAILED, codes.RPC_E_DISCONNECTED)
    assert outcome.as_error().host == "10.0.0.2"
    with pytest.raises(WbemError):
        await services.start(QUERY, Buffer())
    await services.close()


@pytest.mark.parametrize(
    "operation", [QUERY, ops.GetObject("Thing.N=1"), ops.DeleteInstance("Thing.N=1")], ids=str
)
@clocked
async def test_what_is_cancelled_on_its_way_is_given_back_when_it_comes(operation: Any) -> None:
    """After every number of turns of the loop: an answer that nobody waits for any more may hold a reference."""
    host = Host(things(250))
    host.objects["thing.n=1"] = host.rows[1]
    services = await host.connect()
    before = len(host.exporter)
    for turns in range(40):
        starting = asyncio.ensure_future(services.start(operation, Recorder()))
        for _ in range(turns):
            await asyncio.sleep(0)
        if starting.done():
            await starting.result().cancel()
        else:
            starting.cancel()
            await asyncio.wait([starting])
        await asyncio.sleep(40)
        assert len(host.exporter) == before, turns
    await closed(host, services)
