"""Classes: what they know about themselves, their system properties, spawning."""

from __future__ import annotations

import pytest
from tests.model.making import key, make, parameters, prop, qualifier

from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.classes import Class, ClassDeclaration, Method, Property, derive
from openwmi.model.errors import WbemError
from openwmi.model.qualifiers import EMPTY
from openwmi.model.status import WBEM_E_ILLEGAL_OPERATION, WBEM_E_INVALID_PROPERTY, WBEM_E_TYPE_MISMATCH
from openwmi.model.system import SYSTEM_NAMES, SYSTEM_TYPES

ELEMENT = make("CIM_Element", prop("Caption"), marks=("abstract",))
DISK = make(
    "Disk",
    key("DeviceID"),
    prop("Size", CimType.UINT64),
    prop("Status", default="OK"),
    parent=ELEMENT,
    marks=(qualifier("dynamic"), qualifier("provider", "Disks")),
)


@pytest.mark.req("A-141", "A-140")
def test_names_and_types_of_system_properties() -> None:
    assert SYSTEM_NAMES == (
        "__GENUS",
        "__CLASS",
        "__SUPERCLASS",
        "__DYNASTY",
        "__RELPATH",
        "__PROPERTY_COUNT",
        "__DERIVATION",
        "__SERVER",
        "__NAMESPACE",
        "__PATH",
    )
    numbers = {name for name, code in SYSTEM_TYPES.items() if code == CimType.SINT32}
    assert numbers == {"__GENUS", "__PROPERTY_COUNT"}
    assert SYSTEM_TYPES["__DERIVATION"] == CimType.STRING | ARRAY


@pytest.mark.req("A-140", "A-163", "A-172")
def test_system_properties_of_a_class() -> None:
    assert {name: DISK.system_(name) for name in SYSTEM_NAMES} == {
        "__GENUS": 1,
        "__CLASS": "Disk",
        "__SUPERCLASS": "CIM_Element",
        "__DYNASTY": "CIM_Element",
        "__RELPATH": "Disk",
        "__PROPERTY_COUNT": 4,
        "__DERIVATION": ("CIM_Element",),
        "__SERVER": "HOST",
        "__NAMESPACE": "root\\cimv2",
        "__PATH": "\\\\HOST\\root\\cimv2:Disk",
    }
    assert ELEMENT.system_("__superclass") is None
    assert ELEMENT.system_("__dynasty") == "CIM_Element"
    assert ELEMENT.system_("__derivation") == ()
    with pytest.raises(KeyError):
        DISK.system_("__NOTHING")


@pytest.mark.req("A-180")
def test_the_empty_class() -> None:
    empty = derive(ClassDeclaration("", None, EMPTY, (), ()), None, namespace="root\\cimv2", server="HOST")
    filled = {name: value for name in SYSTEM_NAMES if (value := empty.system_(name)) is not None}
    assert filled == {
        "__GENUS": 1,
        "__PROPERTY_COUNT": 0,
        "__DERIVATION": (),
        "__SERVER": "HOST",
        "__NAMESPACE": "root\\cimv2",
    }


@pytest.mark.req("A-060", "A-213")
def test_members_and_ancestors_are_found_in_any_case() -> None:
    size = DISK.property("SIZE")
    assert size is not None
    assert size.name == "Size"
    assert DISK.property("none") is None
    assert DISK.method("none") is None
    assert [DISK.inherits_from(name) for name in ("DISK", "cim_element", "Other", "")] == [
        True,
        True,
        False,
        False,
    ]


def test_what_the_qualifiers_say() -> None:
    assert (DISK.is_dynamic, DISK.provider, DISK.is_abstract) == (True, "Disks", False)
    assert (ELEMENT.is_dynamic, ELEMENT.provider, ELEMENT.is_abstract) == (False, None, True)
    assert make("__Thing").is_system
    assert not DISK.is_system
    assert make("One", marks=("singleton",)).is_singleton
    assert not DISK.is_association


@pytest.mark.req("A-143", "A-049", "A-207")
def test_a_spawned_instance_has_the_defaults_of_the_class() -> None:
    disk = DISK.spawn()
    assert disk.as_dict_() == {"Caption": None, "DeviceID": None, "Size": None, "Status": "OK"}
    assert disk.defaults_ == 0b1111
    assert disk["__PATH"] is disk["__RELPATH"] is None
    assert disk.class_ is DISK
    known = {name: disk[name] for name in SYSTEM_NAMES if name not in ("__PATH", "__RELPATH")}
    assert known == {
        "__GENUS": 2,
        "__CLASS": "Disk",
        "__SUPERCLASS": "CIM_Element",
        "__DYNASTY": "CIM_Element",
        "__PROPERTY_COUNT": 4,
        "__DERIVATION": ["CIM_Element"],
        "__SERVER": "HOST",
        "__NAMESPACE": "root\\cimv2",
    }


@pytest.mark.req("A-143", "A-006")
def test_spawning_with_values_coerces_them() -> None:
    disk = DISK.spawn({"deviceid": "C:", "SIZE": "10000000000"})
    assert disk.values_ == (None, "C:", 10_000_000_000, "OK")
    assert disk.defaults_ == 0b1001
    assert disk.relpath_ == 'Disk.DeviceID="C:"'
    for values, code in [({"Siez": 1}, WBEM_E_INVALID_PROPERTY), ({"Size": "x"}, WBEM_E_TYPE_MISMATCH)]:
        with pytest.raises(WbemError) as caught:
            DISK.spawn(values)
        assert caught.value.code == code
    with pytest.raises(WbemError, match="did you mean Size"):
        DISK.spawn({"Siez": 1})


