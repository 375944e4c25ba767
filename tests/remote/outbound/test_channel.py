"""A channel against scripted servers in memory: calls, deadlines, ends, on a clock that jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from tests.remote.clock import JumpingLoop, jumping
from tests.remote.memory import PASSWORD, End, MemoryNetwork, ScriptedServer

from openwmi.model import status as codes
from openwmi.model.errors import AccessDenied, WbemError
from openwmi.remote.outbound.channel import Channel
from openwmi.remote.outbound.network import Network, Security
from openwmi.remote.places import Address
from openwmi.wire.dcom.method import Method
from openwmi.wire.errors import ACCESS_DENIED, SERVER_TOO_BUSY, RemoteProtocolError
from openwmi.wire.ndr import UINT32, Parameters
from openwmi.wire.ntlm import Credential, Initiator
from openwmi.wire.rpc import AuthLevel, Limits, SyntaxId, events
from openwmi.wire.rpc.constants import PduType

SERVER = Address("10.0.0.2", 135)
ALPHA = SyntaxId(UUID("11111111-0000-0000-0000-000000000001"))
BETA = SyntaxId(UUID("11111111-0000-0000-0000-000000000002"))


class Number:
    def __init__(self, number: int) -> None:
        self.number = number


_NUMBER = Parameters(Number, "a test", number=UINT32)
SQUARE: Method[Number, Number] = Method("Square", 3, _NUMBER, _NUMBER)


def security(level: int = AuthLevel.PRIVACY, password: str = PASSWORD) -> Security:
    return Security(
        lambda target: Initiator(Credential("ada", password=password), bytes(24), filetime=1, target=target),
        level,
    )


def square(server: ScriptedServer, request: events.RequestReceived) -> bytes:
    return SQUARE.answer(Number(SQUARE.called(request.stub).number ** 2))


class Bench:
    """A network with one scripted server."""

    def __init__(self, handler: Any = square, **options: Any) -> None:
        self.memory = MemoryNetwork()
        self.servers: list[ScriptedServer] = []
        self.network = Network(self.memory.dial)

        def made() -> ScriptedServer:
            self.servers.append(ScriptedServer(handler, **options))
            return self.servers[-1]

        self.memory.listen(SERVER, made)

    @property
    def server(self) -> ScriptedServer:
        return self.servers[-1]

    async def channel(self, wanted: Security | None = None, *interfaces: SyntaxId) -> Channel:
        return await Channel.open(SERVER, interfaces or (ALPHA,), wanted, network=self.network)


def run(work: Callable[[], Awaitable[Any]], *, within: float = 60.0) -> Any:
    async def wrapped(_: JumpingLoop) -> Any:
        return await work()

    return jumping(wrapped, within=within)


@pytest.mark.parametrize("level", [None, AuthLevel.CONNECT, AuthLevel.INTEGRITY, AuthLevel.PRIVACY])
def test_a_call_and_its_answer(level: int | None) -> None:
    async def work() -> None:
        bench = Bench()
        channel = await bench.channel(None if level is None else security(level))
        assert (await channel.call(ALPHA, SQUARE, Number(12))).number == 144
        assert bench.server.requests[0].level == channel.level == (level or AuthLevel.NONE)
        assert bench.server.requests[0].identity == (None if level is None else "ada")
        assert channel.local == Address("10.0.0.1", 50000)
        await channel.close()
        assert channel.closed

    run(work)


def test_the_last_leg_and_the_first_call_leave_in_one_piece() -> None:
    """wire.md 2.5: an AUTH3 on its own would wait for the server's delayed acknowledgement."""

    async def work() -> None:
        bench = Bench()
        written: list[bytes] = []

        def watch(end: End, data: bytes) -> None:
            if end.protocol is not bench.servers[-1]:
                written.append(data)
            end.pass_on(data)

        bench.memory.filter = watch
        channel = await bench.channel(security())
        await channel.call(ALPHA, SQUARE, Number(1))
        assert [data[2] for data in written] == [PduType.BIND, PduType.AUTH3]
        assert written[1].count(b"\x05\x00\x00") == 1
        await channel.close()

    run(work)


def test_a_handshake_is_finished_where_no_call_follows() -> None:
    async def work() -> None:
        bench = Bench()
        channel = await bench.channel(security())
        await asyncio.sleep(1)
        assert any(isinstance(event, events.Established) for event in bench.server.events)
        await channel.close()

    run(work)


