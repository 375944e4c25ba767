"""The primitive of the asynchronous face: calls that deliver into a program's own sink."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import Any

import pytest
from tests.faces.support import NAMESPACE, World, idle, running

import openwmi
from openwmi import ExecQuery, errors
from openwmi.model.status import WBEM_E_CALL_CANCELLED


class Sink:
    """Writes down what it hears and where."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.objects: list[Any] = []
        self.outcome: openwmi.Outcome | None = None
        self.threads: set[int] = set()
        self.heard = asyncio.Event()
        self.released = asyncio.Event()

    def on_objects(self, batch: Any) -> Any:
        self._note("objects")
        self.objects.extend(batch)

    def on_progress(self, progress: openwmi.Progress) -> Any:
        self._note("progress")

    def on_completed(self, outcome: openwmi.Outcome) -> Any:
        self._note("completed")
        self.outcome = outcome

    def on_released(self) -> None:
        self._note("released")
        self.released.set()

    def _note(self, what: str) -> None:
        self.threads.add(threading.get_ident())
        if self.events[-1:] != [what]:
            self.events.append(what)
        self.heard.set()


class SlowSink(Sink):
    """Its callbacks are coroutines that take their time."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = 0
        self.leave = asyncio.Event()

    async def on_objects(self, batch: Any) -> None:
        assert not self.inside
        self.inside += 1
        super().on_objects(batch)
        await self.leave.wait()
        self.inside -= 1

    async def on_completed(self, outcome: openwmi.Outcome) -> None:
        assert not self.inside
        await asyncio.sleep(0)
        super().on_completed(outcome)


@pytest.mark.req("calls:B22", "calls:B25", "calls:B26")
async def test_a_sink_is_called_on_its_own_loop(world: World) -> None:
    query = world.serve(2500)
    async with openwmi.connect(NAMESPACE) as wmi:
        sink = Sink()
        call = await wmi.start(ExecQuery(query), sink)
        outcome = await call
        assert outcome == (0, None, None)
        assert call.done
        await sink.released.wait()
        assert sink.events == ["objects", "completed", "released"]
        assert [one.N for one in sink.objects] == list(range(2500))
        assert sink.threads == {threading.get_ident()}
        assert await call.wait(1) == outcome


@pytest.mark.req("calls:B18", "calls:B27")
async def test_a_failed_outcome_is_told_and_not_raised(world: World) -> None:
    query = world.serve(world.failing)
    async with openwmi.connect(NAMESPACE) as wmi:
        sink = Sink()
        outcome = await (await wmi.start(ExecQuery(query), sink))
        assert not outcome.ok
        assert sink.outcome == outcome
        with pytest.raises(errors.ProviderFailure):
            outcome.raise_()


@pytest.mark.req("calls:B16", "calls:B6")
async def test_a_refused_call_raises_and_leaves_the_sink_alone() -> None:
    async with openwmi.connect(NAMESPACE) as wmi:
        sink = Sink()
        for operation, given in ((ExecQuery(""), sink), (ExecQuery("SELECT * FROM T"), None)):
            with pytest.raises(errors.InvalidParameter):
                await wmi.start(operation, given)  # type: ignore[arg-type]
        with pytest.raises(errors.InvalidParameter):
            await wmi.start(ExecQuery("SELECT * FROM T"), sink, 0x10)
        assert sink.events == []


@pytest.mark.req("calls:B36", "calls:B25")
async def test_progress_reaches_the_sink_when_asked_for() -> None:
    async with openwmi.connect() as wmi:
        sink = Sink()
        await (await wmi.start(ExecQuery("SELECT Name FROM Win32_Process"), sink, flags=openwmi.SEND_STATUS))
        assert "progress" in sink.events


@pytest.mark.req("calls:D4", "calls:D5", "calls:D6", "calls:D7")
async def test_cancel_ends_an_endless_call_before_it_returns(world: World) -> None:
    query = world.serve(world.endless)
    async with openwmi.connect(NAMESPACE) as wmi:
        sink = Sink()
        call = await wmi.start(ExecQuery(query), sink)
        await sink.heard.wait()
        start = time.perf_counter()
        await call.cancel()
        assert time.perf_counter() - start < 1
        assert call.done
        assert sink.outcome is not None
        assert sink.outcome.status == WBEM_E_CALL_CANCELLED
        await sink.released.wait()
        assert sink.events == ["objects", "completed", "released"]
        heard = len(sink.objects)
        await call.cancel()
        assert await call == (WBEM_E_CALL_CANCELLED, None, None)
        assert len(sink.objects) == heard


@pytest.mark.req("calls:D5", "calls:D8", "calls:B24")
async def test_cancel_waits_for_the_callback_that_runs(world: World) -> None:
    query = world.serve(world.endless)
    async with openwmi.connect(NAMESPACE) as wmi:
        sink = SlowSink()
        call = await wmi.start(ExecQuery(query), sink)
        await sink.heard.wait()
        cancelling = asyncio.ensure_future(call.cancel())
        await asyncio.sleep(0.02)
        assert not cancelling.done()
        sink.leave.set()
        await cancelling
        assert sink.events[:2] == ["objects", "completed"]
        assert call.done


@pytest.mark.req("calls:C12", "calls:D14")
async def test_cancel_from_inside_a_callback_does_not_wait(world: World) -> None:
    query = world.serve(world.endless)
    took = []

    class Cancelling(Sink):
        async def on_objects(self, batch: Any) -> None:
            super().on_objects(batch)
            await ready.wait()  # a callback may come before its call is known (B21)
            start = time.perf_counter()
            await call.cancel()
            took.append(time.perf_counter() - start)

    async with openwmi.connect(NAMESPACE) as wmi:
        sink = Cancelling()
        ready = asyncio.Event()
        call = await wmi.start(ExecQuery(query), sink)
        ready.set()
        outcome = await call
        assert outcome.status == WBEM_E_CALL_CANCELLED
        assert len(took) == 1
        assert took[0] < 0.5
        await sink.released.wait()
        assert sink.events == ["objects", "completed", "released"]


@pytest.mark.parametrize("later", [False, True], ids=["plain", "async"])
@pytest.mark.req("calls:C5")
async def test_a_sink_that_raises_ends_its_own_call_and_says_why(
    world: World, caplog: pytest.LogCaptureFixture, later: bool
) -> None:
    query = world.serve(world.endless)

    class Plain(Sink):
        def on_objects(self, batch: Any) -> Any:
            super().on_objects(batch)
            raise KeyError("mine")

    class Later(Sink):
        async def on_objects(self, batch: Any) -> None:
            super().on_objects(batch)
            await asyncio.sleep(0)
            raise KeyError("mine")

    async with openwmi.connect(NAMESPACE) as wmi:
        sink = Later() if later else Plain()
        with caplog.at_level(logging.ERROR, "openwmi.faces"):
            outcome = await (await wmi.start(ExecQuery(query), sink))
        assert outcome.status == WBEM_E_CALL_CANCELLED
        assert "KeyError: 'mine'" in caplog.text


@pytest.mark.req("calls:C16")
async def test_leaving_the_connection_cancels_its_calls(world: World) -> None:
    query = world.serve(world.endless)
    sink = Sink()
    async with openwmi.connect(NAMESPACE) as wmi:
        call = await wmi.start(ExecQuery(query), sink)
        await sink.heard.wait()
    assert call.done
    assert sink.outcome is not None
    assert sink.outcome.status == WBEM_E_CALL_CANCELLED
    with pytest.raises(openwmi.WbemError):
        await wmi.start(ExecQuery(query), sink)


async def test_giving_up_the_waiting_does_not_end_the_call(world: World) -> None:
    query = world.serve(world.blocked)
    async with openwmi.connect(NAMESPACE) as wmi:
        sink = Sink()
        call = await wmi.start(ExecQuery(query), sink)
        with pytest.raises(errors.TimedOut):
            await call.wait(0.01)
        waiting = asyncio.ensure_future(call.wait())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not call.done
        world.gate.set()
        assert (await call).status == 0


@pytest.mark.parametrize("turns", range(4))
async def test_cancelling_the_start_leaves_nothing_behind(world: World, turns: int) -> None:
    """However far it came. The fixture sees that no call is left."""
    query = world.serve(world.blocked)
    async with openwmi.connect(NAMESPACE) as wmi:
        starting = asyncio.ensure_future(wmi.start(ExecQuery(query), Sink()))
        for _ in range(turns):
            await asyncio.sleep(0)
        starting.cancel()
        try:
            await (await starting).cancel()
        except asyncio.CancelledError:
            assert starting.cancelled()


async def test_cancelling_a_start_that_was_accepted_meanwhile_ends_the_call(world: World) -> None:
    query = world.serve(world.blocked)
    async with openwmi.connect(NAMESPACE) as wmi:
        starting = asyncio.ensure_future(wmi.start(ExecQuery(query), Sink()))
        await asyncio.sleep(0)
        while not running():  # this loop stands still until the service has accepted the call
            time.sleep(0.0005)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert await asyncio.to_thread(idle)


@pytest.mark.req("calls:C9")
async def test_a_loop_that_is_gone_is_a_dead_client(world: World) -> None:
    query = world.serve(world.one_then_silence)

    async def forgetful() -> None:
        wmi = await openwmi.connect(NAMESPACE)
        sink = Sink()
        await wmi.start(ExecQuery(query), sink)
        await sink.heard.wait()

    await asyncio.to_thread(lambda: asyncio.run(forgetful()))
    world.gate.set()  # the fixture sees that the call ends by itself


async def test_where_the_services_live_on_the_same_loop_there_is_no_hop(world: World) -> None:
    """A program on the service's own loop: everything works the same."""
    from openwmi import host

    query = world.serve(2500)

    async def program() -> tuple[list[str], int, int]:
        async with openwmi.connect(NAMESPACE) as wmi:
            sink = Sink()
            await (await wmi.start(ExecQuery(query), sink))
            slow = SlowSink()
            slow.leave.set()
            await (await wmi.start(ExecQuery(query), slow))
            read = len(await wmi.query(query).fetch_all())
            return sink.events, len(slow.objects), read

    events, slow, read = await asyncio.to_thread(host.local().portal.run, program)
    assert events == ["objects", "completed", "released"]
    assert slow == read == 2500
