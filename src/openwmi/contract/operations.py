"""The one table that describes IWbemServices: ten operations, their methods, flags, rights and results.

Argument checks, the COM-shaped face, the wire stubs and the reference documentation are derived from
:data:`OPERATIONS`; none of them repeats it. Sources: calls.md 0.2, B.1-B.3, B7, I.2; [MS-WMI] 3.1.4.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from openwmi.contract import flags as f
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_PARAMETER, WBEM_E_QUOTA_VIOLATION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance

Mode = Literal["sync", "semisync", "async"]


class _Operation:
    """Common behaviour of the operation values: equality, and a repr that reads like the call."""

    __slots__ = ()

    def _values(self) -> tuple[object, ...]:
        names: tuple[str, ...] = type(self).__slots__
        return tuple(getattr(self, name) for name in names)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), repr(self)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._values()))})"


class GetObject(_Operation):
    """One class or instance by its path; None or "" is the empty class object (calls.md B46)."""

    __slots__ = ("path",)

    def __init__(self, path: str | None = None) -> None:
        self.path = path


class PutClass(_Operation):
    """Create or update a class (calls.md B.7)."""

    __slots__ = ("object",)

    def __init__(self, object: Class) -> None:  # noqa: A002 - the headers' word
        self.object = object


class DeleteClass(_Operation):
    """Delete a class with its instances and subclasses (calls.md B.8)."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class CreateClassEnum(_Operation):
    """The subclasses of a class, or all classes of the namespace (calls.md B.9)."""

    __slots__ = ("superclass",)

    def __init__(self, superclass: str | None = None) -> None:
        self.superclass = superclass


class PutInstance(_Operation):
    """Create or update an instance (calls.md B.10)."""

    __slots__ = ("object",)

    def __init__(self, object: Instance) -> None:  # noqa: A002 - the headers' word
        self.object = object


class DeleteInstance(_Operation):
    """Delete the instance a path names (calls.md B.11)."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path


class CreateInstanceEnum(_Operation):
    """The instances of a class and, unless SHALLOW, of its subclasses (calls.md B.12)."""

    __slots__ = ("class_name",)

    def __init__(self, class_name: str) -> None:
        self.class_name = class_name


class ExecQuery(_Operation):
    """A data, schema or association query (calls.md B.13)."""

    __slots__ = ("language", "query")

    def __init__(self, query: str, language: str = "WQL") -> None:
        self.query = query
        self.language = language


class ExecNotificationQuery(_Operation):
    """A subscription to events (calls.md B.14)."""

    __slots__ = ("language", "query")

    def __init__(self, query: str, language: str = "WQL") -> None:
        self.query = query
        self.language = language


class ExecMethod(_Operation):
    """A method of a class or an instance (calls.md B.15). Parameters: an instance of the in-signature, or a mapping."""

    __slots__ = ("method", "params", "path")

    def __init__(self, path: str, method: str, params: Instance | Mapping[str, object] | None = None) -> None:
        self.path = path
        self.method = method
        self.params = params


AnyOperation = (
    GetObject
    | PutClass
    | DeleteClass
    | CreateClassEnum
    | PutInstance
    | DeleteInstance
    | CreateInstanceEnum
    | ExecQuery
    | ExecNotificationQuery
    | ExecMethod
)

Delivers = Literal["object", "objects", "string", "status", "events"]
ArgumentKind = Literal["name", "path", "query", "text", "object", "params"]


class Argument(NamedTuple):
    """One [in] argument of a method: attribute of the operation, header's name, kind, whether NULL is legal (B6)."""

    attribute: str
    parameter: str
    kind: ArgumentKind
    nullable: bool = False


class Operation(NamedTuple):
    """One row of the table. Flags are the legal extra bits per mode; everything else is refused (B1-B3)."""

    type: type[_Operation]
    method: str
    opnum: int
    async_opnum: int
    arguments: tuple[Argument, ...]
    flags: int
    delivers: Delivers
    right: int = f.WBEM_ENABLE
    enumerator: bool = False
    exclusive: tuple[int, ...] = ()
    ignored: int = f.WBEM_FLAG_NO_ERROR_OBJECT | f.WBEM_MASK_RESERVED_FLAGS | f.WBEM_FLAG_STRONG_VALIDATION

    @property
    def async_method(self) -> str:
        return self.method + "Async"

    def legal(self, mode: Mode) -> int:
        """The bits this method accepts in a mode (calls.md B3)."""
        if mode == "async":
            return self.flags | f.WBEM_FLAG_SEND_STATUS
        extra = f.WBEM_FLAG_RETURN_IMMEDIATELY
        if self.enumerator:
            extra |= f.WBEM_FLAG_FORWARD_ONLY
        return self.flags | extra