def test_several_calls_are_under_way_at_once() -> None:
    async def work() -> None:
        gates: dict[int, asyncio.Event] = {n: asyncio.Event() for n in range(5)}
        order: list[int] = []

        async def answer(server: ScriptedServer, request: events.RequestReceived) -> bytes:
            number = SQUARE.called(request.stub).number
            await gates[number].wait()
            return SQUARE.answer(Number(number))

        channel = await Bench(answer).channel(security())

        async def call(number: int) -> None:
            assert (await channel.call(ALPHA, SQUARE, Number(number))).number == number
            order.append(number)

        async with asyncio.TaskGroup() as group:
            for number in gates:
                group.create_task(call(number))
            await asyncio.sleep(1)
            assert channel.in_flight == 5
            for number in (3, 1, 4, 0, 2):
                gates[number].set()
                await asyncio.sleep(1)
        assert order == [3, 1, 4, 0, 2]
        await channel.close()

    run(work)


def test_a_server_that_takes_one_call_at_a_time_gets_one_at_a_time() -> None:
    async def work() -> None:
        most = 0

        async def answer(server: ScriptedServer, request: events.RequestReceived) -> bytes:
            nonlocal most
            most = max(most, server.rpc.calls)
            await asyncio.sleep(1)
            return square(server, request)

        channel = await Bench(answer, multiplex=False).channel()
        calls = [channel.call(ALPHA, SQUARE, Number(number)) for number in range(4)]
        assert [found.number for found in await asyncio.gather(*calls)] == [0, 1, 4, 9]
        assert most == 1
        await channel.close()

    run(work)


def test_interfaces_are_bound_when_they_are_needed_and_once() -> None:
    async def work() -> None:
        bench = Bench()
        channel = await bench.channel(security())
        calls = [channel.call(BETA, SQUARE, Number(number)) for number in range(4)]
        assert [found.number for found in await asyncio.gather(*calls)] == [0, 1, 4, 9]
        assert sum(isinstance(event, events.Bound) for event in bench.server.events) == 2
        assert {request.interface for request in bench.server.requests} == {BETA}
        assert all(request.level == AuthLevel.PRIVACY for request in bench.server.requests)
        await channel.close()

    run(work)


def test_an_alter_context_goes_on_when_who_asked_for_it_has_left() -> None:
    async def work() -> None:
        bench = Bench()
        channel = await bench.channel()
        first = asyncio.ensure_future(channel.call(BETA, SQUARE, Number(3)))
        await asyncio.sleep(0)
        first.cancel()
        assert (await channel.call(BETA, SQUARE, Number(4))).number == 16
        await channel.close()

    run(work)


def test_an_interface_that_is_not_there() -> None:
    async def work() -> None:
        bench = Bench(interfaces=lambda interface: interface == ALPHA)
        channel = await bench.channel()
        with pytest.raises(WbemError) as caught:
            await channel.call(BETA, SQUARE, Number(1))
        assert (caught.value.code, caught.value.phase) == (codes.RPC_S_UNKNOWN_IF, "bind")
        assert (await channel.call(ALPHA, SQUARE, Number(2))).number == 4
        await channel.close()
        with pytest.raises(WbemError) as caught:
            await bench.channel(None, BETA)
        assert caught.value.code == codes.RPC_S_UNKNOWN_IF

    run(work)


# What goes wrong ----------------------------------------------------------------------------------------------


def refused(error: WbemError) -> tuple[int, str | None, str | None]:
    return error.code, error.phase, error.host


def test_nobody_listens() -> None:
    async def work() -> None:
        bench = Bench()
        with pytest.raises(WbemError) as caught:
            await Channel.open(Address("10.0.0.3", 135), ALPHA, network=bench.network)
        assert refused(caught.value) == (codes.RPC_S_SERVER_UNAVAILABLE, "connect", "10.0.0.3")
        assert "port 135: Connection refused" in str(caught.value)

    run(work)


def test_a_host_that_swallows_packets() -> None:
    async def work() -> None:
        async def dial(factory: Any, address: Address) -> Any:
            await asyncio.sleep(3600)

        with pytest.raises(WbemError) as caught:
            await Channel.open(SERVER, ALPHA, network=Network(dial))
        assert refused(caught.value) == (codes.RPC_S_SERVER_UNAVAILABLE, "connect", "10.0.0.2")

    run(work, within=10.0)


def test_a_server_that_never_answers_the_bind() -> None:
    async def work() -> None:
        bench = Bench()
        bench.memory.filter = lambda end, data: None
        with pytest.raises(WbemError) as caught:
            await bench.channel()
        assert refused(caught.value) == (codes.WBEM_E_TIMED_OUT, "bind", "10.0.0.2")

    run(work, within=10.0)


