"""Running one verb: its options, its module, and what its end means for the exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from openwmi.cli import VERBS, show
from openwmi.cli.console import Console, OutputFailed, OutputGone
from openwmi.cli.interrupts import CANCELLED, Interrupts
from openwmi.cli.options import DEFAULT_NAMESPACE, CommandLine, Misuse, Options

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


def run(verb: str, arguments: Sequence[str]) -> int:
    """Run a verb that exists and return the exit code; nothing escapes as an exception."""
    module = __import__(f"openwmi.cli.verbs.{verb}", fromlist=("run",))
    line = CommandLine(verb, VERBS[verb], module)
    try:
        translated = getattr(module, "words", None)  # a verb that knows another program's switches
        options = line.read(translated(arguments) if translated is not None else arguments)
    except Misuse as mistake:
        return _misused(Console(), verb, mistake)
    if options.help:
        return show(line.help())
    return _guarded(module, verb, options)


def _guarded(module: ModuleType, verb: str, options: Options) -> int:
    console = Console(colour=options.color, verbosity=options.verbose, quiet=options.quiet)
    options.namespace = options.namespace or DEFAULT_NAMESPACE
    if getattr(options, "host", None):
        options.namespace = f"\\\\{options.host}\\{options.namespace}"
    try:
        with Interrupts():
            code = int(module.run(options, console))
            console.flush()
    except OutputGone:
        return 0
    except OutputFailed as failure:
        console.alarm(f"the results could not be written: {failure}\n")
        return 1
    except Misuse as mistake:
        return _misused(console, verb, mistake)
    except KeyboardInterrupt:
        return _cancelled(console)
    except Exception as failure:  # noqa: BLE001 (the last line of defence: nobody is shown a traceback unasked)
        from openwmi.cli.failures import report

        return report(failure, console)
    finally:
        _leave()
    return code


def _leave() -> None:
    """Close what is open to other machines, and have what is traced of it written."""
    for room in ("session", "tracing"):
        module = sys.modules.get(f"openwmi.cli.{room}")
        if module is not None:
            module.leave()


def _misused(console: Console, verb: str, mistake: Misuse) -> int:
    console.alarm(f"{mistake}\n")
    console.complain(f"  try      openwmi {verb} --help\n")
    return 2


def _cancelled(console: Console) -> int:
    """The call has ended at its source while the interrupt travelled here."""
    try:
        console.flush()
    except (OutputGone, OutputFailed):
        return CANCELLED
    console.complain("\ncancelled\n" if sys.stderr is not None and sys.stderr.isatty() else "cancelled\n")
    return CANCELLED
