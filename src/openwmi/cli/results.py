"""From a query to its output: columns, limit, progress, and the notes that go with them."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from openwmi.cli.formats.writer import CLASS_COLUMNS
from openwmi.cli.records import SYSTEM, all_columns
from openwmi.model.classes import Class

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from openwmi.cli.console import Console
    from openwmi.cli.formats.writer import Writer
    from openwmi.cli.session import Session
    from openwmi.model.batches import Batch

ENSURE_LOCATABLE = 0x100
PROMPT_ROWS = 64  # so many rows are passed on one by one; a reader sees at once that something comes
LATEST_SECONDS = 0.005  # and later ones no later than this after the row before them, while rows keep coming


def show(
    session: Session,
    text: str,
    writer: Writer,
    console: Console,
    *,
    limit: int = 0,
    system: bool = False,
    progress: bool = False,
) -> int:
    """Run a query and write its rows as they come, at most `limit` of them (0: all). Returns the exit code."""
    report = None
    if progress or console.narrates:
        from openwmi.cli.progress import Progress

        report = Progress(console, asked=progress)
    plan, batches = session.query(text, ENSURE_LOCATABLE if writer.wants_paths or system else 0, report)
    if hasattr(plan, "steps"):
        columns = columns_of(plan, system=system)
    else:  # classes, or what is associated with an object: the objects themselves say what they are
        columns, batches = columns_found(batches, system=system)
    deliver(batches, writer, console, columns=columns, limit=limit)
    return partial(session, console)


def partial(session: Session, console: Console) -> int:
    """The exit code of an operation that succeeded, perhaps in part only."""
    if not session.status:
        return 0
    from openwmi.cli.exits import exit_code
    from openwmi.model.status import describe

    status = describe(session.status)
    console.note(f"the result is not complete: {status.text}  {status.symbol} 0x{session.status:08X}")
    return exit_code(status.symbol)


def deliver(
    batches: Iterator[Batch], writer: Writer, console: Console, *, columns: Sequence[str], limit: int = 0
) -> None:
    """Write batches as they come: the first ones at once, later ones a few at a time.

    Leaving early - because of the limit, an interrupt, a reader that left - ends the call at its source.
    """
    shown = 0
    flushed = 0.0
    writer.begin(columns)
    try:
        for batch in batches:
            part: Any = batch[: limit - shown] if limit and shown + len(batch) > limit else batch
            if len(part):
                writer.batch(part)
                shown += len(part)
                now = monotonic()
                if shown <= PROMPT_ROWS or now - flushed > LATEST_SECONDS:
                    console.flush()
                    flushed = now
            if len(part) < len(batch):
                console.note(
                    f"{limit} row{'s' if limit != 1 else ''} shown, more exist (--limit 0 shows all)"
                )
                break
    finally:
        close = getattr(batches, "close", None)
        if close is not None:
            close()
        writer.end()


def columns_of(plan: Any, *, system: bool) -> tuple[str, ...]:
    """The columns in the order of the select list; for `*` the keys, then the rest as declared."""
    names = all_columns([step.layout for step in plan.steps] or [plan.class_.layout])
    listed = plan.query.columns
    if listed is not None:
        declared = {name.lower(): name for name in names}
        wanted = {path.folded[0]: path.names[0].text for path in listed}
        names = tuple(declared.get(folded, written) for folded, written in wanted.items())
    return with_system(names) if system else names


def columns_found(batches: Iterator[Batch], *, system: bool) -> tuple[tuple[str, ...], Iterator[Batch]]:
    """The columns of objects that no plan foretells, and the objects again; few enough to be held."""
    held = list(batches)
    objects = [one for batch in held for one in batch]
    if any(isinstance(one, Class) for one in objects):
        return CLASS_COLUMNS, iter(held)
    names = all_columns([one.layout_ for one in objects if not isinstance(one, Class)])
    return with_system(names) if system else names, iter(held)


def with_system(names: Sequence[str]) -> tuple[str, ...]:
    """The system properties in front of the others."""
    seen = {name.lower() for name in names}
    return (*(name for name in SYSTEM if name.lower() not in seen), *names)
