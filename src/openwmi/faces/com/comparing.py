"""CompareTo: whether two objects are the same, as far as the flags ask (A-230, A-231)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.faces.com import constants as c
from openwmi.model.classes import Class
from openwmi.model.instances import Extras, Instance
from openwmi.model.qualifiers import ORIGIN_MASK

if TYPE_CHECKING:
    from openwmi.model.classes import Method, Property
    from openwmi.model.qualifiers import QualifierSet

FLAGS: Final = 0x3F


class Comparison:
    """One comparison. Names are compared without regard to case, always."""

    __slots__ = ("flags",)

    def __init__(self, flags: int) -> None:
        self.flags = flags

    def same(self, one: Class | Instance, other: Class | Instance) -> bool:
        if isinstance(one, Instance) and isinstance(other, Instance):
            return self._instances(one, other)
        return isinstance(one, Class) and isinstance(other, Class) and self._classes(one, other)

    def _instances(self, one: Instance, other: Instance) -> bool:
        if not self._placed(one.server_, one.namespace_, other.server_, other.namespace_):
            return False
        mine, theirs = one.layout_, other.layout_
        if not self.flags & c.WBEM_FLAG_IGNORE_CLASS and not _alike(mine.class_name, theirs.class_name):
            return False
        if mine.index.keys() != theirs.index.keys():
            return False
        for name, position in mine.index.items():
            place = theirs.index[name]
            if mine.types[position] != theirs.types[place]:
                return False
            if not self._values(one.values_[position], other.values_[place]):
                return False
        return self._extras(one.extras_ or Extras(), other.extras_ or Extras())

    def _extras(self, one: Extras, other: Extras) -> bool:
        empty = Extras().qualifiers
        names = one.properties.keys() | other.properties.keys()
        return self._qualifiers(one.qualifiers, other.qualifiers) and all(
            self._qualifiers(one.properties.get(name, empty), other.properties.get(name, empty))
            for name in names
        )

    def _classes(self, one: Class, other: Class) -> bool:
        return (
            self._placed(one.server, one.namespace, other.server, other.namespace)
            and _alike(one.name, other.name)
            and [name.lower() for name in one.derivation] == [name.lower() for name in other.derivation]
            and self._qualifiers(one.qualifiers, other.qualifiers)
            and one.properties.keys() == other.properties.keys()
            and one.methods.keys() == other.methods.keys()
            and all(self._properties(mine, other.properties[name]) for name, mine in one.properties.items())
            and all(self._methods(mine, other.methods[name]) for name, mine in one.methods.items())
        )

    def _properties(self, one: Property, other: Property) -> bool:
        ignored = self.flags & c.WBEM_FLAG_IGNORE_DEFAULT_VALUES
        return (
            one.type == other.type
            and _alike(one.reference, other.reference)
            and (bool(ignored) or self._values(one.default, other.default))
            and self._qualifiers(one.qualifiers, other.qualifiers)
        )

    def _methods(self, one: Method, other: Method) -> bool:
        return (
            self._qualifiers(one.qualifiers, other.qualifiers)
            and self._signatures(one.inputs, other.inputs)
            and self._signatures(one.outputs, other.outputs)
        )

    def _signatures(self, one: Class | None, other: Class | None) -> bool:
        if one is None or other is None:
            return one is other
        return self._classes(one, other)

    def _qualifiers(self, one: QualifierSet, other: QualifierSet) -> bool:
        if self.flags & c.WBEM_FLAG_IGNORE_QUALIFIERS or one == other:
            return True
        if len(one) != len(other):
            return False
        for mine in one:
            theirs = other.get(mine.name)
            if theirs is None or mine.type != theirs.type or not self._values(mine.value, theirs.value):
                return False
            if not self.flags & c.WBEM_FLAG_IGNORE_FLAVOR and (mine.flavor ^ theirs.flavor) & ~ORIGIN_MASK:
                return False
        return True

    def _values(self, one: Any, other: Any) -> bool:
        if isinstance(one, (Class, Instance)):
            return isinstance(other, (Class, Instance)) and self.same(one, other)
        if isinstance(one, tuple) and isinstance(other, tuple):
            return len(one) == len(other) and all(map(self._values, one, other))
        if isinstance(one, str) and isinstance(other, str) and self.flags & c.WBEM_FLAG_IGNORE_CASE:
            return one.lower() == other.lower()
        return bool(one == other)

    def _placed(self, *places: str | None) -> bool:
        server, namespace, other_server, other_namespace = places
        if self.flags & c.WBEM_FLAG_IGNORE_OBJECT_SOURCE:
            return True
        return _alike(server, other_server) and _alike(namespace, other_namespace)


def _alike(one: str | None, other: str | None) -> bool:
    return (one or "").lower() == (other or "").lower()
