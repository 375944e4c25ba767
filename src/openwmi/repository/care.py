"""Care of a store as a whole: what is wrong with it, restoring it from a backup, the list of MOF files it can be
rebuilt from (model.md C-44, C-45)."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.model.errors import WbemError, error
from openwmi.model.status import (
    WBEM_E_BACKUP_RESTORE_WINMGMT_RUNNING,
    WBEM_E_CRITICAL_ERROR,
    WBEM_E_DATABASE_VER_MISMATCH,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_TIMED_OUT,
)
from openwmi.replacing import replace
from openwmi.repository.damage import LIST, read_only, setting
from openwmi.repository.encoding import unpacked_class
from openwmi.repository.making import FORMAT
from openwmi.repository.store import MEMORY, Store
from openwmi.repository.text import dumped, loaded

if TYPE_CHECKING:
    from collections.abc import Iterator

RECOVERY: Final = "autorecover"
REBUILT: Final = "rebuilt"
# How long a forced restore waits for a writer in another process.
FORCED_PATIENCE_SECONDS: Final = 30.0
# What may still be logged while a forced restore runs.
_MARGIN: Final = 1 << 20
_LONGEST_LIST: Final = 1 << 24
# Past any number that a process may remember of a log that can no longer be read.
_BEYOND: Final = 1 << 40


# The recovery list


def recovery_list(store: Store) -> list[str]:
    """The absolute paths of the files to compile, in this order, to rebuild the store (C-44)."""
    stored = store.setting(RECOVERY)
    return listed(stored) if stored is not None else []


def listed(stored: str) -> list[str]:
    """The files of a recovery list as it is stored; none when it is damaged."""
    try:
        found = loaded(stored)
    except WbemError:
        return []
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def list_beside(path: str) -> list[str]:
    """The recovery list as it stands beside a store."""
    try:
        with open(path + LIST, encoding="utf-8") as file:
            return listed(file.read(_LONGEST_LIST))
    except (OSError, ValueError):
        return []


def put_list_beside(path: str) -> None:
    """Have the list of a whole store stand beside it, where it did not: earlier versions kept it inside alone."""
    if os.path.exists(path + LIST):
        return
    stored = setting(path, RECOVERY)
    if stored is not None and (files := listed(stored)):
        _put_beside(path, dumped(files))


def _put_beside(path: str, text: str) -> None:
    if path != MEMORY:
        replace(path + LIST, text.encode())


def remember(store: Store, file: str) -> None:
    """Put a file at the end of the recovery list; one that is in it keeps its place."""
    with store.writing():
        files = recovery_list(store)
        if file not in files:
            files.append(file)
            store.set(RECOVERY, dumped(files))
        _put_beside(store.path, dumped(files))


# What is known of a rebuilding


def rebuilt(path: str) -> list[str]:
    """What there is to say of a store that was rebuilt by itself; nothing for any other one."""
    if not os.path.exists(path):
        return []
    try:
        store = Store(path)
        try:
            stored = store.setting(REBUILT)
        finally:
            store.close()
        return told_rebuilt(loaded(stored)) if stored is not None else []
    except (WbemError, LookupError, TypeError):
        return []


def told_rebuilt(report: dict[str, Any]) -> list[str]:
    """The lines that say it; report: as the rebuilding has left it in the store."""
    kept = f"{report['classes']} classes and {report['instances']} instances could be kept"
    gaps = [f"{report['unreadable']} rows could not be used"] if report["unreadable"] else []
    gaps += [f"of {', '.join(report['torn'])} not all could be found"] if report["torn"] else []
    lines = [
        f"found damaged ({report['fault']}) and rebuilt {report['when']}; as it was, it is {report['aside']}",
        "; ".join([kept, *gaps]),
        *(f"compiled anew from the recovery list: {file}" for file in report["compiled"]),
        *(f"in the recovery list, but not compiled: {reason}" for reason in report["failed"]),
    ]
    if closed := report["closed"]:
        more = f" and {len(closed) - 1} more namespaces" if len(closed) > 1 else ""
        lines.append(
            f"whom {closed[0]}{more} admitted over the network cannot be known any more: administrators alone, over"
            " sealed connections, until openwmi sec says otherwise"
        )
    return lines


# Checking


class Inspection(NamedTuple):
    """What a check looked at (rows by table, and bytes), and what it found wrong."""

    counts: dict[str, int]
    size: int
    faults: list[str]


def inspect(path: str) -> Inspection:
    """Look at a store whole: the file's structure, every class and every instance. What it finds it does not raise.

    The file must be there. Other processes may go on using it.
    """
    size = os.path.getsize(path)
    counts: dict[str, int] = {}
    try:
        store = Store(path)
    except WbemError as failure:
        return Inspection(counts, size, [failure.message])
    try:
        faults = store.check()
        if not faults:
            for table in ("namespace", "class", "instance", "change"):
                ((counts[table],),) = store.rows(f"SELECT count(*) FROM {table}")
            faults = [*_unreadable_classes(store), *_unreadable_instances(store)]
    except WbemError as failure:
        faults = [failure.message]
    finally:
        store.close()
    return Inspection(counts, size, faults)


def _unreadable_classes(store: Store) -> Iterator[str]:
    select = "SELECT x.id, n.path, x.folded, x.body FROM class x JOIN namespace n ON n.id = x.namespace"
    for namespace, name, body in _portions(store, select):
        try:
            unpacked_class(loaded(body))
        except Exception:  # noqa: BLE001 - whatever keeps it from being read is the finding
            yield f"class {name} in {namespace} cannot be read"


def _unreadable_instances(store: Store) -> Iterator[str]:
    shapes = {number: _length(names) for number, names in store.rows("SELECT id, names FROM shape")}
    select = (
        "SELECT x.id, n.path, x.class, x.ident, x.shape, x.body, x.extras"
        " FROM instance x JOIN namespace n ON n.id = x.namespace"
    )
    for namespace, name, ident, shape, body, extras in _portions(store, select):
        length = _length(body)
        if length is None or length != shapes[shape] or (extras is not None and _length(extras) != 2):
            yield f"instance {name}{ident} in {namespace} cannot be read"


def _portions(store: Store, select: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a select from `x` that begins with its row number, without that; a thousand at a time."""
    last = 0
    while rows := store.rows(f"{select} WHERE x.id > ? ORDER BY x.id LIMIT 1000", (last,)):
        for row in rows:
            yield tuple(row[1:])
        last = rows[-1][0]