_AMENDED: Final = f.WBEM_FLAG_USE_AMENDED_QUALIFIERS
_READ: Final = _AMENDED | f.WBEM_FLAG_DIRECT_READ
_CHANGE: Final = f.WBEM_FLAG_UPDATE_ONLY | f.WBEM_FLAG_CREATE_ONLY
_PUT_CLASS_IGNORED: Final = f.WBEM_MASK_RESERVED_FLAGS | f.WBEM_FLAG_STRONG_VALIDATION
_TABLE: Final = (
    Operation(
        GetObject, "GetObject", 6, 7, (Argument("path", "strObjectPath", "path", True),), _READ, "object"
    ),
    Operation(
        PutClass,
        "PutClass",
        8,
        9,
        (Argument("object", "pObject", "object"),),
        _AMENDED | _CHANGE | f.WBEM_MASK_UPDATE_MODE,
        "string",
        exclusive=(_CHANGE, f.WBEM_MASK_UPDATE_MODE),
        ignored=_PUT_CLASS_IGNORED,
    ),
    Operation(DeleteClass, "DeleteClass", 10, 11, (Argument("name", "strClass", "name"),), 0, "status"),
    Operation(
        CreateClassEnum,
        "CreateClassEnum",
        12,
        13,
        (Argument("superclass", "strSuperclass", "name", True),),
        _AMENDED | f.WBEM_FLAG_SHALLOW,
        "objects",
        enumerator=True,
    ),
    Operation(
        PutInstance,
        "PutInstance",
        14,
        15,
        (Argument("object", "pInst", "object"),),
        _AMENDED | _CHANGE,
        "string",
        exclusive=(_CHANGE,),
    ),
    Operation(
        DeleteInstance, "DeleteInstance", 16, 17, (Argument("path", "strObjectPath", "path"),), 0, "status"
    ),
    Operation(
        CreateInstanceEnum,
        "CreateInstanceEnum",
        18,
        19,
        (Argument("class_name", "strFilter", "name"),),
        _READ | f.WBEM_FLAG_SHALLOW,
        "objects",
        enumerator=True,
    ),
    Operation(
        ExecQuery,
        "ExecQuery",
        20,
        21,
        (Argument("language", "strQueryLanguage", "text"), Argument("query", "strQuery", "query")),
        _READ | f.WBEM_FLAG_PROTOTYPE | f.WBEM_FLAG_ENSURE_LOCATABLE,
        "objects",
        enumerator=True,
    ),
    Operation(
        ExecNotificationQuery,
        "ExecNotificationQuery",
        22,
        23,
        (Argument("language", "strQueryLanguage", "text"), Argument("query", "strQuery", "query")),
        _AMENDED,
        "events",
        enumerator=True,
    ),
    Operation(
        ExecMethod,
        "ExecMethod",
        24,
        25,
        (
            Argument("path", "strObjectPath", "path"),
            Argument("method", "strMethodName", "name"),
            Argument("params", "pInParams", "params", True),
        ),
        0,
        "object",
        right=f.WBEM_ENABLE | f.WBEM_METHOD_EXECUTE,
    ),
)

OPERATIONS: Final[Mapping[type[_Operation], Operation]] = {row.type: row for row in _TABLE}
BY_METHOD: Final[Mapping[str, Operation]] = {row.method: row for row in _TABLE}

# The other methods of the interface, which start no operation (calls.md 0.2).
OPEN_NAMESPACE: Final = 3
CANCEL_ASYNC_CALL: Final = 4
QUERY_OBJECT_SINK: Final = 5

_LIMITS: Final[Mapping[str, int]] = {
    "name": f.WBEM_MAX_IDENTIFIER,
    "path": f.WBEM_MAX_PATH,
    "query": f.WBEM_MAX_QUERY,
    "text": f.WBEM_MAX_IDENTIFIER,
}


def described(operation: _Operation) -> Operation:
    """The table's row for an operation value; a foreign object is a programming error."""
    row = OPERATIONS.get(type(operation))
    if row is None:
        raise TypeError(f"not an operation of IWbemServices: {type(operation).__name__}")
    return row


