"""A damaged store rebuilt at the start of the process that owns it (model.md C-44).

What can still be read of it is kept, and it wins over what the files of the recovery list say: it is newer. They are
compiled only when something is lost, so that what was deleted does not come back for nothing. Who may do what must not
become more: where it cannot be known any more, administrators alone are admitted, and over sealed connections alone.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from openwmi import mof
from openwmi.model.errors import MofError, WbemError, error
from openwmi.model.status import WBEM_E_CRITICAL_ERROR
from openwmi.mof.resolution import DEFAULT_NAMESPACE
from openwmi.recovery.moffiles import read, store
from openwmi.recovery.salvaging import Filling, fresh_host
from openwmi.repository import damage
from openwmi.repository.care import RECOVERY, list_beside, put_list_beside, recovery_list, told_rebuilt
from openwmi.repository.making import FORMAT
from openwmi.repository.salvage import Remains
from openwmi.repository.store import open_here
from openwmi.repository.text import dumped
from openwmi.service.access import CLOSED
from openwmi.service.limits import SECURITY, THIS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openwmi.host import Host

_LOG: Final = logging.getLogger("openwmi.repository")
_DAMAGED: Final = "damaged.db"


def mend(path: str, owner_lock: str) -> None:
    """Rebuild the store when it is damaged, if this process is the one to do it; else it stays as it is, and opening
    it says what is wrong.

    One that this or another process has open, or that another one owns, is left to that.
    """
    try:
        fault = damage.damage(path, form=str(FORMAT), ours=damage.is_store(path))
        if fault is None and not damage.is_ready(path):
            put_list_beside(path)
            return
        if open_here(path):
            return  # under another name; who opened it first hears what is wrong
        with _owned(owner_lock) as mine, damage.held(path) as descriptor:
            if not mine or descriptor is None:
                _LOG.warning("the repository %s is damaged (%s), but open in another process", path, fault)
            elif damage.is_ready(path):
                damage.complete(path)
                _LOG.warning("the rebuilding of the repository %s, which was interrupted, is completed", path)
            else:
                _rebuild(path, descriptor)
    except ImportError:  # without the locks of POSIX nobody can know who else has it open
        return
    except (OSError, WbemError, sqlite3.Error) as reason:
        _LOG.error("the repository %s could not be looked after: %s", path, reason)


@contextmanager
def _owned(path: str) -> Iterator[bool]:
    """Hold the owner lock: whoever owns the store is not to be disturbed. What it says of its holder stays."""
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _rebuild(path: str, descriptor: int) -> None:
    folder = path + damage.WORK
    shutil.rmtree(folder, ignore_errors=True)  # of somebody who was killed
    os.mkdir(folder, 0o700)
    try:
        copy = os.path.join(folder, _DAMAGED)
        damage.copied(descriptor, path, copy)
        fault = damage.damage(copy, form=str(FORMAT), ours=True)
        if fault is None:
            return  # somebody has restored it meanwhile
        when = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        rebuilding = Rebuilding(path, copy, folder)
        fresh, report = rebuilding.run()
        aside = damage.kept(copy, path, when)
        report = {"when": when, "fault": fault, "aside": aside, **report}
        _note(fresh, report)
        damage.replace(path, fresh)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for line in told_rebuilt(report):
        _LOG.warning("%s: %s", path, line)


def _note(fresh: str, report: dict[str, Any]) -> None:
    """Have the new store say what became of the old one."""
    connection = sqlite3.connect(fresh)
    try:
        with connection:
            connection.execute("INSERT OR REPLACE INTO setting VALUES ('rebuilt', ?)", (dumped(report),))
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise error(WBEM_E_CRITICAL_ERROR, "the new store could not be closed")
    finally:
        connection.close()


class Rebuilding:
    """Makes a new store in a folder, from the copy of a damaged one and the recovery list."""

    def __init__(self, path: str, copy: str, folder: str) -> None:
        self._path = path
        self._copy = copy
        self._folder = folder
        self._compiled: list[str] = []
        self._failed: list[str] = []
        self._closed: list[str] = []

    def run(self) -> tuple[str, dict[str, Any]]:
        """The file, and what there is to say of it."""
        remains = None
        with suppress(WbemError):
            remains = Remains(self._copy)
        if remains is None:
            return self._made("listed", self._listed), self._report(0, 0, 0, ())
        try:
            filling = Filling(remains)
            made = self._made("kept", filling.all)
            if not remains.whole:
                remains.unreadable = 0
                filling = Filling(remains)
                made = self._made("both", lambda fresh: self._both(fresh, filling))
        finally:
            remains.close()
        torn = tuple(dict.fromkeys(remains.torn))
        return made, self._report(filling.classes, filling.instances, remains.unreadable, torn)

    def _made(self, name: str, fill: Callable[[Host], object]) -> str:
        """A new store of that name, closed and in one file."""
        fresh = fresh_host(os.path.join(self._folder, name))
        try:
            fill(fresh)
        finally:
            fresh.shut_down()
            fresh.repository.close()
        return fresh.repository.path

    def _listed(self, fresh: Host) -> None:
        self._compile(fresh)
        self._close(fresh, set())

    def _both(self, fresh: Host, filling: Filling) -> None:
        filling.begin(fresh)
        self._compile(fresh)
        filling.put(fresh)
        self._close(fresh, filling.kinds)

    def _compile(self, fresh: Host) -> None:
        """The files of the list in order, by their own pragmas alone; one that will not do is told, not the end."""
        repository = fresh.repository.opened()
        files = recovery_list(repository.store) or list_beside(self._path)
        for file in files:
            try:
                store(fresh, read(file), DEFAULT_NAMESPACE, class_flags=0, instance_flags=0)
            except MofError as failure:
                self._failed.append(mof.explain(failure).splitlines()[0])
            except WbemError as failure:
                self._failed.append(f"{file}: {failure.message}")
            else:
                self._compiled.append(file)
        repository.store.set(RECOVERY, dumped(files))

    def _close(self, fresh: Host, known: set[tuple[str, str]]) -> None:
        """Admit administrators alone to the namespaces whose descriptors are not among what was kept."""
        fresh.namespaces.refresh()
        for space in fresh.namespaces.spaces():
            key = space.path.lower()
            if (key, THIS) not in known:
                fresh.namespaces.access.store(space, CLOSED)
                self._closed.append(space.path)
            if (key, SECURITY) not in known:
                fresh.namespaces.access.require_encryption(space, True)

    def _report(self, classes: int, instances: int, unreadable: int, torn: tuple[str, ...]) -> dict[str, Any]:
        return {
            "classes": classes,
            "instances": instances,
            "unreadable": unreadable,
            "torn": torn,
            "compiled": self._compiled,
            "failed": self._failed,
            "closed": self._closed,
        }
