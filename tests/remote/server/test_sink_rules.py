"""What else holds of callbacks: levels that a namespace or a call asks for, the form of an Indicate, ownership."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.conformance.support import Provided, Recorder
from tests.remote.kit import Caller
from tests.remote.server.serving import NAMESPACE, PASSWORD, Served, own_address
from tests.remote.server.session import INTERFACES, CollectingSink, Session, SinkHost, ipid_of, sink_host

from openwmi import testing
from openwmi.contract import operations as ops
from openwmi.host import provide
from openwmi.model import status
from openwmi.mof import class_declarations
from openwmi.remote.client import Credentials, Settings, connect
from openwmi.remote.inbound import interface
from openwmi.remote.server import ServerLimits
from openwmi.wire.dcom import activation as a
from openwmi.wire.dcom import remunknown as r
from openwmi.wire.dcom.properties import InstantiationInfo
from openwmi.wire.errors import ACCESS_DENIED
from openwmi.wire.wmi import enumerators as e
from openwmi.wire.wmi import guids, login, services
from openwmi.wire.wmi import results as w
from openwmi.wire.wmi.login import Result
from openwmi.wire.wmi.types import object_in

PATIENCE = 60.0
NEW_STYLE = 0x400FF
E_FAIL = 0x80004005
RPC_E_INVALID_OBJECT = 0x80010114
EVENTS = "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Item'"


@pytest.fixture(scope="module")
def address(served: Served) -> tuple[str, int]:
    return served.listen()


@pytest.fixture
def encrypted(served: Served) -> Iterator[Callable[[bool], None]]:
    """Have the namespace require encryption, or not; it does not when the test is over."""
    access, space = served.host.namespaces.access, served.host.namespaces.named(NAMESPACE)
    yield lambda wanted: access.require_encryption(space, wanted)
    access.require_encryption(space, False)


@asynccontextmanager
async def client(
    address: tuple[str, int], levels: tuple[int, ...] = (5, 6), **options: Any
) -> AsyncIterator[tuple[Session, SinkHost]]:
    async with sink_host(levels=levels) as host:
        session = await Session.open(address, **options)
        try:
            yield session, host
        finally:
            await session.close()


async def within(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), PATIENCE)


# Levels


@pytest.mark.req("calls:E14")
async def test_where_encryption_is_required_no_sink_is_called_without_it(
    address: tuple[str, int], encrypted: Callable[[bool], None], caplog: pytest.LogCaptureFixture
) -> None:
    encrypted(True)
    async with client(address, levels=(5,)) as (session, host):
        sink = CollectingSink()
        refused = await session.query_async("SELECT N FROM Row", host.export(sink))
        assert refused == status.WBEM_E_ACCESS_DENIED
        assert (sink.batches, sink.statuses) == ([], [])
    assert "a sink cannot be called" in caplog.text
    async with client(address, level=5) as (signed, host):
        assert await signed.query_async("SELECT N FROM Row", host.export(sink)) == status.WBEM_E_ACCESS_DENIED
    async with client(address) as (session, host):
        assert await session.query_async("SELECT N FROM Row", host.export(sink)) == 0
        await within(sink.done)
        assert len(sink.objects) == 250
        assert {one.level for one in sink.calls} == {6}


@pytest.mark.req("calls:E14")
async def test_a_namespace_that_comes_to_require_encryption_tells_open_sinks_that_they_are_denied(
    served: Served,
    address: tuple[str, int],
    encrypted: Callable[[bool], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A subscription that began at integrity: not one object more, and an end that says nothing else."""
    async with client(address, levels=(5,), level=5) as (session, host):
        sink, slow = CollectingSink(), CollectingSink()
        answer = await session.call(
            services.METHODS[23], language="WQL", query=EVENTS, sink=host.export(sink)
        )
        assert answer.result == 0
        slow.gate.clear()
        assert await session.query_async("SELECT N FROM Row", host.export(slow)) == 0
        await within(slow.began)
        encrypted(True)
        slow.gate.set()
        await within(slow.gone)
        assert len(slow.batches) == 1
        here = await asyncio.to_thread(served.run, served.services)
        await asyncio.to_thread(served.run, put_item, here)
        await within(sink.gone)
        assert sink.batches == []
        for one in (sink, slow):
            assert [(end.status, end.text, end.error) for end in one.statuses] == [
                (status.WBEM_E_ACCESS_DENIED, None, None)
            ]
    (record, *_) = [one for one in caplog.records if "told nothing" in one.message]
    assert record.levelno == logging.WARNING
    assert record.fields == {"account": "ada", "address": "127.0.0.1", "namespace": NAMESPACE}  # type: ignore[attr-defined]


async def put_item(here: Any) -> None:
    from openwmi.contract.operations import DeleteInstance, GetObject, PutInstance
    from openwmi.faces.views import perform

    class_: Any = (await perform(here, GetObject("Item"))).object
    await perform(here, PutInstance(class_.spawn({"Id": 4712})))
    await perform(here, DeleteInstance("Item.Id=4712"))


