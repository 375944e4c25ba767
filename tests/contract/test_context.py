"""IWbemContext as a value (calls.md G1, G4; model.md A-294)."""

from __future__ import annotations

import pytest

from openwmi.contract.context import MAX_VALUES, Context
from openwmi.model.errors import WbemError
from openwmi.model.status import WBEM_E_INVALID_PARAMETER, WBEM_E_NOT_FOUND


def code(function: object, *args: object) -> int:
    with pytest.raises(WbemError) as caught:
        function(*args)  # type: ignore[operator]
    return caught.value.code


@pytest.mark.req("calls:G1", "A-294")
def test_values_are_set_replaced_read_and_deleted() -> None:
    context = Context({"One": 1})
    context.set("ONE", 2)
    assert context.value("one") == 2
    assert context.names() == ["One"]
    context.delete("oNe")
    assert code(context.value, "One") == WBEM_E_NOT_FOUND
    assert code(context.delete, "One") == WBEM_E_NOT_FOUND
    assert code(context.set, None, 1) == WBEM_E_INVALID_PARAMETER
    assert code(context.value, "") == WBEM_E_INVALID_PARAMETER
    context.set("a", None)
    context.clear()
    assert len(context) == 0


@pytest.mark.req("calls:G4")
def test_a_copy_is_independent() -> None:
    context = Context({"a": 1})
    twin = context.copy()
    context.set("a", 2)
    assert twin.value("a") == 1
    assert twin != context
    assert "A" in twin
    assert twin.lookup("b", 7) == 7
    assert list(twin.items()) == [("a", 1)]


def test_a_context_is_bounded() -> None:
    context = Context({f"n{number}": number for number in range(MAX_VALUES)})
    assert code(context.set, "more", 1) == WBEM_E_INVALID_PARAMETER
    context.set("n0", "replacing is fine")
