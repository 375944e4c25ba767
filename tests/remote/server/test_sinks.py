"""Callbacks into clients' sinks: order, levels, addresses, cancel, failure, death, references (wire.md 6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.conformance.support import Provided
from tests.remote.server.serving import NAMESPACE, Served, rows
from tests.remote.server.session import CollectingSink, Session, SinkHost, elsewhere, ipid_of, sink_host

from openwmi.contract.operations import OPERATIONS
from openwmi.host import provide
from openwmi.model import status
from openwmi.mof import class_declarations
from openwmi.remote.server import ServerLimits
from openwmi.wire.dcom import objref
from openwmi.wire.wmi import enumerators as w
from openwmi.wire.wmi import services
from openwmi.wire.wmi.types import object_in, reference_to

PATIENCE = 60.0


@pytest.fixture(scope="module")
def address(served: Served) -> tuple[str, int]:
    return served.listen()


@asynccontextmanager
async def client(address: tuple[str, int], **options: Any) -> AsyncIterator[tuple[Session, SinkHost]]:
    """A client with a log-on and a place for sinks."""
    levels = options.pop("levels", (5, 6))
    async with sink_host(levels=levels) as host:
        session = await Session.open(address, **options)
        try:
            yield session, host
        finally:
            await session.close()


async def within(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), PATIENCE)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.001)


@pytest.mark.req("calls:B22", "calls:B23", "calls:B24", "calls:C13", "calls:E9")
async def test_every_object_then_one_status_then_the_release(address: tuple[str, int]) -> None:
    async with client(address) as (session, host):
        sink = CollectingSink()
        assert await session.query_async("SELECT N, S FROM Row", host.export(sink)) == 0
        await within(sink.gone)
        assert [(one.N, one.S) for one in sink.objects] == [(row["N"], row["S"]) for row in rows(250)]
        assert [(one.flags, one.status, one.text, one.error) for one in sink.statuses] == [(0, 0, None, None)]
        assert max(map(len, sink.batches)) <= 100
        assert len(sink.batches) >= 3
        assert not sink.overlapped
        assert sink.releases == 1
        assert {(one.identity, one.level) for one in sink.calls} == {("ada", 6)}


@pytest.mark.req("calls:B23")
async def test_an_empty_result_is_only_a_status(address: tuple[str, int]) -> None:
    async with client(address) as (session, host):
        sink = CollectingSink()
        assert await session.query_async("SELECT * FROM Row WHERE N = 9999", host.export(sink)) == 0
        await within(sink.gone)
        assert (sink.batches, [one.status for one in sink.statuses]) == ([], [0])


@pytest.mark.req("calls:B27", "calls:B26")
async def test_a_failure_is_the_status_with_its_error_object(address: tuple[str, int]) -> None:
    async with client(address) as (session, host):
        sink = CollectingSink()
        assert await session.query_async("SELECT * FROM Nothing", host.export(sink)) == 0
        await within(sink.gone)
        (told,) = sink.statuses
        assert told.status == status.WBEM_E_INVALID_CLASS
        details: Any = object_in(told.error)
        assert details.classname_ == "__ExtendedStatus"
        assert details.ParameterInfo == "SELECT * FROM Nothing"


# What each operation is asked, how many objects it delivers, and the status and the text that it ends with.
ASKED: dict[str, tuple[dict[str, Any], int, int, str | None]] = {
    "GetObject": ({"path": "Row.N=7"}, 1, 0, None),
    "PutClass": ({"object": "class"}, 0, 0, "Part"),
    "DeleteClass": ({"name": "Nothing"}, 0, status.WBEM_E_NOT_FOUND, None),
    "CreateClassEnum": ({"superclass": "Item"}, 1, 0, None),
    "PutInstance": ({"object": "instance"}, 0, 0, "Item.Id=31"),
    "DeleteInstance": ({"path": "Item.Id=404"}, 0, status.WBEM_E_NOT_FOUND, None),
    "CreateInstanceEnum": ({"class_name": "Row"}, 250, 0, None),
    "ExecQuery": ({"language": "WQL", "query": "SELECT * FROM Row"}, 250, 0, None),
    "ExecNotificationQuery": (
        {"language": "WQL", "query": "SELECT * FROM Nothing"},
        0,
        status.WBEM_E_NOT_FOUND,
        None,
    ),
    "ExecMethod": ({"path": "Row.N=1", "method": "Do", "params": "inputs"}, 1, 0, None),
}


@pytest.mark.req("calls:B17", "calls:B18")
@pytest.mark.parametrize("row", OPERATIONS.values(), ids=lambda row: row.method)
async def test_all_ten_operations_deliver_into_a_sink(
    served: Served, address: tuple[str, int], row: Any
) -> None:
    inputs, count, final, text = ASKED[row.method]
    async with client(address) as (session, host):
        inputs = {
            name: await OBJECTS[value](session) if value in OBJECTS else value
            for name, value in inputs.items()
        }
        sink = CollectingSink()
        answer = await session.call(services.METHODS[row.async_opnum], sink=host.export(sink), **inputs)
        assert answer.result == 0
        await within(sink.gone)
        assert len(sink.objects) == count
        (told,) = sink.statuses
        assert told.status == final, hex(told.status)
        assert told.text is None if text is None else told.text.endswith(text)
        assert (told.error is None) is (final == 0)


async def a_class(session: Session, name: str = "Part") -> Any:
    return object_in((await session.call(services.METHODS[6], path=name, found=b"")).found)


async def an_item(session: Session) -> bytes:
    return reference_to((await a_class(session, "Item")).spawn({"Id": 31}))


async def what_do_takes(session: Session) -> bytes:
    inputs = (await a_class(session, "Row")).methods["do"].inputs
    return reference_to(inputs.spawn({"What": "x", "Times": 1}))


async def the_class_itself(session: Session) -> bytes:
    return reference_to(await a_class(session))


OBJECTS: dict[object, Any] = {"class": the_class_itself, "instance": an_item, "inputs": what_do_takes}


@pytest.mark.req("calls:B16", "calls:B6")
async def test_a_call_that_is_refused_leaves_the_sink_alone(address: tuple[str, int]) -> None:
    async with client(address) as (session, host):
        sink = CollectingSink()
        refused = await session.query_async("SELECT * FROM Row", host.export(sink), flags=0x10)
        assert refused == status.WBEM_E_INVALID_PARAMETER
        assert await session.query_async("SELECT * FROM Row", None) == status.WBEM_E_INVALID_PARAMETER
        await within(sink.gone)  # the references that came along are given back
        assert (sink.batches, sink.statuses) == ([], [])


async def test_a_sink_elsewhere_is_refused_before_a_packet_goes_there(address: tuple[str, int]) -> None:
    async with client(address) as (session, host):
        seen: list[object] = []
        other: Any = await asyncio.start_server(lambda reader, writer: seen.append(writer), "127.0.0.2", 0)
        port = other.sockets[0].getsockname()[1]
        sink = CollectingSink()
        reference = host.export(sink)
        for texts in (
            (f"127.0.0.2[{port}]",),
            (f"127.0.0.2[{port}]", f"127.0.0.3[{port}]"),
            ("no-such-name.invalid[135]",),
            (),
        ):
            denied = await session.query_async("SELECT * FROM Row", elsewhere(reference, *texts))
            assert denied == status.WBEM_E_ACCESS_DENIED, texts
        unreachable = await session.query_async("SELECT * FROM Row", elsewhere(reference, "localhost[1]"))
        assert unreachable == status.RPC_S_SERVER_UNAVAILABLE
        mixed = elsewhere(reference, f"127.0.0.2[{port}]", f"127.0.0.1[{host.address.port}]")
        assert await session.query_async("SELECT N FROM Row", mixed) == 0
        await within(sink.done)
        assert len(sink.objects) == 250
        other.close()
        assert seen == []


async def test_a_name_of_the_caller_is_resolved_and_compared(address: tuple[str, int]) -> None:
    async with client(address) as (session, host):
        sink = CollectingSink()
        reference = elsewhere(host.export(sink), f"localhost[{host.address.port}]")
        assert await session.query_async("SELECT N FROM Row WHERE N < 5", reference) == 0
        await within(sink.done)
        assert len(sink.objects) == 5


@pytest.mark.req("calls:E10", "calls:E11")
@pytest.mark.parametrize(
    ("called", "taken", "used"), [(5, (5, 6), 6), (5, (5,), 5), (6, (5, 6), 6), (6, (5,), None)]
)
async def test_levels(
    served: Served, address: tuple[str, int], called: int, taken: tuple[int, ...], used: int | None
) -> None:
    """From privacy down, but never below the level of the call."""
    async with client(address, level=called, levels=taken) as (session, host):
        sink = CollectingSink()
        answer = await session.query_async("SELECT N FROM Row", host.export(sink))
        if used is None:
            assert status.failed(answer)
            assert (sink.batches, sink.statuses) == ([], [])
        else:
            assert answer == 0
            await within(sink.done)
            assert {one.level for one in sink.calls} == {used}


@pytest.mark.req("calls:D1", "calls:D4", "calls:D5", "calls:D6", "calls:D13", "calls:D16")
async def test_cancel_while_a_callback_runs(address: tuple[str, int]) -> None:
    async with client(address) as (session, host):
        sink = CollectingSink()
        sink.gate.clear()
        reference = host.export(sink)
        assert await session.query_async("SELECT N FROM Row", reference) == 0
        await within(sink.began)
        elsewhere_ = await session.log_in("root\\cimv2")
        assert await session.cancel(host.export(sink), elsewhere_) == 0, "in whatever namespace"
        assert sink.statuses == []
        assert len(sink.batches) == 1
        sink.gate.set()
        await within(sink.gone)
        assert [one.status for one in sink.statuses] == [status.WBEM_E_CALL_CANCELLED]
        assert len(sink.batches) == 1
        assert sink.releases == 1
        assert await session.cancel(reference) == status.WBEM_E_NOT_FOUND


@pytest.mark.parametrize("cancelled", [True, False])
async def test_a_sink_that_is_gone_is_told_unless_its_client_has_cancelled(
    served: Served, address: tuple[str, int], caplog: pytest.LogCaptureFixture, cancelled: bool
) -> None:
    """A client that has cancelled is done with its sink; the server's last word finds nobody, which is no failure."""
    caplog.set_level("INFO", "openwmi.remote")
    async with client(address) as (session, host):
        sink = CollectingSink()
        sink.gate.clear()
        reference = host.export(sink)
        assert await session.query_async("SELECT N FROM Row", reference) == 0
        await within(sink.began)
        if cancelled:
            assert await session.cancel(reference) == 0
        host.exporter.withdraw(sink)
        sink.gate.set()
        await until(lambda: len(served.server.callbacks.clients) == 0)
    said = [one.getMessage() for one in caplog.records if "a sink failed" in one.message]
    assert len(said) == (0 if cancelled else 1)


