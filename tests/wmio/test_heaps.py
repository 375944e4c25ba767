"""Heaps: strings, dictionary, arrays, embedded objects, and the allowance against overlapping items."""

from __future__ import annotations

import pytest
from tests.wmio.making import PART, every_type, samples

from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.errors import InvalidStream, QuotaViolation
from openwmi.model.instances import Instance
from openwmi.wmio.buffers import Reader
from openwmi.wmio.heaps import DICTIONARY, DICTIONARY_BIT, NONE, Heap, HeapWriter


def opened(writer: HeapWriter, depth: int = 1) -> Heap:
    return Heap.at(Reader(writer.finished()), depth)


def test_values_of_every_type_come_back() -> None:
    instance = every_type().spawn(samples())
    layout = instance.layout_
    writer = HeapWriter()
    written = [
        (writer.value(value, code), code, value)
        for code, value in zip(layout.types, instance.values_, strict=True)
        if code & ARRAY or code in (CimType.STRING, CimType.DATETIME, CimType.REFERENCE, CimType.OBJECT)
    ]
    heap = opened(writer)
    for reference, code, value in written:
        assert heap.value(reference, code) == value


def test_the_dictionary_knows_case() -> None:
    writer = HeapWriter()
    assert [writer.word(word) for word in DICTIONARY] == [
        DICTIONARY_BIT | at for at in range(len(DICTIONARY))
    ]
    assert writer.word("Key") == 0
    heap = opened(writer)
    assert heap.text(DICTIONARY_BIT | 10) == "CIMTYPE"
    assert heap.text(0) == "Key"


@pytest.mark.parametrize("reference", [DICTIONARY_BIT | len(DICTIONARY), 0xFFFFFFFE, 6, 1000])
def test_a_reference_to_nothing_is_refused(reference: int) -> None:
    heap = Heap(b"\0abc\0x", 0, 5)
    with pytest.raises(InvalidStream):
        heap.text(reference)


def test_none_is_null() -> None:
    assert HeapWriter().value(None, CimType.STRING) == NONE
    assert Heap(b"", 0, 0).value(NONE, CimType.STRING | ARRAY) is None


@pytest.mark.parametrize("data", [b"\4\0\0\0abcd", b"\5\0\0\x80abcd", b"\0\0\0"])
def test_a_heap_has_bit_31_and_its_bytes(data: bytes) -> None:
    with pytest.raises(InvalidStream):
        Heap.at(Reader(data), 1)


def test_an_array_is_no_longer_than_its_heap() -> None:
    heap = Heap(b"\xff\xff\xff\xff" + bytes(8), 0, 12)
    for code in (CimType.UINT8, CimType.UINT64, CimType.STRING, CimType.OBJECT):
        with pytest.raises(InvalidStream):
            heap.value(0, code | ARRAY)


def test_shared_strings_are_taken_but_not_without_end() -> None:
    """Real heaps share nothing, other writers a little; a thousand times the same megabyte is an attack."""
    writer = HeapWriter()
    text = writer.string("x" * 1000)
    few = writer.item(b"\3\0\0\0" + text.to_bytes(4, "little") * 3)
    many = writer.item((500).to_bytes(4, "little") + text.to_bytes(4, "little") * 500)
    assert opened(writer).value(few, CimType.STRING | ARRAY) == ("x" * 1000,) * 3
    with pytest.raises(InvalidStream, match="overlap"):
        opened(writer).value(many, CimType.STRING | ARRAY)


def test_objects_are_not_shared() -> None:
    writer = HeapWriter()
    one = writer.object(PART.spawn({"Name": "a"}))
    both = writer.item(b"\2\0\0\0" + one.to_bytes(4, "little") * 2)
    with pytest.raises(InvalidStream, match="overlap"):
        opened(writer).value(both, CimType.OBJECT | ARRAY)


def test_no_object_is_an_empty_one() -> None:
    writer = HeapWriter()
    assert writer.object(None) == 0
    assert opened(writer).object(0) is None


def test_objects_lie_64_deep_and_no_deeper() -> None:
    writer = HeapWriter(depth=64)
    with pytest.raises(QuotaViolation):
        writer.object(PART.spawn())
    writer = HeapWriter(depth=63)
    reference = writer.object(PART.spawn())
    assert isinstance(opened(writer, 63).object(reference), Instance)
    with pytest.raises(InvalidStream, match="64 deep"):
        opened(writer, 64).object(reference)
