"""Many machines from one process: no thread for each, little memory for each, nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import resource
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from tests.remote.client.host import THING, USER, Host, class_named
from tests.remote.client.kit import Buffer, run
from tests.remote.memory import PASSWORD, End, MemoryNetwork
from tests.remote.server.serving import NAMESPACE, Served
from tests.remote.server.serving import PASSWORD as SERVED_PASSWORD

from openwmi.contract import operations as ops
from openwmi.model.errors import WbemError
from openwmi.model.status import RPC_S_SERVER_UNAVAILABLE
from openwmi.remote.client import Credentials, connect, sharing
from openwmi.remote.inbound import Association, ExporterLimits, ListenerLimits
from openwmi.remote.places import Address
from openwmi.remote.server import ServerLimits

QUERY = ops.ExecQuery("SELECT * FROM Thing")


def names(count: int) -> list[str]:
    return [f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in range(1, count + 1)]


class Fleet(Host):
    """One host in memory that is reached at many addresses. dial: how, unless simply."""

    def __init__(self, count: int) -> None:
        room = 4 * count
        things = [class_named(THING).spawn({"N": n, "S": f"s{n}"}) for n in range(5)]
        super().__init__(things, one_port=True, limits=ListenerLimits(connections=room, per_address=room))
        self.exporter.objects._limits = ExporterLimits(objects=20 * count, per_user=20 * count)
        self.names = names(count)
        for name in self.names:
            self.network.listen(Address(name, 135), lambda: Association(self.listener))
        self.dial: Dialling | None = None

    async def ask(self, name: str, **changes: Any) -> int:
        """Log on, ask one question, leave; how many rows there were."""
        settings = self.settings(**changes)
        settings.network = settings.network._replace(dial=self.dial or settings.network.dial)
        who = Credentials(USER, PASSWORD)
        services = await connect(name, "root\\cimv2", who, settings=settings, shared=True)
        sink = Buffer()
        assert (await (await services.start(QUERY, sink))).ok
        await services.close()
        return len(sink.objects)


class Dialling:
    """A way out that writes down where it leads and when. silent: hosts that never take a connection; cost: seconds
    that one processor, which all the others have together, needs for each handshake."""

    def __init__(self, network: MemoryNetwork, silent: Iterable[str] = (), *, cost: float = 0.0) -> None:
        self._network = network
        self._silent = frozenset(silent)
        self._cost = cost
        self._free = 0.0
        self.dialled: dict[str, float] = {}

    async def __call__(self, factory: Any, address: Address) -> Any:
        self.dialled[address.host] = asyncio.get_running_loop().time()
        if address.host in self._silent:
            await asyncio.Event().wait()
        mine, protocol = await self._network.dial(factory, address)
        if self._cost:
            self._network.connections[-1].other.filter = self._answer
        return mine, protocol

    def _answer(self, server: End, data: bytes) -> None:
        """The first answer of a server, which has to wait for the processor."""
        server.filter = None
        loop = asyncio.get_running_loop()
        self._free = max(self._free, loop.time()) + self._cost
        loop.call_at(self._free, server.pass_on, data)


async def all_at_once(count: int) -> None:
    """Log on to `count` hosts in memory, all at once, and ask each one question."""
    fleet = Fleet(count)
    threads = threading.active_count()
    async with asyncio.TaskGroup() as group:
        answers = [group.create_task(fleet.ask(name)) for name in fleet.names]
    assert sum(one.result() for one in answers) == 5 * count
    assert threading.active_count() <= threads
    assert len(fleet.exporter) == 0


@pytest.mark.slow
def test_two_hundred_machines() -> None:
    run(lambda: all_at_once(200))


@pytest.mark.deep
def test_ten_thousand_machines() -> None:
    """With the clock of this machine: handshakes take their time, and every deadline is kept."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    asyncio.run(all_at_once(10_000))
    taken = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"10,000 machines at once, both ends in one process: {taken:.0f} s, "
        f"{(after - before) / 1024:.0f} MiB more at the peak"
    )


