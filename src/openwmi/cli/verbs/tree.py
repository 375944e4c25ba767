"""`openwmi tree`: a class between its ancestors and its descendants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.naming import class_named
from openwmi.cli.options import Argument, Option
from openwmi.cli.session import Session
from openwmi.model.classes import Class

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openwmi.cli.console import Console
    from openwmi.cli.options import Options

EXAMPLES = """
openwmi tree CIM_LogicalDevice
openwmi tree
"""

ARGUMENTS = (Argument("class_name", "CLASS", "a class; the whole namespace when left out", optional=True),)
OPTIONS = (Option("system", "show system classes too"),)


def run(options: Options, console: Console) -> int:
    """Print one class a line, indented under its superclass."""
    session = Session(options.namespace, options)
    children: dict[str | None, list[Class]] = {}
    ancestors: list[str] = []
    top: str | None = None
    if options.class_name is not None:
        chosen = class_named(session, options.class_name)
        ancestors, top = list(reversed(chosen.derivation)), chosen.name
    for batch in session.classes(top):
        for one in batch:
            if isinstance(one, Class) and (options.system or top is not None or not one.is_system):
                children.setdefault(one.superclass.lower() if one.superclass else None, []).append(one)
    for depth, name in enumerate(ancestors):
        console.write(f"{'  ' * depth}{name}\n")
    if top is not None:
        console.draw(f"{'  ' * len(ancestors)}{console.bold(top)}\n")
    depth = len(ancestors) + (top is not None)
    for line in _below(top.lower() if top is not None else None, depth, children):
        console.write(line)
    return 0


def _below(name: str | None, depth: int, children: dict[str | None, list[Class]]) -> Iterator[str]:
    """The descendants, depth first, by name; classes may nest deeper than Python likes to recurse."""
    pending = [(depth, one) for one in _by_name(children.get(name, []))]
    while pending:
        level, one = pending.pop()
        yield f"{'  ' * level}{one.name}\n"
        pending += [(level + 1, child) for child in _by_name(children.get(one.name.lower(), []))]


def _by_name(classes: list[Class]) -> list[Class]:
    return sorted(classes, key=lambda one: one.name.lower(), reverse=True)
