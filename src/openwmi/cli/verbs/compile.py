"""`openwmi compile`: MOF files. So far they can be checked, not stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.options import Misuse

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from openwmi.cli.console import Console

EXAMPLES = """
openwmi compile --check classes.mof
"""


def arguments(parser: ArgumentParser) -> None:
    """The files."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="MOF files, UTF-8 or UTF-16")
    parser.add_argument(
        "--check", action="store_true", help="judge syntax and what the files themselves settle"
    )


def run(options: Namespace, console: Console) -> int:
    """Check the files; exit code 2 when one has a mistake."""
    if not options.check:
        raise Misuse("storing what MOF files declare is not there yet; --check judges them")
    from openwmi.mof import MofError, check_file

    worst = 0
    for file in options.files:
        try:
            count = check_file(file)
        except MofError as error:
            console.alarm(f"{error}\n")
            worst = 2
        else:
            console.note(f"{file}: {count} declarations, no mistake found")
    return worst
