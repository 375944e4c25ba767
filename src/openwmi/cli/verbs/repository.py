"""`openwmi repository`: where the store is, checking it, backup and restore, and making a new one from what is left."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from openwmi.cli import exits
from openwmi.cli.actions import chosen
from openwmi.cli.options import Argument, Misuse, Option
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_CRITICAL_ERROR

if TYPE_CHECKING:
    from openwmi.cli.console import Console
    from openwmi.cli.options import Options

EXAMPLES = """
openwmi repository path
openwmi repository check
openwmi repository backup wmi.backup
openwmi repository restore wmi.backup
openwmi repository recover --list
openwmi repository salvage
"""

LOCAL = True
ARGUMENTS = (
    Argument("action", "ACTION", "path, check, backup FILE, restore FILE, salvage, reset or recover"),
    Argument("file", "FILE", "where the backup is", optional=True),
)
OPTIONS = (
    Option("force", "restore, salvage or reset even while other processes have the repository open"),
    Option("list", "recover: print the recovery list and compile nothing"),
)
_SHOWN_FAULTS = 20
_NAMES = {"namespace": "namespace", "class": "class", "instance": "instance", "change": "log entry"}


def run(options: Options, console: Console) -> int:
    """Do one of the actions on the store of OPENWMI_HOME."""
    action = chosen("repository", options.action, _ACTIONS)
    if (options.action in ("backup", "restore")) is not bool(options.file):
        raise Misuse(
            f"repository {options.action} takes {'no file' if options.file else 'a file: where the backup is'}"
        )
    return action(options, console)


def _file() -> str:
    from openwmi.host import store_file

    return store_file(None)


def _path(options: Options, console: Console) -> int:
    console.write(f"{_file()}\n")
    _tell_rebuilt(console)
    return exits.OK


def _tell_rebuilt(console: Console) -> None:
    """Say that the store was rebuilt by itself, if it was (C-44)."""
    path = _file()
    if os.path.exists(path):
        from openwmi.repository.care import rebuilt

        for line in rebuilt(path):
            console.note(line)


def _check(options: Options, console: Console) -> int:
    """Say what was looked at; exit code 1 when something is wrong."""
    from openwmi.cli.compiling import counted
    from openwmi.repository.care import inspect

    path = _file()
    if not os.path.exists(path):
        console.note(f"there is no repository at {path} yet; the first thing that is stored makes one")
        return exits.OK
    found = inspect(path)
    parts = [counted(number, _NAMES[table]) for table, number in found.counts.items()]
    looked_at = ", ".join([f"{found.size} bytes", *parts])
    if not found.faults:
        console.write(f"{path}: {looked_at}: no fault found\n")
        _tell_rebuilt(console)
        return exits.OK
    console.write(f"{path}: {looked_at}: {counted(len(found.faults), 'fault')}\n")
    for fault in found.faults[:_SHOWN_FAULTS]:
        console.write(f"  {fault}\n")
    if len(found.faults) > _SHOWN_FAULTS:
        console.write("  ...\n")
    failure = error(WBEM_E_CRITICAL_ERROR, f"the repository {path} is damaged")
    failure.hint = (
        "openwmi repository restore FILE    puts a backup in its place;"
        " openwmi repository salvage    keeps what can still be read;"
        " openwmi serve    rebuilds it when it starts"
    )
    raise failure


def _backup(options: Options, console: Console) -> int:
    """Copy the store as it is now; others may go on writing."""
    from openwmi.repository.care import backed_up

    path = _file()
    backed_up(path, options.file)
    console.note(f"{path} is copied to {options.file}")
    return exits.OK


def _restore(options: Options, console: Console) -> int:
    from openwmi.repository.care import restore

    path = _file()
    restore(path, options.file, force=options.force)
    console.note(f"{path} has the content of {options.file} now")
    return exits.OK


def _recover(options: Options, console: Console) -> int:
    """Compile the files of the recovery list, in order, by their own pragmas alone (C-44)."""
    from openwmi.cli import compiling
    from openwmi.host import local
    from openwmi.model.errors import MofError
    from openwmi.mof.resolution import DEFAULT_NAMESPACE
    from openwmi.repository.care import recovery_list

    host = local()
    repository = host.repository.existing
    files = recovery_list(repository.store) if repository is not None else []
    if options.list:
        console.write("".join(f"{file}\n" for file in files))
        return exits.OK
    for file in files:
        try:
            done = compiling.store(
                host, compiling.read(file), DEFAULT_NAMESPACE, class_flags=0, instance_flags=0
            )
        except MofError as failure:
            code = compiling.complain(console, failure)
            console.complain("  reached  the files before it are compiled\n")
            return code
        compiling.told(console, file, done)
    console.note(f"{compiling.counted(len(files), 'file')} compiled")
    return exits.OK


def _salvage(options: Options, console: Console) -> int:
    """Keep what can still be read; the file as it was is kept, too."""
    from openwmi.cli.compiling import counted
    from openwmi.recovery.salvaging import salvage

    path = _file()
    done = salvage(path, force=options.force)
    kept = f"{counted(done.classes, 'class')} and {counted(done.instances, 'instance')}"
    console.note(f"{path} has {kept} now; as it was, it is {done.aside}")
    if done.lost or done.torn:
        gaps = f"; of {', '.join(done.torn)} not all could be found" if done.torn else ""
        console.note(f"{counted(done.lost, 'row')} could not be used{gaps}")
    return exits.OK


def _reset(options: Options, console: Console) -> int:
    """Empty the store."""
    from openwmi.recovery.salvaging import reset

    path = _file()
    reset(path, force=options.force)
    console.note(f"{path} is as new")
    return exits.OK


_ACTIONS = {
    "path": _path,
    "check": _check,
    "backup": _backup,
    "restore": _restore,
    "salvage": _salvage,
    "reset": _reset,
    "recover": _recover,
}
