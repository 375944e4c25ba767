"""IWbemClassObject and IWbemQualifierSet whole (model.md A10, A11, A6; calls.md values of DESIGN.md section 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from openwmi import com
from openwmi.faces.com.objects import class_object
from openwmi.model.classes import Class, derive
from openwmi.mof import class_declarations

Make = Callable[..., Any]
BAD = com.WBEM_E_INVALID_PARAMETER
NOT_FOUND = com.WBEM_E_NOT_FOUND
MOF = """
[Abstract, Description("the parent") : ToSubClass]
class Parent
{
    [key, Units("keys") : ToSubclass ToInstance] uint32 Id;
    string Text = "default";
    [Read : ToSubclass] uint64 Large;
    void Inherited([in] uint32 A);
};
[Local, Version("1.0") : ToInstance]
class Child : Parent
{
    string Text = "own";
    sint8 S8; uint8 U8; sint16 S16; uint16 U16; sint32 S32; sint64 S64; real32 R32; real64 R64;
    boolean Flag; datetime Seen; char16 Letter; Parent REF Other; object Inner; uint32 Numbers[]; uint8 Bytes[];
    string Texts[];
    [static] uint32 Act([in] uint32 A, [in, out] string B, [out] uint32 C);
    void Nothing();
};
"""


def classes() -> tuple[Class, Class]:
    parent, child = class_declarations(MOF, file="<test>")
    above = derive(parent, None, namespace="root\\test", server="HOST")
    return above, derive(child, above, namespace="root\\test", server="HOST")


@pytest.fixture
def class_() -> com.IWbemClassObject:
    parent, child = classes()
    return class_object(child, lambda name: parent if name == "Parent" else None)


@pytest.fixture
def instance(class_: com.IWbemClassObject) -> com.IWbemClassObject:
    hr, made = class_.SpawnInstance(0)
    assert hr == 0
    return made


def value(subject: com.IWbemClassObject, name: str) -> Any:
    hr, found, _, _ = subject.Get(name, 0)
    assert hr == 0
    return found


# Get and Put


@pytest.mark.req("A-200")
def test_flavors_of_properties(class_: com.IWbemClassObject, instance: com.IWbemClassObject) -> None:
    local, propagated, system = 0, com.WBEM_FLAVOR_ORIGIN_PROPAGATED, com.WBEM_FLAVOR_ORIGIN_SYSTEM
    assert class_.Get("flag", 0) == (0, None, com.CIM_BOOLEAN, local)
    assert class_.Get("TEXT", 0) == (0, "own", com.CIM_STRING, local)
    assert class_.Get("Large", 0) == (0, None, com.CIM_UINT64, propagated)
    assert class_.Get("__class", 0) == (0, "Child", com.CIM_STRING, system)
    assert instance.Get("Text", 0) == (0, "own", com.CIM_STRING, propagated)
    assert instance.Put("Text", 0, "mine", 0) == 0
    assert instance.Get("Text", 0) == (0, "mine", com.CIM_STRING, local)
    assert instance.Get("Nothing", 0) == (NOT_FOUND, None, None, None)
    assert instance.Get(None, 0)[0] == BAD
    assert instance.Get("Text", 1)[0] == BAD
    assert instance.Get("Text", 0, out={"pType"}) == (0, None, com.CIM_STRING, None)
    assert instance.Get("Text", 0, out=()) == (0, None, None, None)


@pytest.mark.req("A-001", "A-004", "A-005", "A-006", "A-008", "A-201")
@pytest.mark.parametrize(
    ("name", "given", "shown"),
    [
        ("S8", -128, -128),
        ("U8", 255, 255),
        ("S16", -5, -5),
        ("U16", 65535, 65535),
        ("S32", -7, -7),
        ("Id", 0xFFFFFFFF, -1),
        ("Id", -1, -1),
        ("Id", 7, 7),
        ("Id", 7.4, 7),
        ("Id", com.VARIANT(com.VT_I4, 7), 7),
        ("S64", "-9223372036854775808", "-9223372036854775808"),
        ("Large", "18446744073709551615", "18446744073709551615"),
        ("Large", 5, "5"),
        ("R32", 1.5, 1.5),
        ("R64", 0.1, 0.1),
        ("Text", "x", "x"),
        ("Flag", True, True),
        ("Seen", "20240102030405.000000+060", "20240102030405.000000+060"),
        ("Letter", 65, 65),
        ("Other", "Parent.Id=1", "Parent.Id=1"),
        ("Numbers", [1, 0xFFFFFFFF], [1, -1]),
        ("Numbers", [], []),
        ("Numbers", com.VARIANT(com.VT_ARRAY | com.VT_VARIANT, []), []),
        ("Bytes", [1, 2], [1, 2]),
        ("Bytes", b"\x01\x02", [1, 2]),
        ("Texts", ["a", "b"], ["a", "b"]),
        ("Text", None, None),
        ("Text", com.NULL, None),
        ("Text", com.VARIANT(com.VT_NULL), None),
    ],
)
def test_values(instance: com.IWbemClassObject, name: str, given: Any, shown: Any) -> None:
    assert instance.Put(name, 0, given, 0) == 0
    found = value(instance, name)
    assert found == shown
    assert type(found) is type(shown)


@pytest.mark.req("A-005", "A-006", "A-201")
@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("Id", com.VARIANT(com.VT_I2, 7)),
        ("Id", "7"),
        ("Id", [7]),
        ("Id", 0x100000000),
        ("Large", "0x10"),
        ("Large", "x"),
        ("Flag", "TRUE"),
        ("Seen", "yesterday"),
        ("Numbers", 7),
        ("Numbers", [1.0]),
        ("Numbers", com.VARIANT(com.VT_ARRAY | com.VT_R8, [1.0])),
        ("Text", 5),
        ("Inner", "text"),
    ],
)
def test_values_that_do_not_fit(instance: com.IWbemClassObject, name: str, given: Any) -> None:
    before = value(instance, name)
    assert instance.Put(name, 0, given, 0) in (com.WBEM_E_TYPE_MISMATCH, com.WBEM_E_VALUE_OUT_OF_RANGE)
    assert value(instance, name) == before


@pytest.mark.req("A-201")
def test_put_on_an_instance(instance: com.IWbemClassObject) -> None:
    assert instance.Put("New", 0, 1, 0) == NOT_FOUND
    assert instance.Put("New", 0, None, com.CIM_STRING) == NOT_FOUND
    assert instance.Put("Text", 0, "x", com.CIM_STRING) == 0
    assert instance.Put("Text", 0, "x", com.CIM_UINT32) == com.WBEM_E_TYPE_MISMATCH
    assert instance.Put(None, 0, 1, 0) == BAD
    assert instance.Put("Text", 1, "x", 0) == BAD


@pytest.mark.req("A-201", "A-202", "A-142")
def test_put_on_a_class(class_: com.IWbemClassObject) -> None:
    assert class_.Put("NewInt", 0, 5, 0) == 0
    assert class_.Get("NewInt", 0) == (0, 5, com.CIM_SINT32, 0)
    assert class_.Put("NewText", 0, "x", 0) == 0
    assert class_.Get("NewText", 0)[2] == com.CIM_STRING
    assert class_.Put("NewBig", 0, None, com.CIM_UINT64 | com.CIM_FLAG_ARRAY) == 0
    assert class_.Get("NewBig", 0) == (0, None, com.CIM_UINT64 | com.CIM_FLAG_ARRAY, 0)
    assert class_.Put("NewWide", 0, "1033", com.CIM_UINT64) == 0
    assert class_.Get("NewWide", 0) == (0, "1033", com.CIM_UINT64, 0)
    assert class_.Put("NewNothing", 0, None, 0) == com.WBEM_E_INVALID_PROPERTY_TYPE
    assert class_.Put("NewBad", 0, None, 77) == com.WBEM_E_INVALID_PROPERTY_TYPE
    assert class_.Put("_bad", 0, 1, 0) == BAD
    assert class_.Put("bad_", 0, 1, 0) == BAD
    assert class_.Put("Large", 0, "9", 0) == 0  # the override of an inherited default
    assert class_.Get("Large", 0) == (0, "9", com.CIM_UINT64, 0)
    assert class_.Put("Id", 0, "text", com.CIM_STRING) in (
        com.WBEM_E_TYPE_MISMATCH,
        com.WBEM_E_UPDATE_TYPE_MISMATCH,
    )


@pytest.mark.req("A-142")
def test_system_properties_cannot_be_written(
    class_: com.IWbemClassObject, instance: com.IWbemClassObject
) -> None:
    refused = (com.WBEM_E_READ_ONLY, com.WBEM_E_SYSTEM_PROPERTY)
    for name in ("__PATH", "__GENUS", "__SERVER"):
        assert class_.Put(name, 0, "x", 0) in refused
        assert instance.Put(name, 0, "x", 0) in refused
        assert class_.Delete(name) == com.WBEM_E_SYSTEM_PROPERTY
        assert class_.GetPropertyQualifierSet(name) == (com.WBEM_E_SYSTEM_PROPERTY, None)
    assert instance.Put("__CLASS", 0, "x", 0) in refused


@pytest.mark.req("A-142", "A-180", "A-208")
def test_a_new_class(services: com.IWbemServices) -> None:
    _, made, _ = services.GetObject(None, 0, None)
    assert made.Put("__CLASS", 0, "MyClass", 0) == 0
    assert value(made, "__CLASS") == "MyClass"
    assert value(made, "__RELPATH") == "MyClass"
    assert made.Put("Key", 0, None, com.CIM_STRING) == 0
    hr, qualifiers = made.GetPropertyQualifierSet("Key")
    assert hr == 0
    assert qualifiers.Put("key", True, 0) == 0
    assert made.GetNames(None, com.WBEM_FLAG_KEYS_ONLY, None) == (0, ["Key"])
    assert made.GetObjectText(0)[1].split() == ["class", "MyClass", "{", "[key]", "string", "Key;", "};"]
    assert made.SpawnInstance(0)[0] == com.WBEM_E_INCOMPLETE_CLASS


@pytest.mark.req("A-203", "A-050", "A-049")
def test_delete(class_: com.IWbemClassObject, instance: com.IWbemClassObject) -> None:
    instance.Put("Text", 0, "mine", 0)
    assert instance.Delete("Text") == 0
    assert instance.Get("Text", 0)[1:] == ("own", com.CIM_STRING, com.WBEM_FLAVOR_ORIGIN_PROPAGATED)
    assert instance.Delete("Nothing") == NOT_FOUND
    assert class_.Delete("S8") == 0
    assert class_.Get("S8", 0)[0] == NOT_FOUND
    assert class_.Delete("Text") == com.WBEM_S_RESET_TO_DEFAULT
    assert class_.Get("Text", 0)[1:] == ("default", com.CIM_STRING, com.WBEM_FLAVOR_ORIGIN_PROPAGATED)
    assert class_.Delete("Large") == com.WBEM_E_PROPAGATED_PROPERTY
    assert class_.Delete("Nothing") == NOT_FOUND
    assert class_.Delete(None) == BAD


# Names


OWN = sorted(
    [
        "Text",
        "S8",
        "U8",
        "S16",
        "U16",
        "S32",
        "S64",
        "R32",
        "R64",
        "Flag",
        "Seen",
        "Letter",
        "Other",
        "Inner",
        "Numbers",
        "Bytes",
        "Texts",
    ],
    key=str.lower,
)
ALL = sorted([*OWN, "Id", "Large"], key=str.lower)
SYSTEM = ["__GENUS", "__CLASS", "__SUPERCLASS", "__DYNASTY", "__RELPATH", "__PROPERTY_COUNT"]
SYSTEM += ["__DERIVATION", "__SERVER", "__NAMESPACE", "__PATH"]


@pytest.mark.req("A-204", "A-206")
@pytest.mark.parametrize(
    ("qualifier", "flags", "given", "expected"),
    [
        (None, com.WBEM_FLAG_NONSYSTEM_ONLY, None, ALL),
        (None, com.WBEM_FLAG_ALWAYS | com.WBEM_FLAG_SYSTEM_ONLY, None, SYSTEM),
        (None, com.WBEM_FLAG_LOCAL_ONLY, None, [name for name in OWN if name != "Text"]),
        (None, com.WBEM_FLAG_PROPAGATED_ONLY, None, ["Id", "Large", "Text"]),
        (None, com.WBEM_FLAG_KEYS_ONLY, None, ["Id"]),
        (None, com.WBEM_FLAG_REFS_ONLY, None, ["Other"]),
        (None, com.WBEM_FLAG_KEYS_ONLY | com.WBEM_FLAG_LOCAL_ONLY, None, []),
        ("units", com.WBEM_FLAG_ONLY_IF_TRUE | com.WBEM_FLAG_NONSYSTEM_ONLY, None, ["Id"]),
        ("units", com.WBEM_FLAG_ONLY_IF_IDENTICAL | com.WBEM_FLAG_NONSYSTEM_ONLY, "keys", ["Id"]),
        ("units", com.WBEM_FLAG_ONLY_IF_IDENTICAL | com.WBEM_FLAG_NONSYSTEM_ONLY, "other", []),
        (
            "units",
            com.WBEM_FLAG_ONLY_IF_FALSE | com.WBEM_FLAG_NONSYSTEM_ONLY,
            None,
            [name for name in ALL if name != "Id"],
        ),
        ("read", com.WBEM_FLAG_ONLY_IF_TRUE | com.WBEM_FLAG_NONSYSTEM_ONLY, None, ["Large"]),
    ],
)
def test_names(
    class_: com.IWbemClassObject, qualifier: str | None, flags: int, given: Any, expected: list[str]
) -> None:
    assert class_.GetNames(qualifier, flags, given) == (0, expected)


@pytest.mark.req("A-204", "A-206")
def test_names_of_all(class_: com.IWbemClassObject) -> None:
    hr, found = class_.GetNames(None, 0, None)
    assert hr == 0
    assert found == [*SYSTEM, *ALL]
    assert class_.GetNames(None, com.WBEM_MASK_CONDITION_ORIGIN, None)[0] == 0
    assert class_.GetNames(None, com.WBEM_FLAG_ONLY_IF_TRUE, None) == (BAD, None)
    assert class_.GetNames("x", com.WBEM_FLAG_ONLY_IF_IDENTICAL, com.NULL) == (BAD, None)
    assert class_.GetNames(None, 0x8000, None) == (BAD, None)
    assert class_.GetNames(None, 0, None, out=()) == (BAD, None)


def enumerated(subject: com.IWbemClassObject, flags: int) -> list[str]:
    assert subject.BeginEnumeration(flags) == 0
    found = []
    hr, name, _, _, _ = subject.Next(0)
    while hr == 0:
        found.append(name)
        hr, name, _, _, _ = subject.Next(0)
    assert hr == com.WBEM_S_NO_MORE_DATA
    assert subject.EndEnumeration() == 0
    return found


@pytest.mark.req("A-205", "A-206")
def test_enumeration(class_: com.IWbemClassObject, instance: com.IWbemClassObject) -> None:
    assert enumerated(class_, 0) == [*SYSTEM, *ALL]
    assert enumerated(class_, com.WBEM_FLAG_NONSYSTEM_ONLY) == ALL
    assert enumerated(class_, com.WBEM_FLAG_KEYS_ONLY) == ["Id"]
    assert enumerated(class_, com.WBEM_FLAG_CLASS_OVERRIDES_ONLY) == ["Text"]
    assert enumerated(class_, com.WBEM_FLAG_CLASS_LOCAL_AND_OVERRIDES) == OWN
    assert enumerated(instance, com.WBEM_FLAG_NONSYSTEM_ONLY) == ALL
    assert instance.BeginEnumeration(com.WBEM_FLAG_CLASS_OVERRIDES_ONLY) == BAD
    assert class_.BeginEnumeration(0x8000) == BAD


@pytest.mark.req("A-205")
def test_enumeration_out_of_turn(class_: com.IWbemClassObject) -> None:
    assert class_.Next(0)[0] == com.WBEM_E_UNEXPECTED
    assert class_.BeginEnumeration(com.WBEM_FLAG_KEYS_ONLY) == 0
    assert class_.Next(1) == (BAD, None, None, None, None)
    assert class_.Next(0) == (0, "Id", None, com.CIM_UINT32, com.WBEM_FLAVOR_ORIGIN_PROPAGATED)
    assert class_.Next(0) == (com.WBEM_S_NO_MORE_DATA, None, None, None, None)
    assert class_.EndEnumeration() == 0
    assert class_.Next(0)[0] == com.WBEM_E_UNEXPECTED


# Making others


@pytest.mark.req("A-207", "A-143", "A-263")
def test_spawn_instance(class_: com.IWbemClassObject, instance: com.IWbemClassObject) -> None:
    assert value(instance, "__GENUS") == com.WBEM_GENUS_INSTANCE
    assert value(instance, "__CLASS") == "Child"
    assert value(instance, "__PATH") is None
    instance.Put("Id", 0, 7, 0)
    assert value(instance, "__RELPATH") == "Child.Id=7"
    assert value(instance, "__PATH") == r"\\HOST\root\test:Child.Id=7"
    hr, blank = instance.SpawnInstance(0)
    assert hr == 0
    assert value(blank, "Id") is None
    assert class_.SpawnInstance(1) == (BAD, None)
    abstract = class_object(classes()[0])
    assert abstract.SpawnInstance(0) == (com.WBEM_E_ILLEGAL_OPERATION, None)


@pytest.mark.req("A-208")
def test_spawn_derived_class(class_: com.IWbemClassObject, instance: com.IWbemClassObject) -> None:
    hr, made = class_.SpawnDerivedClass(0)
    assert hr == 0
    assert value(made, "__CLASS") is None
    assert value(made, "__SUPERCLASS") == "Child"
    assert value(made, "__DERIVATION") == ["Child", "Parent"]
    assert made.Get("Flag", 0)[3] == com.WBEM_FLAVOR_ORIGIN_PROPAGATED
    assert made.Put("__CLASS", 0, "Grandchild", 0) == 0
    assert made.Put("Own", 0, 1, 0) == 0
    assert made.InheritsFrom("parent") == 0
    assert instance.SpawnDerivedClass(0) == (com.WBEM_E_ILLEGAL_OPERATION, None)
    assert class_.SpawnDerivedClass(4) == (BAD, None)


@pytest.mark.req("A-213")
def test_inherits_from(class_: com.IWbemClassObject, instance: com.IWbemClassObject) -> None:
    for subject in (class_, instance):
        assert subject.InheritsFrom("PARENT") == 0
        assert subject.InheritsFrom("child") == 0
        assert subject.InheritsFrom("Other") == com.WBEM_S_FALSE
        assert subject.InheritsFrom(None) == BAD


@pytest.mark.req("A-211")
def test_origins(class_: com.IWbemClassObject) -> None:
    assert class_.GetPropertyOrigin("text") == (0, "Parent")
    assert class_.GetPropertyOrigin("Flag") == (0, "Child")
    assert class_.GetPropertyOrigin("Nothing") == (NOT_FOUND, None)
    assert class_.GetMethodOrigin("inherited") == (0, "Parent")
    assert class_.GetMethodOrigin("Act") == (0, "Child")
    assert class_.GetMethodOrigin("Nothing2") == (NOT_FOUND, None)


@pytest.mark.req("A-214", "A-044")
def test_clone_is_deep(class_: com.IWbemClassObject, instance: com.IWbemClassObject) -> None:
    hr, twin = instance.Clone()
    assert hr == 0
    twin.Put("Text", 0, "other", 0)
    assert value(instance, "Text") == "own"
    hr, other = class_.Clone()
    other.Put("More", 0, 1, 0)
    assert class_.Get("More", 0)[0] == NOT_FOUND
    assert class_.CompareTo(0, class_.Clone()[1]) == com.WBEM_S_SAME


@pytest.mark.req("A-044", "A-214", "A-045")
def test_embedded_objects_are_copies(class_: com.IWbemClassObject, instance: com.IWbemClassObject) -> None:
    _, inner = class_.SpawnInstance(0)
    inner.Put("Text", 0, "inside", 0)
    assert instance.Put("Inner", 0, inner, 0) == 0
    inner.Put("Text", 0, "later", 0)
    hr, found, cim_type, _ = instance.Get("Inner", 0)
    assert (hr, cim_type) == (0, com.CIM_OBJECT)
    assert isinstance(found, com.IWbemClassObject)
    assert value(found, "Text") == "inside"
    found.Put("Text", 0, "changed", 0)
    assert value(value(instance, "Inner"), "Text") == "inside"
    assert instance.Put("Inner", 0, class_, 0) == 0
    assert value(value(instance, "Inner"), "__GENUS") == com.WBEM_GENUS_CLASS


# Methods


@pytest.mark.req("A-209")
def test_get_method(class_: com.IWbemClassObject, instance: com.IWbemClassObject) -> None:
    hr, inputs, outputs = class_.GetMethod("ACT", 0)
    assert hr == 0
    assert inputs.GetNames(None, com.WBEM_FLAG_NONSYSTEM_ONLY, None) == (0, ["A", "B"])
    assert outputs.GetNames(None, com.WBEM_FLAG_NONSYSTEM_ONLY, None) == (0, ["B", "C", "ReturnValue"])
    assert class_.GetMethod("Nothing", 0) == (0, None, None)
    assert class_.GetMethod("Inherited", 0)[1:] != (None, None)
    assert class_.GetMethod("None", 0) == (NOT_FOUND, None, None)
    assert class_.GetMethod("Act", 0, out=()) == (0, None, None)
    assert class_.GetMethod("Act", 1)[0] == BAD
    assert instance.GetMethod("Act", 0) == (com.WBEM_E_ILLEGAL_OPERATION, None, None)


@pytest.mark.req("A-212")
def test_enumerating_methods(class_: com.IWbemClassObject, instance: com.IWbemClassObject) -> None:
    def found(flags: int) -> list[str]:
        assert class_.BeginMethodEnumeration(flags) == 0
        names = []
        hr, name, _, _ = class_.NextMethod(0)
        while hr == 0:
            names.append(name)
            hr, name, _, _ = class_.NextMethod(0)
        assert hr == com.WBEM_S_NO_MORE_DATA
        assert class_.EndMethodEnumeration() == 0
        return sorted(names)

    assert found(0) == ["Act", "Inherited", "Nothing"]
    assert found(com.WBEM_FLAG_LOCAL_ONLY) == ["Act", "Nothing"]
    assert found(com.WBEM_FLAG_PROPAGATED_ONLY) == ["Inherited"]
    assert class_.NextMethod(0)[0] == com.WBEM_E_UNEXPECTED
    assert class_.BeginMethodEnumeration(0x100) == BAD
    assert instance.BeginMethodEnumeration(0) == com.WBEM_E_ILLEGAL_OPERATION


def signature(**parameters: int) -> com.IWbemClassObject:
    """A __PARAMETERS class with parameters of these names and IDs; ReturnValue has none."""
    base = Class("__PARAMETERS")
    made = class_object(base)
    for name, number in parameters.items():
        assert made.Put(name, 0, None, com.CIM_UINT32) == 0
        if name != "ReturnValue":
            assert made.GetPropertyQualifierSet(name)[1].Put("ID", number, 0) == 0
    return made


@pytest.mark.req("A-210", "A-211")
def test_put_method(class_: com.IWbemClassObject, instance: com.IWbemClassObject) -> None:
    assert class_.PutMethod("New", 0, signature(A=0, B=1), signature(ReturnValue=0, C=2)) == 0
    hr, inputs, outputs = class_.GetMethod("new", 0)
    assert hr == 0
    assert inputs.GetNames(None, com.WBEM_FLAG_NONSYSTEM_ONLY, None)[1] == ["A", "B"]
    assert class_.PutMethod("Empty", 0, None, None) == 0
    assert class_.GetMethod("Empty", 0) == (0, None, None)
    wrong = com.WBEM_E_NONCONSECUTIVE_PARAMETER_IDS
    assert class_.PutMethod("Gap", 0, signature(A=0, B=2), None) == wrong
    assert class_.PutMethod("Twice", 0, signature(A=0, B=0), None) == com.WBEM_E_INVALID_DUPLICATE_PARAMETER
    unnumbered = class_object(Class("__PARAMETERS"))
    unnumbered.Put("A", 0, None, com.CIM_UINT32)
    assert class_.PutMethod("None", 0, unnumbered, None) == com.WBEM_E_MISSING_PARAMETER_ID
    assert class_.GetMethod("None", 0)[0] == NOT_FOUND
    assert instance.PutMethod("New", 0, None, None) == com.WBEM_E_ILLEGAL_OPERATION
    assert class_.DeleteMethod("New") == 0
    assert class_.DeleteMethod("New") == NOT_FOUND
    assert class_.DeleteMethod("Inherited") == com.WBEM_E_PROPAGATED_METHOD


@pytest.mark.req("A-215")
def test_method_qualifiers(class_: com.IWbemClassObject) -> None:
    hr, qualifiers = class_.GetMethodQualifierSet("act")
    assert hr == 0
    assert qualifiers.Get("STATIC", 0) == (0, True, 0)
    assert qualifiers.Put("Implemented", True, 0) == 0
    assert class_.GetMethodQualifierSet("Act")[1].Get("implemented", 0)[:2] == (0, True)
    assert class_.GetMethodQualifierSet("None") == (NOT_FOUND, None)


# Qualifiers


@pytest.mark.req("A-215", "A-100")
def test_qualifier_sets_are_live(class_: com.IWbemClassObject) -> None:
    hr, qualifiers = class_.GetQualifierSet()
    assert hr == 0
    assert qualifiers.Get("local", 0) == (0, True, 0)
    assert qualifiers.Get("Version", 0) == (0, "1.0", com.WBEM_FLAVOR_FLAG_PROPAGATE_TO_INSTANCE)
    hr, text, flavor = qualifiers.Get("Description", 0)
    assert (hr, text) == (0, "the parent")
    assert flavor & com.WBEM_FLAVOR_ORIGIN_PROPAGATED
    assert qualifiers.Put("Extra", 5, 0) == 0
    assert class_.GetQualifierSet()[1].Get("extra", 0) == (0, 5, 0)
    assert "Extra(5)" in class_.GetObjectText(0)[1]
    assert qualifiers.Get("None", 0) == (NOT_FOUND, None, None)
    assert qualifiers.Get(None, 0)[0] == BAD
    assert qualifiers.Get("local", 2)[0] == BAD
    assert qualifiers.Get("local", 0, out={"plFlavor"}) == (0, None, 0)


@pytest.mark.req("A-110")
def test_names_and_enumeration_of_qualifiers(class_: com.IWbemClassObject) -> None:
    _, qualifiers = class_.GetQualifierSet()
    assert sorted(qualifiers.GetNames(0)[1]) == ["Description", "Local", "Version"]
    assert sorted(qualifiers.GetNames(com.WBEM_FLAG_LOCAL_ONLY)[1]) == ["Local", "Version"]
    assert qualifiers.GetNames(com.WBEM_FLAG_PROPAGATED_ONLY) == (0, ["Description"])
    assert qualifiers.GetNames(0x100) == (BAD, None)
    assert qualifiers.GetNames(0, out=()) == (BAD, None)
    assert qualifiers.Next(0) == (com.WBEM_E_UNEXPECTED, None, None, None)
    assert qualifiers.BeginEnumeration(com.WBEM_FLAG_PROPAGATED_ONLY) == 0
    hr, name, text, _ = qualifiers.Next(0)
    assert (hr, name, text) == (0, "Description", "the parent")
    assert qualifiers.Next(0) == (com.WBEM_S_NO_MORE_DATA, None, None, None)
    assert qualifiers.EndEnumeration() == 0
    assert qualifiers.Next(0)[0] == com.WBEM_E_UNEXPECTED
    assert qualifiers.BeginEnumeration(0x40) == BAD


@pytest.mark.req("A-105", "A-106", "A-109")
@pytest.mark.parametrize(
    ("given", "flavor", "expected"),
    [
        (5, 3, 0),
        (1.5, 0, 0),
        ("x", 0x10, 0),
        (True, 0x80, 0),
        ([1, 2], 0, 0),
        (["a"], 0, 0),
        (com.NULL, 0, BAD),
        (None, 0, com.WBEM_E_INVALID_QUALIFIER_TYPE),
        (com.VARIANT(com.VT_I2, 5), 0, com.WBEM_E_INVALID_QUALIFIER_TYPE),
        (5, 0x20, BAD),
        (5, 0x40, BAD),
        (5, 0x04, com.WBEM_E_INVALID_FLAVOR),
    ],
)
def test_put_of_qualifiers(class_: com.IWbemClassObject, given: Any, flavor: int, expected: int) -> None:
    _, qualifiers = class_.GetQualifierSet()
    assert qualifiers.Put("Q", given, flavor) == expected
    assert qualifiers.Get("q", 0) == ((0, given, flavor) if not expected else (NOT_FOUND, None, None))


@pytest.mark.req("A-063", "A-009", "A-109")
def test_names_that_no_qualifier_can_have(
    class_: com.IWbemClassObject, instance: com.IWbemClassObject
) -> None:
    _, qualifiers = class_.GetQualifierSet()
    for name in (None, "", "_x", "x_"):
        assert qualifiers.Put(name, 1, 0) == BAD
    assert qualifiers.Put("key", True, 0) == com.WBEM_E_INVALID_QUALIFIER
    _, own = instance.GetQualifierSet()
    assert own.Put("Q", 1, com.WBEM_FLAVOR_FLAG_PROPAGATE_TO_DERIVED_CLASS) == com.WBEM_E_INVALID_FLAVOR
    assert own.Put("Q", 1, 0) == 0
    assert instance.GetQualifierSet()[1].Get("q", 0) == (0, 1, 0)


@pytest.mark.req("A-108", "A-107")
def test_deleting_qualifiers(class_: com.IWbemClassObject) -> None:
    _, qualifiers = class_.GetQualifierSet()
    assert qualifiers.Delete("local") == 0
    assert qualifiers.Delete("local") == NOT_FOUND
    assert qualifiers.Delete("Description") == com.WBEM_E_PROPAGATED_QUALIFIER
    assert qualifiers.Put("Description", "mine", 0) == 0
    assert qualifiers.Get("Description", 0)[1] == "mine"
    assert qualifiers.Delete("Description") == com.WBEM_S_RESET_TO_DEFAULT
    assert qualifiers.Get("Description", 0)[1] == "the parent"
    assert qualifiers.Delete(None) == BAD
    _, key = class_.GetPropertyQualifierSet("Id")
    assert key.Put("key", False, 0) in (com.WBEM_E_OVERRIDE_NOT_ALLOWED, com.WBEM_E_INVALID_QUALIFIER)


@pytest.mark.req("A-009", "A-306")
def test_qualifiers_of_properties(class_: com.IWbemClassObject, instance: com.IWbemClassObject) -> None:
    cimtype = {
        "Id": "uint32",
        "Other": "ref:Parent",
        "Inner": "object",
        "Numbers": "uint32",
        "Seen": "datetime",
    }
    for name, text in cimtype.items():
        assert class_.GetPropertyQualifierSet(name)[1].Get("CIMTYPE", 0)[:2] == (0, text)
        assert instance.GetPropertyQualifierSet(name)[1].Get("cimtype", 0)[:2] == (0, text)
    assert class_.GetPropertyQualifierSet("Nothing") == (NOT_FOUND, None)
    _, units = instance.GetPropertyQualifierSet("Id")
    assert units.Get("Units", 0)[:2] == (0, "keys")


# Comparing and printing


@pytest.mark.req("A-230", "A-231")
def test_compare_instances(class_: com.IWbemClassObject, instance: com.IWbemClassObject) -> None:
    same, different = com.WBEM_S_SAME, com.WBEM_S_DIFFERENT
    _, other = instance.Clone()
    assert instance.CompareTo(0, other) == same
    assert instance.CompareTo(0, class_) == different
    other.Put("Text", 0, "OWN", 0)
    assert instance.CompareTo(0, other) == different
    assert instance.CompareTo(com.WBEM_FLAG_IGNORE_CASE, other) == same
    parent, child = classes()
    elsewhere = class_object(child.decorated("root\\other", "HOST").spawn())
    assert instance.CompareTo(0, elsewhere) == different
    assert instance.CompareTo(com.WBEM_FLAG_IGNORE_OBJECT_SOURCE, elsewhere) == same
    _, third = instance.Clone()
    third.GetQualifierSet()[1].Put("Q", 1, 0)
    assert instance.CompareTo(0, third) == different
    assert instance.CompareTo(com.WBEM_FLAG_IGNORE_QUALIFIERS, third) == same
    assert instance.CompareTo(0, None) == BAD
    assert instance.CompareTo(0x1000, other) == BAD


@pytest.mark.req("A-230")
def test_compare_classes(class_: com.IWbemClassObject) -> None:
    same, different = com.WBEM_S_SAME, com.WBEM_S_DIFFERENT
    _, other = class_.Clone()
    other.Put("Text", 0, "else", 0)
    assert class_.CompareTo(0, other) == different
    assert class_.CompareTo(com.WBEM_FLAG_IGNORE_DEFAULT_VALUES, other) == same
    _, flavored = class_.Clone()
    flavored.GetQualifierSet()[1].Put("Local", True, com.WBEM_FLAVOR_FLAG_PROPAGATE_TO_INSTANCE)
    assert class_.CompareTo(0, flavored) == different
    assert class_.CompareTo(com.WBEM_FLAG_IGNORE_FLAVOR, flavored) == same


@pytest.mark.req("A-232", "A-233", "A-234")
def test_object_text(class_: com.IWbemClassObject, instance: com.IWbemClassObject) -> None:
    hr, text = class_.GetObjectText(0)
    assert hr == 0
    assert "class Child : Parent" in text
    assert "Large" not in text
    assert text.rstrip().endswith("};")
    assert "ToInstance" in text
    assert "ToInstance" not in class_.GetObjectText(com.WBEM_FLAG_NO_FLAVORS)[1]
    instance.Put("Id", 0, 7, 0)
    instance.Put("Large", 0, "5", 0)
    hr, text = instance.GetObjectText(0)
    assert hr == 0
    assert [line.strip() for line in text.strip().splitlines()] == [
        "instance of Child",
        "{",
        "Id = 7;",
        'Text = "own";',
        'Large = "5";',
        "};",
    ]
    assert class_.GetObjectText(8) == (BAD, None)


@pytest.mark.req("A-144", "A-145")
def test_projection(services: com.IWbemServices) -> None:
    hr, enumerator = services.ExecQuery("WQL", "SELECT Name FROM Win32_OperatingSystem", 0x30, None)
    _, (found,), _ = enumerator.Next(com.WBEM_INFINITE, 1)
    assert found.GetNames(None, com.WBEM_FLAG_NONSYSTEM_ONLY, None) == (0, ["Name"])
    assert found.Get("Version", 0)[0] == NOT_FOUND
    assert value(found, "__PROPERTY_COUNT") == 1
    assert found.Get("__SERVER", 0) == (0, None, com.CIM_STRING, com.WBEM_FLAVOR_ORIGIN_SYSTEM)
    assert value(found, "__DERIVATION") == []


@pytest.mark.req("A-042")
@pytest.mark.parametrize("name", ["Numbers", "Bytes", "Texts"])
@pytest.mark.parametrize(
    "given", [[], (), com.VARIANT(com.VT_ARRAY | com.VT_VARIANT, []), com.VARIANT(0x2000 | 8, [])]
)
def test_an_empty_array_of_any_type_goes_into_any_array(
    instance: com.IWbemClassObject, name: str, given: Any
) -> None:
    assert instance.Put(name, 0, given, 0) == 0
    assert value(instance, name) == []
    assert instance.Put("S8", 0, given, 0) == com.WBEM_E_TYPE_MISMATCH


def test_a_variant_of_type_bool_has_its_own_truth(instance: com.IWbemClassObject) -> None:
    for given, expected in ((-1, True), (0, False), (True, True)):
        assert instance.Put("Flag", 0, com.VARIANT(com.VT_BOOL, given), 0) == 0
        assert value(instance, "Flag") is expected
    assert instance.Put("Flag", 0, -1, 0) == com.WBEM_E_TYPE_MISMATCH
