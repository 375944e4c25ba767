"""`openwmi call`: run a method of an object or a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli import exits, schema
from openwmi.cli.formats import writer_for
from openwmi.cli.naming import class_named, near, target
from openwmi.cli.options import Argument, Misuse, Option
from openwmi.cli.parameters import parameters
from openwmi.cli.records import all_columns
from openwmi.cli.session import Session
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_METHOD

if TYPE_CHECKING:
    from openwmi.cli.console import Console
    from openwmi.cli.options import Options
    from openwmi.model.classes import Class, Method

EXAMPLES = """
openwmi call 'Win32_Process.Handle="4711"' GetOwner
openwmi call Win32_Process Create CommandLine="sleep 60"
openwmi call 'Win32_Process.Handle="4711"' SetPriority Priority:=64
openwmi call Win32_Process Create CommandLine=@command.txt --dry-run
"""

ARGUMENTS = (
    Argument("path", "PATH|CLASS", "the object, or the class for a static method"),
    Argument("method", "METHOD", "the method; openwmi describe CLASS.METHOD explains it"),
    Argument(
        "parameters",
        "NAME=VALUE",
        "NAME=text, NAME:=JSON or NAME=@file; repeat it for arrays",
        many=True,
        optional=True,
    ),
)
OPTIONS = (Option("dry-run", "print the parameters as MOF and do not run the method"),)


def run(options: Options, console: Console) -> int:
    """Run the method and print what it gives back; exit code 7 when its ReturnValue is not zero."""
    session = Session(options.namespace, options)
    path = target(session, options.path)
    if path.class_name is None:
        raise Misuse(f"{options.path} is a namespace; name an object or a class in it")
    class_ = class_named(session, path.class_name)
    method = _declared(session, class_, options.method)
    name = f"{class_.name}.{method.name}"
    session.subject = name
    given = parameters(session, name, method, options.parameters)
    has_inputs = method.inputs is not None and bool(method.inputs.properties)
    if options.dry_run:
        return _dry(console, method, given)
    result = session.call(path.relative(), method.name, given if has_inputs else None)
    if result is None:
        console.note(f"{name} ran; it gives nothing back")
        return 0
    output = writer_for(options.output, console, raw=options.raw, single=True)
    output.begin(all_columns([result.layout_]))
    output.batch([result])
    output.end()
    return _judged(console, name, method, result.get_("ReturnValue"))


def _declared(session: Session, class_: Class, name: str) -> Method:
    found = class_.method(name)
    if found is None:
        failure = error(WBEM_E_INVALID_METHOD, f'class {class_.name} has no method "{name}"', parameter=name)
        raise session.failed(near(failure, name, schema.names_of(class_.methods.values())))
    return found


def _dry(console: Console, method: Method, given: dict[str, object]) -> int:
    if method.inputs is None:
        console.note(f"{method.name} takes no parameters")
        return 0
    from openwmi.mof import print_instance

    console.write(print_instance(method.inputs.spawn(given)).rstrip() + "\n")
    return 0


def _judged(console: Console, name: str, method: Method, value: object) -> int:
    """Say what the ReturnValue means; zero is success by convention (model.md A-303)."""
    if value is None or value is True:
        return exits.OK
    codes = schema.meanings(method.qualifiers)
    for one in schema.parameters(method.outputs):
        if one.name.lower() == "returnvalue":
            codes = codes or schema.meanings(one.qualifiers)
    meaning = schema.meaning(codes, value)
    if value != 0 or console.verbosity:
        console.note(f"{name} returned {value}" + (f": {meaning}" if meaning else ""))
    return exits.OK if value == 0 else exits.METHOD_FAILED
