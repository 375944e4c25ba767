"""What reaches a sink, in which order, and what a sink's answer does (calls.md B.4, C.1)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from tests.conformance.support import Recorder, Seam, rows

from openwmi.contract import flags as f
from openwmi.contract import operations as ops
from openwmi.contract.outcome import Progress
from openwmi.faces.views import perform
from openwmi.model.classes import derive
from openwmi.model.errors import WbemError, error
from openwmi.model.status import (
    WBEM_E_CALL_CANCELLED,
    WBEM_E_FAILED,
    WBEM_E_INVALID_QUERY,
    WBEM_E_PROVIDER_FAILURE,
    WBEM_E_VETO_PUT,
    WBEM_S_NEW_STYLE,
    WBEM_S_PARTIAL_RESULTS,
)
from openwmi.mof import class_declarations

NUMBERS = '[dynamic, provider("{provider}")] class Number { [key] uint32 N; string S; };'
WORKER = """[dynamic, provider("{provider}")] class Worker {
    [key] uint32 N; [static, implemented] uint32 Work(); };"""
QUERY = ops.ExecQuery("SELECT * FROM Number")


def numbers(count: int) -> Any:
    def instances(request: Any) -> Iterator[tuple[object, ...]]:
        return rows(request, *({"N": n, "S": f"s{n}"} for n in range(count)))

    return instances


@pytest.mark.req("calls:B17", "calls:B22", "calls:B25", "calls:B27", "calls:K1")
async def test_objects_then_one_final_status_then_release(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=numbers(3))
    heard = await seam.hear(QUERY)
    assert heard.sink.kinds == ["objects", "completed", "released"]
    assert [one.N for one in heard.objects] == [0, 1, 2]
    assert heard.outcome == (0, None, None)


@pytest.mark.req("calls:B23", "calls:K2")
async def test_an_empty_result_is_the_final_status_alone(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=numbers(0))
    heard = await seam.hear(QUERY)
    assert heard.sink.kinds == ["completed", "released"]
    assert heard.outcome == (0, None, None)


@pytest.mark.req("calls:B18", "calls:B27", "calls:G8", "calls:G10", "calls:G11", "calls:K3")
async def test_a_failure_comes_with_its_error_object(seam: Seam) -> None:
    heard = await seam.hear(ops.ExecQuery("SELEC nothing"))
    status, text, details = heard.outcome
    assert (status, text) == (WBEM_E_INVALID_QUERY, None)
    assert details is not None
    assert details.classname_ == "__ExtendedStatus"
    assert details.StatusCode == WBEM_E_INVALID_QUERY
    assert details.Operation == "ExecQuery"
    assert details.ParameterInfo == "SELEC nothing"
    assert details.ProviderName == "Windows Management"
    assert details.Description


@pytest.mark.req("calls:B2", "calls:B23", "calls:B24", "calls:C2")
@pytest.mark.parametrize("count", [1, 999, 1000, 1001, 5000])
async def test_batches_are_never_empty_never_overlap_and_keep_the_order(seam: Seam, count: int) -> None:
    seam.serve(NUMBERS, instances=numbers(count))

    async def slowly(argument: Any) -> None:
        sink.running += 1
        await asyncio.sleep(0)
        sink.running -= 1

    sink = Recorder(objects=slowly, completed=slowly)
    await (await seam.start(QUERY, sink))
    sizes = [size for kind, size in sink.events if kind == "objects"]
    assert min(sizes) >= 1
    assert sum(sizes) == count
    assert [one.N for one in sink.objects] == list(range(count))
    assert sink.released_once()


@pytest.mark.req("calls:B22", "calls:C2")
async def test_the_first_object_does_not_wait_for_a_second(seam: Seam) -> None:
    gate = seam.gate()

    def instances(request: Any) -> Iterator[tuple[object, ...]]:
        yield from rows(request, {"N": 1})
        gate.wait()
        yield from rows(request, {"N": 2})

    seam.serve(NUMBERS, instances=instances)
    sink = Recorder()
    call = await seam.start(QUERY, sink)
    await sink.heard.wait()
    assert [one.N for one in sink.objects] == [1]
    gate.open()
    assert (await call).status == 0
    assert [one.N for one in sink.objects] == [1, 2]


def reporting(request: Any) -> Iterator[tuple[object, ...]]:
    request.progress(25, 100, "a quarter")
    yield from rows(request, {"N": 1})


@pytest.mark.req("calls:B25", "calls:B34", "calls:B35", "calls:B36")
async def test_progress_comes_when_it_was_asked_for(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=reporting)
    silent = await seam.hear(QUERY)
    assert "progress" not in silent.sink.kinds
    heard = await seam.hear(QUERY, f.WBEM_FLAG_SEND_STATUS)
    reports = [argument for kind, argument in heard.sink.events if kind == "progress"]
    assert reports == [Progress(25, 100, "a quarter")]
    assert reports[0].hresult == 0x00640019
    assert heard.sink.kinds[-2:] == ["completed", "released"]


def stepwise(steps: list[Any], heard: list[Any]) -> Any:
    """A source that goes on with its next step only when the sink has heard of the one before."""

    def instances(request: Any) -> Iterator[tuple[object, ...]]:
        for step in range(len(steps)):
            request.progress(step, len(steps))
            steps[step].wait()
            heard.append(step)
        yield from rows(request, {"N": 1})

    return instances


@pytest.mark.req("calls:B25", "calls:B34")
async def test_progress_is_told_while_nothing_else_comes(seam: Seam) -> None:
    """Each report reaches the sink before the source takes its next step; else the test would wait for ever."""
    steps: list[Any] = [seam.gate() for _ in range(4)]
    done: list[int] = []
    seam.serve(NUMBERS, instances=stepwise(steps, done))

    def on_progress(progress: Progress) -> None:
        assert progress == Progress(len(told), len(steps))
        told.append(progress)
        steps[len(told) - 1].open()

    told: list[Progress] = []
    sink = Recorder(progress=on_progress)
    assert (await (await seam.start(QUERY, sink, f.WBEM_FLAG_SEND_STATUS))).status == 0
    assert len(told) == len(steps)
    assert done == [0, 1, 2, 3]
    assert len(sink.objects) == 1


@pytest.mark.req("calls:B25", "calls:B31", "calls:B34")
async def test_a_method_tells_how_far_it_is(seam: Seam) -> None:
    gate = seam.gate()

    def method(request: Any, name: str, keys: Any, params: Any) -> dict[str, object]:
        request.progress(1, 2, "halfway")
        gate.wait()
        return {"ReturnValue": 7}

    seam.serve(WORKER, method=method)
    sink = Recorder(progress=lambda _: gate.open())
    outcome = await (await seam.start(ops.ExecMethod("Worker", "Work"), sink, f.WBEM_FLAG_SEND_STATUS))
    assert outcome.status == 0
    assert sink.events[0] == ("progress", Progress(1, 2, "halfway"))
    assert sink.objects[0].ReturnValue == 7


@pytest.mark.req("calls:C5")
async def test_a_sink_that_fails_at_progress_ends_its_method(seam: Seam) -> None:
    gate = seam.gate()

    def method(request: Any, name: str, keys: Any, params: Any) -> dict[str, object]:
        request.progress(1, 2)
        gate.wait()
        return {"ReturnValue": 7}

    seam.serve(WORKER, method=method)
    sink = Recorder(progress=raising)
    outcome = await (await seam.start(ops.ExecMethod("Worker", "Work"), sink, f.WBEM_FLAG_SEND_STATUS))
    gate.open()
    assert outcome.status == WBEM_E_CALL_CANCELLED
    assert sink.kinds == ["progress", "completed", "released"]


@pytest.mark.req("calls:B27", "calls:G8", "calls:G10", "calls:G11")
@pytest.mark.parametrize(
    ("operation", "subject"),
    [
        (ops.GetObject("No_Such.N=1"), "No_Such.N=1"),
        (ops.DeleteClass("No_Such"), "No_Such"),
        (ops.DeleteInstance("Number.N=7"), "Number.N=7"),
        (ops.CreateInstanceEnum("No_Such"), "No_Such"),
        (ops.ExecMethod("Worker", "Rest"), "Worker"),
    ],
    ids=lambda one: type(one).__name__,
)
async def test_the_failure_of_any_operation_comes_with_its_error_object(
    seam: Seam, operation: Any, subject: str
) -> None:
    seam.serve(WORKER)
    seam.serve(NUMBERS)
    outcome = (await seam.hear(operation)).outcome
    assert not outcome.ok
    details = outcome.error
    assert details is not None
    assert details.StatusCode == outcome.status
    assert details.Operation == type(operation).__name__
    assert details.ParameterInfo == subject
    assert details.ProviderName
    assert details.Description == outcome.as_error().message


@pytest.mark.req("calls:B28", "calls:B29")
async def test_a_put_tells_the_path_of_what_it_stored(seam: Seam) -> None:
    (declaration,) = class_declarations("class Stored { [key] uint32 N; };")
    heard = await seam.hear(ops.PutClass(derive(declaration, None)))
    assert heard.outcome.text is not None
    assert heard.outcome.text.endswith("Stored")
    found = (await perform(seam.services, ops.GetObject("Stored"))).object
    heard = await seam.hear(ops.PutInstance(found.spawn({"N": 5})))  # type: ignore[union-attr]
    assert heard.outcome.text is not None
    assert heard.outcome.text.endswith("Stored.N=5")


@pytest.mark.req("calls:B30", "calls:B46")
async def test_get_object_delivers_one_object(seam: Seam) -> None:
    heard = await seam.hear(ops.GetObject("__Namespace"))
    assert heard.sink.events[0] == ("objects", 1)
    assert heard.sink.kinds == ["objects", "completed", "released"]
    assert heard.outcome == (0, None, None)
    assert heard.objects[0].name.lower() == "__namespace"


@pytest.mark.req("calls:B38", "calls:B39", "F-02")
async def test_a_providers_own_error_reaches_the_sink_unchanged(seam: Seam) -> None:
    def vetoed(request: Any) -> Iterator[tuple[object, ...]]:
        raise error(WBEM_E_VETO_PUT, "not on a Monday")
        yield

    def broken(request: Any) -> Iterator[tuple[object, ...]]:
        yield from rows(request, {"N": 1})
        raise ZeroDivisionError("oops")

    provider = seam.serve(NUMBERS, instances=vetoed)
    seam.serve(NUMBERS.replace("Number", "Broken"), instances=broken)
    heard = await seam.hear(QUERY)
    assert heard.outcome.status == WBEM_E_VETO_PUT
    assert heard.outcome.error is not None
    assert heard.outcome.error.Description == "not on a Monday"
    assert heard.outcome.error.ProviderName == provider
    heard = await seam.hear(ops.ExecQuery("SELECT * FROM Broken"))
    assert heard.outcome.status == WBEM_E_PROVIDER_FAILURE
    assert [one.N for one in heard.objects] == [1]
    assert heard.outcome.error is not None
    assert "ZeroDivisionError: oops" in heard.outcome.error.Description


@pytest.mark.req("calls:B39", "calls:G8")
async def test_a_providers_own_error_object_is_carried(seam: Seam) -> None:
    seam.serve(NUMBERS)
    status_class = (await perform(seam.services, ops.GetObject("__ExtendedStatus"))).object
    own = status_class.spawn({"StatusCode": 7, "Description": "mine"})  # type: ignore[union-attr]

    def failing(request: Any) -> Iterator[tuple[object, ...]]:
        raise WbemError(WBEM_E_FAILED, "mine", extended=own)
        yield

    seam.serve(NUMBERS, instances=failing)
    heard = await seam.hear(QUERY)
    assert heard.outcome.error is not None
    assert (heard.outcome.error.StatusCode, heard.outcome.error.Description) == (7, "mine")


@pytest.mark.req("calls:C26", "D-54")
async def test_a_failing_source_among_several_leaves_partial_results(seam: Seam) -> None:
    def failing(request: Any) -> Iterator[tuple[object, ...]]:
        raise OSError("gone")
        yield

    seam.serve("class Base { [key] uint32 N; };")
    seam.serve('[dynamic, provider("{provider}")] class Good : Base { };', instances=numbers(2))
    seam.serve('[dynamic, provider("{provider}")] class Bad : Base { };', instances=failing)
    heard = await seam.hear(ops.ExecQuery("SELECT * FROM Base"))
    assert heard.outcome.status == WBEM_S_PARTIAL_RESULTS
    assert heard.outcome.ok
    assert sorted(one.N for one in heard.objects) == [0, 1]


# What a sink's answer does -------------------------------------------------------------------------------------


def raising(argument: Any) -> None:
    raise ValueError("a sink of ours")


async def raising_later(argument: Any) -> None:
    await asyncio.sleep(0)
    raise ValueError("a sink of ours")


async def failing_later(argument: Any) -> int:
    return WBEM_E_FAILED


def of_a_thread(argument: Any) -> Future[int]:
    future: Future[int] = Future()
    threading.Thread(target=future.set_result, args=(WBEM_E_FAILED,)).start()
    return future


FAILING = {
    "returns": lambda _: WBEM_E_FAILED,
    "raises": raising,
    "raises later": raising_later,
    "returns later": failing_later,
    "thread": of_a_thread,
}


@pytest.mark.parametrize("failing", FAILING.values(), ids=FAILING)
@pytest.mark.req("calls:C5", "calls:K8")
async def test_a_sink_that_fails_ends_its_call(seam: Seam, failing: Any) -> None:
    seam.serve(NUMBERS, instances=numbers(5000))
    sink = Recorder(objects=failing)
    outcome = await (await seam.start(QUERY, sink))
    assert outcome == (WBEM_E_CALL_CANCELLED, None, None)
    assert [kind for kind, _ in sink.events] == ["objects", "completed", "released"]


@pytest.mark.parametrize("failing", FAILING.values(), ids=FAILING)
@pytest.mark.req("calls:C5")
async def test_a_sink_that_fails_at_progress_ends_its_call(seam: Seam, failing: Any) -> None:
    seam.serve(NUMBERS, instances=reporting)
    sink = Recorder(progress=failing)
    outcome = await (await seam.start(QUERY, sink, f.WBEM_FLAG_SEND_STATUS))
    assert outcome.status == WBEM_E_CALL_CANCELLED
    assert sink.kinds[-3:] == ["progress", "completed", "released"]


@pytest.mark.parametrize("failing", FAILING.values(), ids=FAILING)
@pytest.mark.req("calls:C6")
async def test_failing_at_the_final_status_changes_nothing(seam: Seam, failing: Any) -> None:
    seam.serve(NUMBERS, instances=numbers(1))
    sink = Recorder(completed=failing)
    outcome = await (await seam.start(QUERY, sink))
    assert outcome.status == 0
    assert sink.kinds == ["objects", "completed", "released"]


@pytest.mark.parametrize("answer", [None, 0, 1, WBEM_S_NEW_STYLE])
@pytest.mark.req("calls:C4", "calls:C5")
async def test_success_codes_let_the_call_go_on(seam: Seam, answer: int | None) -> None:
    seam.serve(NUMBERS, instances=numbers(2500))
    sink = Recorder(objects=lambda _: answer)
    assert (await (await seam.start(QUERY, sink))).status == 0
    assert len(sink.objects) == 2500


@pytest.mark.req("calls:C7", "calls:C8")
async def test_a_sink_that_hangs_ends_its_own_call_only(seam: Seam, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing starts beside the hanging callback; the final status and the release follow when it returns."""
    seam.serve(NUMBERS, instances=numbers(5000))
    monkeypatch.setattr(seam.settings, "sink_patience", 0.02)
    leave = asyncio.Event()
    sink = Recorder(objects=lambda _: leave.wait())
    call = await seam.start(QUERY, sink)
    await sink.heard.wait()
    while seam.running:
        await asyncio.sleep(0.005)
    assert [kind for kind, _ in sink.events] == ["objects"]
    assert not call.done
    assert (await seam.hear(QUERY)).outcome.status == 0
    leave.set()
    assert (await call).status == WBEM_E_CALL_CANCELLED
    assert [kind for kind, _ in sink.events] == ["objects", "completed", "released"]


