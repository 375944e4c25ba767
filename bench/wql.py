"""WQL: a predicate of four terms over 100,000 rows beside a tree walker and SQLite; a cached plan beside a cold one."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Callable, Iterable
from typing import Any

from bench.harness import Budget, Line, detail, in_turn, ratio
from bench.sources import COLUMNS, NAMESPACE, Rows, rows, serve
from openwmi import host

COUNT = 100_000
WHERE = "Name LIKE 'p%' AND WorkingSetSize > 100000000 AND (ThreadCount < 25 OR CommandLine IS NULL)"
QUERY = f"SELECT * FROM Bench_Query WHERE {WHERE}"

Row = tuple[Any, ...]
# The same predicate as a tree: (operator, operands). A column is its place in the row.
TREE = (
    "and",
    ("and", ("like", 1, re.compile(r"p.*\Z", re.IGNORECASE | re.DOTALL)), (">", 3, 100_000_000)),
    ("or", ("<", 4, 25), ("is null", 2)),
)


def walk(node: Any, row: Row) -> bool:
    """The peer: what one writes first. A comparison with NULL is false (D-26), as in ours."""
    kind = node[0]
    if kind == "and":
        return walk(node[1], row) and walk(node[2], row)
    if kind == "or":
        return walk(node[1], row) or walk(node[2], row)
    value = row[node[1]]
    if kind == "is null":
        return value is None
    if value is None:
        return False
    if kind == "like":
        return node[2].match(value) is not None
    return bool(value > node[2] if kind == ">" else value < node[2])


def loaded(source: Iterable[Row]) -> sqlite3.Connection:
    base = sqlite3.connect(":memory:")
    base.execute(f"CREATE TABLE t ({', '.join(COLUMNS)})")
    base.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(COLUMNS))})", source)
    return base


def measure() -> list[Line]:
    source = rows(COUNT)
    serve(Rows("Bench_Query", source), "Bench_Query")
    running = host.local()
    (step,) = running.one_shot(NAMESPACE).plan(QUERY).steps
    places = [COLUMNS.index(column) for column in step.columns]
    given = (
        source if places == list(range(len(COLUMNS))) else [tuple(row[i] for i in places) for row in source]
    )
    base = loaded(source)
    select = f"SELECT * FROM t WHERE {WHERE}"
    contenders: dict[str, Callable[[], list[Row]]] = {
        "ours": lambda: list(step.run(given)),
        "tree walker": lambda: [row for row in source if walk(TREE, row)],
        "SQLite preloaded": lambda: base.execute(select).fetchall(),
        "SQLite with loading": lambda: loaded(source).execute(select).fetchall(),
    }
    found = {name: len(work()) for name, work in contenders.items()}
    if len(set(found.values())) > 1:
        raise RuntimeError(f"the contenders disagree: {found}")
    times = in_turn(contenders)
    return [
        Budget(
            "over a tree walker",
            ratio(times, "tree walker", "ours"),
            3,
            at_least=True,
            detail=f"{found['ours'] / COUNT:.1%} match; {detail(times, *contenders, per=COUNT)} a row",
        ),
        Budget("over SQLite, rows preloaded", ratio(times, "SQLite preloaded", "ours"), 0.9, at_least=True),
        Budget("over SQLite, with loading", ratio(times, "SQLite with loading", "ours"), 4, at_least=True),
        _planning(running),
    ]


def _planning(running: host.Host) -> Budget:
    """Parse and compile from the cache against a text that this process sees for the first time."""
    space = running.one_shot(NAMESPACE)
    caches = _caches()
    number = 0

    def ready(text: str) -> None:
        """The predicate is compiled with the first rows that come."""
        for step in space.plan(text).steps:
            step.run(())

    def cold() -> None:
        nonlocal number
        for _ in range(50):
            number += 1
            for forget in caches:
                forget()
            ready(QUERY.replace("< 25", f"< {25 + number}"))

    def cached() -> None:
        for _ in range(50):
            ready(QUERY)

    times = in_turn({"cold": cold, "cached": cached})
    return Budget(
        "parse and compile, cached over cold",
        ratio(times, "cold", "cached"),
        50,
        at_least=True,
        detail=detail(times, "cached", "cold", per=50),
    )


def _caches() -> list[Callable[[], None]]:
    """What empties the caches of the wql room: a new text of a known shape would find its code compiled."""
    modules = [module for name, module in sys.modules.items() if name.startswith("openwmi.wql")]
    functions = {value for module in modules for value in vars(module).values() if callable(value)}
    return [function.cache_clear for function in functions if hasattr(function, "cache_clear")]
