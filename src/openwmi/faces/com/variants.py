"""VARIANTs as plain Python values (A-001, last column): what a program passes in, and what it gets.

Out: 64-bit integers are decimal text, uint32 and char16 the signed number with the same bits, datetimes and references
text, embedded objects IWbemClassObject, arrays lists, NULL None. In: the same, and any Python value that a coercion
of model.md A-006 allows; :class:`VARIANT` fixes the type where it matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.faces.com import constants as c
from openwmi.model.cimtypes import ARRAY, CimType, type_name
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_TYPE_MISMATCH
from openwmi.model.values import coerce

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance


class _Null:
    """The type of :data:`NULL`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NULL"

    def __bool__(self) -> bool:
        return False


# A VARIANT pointer that is NULL; None is a VARIANT that holds nothing (VT_NULL, VT_EMPTY).
NULL: Final = _Null()


class VARIANT:
    """A value with its VARTYPE, for calls where the type decides. Compares by both."""

    __slots__ = ("value", "vt")

    def __init__(self, vt: int = c.VT_EMPTY, value: object = None) -> None:
        self.vt = vt
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VARIANT) and (self.vt, self.value) == (other.vt, other.value)

    def __hash__(self) -> int:
        return hash((self.vt, repr(self.value)))

    def __repr__(self) -> str:
        return f"VARIANT({self.vt!r}, {self.value!r})"


# What a plain Python value is as a VARIANT, and which CIM type a new property of that VARTYPE gets.
_TYPE_OF_VT: Final[dict[int, CimType]] = {
    c.VT_I2: CimType.SINT16,
    c.VT_I4: CimType.SINT32,
    c.VT_INT: CimType.SINT32,
    c.VT_R4: CimType.REAL32,
    c.VT_R8: CimType.REAL64,
    c.VT_BSTR: CimType.STRING,
    c.VT_BOOL: CimType.BOOLEAN,
    c.VT_UNKNOWN: CimType.OBJECT,
    c.VT_DISPATCH: CimType.OBJECT,
    c.VT_I1: CimType.SINT8,
    c.VT_UI1: CimType.UINT8,
    c.VT_UI2: CimType.UINT16,
    c.VT_UI4: CimType.UINT32,
    c.VT_UINT: CimType.UINT32,
    c.VT_I8: CimType.SINT64,
    c.VT_UI8: CimType.UINT64,
}
_INTEGERS: Final = frozenset(
    (
        CimType.SINT8,
        CimType.UINT8,
        CimType.SINT16,
        CimType.UINT16,
        CimType.SINT32,
        CimType.UINT32,
        CimType.SINT64,
        CimType.UINT64,
        CimType.CHAR16,
    )
)
_REAL_VTS: Final = (c.VT_R4, c.VT_R8)


def _mismatch(what: str, name: str) -> Exception:
    return error(
        WBEM_E_TYPE_MISMATCH, f"{what} cannot be stored in {name or 'the value'}", parameter=name or None
    )


def is_null(value: object) -> bool:
    """Whether a VARIANT argument holds nothing: NULL pointer, VT_NULL or VT_EMPTY."""
    if isinstance(value, VARIANT):
        return value.vt in (c.VT_EMPTY, c.VT_NULL)
    return value is None or value is NULL


def plain(value: object) -> Any:
    """The value in a VARIANT, whether its type is written or not."""
    return value.value if isinstance(value, VARIANT) else value


def inferred_type(value: object) -> int | None:
    """The CIM type of a new property that is given this value without a type; None when the value tells none."""
    if isinstance(value, VARIANT):
        element = _TYPE_OF_VT.get(value.vt & ~c.VT_ARRAY)
        if element is None:
            return inferred_type(value.value)
        return element | (ARRAY if value.vt & c.VT_ARRAY else 0)
    if isinstance(value, (list, tuple)):
        first = inferred_type(value[0]) if value else None
        return None if first is None or first & ARRAY else first | ARRAY
    if isinstance(value, (bytes, bytearray)):
        return CimType.UINT8 | ARRAY
    if isinstance(value, bool):
        return CimType.BOOLEAN
    if isinstance(value, int):
        return CimType.SINT32
    if isinstance(value, float):
        return CimType.REAL64
    if isinstance(value, str):
        return CimType.STRING
    return CimType.OBJECT if hasattr(value, "snapshot_") else None


def from_variant(value: object, code: int, *, name: str = "", reference: str | None = None) -> Any:
    """A VARIANT as the raw value of a CIM type; TYPE_MISMATCH or VALUE_OUT_OF_RANGE where it does not fit (A-006)."""
    if is_null(value):
        return None
    vt = None
    if isinstance(value, VARIANT):
        vt, value = value.vt, value.value
        _check_vt(vt, code, name)
        if vt & ~c.VT_ARRAY == c.VT_BOOL:
            value = _truths(value)
    if isinstance(value, (bytes, bytearray)):
        value = list(value)
    if code & ARRAY:
        if not isinstance(value, (list, tuple)):
            raise _mismatch(f"a single value ({value!r:.40})", name)
        if code & ~ARRAY in _INTEGERS and any(isinstance(element, float) for element in value):
            raise _mismatch("an array of real numbers", name)
        value = [_unfolded(element, code & ~ARRAY) for element in value]
    else:
        value = _unfolded(value, code)
    return coerce(value, code, name=name, reference=reference)


def _check_vt(vt: int, code: int, name: str) -> None:
    """The VARTYPEs that are refused whatever the value (A-006)."""
    array = bool(vt & c.VT_ARRAY)
    element = vt & ~(c.VT_ARRAY | c.VT_BYREF)
    target = code & ~ARRAY
    refused = (
        (array != bool(code & ARRAY))
        or (target == CimType.UINT32 and element == c.VT_I2)
        or (array and target in _INTEGERS and element in _REAL_VTS)
    )
    if refused:
        raise _mismatch(f"a VARIANT of type 0x{vt:X}", f"{name} ({type_name(code)})")


def _truths(value: object) -> object:
    """What a VARIANT_BOOL says: VARIANT_TRUE is -1, and every number but 0 counts as true."""
    if isinstance(value, (list, tuple)):
        return [_truths(element) for element in value]
    return bool(value) if isinstance(value, int) else value


def _unfolded(element: object, code: int) -> object:
    """One element: signed forms of uint32 and char16 get their own number back, objects their content."""
    if isinstance(element, VARIANT):
        element = element.value
    snapshot: Callable[[], Class | Instance] | None = getattr(element, "snapshot_", None)
    if snapshot is not None:
        return snapshot()
    if isinstance(element, int) and not isinstance(element, bool):
        if code == CimType.UINT32 and -0x80000000 <= element < 0:
            return element + 0x100000000
        if code == CimType.CHAR16 and -0x8000 <= element < 0:
            return element + 0x10000
    return element


def to_variant(raw: Any, code: int) -> Any:
    """A raw value as a VARIANT shows it."""
    if raw is None:
        return None
    if code & ARRAY:
        return [to_variant(element, code & ~ARRAY) for element in raw]
    if code in (CimType.SINT64, CimType.UINT64):
        return str(raw)
    if code == CimType.UINT32 and isinstance(raw, int) and raw >= 0x80000000:
        return raw - 0x100000000
    if code == CimType.CHAR16 and isinstance(raw, int) and raw >= 0x8000:
        return raw - 0x10000
    if code == CimType.OBJECT:
        from openwmi.faces.com.objects import class_object

        return class_object(raw)
    return raw
