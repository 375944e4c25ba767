"""`openwmi find`: classes, properties and methods whose name, or description, holds a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.formats import writer
from openwmi.cli.schema import declared_type, signature
from openwmi.cli.session import Session
from openwmi.model.cimtypes import CimType
from openwmi.model.classes import Class

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterator

    from openwmi.cli.console import Console

EXAMPLES = """
openwmi find memory
openwmi find 'Win32_*Disk*'
openwmi find owner -n root/cimv2 -o json
"""
COLUMNS = ("Kind", "Name", "Type", "Description")


def arguments(parser: ArgumentParser) -> None:
    """What to look for."""
    parser.add_argument(
        "pattern", metavar="PATTERN", help="a part of a name or description, or a name with * and ?"
    )
    parser.add_argument("--system", action="store_true", help="search system classes too")


def run(options: Namespace, console: Console) -> int:
    """Print a row for each match; exit code 1 when there is none, as grep does."""
    session = Session(options.namespace)
    output = writer(options.output, console)
    matches = _matcher(options.pattern)
    codes = (int(CimType.STRING),) * len(COLUMNS)
    found = 0
    output.begin(COLUMNS)
    for batch in session.classes():
        for one in batch:
            if isinstance(one, Class) and (options.system or not one.is_system):
                rows = list(_rows(one, matches))
                found += len(rows)
                if rows:
                    output.rows(codes, rows)
    output.end()
    if not found:
        console.note(f"nothing in {session.namespace} is called {options.pattern}")
    return 0 if found else 1


def _rows(
    class_: Class, matches: Callable[[str, str], bool]
) -> Iterator[tuple[str, str, str | None, str | None]]:
    """The matches in a class and in what it declares itself."""
    text = class_.qualifiers.value("Description")
    if matches(class_.name, str(text or "")):
        yield "class", class_.name, class_.superclass, text if isinstance(text, str) else None
    for member in (*class_.declaration.properties, *class_.declaration.methods):
        said = member.qualifiers.value("Description")
        if matches(member.name, str(said or "")):
            method = class_.method(member.name)
            known = class_.property(member.name)
            kind, type_ = (
                ("method", signature(method))
                if method
                else ("property", declared_type(known) if known else "")
            )
            yield kind, f"{class_.name}.{member.name}", type_, said if isinstance(said, str) else None


def _matcher(pattern: str) -> Callable[[str, str], bool]:
    wanted = pattern.lower()
    if "*" in wanted or "?" in wanted:
        from fnmatch import fnmatchcase

        return lambda name, text: fnmatchcase(name.lower(), wanted)
    return lambda name, text: wanted in name.lower() or wanted in text.lower()
