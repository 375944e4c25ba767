"""Driving what produces an operation's objects: plain generators in slices on worker threads, async ones on the loop.

An operation is a generator of *segments*, each a run of rows of one layout. A segment is opened and read on a thread
of its provider; the thread is given back whenever the reader's credit is used up, so a slow reader and a waiting call
hold none. Rows cross to the loop in batches: the first at once, later ones every few milliseconds.
"""

from __future__ import annotations

from itertools import chain, islice
from time import sleep
from typing import TYPE_CHECKING, Any, Final, Protocol

from openwmi.model.batches import Rows
from openwmi.model.status import WBEM_S_PARTIAL_RESULTS
from openwmi.threads import Threads

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator

    from openwmi.contract.provider import Request
    from openwmi.model.batches import Batch
    from openwmi.model.errors import WbemError
    from openwmi.model.layouts import Layout

# How long rows may gather once a first batch is out. Below what a person notices, far above the cost of a wake-up.
GATHER_SECONDS: Final = 0.005
# Behind so many rows a thread stands back for a moment. One that computes on would keep the interpreter for as long as
# `sys.getswitchinterval()`, 5 ms, before the loop hears of the first; of fewer rows it hears when they are through.
_STAND_BACK: Final = 8
_STAND_BACK_SECONDS: Final = 0.00001
# Planning, schema queries and the store's own rows: short work of the service itself.
PLANNER: Final = Threads(32, name="openwmi-planner")


class Segment:
    """A run of objects from one place.

    open(): called on a worker thread (on the loop when `blocking` is false); gives an iterable, an async iterable, or
    an awaitable of an iterable.
    layout: of the rows, None when the iterable holds objects already.
    run: filter and projection, from rows to rows; drops: whether it may leave rows out.
    fault(exception): the error to report when reading fails.
    """

    __slots__ = ("blocking", "drops", "fault", "layout", "open", "request", "run", "threads")

    def __init__(
        self,
        open: Callable[[], Any],
        *,
        threads: Threads,
        layout: Layout | None = None,
        run: Callable[[Iterable[Any]], Iterator[Any]] | None = None,
        fault: Callable[[BaseException], WbemError] | None = None,
        request: Request | None = None,
        blocking: bool = True,
        drops: bool = True,
    ) -> None:
        self.open = open
        self.threads = threads
        self.layout = layout
        self.run = run
        self.fault = fault
        self.request = request
        self.blocking = blocking
        self.drops = drops

    def filtered(self, rows: Iterable[Any]) -> Iterable[Any]:
        return rows if self.run is None else self.run(rows)

    def batch(self, rows: list[Any]) -> Batch:
        return rows if self.layout is None else Rows(self.layout, rows)

    def failure(self, exception: BaseException) -> BaseException:
        return exception if self.fault is None else self.fault(exception)

    def stoppable(self, rows: Iterable[Any]) -> Iterable[Any]:
        """The rows until nobody wants them: a filter that lets nothing through must not keep a thread for ever."""
        request = self.request
        if request is None or not self.drops or isinstance(rows, (list, tuple)):
            return rows
        return _until_cancelled(rows, request)


def objects(found: Iterable[Any]) -> Segment:
    """A segment of objects that are there already."""
    return Segment(lambda: found, threads=PLANNER)


def _until_cancelled(rows: Iterable[Any], request: Request) -> Iterator[Any]:
    for row in rows:
        if request.cancelled:
            return
        yield row


class Reader(Protocol):
    """What a feed tells: objects, and the end with the error, or the success status, it ended with."""

    def on_batch(self, batch: Batch) -> None: ...

    def on_end(self, fault: BaseException | None, status: int) -> None: ...


class _Part:
    """A segment that is being read, and its rows that have not been handed over yet."""

    __slots__ = ("close", "rows", "segment", "source")

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.rows: list[Any] = []
        self.source: Iterator[Any] | None = None
        self.close: Callable[[], object] | None = None


