"""Qualifier sets as bytes."""

from __future__ import annotations

import pytest
from tests.model.making import qualifier

from openwmi.model.cimtypes import CimType
from openwmi.model.errors import InvalidQualifierType, InvalidStream
from openwmi.model.qualifiers import EMPTY, Qualifier, QualifierSet
from openwmi.wmio.buffers import Reader
from openwmi.wmio.heaps import Heap, HeapWriter
from openwmi.wmio.qualifiers import length_of, read_qualifiers, write_qualifiers


def back(qualifiers: QualifierSet) -> QualifierSet:
    writer = HeapWriter()
    data = write_qualifiers(qualifiers, writer)
    assert len(data) == length_of(qualifiers)
    return read_qualifiers(Reader(data), Heap.at(Reader(writer.finished()), 1))


def test_every_value_and_flavor_comes_back_in_order() -> None:
    given = QualifierSet(
        (
            qualifier("key", True, 0x13),
            qualifier("Key2", False, 0x20),
            qualifier("Units", "bytes, ü", 0x80),
            qualifier("Größe", "日本", 1),
            qualifier("Number", -(2**31), 2),
            qualifier("Weight", 0.25, 0x40),
            qualifier("Values", ("a", "", "日")),
            qualifier("Flags", (True, False)),
            Qualifier("Nothing", None, CimType.STRING, 0),
        )
    )
    found = back(given)
    assert found == given
    assert [one.name for one in found] == [one.name for one in given]


def test_an_empty_set_is_its_length() -> None:
    assert write_qualifiers(EMPTY, HeapWriter()) == b"\4\0\0\0"
    assert back(EMPTY) is EMPTY


def test_a_known_name_takes_no_room_in_the_heap() -> None:
    writer = HeapWriter()
    write_qualifiers(QualifierSet((qualifier("read"), qualifier("Read2"))), writer)
    assert bytes(writer.data) == b"\0Read2\0"


def test_a_value_that_is_not_of_its_type_is_named() -> None:
    wrong = Qualifier("Units", "text", CimType.SINT32, 0)
    with pytest.raises(InvalidQualifierType, match="Units"):
        write_qualifiers(QualifierSet((wrong,)), HeapWriter())


@pytest.mark.parametrize(
    "data",
    [
        b"\x0f\0\0\0" + b"\1\0\0\x80" + b"\0" + b"\x0b\0\0\0",  # no value
        b"\x11\0\0\0" + b"\1\0\0\x80" + b"\0" + b"\x07\0\0\0" + bytes(4),  # no type
        b"\x05\0\0\0" + b"\0",
    ],
)
def test_a_broken_set_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidStream):
        read_qualifiers(Reader(data), Heap(bytes(100), 0, 100))
