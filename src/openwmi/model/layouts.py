"""Layouts: what all instances of a class, or all rows of a projection, share (model.md A-144 to A-149)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.model.paths import relpath_of
from openwmi.model.system import ALWAYS_SHOWN, GENUS_INSTANCE, LOCATION, full_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openwmi.model.classes import Class


class Layout:
    """The shape of a row: names, types and keys, with the class they come from.

    names: properties, declared case, class order; types: their type codes; index: lower-case name -> position;
    keys: positions of the key properties that are present; key_names: all keys of the class; key_complete: whether all
    of them are present; references: per property the class of a strong reference or object, or None; shown: names of
    the system properties that are filled, None for all; source: for a projection the positions in the original.
    """

    __slots__ = (
        "class_",
        "class_name",
        "derivation",
        "dynasty",
        "index",
        "key_complete",
        "key_names",
        "keys",
        "names",
        "namespace",
        "references",
        "server",
        "shown",
        "singleton",
        "source",
        "superclass",
        "types",
    )

    def __init__(
        self,
        class_name: str,
        names: Iterable[str],
        types: Iterable[int],
        *,
        superclass: str | None = None,
        derivation: tuple[str, ...] = (),
        dynasty: str | None = None,
        key_names: tuple[str, ...] = (),
        namespace: str | None = None,
        server: str | None = None,
        class_: Class | None = None,
        shown: frozenset[str] | None = None,
        references: tuple[str | None, ...] | None = None,
        source: tuple[int, ...] | None = None,
        singleton: bool = False,
    ) -> None:
        self.class_name = class_name
        self.superclass = superclass
        self.derivation = derivation
        self.dynasty = dynasty if dynasty is not None else (derivation[-1] if derivation else class_name)
        self.names = tuple(names)
        self.types = tuple(types)
        self.index = {name.lower(): position for position, name in enumerate(self.names)}
        self.key_names = key_names
        present = [self.index.get(name.lower()) for name in key_names]
        self.keys = tuple(position for position in present if position is not None)
        self.key_complete = len(self.keys) == len(key_names)
        self.namespace = namespace
        self.server = server
        self.class_ = class_
        self.shown = shown
        self.references = references if references is not None else (None,) * len(self.names)
        self.source = source if source is not None else tuple(range(len(self.names)))
        self.singleton = singleton

    def __repr__(self) -> str:
        return f"<Layout {self.class_name}({', '.join(self.names)})>"

    def project(self, names: Iterable[str], *, locatable: bool = False, system: Iterable[str] = ()) -> Layout:
        """The layout of the rows that hold only the named properties, in class order; unknown names are passed over.

        `system`: system properties that the query names, which are then filled (A-147); for __PATH and __RELPATH, and
        with `locatable` (ENSURE_LOCATABLE), the keys come along. Otherwise only the class and the count are filled
        (A-144), and __RELPATH where all keys happen to be present (A-145).
        """
        asked = frozenset(name.upper() for name in system)
        wanted = {name.lower() for name in names}
        if locatable or asked & {"__PATH", "__RELPATH"}:
            wanted.update(name.lower() for name in self.key_names)
        positions = [position for position, name in enumerate(self.names) if name.lower() in wanted]
        shown = ALWAYS_SHOWN | asked | (LOCATION if locatable else frozenset())
        if self.singleton or (self.key_names and all(name.lower() in wanted for name in self.key_names)):
            shown |= {"__RELPATH"}
        return self._with(
            positions=tuple(positions), shown=shown if self.shown is None else shown & self.shown
        )

    def decorated(self, namespace: str | None, server: str | None) -> Layout:
        """The same layout in another namespace, or in none (A-045, A-149)."""
        return self._with(namespace=namespace, server=server)

    def _with(
        self,
        *,
        positions: tuple[int, ...] | None = None,
        shown: frozenset[str] | None = None,
        namespace: str | None = None,
        server: str | None = None,
    ) -> Layout:
        cut = positions is not None
        chosen = positions if positions is not None else tuple(range(len(self.names)))
        return Layout(
            self.class_name,
            [self.names[one] for one in chosen],
            [self.types[one] for one in chosen],
            superclass=self.superclass,
            derivation=self.derivation,
            dynasty=self.dynasty,
            key_names=self.key_names,
            namespace=self.namespace if cut else namespace,
            server=self.server if cut else server,
            class_=self.class_,
            shown=shown if cut else self.shown,
            references=tuple([self.references[one] for one in chosen]),
            source=chosen if cut else self.source,
            singleton=self.singleton,
        )

    def relpath(self, values: tuple[Any, ...]) -> str | None:
        """The __RELPATH of a row; None without keys, or while one is NULL (A-143)."""
        if self.singleton:
            return f"{self.class_name}=@"
        keys = self.keys
        if not keys or not self.key_complete:
            return None
        if len(keys) == 1:
            position = keys[0]
            return relpath_of(
                self.class_name, (self.names[position],), (self.types[position],), (values[position],)
            )
        return relpath_of(
            self.class_name,
            [self.names[one] for one in keys],
            [self.types[one] for one in keys],
            [values[one] for one in keys],
        )

    def system(self, name: str, values: tuple[Any, ...]) -> Any:
        """A system property of a row, by its upper-case name; NULL where it is not `shown`."""
        if self.shown is not None and name not in self.shown:
            return () if name == "__DERIVATION" else None
        if name == "__CLASS":
            return self.class_name
        if name == "__GENUS":
            return GENUS_INSTANCE
        if name == "__PROPERTY_COUNT":
            return len(self.names)
        if name == "__RELPATH":
            return self.relpath(values)
        if name == "__PATH":
            return full_path(self.server, self.namespace, self.relpath(values))
        read: Any = getattr(self, name[2:].lower())
        return read
