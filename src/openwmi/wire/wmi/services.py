"""IWbemServices: 23 methods, 20 of which follow from the table of operations ([MS-WMI] 3.1.4.3, wire.md 5.9).

Parameters of an operation, in the order of the wire: its arguments, flags, context, a method's in-parameters, then for
the asynchronous form the sink, else the pointers for what comes back. Of an answer: what comes back, and the HRESULT.
Text is a BSTR; objects are OBJREFs, as bytes.
"""

from __future__ import annotations

from dataclasses import make_dataclass
from typing import TYPE_CHECKING, Any, Final

from openwmi.contract.operations import (
    CANCEL_ASYNC_CALL,
    OPEN_NAMESPACE,
    OPERATIONS,
    QUERY_OBJECT_SINK,
    AnyOperation,
    Argument,
    Operation,
    described,
)
from openwmi.wire.dcom.method import ObjectMethod
from openwmi.wire.ndr import INT32, UINT32, Parameters, Type
from openwmi.wire.wmi.types import BSTR, EMPTY, IN_OUT, OBJECT, object_in, reference_to

if TYPE_CHECKING:
    from collections.abc import Mapping

CLAUSE: Final = "[MS-WMI] 3.1.4.3"
_BY_VALUE: Final = frozenset({"object", "params"})

ServicesMethod = ObjectMethod[Any, Any]


def _parameters(name: str, members: dict[str, Type[Any]]) -> Parameters[Any]:
    """Parameters with a class of their own to hold them; those that a caller may leave out come last, as NULL."""
    fields = [(key, object) for key in members]
    holds = make_dataclass(name, fields, frozen=True, slots=True, kw_only=True)
    return Parameters(holds, CLAUSE, **members)


def _type_of(argument: Argument) -> Type[Any]:
    return OBJECT if argument.kind in _BY_VALUE else BSTR


def _back(row: Operation) -> dict[str, Type[Any]]:
    """What the synchronous form gives back: an enumerator, or an object if it delivers one and a call result."""
    if row.enumerator:
        return {"enumerator": OBJECT}
    return {**({"found": IN_OUT} if row.delivers == "object" else {}), "call_result": IN_OUT}


def _method(row: Operation, *, asynchronous: bool) -> ServicesMethod:
    name = row.async_method if asynchronous else row.method
    first = {a.attribute: _type_of(a) for a in row.arguments if a.kind != "params"}
    last = {a.attribute: _type_of(a) for a in row.arguments if a.kind == "params"}
    given: dict[str, Type[Any]] = {**first, "flags": INT32, "context": OBJECT, **last}
    answer: dict[str, Type[Any]] = {"result": UINT32}
    if asynchronous:
        given["sink"] = OBJECT
    else:
        back = _back(row)
        given |= {key: type_ for key, type_ in back.items() if type_ is IN_OUT}
        answer = {**back, **answer}
    opnum = row.async_opnum if asynchronous else row.opnum
    return ObjectMethod(name, opnum, _parameters(name, given), _parameters(f"{name}Answer", answer))


_DERIVED: Final = {
    method.opnum: (method, row, asynchronous)
    for row in OPERATIONS.values()
    for asynchronous in (False, True)
    for method in (_method(row, asynchronous=asynchronous),)
}
_STATUS: Final[dict[str, Type[Any]]] = {"result": UINT32}

OPEN: Final[ServicesMethod] = ObjectMethod(
    "OpenNamespace",
    OPEN_NAMESPACE,
    _parameters(
        "OpenNamespace",
        {"namespace": BSTR, "flags": INT32, "context": OBJECT, "services": IN_OUT, "call_result": IN_OUT},
    ),
    _parameters("OpenNamespaceAnswer", {"services": IN_OUT, "call_result": IN_OUT, **_STATUS}),
)
CANCEL: Final[ServicesMethod] = ObjectMethod(
    "CancelAsyncCall",
    CANCEL_ASYNC_CALL,
    _parameters("CancelAsyncCall", {"sink": OBJECT}),
    _parameters("CancelAsyncCallAnswer", _STATUS),
)
EVENT_SINK: Final[ServicesMethod] = ObjectMethod(
    "QueryObjectSink",
    QUERY_OBJECT_SINK,
    _parameters("QueryObjectSink", {"flags": INT32}),
    _parameters("QueryObjectSinkAnswer", {"sink": OBJECT, **_STATUS}),
)

METHODS: Final[Mapping[int, ServicesMethod]] = {
    method.opnum: method for method in (OPEN, CANCEL, EVENT_SINK, *(row[0] for row in _DERIVED.values()))
}


def method_of(operation: AnyOperation, *, asynchronous: bool) -> ServicesMethod:
    """The method that starts an operation."""
    row = described(operation)
    return METHODS[row.async_opnum if asynchronous else row.opnum]


def inputs_of(
    operation: AnyOperation, flags: int, context: bytes | None = None, *, sink: bytes | None = None
) -> Any:
    """The parameters that start an operation: asynchronously with a sink, else asking for all that comes back."""
    row = described(operation)
    method = method_of(operation, asynchronous=sink is not None)
    signed = (flags & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
    values: dict[str, Any] = {"flags": signed, "context": context}
    for argument in row.arguments:
        value = getattr(operation, argument.attribute)
        by_value = argument.kind in _BY_VALUE and value is not None
        values[argument.attribute] = reference_to(value) if by_value else value
    if sink is not None:
        values["sink"] = sink
    else:
        values |= {key: EMPTY for key, type_ in _back(row).items() if type_ is IN_OUT}
    return method.request.members.holds(**values)


def operation_of(opnum: int, inputs: Any) -> AnyOperation:
    """The operation that a call of IWbemServices starts. Objects are read; all else is the contract's to check."""
    _, row, _ = _DERIVED[opnum]
    values = {}
    for argument in row.arguments:
        value = getattr(inputs, argument.attribute)
        by_value = argument.kind in _BY_VALUE and value is not None
        values[argument.attribute] = object_in(value) if by_value else value
    made: AnyOperation = row.type(**values)  # type: ignore[assignment]
    return made


def is_asynchronous(opnum: int) -> bool:
    """Whether a derived method delivers into a sink."""
    return _DERIVED[opnum][2]
