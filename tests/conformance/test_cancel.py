"""CancelAsyncCall (calls.md D)."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.conformance.support import Recorder, Seam, rows

from openwmi.contract import operations as ops
from openwmi.model.errors import WbemError
from openwmi.model.status import WBEM_E_CALL_CANCELLED, WBEM_E_INVALID_PARAMETER, WBEM_E_NOT_FOUND

NUMBERS = '[dynamic, provider("{provider}")] class Number { [key] uint32 N; };'
QUERY = ops.ExecQuery("SELECT * FROM Number")
CANCELLED = (WBEM_E_CALL_CANCELLED, None, None)


def endless(request: Any) -> Iterator[tuple[object, ...]]:
    """Rows without end, for somebody who never looks at `cancelled`."""
    for n in itertools.count():
        yield from rows(request, {"N": n & 0xFFFFFFFF})


def three(request: Any) -> Iterator[tuple[object, ...]]:
    return rows(request, {"N": 1}, {"N": 2}, {"N": 3})


async def code(cancelling: Any) -> int:
    try:
        await cancelling
    except WbemError as refused:
        return refused.code
    return 0


@pytest.mark.req("calls:D4", "calls:D5", "calls:D6", "calls:D7", "calls:K6")
async def test_cancel_ends_a_call_before_it_returns(seam: Seam) -> None:
    """An endless provider: exactly one final status, the release, and nothing after; all of it within a second."""
    seam.serve(NUMBERS, instances=endless)
    sink = Recorder()
    call = await seam.start(QUERY, sink)
    await sink.heard.wait()
    start = time.perf_counter()
    await seam.services.cancel(sink)
    assert time.perf_counter() - start < 1
    assert sink.events[-2:] == [("completed", CANCELLED), ("released", None)]
    assert sink.kinds == ["objects", "completed", "released"]
    assert call.done
    heard = len(sink.events)
    assert await code(seam.services.cancel(sink)) == WBEM_E_NOT_FOUND
    await asyncio.sleep(0.03)
    assert len(sink.events) == heard


@pytest.mark.req("calls:D6", "calls:D10", "calls:K6")
async def test_cancel_does_not_wait_for_a_provider_that_blocks(seam: Seam) -> None:
    gate = seam.gate()

    def blocked(request: Any) -> Iterator[tuple[object, ...]]:
        gate.wait()
        yield from rows(request, {"N": 1})

    seam.serve(NUMBERS, instances=blocked)
    sink = Recorder()
    await seam.start(QUERY, sink)
    while not gate.reached.is_set():
        await asyncio.sleep(0.001)
    start = time.perf_counter()
    await seam.services.cancel(sink)
    assert time.perf_counter() - start < 0.5
    assert [kind for kind, _ in sink.events] == ["completed", "released"]
    gate.open()
    await asyncio.sleep(0.02)
    assert [kind for kind, _ in sink.events] == ["completed", "released"]


@pytest.mark.req("calls:D10")
async def test_a_cancelled_provider_is_told(seam: Seam) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()

    def instances(request: Any) -> Iterator[tuple[object, ...]]:
        try:
            while not request.cancelled:
                yield from rows(request, {"N": 1})
        finally:
            loop.call_soon_threadsafe(told.set)

    seam.serve(NUMBERS, instances=instances)
    sink = Recorder()
    await seam.start(QUERY, sink)
    await sink.heard.wait()
    await seam.services.cancel(sink)
    await told.wait()


@pytest.mark.req("calls:D2", "calls:D3")
async def test_null_and_unknown_sinks_have_their_codes(seam: Seam) -> None:
    assert await code(seam.services.cancel(None)) == WBEM_E_INVALID_PARAMETER
    assert await code(seam.services.cancel(Recorder())) == WBEM_E_NOT_FOUND


@pytest.mark.req("calls:D3", "calls:D9")
async def test_after_the_end_there_is_nothing_to_cancel(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=three)
    sink = Recorder()
    call = await seam.start(QUERY, sink)
    assert (await call).status == 0
    assert await code(seam.services.cancel(sink)) == WBEM_E_NOT_FOUND
    assert sink.outcome.status == 0


@pytest.mark.req("calls:C17", "calls:D1", "calls:K7")
async def test_one_cancel_ends_every_call_of_a_sink(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=endless)
    sink, other = Recorder(), Recorder()
    calls = [await seam.start(QUERY, sink) for _ in range(2)]
    bystander = await seam.start(QUERY, other)
    await other.heard.wait()
    await seam.services.cancel(sink)
    finals = [argument for kind, argument in sink.events if kind == "completed"]
    assert finals == [CANCELLED, CANCELLED]
    assert [kind for kind, _ in sink.events].count("released") == 2
    assert all(call.done for call in calls)
    assert not bystander.done
    await bystander.cancel()


@pytest.mark.req("calls:D12")
async def test_a_call_can_be_cancelled_alone(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=endless)
    sink = Recorder()
    first, second = [await seam.start(QUERY, sink) for _ in range(2)]
    await first.cancel()
    assert first.done
    assert not second.done
    await first.cancel()
    await second.cancel()


@pytest.mark.req("calls:D13")
async def test_a_sink_is_found_from_another_connection_of_the_same_principal(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=endless)
    sink = Recorder()
    call = await seam.start(QUERY, sink)
    foreign = await seam.connect(caller=seam.stranger())
    assert await code(foreign.cancel(sink)) == WBEM_E_NOT_FOUND
    assert not call.done
    elsewhere = await seam.connect("root\\cimv2")
    await elsewhere.cancel(sink)
    assert call.done


@pytest.mark.req("calls:D16")
async def test_a_sink_is_known_by_its_identity(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=endless)
    pointer: Any = Recorder()
    same: Any = Recorder()
    pointer.identity = same.identity = object()
    call = await seam.start(QUERY, pointer)
    await seam.services.cancel(same)
    assert call.done
    assert pointer.outcome == CANCELLED
    assert same.events == []


@pytest.mark.req("calls:D5", "calls:D7", "calls:D8")
async def test_cancel_waits_for_the_callback_that_is_running(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=endless)
    leave = asyncio.Event()
    sink = Recorder(objects=lambda _: leave.wait())
    call = await seam.start(QUERY, sink)
    await sink.heard.wait()
    cancelling = asyncio.ensure_future(seam.services.cancel(sink))
    await asyncio.sleep(0.02)
    assert not cancelling.done()
    leave.set()
    await cancelling
    assert call.done
    assert [kind for kind, _ in sink.events] == ["objects", "completed", "released"]


@pytest.mark.req("calls:D7", "calls:D8")
async def test_cancel_waits_a_bounded_time_only(seam: Seam, monkeypatch: pytest.MonkeyPatch) -> None:
    seam.serve(NUMBERS, instances=endless)
    monkeypatch.setattr(seam.settings, "cancel_wait", 0.05)
    leave = asyncio.Event()
    sink = Recorder(objects=lambda _: leave.wait())
    call = await seam.start(QUERY, sink)
    await sink.heard.wait()
    await seam.services.cancel(sink)
    assert not call.done
    assert [kind for kind, _ in sink.events] == ["objects"]
    leave.set()
    assert await call == CANCELLED
    assert [kind for kind, _ in sink.events] == ["objects", "completed", "released"]


@pytest.mark.req("calls:C12", "calls:D14")
@pytest.mark.parametrize("explicit", [True, False], ids=["inside", "noticed"])
async def test_cancel_from_inside_a_callback_does_not_wait_for_it(seam: Seam, explicit: bool) -> None:
    seam.serve(NUMBERS, instances=endless)
    took = []

    async def cancel(argument: Any) -> None:
        start = time.perf_counter()
        await seam.services.cancel(sink, inside=explicit)
        took.append(time.perf_counter() - start)

    sink = Recorder(objects=cancel)
    assert await (await seam.start(QUERY, sink)) == CANCELLED
    assert took[0] < 0.5
    assert [kind for kind, _ in sink.events] == ["objects", "completed", "released"]


@pytest.mark.req("calls:B97", "calls:D10")
async def test_a_method_that_runs_is_not_stopped_and_its_result_is_dropped(seam: Seam) -> None:
    gate = seam.gate()
    done = []

    def method(request: Any, name: str, keys: Any, params: Any) -> dict[str, object]:
        gate.wait()
        done.append(name)
        return {"ReturnValue": 0}

    seam.serve(
        '[dynamic, provider("{provider}")] class Machine { [key] uint32 N; '
        "[static, implemented] uint32 Work(); };",
        method=method,
    )
    sink = Recorder()
    await seam.start(ops.ExecMethod("Machine", "Work"), sink)
    while not gate.reached.is_set():
        await asyncio.sleep(0.001)
    await seam.services.cancel(sink)
    assert [kind for kind, _ in sink.events] == ["completed", "released"]
    gate.open()
    while not done:
        await asyncio.sleep(0.001)
    assert done == ["Work"]
    assert [kind for kind, _ in sink.events] == ["completed", "released"]


@pytest.mark.req("calls:D9")
async def test_whatever_the_moment_there_is_one_final_status(seam: Seam) -> None:
    """Cancel at every turn of the loop between start and end."""
    seam.serve(NUMBERS, instances=three)
    ends = set()
    for turns in range(12):
        sink = Recorder()
        call = await seam.start(QUERY, sink)
        for _ in range(turns):
            await asyncio.sleep(0 if turns % 2 else 0.0005)
        await code(seam.services.cancel(sink))
        outcome = await call
        assert outcome == sink.outcome
        assert sink.released_once()
        assert (outcome.status == 0) == (len(sink.objects) == 3) or outcome == CANCELLED
        ends.add(outcome.status)
    assert ends <= {0, WBEM_E_CALL_CANCELLED}
    assert WBEM_E_CALL_CANCELLED in ends