def _invalid(row: Operation, message: str, parameter: str | None = None) -> Exception:
    return error(WBEM_E_INVALID_PARAMETER, message, operation=row.method, parameter=parameter)


def checked_flags(operation: _Operation, flags: int, mode: Mode) -> int:
    """The flags with the ignored bits masked away; INVALID_PARAMETER for any other illegal bit (B1-B5).

    ExecNotificationQuery's enumerator form must carry exactly RETURN_IMMEDIATELY | FORWARD_ONLY (B84).
    """
    row = described(operation)
    if not isinstance(flags, int) or isinstance(flags, bool):
        raise _invalid(row, f"{row.method}: flags must be an integer, not {type(flags).__name__}", "lFlags")
    flags &= 0xFFFFFFFF & ~row.ignored
    illegal = flags & ~row.legal(mode)
    if illegal:
        name = row.async_method if mode == "async" else row.method
        raise _invalid(row, f"{name} does not take flag 0x{illegal:X}", "lFlags")
    for mask in row.exclusive:
        if flags & mask == mask:
            raise _invalid(row, f"{row.method}: flags 0x{mask:X} exclude each other", "lFlags")
    both = f.WBEM_FLAG_RETURN_IMMEDIATELY | f.WBEM_FLAG_FORWARD_ONLY
    if row.type is ExecNotificationQuery and mode != "async" and flags & both != both:
        raise _invalid(
            row, "ExecNotificationQuery needs the flags 0x30: it can never be synchronous", "lFlags"
        )
    return flags


def _checked_text(row: Operation, argument: Argument, value: object) -> None:
    if not isinstance(value, str):
        raise _invalid(
            row,
            f"{row.method}: {argument.parameter} must be text, not {type(value).__name__}",
            argument.parameter,
        )
    limit = _LIMITS[argument.kind]
    if len(value) > limit:
        raise error(
            WBEM_E_QUOTA_VIOLATION,
            f"{row.method}: {argument.parameter} has {len(value)} characters, the limit is {limit}",
            operation=row.method,
            parameter=argument.parameter,
        )


def checked_arguments(operation: _Operation) -> None:
    """NULLs (B6), wrong kinds and lengths (B7), tested before a call is accepted.

    An empty query, language or name counts as NULL (B77, D-01); an empty object path is "" for GetObject (A-180).
    """
    row = described(operation)
    for argument in row.arguments:
        value = getattr(operation, argument.attribute)
        if value is None:
            if not argument.nullable:
                raise _invalid(row, f"{row.method}: {argument.parameter} is NULL", argument.parameter)
            continue
        if argument.kind in _LIMITS:
            _checked_text(row, argument, value)
            if not value and not argument.nullable:
                raise _invalid(row, f"{row.method}: {argument.parameter} is empty", argument.parameter)


def parameter_info(operation: _Operation) -> str | None:
    """What __ExtendedStatus.ParameterInfo names: the query, path or class name of the call (G11)."""
    for attribute in ("query", "path", "name", "class_name", "superclass"):
        value = getattr(operation, attribute, None)
        if isinstance(value, str):
            return value
    subject = getattr(operation, "object", None)
    for attribute in ("relpath_", "relpath"):
        value = getattr(subject, attribute, None)
        if isinstance(value, str):
            return value
    return None


class _Cell(NamedTuple):
    """Column of the generated reference table."""

    title: str
    value: Callable[[Operation], str]


_COLUMNS: Final = (
    _Cell("method", lambda row: row.method),
    _Cell("opnums", lambda row: f"{row.opnum}, {row.async_opnum}"),
    _Cell("arguments", lambda row: ", ".join(a.parameter for a in row.arguments)),
    _Cell("flags sync", lambda row: f"0x{row.legal('sync'):X}"),
    _Cell("flags async", lambda row: f"0x{row.legal('async'):X}"),
    _Cell("delivers", lambda row: row.delivers),
)


def reference_table() -> str:
    """The table as Markdown, for the reference documentation."""
    head = "| " + " | ".join(cell.title for cell in _COLUMNS) + " |"
    rule = "|" + "---|" * len(_COLUMNS)
    body = ("| " + " | ".join(cell.value(row) for cell in _COLUMNS) + " |" for row in _TABLE)
    return "\n".join((head, rule, *body)) + "\n"