@pytest.mark.req("calls:D2", "calls:D3", "calls:D12")
async def test_cancel_of_what_is_not_there(address: tuple[str, int]) -> None:
    async with client(address) as (session, host):
        assert await session.cancel(None) == status.WBEM_E_INVALID_PARAMETER
        assert await session.cancel(host.export(CollectingSink())) == status.WBEM_E_NOT_FOUND
        one, two = CollectingSink(), CollectingSink()
        for sink in (one, two):
            sink.gate.clear()
            assert await session.query_async("SELECT N FROM Row", host.export(sink)) == 0
            await within(sink.began)
        assert await session.cancel(host.export(one)) == 0
        for sink in (one, two):
            sink.gate.set()
            await within(sink.gone)
        assert [one.statuses[0].status, two.statuses[0].status] == [status.WBEM_E_CALL_CANCELLED, 0]
        assert len(two.objects) == 250


@pytest.mark.req("calls:D13")
async def test_nobody_cancels_the_calls_of_another_user(address: tuple[str, int]) -> None:
    async with client(address) as (session, host):
        sink = CollectingSink()
        sink.gate.clear()
        reference = host.export(sink)
        assert await session.query_async("SELECT N FROM Row", reference) == 0
        await within(sink.began)
        bob = await Session.open(address, user="bob")
        assert await bob.cancel(reference) == status.WBEM_E_NOT_FOUND
        await bob.close()
        sink.gate.set()
        await within(sink.gone)
        assert len(sink.objects) == 250


