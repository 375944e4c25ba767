"""From a query to its output: columns, limit, progress, and the notes that go with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.cli.formats.writer import CLASS_COLUMNS
from openwmi.cli.records import SYSTEM, all_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from openwmi.cli.console import Console
    from openwmi.cli.formats.writer import Writer
    from openwmi.cli.session import Session
    from openwmi.model.batches import Batch

ENSURE_LOCATABLE = 0x100


def show(
    session: Session,
    text: str,
    writer: Writer,
    console: Console,
    *,
    limit: int = 0,
    system: bool = False,
) -> int:
    """Run a query and write its rows as they come, at most `limit` of them (0: all). Returns the exit code."""
    plan, batches = session.query(text, ENSURE_LOCATABLE if writer.wants_paths or system else 0)
    deliver(batches, writer, console, columns=columns_of(plan, system=system), limit=limit)
    return 0


def deliver(
    batches: Iterator[Batch], writer: Writer, console: Console, *, columns: Sequence[str], limit: int = 0
) -> None:
    """Write batches as they come.

    The first is flushed at once and so is every other: batches grow, so that this costs little. Leaving early -
    because of the limit, an interrupt, a reader that left - ends the call at its source.
    """
    left = limit
    writer.begin(columns)
    try:
        for batch in batches:
            part: Any = batch
            if limit and len(batch) > left:
                part = batch[:left]
            if len(part):
                writer.batch(part)
                console.flush()
            if len(part) < len(batch):
                console.note(f"{limit} row{'s' if limit != 1 else ''} shown, more exist (--limit 0 shows all)")
                break
            left -= len(part)
    finally:
        close = getattr(batches, "close", None)
        if close is not None:
            close()
        writer.end()


def columns_of(plan: Any, *, system: bool) -> tuple[str, ...]:
    """The columns in the order of the select list; for `*` the keys, then the rest as declared."""
    query = plan.query
    listed = getattr(query, "columns", None)
    steps = getattr(plan, "steps", ())
    if not steps and not hasattr(query, "columns"):
        return CLASS_COLUMNS
    layouts = [step.layout for step in steps]
    names = all_columns(layouts)
    if listed is not None:
        declared = {name.lower(): name for name in names}
        wanted = {path.folded[0]: path.names[0].text for path in listed}
        names = tuple(declared.get(folded, written) for folded, written in wanted.items())
    if system:
        seen = {name.lower() for name in names}
        names = (*(name for name in SYSTEM if name.lower() not in seen), *names)
    return names
