"""Many machines from one process: 10,000 over transports in memory, 1,000 over sockets, all of them held open.

Each machine is logged on to with NTLMv2 and privacy and asked one question; then its connection stays, with its pings.
In memory both ends are in the one process that is measured, so that its peak is that of clients and server together;
over sockets the server is another process, and the peak is that of the clients alone.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from tests.remote.memory import MemoryNetwork

from bench.harness import Budget, Line
from bench.serving import NAMESPACE, Machine
from openwmi.remote.client import Settings
from openwmi.remote.inbound import Association, ExporterLimits, ListenerLimits
from openwmi.remote.outbound.network import NETWORK
from openwmi.remote.places import Address
from openwmi.remote.server import ServerLimits

MANY, SOCKETS = 10_000, 1_000
# KiB of either side for a machine that is held.
MOST: Final = 64.0

# What both programs do: it prints how many machines answered, the threads that came with them, seconds, and KiB of
# memory with one machine and at the peak.
ASKING = """
import asyncio, gc, resource, sys, threading, time
from openwmi.contract.operations import ExecQuery
from openwmi.remote.client import Credentials, Settings, connect
class Sink:
    credit = 10
    def __init__(self): self.count = 0
    def on_objects(self, batch): self.count += len(batch)
    def on_progress(self, progress): pass
    def on_completed(self, outcome): assert outcome.ok, outcome
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
async def ask(names, namespace, port, settings):
    who = Credentials("ada", "correct horse")
    async def one(name):
        services = await connect(name, namespace, who, port=port, settings=settings)
        sink = Sink()
        await (await services.start(ExecQuery("SELECT N FROM Row WHERE N <= 5"), sink))
        assert sink.count == 5
        return services
    held = [await one(names[0])]
    gc.collect()
    before, threads, begun = peak(), threading.active_count(), time.perf_counter()
    held += await asyncio.gather(*map(one, names[1:]))
    taken = time.perf_counter() - begun
    print(len(held), threading.active_count() - threads, taken, before, peak())
    for services in held:
        await services.close()
"""
OVER_SOCKETS = (
    ASKING
    + """
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
host, port, namespace, count = sys.argv[1:]
asyncio.run(ask([host] * int(count), namespace, int(port), Settings()))
"""
)
IN_MEMORY = (
    ASKING
    + """
from bench.fleet import hosts
with hosts(int(sys.argv[1])) as (run, names, namespace, settings):
    run(ask, names, namespace, 135, settings)
"""
)


class Asked(NamedTuple):
    """What a program says about its machines: memory in KiB, time in seconds."""

    machines: int
    threads: int
    seconds: float
    before: int
    peak: int

    @property
    def each(self) -> float:
        """KiB for one more machine that is held."""
        return (self.peak - self.before) / (self.machines - 1)

    def __str__(self) -> str:
        return (
            f"peak {self.peak / 1024:,.0f} MiB, {self.before / 1024:,.0f} MiB with one; "
            f"{self.machines / self.seconds:,.0f} log-ons with a query a second"
        )


@contextmanager
def hosts(count: int) -> Iterator[tuple[Callable[..., Any], list[str], str, Settings]]:
    """One server that is reached at `count` addresses of a network in memory: its loop's `run`, the addresses, the
    namespace, the settings that lead there."""
    room = 2 * count
    machine = Machine(5, limits=_roomy(room))
    network = MemoryNetwork()
    names = [f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in range(256, 256 + count)]
    for name in names:
        network.listen(Address(name, 135), lambda: Association(machine.server.listener))
    settings = Settings(network=NETWORK._replace(dial=network.dial))
    try:
        yield machine.host.portal.run, names, NAMESPACE, settings
    finally:
        machine.close()


def _roomy(connections: int) -> ServerLimits:
    listener = ListenerLimits(
        connections=connections,
        per_address=connections,
        contexts=connections,
        contexts_per_address=connections,
    )
    objects = 10 * connections
    return ServerLimits(listener=listener, exporter=ExporterLimits(objects=objects, per_user=objects))


def asked(program: str, *arguments: str) -> Asked:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    machines, threads, taken, before, peak = done.stdout.split()
    return Asked(int(machines), int(threads), float(taken), int(before), int(peak))


def over_sockets(count: int) -> Asked:
    machine = Machine(5, limits=_roomy(2 * count))
    try:
        return asked(OVER_SOCKETS, "127.0.0.1", str(machine.ours()), NAMESPACE, str(count))
    finally:
        machine.close()


def measure() -> list[Line]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    try:
        sockets = over_sockets(SOCKETS)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    memory = asked(IN_MEMORY, str(MANY))
    return [
        Budget(f"threads for {SOCKETS:,} machines over sockets", sockets.threads, 0, at_least=False, unit=""),
        Budget(
            "the client's memory for a machine",
            sockets.each,
            MOST,
            at_least=False,
            unit=" KiB",
            detail=str(sockets),
        ),
        Budget(
            f"memory of both ends for each of {MANY:,} machines",
            memory.each,
            2 * MOST,
            at_least=False,
            unit=" KiB",
            detail=f"{memory}; {memory.threads} threads more, of the server's providers",
        ),
    ]
