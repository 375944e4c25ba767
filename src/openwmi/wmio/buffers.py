"""Reader and Writer: the only two places where WMIO bytes become numbers and numbers bytes; bounds are checked here.

All numbers are little-endian and nothing is aligned ([MS-WMIO] 2.2). Scalars by type code:

type                        size  form
sint8 uint8                    1  two's complement, unsigned
sint16 uint16 char16           2
boolean                        2  0xFFFF true, 0 false; any other value is read as true
sint32 uint32 real32           4  reals are IEEE 754
sint64 uint64 real64           8
string datetime ref object     4  offset in the heap of the enclosing part (heaps.py); so has every array
"""

from __future__ import annotations

from struct import Struct, unpack_from
from struct import error as struct_error
from typing import TYPE_CHECKING, Any, Final

from openwmi.model.cimtypes import ARRAY, NAMES, CimType
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_STREAM

if TYPE_CHECKING:
    from openwmi.model.errors import WbemError

# Scalars that stand in the table themselves, by type code: the letter that `struct` has for them.
LETTERS: Final[dict[int, str]] = {
    CimType.SINT8: "b",
    CimType.UINT8: "B",
    CimType.SINT16: "h",
    CimType.UINT16: "H",
    CimType.SINT32: "i",
    CimType.UINT32: "I",
    CimType.SINT64: "q",
    CimType.UINT64: "Q",
    CimType.REAL32: "f",
    CimType.REAL64: "d",
    CimType.BOOLEAN: "H",
    CimType.CHAR16: "H",
}
STRUCTS: Final[dict[int, Struct]] = {code: Struct("<" + letter) for code, letter in LETTERS.items()}
TRUE: Final = 0xFFFF
SIZES: Final[dict[int, int]] = {code: (STRUCTS[code].size if code in STRUCTS else 4) for code in NAMES}

_U16: Final = Struct("<H")
_U32: Final = Struct("<I")


def invalid(what: str) -> WbemError:
    """The error for bytes that are no WMIO: INVALID_STREAM with a sentence."""
    return error(WBEM_E_INVALID_STREAM, f"not a WMI object: {what}")


def size_of(code: int) -> int:
    """Bytes that a property of a type takes in its value table."""
    return 4 if code & ARRAY else SIZES[code]


