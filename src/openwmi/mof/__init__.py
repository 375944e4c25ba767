"""Objects as text: compiler and printer of WMI's MOF dialect, and CIM-XML (model.md C, A-232 to A-235).

`parse` gives the syntax tree, `declarations` what it means, `compile` puts it into a service, `print_class` and
`print_instance` write it back. Text in, values out: nothing here reads files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.model.classes import ClassDeclaration, derive
from openwmi.model.errors import WbemError
from openwmi.mof.parser import parse
from openwmi.mof.pragmas import DeleteClass, DeleteInstance
from openwmi.mof.resolution import DEFAULT_NAMESPACE, Resolution, Step
from openwmi.mof.syntax import InstanceNode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openwmi.model.classes import Class
    from openwmi.mof.cimxml import class_to_xml, instance_to_xml, parse_xml
    from openwmi.mof.compiler import Compiled, compile
    from openwmi.mof.encoding import decode
    from openwmi.mof.explaining import explain
    from openwmi.mof.localization import Split, split
    from openwmi.mof.parser import Include
    from openwmi.mof.printer import print_class, print_instance
    from openwmi.mof.syntax import Directive

_LAZY = {
    "Compiled": "compiler",
    "class_to_xml": "cimxml",
    "compile": "compiler",
    "decode": "encoding",
    "Split": "localization",
    "explain": "explaining",
    "instance_to_xml": "cimxml",
    "parse_xml": "cimxml",
    "print_class": "printer",
    "print_instance": "printer",
    "split": "localization",
}

__all__ = [
    "Compiled",
    "DeleteClass",
    "DeleteInstance",
    "Split",
    "Step",
    "check",
    "class_declarations",
    "class_to_xml",
    "compile",
    "declarations",
    "decode",
    "explain",
    "instance_to_xml",
    "parse",
    "parse_xml",
    "print_class",
    "print_instance",
    "split",
]


def __getattr__(name: str) -> object:
    """What the start path does not need is imported when it is named."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)


def declarations(
    text: str,
    find_class: Callable[[str], Class | None],
    *,
    namespace: str = DEFAULT_NAMESPACE,
    file: str = "<text>",
    include: Include | None = None,
    server: str | None = None,
    class_flags: int = 0,
    instance_flags: int = 0,
    system: bool = False,
) -> Iterator[Step]:
    """(namespace, flags, ClassDeclaration | Instance | DeleteClass | DeleteInstance), in the order of the text.

    find_class(name) gives a class that the text does not declare itself, whatever the namespace; it is asked only for
    the classes of instances and their ancestors. system: class names may begin with `__`. The text is parsed whole
    before the first step. Raises MofError.
    """

    def find(namespace: str, name: str) -> Class | None:
        found = find_class(name)
        if found is None or found.namespace is None or found.namespace.lower() == namespace.lower():
            return found
        return found.decorated(namespace, found.server)

    directives = parse(text, file=file, include=include)
    yield from Resolution(
        directives,
        find,
        namespace=namespace,
        server=server,
        class_flags=class_flags,
        instance_flags=instance_flags,
        system=system,
    )


def class_declarations(
    text: str, *, file: str = "<text>", system: bool = False
) -> Iterator[ClassDeclaration]:
    """The classes that a text declares; its instances and deletions are passed over. Raises MofError."""
    directives = parse(text, file=file)
    resolution = Resolution(directives, lambda _, __: None, lenient=True, system=system)
    for node in directives:
        step = None if isinstance(node, InstanceNode) else resolution.step(node)
        if step is not None and isinstance(step.item, ClassDeclaration):
            yield step.item


def check(
    text: str, *, file: str = "<text>", include: Include | None = None, namespace: str = DEFAULT_NAMESPACE
) -> list[Directive]:
    """Judge a text without any store: its syntax, and what it settles by itself. Raises MofError.

    A class whose superclass stands elsewhere, and an instance of a class from elsewhere, are taken on trust.
    """
    directives = parse(text, file=file, include=include)
    known: dict[tuple[str, str], Class] = {}
    resolution = Resolution(directives, lambda _, __: None, namespace=namespace, lenient=True)
    for node in directives:
        step = resolution.step(node)
        if step is None or not isinstance(step.item, ClassDeclaration):
            continue
        declared = step.item
        parent = None
        if declared.superclass is not None:
            parent = known.get((step.namespace.lower(), declared.superclass.lower()))
            if parent is None:
                continue
        try:
            known[step.namespace.lower(), declared.name.lower()] = derive(declared, parent)
        except WbemError as reason:
            raise node.error(reason.code, reason.message) from reason
    return directives
