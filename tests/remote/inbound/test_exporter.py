"""Objects over a socket: dispatch, levels, users, references, further interfaces, faults (wire.md 2.4, 5.6, 5.7)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from tests.remote.kit import (
    ECHO,
    FAIL,
    REM_UNKNOWN,
    RESOLVER,
    WAIT,
    Asked,
    Endpoint,
    IID_IOther,
    IID_IThing,
    Thing,
    Told,
    endpoint,
)

from openwmi.model.status import WBEM_E_ACCESS_DENIED, WBEM_E_FAILED, WBEM_E_NOT_FOUND
from openwmi.remote.inbound import ANYONE, ExporterLimits
from openwmi.wire import errors
from openwmi.wire.dcom import exporter as x
from openwmi.wire.dcom import objref
from openwmi.wire.dcom import remunknown as r
from openwmi.wire.dcom.orpc import ComVersion, OrpcThis

QUESTION = Asked("how are you", 7)
ANSWER = Told("how are you", 7)


def refs(ipid: UUID, count: int = 1) -> r.References:
    return r.References([r.InterfaceRef(ipid, count)])


async def test_a_call_goes_by_its_ipid_in_whatever_presentation_context() -> None:
    async with endpoint() as server:
        ipid = server.give()
        client = await server.connect([IID_IOther, REM_UNKNOWN, IID_IThing])
        for context in range(3):
            assert await client.call(ECHO, QUESTION, ipid, context) == ANSWER
        assert {seen.identity for seen in server.thing.seen} == {"ada"}
        assert {seen.level for seen in server.thing.seen} == {6}


async def test_a_method_fails_with_its_code_at_the_end_and_null_before_it() -> None:
    async with endpoint() as server:
        ipid = server.give()
        client = await server.connect()
        assert await client.call(FAIL, Asked("x", 0), ipid) == Told(None, 0, WBEM_E_NOT_FOUND)
        assert await client.call(FAIL, Asked("x", 1), ipid) == Told(None, 0, WBEM_E_FAILED)
        assert await client.call(ECHO, QUESTION, ipid) == ANSWER


async def test_another_user_is_denied_and_counts_no_references() -> None:
    async with endpoint() as server:
        ipid = server.give(user="ada")
        client = await server.connect(user="bob")
        assert await client.call(ECHO, QUESTION, ipid) == Told(None, 0, WBEM_E_ACCESS_DENIED)
        unknown = server.exporter.rem_unknown
        assert (await client.call(r.REM_RELEASE, refs(ipid, 5), unknown)).result == 0
        answer = await client.call(r.REM_ADD_REF, refs(ipid), unknown)
        assert answer.results == (0x80070005,)
        answer = await client.call(r.REM_QUERY_INTERFACE, r.QueryInterface(ipid, 1, [IID_IThing]), unknown)
        assert answer.results is None
        assert answer.result == 0x80010114
        assert server.thing.releases == 0
        assert server.thing.seen == []
        anyone = server.give(user=ANYONE)
        assert await client.call(ECHO, QUESTION, anyone) == ANSWER


@pytest.mark.parametrize("level", [None, 2, 4])
async def test_below_integrity_only_signs_of_life_are_answered(level: int | None) -> None:
    async with endpoint() as server:
        ipid = server.give()
        client = await server.connect([IID_IThing, RESOLVER], user="ada" if level else None, level=level or 1)
        assert await client.call(ECHO, QUESTION, ipid) == errors.ACCESS_DENIED
        unknown = server.exporter.rem_unknown
        assert await client.call(r.REM_RELEASE, refs(ipid, 5), unknown) == errors.ACCESS_DENIED
        resolve = x.ResolveOxid(server.exporter.oxid, [7])
        for method, inputs in (
            (x.RESOLVE_OXID, resolve),
            (x.RESOLVE_OXID2, resolve),
            (x.COMPLEX_PING, x.ComplexPing(0, 0)),
        ):
            assert await client.call(method, inputs, None, 1) == errors.ACCESS_DENIED
        assert await client.call(x.SERVER_ALIVE, x.Nothing(), None, 1) == x.Status(0)
        alive = await client.call(x.SERVER_ALIVE2, x.Nothing(), None, 1)
        port = server.address.port
        assert [binding.address for binding in alive.bindings.strings] == [
            f"127.0.0.1[{port}]",
            f"localhost[{port}]",
            f"myhost[{port}]",
        ]
        assert await client.call(x.SIMPLE_PING, x.SimplePing(99), None, 1) == x.Status(x.OR_INVALID_SET)
        assert server.thing.releases == 0


async def test_the_resolver_names_the_port_that_the_client_came_to() -> None:
    async with endpoint() as server:
        other = await server.listener.listen("127.0.0.1")
        for address in (server.address, other):
            client = await server.connect([RESOLVER], address=address)
            found = await client.call(x.RESOLVE_OXID2, x.ResolveOxid(server.exporter.oxid, [7]))
            assert (found.status, found.rem_unknown, found.authn_hint) == (0, server.exporter.rem_unknown, 5)
            assert found.bindings.strings[0].address == f"127.0.0.1[{address.port}]"
            older = await client.call(x.RESOLVE_OXID, x.ResolveOxid(server.exporter.oxid, [7]))
            assert older.bindings == found.bindings
            wrong = await client.call(x.RESOLVE_OXID2, x.ResolveOxid(server.exporter.oxid ^ 1, [7]))
            assert (wrong.status, wrong.bindings) == (x.OR_INVALID_OXID, None)


@pytest.mark.parametrize("opnum", [0, 1, 2, 6, 99])
async def test_a_number_that_the_interface_lacks_is_a_fault(opnum: int) -> None:
    async with endpoint() as server:
        ipid = server.give()
        client = await server.connect()
        stub = ECHO.call(QUESTION, OrpcThis(UUID(int=1)))
        assert await client.answer(client.send(opnum, stub, ipid)) == errors.OPNUM_OUT_OF_RANGE
        assert (
            await client.answer(client.send(7, stub, server.exporter.rem_unknown))
            == errors.OPNUM_OUT_OF_RANGE
        )


async def test_faults_say_what_is_wrong() -> None:
    async with endpoint() as server:
        ipid = server.give()
        client = await server.connect()
        assert await client.call(ECHO, QUESTION, UUID(int=5)) == errors.RPC_E_DISCONNECTED
        assert await client.call(ECHO, QUESTION, None) == errors.UNKNOWN_INTERFACE
        stub = ECHO.call(QUESTION, OrpcThis(UUID(int=1), ComVersion(6, 0)))
        assert await client.answer(client.send(3, stub, ipid)) == errors.RPC_E_VERSION_MISMATCH
        assert await client.answer(client.send(3, b"\x05\x00", ipid)) == errors.BAD_STUB_DATA
        good = ECHO.call(QUESTION, OrpcThis(UUID(int=1), ComVersion(5, 1)))
        assert isinstance(await client.answer(client.send(3, good, ipid)), bytes)
        # Stray bytes behind the parameters mean nothing (trap 13).
        stray = good + bytes.fromhex("8ae3137102f43671") + b"stray"
        assert isinstance(await client.answer(client.send(3, stray, ipid)), bytes)


async def test_an_interface_that_nobody_serves_is_refused_at_the_bind() -> None:
    async with endpoint() as server:
        client = await server.connect([IID_IThing, UUID(int=77)])
        assert 1 not in client.rpc.presentations


async def test_references_are_counted_and_the_last_one_releases_once() -> None:
    async with endpoint() as server:
        ipid = server.give(refs=2)
        client = await server.connect([REM_UNKNOWN])
        unknown = server.exporter.rem_unknown
        assert (await client.call(r.REM_ADD_REF, refs(ipid, 3), unknown)).results == (0,)
        await client.call(r.REM_RELEASE, refs(ipid, 4), unknown)
        assert await client.call(ECHO, QUESTION, ipid) == ANSWER
        await client.call(r.REM_RELEASE, refs(ipid, 1), unknown)
        assert server.thing.releases == 1
        assert len(server.exporter) == 0
        # impacket releases twice, and things that never were (traps 15, 28).
        for gone in (ipid, UUID(int=0), UUID(int=123)):
            assert (await client.call(r.REM_RELEASE, refs(gone, 9), unknown)).result == 0
        assert await client.call(ECHO, QUESTION, ipid) == errors.RPC_E_DISCONNECTED
        assert server.thing.releases == 1


async def test_the_same_interface_again_is_the_same_object_and_pointer() -> None:
    async with endpoint() as server:

        def give(user: str, iid: UUID = IID_IThing) -> objref.StdObjRef:
            data = server.exporter.export(server.thing, iid, user=user, local=server.address)
            return objref.standard(data).std

        first, second, third = give("ada"), give("ada"), give("bob")
        assert (first.oxid, first.oid, first.ipid) == (second.oxid, second.oid, second.ipid)
        assert (first.oxid, first.oid) == (third.oxid, third.oid)
        assert first.ipid != third.ipid
        assert give("ada", IID_IOther).oid == first.oid
        server.exporter.withdraw(server.thing)
        server.exporter.withdraw(server.thing)
        assert server.thing.releases == 1


async def test_more_interfaces_are_asked_for() -> None:
    async with endpoint() as server:
        ipid = server.give()
        client = await server.connect([REM_UNKNOWN, IID_IThing])
        unknown = server.exporter.rem_unknown

        async def ask(*iids: UUID) -> Any:
            return await client.call(r.REM_QUERY_INTERFACE, r.QueryInterface(ipid, 5, iids), unknown)

        both = await ask(IID_IOther, UUID(int=9))
        assert [row.result for row in both.results] == [0, 0x80004002]
        assert both.result == 1
        other = both.results[0].std
        assert other.public_refs == 5
        assert await client.call(ECHO, QUESTION, other.ipid) == ANSWER
        assert await client.call(WAIT, QUESTION, other.ipid) == errors.OPNUM_OUT_OF_RANGE
        assert (await ask(UUID(int=9))).result == 0x80004002
        assert (await ask(IID_IOther)).result == 0
        found = await client.call(r.REM_QUERY_INTERFACE2, r.QueryInterface2(ipid, [IID_IOther]), unknown)
        assert (found.result, list(found.results)) == (0, [0])
        assert objref.standard(found.interfaces[0]).std.ipid == other.ipid
        # The object lives as long as any of its interfaces is held.
        await client.call(r.REM_RELEASE, refs(ipid), unknown)
        assert await client.call(ECHO, QUESTION, other.ipid) == ANSWER
        await client.call(r.REM_RELEASE, refs(other.ipid, 11), unknown)
        assert server.thing.releases == 1


async def test_irem_unknown_answers_for_itself() -> None:
    async with endpoint() as server:
        client = await server.connect([REM_UNKNOWN])
        unknown = server.exporter.rem_unknown
        asked = r.QueryInterface(unknown, 1, [UUID("00000143-0000-0000-c000-000000000046"), IID_IThing])
        found = await client.call(r.REM_QUERY_INTERFACE, asked, unknown)
        assert [row.result for row in found.results] == [0, 0x80004002]
        assert found.results[0].std.ipid == unknown
        assert (await client.call(r.REM_ADD_REF, refs(unknown), unknown)).results == (0,)
        assert (await client.call(r.REM_RELEASE, refs(unknown, 9), unknown)).result == 0


async def test_quotas_of_references_and_objects() -> None:
    limits = ExporterLimits(objects=3, per_user=2, references=10)
    async with endpoint(exporter_limits=limits) as server:
        client = await server.connect([REM_UNKNOWN])
        things = [Thing() for _ in range(4)]
        ipid = server.give(things[0], refs=10)
        unknown = server.exporter.rem_unknown
        assert (await client.call(r.REM_ADD_REF, refs(ipid), unknown)).results == (0x80070057,)
        server.give(things[1])
        with pytest.raises(Exception, match="limit of a user") as of_user:
            server.give(things[2])
        assert of_user.value.symbol == "WBEM_E_QUOTA_VIOLATION"  # type: ignore[attr-defined]
        server.give(things[2], user="bob")
        with pytest.raises(Exception, match="limit") as of_all:
            server.give(things[3], user="carol")
        assert of_all.value.symbol == "WBEM_E_SERVER_TOO_BUSY"  # type: ignore[attr-defined]
        server.exporter.withdraw(things[1])
        server.give(things[3])


async def test_a_waiting_call_of_a_released_object_is_answered() -> None:
    async with endpoint() as server:
        ipid = server.give()
        client = await server.connect()
        waiting = client.begin(WAIT, QUESTION, ipid)
        await asyncio.wait_for(server.thing.begun.wait(), 5)
        await client.call(r.REM_RELEASE, refs(ipid), server.exporter.rem_unknown)
        assert server.thing.releases == 1
        server.thing.waiting[0].set_result(None)
        assert WAIT.answered(await client.answer(waiting))[1] == ANSWER  # type: ignore[arg-type]


def test_an_endpoint_names_no_address_before_it_listens() -> None:
    assert Endpoint().listener.addresses == []