@pytest.mark.req("calls:D14")
async def test_cancel_from_inside_a_callback(address: tuple[str, int]) -> None:
    async with client(address) as (session, host):
        sink = CollectingSink()
        reference = host.export(sink)
        answers: list[int] = []
        indicate = sink._callback

        async def cancelling(incoming: Any) -> Any:
            if not answers:
                answers.append(-1)
                answers[0] = await session.cancel(reference)
            return await indicate(incoming)

        sink._callback = cancelling  # type: ignore[method-assign]
        assert await session.query_async("SELECT N FROM Row", reference) == 0
        await within(sink.gone)
        assert answers == [0]
        assert len(sink.batches) == 1
        assert [one.status for one in sink.statuses] == [status.WBEM_E_CALL_CANCELLED]


@pytest.mark.req("calls:C5")
async def test_a_failing_sink_ends_its_own_call(address: tuple[str, int]) -> None:
    async with client(address) as (session, host):
        failing, other = CollectingSink(), CollectingSink()
        failing.answer = 0x80004005
        assert await session.query_async("SELECT N FROM Row", host.export(failing)) == 0
        assert await session.query_async("SELECT N FROM Row", host.export(other)) == 0
        await within(failing.gone)
        await within(other.gone)
        assert len(failing.batches) == 1
        assert [one.status for one in failing.statuses] == [status.WBEM_E_CALL_CANCELLED]
        assert (len(other.objects), [one.status for one in other.statuses]) == (250, [0])


