"""The delivery machine: what a sink hears, in which order, and when a call is over. No I/O, no clock.

Events go in (`produced`, `reported`, `ended`, `returned`, `cancel`, `lost`, `expired`, `granted`), actions come out
of `next_action`; whoever drives it performs each action and tells how the callback went. It does not know whether
the sink is a Python object, a thread's or a proxy to another host. What it guarantees whatever the interleaving
(calls.md B22-B25, C5-C8, D5, D6, D9; DESIGN.md section 1):

* an Indicate never carries zero objects and callbacks never overlap (B23, B24);
* nothing but the final status once the call was cancelled or a callback failed (C5, D5);
* exactly one final status, then exactly one release, then nothing (B22, D9);
* a callback that hangs ends its own call: the source stops at once, the final status and the release follow when
  the callback returns, never beside it (C7, C8).

    OPEN --ended--> ENDED --queue empty--> FINAL --returned--> LEAVING --released--> CLOSED
      \\               \\                     ^
       +---- cancel, failed callback ----> CLOSING
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from openwmi.contract.outcome import Outcome
from openwmi.model.batches import Rows
from openwmi.model.status import WBEM_E_CALL_CANCELLED

if TYPE_CHECKING:
    from openwmi.contract.outcome import Progress
    from openwmi.model.batches import Batch

OPEN: Final = 0
ENDED: Final = 1
CLOSING: Final = 2
FINAL: Final = 3
LEAVING: Final = 4
CLOSED: Final = 5

# Objects that may wait for a sink that works without credit: two batches, so that the provider fills one while the sink
# has the other (a third less time per object than with one); small enough that many calls with slow sinks stay within
# memory.
WINDOW: Final = 2000
# Windows caps an Indicate by bytes (FinalizerBatchSize, C2); objects are what we can count for nothing.
LARGEST_BATCH: Final = 1000

CANCELLED: Final = Outcome(WBEM_E_CALL_CANCELLED)


class Deliver(NamedTuple):
    """Call the sink's on_objects."""

    batch: Batch


class Report(NamedTuple):
    """Call the sink's on_progress."""

    progress: Progress


class Finish(NamedTuple):
    """Call the sink's on_completed."""

    outcome: Outcome


StopSource = Literal["stop"]
Release = Literal["release"]
STOP: Final[StopSource] = "stop"
RELEASE: Final[Release] = "release"
Action = Deliver | Report | Finish | StopSource | Release


