"""Namespaces, classes and static instances in a store, and the log of their changes.

Reads and writes here are plain: what may be written, and what a change means for subclasses and instances, is decided
by the service. Every write appends to the change log in its own transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.instances import Instance
from openwmi.repository.encoding import (
    packed,
    packed_class,
    packed_extras,
    unpacked,
    unpacked_class,
    unpacked_extras,
)
from openwmi.repository.store import Snapshot, Store
from openwmi.repository.text import dumped, loaded

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from openwmi.model.classes import Class, ClassDeclaration
    from openwmi.model.layouts import Layout

    FindClass = Callable[[str], Class | None]


# How much of the log is kept. A process that is further behind than that drops all it has cached.
KEPT_CHANGES: Final = 10_000
PRUNE_EVERY: Final = 1_000
# Rows read at a time by an enumeration.
PORTION: Final = 256
# Types whose values JSON holds as they are.
_SIMPLE: Final = frozenset((str, int, float, bool, type(None)))
_COMPOSED: Final = frozenset((list, dict))


class Change(NamedTuple):
    """One entry of the change log.

    kind: "namespace", "class" or "instance" with "+" (made), "~" (modified) or "-" (gone); "event+" for an event on its
    way to another process; or "gap": entries are missing, anything may have changed. path: of an instance, the root of
    its keys, "|", its key. before: what was there, as JSON of the encoding room, or None. What came after is what the
    next change of the same object found, or what is there now: it is not written twice.
    """

    sequence: int
    namespace: str
    kind: str
    class_name: str
    path: str | None
    before: str | None


class Repository:
    """One store's content; usable from any thread."""

    def __init__(self, path: str) -> None:
        self.store = Store(path, rolled_back=self.forget)
        self._namespaces: dict[str, int] = {}
        self._shapes: dict[int, tuple[str, ...]] = {}
        self._shape_ids: dict[tuple[str, ...], int] = {}
        # The layout that reads a shape as it is stored: same properties, none of them composed.
        self._plain: dict[int, Layout] = {}

    # Namespaces

    def namespaces(self) -> list[str]:
        """The paths of all stored namespaces."""
        return [row[0] for row in self.store.rows("SELECT path FROM namespace ORDER BY id")]

    def add_namespace(self, path: str, *, quiet: bool = False) -> int:
        """Make a namespace; one that exists is left as it is. `quiet`: without an entry in the change log."""
        with self.store.writing() as connection:
            found = connection.execute(
                "SELECT id FROM namespace WHERE folded = ?", (path.lower(),)
            ).fetchone()
            if found is None:
                cursor = connection.execute(
                    "INSERT INTO namespace (path, folded) VALUES (?, ?)", (path, path.lower())
                )
                found = (cursor.lastrowid,)
                if not quiet:
                    _log(connection, path, "namespace+", "__NAMESPACE", None, None)
        self._namespaces[path] = int(found[0])
        return int(found[0])

    def delete_namespace(self, path: str) -> None:
        """Remove a namespace with everything in it and below it (B-01)."""
        with self.store.writing() as connection:
            below = connection.execute(
                "SELECT id, path FROM namespace WHERE folded = ? OR substr(folded, 1, ?) = ?",
                (path.lower(), len(path) + 1, path.lower() + "\\"),
            ).fetchall()
            for number, gone in below:
                connection.execute("DELETE FROM namespace WHERE id = ?", (number,))
                _log(connection, gone, "namespace-", "__NAMESPACE", None, None)
        self._namespaces.clear()

    def _namespace(self, path: str, *, make: bool = False) -> int:
        """The number of a namespace; kept under the spelling that was asked, too."""
        found = self._namespaces.get(path)
        if found is None:
            row = self.store.row("SELECT id FROM namespace WHERE folded = ?", (path.lower(),))
            if row is None:
                return self.add_namespace(path, quiet=True) if make else -1
            found = self._namespaces[path] = int(row[0])
        return found

    # Classes

    def superclasses(self, namespace: str) -> dict[str, str | None]:
        """Every stored class of a namespace and its superclass, in lower case."""
        return dict(
            self.store.rows(
                "SELECT folded, superclass FROM class WHERE namespace = ? ORDER BY id",
                (self._namespace(namespace),),
            )
        )

    def declaration(self, namespace: str, name: str) -> ClassDeclaration | None:
        rows = self.store.rows(
            "SELECT body FROM class WHERE namespace = ? AND folded = ?",
            (self._namespace(namespace), name.lower()),
        )
        return unpacked_class(loaded(rows[0][0])) if rows else None

    def put_class(self, namespace: str, declaration: ClassDeclaration) -> None:
        """Store a class, in place of one of that name."""
        number = self._namespace(namespace, make=True)
        key = declaration.name.lower()
        body = dumped(packed_class(declaration))
        above = declaration.superclass.lower() if declaration.superclass else None
        with self.store.writing() as connection:
            old = connection.execute(
                "SELECT body FROM class WHERE namespace = ? AND folded = ?", (number, key)
            ).fetchone()
            if old is None:
                connection.execute(
                    "INSERT INTO class (namespace, folded, superclass, body) VALUES (?, ?, ?, ?)",
                    (number, key, above, body),
                )
            else:
                connection.execute(
                    "UPDATE class SET superclass = ?, body = ? WHERE namespace = ? AND folded = ?",
                    (above, body, number, key),
                )
            kind = "class+" if old is None else "class~"
            _log(connection, namespace, kind, declaration.name, None, old[0] if old else None)

    def delete_class(self, namespace: str, name: str) -> None:
        """Remove a class and its own instances; subclasses are the caller's business (A-259)."""
        number, key = self._namespace(namespace), name.lower()
        with self.store.writing() as connection:
            old = connection.execute(
                "SELECT body FROM class WHERE namespace = ? AND folded = ?", (number, key)
            ).fetchone()
            connection.execute("DELETE FROM instance WHERE namespace = ? AND class = ?", (number, key))
            connection.execute("DELETE FROM class WHERE namespace = ? AND folded = ?", (number, key))
            if old is not None:
                _log(connection, namespace, "class-", name, None, old[0])

    # Instances

    def put_instance(
        self, namespace: str, instance: Instance, *, root: str, ident: str, indexed: Mapping[str, Any]
    ) -> None:
        """Store an instance under its key, in place of one that is there. indexed: the values queries find it by."""
        number = self._namespace(namespace, make=True)
        layout = instance.layout_
        class_key = layout.class_name.lower()
        values = instance.values_
        stored = (
            dumped([value if type(value) in _SIMPLE else packed(value) for value in values]),
            format(instance.defaults_, "x") if instance.defaults_ else None,
            dumped(packed_extras(instance.extras_)) if instance.extras_ is not None else None,
        )
        with self.store.writing() as connection:
            row = (class_key, self._shape_id(connection, layout.names), *stored)
            made = connection.execute(
                "INSERT INTO instance (namespace, root, ident, class, shape, body, defaults, extras)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (namespace, root, ident) DO NOTHING",
                (number, root, ident, *row),
            )
            new = made.rowcount == 1
            key, before = made.lastrowid, None
            if not new:
                key, shape, body = self._replaced(connection, (number, root, ident), row)
                before = dumped([layout.class_name, list(self._names(shape)), loaded(body)])
            for name, value in indexed.items():
                connection.execute(
                    "INSERT INTO value VALUES (?, ?, ?, ?, ?)",
                    (number, class_key, name.lower(), folded(value), key),
                )
            kind = "instance+" if new else "instance~"
            _log(connection, namespace, kind, layout.class_name, f"{root}|{ident}", before)

    def _replaced(
        self, connection: sqlite3.Connection, place: tuple[int, str, str], row: tuple[Any, ...]
    ) -> tuple[int, int, str]:
        """Put a row in the place of the one with this key; its number, and the shape and body of what was there."""
        key, shape, body = connection.execute(
            "SELECT id, shape, body FROM instance WHERE namespace = ? AND root = ? AND ident = ?", place
        ).fetchone()
        connection.execute(
            "UPDATE instance SET class = ?, shape = ?, body = ?, defaults = ?, extras = ? WHERE id = ?",
            (*row, key),
        )
        connection.execute("DELETE FROM value WHERE instance = ?", (key,))
        return key, shape, body

    def delete_instance(self, namespace: str, class_name: str, *, root: str, ident: str) -> bool:
        """Remove an instance; False when there was none."""
        number = self._namespace(namespace)
        with self.store.writing() as connection:
            old = connection.execute(
                "SELECT id, shape, body FROM instance WHERE namespace = ? AND root = ? AND ident = ? AND class = ?",
                (number, root, ident, class_name.lower()),
            ).fetchone()
            if old is None:
                return False
            connection.execute("DELETE FROM instance WHERE id = ?", (old[0],))
            before = dumped([class_name, list(self._names(old[1])), loaded(old[2])])
            _log(connection, namespace, "instance-", class_name, f"{root}|{ident}", before)
            return True

    def class_of(self, namespace: str, *, root: str, ident: str) -> str | None:
        """The class (lower case) of the instance that has this key, or None."""
        rows = self.store.rows(
            "SELECT class FROM instance WHERE namespace = ? AND root = ? AND ident = ?",
            (self._namespace(namespace), root, ident),
        )
        return rows[0][0] if rows else None

    def instance(
        self, namespace: str, class_: Class, find: FindClass, *, root: str, ident: str
    ) -> Instance | None:
        """The instance of exactly this class with this key, or None."""
        number = self._namespaces.get(namespace)
        row = self.store.row(
            "SELECT shape, body, defaults, extras FROM instance"
            " WHERE namespace = ? AND root = ? AND ident = ? AND class = ?",
            (self._namespace(namespace) if number is None else number, root, ident, class_.name.lower()),
        )
        if row is None:
            return None
        shape, body, defaults, extras = row
        layout = class_.layout
        if extras is None and self._plain.get(shape) is layout:
            # What nearly every look-up finds, without a call.
            return Instance(layout, tuple(loaded(body)), int(defaults, 16) if defaults else 0)
        return self._instance(class_, find, shape, body, defaults, extras)

    def instances(
        self,
        namespace: str,
        class_: Class,
        find: FindClass,
        conditions: Sequence[tuple[str, Any]] = (),
        snapshot: Snapshot | None = None,
    ) -> Iterator[Instance]:
        """The instances of exactly this class; conditions: (indexed property, value) pairs that must be equal.

        Read in portions by row number from one snapshot, by default one of its own: each row is seen once, and of every
        transaction all or nothing.
        """
        number, key = self._namespace(namespace), class_.name.lower()
        look = snapshot or self.store.snapshot()
        portion = PORTION if look.portioned else -1
        text, parameters = _instances_query(number, key, conditions, portion)
        last = 0
        try:
            while True:
                rows = look.rows(text, (*parameters, last))
                for row_id, *row in rows:
                    last = row_id
                    yield self._instance(class_, find, *row)
                if len(rows) != portion:
                    return
        finally:
            if snapshot is None:
                look.close()

    def declared(self, stored: str) -> ClassDeclaration:
        """The class that a change log entry holds."""
        return unpacked_class(loaded(stored))

    def decoded(self, class_: Class, stored: str, find: FindClass) -> Instance:
        """The instance that a change log entry holds."""
        _, names, values = loaded(stored)
        raw = [unpacked(value, find) for value in values]
        return Instance(class_.layout, *_reshaped(class_, names, raw, 0))

    def after(self, change: Change, class_: Class, find: FindClass) -> Instance | None:
        """The instance as a change left it: as the next change of it found it, or else as it is now."""
        root, _, ident = (change.path or "").partition("|")
        now = self.instance(change.namespace, class_, find, root=root, ident=ident)
        later = self.store.row(
            "SELECT before FROM change WHERE sequence > ? AND namespace = ? AND path = ? AND before IS NOT NULL"
            " ORDER BY sequence LIMIT 1",
            (change.sequence, change.namespace, change.path),
        )
        return self.decoded(class_, later[0], find) if later is not None else now

    def count_instances(self, class_name: str) -> int:
        """How many instances of exactly this class there are in all namespaces."""
        ((count,),) = self.store.rows(
            "SELECT count(*) FROM namespace AS n CROSS JOIN instance AS i ON i.namespace = n.id AND i.class = ?",
            (class_name.lower(),),
        )
        return int(count)

    def has_instances(self, namespace: str, class_names: Iterable[str]) -> bool:
        """Whether one of these classes has an instance of its own."""
        number = self._namespace(namespace)
        return any(
            self.store.rows(
                "SELECT 1 FROM instance WHERE namespace = ? AND class = ? LIMIT 1", (number, name.lower())
            )
            for name in class_names
        )

    def has_value(self, namespace: str, class_: Class, name: str) -> bool:
        """Whether the index has a value under this name of an instance of exactly this class."""
        row = self.store.row(
            "SELECT 1 FROM value WHERE namespace = ? AND class = ? AND property = ? LIMIT 1",
            (self._namespace(namespace), class_.name.lower(), name.lower()),
        )
        return row is not None

    def _instance(
        self, class_: Class, find: FindClass, shape: int, body: str, defaults: str | None, extras: str | None
    ) -> Instance:
        layout = class_.layout
        mask = int(defaults, 16) if defaults else 0
        if extras is None and self._plain.get(shape) is layout:
            return Instance(layout, tuple(loaded(body)), mask)
        names = self._names(shape)
        if names == layout.names and not any(code & ARRAY or code == CimType.OBJECT for code in layout.types):
            self._plain[shape] = layout
        return self.composed(class_, find, names, body, defaults, extras)

    def composed(
        self,
        class_: Class,
        find: FindClass,
        names: tuple[str, ...],
        body: str,
        defaults: str | None,
        extras: str | None,
    ) -> Instance:
        """An instance from the columns of its row. names: of its values, as they were when it was stored."""
        raw = loaded(body)
        if not _COMPOSED.isdisjoint(map(type, raw)):
            raw = [value if type(value) in _SIMPLE else unpacked(value, find) for value in raw]
        mask = int(defaults, 16) if defaults else 0
        more = unpacked_extras(loaded(extras)) if extras else None
        if names == class_.layout.names:
            return Instance(class_.layout, tuple(raw), mask, more)
        return Instance(class_.layout, *_reshaped(class_, names, raw, mask), more)

    # Shapes

    def _shape_id(self, connection: sqlite3.Connection, names: tuple[str, ...]) -> int:
        """The number of a shape."""
        found = self._shape_ids.get(names)
        if found is None:
            text = dumped(list(names))
            row = connection.execute("SELECT id FROM shape WHERE names = ?", (text,)).fetchone()
            if row is None:
                row = (connection.execute("INSERT INTO shape (names) VALUES (?)", (text,)).lastrowid,)
            found = self._shape_ids[names] = int(row[0])
        return found

    def forget(self) -> None:
        """Forget the numbers of namespaces and shapes: they were learnt in a transaction that came to nothing, or the
        store may have been replaced by a backup."""
        self._namespaces.clear()
        self._shape_ids.clear()
        self._shapes.clear()
        self._plain.clear()

    def _names(self, shape: int) -> tuple[str, ...]:
        found = self._shapes.get(shape)
        if found is None:
            ((text,),) = self.store.rows("SELECT names FROM shape WHERE id = ?", (shape,))
            found = self._shapes[shape] = tuple(loaded(text))
        return found

    # The change log

    def log_events(self, kind: str, events: Iterable[tuple[str, str, Instance]]) -> None:
        """Append entries that are no changes: (namespace, what stands for the path, object) of each."""
        with self.store.writing() as connection:
            for namespace, path, event in events:
                _log(connection, namespace, kind, event.classname_, path, dumped(packed(event)))

    def logged(self, stored: str, find: FindClass) -> Any:
        """The object of such an entry."""
        return unpacked(loaded(stored), find)

    def changes(self, since: int, limit: int = 1000) -> list[Change]:
        """The entries after a sequence number, oldest first."""
        return [
            Change(*row)
            for row in self.store.rows(
                "SELECT sequence, namespace, kind, class, path, before FROM change"
                " WHERE sequence > ? ORDER BY sequence LIMIT ?",
                (since, limit),
            )
        ]

    def last_change(self) -> int:
        """The sequence number of the newest entry."""
        ((last,),) = self.store.rows("SELECT coalesce(max(sequence), 0) FROM change")
        return int(last)


