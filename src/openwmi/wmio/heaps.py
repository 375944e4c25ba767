"""Heaps: where a part keeps its strings, arrays, qualifier sets and embedded objects ([MS-WMIO] 2.2.66 to 2.2.69).

offset size  meaning
0      4     bytes that follow, with bit 31 set
4      n     items, found by references from the part; there may be gaps, and bytes that nothing refers to

reference    meaning
0xFFFFFFFF   none
bit 31 set   the rest is a number in the dictionary below, instead of a string
else         offset of the item from the first byte of the heap

item         bytes
string       00, Latin-1, 00; or 01, UTF-16, 00 00
array        u32 count, then the scalars; for strings, datetimes and refs `count` references to strings, for objects
             references to objects
object       u32 length, ObjectBlock (objects.py); length 0 is no object
signature    the same

Items of real heaps never overlap. A peer's might, to make much out of little: one megabyte that a thousand
references all mean. So a heap gives out its items against an allowance: strings up to four times its own size (some
writers share strings), objects up to its own size (or nesting them would double the work at each level).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.errors import error
from openwmi.model.names import MAX_NESTING
from openwmi.model.status import WBEM_E_QUOTA_VIOLATION, WBEM_E_TOO_MUCH_DATA
from openwmi.wmio.buffers import (
    LETTERS,
    Reader,
    Writer,
    encoded_text,
    invalid,
    packed_scalars,
    read_text,
)

if TYPE_CHECKING:
    from typing import Any

    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance

NONE: Final = 0xFFFFFFFF
DICTIONARY_BIT: Final = 0x80000000
DICTIONARY: Final = (
    '"',
    "key",
    "NADA",
    "read",
    "write",
    "volatile",
    "provider",
    "dynamic",
    "cimwin32",
    "DWORD",
    "CIMTYPE",
)
_NUMBERS: Final = {word: DICTIONARY_BIT | number for number, word in enumerate(DICTIONARY)}

_TEXT_ALLOWANCE: Final = 4


class Heap:
    """A heap that is read: `data[start:end]`, of an object that lies `depth` objects deep (1: the outermost)."""

    __slots__ = ("_objects", "_texts", "data", "depth", "end", "start")

    def __init__(self, data: bytes, start: int, end: int, depth: int = 1) -> None:
        self.data = data
        self.start = start
        self.end = end
        self.depth = depth
        self._texts = (end - start) * _TEXT_ALLOWANCE
        self._objects = end - start

    @classmethod
    def at(cls, reader: Reader, depth: int) -> Heap:
        """The heap that begins where the reader stands; the reader steps over it."""
        length = reader.u32()
        if not length & DICTIONARY_BIT:
            raise invalid(f"a heap at {reader.at - 4} has the length 0x{length:X}, without bit 31")
        start = reader.take(length & ~DICTIONARY_BIT)
        return cls(reader.data, start, reader.at, depth)

    def reader(self, reference: int) -> Reader:
        """A reader from an item to the end of the heap."""
        if reference >= self.end - self.start:
            raise invalid(
                f"reference 0x{reference:X} is outside of its heap of {self.end - self.start} bytes"
            )
        return Reader(self.data, self.start + reference, self.end)

    def spend(self, count: int) -> None:
        """Take `count` bytes off the allowance for everything but objects."""
        self._texts -= count
        if self._texts < 0:
            raise invalid("the items of a heap overlap")

    def text(self, reference: int) -> str:
        """The string behind a reference, or the dictionary's word."""
        if reference & DICTIONARY_BIT:
            number = reference & ~DICTIONARY_BIT
            if number >= len(DICTIONARY):
                raise invalid(f"reference 0x{reference:X} is no word of the dictionary")
            return DICTIONARY[number]
        at = self.reader(reference).at
        text, stop = read_text(self.data, at, self.end)
        self.spend(stop - at)
        return text

    def object(self, reference: int) -> Instance | Class | None:
        """The embedded object behind a reference; None for an empty one."""
        reader = self.reader(reference)
        length = reader.u32()
        if length == 0:
            return None
        start = reader.take(length)
        self._objects -= length
        if self._objects < 0:
            raise invalid("the objects of a heap overlap")
        if self.depth >= MAX_NESTING:
            raise invalid(f"objects are embedded more than {MAX_NESTING} deep")
        from openwmi.wmio.objects import read_block

        return read_block(Reader(self.data, start, reader.at), self.depth + 1)

    def value(self, reference: int, code: int) -> Any:
        """The raw value of a type that keeps its values in the heap; NULL for the reference that means none."""
        if reference == NONE:
            return None
        if code & ARRAY:
            return self._array(reference, code & ~ARRAY)
        return self.object(reference) if code == CimType.OBJECT else self.text(reference)

    def _array(self, reference: int, code: int) -> tuple[Any, ...]:
        reader = self.reader(reference)
        start = reader.at
        count = reader.u32()
        plain = code in LETTERS
        items = reader.scalars(code if plain else CimType.UINT32, count)
        self.spend(reader.at - start)
        if plain:
            return items
        return tuple([self.value(one, code) for one in items])


class HeapWriter(Writer):
    """A heap that is written; `data` is its content without the length. Every method returns a reference.

    depth: how deep the object lies whose heap this is, 1 for the outermost.
    """

    __slots__ = ("depth",)

    def __init__(self, start: bytes = b"", depth: int = 1) -> None:
        super().__init__(start)
        self.depth = depth

    def string(self, value: str) -> int:
        at = len(self.data)
        self.data += encoded_text(value)
        return at

    def word(self, value: str) -> int:
        """A name of a qualifier or property: often one of the dictionary, which distinguishes case."""
        known = _NUMBERS.get(value)
        return self.string(value) if known is None else known

    def item(self, value: bytes | bytearray) -> int:
        at = len(self.data)
        self.data += value
        return at

    def object(self, value: Instance | Class | None) -> int:
        """An embedded object, with its length in front; QUOTA_VIOLATION when objects lie too deep in each other."""
        from openwmi.wmio.objects import block_of

        at = self.room(4)
        if value is not None:
            if self.depth >= MAX_NESTING:
                message = f"objects are embedded more than {MAX_NESTING} deep"
                raise error(WBEM_E_QUOTA_VIOLATION, message)
            self.data += block_of(value, self.depth + 1)
        self.fill(at, (len(self.data) - at - 4).to_bytes(4, "little"))
        return at

    def value(self, value: Any, code: int) -> int:
        """A value of a type that keeps its values in the heap; NULL is the reference that means none."""
        if value is None:
            return NONE
        if not code & ARRAY:
            return self.object(value) if code == CimType.OBJECT else self.string(value)
        element = code & ~ARRAY
        at = len(self.data)
        self.u32(len(value))
        if element in LETTERS:
            self.data += packed_scalars(element, value)
            return at
        places = self.room(4 * len(value))
        references = tuple([self.value(one, element) for one in value])
        self.fill(places, packed_scalars(CimType.UINT32, references))
        return at

    def finished(self) -> bytes:
        """The heap with its length; TOO_MUCH_DATA beyond 2 GiB."""
        if len(self.data) >= DICTIONARY_BIT:
            raise error(WBEM_E_TOO_MUCH_DATA, "an object does not fit a heap of 2 GiB")
        return (DICTIONARY_BIT | len(self.data)).to_bytes(4, "little") + bytes(self.data)
