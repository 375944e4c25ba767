"""Answers that are made before they are asked for: nobody but a watch can tell."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.remote.server.serving import Served
from tests.remote.server.session import Session, ipid_of

from openwmi.model import status
from openwmi.remote.server import positions
from openwmi.remote.server.enumerators import EnumeratorObject
from openwmi.remote.server.positions import Position
from openwmi.wire.dcom import remunknown as r
from openwmi.wire.dcom.remunknown import REM_RELEASE, InterfaceRef, References
from openwmi.wire.wmi import enumerators as e
from openwmi.wire.wmi import guids, services
from openwmi.wire.wmi.types import object_in
from openwmi.wmio.arrays import ArrayDecoder

ROWS: Final = 250
KEPT, FORWARD = 0, 0x30


@pytest.fixture(scope="module")
def address(served: Served) -> tuple[str, int]:
    return served.listen()


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> Counter[bool]:
    """How many answers had been made when they were asked for (True), and how many had not."""
    found: Counter[bool] = Counter()
    ready = Position.ready

    def watched(self: Position, *arguments: Any) -> bytes | None:
        answer = ready(self, *arguments)
        found[answer is not None] += 1
        return answer

    monkeypatch.setattr(Position, "ready", watched)
    return found


class Reading:
    """One position of a result as a client reads it, through either kind of enumerator, and what it must find."""

    def __init__(self, one: Session, ipid: UUID, at: int = 0) -> None:
        self.one = one
        self.ipid = ipid
        self.at = at
        self._smart: UUID | None = None
        self._decoders: dict[int, ArrayDecoder] = {}

    async def next(self, count: int, timeout: int = -1) -> None:
        answer = await self.one.caller.call(e.NEXT, e.Next(timeout, count), self.ipid)
        self._check([object_in(one).N for one in answer.objects], answer.result, count)  # type: ignore[union-attr]

    async def smart_next(self, proxy: int, count: int) -> None:
        if self._smart is None:
            self._smart = await smart(self.one, self.ipid)
        asked = e.SmartNext(UUID(int=proxy), -1, count)
        answer = await self.one.caller.call(e.SMART_NEXT, asked, self._smart)
        decoder = self._decoders.setdefault(proxy, ArrayDecoder())
        objects: list[Any] = decoder.decode(answer.packet) if answer.packet else []
        assert len(objects) == answer.returned
        self._check([one.N for one in objects], answer.result, count)

    def _check(self, found: list[int], result: int, count: int) -> None:
        end = min(self.at + count, ROWS)
        assert found == list(range(self.at, end))
        assert result == (status.WBEM_S_FALSE if len(found) < count else 0)
        self.at = end

    async def skip(self, count: int) -> None:
        answer = await self.one.caller.call(e.SKIP, e.Next(-1, count), self.ipid)
        assert answer.result == (status.WBEM_S_FALSE if self.at + count > ROWS else 0)
        self.at = min(self.at + count, ROWS)

    async def reset(self) -> None:
        assert (await self.one.caller.call(e.RESET, e.Nothing(), self.ipid)).result == 0
        self.at = 0

    async def clone(self) -> Reading:
        answer = await self.one.caller.call(e.CLONE, e.Nothing(), self.ipid)
        return Reading(self.one, ipid_of(answer.enumerator), self.at)

    async def release(self) -> None:
        refs = [InterfaceRef(ipid, 1) for ipid in (self.ipid, self._smart) if ipid is not None]
        await self.one.caller.call(REM_RELEASE, References(refs), self.one.unknown)


async def smart(one: Session, ipid: UUID) -> UUID:
    asked = r.QueryInterface(ipid, 1, [guids.IWbemFetchSmartEnum.uuid])
    fetch = (await one.caller.call(r.REM_QUERY_INTERFACE, asked, one.unknown)).results[0].std.ipid
    return ipid_of((await one.caller.call(e.GET_SMART_ENUM, e.Nothing(), fetch)).enumerator)


async def reading(one: Session, flags: int) -> Reading:
    opened = await one.call(services.METHODS[20], language="WQL", query="SELECT N, S FROM Row", flags=flags)
    return Reading(one, ipid_of(opened.enumerator))


STEPS: Final = st.lists(
    st.one_of(
        st.tuples(st.just("next"), st.integers(1, 4), st.sampled_from([1, 1, 3, 60])),
        st.tuples(st.just("smart"), st.integers(1, 4), st.sampled_from([1, 2, 60]), st.integers(0, 1)),
        st.tuples(st.just("skip"), st.integers(0, 30)),
        st.tuples(st.just("reset")),
        st.tuples(st.just("clone")),
        st.tuples(st.just("turn")),
    ),
    max_size=12,
)


@pytest.mark.slow
@pytest.mark.req("calls:F5", "calls:F15", "calls:F18", "calls:F20", "calls:F26")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_whatever_is_asked_in_whatever_order(address: tuple[str, int], steps: list[Any]) -> None:
    async def run() -> None:
        one = await Session.open(address)
        try:
            await follow(await reading(one, KEPT), steps)
        finally:
            await one.close()

    asyncio.run(run())


async def follow(first: Reading, steps: list[Any]) -> None:
    readings = [first]
    for kind, *numbers in steps:
        current = readings[-1]
        if kind == "next":
            for _ in range(numbers[0]):
                await current.next(numbers[1])
        elif kind == "smart":
            for _ in range(numbers[0]):
                await current.smart_next(numbers[2], numbers[1])
        elif kind == "skip":
            await current.skip(*numbers)
        elif kind == "reset":
            await current.reset()
        elif kind == "clone":
            readings.append(await current.clone())
        else:
            readings.insert(0, readings.pop())
    for each in readings:
        await each.next(ROWS)
        await each.release()


@pytest.mark.parametrize("flags", [KEPT, FORWARD])
async def test_row_by_row_nearly_every_answer_is_there_already(
    address: tuple[str, int], answers: Counter[bool], flags: int
) -> None:
    one = await Session.open(address)
    rows = await reading(one, flags)
    for _ in range(ROWS + 1):
        await rows.next(1)
    assert answers[True] > ROWS - 20
    answers.clear()
    again = await reading(one, flags)
    for _ in range(ROWS + 1):
        await again.smart_next(0, 1)
    assert answers[True] > ROWS - 20
    await one.close()


async def test_an_impossible_timeout_is_refused_whatever_is_ready(address: tuple[str, int]) -> None:
    one = await Session.open(address)
    rows = await reading(one, KEPT)
    await rows.next(1)
    await rows.next(1)
    answer = await one.caller.call(e.NEXT, e.Next(-2, 1), rows.ipid)
    assert (answer.result, list(answer.objects)) == (status.WBEM_E_INVALID_PARAMETER, [])
    await rows.next(1)
    await one.close()


async def test_what_goes_wrong_ahead_of_time_disturbs_nobody(
    address: tuple[str, int], answers: Counter[bool], monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def broken(self: EnumeratorObject, asked: e.Next, objects: Any) -> bytes:
        raise ZeroDivisionError("too early")

    monkeypatch.setattr(EnumeratorObject, "foreseen", broken)
    one = await Session.open(address)
    rows = await reading(one, KEPT)
    for _ in range(5):
        await rows.next(1)
    assert answers[True] == 0
    assert not caplog.records
    await one.close()


async def test_large_pages_are_not_made_for_nothing(
    served: Served, address: tuple[str, int], answers: Counter[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await Session.open(address)
    limits = served.server.limits
    size, most = limits.ready, positions._AT_ONCE
    try:
        object.__setattr__(limits, "ready", 10)
        rows = await reading(one, KEPT)
        for _ in range(4):
            await rows.next(10)
        object.__setattr__(limits, "ready", size)
        monkeypatch.setattr(positions, "_AT_ONCE", 5)
        for _ in range(4):
            await rows.next(10)
        assert answers[True] == 0
        monkeypatch.setattr(positions, "_AT_ONCE", most)
        for _ in range(4):
            await rows.next(10)
        assert answers[True] == 3
    finally:
        object.__setattr__(limits, "ready", size)
    await one.close()


@pytest.mark.req("calls:A12")
async def test_a_namespace_that_comes_to_require_encryption_gives_nothing_that_was_ready(
    served: Served, address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await Session.open(address, level=5)
    rows = await reading(one, KEPT)
    for _ in range(3):
        await rows.next(1)
    access = type(served.host.namespaces.access)
    monkeypatch.setattr(access, "requires_encryption", lambda self, path: True)
    answer = await one.caller.call(e.NEXT, e.Next(-1, 1), rows.ipid)
    assert (answer.result, list(answer.objects)) == (status.WBEM_E_ACCESS_DENIED, [])
    monkeypatch.undo()
    await rows.next(1)
    await one.close()
