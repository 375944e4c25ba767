"""Methods parts, which follow every class part of a class object ([MS-WMIO] 2.2.38 to 2.2.50).

offset size  meaning
0      4     length of the part, itself included
4      2     n: number of methods
6      2     anything
8      24n   per method:
  0    4     name: a reference (heaps.py)
  4    1     1 for a method that is only inherited
  5    3     0
  8    4     who introduced it: 0 is the root ancestor
  12   4     qualifier set: a reference
  16   4     inputs: a reference to a signature, which is a class __PARAMETERS; length 0 for none
  20   4     outputs, the same
...          heap, per method: name, inputs, outputs, qualifiers
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model.classes import Class
from openwmi.model.members import Method
from openwmi.wmio.buffers import Reader, Struct, Writer, invalid
from openwmi.wmio.heaps import NONE, Heap, HeapWriter
from openwmi.wmio.qualifiers import length_of, read_qualifiers, write_qualifiers

if TYPE_CHECKING:
    from collections.abc import Iterable

_ROW: Final = Struct("<IB3xIIII")
_PROPAGATED: Final = 1


def read_methods(reader: Reader, chain: tuple[str, ...], depth: int = 1) -> dict[str, Method]:
    """The methods by lower-case name. `chain`: the root ancestor and so on down to the class itself."""
    part = reader.part()
    count = part.u16()
    part.u16()
    rows = [part.numbers(_ROW) for _ in range(count)]
    heap = Heap.at(part, depth)
    methods = {}
    for name_reference, flags, origin, qualifiers, inputs, outputs in rows:
        name = heap.text(name_reference)
        methods[name.lower()] = Method(
            name,
            read_qualifiers(heap.reader(qualifiers), heap),
            _signature(heap, inputs),
            _signature(heap, outputs),
            chain[origin] if origin < len(chain) else chain[-1],
            not flags & _PROPAGATED,
        )
    return methods


def _signature(heap: Heap, reference: int) -> Class | None:
    if reference == NONE:
        return None
    found = heap.object(reference)
    if found is not None and not isinstance(found, Class):
        raise invalid("the parameters of a method are no class")
    return found


def methods_part(methods: Iterable[Method], chain: tuple[str, ...], depth: int = 1) -> bytes:
    """The part of some methods; `chain` as above."""
    heap = HeapWriter(depth=depth)
    rows = Writer()
    lower = [one.lower() for one in chain]
    count = 0
    for one in methods:
        name = heap.string(one.name)
        inputs = heap.object(one.inputs)
        outputs = heap.object(one.outputs)
        qualifiers = heap.room(length_of(one.qualifiers))
        heap.fill(qualifiers, write_qualifiers(one.qualifiers, heap))
        origin = lower.index(one.origin.lower()) if one.origin.lower() in lower else len(chain) - 1
        rows.numbers(_ROW, name, 0 if one.local else _PROPAGATED, origin, qualifiers, inputs, outputs)
        count += 1
    part = Writer(bytes(4))
    part.u16(count)
    part.u16(0)
    part.raw(rows.data)
    part.raw(heap.finished())
    part.length_at(0)
    return bytes(part.data)
