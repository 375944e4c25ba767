"""Inheritance: what a class takes from its superclass, and every declaration that is refused."""

from __future__ import annotations

from typing import Any

import pytest
from tests.model.making import key, make, parameter, parameters, prop, qualifier

from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.classes import Class, ClassDeclaration, Method, Property, derive
from openwmi.model.errors import WbemError
from openwmi.model.qualifiers import EMPTY, NOT_OVERRIDABLE, PROPAGATED, TO_INSTANCE, TO_SUBCLASS
from openwmi.model.status import (
    WBEM_E_CANNOT_BE_ABSTRACT,
    WBEM_E_CANNOT_BE_KEY,
    WBEM_E_CANNOT_BE_SINGLETON,
    WBEM_E_CIRCULAR_REFERENCE,
    WBEM_E_INVALID_ASSOCIATION,
    WBEM_E_INVALID_CIM_TYPE,
    WBEM_E_INVALID_METHOD,
    WBEM_E_INVALID_OBJECT,
    WBEM_E_INVALID_OPERATION,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_INVALID_PROPERTY,
    WBEM_E_INVALID_QUALIFIER,
    WBEM_E_INVALID_SUPERCLASS,
    WBEM_E_OVERRIDE_NOT_ALLOWED,
    WBEM_E_PROPAGATED_METHOD,
    WBEM_E_QUOTA_VIOLATION,
    WBEM_E_TOO_MANY_PROPERTIES,
    WBEM_E_TYPE_MISMATCH,
)

ABSTRACT = make("Abstract1", prop("Caption"), marks=("abstract",))
KEYED = make(
    "Keyed", key("K"), prop("Size", CimType.UINT32, qualifier("Units", "Bytes", TO_SUBCLASS), default=7)
)


def refused(code: int, name: str, *members: Property | Method, **parts: Any) -> WbemError:
    with pytest.raises(WbemError) as caught:
        make(name, *members, **parts)
    assert caught.value.code == code, caught.value
    return caught.value


# What is inherited --------------------------------------------------------------------------------------------------


@pytest.mark.req("A-080", "A-082", "A-094")
def test_properties_come_base_first_and_keep_their_origin() -> None:
    middle = make("Middle", prop("Own"), prop("Size", CimType.UINT32, default=9), parent=KEYED)
    leaf = make("Leaf", prop("Last"), parent=middle)
    assert [(one.name, one.origin, one.local, one.default) for one in leaf.properties.values()] == [
        ("K", "Keyed", False, None),
        ("Size", "Keyed", False, 9),
        ("Own", "Middle", False, None),
        ("Last", "Leaf", True, None),
    ]
    assert [(one.name, one.local, one.has_default) for one in middle.properties.values()] == [
        ("K", False, False),
        ("Size", True, True),
        ("Own", True, False),
    ]
    assert leaf.derivation == ("Middle", "Keyed")
    assert (leaf.superclass, leaf.dynasty) == ("Middle", "Keyed")
    assert leaf.keys == ("K",)


@pytest.mark.req("A-082")
def test_a_redeclared_property_keeps_the_default_it_does_not_change() -> None:
    below = make("Below", prop("SIZE", CimType.UINT32, qualifier("Write")), parent=KEYED)
    size = below.property("size")
    assert size is not None
    assert (size.name, size.default, size.has_default, size.local) == ("Size", 7, False, True)
    assert below.spawn().Size == 7
    erased = make("Erased", prop("Size", CimType.UINT32, default=None), parent=KEYED)
    assert erased.spawn().Size is None


@pytest.mark.req("A-104", "A-102")
def test_qualifiers_flow_along_the_property_and_the_class() -> None:
    parent = make(
        "Parent",
        prop(
            "P",
            CimType.STRING,
            qualifier("Local", 1),
            qualifier("Down", 2, TO_SUBCLASS),
            qualifier("Out", 3, TO_INSTANCE),
        ),
        marks=(qualifier("Mark", 1, TO_SUBCLASS), qualifier("Own", 2), "abstract"),
    )
    below = make("Below", parent=parent)
    assert [one.name for one in below.qualifiers] == ["Mark"]
    assert below.qualifiers.get("mark") == qualifier("Mark", 1, TO_SUBCLASS | PROPAGATED)
    (inherited,) = below.properties.values()
    assert [one.name for one in inherited.qualifiers] == ["CIMTYPE", "Down"]
    assert "Mark" not in inherited.qualifiers
    redeclared = make("Redeclared", prop("P", CimType.STRING, qualifier("Down", 5)), parent=parent)
    (local,) = redeclared.properties.values()
    assert [(one.name, one.value, one.flavor) for one in local.qualifiers] == [
        ("CIMTYPE", "string", TO_SUBCLASS | TO_INSTANCE),
        ("Down", 5, 0),
    ]


