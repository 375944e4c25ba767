"""The plan as text for people: the query as understood, the classes, and per class who decides what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.wql.plan import PROTOTYPE
from openwmi.wql.printer import quoted, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openwmi.wql.plan import Plan, Step


def explain(plan: Plan) -> str:
    """Lines of text that say what `plan` reads, tests and delivers."""
    return "\n".join(_lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    yield f"query     {text_of(plan.query)}"
    if plan.flags & PROTOTYPE:
        yield "prototype the query is not run; one class with the selected properties is returned"
        return
    names = ", ".join(class_.name for class_ in plan.closure)
    yield f"classes   {names}"
    reasons: dict[str, list[str]] = {}
    for name, why in plan.skipped:
        reasons.setdefault(why, []).append(name)
    for why, skipped in reasons.items():
        yield f"  not read  {', '.join(skipped)}: {why}"
    if not plan.steps:
        yield "result    empty, without asking any provider"
    for number, step in enumerate(plan.steps, 1):
        yield f"step {number}    {step.class_.name}"
        yield from (f"  {line}" for line in _step(step))


def _step(step: Step) -> Iterator[str]:
    yield f"provider  {_provider(step)}"
    yield f"reads     {', '.join(step.columns) or 'no properties'}"
    if step.keys is not None:
        fixed = ", ".join(f"{name} = {_constant(value)}" for name, value in step.keys.items())
        yield f"look-up   one instance by its key: {fixed}"
    if step.conditions:
        pushed = " AND ".join(f"{name} {op} {_constant(value)}" for name, op, value in step.conditions)
        yield f"pushed    {pushed}"
    if step.residual:
        yield f"residual  {step.residual}"
    if step.conditions or step.residual:
        yield "filter    every row is tested against the whole condition"
    yield f"result    {', '.join(_result(step)) or 'no properties'}"


def _provider(step: Step) -> str:
    if not step.class_.is_dynamic:
        return "none: instances are in the repository"
    return str(step.class_.provider)


def _result(step: Step) -> Iterator[str]:
    """The properties of the result, and the system properties it fills when that is not all of them (A-144)."""
    if step.layout.shown is not None:
        always = ("__GENUS", "__CLASS", "__PROPERTY_COUNT", "__DERIVATION")
        yield from (name for name in sorted(step.layout.shown) if name not in always)
    yield from step.layout.names


def _constant(value: object) -> str:
    """A raw constant as WQL text."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return quoted(value) if isinstance(value, str) else str(value)
