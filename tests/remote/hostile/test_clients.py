"""Hostile clients of the running server, listener and exporter included: garbage, stalls, floods, mutants of a whole
session on the wire and, from somebody who has an account, under the seal. They harm nobody but themselves: an honest
client is served all the while, nothing but the protocol's own errors happens, and nothing stays."""

from __future__ import annotations

import asyncio
import random
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from tests.conftest import DEEP
from tests.remote.hostile.pair import IDLE, LIFETIMES, Serving, log_on, repeatable, serving
from tests.remote.hostile.stage import Watcher
from tests.remote.memory import PASSWORD
from tests.remote.network import SERVER, Half, NetworkLoop, on_network
from tests.wire.peers import initiator
from tests.wire.test_fuzz import mutants

from openwmi.contract.operations import ExecMethod, ExecNotificationQuery, ExecQuery, GetObject
from openwmi.model.errors import WbemError
from openwmi.remote.inbound import ListenerLimits
from openwmi.remote.places import Address
from openwmi.remote.server import ServerLimits
from openwmi.wire.dcom import exporter, guids
from openwmi.wire.rpc import ClientConnection
from openwmi.wire.rpc import events as e
from openwmi.wire.wmi import guids as wmi

PORT = Address(SERVER, 135)
COUNT = 10_000 if DEEP else 150
SLOWEST = 5.0  # seconds for one mutant's whole session, on a machine that others use, too
ELSEWHERE = "10.0.0.66"
Work = Callable[[NetworkLoop, Serving], Awaitable[None]]


def with_server(work: Work, folder: Path, *, rows: bool = True, **options: Any) -> None:
    """Run against a server, see an honest client served afterwards, and nothing left after all lifetimes."""

    async def run(loop: NetworkLoop) -> None:
        async with serving(loop, folder, **options) as server:
            await work(loop, server)
            loop.spoil = None
            await is_served(loop, rows=rows)
            await asyncio.sleep(LIFETIMES)
            assert not any(server.left().values()), server.left()

    with repeatable():
        on_network(run, within=1e7)


async def is_served(loop: NetworkLoop, *, rows: bool = True) -> None:
    """An honest client's query, at once. rows: nobody has had the right to delete any."""
    source, loop.source = loop.source, None
    begun = loop.time()
    services = await log_on(delivery="poll")
    watcher = Watcher()
    asked = ExecQuery("SELECT * FROM Thing") if rows else GetObject("__SystemClass")
    await (await services.start(asked, watcher))
    await services.close()
    assert len(watcher.objects) == (7 if rows else 1)
    assert loop.time() - begun < 1.0
    loop.source = source


class Raw(asyncio.Protocol):
    """A connection that says what it likes. heard: what came back."""

    def __init__(self) -> None:
        self.heard = b""
        self.ended = False

    def data_received(self, data: bytes) -> None:
        self.heard += data

    def connection_lost(self, reason: Exception | None) -> None:
        self.ended = True

    @classmethod
    async def open(cls, loop: NetworkLoop) -> tuple[Raw, Half]:
        half, raw = await loop.create_connection(cls, *PORT)
        return raw, half


def handshake() -> bytes:
    """A bind with an NTLM negotiate."""
    rpc = ClientConnection()
    rpc.bind([(0, guids.IRemoteSCMActivator)], initiator(PASSWORD))
    return rpc.take()


