"""Class parts, read: what is refused, and what the parts of broken or foreign writers still say."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.model.making import make, prop
from tests.wmio.making import family
from tests.wmio.real import dump

from openwmi.model.cimtypes import CimType
from openwmi.model.errors import InvalidStream
from openwmi.wmio.buffers import Reader
from openwmi.wmio.classparts import INFO, read_class_part
from openwmi.wmio.classwriting import class_part
from openwmi.wmio.objects import read_decoration


def test_bits_go_by_declaration_order_and_not_by_name(shared_data: Path) -> None:
    """wire.md 7.4: in lookup order the default of Data2 would fall to Data1."""
    reader = Reader(dump(shared_data, "wmio_instance_encoding"), 8)
    read_decoration(reader)
    part = read_class_part(reader)
    assert [(one.name, one.default, one.has_default) for one in part.properties] == [
        ("Id", None, False),
        ("Data1", None, False),
        ("Data2", "defaultValue", True),
        ("Array", None, False),
    ]
    assert [column.order for column in part.columns] == [0, 1, 2, 3]
    assert [column.offset for column in part.columns] == [0, 4, 8, 12]


def test_origins_count_from_the_root(shared_data: Path) -> None:
    reader = Reader(dump(shared_data, "wmio_win32_process"), 8)
    read_decoration(reader)
    part = read_class_part(reader)
    assert part.name == "CIM_Process"
    assert part.derivation == ("CIM_LogicalElement", "CIM_ManagedSystemElement")
    origins = {one.name: one.origin for one in part.properties}
    assert origins["Caption"] == "CIM_ManagedSystemElement"
    assert origins["Handle"] == "CIM_Process"


def test_an_overridden_property_is_local_though_its_type_says_inherited(shared_data: Path) -> None:
    """Windows leaves 0x4000 on KernelModeTime of Win32_Process and takes 0x20 off its CIMTYPE."""
    from openwmi.wmio import decode_class

    class_, _ = decode_class(dump(shared_data, "wmio_win32_process"))
    assert [one.name for one in class_.properties.values() if one.local][:3] == [
        "KernelModeTime",
        "Priority",
        "UserModeTime",
    ]


@pytest.mark.req("A-003")
def test_the_bit_that_says_inherited_stays_in_the_bytes(shared_data: Path) -> None:
    """Windows wrote it; nobody who asks for the type of a property sees it, nor for that of a parameter."""
    from openwmi import com
    from openwmi.faces.com.objects import class_object
    from openwmi.wmio import decode_class
    from openwmi.wmio.classparts import INHERITED

    data = dump(shared_data, "wmio_win32_process")
    class_, _ = decode_class(data)
    inherited = [one.name for one in class_.properties.values() if not one.local]
    assert len(inherited) > 10
    coded = (int(CimType.STRING) | INHERITED).to_bytes(4, "little")
    assert data.count(coded) > 5, "it is there"
    shown = class_object(class_)
    for name in class_.properties:
        hr, _, kind, _ = shown.Get(name, 0)
        assert (hr, kind & INHERITED) == (0, 0)
    assert shown.Get(inherited[0], 0)[3] == com.WBEM_FLAVOR_ORIGIN_PROPAGATED
    sides = [
        side for one in class_.methods.values() for side in (one.inputs, one.outputs) if side is not None
    ]
    types = [one.type for side in sides for one in side.properties.values()]
    assert types
    assert not any(kind & INHERITED for kind in types)


def test_the_absent_parent_has_no_name_and_no_property() -> None:
    from openwmi.model.classes import Class

    data = class_part(Class(""))
    assert data.hex() == "1d00000000ffffffff000000000400000004000000" + "00000000" + "00000080"
    part = read_class_part(Reader(data))
    assert (part.name, part.properties, part.derivation) == ("", (), ())


def broken(at: int, value: int, size: int = 4) -> bytes:
    data = bytearray(class_part(family()[0]))
    data[at : at + size] = value.to_bytes(size, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("at", "value"),
    [(0, 3), (0, 0xFFFFFFF), (5, 0x7FFFFFFF), (9, 1), (9, 0xFFFFFFF), (13, 0xFFFF), (13, 2)],
)
def test_broken_heads_are_refused(at: int, value: int) -> None:
    with pytest.raises(InvalidStream):
        read_class_part(Reader(broken(at, value)))


def with_info(**changes: int) -> bytes:
    """A class of two uint32 properties whose second PropertyInfo is changed."""
    data = bytearray(class_part(make("T", prop("A", CimType.UINT32), prop("B", CimType.UINT32))))
    at = data.index(INFO.pack(CimType.UINT32, 1, 4, 0))
    fields = {"kind": CimType.UINT32, "order": 1, "offset": 4, "depth": 0, **changes}
    data[at : at + INFO.size] = INFO.pack(fields["kind"], fields["order"], fields["offset"], fields["depth"])
    return bytes(data)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"kind": 7}, "type"),
        ({"kind": 0x8013}, "type"),
        ({"order": 0}, "same place"),
        ({"order": 4}, "place 4"),
        ({"offset": 2}, "share"),
        ({"offset": 5}, "need 9 bytes"),
        ({"offset": 0xFFFFFFFF}, "need"),
    ],
)
def test_broken_properties_are_refused(changes: dict[str, int], match: str) -> None:
    with pytest.raises(InvalidStream, match=match):
        read_class_part(Reader(with_info(**changes)))


def test_gaps_between_places_and_offsets_are_taken() -> None:
    """A class whose properties were removed may have them; what matters is that nothing overlaps."""
    part = read_class_part(Reader(with_info(order=3)))
    assert [column.order for column in part.columns] == [0, 3]


def test_an_origin_below_the_class_is_the_class() -> None:
    """impacket and projections write depths that fit no derivation."""
    part = read_class_part(Reader(with_info(depth=9)))
    assert part.properties[1].origin == "T"


def test_two_properties_of_one_name_are_refused() -> None:
    data = class_part(make("T", prop("Aa"), prop("Ab"))).replace(b"\0Ab\0", b"\0aA\0")
    with pytest.raises(InvalidStream, match="same name"):
        read_class_part(Reader(data))


def test_a_thousand_properties_of_one_info_cost_nothing() -> None:
    """Each reads the same qualifier set: the allowance of the heap ends it."""
    data = bytearray(class_part(make("T", *[prop(f"P{at:03}") for at in range(600)])))
    start = data.index((600).to_bytes(4, "little")) + 4
    first = data[start + 4 : start + 8]
    for at in range(600):
        data[start + 8 * at + 4 : start + 8 * at + 8] = first
    with pytest.raises(InvalidStream):
        read_class_part(Reader(bytes(data)))


def test_more_than_1024_properties_are_refused() -> None:
    data = bytearray(class_part(make("T", prop("A"))))
    at = data.index(b"\4\0\0\0\1\0\0\0") + 4
    data[at : at + 4] = (1025).to_bytes(4, "little")
    with pytest.raises(InvalidStream, match="1024"):
        read_class_part(Reader(bytes(data)))
