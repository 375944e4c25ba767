"""How results are written: one module per output format, found by name; what they share is here and in `writer`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.options import Misuse

if TYPE_CHECKING:
    from openwmi.cli.console import Console
    from openwmi.cli.formats.writer import Writer

FORMATS = ("table", "list", "tsv", "csv", "json", "jsonl", "xml", "name", "mof")


def writer_for(
    name: str | None, console: Console, *, raw: bool = False, single: bool = False, objects: bool = True
) -> Writer:
    """The writer of a format; None is a table on a terminal and `tsv`, one record a line, elsewhere.

    raw: datetimes as DMTF text. single: exactly one object comes, so that a terminal gets a list rather than a
    table of one row and JSON is no array. objects: False where only rows come, which some formats cannot show. Raises
    Misuse for those, and for a format that does not exist.
    """
    if name is None:
        name = ("list" if single else "table") if console.terminal else "tsv"
    name = name.lower()
    if name not in FORMATS:
        from openwmi.cli.suggestions import closest

        likely = closest(name, FORMATS)
        raise Misuse(
            f'there is no output format "{name}"'
            + (f": did you mean {likely}?" if likely else f"; there are {', '.join(FORMATS)}")
        )
    module = __import__(f"openwmi.cli.formats.{name}", fromlist=("Writer",))
    made: Writer = module.Writer(console, raw=raw, single=single)
    if made.needs_objects and not objects:
        raise Misuse(f"-o {name} shows objects of WMI, and these are none")
    return made
