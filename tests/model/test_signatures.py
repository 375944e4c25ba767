"""Method signatures: the IDs of parameters."""

from __future__ import annotations

import pytest
from tests.model.making import make, parameter, parameters, prop, qualifier

from openwmi.model.cimtypes import CimType
from openwmi.model.classes import Method
from openwmi.model.errors import WbemError
from openwmi.model.signatures import check_signature, same_signature
from openwmi.model.status import (
    WBEM_E_INVALID_DUPLICATE_PARAMETER,
    WBEM_E_INVALID_METHOD_PARAMETERS,
    WBEM_E_INVALID_PARAMETER_ID,
    WBEM_E_MISSING_PARAMETER_ID,
    WBEM_E_NONCONSECUTIVE_PARAMETER_IDS,
    WBEM_E_PARAMETER_ID_ON_RETVAL,
)

RETURN = prop("ReturnValue", CimType.UINT32)


@pytest.mark.req("A-209", "A-210")
def test_signatures_that_are_taken() -> None:
    for method in (
        Method("M"),
        Method("M", outputs=parameters(RETURN)),
        Method(
            "M",
            inputs=parameters(parameter("A", 0), parameter("B", 2)),
            outputs=parameters(RETURN, parameter("C", 1)),
        ),
        Method("M", inputs=parameters(parameter("A", 0)), outputs=parameters(parameter("a", 0))),
    ):
        check_signature(method)
        assert make("C", method).methods["m"].name == "M"


@pytest.mark.req("A-210", "A-301")
@pytest.mark.parametrize(
    ("inputs", "outputs", "code"),
    [
        ([parameter("A", None)], [], WBEM_E_MISSING_PARAMETER_ID),
        ([], [parameter("A", None)], WBEM_E_MISSING_PARAMETER_ID),
        ([parameter("A", -1)], [], WBEM_E_INVALID_PARAMETER_ID),
        ([prop("A", CimType.UINT8, qualifier("ID", "0"))], [], WBEM_E_INVALID_PARAMETER_ID),
        ([prop("A", CimType.UINT8, qualifier("ID", False))], [], WBEM_E_INVALID_PARAMETER_ID),
        ([parameter("A", 1)], [], WBEM_E_NONCONSECUTIVE_PARAMETER_IDS),
        ([parameter("A", 0)], [parameter("B", 2)], WBEM_E_NONCONSECUTIVE_PARAMETER_IDS),
        ([parameter("A", 0), parameter("B", 0)], [], WBEM_E_INVALID_DUPLICATE_PARAMETER),
        ([parameter("A", 0)], [parameter("B", 0)], WBEM_E_INVALID_DUPLICATE_PARAMETER),
        ([parameter("A", 0)], [parameter("A", 1)], WBEM_E_INVALID_DUPLICATE_PARAMETER),
        ([parameter("A", 0)], [parameter("A", 0, CimType.STRING)], WBEM_E_INVALID_DUPLICATE_PARAMETER),
        ([], [prop("ReturnValue", CimType.UINT32, qualifier("ID", 0))], WBEM_E_PARAMETER_ID_ON_RETVAL),
        ([RETURN], [], WBEM_E_INVALID_METHOD_PARAMETERS),
    ],
)
def test_signatures_that_are_refused(inputs: list, outputs: list, code: int) -> None:  # type: ignore[type-arg]
    method = Method(
        "M",
        inputs=parameters(*inputs) if inputs else None,
        outputs=parameters(*outputs) if outputs else None,
    )
    with pytest.raises(WbemError) as caught:
        make("C", method)
    assert caught.value.code == code
    assert caught.value.parameter == "M"


def test_same_signatures() -> None:
    one = Method("M", inputs=parameters(parameter("A", 0)), outputs=parameters(RETURN))
    assert same_signature(one, Method("N", inputs=parameters(parameter("a", 0)), outputs=parameters(RETURN)))
    assert not same_signature(one, Method("M", inputs=parameters(parameter("A", 0))))
