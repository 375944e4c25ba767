"""Connections: order of answers, giving calls up, garbage, stalls, floods, peers that do not read, the end."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from tests.remote.kit import (
    ECHO,
    RESOLVER,
    WAIT,
    Asked,
    IID_IOther,
    IID_IThing,
    Refusal,
    Told,
    endpoint,
)
from tests.wire.peers import initiator

from openwmi.model.status import WBEM_E_SHUTTING_DOWN
from openwmi.remote.inbound import Association, ListenerLimits
from openwmi.remote.inbound.addresses import Addresses, Part
from openwmi.remote.inbound.listener import listen
from openwmi.remote.places import Address, address_of
from openwmi.wire import errors
from openwmi.wire.dcom import exporter as x
from openwmi.wire.dcom.orpc import OrpcThis
from openwmi.wire.rpc import SyntaxId

QUESTION = Asked("x", 1)
ANSWER = Told("x", 1)
CANCELLED = 0x1C00000D


async def test_several_calls_are_answered_when_they_are_ready() -> None:
    async with endpoint() as server:
        ipid = server.give()
        client = await server.connect()
        slow = client.begin(WAIT, QUESTION, ipid)
        assert await client.call(ECHO, QUESTION, ipid) == ANSWER
        server.thing.waiting[0].set_result(None)
        assert isinstance(await client.answer(slow), bytes)


async def test_a_client_of_one_call_at_a_time_gets_its_answers_in_order() -> None:
    async with endpoint() as server:
        ipid = server.give()
        client = await server.connect(multiplex=False)
        first = client.begin(WAIT, QUESTION, ipid)
        client.rpc.multiplexed = True  # as a client does that keeps to no rule
        second = client.begin(ECHO, QUESTION, ipid)
        third = client.begin(WAIT, QUESTION, ipid)
        await asyncio.wait_for(server.thing.begun.wait(), 5)
        await asyncio.sleep(0)
        assert server.thing.seen == []
        server.thing.waiting[0].set_result(None)
        order = []
        for _ in range(2):
            event = await client.until(lambda one: hasattr(one, "stub"))
            order.append(event.call_id)  # type: ignore[union-attr]
        assert order == [first, second]
        server.thing.waiting[1].set_result(None)
        assert isinstance(await client.answer(third), bytes)


async def test_a_call_that_is_given_up_ends() -> None:
    async with endpoint() as server:
        ipid = server.give()
        client = await server.connect()
        one, two = client.begin(WAIT, QUESTION, ipid), client.begin(WAIT, QUESTION, ipid)
        await asyncio.wait_for(server.thing.begun.wait(), 5)
        client.rpc.cancel(one)
        client.rpc.orphan(two)
        client.flush()
        assert await client.answer(one) == CANCELLED
        assert await client.call(ECHO, QUESTION, ipid) == ANSWER
        assert server.thing.cancelled == 2


async def test_a_lost_connection_ends_its_calls_and_tells_the_owner() -> None:
    async with endpoint() as server:
        ipid = server.give()
        client = await server.connect()
        client.begin(WAIT, QUESTION, ipid)
        await asyncio.wait_for(server.thing.begun.wait(), 5)
        client.writer.transport.abort()
        async with asyncio.timeout(5):
            while server.listener.associations:
                await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert server.thing.cancelled == 1
        server.sweep(361)
        assert server.thing.releases == 1


async def test_a_wrong_password_is_denied_at_the_first_call_and_reported() -> None:
    told = []

    def refused(association: object, event: object) -> float:
        told.append(event)
        return 0.0

    async with endpoint(refused=refused) as server:
        client = await server.connect(password="wrong")
        assert await client.call(ECHO, QUESTION, server.give()) == errors.ACCESS_DENIED
        assert len(told) == 1
        assert "wrong password" in str(told[0].error)  # type: ignore[attr-defined]


async def test_after_a_failed_log_on_the_connection_waits() -> None:
    async with endpoint(refused=lambda association, event: 0.05) as server:
        client = await server.connect(password="wrong")
        loop = asyncio.get_running_loop()
        before = loop.time()
        assert await client.call(ECHO, QUESTION, server.give()) == errors.ACCESS_DENIED
        assert loop.time() - before >= 0.045


async def raw(server: object, data: bytes) -> bytes:
    """What the server says to some bytes before it closes."""
    reader, writer = await asyncio.open_connection(*server.address)  # type: ignore[attr-defined]
    writer.write(data)
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        bytes(64),
        b"\x05\x00\x0b\x03\x10\x00\x00\x00\xff\xff\x00\x00" + bytes(70_000),
    ],
)
async def test_garbage_ends_its_own_connection_only(data: bytes) -> None:
    async with endpoint() as server:
        ipid = server.give()
        client = await server.connect()
        assert (await raw(server, data))[2:3] in (b"", b"\x0d"), "nothing, or a bind_nak"
        assert await client.call(ECHO, QUESTION, ipid) == ANSWER
        assert len(server.listener.associations) == 1


async def test_a_stalled_fragment_ends_its_own_connection_only() -> None:
    async with endpoint() as server:
        ipid = server.give()
        client, stalled = await server.connect(), await server.connect()
        stub = ECHO.call(QUESTION, OrpcThis(ipid))
        stalled.rpc.request(0, 3, stub, object_id=ipid)
        stalled.writer.write(stalled.rpc.take()[:40])
        slow = client.begin(WAIT, QUESTION, ipid)
        await server.thing.begun.wait()
        server.sweep(29)
        assert len(server.listener.associations) == 2
        server.sweep(2)
        with pytest.raises((Refusal, ConnectionError)):
            await stalled.until(lambda event: False)
        server.thing.waiting[0].set_result(None)
        assert isinstance(await client.answer(slow), bytes)


async def test_somebody_who_never_logs_on_is_sent_away_and_an_idle_client_later() -> None:
    async with endpoint() as server:
        _, silent = await asyncio.open_connection(*server.address)
        client = await server.connect()
        nobody = await server.connect([RESOLVER], user=None, level=1)
        server.sweep(20)
        await nobody.call(x.SERVER_ALIVE, x.Nothing())
        server.sweep(20)
        await asyncio.sleep(0.01)
        assert len(server.listener.associations) == 2
        server.sweep(31)
        await asyncio.sleep(0.01)
        assert len(server.listener.associations) == 1
        server.sweep(7200)
        await asyncio.sleep(0.01)
        assert len(server.listener.associations) == 0
        with pytest.raises((Refusal, ConnectionError)):
            await client.until(lambda event: False)
        silent.close()


async def test_connections_are_counted_by_address_and_in_all() -> None:
    async with endpoint(limits=ListenerLimits(connections=3, per_address=2)) as server:
        await server.connect()
        second = await server.connect()
        with pytest.raises((Refusal, ConnectionError)):
            await server.connect()
        await second.close()
        async with asyncio.timeout(5):
            while len(server.listener.associations) > 1:
                await asyncio.sleep(0)
        await server.connect()


async def test_only_peers_that_are_expected_get_in() -> None:
    expected: set[str] = set()
    async with endpoint(admit=expected.__contains__) as server:
        with pytest.raises((Refusal, ConnectionError)):
            await server.connect()
        expected.add("127.0.0.1")
        await server.connect()


async def test_nobody_known_may_send_little_and_all_together_not_too_much() -> None:
    limits = ListenerLimits(unproven=5000, buffered=20_000)
    async with endpoint(limits=limits) as server:
        ipid = server.give()
        nobody = await server.connect(user=None, level=1)
        nobody.rpc.request(0, 3, bytes(60_000), object_id=ipid)
        nobody.writer.write(nobody.rpc.take()[:12_000])
        with pytest.raises((Refusal, ConnectionError)):
            await nobody.until(lambda event: False)
        known = [await server.connect() for _ in range(3)]
        for client, size in zip(known[:2], (11_000, 11_900), strict=True):
            client.rpc.request(0, 3, bytes(60_000), object_id=ipid)
            client.writer.write(client.rpc.take()[:size])
        with pytest.raises((Refusal, ConnectionError)):
            await known[1].until(lambda event: False)
        assert await known[2].call(ECHO, QUESTION, ipid) == ANSWER
        await known[0].close()
        async with asyncio.timeout(5):
            while server.listener._kept:
                await asyncio.sleep(0)


async def test_calls_under_way_are_bounded_in_bytes() -> None:
    async with endpoint(limits=ListenerLimits(in_flight=100_000)) as server:
        ipid = server.give()
        client = await server.connect()
        large = Asked("x" * 20_000, 1)
        numbers = [client.begin(WAIT, large, ipid) for _ in range(10)]
        async with asyncio.timeout(5):
            while len(server.thing.waiting) < 3:
                await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert len(server.thing.waiting) < 10
        server.sweep(1000)
        other = await server.connect()
        assert await other.call(ECHO, QUESTION, ipid) == ANSWER
        answered = 0
        async with asyncio.timeout(10):
            while answered < 10:
                for waiter in server.thing.waiting:
                    if not waiter.done():
                        waiter.set_result(None)
                        answered += 1
                await asyncio.sleep(0)
        for number in numbers:
            assert isinstance(await client.answer(number), bytes)


async def test_security_contexts_of_all_connections_are_bounded() -> None:
    async with endpoint(limits=ListenerLimits(contexts_per_address=3)) as server:
        clients = [await server.connect() for _ in range(3)]
        with pytest.raises(Refusal):
            await server.connect()
        await clients[0].close()
        async with asyncio.timeout(5):
            while len(server.listener.associations) > 2:
                await asyncio.sleep(0)
        await server.connect()


@pytest.mark.slow
async def test_a_peer_that_does_not_read_is_not_read_from_and_goes_in_the_end() -> None:
    async with endpoint() as server:
        ipid = server.give()
        client = await server.connect()
        large = Asked("x" * 200_000, 1)
        for _ in range(200):
            if client.writer.transport.get_write_buffer_size() > 1 << 20:  # type: ignore[attr-defined]
                break
            client.begin(ECHO, large, ipid)
            await asyncio.sleep(0)
        else:
            raise AssertionError("the server reads on and on")
        (association,) = server.listener.associations
        assert association._unread is not None
        assert association.overdue(server.clock.now + 119) is None
        other = await server.connect()
        assert await other.call(ECHO, QUESTION, ipid) == ANSWER
        server.sweep(121)
        async with asyncio.timeout(5):
            while len(server.listener.associations) > 1:
                await asyncio.sleep(0)
        client.writer.transport.abort()


@pytest.mark.slow
async def test_a_thousand_contexts_harm_nobody_else() -> None:
    async with endpoint() as server:
        ipid = server.give()
        client, other = await server.connect(), await server.connect()
        for number in range(2, 1002):
            client.rpc.alter([(number, SyntaxId(IID_IOther))], initiator(), level=6, security_id=number)
            await client.until(lambda event: type(event).__name__ == "Bound")
            if number % 250 == 0:
                assert await client.call(ECHO, QUESTION, ipid) == ANSWER
                assert await other.call(ECHO, QUESTION, ipid) == ANSWER


@pytest.mark.slow
async def test_two_hundred_connections_with_ten_calls_each() -> None:
    async with endpoint() as server:
        ipid = server.give()
        clients = [await server.connect() for _ in range(200)]
        numbers = [(client, client.begin(WAIT, QUESTION, ipid)) for client in clients for _ in range(10)]
        async with asyncio.timeout(60):
            while len(server.thing.waiting) < 2000:
                await asyncio.sleep(0.001)
        for waiter in server.thing.waiting:
            waiter.set_result(None)
        for client, number in numbers:
            assert isinstance(await client.answer(number), bytes)


async def test_the_end_asks_clients_to_go_and_cancels_calls() -> None:
    async with endpoint() as server:
        ipid = server.give()
        client = await server.connect()
        waiting = client.begin(WAIT, QUESTION, ipid)
        await server.thing.begun.wait()
        await server.listener.close()
        answer = await client.answer(waiting)
        assert isinstance(answer, bytes)
        assert WAIT.answered(answer)[1] == Told(None, 0, WBEM_E_SHUTTING_DOWN)
        await client.until(lambda event: type(event).__name__ == "ShutdownReceived")
        assert server.listener.associations == set()
        with pytest.raises(ConnectionRefusedError):
            await server.connect()


async def test_a_call_that_has_just_come_hears_of_the_end_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the very turn of the loop in which it arrives, before its method has begun."""
    begin = Association._begin

    def ending(self: Association, call_id: int, answer: Any) -> None:
        begin(self, call_id, answer)
        self.cancel_calls()

    async with endpoint() as server:
        ipid = server.give()
        client = await server.connect()
        monkeypatch.setattr(Association, "_begin", ending)
        answer = await client.answer(client.begin(WAIT, QUESTION, ipid))
        assert isinstance(answer, bytes)
        assert WAIT.answered(answer)[1] == Told(None, 0, WBEM_E_SHUTTING_DOWN)
        assert server.thing.cancelled == 1


