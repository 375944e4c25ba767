"""`openwmi query`: run a WQL query and print its rows as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.cli.formats import writer_for
from openwmi.cli.options import Argument, Misuse, Option, count
from openwmi.cli.results import show
from openwmi.cli.session import Session

if TYPE_CHECKING:
    from openwmi.cli.console import Console
    from openwmi.cli.options import Options

EXAMPLES = """
openwmi query "SELECT Name, ProcessId FROM Win32_Process"
openwmi query "SELECT * FROM Win32_Process WHERE ProcessId = 1" -o list
openwmi query "SELECT Name FROM Win32_Process WHERE Name LIKE {name}" --param name=py%
openwmi query "SELECT Name FROM Win32_Process WHERE ProcessId = 7" --explain
openwmi query 'SELECT * FROM meta_class WHERE __this ISA "CIM_LogicalDevice"' -o name
"""

ARGUMENTS = (Argument("wql", "WQL", "the query; see docs/wql.md"),)
OPTIONS = (
    Option("explain", "print the plan that would run, and do not run it"),
    Option("limit", "stop after N rows; 0 is all", value="N", default=0, convert=count),
    Option("progress", "report progress on standard error"),
    Option("system", "show the system properties too (__PATH ...)"),
    Option("param", "the value of {NAME} in the query; it is quoted", value="NAME=VALUE", repeated=True),
)


def run(options: Options, console: Console) -> int:
    """Run the query, or print its plan."""
    text = _bound(options.wql, options.param)
    session = Session(options.namespace, options)
    if options.explain:
        plan = session.plan(text)
        explain = getattr(plan, "explain", None)
        told = explain() if explain else f"{type(plan).__name__}: no plan is made for this kind of query"
        console.write(told.rstrip() + "\n")
        return 0
    output = writer_for(options.output, console, raw=options.raw)
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