@pytest.mark.req("calls:C9")
async def test_a_client_that_vanishes_ends_its_calls(served: Served, address: tuple[str, int]) -> None:
    async with sink_host() as host:
        session = await Session.open(address)
        sink, events = CollectingSink(), CollectingSink()
        sink.gate.clear()
        assert await session.query_async("SELECT N FROM Row", host.export(sink)) == 0
        query = "SELECT * FROM __InstanceCreationEvent WITHIN 3600 WHERE TargetInstance ISA 'Row'"
        answer = await session.call(
            services.METHODS[23], language="WQL", query=query, sink=host.export(events)
        )
        assert answer.result == 0
        await within(sink.began)
        await until(lambda: len(host.listener.associations) == 1)
        session.caller.writer.transport.abort()
        for one in list(host.listener.associations):
            one.end("power failure")
        await host.listener.close()
        await until(lambda: len(served.server.callbacks.clients) == 0)
        await until(lambda: served.host.service.running == 0)
        await session.close()


async def test_the_sum_of_all_references_is_released(address: tuple[str, int]) -> None:
    async with client(address) as (session, host):
        sink = CollectingSink()
        sink.gate.clear()
        for refs in (1, 5, 7):
            assert await session.query_async("SELECT N FROM Row", host.export(sink, refs=refs)) == 0
        await within(sink.began)
        assert await session.cancel(host.export(sink, refs=3)) == 0
        assert sink.releases == 0
        sink.gate.set()
        await within(sink.gone)
        assert sink.releases == 1
        assert [one.status for one in sink.statuses] == [status.WBEM_E_CALL_CANCELLED] * 3


async def test_sinks_that_want_pings_get_them(served: Served, address: tuple[str, int]) -> None:
    async with client(address) as (session, host):
        pinged, spared = CollectingSink(), CollectingSink()
        for sink, flags in ((pinged, 0), (spared, objref.SORF_NOPING)):
            sink.gate.clear()
            assert await session.query_async("SELECT N FROM Row", host.export(sink, flags=flags)) == 0
            await within(sink.began)
        (found,) = served.server.callbacks.clients._clients.values()
        pinger = found._first.result().exporter.pinger  # type: ignore[union-attr]
        oids = {
            flags: objref.standard(host.export(sink, 0, flags)).std.oid
            for sink, flags in ((pinged, 0), (spared, 0x1000))
        }
        assert pinger is not None
        assert pinger.pinged == {oids[0]}
        for sink in (pinged, spared):
            sink.gate.set()
            await within(sink.done)


@pytest.mark.req("calls:F15", "calls:F14")
async def test_next_async(address: tuple[str, int]) -> None:
    async with client(address) as (session, host):
        method = services.METHODS[20]
        opened = await session.call(method, language="WQL", query="SELECT N FROM Row WHERE N < 5", flags=0x30)
        ipid = ipid_of(opened.enumerator)

        async def ask(count: int, sink: CollectingSink | None) -> int:
            reference = None if sink is None else host.export(sink)
            answer = await session.caller.call(w.NEXT_ASYNC, w.NextAsync(count, reference), ipid)
            return int(answer.result)

        sinks = [CollectingSink() for _ in range(3)]
        assert [await ask(3, sinks[0]), await ask(3, sinks[1])] == [0, 0]
        await within(sinks[1].gone)
        assert [one.N for one in sinks[0].objects] == [0, 1, 2]
        assert [one.N for one in sinks[1].objects] == [3, 4]
        assert [one.statuses[0].status for one in sinks[:2]] == [0, 1]
        assert await ask(0, sinks[2]) == 1
        assert await ask(1, None) == status.WBEM_E_INVALID_PARAMETER
        await within(sinks[2].gone)
        assert sinks[2].statuses == []