@pytest.mark.req("calls:E11")
async def test_a_call_at_privacy_does_not_use_the_way_that_one_at_integrity_has_found(
    address: tuple[str, int],
) -> None:
    async with client(address, levels=(5,), level=5) as (session, host):
        low, high = CollectingSink(), CollectingSink()
        low.gate.clear()
        assert await session.query_async("SELECT N FROM Row", host.export(low)) == 0
        await within(low.began)
        private = await Session.open(address, level=6)
        refused = await private.query_async("SELECT N FROM Row", host.export(high))
        assert status.failed(refused)
        assert high.calls == []
        await private.close()
        low.gate.set()
        await within(low.gone)
        assert {one.level for one in low.calls} == {5}


@pytest.mark.req("calls:A11")
@pytest.mark.parametrize("level", [1, 2, 4])
async def test_below_integrity_nobody_gets_anywhere(address: tuple[str, int], level: int) -> None:
    """Neither to activate, which hardened servers refuse, nor to call what was activated privately."""
    async with client(address) as (session, _):
        low = await Caller.connect(
            address, INTERFACES, user="ada" if level > 1 else None, password=PASSWORD, level=level
        )
        try:
            wanted = InstantiationInfo(guids.CLSID_WbemLevel1Login, (guids.IWbemLevel1Login.uuid,))
            asked = a.CreateInstance(a.activation_in((wanted,)))
            assert await low.call(a.REMOTE_CREATE_INSTANCE, asked) == ACCESS_DENIED
            inputs = Session.inputs(services.METHODS[6], path="Row.N=1", found=b"")
            assert await low.call(services.METHODS[6], inputs, session.services, 3) == ACCESS_DENIED
            assert (
                await low.call(login.NTLM_LOGIN, login.NtlmLogin("root"), session.services, 3)
                == ACCESS_DENIED
            )
        finally:
            await low.close()


# Indicate


@pytest.mark.req("calls:C4")
async def test_a_sink_that_would_take_the_compact_form_gets_the_plain_one(address: tuple[str, int]) -> None:
    """WBEM_S_NEW_STYLE is a success like any other: how the compact form is framed is not published (wire.md 6.1)."""
    async with client(address) as (session, host):
        sink = CollectingSink()
        sink.answer = NEW_STYLE
        assert await session.query_async("SELECT N FROM Row", host.export(sink)) == 0
        await within(sink.gone)
        assert len(sink.batches) > 1
        assert [one.N for one in sink.objects] == list(range(250))
        assert [one.status for one in sink.statuses] == [0]


class Choosy(CollectingSink):
    """Answers a failure to status reports of one kind."""

    def __init__(self, kind: int) -> None:
        super().__init__()
        self._kind = kind

    async def set_status(self, incoming: Any, asked: w.SetStatus) -> Any:
        answer = await CollectingSink.set_status(self, incoming, asked)
        return Result(E_FAIL) if asked.flags == self._kind else answer

    interfaces: ClassVar[Any] = {
        guids.IWbemObjectSink.uuid: interface(
            (w.INDICATE, CollectingSink.indicate), (w.SET_STATUS, set_status)
        )
    }


def reporting(request: Any) -> Iterator[tuple[object, ...]]:
    request.progress(1, 2, "half")
    yield (1,)
    yield (2,)


@pytest.mark.req("calls:C5", "calls:C6")
async def test_a_sink_that_fails_at_progress_is_cancelled_and_one_that_fails_at_the_end_is_let_go(
    address: tuple[str, int],
) -> None:
    (declared,) = class_declarations('[dynamic, provider("Halves")] class Half { [key] uint32 N; };')
    provide(NAMESPACE, declared, Provided("Halves", {"instances": reporting}))
    async with client(address) as (session, host):
        early, late = Choosy(2), Choosy(0)
        for sink in (early, late):
            assert await session.query_async("SELECT N FROM Half", host.export(sink), flags=0x80) == 0
            await within(sink.gone)
        assert [(one.flags, one.status) for one in early.statuses] == [
            (2, 0x20001),
            (0, status.WBEM_E_CALL_CANCELLED),
        ]
        assert early.batches == []
        assert [(one.flags, one.status) for one in late.statuses][-1] == (0, 0)
        assert [one.flags for one in late.statuses].count(0) == 1
        assert [one.N for one in late.objects] == [1, 2]
        assert (early.releases, late.releases) == (1, 1)


class Pausing(CollectingSink):
    """Keeps its third callback waiting until the gate opens."""

    async def _callback(self, incoming: Any) -> Any:
        if len(self.batches) == 3 and not self.statuses:
            self.gate.clear()
            self.paused.set()
        return await super()._callback(incoming)

    def __init__(self) -> None:
        super().__init__()
        self.paused = asyncio.Event()


