"""The exceptions: one class per WBEM_E_ code, with what is known about where the call failed.

`error(code, message)` makes the right one. The classes come into being when they are first named, because 130 of them
would cost the start of a command line 2 ms; a type checker sees them all below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.model import status as codes
from openwmi.model.status import describe

if TYPE_CHECKING:
    from openwmi.model.instances import Instance


class WmiError(Exception):
    """Everything that OpenWMI raises on purpose."""


class WbemError(WmiError):
    """A failed operation. `WbemError(code)` makes an object of the subclass for that code.

    code: unsigned HRESULT; symbol: its name; message: what failed, on which object; operation: method of
    IWbemServices; parameter: the offending argument, path or query; namespace, path, host: where; phase: how far a
    connection got; extended: the __ExtendedStatus object of the server; hint: what to try; text and span: the query
    or MOF text and the (start, end) characters at fault, where known.

    A subclass may be made with its message alone: `NotFound("there is no such disk")`.
    """

    code: int = codes.WBEM_E_FAILED
    hint: str | None = None

    def __new__(cls, *arguments: Any, **named: Any) -> WbemError:
        if cls is WbemError:
            code = arguments[0] if arguments else named.get("code")
            return super().__new__(_class_of(code if isinstance(code, int) else codes.WBEM_E_FAILED))
        return super().__new__(cls)

    def __init__(
        self,
        code: int | str | None = None,
        message: str | None = None,
        *,
        operation: str | None = None,
        parameter: str | None = None,
        namespace: str | None = None,
        path: str | None = None,
        extended: Instance | None = None,
    ) -> None:
        if not isinstance(code, int):
            message = code if message is None else message
            code = type(self).code
        self.code = code & 0xFFFFFFFF
        row = describe(self.code)
        self.symbol = row.symbol
        self.message = message or row.text
        self.hint = row.hint
        self.operation = operation
        self.parameter = parameter
        self.namespace = namespace
        self.path = path
        self.host: str | None = None
        self.phase: str | None = None
        self.extended = extended
        self.text: str | None = None
        self.span: tuple[int, int] | None = None
        super().__init__(self.code, self.message)

    def __str__(self) -> str:
        number = f"0x{self.code:08X}"
        return f"{self.message}  {number if self.symbol == number else f'{self.symbol} {number}'}"


def error(
    code: int,
    message: str | None = None,
    *,
    operation: str | None = None,
    parameter: str | None = None,
    namespace: str | None = None,
    path: str | None = None,
    extended: Instance | None = None,
) -> WbemError:
    """The exception for a code, of its own class; `message` defaults to the code's sentence."""
    return _class_of(code)(
        code,
        message,
        operation=operation,
        parameter=parameter,
        namespace=namespace,
        path=path,
        extended=extended,
    )


def class_name(symbol: str) -> str:
    """`WBEM_E_NOT_FOUND` -> `NotFound`."""
    return "".join(word.capitalize() for word in symbol.split("_E_", 1)[1].split("_"))


def _own_symbols() -> dict[str, int]:
    """Class name -> code, of the codes that have a class of their own."""
    rows = codes.STATUS.values()
    return {
        class_name(row.symbol): row.code for row in rows if row.symbol.startswith(("WBEM_E_", "WBEMESS_E_"))
    }


def _class_of(code: int) -> type[WbemError]:
    """The class for a code; a MOF code gives MofError, a foreign one WbemError itself."""
    code &= 0xFFFFFFFF
    if code == codes.E_ACCESSDENIED:
        code = codes.WBEM_E_ACCESS_DENIED
    symbol = describe(code).symbol
    if symbol.startswith("WBEMMOF_E_"):
        return MofError
    return _made(class_name(symbol), code) if symbol.startswith(("WBEM_E_", "WBEMESS_E_")) else WbemError


def _made(name: str, code: int) -> type[WbemError]:
    found: type[WbemError] | None = globals().get(name)
    if found is None:
        body = {"__doc__": f"0x{code:08X}; see openwmi.model.status.", "__module__": __name__, "code": code}
        found = globals()[name] = type(name, (WbemError,), body)
    return found


def __getattr__(name: str) -> Any:
    code = _own_symbols().get(name)
    if code is None:
        raise AttributeError(f"module {__name__} has no attribute {name!r}")
    return _made(name, code)


