"""Object arrays: rows and mixed batches both ways, classes that travel once, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.model.making import key, make, prop
from tests.wmio.making import classes, family, instances

from openwmi.model.batches import Rows
from openwmi.model.cimtypes import CimType
from openwmi.model.classes import Class
from openwmi.model.errors import (
    InvalidParameter,
    InvalidStream,
    MarshalInvalidSignature,
    MarshalVersionMismatch,
    QuotaViolation,
    TypeMismatch,
    UnknownObjectType,
    UnknownPacketType,
    WbemError,
)
from openwmi.model.instances import Instance
from openwmi.wmio import arrays
from openwmi.wmio.arrays import INDICATE, ArrayDecoder, ArrayEncoder

ONE = make("Test_One", key(), prop("Size", CimType.UINT32, default=3))
TWO = make("Test_Two", key(), prop("Text"), namespace="root\\other")


def guids() -> Callable[[], bytes]:
    numbers = count(1)
    return lambda: next(numbers).to_bytes(16, "big")


def test_rows_come_back_and_their_class_travels_once() -> None:
    encoder, decoder = ArrayEncoder(guids()), ArrayDecoder()
    rows = Rows(ONE.layout, [(f"n{at}", at) for at in range(5)])
    first = encoder.encode(rows)
    second = encoder.encode(rows)
    assert first.count(b"\0Test_One\0") == 5 + 1
    assert second.count(b"\0Test_One\0") == 5
    for packet in (first, second):
        found = decoder.decode(packet)
        assert found == list(rows)
        assert [one.path_ for one in found if isinstance(one, Instance)] == [one.path_ for one in rows]
        assert len({id(one.layout_) for one in found if isinstance(one, Instance)}) == 1


def test_the_mask_that_rows_share_is_kept() -> None:
    found = ArrayDecoder().decode(ArrayEncoder(guids()).encode(Rows(ONE.layout, [("a", 3), ("b", 3)], 0b10)))
    assert [one.defaults_ for one in found if isinstance(one, Instance)] == [0b10, 0b10]


@pytest.mark.slow
@given(st.lists(st.lists(st.one_of(instances(1), classes(1)), min_size=1, max_size=4), max_size=3))
def test_mixed_batches_come_back(batches: list[list[Instance | Class]]) -> None:
    encoder, decoder = ArrayEncoder(guids()), ArrayDecoder()
    for batch in batches:
        assert decoder.decode(encoder.encode(batch)) == batch


def test_a_packet_as_the_specification_draws_it() -> None:
    packet = ArrayEncoder(guids()).encode([ONE.spawn({"Name": "a"})])
    total = len(packet)
    assert packet[:26] == (
        bytes(4) + b"WBEMDATA" + b"\x1a\0\0\0" + (total - 26).to_bytes(4, "little") + b"\0\0\0\0\1\1"
    )
    assert packet[26:34] == b"\x08\0\0\0" + (total - 34).to_bytes(4, "little")
    assert packet[34:46] == b"\x0c\0\0\0" + (total - 46).to_bytes(4, "little") + b"\1\0\0\0"
    assert packet[46:55] == b"\x09\0\0\0" + (total - 55).to_bytes(4, "little") + b"\2"
    assert packet[55:63] == b"\x18\0\0\0" + (total - 79).to_bytes(4, "little")
    assert packet[63:79] == (1).to_bytes(16, "big")
    assert packet[79] == 6
    assert ArrayEncoder(guids()).encode([ONE], kind=INDICATE)[25] == 0


def test_instances_may_go_without_their_place() -> None:
    encoder, decoder = ArrayEncoder(guids(), decorated=False), ArrayDecoder()
    packet = encoder.encode(Rows(ONE.layout, [("a", 1), ("b", 2)]))
    found = decoder.decode(packet)
    assert packet.count(b"\0HOST\0") == 1
    assert [one.namespace_ for one in found if isinstance(one, Instance)] == ["root\\cimv2", "root\\cimv2"]


def test_encoding_what_was_sent_changes_nothing() -> None:
    encoder = ArrayEncoder(guids())
    one, two = ONE.spawn({"Name": "a"}), ONE.spawn({"Name": "b"})
    assert encoder.has_sent([])
    assert encoder.has_sent([ONE])
    assert not encoder.has_sent([one])
    encoder.encode([one])
    assert encoder.has_sent([one, ONE, two])
    foreseen = encoder.encode([two])
    assert encoder.encode([one]) != foreseen
    assert encoder.encode([two]) == foreseen
    assert not encoder.has_sent([one, ONE.decorated("root\\x", "S").spawn()])


def test_a_place_that_changes_is_followed() -> None:
    """A peer may use one GUID for a class of several namespaces."""
    encoder = ArrayEncoder(lambda: bytes(16))
    moved = ONE.decorated("root\\elsewhere", "B")
    packet = encoder.encode([ONE.spawn({"Name": "a"})])
    decoder = ArrayDecoder()
    decoder.decode(packet)
    other = ArrayEncoder(lambda: bytes(16))
    other.encode([moved.spawn()])
    for _ in range(3):
        found = decoder.decode(other.encode([moved.spawn({"Name": "b"})]))
        assert isinstance(found[0], Instance)
        assert (found[0].Name, found[0].namespace_, found[0].server_) == ("b", "root\\elsewhere", "B")


def test_the_number_of_places_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that names another server each time would have us make a class for each."""
    decoder = ArrayDecoder()
    decoder.decode(ArrayEncoder(lambda: bytes(16)).encode([ONE.spawn()]))
    monkeypatch.setattr(arrays, "_MAX_CLASSES", 5)

    def read(at: int) -> None:
        moved = ONE.decorated("root\\x", f"S{at}").spawn()
        other = ArrayEncoder(lambda: bytes(16))
        other.encode([moved])
        decoder.decode(other.encode([moved]))

    for at in (1, 2, 3, 4, 1, 2):
        read(at)
    with pytest.raises(QuotaViolation):
        read(5)


