"""How static classes and instances are found in the repository: sources of a schema, keys, and what queries ask."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from openwmi.model.cimtypes import CimType
from openwmi.model.errors import WbemError
from openwmi.model.paths import parse_path, relpath_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openwmi.model.classes import Class, ClassDeclaration
    from openwmi.model.instances import Instance
    from openwmi.repository.shared import SharedRepository
    from openwmi.service.namespaces import Namespace


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


# The property under which the index lists instances with DynProps (F-26); no property can be called so.
MARK: Final = "__dynprops"


def root_of(class_: Class) -> str:
    """The class whose keys name the instances of `class_`: siblings below it share one key space (A-093)."""
    return class_.key_root.lower()


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


def indexed_values(space: Namespace, class_: Class, instance: Instance) -> dict[str, Any]:
    """What the store's index holds of an instance: keys, [Indexed] properties and references; and whether providers
    supply properties of it."""
    extras = instance.extras_
    found: dict[str, Any] = {MARK: True} if extras is not None and extras.qualifiers.truth("dynprops") else {}
    for one, value in zip(class_.properties.values(), instance.values_, strict=True):
        if is_indexed(class_, one.name) and isinstance(value, (str, int, float)):
            found[one.name] = index_value(space, class_, one.name, value)
    return found


def index_value(space: Namespace, class_: Class, name: str, value: Any) -> Any:
    """A value as the index holds it: references without the part of the path that says where one is."""
    one = class_.property(name)
    if one is not None and one.type == CimType.REFERENCE and isinstance(value, str):
        return normal_reference(space, value)
    return value


def is_indexed(class_: Class, name: str) -> bool:
    """Whether the store finds instances of a class by this property. A key that stands alone is found by its path."""
    one = class_.property(name)
    if one is None:
        return False
    several_keys = one.is_key and len(class_.keys) > 1
    return several_keys or one.type == CimType.REFERENCE or one.qualifiers.truth("indexed")


def normal_reference(space: Namespace, text: str) -> str:
    """A reference as all that mean the same object write it: namespace and canonical relative path, folded (A-048).

    An implied key gets its name. Text that is no path, or leads to another server, stays as it is but for the case.
    """
    try:
        path = parse_path(text)
    except WbemError:
        return text.upper()
    if path.server not in (None, ".") and str(path.server).lower() != space.server.lower():
        return text.upper()
    if len(path.keys) == 1 and path.keys[0][0] is None and path.class_name is not None:
        class_ = space.schema.find_class(path.class_name)
        if class_ is not None and len(class_.keys) == 1:
            path = path._replace(keys=((class_.keys[0], path.keys[0][1]),))
    return f"{path.namespace or space.path}:{path.relative()}".upper()