def _instances_query(
    namespace: int, class_: str, conditions: Sequence[tuple[str, Any]], portion: int
) -> tuple[str, list[Any]]:
    """The statement that reads a portion of the instances of a class, and its parameters but for the last row read.

    With conditions the index leads: CROSS JOIN keeps SQLite from scanning the class instead.
    """
    if not conditions:
        return (
            (
                "SELECT id, shape, body, defaults, extras FROM instance WHERE namespace = ? AND class = ? AND id > ?"
                f" ORDER BY id LIMIT {portion}"
            ),
            [namespace, class_],
        )
    parameters: list[Any] = []
    tables, tests = [], []
    for position, (name, value) in enumerate(conditions):
        table = f"v{position}"
        tables.append(f"value AS {table}")
        tests.append(
            f"{table}.namespace = ? AND {table}.class = ? AND {table}.property = ? AND {table}.value = ?"
            + (f" AND {table}.instance = v0.instance" if position else "")
        )
        parameters += [namespace, class_, name.lower(), folded(value)]
    return (
        (
            f"SELECT i.id, i.shape, i.body, i.defaults, i.extras FROM {' CROSS JOIN '.join(tables)}"
            f" CROSS JOIN instance AS i ON i.id = v0.instance WHERE {' AND '.join(tests)}"
            f" AND v0.instance > ? ORDER BY v0.instance LIMIT {portion}"
        ),
        parameters,
    )


