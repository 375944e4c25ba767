"""WQL, the query language: text to tree, tree to plan, plan to compiled Python code (model.md section D).

    plan = wql.plan(wql.parse("SELECT Name FROM Win32_Process WHERE ProcessId = 7"), catalog)
    for step in plan.steps:
        rows = step.run(provider_rows)      # tuples aligned with step.columns in, tuples of step.layout out

The way through: tokens, reader, conditions, parser -> syntax; checks, selection, literals -> terms; steps, plan;
expressions, compile -> code. Text in, values out: no clock, no input or output, nothing but openwmi.model below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.wql.diagnose import caret
from openwmi.wql.parser import parse, parse_event
from openwmi.wql.plan import Catalog, Condition, Plan, Step, plan
from openwmi.wql.printer import text_of
from openwmi.wql.syntax import Associators, References, SchemaSelect, Select

if TYPE_CHECKING:
    from openwmi.wql.binding import bind, escape
    from openwmi.wql.events import event_checks
    from openwmi.wql.schema import schema_filter

# What a plain data query does not need is loaded when somebody asks for it.
_LATER = {
    "bind": "openwmi.wql.binding",
    "escape": "openwmi.wql.binding",
    "event_checks": "openwmi.wql.events",
    "schema_filter": "openwmi.wql.schema",
}

__all__ = [
    "Associators",
    "Catalog",
    "Condition",
    "Plan",
    "References",
    "SchemaSelect",
    "Select",
    "Step",
    "bind",
    "caret",
    "escape",
    "event_checks",
    "parse",
    "parse_event",
    "plan",
    "schema_filter",
    "text_of",
]


def __getattr__(name: str) -> object:
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(module), name)
    return found
