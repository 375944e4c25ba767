"""10,000 waiting calls: memory per call, and what the quota says at its default."""

from __future__ import annotations

import asyncio
import gc
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from bench.harness import Budget, Line, Note
from bench.sources import NAMESPACE, Blocked, Counting, Waiting, serve
from openwmi import host
from openwmi.contract.operations import ExecQuery
from openwmi.contract.services import Call
from openwmi.model.errors import WbemError

COUNT = 10_000
PAGE = 4096


def resident() -> int:
    """Bytes of this process in memory; 0 where the system has no /proc."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    except OSError:
        return 0


def traced() -> int:
    return tracemalloc.get_traced_memory()[0]


def measure() -> list[Line]:
    waiting, blocked = Waiting("Bench_Waiting"), Blocked("Bench_Blocked")
    serve(waiting, waiting.name)
    serve(blocked, blocked.name)
    running = host.local()
    refusal = running.portal.run(_refusal, running)
    running.settings.max_calls = running.settings.max_calls_per_user = 2 * COUNT
    grown = running.portal.run(_growth, running, waiting, resident)
    tracemalloc.start()
    allocated = running.portal.run(_growth, running, waiting, traced)
    tracemalloc.stop()
    threads = running.portal.run(_threads, running, blocked)
    return [
        Budget(
            "allocated per waiting call (tracemalloc)",
            allocated / COUNT / 1024,
            4,
            at_least=False,
            unit=" KiB",
        ),
        Budget("resident per waiting call", grown / COUNT / 1024, 4, at_least=False, unit=" KiB"),
        Note(f"at the default quota {refusal}"),
        Note(f"1,000 calls of a blocking provider hold {threads} threads"),
    ]


async def _start(running: host.Host, name: str, count: int) -> list[Call]:
    services = await running.services(NAMESPACE)
    return [await services.start(ExecQuery(f"SELECT * FROM {name}"), Counting()) for _ in range(count)]


async def _cancel(calls: list[Call]) -> None:
    for call in calls:
        await call.cancel()


async def _until_waiting(provider: Waiting, count: int) -> None:
    while provider.waiting < count:
        await asyncio.sleep(0.01)


async def _growth(running: host.Host, provider: Waiting, level: Callable[[], int]) -> int:
    """By how much `level` grows while COUNT calls wait. A first hundred pay for what is made once."""
    await _cancel(await _start(running, provider.name, 100))
    gc.collect()
    before = level()
    calls = await _start(running, provider.name, COUNT)
    await _until_waiting(provider, COUNT)
    gc.collect()
    grown = level() - before
    await _cancel(calls)
    return grown


async def _refusal(running: host.Host) -> str:
    calls: list[Call] = []
    try:
        while len(calls) < COUNT:
            calls += await _start(running, "Bench_Waiting", 1)
    except WbemError as refused:
        return f"call {len(calls) + 1:,} is refused with {refused.symbol} 0x{refused.code:08X}"
    finally:
        await _cancel(calls)
    return f"{COUNT:,} calls are accepted"


async def _threads(running: host.Host, blocked: Blocked) -> int:
    before = threading.active_count()
    calls = await _start(running, blocked.name, 1000)
    await asyncio.sleep(0.2)
    held = threading.active_count() - before
    blocked.release.set()
    await _cancel(calls)
    return held
