"""Qualifier sets as bytes ([MS-WMIO] 2.2.59 to 2.2.63).

offset size  meaning
0      4     length of the set, itself included; 4 when it is empty
4      ...   qualifiers, one after the other:
  0    4     name: a reference (heaps.py), often to a word of the dictionary
  4    1     flavor: 1 to instances, 2 to subclasses, 0x10 not overridable, 0x20 propagated, 0x40 system, 0x80 amended
  5    4     type code
  9    1-8   value, as in a value table: the scalar, or a reference
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model.cimtypes import ARRAY, NAMES
from openwmi.model.errors import error
from openwmi.model.qualifiers import EMPTY, Qualifier, QualifierSet
from openwmi.model.status import WBEM_E_INVALID_QUALIFIER_TYPE
from openwmi.wmio.buffers import LETTERS, Reader, Struct, Writer, invalid, size_of, struct_error

if TYPE_CHECKING:
    from openwmi.wmio.heaps import Heap, HeapWriter

_HEAD: Final = Struct("<IBI")
EMPTY_SET: Final = b"\4\0\0\0"


def read_qualifiers(reader: Reader, heap: Heap) -> QualifierSet:
    """The set that begins where the reader stands."""
    part = reader.part()
    if not part.remaining:
        return EMPTY
    heap.spend(part.remaining)
    found = []
    while part.remaining:
        name, flavor, code = part.numbers(_HEAD)
        if code & ~ARRAY not in NAMES:
            raise invalid(f"a qualifier has the type 0x{code:X}")
        value = part.scalar(code) if code in LETTERS else heap.value(part.u32(), code)
        found.append(Qualifier(heap.text(name), value, code, flavor))
    return QualifierSet(found)


def length_of(qualifiers: QualifierSet) -> int:
    """Bytes of the set itself; names and values in the heap come on top."""
    return 4 + sum([_HEAD.size + size_of(one.type) for one in qualifiers])


def write_qualifiers(qualifiers: QualifierSet, heap: HeapWriter) -> bytes:
    """The set; names and values go to the heap in the order of the set, as Windows writes them."""
    if not len(qualifiers):
        return EMPTY_SET
    writer = Writer(bytes(4))
    for one in qualifiers:
        try:
            writer.numbers(_HEAD, heap.word(one.name), one.flavor, one.type)
            if one.type in LETTERS:
                writer.scalar(one.type, one.value)
            else:
                writer.u32(heap.value(one.value, one.type))
        except (struct_error, TypeError, AttributeError):
            message = f"qualifier {one.name}: {one.value!r:.60} is not of its type"
            raise error(WBEM_E_INVALID_QUALIFIER_TYPE, message, parameter=one.name) from None
    writer.length_at(0)
    return bytes(writer.data)
