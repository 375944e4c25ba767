"""Shapes: what all instances of one class part have in common when they are read, with the code made for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.wmio.buffers import LETTERS, Reader
from openwmi.wmio.classparts import Column, read_class_part
from openwmi.wmio.compiled import FAULTS, HEAD_SIZE, PLAIN_TAIL, TEXTS, bits_of, decoder
from openwmi.wmio.heaps import Heap
from openwmi.wmio.instances import kind_of
from openwmi.wmio.reading import property_reader

if TYPE_CHECKING:
    from openwmi.model.classes import Class
    from openwmi.model.layouts import Layout
    from openwmi.wmio.compiled import Decode
    from openwmi.wmio.reading import ReadOne

# Making a decoder costs as much as reading a hundred objects without one, so a pattern has to come back first.
_COMPILE_AFTER: Final = 2
_MAX_PATTERNS: Final = 64
# The generated code has no allowance for strings that overlap: beyond this many bytes (heap times columns of text)
# objects are read step by step.
_MAX_FAST: Final = 1 << 20

_MAX_SHAPES: Final = 256
_MAX_KEPT_BYTES: Final = 16 << 20
_LARGEST_KEPT: Final = 1 << 20


class Shape:
    """The class of some instances and how their bytes are laid out.

    table_at, tail_at, heap_at: offsets from the length of an instance on, of the value table, of what follows the
    tables, and of the heap where the instance has no qualifiers. kind: what becomes of a plain one.
    """

    __slots__ = (
        "_fast_limit",
        "_patterns",
        "_readers",
        "_seen",
        "class_",
        "columns",
        "defaults",
        "heap_at",
        "kind",
        "layout",
        "table_at",
        "tail_at",
    )

    def __init__(self, class_: Class, columns: tuple[Column, ...], nd_length: int, table_length: int) -> None:
        self.class_ = class_
        self.layout: Layout = class_.layout
        self.columns = columns
        self.table_at = HEAD_SIZE + nd_length
        self.tail_at = self.table_at + table_length
        self.heap_at = self.tail_at + len(PLAIN_TAIL) + 4
        self.defaults = tuple([one.default for one in class_.properties.values()])
        self._patterns: dict[bytes, tuple[Decode, int]] = {}
        self._seen: dict[bytes, int] = {}
        self._readers: dict[str, ReadOne] = {
            name: property_reader(column, default, self.table_at, self.heap_at)
            for name, column, default in zip(self.layout.names, columns, self.defaults, strict=True)
            if column.code in LETTERS or column.code in TEXTS
        }
        self.kind = kind_of(self.layout, self._readers)
        texts = sum([column.code not in LETTERS for column in columns])
        self._fast_limit = _MAX_FAST // max(1, texts)

    def values(self, body: bytes, depth: int) -> tuple[tuple[Any, ...], int]:
        """The values of an instance without qualifiers, and which of them are class defaults."""
        nd = body[HEAD_SIZE : self.table_at]
        known = self._patterns.get(nd) or self._learned(nd)
        if known is not None and len(body) <= self._fast_limit:
            try:
                return known[0](body, depth), known[1]
            except FAULTS:
                pass  # a word of the dictionary, or a fault that the slow way names
        return self.values_with(Heap(body, self.heap_at, len(body), depth), body)

    def values_with(self, heap: Heap, body: bytes) -> tuple[tuple[Any, ...], int]:
        """The same, step by step, with any heap."""
        nd = body[HEAD_SIZE : self.table_at]
        reader = Reader(body, self.table_at, self.tail_at)
        values = []
        mask = 0
        for at, (code, order, offset) in enumerate(self.columns):
            bits = bits_of(nd, order)
            if bits:
                mask |= bits >> 1 << at
                values.append(self.defaults[at] if bits & 2 else None)
                continue
            reader.at = self.table_at + offset
            values.append(reader.scalar(code) if code in LETTERS else heap.value(reader.u32(), code))
        return tuple(values), mask

    def _learned(self, nd: bytes) -> tuple[Decode, int] | None:
        """The decoder of a pattern, made when it has come often enough."""
        seen = self._seen.get(nd, 0) + 1
        if len(self._seen) >= 4 * _MAX_PATTERNS:
            self._seen.clear()
        self._seen[nd] = seen
        if seen <= _COMPILE_AFTER or len(self._patterns) >= _MAX_PATTERNS:
            return None
        mask = sum([bits_of(nd, one.order) >> 1 << at for at, one in enumerate(self.columns)])
        made = decoder(self.columns, nd, self.table_at, self.heap_at, self.defaults), mask
        self._patterns[nd] = made
        return made

    def reader(self, name: str) -> ReadOne | None:
        """What reads one property by its name in any case; None for an unknown name or one that is read with all."""
        position = self.layout.index.get(name.lower())
        return None if position is None else self._readers.get(self.layout.names[position])

    def in_place(self, namespace: str | None, server: str | None) -> Shape:
        """The shape of the same class in another place."""
        if namespace == self.layout.namespace and server == self.layout.server:
            return self
        nd_length = self.table_at - HEAD_SIZE
        class_ = self.class_.decorated(namespace, server)
        return Shape(class_, self.columns, nd_length, self.tail_at - self.table_at)


_known: dict[tuple[bytes, str | None, str | None], Shape] = {}
_kept = 0


def shape_at(reader: Reader, namespace: str | None, server: str | None, depth: int = 1) -> Shape:
    """The shape of the class part where the reader stands; the reader steps over it. Known parts are not parsed."""
    global _kept  # noqa: PLW0603 - a cache of the process, like the compiled code
    start = reader.at
    reader.part()
    part = reader.data[start : reader.at]
    key = (part, namespace, server)
    known = _known.get(key)
    if known is not None:
        return known
    found = read_class_part(Reader(part), depth)
    shape = Shape(found.as_class(namespace, server), found.columns, found.nd_length, found.table_length)
    if len(part) <= _LARGEST_KEPT:
        if len(_known) >= _MAX_SHAPES or _kept + len(part) > _MAX_KEPT_BYTES:
            _known.clear()
            _kept = 0
        _known[key] = shape
        _kept += len(part)
    return shape
