"""The CIM types: their codes, names and ranges ([MS-WMIO] CimType; model.md A-001, A-002)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class CimType(IntEnum):
    """An element type. A *type code* is one of these, with :data:`ARRAY` or-ed on for an array."""

    SINT16 = 2
    SINT32 = 3
    REAL32 = 4
    REAL64 = 5
    STRING = 8
    BOOLEAN = 11
    OBJECT = 13
    SINT8 = 16
    UINT8 = 17
    UINT16 = 18
    UINT32 = 19
    SINT64 = 20
    UINT64 = 21
    DATETIME = 101
    REFERENCE = 102
    CHAR16 = 103


ARRAY: Final = 0x2000
EMPTY: Final = 0
ILLEGAL: Final = 0xFFF

# Element type -> the word MOF and the CIMTYPE qualifier use.
NAMES: Final[dict[int, str]] = {
    CimType.SINT8: "sint8",
    CimType.UINT8: "uint8",
    CimType.SINT16: "sint16",
    CimType.UINT16: "uint16",
    CimType.SINT32: "sint32",
    CimType.UINT32: "uint32",
    CimType.SINT64: "sint64",
    CimType.UINT64: "uint64",
    CimType.REAL32: "real32",
    CimType.REAL64: "real64",
    CimType.STRING: "string",
    CimType.BOOLEAN: "boolean",
    CimType.OBJECT: "object",
    CimType.DATETIME: "datetime",
    CimType.REFERENCE: "ref",
    CimType.CHAR16: "char16",
}

BY_NAME: Final[dict[str, CimType]] = {name: CimType(code) for code, name in NAMES.items()}

# Smallest and largest value of the types that hold a whole number; char16 is one UTF-16 unit.
INTEGER_RANGES: Final[dict[int, tuple[int, int]]] = {
    CimType.SINT8: (-(2**7), 2**7 - 1),
    CimType.UINT8: (0, 2**8 - 1),
    CimType.SINT16: (-(2**15), 2**15 - 1),
    CimType.UINT16: (0, 2**16 - 1),
    CimType.SINT32: (-(2**31), 2**31 - 1),
    CimType.UINT32: (0, 2**32 - 1),
    CimType.SINT64: (-(2**63), 2**63 - 1),
    CimType.UINT64: (0, 2**64 - 1),
    CimType.CHAR16: (0, 2**16 - 1),
}


def type_name(code: int) -> str:
    """`uint32`, `uint32[]`; for a code that is no type its number in hex."""
    name = NAMES.get(code & ~ARRAY)
    if name is None:
        return f"0x{code:X}"
    return f"{name}[]" if code & ARRAY else name
