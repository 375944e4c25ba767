"""NDR20: layouts fixed byte by byte, round trips, and what a hostile peer may send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwmi.wire.errors import BAD_STUB_DATA, LocalProtocolError, PeerIncompatible, PeerMisbehaved
from openwmi.wire.ndr import (
    GUID,
    INT32,
    UINT8,
    UINT16,
    UINT32,
    UINT64,
    ByteArray,
    ConformantArray,
    ConformantVaryingArray,
    Count,
    FixedArray,
    Full,
    NdrReader,
    NdrWriter,
    Parameters,
    Ref,
    Reserved,
    Structure,
    Type,
    Unique,
    VaryingArray,
    WideString,
    deserialize,
    serialize,
)


@dataclass(frozen=True, slots=True)
class Pair:
    small: int
    large: int


@dataclass(frozen=True, slots=True)
class Open:
    items: Sequence[int]


@dataclass(frozen=True, slots=True)
class Named:
    name: str | None
    number: int
    other: str | None


@dataclass(frozen=True, slots=True)
class Tree:
    left: Pair | None
    right: Pair | None


PAIR = Structure(Pair, small=UINT16, large=UINT64)
OPEN = Structure(Open, count=Count(UINT16, "items"), items=ConformantArray(UINT16))
NAMED = Structure(Named, name=Unique(WideString()), number=UINT32, other=Unique(WideString()))
TREE = Structure(Tree, left=Full(PAIR), right=Full(PAIR))


def written(type_: Type, value: object) -> bytes:
    writer = NdrWriter()
    type_.write(writer, value)
    return bytes(writer)


@pytest.mark.parametrize(
    ("type_", "value", "layout"),
    [
        (PAIR, Pair(1, 2), "0100 000000000000 0200000000000000"),
        # The count of an open array stands before the outermost structure, which is then aligned.
        (OPEN, Open((7, 8, 9)), "03000000 0300 0700 0800 0900"),
        (WideString(), "ab", "03000000 00000000 03000000 610062000000"),
        (VaryingArray(UINT16), (1,), "00000000 01000000 0100"),
        (ConformantVaryingArray(UINT32, room=5), (1, 2), "05000000 00000000 02000000 01000000 02000000"),
        (FixedArray(UINT8, 3), (1, 2, 3), "010203"),
        (ByteArray(), b"xyz", "03000000 78797a"),
        (Unique(UINT16), None, "00000000"),
        (Unique(UINT16), 5, "00000200 0500"),
        (GUID, UUID("00000143-0000-0000-c000-000000000046"), "43010000 0000 0000 c000 000000000046"),
        (INT32, -2, "feffffff"),
    ],
)
def test_layouts(type_: Type, value: object, layout: str) -> None:
    assert written(type_, value).hex() == layout.replace(" ", "")
    assert type_.read(NdrReader(bytes.fromhex(layout))) == value


def test_referents_follow_the_whole_structure_in_the_order_of_its_pointers() -> None:
    stub = written(NAMED, Named("a", 7, "b"))
    assert stub.hex(" ", 4) == (
        "00000200 07000000 04000200 02000000 00000000 02000000 61000000 02000000 00000000 02000000 62000000"
    )


def test_pointers_in_an_array_keep_their_order() -> None:
    array = ConformantArray(Unique(WideString()))
    value = ("one", None, "three")
    assert array.read(NdrReader(written(array, value))) == value


def test_full_pointers_share_their_referent() -> None:
    shared = Pair(1, 2)
    stub = written(TREE, Tree(shared, shared))
    assert len(stub) == 4 + 4 + 16
    tree = TREE.read(NdrReader(stub))
    assert tree.left is tree.right
    assert tree.left == shared
    assert TREE.read(NdrReader(written(TREE, Tree(None, shared)))) == Tree(None, shared)


def test_a_cycle_of_full_pointers_is_refused() -> None:
    class Loop(Type[object]):
        """A type that points at itself, which no interface of ours declares."""

        def read_head(self, reader: NdrReader, count: int) -> object:
            return POINTER.read(reader)

    POINTER = Full(Loop())
    with pytest.raises(PeerIncompatible):
        POINTER.read(NdrReader(b"\x01\0\0\0" * 4))


def test_a_null_reference_pointer_is_refused_both_ways() -> None:
    with pytest.raises(PeerMisbehaved):
        Ref(UINT32).read(NdrReader(bytes(8)))
    with pytest.raises(LocalProtocolError):
        written(Ref(UINT32), None)
    assert Ref(UINT32).read(NdrReader(written(Ref(UINT32), 9))) == 9


@pytest.mark.parametrize(
    ("type_", "stub"),
    [
        (ConformantArray(UINT64), "ffffffff 00000000"),
        (ByteArray(), "ffffffff 00"),
        (WideString(), "ffffffff 00000000 ffffffff"),
        (WideString(), "01000000 00000000 02000000 61006200"),
        (WideString(), "02000000 01000000 01000000 6100"),
        (VaryingArray(UINT8), "01000000 01000000 00"),
        (ConformantVaryingArray(UINT8), "01000000 00000000 02000000 0000"),
        (PAIR, "0100"),
    ],
)
def test_counts_are_bounded_before_anything_is_made_of_them(type_: Type, stub: str) -> None:
    with pytest.raises(PeerMisbehaved):
        type_.read(NdrReader(bytes.fromhex(stub)))


def test_a_count_that_contradicts_its_array_is_bad_stub_data() -> None:
    parameters = Parameters(Open, "[C706] 14.4", count=Count(UINT16, "items"), items=ConformantArray(UINT16))
    assert parameters.decode(bytes.fromhex("0100 0000 01000000 0700 ffff")) == Open((7,))
    with pytest.raises(PeerMisbehaved) as caught:
        parameters.decode(bytes.fromhex("0200 0000 01000000 0700"))
    assert caught.value.status == BAD_STUB_DATA


def test_reserved_members_are_written_and_not_looked_at() -> None:
    type_ = Structure(Open, reserved=Reserved(UINT32, 7), items=ConformantArray(UINT8))
    assert written(type_, Open((1,))).hex() == "010000000700000001"
    assert type_.read(NdrReader(bytes.fromhex("01000000ffffffff01"))) == Open((1,))


@pytest.mark.parametrize(("type_", "value"), [(UINT8, 256), (UINT16, -1), (UINT32, 2**32), (INT32, 2**31)])
def test_what_has_no_encoding_is_our_own_mistake(type_: Type, value: int) -> None:
    with pytest.raises(LocalProtocolError):
        written(type_, value)


texts = st.none() | st.text("aß€\ud800\U0001f600", max_size=8)
words = st.integers(0, 0xFFFF)


@given(st.lists(st.builds(Named, texts, st.integers(0, 2**32 - 1), texts), max_size=4))
def test_structures_come_back(values: list[Named]) -> None:
    type_ = ConformantArray(NAMED)
    assert list(type_.read(NdrReader(written(type_, values)))) == values


@given(st.lists(words, max_size=9))
def test_serialized_types_come_back(values: list[int]) -> None:
    frame = serialize(OPEN, Open(tuple(values)))
    assert len(frame) % 8 == 0
    reader = NdrReader(frame + b"next")
    assert deserialize(OPEN, reader) == Open(tuple(values))
    assert reader.rest() == b"next"


@pytest.mark.parametrize("head", ["02100800", "01000800", "01100900"])
def test_other_serializations_are_incompatible(head: str) -> None:
    with pytest.raises(PeerIncompatible):
        deserialize(OPEN, NdrReader(bytes.fromhex(head) + bytes(40)))


@given(st.binary(max_size=80))
def test_any_bytes_decode_or_raise_the_protocols_own_error(stub: bytes) -> None:
    for type_ in (ConformantArray(NAMED), TREE, OPEN, Unique(ConformantVaryingArray(Unique(PAIR)))):
        try:
            type_.read(NdrReader(stub))
        except PeerMisbehaved:
            pass
