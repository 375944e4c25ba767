"""Method signatures: the IDs of parameters, and when two signatures are the same (model.md A-209, A-210)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model.errors import error
from openwmi.model.status import (
    WBEM_E_INVALID_DUPLICATE_PARAMETER,
    WBEM_E_INVALID_METHOD_PARAMETERS,
    WBEM_E_INVALID_PARAMETER_ID,
    WBEM_E_MISSING_PARAMETER_ID,
    WBEM_E_NONCONSECUTIVE_PARAMETER_IDS,
    WBEM_E_PARAMETER_ID_ON_RETVAL,
)

if TYPE_CHECKING:
    from openwmi.model.classes import Class, Method, Property
    from openwmi.model.errors import WbemError

RETURN_VALUE: Final = "returnvalue"


def check_signature(method: Method) -> None:
    """Raise what PutMethod raises for wrong parameters (A-210)."""
    ids: dict[int, str] = {}
    seen: dict[str, tuple[int, Property]] = {}
    for side, is_output in ((method.inputs, False), (method.outputs, True)):
        for key, one in _parameters(side):
            if key == RETURN_VALUE:
                _check_return_value(method, one, is_output)
                continue
            number = _parameter_id(method, one)
            known = seen.get(key)
            if known is not None:
                if known[0] != number or known[1].type != one.type:
                    message = f"parameter {one.name} is declared as in and as out, but differently"
                    raise _wrong(method, WBEM_E_INVALID_DUPLICATE_PARAMETER, message)
                continue
            if number in ids:
                message = f"parameters {ids[number]} and {one.name} both have the ID {number}"
                raise _wrong(method, WBEM_E_INVALID_DUPLICATE_PARAMETER, message)
            ids[number] = one.name
            seen[key] = number, one
    if set(ids) != set(range(len(ids))):
        message = f"the IDs of the parameters are {sorted(ids)}, not 0 to {len(ids) - 1}"
        raise _wrong(method, WBEM_E_NONCONSECUTIVE_PARAMETER_IDS, message)


def same_signature(one: Method, other: Method) -> bool:
    """Whether two methods take and return the same parameters, by name and type."""
    return _shape(one.inputs) == _shape(other.inputs) and _shape(one.outputs) == _shape(other.outputs)


def _parameters(side: Class | None) -> list[tuple[str, Property]]:
    return list(side.properties.items()) if side is not None else []


def _shape(side: Class | None) -> dict[str, int]:
    return {key: one.type for key, one in _parameters(side)}


def _wrong(method: Method, code: int, message: str) -> WbemError:
    return error(code, f"method {method.name}: {message}", parameter=method.name)


def _check_return_value(method: Method, one: Property, is_output: bool) -> None:
    if not is_output:
        raise _wrong(method, WBEM_E_INVALID_METHOD_PARAMETERS, "ReturnValue is not an input")
    if "id" in one.qualifiers:
        raise _wrong(method, WBEM_E_PARAMETER_ID_ON_RETVAL, "ReturnValue has no ID")


def _parameter_id(method: Method, one: Property) -> int:
    qualifier = one.qualifiers.get("id")
    if qualifier is None:
        raise _wrong(method, WBEM_E_MISSING_PARAMETER_ID, f"parameter {one.name} has no ID")
    number = qualifier.value
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise _wrong(method, WBEM_E_INVALID_PARAMETER_ID, f"parameter {one.name} has the ID {number!r}")
    return number
