"""Forms: rows of a layout as bytes, projections, defaults, NULLs, text of any kind, and faults with a name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.model.making import key, make, prop
from tests.wmio.making import every_type, family, samples

from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.errors import TypeMismatch, WbemError
from openwmi.model.instances import Instance
from openwmi.model.layouts import Layout
from openwmi.wmio import decode, encode, forms
from openwmi.wmio.forms import class_of, form_of

MANY = make(
    "Test_Many",
    key(),
    prop("Text"),
    prop("Count", CimType.UINT32, default=1),
    prop("Note", default="n"),
    prop("Flag", CimType.BOOLEAN),
    prop("Real", CimType.REAL32),
    prop("Bytes", CimType.UINT8 | ARRAY),
)


def back(one: Instance) -> Instance:
    found = decode(encode(one))
    assert isinstance(found, Instance)
    return found


def test_nulls_that_come_later_are_written() -> None:
    """The encoder looks for NULL only where it has met one; the first in another place makes a new encoder."""
    row = ("a", "b", 1, "c", True, 0.5, (1, 2))
    form = forms.Form(MANY.layout)
    for _ in range(4):
        form.row(row)
    for at in range(7):
        holed = (*row[:at], None, *row[at + 1 :])
        for one in (holed, row, holed):
            assert back(Instance(MANY.layout, one)).values_ == one
            form.row(one)
    assert form._made <= forms._MAX_ENCODERS + 1


@pytest.mark.parametrize("text", ["日本語", "ü", "", "a\ud800", "😀", "\u0100\u0001"])
def test_text_of_any_kind(text: str) -> None:
    for _ in range(4):
        one = MANY.spawn({"Name": text, "Text": text, "Bytes": [255]})
        assert back(one) == one


def test_text_ends_at_a_nul_on_every_way() -> None:
    for _ in range(4):
        found = back(MANY.spawn({"Name": "a\0b", "Text": "c"}))
        assert (found.Name, found.Text) == ("a", "c")


def test_a_default_is_a_bit_unless_the_value_is_another() -> None:
    one = MANY.spawn({"Name": "a"})
    assert back(one).defaults_ == one.defaults_ == 0b1111110
    lying = Instance(MANY.layout, ("a", None, 2, None, True, None, None), 0b1111110)
    for _ in range(4):
        found = back(lying)
        assert found.values_ == lying.values_
        assert found.defaults_ == 0b1100010


def test_an_explicit_null_over_a_default() -> None:
    for _ in range(4):
        found = back(MANY.spawn({"Count": None, "Note": None}))
        assert (found.Count, found.Note) == (None, None)
        assert found.defaults_ == 0b1110011


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Count", -1),
        ("Count", 1 << 32),
        ("Count", "1"),
        ("Text", 5),
        ("Real", 1e300),
        ("Real", "x"),
        ("Bytes", (256,)),
        ("Bytes", 7),
        ("Bytes", (None,)),
    ],
)
def test_a_value_that_is_not_of_its_type_is_named(name: str, value: Any) -> None:
    row = list(MANY.spawn({"Name": "a"}).values_)
    row[MANY.layout.index[name.lower()]] = value
    for _ in range(5):
        with pytest.raises(TypeMismatch, match=f"Test_Many.{name}"):
            encode(Instance(MANY.layout, tuple(row)))
        encode(MANY.spawn({"Name": "a"}))


def test_a_row_of_another_length_is_refused() -> None:
    for _ in range(4):
        with pytest.raises(WbemError):
            encode(Instance(MANY.layout, ("a",)))
        encode(MANY.spawn({"Name": "a"}))


@pytest.mark.slow
@given(st.lists(st.sampled_from(MANY.layout.names), unique=True))
def test_projections_come_back(names: list[str]) -> None:
    layout = MANY.layout.project(names)
    row = tuple(MANY.spawn({"Name": "ü", "Text": "x", "Bytes": [1]}).values_[at] for at in layout.source)
    found = back(Instance(layout, row))
    assert found.names_ == layout.names
    assert found.values_ == row
    assert found.classname_ == "Test_Many"
    assert found.relpath_ == ('Test_Many.Name="ü"' if "Name" in names else None)


def test_a_projection_tells_no_more_than_it_shows() -> None:
    """A-144: class, count, and the path of rows that hold their keys; neither place nor ancestors."""
    derived, _ = family()
    layout = derived.layout.project(["Text", "Flags"])
    found = back(Instance(layout, ("a", (1,))))
    assert found["__DERIVATION"] == []
    assert found["__NAMESPACE"] is None
    assert found["__SUPERCLASS"] is None
    placed = derived.layout.project(["Text"], locatable=True)
    found = back(Instance(placed, (4, "a")))
    assert found["__NAMESPACE"] == "root\\cimv2"
    assert found.path_ == "\\\\HOST\\root\\cimv2:Test_Derived.Id=4"


def test_a_layout_without_a_class() -> None:
    layout = Layout(
        "Test_Loose", ("A", "B", "C"), (CimType.STRING, CimType.UINT8, CimType.REFERENCE), key_names=("A",)
    )
    found = back(Instance(layout, ("x", 3, "y")))
    assert found.values_ == ("x", 3, "y")
    assert found.relpath_ == 'Test_Loose.A="x"'
    found = back(Instance(layout, ("x", None, "y"), 0b111))
    assert found.values_ == ("x", None, "y")


def test_the_class_itself_is_taken_where_it_can_be() -> None:
    assert class_of(MANY.layout) is MANY
    assert class_of(MANY.layout.decorated("root\\x", "S")) is MANY


def test_a_class_whose_name_is_not_latin() -> None:
    one = every_type("Test_日本").spawn(samples())
    for _ in range(4):
        assert back(one) == one


def test_the_memory_of_layouts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "_MAX_FORMS", 3)
    monkeypatch.setattr(forms, "_forms", {})
    for at in range(10):
        layout = make(f"Test_Bounded{at}", prop("A")).layout
        assert form_of(layout) is form_of(layout)
        assert len(forms._forms) <= 3
