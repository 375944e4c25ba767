"""From an exception to the final status of an operation, with its error object (calls.md G.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.contract.operations import described, parameter_info
from openwmi.contract.outcome import Outcome
from openwmi.model.errors import WbemError, error
from openwmi.model.status import (
    WBEM_E_CALL_CANCELLED,
    WBEM_E_CRITICAL_ERROR,
    WBEM_E_OUT_OF_MEMORY,
    WBEM_E_PROVIDER_FAILURE,
)

if TYPE_CHECKING:
    from openwmi.contract.operations import AnyOperation
    from openwmi.model.instances import Instance
    from openwmi.service.schema import Schema

SERVICE_NAME = "Windows Management"


def provider_fault(exception: BaseException, provider: str, subject: str) -> WbemError:
    """What a provider raised, as the error its callers see; a WbemError of its own passes unchanged (B39, F-02)."""
    if isinstance(exception, WbemError):
        if getattr(exception, "provider", None) is None:
            exception.provider = provider  # type: ignore[attr-defined]
        return exception
    code = WBEM_E_OUT_OF_MEMORY if isinstance(exception, MemoryError) else WBEM_E_PROVIDER_FAILURE
    text = str(exception)
    what = type(exception).__name__ + (f": {text}" if text else "")
    fault = error(code, f"provider {provider} failed on {subject}: {what}")
    fault.provider = provider  # type: ignore[attr-defined]
    fault.__cause__ = exception
    return fault


def as_fault(exception: BaseException) -> WbemError:
    """Any exception as a WbemError; what is not one already is a fault of the service itself."""
    if isinstance(exception, WbemError):
        return exception
    if isinstance(exception, MemoryError):
        return error(WBEM_E_OUT_OF_MEMORY, "not enough memory for the operation")
    fault = error(WBEM_E_CRITICAL_ERROR, f"internal error: {type(exception).__name__}: {exception}")
    fault.__cause__ = exception
    return fault


def failed_outcome(fault: WbemError, operation: AnyOperation, schema: Schema) -> Outcome:
    """The final status of a failed operation, with the __ExtendedStatus object that explains it (G8, G11)."""
    if fault.code == WBEM_E_CALL_CANCELLED:
        return Outcome(fault.code)
    return Outcome(fault.code, None, fault.extended or extended_status(fault, operation, schema))


def extended_status(fault: WbemError, operation: AnyOperation, schema: Schema) -> Instance | None:
    """An instance of __ExtendedStatus; None where the class is not to be had (the object is optional, B27)."""
    class_ = schema.find_class("__ExtendedStatus")
    if class_ is None:
        return None
    return class_.spawn(
        {
            "StatusCode": fault.code,
            "Description": fault.message,
            "Operation": described(operation).method,
            "ParameterInfo": parameter_info(operation) or fault.parameter,
            "ProviderName": getattr(fault, "provider", None) or SERVICE_NAME,
        }
    )
