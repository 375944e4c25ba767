"""A repository that comes into being with its first write, and what has changed in it since one last looked."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from openwmi.model.classes import Class, ClassDeclaration
    from openwmi.model.instances import Instance
    from openwmi.repository.repository import Change, Repository
    from openwmi.repository.store import Snapshot

MEMORY = ":memory:"
# A log of this length is written into the store within the time that an exit may take.
LEFT_BYTES = 8 << 20


class SharedRepository:
    """One process's view of a store that others may write too.

    A store that has no file yet is empty, and stays unopened (a query on a fresh machine loads no database code) until
    something is written to it, by this process or another one.

    mend: run before the store is opened, while this process does not have it open.
    """

    __slots__ = ("_listeners", "_lock", "_opened", "_repository", "_seen", "mend", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self.mend: Callable[[], object] | None = None
        self._repository: Repository | None = None
        self._lock = threading.RLock()
        self._seen = 0
        self._opened = False  # since the last look
        self._listeners: list[Callable[[Change], None]] = []

    @property
    def existing(self) -> Repository | None:
        """The repository, if there is one to read."""
        if self._repository is None and self.path != MEMORY and os.path.exists(self.path):
            self.opened()
        return self._repository

    def opened(self) -> Repository:
        """The repository, made when it is not there."""
        with self._lock:
            if self._repository is None:
                if self.mend is not None:
                    self.mend()
                from openwmi.repository.repository import Repository

                self._repository = Repository(self.path)
                self._seen = self._repository.last_change()
                self._opened = True
            return self._repository

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Hear of every change from now on, from every process, when `refresh` finds it."""
        self._listeners.append(listener)

    def refresh(self) -> None:
        """Pass on what anybody has committed since the last look. A store that was not open then is a gap: somebody
        else may have made it meanwhile, and what was taken for nothing may be something."""
        repository = self.existing
        if repository is None:
            return
        if self._opened:
            with self._lock:
                self._opened = False
                from openwmi.repository.repository import Change

                self._tell(Change(self._seen, "", "gap", "", None, None))
        if repository.last_change() != self._seen:
            with self._lock:
                while changes := repository.changes(self._seen):
                    if changes[0].sequence > self._seen + 1:
                        self._tell(changes[0]._replace(kind="gap"))
                    for change in changes:
                        self._tell(change)
                    self._seen = changes[-1].sequence

    def _tell(self, change: Change) -> None:
        if change.kind == "gap" and self._repository is not None:
            self._repository.forget()
        for listener in self._listeners:
            listener(change)

    def close(self) -> None:
        with self._lock:
            if self._repository is not None:
                self._repository.store.close()
                self._repository = None

    def leave(self) -> None:
        """At the end of the process: close what nobody uses, so that the last one leaves a single file behind; but not
        where that would take long. What is left open then costs the next one to open the store a moment."""
        repository = self._repository
        if repository is not None and repository.store.log_bytes() <= LEFT_BYTES:
            repository.store.close()

    @property
    def left(self) -> bool:
        """Whether the process ends and has closed the store: what threads still do with it fails, and nobody wants to
        know."""
        repository = self._repository
        return repository is not None and repository.store.closed

    # Reading, where an absent store is an empty one

    def namespaces(self) -> list[str]:
        repository = self.existing
        return repository.namespaces() if repository is not None else []

    def superclasses(self, namespace: str) -> Mapping[str, str | None]:
        repository = self.existing
        return repository.superclasses(namespace) if repository is not None else {}

    def declaration(self, namespace: str, name: str) -> ClassDeclaration | None:
        repository = self.existing
        return repository.declaration(namespace, name) if repository is not None else None

    def instances(
        self,
        namespace: str,
        class_: Class,
        find: Callable[[str], Class | None],
        conditions: Sequence[tuple[str, Any]] = (),
        snapshot: Snapshot | None = None,
    ) -> Iterator[Instance]:
        repository = self.existing
        if repository is None:
            return iter(())
        return repository.instances(namespace, class_, find, conditions, snapshot)

    def snapshot(self) -> Snapshot | None:
        repository = self.existing
        return None if repository is None else repository.store.snapshot()

    def instance(
        self, namespace: str, class_: Class, find: Callable[[str], Class | None], *, root: str, ident: str
    ) -> Instance | None:
        repository = self.existing
        if repository is None:
            return None
        return repository.instance(namespace, class_, find, root=root, ident=ident)

    def class_of(self, namespace: str, *, root: str, ident: str) -> str | None:
        repository = self.existing
        return repository.class_of(namespace, root=root, ident=ident) if repository is not None else None

    def count_instances(self, class_name: str) -> int:
        repository = self.existing
        return repository.count_instances(class_name) if repository is not None else 0

    def has_instances(self, namespace: str, class_names: Sequence[str]) -> bool:
        repository = self.existing
        return repository is not None and repository.has_instances(namespace, class_names)

    def has_value(self, namespace: str, class_: Class, name: str) -> bool:
        repository = self.existing
        return repository is not None and repository.has_value(namespace, class_, name)
