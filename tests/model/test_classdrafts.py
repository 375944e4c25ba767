"""Editing classes: properties, methods, qualifiers, spawning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.model.making import NAMESPACE, SERVER, key, make, parameter, parameters, prop, qualifier

from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.classes import Class, ClassDeclaration, Method, derive
from openwmi.model.comparing import IGNORE_OBJECT_SOURCE
from openwmi.model.drafts import ClassDraft, compare, draft
from openwmi.model.errors import WbemError
from openwmi.model.instancedrafts import SYSTEM_ORIGIN
from openwmi.model.listing import LOCAL_ONLY, PROPAGATED_ONLY
from openwmi.model.qualifiers import (
    AMENDED,
    EMPTY,
    NOT_OVERRIDABLE,
    PROPAGATED,
    SYSTEM,
    TO_INSTANCE,
    TO_SUBCLASS,
)
from openwmi.model.status import (
    WBEM_E_CANNOT_BE_KEY,
    WBEM_E_ILLEGAL_OPERATION,
    WBEM_E_INCOMPLETE_CLASS,
    WBEM_E_INVALID_FLAVOR,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_INVALID_PROPERTY_TYPE,
    WBEM_E_INVALID_QUALIFIER,
    WBEM_E_INVALID_QUALIFIER_TYPE,
    WBEM_E_MISSING_PARAMETER_ID,
    WBEM_E_NOT_FOUND,
    WBEM_E_OVERRIDE_NOT_ALLOWED,
    WBEM_E_PROPAGATED_METHOD,
    WBEM_E_PROPAGATED_PROPERTY,
    WBEM_E_PROPAGATED_QUALIFIER,
    WBEM_E_READ_ONLY,
    WBEM_E_SYSTEM_PROPERTY,
    WBEM_E_TOO_MANY_PROPERTIES,
    WBEM_E_TYPE_MISMATCH,
    WBEM_S_RESET_TO_DEFAULT,
)

RUN = Method(
    "Run", inputs=parameters(parameter("A", 0)), outputs=parameters(prop("ReturnValue", CimType.UINT32))
)
PARENT = make(
    "Parent",
    key("Name"),
    prop("Size", CimType.UINT32, qualifier("Units", "Bytes", TO_SUBCLASS), default=1),
    RUN,
    marks=(qualifier("Fixed", 1, TO_SUBCLASS | NOT_OVERRIDABLE), qualifier("Free", 1, TO_SUBCLASS)),
)
CHILD = make(
    "Child", prop("Size", CimType.UINT32, default=2), prop("Own"), Method("Stop"), RUN, parent=PARENT
)


def new() -> ClassDraft:
    """What GetObject("") gives: a class to be defined."""
    empty = derive(ClassDeclaration("", None, EMPTY, (), ()), None, namespace=NAMESPACE, server=SERVER)
    return ClassDraft(empty, registered=False)


def refused(code: int, function: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    with pytest.raises(WbemError) as caught:
        function(*arguments, **named)
    assert caught.value.code == code, caught.value


def test_a_draft_without_changes_freezes_to_the_same_class() -> None:
    for class_ in (PARENT, CHILD):
        for parent in (None, PARENT if class_ is CHILD else None):
            frozen = ClassDraft(class_, parent).freeze()
            assert frozen == class_
            assert frozen.path == class_.path
            assert frozen.declaration == class_.declaration
            assert frozen.keys == class_.keys
    assert isinstance(draft(CHILD), ClassDraft)


@pytest.mark.req("A-180", "A-201", "A-142")
def test_a_class_from_nothing() -> None:
    one = new()
    one.put("__CLASS", "Made")
    one.put("Id", None, CimType.UINT32)
    one.property_qualifiers("Id").put("key", True)
    one.put("Text", "x")
    one.put("Flag", True)
    one.put("Rate", 1.5)
    one.put("Count", 3)
    one.put("Items", ["a"])
    one.put("Inner", PARENT)
    frozen = one.freeze()
    assert frozen.name == "Made"
    assert [
        (entry.name, entry.type, entry.default, entry.has_default, entry.origin)
        for entry in frozen.properties.values()
    ] == [
        ("Id", CimType.UINT32, None, False, "Made"),
        ("Text", CimType.STRING, "x", True, "Made"),
        ("Flag", CimType.BOOLEAN, True, True, "Made"),
        ("Rate", CimType.REAL64, 1.5, True, "Made"),
        ("Count", CimType.SINT32, 3, True, "Made"),
        ("Items", CimType.STRING | ARRAY, ("a",), True, "Made"),
        ("Inner", CimType.OBJECT, PARENT, True, "Made"),
    ]
    assert frozen.keys == ("Id",)
    assert frozen.path == "\\\\HOST\\root\\cimv2:Made"
    assert derive(one.declaration(), None, namespace=NAMESPACE, server=SERVER) == frozen


@pytest.mark.req("A-201", "A-202", "A-006")
def test_putting_properties() -> None:
    one = ClassDraft(CHILD, PARENT)
    one.put("SIZE", "7" if False else 7)
    one.put("own", "y", CimType.STRING)
    one.put("Own", None)
    one.put("Name", "n")
    frozen = one.freeze()
    size, own, name = (frozen.properties[entry] for entry in ("size", "own", "name"))
    assert (size.name, size.default, size.origin, size.local) == ("Size", 7, "Parent", True)
    assert size.qualifiers.value("units") == "Bytes"
    assert (own.default, own.has_default) == (None, True)
    assert (name.default, name.local, name.is_key) == ("n", True, True)
    assert CHILD.properties["size"].default == 2, "the class itself is as it was"
    refused(WBEM_E_TYPE_MISMATCH, one.put, "Size", "x")
    refused(WBEM_E_TYPE_MISMATCH, one.put, "Size", 5, CimType.SINT32)
    refused(WBEM_E_TYPE_MISMATCH, one.put, "Name", None, CimType.UINT8)
    refused(WBEM_E_INVALID_PROPERTY_TYPE, one.put, "Other", None)
    refused(WBEM_E_INVALID_PROPERTY_TYPE, one.put, "Other", [])
    refused(WBEM_E_INVALID_PROPERTY_TYPE, one.put, "Other", None, 0xFFF)
    refused(WBEM_E_INVALID_PARAMETER, one.put, "_other", 1)
    one.put("Other", None, CimType.OBJECT, reference="Parent")
    assert one.freeze().properties["other"].qualifiers.value("cimtype") == "object:Parent"
    refused(WBEM_E_TYPE_MISMATCH, one.put, "Other", make("Stranger").spawn())


@pytest.mark.req("A-142")
def test_system_properties_are_not_written() -> None:
    one = ClassDraft(CHILD, PARENT)
    refused(WBEM_E_READ_ONLY, one.put, "__CLASS", "Other")
    refused(WBEM_E_READ_ONLY, one.put, "__PATH", "x")
    refused(WBEM_E_READ_ONLY, new().put, "__genus", 1)
    refused(WBEM_E_SYSTEM_PROPERTY, one.delete, "__CLASS")
    refused(WBEM_E_SYSTEM_PROPERTY, one.property_qualifiers, "__PATH")
    refused(WBEM_E_TYPE_MISMATCH, new().put, "__CLASS", 5)
    refused(WBEM_E_INVALID_PARAMETER, new().put, "__CLASS", "")


@pytest.mark.req("A-064")
def test_a_draft_holds_no_more_than_1024_properties() -> None:
    wide = ClassDraft(make("Wide", *(prop(f"P{number}") for number in range(1024))))
    refused(WBEM_E_TOO_MANY_PROPERTIES, wide.put, "Q", 1)
    wide.put("P7", "x")


@pytest.mark.req("A-200", "A-211")
def test_reading_properties() -> None:
    one = ClassDraft(CHILD, PARENT)
    assert one.get("size")[:4] == ("Size", 2, CimType.UINT32, 0)
    assert one.get("Name")[:4] == ("Name", None, CimType.STRING, PROPAGATED)
    assert one.get("__class")[:4] == ("__CLASS", "Child", CimType.STRING, SYSTEM)
    assert one.get("__DERIVATION").value == ("Parent",)
    assert (one.origin("size"), one.origin("own"), one.origin("__PATH")) == ("Parent", "Child", SYSTEM_ORIGIN)
    refused(WBEM_E_NOT_FOUND, one.get, "Nothing")
    refused(WBEM_E_NOT_FOUND, one.origin, "Nothing")
    refused(WBEM_E_NOT_FOUND, one.property_qualifiers, "Nothing")


@pytest.mark.req("A-203")
@pytest.mark.parametrize("parent", [PARENT, None], ids=["parent", "no parent"])
def test_deleting_properties(parent: Class | None) -> None:
    one = ClassDraft(CHILD, parent)
    assert one.delete("own") == 0
    assert one.delete("SIZE") == WBEM_S_RESET_TO_DEFAULT
    size = one.freeze().properties["size"]
    assert not size.local
    assert size.qualifiers.value("units") == "Bytes"
    assert size.default == (1 if parent else 2), "what is hidden is known from the parent alone"
    refused(WBEM_E_PROPAGATED_PROPERTY, one.delete, "size")
    refused(WBEM_E_PROPAGATED_PROPERTY, one.delete, "Name")
    refused(WBEM_E_NOT_FOUND, one.delete, "own")


@pytest.mark.req("A-204", "A-205", "A-206")
def test_listing() -> None:
    one = ClassDraft(CHILD, PARENT)
    assert one.names(0)[:10] == [
        *("__GENUS", "__CLASS", "__SUPERCLASS", "__DYNASTY", "__RELPATH"),
        *("__PROPERTY_COUNT", "__DERIVATION", "__SERVER", "__NAMESPACE", "__PATH"),
    ]
    assert one.names(0)[10:] == ["Name", "Own", "Size"]
    assert one.names(LOCAL_ONLY) == ["Own"]
    assert one.names(PROPAGATED_ONLY) == ["Name", "Size"]
    assert [entry.name for entry in one.enumerate(0x100)] == ["Size"]
    assert [entry.name for entry in one.enumerate(0x200)] == ["Own", "Size"]
    assert one.names(0x41, "units") == ["Size"]
    assert [entry.value for entry in one.enumerate(0x40)] == [None, None, 2]


@pytest.mark.req("A-148", "A-209", "A-210", "A-211", "A-212")
def test_methods() -> None:
    one = ClassDraft(CHILD, PARENT)
    assert [entry.name for entry in one.methods()] == ["Run", "Stop"]
    assert [entry.name for entry in one.methods(LOCAL_ONLY)] == ["Run", "Stop"]
    assert one.methods(PROPAGATED_ONLY) == []
    assert (one.method_origin("RUN"), one.method_origin("stop")) == ("Parent", "Child")
    run = one.method("run")
    assert run.inputs is not None
    assert run.inputs.path == "\\\\HOST\\root\\cimv2:__PARAMETERS"
    assert compare(run.inputs, parameters(parameter("A", 0)), IGNORE_OBJECT_SOURCE)
    stop = one.method("STOP")
    assert (stop.inputs, stop.outputs) == (None, None)
    one.put_method("Stop", parameters(parameter("Why", 0)), None)
    one.put_method("Added", None, None)
    assert [entry.name for entry in one.freeze().methods.values()] == ["Run", "Stop", "Added"]
    assert one.freeze().methods["stop"].inputs is not None
    refused(WBEM_E_MISSING_PARAMETER_ID, one.put_method, "Bad", parameters(parameter("A", None)), None)
    refused(WBEM_E_PROPAGATED_METHOD, one.put_method, "Run", None, None)
    refused(WBEM_E_INVALID_PARAMETER, one.put_method, "_bad", None, None)
    assert one.delete_method("added") == 0
    assert one.delete_method("run") == WBEM_S_RESET_TO_DEFAULT
    assert [entry.name for entry in one.methods(PROPAGATED_ONLY)] == ["Run"]
    refused(WBEM_E_PROPAGATED_METHOD, one.delete_method, "run")
    refused(WBEM_E_NOT_FOUND, one.delete_method, "added")
    refused(WBEM_E_NOT_FOUND, one.method, "added")
    refused(WBEM_E_NOT_FOUND, one.method_qualifiers, "added")
    refused(WBEM_E_INVALID_PARAMETER, one.methods, 0x30)


@pytest.mark.req("A-213")
def test_ancestors() -> None:
    one = ClassDraft(CHILD, PARENT)
    assert [one.inherits_from(name) for name in ("child", "PARENT", "other")] == [True, True, False]


@pytest.mark.req("A-207", "A-208")
def test_spawning() -> None:
    spawned = ClassDraft(CHILD, PARENT).spawn_instance().freeze()
    assert spawned == CHILD.spawn()
    below = ClassDraft(CHILD, PARENT).spawn_derived()
    assert below.get("__CLASS").value is None
    assert below.get("__SUPERCLASS").value == "Child"
    assert below.get("__DERIVATION").value == ("Child", "Parent")
    refused(WBEM_E_INCOMPLETE_CLASS, below.spawn_instance)
    refused(WBEM_E_INCOMPLETE_CLASS, below.spawn_derived)
    below.put("__CLASS", "GrandChild")
    below.put("Size", 9)
    below.put("New", "x")
    frozen = below.freeze()
    assert frozen == derive(below.declaration(), CHILD, namespace=NAMESPACE, server=SERVER)
    assert [(entry.name, entry.origin) for entry in frozen.properties.values()] == [
        ("Name", "Parent"),
        ("Size", "Parent"),
        ("Own", "Child"),
        ("New", "GrandChild"),
    ]
    assert below.delete("size") == WBEM_S_RESET_TO_DEFAULT
    assert below.freeze().properties["size"].default == 2
    refused(WBEM_E_INCOMPLETE_CLASS, new().spawn_instance)
    refused(WBEM_E_ILLEGAL_OPERATION, ClassDraft(make("Abstract1", marks=("abstract",))).spawn_instance)


@pytest.mark.req("A-214")
def test_a_clone_is_on_its_own() -> None:
    one = ClassDraft(CHILD, PARENT)
    one.put("Size", 5)
    twin = one.clone()
    one.put("Size", 6)
    twin.delete("own")
    assert one.get("own").name == "Own"
    assert (one.get("size").value, twin.get("size").value) == (6, 5)
    assert twin.delete("size") == WBEM_S_RESET_TO_DEFAULT
    assert twin.get("size").value == 1
    assert compare(ClassDraft(CHILD, PARENT).clone().freeze(), CHILD)


# Qualifiers ---------------------------------------------------------------------------------------------------------


@pytest.mark.req("A-215", "A-110", "A-108")
def test_qualifiers_of_a_class_are_live() -> None:
    one = ClassDraft(CHILD, PARENT)
    live = one.qualifiers()
    assert [(entry.name, entry.flavor & PROPAGATED != 0) for entry in live.entries()] == [
        ("Fixed", True),
        ("Free", True),
    ]
    live.put("Mine", ["a", "b"], TO_SUBCLASS)
    live.put("FREE", 2, TO_SUBCLASS | AMENDED)
    assert one.freeze().qualifiers.value("mine") == ("a", "b")
    assert live.get("free") == ("Free", 2, CimType.SINT32, TO_SUBCLASS | AMENDED)
    assert live.names() == ["Fixed", "Free", "Mine"]
    assert live.names(LOCAL_ONLY) == ["Free", "Mine"]
    assert live.names(PROPAGATED_ONLY) == ["Fixed"]
    assert live.freeze() == one.freeze().qualifiers
    assert live.delete("free") == WBEM_S_RESET_TO_DEFAULT
    assert live.get("free").value == 1
    assert live.delete("mine") == 0
    refused(WBEM_E_PROPAGATED_QUALIFIER, live.delete, "free")
    refused(WBEM_E_NOT_FOUND, live.delete, "mine")
    refused(WBEM_E_NOT_FOUND, live.get, "mine")
    refused(WBEM_E_INVALID_PARAMETER, live.entries, 0x30)


@pytest.mark.req("A-106", "A-107", "A-109")
def test_qualifiers_that_are_refused() -> None:
    live = ClassDraft(CHILD, PARENT).qualifiers()
    refused(WBEM_E_OVERRIDE_NOT_ALLOWED, live.put, "fixed", 2)
    live.put("fixed", 1)
    refused(WBEM_E_INVALID_QUALIFIER, live.put, "key", True)
    refused(WBEM_E_INVALID_PARAMETER, live.put, "Q", None)
    refused(WBEM_E_INVALID_PARAMETER, live.put, "Q", 1, PROPAGATED)
    refused(WBEM_E_INVALID_PARAMETER, live.put, "Q", 1, SYSTEM)
    refused(WBEM_E_INVALID_FLAVOR, live.put, "Q", 1, 0x04)
    refused(WBEM_E_INVALID_PARAMETER, live.put, "_q", 1)
    for value, code in [
        (2**31, 0),
        ([1, "a"], 0),
        ([1, True], 0),
        ([1, None], 0),
        (object(), 0),
        (b"x", 0),
        (1, CimType.STRING),
        (1, CimType.UINT32),
        ([1], CimType.SINT32),
    ]:
        refused(WBEM_E_INVALID_QUALIFIER_TYPE, live.put, "Q", value, 0, code)
    assert "Q" not in live.freeze()
    live.put("Empty", [])
    assert live.get("empty")[1:3] == ((), CimType.STRING | ARRAY)


@pytest.mark.req("A-215", "A-104", "A-108")
def test_qualifiers_of_properties_and_methods_are_live() -> None:
    one = ClassDraft(CHILD, PARENT)
    units = one.property_qualifiers("SIZE")
    units.put("Units", "Bits", TO_SUBCLASS)
    assert one.freeze().properties["size"].qualifiers.value("units") == "Bits"
    assert one.freeze().properties["size"].default == 2
    assert units.delete("units") == WBEM_S_RESET_TO_DEFAULT
    assert units.get("units") == ("Units", "Bytes", CimType.STRING, TO_SUBCLASS | PROPAGATED)
    names = one.property_qualifiers("name")
    names.put("Description", "x")
    assert one.freeze().properties["name"].local, "a qualifier of its own makes the property an override"
    run = one.method_qualifiers("run")
    run.put("Implemented", True)
    assert one.freeze().methods["run"].qualifiers.truth("implemented")
    one.put_method("Run", RUN.inputs, RUN.outputs)
    assert run.names() == ["Implemented"], "a new signature keeps the qualifiers"


@pytest.mark.req("A-084", "A-109", "A-009")
def test_qualifiers_of_properties_that_are_refused() -> None:
    one = new()
    one.put("__CLASS", "Made")
    one.put("Rate", 1.5)
    one.put("Text", "x")
    refused(WBEM_E_CANNOT_BE_KEY, one.property_qualifiers("rate").put, "key", True)
    refused(WBEM_E_INVALID_QUALIFIER, one.property_qualifiers("text").put, "key", False)
    refused(WBEM_E_INVALID_QUALIFIER, one.property_qualifiers("text").put, "abstract", True)
    refused(WBEM_E_INVALID_QUALIFIER, one.property_qualifiers("text").delete, "CIMTYPE")
    assert one.freeze().keys == ()
    one.property_qualifiers("text").put("key", True)
    assert one.freeze().keys == ("Text",)


@pytest.mark.req("A-009", "A-043")
def test_cimtype_narrows_references_and_objects() -> None:
    one = new()
    one.put("__CLASS", "Made")
    one.put("End", None, CimType.REFERENCE)
    one.put("Size", 5)
    one.property_qualifiers("End").put("CIMTYPE", "ref:Parent", TO_INSTANCE | TO_SUBCLASS)
    end = one.freeze().properties["end"]
    assert (end.reference, end.qualifiers.value("cimtype")) == ("Parent", "ref:Parent")
    one.property_qualifiers("End").put("Mark", 1)
    assert one.freeze().properties["end"].reference == "Parent"
    for value in ("object:Parent", "ref:", "sint32", 5):
        refused(WBEM_E_INVALID_QUALIFIER, one.property_qualifiers("End").put, "CIMTYPE", value)
    refused(WBEM_E_INVALID_QUALIFIER, one.property_qualifiers("Size").put, "CIMTYPE", "sint32:X")
    one.property_qualifiers("Size").put("CIMTYPE", "SINT32")
    one.property_qualifiers("End").put("CIMTYPE", "ref")
    assert one.freeze().properties["end"].reference is None


# Any sequence of edits ----------------------------------------------------------------------------------------------

member_names = st.sampled_from(["Name", "size", "Own", "New", "run", "STOP", "Bad_"])
edits = st.one_of(
    st.tuples(st.just("put"), member_names, st.none() | st.integers(0, 3) | st.sampled_from(["a", "b"])),
    st.tuples(st.just("delete"), member_names),
    st.tuples(
        st.just("put_method"),
        member_names,
        st.sampled_from([None, RUN.inputs]),
        st.sampled_from([None, RUN.outputs]),
    ),
    st.tuples(st.just("delete_method"), member_names),
    st.tuples(
        st.just("mark"),
        member_names,
        st.sampled_from(["key", "Units", "Own"]),
        st.booleans() | st.integers(0, 2),
    ),
    st.tuples(st.just("unmark"), member_names, st.sampled_from(["key", "Units", "Own", "CIMTYPE"])),
    st.tuples(st.just("mark_class"), st.sampled_from(["Free", "Fixed", "Own"]), st.integers(0, 2)),
)


def edited(one: ClassDraft, edit: tuple[Any, ...]) -> None:
    what, *arguments = edit
    if what == "mark":
        one.property_qualifiers(arguments[0]).put(*arguments[1:])
    elif what == "unmark":
        one.property_qualifiers(arguments[0]).delete(arguments[1])
    elif what == "mark_class":
        one.qualifiers().put(*arguments)
    else:
        getattr(one, what)(*arguments)


@pytest.mark.req("A-201", "A-203", "A-215")
@given(st.lists(edits, max_size=12))
def test_a_draft_is_what_its_declaration_derives(steps: list[tuple[Any, ...]]) -> None:
    """Refused edits change nothing, and what is accepted is what PutClass would make of it."""
    one = ClassDraft(CHILD, PARENT)
    for step in steps:
        before = one.freeze()
        try:
            edited(one, step)
        except WbemError:
            assert one.freeze() == before
    frozen = one.freeze()
    try:
        derived = derive(one.declaration(), PARENT, namespace=NAMESPACE, server=SERVER)
    except WbemError as reason:
        assert reason.code == WBEM_E_CANNOT_BE_KEY, "only the keys concern the class as a whole here"
    else:
        assert frozen == derived
        assert list(frozen.properties) == list(derived.properties)
    assert ClassDraft(frozen, PARENT).freeze() == frozen
    assert ClassDraft(frozen).freeze() == frozen
    assert compare(frozen, one.clone().freeze())