def test_deadlines_begin_with_the_turn() -> None:
    """Handshakes that cost a second each: twenty of them take twice as long as one may."""

    async def work() -> None:
        fleet = Fleet(20)
        fleet.dial = Dialling(fleet.network, cost=1.0)
        assert await asyncio.gather(*(fleet.ask(name, log_ons=4) for name in fleet.names)) == [5] * 20
        assert asyncio.get_running_loop().time() == 20.0
        together = await asyncio.gather(
            *(fleet.ask(name, log_ons=20) for name in fleet.names), return_exceptions=True
        )
        late = [one for one in together if isinstance(one, WbemError)]
        assert {one.phase for one in late} == {"bind"}

    run(work)


def test_silent_machines_have_their_turn_and_no_more() -> None:
    async def work() -> None:
        fleet = Fleet(12)
        silent, sound = fleet.names[:6], fleet.names[6:]
        fleet.dial = Dialling(fleet.network, silent)
        answers = await asyncio.gather(
            *(fleet.ask(name, log_ons=2) for name in fleet.names), return_exceptions=True
        )
        for failed in answers[:6]:
            assert isinstance(failed, WbemError)
            assert (failed.code, failed.phase) == (RPC_S_SERVER_UNAVAILABLE, "connect")
        assert answers[6:] == [5] * 6
        assert [fleet.dial.dialled[name] for name in silent] == [0, 0, 10, 10, 20, 20]
        assert {fleet.dial.dialled[name] for name in sound} == {30}

    run(work)


def test_who_gives_up_waiting_leaves_no_gap_in_the_line() -> None:
    async def work() -> None:
        fleet = Fleet(4)
        fleet.dial = Dialling(fleet.network, fleet.names[:2])
        ahead = asyncio.gather(
            *(fleet.ask(name, log_ons=2) for name in fleet.names[:2]), return_exceptions=True
        )
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await fleet.ask(fleet.names[2], log_ons=2)
        assert await fleet.ask(fleet.names[3], log_ons=2) == 5
        assert list(fleet.dial.dialled) == [*fleet.names[:2], fleet.names[3]]
        assert all(isinstance(one, WbemError) for one in await ahead)
        assert await fleet.ask(fleet.names[2], log_ons=2) == 5

    run(work)


def test_machines_are_not_compared_with_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand ways would be looked through ten thousand times."""
    looked: list[object] = []
    monkeypatch.setattr(sharing._Way, "serves", lambda way, *leads: looked.append(way))

    async def work() -> None:
        fleet = Fleet(10)
        assert await asyncio.gather(*map(fleet.ask, fleet.names)) == [5] * 10

    run(work)
    assert looked == []


def test_turns_and_ways_end_with_their_loop() -> None:
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def work() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        fleet = Fleet(4)
        assert await asyncio.gather(*(fleet.ask(name, log_ons=1) for name in fleet.names)) == [5] * 4

    run(work)
    gc.collect()
    assert loops[0]() is None


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    many = ListenerLimits(connections=5000, per_address=5000)
    objects = ExporterLimits(objects=50_000, per_user=50_000)
    limits = ServerLimits(listener=many, exporter=objects)
    made = Served(tmp_path_factory.mktemp("accounts"), limits=limits)
    yield made
    made.close()


async def over_sockets(served: Served, count: int) -> None:
    """`count` connections over TCP, all open at the same time, each with a query."""
    host, port = served.listen()
    who = Credentials("ada", SERVED_PASSWORD)
    connections = await asyncio.gather(*(connect(host, NAMESPACE, who, port=port) for _ in range(count)))

    async def ask(services: Any) -> int:
        sink = Buffer()
        assert (await (await services.start(ops.ExecQuery("SELECT N FROM Row WHERE N < 3"), sink))).ok
        return len(sink.objects)

    assert await asyncio.gather(*map(ask, connections)) == [3] * count
    await asyncio.gather(*(services.close() for services in connections))


@pytest.mark.slow
async def test_fifty_connections_over_sockets(served: Served) -> None:
    await over_sockets(served, 50)


@pytest.mark.deep
async def test_a_thousand_connections_over_sockets(served: Served) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    await over_sockets(served, 1000)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"1,000 connections over sockets, both ends in one process: {peak:.0f} MiB at the peak")
