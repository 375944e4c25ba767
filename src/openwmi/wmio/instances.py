"""Instances, read: handed over unread, and decoded when somebody looks ([MS-WMIO] 2.2.53 to 2.2.58).

offset size  meaning
0      4     length from here to the end of the heap
4      1     0
5      4     class name: a reference, in practice always 0
9      T     NdTable and value table; T and what lies where is said by the class part (classparts.py)
9+T    4...  qualifier set of the instance; 4 bytes when it is empty
       1     1: no qualifiers on properties; 2: one qualifier set per property follows, by declaration order
       ...   heap

bits   meaning in an instance
0      the value stands in the table
1      NULL
2, 3   the class default, which may be NULL
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.model.instances import Extras, Instance
from openwmi.model.values import present
from openwmi.wmio.buffers import Reader, Struct, invalid, struct_error
from openwmi.wmio.compiled import HEAD_SIZE, PLAIN_TAIL
from openwmi.wmio.heaps import DICTIONARY_BIT, Heap
from openwmi.wmio.qualifiers import read_qualifiers

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.model.layouts import Layout
    from openwmi.wmio.reading import ReadOne
    from openwmi.wmio.shapes import Shape

_LENGTH: Final = Struct("<I").unpack_from
TAIL: Final = Struct("<5sI").unpack_from
_NO_PROPERTIES: Final = 1
_ALL_PROPERTIES: Final = 2
_LATE: Final = frozenset(("values_", "defaults_"))

new = object.__new__


class DecodedInstance(Instance):
    """An instance over its bytes. Reading a property decodes that one; anything else decodes them all, once.

    Reading may raise INVALID_STREAM, where the tables were sound but what they refer to is not.
    """

    __slots__ = ("source_",)

    # Shape, bytes, depth; None once everything is decoded. The other slots are empty until somebody asks for them.
    source_: tuple[Shape, bytes, int] | None

    def __getattr__(self, name: str) -> Any:
        source = self.source_
        if source is None:
            return Instance.__getattr__(self, name)
        if name in _LATE:
            self._settle(source)
            return object.__getattribute__(self, name)
        if name == "layout_":
            self.layout_ = source[0].layout
            return self.layout_
        if name == "extras_":
            self.extras_ = None
            return None
        read = source[0].reader(name)
        return Instance.__getattr__(self, name) if read is None else read(source[1])

    def __getitem__(self, name: str) -> Any:
        source = self.source_
        read = source[0].reader(name) if source is not None else None
        return Instance.__getitem__(self, name) if source is None or read is None else read(source[1])

    def _settle(self, source: tuple[Shape, bytes, int]) -> None:
        shape, body, depth = source
        values, defaults = shape.values(body, depth)
        self.layout_ = shape.layout
        self.extras_ = None
        self.values_ = values
        self.defaults_ = defaults
        self.source_ = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Instance, (self.layout_, self.values_, self.defaults_, self.extras_)


def kind_of(layout: Layout, readers: dict[str, ReadOne]) -> type[DecodedInstance]:
    """DecodedInstance with the properties of a layout as properties of Python: twice as fast as `__getattr__`.

    Names that mean something already, or that are none to Python, go without.
    """
    known = {
        name: property(_getter(position, layout.types[position], readers[name]))
        for position, name in enumerate(layout.names)
        if name in readers and name.isidentifier() and name[-1] != "_" and not hasattr(DecodedInstance, name)
    }
    return type("DecodedInstance", (DecodedInstance,), {"__slots__": (), "__module__": __name__, **known})


def _getter(position: int, code: int, read: ReadOne) -> Callable[[DecodedInstance], Any]:
    def getter(instance: DecodedInstance) -> Any:
        source = instance.source_
        if source is None:
            return present(instance.values_[position], code)
        return read(source[1])

    return getter


def read_instance(data: bytes, at: int, end: int, shape: Shape, depth: int = 1) -> Instance:
    """The instance whose length stands at `at`; what the tables say is read later."""
    try:
        (length,) = _LENGTH(data, at)
        tail, heap_length = TAIL(data, at + shape.tail_at)
    except struct_error:
        raise invalid(f"an instance of {shape.class_.name} at {at} is cut off") from None
    if length > end - at:
        raise invalid(f"an instance is said to take {length} bytes, {end - at} are left")
    if tail != PLAIN_TAIL:
        return _with_qualifiers(data[at : at + length], shape, depth)
    stop = shape.heap_at + heap_length - DICTIONARY_BIT
    if not shape.heap_at <= stop <= length:
        raise invalid(f"a heap of 0x{heap_length:X} bytes does not fit an instance of {length}")
    made = new(shape.kind)
    made.source_ = (shape, data[at : at + stop], depth)
    return made


def _with_qualifiers(body: bytes, shape: Shape, depth: int) -> Instance:
    """An instance that has qualifiers, decoded at once."""
    reader = Reader(body, HEAD_SIZE)
    reader.take(shape.tail_at - HEAD_SIZE)
    own_at = reader.at
    reader.part()
    flag = reader.u8()
    if flag not in (_NO_PROPERTIES, _ALL_PROPERTIES):
        raise invalid(f"an instance has {flag} where qualifiers of properties are announced")
    sets_at = reader.at
    if flag == _ALL_PROPERTIES:
        for _ in shape.columns:
            reader.part()
    heap = Heap.at(reader, depth)
    own = read_qualifiers(Reader(body, own_at), heap)
    sets = Reader(body, sets_at)
    of_properties = {}
    if flag == _ALL_PROPERTIES:
        for name in shape.layout.index:
            found = read_qualifiers(sets, heap)
            if len(found):
                of_properties[name] = found
    values, defaults = shape.values_with(heap, body)
    extras = Extras(own, of_properties) if len(own) or of_properties else None
    return Instance(shape.layout, values, defaults, extras)
