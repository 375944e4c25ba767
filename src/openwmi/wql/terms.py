"""A condition once its names and types are settled: which column, which type, which constant.

And, Or and Not of the syntax tree join these leaves. A term knows declared names; positions in a row come with the
class that a step reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from openwmi.wql.syntax import And, Node, Not, Or

if TYPE_CHECKING:
    from openwmi.wql.syntax import Literal

LIKE: Final = "LIKE"
NULL: Final = "IS NULL"
NOT_NULL: Final = "IS NOT NULL"
ISA: Final = "ISA"

Constant: TypeAlias = "str | int | float | bool | Literal | None"


class Column(Node):
    """What a predicate reads.

    name: declared name of the property, or the lower-case name of a system property, or "__this".
    code: type code; of a path the type of the property it starts at, for its end's type is known only at run time.
    tail: the path below the property in lower case, else empty.
    """

    __slots__ = ("code", "name", "system", "tail")
    fields = ("name", "code", "tail", "system")

    def __init__(self, name: str, code: int, tail: tuple[str, ...] = (), *, system: bool = False) -> None:
        self.name = name
        self.code = code
        self.tail = tail
        self.system = system


class Term(Node):
    """`column op value`.

    op: a relation, LIKE (value: the pattern), NULL, NOT_NULL (value: None) or ISA (value: a class name in lower case).
    value: raw and of the column's type; of a path the Literal itself, to be coerced when the type is known.
    text: the predicate as WQL.
    """

    __slots__ = ("column", "op", "text", "value")
    fields = ("column", "op", "value")

    def __init__(self, column: Column, op: str, value: Constant, text: str) -> None:
        self.column = column
        self.op = op
        self.value = value
        self.text = text


class Truth(Node):
    """A condition that the class alone decides."""

    __slots__ = ("value",)
    fields = ("value",)

    def __init__(self, *, value: bool) -> None:
        self.value = value


TRUE: Final = Truth(value=True)
FALSE: Final = Truth(value=False)


def conjunction(items: list[Node]) -> Node:
    """All of `items`, without what is always true."""
    if FALSE in items:
        return FALSE
    left = tuple(item for item in items if item != TRUE)
    return And(left) if len(left) > 1 else left[0] if left else TRUE


def disjunction(items: list[Node]) -> Node:
    """Any of `items`, without what is never true."""
    if TRUE in items:
        return TRUE
    left = tuple(item for item in items if item != FALSE)
    return Or(left) if len(left) > 1 else left[0] if left else FALSE


def negation(item: Node) -> Node:
    """The opposite of `item`; two in a row cancel out."""
    if isinstance(item, Truth):
        return FALSE if item.value else TRUE
    return item.items[0] if isinstance(item, Not) else Not(item)


def rebuild(node: Node, items: list[Node]) -> Node:
    """The And, Or or Not `node` over other items, simplified."""
    if isinstance(node, And):
        return conjunction(items)
    return disjunction(items) if isinstance(node, Or) else negation(items[0])
