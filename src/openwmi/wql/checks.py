"""A parsed condition against a class: whether names exist, whether operators fit types, what the constants are.

The result is a tree of terms (openwmi.wql.terms). Data queries answer INVALID_QUERY throughout; event queries have
codes of their own for an operator that does not fit and for a path below something that is no object (D-10, D-34).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from openwmi.model.cimtypes import ARRAY, CimType, type_name
from openwmi.model.status import WBEM_E_INVALID_OPERATOR, WBEM_E_PROPERTY_NOT_AN_OBJECT
from openwmi.model.system import SYSTEM_TYPES
from openwmi.wql.diagnose import Span, query_error, suggestion, syntax_error
from openwmi.wql.literals import Mismatch, check_operator, constant
from openwmi.wql.printer import predicate_text, quoted
from openwmi.wql.syntax import Comparison, Isa, IsNull, Like, Node, fold
from openwmi.wql.terms import ISA, LIKE, NOT_NULL, NULL, Column, Term, negation, rebuild

if TYPE_CHECKING:
    from openwmi.model.classes import Class
    from openwmi.wql.syntax import Name, PropertyPath

THIS: Final = "__this"


class Scope:
    """The class that names refer to, and the text to point into. `event` chooses the codes of event queries."""

    __slots__ = ("class_", "event", "text")

    def __init__(self, text: str, class_: Class, *, event: bool = False) -> None:
        self.text = text
        self.class_ = class_
        self.event = event

    def condition(self, root: Node) -> Node:
        """The condition with its names and constants settled. Raises INVALID_QUERY with the place."""
        return fold(root, self._visit)

    def column(self, path: PropertyPath) -> Column:
        """The property that `path` starts at, by its declared name, and what follows."""
        first, *rest = path.names
        code = SYSTEM_TYPES.get(first.text.upper())
        if first.folded == THIS:
            code = CimType.OBJECT
        if code is not None and not rest:
            return Column(first.folded, code, system=True)
        declared = self.class_.property(first.text)
        if declared is None:
            self.unknown(first)
        if rest and declared.type != CimType.OBJECT:
            message = f"{declared.name} is a {type_name(declared.type)} and has no properties"
            if self.event:
                raise query_error(WBEM_E_PROPERTY_NOT_AN_OBJECT, self.text, path.span, message)
            self.refuse(path.span, message)
        return Column(declared.name, declared.type, tuple(name.folded for name in rest))

    def unknown(self, name: Name) -> NoReturn:
        """Refuse a property that the class does not have (D-08)."""
        hint = suggestion(name.text, (declared.name for declared in self.class_.properties.values()))
        self.refuse(name.span, f'class {self.class_.name} has no property "{name.text}"', hint)

    def refuse(self, span: Span, message: str, hint: str | None = None) -> NoReturn:
        raise syntax_error(self.text, span, message, hint)

    def _visit(self, node: Node, below: list[Node]) -> Node:
        if isinstance(node, Comparison):
            return self._comparison(node)
        if isinstance(node, Like):
            return self._like(node)
        if isinstance(node, IsNull):
            return self._null(node)
        if isinstance(node, Isa):
            return self._isa(node)
        return rebuild(node, below)

    def _comparison(self, node: Comparison) -> Node:
        column = self.column(node.path)
        if column.tail:
            return Term(column, node.op, node.literal, predicate_text(node))
        try:
            value = constant(node.literal, column.code, node.op)
        except Mismatch as mismatch:
            self._mismatch(mismatch, node, column, node.literal.span)
        return Term(column, node.op, value, predicate_text(node))

    def _like(self, node: Like) -> Node:
        column = self.column(node.path)
        try:
            if not column.tail:
                check_operator(LIKE, column.code)
        except Mismatch as mismatch:
            self._mismatch(mismatch, node, column, node.literal.span)
        return Term(column, LIKE, node.pattern, predicate_text(node))

    def _null(self, node: IsNull) -> Node:
        column = self.column(node.path)
        if column.code & ARRAY:
            self.refuse(node.path.span, f"{column.name}: an array cannot stand in WHERE")
        return Term(column, NOT_NULL if node.negated else NULL, None, predicate_text(node))

    def _isa(self, node: Isa) -> Node:
        column = self.column(node.path)
        is_class = column.name in (THIS, "__class")
        if column.code != CimType.OBJECT and not is_class:
            message = f"ISA asks for the class of an object, and {column.name} is a {type_name(column.code)}"
            if self.event:
                raise query_error(WBEM_E_INVALID_OPERATOR, self.text, node.op_span, message)
            self.refuse(node.op_span, message)
        if is_class:
            column = Column(THIS, CimType.OBJECT, system=True)
        text = f"{node.path.text} ISA {quoted(node.class_name.text)}"
        term = Term(column, ISA, node.class_name.folded, text)
        return negation(term) if node.negated else term

    def _mismatch(self, mismatch: Mismatch, node: Comparison | Like, column: Column, span: Span) -> NoReturn:
        message = f"{column.name}: {mismatch.message}"
        if not mismatch.operator:
            self.refuse(span, message)
        if self.event:
            raise query_error(WBEM_E_INVALID_OPERATOR, self.text, node.op_span, message)
        self.refuse(node.op_span, message)