@pytest.mark.req("A-089")
def test_abstract_is_not_inherited() -> None:
    assert ABSTRACT.is_abstract
    assert not make("Below", parent=ABSTRACT).is_abstract


@pytest.mark.req("A-107")
def test_a_qualifier_that_is_not_overridable() -> None:
    fixed = qualifier("Fixed", 1, TO_SUBCLASS | NOT_OVERRIDABLE)
    parent = make("Parent", prop("P", CimType.STRING, fixed), Method("Run"), marks=(fixed,))
    other = qualifier("Fixed", 2)
    refused(WBEM_E_OVERRIDE_NOT_ALLOWED, "Below", prop("P", CimType.STRING, other), parent=parent)
    refused(WBEM_E_OVERRIDE_NOT_ALLOWED, "Below", parent=parent, marks=(other,))
    make("Below", prop("P", CimType.STRING, fixed), parent=parent, marks=(fixed,))


@pytest.mark.req("A-009")
@pytest.mark.parametrize(
    ("code", "reference", "text"),
    [
        (CimType.UINT32, None, "uint32"),
        (CimType.UINT8 | ARRAY, None, "uint8"),
        (CimType.OBJECT, None, "object"),
        (CimType.OBJECT, "Win32_X", "object:Win32_X"),
        (CimType.REFERENCE, "Win32_Y", "ref:Win32_Y"),
        (CimType.DATETIME, None, "datetime"),
    ],
)
def test_every_property_says_its_type(code: int, reference: str | None, text: str) -> None:
    made = make("C", prop("P", code, qualifier("CIMTYPE", "nonsense"), reference=reference))
    below = make("B", parent=made)
    for class_, flavor in [(made, 3), (below, 3 | PROPAGATED)]:
        cimtype = next(iter(class_.properties["p"].qualifiers))
        assert cimtype == ("CIMTYPE", text, CimType.STRING, flavor)
        assert len(class_.properties["p"].qualifiers) == 1
    assert (
        "cimtype"
        not in Class("C", None, (), None, EMPTY, made.properties).declaration.properties[0].qualifiers
    )


@pytest.mark.req("A-082")
def test_a_reference_may_be_narrowed() -> None:
    parent = make("Parent", prop("End", CimType.REFERENCE, reference="Base"))
    assert make("Below", prop("End", CimType.REFERENCE), parent=parent).properties["end"].reference == "Base"
    narrowed = make("Below", prop("End", CimType.REFERENCE, reference="Derived"), parent=parent)
    assert narrowed.properties["end"].reference == "Derived"
    assert narrowed.properties["end"].qualifiers.value("cimtype") == "ref:Derived"


@pytest.mark.req("A-211")
def test_methods_are_inherited_and_overridden() -> None:
    run = Method(
        "Run", inputs=parameters(parameter("A", 0)), outputs=parameters(prop("ReturnValue", CimType.UINT32))
    )
    parent = make("Parent", run, Method("Stop"))
    below = make("Below", run.replace(name="RUN"), Method("Own"), parent=parent)
    assert [(one.name, one.origin, one.local) for one in below.methods.values()] == [
        ("Run", "Parent", True),
        ("Stop", "Parent", False),
        ("Own", "Below", True),
    ]
    assert below.method("STOP") is not None
    for changed in (
        Method("run"),
        run.replace(inputs=parameters(parameter("A", 0, CimType.STRING))),
        run.replace(inputs=parameters(parameter("B", 0))),
        run.replace(inputs=parameters(parameter("A", 0), parameter("B", 1))),
        run.replace(outputs=None),
    ):
        refused(WBEM_E_PROPAGATED_METHOD, "Below", changed, parent=parent)


@pytest.mark.req("A-123")
def test_implemented_is_said_anew_in_each_class() -> None:
    parent = make("Parent", Method("Run", qualifiers=prop("x", 8, qualifier("Implemented")).qualifiers))
    assert "implemented" not in make("Below", parent=parent).methods["run"].qualifiers


