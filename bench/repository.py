"""The repository: a look-up and a grouped put beside the bare SQLite statements, and the size of the file."""

from __future__ import annotations

import os
import random
import sqlite3
import tempfile
from pathlib import Path

from bench.harness import Budget, Line, Note, in_turn, ratio
from openwmi.model.classes import Class, derive
from openwmi.model.instances import Instance
from openwmi.mof import class_declarations
from openwmi.repository.repository import Repository
from openwmi.repository.text import dumped

# OPENWMI_BENCH_OBJECTS=1000000 measures what DESIGN.md section 7 names, and gates only then: in a small store the bare
# statements find everything in SQLite's cache, and what is Python weighs more. It takes some minutes.
COUNT = int(os.environ.get("OPENWMI_BENCH_OBJECTS", "50000"))
FULL = 1_000_000
MOF = "class Item { [key] string Id; string A; string B; string C; [indexed] uint64 N; boolean Flag; };"
# An indexed query finds one object in this many.
GROUPS = 500
GETS = 2_000
GROUP = 2_000
NAMESPACE = "root\\bench"


def instance(class_: Class, number: int) -> Instance:
    """About 1 KiB of values."""
    return Instance(
        class_.layout,
        (f"item-{number:09d}-abcdefghijkl", "a" * 300, "b" * 300, "c" * 300, number % GROUPS, True),
    )


def put(repository: Repository, class_: Class, numbers: list[int]) -> None:
    with repository.store.writing():
        for number in numbers:
            one = instance(class_, number)
            ident = f'.ID="{one.values_[0].upper()}"'
            repository.put_instance(NAMESPACE, one, root="item", ident=ident, indexed={"N": one.values_[4]})


def bare_put(connection: sqlite3.Connection, class_: Class, numbers: list[int]) -> None:
    connection.execute("BEGIN")
    for number in numbers:
        one = instance(class_, number)
        connection.execute(
            "INSERT INTO bare VALUES (?, ?, ?)", (one.values_[0], one.values_[4], dumped(list(one.values_)))
        )
    connection.execute("COMMIT")


def line(what: str, value: float, bound: float, *, at_least: bool = True) -> Line:
    """A budget at the full size, else the same figures as a note."""
    if COUNT >= FULL:
        return Budget(what, value, bound, at_least)
    return Note(f"{what}: {value:.2f} ({bound} is the budget at {FULL:,})")


def measure() -> list[Line]:
    class_ = derive(next(iter(class_declarations(MOF))), None)
    with tempfile.TemporaryDirectory() as folder:
        repository = Repository(str(Path(folder, "repository.db")))
        repository.put_class(NAMESPACE, class_.declaration)
        connection = sqlite3.connect(Path(folder, "bare.db"), isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE bare (id TEXT NOT NULL, n INTEGER, body TEXT NOT NULL)")
        connection.execute("CREATE UNIQUE INDEX bare_id ON bare (id)")
        connection.execute("CREATE INDEX bare_n ON bare (n)")
        order = list(range(COUNT))
        random.Random(7).shuffle(order)
        for start in range(0, COUNT, GROUP):
            put(repository, class_, order[start : start + GROUP])
            bare_put(connection, class_, order[start : start + GROUP])
        wanted = [random.Random(number).randrange(COUNT) for number in range(GETS)]
        idents = [f'.ID="{f"item-{number:09d}-abcdefghijkl".upper()}"' for number in wanted]
        names = [f"item-{number:09d}-abcdefghijkl" for number in wanted]
        fresh = iter(range(COUNT, COUNT + 1_000_000))

        def get() -> None:
            for ident in idents:
                found = repository.instance(NAMESPACE, class_, lambda _: None, root="item", ident=ident)
                assert found is not None

        def bare_get() -> None:
            for name in names:
                assert connection.execute("SELECT body FROM bare WHERE id = ?", (name,)).fetchone()

        def numbers() -> list[int]:
            return [next(fresh) for _ in range(GROUP)]

        times = in_turn({"get": get, "bare": bare_get})
        gets = ratio(times, "bare", "get")
        written = in_turn(
            {
                "put": lambda: put(repository, class_, numbers()),
                "bare": lambda: bare_put(connection, class_, numbers()),
            }
        )
        puts = ratio(written, "bare", "put")
        groups = iter(range(10**9))

        def query() -> None:
            wanted = (("N", next(groups) % GROUPS),)
            found = list(repository.instances(NAMESPACE, class_, lambda _: None, wanted))
            assert len(found) >= COUNT // GROUPS

        def bare_query() -> None:
            connection.execute("SELECT body FROM bare WHERE n = ?", (next(groups) % GROUPS,)).fetchall()

        asked = in_turn({"query": query, "bare": bare_query})
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        repository.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        stored = repository.store.rows("SELECT count(*), sum(length(body)) FROM instance")[0]
        size = Path(folder, "repository.db").stat().st_size / (stored[1] + 30 * stored[0])
        repository.store.close()
        connection.close()
    return [
        Note(f"{COUNT:,} objects of about 1 KiB"),
        line("a look-up, over the bare SELECT", gets, 0.7),
        line("a grouped put, over the bare INSERT", puts, 0.5),
        line(
            f"an indexed query of {COUNT // GROUPS} objects, over the bare SELECT",
            ratio(asked, "bare", "query"),
            0.5,
        ),
        line("file size over payload", size, 1.5, at_least=False),
    ]
