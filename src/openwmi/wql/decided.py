"""What the class alone decides of a condition: system properties that are the same for all its instances, and ISA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.wql.checks import THIS
from openwmi.wql.compile import value_test
from openwmi.wql.syntax import Node, fold
from openwmi.wql.terms import FALSE, ISA, NOT_NULL, TRUE, Term, Truth, rebuild

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.model.classes import Class

PATHS: Final = ("__path", "__relpath")  # the system properties that differ between instances


def asks_class(where: Node) -> bool:
    """Whether any term of the condition is about the class; if none is, `decided` changes nothing."""

    def visit(node: Node, below: list[bool]) -> bool:
        return node.column.system if isinstance(node, Term) else any(below)

    return fold(where, visit)


def decided(where: Node, class_: Class) -> Node:
    """The condition with every term that is the same for all instances of the class replaced by its truth."""

    def visit(node: Node, below: list[Node]) -> Node:
        if isinstance(node, Term):
            return _constant(node, class_) if node.column.system else node
        return node if isinstance(node, Truth) else rebuild(node, below)

    return fold(where, visit)


def _constant(term: Term, class_: Class) -> Node:
    name = term.column.name
    if name == THIS:
        holds = term.op == NOT_NULL or (term.op == ISA and class_.inherits_from(str(term.value)))
    elif name in PATHS and class_.keys:
        return term
    else:
        value = _SYSTEM[name](class_)
        home = class_.namespace, class_.server
        holds = bool(value_test(term.op, term.value, term.column.code, home)(value))
    return TRUE if holds else FALSE


_SYSTEM: Final[dict[str, Callable[[Class], object]]] = {
    "__class": lambda class_: class_.name,
    "__dynasty": lambda class_: class_.dynasty,
    "__genus": lambda _: 2,
    "__namespace": lambda class_: class_.namespace,
    "__path": lambda class_: (
        f"\\\\{class_.server}\\{class_.namespace}:{class_.name}=@" if class_.is_singleton else None
    ),
    "__property_count": lambda class_: len(class_.properties),
    "__relpath": lambda class_: f"{class_.name}=@" if class_.is_singleton else None,
    "__server": lambda class_: class_.server,
    "__superclass": lambda class_: class_.superclass,
}
