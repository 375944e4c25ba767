"""The classes of one namespace: found by name, resolved against their superclass, listed by descent.

Classes are declared by sources (the shipped schema, system classes, classes that programs provide) and resolved one
by one when somebody names them: a query on one class never parses the rest.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from openwmi.model.classes import derive
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_CLASS, WBEM_E_INVALID_SUPERCLASS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from openwmi.model.classes import Class, ClassDeclaration


class ClassSource(Protocol):
    """Where declarations come from. Names are lower case; `superclasses` maps every class to its superclass or None."""

    def superclasses(self) -> Mapping[str, str | None]: ...

    def declaration(self, name: str) -> ClassDeclaration | None: ...


class DeclaredClasses:
    """A source that programs add to while the service runs (providers of tests and third parties)."""

    __slots__ = ("_declarations",)

    def __init__(self) -> None:
        self._declarations: dict[str, ClassDeclaration] = {}

    def add(self, declaration: ClassDeclaration) -> None:
        self._declarations[declaration.name.lower()] = declaration

    def superclasses(self) -> Mapping[str, str | None]:
        return {
            name: declaration.superclass.lower() if declaration.superclass else None
            for name, declaration in list(self._declarations.items())
        }

    def declaration(self, name: str) -> ClassDeclaration | None:
        return self._declarations.get(name)


class Schema:
    """All classes of a namespace; safe to use from any thread. Implements wql's Catalog."""

    __slots__ = (
        "_associations",
        "_classes",
        "_lock",
        "_sources",
        "_system",
        "namespace",
        "server",
        "version",
    )

    def __init__(
        self, namespace: str, server: str, sources: Iterable[ClassSource], system: ClassSource | None = None
    ) -> None:
        self.namespace = namespace
        self.server = server
        self._sources = tuple(sources)
        self._system = system
        self._classes: dict[str, Class] = {}
        self._lock = threading.RLock()
        self._associations: tuple[Class, ...] | None = None
        self.version = object()  # another one after every change of a class: plans compare it

    def find_class(self, name: str) -> Class | None:
        """The class of that name (any case), or None."""
        key = name.lower()
        found = self._classes.get(key)
        if found is None:
            with self._lock:
                found = self._classes.get(key) or self._resolved(key)
        return found

    def class_named(self, name: str) -> Class:
        """The class of that name; INVALID_CLASS when there is none."""
        found = self.find_class(name)
        if found is None:
            raise error(WBEM_E_INVALID_CLASS, f"there is no class {name} in {self.namespace}", parameter=name)
        return found

    def subclasses(self, name: str) -> Iterator[Class]:
        """Every descendant of a class, parents before children; the class itself is not among them."""
        children = self._children(name)
        queue = list(children.get(name.lower(), ()))
        while queue:
            child = queue.pop(0)
            queue.extend(children.get(child, ()))
            found = self.find_class(child)
            if found is not None:
                yield found

    def children(self, name: str | None) -> Iterator[Class]:
        """The direct subclasses of a class; with None the classes that have no superclass."""
        key = None if name is None else name.lower()
        for child in self._children(name).get(key, ()):
            found = self.find_class(child)
            if found is not None:
                yield found

    def classes(self) -> Iterator[Class]:
        """Every class of the namespace, system classes included, each once."""
        seen = set()
        for source in self._all(None):
            for name in list(source.superclasses()):
                if name not in seen:
                    seen.add(name)
                    found = self.find_class(name)
                    if found is not None:
                        yield found

    def associations(self) -> tuple[Class, ...]:
        """Every association class; worked out again after a class has changed."""
        found = self._associations
        if found is None:
            found = self._associations = tuple(class_ for class_ in self.classes() if class_.is_association)
        return found

    def forget(self, name: str) -> None:
        """Drop a resolved class and its descendants after its declaration changed."""
        with self._lock:
            self.version = object()
            self._associations = None
            key = name.lower()
            for known, class_ in list(self._classes.items()):
                if known == key or class_.inherits_from(name):
                    del self._classes[known]

    def forget_all(self) -> None:
        """Drop every resolved class."""
        with self._lock:
            self.version = object()
            self._associations = None
            self._classes.clear()

    def names(self) -> list[str]:
        """The names (lower case) of all classes, without resolving any."""
        return list(dict.fromkeys(name for source in self._all(None) for name in source.superclasses()))

    def _all(self, name: str | None) -> Iterator[ClassSource]:
        """The sources that can hold descendants of `name`. System classes descend from system classes only, and
        their source is costly to open, so that an ordinary query leaves it alone."""
        yield from self._sources
        if self._system is not None and (name is None or name.startswith("__")):
            yield self._system

    def _children(self, name: str | None) -> dict[str | None, list[str]]:
        result: dict[str | None, list[str]] = {}
        seen = set()
        for source in self._all(name):
            for child, superclass in list(source.superclasses().items()):
                if child not in seen:
                    seen.add(child)
                    result.setdefault(superclass, []).append(child)
        return result

    def _resolved(self, key: str) -> Class | None:
        declaration = self._declaration(key)
        if declaration is None:
            return None
        line = [declaration]
        known = {key}
        while line[-1].superclass is not None and line[-1].superclass.lower() not in self._classes:
            above = line[-1].superclass.lower()
            parent = self._declaration(above)
            if parent is None or above in known:
                raise error(
                    WBEM_E_INVALID_SUPERCLASS,
                    f"class {line[-1].name}: superclass {line[-1].superclass} is missing",
                )
            known.add(above)
            line.append(parent)
        resolved: Class | None = None
        for one in reversed(line):
            above_class = self._classes[one.superclass.lower()] if one.superclass is not None else None
            resolved = derive(one, above_class, namespace=self.namespace, server=self.server)
            self._classes[one.name.lower()] = resolved
        return resolved

    def _declaration(self, key: str) -> ClassDeclaration | None:
        for source in self._all(key):
            found = source.declaration(key)
            if found is not None:
                return found
        return None