@pytest.mark.slow
@pytest.mark.req("calls:C7")
async def test_the_time_of_a_sink_runs_for_each_callback_alone(
    seam: Seam, monkeypatch: pytest.MonkeyPatch
) -> None:
    seam.serve(NUMBERS, instances=numbers(4000))
    monkeypatch.setattr(seam.settings, "sink_patience", 1.0)
    sink = Recorder(objects=lambda count: asyncio.sleep(count * 0.0003))
    assert (await (await seam.start(QUERY, sink))).status == 0
    assert sum(kind == "objects" for kind, _ in sink.events) >= 4  # 1.2 s in all


@pytest.mark.req("calls:C16", "calls:C17", "calls:A18")
async def test_a_shared_sink_hears_each_of_its_calls_to_the_end(seam: Seam) -> None:
    seam.serve(NUMBERS, instances=numbers(3))
    sink = Recorder()
    calls = [await seam.start(QUERY, sink) for _ in range(3)]
    for call in calls:
        assert (await call).status == 0
    kinds = [kind for kind, _ in sink.events]
    assert kinds.count("completed") == kinds.count("released") == 3
    assert len(sink.objects) == 9


@pytest.mark.req("calls:A18", "calls:B17")
async def test_many_calls_run_side_by_side(seam: Seam) -> None:
    gate = seam.gate()
    arrived = threading.Semaphore(0)

    def instances(request: Any) -> Iterator[tuple[object, ...]]:
        arrived.release()
        gate.wait()
        yield from rows(request, {"N": 1})

    seam.serve(NUMBERS, instances=instances)
    calls = [await seam.start(QUERY, Recorder()) for _ in range(20)]
    for _ in range(20):
        while not arrived.acquire(blocking=False):
            await asyncio.sleep(0.001)
    gate.open()
    for call in calls:
        assert (await call).status == 0


