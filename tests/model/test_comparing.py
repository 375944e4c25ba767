"""CompareTo: when two objects are the same, flag by flag."""

from __future__ import annotations

import math

import pytest
from tests.model.making import key, make, parameter, parameters, prop, qualifier, qualifiers

from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.classes import Class, Method
from openwmi.model.comparing import (
    IGNORE_CASE,
    IGNORE_CLASS,
    IGNORE_DEFAULT_VALUES,
    IGNORE_FLAVOR,
    IGNORE_OBJECT_SOURCE,
    IGNORE_QUALIFIERS,
    compare,
)
from openwmi.model.errors import WbemError
from openwmi.model.instances import Extras, Instance
from openwmi.model.qualifiers import TO_SUBCLASS
from openwmi.model.status import WBEM_E_INVALID_PARAMETER

BASE = make("Base", marks=("abstract",))


def thing(
    name: str = "Thing", *, default: int = 1, mark: int = 1, flavor: int = 0, ids: str = "A", **where: str
) -> Class:
    return make(
        name,
        key("Name"),
        prop("Size", CimType.UINT32, qualifier("Mark", mark, flavor), default=default),
        prop("Items", CimType.STRING | ARRAY),
        prop("Inner", CimType.OBJECT),
        prop("Rate", CimType.REAL64),
        Method("Run", inputs=parameters(parameter(ids, 0))),
        **where,  # type: ignore[arg-type]
    )


def same_only_with(flag: int, one: Class | Instance, other: Class | Instance) -> None:
    assert not compare(one, other)
    assert not compare(other, one)
    assert not compare(one, other, 0x3F & ~flag)
    assert compare(one, other, flag)
    assert compare(other, one, flag)


@pytest.mark.req("A-230")
def test_the_same() -> None:
    assert compare(thing(), thing("THING"))
    one = thing().spawn({"Name": "a", "Items": ["x"], "Rate": math.nan})
    assert compare(one, thing().spawn({"Name": "a", "Items": ["x"], "Rate": math.nan}))
    with pytest.raises(WbemError) as caught:
        compare(one, one, 0x40)
    assert caught.value.code == WBEM_E_INVALID_PARAMETER


@pytest.mark.req("A-230")
def test_flags_for_classes() -> None:
    same_only_with(IGNORE_QUALIFIERS, thing(), thing(mark=2))
    same_only_with(IGNORE_FLAVOR | IGNORE_QUALIFIERS, thing(), thing(flavor=TO_SUBCLASS))
    assert compare(thing(), thing(flavor=TO_SUBCLASS), IGNORE_FLAVOR)
    same_only_with(IGNORE_DEFAULT_VALUES, thing(), thing(default=2))
    same_only_with(
        IGNORE_QUALIFIERS,
        thing(),
        make("Thing", *thing().properties.values(), *thing().methods.values(), marks=("X",)),
    )


@pytest.mark.req("A-231", "A-230")
def test_the_source_counts_unless_ignored() -> None:
    here, there = thing(), thing(namespace="root\\other")
    same_only_with(IGNORE_OBJECT_SOURCE, here, there)
    same_only_with(IGNORE_OBJECT_SOURCE, here.spawn(), there.spawn())
    same_only_with(IGNORE_OBJECT_SOURCE, here, thing(server="FAR"))
    assert compare(here, thing(namespace="ROOT\\CIMV2", server="host"))


@pytest.mark.req("A-231")
def test_a_class_is_no_instance() -> None:
    assert not compare(thing(), thing().spawn(), 0x3F)
    assert not compare(thing().spawn(), thing(), 0x3F)


@pytest.mark.req("A-230")
@pytest.mark.parametrize(
    "other",
    [
        make("Other", *thing().properties.values(), *thing().methods.values()),
        make("Thing", *thing().properties.values(), *thing().methods.values(), parent=BASE),
        make("Thing", *list(thing().properties.values())[1:], *thing().methods.values()),
        make("Thing", *thing().properties.values()),
        make("Thing", *thing().properties.values(), Method("Run")),
        make(
            "Thing", *thing().properties.values(), Method("Run", outputs=parameters(prop("ReturnValue", 19)))
        ),
        thing(ids="B"),
        make(
            "Thing",
            *[
                one.replace(type=CimType.REAL32) if one.name == "Rate" else one
                for one in thing().properties.values()
            ],
            *thing().methods.values(),
        ),
    ],
    ids=["name", "ancestors", "properties", "methods", "inputs", "outputs", "parameters", "type"],
)
def test_no_flag_hides_another_shape(other: Class) -> None:
    assert not compare(thing(), other, 0x3F)


@pytest.mark.req("A-230")
def test_flags_for_instances() -> None:
    one = thing().spawn({"Name": "a", "Items": ["x"]})
    same_only_with(IGNORE_CASE, one, one.with_(Name="A", Items=["X"]))
    same_only_with(IGNORE_CLASS, one, thing("Other").spawn({"Name": "a", "Items": ["x"]}))
    marked = Instance(one.layout_, one.values_, 0, Extras(qualifiers(qualifier("Q", 1))))
    same_only_with(IGNORE_QUALIFIERS, one, marked)
    of_property = Instance(
        one.layout_, one.values_, 0, Extras(properties={"name": qualifiers(qualifier("Q", 1))})
    )
    same_only_with(IGNORE_QUALIFIERS, one, of_property)
    for other in (
        one.with_(Size=2),
        one.with_(Size=None),
        one.with_(Items=["x", "y"]),
        one.with_(Items=[]),
        one.with_(Name="b"),
    ):
        assert not compare(one, other, 0x3F)
    assert not compare(one, Instance(one.layout_.project(["Name"]), ("a",)), 0x3F)


@pytest.mark.req("A-230")
def test_embedded_objects_are_compared_by_the_same_flags() -> None:
    inner = thing().spawn({"Name": "b"})
    one = thing().spawn({"Name": "a", "Inner": inner})
    assert compare(one, thing().spawn({"Name": "a", "Inner": thing().spawn({"Name": "b"})}))
    same_only_with(IGNORE_CASE, one, one.with_(Inner=inner.with_(Name="B")))
    assert not compare(one, one.with_(Inner=thing()), 0x3F)
    assert not compare(one, one.with_(Inner=None), 0x3F)
