"""`openwmi get`: one object by its path, or the instances of a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.formats import writer_for
from openwmi.cli.naming import near, selection, target
from openwmi.cli.options import Argument, Misuse, Option, count
from openwmi.cli.records import SYSTEM, all_columns
from openwmi.cli.results import show, with_system
from openwmi.cli.session import Session
from openwmi.model.classes import Class
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_PROPERTY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openwmi.cli.console import Console
    from openwmi.cli.options import Options
    from openwmi.model.instances import Instance

EXAMPLES = """
openwmi get Win32_OperatingSystem Caption Version LastBootUpTime
openwmi get 'Win32_Process.Handle="1"'
openwmi get Win32_Process Name ProcessId --where "ThreadCount > 50"
openwmi get Win32_LogicalDisk -o json
"""

ARGUMENTS = (
    Argument("path", "PATH|CLASS", "the path of an object, or a class for all its instances"),
    Argument("properties", "PROPERTY", "the properties to show, in this order", many=True, optional=True),
)
OPTIONS = (
    Option("where", "a WQL condition for the instances of a class", value="CONDITION"),
    Option("limit", "stop after N instances; 0 is all", value="N", default=0, convert=count),
    Option("system", "show the system properties too (__PATH ...)"),
)


def run(options: Options, console: Console) -> int:
    """Get the object, or enumerate the class."""
    session = Session(options.namespace, options)
    path = target(session, options.path)
    if path.class_name is None:
        raise Misuse(f"{options.path} is a namespace; openwmi ls {options.path} shows what is in it")
    if path.is_instance:
        return _one(options, session, console, path.relative())
    text = selection(path.class_name, options.properties, options.where)
    if console.verbosity:
        console.note(text)
    output = writer_for(options.output, console, raw=options.raw)
    return show(session, text, output, console, limit=options.limit, system=options.system)


def _one(options: Options, session: Session, console: Console, path: str) -> int:
    if options.where:
        raise Misuse("--where selects among the instances of a class, and this is the path of one object")
    found = session.get(path)
    if isinstance(found, Class):  # the path of an instance gives an instance
        raise TypeError(path)
    names = _chosen(session, found, options.properties)
    if options.system:
        names = with_system(names)
    output = writer_for(options.output, console, raw=options.raw, single=True)
    output.begin(names)
    output.batch([found])
    output.end()
    return 0


def _chosen(session: Session, found: Instance, wanted: Sequence[str]) -> tuple[str, ...]:
    """The properties asked for in their declared spelling, all of them when none is named."""
    everything = all_columns([found.layout_])
    if not wanted:
        return everything
    declared = {name.lower(): name for name in (*everything, *SYSTEM)}
    for name in wanted:
        if name.lower() not in declared:
            failure = error(
                WBEM_E_INVALID_PROPERTY, f'class {found.classname_} has no property "{name}"', parameter=name
            )
            raise session.failed(near(failure, name, everything))
    return tuple(dict.fromkeys(declared[name.lower()] for name in wanted))
