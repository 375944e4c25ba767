"""Encoding of declarations and values: what goes in comes out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwmi.model.classes import Class, derive
from openwmi.model.errors import WbemError
from openwmi.model.instances import Instance
from openwmi.mof import class_declarations
from openwmi.repository.encoding import (
    MAX_NESTING,
    packed,
    packed_class,
    unpacked,
    unpacked_class,
)
from openwmi.repository.repository import folded
from openwmi.repository.text import dumped, loaded

INNER = derive(next(iter(class_declarations("class Inner { [key] string K; object O; sint32 A[]; };"))), None)
SIMPLE = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SIMPLE | st.lists(st.integers(), max_size=4).map(tuple),
    lambda inner: st.builds(lambda k, o: Instance(INNER.layout, (k, o, None)), st.text(), inner),
    max_leaves=5,
)


def found(name: str) -> Class | None:
    return INNER if name == "Inner" else None


@given(VALUES)
def test_values_come_back(value: object) -> None:
    assert unpacked(loaded(dumped(packed(value))), found) == value


def test_an_embedded_class_comes_back() -> None:
    back = unpacked(loaded(dumped(packed(INNER))), lambda _: None)
    assert isinstance(back, Class)
    assert back.declaration == INNER.declaration


def test_an_embedded_object_outlives_its_class() -> None:
    one = INNER.spawn({"K": "a", "A": [1, 2]})
    back = unpacked(loaded(dumped(packed(one))), lambda _: None)
    assert (back.classname_, back.K, back.A) == ("Inner", "a", [1, 2])


def test_nesting_is_bounded() -> None:
    value: object = None
    for _ in range(MAX_NESTING + 1):
        value = Instance(INNER.layout, ("k", value, None))
    with pytest.raises(WbemError):
        packed(value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "nan nan"])
def test_damaged_text_is_an_error_of_ours(text: str) -> None:
    with pytest.raises(WbemError):
        loaded(text)


def test_every_class_that_comes_with_the_providers_comes_back() -> None:
    count = 0
    providers = Path(__file__).parents[2] / "src" / "openwmi" / "providers"
    for file in sorted(providers.glob("*.mof")):
        for declaration in class_declarations(file.read_text(encoding="utf-8"), file=file.name):
            assert unpacked_class(loaded(dumped(packed_class(declaration)))) == declaration
            count += 1
    assert count > 15


def test_folding() -> None:
    assert folded("aß") == folded("Aß")
    assert folded(True) == 1
    assert folded(2**64) == str(2**64)
    assert folded(2**40) == 2**40
