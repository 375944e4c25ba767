"""The syntax tree of MOF: what :func:`openwmi.mof.parse` gives, in the order of the text.

Every node knows its source and the index of its first token there; line and column are computed when asked for,
so that parsing a correct file never pays for positions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import TypeAlias

    from openwmi.model.errors import MofError
    from openwmi.mof.source import Source

    # What stands as a constant or initialiser: a Python value, an alias, an embedded object, or several of these.
    Value: TypeAlias = (
        "str | int | float | bool | Alias | InstanceNode | ClassNode | tuple[Value, ...] | None"
    )

UNSIZED: Final = 0
"""PropertyNode.array of `x[]`."""


class Char(int):
    """A character constant ('A', '\\x41'): one UTF-16 code unit."""

    __slots__ = ()


class Node:
    """A place in a source: its text and the index of the first token."""

    __slots__ = ("at", "source")
    source: Source
    at: int

    @property
    def line(self) -> int:
        """Line of the first token, from 1."""
        return self.source.position(self.at)[0]

    @property
    def column(self) -> int:
        """Column of the first token, from 1, in characters."""
        return self.source.position(self.at)[1]

    def error(self, code: int, message: str, at: int | None = None) -> MofError:
        """An error at this node, or at another token of its source."""
        return self.source.error(code, message, self.at if at is None else at)


class Alias(Node):
    """`$name` used as a value: the path of the object that declares it."""

    __slots__ = ("name",)

    def __init__(self, source: Source, at: int, name: str) -> None:
        self.source = source
        self.at = at
        self.name = name


class QualifierNode(Node):
    """`Name`, `Name(value)` or `Name{...}`, with flavor words as written. Without a value it is TRUE (C-10)."""

    __slots__ = ("flavors", "name", "value", "value_at")

    def __init__(
        self, source: Source, at: int, name: str, value: Value, value_at: int, flavors: tuple[str, ...]
    ) -> None:
        self.source = source
        self.at = at
        self.name = name
        self.value = value
        self.value_at = value_at
        self.flavors = flavors


class QualifierDeclaration(Node):
    """`Qualifier Name : flavors;` (type None) or `Qualifier Name : type = value, Scope(..), Flavor(..);`."""

    __slots__ = ("array", "flavors", "name", "scopes", "type", "value", "value_at")

    def __init__(self, source: Source, at: int, name: str) -> None:
        self.source = source
        self.at = at
        self.name = name
        self.type: str | None = None
        self.array = False
        self.value: Value = None
        self.value_at = at
        self.scopes: tuple[str, ...] = ()
        self.flavors: tuple[str, ...] = ()


class PropertyNode(Node):
    """A property of a class, or a parameter of a method.

    type: the type word as written, or the class name of `C P` and `C REF P`; reference: `REF` was written;
    array: None for a scalar, UNSIZED for `x[]`, else the size; value_at: index of the initialiser's first token,
    0 without one.
    """

    __slots__ = ("array", "name", "qualifiers", "reference", "type", "value", "value_at")

    def __init__(
        self,
        source: Source,
        at: int,
        qualifiers: tuple[QualifierNode, ...],
        type_: str,
        reference: bool,
        name: str,
        array: int | None,
        value: Value,
        value_at: int,
    ) -> None:
        self.source = source
        self.at = at
        self.qualifiers = qualifiers
        self.type = type_
        self.reference = reference
        self.name = name
        self.array = array
        self.value = value
        self.value_at = value_at


class MethodNode(Node):
    """A method of a class; type is the return type as written ("void" included)."""

    __slots__ = ("name", "parameters", "qualifiers", "reference", "type")

    def __init__(
        self,
        source: Source,
        at: int,
        qualifiers: tuple[QualifierNode, ...],
        type_: str,
        reference: bool,
        name: str,
        parameters: list[PropertyNode],
    ) -> None:
        self.source = source
        self.at = at
        self.qualifiers = qualifiers
        self.type = type_
        self.reference = reference
        self.name = name
        self.parameters = parameters


class ClassNode(Node):
    """A class declaration. bare: `class A;`, a mention without a body."""

    __slots__ = ("alias", "bare", "end", "methods", "name", "properties", "qualifiers", "superclass")

    def __init__(self, source: Source, at: int, qualifiers: tuple[QualifierNode, ...], name: str) -> None:
        self.source = source
        self.at = at
        self.end = at
        self.qualifiers = qualifiers
        self.name = name
        self.alias: str | None = None
        self.superclass: str | None = None
        self.bare = False
        self.properties: list[PropertyNode] = []
        self.methods: list[MethodNode] = []


class AssignmentNode(Node):
    """`[qualifiers] Name = value;` of an instance."""

    __slots__ = ("name", "qualifiers", "value", "value_at")

    def __init__(
        self,
        source: Source,
        at: int,
        qualifiers: tuple[QualifierNode, ...],
        name: str,
        value: Value,
        value_at: int,
    ) -> None:
        self.source = source
        self.at = at
        self.qualifiers = qualifiers
        self.name = name
        self.value = value
        self.value_at = value_at


class InstanceNode(Node):
    """`instance of Class [as $alias] { ... }`, at top level or as a value."""

    __slots__ = ("alias", "assignments", "class_name", "end", "qualifiers")

    def __init__(
        self, source: Source, at: int, qualifiers: tuple[QualifierNode, ...], class_name: str
    ) -> None:
        self.source = source
        self.at = at
        self.end = at
        self.qualifiers = qualifiers
        self.class_name = class_name
        self.alias: str | None = None
        self.assignments: list[AssignmentNode] = []


class Pragma(Node):
    """`#pragma name(arguments)`; name in lower case. An include that was read leaves no node."""

    __slots__ = ("arguments", "name")

    def __init__(self, source: Source, at: int, name: str, arguments: tuple[Value, ...]) -> None:
        self.source = source
        self.at = at
        self.name = name
        self.arguments = arguments


Directive = Pragma | QualifierDeclaration | ClassNode | InstanceNode
