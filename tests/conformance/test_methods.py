"""ExecMethod as a client sees it (calls.md B.15, B31)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.conformance.support import Seam, rows

from openwmi.contract import operations as ops
from openwmi.faces.views import perform
from openwmi.model.errors import error
from openwmi.model.status import (
    WBEM_E_INVALID_METHOD,
    WBEM_E_INVALID_METHOD_PARAMETERS,
    WBEM_E_INVALID_OBJECT_PATH,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_METHOD_DISABLED,
    WBEM_E_METHOD_NOT_IMPLEMENTED,
    WBEM_E_NOT_FOUND,
    WBEM_E_PROVIDER_FAILURE,
)

MACHINE = """
[dynamic, provider("{provider}")]
class Machine {
    [key] uint32 N;
    [implemented] uint32 Start([in] string Mode, [out] string Said);
    [implemented, static] uint32 Count();
    [implemented] void Poke();
    [implemented] uint32 Break();
    uint32 Later();
    [implemented, disabled] uint32 Off();
};
"""


def served(seam: Seam) -> list[tuple[Any, ...]]:
    """Serve two machines; the calls of their methods are written down."""
    calls: list[tuple[Any, ...]] = []

    def instances(request: Any) -> Iterator[tuple[object, ...]]:
        return rows(request, {"N": 1}, {"N": 2})

    def instance(request: Any, keys: dict[str, Any]) -> tuple[object, ...] | None:
        return next(rows(request, {"N": keys["N"]})) if keys["N"] in (1, 2) else None

    def method(request: Any, name: str, keys: Any, params: Any) -> dict[str, object] | None:
        calls.append((name, keys, params))
        if name == "Break":
            raise OSError("broken")
        if name == "Poke":
            return None
        return {"ReturnValue": 5, "Said": params.get("Mode")} if name == "Start" else {"ReturnValue": 2}

    seam.serve(MACHINE, instances=instances, instance=instance, method=method)
    return calls


@pytest.mark.req("calls:B31", "calls:B93", "calls:K5", "A-300", "A-304")
async def test_the_results_come_as_one_object(seam: Seam) -> None:
    calls = served(seam)
    heard = await seam.hear(ops.ExecMethod("Machine.N=1", "sTART", {"mode": "fast"}))
    assert heard.sink.events[0] == ("objects", 1)
    assert heard.outcome == (0, None, None)
    (out,) = heard.objects
    assert out.classname_ == "__PARAMETERS"
    assert (out.ReturnValue, out.Said) == (5, "fast")
    assert calls == [("Start", {"N": 1}, {"Mode": "fast"})]


@pytest.mark.req("calls:B31")
async def test_a_method_without_results_indicates_nothing(seam: Seam) -> None:
    calls = served(seam)
    heard = await seam.hear(ops.ExecMethod("Machine.N=2", "Poke"))
    assert heard.sink.kinds == ["completed", "released"]
    assert heard.outcome.status == 0
    assert [name for name, _, _ in calls] == ["Poke"]


@pytest.mark.req("calls:B93")
async def test_static_methods_take_either_path(seam: Seam) -> None:
    served(seam)
    for path in ("Machine", "Machine.N=1", "machine"):
        (out,) = (await seam.hear(ops.ExecMethod(path, "Count"))).objects
        assert out.ReturnValue == 2
    assert await seam.status(ops.ExecMethod("Machine", "Start", {"Mode": "x"})) == WBEM_E_INVALID_OBJECT_PATH


@pytest.mark.parametrize(
    ("path", "method", "params", "code"),
    [
        ("Machine.N=1", "No_Such", None, WBEM_E_INVALID_METHOD),
        ("Machine.N=1", "Later", None, WBEM_E_METHOD_NOT_IMPLEMENTED),
        ("Machine.N=1", "Off", None, WBEM_E_METHOD_DISABLED),
        ("Machine.N=7", "Start", {"Mode": "x"}, WBEM_E_NOT_FOUND),
        ("No_Such.N=7", "Start", {"Mode": "x"}, WBEM_E_NOT_FOUND),
        ("Machine.N=1", "Start", {"No": 1}, WBEM_E_INVALID_METHOD_PARAMETERS),
        ("Machine.N=1", "Start", {"Mode": [1]}, WBEM_E_INVALID_METHOD_PARAMETERS),
        ("Machine.N=1", "Start", None, WBEM_E_INVALID_PARAMETER),
        ("Machine", "Count", {"No": 1}, WBEM_E_INVALID_METHOD_PARAMETERS),
        ("Machine.N=1", "Break", None, WBEM_E_PROVIDER_FAILURE),
    ],
)
@pytest.mark.req("calls:B94", "calls:B96", "A-301")
async def test_what_is_wrong_with_a_call_has_its_code(
    seam: Seam, path: str, method: str, params: Any, code: int
) -> None:
    served(seam)
    assert await seam.status(ops.ExecMethod(path, method, params)) == code


@pytest.mark.req("calls:B96", "A-300")
async def test_parameters_may_be_an_instance_of_the_signature(seam: Seam) -> None:
    calls = served(seam)
    class_: Any = (await perform(seam.services, ops.GetObject("Machine"))).object
    signature = class_.method("Start").inputs
    await seam.hear(ops.ExecMethod("Machine.N=1", "Start", signature.spawn({"Mode": "slow"})))
    assert calls[-1][2] == {"Mode": "slow"}
    foreign = class_.spawn({"N": 1})
    status = await seam.status(ops.ExecMethod("Machine.N=1", "Start", foreign))
    assert status == WBEM_E_INVALID_METHOD_PARAMETERS


@pytest.mark.req("calls:B31")
async def test_a_methods_own_failure_is_in_its_return_value_and_a_calls_in_the_status(seam: Seam) -> None:
    def method(request: Any, name: str, keys: Any, params: Any) -> dict[str, object]:
        if name == "Break":
            raise error(WBEM_E_INVALID_METHOD_PARAMETERS, "not like that")
        return {"ReturnValue": 0x80041001}

    seam.serve(MACHINE, method=method)
    heard = await seam.hear(ops.ExecMethod("Machine", "Count"))
    assert heard.outcome.status == 0
    assert heard.objects[0].ReturnValue == 0x80041001