DICE = random.Random(7)
GARBAGE = {
    "a web browser": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": bytes.fromhex("16030100c8010000c40303") + DICE.randbytes(200),
    "zeroes": bytes(70_000),
    "noise": DICE.randbytes(70_000),
    "a fragment without a length": bytes.fromhex("05000b03100000000000000001000000"),
    "a fragment shorter than its header": bytes.fromhex("05000b03100000000f00000001000000"),
    "big endian": bytes.fromhex("05000b030000000000480000000000010000000000000000"),
    "a request before any bind": bytes.fromhex("050000031000000018000000010000000000000000000000"),
    "a response": bytes.fromhex("050002031000000018000000010000000000000000000000"),
    "a verifier longer than its fragment": bytes.fromhex("05000b0310000000480040000100000010b810b8")
    + bytes(52),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_ends_its_own_connection(garbage: bytes, tmp_path: Path) -> None:
    async def work(loop: NetworkLoop, server: Serving) -> None:
        raw, half = await Raw.open(loop)
        half.send(garbage)
        await asyncio.sleep(0.1)
        assert raw.ended
        assert raw.heard[2:3] in (b"", b"\x0c", b"\x0d"), "nothing, a bind_ack or a bind_nak"
        await is_served(loop)

    with_server(work, tmp_path)


def test_who_binds_a_thousand_times_has_not_logged_on(tmp_path: Path) -> None:
    """Binding anew is allowed; it is no sign of life of somebody who never proves who he is."""

    async def work(loop: NetworkLoop, server: Serving) -> None:
        raw, half = await Raw.open(loop)
        for _ in range(1000):
            if raw.ended:
                break
            half.send(handshake())
            await asyncio.sleep(1.0)
        assert raw.ended, "still there after a thousand seconds"
        await is_served(loop)

    with_server(work, tmp_path)


@pytest.mark.slow
def test_stalls_in_the_middle_of_a_fragment(tmp_path: Path) -> None:
    """A connection for every byte of a bind, and none goes on: they go when their time is up. Meanwhile nobody waits
    for them."""

    async def work(loop: NetworkLoop, server: Serving) -> None:
        loop.source = ELSEWHERE
        whole = handshake()
        raws = []
        for size in range(len(whole)):
            raw, half = await Raw.open(loop)
            half.send(whole[:size])
            raws.append(raw)
        await asyncio.sleep(1.0)
        assert len(server.server.listener.associations) == len(whole)
        await is_served(loop)
        limits = ListenerLimits()
        await asyncio.sleep(max(limits.handshake, limits.fragment) + 2 * limits.period)
        assert server.server.listener.associations == set()
        assert all(raw.ended for raw in raws)

    with_server(work, tmp_path)


@pytest.mark.slow
def test_who_sends_a_byte_now_and_then_is_as_good_as_silent(tmp_path: Path) -> None:
    """A fragment has to be whole in its time, however lively its sender is."""

    async def work(loop: NetworkLoop, server: Serving) -> None:
        loop.source = ELSEWHERE
        whole = handshake()
        raw, half = await Raw.open(loop)
        limits = ListenerLimits()
        for at in range(len(whole)):
            if raw.ended:
                break
            half.send(whole[at : at + 1])
            await asyncio.sleep(20.0)
        assert raw.ended
        assert loop.time() <= limits.fragment + 2 * limits.period + 20.0
        await is_served(loop)

    with_server(work, tmp_path)


@pytest.mark.slow
def test_somebody_with_an_account_stalls_in_the_middle_of_a_call(tmp_path: Path) -> None:
    async def work(loop: NetworkLoop, server: Serving) -> None:
        services = await log_on(delivery="poll")
        stalled: list[Half] = []

        def spoil(half: Half, pdu: bytes, number: int) -> bool:
            if half in stalled:
                return True
            if half.own[0] == SERVER or stalled:
                return False
            half.send(pdu[: len(pdu) // 2])
            stalled.append(half)
            return True

        loop.spoil = spoil
        with pytest.raises(WbemError) as caught:
            await services.start(ExecQuery("SELECT * FROM Thing"), Watcher())
        assert caught.value.symbol in ("WBEM_E_TIMED_OUT", "RPC_S_CALL_FAILED")
        await is_served(loop)
        await services.close()

    with_server(work, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("secured", [False, True], ids=["presentation", "security"])
def test_more_contexts_than_there_may_be(secured: bool, tmp_path: Path) -> None:
    """2,100 presentation contexts, or handshakes with a security context each, on one connection: past the limit they
    are refused, the connection and everybody else go on ([MS-RPCE] 3.3.3.4.2)."""
    limits = ServerLimits(listener=ListenerLimits(idle=IDLE))
    asked = 2010 if secured else 2100

    async def work(loop: NetworkLoop, server: Serving) -> None:
        half, client = await loop.create_connection(_Contexts, *PORT)
        client.rpc.bind([(0, guids.IObjectExporter)], initiator(PASSWORD), security_id=1)
        await client.until(lambda one: isinstance(one, e.Bound))
        refused = 0
        for number in range(2, asked):
            context = initiator(PASSWORD) if secured else None
            interface = guids.IObjectExporter if secured else wmi.IWbemServices
            client.rpc.alter([(0 if secured else number, interface)], context, security_id=number)
            found = await client.until(lambda one: isinstance(one, e.Bound | e.Refused))
            refused += isinstance(found, e.Refused) or bool(found.rejected)
            if number % 500 == 0:
                await is_served(loop)
        assert refused == asked - 1 - 2000
        call = client.rpc.request(
            0, exporter.SERVER_ALIVE2.opnum, exporter.SERVER_ALIVE2.call(exporter.Nothing())
        )
        answer = await client.until(lambda one: isinstance(one, e.ResponseReceived))
        assert answer.call_id == call
        half.close()

    with_server(work, tmp_path, limits=limits)


class _Contexts(asyncio.Protocol):
    """A client of `wire` alone."""

    def __init__(self) -> None:
        self.rpc = ClientConnection()
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        for event in self.rpc.receive(data):
            self.events.put_nowait(event)
        self.flush()

    def flush(self) -> None:
        data = self.rpc.take()
        if data:
            self.transport.write(data)

    async def until(self, wanted: Callable[[Any], bool]) -> Any:
        self.flush()
        async with asyncio.timeout(30):
            while not wanted(event := await self.events.get()):
                assert not isinstance(event, e.Broken), event.error
        return event


def test_more_connections_than_one_address_may_have(tmp_path: Path) -> None:
    limits = ServerLimits(listener=ListenerLimits(per_address=50, idle=IDLE))

    async def work(loop: NetworkLoop, server: Serving) -> None:
        loop.source = ELSEWHERE
        raws = [(await Raw.open(loop))[0] for _ in range(200)]
        await asyncio.sleep(0.1)
        assert [raw.ended for raw in raws].count(False) == 50
        await is_served(loop)

    with_server(work, tmp_path, limits=limits)


# Mutants


async def session(number: int) -> None:
    """A client's session, of which something is spoiled; it may fail at any point, with errors of the seam."""
    delivery = "sink" if number % 3 == 0 else "poll"
    try:
        services = await log_on(delivery=delivery)
    except WbemError:
        return
    try:
        for operation in (
            ExecQuery("SELECT * FROM Thing"),
            GetObject("Thing.N=1"),
            ExecMethod("Thing.N=1", "Nothing"),
            ExecNotificationQuery("SELECT * FROM Note"),
        ):
            watcher = Watcher()
            try:
                call = await services.start(operation, watcher)
                async with asyncio.timeout(1.0):
                    await call
            except TimeoutError:
                await call.cancel()
            except WbemError:
                continue
    finally:
        await services.close()


async def many_sessions(loop: NetworkLoop, count: int, spoiled: Callable[[int], None]) -> None:
    for number in range(count):
        spoiled(number)
        begun = time.perf_counter()
        await session(number)
        assert time.perf_counter() - begun < SLOWEST, number
        assert loop.problems == [], (number, loop.problems)
        loop.wires = [wire for wire in loop.wires if not wire.over]
        await asyncio.sleep(300)  # until who failed to log on may try again
    loop.spoil = None
    await is_served(loop)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_mutants_on_the_wire(tmp_path: Path) -> None:
    """One PDU of each session is changed on its way to the server; at integrity and privacy all but the first few break
    a signature."""

    async def work(loop: NetworkLoop, server: Serving) -> None:
        dice = random.Random(5)

        def spoiled(number: int) -> None:
            loop.source = ELSEWHERE
            first, at = loop.pdus, dice.choice((0, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24))

            def spoil(half: Half, pdu: bytes, count: int) -> bool:
                if count - first < at or half.own[0] == SERVER or loop.spoil is None:
                    return False
                loop.spoil = None
                (changed,) = mutants([pdu], 1, seed=number)
                half.send(changed)
                return True

            loop.spoil = spoil

        await many_sessions(loop, COUNT, spoiled)

    with_server(work, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_mutants_under_the_seal(tmp_path: Path) -> None:
    """Somebody with an account sends stubs, numbers and IPIDs as he likes, rightly sealed."""
    honest = ClientConnection.request
    dice = random.Random(6)
    seen: list[bytes] = []
    turn = [0]

    def request(self: ClientConnection, context_id: int, opnum: int, stub: bytes, **options: Any) -> int:
        seen.append(stub)
        if len(seen) > 400:
            del seen[0]
        turn[0] += 1
        if turn[0] % 7 == 0:
            way = dice.randrange(4)
            if way < 2:
                (stub,) = mutants([stub], 1, seed=turn[0])
            elif way == 2:
                stub = dice.choice(seen)
            else:
                opnum = dice.randrange(30)
        return honest(self, context_id, opnum, stub, **options)

    async def work(loop: NetworkLoop, server: Serving) -> None:
        with mock.patch.object(ClientConnection, "request", request):
            for number in range(COUNT):
                begun = time.perf_counter()
                await session(number)
                assert time.perf_counter() - begun < SLOWEST, number
                assert loop.problems == [], (number, loop.problems)
                loop.wires = [wire for wire in loop.wires if not wire.over]
        assert turn[0] > 5 * COUNT, "nobody got far enough"

    with_server(work, tmp_path, rows=False)


@pytest.mark.slow
def test_mutants_leave_no_memory_behind(tmp_path: Path) -> None:
    async def work(loop: NetworkLoop, server: Serving) -> None:
        def spoiled(number: int) -> None:
            first = loop.pdus

            def spoil(half: Half, pdu: bytes, count: int) -> bool:
                if count - first != 8:
                    return False
                half.send(pdu[:20] + b"\xff" * (len(pdu) - 20))
                return True

            loop.spoil = spoil

        await many_sessions(loop, 20, spoiled)
        await asyncio.sleep(LIFETIMES)
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            await many_sessions(loop, 30, spoiled)
            await asyncio.sleep(LIFETIMES)
            assert tracemalloc.get_traced_memory()[0] - before < 1 << 20
            assert tracemalloc.get_traced_memory()[1] - before < 16 << 20
        finally:
            tracemalloc.stop()

    with_server(work, tmp_path)
