"""The tree of namespaces, and what one namespace holds: its schema and the ways to its instances (model.md B1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.contract.flags import MAX_NAMESPACE
from openwmi.model.errors import error
from openwmi.model.names import namespace_path
from openwmi.model.status import (
    WBEM_E_INVALID_NAMESPACE,
    WBEM_E_INVALID_OPERATION,
    WBEM_E_QUOTA_VIOLATION,
)
from openwmi.service.hosting import NamespaceProviders, is_registration
from openwmi.service.schema import DeclaredClasses, Schema
from openwmi.service.stored import StoredClasses, ident_of, index_value, is_indexed, keys_of, root_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance
    from openwmi.repository.repository import Change
    from openwmi.repository.shared import SharedRepository
    from openwmi.repository.store import Snapshot
    from openwmi.service.access import Access
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


class Namespace:
    """One namespace: its schema, and the namespaces and providers of the whole service."""

    __slots__ = ("namespaces", "path", "provided", "providers", "schema", "stored")

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
        self.providers = NamespaceProviders(self, providers)
        self.provided = DeclaredClasses()
        self.stored = StoredClasses(namespaces.repository, path)
        self.schema = Schema(path, namespaces.server, (self.provided, self.stored, *sources), system)

    @property
    def server(self) -> str:
        return self.namespaces.server

    def children(self) -> Iterator[str]:
        """The names of the namespaces right below this one."""
        return self.namespaces.children(self.path)

    def static_instances(
        self,
        class_: Class,
        conditions: Sequence[tuple[str, str, Any]] = (),
        snapshot: Snapshot | None = None,
    ) -> Iterator[Instance]:
        """The instances of a static class. The tree itself holds those of one class: __NAMESPACE (B-01).

        conditions: (property, operator, value); equality of an indexed property is left to the store's index. snapshot:
        that of an operation which reads several classes.
        """
        if class_.name.lower() == "__namespace":
            for name in self.children():
                yield class_.spawn({"Name": name})
            return
        equal = [
            (name, index_value(self, class_, name, value))
            for name, operator, value in conditions
            if operator == "=" and value is not None and is_indexed(class_, name)
        ]
        empty = True
        stored = self.namespaces.repository.instances(
            self.path, class_, self.schema.find_class, equal, snapshot
        )
        for one in stored:
            empty = False
            yield one
        if empty and (brought := self.built_in(class_)) is not None:
            yield brought
        for ident, one in self._brought(class_).items():
            if self.namespaces.repository.class_of(self.path, root=root_of(class_), ident=ident) is None:
                yield one

    def static_instance(self, class_: Class, keys: Mapping[str, object]) -> Instance | None:
        """The instance of exactly this static class that has these keys."""
        if class_.name.lower() == "__namespace":
            wanted = str(keys["Name"]).lower()
            return next(
                (one for one in self.static_instances(class_) if one.raw_("Name").lower() == wanted), None
            )
        ident = ident_of(class_, keys)
        if ident is None:
            return None
        found = self.namespaces.repository.instance(
            self.path, class_, self.schema.find_class, root=root_of(class_), ident=ident
        )
        if found is not None:
            return found
        return self.brought(class_, ident)

    def brought(self, class_: Class, ident: str) -> Instance | None:
        """The instance of this key that is there without having been stored."""
        return self.built_in(class_) or self._brought(class_).get(ident)

    def _brought(self, class_: Class) -> dict[str, Instance]:
        """Instances that come with the service, by key; stored ones may stand in their place."""
        made = [
            class_.spawn(values) for values in self.namespaces.brought(self.path.lower(), class_.name.lower())
        ]
        return {ident_of(class_, keys_of(one)) or "": one for one in made}

    def built_in(self, class_: Class) -> Instance | None:
        """The instance of a system singleton that is there without having been stored."""
        if not class_.is_singleton or not class_.is_system:
            return None
        from openwmi.service.limits import built_in

        return built_in(self, class_)


def normalised(path: str) -> str:
    """A namespace path with backslashes; QUOTA_VIOLATION or INVALID_NAMESPACE when it cannot be one (A30, A36)."""
    if len(path) > MAX_NAMESPACE:
        raise error(WBEM_E_QUOTA_VIOLATION, f"a namespace path has at most {MAX_NAMESPACE} characters")
    return namespace_path(path)


class Namespaces:
    """All namespaces of a service. Reading is safe from any thread."""

    __slots__ = (
        "_access",
        "_loaded",
        "_providers",
        "_sources",
        "_spaces",
        "_standard",
        "_stored",
        "_system",
        "brought",
        "identification",
        "repository",
        "server",
    )

    def __init__(
        self,
        server: str,
        providers: Providers,
        repository: SharedRepository,
        *,
        sources: Callable[[str], Iterable[ClassSource]] = lambda path: (),
        system: ClassSource | None = None,
        standard: Iterable[str] = STANDARD,
        identification: Callable[[], Mapping[str, Any]] = dict,
        brought: Callable[[str, str], Iterable[Mapping[str, Any]]] = lambda path, class_name: (),
    ) -> None:
        """identification: the values of __CIMOMIdentification. brought: those of the instances of a class that come
        with the service in a namespace (both in lower case)."""
        self.brought = brought
        self.server = server
        self.identification = identification
        self.repository = repository
        self._providers = providers
        self._sources = sources
        self._system = system
        self._spaces: dict[str, Namespace] = {}
        self._stored: set[str] = set()  # those that are there because the store has them
        self._loaded = False
        self._standard = {self.add(path).path.lower() for path in standard}
        repository.listen(self._on_change)
        self._access: Access | None = None

    @property
    def access(self) -> Access:
        """Who may do what; read when the first caller comes from elsewhere."""
        if self._access is None:
            from openwmi.service.access import Access

            self._access = Access(self)
        return self._access

    def refresh(self) -> None:
        """Take in what this or another process has committed to the store; done before every operation."""
        self.repository.refresh()
        if not self._loaded and self.repository.existing is not None:
            self._loaded = True
            self._take(self.repository.namespaces())

    def _take(self, stored: list[str]) -> None:
        """Have the namespaces of the store, and none that it had before a restore took them away (A14)."""
        for path in stored:
            self.add(path)
        known = {path.lower() for path in stored}
        for gone in self._stored - known - self._standard:
            space = self._spaces.get(gone)
            if space is not None and not space.provided.superclasses():
                self._remove(gone)
        self._stored = known

    def find(self, path: str) -> Namespace | None:
        """The namespace of that path in any case and with either slash, or None."""
        return self._spaces.get(normalised(path).lower())

    def named(self, path: str) -> Namespace:
        """The namespace of that path; INVALID_NAMESPACE when there is none."""
        self.refresh()
        found = self.find(path)
        if found is None:
            raise error(WBEM_E_INVALID_NAMESPACE, f"there is no namespace {path}", namespace=path)
        return found

    def add(self, path: str) -> Namespace:
        """Take a namespace and those above it into the tree; an existing one is returned as it is."""
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

    def create(self, path: str) -> None:
        """Make a namespace that stays."""
        self.repository.opened().add_namespace(normalised(path))
        self.refresh()
        self.add(path)

    def delete(self, path: str) -> None:
        """Remove a namespace with everything in it and below it; those of the system stay."""
        path = normalised(path)
        kept = [one for one in STANDARD if f"{one}\\".lower().startswith(f"{path}\\".lower())]
        if kept:
            raise error(WBEM_E_INVALID_OPERATION, f"{kept[0]} comes with the system", namespace=path)
        self.repository.opened().delete_namespace(path)
        self.refresh()
        self._remove(path)

    def singleton(self, path: str, class_name: str) -> Instance | None:
        """The instance of a static singleton class, None where there is no such namespace or class."""
        space = self.find(path)
        class_ = space.schema.find_class(class_name) if space is not None else None
        if space is None or class_ is None or not class_.is_singleton:
            return None
        return space.static_instance(class_, {})

    def spaces(self) -> list[Namespace]:
        """All that there are."""
        return list(self._spaces.values())

    def children(self, path: str) -> Iterator[str]:
        """The names of the namespaces right below a path, in stored case."""
        prefix = path.lower() + "\\"
        for key, space in list(self._spaces.items()):
            if key.startswith(prefix) and "\\" not in key[len(prefix) :]:
                yield space.path[len(prefix) :]

    def _remove(self, path: str) -> None:
        prefix = path.lower() + "\\"
        for key in [key for key in self._spaces if f"{key}\\".startswith(prefix)]:
            gone = self._spaces.pop(key, None)
            if gone is not None:
                gone.providers.retire()

    def _on_change(self, change: Change) -> None:
        if change.kind == "namespace+":
            self._stored.add(self.add(change.namespace).path.lower())
        elif change.kind == "namespace-":
            self._remove(change.namespace)
        elif change.kind == "gap":
            self._loaded = False
            for each in list(self._spaces.values()):
                each.stored.changed()
                each.schema.forget_all()
                each.providers.changed()
        elif change.kind.startswith("class"):
            space = self._spaces.get(change.namespace.lower())
            if space is not None:
                space.stored.changed()
                space.schema.forget(change.class_name)
        elif is_registration(change):
            space = self._spaces.get(change.namespace.lower())
            if space is not None:
                space.providers.changed()
