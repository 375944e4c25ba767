"""The command line: one module per verb, one module per output format; this file finds the verb and nothing else.

Nothing is imported here, so that `openwmi --version` and a mistyped verb cost no more than the interpreter
(DESIGN.md section 7); a verb's module is loaded once it is named.
"""

from __future__ import annotations

import gc
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS = {
    "query": "run a WQL query and print its rows",
    "get": "print one object by its path, or the instances of a class",
    "ls": "list namespaces, the classes of one, or the instances of a class",
    "describe": "say what a class, property or method is",
    "find": "search the names of classes, properties and methods",
    "tree": "show where a class stands: its ancestors and its descendants",
    "call": "run a method of an object or a class",
    "create": "make an object of a class",
    "set": "change properties of an object",
    "rm": "delete objects",
    "assoc": "show what is associated with an object",
    "refs": "show the associations that point at an object",
    "watch": "show events as they happen, or run a program for each",
    "mof": "print a class or an object as MOF",
    "compile": "put what MOF files declare into the repository, or check them",
    "sub": "list, add, remove and try permanent subscriptions",
    "serve": "serve this machine over the network, with timers and permanent subscriptions",
    "user": "say who may log on over the network, and as whom they act here",
    "sec": "say who may do what in a namespace over the network",
    "doctor": "say how far one gets with another machine, and what to do next",
    "record": "keep what a machine answers to queries as MOF, to be played back",
    "decode": "make a packet capture or a hex dump of WMI traffic readable",
    "repository": "check the repository, back it up, restore it, say where it is",
}
ALIASES = {"q": "query", "explain": "describe"}
PLANNED = (*("record", "exporter", "shell", "wmic", "completion", "config"),)
GARBAGE_THRESHOLD = 100_000
# Options that may stand before the verb and take the following argument along.
VALUED = frozenset(
    (
        *("-n", "--namespace", "-o", "--output", "--color"),
        *("-H", "--host", "-u", "--user", "--password-file", "--auth", "--auth-level", "--timeout"),
        *("--delivery", "--callback-port", "--trace"),
    )
)

EXAMPLES = """\
examples:
  openwmi query "SELECT Name, ProcessId FROM Win32_Process"
  openwmi query "SELECT * FROM Win32_LogicalDisk WHERE FreeSpace < 1000000000" -o json
  openwmi get Win32_OperatingSystem Caption Version LastBootUpTime
  openwmi describe Win32_Process.Terminate
  openwmi call 'Win32_Process.Handle="4711"' Terminate Reason=1
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name) and return its exit code (DESIGN.md section 4)."""
    if argv is None:
        # The process is this command line and nothing else: collecting while modules load, and again what the end of
        # the process takes away, costs a tenth of the time to the first row.
        gc.set_threshold(GARBAGE_THRESHOLD)
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(arguments)
    except KeyboardInterrupt:  # before a verb could take care of it, or while it was tidying up
        return 130
    finally:
        if argv is None:
            gc.freeze()


def _dispatch(arguments: list[str]) -> int:
    position = _verb_position(arguments)
    before = arguments[:position]
    if "--version" in before or "-V" in before:
        return show(f"openwmi {version()}\n")
    if position == len(arguments):
        asked = "--help" in before or "-h" in before
        return show(_help()) if asked else _usage("say what to do: name a verb")
    verb, rest = arguments[position], arguments[position + 1 :]
    if verb == "version":
        return show(f"openwmi {version()}\n")
    if verb == "help":
        if not rest:
            return show(_help())
        verb, rest = rest[0], ["--help"]
    verb = ALIASES.get(verb, verb)
    if verb in VERBS:
        from openwmi.cli.running import run

        return run(verb, before + rest)
    return _unknown(verb)


def version() -> str:
    """This program's version, the one of the package."""
    from openwmi import __version__

    return __version__


def _verb_position(arguments: list[str]) -> int:
    """Where the verb stands: the first argument that is neither an option nor an option's value."""
    position = 0
    while position < len(arguments) and arguments[position].startswith("-"):
        position += 2 if arguments[position] in VALUED else 1
    return min(position, len(arguments))


def _unknown(verb: str) -> int:
    if verb in PLANNED:
        return _usage(f'the verb "{verb}" is not there yet', f"openwmi help{' ' * 8}lists the verbs that are")
    from openwmi.cli.suggestions import closest

    likely = closest(verb, VERBS)
    hint = f"openwmi {likely}" if likely else "openwmi help"
    return _usage(f'there is no verb "{verb}"' + (f": did you mean {likely}?" if likely else ""), hint)


def _usage(message: str, hint: str = "openwmi help") -> int:
    sys.stderr.write(f"error: {message}\n  try      {hint}\n")
    return 2


def show(text: str) -> int:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        from openwmi.cli.console import silence

        silence(sys.stdout)
    return 0


def _help() -> str:
    lines = [f"  {name:12}{summary}\n" for name, summary in VERBS.items()]
    return (
        "OpenWMI: Windows Management Instrumentation for this machine.\n\n"
        f"{EXAMPLES}\nusage: openwmi VERB [arguments] [options]\n\nverbs:\n{''.join(lines)}\n"
        "openwmi VERB --help shows a verb's examples, arguments and options.\n"
    )
