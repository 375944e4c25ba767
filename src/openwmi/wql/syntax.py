"""The tree of a parsed query: slotted nodes that know where in the text they stand.

Nodes compare by meaning: two trees are equal when the queries are, whatever their spacing. Spans are (start, end)
character offsets. `fold` is how every later stage walks a condition: without recursion, because a query may nest as
deep as the limit allows while its caller's stack is nearly used up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.wql.diagnose import Span
    from openwmi.wql.plan import Plan

RELATIONS: Final = frozenset({"=", "<>", "<", ">", "<=", ">="})  # "!=" is read as "<>"
MIRRORED: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}  # constant on the left (D-21)


class Node:
    """Equality, hash and repr by the fields that carry meaning. A node may have `items`, the nodes it joins."""

    __slots__ = ()
    fields: ClassVar[tuple[str, ...]] = ()

    def __eq__(self, other: object) -> bool:
        pending: list[tuple[object, object]] = [(self, other)]
        while pending:  # not by recursion: trees may be as deep as the parser allows
            one, two = pending.pop()
            if type(one) is not type(two) or not isinstance(one, Node) or not isinstance(two, Node):
                return False
            mine, theirs = getattr(one, "items", ()), getattr(two, "items", ())
            if len(mine) != len(theirs) or one._values() != two._values():
                return False
            pending.extend(zip(mine, theirs, strict=True))
        return True

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._values()))

    def __repr__(self) -> str:
        parts = (*self._values(), *getattr(self, "items", ()))
        return f"{type(self).__name__}({', '.join(map(repr, parts))})"

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.fields)


class Name(Node):
    """One identifier as it is written: a class, a qualifier, a role."""

    __slots__ = ("folded", "span", "text")
    fields = ("folded",)

    def __init__(self, text: str, span: Span) -> None:
        self.text = text
        self.folded = text.lower()
        self.span = span


class PropertyPath(Node):
    """`Name`, `TargetInstance.Name` or, in a select list, `TargetInstance.*`."""

    __slots__ = ("folded", "names")
    fields = ("folded",)

    def __init__(self, names: tuple[Name, ...]) -> None:
        self.names = names
        self.folded = tuple(name.folded for name in names)

    @property
    def text(self) -> str:
        return ".".join(name.text for name in self.names)

    @property
    def span(self) -> Span:
        return self.names[0].span[0], self.names[-1].span[1]


class Literal(Node):
    """A constant: `value` is str, int, float, bool or None, `text` its spelling, for comparing it as text (D-27)."""

    __slots__ = ("span", "text", "value")
    fields = ("value", "text")

    def __init__(self, value: str | int | float | bool | None, text: str, span: Span) -> None:
        self.value = value
        self.text = text
        self.span = span


class Comparison(Node):
    """`property op literal`; a constant on the left has been turned round (D-21)."""

    __slots__ = ("literal", "op", "op_span", "path")
    fields = ("path", "op", "literal")

    def __init__(self, path: PropertyPath, op: str, literal: Literal, op_span: Span) -> None:
        self.path = path
        self.op = op
        self.literal = literal
        self.op_span = op_span


class Like(Node):
    """`property LIKE "pattern"` (D-35)."""

    __slots__ = ("literal", "op_span", "path")
    fields = ("path", "literal")

    def __init__(self, path: PropertyPath, literal: Literal, op_span: Span) -> None:
        self.path = path
        self.literal = literal
        self.op_span = op_span

    @property
    def pattern(self) -> str:
        return str(self.literal.value)


class IsNull(Node):
    """`property IS [NOT] NULL`, and `= NULL`, `<> NULL` (D-25)."""

    __slots__ = ("negated", "path")
    fields = ("path", "negated")

    def __init__(self, path: PropertyPath, *, negated: bool) -> None:
        self.path = path
        self.negated = negated


class Isa(Node):
    """`property [NOT] ISA "Class"` (D-36)."""

    __slots__ = ("class_name", "negated", "op_span", "path")
    fields = ("path", "class_name", "negated")

    def __init__(self, path: PropertyPath, class_name: Name, op_span: Span, *, negated: bool) -> None:
        self.path = path
        self.class_name = class_name
        self.negated = negated
        self.op_span = op_span


class And(Node):
    """All of two or more; an And directly inside an And has been spliced in."""

    __slots__ = ("items",)

    def __init__(self, items: tuple[Node, ...]) -> None:
        self.items = items


class Or(Node):
    """Any of two or more; an Or directly inside an Or has been spliced in."""

    __slots__ = ("items",)

    def __init__(self, items: tuple[Node, ...]) -> None:
        self.items = items


class Not(Node):
    """The opposite: WQL knows two truth values only (D-26)."""

    __slots__ = ("items",)

    def __init__(self, item: Node) -> None:
        self.items = (item,)


Predicate: TypeAlias = Comparison | Like | IsNull | Isa


class Group(Node):
    """`GROUP [WITHIN seconds] [BY list]`; `by` is None without BY and empty after a BY that names no property."""

    __slots__ = ("by", "span", "within")
    fields = ("within", "by")

    def __init__(self, within: Literal | None, by: tuple[PropertyPath, ...] | None, span: Span) -> None:
        self.within = within
        self.by = by
        self.span = span


class Select(Node):
    """A data query, or, with `within`, `group` or `having`, an event query. `columns` is None for `*`."""

    __slots__ = ("class_name", "columns", "group", "having", "plans", "text", "where", "within")
    fields = ("columns", "class_name", "where", "within", "group", "having")

    def __init__(
        self,
        text: str,
        columns: tuple[PropertyPath, ...] | None,
        class_name: Name,
        where: Node | None = None,
        within: Literal | None = None,
        group: Group | None = None,
        having: Comparison | None = None,
    ) -> None:
        self.text = text
        self.columns = columns
        self.class_name = class_name
        self.where = where
        self.within = within
        self.group = group
        self.having = having
        self.plans: tuple[Plan, ...] = ()  # plans made from this tree, the latest first (openwmi.wql.plan)


class SchemaSelect(Node):
    """`SELECT * FROM meta_class [WHERE ...]`: class definitions (D5)."""

    __slots__ = ("class_name", "text", "where")
    fields = ("where",)

    def __init__(self, text: str, class_name: Name, where: Node | None = None) -> None:
        self.text = text
        self.class_name = class_name
        self.where = where


class Associators(Node):
    """`ASSOCIATORS OF {source} WHERE ...` (D4). `options`: a clause's word in lower case -> its Name, or None."""

    __slots__ = ("options", "source", "source_span", "text")
    fields = ("source", "_clauses")
    verb: ClassVar[str] = "ASSOCIATORS OF"

    def __init__(self, text: str, source: str, source_span: Span, options: dict[str, Name | None]) -> None:
        self.text = text
        self.source = source
        self.source_span = source_span
        self.options = options

    @property
    def _clauses(self) -> tuple[tuple[str, Name | None], ...]:
        return tuple(sorted(self.options.items(), key=lambda item: item[0]))

    def option(self, word: str) -> str | None:
        """The name that follows the clause `word` (any case), None where the clause is absent."""
        name = self.options.get(word.lower())
        return name.text if name else None

    def flag(self, word: str) -> bool:
        """True where the clause `word` (any case) stands, as in `SchemaOnly`."""
        return word.lower() in self.options


class References(Associators):
    """`REFERENCES OF {source} WHERE ...` (D4)."""

    __slots__ = ()
    verb = "REFERENCES OF"


Query: TypeAlias = Select | SchemaSelect | Associators | References

R = TypeVar("R")


def fold(root: Node, visit: Callable[[Node, list[R]], R]) -> R:
    """`visit(node, results of its items)` for every node below `root`, innermost first; the result for `root`.

    A node's items are its `items` attribute; a node without one is a leaf.
    """
    results: list[R] = []
    pending: list[tuple[Node, bool]] = [(root, False)]
    while pending:
        node, entered = pending.pop()
        items: tuple[Node, ...] = getattr(node, "items", ())
        if items and not entered:
            pending.append((node, True))
            pending.extend((item, False) for item in reversed(items))
            continue
        first = len(results) - len(items)
        below = results[first:]
        del results[first:]
        results.append(visit(node, below))
    return results[0]