def folded(value: Any) -> Any:
    """A value as the index holds it: text without regard to case, booleans as numbers, wide integers as text."""
    if isinstance(value, str):
        return value.upper()
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    return value


def _reshaped(class_: Class, names: Sequence[str], raw: list[Any], mask: int) -> tuple[tuple[Any, ...], int]:
    """Values stored under another shape of the class, put where its properties stand now."""
    stored = {name.lower(): position for position, name in enumerate(names)}
    values = []
    defaults = 0
    for position, one in enumerate(class_.properties.values()):
        place = stored.get(one.name.lower())
        if place is None:
            values.append(one.default)
            defaults |= 1 << position
        else:
            values.append(raw[place])
            defaults |= (mask >> place & 1) << position
    return tuple(values), defaults


def _log(
    connection: sqlite3.Connection,
    namespace: str,
    kind: str,
    class_name: str,
    path: str | None,
    before: str | None,
) -> None:
    cursor = connection.execute(
        "INSERT INTO change (namespace, kind, class, path, before) VALUES (?, ?, ?, ?, ?)",
        (namespace, kind, class_name, path, before),
    )
    sequence = cursor.lastrowid or 0
    if sequence % PRUNE_EVERY == 0:
        connection.execute("DELETE FROM change WHERE sequence <= ?", (sequence - KEPT_CHANGES,))


__all__ = ["Change", "Repository", "folded"]
