"""Driving what produces an operation's objects: plain generators in slices on worker threads, async ones on the loop.

An operation is a generator of *segments*, each a run of rows of one layout. A segment is opened and read on a thread
of its provider; the thread is given back whenever the reader's credit is used up, so a slow reader and a waiting call
hold none. Rows cross to the loop in batches: the first at once, later ones every few milliseconds.
"""

from __future__ import annotations

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
# Planning, schema queries and the store's own rows: short work of the service itself.
PLANNER: Final = Threads(32, name="openwmi-planner")


class Segment:
    """A run of objects from one place.

    open(): called on a worker thread (on the loop when `blocking` is false); gives an iterable, an async iterable, or
    an awaitable of an iterable.
    layout: of the rows, None when the iterable holds objects already.
    run: filter and projection, from rows to rows.
    fault(exception): the error to report when reading fails.
    """

    __slots__ = ("blocking", "fault", "layout", "open", "request", "run", "threads")

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
    ) -> None:
        self.open = open
        self.threads = threads
        self.layout = layout
        self.run = run
        self.fault = fault
        self.request = request
        self.blocking = blocking

    def filtered(self, rows: Iterable[Any]) -> Iterable[Any]:
        return rows if self.run is None else self.run(rows)

    def batch(self, rows: list[Any]) -> Batch:
        return rows if self.layout is None else Rows(self.layout, rows)

    def failure(self, exception: BaseException) -> BaseException:
        return exception if self.fault is None else self.fault(exception)

    def stoppable(self, rows: Iterable[Any]) -> Iterable[Any]:
        """The rows until nobody wants them: a filter that lets nothing through must not keep a thread for ever."""
        request = self.request
        return rows if request is None or isinstance(rows, (list, tuple)) else _until_cancelled(rows, request)


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