@pytest.mark.req("calls:D5")
async def test_cancel_ends_a_batch_that_takes_several_callbacks(
    served: Served, address: tuple[str, int]
) -> None:
    """What a provider hands over at once goes out in several Indicates where it is large."""
    wide = [{"N": n, "S": "x" * 20_000} for n in range(60)]
    testing.provide(NAMESPACE, "class Wide { [key] uint32 N; string S; };", instances=lambda: iter(wide))
    async with client(address) as (session, host):
        sink = Pausing()
        reference = host.export(sink)
        assert await session.query_async("SELECT * FROM Wide", reference) == 0
        await within(sink.paused)
        assert await session.cancel(reference) == 0
        sink.gate.set()
        await within(sink.gone)
        assert len(sink.batches) == 3
        assert [one.status for one in sink.statuses] == [status.WBEM_E_CALL_CANCELLED]


@pytest.mark.req("calls:D1", "calls:F15")
async def test_cancel_drops_what_waits_for_the_next_objects(address: tuple[str, int]) -> None:
    """Requests of NextAsync that this sink has made, and no other; the enumerator goes on."""
    gate = threading.Event()

    def slowly(request: Any) -> Iterator[tuple[object, ...]]:
        yield (1,)
        gate.wait(PATIENCE)
        yield (2,)

    (declared,) = class_declarations('[dynamic, provider("Slowly")] class Slow { [key] uint32 N; };')
    provide(NAMESPACE, declared, Provided("Slowly", {"instances": slowly}))
    async with client(address) as (session, host):
        opened = await session.call(
            services.METHODS[20], language="WQL", query="SELECT N FROM Slow", flags=0x30
        )
        first, second = CollectingSink(), CollectingSink()
        for sink in (first, second):
            answer = await session.caller.call(
                e.NEXT_ASYNC,
                e.NextAsync(1 if sink is second else 2, host.export(sink)),
                ipid_of(opened.enumerator),
            )
            assert answer.result == 0
        assert await session.cancel(host.export(first)) == 0
        await within(first.gone)
        gate.set()
        await within(second.gone)
        assert [one.status for one in first.statuses] == [status.WBEM_E_CALL_CANCELLED]
        assert [one.N for one in second.objects] == [2 if first.objects else 1]
        assert [one.status for one in second.statuses] == [0]


# Patience


@pytest.mark.slow
@pytest.mark.req("calls:C7")
async def test_time_counts_for_each_callback_by_itself(tmp_path: Path) -> None:
    """A slow sink is simply slow, however long it takes in all."""
    served = Served(tmp_path, limits=ServerLimits(patience=0.4))
    try:
        async with client(served.listen()) as (session, host):
            slow = Delayed(0.15)
            assert await session.query_async("SELECT N FROM Row", host.export(slow)) == 0
            await within(slow.gone)
            assert len(slow.batches) >= 3, "longer in all than one callback may take"
            assert len(slow.objects) == 250
            assert [one.status for one in slow.statuses] == [0]
    finally:
        await asyncio.to_thread(served.close)


class Delayed(CollectingSink):
    """Takes its time over each callback."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def _callback(self, incoming: Any) -> Any:
        answer = await super()._callback(incoming)
        await asyncio.sleep(self._seconds)
        return answer


# What others gave


@pytest.mark.req("calls:F1")
async def test_an_enumerator_is_of_use_to_nobody_but_who_opened_it(address: tuple[str, int]) -> None:
    """Every method of it, and the smart enumerator that it gives."""
    async with client(address) as (ada, host), client(address, user="bob") as (bob, _):
        opened = await ada.call(services.METHODS[20], language="WQL", query="SELECT N FROM Row", flags=0)
        ipid = ipid_of(opened.enumerator)
        sink = CollectingSink()
        for method, inputs in (
            (e.NEXT, e.Next(-1, 1)),
            (e.SKIP, e.Next(-1, 1)),
            (e.RESET, e.Nothing()),
            (e.CLONE, e.Nothing()),
            (e.NEXT_ASYNC, e.NextAsync(1, host.export(sink))),
        ):
            answer = await bob.caller.call(method, inputs, ipid)
            assert answer.result == status.WBEM_E_ACCESS_DENIED, method.name
        asked = r.QueryInterface(ipid, 1, [guids.IWbemFetchSmartEnum.uuid])
        answer = await bob.caller.call(r.REM_QUERY_INTERFACE, asked, bob.unknown)
        assert (answer.results, answer.result) == (None, RPC_E_INVALID_OBJECT)
        assert (sink.batches, sink.statuses) == ([], [])
        found = await ada.caller.call(e.NEXT, e.Next(-1, 1), ipid)
        assert [object_in(one).N for one in found.objects] == [0]


async def test_callbacks_come_from_the_address_that_the_client_has_called(served: Served) -> None:
    """A machine has more addresses than one, and the client lets in only the one that it has logged on to."""
    host, port = served.listen(own_address())
    who = Credentials("ada", PASSWORD)
    there = await connect(host, NAMESPACE, who, port=port, settings=Settings(delivery="sink"))
    sink = Recorder()
    assert (await (await there.start(ops.ExecQuery("SELECT N FROM Row WHERE N < 3"), sink))).ok
    assert len(sink.objects) == 3
    await there.close()
