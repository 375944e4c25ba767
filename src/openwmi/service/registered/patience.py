"""Waiting for a provider no longer than its registration says (OperationTimeoutInterval, F-04).

The limit is the longest silence: one answer, or the next rows of an enumeration. A slow reader does not count. Plain
code runs on a thread of its own, which is left behind when it does not come back in time.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from openwmi.model.errors import WbemError, error
from openwmi.model.status import WBEM_E_PROVIDER_TIMED_OUT

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator

    from openwmi.threads import Threads

# Rows that may wait for their reader.
READ_AHEAD: Final = 256


def timed_out(name: str, seconds: float) -> WbemError:
    return error(WBEM_E_PROVIDER_TIMED_OUT, f"provider {name} did not answer within {seconds:g} s")


class Patience:
    """A time limit for one provider, and the threads on which it is watched. seconds None: no limit."""

    __slots__ = ("_name", "_seconds", "_threads")

    def __init__(self, name: str, seconds: float | None, threads: Threads) -> None:
        self._name = name
        self._seconds = seconds
        self._threads = threads

    def answer(self, function: Callable[[], Any]) -> Any:
        """What a function gives; its awaitable or rows are limited in their turn."""
        if self._seconds is None:
            return function()
        answer = self._within(self._seconds, function)
        if hasattr(answer, "__aiter__"):
            return self._async_rows(self._seconds, answer)
        if hasattr(answer, "__await__"):
            return self._awaited(self._seconds, answer)
        if hasattr(answer, "__next__"):
            return self._rows(self._seconds, answer)
        return answer

    def _within(self, seconds: float, function: Callable[[], Any]) -> Any:
        done = threading.Event()
        results: list[Any] = []
        failures: list[BaseException] = []

        def run() -> None:
            try:
                results.append(function())
            except BaseException as failure:  # noqa: BLE001 - raised again by the one who waits
                failures.append(failure)
            done.set()

        self._threads.submit(run)
        if not done.wait(seconds):
            raise timed_out(self._name, seconds)
        if failures:
            raise failures[0]
        return results[0]

    def _rows(self, seconds: float, rows: Iterable[Any]) -> Iterator[Any]:
        pump = _Pump(iter(rows))
        while (batch := pump.taken(seconds, self._threads)) is not None:
            if not batch:
                raise timed_out(self._name, seconds)
            try:
                yield from batch
            except GeneratorExit:
                pump.stopped = True
                raise

    async def _async_rows(self, seconds: float, rows: AsyncIterable[Any]) -> AsyncIterator[Any]:
        source = aiter(rows)
        end = object()

        async def following() -> Any:
            async for row in source:
                return row
            return end

        try:
            while (row := await self._awaited(seconds, following())) is not end:
                yield row
        finally:
            if (close := getattr(source, "aclose", None)) is not None:
                await close()

    async def _awaited(self, seconds: float, answer: Awaitable[Any]) -> Any:
        import asyncio

        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await answer
        except TimeoutError:
            if limit.expired():
                raise timed_out(self._name, seconds) from None
            raise


class _Pump:
    """Rows read ahead on another thread, which is given back when enough of them wait."""

    __slots__ = ("_changed", "_ended", "_failure", "_ready", "_running", "_source", "stopped")

    def __init__(self, source: Iterator[Any]) -> None:
        self._source = source
        self._changed = threading.Condition()
        self._ready: list[Any] = []
        self._running = False
        self._ended = False
        self._failure: BaseException | None = None
        self.stopped = False

    def taken(self, seconds: float, threads: Threads) -> list[Any] | None:
        """The rows that are there, waited for if need be: none when time runs out, None at the end."""
        with self._changed:
            if not self._ready and not self._ended:
                if not self._running:
                    self._running = True
                    threads.submit(self._run)
                self._changed.wait_for(lambda: self._ready or self._ended, seconds)
            if self._ready:
                rows, self._ready = self._ready, []
                return rows
            if self._failure is not None:
                raise self._failure
            return None if self._ended else []

    def _run(self) -> None:
        failure: BaseException | None = None
        try:
            for row in self._source:
                with self._changed:
                    self._ready.append(row)
                    self._changed.notify()
                    if len(self._ready) >= READ_AHEAD:
                        self._running = False
                        return
                if self.stopped:
                    break
        except BaseException as reason:  # noqa: BLE001 - raised again by the one who waits
            failure = reason
        with self._changed:
            self._failure = failure
            self._ended = True
            self._changed.notify()
        if self.stopped and (close := getattr(self._source, "close", None)) is not None:
            close()
