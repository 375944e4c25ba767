"""Class parts, read: what one class is, but for its methods ([MS-WMIO] 2.2.13 to 2.2.37).

offset size  meaning
0      4     length of the part, itself included
4      1     0
5      4     class name: a reference (heaps.py); none for the absent parent of a root class
9      4     T: bytes of both tables below
13     4     length of the derivation, itself included
17     ...   the ancestors, parent first: encoded string, u32 bytes of that string
       ...   qualifier set of the class (qualifiers.py)
       4     n: number of properties
       8n    per property, sorted by name in any case: references to its name and to its PropertyInfo
       T     NdTable, ceil(n/4) bytes, two bits a property from bit 0 of byte 0 on; then the value table
       ...   heap

PropertyInfo
0      4     type code, with 0x4000 for a property that an ancestor has introduced
4      2     declaration order: the place of its bits in the NdTable
6      4     offset of its default in the value table
10     4     who introduced it: 0 is the root ancestor, each class below it one more
14     ...   qualifier set, CIMTYPE first

bits   meaning in a class part
0      a default of its own, in the table         2  an inherited default, in this table as well
1      no default                                 3  inherited, no default

Bits go by declaration order and not by name, which the wording of [MS-WMIO] 2.2.26 leaves open (wire.md 7.4).

In the repository files of Windows the same part stands without what the class only inherits: the derivation ends with
the parent and the properties are the local ones, but the tables have a place for every property there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.model.cimtypes import ARRAY, NAMES, CimType
from openwmi.model.classes import Class
from openwmi.model.members import Property
from openwmi.model.names import MAX_PROPERTIES
from openwmi.model.qualifiers import PROPAGATED
from openwmi.wmio.buffers import LETTERS, Reader, Struct, invalid, size_of
from openwmi.wmio.heaps import NONE, Heap
from openwmi.wmio.qualifiers import read_qualifiers

if TYPE_CHECKING:
    from typing import Any

    from openwmi.model.members import Method
    from openwmi.model.qualifiers import QualifierSet

INHERITED: Final = 0x4000
HEAD: Final = Struct("<BII")
INFO: Final = Struct("<IHII")
_MAX_DERIVATION: Final = 256


class Column(NamedTuple):
    """Where the instances of a class keep a property: type code, place of its bits, offset in the value table."""

    code: int
    order: int
    offset: int


class ClassPart(NamedTuple):
    """A class part. `name` is empty for the absent parent; properties and columns go by declaration order."""

    name: str
    derivation: tuple[str, ...]
    qualifiers: QualifierSet
    properties: tuple[Property, ...]
    columns: tuple[Column, ...]
    nd_length: int
    table_length: int

    def as_class(
        self,
        namespace: str | None = None,
        server: str | None = None,
        methods: dict[str, Method] | None = None,
    ) -> Class:
        return Class(
            self.name,
            self.derivation[0] if self.derivation else None,
            self.derivation,
            None,
            self.qualifiers,
            {one.name.lower(): one for one in self.properties},
            methods,
            namespace=namespace,
            server=server,
        )


def read_class_part(reader: Reader, depth: int = 1, *, inherited: int | None = None) -> ClassPart:
    """The class part that begins where the reader stands; the reader steps over it.

    `inherited`: for the part of a repository file, how many properties the superclass has.
    """
    part = reader.part()
    _, name_reference, tables = part.numbers(HEAD)
    derivation = _derivation(part)
    qualifiers_at = part.at
    part.part()
    count = part.u32()
    if count > MAX_PROPERTIES:
        raise invalid(f"a class has at most {MAX_PROPERTIES} properties, not {count}")
    lookup = part.scalars(CimType.UINT32, 2 * count)
    tables_at = part.take(tables)
    heap = Heap.at(part, depth)
    places = count if inherited is None else _places(heap, lookup[1::2], inherited)
    nd_length = (places + 3) // 4
    if tables < nd_length:
        raise invalid(f"{places} properties do not fit tables of {tables} bytes")
    nd = part.data[tables_at : tables_at + nd_length]
    table = part.data[tables_at + nd_length : tables_at + tables]
    name = "" if name_reference == NONE else heap.text(name_reference)
    qualifiers = read_qualifiers(Reader(part.data, qualifiers_at, part.end), heap)
    chain = (*reversed(derivation), name)
    members = [_property(heap, lookup[at], lookup[at + 1], nd, table, chain) for at in range(0, 2 * count, 2)]
    members.sort(key=_by_order)
    columns = tuple([column for column, _ in members])
    _check(columns, [one.name for _, one in members], len(table))
    properties = tuple([one for _, one in members])
    return ClassPart(name, derivation, qualifiers, properties, columns, nd_length, len(table))


def _places(heap: Heap, infos: tuple[int, ...], inherited: int) -> int:
    """How many properties a class has that lists its local ones alone."""
    orders: list[int] = [heap.reader(reference).numbers(INFO)[1] for reference in infos]
    return max([inherited - 1, *orders]) + 1


def _derivation(part: Reader) -> tuple[str, ...]:
    listed = part.part()
    names = []
    while listed.remaining:
        names.append(listed.text())
        listed.u32()
        if len(names) > _MAX_DERIVATION:
            raise invalid(f"a class has more than {_MAX_DERIVATION} ancestors")
    return tuple(names)


def _by_order(member: tuple[Column, Property]) -> int:
    return member[0].order


def _property(
    heap: Heap, name_reference: int, info_reference: int, nd: bytes, table: bytes, chain: tuple[str, ...]
) -> tuple[Column, Property]:
    name = heap.text(name_reference)
    if not name:
        raise invalid("a property has no name")
    info = heap.reader(info_reference)
    heap.spend(INFO.size)
    kind, order, offset, depth = info.numbers(INFO)
    code = kind & ~INHERITED
    if code & ~ARRAY not in NAMES:
        raise invalid(f"property {name:.80} has the type 0x{code:X}")
    if order >= 4 * len(nd):
        raise invalid(f"property {name:.80} has the place {order} in a table of {len(nd)} bytes")
    qualifiers = read_qualifiers(info, heap)
    bits = nd[order >> 2] >> 2 * (order & 3) & 3
    cimtype = qualifiers.get("cimtype")
    inherited = bool(kind & INHERITED)
    # An overridden property keeps the bit 0x4000, but its CIMTYPE is its own.
    local = not (cimtype.flavor & PROPAGATED if cimtype is not None else inherited and bits & 2)
    made = Property(
        name,
        code,
        _reference(cimtype.value if cimtype is not None else None, code),
        None if bits & 1 else _default(heap, table, offset, code),
        bits == 0,
        qualifiers,
        chain[depth] if depth < len(chain) else chain[-1],
        local,
    )
    return Column(code, order, offset), made


def _default(heap: Heap, table: bytes, offset: int, code: int) -> Any:
    if offset > len(table):
        raise invalid(f"a default stands at {offset} in a table of {len(table)} bytes")
    reader = Reader(table, offset)
    return reader.scalar(code) if code in LETTERS else heap.value(reader.u32(), code)


def _reference(cimtype: object, code: int) -> str | None:
    """The class that `object:Win32_X` or `ref:Win32_X` names."""
    if code & ~ARRAY not in (CimType.OBJECT, CimType.REFERENCE) or not isinstance(cimtype, str):
        return None
    return cimtype.partition(":")[2] or None


def _check(columns: tuple[Column, ...], names: list[str], table_length: int) -> None:
    """No two properties may share a name, a place in the NdTable or bytes of the value table."""
    if len({name.lower() for name in names}) < len(names):
        raise invalid("two properties of a class have the same name")
    if len({column.order for column in columns}) < len(columns):
        raise invalid("two properties of a class have the same place")
    free = 0
    for column in sorted(columns, key=lambda one: one.offset):
        if column.offset < free:
            raise invalid("two properties of a class share bytes of the value table")
        free = column.offset + size_of(column.code)
    if free > table_length:
        raise invalid(f"the values of a class need {free} bytes, its table has {table_length}")
