"""The synchronous form of an operation: start it with a sink that collects, and wait for the outcome (calls.md B10)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from openwmi.faces.views.limits import HELD, OVERFULL, source_flags
from openwmi.model.status import WBEM_E_QUOTA_VIOLATION

if TYPE_CHECKING:
    from openwmi.contract.context import Context
    from openwmi.contract.operations import AnyOperation
    from openwmi.contract.outcome import Outcome, Progress
    from openwmi.contract.services import Services
    from openwmi.model.batches import Batch
    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance


class Collector:
    """Sink that keeps every object, up to `held`."""

    __slots__ = ("credit", "held", "objects", "outcome")

    def __init__(self, held: int = HELD) -> None:
        self.held = held
        self.credit = (
            held + 1
        )  # whether a source ends at the limit is known only once it was asked for one more
        self.objects: list[Instance | Class] = []
        self.outcome: Outcome | None = None

    def on_objects(self, batch: Batch) -> int | None:
        if len(self.objects) + len(batch) > self.held:
            self.outcome = OVERFULL
            return WBEM_E_QUOTA_VIOLATION  # a sink that fails ends its call (C5)
        self.objects.extend(batch)
        return None

    def on_progress(self, progress: Progress) -> None:
        """Nobody is told while the caller waits."""

    def on_completed(self, outcome: Outcome) -> None:
        self.outcome = self.outcome or outcome


class Finished(NamedTuple):
    """What a successful operation gave: its objects, and the outcome with its string."""

    objects: list[Instance | Class]
    outcome: Outcome

    @property
    def object(self) -> Instance | Class | None:
        """The one object of GetObject or ExecMethod; None for a method without results."""
        return self.objects[0] if self.objects else None


async def perform(
    services: Services,
    operation: AnyOperation,
    flags: int = 0,
    context: Context | None = None,
    *,
    held: int = HELD,
) -> Finished:
    """Run an operation to its end. Raises what the synchronous method would return: refusals and failures alike, with
    the error object as `extended` (G9). Cancelling the waiting task cancels the call at its source."""
    source = source_flags(operation, flags, "sync")
    collector = Collector(held)
    call = await services.start(operation, collector, source, context)
    try:
        final = await call
    except asyncio.CancelledError:
        await call.cancel()
        raise
    outcome = collector.outcome or final
    outcome.raise_()
    return Finished(collector.objects, outcome)