class Feed:
    """One operation's production, driven on `loop` and on worker threads."""

    __slots__ = (
        "_active",
        "_armed",
        "_buffer",
        "_close",
        "_delivered",
        "_failures",
        "_iterator",
        "_limit",
        "_loop",
        "_planner",
        "_produced",
        "_reader",
        "_room",
        "_segment",
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
        self._segment: Segment | None = None
        self._iterator: Iterator[Any] | None = None
        self._close: Callable[[], object] | None = None
        self._buffer: list[Any] = []
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
        self._reader = None
        if self._segment is not None and self._segment.request is not None:
            self._segment.request.cancelled = True
        if self._task is not None:
            self._task.cancel()
        elif not self._active:
            self._discard()

    def _schedule(self) -> None:
        segment = self._segment
        if segment is None:
            self._planner.submit(self._advance)
        elif segment.blocking:
            segment.threads.submit(self._slice)
        else:
            self._slice()

    def _discard(self) -> None:
        """Close what is open, on a thread: closing a generator runs the provider's code."""
        if self._close is not None or self._segment is None:
            threads = self._segment.threads if self._segment is not None else self._planner
            threads.submit(self._shut)

    def _collect(self) -> None:
        """Hand over what has gathered; while there is something, look again a little later."""
        count = len(self._buffer)
        if count:
            self._flush(count)
            if self._active:
                self._loop.call_later(GATHER_SECONDS, self._collect)
                return
        self._armed = False
        if self._buffer:  # a row came between the look and the flag
            self._armed = True
            self._loop.call_soon(self._collect)

    def _flush(self, count: int) -> None:
        rows = self._buffer[:count]
        del self._buffer[:count]
        self._delivered += count
        segment, reader = self._segment, self._reader
        if reader is not None and segment is not None:
            reader.on_batch(segment.batch(rows))

    def _on_paused(self) -> None:
        """The thread used up what it was allowed."""
        self._active = False
        if self._stopped:
            self._discard()
            return
        if self._buffer:
            self._flush(len(self._buffer))
        if not self._active and self._produced < self._limit and not self._stopped:
            self._active = True
            self._schedule()

    def _on_segment_end(self, exception: BaseException | None) -> None:
        """A segment is through; a failing one does not keep the others from being read (D-54)."""
        if self._stopped:
            self._active = False
            self._discard()
            return
        if self._buffer:
            self._flush(len(self._buffer))
        if exception is not None:
            self._failures = [*(self._failures or ()), exception]
        self._segment = None
        self._iterator = self._close = None
        self._task = None
        if self._reader is None:  # the last rows made the sink stop the call
            return
        if self._produced < self._limit:
            self._schedule()
        else:
            self._active = False

    def _on_end(self, exception: BaseException | None) -> None:
        """All segments are through, or the operation could not be planned."""
        self._active = False
        reader, self._reader = self._reader, None
        self._stopped = True
        if reader is None:
            return
        failures = self._failures
        if failures:
            # Some of several sources failed: what the others gave stands, and the status says that it is not all.
            if exception is None and self._tried > 1 and self._delivered:
                reader.on_end(None, WBEM_S_PARTIAL_RESULTS)
                return
            exception = failures[0]  # also of what came after it: "not found" where the look-up failed
        reader.on_end(exception, 0)

    def _on_async(self, answer: Any) -> None:
        """A segment turned out to be asynchronous: read it with a task on the loop."""
        segment = self._segment
        if self._stopped or segment is None:
            self._active = False
            if hasattr(answer, "close"):
                answer.close()
            return
        run = self._iterate if hasattr(answer, "__aiter__") else self._awaited
        self._task = self._loop.create_task(run(segment, answer))

    async def _iterate(self, segment: Segment, rows: AsyncIterable[Any]) -> None:
        exception: BaseException | None = None
        try:
            async for row in rows:
                for result in segment.filtered((row,)):
                    self._buffer.append(result)
                    self._produced += 1
                if not self._armed and self._buffer:
                    self._armed = True
                    self._loop.call_soon(self._collect)
                if self._produced >= self._limit:
                    await self._wait_for_room()
        except Exception as failure:  # noqa: BLE001 - a provider may raise anything
            exception = segment.failure(failure)
        finally:
            if (shut := getattr(rows, "aclose", None)) is not None:
                await shut()
        self._on_segment_end(exception)

    async def _wait_for_room(self) -> None:
        """Suspend until the reader wants more."""
        if self._buffer:
            self._flush(len(self._buffer))
        while self._produced >= self._limit:
            self._room = self._loop.create_future()
            await self._room
            self._room = None

    async def _awaited(self, segment: Segment, answer: Awaitable[Iterable[Any]]) -> None:
        exception: BaseException | None = None
        try:
            for result in segment.filtered(await answer):
                self._buffer.append(result)
                self._produced += 1
        except Exception as failure:  # noqa: BLE001 - a provider may raise anything
            exception = segment.failure(failure)
        self._on_segment_end(exception)

    # On a worker thread

    def _tell(self, function: Callable[..., object], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:  # the loop is closed: the service has ended
            self._stopped = True

    def _advance(self) -> None:
        """Find the next segment."""
        try:
            segment = None if self._stopped else next(self._segments, None)
        except BaseException as exception:  # noqa: BLE001 - on a worker thread nobody else would hear of it
            self._tell(self._on_end, exception)
            return
        if segment is None:
            self._tell(self._on_end, None)
            return
        self._segment = segment
        self._tried += 1
        self._tell(self._schedule)

    def _slice(self) -> None:
        """Read the segment until it ends or the allowance does."""
        segment = self._segment
        assert segment is not None
        try:
            rows = self._iterator
            if rows is None:
                if self._stopped:
                    self._tell(self._on_paused)
                    return
                answer = segment.open()
                if hasattr(answer, "__aiter__") or hasattr(answer, "__await__"):
                    self._tell(self._on_async, answer)
                    return
                self._close = getattr(answer, "close", None)
                rows = self._iterator = iter(segment.filtered(segment.stoppable(answer)))
            append = self._buffer.append
            produced = self._produced
            try:
                for row in rows:
                    append(row)
                    produced += 1
                    if not self._armed:
                        self._armed = True
                        self._tell(self._collect)
                    if produced >= self._limit or self._stopped:
                        break
                else:
                    self._tell(self._on_segment_end, None)
                    return
            finally:
                self._produced = produced
            self._tell(self._on_paused)
        except BaseException as exception:  # noqa: BLE001 - on a worker thread nobody else would hear of it
            self._tell(self._on_segment_end, segment.failure(exception))

    def _shut(self) -> None:
        """Close the provider's generator; what it raises while closing interests nobody any more."""
        close, self._close, self._iterator = self._close, None, None
        if close is not None:
            try:
                close()
            except Exception:  # noqa: S110, BLE001 - the call is over, there is nobody to tell
                pass