def __dir__() -> list[str]:
    return sorted({*globals(), *_own_symbols()})


if TYPE_CHECKING:
    # Written from the table; tests/model/test_errors.py fails when a class is missing.
    class Failed(WbemError): ...

    class NotFound(WbemError): ...

    class AccessDenied(WbemError): ...

    class ProviderFailure(WbemError): ...

    class TypeMismatch(WbemError): ...

    class OutOfMemory(WbemError): ...

    class InvalidContext(WbemError): ...

    class InvalidParameter(WbemError): ...

    class NotAvailable(WbemError): ...

    class CriticalError(WbemError): ...

    class InvalidStream(WbemError): ...

    class NotSupported(WbemError): ...

    class InvalidSuperclass(WbemError): ...

    class InvalidNamespace(WbemError): ...

    class InvalidObject(WbemError): ...

    class InvalidClass(WbemError): ...

    class ProviderNotFound(WbemError): ...

    class InvalidProviderRegistration(WbemError): ...

    class ProviderLoadFailure(WbemError): ...

    class InitializationFailure(WbemError): ...

    class TransportFailure(WbemError): ...

    class InvalidOperation(WbemError): ...

    class InvalidQuery(WbemError): ...

    class InvalidQueryType(WbemError): ...

    class AlreadyExists(WbemError): ...

    class OverrideNotAllowed(WbemError): ...

    class PropagatedQualifier(WbemError): ...

    class PropagatedProperty(WbemError): ...

    class Unexpected(WbemError): ...

    class IllegalOperation(WbemError): ...

    class CannotBeKey(WbemError): ...

    class IncompleteClass(WbemError): ...

    class InvalidSyntax(WbemError): ...

    class NondecoratedObject(WbemError): ...

    class ReadOnly(WbemError): ...

    class ProviderNotCapable(WbemError): ...

    class ClassHasChildren(WbemError): ...

    class ClassHasInstances(WbemError): ...

    class QueryNotImplemented(WbemError): ...

    class IllegalNull(WbemError): ...

    class InvalidQualifierType(WbemError): ...

    class InvalidPropertyType(WbemError): ...

    class ValueOutOfRange(WbemError): ...

    class CannotBeSingleton(WbemError): ...

    class InvalidCimType(WbemError): ...

    class InvalidMethod(WbemError): ...

    class InvalidMethodParameters(WbemError): ...

    class SystemProperty(WbemError): ...

    class InvalidProperty(WbemError): ...

    class CallCancelled(WbemError): ...

    class ShuttingDown(WbemError): ...

    class PropagatedMethod(WbemError): ...

    class UnsupportedParameter(WbemError): ...

    class MissingParameterId(WbemError): ...

    class InvalidParameterId(WbemError): ...

    class NonconsecutiveParameterIds(WbemError): ...

    class ParameterIdOnRetval(WbemError): ...

    class InvalidObjectPath(WbemError): ...

    class OutOfDiskSpace(WbemError): ...

    class BufferTooSmall(WbemError): ...

    class UnsupportedPutExtension(WbemError): ...

    class UnknownObjectType(WbemError): ...

    class UnknownPacketType(WbemError): ...

    class MarshalVersionMismatch(WbemError): ...

    class MarshalInvalidSignature(WbemError): ...

    class InvalidQualifier(WbemError): ...

    class InvalidDuplicateParameter(WbemError): ...

    class TooMuchData(WbemError): ...

    class ServerTooBusy(WbemError): ...

    class InvalidFlavor(WbemError): ...

    class CircularReference(WbemError): ...

    class UnsupportedClassUpdate(WbemError): ...

    class CannotChangeKeyInheritance(WbemError): ...

    class CannotChangeIndexInheritance(WbemError): ...

    class TooManyProperties(WbemError): ...

    class UpdateTypeMismatch(WbemError): ...

    class UpdateOverrideNotAllowed(WbemError): ...

    class UpdatePropagatedMethod(WbemError): ...

    class MethodNotImplemented(WbemError): ...

    class MethodDisabled(WbemError): ...

    class RefresherBusy(WbemError): ...

    class UnparsableQuery(WbemError): ...

    class NotEventClass(WbemError): ...

    class MissingGroupWithin(WbemError): ...

    class MissingAggregationList(WbemError): ...

    class PropertyNotAnObject(WbemError): ...

    class AggregatingByObject(WbemError): ...

    class UninterpretableProviderQuery(WbemError): ...

    class BackupRestoreWinmgmtRunning(WbemError): ...

    class QueueOverflow(WbemError): ...

    class PrivilegeNotHeld(WbemError): ...

    class InvalidOperator(WbemError): ...

    class LocalCredentials(WbemError): ...

    class CannotBeAbstract(WbemError): ...

    class AmendedObject(WbemError): ...

    class ClientTooSlow(WbemError): ...

    class NullSecurityDescriptor(WbemError): ...

    class TimedOut(WbemError): ...

    class InvalidAssociation(WbemError): ...

    class AmbiguousOperation(WbemError): ...

    class QuotaViolation(WbemError): ...

    class TransactionConflict(WbemError): ...

    class ForcedRollback(WbemError): ...

    class UnsupportedLocale(WbemError): ...

    class HandleOutOfDate(WbemError): ...

    class ConnectionFailed(WbemError): ...

    class InvalidHandleRequest(WbemError): ...

    class PropertyNameTooWide(WbemError): ...

    class ClassNameTooWide(WbemError): ...

    class MethodNameTooWide(WbemError): ...

    class QualifierNameTooWide(WbemError): ...

    class RerunCommand(WbemError): ...

    class DatabaseVerMismatch(WbemError): ...

    class VetoDelete(WbemError): ...

    class VetoPut(WbemError): ...

    class InvalidLocale(WbemError): ...

    class ProviderSuspended(WbemError): ...

    class SynchronizationRequired(WbemError): ...

    class NoSchema(WbemError): ...

    class ProviderAlreadyRegistered(WbemError): ...

    class ProviderNotRegistered(WbemError): ...

    class FatalTransportError(WbemError): ...

    class EncryptedConnectionRequired(WbemError): ...

    class ProviderTimedOut(WbemError): ...

    class NoKey(WbemError): ...

    class ProviderDisabled(WbemError): ...

    class RegistrationTooBroad(WbemError): ...

    class RegistrationTooPrecise(WbemError): ...

    class AuthzNotPrivileged(WbemError): ...

    class RetryLater(WbemError): ...

    class ResourceContention(WbemError): ...

