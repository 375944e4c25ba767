"""`openwmi repository salvage` and `reset`: a new content for a store, from what is left of it or from nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import TYPE_CHECKING, NamedTuple

from openwmi.model.errors import WbemError, error
from openwmi.model.status import WBEM_E_NOT_FOUND
from openwmi.repository.care import RECOVERY, restore

if TYPE_CHECKING:
    from openwmi.host import Host
    from openwmi.repository.salvage import Remains, StoredInstance


class Salvaged(NamedTuple):
    """How much of a store was kept, and how many rows could be read but not be used; aside: the file as it was."""

    classes: int
    instances: int
    lost: int
    torn: tuple[str, ...]
    aside: str


def reset(path: str, *, force: bool) -> None:
    """Give a store the content of one that has just been made (C-45)."""
    with tempfile.TemporaryDirectory(dir=_folder(path)) as folder:
        fresh = fresh_host(folder)
        fresh.repository.close()
        restore(path, fresh.repository.path, force=force)


def salvage(path: str, *, force: bool) -> Salvaged:
    """Give a store all that can still be read of it (C-45). The file as it was stays beside it."""
    from openwmi.repository.salvage import Remains

    if not os.path.exists(path):
        raise error(WBEM_E_NOT_FOUND, f"there is no repository at {path}")
    aside = _aside(path)
    remains = Remains(aside)
    try:
        with tempfile.TemporaryDirectory(dir=_folder(path)) as folder:
            fresh = fresh_host(folder)
            try:
                filling = Filling(remains)
                filling.all(fresh)
            finally:
                fresh.repository.close()
            restore(path, fresh.repository.path, force=force)
    finally:
        remains.close()
    torn = tuple(dict.fromkeys(remains.torn))
    return Salvaged(filling.classes, filling.instances, remains.unreadable, torn, aside)


def _folder(path: str) -> str:
    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return folder


def fresh_host(folder: str) -> Host:
    """A host on a store of its own."""
    from openwmi.host import Host

    os.makedirs(folder, mode=0o700, exist_ok=True)
    made = Host(os.path.join(folder, "fresh.db"), subscriptions=False)
    made.repository.opened()
    return made


def _aside(path: str) -> str:
    """A copy of the store with its log under the first free name."""
    number = 1
    while os.path.exists(f"{path}.damaged{number}"):
        number += 1
    copy = f"{path}.damaged{number}"
    for suffix in ("", "-wal"):
        if os.path.exists(path + suffix):
            shutil.copy2(path + suffix, copy + suffix)
    return copy


class Filling:
    """Puts what remains of a store into a new one.

    classes, instances: how many were; kinds: the namespaces and classes (both in lower case) of the instances
    """

    def __init__(self, remains: Remains) -> None:
        self._remains = remains
        self.classes = 0
        self.instances = 0
        self.kinds: set[tuple[str, str]] = set()

    def all(self, fresh: Host) -> None:
        self.begin(fresh)
        self.put(fresh)

    def begin(self, fresh: Host) -> None:
        """The recovery list and the namespaces."""
        repository = fresh.repository.opened()
        with repository.store.writing():
            listed = self._remains.setting(RECOVERY)
            if listed is not None:
                repository.store.set(RECOVERY, listed)
            for namespace in self._remains.namespaces():
                repository.add_namespace(namespace)
        fresh.namespaces.refresh()

    def put(self, fresh: Host) -> None:
        """Classes and instances, in place of those that are there."""
        repository = fresh.repository.opened()
        with repository.store.writing():
            for namespace, declaration in self._remains.classes():
                repository.put_class(namespace, declaration)
                self.classes += 1
        fresh.namespaces.refresh()
        with repository.store.writing():
            for stored in self._remains.instances():
                try:
                    _put(fresh, stored)
                except (WbemError, LookupError, TypeError, ValueError):
                    self._remains.unreadable += 1
                    continue
                self.instances += 1
                self.kinds.add((stored.namespace.lower(), stored.class_name.lower()))


def _put(fresh: Host, stored: StoredInstance) -> None:
    """An instance under its key, with the index that its class asks for now."""
    from openwmi.service.stored import indexed_values

    space = fresh.namespaces.named(stored.namespace)
    class_ = space.schema.class_named(stored.class_name)
    repository = fresh.repository.opened()
    instance = repository.composed(
        class_, space.schema.find_class, stored.names, stored.body, stored.defaults, stored.extras
    )
    repository.put_instance(
        space.path,
        instance,
        root=stored.root,
        ident=stored.ident,
        indexed=indexed_values(space, class_, instance),
    )
