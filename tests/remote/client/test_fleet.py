"""Many machines from one process: no thread for each, little memory for each, nothing left behind."""

from __future__ import annotations

import asyncio
import resource
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.remote.client.host import THING, USER, Host, class_named
from tests.remote.client.kit import Buffer, run
from tests.remote.memory import PASSWORD
from tests.remote.server.serving import NAMESPACE, Served
from tests.remote.server.serving import PASSWORD as SERVED_PASSWORD

from openwmi.contract import operations as ops
from openwmi.remote.client import Credentials, connect
from openwmi.remote.inbound import Association, ExporterLimits, ListenerLimits
from openwmi.remote.places import Address
from openwmi.remote.server import ServerLimits

QUERY = ops.ExecQuery("SELECT * FROM Thing")


def fleet(count: int, together: int) -> None:
    """Log on to `count` hosts in memory, `together` at a time in the middle of it, and ask each one question."""
    things = [class_named(THING).spawn({"N": n, "S": f"s{n}"}) for n in range(5)]

    async def work() -> None:
        host = Host(things, one_port=True)
        host.listener.limits = ListenerLimits(connections=2 * together, per_address=2 * together)
        host.exporter.objects._limits = ExporterLimits(objects=20 * together, per_user=20 * together)
        settings = host.settings()
        names = [f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in range(1, count + 1)]
        for name in names:
            host.network.listen(Address(name, 135), lambda: Association(host.listener))
        threads = threading.active_count()
        gate = asyncio.Semaphore(together)
        rows = 0

        async def one(name: str) -> None:
            nonlocal rows
            async with gate:
                services = await connect(name, "root\\cimv2", Credentials(USER, PASSWORD), settings=settings)
                sink = Buffer()
                assert (await (await services.start(QUERY, sink))).ok
                rows += len(sink.objects)
                await services.close()

        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(one(name))
        assert rows == 5 * count
        assert threading.active_count() <= threads
        assert len(host.exporter) == 0

    run(work)


@pytest.mark.slow
def test_two_hundred_machines() -> None:
    fleet(200, 100)


@pytest.mark.deep
def test_ten_thousand_machines() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fleet(10_000, 500)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"10,000 machines, 500 at once, both ends in one process: {(after - before) / 1024:.0f} MiB more at the peak"
    )


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
    gate = asyncio.Semaphore(50)  # of log-ons at a time: one core does both sides

    async def open_one() -> Any:
        async with gate:
            return await connect(host, NAMESPACE, who, port=port)

    connections = await asyncio.gather(*(open_one() for _ in range(count)))

    async def ask(services: Any) -> int:
        async with gate:
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
