"""Waits of the main thread end with Ctrl-C, whenever it comes; what was waited for is cancelled at its source."""

from __future__ import annotations

import _thread
import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest

from openwmi.portal import Portal
from openwmi.threads import Threads, outcome, waited


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal()
    yield portal
    portal.stop()


def interrupt(soon: Callable[[], object]) -> threading.Thread:
    """Once `soon` has come back, the signal is there, but no wait of the main thread is told: so it is, too, when a
    signal arrives just before the wait begins."""
    thread = threading.Thread(target=lambda: (soon(), _thread.interrupt_main()))
    thread.start()
    return thread


def test_a_blocking_call_ends_with_ctrl_c_and_its_coroutine_is_cancelled(portal: Portal) -> None:
    started, cancelled = threading.Event(), threading.Event()

    async def forever() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    thread = interrupt(started.wait)
    with pytest.raises(KeyboardInterrupt):
        portal.run(forever)
    thread.join()
    assert cancelled.wait(60)


def test_ctrl_c_that_comes_as_soon_as_the_call_runs_cancels_it(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, cancelled = threading.Event(), threading.Event()

    async def forever() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    schedule = portal.loop.call_soon_threadsafe

    def interrupted(begin: Callable[[], object]) -> None:
        monkeypatch.undo()
        schedule(begin)
        assert started.wait(60)
        raise KeyboardInterrupt  # here it is raised where the call has been handed over, and not been waited for

    monkeypatch.setattr(portal.loop, "call_soon_threadsafe", interrupted)
    with pytest.raises(KeyboardInterrupt):
        portal.run(forever)
    assert cancelled.wait(60)


def test_waiting_for_an_event_ends_with_ctrl_c() -> None:
    entered, event = threading.Event(), threading.Event()

    def wait(seconds: float | None) -> bool:
        entered.set()
        return event.wait(seconds)

    thread = interrupt(entered.wait)
    with pytest.raises(KeyboardInterrupt):
        waited(wait)
    thread.join()


def test_a_time_limit_holds_and_what_comes_in_time_is_had() -> None:
    event = threading.Event()
    assert not waited(event.wait, 0.01)
    event.set()
    assert waited(event.wait, 0.0)
    future: Future[int] = Future()
    with pytest.raises(TimeoutError):
        outcome(future, 0.01)
    future.set_result(7)
    assert outcome(future, 0.0) == 7


def test_a_timeout_of_the_call_itself_is_its_outcome(portal: Portal) -> None:
    async def late() -> None:
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        portal.run(late)


def test_a_call_that_is_awaited_elsewhere_is_cancelled_with_its_waiter(portal: Portal) -> None:
    started, cancelled = threading.Event(), threading.Event()

    async def forever() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def main() -> None:
        task = asyncio.ensure_future(portal.wrap(forever))
        await asyncio.to_thread(started.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert cancelled.wait(60)


def test_what_is_abandoned_before_it_begins_never_begins(portal: Portal) -> None:
    begun = []

    async def work() -> None:
        begun.append(1)

    gate = threading.Event()
    portal.loop.call_soon_threadsafe(gate.wait)
    future = portal.submit(work)
    future.abandon()
    gate.set()
    portal.run(asyncio.sleep, 0)
    assert future.cancelled()
    assert not begun


def test_work_on_a_thread_gives_what_it_gives_or_raises_what_it_raises() -> None:
    threads = Threads(2, name="test")

    def fails() -> int:
        raise ValueError("no")

    async def main() -> None:
        assert await threads.run(lambda: 7) == 7
        with pytest.raises(ValueError, match="no"):
            await threads.run(fails)

    asyncio.run(main())


def test_who_waits_no_longer_leaves_the_thread_behind() -> None:
    threads, begun, gate, over = (
        Threads(1, name="test"),
        threading.Event(),
        threading.Event(),
        threading.Event(),
    )

    def work() -> None:
        begun.set()
        gate.wait(5)
        over.set()

    async def main() -> None:
        task = asyncio.ensure_future(threads.run(work))
        await asyncio.to_thread(begun.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    gate.set()  # its loop has ended by now
    assert over.wait(5)
    assert asyncio.run(threads.run(lambda: 1)) == 1  # and the thread works on