def test_new_takes_its_values_by_name() -> None:
    assert DISK.new_(DeviceID="C:") == DISK.spawn({"DeviceID": "C:"})


@pytest.mark.req("A-089", "A-263")
def test_abstract_classes_spawn_nothing_but_parameters() -> None:
    with pytest.raises(WbemError) as caught:
        ELEMENT.spawn()
    assert caught.value.code == WBEM_E_ILLEGAL_OPERATION
    base = make("Win32_MethodParameterClass", marks=("abstract",))
    startup = make(
        "Win32_ProcessStartup", prop("ShowWindow", CimType.UINT16), parent=base, marks=("abstract",)
    )
    assert startup.spawn({"ShowWindow": 1}).ShowWindow == 1


@pytest.mark.req("A-041")
def test_the_declared_size_of_an_array_is_a_hint() -> None:
    holder = make("Holder", prop("Items", CimType.STRING | ARRAY, qualifier("MaxLen", 2)))
    assert holder.spawn({"Items": ["a", "b", "c"]}).Items == ["a", "b", "c"]


@pytest.mark.req("A-111")
def test_descriptive_qualifiers_are_not_enforced() -> None:
    holder = make(
        "Holder",
        prop(
            "Text", CimType.STRING, qualifier("MaxLen", 2), qualifier("Read"), qualifier("Values", ("a", "b"))
        ),
        prop("Number", CimType.UINT8, qualifier("Max", 5), qualifier("Min", 3), qualifier("Required")),
    )
    assert holder.spawn({"Text": "long", "Number": 9}).values_ == ("long", 9)


def test_a_class_in_another_place_is_the_same_class() -> None:
    moved = DISK.decorated("root\\other", None)
    assert moved == DISK
    assert moved.path == "\\\\.\\root\\other:Disk"
    assert moved.layout.namespace == "root\\other"
    assert DISK.path == "\\\\HOST\\root\\cimv2:Disk"
    assert DISK.decorated("root\\cimv2", "HOST") is DISK
    assert moved.declaration is DISK.declaration


@pytest.mark.req("A-148")
def test_parameter_classes() -> None:
    inputs = parameters(prop("Reason", CimType.UINT32))
    assert inputs.relpath == "__PARAMETERS"
    assert inputs.decorated("root\\cimv2", "HOST").path == "\\\\HOST\\root\\cimv2:__PARAMETERS"
    filled = inputs.spawn({"Reason": 1})
    assert {name: filled[name] for name in SYSTEM_NAMES} == {
        "__GENUS": 2,
        "__CLASS": "__PARAMETERS",
        "__SUPERCLASS": None,
        "__DYNASTY": "__PARAMETERS",
        "__RELPATH": None,
        "__PROPERTY_COUNT": 1,
        "__DERIVATION": [],
        "__SERVER": None,
        "__NAMESPACE": None,
        "__PATH": None,
    }


@pytest.mark.req("A-060")
def test_equality() -> None:
    one = make("C", key(), prop("P", CimType.UINT32, default=1))
    assert one == make("c", key("NAME"), prop("p", CimType.UINT32, default=1))
    assert hash(one) == hash(make("c", key("NAME"), prop("p", CimType.UINT32, default=1)))
    for other in (
        make("D", key(), prop("P", CimType.UINT32, default=1)),
        make("C", key(), prop("P", CimType.UINT32, default=2)),
        make("C", key(), prop("P", CimType.UINT16, default=1)),
        make("C", key()),
        make("C", key(), prop("P", CimType.UINT32, default=1), marks=("Description",)),
        make("C", key(), prop("P", CimType.UINT32, default=1), parent=make("B", marks=("abstract",))),
    ):
        assert one != other
    assert one != "C"
    assert one.declaration == make("C", key(), prop("P", CimType.UINT32, default=1)).declaration


def test_a_class_from_parts_says_what_it_declares() -> None:
    """Decoders build classes without a declaration."""
    below = make(
        "Below", prop("Caption", default="x"), prop("Own"), Method("Run"), parent=ELEMENT, marks=("Mark",)
    )
    built = Class(
        below.name,
        below.superclass,
        below.derivation,
        None,
        below.qualifiers,
        below.properties,
        below.methods,
        namespace=below.namespace,
        server=below.server,
    )
    assert built == below
    assert built.keys == below.keys
    assert built.dynasty == "CIM_Element"
    assert derive(built.declaration, ELEMENT) == below
    assert [one.name for one in built.declaration.properties] == ["Caption", "Own"]


def test_members_are_replaced_by_making_others() -> None:
    one = Property("P", CimType.UINT8)
    assert one.replace(default=3).default == 3
    assert one.replace() == one
    assert one != one.replace(name="Q")
    assert one != "P"
    assert Method("M").replace(origin="C") != Method("M")
    assert Method("M") == Method("m")
    assert {one, one.replace()} == {one}
    assert {Method("M"), Method("m")} == {Method("M")}


def test_showing() -> None:
    assert repr(DISK) == "<Class Disk : CIM_Element>"
    assert repr(DISK.property("size")) == "<Property uint64 Size>"
    assert repr(DISK.declaration) == "<ClassDeclaration Disk : CIM_Element>"
    assert repr(Method("Run")) == "<Method Run>"
