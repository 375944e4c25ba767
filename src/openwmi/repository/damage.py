"""Damage to a store's file: finding it before the store is opened, and a new file in its place (model.md C-44).

    repository.db.rebuilding/      what is being made; of no use once its maker has ended
    repository.db.damaged-<UTC>    the damaged file, with the -wal and -shm that belong to it
    repository.db.rebuilt          the new file, whole: the replacement has begun, and whoever may completes it

The replacement takes the log of the old file away and then renames the new one; between the two the old file must not
be opened, which is why `rebuilt` stands there. Who replaces holds the locks that SQLite takes on a file, all at once:
it gets them when no other process has the store open, and nobody opens it meanwhile. Who had the old file in hand when
the lock was let go finds another one under its name, and opens that (store.py).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO, Final

from openwmi.replacing import hand_over, move, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

STORE: Final = "repository.db"
# The recovery list once more, beside the store: what rebuilds a store must outlive it.
LIST: Final = ".recovery"
READY: Final = ".rebuilt"
WORK: Final = ".rebuilding"
BESIDE: Final = ("-wal", "-shm")
# How long a start may look for damage. What a large store has beyond that, its first reader finds.
LOOK_SECONDS: Final = 3.0
_STEPS: Final = 20_000
# Every database begins with that many bytes (sqlite.org/fileformat2.html, 1.3).
_HEADER: Final = 100
# The bytes that SQLite locks: pending, reserved, and those that readers share (sqlite.org/fileformat2.html, 1.4). A
# connection to a database in WAL mode holds a shared lock for as long as it is open.
_LOCKED_FROM: Final = 0x40000000
_LOCKED_BYTES: Final = 512


def is_damage(failure: sqlite3.Error) -> bool:
    """Whether SQLite means the content of the file, and not its disk, its lock or the right to it."""
    return getattr(failure, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_store(path: str) -> bool:
    """Whether a file must be a store by what it is called, or what stands beside it: whoever leads us to some other
    file by mistake shall find it where it was."""
    return os.path.basename(path) == STORE or os.path.exists(path + LIST)


def damage(path: str, *, form: str, ours: bool, seconds: float = LOOK_SECONDS) -> str | None:
    """What is wrong with the content of a store's file, in SQLite's words. None when nothing was found in that time,
    and for what is not ours to judge: no file, no right to read it, another format than `form`.

    ours: it is known to be a store. Else only what says its format is one.
    """
    try:
        if (fault := shortened(path)) is not None:
            return fault if ours else None
        with closing(read_only(path)) as connection:
            if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
                return "the file has no tables" if ours else None
            found = connection.execute("SELECT value FROM setting WHERE name = 'format'").fetchone()
            if found is not None and found[0] != form:
                return None
            ours = ours or found is not None
            until = monotonic() + seconds
            connection.set_progress_handler(lambda: monotonic() > until, _STEPS)
            (first,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            return str(first) if ours and first != "ok" else None
    except sqlite3.Error as failure:
        return str(failure) if ours and is_damage(failure) else None
    except OSError:
        return None


def shortened(path: str) -> str | None:
    """What is wrong with a file that is too short for any database; None for a longer one, and for none."""
    try:
        size = os.path.getsize(path)
    except OSError:
        return None
    if size == 0:
        return "the file is empty"
    return f"the file ends after {size} bytes" if size < _HEADER else None


def setting(path: str, name: str) -> str | None:
    """A setting of a store that is not open; None when it cannot be had."""
    try:
        with closing(read_only(path)) as connection:
            found = connection.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
    except sqlite3.Error:
        return None
    return None if found is None else str(found[0])


def read_only(path: str) -> sqlite3.Connection:
    """A connection that changes nothing, not even by writing the log into the file when it is closed. A file without a
    log beside it is whole by itself."""
    log = "" if os.path.exists(f"{path}-wal") else "&immutable=1"
    connection = sqlite3.connect(address(path, "ro") + log, uri=True, isolation_level=None)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def address(path: str, mode: str) -> str:
    """The name of a database that is there, for a connection of that mode: none makes a new file."""
    escaped = os.path.abspath(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{'/' if os.sep != '/' else ''}{escaped.replace(os.sep, '/')}?mode={mode}"


@contextmanager
def held(path: str) -> Iterator[int | None]:
    """The descriptor of the file, while no other process can open the store; None when one has it open.

    This process must not have it open either, nor open it meanwhile: closing any descriptor of a file gives back all
    locks that the process has on it.
    """
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCKED_BYTES, _LOCKED_FROM)
        except BlockingIOError:
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)


def copied(descriptor: int, path: str, target: str) -> None:
    """Copy the file that is held, with what stands beside it."""
    # Not through its name: closing another descriptor of it would give the lock back.
    with open(descriptor, "rb", closefd=False) as source:
        _written(source, target)
    for suffix in BESIDE:
        with suppress(FileNotFoundError), open(path + suffix, "rb") as beside:
            _written(beside, target + suffix)


def _written(source: BinaryIO, target: str) -> None:
    import shutil

    with open(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as copy:
        shutil.copyfileobj(source, copy)
        copy.flush()
        os.fsync(copy.fileno())


def kept(copy: str, path: str, when: str) -> str:
    """Give the copy of a damaged store its name for good, and say it. when: the time, as the name has it."""
    name = f"{path}.damaged-{when}"
    number = 1
    while os.path.exists(name):
        number += 1
        name = f"{path}.damaged-{when}-{number}"
    for suffix in (*BESIDE, ""):
        with suppress(FileNotFoundError):
            os.rename(copy + suffix, name + suffix)
    return name


def replace(path: str, fresh: str) -> None:
    """Put a new file in the place of the one that is held, at once for all who open the store."""
    move(fresh, path + READY)
    complete(path)


def is_ready(path: str) -> bool:
    """Whether a replacement has begun and not ended."""
    return os.path.exists(path + READY)


def complete(path: str) -> None:
    """End a replacement, by whoever holds the old file."""
    for suffix in BESIDE:
        with suppress(FileNotFoundError):
            os.unlink(path + suffix)
    sync_folder(path)
    descriptor = os.open(path + READY, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        hand_over(descriptor, path)
    finally:
        os.close(descriptor)
    move(path + READY, path)


def identity(path: str) -> tuple[int, int] | None:
    """What tells one file from another one of the same name; None when there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
