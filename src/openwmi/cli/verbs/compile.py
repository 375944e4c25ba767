"""`openwmi compile`: MOF files. So far they can be checked, not stored."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from openwmi.cli.options import Argument, Misuse, Option

if TYPE_CHECKING:
    from openwmi.cli.console import Console
    from openwmi.cli.options import Options

EXAMPLES = """
openwmi compile --check classes.mof
"""

ARGUMENTS = (Argument("files", "FILE", "MOF files in UTF-8, UTF-16 or ANSI", many=True),)
OPTIONS = (Option("check", "judge syntax and what the files themselves settle"),)


def run(options: Options, console: Console) -> int:
    """Check the files; exit code 2 when one has a mistake or cannot be read."""
    if not options.check:
        raise Misuse("storing what MOF files declare is not there yet; --check judges them")
    from openwmi import mof
    from openwmi.model.errors import MofError

    worst = 0
    for file in options.files:
        try:
            found = mof.check(_text(file), file=file, include=_included, namespace=options.namespace)
        except MofError as error:
            console.alarm(f"{mof.explain(error)}\n")
            worst = 2
        except OSError as error:
            console.alarm(f"{error.filename}: {error.strerror}\n")
            worst = 2
        else:
            console.note(
                f"{file}: {len(found)} declaration{'s' if len(found) != 1 else ''}, no mistake found"
            )
    return worst


def _text(file: str) -> str:
    from openwmi.mof import decode

    with open(file, "rb") as opened:
        return decode(opened.read())


def _included(name: str, within: str) -> tuple[str, str | bytes]:
    """The file that `#pragma include(name)` in the file `within` means: beside it, unless it is absolute."""
    path = os.path.join(os.path.dirname(within), name.replace("\\", os.sep))
    with open(path, "rb") as opened:
        return path, opened.read()