else:
    CallCancelled = _made("CallCancelled", codes.WBEM_E_CALL_CANCELLED)
    InvalidQuery = _made("InvalidQuery", codes.WBEM_E_INVALID_QUERY)
    InvalidSyntax = _made("InvalidSyntax", codes.WBEM_E_INVALID_SYNTAX)


class Cancelled(CallCancelled):
    """The caller itself cancelled the call."""


class BadDateTime(InvalidSyntax, ValueError):
    """A text or number that is no CIM datetime (A-025)."""


class QuerySyntaxError(InvalidQuery):
    """A query that no rule of WQL accepts: `text` is the query, `span` the characters at fault (end exclusive)."""

    text: str
    span: tuple[int, int]

    def __init__(
        self,
        message: str,
        *,
        text: str = "",
        span: tuple[int, int] = (0, 0),
        hint: str | None = None,
        code: int = codes.WBEM_E_INVALID_QUERY,
    ) -> None:
        super().__init__(code, message)
        self.args = (message,)
        self.text = text
        self.span = span
        if hint is not None:
            self.hint = hint


class MofError(WbemError):
    """A MOF text that does not compile: file, line and column (from 1), the token `text` and the line `source`."""

    code = codes.WBEMMOF_E_INVALID_FILE

    def __init__(
        self,
        code: int | str | None = None,
        message: str | None = None,
        *,
        file: str | None = None,
        line: int = 0,
        column: int = 0,
        text: str | None = None,
        source: str = "",
        operation: str | None = None,
        parameter: str | None = None,
        namespace: str | None = None,
        path: str | None = None,
        extended: Instance | None = None,
    ) -> None:
        super().__init__(
            code,
            message,
            operation=operation,
            parameter=parameter,
            namespace=namespace,
            path=path,
            extended=extended,
        )
        self.file = file
        self.line = line
        self.column = column
        self.text = text
        self.source = source

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.file and self.line else ""
        return f"{place}{super().__str__()}"


__all__ = [
    "BadDateTime",
    "Cancelled",
    "MofError",
    "QuerySyntaxError",
    "WbemError",
    "WmiError",
    "class_name",
    "error",
]
