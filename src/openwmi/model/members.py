"""Members: the properties and methods of a class, and the declaration they are written in (model.md A5, A14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.model.cimtypes import type_name
from openwmi.model.qualifiers import EMPTY, QualifierSet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openwmi.model.classes import Class


class Property:
    """A property of a class. Immutable.

    type: type code; reference: the class of a strong reference or embedded object, None for a weak one; default: raw
    value; has_default: whether it is written here (NULL may be); origin: the class that introduced it; local: whether
    it is declared or overridden in this class.
    """

    __slots__ = ("default", "has_default", "local", "name", "origin", "qualifiers", "reference", "type")

    def __init__(
        self,
        name: str,
        type: int,  # noqa: A002 - the term of the field
        reference: str | None = None,
        default: Any = None,
        has_default: bool = False,
        qualifiers: QualifierSet = EMPTY,
        origin: str = "",
        local: bool = True,
    ) -> None:
        self.name = name
        self.type = type
        self.reference = reference
        self.default = default
        self.has_default = has_default
        self.qualifiers = qualifiers
        self.origin = origin
        self.local = local

    @property
    def is_key(self) -> bool:
        return self.qualifiers.truth("key")

    def replace(self, **changes: Any) -> Property:
        """A copy with other attributes."""
        return Property(**{**{name: getattr(self, name) for name in self.__slots__}, **changes})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Property):
            return NotImplemented
        return (
            same_name(self.name, other.name)
            and self.type == other.type
            and same_name(self.reference, other.reference)
            and (self.default, self.has_default, self.local)
            == (other.default, other.has_default, other.local)
            and same_name(self.origin, other.origin)
            and self.qualifiers == other.qualifiers
        )

    def __hash__(self) -> int:
        return hash((self.name.lower(), self.type, self.local))

    def __repr__(self) -> str:
        return f"<Property {type_name(self.type)} {self.name}>"


class Method:
    """A method of a class. Immutable. inputs, outputs: __PARAMETERS classes, None when there are none (A-209)."""

    __slots__ = ("inputs", "local", "name", "origin", "outputs", "qualifiers")

    def __init__(
        self,
        name: str,
        qualifiers: QualifierSet = EMPTY,
        inputs: Class | None = None,
        outputs: Class | None = None,
        origin: str = "",
        local: bool = True,
    ) -> None:
        self.name = name
        self.qualifiers = qualifiers
        self.inputs = inputs
        self.outputs = outputs
        self.origin = origin
        self.local = local

    def replace(self, **changes: Any) -> Method:
        """A copy with other attributes."""
        return Method(**{**{name: getattr(self, name) for name in self.__slots__}, **changes})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Method):
            return NotImplemented
        return (
            same_name(self.name, other.name)
            and self.local == other.local
            and same_name(self.origin, other.origin)
            and self.qualifiers == other.qualifiers
            and self.inputs == other.inputs
            and self.outputs == other.outputs
        )

    def __hash__(self) -> int:
        return hash((self.name.lower(), self.local))

    def __repr__(self) -> str:
        return f"<Method {self.name}>"


class ClassDeclaration:
    """What one class says itself: its local properties, methods and qualifiers, and the name of its superclass."""

    __slots__ = ("methods", "name", "properties", "qualifiers", "superclass")

    def __init__(
        self,
        name: str,
        superclass: str | None = None,
        qualifiers: QualifierSet = EMPTY,
        properties: Iterable[Property] = (),
        methods: Iterable[Method] = (),
    ) -> None:
        self.name = name
        self.superclass = superclass
        self.qualifiers = qualifiers
        self.properties = tuple(properties)
        self.methods = tuple(methods)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ClassDeclaration):
            return NotImplemented
        return (
            same_name(self.name, other.name)
            and same_name(self.superclass, other.superclass)
            and self.qualifiers == other.qualifiers
            and self.properties == other.properties
            and self.methods == other.methods
        )

    def __hash__(self) -> int:
        return hash((self.name.lower(), (self.superclass or "").lower()))

    def __repr__(self) -> str:
        return f"<ClassDeclaration {self.name}{f' : {self.superclass}' if self.superclass else ''}>"


def same_name(one: str | None, other: str | None) -> bool:
    """Whether two names, or two missing names, are the same."""
    return one == other or (one is not None and other is not None and one.lower() == other.lower())
