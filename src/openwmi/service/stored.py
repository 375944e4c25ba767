"""How static classes and instances are found in the repository: sources of a schema, keys, and what queries ask."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from openwmi.model.paths import relpath_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openwmi.model.classes import Class, ClassDeclaration
    from openwmi.model.instances import Instance
    from openwmi.repository.shared import SharedRepository


class StoredClasses:
    """The stored classes of one namespace as a source of its schema. The list of names is kept until it changes."""

    __slots__ = ("_lock", "_names", "_namespace", "_repository")

    def __init__(self, repository: SharedRepository, namespace: str) -> None:
        self._repository = repository
        self._namespace = namespace
        self._names: Mapping[str, str | None] | None = None
        self._lock = threading.Lock()

    def superclasses(self) -> Mapping[str, str | None]:
        names = self._names
        if names is None:
            with self._lock:
                names = self._names = self._repository.superclasses(self._namespace)
        return names

    def declaration(self, name: str) -> ClassDeclaration | None:
        if name not in self.superclasses():
            return None
        return self._repository.declaration(self._namespace, name)

    def changed(self) -> None:
        """A class was written, here or in another process."""
        self._names = None


def root_of(class_: Class) -> str:
    """The class whose keys name the instances of `class_`: siblings below it share one key space (A-093)."""
    if not class_.keys:
        return class_.dynasty.lower() if class_.is_singleton else class_.name.lower()
    first = class_.property(class_.keys[0])
    return (first.origin if first is not None and first.origin else class_.name).lower()


def ident_of(class_: Class, keys: Mapping[str, Any]) -> str | None:
    """The key part of a path, folded so that equal keys are equal texts (A-164, A-175); None when a key is NULL."""
    if not class_.keys:
        return "@" if class_.is_singleton else None
    text = relpath_of("", class_.keys, _types(class_), tuple(keys[name] for name in class_.keys))
    return text.upper() if text is not None else None


def _types(class_: Class) -> tuple[int, ...]:
    return tuple(one.type for name in class_.keys if (one := class_.property(name)) is not None)


def keys_of(instance: Instance) -> dict[str, Any]:
    """The raw key values of an instance, by declared name."""
    layout = instance.layout_
    return {name: instance.values_[layout.index[name.lower()]] for name in layout.key_names}


def indexed_values(class_: Class, instance: Instance) -> dict[str, Any]:
    """What the store's index holds of an instance: its keys and its [Indexed] properties, arrays and objects aside."""
    found: dict[str, Any] = {}
    for one, value in zip(class_.properties.values(), instance.values_, strict=True):
        if (one.is_key or one.qualifiers.truth("indexed")) and isinstance(value, (str, int, float)):
            found[one.name] = value
    return found


def is_indexed(class_: Class, name: str) -> bool:
    """Whether the store finds instances of a class by this property."""
    one = class_.property(name)
    return one is not None and (one.is_key or one.qualifiers.truth("indexed"))