def test_a_batch_that_fails_leaves_no_class_behind() -> None:
    encoder, decoder = ArrayEncoder(guids()), ArrayDecoder()
    wrong = Instance(TWO.layout, ("a", 5))
    with pytest.raises(TypeMismatch):
        encoder.encode([ONE.spawn({"Name": "a"}), wrong])
    with pytest.raises(TypeMismatch):
        encoder.encode(Rows(TWO.layout, [("a", "b"), ("a", 5)]))
    given_ = [ONE.spawn({"Name": "a"}), TWO.spawn({"Name": "b"})]
    assert decoder.decode(encoder.encode(given_)) == given_


def test_only_objects_travel() -> None:
    with pytest.raises(InvalidParameter):
        ArrayEncoder(guids()).encode([5])  # type: ignore[list-item]


def changed(at: int, value: int, size: int = 4) -> bytes:
    packet = bytearray(ArrayEncoder(guids()).encode([ONE.spawn({"Name": "a"}), ONE.spawn({"Name": "b"})]))
    packet[at : at + size] = value.to_bytes(size, "little")
    return bytes(packet)


@pytest.mark.parametrize(
    ("packet", "wanted"),
    [
        (changed(0, 1), MarshalInvalidSignature),
        (changed(4, 0), MarshalInvalidSignature),
        (changed(24, 2, 1), MarshalVersionMismatch),
        (changed(25, 2, 1), UnknownPacketType),
        (changed(54, 0, 1), UnknownObjectType),
        (changed(54, 4, 1), UnknownObjectType),
        (changed(54, 1, 1), InvalidStream),
        (changed(79, 1, 1), UnknownObjectType),
        (changed(12, 25), InvalidStream),
        (changed(16, 0xFFFFFF), InvalidStream),
        (changed(26, 9), InvalidStream),
        (changed(30, 0xFFFFFF), InvalidStream),
        (changed(34, 13), InvalidStream),
        (changed(38, 0xFFFFFF), InvalidStream),
        (changed(42, 0xFFFFFFFF), InvalidStream),
        (changed(42, 3), InvalidStream),
        (changed(46, 8), InvalidStream),
        (changed(50, 0xFFFFFF), InvalidStream),
        (changed(55, 8), InvalidStream),
        (changed(59, 0xFFFFFF), InvalidStream),
        (b"", InvalidStream),
    ],
)
def test_what_is_no_packet_is_refused(packet: bytes, wanted: type[WbemError]) -> None:
    with pytest.raises(wanted):
        ArrayDecoder().decode(packet)


def test_an_instance_of_a_class_that_did_not_come_is_refused() -> None:
    encoder = ArrayEncoder(guids())
    encoder.encode([ONE.spawn()])
    with pytest.raises(InvalidStream, match="did not come"):
        ArrayDecoder().decode(encoder.encode([ONE.spawn()]))


def test_a_class_where_an_instance_was_announced() -> None:
    packet = bytearray(ArrayEncoder(guids()).encode([ONE]))
    assert packet[63] == 5
    packet[63] = 2
    with pytest.raises(WbemError):
        ArrayDecoder().decode(bytes(packet))


def test_the_number_of_classes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "_MAX_CLASSES", 2)
    batch: list[Any] = [make(f"Test_{at}", prop("A")).spawn() for at in range(3)]
    decoder = ArrayDecoder()
    assert len(decoder.decode(ArrayEncoder(guids()).encode(batch[:2]))) == 2
    with pytest.raises(QuotaViolation):
        ArrayDecoder().decode(ArrayEncoder(guids()).encode(batch))


def test_classes_in_a_packet() -> None:
    derived, base = family()
    assert ArrayDecoder().decode(ArrayEncoder(guids()).encode([derived, base])) == [derived, base]
