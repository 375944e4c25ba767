"""Conditions as Python expressions: what `compile` puts into generated code.

Only positions and constants reach the text, the constants by `repr` of str, int, float and bool; names of classes and
properties never do. What an expression cannot say in a few operations becomes a call of a helper, named by a
specification that openwmi.wql.operators builds.

The two-valued rule of D-26 is the reason for the shape: every comparison with a constant is false for NULL, so that
each test begins with `x is not None` unless its operator cannot match None anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.wql.like import analyse
from openwmi.wql.syntax import And, Node, Not
from openwmi.wql.syntax import fold as fold_tree
from openwmi.wql.terms import ISA, LIKE, NOT_NULL, NULL, Column, Constant, Term
from openwmi.wql.text import fold, has_shorter_spelling, is_plain

if TYPE_CHECKING:
    from collections.abc import Callable

Home: TypeAlias = tuple[str | None, str | None]  # namespace and server, which complete a relative reference

_RELATIONS: Final = {"=": "==", "<>": "!="}
_DEEPEST: Final = 40  # parentheses in one expression; Python's own parser gives up at 200


class Expression(NamedTuple):
    """Conjuncts of Python text. cost: 0 compares, 1 folds text, 2 calls. loose: needs parentheses inside an AND."""

    conjuncts: tuple[str, ...]
    cost: int = 0
    loose: bool = False
    depth: int = 0

    @property
    def text(self) -> str:
        return " and ".join(self.conjuncts)


class Helpers:
    """The helpers and hoisted functions that one piece of generated code calls, in the order of their names."""

    __slots__ = ("functions", "home", "specs")

    def __init__(self, home: Home) -> None:
        self.home = home
        self.specs: list[tuple[object, ...]] = []
        self.functions: list[str] = []

    def name(self, *spec: object) -> str:
        """The name of the helper that `spec` describes."""
        if spec not in self.specs:
            self.specs.append(spec)
        return f"h{self.specs.index(spec)}"

    def hoist(self, expression: Expression, variables: tuple[str, ...]) -> Expression:
        """`expression` moved into a function of its own: deep nesting would be more than Python's parser takes."""
        name = f"q{len(self.functions)}"
        arguments = ", ".join(variables)
        self.functions.append(f"def {name}({arguments}):\n return {expression.text}\n")
        return Expression((f"{name}({arguments})",), 2)


def condition(
    root: Node, variable: Callable[[Column], str], variables: Callable[[], tuple[str, ...]], helpers: Helpers
) -> str:
    """The Python text of a condition.

    variable: the local that holds a column. variables: all locals in use so far, for hoisted functions.
    """

    def visit(node: Node, below: list[Expression]) -> Expression:
        if isinstance(node, Term):
            return term(node.op, node.value, node.column, variable(node.column), helpers)
        deepest = max(item.depth for item in below)
        if deepest >= _DEEPEST:
            below = [helpers.hoist(item, variables()) if item.depth >= _DEEPEST else item for item in below]
        return _joined(node, below)

    return fold_tree(root, visit).text


def _joined(node: Node, below: list[Expression]) -> Expression:
    """And, Or, Not in Python; cheap tests go first, which two-valued logic without side effects allows."""
    depth = max(item.depth for item in below)
    cost = max(item.cost for item in below)
    if isinstance(node, Not):
        return Expression((f"not ({below[0].text})",), cost, depth=depth + 1)
    below.sort(key=lambda item: item.cost)
    if not isinstance(node, And):
        return Expression((" or ".join(item.text for item in below),), cost, loose=True, depth=depth)
    conjuncts: dict[str, None] = {}  # a test for None that stands twice is made once
    for item in below:
        conjuncts.update(dict.fromkeys((f"({item.text})",) if item.loose else item.conjuncts))
    return Expression(tuple(conjuncts), cost, depth=depth + any(item.loose for item in below))


def term(op: str, value: Constant, column: Column, variable: str, helpers: Helpers) -> Expression:
    """`variable op value` for a column of a known type, or for a path."""
    guard = f"{variable} is not None"
    if column.tail:
        name = helpers.name("embedded", column.tail, op, value, helpers.home)
        return Expression((guard, f"{name}({variable})"), 2)
    if op in (NULL, NOT_NULL):
        return Expression((guard if op == NOT_NULL else f"{variable} is None",))
    code = column.code
    if op == ISA:
        return Expression((guard, f"{helpers.name('isa', value)}({variable})"), 2)
    if op == LIKE:
        assert isinstance(value, str)
        if code == CimType.STRING:
            return _like(value, variable, helpers)
        return Expression((guard, f"{helpers.name('like', value, code)}({variable})"), 2)
    if code == CimType.STRING:
        assert isinstance(value, str)
        return _string(op, fold(value), variable, helpers)
    if code == CimType.DATETIME:
        return Expression((guard, f"{helpers.name('datetime', op, value)}({variable})"), 2)
    if code == CimType.REFERENCE:
        return Expression((guard, f"{helpers.name('reference', op, value, helpers.home)}({variable})"), 2)
    if code == CimType.BOOLEAN:
        wanted = value if op == "=" else not value
        return Expression((variable,) if wanted else (guard, f"not {variable}"))
    assert not code & ARRAY
    assert isinstance(value, (int, float))
    test = f"{variable} {_RELATIONS.get(op, op)} {value!r}"
    return Expression((test,) if op == "=" else (guard, test))


def _string(op: str, folded: str, variable: str, helpers: Helpers) -> Expression:
    """Text against a folded constant. Equality looks at the length first, which mostly decides and proves the rest
    right: a text of the same length whose upper case is the constant has no character with a longer upper case."""
    guard = f"{variable} is not None"
    if op == "=" and is_plain(folded):
        return Expression(
            (guard, f"len({variable}) == {len(folded)}", f"{variable}.upper() == {folded!r}"), 1
        )
    if op == "<>" and is_plain(folded):
        differs = f"(len({variable}) != {len(folded)} or {variable}.upper() != {folded!r})"
        return Expression((guard, differs), 1, depth=1)
    return Expression(
        (guard, f"{_folded(variable, helpers)} {_RELATIONS.get(op, op)} {folded!r}"), 1, depth=1
    )


def _folded(variable: str, helpers: Helpers) -> str:
    return f"({variable}.upper() if {variable}.isascii() else {helpers.name('fold')}({variable}))"


def _like(pattern: str, variable: str, helpers: Helpers) -> Expression:
    """LIKE on text, without a regular expression where the pattern allows."""
    guard = f"{variable} is not None"
    kind, head, tail = analyse(pattern)
    if kind == "any":
        return Expression((guard,))
    if kind == "equal":
        return _string("=", head, variable, helpers)
    if kind == "contains":
        return Expression((guard, f"{head!r} in {_folded(variable, helpers)}"), 1, depth=1)
    if kind == "regex" or not (is_plain(head) and is_plain(tail)):
        return Expression((guard, f"{helpers.name('like', pattern, CimType.STRING)}({variable})"), 2)
    conjuncts = [guard]
    if kind == "both" or has_shorter_spelling(head) or has_shorter_spelling(tail):
        conjuncts.append(f"len({variable}) >= {len(head) + len(tail)}")
    if head:
        conjuncts.append(f"{variable}[:{len(head)}].upper() == {head!r}")
    if tail:
        conjuncts.append(f"{variable}[-{len(tail)}:].upper() == {tail!r}")
    return Expression(tuple(conjuncts), 1)