class Delivery:
    """One call's delivery. `credit` None: a sink that is called one batch at a time; a number: a buffer of ours."""

    __slots__ = (
        "_batches",
        "_busy",
        "_credit",
        "_outcome",
        "_progress",
        "_queued",
        "_sourced",
        "_turn",
        "state",
    )

    def __init__(self, *, credit: int | None = None) -> None:
        self.state = OPEN
        self._batches: deque[Batch] | None = None
        self._queued = 0
        self._credit = credit
        self._progress: Progress | None = None
        self._turn = True  # the next callback may be a progress report: reports and objects take turns
        self._busy = False
        self._outcome = CANCELLED
        self._sourced = True  # the source may still be running

    # What the driver asks

    @property
    def demand(self) -> int:
        """How many more objects the source may produce now. Zero once nobody wants them."""
        if self.state != OPEN:
            return 0
        return max(0, (WINDOW if self._credit is None else self._credit) - self._queued)

    @property
    def waiting(self) -> int:
        """How many objects wait for the sink."""
        return self._queued

    @property
    def pending(self) -> bool:
        """Whether CancelAsyncCall still finds this call: its end is not decided yet (D3, D9)."""
        return self.state < CLOSING

    @property
    def busy(self) -> bool:
        """Whether a callback is running."""
        return self._busy

    @property
    def timed(self) -> bool:
        """Whether the sink's callbacks fall under the 30 s rule (C7); a buffer with credit may be slow."""
        return self._credit is None

    @property
    def closed(self) -> bool:
        return self.state == CLOSED

    @property
    def outcome(self) -> Outcome:
        """The outcome, once decided (state ENDED or later)."""
        return self._outcome

    # Events

    def produced(self, batch: Batch) -> None:
        """The source has objects. Dropped when the call's end is decided already (D5)."""
        if self.state != OPEN or not len(batch):
            return
        if self._batches is None:
            self._batches = deque()
        self._batches.append(batch)
        self._queued += len(batch)

    def reported(self, progress: Progress) -> None:
        """The source reports progress. Only the latest report waits: a slow sink sees fewer of them."""
        if self.state == OPEN:
            self._progress = progress

    def ended(self, outcome: Outcome) -> None:
        """The source is through; its objects are still delivered before the outcome (F9)."""
        self._sourced = False
        if self.state == OPEN:
            self.state = ENDED
            self._outcome = outcome

    def granted(self, count: int) -> None:
        """A buffer takes `count` more objects."""
        if self._credit is not None and count > 0:
            self._credit += count

    def returned(self, *, failed: bool = False) -> None:
        """The running callback came back. A failure ends the call (C5), except one of the final status (C6)."""
        self._busy = False
        if self.state == FINAL:
            self.state = LEAVING
        elif failed:
            self._close()

    def cancel(self) -> bool:
        """CancelAsyncCall. False when there is nothing left to cancel (D3, D9)."""
        if not self.pending:
            return False
        self._close()
        return True

    def expired(self) -> None:
        """The running callback took too long (C7): nothing more is produced, nothing starts beside it (C8)."""
        self._close()

    def lost(self) -> None:
        """The client is gone: a running callback will never return, a further one may fail (C9)."""
        if self._busy:
            self.returned(failed=True)
        self._close()

    def _close(self) -> None:
        if self.state < CLOSING:
            self.state = CLOSING
            self._outcome = CANCELLED
            self._batches = None
            self._queued = 0
            self._progress = None

    # Actions

    def next_action(self) -> Action | None:
        """What to do now; None until the next event. After Deliver, Report and Finish call `returned`."""
        if self._sourced and self.state >= CLOSING:
            self._sourced = False
            return STOP
        if self._busy:
            return None
        if self.state < CLOSING:
            return self._next_callback()
        if self.state == CLOSING:
            return self._finish()
        if self.state == LEAVING:
            self.state = CLOSED
            return RELEASE
        return None

    def _next_callback(self) -> Action | None:
        if self._progress is not None and (self._turn or not self._deliverable()):
            progress, self._progress = self._progress, None
            self._turn = False
            self._busy = True
            return Report(progress)
        count = self._deliverable()
        if count:
            self._turn = True
            self._busy = True
            return Deliver(self._take(count))
        if self.state == ENDED and not self._queued:
            return self._finish()
        return None

    def _finish(self) -> Finish:
        self.state = FINAL
        self._busy = True
        return Finish(self._outcome)

    def _deliverable(self) -> int:
        """How many of the waiting objects the sink may be given in one call."""
        limit = LARGEST_BATCH if self._credit is None else min(self._credit, LARGEST_BATCH)
        return min(limit, self._queued)

    def _take(self, count: int) -> Batch:
        """The first objects of the queue: neighbours of one layout in one batch, never more than `count`."""
        batches = self._batches
        assert batches  # _deliverable() counted them
        batch = batches.popleft()
        if len(batch) > count:
            batch, rest = batch[:count], batch[count:]
            batches.appendleft(rest)
        elif isinstance(batch, Rows):
            batch = _joined(batch, batches, count)
        self._queued -= len(batch)
        if self._credit is not None:
            self._credit -= len(batch)
        return batch


def _joined(first: Rows, batches: deque[Batch], count: int) -> Rows:
    """`first` with the batches that follow it and have its layout, up to `count` rows in all."""
    rows: list[tuple[object, ...]] | None = None
    while batches:
        follower = batches[0]
        if not isinstance(follower, Rows) or follower.layout is not first.layout:
            break
        if follower.defaults != first.defaults or len(rows or first.rows) + len(follower) > count:
            break
        if rows is None:
            rows = list(first.rows)
        rows.extend(follower.rows)
        batches.popleft()
    return first if rows is None else Rows(first.layout, rows, first.defaults)