async def test_a_socket_that_was_passed_on_is_served() -> None:
    async with endpoint() as server:
        listening = socket.create_server(("127.0.0.1", 0))
        address = await server.listener.adopt(listening)
        client = await server.connect(address=address)
        assert await client.call(ECHO, QUESTION, server.give()) == ANSWER


async def test_ipv6() -> None:
    async with endpoint() as server:
        try:
            address = await server.listener.listen("::1")
        except OSError:
            pytest.skip("no IPv6 here")
        client = await server.connect([RESOLVER, IID_IThing], address=address)
        found = await client.call(x.SERVER_ALIVE2, x.Nothing())
        assert [one.address for one in found.bindings.strings][:2] == [
            f"::1[{address.port}]",
            f"localhost[{address.port}]",
        ]
        assert (found.bindings.strings[0].host, found.bindings.strings[0].port) == ("::1", address.port)
        assert await client.call(ECHO, QUESTION, server.give(), 1) == ANSWER


def test_addresses() -> None:
    assert address_of(("::ffff:192.0.2.1", 7, 0, 0)) == Address("192.0.2.1", 7)
    assert address_of(("fe80::1%eth0", 7, 0, 2)) == Address("fe80::1", 7)
    assert address_of("/some/socket") == Address("", 0)
    names = Addresses(("host", "host.example.org", "host"))
    bindings = names.exporter(Address("192.0.2.1", 135))
    assert [one.address for one in bindings.strings] == [
        "192.0.2.1[135]",
        "host[135]",
        "host.example.org[135]",
    ]
    assert names.resolver(Address("192.0.2.1", 135)).strings[0].address == "192.0.2.1"
    assert names.resolver(Address("192.0.2.1", 5000)).strings[0].address == "192.0.2.1[5000]"
    forwarded = Addresses(("host", "outside[4000]")).resolver(Address("10.0.0.2", 135))
    assert [one.address for one in forwarded.strings] == ["10.0.0.2", "host", "outside[4000]"]
    assert [one.service for one in bindings.securities] == [9, 10, 16]


