"""Reading what can still be read of a damaged store, row by row, from both ends of each table towards the damage.

SQLite reads a table by the numbers of its rows. A page that cannot be read ends a reading there; from the other end the
rows behind it are found. What lies between two such pages is lost.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.model.errors import WbemError, error
from openwmi.model.status import WBEM_E_CRITICAL_ERROR
from openwmi.repository.damage import read_only
from openwmi.repository.encoding import unpacked_class
from openwmi.repository.text import loaded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openwmi.model.classes import ClassDeclaration

_TABLES: Final = {
    "namespace": "id, path",
    "class": "id, namespace, folded, body",
    "shape": "id, names",
    "instance": "id, namespace, root, ident, class, shape, body, defaults, extras",
}
# What else knows which rows a table has: where a page was lost, the table may read well without it.
_INDEXES: Final = {
    "namespace": "sqlite_autoindex_namespace_1",
    "class": "class_name",
    "shape": "sqlite_autoindex_shape_1",
    "instance": "instance_path",
}


class StoredInstance(NamedTuple):
    """An instance as the store has it; names: of its values."""

    namespace: str
    root: str
    ident: str
    class_name: str
    names: tuple[str, ...]
    body: str
    defaults: str | None
    extras: str | None


class Remains:
    """What is left of a store.

    unreadable: rows that are there but make no sense; torn: the tables of which not all can be found.
    """

    def __init__(self, path: str) -> None:
        """CRITICAL_ERROR when nothing of the file can be read."""
        self.unreadable = 0
        self.torn: list[str] = []
        self._connection = read_only(path)
        try:
            self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as failure:
            self._connection.close()
            raise error(WBEM_E_CRITICAL_ERROR, f"nothing of {path} can be read: {failure}") from failure
        self._namespaces = {number: str(name) for number, name in self._rows("namespace")}

    def close(self) -> None:
        self._connection.close()

    def setting(self, name: str) -> str | None:
        """A setting, if it can be read."""
        try:
            row = self._connection.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        except sqlite3.Error:
            self.torn.append("setting")
            return None
        return None if row is None else str(row[0])

    @property
    def whole(self) -> bool:
        """Whether all that has been asked for so far was there."""
        return not self.unreadable and not self.torn

    def namespaces(self) -> list[str]:
        return list(self._namespaces.values())

    def classes(self) -> Iterator[tuple[str, ClassDeclaration]]:
        """Each readable class with its namespace."""
        for _, number, _, body in self._rows("class"):
            try:
                namespace, declaration = self._namespaces[number], unpacked_class(loaded(body))
            except (WbemError, LookupError, TypeError, ValueError, AttributeError):
                self.unreadable += 1
                continue
            yield namespace, declaration

    def instances(self) -> Iterator[StoredInstance]:
        """Each readable instance."""
        shapes = {}
        for number, names in self._rows("shape"):
            try:
                shapes[number] = tuple(str(name) for name in loaded(names))
            except (WbemError, TypeError):
                self.unreadable += 1
        for _, number, root, ident, class_name, shape, body, defaults, extras in self._rows("instance"):
            try:
                names = shapes[shape]
                if len(loaded(body)) != len(names):
                    raise ValueError
                yield StoredInstance(
                    self._namespaces[number], root, ident, class_name, names, body, defaults, extras
                )
            except (WbemError, LookupError, TypeError, ValueError):
                self.unreadable += 1

    def _rows(self, table: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a table from its beginning, and if that does not reach the end, from there."""
        last = count = 0
        try:
            for row in self._reading(table, "id > 0 ORDER BY id"):
                last, count = row[0], count + 1
                yield row
        except sqlite3.Error:
            self.torn.append(table)
        else:
            if self._indexed(table) > count:
                self.torn.append(table)
            return
        behind = []
        try:
            for row in self._reading(table, f"id > {int(last)} ORDER BY id DESC"):
                behind.append(row)
        except sqlite3.Error:
            pass  # this is the other edge of what is lost
        yield from reversed(behind)

    def _indexed(self, table: str) -> int:
        """How many rows the index of a table knows; 0 when it cannot be read itself."""
        statement = f"SELECT count(*) FROM {table} INDEXED BY {_INDEXES[table]}"
        try:
            (count,) = self._connection.execute(statement).fetchone()
        except sqlite3.Error:
            return 0
        return int(count)

    def _reading(self, table: str, which: str) -> Iterator[tuple[Any, ...]]:
        cursor = self._connection.execute(f"SELECT {_TABLES[table]} FROM {table} WHERE {which}")
        while (row := cursor.fetchone()) is not None:
            yield row