def reporting(request: Any) -> Iterator[tuple[object, ...]]:
    request.progress(0x9000, 0xA000, "nearly")
    yield (1,)


@pytest.mark.req("calls:B25", "calls:B34", "calls:B35")
async def test_progress_is_told_to_whoever_asked_for_it(address: tuple[str, int]) -> None:
    """As the provider reports it; the number that carries it may look like a failure."""
    (declared,) = class_declarations('[dynamic, provider("Reports")] class Reporting { [key] uint32 N; };')
    provide(NAMESPACE, declared, Provided("Reports", {"instances": reporting}))
    async with client(address) as (session, there):
        for flags, expected in ((0, []), (0x80, [(2, 0xA0009000, "nearly")])):
            sink = CollectingSink()
            assert await session.query_async("SELECT N FROM Reporting", there.export(sink), flags=flags) == 0
            await within(sink.done)
            assert [one.N for one in sink.objects] == [1]
            assert [(one.flags, one.status, one.text) for one in sink.statuses] == [*expected, (0, 0, None)]


@pytest.mark.req("calls:B89")
async def test_events_arrive_and_end_with_the_connection(served: Served, address: tuple[str, int]) -> None:
    async with client(address) as (session, host):
        sink = CollectingSink()
        query = "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Item'"
        answer = await session.call(services.METHODS[23], language="WQL", query=query, sink=host.export(sink))
        assert answer.result == 0
        await session.call(services.METHODS[16], path="Item.Id=31")
        put = await session.call(services.METHODS[14], object=await an_item(session))
        assert put.result == 0
        await within(sink.began)
        assert sink.objects[0].TargetInstance.Id == 31
        await session.call(services.METHODS[16], path="Item.Id=31")
        from openwmi.wire.dcom import remunknown as r

        released = r.References([r.InterfaceRef(session.services, 1)])
        await session.caller.call(r.REM_RELEASE, released, served.server.exporter.rem_unknown)
        await within(sink.gone)
        assert [one.status for one in sink.statuses] == [status.WBEM_E_CALL_CANCELLED]


async def test_a_server_that_ends_says_so(tmp_path: Any) -> None:
    served = Served(tmp_path)
    try:
        async with client(served.listen()) as (session, host):
            sink = CollectingSink()
            query = "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Item'"
            answer = await session.call(
                services.METHODS[23], language="WQL", query=query, sink=host.export(sink)
            )
            assert answer.result == 0
            await asyncio.to_thread(served.run, served.server.close)
            await within(sink.gone)
            assert [one.status for one in sink.statuses] == [status.WBEM_E_SHUTTING_DOWN]
    finally:
        await asyncio.to_thread(served.close)


@pytest.mark.req("calls:C2", "calls:H14")
async def test_an_indicate_is_bounded_in_bytes(served: Served, address: tuple[str, int]) -> None:
    """Each object brings its class along, so that few large ones fill a callback."""
    async with client(address, namespace="root\\cimv2") as (session, host):
        sink = CollectingSink()
        assert (
            await session.query_async(
                "SELECT * FROM meta_class WHERE __Class LIKE 'Win32%'", host.export(sink)
            )
            == 0
        )
        await within(sink.gone)
        assert [one.status for one in sink.statuses] == [0]
        largest = served.server.limits.size
        assert sum(sink.sizes) > 2 * largest
        for size, batch in zip(sink.sizes, sink.batches, strict=True):
            assert size <= largest or len(batch) == 1


@pytest.mark.req("calls:C7", "calls:C8", "calls:H4")
@pytest.mark.slow
async def test_a_sink_that_hangs_ends_its_own_call(tmp_path: Any) -> None:
    served = Served(tmp_path, limits=ServerLimits(patience=0.2))
    assert ServerLimits().patience == 30
    try:
        async with client(served.listen()) as (session, host):
            hanging, other = CollectingSink(), CollectingSink()
            hanging.gate.clear()
            assert await session.query_async("SELECT N FROM Row", host.export(hanging)) == 0
            assert await session.query_async("SELECT N FROM Row", host.export(other)) == 0
            await within(hanging.gone)
            assert served.host.service.running == 0
            assert (len(hanging.batches), hanging.statuses) == (1, []), (
                "nothing beside the callback that runs"
            )
            await within(other.gone)
            assert (len(other.objects), [one.status for one in other.statuses]) == (250, [0])
            hanging.gate.set()
    finally:
        await asyncio.to_thread(served.close)
