"""MOF files judged, split or stored: what `openwmi compile` and `openwmi repository recover` share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi import mof
from openwmi.cli import exits
from openwmi.model.errors import MofError
from openwmi.recovery.moffiles import MAX_FILES, STANDARD_INPUT, Included, Source, compiled, read, store

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openwmi.cli.console import Console
    from openwmi.mof import Compiled
    from openwmi.sync import Connection


def complain(console: Console, failure: MofError) -> int:
    """Say what is wrong, where, with the line and a caret; the exit code (`exit_code`)."""
    console.alarm(f"{mof.explain(failure)}\n")
    return exit_code(failure)


def exit_code(failure: MofError) -> int:
    """2 for what the compiler finds wrong with the text (WBEMMOF_E_...), 1 for an object that is refused."""
    return exits.USAGE if failure.symbol.startswith("WBEMMOF_E_") else exits.WMI_ERROR


def check(sources: Iterable[Source], namespace: str, console: Console) -> int:
    """Judge syntax and what the files themselves settle, without a store; the worst exit code."""
    worst = exits.OK
    for one in sources:
        try:
            found = mof.check(one.text, file=one.name, include=one.included, namespace=namespace)
        except MofError as failure:
            worst = max(worst, complain(console, failure))
        else:
            console.note(f"{one.name}: {counted(len(found), 'declaration')}, no mistake found")
    return worst


def classes(source: Source) -> list[str]:
    """The names of the classes that a file declares. Raises MofError."""
    from openwmi.mof.syntax import ClassNode

    found = mof.parse(source.text, file=source.name, include=Included())
    return [one.name for one in found if isinstance(one, ClassNode)]


def told(console: Console, name: str, done: Compiled) -> None:
    """Say what of a file is stored now."""
    parts = [counted(done.classes, "class"), counted(done.instances, "instance")]
    if done.deletions:
        parts.append(counted(done.deletions, "deletion"))
    console.note(f"{name}: {', '.join(parts)} stored")


def counted(number: int, name: str) -> str:
    """`1 class`, `2 classes`, `3 log entries`."""
    if number == 1:
        return f"1 {name}"
    if name.endswith("y"):
        return f"{number} {name[:-1]}ies"
    return f"{number} {name}{'es' if name.endswith('s') else 's'}"


def store_there(wmi: Connection, source: Source, *, class_flags: int, instance_flags: int) -> Compiled:
    """The same in a namespace of another machine."""
    from openwmi.faces.outside import portal

    services: Any = wmi.services
    flags = {"class_flags": class_flags, "instance_flags": instance_flags}
    return portal().run(compiled, source, services, services.sibling, **flags)


__all__ = [
    "MAX_FILES",
    "STANDARD_INPUT",
    "Included",
    "Source",
    "check",
    "classes",
    "complain",
    "counted",
    "exit_code",
    "read",
    "store",
    "store_there",
    "told",
]
