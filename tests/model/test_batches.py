"""Rows: a run of rows of one layout that reads as a sequence of instances."""

from __future__ import annotations

import pytest
from tests.model.making import key, make, prop

from openwmi.model.batches import Rows
from openwmi.model.instances import Instance

THING = make("Thing", key("Name"), prop("Size", 19))
ROWS = Rows(THING.layout, [(f"n{number}", number) for number in range(5)], defaults=0b10)


def test_rows_are_a_sequence_of_instances() -> None:
    assert len(ROWS) == 5
    assert ROWS[0] == Instance(THING.layout, ("n0", 0))
    assert ROWS[-1].Name == "n4"
    assert [one.Size for one in ROWS] == [0, 1, 2, 3, 4]
    assert [one.Size for one in reversed(ROWS)] == [4, 3, 2, 1, 0]
    assert {one.defaults_ for one in ROWS} == {0b10} == {ROWS[2].defaults_}
    assert ROWS[1] in ROWS
    assert ROWS.index(ROWS[3]) == 3
    with pytest.raises(IndexError):
        ROWS[5]


def test_a_slice_is_rows_of_the_same_layout() -> None:
    part = ROWS[1:3]
    assert isinstance(part, Rows)
    assert (part.layout, part.defaults, part.rows) == (THING.layout, 0b10, [("n1", 1), ("n2", 2)])
    assert repr(part) == "<Rows Thing x 2>"
