"""Many clients at once, clients that are killed, clients that send nonsense: nobody else notices, and nothing stays."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.remote.kit import Caller, Clock, Refusal
from tests.remote.server.serving import PASSWORD, Served
from tests.remote.server.session import INTERFACES, CollectingSink, Session, ipid_of, sink_host

from openwmi.model import status
from openwmi.remote.inbound import ExporterLimits, ListenerLimits
from openwmi.remote.server import ServerLimits
from openwmi.wire.dcom import remunknown as r
from openwmi.wire.dcom.orpc import OrpcThis
from openwmi.wire.wmi import enumerators as e
from openwmi.wire.wmi import services

pytestmark = pytest.mark.slow
QUERY, QUERY_ASYNC, EVENTS = (services.METHODS[n] for n in (20, 21, 22))
WAITING = "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Item'"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def served(tmp_path: Path, clock: Clock) -> Iterator[Served]:
    """A machine whose server's clock the test moves."""
    made = Served(tmp_path, clock=clock)
    yield made
    made.close()


async def at_once(count: int, work: Any, width: int = 50) -> list[Any]:
    """`count` times the same, some of them at a time."""
    gate = asyncio.Semaphore(width)

    async def one(number: int) -> Any:
        async with gate:
            return await work(number)

    return await asyncio.gather(*(one(number) for number in range(count)))


@pytest.mark.req("calls:A18")
async def test_two_hundred_connections_with_ten_calls_each(served: Served) -> None:
    address = served.listen()
    sessions = await at_once(200, lambda number: Session.open(address, user=("ada", "bob")[number % 2]))
    try:

        async def ten(number: int) -> list[int]:
            one = sessions[number]
            begun = [
                one.caller.begin(
                    QUERY,
                    Session.inputs(
                        QUERY, language="WQL", query=f"SELECT N FROM Row WHERE N = {n}", flags=0x30
                    ),
                    one.services,
                    3,
                )
                for n in range(10)
            ]
            answers = [await one.caller.answer(call) for call in begun]
            found = [ipid_of(QUERY.answered(answer)[1].enumerator) for answer in answers]  # type: ignore[arg-type]
            pages = [one.caller.begin(e.NEXT, e.Next(-1, 5), ipid) for ipid in found]
            return [len(e.NEXT.answered(await one.caller.answer(call))[1].objects) for call in pages]  # type: ignore[arg-type]

        assert await at_once(200, ten, 200) == [[1] * 10] * 200
        assert len(served.server.listener.associations) == 200
    finally:
        for one in sessions:
            await one.close()


async def test_clients_that_are_killed_leave_nothing_once_their_time_is_over(
    served: Served, clock: Clock, deep: bool
) -> None:
    count = 1000 if deep else 100
    address = served.listen()
    before = len(served.server.exporter)

    async def begin(number: int) -> Session:
        one = await Session.open(address)
        opened = await one.call(QUERY, language="WQL", query="SELECT N FROM Row", flags=0x30)
        events = await one.call(EVENTS, language="WQL", query=WAITING, flags=0x30)
        one.caller.begin(e.NEXT, e.Next(-1, 1), ipid_of(events.enumerator))
        assert opened.result == 0
        return one

    sessions = await at_once(count, begin)
    assert len(served.server.exporter) >= before + 3 * count
    for one in sessions:
        one.caller.writer.transport.abort()
    async with asyncio.timeout(20):
        while served.server.listener.associations:
            await asyncio.sleep(0.01)
    assert len(served.server.exporter) >= before + 3 * count, "lost connections are no releases"
    clock.now += ExporterLimits().life + 1
    await asyncio.to_thread(served.run, _sweep, served, clock)
    assert len(served.server.exporter) == before
    async with asyncio.timeout(20):
        while served.host.service.running or served.server._tasks:
            await asyncio.sleep(0.01)
    assert len(served.server.callbacks.clients) == 0
    for one in sessions:
        await one.close()


async def _sweep(served: Served, clock: Clock) -> None:
    served.server.listener.sweep(clock.now)


async def test_limits_have_their_codes(tmp_path: Path) -> None:
    limits = ServerLimits(
        sinks=3, sinks_per_user=2, exporter=ExporterLimits(per_user=4), listener=ListenerLimits(per_address=4)
    )
    served = Served(tmp_path, limits=limits)
    address = served.listen()
    try:
        async with sink_host() as host:
            one, bob = await Session.open(address), await Session.open(address, user="bob")
            sinks = [CollectingSink() for _ in range(5)]
            for sink in sinks:
                sink.gate.clear()

            async def ask(session: Session, sink: CollectingSink) -> int:
                return await session.query_async("SELECT N FROM Row", host.export(sink))

            assert [await ask(one, sinks[0]), await ask(one, sinks[1])] == [0, 0]
            assert await ask(one, sinks[2]) == status.WBEM_E_QUOTA_VIOLATION
            assert await ask(bob, sinks[3]) == 0
            assert await ask(bob, sinks[4]) == status.WBEM_E_SERVER_TOO_BUSY
            # Level1Login and IWbemServices count, too: two more may be had.
            results = [
                (await one.call(QUERY, language="WQL", query="SELECT N FROM Row", flags=0x30)).result
                for _ in range(3)
            ]
            assert results == [0, 0, status.WBEM_E_QUOTA_VIOLATION]
            more = [await Caller.connect(address, INTERFACES, password=PASSWORD) for _ in range(2)]
            with pytest.raises((Refusal, OSError)):
                await Caller.connect(address, INTERFACES, password=PASSWORD)
            for sink in sinks:
                sink.gate.set()
            for session in (one, bob, *more):
                await session.close()
    finally:
        await asyncio.to_thread(served.close)


