"""The SQLite file of a store (its tables: making.py): its connections, its transactions.

One writer at a time, many readers, each thread with a connection of its own (WAL). A commit is on the disk when it
returns (synchronous=FULL): a kill -9 at any moment leaves the last committed state.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from openwmi.model.errors import WbemError, error
from openwmi.model.status import (
    WBEM_E_CRITICAL_ERROR,
    WBEM_E_DATABASE_VER_MISMATCH,
    WBEM_E_OUT_OF_DISK_SPACE,
    WBEM_E_TIMED_OUT,
)
from openwmi.replacing import move
from openwmi.repository.damage import (
    address,
    identity,
    is_damage,
    is_ready,
    is_store,
    shortened,
)
from openwmi.repository.making import FORMAT, made, make_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

MEMORY: Final = ":memory:"
# How long a snapshot lasts: what is written meanwhile can not be cleared away from the log.
SNAPSHOT_SECONDS: Final = 30.0
# Connections for snapshots that are kept for the next one.
KEPT_CONNECTIONS: Final = 8
# How long a writer waits for another one.
PATIENCE_SECONDS: Final = 30.0
# How often the file may be replaced while it is being opened.
_REPLACED_TIMES: Final = 5
_WHAT_TO_DO: Final = (
    "openwmi serve rebuilds it when it starts, once no other process has it open;"
    " openwmi repository check says what is wrong, openwmi repository restore FILE puts a backup in its place"
)

_IS_ONE: Final = "SELECT 1 FROM sqlite_master WHERE name = 'setting'"

_ONE: Final = sqlite3.Cursor.fetchone
_ALL: Final = sqlite3.Cursor.fetchall


def _fault(failure: sqlite3.Error) -> Exception:
    """What SQLite says, in WMI's words."""
    text = str(failure)
    if "full" in text:
        return error(WBEM_E_OUT_OF_DISK_SPACE, "the disk of the repository is full")
    if "locked" in text or "busy" in text:
        return error(WBEM_E_TIMED_OUT, "another process holds the repository for too long")
    fault = error(WBEM_E_CRITICAL_ERROR, f"the repository cannot be used: {text}")
    if is_damage(failure):
        fault.hint = _WHAT_TO_DO
    return fault


def _no_store(path: str, fault: str) -> WbemError:
    """A file that is there, but no store: whoever opens it must not make a new one of it, since the old one's security
    descriptors and subscriptions would be gone without a word (C-44)."""
    failure = error(WBEM_E_CRITICAL_ERROR, f"{path} is no repository, or one that is damaged: {fault}")
    failure.hint = _WHAT_TO_DO if is_store(path) else "a new repository is made where there is no file yet"
    return failure


def _make(path: str) -> None:
    try:
        made(path)
    except sqlite3.Error as failure:
        raise _fault(failure) from failure


class _Slot:
    """One thread's connection: None once the store is closed. It ends with its thread.

    busy: the thread is using it. Set before the connection is looked at, and looked at after the connection has been
    taken away: so nobody closes what another thread is about to use.
    """

    __slots__ = ("__weakref__", "busy", "connection")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection: sqlite3.Connection | None = connection
        self.busy = False

    def __del__(self) -> None:
        if self.connection is not None:
            self.connection.close()


class _Transaction:
    """`with store.writing() as connection`. The store's lock makes it one at a time within the process."""

    __slots__ = ("_connection", "_slot", "_store", "_was_busy")

    def __init__(self, store: Store) -> None:
        self._store = store

    def __enter__(self) -> sqlite3.Connection:
        store = self._store
        slot = self._slot = store._slot()
        store._writing.acquire()
        self._was_busy, slot.busy = slot.busy, True
        try:
            connection = self._connection = _open_one(slot)
            if store._depth == 0:
                connection.execute("BEGIN IMMEDIATE")
        except BaseException as failure:
            self._left()
            if isinstance(failure, sqlite3.Error):
                raise _fault(failure) from failure
            raise
        store._depth += 1
        return connection

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        store, connection = self._store, self._connection
        store._depth -= 1
        try:
            if store._depth == 0:
                if failure is None:
                    connection.execute("COMMIT")
                else:
                    store.roll_back(connection)
        except sqlite3.Error as broken:
            store.roll_back(connection)
            raise _fault(broken) from broken
        finally:
            self._left()
        if isinstance(failure, sqlite3.Error):
            raise _fault(failure) from failure

    def _left(self) -> None:
        self._slot.busy = self._was_busy
        self._store._writing.release()


def _open_one(slot: _Slot) -> sqlite3.Connection:
    if slot.connection is None:
        raise sqlite3.ProgrammingError("it has been closed")
    return slot.connection


