"""What a call refuses before it is accepted, and what it leaves to the final status (calls.md A.2, B.1, B.3, B14)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from tests.conformance.support import Recorder, Seam, rows

from openwmi.contract import flags as f
from openwmi.contract import operations as ops
from openwmi.faces.views import perform
from openwmi.model.classes import ClassDeclaration, derive
from openwmi.model.errors import WbemError
from openwmi.model.qualifiers import EMPTY
from openwmi.model.status import (
    WBEM_E_ACCESS_DENIED,
    WBEM_E_CALL_CANCELLED,
    WBEM_E_INVALID_CLASS,
    WBEM_E_INVALID_METHOD,
    WBEM_E_INVALID_NAMESPACE,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_INVALID_QUERY,
    WBEM_E_NOT_FOUND,
    WBEM_E_QUOTA_VIOLATION,
)

AMENDED, DIRECT, SHALLOW, PROTOTYPE = 0x20000, 0x200, 1, 2
SEND_STATUS, IMMEDIATELY, FORWARD = 0x80, 0x10, 0x20
CHANGE = (1, 2)
# calls.md B3: what each method takes beside what its mode adds.
LEGAL: dict[str, tuple[int, ...]] = {
    "GetObject": (AMENDED, DIRECT),
    "PutClass": (AMENDED, *CHANGE, 0x20, 0x40),
    "DeleteClass": (),
    "CreateClassEnum": (AMENDED, SHALLOW),
    "PutInstance": (AMENDED, *CHANGE),
    "DeleteInstance": (),
    "CreateInstanceEnum": (AMENDED, DIRECT, SHALLOW),
    "ExecQuery": (AMENDED, DIRECT, PROTOTYPE, 0x100),
    "ExecNotificationQuery": (AMENDED,),
    "ExecMethod": (),
}
THING = derive(ClassDeclaration("Thing", None, EMPTY, (), ()), None)
EVENTS = "SELECT * FROM __InstanceCreationEvent WITHIN 1 WHERE TargetInstance ISA 'Thing'"
EXAMPLES: dict[str, ops.AnyOperation] = {
    "GetObject": ops.GetObject("__Namespace"),
    "PutClass": ops.PutClass(THING),
    "DeleteClass": ops.DeleteClass("Thing"),
    "CreateClassEnum": ops.CreateClassEnum(),
    "PutInstance": ops.PutInstance(THING.spawn()),
    "DeleteInstance": ops.DeleteInstance("Thing.Key=1"),
    "CreateInstanceEnum": ops.CreateInstanceEnum("__Namespace"),
    "ExecQuery": ops.ExecQuery("SELECT * FROM __Namespace"),
    "ExecNotificationQuery": ops.ExecNotificationQuery(EVENTS),
    "ExecMethod": ops.ExecMethod("Thing", "Do"),
}
BITS = [1 << bit for bit in range(31)]
IGNORED = [1 << bit for bit in range(12, 17)] + [0x100000]
every_method = pytest.mark.parametrize("method", LEGAL)


async def refusal(
    seam: Seam, operation: ops.AnyOperation, flags: int = 0, *, services: Any = None
) -> int | None:
    """The code a call is refused with; None when it is accepted. A refused call leaves its sink alone."""
    sink = Recorder()
    try:
        call = await seam.start(operation, sink, flags, services=services)
    except WbemError as refused:
        await asyncio.sleep(0)
        assert sink.events == []
        return refused.code
    await call
    return None


@every_method
@pytest.mark.req("calls:B1", "calls:B2", "calls:B3", "calls:B4", "calls:0.1a", "calls:K11")
async def test_each_method_takes_its_own_flags_and_no_other(seam: Seam, method: str) -> None:
    ignored = IGNORED + ([] if method == "PutClass" else [0x40])
    accepted = {*LEGAL[method], *ignored, SEND_STATUS}
    for bit in BITS:
        found = await refusal(seam, EXAMPLES[method], bit)
        assert (found != WBEM_E_INVALID_PARAMETER) == (bit in accepted), hex(bit)


@every_method
@pytest.mark.req("calls:B1", "calls:B3", "calls:B84", "calls:K11")
async def test_the_synchronous_form_takes_what_says_how_to_read(seam: Seam, method: str) -> None:
    enumerates = method in ("CreateClassEnum", "CreateInstanceEnum", "ExecQuery", "ExecNotificationQuery")
    extra = {IMMEDIATELY} | ({FORWARD} if enumerates else set())

    async def code(flags: int) -> int:
        try:
            await perform(seam.services, EXAMPLES[method], flags)
        except WbemError as failure:
            return failure.code
        return 0

    if method == "ExecNotificationQuery":
        assert await code(0) == WBEM_E_INVALID_PARAMETER
        assert await code(IMMEDIATELY) == WBEM_E_INVALID_PARAMETER
        assert await code(FORWARD) == WBEM_E_INVALID_PARAMETER
        assert await code(IMMEDIATELY | FORWARD) != WBEM_E_INVALID_PARAMETER
        return
    for bit in (IMMEDIATELY, FORWARD, SEND_STATUS, *LEGAL[method]):
        legal = bit in extra or bit in LEGAL[method]
        assert (await code(bit) != WBEM_E_INVALID_PARAMETER) == legal, hex(bit)


@pytest.mark.parametrize(
    ("operation", "flags"),
    [(ops.PutInstance(THING.spawn()), 3), (ops.PutClass(THING), 3), (ops.PutClass(THING), 0x60)],
)
@pytest.mark.req("calls:B5", "calls:B16")
async def test_flags_that_exclude_each_other_are_refused(
    seam: Seam, operation: ops.AnyOperation, flags: int
) -> None:
    assert await refusal(seam, operation, flags) == WBEM_E_INVALID_PARAMETER


NULLS: list[Any] = [
    ops.DeleteClass(None),  # type: ignore[arg-type]
    ops.CreateInstanceEnum(None),  # type: ignore[arg-type]
    ops.DeleteInstance(None),  # type: ignore[arg-type]
    ops.ExecMethod(None, "Do"),  # type: ignore[arg-type]
    ops.ExecMethod("Thing", None),  # type: ignore[arg-type]
    ops.ExecQuery(None),  # type: ignore[arg-type]
    ops.ExecQuery("SELECT * FROM Thing", None),  # type: ignore[arg-type]
    ops.ExecNotificationQuery(None),  # type: ignore[arg-type]
    ops.PutClass(None),  # type: ignore[arg-type]
    ops.PutInstance(None),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("operation", NULLS, ids=repr)
@pytest.mark.req("calls:B6", "calls:B16", "calls:B77", "D-01")
async def test_null_is_refused_by_the_call_itself_in_every_mode(
    seam: Seam, operation: ops.AnyOperation
) -> None:
    assert await refusal(seam, operation) == WBEM_E_INVALID_PARAMETER
    reading = IMMEDIATELY | FORWARD if isinstance(operation, ops.ExecNotificationQuery) else 0
    with pytest.raises(WbemError) as refused:
        await perform(seam.services, operation, reading)
    assert refused.value.code == WBEM_E_INVALID_PARAMETER


@pytest.mark.req("calls:B6", "calls:B46", "calls:B61")
async def test_null_is_legal_where_it_means_something(seam: Seam) -> None:
    assert await seam.status(ops.GetObject(None)) == 0
    assert await seam.status(ops.CreateClassEnum(None)) == 0


@pytest.mark.req("calls:B6", "calls:B16")
async def test_a_null_sink_is_refused(seam: Seam) -> None:
    with pytest.raises(WbemError) as refused:
        await seam.services.start(ops.GetObject(None), None)  # type: ignore[arg-type]
    assert refused.value.code == WBEM_E_INVALID_PARAMETER


@pytest.mark.parametrize(
    ("operation", "longest"),
    [
        (lambda text: ops.CreateInstanceEnum(text), 0x1000),
        (lambda text: ops.CreateClassEnum(text), 0x1000),
        (lambda text: ops.DeleteClass(text), 0x1000),
        (lambda text: ops.GetObject(text), 0x2000),
        (lambda text: ops.DeleteInstance(text), 0x2000),
        (lambda text: ops.ExecMethod(text, "Do"), 0x2000),
        (lambda text: ops.ExecQuery(text), 0x4000),
    ],
    ids=["class", "superclass", "delete class", "path", "delete", "method", "query"],
)
@pytest.mark.req("calls:B7", "calls:H1", "D-05")
async def test_texts_have_a_length_that_is_tested_first(seam: Seam, operation: Any, longest: int) -> None:
    assert await refusal(seam, operation("x" * longest)) is None
    assert await refusal(seam, operation("x" * (longest + 1))) == WBEM_E_QUOTA_VIOLATION


# calls.md I.2: what an operation needs beside Enable, where the call itself tests it.
NEEDED = {"ExecMethod": f.WBEM_METHOD_EXECUTE}


@pytest.mark.slow
@pytest.mark.req("calls:B16", "calls:B92", "calls:I2")
async def test_missing_rights_are_refused_by_the_call(seam: Seam) -> None:
    """With every right but its own an operation is refused, with its own alone it is not."""

    async def denied(granted: int) -> set[str]:
        services = await seam.connect(caller=seam.caller._replace(granted=granted))
        codes = {name: await refusal(seam, one, services=services) for name, one in EXAMPLES.items()}
        return {name for name, code in codes.items() if code == WBEM_E_ACCESS_DENIED}

    assert await denied(f.WBEM_ENABLE) == set(NEEDED)
    assert await denied(f.ALL_NAMESPACE_RIGHTS) == set()
    for right in set(NEEDED.values()):
        owners = {method for method, needed in NEEDED.items() if needed == right}
        assert await denied(f.ALL_NAMESPACE_RIGHTS & ~right) == owners
        assert await denied(f.WBEM_ENABLE | right) == set(NEEDED) - owners


# What changes things is accepted, and learns at the end that it may not (calls.md I6).
WRITES = [ops.PutClass(THING), ops.DeleteInstance("__Namespace.Name='None'")]


@pytest.mark.parametrize("operation", WRITES, ids=["PutClass", "DeleteInstance"])
@pytest.mark.req("calls:B18", "calls:I2", "calls:I6")
async def test_missing_rights_to_write_come_with_the_final_status(
    seam: Seam, operation: ops.AnyOperation
) -> None:
    readers_only = f.ALL_NAMESPACE_RIGHTS & ~(f.WBEM_FULL_WRITE_REP | f.WBEM_PARTIAL_WRITE_REP)
    reader = await seam.connect(caller=seam.caller._replace(granted=readers_only))
    heard = await seam.hear(operation, services=reader)
    assert heard.outcome.status == WBEM_E_ACCESS_DENIED
    assert heard.sink.kinds == ["completed", "released"]
    heard = await seam.hear(ops.GetObject(None), services=reader)
    assert heard.outcome.status == 0


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.req("calls:A36", "calls:B16", "calls:I2", "calls:I3")
async def test_who_may_not_enter_learns_it_no_later_than_with_the_first_call(
    seam: Seam, remote: bool
) -> None:
    """Without Enable, or remote without Remote Enable. Log-on over the wire refuses this already."""
    granted = f.WBEM_ENABLE if remote else f.WBEM_METHOD_EXECUTE

    async def enter() -> None:
        services = await seam.connect(caller=seam.caller._replace(granted=granted, remote=remote))
        await seam.start(ops.GetObject(None), Recorder(), services=services)

    with pytest.raises(WbemError) as refused:
        await enter()
    assert refused.value.code == WBEM_E_ACCESS_DENIED


AFTERWARDS: list[Any] = [
    (ops.GetObject("No_Such_Class"), WBEM_E_NOT_FOUND),
    (ops.CreateInstanceEnum("No_Such_Class"), WBEM_E_INVALID_CLASS),
    (ops.CreateClassEnum("No_Such_Class"), WBEM_E_INVALID_CLASS),
    (ops.ExecQuery("SELECT * FROM No_Such_Class"), WBEM_E_INVALID_CLASS),
    (ops.ExecQuery("SELECT FROM"), WBEM_E_INVALID_QUERY),
    (ops.ExecQuery("SELECT Nmae FROM __Namespace"), WBEM_E_INVALID_QUERY),
    (ops.ExecMethod("__Namespace", "No_Such_Method"), WBEM_E_INVALID_METHOD),
    (ops.ExecMethod("No_Such_Class", "Do"), WBEM_E_NOT_FOUND),
]


@pytest.mark.parametrize(("operation", "code"), AFTERWARDS, ids=repr)
@pytest.mark.req("calls:B18", "calls:B20", "calls:B26", "calls:B62", "calls:B75", "calls:B79", "D-06", "D-08")
async def test_what_the_work_finds_comes_with_the_final_status(
    seam: Seam, operation: ops.AnyOperation, code: int
) -> None:
    """Accepted, then failed, with the code that the synchronous form gives."""
    heard = await seam.hear(operation)
    assert heard.outcome.status == code
    assert heard.sink.kinds == ["completed", "released"]
    with pytest.raises(WbemError) as failure:
        await perform(seam.services, operation)
    assert failure.value.code == code


@pytest.mark.parametrize(
    "operation",
    [ops.DeleteClass("No_Such"), ops.PutInstance(THING.spawn()), ops.DeleteInstance("No_Such.Key=1")],
    ids=["DeleteClass", "PutInstance", "DeleteInstance"],
)
@pytest.mark.req("calls:B18", "calls:B19")
async def test_writes_are_accepted_and_fail_with_the_final_status(
    seam: Seam, operation: ops.AnyOperation
) -> None:
    heard = await seam.hear(operation)
    assert not heard.outcome.ok
    assert heard.sink.kinds == ["completed", "released"]


@pytest.mark.req("calls:B17", "calls:B21")
async def test_accepting_never_waits_for_the_work(seam: Seam) -> None:
    gate = seam.gate()

    def blocked(request: Any) -> Any:
        gate.wait()
        yield from rows(request, {"N": 1})

    seam.serve('[dynamic, provider("{provider}")] class Slow { [key] uint32 N; };', instances=blocked)
    took = []
    for _ in range(20):
        sink = Recorder()
        start = time.perf_counter()
        call = await seam.start(ops.ExecQuery("SELECT * FROM Slow"), sink)
        took.append(time.perf_counter() - start)
        assert sink.events == []
        await call.cancel()
        assert sink.outcome.status == WBEM_E_CALL_CANCELLED
    assert sorted(took)[10] < seam.prompt


@pytest.mark.req("calls:A38", "calls:A42")
async def test_opening_a_namespace_takes_a_path_below(seam: Seam) -> None:
    above, _, name = seam.namespace.rpartition("\\")
    parent = await seam.connect(above)
    child = await parent.open(name)
    assert child.namespace.lower() == seam.namespace.lower()
    for path, code in (
        (None, WBEM_E_INVALID_PARAMETER),
        ("", WBEM_E_INVALID_PARAMETER),
        ("\\root", WBEM_E_INVALID_PARAMETER),
        ("\\\\.\\root", WBEM_E_INVALID_PARAMETER),
        ("No_Such", WBEM_E_INVALID_NAMESPACE),
    ):
        with pytest.raises(WbemError) as refused:
            await parent.open(path)  # type: ignore[arg-type]
        assert refused.value.code == code, path
    await child.close()


@pytest.mark.req("calls:A29", "calls:A30")
@pytest.mark.parametrize("path", ["NONE", "ROOT\\NONE", "", "ROOT\\\\CIMV2", "ROOT\\CIMV2\\", "\\ROOT"])
async def test_a_namespace_that_is_none_refuses_the_log_on(seam: Seam, path: str) -> None:
    with pytest.raises(WbemError) as refused:
        await seam._host.services(path)
    assert refused.value.code == WBEM_E_INVALID_NAMESPACE


@pytest.mark.parametrize("path", ["ROOT", "root\\cimv2", "ROOT/CIMV2", "Root\\CimV2"])
@pytest.mark.req("calls:A30")
async def test_a_namespace_is_found_in_any_case_and_with_either_slash(seam: Seam, path: str) -> None:
    services = await seam.connect(path)
    assert services.namespace.lower() == path.lower().replace("/", "\\")


@pytest.mark.req("calls:B98", "calls:I2")
async def test_the_event_sink_needs_the_right_to_write(seam: Seam) -> None:
    reader = await seam.connect(caller=seam.caller._replace(granted=f.WBEM_ENABLE))
    with pytest.raises(WbemError) as denied:
        await reader.event_sink()
    assert denied.value.code == WBEM_E_ACCESS_DENIED
    writer = await seam.connect(caller=seam.caller._replace(granted=f.WBEM_ENABLE | f.WBEM_FULL_WRITE_REP))
    assert await writer.event_sink()
