"""Subscriptions of the face outlive the connection: they begin anew, and say that there was a gap (issue 6, 4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.remote.hostile.pair import IDLE, LIFETIMES, Serving, log_on, repeatable, serving
from tests.remote.network import NetworkLoop, on_network

from openwmi.faces.aio.connection import Connection
from openwmi.faces.session import Session
from openwmi.faces.views.events import LONGEST_PAUSE, RETRY_SECONDS
from openwmi.model.errors import AccessDenied, WbemError
from openwmi.wire.ntlm import nt_hash

QUERY = "SELECT * FROM Note"
Break = Callable[[NetworkLoop, Serving], Any]


def resets(loop: NetworkLoop, server: Serving) -> None:
    for wire in loop.wires:
        wire.reset()


def cables_out(loop: NetworkLoop, server: Serving) -> None:
    loop.black_out(200.0)


async def restarts(loop: NetworkLoop, server: Serving) -> None:
    """The server ends in order and is there again a minute later."""
    await server.server.close()
    await asyncio.sleep(60.0)
    await server.serve()


@asynccontextmanager
async def face(delivery: str) -> Any:
    connection = Connection(Session(await log_on(delivery=delivery)), timeout=30.0)
    try:
        yield connection
    finally:
        await connection.close()


async def reading(events: Any, into: list[int]) -> None:
    async for event in events:
        into.append(event.Number)


def run(folder: Path, work: Callable[[NetworkLoop, Serving], Any]) -> None:
    async def whole(loop: NetworkLoop) -> None:
        async with serving(loop, folder) as server:
            await work(loop, server)
            await asyncio.sleep(LIFETIMES)
            assert not any(server.left().values()), server.left()

    with repeatable():
        on_network(whole, within=1e6)


@pytest.mark.slow
@pytest.mark.parametrize("breaks", [resets, cables_out, restarts])
@pytest.mark.parametrize("delivery", ["poll", "sink"])
def test_it_begins_anew_and_counts_the_gap(delivery: str, breaks: Break, tmp_path: Path) -> None:
    async def work(loop: NetworkLoop, server: Serving) -> None:
        heard: list[int] = []
        async with face(delivery) as wmi, wmi.subscribe(QUERY) as events:
            reader = asyncio.ensure_future(reading(events, heard))
            raised = []
            for tick in range(120):
                if tick == 10:
                    assert (events.gaps, events.lost) == (0, 0)
                    done = breaks(loop, server)
                    if done is not None:
                        await done
                raised.append(await server.note())
                await asyncio.sleep(10.0)
            assert heard == sorted(set(heard)), "events are doubled, or out of order"
            missing = [number for number in raised if number not in heard]
            assert heard[-1] == raised[-1], "it did not go on"
            assert events.gaps == 1
            assert events.lost >= 1
            if missing:
                assert missing == list(range(missing[0], missing[-1] + 1)), "more than one gap"
            assert not reader.done()
            reader.cancel()

    run(tmp_path, work)


@pytest.mark.parametrize("delivery", ["poll", "sink"])
def test_a_machine_that_does_not_come_back_ends_it(delivery: str, tmp_path: Path) -> None:
    async def work(loop: NetworkLoop, server: Serving) -> None:
        async with face(delivery) as wmi, wmi.subscribe(QUERY) as events:
            begun = loop.time()
            await server.server.close()
            with pytest.raises(WbemError):
                await reading(events, [])
            assert loop.time() - begun <= RETRY_SECONDS + 2 * LONGEST_PAUSE
            await server.serve()

    run(tmp_path, work)


def test_a_machine_that_lets_us_in_no_more_ends_it_at_once(tmp_path: Path) -> None:
    async def work(loop: NetworkLoop, server: Serving) -> None:
        async with face("poll") as wmi, wmi.subscribe(QUERY) as events:
            server.accounts.change("ada", hashed=nt_hash("another password"))
            resets(loop, server)
            begun = loop.time()
            with pytest.raises(AccessDenied):
                await reading(events, [])
            assert loop.time() - begun < 60

    run(tmp_path, work)


@pytest.mark.parametrize("leaves", ["the subscription", "the connection"])
def test_leaving_while_it_is_broken(leaves: str, tmp_path: Path) -> None:
    """Whoever does not want it any more waits for nobody."""

    async def work(loop: NetworkLoop, server: Serving) -> None:
        async with face("poll") as wmi:
            async with wmi.subscribe(QUERY) as events:
                reader = asyncio.ensure_future(reading(events, []))
                await server.server.close()
                await asyncio.sleep(100.0)
                begun = loop.time()
                if leaves == "the connection":
                    await wmi.close()
                    assert loop.time() - begun <= 5.0
                    with pytest.raises(WbemError):
                        await reader
                else:
                    reader.cancel()
            assert loop.time() - begun <= 5.0
        await server.serve()

    run(tmp_path, work)


@pytest.mark.slow
@pytest.mark.parametrize("delivery", ["poll", "sink"])
def test_hours_without_an_event_are_no_reason_to_end(delivery: str, tmp_path: Path) -> None:
    """Ten times the time after which idle connections are closed; whoever holds something pings for it."""

    async def work(loop: NetworkLoop, server: Serving) -> None:
        heard: list[int] = []
        async with face(delivery) as wmi, wmi.subscribe(QUERY) as events:
            reader = asyncio.ensure_future(reading(events, heard))
            await asyncio.sleep(10 * IDLE)
            raised = await server.note()
            await asyncio.sleep(10.0)
            assert (heard, events.gaps, events.lost) == ([raised], 0, 0)
            reader.cancel()

    run(tmp_path, work)
