"""Values between Python and CIM: what a property of a type accepts, and what the Python faces show (model.md A1, A3).

A *raw* value is an int, float, bool, str (strings, references and canonical datetimes), Instance or Class, a tuple of
these for an array, or None for NULL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.model.cimtypes import ARRAY, INTEGER_RANGES, NAMES, CimType, type_name
from openwmi.model.datetimes import CimDateTime, moment
from openwmi.model.errors import BadDateTime, error
from openwmi.model.names import MAX_NESTING
from openwmi.model.status import (
    WBEM_E_ILLEGAL_NULL,
    WBEM_E_INVALID_CIM_TYPE,
    WBEM_E_QUOTA_VIOLATION,
    WBEM_E_TYPE_MISMATCH,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance

    Raw: TypeAlias = bool | int | float | str | Instance | Class | tuple[Any, ...] | None

_STRING: Final = int(CimType.STRING)
_DATETIME: Final = int(CimType.DATETIME)
_DATETIME_ARRAY: Final = _DATETIME | ARRAY
_WIDE: Final = frozenset((CimType.SINT64, CimType.UINT64))
_MAX_DIGITS: Final = 20


class _Refused(Exception):
    """Why a value does not fit; becomes a WbemError that names the property."""

    def __init__(self, why: str = "", code: int = WBEM_E_TYPE_MISMATCH) -> None:
        self.why = why
        self.code = code


def coerce(value: object, code: int, *, name: str = "", reference: str | None = None) -> Any:
    """`value` as the raw value of a type code (A-006); None stays None.

    Accepts raw values; whole numbers in range; numbers that round to one; decimal text for 64-bit types; CimDateTime,
    datetime and timedelta; for references also objects that have a path; for arrays any sequence. `name` is the
    property, for the message; `reference` the class that a strong object or reference asks for (A-043). Raises
    TYPE_MISMATCH, ILLEGAL_NULL for a NULL element of an array, INVALID_CIM_TYPE, QUOTA_VIOLATION for nesting.
    """
    if value is None:
        return None
    kind = type(value)  # most values are raw ones already
    if kind is str:
        if code == _STRING:
            return value
    elif kind is int and code in INTEGER_RANGES:
        low, high = INTEGER_RANGES[code]
        if low <= value <= high:  # type: ignore[operator]
            return value
    element = code & ~ARRAY
    convert = _CONVERTERS.get(element)
    if convert is None:
        raise error(WBEM_E_INVALID_CIM_TYPE, f"{type_name(code)} is not a CIM type", parameter=name or None)
    try:
        if not code & ARRAY:
            return convert(value, element, reference)
        return tuple([convert(one, element, reference) for one in _elements(value, element)])
    except _Refused as refused:
        from openwmi.model.instances import brief

        what = f"{name}: {brief(value)}" if name else brief(value)
        why = f": {refused.why}" if refused.why else ""
        message = f"{what} does not fit {type_name(code)}{why}"
        raise error(refused.code, message, parameter=name or None) from None


def _elements(value: object, element: int) -> list[object]:
    from collections.abc import Sequence

    if isinstance(value, (bytes, bytearray)) and element != CimType.UINT8:
        raise _Refused("bytes fit uint8[] alone")
    if isinstance(value, str) or not isinstance(value, (list, tuple, bytes, bytearray, Sequence)):
        raise _Refused("a list is needed")
    if any(one is None for one in value):
        raise _Refused("an array cannot hold NULL", WBEM_E_ILLEGAL_NULL)
    return list(value)


def _integer(value: object, code: int, reference: str | None) -> int:
    if isinstance(value, float):
        value = _rounded(value)
    elif isinstance(value, str) and code in _WIDE:
        value = _decimal(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _Refused
    low, high = INTEGER_RANGES[code]
    if not low <= value <= high:
        raise _Refused(f"it is outside {low}..{high}")
    return int(value)


def _rounded(value: float) -> int:
    try:
        return round(value)
    except (ValueError, OverflowError):
        raise _Refused from None


def _decimal(text: str) -> int:
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > _MAX_DIGITS:
        raise _Refused("only decimal digits are taken")
    return int(text)


def _real(value: object, code: int, reference: str | None) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _Refused
    try:
        number = float(value)
        if code == CimType.REAL32:
            from struct import pack, unpack

            (number,) = unpack("<f", pack("<f", number))
    except OverflowError:
        raise _Refused("the number is too large") from None
    return number


def _boolean(value: object, code: int, reference: str | None) -> bool:
    if isinstance(value, bool):
        return value
    raise _Refused


def _text(value: object, code: int, reference: str | None) -> str:
    if isinstance(value, str):
        return value if type(value) is str else str(value)
    raise _Refused


def _datetime(value: object, code: int, reference: str | None) -> str:
    if isinstance(value, CimDateTime):
        return str(value)
    try:
        if isinstance(value, str):
            return str(CimDateTime(value))
        import datetime

        if isinstance(value, datetime.datetime):
            return str(CimDateTime.from_datetime(value))
        if isinstance(value, datetime.timedelta):
            return str(CimDateTime.from_timedelta(value))
    except BadDateTime as bad:
        raise _Refused(bad.message) from None
    raise _Refused


def _reference(value: object, code: int, reference: str | None) -> str:
    if isinstance(value, str):
        text = value if type(value) is str else str(value)
    else:
        from openwmi.model.paths import ObjectPath

        if isinstance(value, ObjectPath):
            text = str(value)
        else:
            path = (
                getattr(value, "path_", None)
                or getattr(value, "relpath_", None)
                or getattr(value, "path", None)
            )
            if not isinstance(path, str):
                raise _Refused("it has no path")
            text = path
    return text


def _object(value: object, code: int, reference: str | None) -> Instance | Class:
    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance

    if isinstance(value, Instance):
        layout = value.layout_
        line = (layout.class_name, *layout.derivation)
    elif isinstance(value, Class):
        line = (value.name, *value.derivation)
    else:
        raise _Refused("an instance or a class is needed")
    if reference is not None and reference.lower() not in [one.lower() for one in line]:
        raise _Refused(f"{line[0]} is not derived from {reference}")
    if nesting(value) > MAX_NESTING:
        message = f"objects are embedded more than {MAX_NESTING} deep"
        raise _Refused(message, WBEM_E_QUOTA_VIOLATION)
    return value


def nesting(value: Instance | Class) -> int:
    """How deep objects are embedded in each other, the outermost counted (A-046); counts no further than 65."""
    depth = 0
    level: list[Any] = [value]
    while level and depth <= MAX_NESTING:
        depth += 1
        level = [inner for one in level for inner in _embedded(one)]
    return depth


def _embedded(value: Any) -> list[Any]:
    layout = getattr(value, "layout_", None)
    if layout is None:
        pairs = [(one.type, one.default) for one in value.properties.values()]
    else:
        pairs = list(zip(layout.types, value.values_, strict=False))
    found: list[Any] = []
    for code, raw in pairs:
        if code & ~ARRAY == CimType.OBJECT and raw is not None:
            found.extend(raw if code & ARRAY else (raw,))
    return found


_CONVERTERS: Final[dict[int, Callable[[object, int, str | None], Any]]] = {
    **dict.fromkeys(INTEGER_RANGES, _integer),
    CimType.REAL32: _real,
    CimType.REAL64: _real,
    CimType.STRING: _text,
    CimType.BOOLEAN: _boolean,
    CimType.DATETIME: _datetime,
    CimType.REFERENCE: _reference,
    CimType.OBJECT: _object,
}
assert set(_CONVERTERS) == set(NAMES)


def present(raw: Any, code: int) -> Any:
    """A raw value as the Python faces show it.

    A complete datetime becomes an aware `datetime.datetime`, an interval a `timedelta`, any other datetime a
    CimDateTime, an array a list; the rest is shown as it is.
    """
    if code == _DATETIME:
        return _shown_datetime(raw)
    if not code & ARRAY or raw is None:
        return raw
    if code == _DATETIME_ARRAY:
        return [_shown_datetime(one) for one in raw]
    return list(raw)


def _shown_datetime(raw: str | None) -> Any:
    if raw is None:
        return None
    try:
        return CimDateTime(raw).to_timedelta() if raw[21] == ":" else moment(raw)
    except (ValueError, IndexError):
        pass
    try:
        return CimDateTime(raw)
    except BadDateTime:
        return raw  # a provider of somebody else's wrote it
