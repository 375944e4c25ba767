"""The WHERE clause: predicates joined by AND, OR, NOT and parentheses, read without recursion (model.md D2).

Open parentheses are kept in a list, not on the interpreter's stack, so that no text can exhaust it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_QUOTA_VIOLATION
from openwmi.wql.reader import CONSTANTS, OPERATORS, Reader
from openwmi.wql.syntax import (
    MIRRORED,
    And,
    Comparison,
    Isa,
    IsNull,
    Like,
    Literal,
    Node,
    Not,
    Or,
    Predicate,
    PropertyPath,
)
from openwmi.wql.tokens import NAME, STRING

if TYPE_CHECKING:
    from openwmi.wql.diagnose import Span

MAX_TERMS: Final = 256  # predicates of one query (D-05)
MAX_DEPTH: Final = 256  # open parentheses (D-05)


def condition(reader: Reader) -> Node:
    """`expr` of D2. Raises QuerySyntaxError, and QUOTA_VIOLATION beyond MAX_TERMS and MAX_DEPTH."""
    opened = [_Level(reader.here, negated=False)]
    terms = 0
    while True:
        negated = _negation(reader)
        if reader.kind == "(":
            if len(opened) > MAX_DEPTH:
                raise error(WBEM_E_QUOTA_VIOLATION, f"the query nests deeper than {MAX_DEPTH} parentheses")
            opened.append(_Level(reader.here, negated=negated))
            reader.advance()
            continue
        terms += 1
        if terms > MAX_TERMS:
            raise error(WBEM_E_QUOTA_VIOLATION, f"the query has more than {MAX_TERMS} conditions")
        item: Node = _predicate(reader)
        if negated:
            item = Not(item)
        while not opened[-1].take(item, reader):
            if len(opened) == 1:
                return opened[0].close()
            if reader.kind != ")":
                reader.refuse(opened[-1].span, "this parenthesis is never closed")
            reader.advance()
            item = opened.pop().close()


class _Level:
    """One open parenthesis: the terms of its OR so far, the factors of the AND at work, and whether NOT precedes it."""

    __slots__ = ("factors", "negated", "span", "terms")

    def __init__(self, span: Span, *, negated: bool) -> None:
        self.span = span
        self.negated = negated
        self.terms: list[Node] = []
        self.factors: list[Node] = []

    def take(self, item: Node, reader: Reader) -> bool:
        """Add `item`; True when AND or OR follows, so that another must come."""
        self.factors.extend(item.items if isinstance(item, And) else (item,))
        if reader.accept("AND"):
            return True
        if reader.accept("OR"):
            self._end_term()
            return True
        return False

    def _end_term(self) -> None:
        term = self.factors[0] if len(self.factors) == 1 else And(tuple(self.factors))
        self.terms.extend(term.items if isinstance(term, Or) else (term,))
        self.factors = []

    def close(self) -> Node:
        self._end_term()
        whole = self.terms[0] if len(self.terms) == 1 else Or(tuple(self.terms))
        return Not(whole) if self.negated else whole


def _negation(reader: Reader) -> bool:
    """NOT, unless a property has that name: before an operator or a dot."""
    if reader.word != "NOT" or reader.ahead()[0] in OPERATORS or reader.ahead()[0] == ".":
        return False
    reader.advance()
    return True


def _predicate(reader: Reader) -> Predicate:
    if reader.at_constant:
        return _mirrored(reader)
    if reader.kind != NAME:
        reader.missing("a condition")
    path = reader.path()
    span = reader.here
    if reader.at_operator:
        return _compared(reader, path, reader.relation(), reader.literal(), span)
    if reader.accept("LIKE"):
        if reader.kind != STRING:
            reader.missing("the quoted pattern of LIKE")
        return Like(path, reader.literal(), span)
    if reader.accept("IS"):
        negated = reader.accept("NOT")
        if not reader.accept("NULL"):
            reader.refuse(reader.here, "IS goes with NULL and NOT NULL only", "compare with = or <>")  # D-25
        return IsNull(path, negated=negated)
    return _isa(reader, path, span)


def _isa(reader: Reader, path: PropertyPath, span: Span) -> Isa:
    negated = reader.accept("NOT")
    if negated and reader.word != "ISA":
        hint = f"write NOT {path.text} {reader.token[1]} ..."
        reader.refuse(span, "NOT stands before the whole condition", hint)  # D-20
    if not reader.accept("ISA"):
        reader.missing(f"an operator after {path.text}")
    return Isa(path, reader.quoted_name("a class name"), span, negated=negated)


def _mirrored(reader: Reader) -> Comparison | IsNull:
    """`constant op property` (D-21)."""
    literal = reader.literal()
    span = reader.here
    op = reader.relation()
    if reader.kind != NAME or reader.word in CONSTANTS:
        reader.refuse(reader.here, "one side of a comparison is a property")
    return _compared(reader, reader.path(), MIRRORED.get(op, op), literal, span)


def _compared(
    reader: Reader, path: PropertyPath, op: str, literal: Literal, span: Span
) -> Comparison | IsNull:
    if literal.value is not None:
        return Comparison(path, op, literal, span)
    if op not in ("=", "<>"):
        reader.refuse(span, "NULL has no order", "use IS NULL or IS NOT NULL")  # D-25
    return IsNull(path, negated=op == "<>")