@pytest.mark.req("calls:B22", "F-02")
async def test_asynchronous_providers_deliver_the_same(seam: Seam) -> None:
    async def instances(request: Any) -> AsyncIterator[tuple[object, ...]]:
        for row in numbers(2500)(request):
            yield row

    seam.serve(NUMBERS, instances=instances)
    heard = await seam.hear(QUERY)
    assert [one.N for one in heard.objects] == list(range(2500))


@pytest.mark.req("calls:B22")
async def test_a_buffer_gets_only_what_its_credit_allows(seam: Seam) -> None:
    """Demand reaches the provider: what nobody has asked for is not produced, but for what may be on its way."""
    produced, count = 0, seam.ahead + 100

    def instances(request: Any) -> Iterator[tuple[object, ...]]:
        nonlocal produced
        for row in numbers(count)(request):
            produced += 1
            yield row

    seam.serve(NUMBERS, instances=instances)
    sink: Any = Recorder()
    sink.credit = 10
    call = await seam.start(QUERY, sink)
    while len(sink.objects) < 10:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)
    assert len(sink.objects) == 10
    assert produced <= 11 + seam.ahead
    call.grant(5)
    while len(sink.objects) < 15:
        await asyncio.sleep(0.001)
    call.grant(count)
    assert (await call).status == 0
    assert len(sink.objects) == count
