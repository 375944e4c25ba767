"""A call of the service under random interleavings: slow, failing and hanging sinks, cancel from everywhere, a provider
that fails, a shared sink, a waiting task that is itself cancelled. The sink's contract holds and nothing is left."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.service.clocked import ClockedLoop, Inline, clocked_service, feed

from openwmi.calls.running import RunningCall
from openwmi.contract.caller import Caller
from openwmi.contract.outcome import Outcome, Progress
from openwmi.model.errors import WbemError
from openwmi.model.status import WBEM_E_CALL_CANCELLED, WBEM_E_FAILED, WBEM_E_NOT_FOUND
from openwmi.service.feed import Segment

CALLER = Caller("S-1-22-1-0", "tester")
REACTIONS = ["return", "fail", "raise", "future", "coroutine", "cancel inside"]


class Source:
    """An asynchronous provider that the test feeds by hand."""

    def __init__(self, loop: ClockedLoop) -> None:
        self.loop = loop
        self.waiting: asyncio.Future[Any] | None = None
        self.backlog: list[Any] = []
        self.closed = False

    async def rows(self) -> AsyncIterator[Any]:
        try:
            while True:
                while self.backlog:
                    item = self.backlog.pop(0)
                    if item is None:
                        return
                    if isinstance(item, Exception):
                        raise item
                    yield item
                self.waiting = self.loop.create_future()
                await self.waiting
        finally:
            self.closed = True

    def give(self, item: Any) -> None:
        self.backlog.append(item)
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)


class RecordingSink:
    """Keeps what it hears and reacts as it is told; knows when it is called against the contract."""

    def __init__(self, loop: ClockedLoop, races: CallRaces) -> None:
        self.loop = loop
        self.races = races
        self.reaction = "return"
        self.pending: list[asyncio.Future[Any]] = []
        self.busy = 0
        self.heard: list[str] = []
        self.statuses: list[int] = []
        self.muted = False

    def on_objects(self, batch: Any) -> Any:
        assert len(batch), "an Indicate without objects (B23)"
        assert not self.muted, "objects after cancel returned (D5)"
        return self.called("objects")

    def on_progress(self, progress: Progress) -> Any:
        assert not self.muted, "progress after cancel returned (D5)"
        return self.called("progress")

    def on_completed(self, outcome: Outcome) -> Any:
        self.statuses.append(outcome.status)
        return self.called("final")

    def on_released(self) -> None:
        self.heard.append("release")

    def called(self, what: str) -> Any:
        self.heard.append(what)
        reaction = self.reaction
        if reaction == "return":
            return None
        if reaction == "fail":
            return WBEM_E_FAILED
        if reaction == "raise":
            raise RuntimeError("a sink that raises")
        if reaction == "cancel inside":
            return self.cancel_inside()
        future = self.loop.create_future()
        self.pending.append(future)
        return future if reaction == "future" else self.wait_for(future)

    async def wait_for(self, future: asyncio.Future[Any]) -> Any:
        return await future

    async def cancel_inside(self) -> None:
        """D14: honoured, and without waiting for the callback that asks."""
        before = self.loop.time()
        try:
            await self.races.service.calls.cancel(self, CALLER.sid, inside=True)
        except WbemError as reason:
            assert reason.code == WBEM_E_NOT_FOUND
        assert self.loop.time() == before

    def wake(self, answer: Any) -> None:
        pending, self.pending = self.pending, []
        for future in pending:
            if not future.done():
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)


class CallRaces(RuleBasedStateMachine):
    """Two calls: each with a sink of its own, or both with the same one."""

    def __init__(self) -> None:
        super().__init__()
        self._open = clocked_service()
        self.loop, self.service = self._open.__enter__()
        self.sinks: list[RecordingSink] = []
        self.sources: list[Source] = []
        self.calls: list[RunningCall] = []
        self.cancels: list[asyncio.Task[None]] = []
        self.waiters: list[asyncio.Task[Outcome]] = []
        self.shared = False

    @initialize(shared=st.booleans())
    def begin(self, shared: bool) -> None:
        self.shared = shared
        for number in range(2):
            sink = self.sinks[0] if shared and number else RecordingSink(self.loop, self)
            source = Source(self.loop)
            call = RunningCall(
                self.service.calls,
                sink,
                sink,
                CALLER.sid,
                finish=lambda fault, status: Outcome(WBEM_E_FAILED if fault is not None else status),
            )
            segment = Segment(source.rows, threads=Inline(self.loop), blocking=False)  # type: ignore[arg-type]
            call.feed = feed(self.loop, iter([segment]), call)
            self.service.calls.remember(call)
            self.loop.call_soon(call.advance)
            self.sinks.append(sink)
            self.sources.append(source)
            self.calls.append(call)

    @rule(number=st.integers(0, 1), count=st.integers(1, 3))
    def produce(self, number: int, count: int) -> None:
        for _ in range(count):
            self.sources[number].give(object())

    @rule(number=st.integers(0, 1))
    def report(self, number: int) -> None:
        self.calls[number].report(1, 2, None)

    @rule(number=st.integers(0, 1), failing=st.booleans())
    def end(self, number: int, failing: bool) -> None:
        self.sources[number].give(ValueError("a provider that fails") if failing else None)

    @rule(number=st.integers(0, 1), reaction=st.sampled_from(REACTIONS))
    def react(self, number: int, reaction: str) -> None:
        self.sinks[number].reaction = reaction

    @rule(number=st.integers(0, 1), answer=st.sampled_from([None, WBEM_E_FAILED, "raise"]))
    def callback_returns(self, number: int, answer: Any) -> None:
        self.sinks[number].wake(RuntimeError("late") if answer == "raise" else answer)

    @rule(number=st.integers(0, 1))
    def cancel(self, number: int) -> None:
        self.cancels.append(self.loop.create_task(self.cancel_and_check(self.sinks[number])))

    async def cancel_and_check(self, sink: RecordingSink) -> None:
        started = self.loop.time()
        try:
            await self.service.calls.cancel(sink, CALLER.sid, inside=False)
        except WbemError as reason:
            assert reason.code == WBEM_E_NOT_FOUND
            return
        assert self.loop.time() - started <= self.service.settings.cancel_wait + 1e-6, "cancel is bounded"
        sink.muted = True
        if not sink.pending:
            assert sink.heard.count("release") == sink.heard.count("final") == len(self.calls_of(sink))

    def calls_of(self, sink: RecordingSink) -> list[RunningCall]:
        return [call for call, its in zip(self.calls, self.sinks, strict=True) if its is sink]

    @rule(number=st.integers(0, 1))
    def wait(self, number: int) -> None:
        call = self.calls[number]

        async def outcome() -> Outcome:
            return await call

        self.waiters.append(self.loop.create_task(outcome()))

    @precondition(lambda self: self.cancels or self.waiters)
    @rule(pick=st.integers(0, 50))
    def a_waiting_task_is_cancelled(self, pick: int) -> None:
        tasks: list[asyncio.Task[Any]] = [*self.cancels, *self.waiters]
        tasks[pick % len(tasks)].cancel()

    @rule(turns=st.integers(1, 4))
    def turn(self, turns: int) -> None:
        self.loop.turn(turns)

    @rule(seconds=st.sampled_from([0.001, 0.006, 1.1, 31.0]))
    def time_passes(self, seconds: float) -> None:
        self.loop.advance(seconds)

    @invariant()
    def the_contract_holds(self) -> None:
        for sink in set(self.sinks):
            calls = len(self.calls_of(sink))
            assert sink.heard.count("final") <= calls
            assert sink.heard.count("release") <= sink.heard.count("final")
            if not self.shared:
                ends = [position for position, what in enumerate(sink.heard) if what == "final"]
                if ends:
                    assert sink.heard[ends[0] :] in (["final"], ["final", "release"])

    def check_tasks(self) -> None:
        """Whoever waited has got an answer. (A method of its own: a variable left over would keep a call alive.)"""
        for task in [*self.cancels, *self.waiters]:
            assert task.done()
            if not task.cancelled() and (failure := task.exception()) is not None:
                raise failure

    def teardown(self) -> None:
        """Sinks that behave from now on: every call ends, completely."""
        try:
            for sink in self.sinks:
                sink.reaction = "return"
            for source in self.sources:
                source.give(None)
            for _ in range(20):
                for sink in self.sinks:
                    sink.wake(None)
                self.loop.advance(2)
            for sink in set(self.sinks):
                calls = len(self.calls_of(sink))
                assert sink.heard.count("final") == sink.heard.count("release") == calls
                assert set(sink.statuses) <= {0, WBEM_E_FAILED, WBEM_E_CALL_CANCELLED}
            self.check_tasks()
            assert all(call.done for call in self.calls)
            assert all(source.closed or not source.waiting for source in self.sources)
            gone = [weakref.ref(call) for call in self.calls]
            del self.cancels[:], self.waiters[:], self.calls[:]
            self.loop.settle()
            assert [ref() for ref in gone] == [None, None], "a call outlives its end"
        finally:
            self._open.__exit__(None, None, None)


TestCallRaces = CallRaces.TestCase
TestCallRaces.pytestmark = [  # type: ignore[attr-defined]
    pytest.mark.req("calls:B22", "calls:B24", "calls:C5", "calls:C6", "calls:C7", "calls:C16", "calls:C17"),
    pytest.mark.req("calls:D1", "calls:D4", "calls:D5", "calls:D6", "calls:D9", "calls:D12", "calls:D14"),
]