def _length(text: Any) -> int | None:
    """How many elements a stored list has; None when it is none."""
    try:
        found = loaded(text)
    except (WbemError, TypeError):
        return None
    return len(found) if isinstance(found, list) else None


# Backing up and restoring


def backed_up(path: str, target: str) -> None:
    """Copy a store into a file, in place of one that is there; others may go on reading and writing. A store that does
    not exist yet is made, so that there is always something to restore."""
    if os.path.exists(target) and os.path.exists(path) and os.path.samefile(path, target):
        raise error(WBEM_E_INVALID_PARAMETER, f"{target} is the repository itself")
    store = Store(path)
    try:
        store.backup(target)
    except sqlite3.Error as failure:
        raise error(WBEM_E_CRITICAL_ERROR, f"the repository cannot be copied: {failure}") from failure
    finally:
        store.close()


def restore(path: str, backup: str, *, force: bool) -> None:
    """Put the content of a backup in place of a store's, all at once: a kill leaves the one or the other.

    BACKUP_RESTORE_WINMGMT_RUNNING while another process has the store open, unless force (C-45): those processes then
    go on, with the restored content. A store that is no database any more is set aside under another name.
    """
    if os.path.exists(path) and os.path.samefile(path, backup):
        raise error(WBEM_E_INVALID_PARAMETER, f"{backup} is the repository itself")
    source = _backup_opened(backup)
    prepared = f"{path}.restoring"
    try:
        if not os.path.exists(path):
            Store(path).close()
        target = _target(path, force=force)
        try:
            _prepare(source, prepared, _last_change(target))
            content = sqlite3.connect(prepared)
            try:
                content.backup(target, progress=_impatient)
                kept = content.execute("SELECT value FROM setting WHERE name = ?", (RECOVERY,)).fetchone()
                if kept is not None or os.path.exists(path + LIST):
                    _put_beside(path, kept[0] if kept is not None else "[]")
            finally:
                content.close()
        finally:
            target.close()
    except sqlite3.Error as failure:
        raise error(WBEM_E_CRITICAL_ERROR, f"the repository cannot be restored: {failure}") from failure
    finally:
        source.close()
        if os.path.exists(prepared):
            os.unlink(prepared)


