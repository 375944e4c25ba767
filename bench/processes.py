"""Processes, seven columns: beside psutil.process_iter and the same reads in C; one process by its key."""

from __future__ import annotations

import importlib.util
import os
import statistics

from bench.crowd import compiler, crowd, scanner
from bench.harness import Budget, Line, Note, Work, detail, in_turn, ratio, timed
from bench.sources import Counting
from openwmi import host
from openwmi.contract.operations import ExecQuery

COLUMNS = "ProcessId, Name, CommandLine, ParentProcessId, WorkingSetSize, ThreadCount, CreationDate"
QUERY = f"SELECT {COLUMNS} FROM Win32_Process"
PSUTIL = ["pid", "name", "cmdline", "ppid", "memory_info", "num_threads", "create_time"]
FEW, SCANNED, MANY = 20, 300, 1900
LOOKUPS = 200


def measure() -> list[Line]:
    if compiler() is None:
        return [Note("no C compiler: neither the peer in C nor a crowd of processes")]
    running = host.local()
    with crowd(SCANNED) as made:
        lines = _scans(running, made)
    return lines + _lookups(running)


def _scans(running: host.Host, made: int) -> list[Line]:
    """Our ways to all rows against the peers'."""
    contenders: dict[str, Work] = {
        "one shot": lambda: sum(len(batch) for batch in running.one_shot().query(QUERY)),
        "service": lambda: running.portal.run(_through_a_sink, running, QUERY),
        "provider": _provider(running),
        "C": scanner(),
    }
    if importlib.util.find_spec("psutil"):
        import psutil

        def cold() -> int:
            psutil.process_iter.cache_clear()
            return sum(1 for _ in psutil.process_iter(PSUTIL))

        contenders["psutil"] = lambda: sum(1 for _ in psutil.process_iter(PSUTIL))
        contenders["psutil, nothing cached"] = cold
    times = in_turn(contenders)
    rows = int(str(contenders["provider"]()))
    lines: list[Line] = [
        Note(f"{rows} processes, {made} of them idle; each: {detail(times, *contenders, per=rows)}"),
    ]
    for way in ("provider", "service", "one shot"):
        if "psutil" in times:
            lines.append(Budget(f"{way}: over psutil", ratio(times, "psutil", way), 5, at_least=True))
        lines.append(Budget(f"{way}: over the same reads in C", ratio(times, way, "C"), 1.8, at_least=False))
    return lines


def _provider(running: host.Host) -> Work:
    """The provider alone: the plan's columns, rows as tuples, nothing around it."""
    from openwmi import providers
    from openwmi.contract.provider import Request

    (step,) = running.one_shot().plan(QUERY).steps
    request = Request(step.class_, step.columns, caller=running.caller)
    name = step.class_.provider
    provider = providers.provider(name or "")
    instances = getattr(provider, "instances", None)
    if instances is None:
        raise RuntimeError(f"no provider of instances named {name}")
    return lambda: len(list(instances(request)))


async def _through_a_sink(running: host.Host, query: str) -> int:
    sink = Counting()
    outcome = await (await (await running.services()).start(ExecQuery(query), sink))
    outcome.raise_()
    return sink.objects


def _lookups(running: host.Host) -> list[Line]:
    """One process by its key among few and among many processes: nothing may depend on how many there are."""
    query = f"{QUERY} WHERE Handle = '{os.getpid()}'"

    def look_up() -> None:
        for _ in range(LOOKUPS):
            (batch,) = running.one_shot().query(query)
            assert len(batch) == 1

    def sample(idle: int) -> tuple[float, int]:
        with crowd(idle) as made:
            look_up()
            return statistics.median(timed(look_up) for _ in range(9)), made

    pairs = [(sample(FEW), sample(MANY)) for _ in range(5)]
    share = statistics.median(many[0] / few[0] for few, many in pairs)
    took = statistics.median(few[0] for few, _ in pairs) / LOOKUPS * 1e6
    return [
        Budget(
            f"a key look-up among {pairs[0][1][1]} more processes, over {FEW}",
            share,
            1.25,
            at_least=False,
            detail=f"{took:.0f} us each, planning included",
        ),
    ]
