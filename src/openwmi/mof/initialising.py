"""Initialisers as raw values: a written value fitted to the type of its property (C-04, C-16, A-040)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model import status as s
from openwmi.model.cimtypes import ARRAY, INTEGER_RANGES, CimType, type_name
from openwmi.model.errors import WbemError
from openwmi.model.values import coerce
from openwmi.mof.literals import MAX_DIGITS
from openwmi.mof.syntax import Alias, Char, ClassNode, InstanceNode

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance
    from openwmi.mof.syntax import AssignmentNode, PropertyNode, Value

    Embedded = Callable[[InstanceNode | ClassNode], Instance | Class]
    Aliased = Callable[[Alias], str]

_STRING: Final = int(CimType.STRING)
_BOOLEAN: Final = int(CimType.BOOLEAN)
# A boolean may stand in quotes: Microsoft's registration of the View provider has one so.
_TRUTHS: Final = {"true": True, "false": False}
_OBJECT: Final = int(CimType.OBJECT)
_REFERENCE: Final = int(CimType.REFERENCE)
_CHAR16: Final = int(CimType.CHAR16)
_WIDE: Final = frozenset((CimType.SINT64, CimType.UINT64))
_REAL32_MAX: Final = 3.4028235677973362e38  # the largest number that a single holds when it is rounded
_LIMITS: Final[dict[int, tuple[float, float]]] = {
    **INTEGER_RANGES,
    CimType.REAL32: (-_REAL32_MAX, _REAL32_MAX),
    CimType.REAL64: (float("-inf"), float("inf")),
}


class Initialiser:
    """Makes raw values; embedded objects and aliases are the caller's to resolve."""

    __slots__ = ("_aliased", "_embedded")

    def __init__(self, embedded: Embedded, aliased: Aliased) -> None:
        self._embedded = embedded
        self._aliased = aliased

    def value(self, node: PropertyNode | AssignmentNode, code: int, reference: str | None) -> object:
        """The raw value of a property of type `code`; MofError at the initialiser when it does not fit."""
        value = node.value
        if value is None:
            return None
        if code & ARRAY:
            if not isinstance(value, tuple):
                message = f"{node.name} is an array; its values stand in braces"
                raise node.error(s.WBEMMOF_E_TYPE_MISMATCH, message, node.value_at)
            element = code & ~ARRAY
            return tuple(
                self._scalar(node, one, element, reference, number) for number, one in enumerate(value)
            )
        if isinstance(value, tuple):
            message = f"{node.name} is not an array; an array is declared with []"
            raise node.error(s.WBEMMOF_E_UNEXPECTED_ARRAY_INIT, message, node.value_at)
        return self._scalar(node, value, code, reference, -1)

    def _scalar(
        self, node: PropertyNode | AssignmentNode, value: Value, code: int, reference: str | None, number: int
    ) -> object:
        kind = type(value)
        if kind is str and code == _STRING:
            return value
        if kind is int and (limits := INTEGER_RANGES.get(code)) is not None:
            if limits[0] <= value <= limits[1]:  # type: ignore[operator]
                return value
            raise self._wrong(
                node, s.WBEMMOF_E_OUT_OF_RANGE, f"{value} is out of range for {type_name(code)}", number
            )
        if kind is bool and code == _BOOLEAN:
            return value
        return self._rare(node, value, code, reference, number)

    def _rare(
        self, node: PropertyNode | AssignmentNode, value: Value, code: int, reference: str | None, number: int
    ) -> object:
        if value is None:
            raise self._wrong(node, s.WBEMMOF_E_NULL_ARRAY_ELEM, "an array cannot hold NULL", number)
        if isinstance(value, Alias):
            if code != _REFERENCE:
                raise value.error(s.WBEMMOF_E_UNEXPECTED_ALIAS, f"{node.name} is not a reference")
            return self._aliased(value)
        if isinstance(value, InstanceNode | ClassNode):
            if code != _OBJECT:
                message = f"{node.name} is of type {type_name(code)}; it cannot hold an object"
                raise value.error(s.WBEMMOF_E_TYPE_MISMATCH, message)
            made = self._embedded(value)
            return self._coerced(node, made, code, reference, number)
        if code == _BOOLEAN and isinstance(value, str) and (truth := _TRUTHS.get(value.lower())) is not None:
            return truth
        if isinstance(value, bool) or (isinstance(value, str) and code == _CHAR16):
            message = f"the value is not a {type_name(code)}"
            raise self._wrong(node, s.WBEMMOF_E_TYPE_MISMATCH, message, number)
        if isinstance(value, tuple):
            raise AssertionError  # the grammar has arrays of one dimension only
        if (limits := _LIMITS.get(code)) is not None:
            plain = _number(value, code)
            if plain is not None and not limits[0] <= plain <= limits[1]:
                message = f"{value} is out of range for {type_name(code)}"
                raise self._wrong(node, s.WBEMMOF_E_OUT_OF_RANGE, message, number)
            value = value if plain is None else plain
        return self._coerced(node, value, code, reference, number)

    def _coerced(
        self,
        node: PropertyNode | AssignmentNode,
        value: object,
        code: int,
        reference: str | None,
        number: int,
    ) -> object:
        try:
            return coerce(value, code, reference=reference)
        except WbemError as reason:
            code = s.WBEMMOF_E_TYPE_MISMATCH if reason.code == s.WBEM_E_TYPE_MISMATCH else reason.code
            raise self._wrong(node, code, reason.message, number) from None

    def _wrong(self, node: PropertyNode | AssignmentNode, code: int, message: str, number: int) -> Exception:
        """The error at the initialiser, or at the element `number` of an array."""
        at = node.value_at
        if number >= 0:
            at += 1
            tokens = node.source.tokens
            depth = 0
            while number and tokens[at]:
                depth += (tokens[at] in "{[(") - (tokens[at] in "}])")
                number -= tokens[at] == "," and depth == 0
                at += 1
        return node.error(code, f"{node.name}: {message}", at)


def _number(value: str | float, code: int) -> int | float | None:
    """A number as its type has it (C-04): a real for an integer is rounded, 64 bits may stand in quotes. None: no."""
    if isinstance(value, str):
        digits = value.lstrip("+-")
        if code not in _WIDE or not digits.isdecimal() or not digits.isascii() or len(digits) > MAX_DIGITS:
            return None
        return int(value) if len(value) - len(digits) <= 1 else None
    if isinstance(value, float) and code in INTEGER_RANGES:
        return round(value)
    return int(value) if isinstance(value, Char) else value
