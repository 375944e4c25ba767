"""Error text in four parts: what failed on which object, its name and number, how far it got, and what to try.

Loaded when something went wrong, so that it may look up what it likes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli import exits
from openwmi.cli.session import Failed
from openwmi.model.errors import MofError, WbemError

if TYPE_CHECKING:
    from openwmi.cli.console import Console
    from openwmi.cli.session import Session

_TITLE_WIDTH = 58


def report(failure: Exception, console: Console) -> int:
    """Say what went wrong on standard error; the exit code that goes with it."""
    _install_missing(failure)
    if isinstance(failure, Failed):
        code = _report_wmi(failure.error, console, failure.session)
        failure = failure.error
    elif isinstance(failure, WbemError):
        code = _report_wmi(failure, console, None)
    else:
        console.alarm(f"{_sentence(failure)}\n")
        code = exits.WMI_ERROR
    if console.verbosity >= 2:
        _trace(failure, console)
    return code


def _install_missing(failure: Exception) -> None:
    """A provider lacked a package of ours: the launcher starts anew with it, once; else the failure says the rest."""
    fault = failure.error if isinstance(failure, Failed) else failure
    if isinstance(fault.__cause__, ModuleNotFoundError):
        from openwmi.cli.missing import repair

        try:
            repair(fault.__cause__)
        except ModuleNotFoundError:
            pass


def _sentence(failure: Exception) -> str:
    """What is said about a failure that is none of WMI's."""
    if isinstance(failure, OSError):
        return f"{failure.filename or 'the system'}: {failure.strerror or failure}"
    if isinstance(failure, ModuleNotFoundError):
        from openwmi.cli.missing import repair

        try:
            return repair(failure)
        except ModuleNotFoundError:
            pass
    return (
        f"this is a fault of openwmi itself: {type(failure).__name__}: {failure}\n"
        "  try      the same command with -vv shows where it happened; please report it"
    )


def _report_wmi(error: WbemError, console: Console, session: Session | None) -> int:
    console.alarm(f"{_title(error)}\n")
    pointed = _pointed(error)
    for line in pointed:
        console.complain(f"  {line}\n")
    if session is not None:
        console.complain(f"  reached  {session.reached()}\n")
    if console.verbosity:
        for line in _details(error):
            console.complain(f"  {line}\n")
    for line in _advice(error, session, pointed):
        console.complain(f"  try      {line}\n")
    return exits.exit_code(error.symbol)


def _title(error: WbemError) -> str:
    """The sentence, with the name and the number at its side, or below when it is long."""
    head, *rest = (_place(error) + error.message).splitlines() or [""]
    number = f"{error.symbol} 0x{error.code & 0xFFFFFFFF:08X}"
    title = f"{head:<{_TITLE_WIDTH}}  {number}"
    return "\n".join([title, *(f"  {line}" for line in rest)])


def _place(error: WbemError) -> str:
    """Where in which MOF file, for errors that have such a place."""
    if not isinstance(error, MofError) or not error.line:
        return ""
    return f"{error.file}:{error.line}:{error.column}: "


def _pointed(error: WbemError) -> list[str]:
    """The line of the query with carets under what is wrong; nothing for errors that have no place."""
    if not error.text or not error.span:
        return []
    from openwmi.wql import caret

    return caret(error.text, error.span, _own_hint(error)).splitlines()


def _own_hint(error: WbemError) -> str | None:
    """What somebody said about this very error, other than what is said about every error of its code."""
    from openwmi.model.status import describe

    return None if error.hint == describe(error.code).hint else error.hint


def _details(error: WbemError) -> list[str]:
    """What -v adds: the operation, its parameter, where it ran, who answered."""
    known = {
        "operation": error.operation,
        "parameter": error.parameter,
        "namespace": error.namespace,
        "path": error.path,
        "provider": getattr(error, "provider", None),
        "phase": error.phase,
    }
    details = [f"{name:<9} {value}" for name, value in known.items() if value]
    cause = error.__cause__
    if cause is not None:
        details.append(f"cause     {type(cause).__name__}: {cause}")
    return details


def _advice(error: WbemError, session: Session | None, pointed: list[str]) -> list[str]:
    """What to try next: the hint, unless it stands beside the carets already, and a command that helps."""
    from openwmi.model.status import describe

    own = _own_hint(error)
    lines = [own] if own and not pointed else []
    command = _command(error, session)
    general = describe(error.code).hint
    if command:
        lines.append(command)
    elif general and not own:
        lines.append(general)
    return lines or ["the same command with -v says more"]


def _command(error: WbemError, session: Session | None) -> str | None:
    """The command that shows what the name at fault could have been."""
    namespace = session.shown_namespace if session is not None else "root/cimv2"
    option = "" if namespace.lower() == "root/cimv2" else f" -n {namespace}"
    subject = session.subject if session is not None else None
    name = error.symbol.removeprefix("WBEM_E_")
    if name == "INVALID_NAMESPACE":
        return "openwmi ls    lists the namespaces"
    if name == "INVALID_CLASS" or (name == "NOT_FOUND" and not subject):
        return f"openwmi ls {namespace}    lists the classes; openwmi find{option} WORD searches them"
    if subject and name in ("NOT_FOUND", "INVALID_OBJECT_PATH"):
        return f"openwmi ls{option} {subject.partition('.')[0]}    lists the paths of its instances"
    if subject and name.startswith(("INVALID_QUERY", "INVALID_METHOD", "INVALID_PROPERTY", "METHOD_NOT")):
        told = "parameters" if "." in subject else "properties, their types and its methods"
        return f"openwmi describe{option} {subject}    shows its {told}"
    if name == "INVALID_QUERY":
        return 'openwmi query "SELECT Name, ProcessId FROM Win32_Process"    is how a query looks'
    if name == "INVALID_OBJECT_PATH":
        return "openwmi get 'Win32_Process.Handle=\"1\"'    is how a path looks, quoted for the shell"
    return None


def _trace(failure: BaseException, console: Console) -> None:
    from traceback import format_exception

    console.complain("".join(format_exception(failure)))
