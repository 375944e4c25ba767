"""A hostile network, at every PDU boundary of a session of the real client with the real server, callbacks included.

The session logs on, queries, subscribes, cancels, changes an object and goes. Wherever the network breaks: every call
that was accepted ends once and keeps its sink's contract; results that claim to be whole are; events come without gap
or repetition until the call itself says that it has ended; a cancel returns within its bound; and nothing is left, on
either side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import DEEP
from tests.remote.hostile.pair import LIFETIMES, Serving, log_on, repeatable, serving
from tests.remote.hostile.stage import Watcher
from tests.remote.network import Half, NetworkLoop, on_network

from openwmi.contract.operations import ExecNotificationQuery, ExecQuery, GetObject, PutInstance
from openwmi.model.errors import WbemError
from openwmi.model.status import failed

ROWS = list(range(7))
# When a side is given up that neither answers nor pings: its patience, a ping's period, three of them, a sweep each.
SILENCE = 30.0 + 120.0 + 3 * 120.0 + 30.0
# Every boundary under --deep; else every so manieth, beginning with another one for each fault.
STRIDE = 1 if DEEP else 11
# How long each step may take at most: phases of connecting, one call with its callbacks, parting words.
STEPS = {"log on": 110.0, "start": 70.0, "end": 700.0, "cancel": 1.0, "close": 5.0}
Fault = Callable[[Half, bytes], bool]


def reset(half: Half, pdu: bytes) -> bool:
    half.wire.reset()
    return True


def torn(half: Half, pdu: bytes) -> bool:
    """Half a PDU, then a reset."""
    half.wire.tear(half, pdu[: len(pdu) // 2])
    return True


def dropped(half: Half, pdu: bytes) -> bool:
    """From here on nothing arrives on this connection, and nobody is told."""
    half.wire.unplug()
    return True


def stalled(half: Half, pdu: bytes) -> bool:
    """Nothing arrives for 20 s: longer than a bind may take, shorter than a call may."""
    half.wire.stall(20.0)
    return False


def stalled_long(half: Half, pdu: bytes) -> bool:
    """Nothing arrives for 200 s, and then everything does."""
    half.wire.stall(200.0)
    return False


def chopped(half: Half, pdu: bytes) -> bool:
    half.wire.chop()
    return False


def blacked_out(half: Half, pdu: bytes) -> bool:
    """All connections go silent, and for five minutes no other one can be made."""
    half.wire.loop.black_out(300.0)
    return True


FAULTS: dict[str, Fault] = {
    one.__name__: one for one in (reset, torn, dropped, stalled, stalled_long, chopped, blacked_out)
}


def says_where(outcome: Any) -> None:
    """A call that the network has ended says so: on the way to which host, while what was being done, what to try."""
    if failed(outcome.status):
        reason = outcome.as_error()
        assert all((reason.phase, reason.host, reason.hint)), repr(reason)
        assert reason.host in reason.message, repr(reason)


class Session:
    """One run. told: what became of each step; everything that may not be is an AssertionError."""

    def __init__(self, loop: NetworkLoop, server: Serving, delivery: str) -> None:
        self.loop = loop
        self.server = server
        self.delivery = delivery
        self.told: list[str] = []
        self.raised: list[int] = []

    async def run(self) -> list[str]:
        services = await self.step("log on", log_on(delivery=self.delivery))
        if services is None:
            return self.told
        try:
            await self.queries(services)
            await self.subscribes(services)
            await self.changes(services)
        finally:
            await self.step("close", services.close())
        return self.told

    async def step(self, name: str, work: Any) -> Any:
        """What a step gives, in its time; None after an error of the seam."""
        begun = self.loop.time()
        try:
            return await work
        except WbemError as reason:
            assert all((reason.symbol, reason.phase, reason.host)), repr(reason)
            self.told.append(f"{name}: {reason.symbol}")
            return None
        finally:
            took = self.loop.time() - begun
            assert took <= STEPS[name], f"{name} took {took} s"

    async def ended(self, call: Any) -> Any:
        async with asyncio.timeout(STEPS["end"]):
            outcome = await call
        says_where(outcome)
        return outcome

    async def queries(self, services: Any) -> None:
        watcher = Watcher()
        call = await self.step("start", services.start(ExecQuery("SELECT * FROM Thing"), watcher))
        watcher.check(accepted=False) if call is None else None
        if call is None:
            return
        outcome = await self.ended(call)
        watcher.check(accepted=True)
        found = [one.N for one in watcher.objects]
        assert found == ROWS[: len(found)], "rows are doubled, or out of order"
        if not failed(outcome.status):
            assert found == ROWS, "a whole result lacks rows"
        self.told.append(f"query: {outcome.status:X}, {len(found)}")

    async def subscribes(self, services: Any) -> None:
        watcher = Watcher()
        query = ExecNotificationQuery("SELECT * FROM Note")
        call = await self.step("start", services.start(query, watcher))
        if call is None:
            watcher.check(accepted=False)
            return
        await call.begun()
        mine: list[int] = []
        for pause in (0.0, 0.0, 1.0, 20.0, 40.0):
            mine.append(await self.server.note())
            await asyncio.sleep(pause)
        if len(watcher.objects) < len(mine):
            await asyncio.sleep(SILENCE)
        heard = [one.Number for one in watcher.objects]
        assert heard == mine[: len(heard)], f"of {mine} came {heard}"
        if call.done:
            says_where(await call)
        else:
            assert heard == mine, f"of {mine} came {heard}, and the call says nothing"
            await self.step("cancel", call.cancel())
        watcher.check(accepted=True)
        self.told.append(f"subscription: {watcher.outcomes[0].status:X}, {len(heard)}")

    async def changes(self, services: Any) -> None:
        watcher = Watcher()
        call = await self.step("start", services.start(GetObject("Thing.N=3"), watcher))
        if call is None:
            return
        outcome = await self.ended(call)
        watcher.check(accepted=True)
        self.told.append(f"get: {outcome.status:X}, {len(watcher.objects)}")
        if failed(outcome.status):
            return
        put = Watcher()
        changed = watcher.objects[0].with_(Text="changed")
        call = await self.step("start", services.start(PutInstance(changed), put))
        if call is not None:
            self.told.append(f"put: {(await self.ended(call)).status:X}")
            put.check(accepted=True)


def play(folder: Path, delivery: str, fault: Fault | None = None, at: int = 0) -> tuple[list[str], int]:
    """A session with a fault at one PDU: what became of it, and how many PDUs there were."""
    counted = 0

    async def work(loop: NetworkLoop) -> list[str]:
        nonlocal counted
        async with serving(loop, folder) as server:
            first = loop.pdus
            if fault is not None:
                loop.spoil = lambda half, pdu, number: number - first == at and fault(half, pdu)
            told = await Session(loop, server, delivery).run()
            counted = loop.pdus - first
            loop.spoil = None
            await asyncio.sleep(max(0.0, loop.dark - loop.now) + 1.0)
            again = await Session(loop, server, "poll").run()
            assert again[0] == "query: 0, 7", again
            await asyncio.sleep(LIFETIMES)
            assert not any(server.left().values()), server.left()
            return told

    results: list[list[str]] = []

    async def kept(loop: NetworkLoop) -> None:
        results.append(await work(loop))

    with repeatable():
        on_network(kept, within=100_000.0)
    return results[0], counted


@pytest.mark.parametrize("delivery", ["poll", "sink"])
def test_without_faults_all_is_well(delivery: str, tmp_path: Path) -> None:
    told, pdus = play(tmp_path, delivery)
    assert told == ["query: 0, 7", "subscription: 80041032, 5", "get: 0, 1", "put: 0"]
    assert pdus > 40


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("delivery", ["poll", "sink"])
def test_at_every_pdu(delivery: str, fault: str, tmp_path: Path) -> None:
    whole, pdus = play(tmp_path, delivery)
    seen: set[str] = set()
    for at in range(len(fault) % STRIDE, pdus, STRIDE):
        try:
            told, _ = play(tmp_path, delivery, FAULTS[fault], at)
        except BaseException as reason:
            raise AssertionError(f"{fault} at PDU {at} of {pdus}") from reason
        seen |= set(told)
        if fault == "chopped":
            assert told == whole, f"byte by byte from PDU {at}"
    if fault not in ("chopped", "stalled"):
        assert len(seen) > len(whole), "no fault was ever felt"
