"""Call results over any Services (calls.md F.2, B11-B14), and the synchronous form (B10)."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from tests.conformance.support import Gate, Seam, rows

from openwmi.contract import operations as ops
from openwmi.contract.outcome import Progress
from openwmi.faces.views import CallResult, perform
from openwmi.model.errors import WbemError
from openwmi.model.status import (
    WBEM_E_ACCESS_DENIED,
    WBEM_E_INVALID_NAMESPACE,
    WBEM_E_INVALID_OPERATION,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_NOT_FOUND,
    WBEM_E_QUOTA_VIOLATION,
    WBEM_S_NO_ERROR,
    WBEM_S_TIMEDOUT,
)

INFINITE, NO_WAIT = 0xFFFFFFFF, 0
MACHINE = """
[dynamic, provider("{provider}")]
class Machine { [key] uint32 N; [static, implemented] uint32 Work(); [static, implemented] void Rest(); };
"""


def served(seam: Seam) -> Gate:
    """A machine whose methods and look-ups wait at a gate."""
    gate = seam.gate()

    def instance(request: Any, keys: dict[str, Any]) -> tuple[object, ...] | None:
        gate.wait()
        return next(rows(request, {"N": keys["N"]})) if keys["N"] == 1 else None

    def method(request: Any, name: str, keys: Any, params: Any) -> dict[str, object] | None:
        gate.wait()
        return None if name == "Rest" else {"ReturnValue": 5}

    seam.serve(MACHINE, instance=instance, method=method)
    return gate


async def code(awaitable: Any) -> int:
    with pytest.raises(WbemError) as failure:
        await awaitable
    return failure.value.code


@pytest.mark.req("calls:B11", "calls:B14", "calls:F27", "calls:F29", "calls:F32")
async def test_a_result_is_waited_for_as_often_as_one_likes(seam: Seam) -> None:
    gate = served(seam)
    found = await CallResult.start(seam.services, ops.GetObject("Machine.N=1"), 0x10)
    for getter in (found.object, found.string, found.services, found.call_status):
        assert await getter(NO_WAIT) == (WBEM_S_TIMEDOUT, None)
        assert await getter(5) == (WBEM_S_TIMEDOUT, None)
    gate.open()
    status, first = await found.object(INFINITE)
    assert (status, first.N) == (WBEM_S_NO_ERROR, 1)  # type: ignore[union-attr]
    changed = first.with_({"N": 2})  # type: ignore[union-attr]
    assert changed.N == 2
    assert (await found.object(NO_WAIT))[1].N == 1  # type: ignore[union-attr]
    assert await found.call_status(-1) == (WBEM_S_NO_ERROR, WBEM_S_NO_ERROR)


@pytest.mark.req("calls:F28", "calls:F29", "calls:F34")
async def test_a_failed_operation_is_its_getters_error_and_the_status_of_its_status(seam: Seam) -> None:
    gate = served(seam)
    gate.open()
    found = await CallResult.start(seam.services, ops.GetObject("Machine.N=7"), 0x10)
    for _ in range(2):
        for getter in (found.object, found.string, found.services):
            with pytest.raises(WbemError) as failure:
                await getter(INFINITE)
            assert failure.value.code == WBEM_E_NOT_FOUND
            assert failure.value.extended is not None
        assert await found.call_status(INFINITE) == (WBEM_S_NO_ERROR, WBEM_E_NOT_FOUND)


@pytest.mark.req("calls:B14", "calls:F31", "calls:F33")
async def test_each_getter_fits_its_operations(seam: Seam) -> None:
    served(seam).open()
    method = await CallResult.start(seam.services, ops.ExecMethod("Machine", "Work"), 0x10)
    status, out = await method.object(INFINITE)
    assert (status, out.ReturnValue) == (0, 5)  # type: ignore[union-attr]
    assert await code(method.string(INFINITE)) == WBEM_E_INVALID_OPERATION
    assert await code(method.services(INFINITE)) == WBEM_E_INVALID_OPERATION
    assert await method.call_status(INFINITE) == (0, 0)
    rest = await CallResult.start(seam.services, ops.ExecMethod("Machine", "Rest"), 0x10)
    assert await rest.object(INFINITE) == (0, None)


@pytest.mark.req("calls:A38", "calls:A39", "calls:B14", "calls:F27", "calls:F28")
async def test_a_namespace_is_opened_through_a_call_result_too(seam: Seam) -> None:
    above, _, name = seam.namespace.rpartition("\\")
    parent = await seam.connect(above)
    opening = CallResult.opening(parent, name)
    status, services = await opening.services(INFINITE)
    assert status == 0
    assert services is not None
    assert services.namespace.lower() == seam.namespace.lower()
    assert await opening.call_status(INFINITE) == (0, 0)
    assert await code(opening.object(INFINITE)) == WBEM_E_INVALID_OPERATION
    assert await code(opening.string(INFINITE)) == WBEM_E_INVALID_OPERATION
    absent = CallResult.opening(parent, "No_Such")
    assert await code(absent.services(INFINITE)) == WBEM_E_INVALID_NAMESPACE
    assert await absent.call_status(INFINITE) == (0, WBEM_E_INVALID_NAMESPACE)


@pytest.mark.req("calls:B11", "calls:B16")
async def test_what_cannot_start_gives_no_call_result(seam: Seam) -> None:
    refused = CallResult.start(seam.services, ops.ExecMethod("Machine", None), 0x10)  # type: ignore[arg-type]
    assert await code(refused) == WBEM_E_INVALID_PARAMETER
    flags = CallResult.start(seam.services, ops.GetObject("Machine"), 0x80)
    assert await code(flags) == WBEM_E_INVALID_PARAMETER


@pytest.mark.req("calls:B13", "calls:F29")
async def test_without_the_flag_a_call_result_works_as_well(seam: Seam) -> None:
    served(seam).open()
    found = await CallResult.start(seam.services, ops.GetObject("Machine.N=7"), 0)
    assert await found.call_status(INFINITE) == (0, WBEM_E_NOT_FOUND)


@pytest.mark.parametrize("timeout", [-2, 0x80000000, None])
@pytest.mark.req("calls:F7", "calls:F27")
async def test_other_timeouts_are_refused(seam: Seam, timeout: Any) -> None:
    found = await CallResult.start(seam.services, ops.GetObject(None), 0x10)
    for getter in (found.object, found.string, found.services, found.call_status):
        assert await code(getter(timeout)) == WBEM_E_INVALID_PARAMETER


@pytest.mark.req("calls:F1")
async def test_a_call_result_is_for_its_maker_alone(seam: Seam) -> None:
    found = await CallResult.start(seam.services, ops.GetObject(None), 0x10)
    assert await code(found.object(0, caller=seam.stranger())) == WBEM_E_ACCESS_DENIED


@pytest.mark.req("calls:F35")
async def test_dropping_a_call_result_does_not_end_the_operation(seam: Seam) -> None:
    gate = served(seam)
    found = await CallResult.start(seam.services, ops.ExecMethod("Machine", "Work"), 0x10)
    del found
    while not gate.reached.is_set():
        await asyncio.sleep(0.001)
    assert seam.running == 1
    gate.open()


@pytest.mark.req("calls:B10", "calls:B26")
async def test_the_synchronous_form_gives_the_object_or_raises(seam: Seam) -> None:
    served(seam).open()
    done = await perform(seam.services, ops.GetObject("Machine.N=1"))
    assert done.object.N == 1  # type: ignore[union-attr]
    assert done.outcome.status == 0
    assert (await perform(seam.services, ops.ExecMethod("Machine", "Rest"))).object is None
    assert await code(perform(seam.services, ops.GetObject("Machine.N=7"))) == WBEM_E_NOT_FOUND


@pytest.mark.req("calls:B10")
async def test_the_synchronous_form_ends_at_its_source_when_it_is_given_up(seam: Seam) -> None:
    gate = served(seam)
    waiting = asyncio.ensure_future(perform(seam.services, ops.GetObject("Machine.N=1")))
    while not gate.reached.is_set():
        await asyncio.sleep(0.001)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert seam.running == 0


@pytest.mark.req("calls:B83")
async def test_the_synchronous_form_holds_so_much_and_no_more(seam: Seam) -> None:
    seam.serve(
        '[dynamic, provider("{provider}")] class Number { [key] uint32 N; };',
        instances=lambda request: ((n,) for n in itertools.count()),
    )
    endless = perform(seam.services, ops.CreateInstanceEnum("Number"), held=2500)
    assert await code(endless) == WBEM_E_QUOTA_VIOLATION


@pytest.mark.req("calls:B25", "calls:B34")
async def test_a_getter_that_waits_comes_back_with_progress(seam: Seam) -> None:
    gate = seam.gate()

    def method(request: Any, name: str, keys: Any, params: Any) -> dict[str, object]:
        request.progress(1, 2, "halfway")
        gate.wait()
        return {"ReturnValue": 5}

    seam.serve(MACHINE, method=method)
    for progress in (True, False):
        found = await CallResult.start(
            seam.services, ops.ExecMethod("Machine", "Work"), 0x10, progress=progress
        )
        if progress:
            assert await found.object(INFINITE) == (WBEM_S_TIMEDOUT, None)
            assert found.reports.heard() == [Progress(1, 2, "halfway")]
            assert found.outcome is None
        gate.open()
        status, out = await found.object(INFINITE)
        assert (status, out.ReturnValue) == (WBEM_S_NO_ERROR, 5)  # type: ignore[union-attr]
        assert found.outcome == (0, None, None)
        assert not found.reports
