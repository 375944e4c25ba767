"""`openwmi query`: run a WQL query and print its rows as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.cli.formats import writer
from openwmi.cli.options import Misuse
from openwmi.cli.results import show
from openwmi.cli.session import Session

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from openwmi.cli.console import Console

EXAMPLES = """
openwmi query "SELECT Name, ProcessId FROM Win32_Process"
openwmi query "SELECT * FROM Win32_Process WHERE ProcessId = 1" -o list
openwmi query "SELECT Name FROM Win32_Process WHERE Name LIKE {name}" --param name=py%
openwmi query "SELECT Name FROM Win32_Process WHERE ProcessId = 7" --explain
openwmi query 'SELECT * FROM meta_class WHERE __this ISA "CIM_LogicalDevice"' -o name
"""


def arguments(parser: ArgumentParser) -> None:
    """The query and what to do with its rows."""
    parser.add_argument("wql", metavar="WQL", help="the query; see docs/wql.md")
    parser.add_argument(
        "--explain", action="store_true", help="print the plan that would run, and do not run it"
    )
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="stop after N rows (0: all)")
    parser.add_argument("--progress", action="store_true", help="report progress on standard error")
    parser.add_argument("--system", action="store_true", help="show the system properties too (__PATH ...)")
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="the value of {NAME} in the query, quoted",
    )


def run(options: Namespace, console: Console) -> int:
    """Run the query, or print its plan."""
    if options.limit < 0:
        raise Misuse("--limit takes a number of rows, 0 for all")
    text = _bound(options.wql, options.param)
    session = Session(options.namespace)
    if options.explain:
        plan = session.plan(text)
        explain = getattr(plan, "explain", None)
        told = explain() if explain else f"reads the class definitions of {session.namespace}, no instances"
        console.write(told.rstrip() + "\n")
        return 0
    output = writer(options.output, console, raw=options.raw)
    return show(
        session,
        text,
        output,
        console,
        limit=options.limit,
        system=options.system,
        progress=options.progress,
    )


def _bound(text: str, parameters: list[str]) -> str:
    """The query with its {NAME} parameters filled in as quoted literals."""
    if not parameters:
        return text
    values: dict[str, Any] = {}
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        if not equals:
            raise Misuse(f"--param takes NAME=VALUE, not {parameter}")
        values[name] = value
    from openwmi.wql import bind

    return bind(text, values)