async def test_one_port_leads_to_the_port_of_the_objects() -> None:
    async with endpoint() as server:
        names = server.exporter.addresses
        resolver = await listen(server.listener, names, "127.0.0.1", 0, objects=0)
        (objects,) = set(server.listener.addresses) - {server.address, resolver}
        asking = await server.connect([RESOLVER], address=resolver)
        found = await asking.call(x.RESOLVE_OXID2, x.ResolveOxid(server.exporter.oxid, [7]))
        assert found.bindings.strings[0].address == f"127.0.0.1[{objects.port}]"
        alive = await asking.call(x.SERVER_ALIVE2, x.Nothing())
        assert alive.bindings.strings[0].address == f"127.0.0.1[{resolver.port}]"
        client = await server.connect([IID_IThing], address=objects)
        assert await client.call(ECHO, QUESTION, server.give()) == ANSWER
        # References that are got at the one lead to the other.
        assert names.resolver(objects) == names.resolver(resolver)
        # Neither does what the other is for; a port of its own does both.
        bound = [(IID_IThing, resolver), (RESOLVER, objects)]
        for interface, address in bound:
            client = await server.connect([interface], address=address)
            assert client.rpc.presentations == {}
        both = await server.connect([RESOLVER, IID_IThing])
        assert await both.call(ECHO, QUESTION, server.give(), 1) == ANSWER


async def test_several_ports_lead_to_the_same_objects_on_any_address() -> None:
    async with endpoint() as server:
        names = server.exporter.addresses
        first = await listen(server.listener, names, "0.0.0.0", 0, objects=0)
        (objects,) = set(server.listener.addresses) - {server.address, first}
        second = await listen(server.listener, names, "0.0.0.0", 0, objects=objects.port)
        for place in (first, second):
            came_to = Address("127.0.0.1", place.port)
            assert names.part(came_to) is Part.RESOLVER
            assert names.exporter(came_to).strings[0].port == objects.port
        assert names.part(Address("127.0.0.1", objects.port)) is Part.OBJECTS
        assert names.part(server.address) is Part.BOTH


async def test_where_the_first_port_cannot_be_had_the_second_is_given_back() -> None:
    async with endpoint() as server:
        names = server.exporter.addresses
        before = list(server.listener.addresses)
        with pytest.raises(OSError, match="address already in use"):
            await listen(server.listener, names, "127.0.0.1", server.address.port, objects=0)
        assert server.listener.addresses == before