class Snapshot:
    """The store as it is at the first look, for a reading in several portions: all or nothing of any transaction is in
    it. It may be used by one thread after another.

    A reader that takes longer than SNAPSHOT_SECONDS goes on with the store as it is by then. A store in memory has no
    snapshots: what must be whole is read at once (`portioned` is False).
    """

    __slots__ = ("_slot", "_store", "_until")

    def __init__(self, store: Store, slot: _Slot | None) -> None:
        self._store = store
        self._slot = slot
        self._until = monotonic() + SNAPSHOT_SECONDS

    @property
    def portioned(self) -> bool:
        """Whether a reading may be cut in portions."""
        return self._store.path != MEMORY

    def rows(self, statement: str, parameters: tuple[Any, ...]) -> list[Any]:
        """All rows of a reading statement."""
        slot = self._slot
        if slot is not None and monotonic() < self._until:
            return self._store._fetched(slot, statement, parameters, _ALL)  # type: ignore[no-any-return]
        self.close()
        return self._store.rows(statement, parameters)

    def close(self) -> None:
        """Let go of it; any number of times."""
        slot, self._slot = self._slot, None
        if slot is not None:
            self._store._given_back(slot)

    def __del__(self) -> None:
        self.close()


_OPEN: Final[weakref.WeakSet[Store]] = weakref.WeakSet()


def open_here(path: str) -> bool:
    """Whether this process has a store of that file open, by whatever name."""
    wanted = identity(path)
    return wanted is not None and any(identity(one.path) == wanted for one in list(_OPEN))


