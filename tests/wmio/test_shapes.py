"""Shapes: the same values step by step and compiled, what is kept, and how far."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.model.making import make, prop
from tests.wmio.making import every_type, instances, samples

from openwmi.model.cimtypes import CimType
from openwmi.model.errors import InvalidStream
from openwmi.model.instances import Instance
from openwmi.wmio import decode, encode, shapes
from openwmi.wmio.buffers import Reader
from openwmi.wmio.classwriting import class_part
from openwmi.wmio.forms import form_of
from openwmi.wmio.shapes import shape_at

WIDE = make("Test_Wide", *[prop(f"P{at}", CimType.STRING) for at in range(8)])


@pytest.mark.slow
@given(st.data(), instances())
def test_compiled_and_step_by_step_agree(data: st.DataObject, one: Instance) -> None:
    """The third object with a pattern is the first that compiled code reads."""
    form = form_of(one.layout_)
    shape = shape_at(Reader(form.prefix, len(form.place)), None, None)
    body = form.body(one)
    first = shape.values(body, 1)
    for _ in range(3):
        assert shape.values(body, 1) == first
    assert first == (one.values_, one.defaults_)
    other = data.draw(instances(class_=one.class_))
    assert shape.values(form.body(other), 1) == (other.values_, other.defaults_)


def test_a_known_class_part_is_not_parsed_again() -> None:
    data = class_part(every_type())
    assert shape_at(Reader(data), "n", "s") is shape_at(Reader(data), "n", "s")
    assert shape_at(Reader(data), "n", "s") is not shape_at(Reader(data), "other", "s")


def test_the_memory_of_classes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "_MAX_SHAPES", 4)
    for at in range(20):
        shape_at(Reader(class_part(make(f"Test_Bounded{at}", prop("A")))), None, None)
        assert len(shapes._known) <= 4
    monkeypatch.setattr(shapes, "_LARGEST_KEPT", 10)
    before = dict(shapes._known)
    shape_at(Reader(class_part(make("Test_Bounded", prop("A")))), None, None)
    assert shapes._known == before


def test_the_number_of_compiled_patterns_is_bounded() -> None:
    """A peer that sends every pattern of NULLs gets no compiler for each."""
    form = form_of(WIDE.layout)
    shape = shape_at(Reader(form.prefix, len(form.place)), None, None)
    for _ in range(4):
        for pattern in range(100):
            row = tuple(str(at) if pattern >> at & 1 else None for at in range(8))
            assert shape.values(form.row(row), 1) == (row, 0)
    assert len(shape._patterns) == 64
    assert len(shape._seen) <= 256


def test_many_properties_of_one_large_string_are_refused() -> None:
    """Compiled code has no allowance, so large heaps do not meet it."""
    form = form_of(WIDE.layout)
    shape = shape_at(Reader(form.prefix, len(form.place)), None, None)
    long = "x" * 400_000
    data = bytearray(form.row((long, *"bcdefgh")))
    for _ in range(4):
        assert shape.values(bytes(data), 1)[0] == (long, *"bcdefgh")
    for at in range(8):
        data[shape.table_at + 4 * at : shape.table_at + 4 * at + 4] = data[
            shape.table_at : shape.table_at + 4
        ]
    for _ in range(4):
        with pytest.raises(InvalidStream, match="overlap"):
            shape.values(bytes(data), 1)


def test_the_same_class_in_another_place() -> None:
    shape = shape_at(Reader(class_part(every_type())), None, None)
    assert shape.in_place(None, None) is shape
    moved = shape.in_place("root\\x", "S")
    assert (moved.layout.namespace, moved.layout.server) == ("root\\x", "S")
    given = every_type().spawn(samples())
    body = form_of(given.layout_).body(given)
    assert moved.values(body, 1) == shape.values(body, 1)


def test_a_decoder_keeps_to_each_class_of_a_mixed_result() -> None:
    from openwmi.wmio import Decoder

    decoder = Decoder()
    first, second = every_type().spawn(samples()), WIDE.spawn({"P0": "x"})
    for one in (first, second, first, first, second):
        assert decoder.decode(encode(one)) == one
    assert decode(encode(first)) == first