def test_a_wrong_password_is_denied_at_the_first_call() -> None:
    async def work() -> None:
        bench = Bench()
        channel = await bench.channel(security(password="wrong"))
        with pytest.raises(AccessDenied) as caught:
            await channel.call(ALPHA, SQUARE, Number(1))
        assert refused(caught.value) == (codes.E_ACCESSDENIED, "Square", "10.0.0.2")
        await channel.close()

    run(work)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (ACCESS_DENIED, codes.E_ACCESSDENIED),
        (SERVER_TOO_BUSY, codes.RPC_S_SERVER_TOO_BUSY),
        (0x80010108, codes.RPC_E_DISCONNECTED),
        (0x1C010003, codes.RPC_S_UNKNOWN_IF),
        (0x6F7, codes.RPC_X_BAD_STUB_DATA),
        (0x6D1, codes.RPC_S_PROCNUM_OUT_OF_RANGE),
    ],
)
def test_faults_become_the_codes_that_windows_shows(status: int, code: int) -> None:
    async def work() -> None:
        channel = await Bench(lambda server, request: status).channel()
        with pytest.raises(WbemError) as caught:
            await channel.call(ALPHA, SQUARE, Number(1))
        assert refused(caught.value) == (code, "Square", "10.0.0.2")
        assert not channel.closed
        await channel.close()

    run(work)


def test_a_call_without_an_answer_ends_at_its_deadline_and_is_given_up_at_the_server() -> None:
    async def work() -> None:
        bench = Bench(lambda server, request: None)
        channel = await bench.channel()
        with pytest.raises(WbemError) as caught:
            await channel.call(ALPHA, SQUARE, Number(1), deadline=7)
        assert refused(caught.value) == (codes.WBEM_E_TIMED_OUT, "Square", "10.0.0.2")
        assert "within 7 s" in str(caught.value)
        await asyncio.sleep(0.1)
        assert any(isinstance(event, events.CallOrphaned) for event in bench.server.events)
        assert channel.in_flight == 0
        await channel.close()

    run(work, within=8.0)


def test_each_call_has_its_own_deadline_under_one_timer() -> None:
    async def work() -> None:
        answering = [False]
        bench = Bench(lambda server, request: square(server, request) if answering[0] else None)
        channel = await bench.channel()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        ends: dict[int, float] = {}

        async def ask(seconds: int) -> None:
            with pytest.raises(WbemError, match=f"within {seconds} s"):
                await channel.call(ALPHA, SQUARE, Number(1), deadline=seconds)
            ends[seconds] = loop.time() - begun

        calls = [asyncio.ensure_future(ask(seconds)) for seconds in (20, 5, 12)]
        await asyncio.sleep(1)
        answering[0] = True
        assert (await channel.call(ALPHA, SQUARE, Number(3), deadline=2)).number == 9
        await asyncio.gather(*calls)
        assert ends == {
            5: pytest.approx(5, abs=0.01),
            12: pytest.approx(12, abs=0.01),
            20: pytest.approx(20, abs=0.01),
        }
        assert sum(isinstance(event, events.CallOrphaned) for event in bench.server.events) >= 2
        await channel.close()

    run(work)


def test_an_answer_can_be_had_in_the_turn_in_which_it_comes() -> None:
    async def work() -> None:
        bench = Bench()
        channel = await bench.channel()
        order: list[str] = []

        def then(call: Any) -> None:
            order.append("then")
            asyncio.get_running_loop().call_soon(order.append, "the next turn")
            assert SQUARE.answered(call.result()).number == 16

        call = channel.send(ALPHA, SQUARE, SQUARE.call(Number(4)))
        call.then = then
        call.add_done_callback(lambda _: order.append("a callback"))
        await call
        await asyncio.sleep(0)
        assert order[0] == "then"
        dropped = channel.send(ALPHA, SQUARE, SQUARE.call(Number(4)))
        dropped.then = then
        assert dropped.cancel()
        assert not dropped.cancel()
        await asyncio.sleep(1)
        assert order.count("then") == 1
        assert channel.in_flight == 0
        broken = channel.send(ALPHA, SQUARE, SQUARE.call(Number(4)))
        ends: list[BaseException | None] = []
        broken.then = lambda call: ends.append(call.exception())
        await channel.close()
        assert isinstance(ends[0], WbemError)

    run(work)


def test_whoever_is_cancelled_gives_the_call_up() -> None:
    async def work() -> None:
        bench = Bench(lambda server, request: None)
        channel = await bench.channel()
        task = asyncio.ensure_future(channel.call(ALPHA, SQUARE, Number(1)))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.sleep(1)
        assert isinstance(bench.server.events[-1], events.CallOrphaned)
        await channel.close()

    run(work)


