"""ASSOCIATORS OF and an indexed query over the service: the same cost however many objects there are.

The peer is the same question put to bare SQLite tables by hand: a join over two indexes, the bodies decoded.
"""

from __future__ import annotations

import os
import random
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from bench.harness import Budget, Line, Note, detail, in_turn, ratio
from openwmi import host, mof
from openwmi.contract.operations import PutClass, PutInstance
from openwmi.model.classes import Class, derive
from openwmi.repository.text import dumped, loaded
from openwmi.service.oneshot import OneShot

# OPENWMI_BENCH_OBJECTS=1000000 measures what DESIGN.md section 7 names; it takes some minutes.
COUNT = int(os.environ.get("OPENWMI_BENCH_OBJECTS", "50000"))
SMALL = 2_000
LINKED = 200  # objects that have links
LINKS = 10  # of each
FOUND = 100  # objects that an indexed query finds
GROUP = 5_000
NAMESPACE = "root\\default"
MOF = """
class Item { [key] string Id; string A; string B; string C; [indexed] uint64 N; boolean Flag; };
[association] class ItemLink { [key] Item ref Source; [key] Item ref Target; uint32 Weight; };
"""


def item_id(number: int) -> str:
    return f"item-{number:09d}-abcdefghijkl"


class Filled:
    """A store with so many objects and the same links, whatever their number; and bare tables with the same content."""

    def __init__(self, folder: Path, count: int) -> None:
        self.count = count
        self.host = host.Host(str(folder / "repository.db"))
        self.wmi = self.host.one_shot(NAMESPACE)
        self.bare = sqlite3.connect(folder / "bare.db", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = WAL",
            "CREATE TABLE item (id TEXT NOT NULL, n INTEGER, body TEXT NOT NULL)",
            "CREATE TABLE link (source TEXT NOT NULL, target TEXT NOT NULL)",
        ):
            self.bare.execute(statement)
        for declaration in mof.class_declarations(MOF):
            self.wmi.write(PutClass(derive(declaration, None)))
        self._fill()

    def _fill(self) -> None:
        schema = self.wmi.space.schema
        item, link = schema.class_named("Item"), schema.class_named("ItemLink")
        order = list(range(self.count))
        random.Random(7).shuffle(order)
        repository = self.host.repository.opened()
        for start in range(0, self.count, GROUP):
            with repository.store.writing():
                self._items(repository, item, order[start : start + GROUP])
        with repository.store.writing():
            for number in range(LINKED):
                for other in self.targets(number):
                    self._link(link, number, other)
        self.bare.execute("CREATE UNIQUE INDEX item_id ON item (id)")
        self.bare.execute("CREATE INDEX item_n ON item (n)")
        self.bare.execute("CREATE INDEX link_source ON link (source)")

    def targets(self, number: int) -> list[int]:
        return random.Random(number).sample(range(self.count), LINKS)

    def _items(self, repository: Any, class_: Class, numbers: list[int]) -> None:
        rows = []
        for number in numbers:
            values = (
                item_id(number),
                "a" * 300,
                "b" * 300,
                "c" * 300,
                number % (self.count // FOUND),
                True,
            )
            one = class_.spawn(dict(zip(class_.layout.names, values, strict=True)))
            ident = f'.ID="{values[0].upper()}"'
            repository.put_instance(NAMESPACE, one, root="item", ident=ident, indexed={"N": values[4]})
            rows.append((values[0], values[4], dumped(list(values))))
        self.bare.execute("BEGIN")
        self.bare.executemany("INSERT INTO item VALUES (?, ?, ?)", rows)
        self.bare.execute("COMMIT")

    def _link(self, class_: Class, source: int, target: int) -> None:
        ends = {"Source": f'Item.Id="{item_id(source)}"', "Target": f'Item.Id="{item_id(target)}"'}
        self.wmi.write(PutInstance(class_.spawn(ends)))
        self.bare.execute("INSERT INTO link VALUES (?, ?)", (item_id(source), item_id(target)))

    def associators(self) -> None:
        for number in range(LINKED):
            text = f'ASSOCIATORS OF {{Item.Id="{item_id(number)}"}} WHERE Role=Source'
            assert rows(self.wmi, text) == LINKS

    def bare_associators(self) -> None:
        for number in range(LINKED):
            found = self.bare.execute(
                "SELECT item.body FROM link JOIN item ON item.id = link.target WHERE link.source = ?",
                (item_id(number),),
            ).fetchall()
            assert len([loaded(body) for (body,) in found]) == LINKS

    def query(self) -> None:
        for number in range(20):
            assert rows(self.wmi, f"SELECT * FROM Item WHERE N = {number}") == FOUND

    def bare_query(self) -> None:
        for number in range(20):
            found = self.bare.execute("SELECT body FROM item WHERE n = ?", (number,)).fetchall()
            assert len([loaded(body) for (body,) in found]) == FOUND

    def close(self) -> None:
        self.host.repository.close()
        self.bare.close()


def rows(wmi: OneShot, text: str) -> int:
    return sum(len(batch) for batch in wmi.query(text))


def measure() -> list[Line]:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("large", "small"):
            Path(folder, name).mkdir()
        large, small = Filled(Path(folder, "large"), COUNT), Filled(Path(folder, "small"), SMALL)
        asked = in_turn({"large": large.query, "small": small.query, "bare": large.bare_query})
        followed = in_turn(
            {"large": large.associators, "small": small.associators, "bare": large.bare_associators}
        )
        large.close()
        small.close()
    return [
        Budget(
            f"an indexed query of {FOUND}, over the bare SELECT with decoding",
            ratio(asked, "bare", "large"),
            0.5,
            at_least=True,
            detail=detail(asked, "large", "bare", per=20),
        ),
        Budget(
            f"ASSOCIATORS OF with {LINKS} at the other ends, {COUNT:,} objects over {SMALL:,}",
            ratio(followed, "large", "small"),
            1.5,
            at_least=False,
            detail=detail(followed, "large", "small", per=LINKED),
        ),
        Note(f"the indexed query over that among {SMALL:,} objects: {ratio(asked, 'large', 'small'):.2f}"),
        Note(f"ASSOCIATORS OF over a bare join with decoding: {ratio(followed, 'bare', 'large'):.2f}"),
    ]
