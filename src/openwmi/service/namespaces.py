"""The tree of namespaces, and what one namespace holds: its schema and the ways to its instances (model.md B1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from openwmi.contract.flags import MAX_NAMESPACE
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_NAMESPACE, WBEM_E_QUOTA_VIOLATION
from openwmi.service.schema import DeclaredClasses, Schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from openwmi.model.classes import Class
    from openwmi.service.hosting import Providers
    from openwmi.service.schema import ClassSource

# What every host has (B-04), in stored case.
STANDARD: Final = (
    "root",
    "root\\cimv2",
    "root\\cimv2\\ms_409",
    "root\\cimv2\\Security",
    "root\\cimv2\\power",
    "root\\cimv2\\TerminalServices",
    "root\\default",
    "root\\subscription",
    "root\\StandardCimv2",
    "root\\WMI",
    "root\\interop",
    "root\\Microsoft",
    "root\\Microsoft\\Windows",
    "root\\Microsoft\\Windows\\Storage",
)
_COMPONENT: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,254}\Z")


class Namespace:
    """One namespace: its schema, and the namespaces and providers of the whole service."""

    __slots__ = ("namespaces", "path", "provided", "providers", "schema")

    def __init__(
        self,
        path: str,
        namespaces: Namespaces,
        providers: Providers,
        *,
        sources: Iterable[ClassSource],
        system: ClassSource | None,
    ) -> None:
        self.path = path
        self.namespaces = namespaces
        self.providers = providers
        self.provided = DeclaredClasses()
        self.schema = Schema(path, namespaces.server, (self.provided, *sources), system)

    @property
    def server(self) -> str:
        return self.namespaces.server

    def children(self) -> Iterator[str]:
        """The names of the namespaces right below this one."""
        return self.namespaces.children(self.path)

    def static_rows(self, class_: Class, columns: tuple[str, ...]) -> Iterator[tuple[object, ...]]:
        """The instances of a static class. Of these the tree itself holds one: __NAMESPACE (B-01)."""
        if class_.name.lower() == "__namespace":
            for name in self.children():
                yield tuple(name if column.lower() == "name" else None for column in columns)

    def static_get(
        self, class_: Class, keys: Mapping[str, object], columns: tuple[str, ...]
    ) -> Iterator[tuple[object, ...]]:
        """The instance of a static class that has these keys, or nothing."""
        wanted = {name.lower(): value for name, value in keys.items()}
        read = tuple(dict.fromkeys((*columns, *class_.keys)))
        for row in self.static_rows(class_, read):
            values = {name.lower(): value for name, value in zip(read, row, strict=True)}
            if all(_same(values[name], value) for name, value in wanted.items()):
                yield row[: len(columns)]


def _same(left: object, right: object) -> bool:
    """Key values compare without regard to case (A-175)."""
    if isinstance(left, str) and isinstance(right, str):
        return left.upper() == right.upper()
    return left == right


def normalised(path: str) -> str:
    """A namespace path with backslashes; QUOTA_VIOLATION or INVALID_NAMESPACE when it cannot be one (A30, A36)."""
    if len(path) > MAX_NAMESPACE:
        raise error(WBEM_E_QUOTA_VIOLATION, f"a namespace path has at most {MAX_NAMESPACE} characters")
    parts = path.replace("/", "\\").split("\\")
    if not all(_COMPONENT.match(part) for part in parts):
        raise error(WBEM_E_INVALID_NAMESPACE, f"not a namespace: {path!r}", namespace=path)
    return "\\".join(parts)


class Namespaces:
    """All namespaces of a service. Reading is safe from any thread."""

    __slots__ = ("_providers", "_sources", "_spaces", "_system", "server")

    def __init__(
        self,
        server: str,
        providers: Providers,
        *,
        sources: Callable[[str], Iterable[ClassSource]] = lambda path: (),
        system: ClassSource | None = None,
        standard: Iterable[str] = STANDARD,
    ) -> None:
        self.server = server
        self._providers = providers
        self._sources = sources
        self._system = system
        self._spaces: dict[str, Namespace] = {}
        for path in standard:
            self.add(path)

    def find(self, path: str) -> Namespace | None:
        """The namespace of that path in any case and with either slash, or None."""
        return self._spaces.get(normalised(path).lower())

    def named(self, path: str) -> Namespace:
        """The namespace of that path; INVALID_NAMESPACE when there is none."""
        found = self.find(path)
        if found is None:
            raise error(WBEM_E_INVALID_NAMESPACE, f"there is no namespace {path}", namespace=path)
        return found

    def add(self, path: str) -> Namespace:
        """Make a namespace and those above it; an existing one is returned as it is."""
        path = normalised(path)
        parent, _, _ = path.rpartition("\\")
        if parent and parent.lower() not in self._spaces:
            self.add(parent)
        found = self._spaces.get(path.lower())
        if found is None:
            found = Namespace(
                path, self, self._providers, sources=self._sources(path.lower()), system=self._system
            )
            self._spaces[path.lower()] = found
        return found

    def children(self, path: str) -> Iterator[str]:
        """The names of the namespaces right below a path, in stored case."""
        prefix = path.lower() + "\\"
        for key, space in list(self._spaces.items()):
            if key.startswith(prefix) and "\\" not in key[len(prefix) :]:
                yield space.path[len(prefix) :]