class Feed:
    """One operation's production, driven on `loop` and on worker threads.

    At any moment either one worker thread (or one task) produces, or nobody does; `_active` says which. The producer
    appends to the current part's rows and counts `_produced`; everything else belongs to the loop.
    """

    __slots__ = (
        "_active",
        "_armed",
        "_delivered",
        "_failures",
        "_limit",
        "_loop",
        "_part",
        "_planner",
        "_produced",
        "_reader",
        "_room",
        "_segments",
        "_stopped",
        "_task",
        "_tried",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, segments: Iterator[Segment], planner: Threads, reader: Reader
    ) -> None:
        self._loop = loop
        self._segments = segments
        self._planner = planner
        self._reader: Reader | None = reader
        self._part: _Part | None = None
        self._armed = False
        self._active = False
        self._stopped = False
        self._produced = 0
        self._limit = 0
        self._delivered = 0
        self._tried = 0
        self._failures: list[BaseException] | None = None
        self._task: asyncio.Task[None] | None = None
        self._room: asyncio.Future[None] | None = None

    # On the loop

    def allow(self, demand: int) -> None:
        """Let production go on until `demand` objects more than those delivered so far are there."""
        limit = self._delivered + demand
        if self._stopped or limit <= self._limit:
            return
        self._limit = limit
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        if not self._active:
            self._active = True
            self._schedule()

    def stop(self) -> None:
        """Nobody wants anything more. A thread stuck inside the provider is left behind; it ends when it returns."""
        if self._stopped:
            return
        self._stopped = True
        self._limit = 0
        self._reader = None
        part = self._part
        if part is not None and part.segment.request is not None:
            part.segment.request.cancel()
        if self._task is not None:
            self._task.cancel()
        elif not self._active:
            self._discard()

    def _schedule(self) -> None:
        """Have somebody go on producing."""
        part = self._part
        if part is None:
            self._planner.submit(self._advance)
        elif part.segment.blocking:
            part.segment.threads.submit(self._produce)
        else:
            self._produce()

    def _discard(self) -> None:
        """Close what is open, on a thread: closing a generator runs the provider's code."""
        part, self._part = self._part, None
        if part is not None and part.close is not None:
            part.segment.threads.submit(lambda: _closed(part))

    def _collect(self) -> None:
        """Hand over what has gathered; while there is something, look again a little later."""
        part = self._part
        if part is not None and part.rows:
            self._hand_over(part)
            if self._active:
                self._loop.call_later(GATHER_SECONDS, self._collect)
                return
        self._armed = False
        part = self._part
        if part is not None and part.rows:  # a row came between the look and the flag
            self._armed = True
            self._loop.call_soon(self._collect)

    def _hand_over(self, part: _Part) -> None:
        count = len(part.rows)
        if not count:
            return
        rows = part.rows[:count]
        del part.rows[:count]
        self._delivered += count
        if self._reader is not None:
            self._reader.on_batch(part.segment.batch(rows))

    def _on_paused(self) -> None:
        """The producer used up what it was allowed, or has seen that nobody wants more."""
        self._active = False
        if self._part is not None and not self._stopped:
            self._hand_over(self._part)
        if self._reader is None:
            self._discard()
        elif not self._active and self._produced < self._limit:
            self._active = True
            self._schedule()

    def _on_part(self, part: _Part, exception: BaseException | None) -> None:
        """A segment is through; a failing one does not keep the others from being read (D-54)."""
        self._hand_over(part)
        if exception is not None:
            self._failures = [*(self._failures or ()), exception]

    def _on_end(self, exception: BaseException | None) -> None:
        """All segments are through, or the operation could not be planned."""
        self._active = False
        self._stopped = True
        reader, self._reader = self._reader, None
        if reader is None:
            return
        if self._failures:
            # Some of several sources failed: what the others gave stands, and the status says that it is not all.
            if exception is None and self._tried > 1 and self._delivered:
                reader.on_end(None, WBEM_S_PARTIAL_RESULTS)
                return
            exception = self._failures[0]  # the cause, and not what followed from it
        reader.on_end(exception, 0)

    def _on_async(self, part: _Part, answer: Any) -> None:
        """A segment turned out to be asynchronous: read it with a task on the loop."""
        if self._stopped:
            self._active = False
            if hasattr(answer, "close"):
                answer.close()
            return
        read = self._iterate if hasattr(answer, "__aiter__") else self._awaited
        self._task = self._loop.create_task(read(part, answer))

    async def _iterate(self, part: _Part, rows: AsyncIterable[Any]) -> None:
        exception: BaseException | None = None
        segment = part.segment
        try:
            try:
                async for row in rows:
                    for result in segment.filtered((row,)):
                        part.rows.append(result)
                        self._produced += 1
                    if not self._armed and part.rows:
                        self._armed = True
                        self._loop.call_soon(self._collect)
                    if self._produced >= self._limit:
                        await self._wait_for_room(part)
            finally:
                if (shut := getattr(rows, "aclose", None)) is not None:
                    await shut()
        except BaseException as failure:  # noqa: BLE001 - a provider may raise anything
            exception = self._blamed(segment, failure)
        self._after_task(part, exception)

    async def _wait_for_room(self, part: _Part) -> None:
        """Suspend until the reader wants more."""
        self._hand_over(part)
        while self._produced >= self._limit:
            self._room = self._loop.create_future()
            await self._room
            self._room = None

    async def _awaited(self, part: _Part, answer: Awaitable[Iterable[Any]]) -> None:
        exception: BaseException | None = None
        try:
            for result in part.segment.filtered(await answer):
                part.rows.append(result)
                self._produced += 1
        except BaseException as failure:  # noqa: BLE001 - a provider may raise anything
            exception = self._blamed(part.segment, failure)
        self._after_task(part, exception)

    def _blamed(self, segment: Segment, failure: BaseException) -> BaseException:
        """The error for what a provider's coroutine raised. SystemExit and the like end its own call: asyncio would
        let them end the loop, and with it the service. Only our own cancelling goes on its way."""
        from asyncio import CancelledError

        if self._stopped and isinstance(failure, CancelledError):
            raise failure
        return segment.failure(failure)

    def _after_task(self, part: _Part, exception: BaseException | None) -> None:
        self._task = self._part = None
        self._on_part(part, exception)
        if self._reader is not None:
            self._planner.submit(self._advance)

    # On a worker thread

    def _tell(self, function: Callable[..., object], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:  # the loop is closed: the service has ended
            self._stopped = True

    def _advance(self) -> None:
        """Find the next segment, and pass it to a thread of its provider."""
        part = self._next_part()
        if part is None:
            return
        if part.segment.blocking:
            part.segment.threads.submit(self._produce)
        else:
            self._tell(self._produce)

    def _next_part(self) -> _Part | None:
        """The next segment; the end is told when there is none, or when it cannot be planned."""
        try:
            segment = None if self._stopped else next(self._segments, None)
        except BaseException as exception:  # noqa: BLE001 - on a worker thread nobody else would hear of it
            self._tell(self._on_end, exception)
            return None
        if segment is None:
            self._tell(self._on_end, None)
            return None
        self._tried += 1
        part = self._part = _Part(segment)
        if self._stopped and segment.request is not None:
            segment.request.cancel()
        return part

    def _produce(self) -> None:
        """Read segment after segment, as long as they belong to this thread and the allowance lasts."""
        part = self._part
        threads = part.segment.threads if part is not None else None
        while part is not None:
            exception: BaseException | None = None
            try:
                if not self._read(part):
                    return
            except BaseException as failure:  # noqa: BLE001 - on a worker thread nobody else would hear of it
                exception = part.segment.failure(failure)
            self._part = None
            self._tell(self._on_part, part, exception)
            part = self._next_part()
            if part is not None and (not part.segment.blocking or part.segment.threads is not threads):
                self._tell(self._schedule)
                return

    def _read(self, part: _Part) -> bool:
        """Read one segment. True when it is through; otherwise somebody has been told how it goes on."""
        source = part.source
        if source is None:
            if self._stopped:
                self._tell(self._on_paused)
                return False
            segment = part.segment
            answer = segment.open()
            if hasattr(answer, "__aiter__") or hasattr(answer, "__await__"):
                self._tell(self._on_async, part, answer)
                return False
            part.close = getattr(answer, "close", None)
            source = iter(segment.filtered(segment.stoppable(answer)))
            if not self._produced:
                source = chain.from_iterable(_standing_back(source))
            part.source = source
        append = part.rows.append
        produced = self._produced
        try:
            for row in source:
                append(row)
                produced += 1
                if not self._armed:
                    self._armed = True
                    self._tell(self._collect)
                if produced >= self._limit:
                    break
            else:
                return True
        finally:
            self._produced = produced
        self._tell(self._on_paused)
        return False


def _standing_back(rows: Iterator[Any]) -> Iterator[Iterable[Any]]:
    """The same rows, in parts. Between the first and the rest the thread lets others have the interpreter."""
    yield islice(rows, _STAND_BACK)
    for row in rows:
        sleep(_STAND_BACK_SECONDS)
        yield (row,)
        yield rows


def _closed(part: _Part) -> None:
    """Close a provider's generator; what it raises while closing interests nobody any more."""
    if part.close is not None:
        try:
            part.close()
        except BaseException:  # noqa: S110, BLE001 - the call is over, there is nobody to tell
            pass
