"""`openwmi find`: classes, properties and methods whose name, or description, holds a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.formats import writer_for
from openwmi.cli.options import Argument, Option
from openwmi.cli.schema import declared_type, signature
from openwmi.cli.session import Session
from openwmi.model.cimtypes import CimType
from openwmi.model.classes import Class

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openwmi.cli.console import Console
    from openwmi.cli.options import Options
    from openwmi.model.qualifiers import QualifierSet

EXAMPLES = """
openwmi find memory
openwmi find 'Win32_*Disk*'
openwmi find owner -n root/cimv2 -o json
"""
COLUMNS = ("Kind", "Name", "Type", "Description")

ARGUMENTS = (Argument("pattern", "PATTERN", "a part of a name or description, or a name with * and ?"),)
OPTIONS = (Option("system", "search system classes too"),)


def run(options: Options, console: Console) -> int:
    """Print a row for each match; exit code 1 when there is none, as grep does."""
    session = Session(options.namespace, options)
    output = writer_for(options.output, console, objects=False)
    matches = _matcher(options.pattern)
    codes = (int(CimType.STRING),) * len(COLUMNS)
    found = 0
    output.begin(COLUMNS)
    for batch in session.classes():
        for one in batch:
            if isinstance(one, Class) and (options.system or not one.is_system):
                rows = list(_rows(one, matches))
                found += len(rows)
                output.records(codes, rows)
    output.end()
    if not found:
        console.note(f"nothing in {session.namespace} is called {options.pattern}")
    return 0 if found else 1


def _rows(
    class_: Class, matches: Callable[[str, str], bool]
) -> Iterator[tuple[str, str, str | None, str | None]]:
    """The matches in a class and in what it declares itself."""
    text = _text(class_.qualifiers)
    if matches(class_.name, text or ""):
        yield "class", class_.name, class_.superclass, text
    for one in class_.properties.values():
        text = _text(one.qualifiers)
        if one.local and matches(one.name, text or ""):
            yield "property", f"{class_.name}.{one.name}", declared_type(one), text
    for method in class_.methods.values():
        text = _text(method.qualifiers)
        if method.local and matches(method.name, text or ""):
            yield "method", f"{class_.name}.{method.name}", signature(method), text


def _text(qualifiers: QualifierSet) -> str | None:
    said = qualifiers.value("Description")
    return said if isinstance(said, str) else None


def _matcher(pattern: str) -> Callable[[str, str], bool]:
    wanted = pattern.lower()
    if "*" in wanted or "?" in wanted:
        from fnmatch import fnmatchcase

        return lambda name, text: fnmatchcase(name.lower(), wanted)
    return lambda name, text: wanted in name.lower() or wanted in text.lower()
