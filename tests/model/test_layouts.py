"""Layouts: projections, and which system properties they fill."""

from __future__ import annotations

from typing import Any

import pytest
from tests.model.making import key, make, prop

from openwmi.model.cimtypes import CimType
from openwmi.model.instances import Instance
from openwmi.model.layouts import Layout
from openwmi.model.system import SYSTEM_NAMES

BASE = make("Base", marks=("abstract",))
WIDE = make(
    "Wide",
    key("B"),
    prop("Size", CimType.UINT64),
    key("A", CimType.UINT32),
    prop("Link", CimType.REFERENCE, reference="Target"),
    parent=BASE,
)
FULL = WIDE.spawn({"A": 1, "B": "x", "Size": 5})
SINGLE = make("Single", prop("P"), prop("Q"), marks=("singleton",))


def projected(*names: str, source: Instance = FULL, **options: Any) -> Instance:
    layout = source.layout_.project(names, **options)
    return Instance(layout, tuple(source.values_[position] for position in layout.source))


def filled(instance: Instance) -> set[str]:
    return {name for name in SYSTEM_NAMES if instance[name] not in (None, [])}


def test_what_a_layout_says() -> None:
    layout = WIDE.layout
    assert layout is WIDE.layout, "it is made once"
    assert layout.names == ("B", "Size", "A", "Link")
    assert layout.types == (8, 21, 19, 102)
    assert layout.index == {"b": 0, "size": 1, "a": 2, "link": 3}
    assert (layout.key_names, layout.keys, layout.key_complete) == (("B", "A"), (0, 2), True)
    assert layout.references == (None, None, None, "Target")
    assert (layout.class_, layout.shown, layout.source) == (WIDE, None, (0, 1, 2, 3))
    assert (layout.superclass, layout.derivation, layout.dynasty) == ("Base", ("Base",), "Base")
    assert repr(layout) == "<Layout Wide(B, Size, A, Link)>"


@pytest.mark.req("A-146", "A-172")
def test_a_whole_row_fills_every_system_property() -> None:
    assert filled(FULL) == set(SYSTEM_NAMES)
    assert FULL["__PATH"] == '\\\\HOST\\root\\cimv2:Wide.A=1,B="x"'
    star = projected(*WIDE.layout.names)
    assert star.values_ == FULL.values_
    assert filled(star) == {"__GENUS", "__CLASS", "__PROPERTY_COUNT", "__RELPATH"}, (
        "a list of all names is a list"
    )


@pytest.mark.req("A-144")
def test_a_projection_has_only_what_was_named() -> None:
    row = projected("SIZE", "none")
    assert row.names_ == ("Size",)
    assert row.values_ == (5,)
    assert filled(row) == {"__GENUS", "__CLASS", "__PROPERTY_COUNT"}
    assert (row["__GENUS"], row["__CLASS"], row["__PROPERTY_COUNT"]) == (2, "Wide", 1)
    assert row["__DERIVATION"] == []
    assert "A" not in row
    with pytest.raises(KeyError):
        row["A"]
    assert not row.layout_.key_complete
    assert row.path_ is row.relpath_ is None


def test_a_projection_keeps_the_order_of_the_class() -> None:
    layout = WIDE.layout.project(["a", "Size", "b"])
    assert layout.names == ("B", "Size", "A")
    assert layout.source == (0, 1, 2)
    assert layout.keys == (0, 2)
    again = layout.project(["a"])
    assert (again.names, again.source) == (("A",), (2,))
    assert WIDE.layout.project(["Link"]).references == ("Target",)


@pytest.mark.req("A-145")
def test_all_keys_fill_the_relative_path() -> None:
    row = projected("A", "B")
    assert row["__RELPATH"] == 'Wide.A=1,B="x"'
    assert filled(row) == {"__GENUS", "__CLASS", "__PROPERTY_COUNT", "__RELPATH"}
    assert projected("A")["__RELPATH"] is None
    assert projected("P", source=SINGLE.spawn())["__RELPATH"] == "Single=@"


@pytest.mark.req("A-144")
def test_ensure_locatable_adds_keys_and_place() -> None:
    row = projected("Size", locatable=True)
    assert row.names_ == ("B", "Size", "A")
    assert filled(row) == {
        *("__GENUS", "__CLASS", "__PROPERTY_COUNT"),
        *("__RELPATH", "__PATH", "__SERVER", "__NAMESPACE"),
    }
    assert row.path_ == FULL.path_


@pytest.mark.req("A-147")
@pytest.mark.parametrize(
    ("asked", "value"),
    [
        ("__PATH", '\\\\HOST\\root\\cimv2:Wide.A=1,B="x"'),
        ("__relpath", 'Wide.A=1,B="x"'),
        ("__SERVER", "HOST"),
        ("__namespace", "root\\cimv2"),
        ("__DYNASTY", "Base"),
        ("__SUPERCLASS", "Base"),
        ("__DERIVATION", ["Base"]),
    ],
)
def test_system_properties_that_are_named_are_filled(asked: str, value: object) -> None:
    row = projected("Size", system=[asked])
    assert row[asked] == value
    others = filled(row) - {"__GENUS", "__CLASS", "__PROPERTY_COUNT", "__RELPATH"}
    assert others <= {asked.upper()}


@pytest.mark.req("A-088", "A-162")
def test_singletons_have_a_path_without_keys() -> None:
    single = SINGLE.spawn()
    assert single.relpath_ == "Single=@"
    assert single.path_ == "\\\\HOST\\root\\cimv2:Single=@"


@pytest.mark.req("A-045", "A-149")
def test_objects_without_a_place() -> None:
    embedded = Instance(WIDE.layout.decorated(None, None), FULL.values_)
    assert embedded == FULL
    assert filled(embedded) == set(SYSTEM_NAMES) - {"__SERVER", "__NAMESPACE", "__PATH"}
    event = make("__Event", prop("Text"), namespace=None, server=None).spawn({"Text": "x"})
    assert filled(event) == {"__GENUS", "__CLASS", "__DYNASTY", "__PROPERTY_COUNT"}
    moved = WIDE.layout.decorated("root\\other", "FAR").project(["Size"], locatable=True)
    assert (moved.namespace, moved.server) == ("root\\other", "FAR")


def test_a_layout_of_a_class_that_is_not_at_hand() -> None:
    layout = Layout("Remote", ["Name"], [8], key_names=("Name",))
    row = Instance(layout, ("x",))
    assert row.class_ is None
    assert row.relpath_ == 'Remote.Name="x"'
    assert row["__DYNASTY"] == "Remote"
