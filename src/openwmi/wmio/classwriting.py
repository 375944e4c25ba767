"""Class parts, written; classparts.py draws their bytes. The heap is laid out as Windows lays it out.

offset       what the heap holds
0            class name, then names and values of the qualifiers of the class
...          per property, sorted by name: its name, its PropertyInfo, then names and values of its qualifiers
...          the defaults, by declaration order

NULL slots of the value table are FF, and so are the bits of the NdTable that no property uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model.cimtypes import ARRAY, NAMES, CimType, type_name
from openwmi.model.classes import Class
from openwmi.model.errors import error
from openwmi.model.members import same_name
from openwmi.model.qualifiers import EMPTY, PROPAGATED, TO_INSTANCE, TO_SUBCLASS, Qualifier, QualifierSet
from openwmi.model.status import WBEM_E_TYPE_MISMATCH
from openwmi.wmio.buffers import LETTERS, Writer, packed_scalar, size_of, struct_error
from openwmi.wmio.classparts import HEAD, INFO, INHERITED
from openwmi.wmio.heaps import NONE, HeapWriter
from openwmi.wmio.qualifiers import length_of, write_qualifiers

if TYPE_CHECKING:
    from openwmi.model.members import Method, Property

_OWN_CIMTYPE: Final = TO_INSTANCE | TO_SUBCLASS


def class_part(class_: Class, depth: int = 1) -> bytes:
    """The part of one class; a class without a name gives that of an absent parent."""
    heap = HeapWriter(depth=depth)
    name = heap.string(class_.name) if class_.name else NONE
    qualifiers = write_qualifiers(class_.qualifiers, heap)
    members = list(class_.properties.values())
    chain = [one.lower() for one in (*reversed(class_.derivation), class_.name)]
    offsets = _offsets(members)
    lookup = Writer()
    for order in sorted(range(len(members)), key=lambda at: members[at].name.lower()):
        one = members[order]
        lookup.u32(heap.word(one.name))
        depth = chain.index(one.origin.lower()) if one.origin.lower() in chain else len(chain) - 1
        lookup.u32(_info(one, order, offsets[order], depth, depth < len(chain) - 1, heap))
    tables = _tables(class_, members, offsets, heap)

    part = Writer(bytes(4))
    part.numbers(HEAD, 0, name, len(tables))
    part.raw(_derivation(class_.derivation))
    part.raw(qualifiers)
    part.u32(len(members))
    part.raw(lookup.data)
    part.raw(tables)
    part.raw(heap.finished())
    part.length_at(0)
    return bytes(part.data)


def _derivation(names: tuple[str, ...]) -> bytes:
    listed = Writer(bytes(4))
    for name in names:
        at = len(listed)
        listed.text(name)
        listed.u32(len(listed) - at)
    listed.length_at(0)
    return bytes(listed.data)


def _offsets(members: list[Property]) -> list[int]:
    offsets, free = [], 0
    for one in members:
        offsets.append(free)
        free += size_of(one.type)
    return offsets


def _info(one: Property, order: int, offset: int, depth: int, inherited: bool, heap: HeapWriter) -> int:
    qualifiers = with_cimtype(one)
    at = heap.room(INFO.size + length_of(qualifiers))
    kind = one.type | (INHERITED if inherited or not one.local else 0)
    heap.fill(at, INFO.pack(kind, order, offset, depth))
    heap.fill(at + INFO.size, write_qualifiers(qualifiers, heap))
    return at


def with_cimtype(one: Property) -> QualifierSet:
    """The qualifiers of a property with its CIMTYPE, which a class made by hand may lack."""
    if "cimtype" in one.qualifiers:
        return one.qualifiers
    text = NAMES[one.type & ~ARRAY] + (f":{one.reference}" if one.reference else "")
    flavor = _OWN_CIMTYPE | (0 if one.local else PROPAGATED)
    return QualifierSet((Qualifier("CIMTYPE", text, CimType.STRING, flavor), *one.qualifiers))


def _tables(class_: Class, members: list[Property], offsets: list[int], heap: HeapWriter) -> bytes:
    """NdTable and value table; defaults that need the heap are appended to it."""
    nd_length = (len(members) + 3) // 4
    nd = (1 << 8 * nd_length) - 1
    size = offsets[-1] + size_of(members[-1].type) if members else 0
    table = bytearray(b"\xff" * size)
    for order, one in enumerate(members):
        introduced = same_name(one.origin, class_.name)
        if one.default is None:
            bits = 1 if one.local else 3
        else:
            bits = 0 if one.has_default or (one.local and introduced) else 2
            table[offsets[order] : offsets[order] + size_of(one.type)] = _default(class_, one, heap)
        nd &= ~((3 ^ bits) << 2 * order)
    return nd.to_bytes(nd_length, "little") + table


def _default(class_: Class, one: Property, heap: HeapWriter) -> bytes:
    try:
        if one.type in LETTERS:
            return packed_scalar(one.type, one.default)
        return packed_scalar(CimType.UINT32, heap.value(one.default, one.type))
    except (struct_error, TypeError, AttributeError, OverflowError):
        message = f"class {class_.name}: the default of {one.name} is no {type_name(one.type)}"
        raise error(WBEM_E_TYPE_MISMATCH, message, parameter=one.name) from None


def parent_of(class_: Class) -> Class:
    """What a class tells about its superclass; a class without a name when it has none.

    Properties and methods that the class introduces are left out, so are qualifiers of its own. A default that it
    overrides is not known any more.
    """
    if not class_.derivation:
        return Class("")
    name = class_.derivation[0]
    return Class(
        name,
        class_.derivation[1] if len(class_.derivation) > 1 else None,
        class_.derivation[1:],
        None,
        class_.qualifiers.propagated(),
        {
            key: _above(one, name)
            for key, one in class_.properties.items()
            if not same_name(one.origin, class_.name)
        },
        {
            key: _method_above(one, name)
            for key, one in class_.methods.items()
            if not same_name(one.origin, class_.name)
        },
    )


def _above(one: Property, parent: str) -> Property:
    local = same_name(one.origin, parent)
    qualifiers = one.qualifiers.propagated().without("cimtype")
    if local:
        qualifiers = _declared(qualifiers)
    default = None if one.has_default else one.default
    made = one.replace(qualifiers=qualifiers, default=default, has_default=local and default is not None)
    made = made.replace(local=local)
    return made.replace(qualifiers=with_cimtype(made))


def _method_above(one: Method, parent: str) -> Method:
    local = same_name(one.origin, parent)
    qualifiers = one.qualifiers.propagated()
    return one.replace(qualifiers=_declared(qualifiers) if local else qualifiers, local=local)


def _declared(qualifiers: QualifierSet) -> QualifierSet:
    made = [one._replace(flavor=one.flavor & ~PROPAGATED) for one in qualifiers]
    return QualifierSet(made) if made else EMPTY
