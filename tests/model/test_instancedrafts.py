"""Editing instances: values, defaults, qualifiers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.model.making import key, make, prop, qualifier

from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.drafts import InstanceDraft, draft
from openwmi.model.errors import WbemError
from openwmi.model.instancedrafts import SYSTEM_ORIGIN
from openwmi.model.instances import Instance
from openwmi.model.layouts import Layout
from openwmi.model.listing import KEYS_ONLY, LOCAL_ONLY, NONSYSTEM_ONLY, PROPAGATED_ONLY
from openwmi.model.qualifiers import NOT_OVERRIDABLE, PROPAGATED, SYSTEM, TO_INSTANCE, TO_SUBCLASS
from openwmi.model.status import (
    WBEM_E_ILLEGAL_NULL,
    WBEM_E_ILLEGAL_OPERATION,
    WBEM_E_INCOMPLETE_CLASS,
    WBEM_E_INVALID_FLAVOR,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_NOT_FOUND,
    WBEM_E_OVERRIDE_NOT_ALLOWED,
    WBEM_E_PROPAGATED_QUALIFIER,
    WBEM_E_READ_ONLY,
    WBEM_E_SYSTEM_PROPERTY,
    WBEM_E_TYPE_MISMATCH,
    WBEM_S_RESET_TO_DEFAULT,
)

BASE = make("Base", key("Name"), prop("Size", CimType.UINT32, default=1))
THING = make(
    "Thing",
    prop("Kind", CimType.STRING, qualifier("Not_Null"), default="plain"),
    prop("Items", CimType.STRING | ARRAY),
    prop("Mark", CimType.STRING, qualifier("Out", 5, TO_INSTANCE), qualifier("Stay", 6)),
    parent=BASE,
    marks=(qualifier("Shown", 1, TO_INSTANCE), qualifier("Fixed", 2, TO_INSTANCE | NOT_OVERRIDABLE)),
)


def refused(code: int, function: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    with pytest.raises(WbemError) as caught:
        function(*arguments, **named)
    assert caught.value.code == code, caught.value


def thing(**values: Any) -> InstanceDraft:
    return InstanceDraft(THING.spawn({"Name": "a", **values}))


def test_a_draft_without_changes_freezes_to_the_same_instance() -> None:
    one = THING.spawn({"Name": "a"})
    frozen = InstanceDraft(one).freeze()
    assert frozen == one
    assert (frozen.defaults_, frozen.extras_) == (one.defaults_, None)
    assert isinstance(draft(one), InstanceDraft)


@pytest.mark.req("A-201", "A-006", "A-200")
def test_putting_values() -> None:
    one = thing()
    one.put("SIZE", 7)
    one.put("Items", ["x"], CimType.STRING | ARRAY)
    one.put("Name", None)
    frozen = one.freeze()
    assert (frozen.Size, frozen.Items, frozen.Name) == (7, ["x"], None)
    assert frozen.defaults_ == 0b10100
    refused(WBEM_E_NOT_FOUND, one.put, "Nothing", 1)
    refused(WBEM_E_NOT_FOUND, one.put, "Nothing", None, CimType.STRING)
    refused(WBEM_E_TYPE_MISMATCH, one.put, "Size", "x")
    refused(WBEM_E_TYPE_MISMATCH, one.put, "Size", 5, CimType.SINT32)
    refused(WBEM_E_READ_ONLY, one.put, "__CLASS", "Other")
    assert one.freeze() == frozen


@pytest.mark.req("A-051")
def test_not_null() -> None:
    refused(WBEM_E_ILLEGAL_NULL, thing().put, "Kind", None)


@pytest.mark.req("A-200")
def test_the_flavor_tells_what_the_instance_changed() -> None:
    one = thing()
    assert one.get("name")[:4] == ("Name", "a", CimType.STRING, 0)
    assert one.get("SIZE")[:4] == ("Size", 1, CimType.UINT32, PROPAGATED)
    assert one.get("__relpath")[:4] == ("__RELPATH", 'Thing.Name="a"', CimType.STRING, SYSTEM)
    one.put("Size", 1)
    one.put("Items", None)
    assert one.get("Size").flavor == one.get("Items").flavor == 0
    refused(WBEM_E_NOT_FOUND, one.get, "Nothing")
    from_provider = InstanceDraft(Instance(THING.layout, ("a", 5, "x", None, None)))
    assert [from_provider.get(name).flavor for name in ("Size", "Items")] == [0, PROPAGATED]


@pytest.mark.req("A-050", "A-203")
def test_deleting_a_value_brings_the_default_back() -> None:
    one = thing(Size=9, Kind="odd")
    assert one.delete("SIZE") == 0
    assert one.delete("kind") == 0
    frozen = one.freeze()
    assert (frozen.Size, frozen.Kind) == (1, "plain")
    assert frozen.defaults_ == THING.spawn({"Name": "a"}).defaults_
    assert one.get("size").flavor == PROPAGATED
    refused(WBEM_E_SYSTEM_PROPERTY, one.delete, "__PATH")
    refused(WBEM_E_NOT_FOUND, one.delete, "Nothing")


@pytest.mark.req("A-204", "A-205", "A-206")
def test_listing() -> None:
    one = thing(Items=["x"])
    assert one.names(NONSYSTEM_ONLY) == ["Items", "Kind", "Mark", "Name", "Size"]
    assert one.names(LOCAL_ONLY) == ["Items", "Name"]
    assert one.names(PROPAGATED_ONLY) == ["Kind", "Mark", "Size"]
    assert len(one.names()) == 15
    assert [entry.value for entry in one.enumerate(LOCAL_ONLY)] == [("x",), "a"]
    assert one.names(0x41, "out") == ["Mark"]
    refused(WBEM_E_INVALID_PARAMETER, one.enumerate, 0x100)
    assert one.names(KEYS_ONLY) == []


@pytest.mark.req("A-211", "A-213")
def test_where_it_comes_from() -> None:
    one = thing()
    assert [one.origin(name) for name in ("Name", "Kind", "__PATH")] == ["Base", "Thing", SYSTEM_ORIGIN]
    assert [one.inherits_from(name) for name in ("THING", "base", "x")] == [True, True, False]


@pytest.mark.req("A-207", "A-208", "A-209")
def test_what_is_for_classes() -> None:
    one = thing(Size=9)
    assert one.spawn_instance().freeze() == THING.spawn()
    for function in (
        one.spawn_derived,
        one.method,
        one.methods,
        one.put_method,
        one.delete_method,
        one.method_origin,
    ):
        refused(WBEM_E_ILLEGAL_OPERATION, function)
    refused(WBEM_E_ILLEGAL_OPERATION, one.put_method, "M", None, None)
    lone = InstanceDraft(Instance(Layout("Remote", ["Name"], [8]), ("a",)))
    refused(WBEM_E_INCOMPLETE_CLASS, lone.spawn_instance)
    lone.delete("Name")
    assert lone.freeze().Name is None
    assert lone.qualifiers().names() == lone.property_qualifiers("name").names() == []


@pytest.mark.req("A-214", "A-044")
def test_a_clone_is_on_its_own() -> None:
    one = thing()
    one.put("Size", None)
    twin = one.clone()
    one.put("Size", 5)
    assert (one.get("Size").value, twin.get("Size").value) == (5, None)
    assert twin.get("Size").flavor == 0


@pytest.mark.req("A-112", "A-215", "A-108")
def test_qualifiers_of_an_instance() -> None:
    one = thing()
    live = one.qualifiers()
    assert [(entry.name, entry.flavor) for entry in live.entries()] == [
        ("Shown", TO_INSTANCE | PROPAGATED),
        ("Fixed", TO_INSTANCE | NOT_OVERRIDABLE | PROPAGATED),
    ]
    live.put("Mine", "x")
    live.put("shown", 9)
    frozen = one.freeze()
    assert frozen.extras_ is not None
    assert {entry.name for entry in frozen.extras_.qualifiers} == {"Shown", "Mine"}
    assert InstanceDraft(frozen).qualifiers().get("mine").value == "x"
    assert frozen == THING.spawn({"Name": "a"}), "qualifiers are not part of the value"
    refused(WBEM_E_OVERRIDE_NOT_ALLOWED, live.put, "fixed", 3)
    refused(WBEM_E_PROPAGATED_QUALIFIER, live.delete, "fixed")
    assert live.delete("shown") == WBEM_S_RESET_TO_DEFAULT
    assert live.delete("mine") == 0
    assert one.freeze().extras_ is None


@pytest.mark.req("A-105")
def test_instances_have_no_subclasses() -> None:
    refused(WBEM_E_INVALID_FLAVOR, thing().qualifiers().put, "Q", 1, TO_SUBCLASS)


@pytest.mark.req("A-112", "A-009", "A-109")
def test_qualifiers_of_a_property_of_an_instance() -> None:
    one = thing()
    live = one.property_qualifiers("MARK")
    assert live.names() == ["CIMTYPE", "Out"]
    live.put("Own", 1)
    frozen = one.freeze()
    assert frozen.extras_ is not None
    assert frozen.extras_.properties["mark"].value("own") == 1
    assert one.names(0x41, "own") == ["Mark"]
    refused(WBEM_E_OVERRIDE_NOT_ALLOWED, live.put, "CIMTYPE", "uint32")
    refused(WBEM_E_SYSTEM_PROPERTY, one.property_qualifiers, "__PATH")
    refused(WBEM_E_NOT_FOUND, one.property_qualifiers, "Nothing")
    assert live.delete("own") == 0