# What is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.req("A-080", "A-081")
def test_the_superclass_has_to_be_there_and_in_the_same_namespace() -> None:
    orphan = ClassDeclaration("Below", "Missing")
    with pytest.raises(WbemError) as caught:
        derive(orphan, None)
    assert caught.value.code == WBEM_E_INVALID_SUPERCLASS
    assert caught.value.parameter == "Missing"
    with pytest.raises(WbemError) as caught:
        derive(orphan, KEYED)
    assert caught.value.code == WBEM_E_INVALID_SUPERCLASS
    refused(WBEM_E_INVALID_SUPERCLASS, "Below", parent=KEYED, namespace="root\\other")
    assert make("Below", parent=KEYED, namespace="ROOT\\CIMV2").namespace == "ROOT\\CIMV2"


@pytest.mark.req("A-083")
def test_cycles() -> None:
    refused(WBEM_E_CIRCULAR_REFERENCE, "KEYED", parent=KEYED)
    refused(WBEM_E_CIRCULAR_REFERENCE, "Keyed", parent=make("Below", parent=KEYED))
    with pytest.raises(WbemError) as caught:
        derive(ClassDeclaration("Self", "self"), None)
    assert caught.value.code == WBEM_E_CIRCULAR_REFERENCE


@pytest.mark.req("A-120")
def test_a_terminal_class_has_no_subclasses() -> None:
    refused(WBEM_E_INVALID_SUPERCLASS, "Below", parent=make("Last", marks=(qualifier("Terminal"),)))


@pytest.mark.req("A-061", "A-062", "A-063")
def test_names() -> None:
    refused(WBEM_E_INVALID_OPERATION, "_Mine")
    refused(WBEM_E_INVALID_OBJECT, "Mine_")
    refused(WBEM_E_QUOTA_VIOLATION, "C" * 256)
    refused(WBEM_E_INVALID_PARAMETER, "C", prop("_p"))
    refused(WBEM_E_INVALID_PARAMETER, "C", Method("m_"))


@pytest.mark.req("A-064")
def test_a_class_has_at_most_1024_properties() -> None:
    half = make("Half", *(prop(f"A{number}") for number in range(512)))
    make("Whole", *(prop(f"B{number}") for number in range(512)), parent=half)
    refused(WBEM_E_TOO_MANY_PROPERTIES, "More", *(prop(f"B{number}") for number in range(513)), parent=half)
    make("Keys", *(key(f"K{number}") for number in range(256)))
    refused(WBEM_E_QUOTA_VIOLATION, "MoreKeys", *(key(f"K{number}") for number in range(257)))


def test_members_are_declared_once_and_have_a_type() -> None:
    refused(WBEM_E_INVALID_PROPERTY, "C", prop("A"), prop("a"))
    refused(WBEM_E_INVALID_METHOD, "C", Method("A"), Method("a"))
    refused(WBEM_E_INVALID_CIM_TYPE, "C", prop("A", 0xFFF))


@pytest.mark.req("A-082")
@pytest.mark.parametrize("code", [CimType.UINT16, CimType.UINT32 | ARRAY, CimType.STRING])
def test_a_property_is_redeclared_with_its_own_type(code: int) -> None:
    reason = refused(WBEM_E_TYPE_MISMATCH, "Below", prop("Size", code), parent=KEYED)
    assert "uint32 in Keyed" in reason.message


@pytest.mark.req("A-084")
def test_types_of_keys() -> None:
    for code in (CimType.REAL32, CimType.REAL64, CimType.OBJECT, CimType.STRING | ARRAY):
        refused(WBEM_E_CANNOT_BE_KEY, "C", key("K", code))
    for code in (
        CimType.STRING,
        CimType.UINT64,
        CimType.BOOLEAN,
        CimType.DATETIME,
        CimType.REFERENCE,
        CimType.CHAR16,
    ):
        assert make("C", key("K", code)).keys == ("K",)
    refused(WBEM_E_INVALID_QUALIFIER, "C", prop("K", CimType.STRING, qualifier("key", False)))


@pytest.mark.req("A-122")
def test_cim_key_is_no_key() -> None:
    assert make("C", prop("A", CimType.STRING, qualifier("CIM_Key")), key("B")).keys == ("B",)


