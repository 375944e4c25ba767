"""Contexts on their way to the provider, and codes a client must understand in either place (calls.md G)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.conformance.support import Recorder, Seam, rows

from openwmi.contract import operations as ops
from openwmi.contract.context import Context
from openwmi.faces.views import perform
from openwmi.model.errors import WbemError
from openwmi.model.status import describe

NUMBERS = '[dynamic, provider("{provider}")] class Number { [key] uint32 N; };'
QUERY = ops.ExecQuery("SELECT * FROM Number")


@pytest.mark.req("calls:B9", "calls:G1", "calls:G4", "calls:G6", "A-294")
async def test_values_reach_the_provider_as_they_were_when_the_call_was_made(seam: Seam) -> None:
    gate = seam.gate()
    seen: list[Any] = []

    def instances(request: Any) -> Iterator[tuple[object, ...]]:
        gate.wait()
        seen.append(request.context)
        return rows(request, {"N": 1})

    seam.serve(NUMBERS, instances=instances)
    given = Context({"__CorrelationId": "{1}", "Mine": [1, 2]})
    call = await seam.start(QUERY, Recorder(), 0, given)
    given.set("Mine", "changed")
    given.delete("__correlationid")
    gate.open()
    await call
    (context,) = seen
    assert dict(context.items()) == {"__CorrelationId": "{1}", "Mine": [1, 2]}
    context.set("Server", "was here")
    assert "Server" not in given


@pytest.mark.req("calls:B9")
async def test_no_context_is_no_context(seam: Seam) -> None:
    seen: list[Any] = []

    def instances(request: Any) -> Iterator[tuple[object, ...]]:
        seen.append(request.context)
        return rows(request, {"N": 1})

    seam.serve(NUMBERS, instances=instances)
    await seam.hear(QUERY)
    assert seen == [None]


@pytest.mark.req("calls:A19", "calls:G6")
@pytest.mark.parametrize("bits", [16, 0, None, "64", 64.0])
async def test_an_architecture_that_does_not_exist_is_refused(seam: Seam, bits: object) -> None:
    seam.serve(NUMBERS, instances=lambda request: rows(request, {"N": 1}))
    sink = Recorder()
    with pytest.raises(WbemError) as refused:
        await seam.start(QUERY, sink, 0, Context({"__providerarchitecture": bits}))
    assert refused.value.code == 0x80041008
    assert not sink.events
    call = await seam.start(QUERY, Recorder(), 0, Context({"__ProviderArchitecture": 32}))
    assert (await call).ok


@pytest.mark.parametrize("code", [0x80070005, 0x80070057, 0x800706BA, 0x8000FFFF, 0x80041234, 0x80131500])
@pytest.mark.req("calls:A20", "calls:G14", "calls:G15")
async def test_foreign_codes_pass_through(seam: Seam, code: int) -> None:
    def instances(request: Any) -> Iterator[tuple[object, ...]]:
        raise WbemError(code)
        yield

    seam.serve(NUMBERS, instances=instances)
    heard = await seam.hear(QUERY)
    assert heard.outcome.status == code
    with pytest.raises(WbemError) as failure:
        await perform(seam.services, QUERY)
    assert failure.value.code == code
    assert failure.value.symbol == describe(code).symbol


@pytest.mark.req("calls:G8", "calls:G9", "calls:G11", "calls:G12")
async def test_the_synchronous_form_raises_with_the_error_object(seam: Seam) -> None:
    with pytest.raises(WbemError) as failure:
        await perform(seam.services, ops.GetObject("No_Such_Class"))
    details = failure.value.extended
    assert (failure.value.operation, failure.value.parameter) == ("GetObject", "No_Such_Class")
    assert details is not None
    assert details.StatusCode == failure.value.code
    assert failure.value.message == details.Description
