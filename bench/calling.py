"""Rows that arrive over DCOM: our client, sealed and verified, beside aiowmi and impacket, same server, same rows.

The server replays to each client what ours answered it once, so that the clients are measured and not the machine that
makes the rows; with our server live the figures are those of the slower side.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Awaitable
from typing import Any

from bench.harness import Budget, Line, Note, ratio
from bench.serving import AIOWMI, IMPACKET, Machine, Recorded, seconds
from openwmi.remote.inbound import Association
from openwmi.wire.rpc.events import RequestReceived

ROUNDS = 5
# Each is run as a program of its own with address, port, namespace and query; it prints seconds and a count.
OURS = """
import asyncio, sys, time
from openwmi.contract.operations import ExecQuery
from openwmi.remote.client import Credentials, Settings, connect
class Sink:
    credit = 10_000
    def __init__(self):
        self.count = 0
    def on_objects(self, batch):
        for one in batch:
            one.values_
        self.count += len(batch)
        self.call.grant(len(batch))
    def on_progress(self, progress): pass
    def on_completed(self, outcome): assert outcome.ok, outcome
async def main(host, port, namespace, query, page):
    who = Credentials("ada", "correct horse", level="privacy")
    services = await connect(host, namespace, who, port=int(port), settings=Settings(page=page))
    sink = Sink()
    begun = time.perf_counter()
    sink.call = await services.start(ExecQuery(query), sink)
    await sink.call
    print(time.perf_counter() - begun, sink.count)
    await services.close()
asyncio.run(main(*sys.argv[1:5], {page}))
"""
MEMORY = """
import asyncio, gc, sys, time, tracemalloc
import openwmi
async def main(host, port, namespace, query):
    async with openwmi.connect(f"//{host}[{port}]/{namespace}", user="ada", password="correct horse") as wmi:
        await wmi.query(query.replace("10000", "10")).fetch_all()
        gc.collect(); tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        rows = await wmi.query(query).fetch_all()
        gc.collect()
        print((tracemalloc.get_traced_memory()[0] - before) / len(rows), len(rows))
asyncio.run(main(*sys.argv[1:5]))
"""


class Replayed(Recorded):
    """Replays the answers of each method in their order: ours may call two methods in either order."""

    def __init__(self, serving: Any) -> None:
        super().__init__(serving)
        self._kept: dict[tuple[Any, int], list[bytes]] = {}
        self._at: Counter[tuple[Any, int]] = Counter()

    def called(self, association: Association, request: RequestReceived) -> bytes | Awaitable[bytes]:
        key = request.interface, request.opnum
        if self._next is not None:
            kept = self._kept[key]
            self._at[key] += 1
            return kept[(self._at[key] - 1) % len(kept)]
        answer = self._serving.called(association, request)
        if not isinstance(answer, bytes):
            return self._later_of(key, answer)
        self._kept.setdefault(key, []).append(answer)
        return answer

    async def _later_of(self, key: tuple[Any, int], answer: Awaitable[bytes]) -> bytes:
        stub = await answer
        self._kept.setdefault(key, []).append(stub)
        return stub


FEW, SOME, MANY = 60, 2000, 10_000


def per_row(machine: Machine, contenders: dict[str, tuple[str, int]]) -> dict[str, list[float]]:
    """Seconds a row of each contender, in rounds in alternating order."""
    ports: dict[str, int] = {}
    for name, (program, count) in contenders.items():
        recorded, ports[name] = machine.recorder(Replayed)
        seconds(program, ports[name], count)
        recorded.replay()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(ROUNDS):
        order = list(contenders.items())
        for name, (program, count) in order if turn % 2 else order[::-1]:
            times[name].append(seconds(program, ports[name], count) / count)
    return times


def rate(times: list[float]) -> str:
    return f"{1 / sorted(times)[len(times) // 2]:,.0f}"


def measure() -> list[Line]:
    if any(importlib.util.find_spec(name) is None for name in ("aiowmi", "impacket")):
        return [Note("aiowmi and impacket are the peers; one of them is not installed")]
    machine = Machine(MANY)
    try:
        times = per_row(
            machine,
            {
                "impacket": (IMPACKET, FEW),
                "aiowmi": (AIOWMI.replace("{optimized}", "True"), SOME),
                "one a call": (OURS.replace("{page}", "1"), SOME),
                "100 a page": (OURS.replace("{page}", "100"), MANY),
            },
        )
        live = seconds(OURS.replace("{page}", "100"), machine.ours(), MANY) / MANY
        rates = (
            ", ".join(f"{name} {rate(taken)}" for name, taken in times.items())
            + f" rows/s; {1 / live:,.0f} live"
        )
        held = seconds(MEMORY, machine.ours(), MANY)
    finally:
        machine.close()
    return [
        Budget(
            "100 a page over aiowmi", ratio(times, "aiowmi", "100 a page"), 15, at_least=True, detail=rates
        ),
        Budget("100 a page over impacket", ratio(times, "impacket", "100 a page"), 1000, at_least=True),
        Budget("one a call over aiowmi", ratio(times, "aiowmi", "one a call"), 1.5, at_least=True),
        Budget("memory of a held object", held / 1024, 2.5, at_least=False, unit=" KiB"),
    ]
