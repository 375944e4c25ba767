"""Reader and Writer: numbers, strings, parts and their bounds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwmi.model.cimtypes import INTEGER_RANGES, CimType
from openwmi.model.errors import InvalidStream
from openwmi.wmio.buffers import (
    LETTERS,
    Reader,
    Writer,
    encoded_text,
    packed_scalar,
    packed_scalars,
    read_text,
    size_of,
)


@pytest.mark.parametrize("code", LETTERS)
def test_scalars_come_back(code: int) -> None:
    low, high = INTEGER_RANGES.get(code, (0, 1))
    for value in (low, high):
        data = packed_scalar(code, value)
        assert len(data) == size_of(code)
        assert Reader(data).scalar(code) == value
    assert Reader(packed_scalars(code, (low, high))).scalars(code, 2) == (low, high)


def test_a_boolean_is_two_bytes_and_any_bit_makes_it_true() -> None:
    assert packed_scalar(CimType.BOOLEAN, True) == b"\xff\xff"
    assert Reader(b"\x00\x01").scalar(CimType.BOOLEAN) is True
    assert Reader(b"\0\0\xff\xff").scalars(CimType.BOOLEAN, 2) == (False, True)


@pytest.mark.parametrize(
    "read",
    [
        Reader.u8,
        Reader.u16,
        Reader.u32,
        Reader.text,
        Reader.part,
        lambda reader: reader.raw(5),
        lambda reader: reader.take(-1),
        lambda reader: reader.scalars(CimType.UINT32, 1 << 31),
        lambda reader: reader.scalar(CimType.UINT64),
    ],
)
def test_nothing_is_read_beyond_the_end(read: Callable[[Reader], object]) -> None:
    reader = Reader(b"\0\0\0\0\0\0", 5, 5)
    with pytest.raises(InvalidStream):
        read(reader)
    assert reader.at == 5


@pytest.mark.parametrize(("at", "end"), [(0, 9), (5, 4), (-1, 2)])
def test_a_reader_stays_within_its_data(at: int, end: int) -> None:
    with pytest.raises(InvalidStream):
        Reader(bytes(8), at, end)


@pytest.mark.parametrize("length", [0, 3, 9, 0xFFFFFFFF])
def test_a_part_has_at_least_its_length_and_at_most_what_is_left(length: int) -> None:
    with pytest.raises(InvalidStream):
        Reader(length.to_bytes(4, "little") + bytes(4)).part()


def test_a_part_is_stepped_over() -> None:
    reader = Reader(b"\6\0\0\0ab" + b"c")
    part = reader.part()
    assert (part.raw(part.remaining), reader.raw(1)) == (b"ab", b"c")


@given(st.text(st.characters(exclude_characters="\0")))
def test_strings_come_back(text: str) -> None:
    """Lone surrogates, too: a string of Windows is a row of 16-bit units."""
    data = encoded_text(text)
    assert data[0] == (0 if all(one <= "\xff" for one in text) else 1)
    assert read_text(b"x" + data + b"y", 1, 2 + len(data)) == (text, 1 + len(data))


def test_a_wide_string_ends_at_whole_units() -> None:
    """U+0100 and U+0001 have 00 01 00 00 01 00 as neighbours: the first 00 00 is no end."""
    text = "\u0100\u0001"
    assert read_text(encoded_text(text), 0, 7) == (text, 7)
    assert read_text(b"\1a\0\0\1\0\0", 0, 7) == ("a\u0100", 7)


def test_a_string_ends_at_its_first_nul() -> None:
    assert encoded_text("ab\0cd") == b"\0ab\0"


@pytest.mark.parametrize("data", [b"", b"\0abc", b"\1a\0b\0", b"\1a\0\0", b"\2abc\0"])
def test_what_is_no_string_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidStream):
        read_text(data, 0, len(data))


def test_a_writer_fills_only_what_it_left_open() -> None:
    writer = Writer()
    at = writer.room(4)
    writer.text("a")
    writer.length_at(at)
    assert bytes(writer.data) == b"\7\0\0\0\0a\0"
    with pytest.raises(AssertionError):
        writer.fill(5, b"abcd")