def _made(path: str) -> None:
    """A file for the owner alone, where there is none."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _impatient(status: int, remaining: int, total: int) -> None:
    """SQLite has waited its time for a writer; Python would go on for ever."""
    if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise error(WBEM_E_TIMED_OUT, "another process holds the repository for too long")


def _prepare(source: sqlite3.Connection, file: str, last: int) -> None:
    """The content to restore, with a change log that begins anew: one gap, past all that a process may have seen, so
    that whoever goes on drops what it has cached."""
    if os.path.exists(file):
        os.unlink(file)
    _made(file)
    copy = sqlite3.connect(file)
    try:
        source.backup(copy)
        number = max(last, _last_change(copy)) + _MARGIN
        copy.execute("DELETE FROM change")
        copy.execute(
            "INSERT INTO change (sequence, namespace, kind, class) VALUES (?, '', 'gap', '')", (number,)
        )
        copy.commit()
    finally:
        copy.close()


def _backup_opened(backup: str) -> sqlite3.Connection:
    """A backup, looked at before anything is replaced by it: CRITICAL_ERROR when it is damaged or none."""
    # What keeps it from being read has a better name than SQLite gives it.
    os.close(os.open(backup, os.O_RDONLY))
    source = read_only(backup)
    try:
        found = source.execute("SELECT value FROM setting WHERE name = 'format'").fetchone()
        faults = [row[0] for row in source.execute("PRAGMA integrity_check") if row[0] != "ok"]
    except sqlite3.Error as failure:
        source.close()
        raise error(WBEM_E_CRITICAL_ERROR, f"{backup} is no backup of a repository: {failure}") from failure
    if faults or found is None:
        source.close()
        raise error(WBEM_E_CRITICAL_ERROR, f"{backup} is damaged: {(faults or ['it has no format'])[0]}")
    if found[0] != str(FORMAT):
        source.close()
        message = f"{backup} has format {found[0]}, this is {FORMAT}"
        raise error(WBEM_E_DATABASE_VER_MISMATCH, message)
    return source


def _target(path: str, *, force: bool) -> sqlite3.Connection:
    """The store, opened for nobody else; with force for others too."""
    connection = sqlite3.connect(
        path, timeout=FORCED_PATIENCE_SECONDS if force else 0.0, isolation_level=None
    )
    try:
        if not force:
            # Whoever has a WAL database open holds a shared lock on it: only without them this one is granted, and
            # in this mode it is kept until the connection closes.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
    except sqlite3.OperationalError as failure:
        connection.close()
        if "locked" not in str(failure):
            raise
        message = f"{path} is open in another process; end it, or use force"
        raise error(WBEM_E_BACKUP_RESTORE_WINMGMT_RUNNING, message) from failure
    except sqlite3.DatabaseError:
        connection.close()
        _set_aside(path)
        return sqlite3.connect(path, isolation_level=None)
    return connection


def _set_aside(path: str) -> None:
    """Give a file that is no database another name, with what belongs to it."""
    number = 1
    while os.path.exists(f"{path}.damaged{number}"):
        number += 1
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.rename(path + suffix, f"{path}.damaged{number}{suffix}")
    _made(path)


def _last_change(connection: sqlite3.Connection) -> int:
    """The newest number of the change log; far beyond when it cannot be read."""
    try:
        found = connection.execute("SELECT coalesce(max(sequence), 0) FROM change").fetchone()
    except sqlite3.Error:
        return _BEYOND
    return int(found[0])