async def test_results_keep_no_more_than_they_may(tmp_path: Path) -> None:
    served = Served(tmp_path, limits=ServerLimits(held=300, held_per_user=600))
    address = served.listen()
    try:
        one, bob = await Session.open(address), await Session.open(address, user="bob")

        async def ask(session: Session, text: str = "SELECT N FROM Row", flags: int = 0) -> tuple[int, Any]:
            answer = await session.call(QUERY, language="WQL", query=text, flags=flags)
            return answer.result, answer.enumerator

        results = [await ask(one) for _ in range(4)]
        codes = [code for code, _ in results]
        assert codes == [0, 0, status.WBEM_E_QUOTA_VIOLATION, status.WBEM_E_QUOTA_VIOLATION], (
            "250, 250, 100 are left"
        )
        assert (await ask(bob))[0] == 0
        # What is read in order and once keeps next to nothing.
        code, enumerator = await ask(one, flags=0x30)
        assert code == 0
        page = await one.caller.call(e.NEXT, e.Next(-1, 250), ipid_of(enumerator))
        assert len(page.objects) == 250
        released = r.References([r.InterfaceRef(ipid_of(reference), 1) for _, reference in results[:2]])
        await one.caller.call(r.REM_RELEASE, released, one.unknown)
        assert (await ask(one))[0] == 0
        for session in (one, bob):
            await session.close()
    finally:
        await asyncio.to_thread(served.close)


def mutated(source: random.Random, stub: bytes) -> bytes:
    """A stub with a few bytes changed, cut or doubled."""
    data = bytearray(stub)
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(data)) if data else 0
        match source.randrange(5):
            case 0 if data:
                data[at] = source.randrange(256)
            case 1:
                del data[at : at + source.randint(1, 8)]
            case 2:
                data[at:at] = source.randbytes(source.randint(1, 8))
            case 3 if len(data) > 4:
                data[at : at + 4] = source.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f"))
            case _:
                data = data[: source.randrange(len(data) + 1)]
    return bytes(data)


async def test_mutated_calls_are_answered_or_refused_and_harm_nobody(
    served: Served, deep: bool, caplog: Any
) -> None:
    """Every method of IWbemServices and of an enumerator with stubs that are not quite right."""
    address = served.listen()
    source = random.Random(5)
    one, other = await Session.open(address), await Session.open(address)
    opened = await one.call(QUERY, language="WQL", query="SELECT N FROM Row", flags=0)
    enumerator = ipid_of(opened.enumerator)
    this = OrpcThis(one.services)
    good = {
        opnum: method.call(
            Session.inputs(
                method,
                **{
                    name: "Row.N=1"
                    for name in method.request.members.names
                    if name
                    in (
                        "path",
                        "query",
                        "name",
                        "class_name",
                        "superclass",
                        "method",
                        "namespace",
                        "language",
                    )
                },
            ),
            this,
        )
        for opnum, method in services.METHODS.items()
        if opnum not in (4, 5)
    }
    asked = {3: e.RESET, 4: e.NEXT, 7: e.SKIP}
    pages = {n: m.call(e.Next(0, 3) if n != 3 else e.Nothing(), this) for n, m in asked.items()}  # type: ignore[attr-defined]
    for turn in range(20_000 if deep else 600):
        table, ipid = (good, one.services) if turn % 4 else (pages, enumerator)
        opnum = source.choice(sorted(table))
        answer = await one.caller.answer(one.caller.send(opnum, mutated(source, table[opnum]), ipid, 3))
        assert answer is not None
        if turn % 200 == 0:
            assert len(await other.query("SELECT N FROM Row")) == 250
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    await one.close()
    await other.close()


async def test_a_client_can_come_back_on_another_connection(served: Served) -> None:
    """A reference belongs to its user, not to a connection."""
    address = served.listen()
    one = await Session.open(address)
    opened = await one.call(QUERY, language="WQL", query="SELECT N FROM Row", flags=0x30)
    await one.close()
    again = await Caller.connect(address, INTERFACES, password=PASSWORD)
    answer = await again.call(e.NEXT, e.Next(-1, 3), ipid_of(opened.enumerator))
    assert len(answer.objects) == 3
    await again.close()