def test_a_connection_that_ends_ends_every_call_on_it() -> None:
    async def work() -> None:
        bench = Bench(lambda server, request: None)
        channel = await bench.channel()
        told: list[Any] = []
        channel.on_closed(told.append)
        calls = [asyncio.ensure_future(channel.call(ALPHA, SQUARE, Number(1))) for _ in range(3)]
        await asyncio.sleep(1)
        bench.memory.connections[0].reset()
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert {refused(one) for one in found} == {(codes.RPC_S_CALL_FAILED, "Square", "10.0.0.2")}
        assert len({id(one) for one in found}) == 3
        assert len(told) == 1
        with pytest.raises(WbemError) as caught:
            await channel.call(ALPHA, SQUARE, Number(1))
        assert caught.value.code == codes.RPC_E_DISCONNECTED

    run(work)


def test_garbage_is_told_with_the_clause_that_it_breaks() -> None:
    async def work() -> None:
        def garbage(server: ScriptedServer, request: events.RequestReceived) -> None:
            server.transport.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")

        channel = await Bench(garbage).channel()
        with pytest.raises(WbemError) as caught:
            await channel.call(ALPHA, SQUARE, Number(1))
        assert refused(caught.value) == (codes.RPC_S_PROTOCOL_ERROR, "Square", "10.0.0.2")
        assert isinstance(caught.value.__cause__, RemoteProtocolError)
        assert channel.closed

    run(work)


def test_an_answer_without_its_parameters_ends_the_channel() -> None:
    async def work() -> None:
        channel = await Bench(lambda server, request: b"\1").channel()
        with pytest.raises(WbemError) as caught:
            await channel.call(ALPHA, SQUARE, Number(1))
        assert caught.value.code == codes.RPC_X_BAD_STUB_DATA
        assert channel.closed

    run(work)


@pytest.mark.parametrize("at", [2, 30, -20, -1], ids=["header", "stub", "trailer", "token"])
def test_an_answer_changed_on_its_way_is_refused(at: int) -> None:
    async def work() -> None:
        bench = Bench()

        def meddle(end: End, data: bytes) -> None:
            if end.protocol is bench.server and data[2] == PduType.RESPONSE:
                changed = bytearray(data)
                changed[at] ^= 1
                data = bytes(changed)
            end.pass_on(data)

        bench.memory.filter = meddle
        channel = await bench.channel(security())
        with pytest.raises(WbemError) as caught:
            await channel.call(ALPHA, SQUARE, Number(1))
        assert caught.value.code in {codes.SEC_E_MESSAGE_ALTERED, codes.RPC_S_PROTOCOL_ERROR}
        assert caught.value.phase == "Square"
        assert channel.closed

    run(work)


def test_a_server_that_shuts_down_finishes_its_calls_and_takes_no_more() -> None:
    async def work() -> None:
        async def answer(server: ScriptedServer, request: events.RequestReceived) -> bytes:
            server.rpc.shutdown()
            server.flush()
            await asyncio.sleep(5)
            return square(server, request)

        channel = await Bench(answer).channel()
        first = asyncio.ensure_future(channel.call(ALPHA, SQUARE, Number(5)))
        await asyncio.sleep(1)
        assert not channel.usable
        with pytest.raises(WbemError) as caught:
            await channel.call(ALPHA, SQUARE, Number(6))
        assert caught.value.code == codes.RPC_E_DISCONNECTED
        assert (await first).number == 25
        await asyncio.sleep(0)
        assert channel.closed

    run(work)


def test_while_the_transport_is_full_calls_wait_and_only_so_many() -> None:
    async def work() -> None:
        bench = Bench()
        channel = await bench.channel()
        channel.pause_writing()
        calls = [asyncio.ensure_future(channel.call(ALPHA, SQUARE, Number(n))) for n in range(1025)]
        await asyncio.sleep(1)
        assert bench.server.requests == []
        with pytest.raises(WbemError) as caught:
            await calls[-1]
        assert caught.value.code == codes.RPC_S_SERVER_TOO_BUSY
        channel.resume_writing()
        assert [one.number for one in await asyncio.gather(*calls[:-1])] == [n * n for n in range(1024)]
        await channel.close()

    run(work)


def test_answers_in_single_bytes_and_small_fragments() -> None:
    async def work() -> None:
        bench = Bench(limits=Limits(fragment=1432))

        def drip(end: End, data: bytes) -> None:
            for byte in data:
                end.pass_on(bytes([byte]))

        bench.memory.filter = drip
        channel = await bench.channel(security())
        assert (await channel.call(ALPHA, SQUARE, Number(9))).number == 81
        await channel.close()

    run(work)
