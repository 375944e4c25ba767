"""How a COM method is called: HRESULTs instead of exceptions, out pointers, the thread's error object.

:func:`method` wraps a plain function that raises WbemError and returns what its [out] parameters receive. What the
caller sees is DESIGN.md section 4, "In and out": the HRESULT alone, or a tuple of it and every out.
"""

from __future__ import annotations

import logging
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeAlias, TypeVar, cast

from openwmi.faces.com import faults
from openwmi.model.errors import WbemError, error
from openwmi.model.status import WBEM_E_CRITICAL_ERROR, WBEM_E_INVALID_PARAMETER, WBEM_E_OUT_OF_MEMORY

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    # What `out=` takes: the names of the out pointers that are not NULL; None means the usual ones.
    Outs: TypeAlias = Collection[str] | None

P = ParamSpec("P")
T = TypeVar("T")

# What the annotation of an argument says it may be; those that say something else are checked by whoever uses them.
_KINDS: Final[dict[str, type | tuple[type, ...]]] = {
    "int": int,
    "int | None": (int, type(None)),
    "str | None": (str, type(None)),
}
# "without it all but ppCallResult are supplied" (DESIGN.md section 4).
UNUSUAL: Final = frozenset({"ppCallResult"})
_LOG: Final = logging.getLogger("openwmi.com")


class Failure(Exception):
    """Ends a method with an HRESULT of COM's own, for which there is no error object."""

    def __init__(self, code: int) -> None:
        super().__init__(f"0x{code:08X}")
        self.code = code


def invalid(message: str, parameter: str | None = None) -> WbemError:
    """WBEM_E_INVALID_PARAMETER with a sentence."""
    return error(WBEM_E_INVALID_PARAMETER, message, parameter=parameter)


def reserved(value: object, name: str = "lFlags") -> None:
    """A reserved parameter must be zero or NULL; anything else is INVALID_PARAMETER."""
    if value:
        raise invalid(f"{name} is reserved and must be 0", name)


def method(
    *outs: str, optional: Collection[str] = (), failed: tuple[object, ...] = ()
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a function a COM method.

    outs: names of the [out] parameters in the header's order; with any, the function takes the keyword ``out`` and is
    given the set of those that are not NULL. optional: those that may be NULL; a NULL one that may not is
    INVALID_PARAMETER before anything happens (A16). failed: what the outs are after a failure, else None each.
    """
    known = frozenset(outs)
    required = known - frozenset(optional) - UNUSUAL
    nothing = failed or (None,) * len(outs)

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        name = function.__name__
        bind = signature(function).bind
        arity = function.__code__.co_argcount

        def supplied(out: Any) -> frozenset[str]:
            if out is None:
                return known - UNUSUAL
            wanted = frozenset((out,) if isinstance(out, str) else out)
            if wanted - known:
                raise TypeError(f"{name}() has no out parameter {', '.join(sorted(wanted - known))}")
            return wanted

        def perform(args: Any, kwargs: Any, wanted: frozenset[str]) -> Any:
            if required - wanted:
                raise invalid(f"{name}: {', '.join(sorted(required - wanted))} is NULL")
            result: Any = function(*args, **kwargs)
            if not outs:
                return (result or 0) & 0xFFFFFFFF
            if known - wanted:
                return result[0], *(v if n in wanted else None for n, v in zip(outs, result[1:], strict=True))
            return result

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            wanted = known
            if known:
                wanted = kwargs["out"] = supplied(kwargs.get("out"))
            if len(args) != arity or len(kwargs) != bool(known):
                bind(*args, **kwargs)  # a wrong number of arguments is a misuse of Python: TypeError
            try:
                return cast("T", perform(args, kwargs, wanted))
            except Exception as exception:  # noqa: BLE001 - nothing leaves a method but its HRESULT
                code = failure(_explained(exception, function, args), name)
                return cast("T", (code, *nothing) if outs else code)

        return call

    return decorate


def _explained(exception: Exception, function: Callable[..., object], args: tuple[object, ...]) -> Exception:
    """What went wrong, as a caller can understand it: an argument of the wrong kind is named. Looked at only now, so
    that calls that succeed do not pay for it."""
    if isinstance(exception, (WbemError, Failure, MemoryError)):
        return exception
    for (name, parameter), value in zip(signature(function).parameters.items(), args, strict=False):
        if not isinstance(value, _KINDS.get(parameter.annotation, object)):
            return invalid(f"{name} is {parameter.annotation}, not {type(value).__name__}", name)
    return exception


def _code_of(exception: Exception, operation: str) -> int:
    """The code for what is no WbemError: an argument of a kind that nothing can be done with, or a fault of ours."""
    if isinstance(exception, TypeError):
        return WBEM_E_INVALID_PARAMETER
    if isinstance(exception, MemoryError):
        return WBEM_E_OUT_OF_MEMORY
    _LOG.error("%s failed", operation, exc_info=exception)
    return WBEM_E_CRITICAL_ERROR


def failure(exception: Exception, operation: str) -> int:
    """The HRESULT for what went wrong; the thread's error object is set on the way (G9)."""
    if isinstance(exception, Failure):
        faults.forget()
        return exception.code
    if not isinstance(exception, WbemError):
        exception = error(_code_of(exception, operation), f"{type(exception).__name__}: {exception}")
    faults.remember(exception, operation)
    return exception.code