class Store:
    """One store; usable from any thread. `path` is a file, or ":memory:" for one that ends with the process.

    rolled_back(): called after a transaction has come to nothing, with all that was learnt in it.
    """

    def __init__(self, path: str, *, rolled_back: Callable[[], object] = lambda: None) -> None:
        self.path = path
        self._local = threading.local()
        self._writing = threading.RLock()
        self._depth = 0
        self._closed = False
        self._rolled_back = rolled_back
        self._all: weakref.WeakSet[_Slot] = weakref.WeakSet()
        self._kept: list[_Slot] = []  # for snapshots
        self._memory: _Slot | None = None
        if path == MEMORY:
            # One connection for all threads: a private in-memory database belongs to its connection.
            self._memory = self._opened(MEMORY)
        elif not os.path.exists(path):
            _make(path)
        _OPEN.add(self)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    @property
    def closed(self) -> bool:
        """Whether `close` has been called: all that threads still do here fails."""
        return self._closed

    # Connections

    def _opened(self, path: str) -> _Slot:
        """A connection to the file that has this name, and not to one that was replaced meanwhile (C-44)."""
        for _ in range(_REPLACED_TIMES):
            before = identity(path)
            # SQLite takes such a file for one that begins, and deletes the log beside it.
            if before is not None and (missing := shortened(path)) is not None:
                raise _no_store(path, missing)
            try:
                connection = self._connected(path)
            except sqlite3.Error as failure:
                if before not in (None, identity(path)):
                    continue
                raise _fault(failure) from failure
            # From here on the connection has its lock on the file, and nobody replaces it.
            if before not in (None, identity(path)):
                connection.close()
                continue
            if path != MEMORY and is_ready(path):
                connection.close()
                fault = error(WBEM_E_CRITICAL_ERROR, "the repository is half rebuilt: somebody was killed")
                fault.hint = "openwmi serve completes it when it starts"
                raise fault
            return self._slot_of(connection)
        raise error(WBEM_E_CRITICAL_ERROR, f"the repository {path} is replaced again and again")

    @staticmethod
    def _connected(path: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            path if path == MEMORY else address(path, "rw"),
            uri=path != MEMORY,
            timeout=PATIENCE_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            if path != MEMORY:
                if connection.execute(_IS_ONE).fetchone() is None:
                    raise _no_store(path, "it has no settings")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
        except (sqlite3.Error, WbemError):
            connection.close()
            raise
        return connection

    def _slot_of(self, connection: sqlite3.Connection) -> _Slot:
        slot = _Slot(connection)
        self._all.add(slot)
        if self._closed:  # meanwhile, or long ago
            slot.connection = None
        return slot

    def _slot(self) -> _Slot:
        """This thread's, or the only one of a store in memory."""
        if self._memory is not None:
            return self._memory
        found: _Slot | None = getattr(self._local, "slot", None)
        if found is None:
            found = self._local.slot = self._opened(self.path)
        return found

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        return _open_one(self._slot())

    def _prepare(self) -> None:
        """Make the tables of a store in memory; refuse one of another format."""
        if self._memory is not None:
            make_tables(_open_one(self._memory))
        ((version,),) = self.rows("SELECT value FROM setting WHERE name = 'format'") or [("?",)]
        if version != str(FORMAT):
            raise error(
                WBEM_E_DATABASE_VER_MISMATCH,
                f"the repository {self.path} has format {version}, this is {FORMAT}",
            )

    def roll_back(self, connection: sqlite3.Connection) -> None:
        """End a transaction without a trace; SQLite has ended it by itself after some errors."""
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        self._rolled_back()

    def close(self) -> None:
        """Close every connection that nobody is using; threads that still read get an error. The last one of all
        processes writes the log into the file and takes it away."""
        self._closed = True
        _OPEN.discard(self)
        for slot in list(self._all):
            connection, slot.connection = slot.connection, None
            if connection is not None:
                if slot.busy and slot is not getattr(self._local, "slot", None):
                    connection.interrupt()  # it is closed when its thread lets go of it
                else:
                    connection.close()

    # Reading and writing

    def rows(self, statement: str, parameters: Iterable[Any] = ()) -> list[Any]:
        """All rows of a reading statement, as one consistent look."""
        return self._read(statement, tuple(parameters), _ALL)  # type: ignore[no-any-return]

    def row(self, statement: str, parameters: tuple[Any, ...]) -> Any:
        """The first row of a reading statement, or None."""
        return self._read(statement, parameters, _ONE)

    def _read(
        self, statement: str, parameters: tuple[Any, ...], fetch: Callable[[sqlite3.Cursor], Any]
    ) -> Any:
        try:
            if self._memory is not None:
                with self._writing:
                    return fetch(_open_one(self._memory).execute(statement, parameters))
            try:
                slot: _Slot = self._local.slot
            except AttributeError:
                slot = self._slot()
        except sqlite3.Error as failure:
            raise _fault(failure) from failure
        return self._fetched(slot, statement, parameters, fetch)

    def _fetched(
        self,
        slot: _Slot,
        statement: str,
        parameters: tuple[Any, ...],
        fetch: Callable[[sqlite3.Cursor], Any],
    ) -> Any:
        was_busy, slot.busy = slot.busy, True
        try:
            return fetch(_open_one(slot).execute(statement, parameters))
        except sqlite3.Error as failure:
            raise _fault(failure) from failure
        finally:
            slot.busy = was_busy

    def snapshot(self) -> Snapshot:
        """A look at the store that later transactions do not change. It begins with the first reading."""
        if self._memory is not None:
            return Snapshot(self, None)
        try:
            slot = self._kept.pop()
        except IndexError:
            slot = self._opened(self.path)
        self._fetched(slot, "BEGIN", (), _ONE)
        return Snapshot(self, slot)

    def _given_back(self, slot: _Slot) -> None:
        connection = slot.connection
        try:
            if connection is not None and connection.in_transaction:
                self._fetched(slot, "ROLLBACK", (), _ONE)
        except Exception:  # noqa: BLE001 - it is not used again
            return
        if connection is not None and len(self._kept) < KEPT_CONNECTIONS:
            self._kept.append(slot)

    def log_bytes(self) -> int:
        """How long the log beside the file is, which the last one to close writes into it."""
        try:
            return os.path.getsize(f"{self.path}-wal")
        except OSError:
            return 0

    def writing(self) -> _Transaction:
        """One transaction: committed whole at the end, or not at all. Nested ones belong to the outermost."""
        return _Transaction(self)

    def setting(self, name: str) -> str | None:
        found = self.rows("SELECT value FROM setting WHERE name = ?", (name,))
        return found[0][0] if found else None

    def set(self, name: str, value: str) -> None:
        with self.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))

    # Care

    def check(self) -> list[str]:
        """What SQLite finds wrong with the file; an empty list when it is whole."""
        try:
            found = [row[0] for row in self.rows("PRAGMA integrity_check")]
        except Exception as failure:  # noqa: BLE001 - whatever keeps the file from being read is the finding
            return [str(failure)]
        broken = self.rows("PRAGMA foreign_key_check")
        return [line for line in found if line != "ok"] + [f"dangling row in {row[0]}" for row in broken]

    def backup(self, target: str) -> None:
        """Copy the store, as it is now, into another file; readers and writers go on."""
        fresh = f"{target}.new"
        if os.path.exists(fresh):
            os.unlink(fresh)
        descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        os.close(descriptor)
        copy = sqlite3.connect(fresh)
        try:
            self.connection.backup(copy)
        finally:
            copy.close()
        move(fresh, target)
