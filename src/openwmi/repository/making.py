"""Making a new store, whole or not at all: its tables, and the file that has them.

    namespace   id, path, folded (unique)                      every namespace but the standard ones' schema
    class       namespace, folded (unique), superclass, body   what each class says itself
    shape       id, names (unique)                             property names that many instances share
    instance    id, namespace, root, ident (unique), class, shape, body, defaults, extras
    value       namespace, class, property, value -> instance  keys and [Indexed] properties, for queries
    change      sequence, namespace, kind, class, path, before    the log every process reads
    setting     name, value                                    format version, autorecover list, ...

`root` is the class that introduced the keys, so that siblings share one key space (A-093); `ident` is the key part of
the path, folded.

A file gets the name of a store once it has its tables. So one that has the name without them was damaged, and nobody
takes it for a store that begins (C-44).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from typing import Final

from openwmi.replacing import hand_over, sync_folder

FORMAT: Final = 1

_TABLES: Final = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE namespace (id INTEGER PRIMARY KEY, path TEXT NOT NULL, folded TEXT NOT NULL UNIQUE);
CREATE TABLE class (
    id INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL REFERENCES namespace (id) ON DELETE CASCADE,
    folded TEXT NOT NULL,
    superclass TEXT,
    body TEXT NOT NULL
);
CREATE UNIQUE INDEX class_name ON class (namespace, folded);
CREATE TABLE shape (id INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE);
CREATE TABLE instance (
    id INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL REFERENCES namespace (id) ON DELETE CASCADE,
    root TEXT NOT NULL,
    ident TEXT NOT NULL,
    class TEXT NOT NULL,
    shape INTEGER NOT NULL REFERENCES shape (id),
    body TEXT NOT NULL,
    defaults TEXT,
    extras TEXT
);
CREATE UNIQUE INDEX instance_path ON instance (namespace, root, ident);
CREATE INDEX instance_class ON instance (namespace, class);
CREATE TABLE value (
    namespace INTEGER NOT NULL,
    class TEXT NOT NULL,
    property TEXT NOT NULL,
    value BLOB,
    instance INTEGER NOT NULL REFERENCES instance (id) ON DELETE CASCADE
);
CREATE INDEX value_lookup ON value (namespace, class, property, value, instance);
CREATE INDEX value_instance ON value (instance);
CREATE TABLE change (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL,
    kind TEXT NOT NULL,
    class TEXT NOT NULL,
    path TEXT,
    before TEXT
);
"""


def make_tables(connection: sqlite3.Connection) -> None:
    """Have an empty database be an empty store."""
    with connection:
        connection.execute("BEGIN")
        for statement in _TABLES.split(";\n"):
            connection.execute(statement)
        connection.execute("INSERT INTO setting VALUES ('format', ?)", (str(FORMAT),))
        connection.execute(
            "INSERT INTO setting VALUES ('created', strftime('%Y%m%d%H%M%S.000000+000', 'now'))"
        )


def made(path: str) -> None:
    """Make a store where there is none, in a file for the owner alone; one that somebody else makes meanwhile stays."""
    import tempfile

    folder, name = os.path.split(os.path.abspath(path))
    os.makedirs(folder, mode=0o700, exist_ok=True)
    descriptor, fresh = tempfile.mkstemp(prefix=f"{name}.", suffix=".making", dir=folder)
    try:
        hand_over(descriptor, path)
    finally:
        os.close(descriptor)
    try:
        with closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            make_tables(connection)
        _named(fresh, path)
        sync_folder(path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(fresh)


def _named(fresh: str, path: str) -> None:
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    except OSError:
        # A file system without hard links: of two that come at the same instant the later one wins.
        if not os.path.exists(path):
            os.rename(fresh, path)
