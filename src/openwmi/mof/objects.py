"""The grammar of qualifier lists, classes and instances (model.md C2). Embedded objects are its one recursion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model import status as s
from openwmi.mof.cursor import Cursor
from openwmi.mof.flavors import WORDS
from openwmi.mof.syntax import (
    UNSIZED,
    Alias,
    AssignmentNode,
    ClassNode,
    InstanceNode,
    MethodNode,
    PropertyNode,
    QualifierNode,
)

if TYPE_CHECKING:
    from openwmi.model.errors import MofError
    from openwmi.mof.syntax import Value

MAX_NESTING: Final = 64
"""Deepest embedded object (A-046, A-064)."""
MAX_ARRAY: Final = 1_000_000
"""Most elements of one array constant."""


class ObjectParser(Cursor):
    """Reads what stands in qualifier lists and objects."""

    __slots__ = ()

    def qualifiers(self) -> tuple[QualifierNode, ...]:
        """`[q, q(v), q{v, v} : flavor flavor]`; the next token is the bracket."""
        source, tokens = self.source, self.tokens
        found: list[QualifierNode] = []
        i = self.i
        while True:
            at = i + 1
            name = tokens[at]
            if not name.isidentifier():
                self.i = at
                raise self.expected(s.WBEMMOF_E_EXPECTED_QUALIFIER_NAME, "the name of a qualifier")
            i = at + 1
            token = tokens[i]
            value: Value = True
            value_at = at
            flavors: tuple[str, ...] = ()
            if token == "(":
                value_at = self.i = i + 1
                token = tokens[value_at]
                if token[0:1] == '"' and tokens[i + 2] == ")" and "\\" not in token and len(token) > 1:
                    value = token[1:-1]  # the most frequent one, without a call
                    i += 2
                else:
                    value = self.array() if token == "{" else self.constant()
                    i = self.i
                if tokens[i] != ")":
                    raise self.expected(s.WBEMMOF_E_EXPECTED_CLOSE_PAREN, "')'")
                i += 1
                token = tokens[i]
            elif token == "{":
                value_at = self.i = i
                value = self.array()
                i = self.i
                token = tokens[i]
            if token == ":":
                self.i = i + 1
                flavors = self.flavors()
                i = self.i
                token = tokens[i]
            found.append(QualifierNode(source, at, name, value, value_at, flavors))
            if token == ",":
                continue
            if token != "]":
                self.i = i
                raise self.expected(s.WBEMMOF_E_EXPECTED_CLOSE_BRACKET, "',' or ']'")
            self.i = i + 1
            return tuple(found)

    def flavors(self) -> tuple[str, ...]:
        """One or more flavor words, in lower case."""
        tokens = self.tokens
        found: list[str] = []
        while (word := tokens[self.i]).isidentifier():
            if word.lower() not in WORDS:
                raise self.error(s.WBEMMOF_E_EXPECTED_FLAVOR_TYPE, f"{word!r} is not a flavor")
            found.append(word.lower())
            self.i += 1
        if not found:
            raise self.expected(s.WBEMMOF_E_EXPECTED_FLAVOR_TYPE, "a flavor")
        return tuple(found)

    # -- initialisers --------------------------------------------------------------------------------------------

    def value(self) -> Value:
        """An initialiser: a constant, an array, an alias, an embedded instance or class."""
        token = self.tokens[self.i]
        if token == "{":
            return self.value_array()
        return self.element()

    def value_array(self) -> tuple[Value, ...]:
        tokens = self.tokens
        self.i += 1
        found: list[Value] = []
        while tokens[self.i] != "}":
            if found:
                if tokens[self.i] != ",":
                    raise self.expected(s.WBEMMOF_E_EXPECTED_CLOSE_BRACE, "',' or '}'")
                self.i += 1
                if len(found) >= MAX_ARRAY:
                    raise self.error(
                        s.WBEM_E_QUOTA_VIOLATION, f"an array has more than {MAX_ARRAY:,} elements"
                    )
            if tokens[self.i] == "{":
                raise self.error(s.WBEMMOF_E_UNEXPECTED_ARRAY_INIT, "arrays have one dimension")
            found.append(self.element())
        self.i += 1
        return tuple(found)

    def element(self) -> Value:
        tokens = self.tokens
        at = self.i
        token = tokens[at]
        first = token[:1]
        if first == "$":
            return self.alias_value(at, token)
        if first == "[" or (first in "iIcC" and token.lower() in ("instance", "class")):
            return self.embedded(at)
        return self.constant()

    def alias_value(self, at: int, token: str) -> Alias:
        if len(token) == 1:
            self.i += 1
            raise self.expected(s.WBEMMOF_E_EXPECTED_ALIAS_NAME, "the name of an alias after '$'")
        if self.depth:
            message = "an embedded object cannot refer to an alias"
            raise self.error(s.WBEMMOF_E_ALIASES_IN_EMBEDDED, message)
        self.i += 1
        return Alias(self.source, at, token[1:])

    def embedded(self, at: int) -> InstanceNode | ClassNode:
        if self.depth >= MAX_NESTING:
            raise self.error(s.WBEM_E_QUOTA_VIOLATION, f"objects are embedded more than {MAX_NESTING} deep")
        self.depth += 1
        qualifiers = self.qualifiers() if self.tokens[self.i] == "[" else ()
        word = self.tokens[self.i].lower()
        node: InstanceNode | ClassNode
        if word == "instance":
            node = self.instance(qualifiers, at)
        elif word == "class":
            node = self.class_(qualifiers, at)
        else:
            raise self.expected(
                s.WBEMMOF_E_ILLEGAL_CONSTANT_VALUE, "'instance' or 'class' after the qualifiers"
            )
        if node.alias is not None:
            message = "an embedded object cannot have an alias"
            raise self.error(s.WBEMMOF_E_ALIASES_IN_EMBEDDED, message, at)
        self.depth -= 1
        return node

    # -- objects -------------------------------------------------------------------------------------------------

    def alias(self) -> str | None:
        """`as $name`, if it stands here."""
        if self.tokens[self.i].lower() != "as":
            return None
        self.i += 1
        token = self.tokens[self.i]
        if token[:1] != "$":
            raise self.expected(s.WBEMMOF_E_EXPECTED_DOLLAR, "'$' and the name of an alias")
        self.i += 1
        if len(token) == 1:
            raise self.expected(s.WBEMMOF_E_EXPECTED_ALIAS_NAME, "the name of an alias after '$'")
        if self.tokens[self.i].lower() == "as":
            raise self.error(s.WBEMMOF_E_MULTIPLE_ALIASES, "an object has one alias")
        return token[1:]

    def instance(self, qualifiers: tuple[QualifierNode, ...], at: int) -> InstanceNode:
        source, tokens = self.source, self.tokens
        self.i += 1
        if tokens[self.i].lower() != "of":
            raise self.expected(s.WBEMMOF_E_INVALID_INSTANCE_DECLARATION, "'of' after 'instance'")
        self.i += 1
        node = InstanceNode(
            source, at, qualifiers, self.name(s.WBEMMOF_E_EXPECTED_CLASS_NAME, "the name of a class")
        )
        node.alias = self.alias()
        self.need("{", s.WBEMMOF_E_EXPECTED_OPEN_BRACE)
        assignments = node.assignments
        while (token := tokens[self.i]) != "}":
            own = self.qualifiers() if token == "[" else ()
            name_at = self.i
            name = tokens[name_at]
            if not name.isidentifier():
                if name:
                    raise self.expected(s.WBEMMOF_E_EXPECTED_PROPERTY_NAME, "the name of a property or '}'")
                raise self.expected(s.WBEMMOF_E_EXPECTED_CLOSE_BRACE, "'}'")
            value: Value = None
            self.i = value_at = name_at + 1
            if tokens[value_at] == "=":
                self.i = value_at = name_at + 2
                value = self.value()
            elif tokens[value_at] != ";":  # `Name;` is NULL: shipped files of Windows have it
                raise self.expected(s.WBEMMOF_E_INVALID_INSTANCE_DECLARATION, f"'=' after {name}")
            assignments.append(AssignmentNode(source, name_at, own, name, value, value_at))
            if tokens[self.i] != ";":
                raise self.expected(s.WBEMMOF_E_EXPECTED_SEMI, "';'")
            self.i += 1
        node.end = self.i
        self.i += 1
        return node

    def class_(self, qualifiers: tuple[QualifierNode, ...], at: int) -> ClassNode:
        tokens = self.tokens
        self.i += 1
        node = ClassNode(
            self.source, at, qualifiers, self.name(s.WBEMMOF_E_EXPECTED_CLASS_NAME, "the name of a class")
        )
        node.alias = self.alias()
        if tokens[self.i] == ":":
            self.i += 1
            node.superclass = self.name(s.WBEMMOF_E_EXPECTED_CLASS_NAME, "the name of the superclass")
        elif tokens[self.i] == ";" and node.alias is None:
            node.bare = True
            node.end = self.i
            return node
        self.need("{", s.WBEMMOF_E_EXPECTED_OPEN_BRACE)
        while (token := tokens[self.i]) != "}":
            if token == "[":
                self.feature(node, self.qualifiers())
            else:
                self.feature(node, ())
        node.end = self.i
        self.i += 1
        return node

    def feature(self, node: ClassNode, qualifiers: tuple[QualifierNode, ...]) -> None:
        """One property or method of a class."""
        tokens, i = self.tokens, self.i
        type_ = tokens[i]
        if not type_.isidentifier():
            raise self.expected(s.WBEMMOF_E_EXPECTED_BRACE_OR_BAD_TYPE, "a type or '}'")
        name_at = i + 1
        name = tokens[name_at]
        reference = len(name) == 3 and name.lower() == "ref" and tokens[name_at + 1].isidentifier()
        if reference:
            name_at += 1
            name = tokens[name_at]
        if not name.isidentifier():
            raise self.no_property_name(name_at)
        i = name_at + 1
        token = tokens[i]
        if token == ";":  # the most frequent one first
            self.i = i + 1
            node.properties.append(
                PropertyNode(self.source, name_at, qualifiers, type_, reference, name, None, None, 0)
            )
            return
        self.i = i
        if token == "(":
            parameters = self.parameters()
            self.need(";", s.WBEMMOF_E_EXPECTED_SEMI)
            node.methods.append(
                MethodNode(self.source, name_at, qualifiers, type_, reference, name, parameters)
            )
            return
        found = self.rest_of_property(qualifiers, type_, reference, name_at)
        if tokens[self.i] == "(":
            raise self.error(s.WBEMMOF_E_NO_ARRAYS_RETURNED, "a method cannot return an array", name_at)
        self.need(";", s.WBEMMOF_E_EXPECTED_SEMI)
        node.properties.append(found)

    def no_property_name(self, at: int) -> MofError:
        """What to say where a name should follow a type; `uint32[] m()` has a code of its own (C-13)."""
        tokens = self.tokens
        self.i = at
        if tokens[at] == "[" and tokens[at + 1] == "]":
            if tokens[at + 2].isidentifier() and tokens[at + 3] == "(":
                return self.error(s.WBEMMOF_E_NO_ARRAYS_RETURNED, "a method cannot return an array")
            message = "expected the name of a property; the brackets of an array stand after its name"
            return self.error(s.WBEMMOF_E_EXPECTED_PROPERTY_NAME, message)
        return self.expected(s.WBEMMOF_E_EXPECTED_PROPERTY_NAME, "the name of a property or a method")

    def rest_of_property(
        self,
        qualifiers: tuple[QualifierNode, ...],
        type_: str,
        reference: bool,
        name_at: int,
    ) -> PropertyNode:
        """`[size] = value` after the name; both may be absent."""
        tokens = self.tokens
        array = None
        value: Value = None
        value_at = 0
        if tokens[self.i] == "[":
            array = self.size()
        if tokens[self.i] == "=":
            self.i += 1
            value_at = self.i
            value = self.value()
        return PropertyNode(
            self.source, name_at, qualifiers, type_, reference, tokens[name_at], array, value, value_at
        )

    def size(self) -> int:
        """`[]` or `[n]`; the next token is the bracket."""
        self.i += 1
        token = self.tokens[self.i]
        size = UNSIZED
        if token != "]":
            value = self.constant()
            if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= 0x7FFFFFFF:
                message = "the size of an array is a positive integer"
                raise self.error(s.WBEMMOF_E_ILLEGAL_CONSTANT_VALUE, message, self.i - 1)
            size = value
        self.need("]", s.WBEMMOF_E_EXPECTED_CLOSE_BRACKET)
        return size

    def parameters(self) -> list[PropertyNode]:
        """`(quals type name[], ...)`; the next token is the parenthesis."""
        tokens = self.tokens
        self.i += 1
        found: list[PropertyNode] = []
        if tokens[self.i] == ")":
            self.i += 1
            return found
        while True:
            qualifiers = self.qualifiers() if tokens[self.i] == "[" else ()
            type_ = self.name(s.WBEMMOF_E_EXPECTED_TYPE_IDENTIFIER, "the type of a parameter")
            reference = tokens[self.i].lower() == "ref" and tokens[self.i + 1].isidentifier()
            if reference:
                self.i += 1
            name_at = self.i
            self.name(s.WBEMMOF_E_EXPECTED_PROPERTY_NAME, "the name of a parameter")
            found.append(self.rest_of_property(qualifiers, type_, reference, name_at))
            if tokens[self.i] == ",":
                self.i += 1
                continue
            self.need(")", s.WBEMMOF_E_EXPECTED_CLOSE_PAREN)
            return found