@pytest.mark.req("A-086")
def test_keys_are_declared_once_below_abstract_classes_alone() -> None:
    refused(WBEM_E_CANNOT_BE_KEY, "B", key("J"), parent=KEYED)
    refused(WBEM_E_CANNOT_BE_KEY, "B", prop("Size", CimType.UINT32, "key"), parent=KEYED)
    refused(WBEM_E_CANNOT_BE_KEY, "B", key("J"), parent=make("Keyless", prop("P")))
    refused(WBEM_E_CANNOT_BE_KEY, "B", key("J"), parent=make("AbstractKeyed", key("K"), marks=("abstract",)))
    assert make("B", key("J"), parent=ABSTRACT).keys == ("J",)
    assert make("B", prop("K", CimType.STRING), parent=KEYED).keys == ("K",), "a key stays a key"
    assert make("B", key("k"), parent=KEYED).keys == ("K",)


@pytest.mark.req("A-088")
def test_singletons() -> None:
    single = make("Single", prop("P"), marks=("singleton",))
    assert make("Below", parent=single).is_singleton
    refused(WBEM_E_CANNOT_BE_SINGLETON, "C", key("K"), marks=("singleton",))
    refused(
        WBEM_E_CANNOT_BE_SINGLETON, "Below", key("K"), parent=make("One", marks=("singleton", "abstract"))
    )
    refused(WBEM_E_CANNOT_BE_SINGLETON, "Below", parent=KEYED, marks=("singleton",))
    refused(WBEM_E_CANNOT_BE_SINGLETON, "Below", parent=make("Plain", prop("P")), marks=("singleton",))
    assert make("Below", parent=ABSTRACT, marks=("singleton",)).is_singleton


@pytest.mark.req("A-089")
def test_abstract_classes_stand_above_others() -> None:
    make("Below", parent=ABSTRACT, marks=("abstract",))
    refused(WBEM_E_CANNOT_BE_ABSTRACT, "Below", parent=KEYED, marks=("abstract",))


@pytest.mark.req("A-090")
def test_associations_have_two_ends() -> None:
    ends = (prop("Left", CimType.REFERENCE, "key"), prop("Right", CimType.REFERENCE, "key"))
    link = make("Link", *ends, marks=("association",))
    assert link.is_association
    assert make("Below", parent=link).is_association
    refused(WBEM_E_INVALID_ASSOCIATION, "Half", ends[0], marks=("association",))
    refused(WBEM_E_INVALID_ASSOCIATION, "None1", prop("P"), marks=("association",))
    base = make("Base", marks=("association", "abstract"))
    assert make("Below", *ends, parent=base).is_association
    refused(WBEM_E_INVALID_ASSOCIATION, "Below", ends[1], parent=base)


@pytest.mark.req("A-091")
def test_dynamic_classes() -> None:
    dynamic = make("Dynamic1", key(), marks=(qualifier("dynamic"),))
    refused(WBEM_E_INVALID_OBJECT, "C", key(), marks=(qualifier("dynamic"), qualifier("static")))
    refused(WBEM_E_INVALID_OBJECT, "Below", parent=dynamic)
    assert make("Below", parent=dynamic, marks=(qualifier("dynamic"),)).is_dynamic
    flowing = make("Flowing", key(), marks=(qualifier("dynamic", True, TO_SUBCLASS),))
    assert make("Below", parent=flowing).is_dynamic


@pytest.mark.req("A-109")
@pytest.mark.parametrize("word", ["key", "CIMTYPE", "ID", "In", "Out"])
def test_qualifiers_of_members_on_a_class(word: str) -> None:
    refused(WBEM_E_INVALID_QUALIFIER, "C", marks=(qualifier(word),))


@pytest.mark.req("A-109")
@pytest.mark.parametrize("word", ["Abstract", "association", "Singleton"])
def test_qualifiers_of_classes_on_a_property(word: str) -> None:
    refused(WBEM_E_INVALID_QUALIFIER, "C", prop("P", CimType.STRING, qualifier(word)))


def test_inheriting_twice_shares_what_is_the_same() -> None:
    one, other = make("One", parent=KEYED), make("Other", parent=KEYED)
    assert one.properties["size"] is other.properties["size"]
    assert make("Leaf", parent=one).properties["size"] is one.properties["size"]