class Reader:
    """Reads forward through `data[at:end]`; every overrun is INVALID_STREAM."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end
        if not 0 <= at <= self.end <= len(data):
            raise invalid(f"a part would reach to byte {self.end} of {len(data)}")

    @property
    def remaining(self) -> int:
        return self.end - self.at

    def take(self, count: int) -> int:
        """Step over `count` bytes; returns where they begin."""
        at = self.at
        if count < 0 or count > self.end - at:
            raise invalid(f"{count} bytes are wanted at {at}, {self.end - at} are left")
        self.at = at + count
        return at

    def u8(self) -> int:
        return self.data[self.take(1)]

    def u16(self) -> int:
        value: int = _U16.unpack_from(self.data, self.take(2))[0]
        return value

    def u32(self) -> int:
        value: int = _U32.unpack_from(self.data, self.take(4))[0]
        return value

    def raw(self, count: int) -> bytes:
        at = self.take(count)
        return self.data[at : at + count]

    def numbers(self, form: Struct) -> tuple[Any, ...]:
        """What a fixed structure says."""
        return form.unpack_from(self.data, self.take(form.size))

    def scalar(self, code: int) -> Any:
        """One value of a type that needs no heap."""
        form = STRUCTS[code]
        value = form.unpack_from(self.data, self.take(form.size))[0]
        return value != 0 if code == CimType.BOOLEAN else value

    def scalars(self, code: int, count: int) -> tuple[Any, ...]:
        """`count` values of such a type, one after the other."""
        at = self.take(count * SIZES[code])
        values = unpack_from(f"<{count}{LETTERS[code]}", self.data, at)
        return tuple([one != 0 for one in values]) if code == CimType.BOOLEAN else values

    def part(self) -> Reader:
        """A reader of the part that begins here with its own length, which counts itself; this one steps over it."""
        start = self.at
        length = self.u32()
        if length < 4 or length > self.end - start:
            raise invalid(f"a part at {start} is said to take {length} bytes, {self.end - start} are left")
        self.at = start + length
        return Reader(self.data, start + 4, start + length)

    def text(self) -> str:
        """An encoded string ([MS-WMIO] 2.2.78): 00, Latin-1 and 00, or 01, UTF-16 and 00 00."""
        text, self.at = read_text(self.data, self.at, self.end)
        return text


class Writer:
    """Writes to the end of `data`, and into places that were left open."""

    __slots__ = ("data",)

    def __init__(self, start: bytes = b"") -> None:
        self.data = bytearray(start)

    def __len__(self) -> int:
        return len(self.data)

    def u8(self, value: int) -> None:
        self.data.append(value)

    def u16(self, value: int) -> None:
        self.data += _U16.pack(value)

    def u32(self, value: int) -> None:
        self.data += _U32.pack(value)

    def raw(self, value: bytes | bytearray) -> None:
        self.data += value

    def numbers(self, form: Struct, *values: object) -> None:
        self.data += form.pack(*values)

    def scalar(self, code: int, value: Any) -> None:
        self.data += packed_scalar(code, value)

    def room(self, count: int) -> int:
        """Leave `count` bytes open; returns where they begin."""
        at = len(self.data)
        self.data += bytes(count)
        return at

    def fill(self, at: int, value: bytes | bytearray) -> None:
        """Write into bytes that are there already."""
        if at + len(value) > len(self.data):
            raise AssertionError("only what was left open can be filled")
        self.data[at : at + len(value)] = value

    def length_at(self, at: int) -> None:
        """Write at `at` how many bytes there are from `at` on: the length of a part, itself included."""
        self.data[at : at + 4] = _U32.pack(len(self.data) - at)

    def text(self, value: str) -> None:
        self.data += encoded_text(value)


def packed_scalar(code: int, value: Any) -> bytes:
    """A value of a type that needs no heap; `struct.error` where the value is not of the type."""
    return STRUCTS[code].pack((TRUE if value else 0) if code == CimType.BOOLEAN else value)


def packed_scalars(code: int, values: tuple[Any, ...]) -> bytes:
    """Values of such a type, one after the other."""
    if code == CimType.BOOLEAN:
        values = tuple([TRUE if one else 0 for one in values])
    return Struct(f"<{len(values)}{LETTERS[code]}").pack(*values)


# Encoded strings ----------------------------------------------------------------------------------------------------


def read_text(data: bytes, at: int, end: int) -> tuple[str, int]:
    """The encoded string at `at`, and where it ends."""
    flag = data[at] if at < end else 2
    if flag == 0:
        stop = data.find(b"\0", at + 1, end)
        if stop >= 0:
            return data[at + 1 : stop].decode("latin-1"), stop + 1
    elif flag == 1:
        stop = wide_end(data, at + 1, end)
        if stop >= 0:
            return data[at + 1 : stop].decode("utf-16-le", "surrogatepass"), stop + 2
    raise invalid(f"no string at {at}")


def wide_end(data: bytes, at: int, end: int) -> int:
    """Where the 00 00 of a UTF-16 string stands: whole units from `at`; -1 when there is none."""
    stop = data.find(b"\0\0", at, end)
    while stop >= 0 and (stop - at) & 1:
        stop = data.find(b"\0\0", stop + 1, end)
    return stop


def encoded_text(value: str) -> bytes:
    """A string as WMIO has it. It ends at its first NUL, as it does everywhere in COM: there is no way to write one."""
    if "\0" in value:
        value = value[: value.index("\0")]
    try:
        return b"\0" + value.encode("latin-1") + b"\0"
    except UnicodeEncodeError:
        return b"\1" + value.encode("utf-16-le", "surrogatepass") + b"\0\0"


__all__ = [
    "LETTERS",
    "SIZES",
    "STRUCTS",
    "TRUE",
    "Reader",
    "Struct",
    "Writer",
    "encoded_text",
    "invalid",
    "packed_scalar",
    "packed_scalars",
    "read_text",
    "size_of",
    "struct_error",
    "wide_end",
]
