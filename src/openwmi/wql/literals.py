"""What a constant is worth beside a property of a type, and which operators the type takes (D-10, D-24 to D-33)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model.cimtypes import ARRAY, INTEGER_RANGES, CimType, type_name
from openwmi.model.errors import WbemError
from openwmi.model.values import coerce

if TYPE_CHECKING:
    from openwmi.wql.syntax import Literal

_REALS: Final = (CimType.REAL32, CimType.REAL64)
_EQUALITY: Final = ("=", "<>")
_UNORDERED: Final = (CimType.BOOLEAN, CimType.REFERENCE)
_DIGITS: Final = frozenset("0123456789+-.eE")
_LONGEST: Final = 256  # characters of a quoted number
_BOOLEANS: Final = {"true": True, "false": False, "1": True, "0": False}


class Mismatch(Exception):
    """This constant or operator does not go with this type. `operator` tells which of the two."""

    def __init__(self, message: str, *, operator: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.operator = operator


def check_operator(op: str, code: int) -> None:
    """Refuse an operator that the type does not take: arrays none, objects none but ISA, booleans and references `=`
    and `<>` alone.

    `op` is a relation or LIKE. Raises Mismatch.
    """
    if code & ARRAY:
        raise Mismatch("an array cannot stand in WHERE")  # D-32
    if code == CimType.OBJECT:
        raise Mismatch("an embedded object has no value to compare: name one of its properties, or use ISA")
    if code in _UNORDERED and op not in (*_EQUALITY, "LIKE"):
        raise Mismatch(f"a {type_name(code)} takes = and <> only", operator=True)  # D-24


def constant(literal: Literal, code: int, op: str = "=") -> str | int | float | bool:
    """`literal` as a raw value of the type `code`. Raises Mismatch where it has none.

    An integer may lie outside the type's range: then the comparison is decided by that alone (D-28).
    """
    check_operator(op, code)
    value = literal.value
    if code in INTEGER_RANGES:
        return _integer(value, code)
    if code in _REALS:
        return _real(value, code)
    if code == CimType.BOOLEAN:
        return _boolean(value)
    if code == CimType.STRING:
        return value if isinstance(value, str) else literal.text  # D-27
    if code == CimType.DATETIME:
        return _datetime(literal, op)
    if isinstance(value, str):
        return value
    raise Mismatch(f"a {type_name(code)} is compared with text in quotes")


def in_range(value: object, code: int) -> bool:
    """Whether a constant is a value that a property of the type can have."""
    low, high = INTEGER_RANGES.get(code, (None, None))
    return low is None or high is None or (isinstance(value, int) and low <= value <= high)


def _number(value: object) -> int | float:
    """A number constant, or quoted number (D-27); TRUE is 1 and FALSE 0."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)):
        return value
    text = str(value).strip(" ")
    if len(text) <= _LONGEST and _DIGITS.issuperset(text):
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
    raise Mismatch(f"{value!r:.60} is no number")


def _integer(value: object, code: int) -> int:
    if code == CimType.CHAR16 and isinstance(value, str):
        if len(value) == 1 and ord(value) <= 0xFFFF:
            return ord(value)
        raise Mismatch("a char16 is compared with one character or a number")  # D-32
    number = _number(value)
    if number != number or number in (float("inf"), float("-inf")) or int(number) != number:
        raise Mismatch(f"{value} is no whole number and the property is a {type_name(code)}")  # D-29
    return int(number)


def _real(value: object, code: int) -> float:
    number = float(_number(value))
    if number in (float("inf"), float("-inf")):
        raise Mismatch(f"{value!r:.60} is too large")
    try:
        return float(coerce(number, code))  # to single precision, so that r = 0.1 can hold for a real32
    except WbemError:
        return number  # beyond the type: decides the comparison by itself (D-28)


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    found = _BOOLEANS.get(str(value).lower())
    if found is None:
        raise Mismatch("a boolean is compared with TRUE, FALSE, 1 or 0")
    return found


def _datetime(literal: Literal, op: str) -> str:
    from openwmi.wql.dates import dmtf

    try:
        text = dmtf(literal.value if isinstance(literal.value, str) else literal.text)
    except ValueError as refused:
        raise Mismatch(str(refused)) from None
    if op not in _EQUALITY and "*" in text:
        raise Mismatch(
            "a datetime with asterisks has no order; = and <> compare it as text", operator=True
        )
    return text
