"""Enumerators over any Services (calls.md F.1, B10, B11, B15, B83)."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.conformance.support import Gate, Recorder, Seam, rows

from openwmi.contract import flags as f
from openwmi.contract import operations as ops
from openwmi.contract.outcome import Progress
from openwmi.faces.views import Enumerator, cancel, perform
from openwmi.model.errors import WbemError
from openwmi.model.status import (
    WBEM_E_ACCESS_DENIED,
    WBEM_E_CALL_CANCELLED,
    WBEM_E_FAILED,
    WBEM_E_INVALID_CLASS,
    WBEM_E_INVALID_OPERATION,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_NOT_FOUND,
    WBEM_E_PROVIDER_FAILURE,
    WBEM_E_QUOTA_VIOLATION,
    WBEM_S_FALSE,
    WBEM_S_NO_ERROR,
    WBEM_S_TIMEDOUT,
)

NUMBERS = '[dynamic, provider("{provider}")] class Number { [key] uint32 N; };'
QUERY = ops.ExecQuery("SELECT * FROM Number")
SYNC, SEMISYNC, FORWARD = 0, f.WBEM_FLAG_RETURN_IMMEDIATELY, 0x30
INFINITE, NO_WAIT = f.WBEM_INFINITE, 0
every_form = pytest.mark.parametrize(
    "flags", [SYNC, SEMISYNC, FORWARD, 0x20], ids=["sync", "semi", "fwd", "syncfwd"]
)


def numbers(count: int) -> Any:
    return lambda request: rows(request, *({"N": n} for n in range(count)))


def gated(before: int, gate: Gate, after: int) -> Any:
    """Some rows, a wait, some more."""

    def instances(request: Any) -> Iterator[tuple[object, ...]]:
        yield from rows(request, *({"N": n} for n in range(before)))
        gate.wait()
        yield from rows(request, *({"N": n} for n in range(before, before + after)))

    return instances


def failing(count: int) -> Any:
    def instances(request: Any) -> Iterator[tuple[object, ...]]:
        yield from rows(request, *({"N": n} for n in range(count)))
        raise OSError("broken")

    return instances


def values(objects: Any) -> list[int]:
    return [one.N for one in objects]


async def start(seam: Seam, flags: int = SEMISYNC, **options: Any) -> Enumerator:
    return await Enumerator.start(seam.services, QUERY, flags, **options)


async def code(awaitable: Any) -> int:
    with pytest.raises(WbemError) as failure:
        await awaitable
    return failure.value.code


async def filled(enumerator: Enumerator, count: int) -> None:
    """Wait until `count` objects are there to be read, without reading them."""
    while enumerator._results.arrived < count:
        await asyncio.sleep(0.001)


# Next ------------------------------------------------------------------------------------------------------------


@every_form
@pytest.mark.req("calls:B10", "calls:B11", "calls:B15", "calls:F3", "calls:F4", "calls:F12", "calls:K12")
async def test_next_gives_what_is_asked_for_and_says_when_it_was_the_last(seam: Seam, flags: int) -> None:
    seam.serve(NUMBERS, instances=numbers(3))
    enumerator = await start(seam, flags)
    status, objects = await enumerator.next(INFINITE, 2)
    assert (status, values(objects)) == (WBEM_S_NO_ERROR, [0, 1])
    status, objects = await enumerator.next(INFINITE, 2)
    assert (status, values(objects)) == (WBEM_S_FALSE, [2])
    await enumerator.release()


@every_form
@pytest.mark.req("calls:F5", "calls:F10")
async def test_exactly_as_many_as_asked_are_not_the_end_and_the_end_repeats(seam: Seam, flags: int) -> None:
    seam.serve(NUMBERS, instances=numbers(2))
    enumerator = await start(seam, flags)
    assert (await enumerator.next(INFINITE, 2))[0] == WBEM_S_NO_ERROR
    for timeout in (INFINITE, NO_WAIT, -1, 10):
        assert await enumerator.next(timeout, 2) == (WBEM_S_FALSE, [])
    await enumerator.release()


@pytest.mark.req("calls:F3", "calls:F4", "calls:F6", "calls:K12")
async def test_a_slow_producer_lets_next_time_out_with_what_is_ready(seam: Seam) -> None:
    gate = seam.gate()
    seam.serve(NUMBERS, instances=gated(2, gate, 1))
    for flags in (SEMISYNC, FORWARD):
        enumerator = await start(seam, flags)
        await filled(enumerator, 2)
        begun = time.perf_counter()
        status, objects = await enumerator.next(30, 5)
        assert time.perf_counter() - begun >= 0.03
        assert (status, values(objects)) == (WBEM_S_TIMEDOUT, [0, 1])
        assert await enumerator.next(NO_WAIT, 5) == (WBEM_S_TIMEDOUT, [])
        if flags == FORWARD:
            gate.open()
            status, objects = await enumerator.next(INFINITE, 5)
            assert (status, values(objects)) == (WBEM_S_FALSE, [2])
        await enumerator.release()


@pytest.mark.req("calls:F6")
async def test_no_wait_takes_what_is_there(seam: Seam) -> None:
    gate = seam.gate()
    seam.serve(NUMBERS, instances=gated(3, gate, 0))
    enumerator = await start(seam)
    await filled(enumerator, 3)
    assert (await enumerator.next(NO_WAIT, 2))[0] == WBEM_S_NO_ERROR
    status, objects = await enumerator.next(NO_WAIT, 2)
    assert (status, values(objects)) == (WBEM_S_TIMEDOUT, [2])
    await enumerator.release()


@pytest.mark.req("calls:F6")
async def test_infinite_waits_for_all_that_was_asked(seam: Seam) -> None:
    gate = seam.gate()
    seam.serve(NUMBERS, instances=gated(1, gate, 4))
    enumerator = await start(seam)
    waiting = asyncio.ensure_future(enumerator.next(-1, 4))
    await filled(enumerator, 1)
    assert not waiting.done()
    gate.open()
    status, objects = await waiting
    assert (status, values(objects)) == (WBEM_S_NO_ERROR, [0, 1, 2, 3])
    await enumerator.release()


@pytest.mark.parametrize("timeout", [-2, -1000, 0x80000000, 0x1_0000_0000, "1", None, True])
@pytest.mark.req("calls:F7")
async def test_other_timeouts_are_refused(seam: Seam, timeout: Any) -> None:
    seam.serve(NUMBERS, instances=numbers(1))
    enumerator = await start(seam)
    assert await code(enumerator.next(timeout, 1)) == WBEM_E_INVALID_PARAMETER
    assert await code(enumerator.skip(timeout, 1)) == WBEM_E_INVALID_PARAMETER
    await enumerator.release()


@pytest.mark.parametrize("count", [-1, 0x1_0000_0000, None, 1.0])
@pytest.mark.req("calls:F2")
async def test_other_counts_are_refused(seam: Seam, count: Any) -> None:
    seam.serve(NUMBERS, instances=numbers(1))
    enumerator = await start(seam)
    assert await code(enumerator.next(0, count)) == WBEM_E_INVALID_PARAMETER
    assert await code(enumerator.skip(0, count)) == WBEM_E_INVALID_PARAMETER
    assert await code(enumerator.next_async(count, Recorder())) == WBEM_E_INVALID_PARAMETER
    await enumerator.release()


@pytest.mark.req("calls:F8")
async def test_no_objects_asked_for_is_success_even_after_the_end(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=numbers(0))
    enumerator = await start(seam)
    assert await enumerator.next(INFINITE, 0) == (WBEM_S_NO_ERROR, [])
    assert await enumerator.next(INFINITE, 1) == (WBEM_S_FALSE, [])
    assert await enumerator.next(INFINITE, 0) == (WBEM_S_NO_ERROR, [])
    await enumerator.release()


@pytest.mark.parametrize("flags", [SEMISYNC, FORWARD])
@pytest.mark.req("calls:F9", "calls:F10", "calls:F11", "D-06")
async def test_objects_before_a_failure_come_first_and_the_failure_repeats(seam: Seam, flags: int) -> None:
    seam.serve(NUMBERS, instances=failing(3))
    enumerator = await start(seam, flags)
    status, objects = await enumerator.next(INFINITE, 2)
    assert (status, values(objects)) == (WBEM_S_NO_ERROR, [0, 1])
    status, objects = await enumerator.next(INFINITE, 2)
    assert (status, values(objects)) == (WBEM_S_TIMEDOUT, [2])  # neither the end nor full: ask again
    for _ in range(2):
        assert await code(enumerator.next(INFINITE, 2)) == WBEM_E_PROVIDER_FAILURE
        assert await code(enumerator.skip(INFINITE, 2)) == WBEM_E_PROVIDER_FAILURE
    await enumerator.release()


@pytest.mark.req("calls:B10", "calls:B11", "calls:B15", "calls:B79", "calls:F11", "D-06")
async def test_an_unknown_class_fails_at_next_or_at_the_call(seam: Seam) -> None:
    query = ops.ExecQuery("SELECT * FROM No_Such")
    for flags in (SEMISYNC, FORWARD):
        enumerator = await Enumerator.start(seam.services, query, flags)
        with pytest.raises(WbemError) as failure:
            await enumerator.next(INFINITE, 1)
        assert failure.value.code == WBEM_E_INVALID_CLASS
        assert failure.value.extended is not None
        await enumerator.release()
    for flags in (SYNC, 0x20):
        assert await code(Enumerator.start(seam.services, query, flags)) == WBEM_E_INVALID_CLASS


@pytest.mark.req("calls:B11", "calls:B16")
async def test_what_cannot_start_gives_no_enumerator(seam: Seam) -> None:
    refused = Enumerator.start(seam.services, ops.ExecQuery(""), SEMISYNC)
    assert await code(refused) == WBEM_E_INVALID_PARAMETER
    assert await code(start(seam, 0x80)) == WBEM_E_INVALID_PARAMETER


# Skip, Reset, Clone ----------------------------------------------------------------------------------------------


@every_form
@pytest.mark.req("calls:F12", "calls:F13")
async def test_skip_passes_objects_over(seam: Seam, flags: int) -> None:
    seam.serve(NUMBERS, instances=numbers(5))
    enumerator = await start(seam, flags)
    assert await enumerator.skip(INFINITE, 0) == WBEM_S_NO_ERROR
    assert await enumerator.skip(INFINITE, 2) == WBEM_S_NO_ERROR
    assert values((await enumerator.next(INFINITE, 1))[1]) == [2]
    assert await enumerator.skip(INFINITE, 9) == WBEM_S_FALSE
    assert await enumerator.next(INFINITE, 1) == (WBEM_S_FALSE, [])
    await enumerator.release()


@pytest.mark.req("calls:F12", "calls:F13")
async def test_skip_that_times_out_has_passed_what_was_there(seam: Seam) -> None:
    gate = seam.gate()
    seam.serve(NUMBERS, instances=gated(3, gate, 3))
    enumerator = await start(seam, FORWARD)
    await filled(enumerator, 3)
    assert await enumerator.skip(10, 4) == WBEM_S_TIMEDOUT
    gate.open()
    assert values((await enumerator.next(INFINITE, 1))[1]) == [3]
    await enumerator.release()


@pytest.mark.req("calls:F13", "calls:F21")
async def test_skip_goes_further_than_a_window(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=numbers(5000))
    enumerator = await start(seam, FORWARD)
    assert await enumerator.skip(INFINITE, 4999) == WBEM_S_NO_ERROR
    assert values((await enumerator.next(INFINITE, 1))[1]) == [4999]
    assert await enumerator.skip(INFINITE, 0xFFFFFFFF) == WBEM_S_FALSE
    await enumerator.release()


@pytest.mark.parametrize("flags", [SYNC, SEMISYNC])
@pytest.mark.req("calls:F18", "calls:F19")
async def test_reset_and_clone_share_the_objects_and_have_positions_of_their_own(
    seam: Seam, flags: int
) -> None:
    runs = []

    def instances(request: Any) -> Iterator[tuple[object, ...]]:
        runs.append(1)
        return rows(request, *({"N": n} for n in range(4)))

    seam.serve(NUMBERS, instances=instances)
    enumerator = await start(seam, flags)
    await enumerator.next(INFINITE, 1)
    twin = await enumerator.clone()
    assert values((await twin.next(INFINITE, 2))[1]) == [1, 2]
    assert values((await enumerator.next(INFINITE, 1))[1]) == [1]
    assert await enumerator.reset() == WBEM_S_NO_ERROR
    assert values((await enumerator.next(INFINITE, 9))[1]) == [0, 1, 2, 3]
    await enumerator.release()
    assert values((await twin.next(INFINITE, 9))[1]) == [3]
    await twin.release()
    assert len(runs) == 1


@pytest.mark.parametrize("flags", [FORWARD, 0x20])
@pytest.mark.req("calls:F18", "calls:F19")
async def test_forward_only_goes_forward_only(seam: Seam, flags: int) -> None:
    seam.serve(NUMBERS, instances=numbers(2))
    enumerator = await start(seam, flags)
    assert await code(enumerator.reset()) == WBEM_E_INVALID_OPERATION
    assert await code(enumerator.clone()) == WBEM_E_INVALID_OPERATION
    assert values((await enumerator.next(INFINITE, 2))[1]) == [0, 1]
    await enumerator.release()


@pytest.mark.req("calls:F1")
async def test_every_method_is_for_its_maker_alone(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=numbers(2))
    enumerator = await start(seam)
    other = seam.stranger()
    sink = Recorder()
    for refused in (
        enumerator.next(0, 1, caller=other),
        enumerator.skip(0, 1, caller=other),
        enumerator.reset(caller=other),
        enumerator.clone(caller=other),
        enumerator.next_async(1, sink, caller=other),
    ):
        assert await code(refused) == WBEM_E_ACCESS_DENIED
    assert sink.events == []
    again = seam.services.caller._replace(name="the same, logged on again")
    assert (await enumerator.next(INFINITE, 1, caller=again))[0] == WBEM_S_NO_ERROR
    await enumerator.release()


# What is kept and what is produced -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.req("calls:F21")
async def test_forward_only_keeps_a_window_and_no_more(seam: Seam) -> None:
    """The provider is never more than a window ahead of the reader, and what was read is freed."""
    produced = 0

    def instances(request: Any) -> Iterator[tuple[object, ...]]:
        nonlocal produced
        for n in range(20_000):
            produced += 1
            yield from rows(request, {"N": n})

    seam.serve(NUMBERS, instances=instances)
    enumerator = await start(seam, FORWARD)
    read = 0
    while True:
        status, objects = await enumerator.next(INFINITE, 300)
        assert values(objects) == list(range(read, read + len(objects)))
        read += len(objects)
        assert produced - read <= 1001
        held = sum(map(len, enumerator._results._batches))
        assert held <= 1001 + 1000  # a batch is freed when its last object has been read
        if status == WBEM_S_FALSE:
            break
    assert read == 20_000
    await enumerator.release()


@pytest.mark.req("calls:F3", "calls:F21")
async def test_one_request_may_be_larger_than_the_window(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=numbers(5000))
    enumerator = await start(seam, FORWARD)
    status, objects = await enumerator.next(INFINITE, 4500)
    assert (status, len(objects)) == (WBEM_S_NO_ERROR, 4500)
    status, objects = await enumerator.next(INFINITE, 4500)
    assert (status, values(objects)) == (WBEM_S_FALSE, list(range(4500, 5000)))
    await enumerator.release()


@pytest.mark.req("calls:F3", "calls:F4")
async def test_a_request_larger_than_may_be_held_gets_what_may_be_and_asks_again(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=numbers(250))
    enumerator = await start(seam, FORWARD, held=100)
    read = []
    for status in (WBEM_S_TIMEDOUT, WBEM_S_TIMEDOUT, WBEM_S_FALSE):
        found = await enumerator.next(INFINITE, 0xFFFFFFFF)
        assert found[0] == status
        read += values(found[1])
    assert read == list(range(250))
    await enumerator.release()


@pytest.mark.req("calls:F21")
async def test_the_provider_is_kept_ahead_of_the_reader(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=numbers(5000))
    enumerator = await start(seam, FORWARD)
    await filled(enumerator, 1000)
    await enumerator.next(INFINITE, 600)
    await filled(enumerator, 1600)  # nobody has asked for these
    await enumerator.release()


@pytest.mark.req("calls:B83", "calls:F9")
async def test_more_than_may_be_held_is_an_error_and_never_a_hang(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=lambda request: ((n,) for n in itertools.count()))
    assert await code(start(seam, SYNC, held=2500)) == WBEM_E_QUOTA_VIOLATION
    enumerator = await start(seam, SEMISYNC, held=2500)
    read = [0]

    async def read_on() -> None:
        while True:
            read.append(len((await enumerator.next(INFINITE, 1000))[1]))

    assert await code(read_on()) == WBEM_E_QUOTA_VIOLATION
    assert 0 < sum(read) <= 2500
    await enumerator.release()


@pytest.mark.req("calls:B83")
async def test_exactly_as_many_as_may_be_held_are_no_error(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=numbers(2500))
    for flags in (SYNC, SEMISYNC):
        enumerator = await start(seam, flags, held=2500)
        status, objects = await enumerator.next(INFINITE, 2501)
        assert (status, len(objects)) == (WBEM_S_FALSE, 2500)
        await enumerator.release()


# Release ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [SEMISYNC, FORWARD])
@pytest.mark.req("calls:F22", "calls:F23")
async def test_release_cancels_an_endless_provider_at_once(seam: Seam, flags: int) -> None:
    seam.serve(NUMBERS, instances=lambda request: ((n & 0xFFFF,) for n in itertools.count()))
    enumerator = await start(seam, flags)
    assert (await enumerator.next(INFINITE, 10))[0] == WBEM_S_NO_ERROR
    begun = time.perf_counter()
    await enumerator.release()
    assert time.perf_counter() - begun < 1
    assert seam.running == 0
    await enumerator.release()  # a second time does nothing
    assert await code(enumerator.next(0, 1)) == WBEM_E_CALL_CANCELLED


@pytest.mark.req("calls:F22")
async def test_the_last_clone_decides(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=lambda request: ((n & 0xFFFF,) for n in itertools.count()))
    enumerator = await start(seam)
    twin = await enumerator.clone()
    await enumerator.release()
    assert seam.running == 1
    assert (await twin.next(INFINITE, 10))[0] == WBEM_S_NO_ERROR
    await twin.release()
    assert seam.running == 0


@pytest.mark.req("calls:F22")
async def test_release_frees_whoever_waits(seam: Seam) -> None:
    gate = seam.gate()
    seam.serve(NUMBERS, instances=gated(0, gate, 1))
    enumerator = await start(seam)
    waiting = [asyncio.ensure_future(enumerator.next(INFINITE, 1)) for _ in range(3)]
    await asyncio.sleep(0)
    await enumerator.release()
    for one in waiting:
        assert await code(one) == WBEM_E_CALL_CANCELLED


@pytest.mark.req("calls:F20")
async def test_requests_are_served_in_the_order_they_came(seam: Seam) -> None:
    gate = seam.gate()
    seam.serve(NUMBERS, instances=gated(0, gate, 10))
    enumerator = await start(seam)
    first = asyncio.ensure_future(enumerator.next(INFINITE, 2))
    second = asyncio.ensure_future(enumerator.skip(INFINITE, 1))
    third = asyncio.ensure_future(enumerator.next(INFINITE, 2))
    sink = Recorder()
    await asyncio.sleep(0)
    assert await enumerator.next_async(2, sink) == WBEM_S_NO_ERROR
    assert await enumerator.reset() == WBEM_S_NO_ERROR
    last = asyncio.ensure_future(enumerator.next(INFINITE, 2))
    gate.open()
    assert values((await first)[1]) == [0, 1]
    assert await second == WBEM_S_NO_ERROR
    assert values((await third)[1]) == [3, 4]
    assert values((await last)[1]) == [0, 1]
    while sink.kinds[-1:] != ["released"]:
        await asyncio.sleep(0)
    assert values(sink.objects) == [5, 6]
    await enumerator.release()


@pytest.mark.req("calls:F6", "calls:F20")
async def test_one_that_waits_for_another_keeps_its_own_time(seam: Seam) -> None:
    gate = seam.gate()
    seam.serve(NUMBERS, instances=gated(1, gate, 0))
    enumerator = await start(seam)
    await filled(enumerator, 1)
    first = asyncio.ensure_future(enumerator.next(INFINITE, 2))
    await asyncio.sleep(0)
    assert await enumerator.next(20, 1) == (WBEM_S_TIMEDOUT, [])
    assert await enumerator.next(NO_WAIT, 1) == (WBEM_S_TIMEDOUT, [])
    gate.open()
    assert values((await first)[1]) == [0]
    await enumerator.release()


@pytest.mark.req("calls:F12", "calls:F20")
async def test_a_cancelled_wait_leaves_no_trace(seam: Seam) -> None:
    gate = seam.gate()
    seam.serve(NUMBERS, instances=gated(1, gate, 1))
    enumerator = await start(seam)
    await filled(enumerator, 1)
    for wait in (enumerator.next(INFINITE, 2), enumerator.next(5000, 2)):
        waiting = asyncio.ensure_future(wait)
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    gate.open()
    assert values((await enumerator.next(INFINITE, 2))[1]) == [0, 1]
    await enumerator.release()


@pytest.mark.req("calls:F20")
async def test_who_stands_behind_a_cancelled_wait_is_served(seam: Seam) -> None:
    gate = seam.gate()
    seam.serve(NUMBERS, instances=gated(1, gate, 0))
    enumerator = await start(seam)
    await filled(enumerator, 1)
    first = asyncio.ensure_future(enumerator.next(INFINITE, 5))
    second = asyncio.ensure_future(enumerator.next(INFINITE, 1))
    await asyncio.sleep(0)
    first.cancel()
    assert values((await second)[1]) == [0]
    await enumerator.release()


@pytest.mark.req("calls:B10")
async def test_cancelling_a_synchronous_call_ends_it_at_its_source(seam: Seam) -> None:
    gate = seam.gate()
    seam.serve(NUMBERS, instances=gated(0, gate, 1))
    waiting = asyncio.ensure_future(start(seam, SYNC))
    while not gate.reached.is_set():
        await asyncio.sleep(0.001)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert seam.running == 0


@pytest.mark.req("calls:B84", "calls:F18", "calls:F19", "calls:F22")
async def test_a_notification_enumerator_waits_and_ends_with_its_release(seam: Seam) -> None:
    seam.serve("class Bell : __ExtrinsicEvent { uint32 N; };")
    bell: Any = (await perform(seam.services, ops.GetObject("Bell"))).object
    ring: Any = await seam.event_sink()
    query = ops.ExecNotificationQuery("SELECT * FROM Bell WHERE N > 1")
    enumerator = await Enumerator.start(seam.services, query, FORWARD)
    await asyncio.sleep(0)
    assert await enumerator.next(NO_WAIT, 1) == (WBEM_S_TIMEDOUT, [])
    for n in (1, 2, 3):
        assert ring.on_objects([bell.spawn({"N": n})]) == 0
    assert values((await enumerator.next(INFINITE, 2))[1]) == [2, 3]
    assert await enumerator.next(10, 1) == (WBEM_S_TIMEDOUT, [])
    assert await code(enumerator.reset()) == WBEM_E_INVALID_OPERATION
    assert await code(enumerator.clone()) == WBEM_E_INVALID_OPERATION
    sink = Recorder()
    assert await enumerator.next_async(1, sink) == WBEM_S_NO_ERROR
    ring.on_objects([bell.spawn({"N": 4})])
    await over(sink)
    assert values(sink.objects) == [4]
    assert seam.subscriptions == 1
    await enumerator.release()
    while seam.subscriptions:
        await asyncio.sleep(0.001)


# NextAsync -------------------------------------------------------------------------------------------------------


async def over(sink: Recorder, count: int = 1) -> None:
    """Wait until the sink has been released `count` times."""
    while [kind for kind, _ in sink.events].count("released") < count:
        await asyncio.sleep(0.0005)


@pytest.mark.req("calls:F14", "calls:F15", "calls:F24")
async def test_next_async_hears_objects_a_status_and_the_release(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=numbers(3))
    enumerator = await start(seam)
    full, rest = Recorder(), Recorder()
    assert await enumerator.next_async(2, full) == WBEM_S_NO_ERROR
    assert await enumerator.next_async(2, rest) == WBEM_S_NO_ERROR
    await over(full)
    await over(rest)
    assert full.events == [("objects", 2), ("completed", (WBEM_S_NO_ERROR, None, None)), ("released", None)]
    assert rest.events == [("objects", 1), ("completed", (WBEM_S_FALSE, None, None)), ("released", None)]
    assert values(full.objects + rest.objects) == [0, 1, 2]
    await enumerator.release()


@pytest.mark.req("calls:F14", "calls:F16", "calls:F17")
async def test_next_async_that_has_nothing_to_do_leaves_the_sink_alone(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=numbers(1))
    enumerator = await start(seam)
    sink = Recorder()
    assert await enumerator.next_async(0, sink) == WBEM_S_FALSE
    assert await code(enumerator.next_async(1, None)) == WBEM_E_INVALID_PARAMETER
    assert (await enumerator.next(INFINITE, 2))[0] == WBEM_S_FALSE
    assert await enumerator.next_async(1, sink) == WBEM_S_FALSE
    await asyncio.sleep(0.005)
    assert sink.events == []
    await enumerator.release()


@pytest.mark.req("calls:F9", "calls:F15")
async def test_next_async_hears_of_a_failure_with_its_object(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=failing(1))
    enumerator = await start(seam)
    sink, later = Recorder(), Recorder()
    assert await enumerator.next_async(3, sink) == WBEM_S_NO_ERROR
    await over(sink)
    assert sink.kinds == ["objects", "completed", "released"]
    assert sink.outcome.status == WBEM_E_PROVIDER_FAILURE
    assert sink.outcome.error is not None
    assert await enumerator.next_async(3, later) == WBEM_S_NO_ERROR
    await over(later)
    assert later.kinds == ["completed", "released"]
    assert later.outcome.status == WBEM_E_PROVIDER_FAILURE
    await enumerator.release()


@pytest.mark.req("calls:F17", "calls:F18")
async def test_reset_skip_and_clone_do_not_disturb_what_is_queued(seam: Seam) -> None:
    gate = seam.gate()
    seam.serve(NUMBERS, instances=gated(0, gate, 4))
    enumerator = await start(seam)
    sink = Recorder()
    await enumerator.next_async(2, sink)
    twin = await enumerator.clone()
    assert await enumerator.skip(NO_WAIT, 1) == WBEM_S_TIMEDOUT
    await enumerator.reset()
    gate.open()
    await over(sink)
    assert values(sink.objects) == [0, 1]
    assert values((await enumerator.next(INFINITE, 9))[1]) == [0, 1, 2, 3]
    assert values((await twin.next(INFINITE, 9))[1]) == [0, 1, 2, 3]
    await enumerator.release()
    await twin.release()


@pytest.mark.req("calls:F15", "calls:F20", "calls:B24")
async def test_requests_of_one_sink_are_delivered_one_after_the_other(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=numbers(100))
    enumerator = await start(seam)

    async def slowly(argument: Any) -> None:
        sink.running += 1
        await asyncio.sleep(0.0005)
        sink.running -= 1

    sink = Recorder(objects=slowly, completed=slowly)
    for _ in range(10):
        assert await enumerator.next_async(10, sink) == WBEM_S_NO_ERROR
    await over(sink, 10)
    assert values(sink.objects) == list(range(100))
    assert sink.kinds == ["objects", "completed", "released"] * 10
    await enumerator.release()


@pytest.mark.req("calls:C5", "calls:F15")
async def test_a_sink_that_fails_at_next_async_spoils_its_own_request_only(seam: Seam) -> None:
    def raising(argument: Any) -> None:
        raise ValueError("a sink of ours")

    seam.serve(NUMBERS, instances=numbers(4))
    enumerator = await start(seam)
    for answer in (raising, lambda _: WBEM_E_FAILED, lambda _: asyncio.sleep(0, WBEM_E_FAILED)):
        sink = Recorder(objects=answer)
        await enumerator.next_async(1, sink)
        await over(sink)
        assert [kind for kind, _ in sink.events] == ["objects", "completed", "released"]
        assert sink.outcome.status == WBEM_E_CALL_CANCELLED
    good = Recorder()
    await enumerator.next_async(1, good)
    await over(good)
    assert values(good.objects) == [3]
    await enumerator.release()


@pytest.mark.req("calls:C7", "calls:C8", "calls:F15")
async def test_a_sink_that_hangs_at_next_async_holds_up_nobody(
    seam: Seam, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openwmi.faces.views.queued.SINK_PATIENCE", 0.02)
    seam.serve(NUMBERS, instances=numbers(2))
    enumerator = await start(seam)
    leave = asyncio.Event()
    hanging, good = Recorder(objects=lambda _: leave.wait()), Recorder()
    await enumerator.next_async(1, hanging)
    await enumerator.next_async(1, good)
    await over(good)
    assert values(good.objects) == [1]
    assert [kind for kind, _ in hanging.events] == ["objects"]
    leave.set()
    await over(hanging)
    assert hanging.outcome.status == WBEM_E_CALL_CANCELLED
    await enumerator.release()


@pytest.mark.req("calls:D1", "calls:D6", "calls:D13")
async def test_cancelling_a_sink_drops_what_it_has_queued(seam: Seam) -> None:
    gate = seam.gate()
    seam.serve(NUMBERS, instances=gated(0, gate, 3))
    enumerator = await start(seam)
    sink, other = Recorder(), Recorder()
    await enumerator.next_async(1, sink)
    await enumerator.next_async(1, other)
    await enumerator.next_async(1, sink)
    foreign = await seam.connect(caller=seam.stranger())
    assert await code(cancel(foreign, sink)) == WBEM_E_NOT_FOUND
    elsewhere = await seam.connect("root\\cimv2")
    await cancel(elsewhere, sink)
    assert [kind for kind, _ in sink.events] == ["completed", "released"] * 2
    assert all(argument[0] == WBEM_E_CALL_CANCELLED for kind, argument in sink.events if kind == "completed")
    assert await code(cancel(seam.services, sink)) == WBEM_E_NOT_FOUND
    gate.open()
    await over(other)
    assert values(other.objects) == [0]
    await enumerator.release()


@pytest.mark.req("calls:D1", "calls:D5")
async def test_cancelling_a_request_that_waits_for_its_turn(seam: Seam) -> None:
    """Its objects are there already, but the one before it is still being delivered."""
    seam.serve(NUMBERS, instances=numbers(2))
    enumerator = await start(seam)
    leave = asyncio.Event()
    first, second = Recorder(objects=lambda _: leave.wait()), Recorder()
    await enumerator.next_async(1, first)
    await enumerator.next_async(1, second)
    await first.heard.wait()
    await cancel(seam.services, second)
    assert second.kinds == ["completed", "released"]
    assert second.outcome.status == WBEM_E_CALL_CANCELLED
    leave.set()
    await over(first)
    assert first.outcome.status == WBEM_S_NO_ERROR
    await enumerator.release()


@pytest.mark.req("calls:D3", "calls:D9")
async def test_cancelling_a_request_that_is_over_finds_nothing(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=numbers(1))
    enumerator = await start(seam)
    leave = asyncio.Event()
    sink = Recorder(completed=lambda _: leave.wait())
    await enumerator.next_async(1, sink)
    while "completed" not in sink.kinds:
        await asyncio.sleep(0)
    assert await code(cancel(seam.services, sink)) == WBEM_E_NOT_FOUND
    leave.set()
    await over(sink)
    assert sink.outcome.status == WBEM_S_NO_ERROR
    await enumerator.release()


@pytest.mark.req("calls:D1", "calls:D7", "calls:D14")
async def test_cancelling_while_next_async_is_being_delivered(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=numbers(1))
    leave = asyncio.Event()
    for inside in (False, True):
        enumerator = await start(seam)
        sink = Recorder(objects=lambda _: leave.wait())
        await enumerator.next_async(1, sink)
        await sink.heard.wait()
        cancelling = asyncio.ensure_future(cancel(seam.services, sink, inside=inside))
        await asyncio.sleep(0.01)
        assert cancelling.done() == inside
        leave.set()
        await cancelling
        await over(sink)
        leave.clear()
        assert [kind for kind, _ in sink.events] == ["objects", "completed", "released"]
        assert sink.outcome.status == WBEM_E_CALL_CANCELLED
        await enumerator.release()


@pytest.mark.req("calls:F22")
async def test_release_ends_what_is_queued(seam: Seam) -> None:
    gate = seam.gate()
    seam.serve(NUMBERS, instances=gated(0, gate, 3))
    enumerator = await start(seam)
    sink = Recorder()
    await enumerator.next_async(1, sink)
    await enumerator.release()
    await over(sink)
    assert sink.kinds == ["completed", "released"]
    assert sink.outcome.status == WBEM_E_CALL_CANCELLED


@pytest.mark.req("calls:D1")
async def test_cancel_reaches_operations_and_queued_requests_alike(seam: Seam) -> None:
    gate = seam.gate()
    seam.serve(NUMBERS, instances=gated(0, gate, 3))
    enumerator = await start(seam)
    sink = Recorder()
    call = await seam.start(QUERY, sink)
    await enumerator.next_async(1, sink)
    await cancel(seam.services, sink)
    assert call.done
    assert [kind for kind, _ in sink.events].count("released") == 2
    assert await code(cancel(seam.services, None)) == WBEM_E_INVALID_PARAMETER
    await enumerator.release()


# Looking ahead ---------------------------------------------------------------------------------------------------


@every_form
@pytest.mark.req("calls:F3", "calls:F15", "calls:F22")
async def test_looking_ahead_reads_nothing_and_passing_does(seam: Seam, flags: int) -> None:
    gate = seam.gate()
    seam.serve(NUMBERS, instances=gated(5, gate, 2))
    if flags in (SYNC, 0x20):
        gate.open()
    enumerator = await start(seam, flags)
    await filled(enumerator, 5)
    for _ in range(2):
        assert values(enumerator.ahead(2)) == [0, 1]
    assert enumerator.passes(2)
    status, objects = await enumerator.next(INFINITE, 1)
    assert (status, values(objects)) == (0, [2])
    assert values(enumerator.ahead(1)) == [3]
    gate.open()
    await filled(enumerator, 7)
    assert (values(enumerator.ahead(5)), enumerator.passes(5)) == ([3, 4, 5, 6], False)
    sink = Recorder()
    await enumerator.next_async(9, sink)  # takes what is left
    await over(sink)
    assert values(sink.objects) == [3, 4, 5, 6]
    assert (enumerator.ahead(1), enumerator.passes(1)) == ([], False)
    await enumerator.release()
    assert (enumerator.ahead(0), enumerator.passes(0)) == ([], False)


@pytest.mark.req("calls:F15", "calls:F20")
async def test_nobody_passes_those_who_wait(seam: Seam) -> None:
    gate = seam.gate()
    seam.serve(NUMBERS, instances=gated(2, gate, 2))
    enumerator = await start(seam)
    await filled(enumerator, 2)
    sink = Recorder()
    await enumerator.next_async(3, sink)
    assert (enumerator.ahead(1), enumerator.passes(1)) == ([], False)
    gate.open()
    await over(sink)
    await filled(enumerator, 4)
    assert values(enumerator.ahead(1)) == [3]
    await enumerator.release()


# Progress ------------------------------------------------------------------------------------------------------------


def reporting(gate: Gate) -> Any:
    """A report, a wait, another one, and a row."""

    def instances(request: Any) -> Iterator[tuple[object, ...]]:
        request.progress(1, 4, "a quarter")
        gate.wait()
        request.progress(3, 4, "nearly all")
        yield from rows(request, {"N": 1})

    return instances


@pytest.mark.req("calls:B25", "calls:B34")
async def test_a_next_that_waits_comes_back_with_progress(seam: Seam) -> None:
    gate = seam.gate()
    seam.serve(NUMBERS, instances=reporting(gate))
    enumerator = await start(seam, progress=True)
    heard = []
    assert await enumerator.next(INFINITE, 5) == (WBEM_S_TIMEDOUT, [])
    assert await enumerator.next(INFINITE, 5) == (WBEM_S_TIMEDOUT, []), (
        "what nobody has heard is still to be heard"
    )
    heard += enumerator.reports.heard()
    assert heard == [Progress(1, 4, "a quarter")]
    assert not enumerator.reports
    twin = await enumerator.clone()
    gate.open()
    status, objects = await twin.next(INFINITE, 5)
    while status == WBEM_S_TIMEDOUT:  # with the row, where that came meanwhile
        heard += twin.reports.heard()
        status, more = await twin.next(INFINITE, 5)
        objects += more
    assert (status, values(objects)) == (WBEM_S_FALSE, [1])
    assert heard[1:] + twin.reports.heard() == [Progress(3, 4, "nearly all")]
    assert not enumerator.reports, "a report is told once"
    assert (await enumerator.next(INFINITE, 5))[0] == WBEM_S_FALSE
    await enumerator.release()
    await twin.release()


@pytest.mark.req("calls:B25", "calls:F13")
async def test_a_skip_is_not_disturbed_by_progress(seam: Seam) -> None:
    gate = seam.gate()
    seam.serve(NUMBERS, instances=reporting(gate))
    enumerator = await start(seam, progress=True)
    skips = [asyncio.ensure_future(enumerator.skip(INFINITE, 1))]
    while not enumerator.reports:
        await asyncio.sleep(0.001)
    skips.append(asyncio.ensure_future(enumerator.skip(INFINITE, 1)))
    await asyncio.sleep(0.01)
    assert not any(one.done() for one in skips)
    gate.open()
    assert [await one for one in skips] == [WBEM_S_NO_ERROR, WBEM_S_FALSE]
    await enumerator.release()


@pytest.mark.req("calls:B25")
async def test_who_asks_for_no_progress_hears_none(seam: Seam) -> None:
    gate = seam.gate()
    seam.serve(NUMBERS, instances=reporting(gate))
    enumerator = await start(seam)
    gate.open()
    status, objects = await enumerator.next(INFINITE, 5)
    assert (status, values(objects)) == (WBEM_S_FALSE, [1])
    assert not enumerator.reports
    await enumerator.release()
