"""The result set of an enumerator: what has arrived of a call's objects, kept or freed as they are read (F18, F21)."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Protocol

from openwmi.faces.views.limits import HELD, OVERFULL, WINDOW
from openwmi.faces.views.reports import Reports
from openwmi.model.status import WBEM_E_QUOTA_VIOLATION

if TYPE_CHECKING:
    from openwmi.contract.outcome import Outcome, Progress
    from openwmi.contract.services import Call
    from openwmi.model.batches import Batch
    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance


class Reader(Protocol):
    """One enumerator over a result set. `position`: the first object that it has not read."""

    position: int

    def changed(self) -> None:
        """More objects have arrived, or the operation has ended."""

    def reported(self) -> None:
        """A report of progress has come."""


class ResultSet:
    """Sink by credit of one call, shared by an enumerator and its clones; lives on the loop of the call.

    forward: each object is freed once read, and the provider is kept a window ahead of the one reader (FORWARD_ONLY).
    Otherwise everything is kept, up to `held` objects: more end the operation with QUOTA_VIOLATION (B83).

    reports: of progress, where it was asked for.
    """

    __slots__ = (
        "_batches",
        "_call",
        "_granted",
        "_readers",
        "_starts",
        "_window",
        "arrived",
        "credit",
        "forward",
        "held",
        "outcome",
        "reports",
    )

    def __init__(self, *, forward: bool, held: int = HELD) -> None:
        self.forward = forward
        self.held = held
        self.arrived = 0
        self.outcome: Outcome | None = None
        self.reports = Reports()
        # One more than may be held: whether a source ends there is known only once it was asked for one more.
        self._window = min(WINDOW, held)
        self.credit = self._granted = self._window if forward else held + 1
        self._batches: list[Batch] = []
        self._starts: list[int] = []  # the position of each batch's first object
        self._readers: list[Reader] = []
        self._call: Call | None = None

    @property
    def kept(self) -> int:
        """How many objects lie here now."""
        return self.arrived - self._starts[0] if self._starts else 0

    # The call

    def attach(self, call: Call) -> None:
        """The call was accepted; objects may have come already (B21)."""
        self._call = call

    def on_objects(self, batch: Batch) -> int | None:
        if not self.forward and self.arrived + len(batch) > self.held:
            self.outcome = OVERFULL
            return WBEM_E_QUOTA_VIOLATION  # a sink that fails ends its call (C5)
        self._starts.append(self.arrived)
        self._batches.append(batch)
        self.arrived += len(batch)
        self._tell()
        return None

    def on_progress(self, progress: Progress) -> None:
        self.reports.add(progress)
        for reader in tuple(self._readers):
            reader.reported()

    def on_completed(self, outcome: Outcome) -> None:
        if self.outcome is None:
            self.outcome = outcome
        self._tell()

    def _tell(self) -> None:
        for reader in tuple(self._readers):
            reader.changed()

    # The readers

    def join(self, reader: Reader) -> None:
        self._readers.append(reader)

    async def leave(self, reader: Reader) -> None:
        """A reader is released; with the last one the call is cancelled and the objects are freed (F22)."""
        if reader not in self._readers:
            return
        self._readers.remove(reader)
        if not self._readers:
            self._batches, self._starts = [], []
            if self._call is not None:
                await self._call.cancel()

    def want(self, position: int, needed: int) -> None:
        """Keep the provider a window ahead of `position`, further where one request needs more. Small amounts are
        saved up: waking a provider costs more than the objects."""
        call, window = self._call, self._window
        if not self.forward or call is None or self.outcome is not None:
            return
        if needed > self.held:
            needed = self.held
        more = position + max(window, needed) - self._granted
        if more >= window // 2 or position + needed > self._granted:
            self._granted += more
            call.grant(more)

    def objects(self, start: int, count: int) -> list[Instance | Class]:
        """`count` objects from position `start` on; all have arrived and none has been freed."""
        found: list[Instance | Class] = []
        index = bisect_right(self._starts, start) - 1
        while len(found) < count:
            offset = start + len(found) - self._starts[index]
            found.extend(self._batches[index][offset : offset + count - len(found)])
            index += 1
        return found

    def passed(self, position: int) -> None:
        """Everything before `position` has been read: free it where objects are read once only."""
        starts = self._starts
        if not self.forward or position < (starts[1] if len(starts) > 1 else self.arrived):
            return
        count = len(starts) if position >= self.arrived else bisect_right(starts, position) - 1
        del self._batches[:count], starts[:count]
