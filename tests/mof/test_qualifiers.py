"""Qualifiers as written: types, flavors, both forms of declaration (A6, C-10, C-27)."""

from __future__ import annotations

import pytest
from tests.mof.corpus import Catalogue

from openwmi import mof
from openwmi.model import ARRAY, CimType, ClassDeclaration, Qualifier, QualifierSet
from openwmi.model.errors import MofError
from openwmi.model.qualifiers import AMENDED, NOT_OVERRIDABLE, TO_INSTANCE, TO_SUBCLASS
from openwmi.mof.flavors import DEFAULTS, combined, written

BOTH = TO_INSTANCE | TO_SUBCLASS


def declared(text: str) -> ClassDeclaration:
    """The last class of a text."""
    return list(mof.class_declarations(text))[-1]


def on_class(text: str, before: str = "") -> QualifierSet:
    return declared(f"{before} [{text}] class A {{ }};").qualifiers


def one(text: str, before: str = "") -> Qualifier:
    (found,) = on_class(text, before)
    return found


@pytest.mark.req("C-10", "A-106")
@pytest.mark.parametrize(
    ("text", "value", "type_"),
    [
        ("Foo", True, CimType.BOOLEAN),
        ("Foo(TRUE)", True, CimType.BOOLEAN),
        ("Foo(FALSE)", False, CimType.BOOLEAN),
        ('Foo("x")', "x", CimType.STRING),
        ('Foo("x" "y")', "xy", CimType.STRING),
        ("Foo(5)", 5, CimType.SINT32),
        ("Foo(-0x10)", -16, CimType.SINT32),
        ("Foo('A')", 65, CimType.SINT32),
        ("Foo(1.5)", 1.5, CimType.REAL64),
        ('Foo{"a", "b"}', ("a", "b"), CimType.STRING | ARRAY),
        ('Foo({"a"})', ("a",), CimType.STRING | ARRAY),
        ("Foo{1, 2}", (1, 2), CimType.SINT32 | ARRAY),
        ("Foo{1, 2.5}", (1.0, 2.5), CimType.REAL64 | ARRAY),
        ("Foo{TRUE, FALSE}", (True, False), CimType.BOOLEAN | ARRAY),
        ("Foo{}", (), CimType.STRING | ARRAY),
        ("Foo(4294967295)", -1, CimType.SINT32),
        ("Foo(2147483648)", -(2**31), CimType.SINT32),
        ("Foo(4294967296)", "4294967296", CimType.STRING),
        ("Foo(-2147483649)", "-2147483649", CimType.STRING),
        ("Foo{1, 99999999999}", ("1", "99999999999"), CimType.STRING | ARRAY),
    ],
)
def test_a_literal_says_the_type(text: str, value: object, type_: int) -> None:
    found = one(text)
    assert (found.name, found.value, found.type, found.flavor) == ("Foo", value, type_, 0)


@pytest.mark.req("A-100", "A-101")
@pytest.mark.parametrize(
    ("words", "flavor"),
    [
        ("ToInstance", TO_INSTANCE),
        ("ToSubClass", TO_SUBCLASS),
        ("tosubclass TOINSTANCE", BOTH),
        ("DisableOverride", NOT_OVERRIDABLE),
        ("EnableOverride", 0),
        ("Restricted", 0),
        ("NotToInstance NotToSubClass", 0),
        ("Amended", AMENDED),
        ("ToSubClass Amended DisableOverride", TO_SUBCLASS | AMENDED | NOT_OVERRIDABLE),
    ],
)
def test_flavor_words(words: str, flavor: int) -> None:
    assert one(f"Foo : {words}").flavor == flavor


@pytest.mark.req("A-102", "A-306")
@pytest.mark.parametrize(
    ("name", "flavor"),
    [
        ("Key", 0x13),
        ("KEY", 0x13),
        ("Singleton", 0x13),
        ("Association", 0x13),
        ("Not_Null", TO_SUBCLASS),
        ("SubType", BOTH),
        ("Dynamic", BOTH),
        ("Provider", TO_SUBCLASS),
        ("Locale", TO_SUBCLASS),
        ("Description", TO_SUBCLASS),
        ("Abstract", 0),
        ("Read", 0),
        ("Anything", 0),
    ],
)
def test_the_flavor_of_a_qualifier_without_flavor_words(name: str, flavor: int) -> None:
    assert one(name).flavor == flavor


@pytest.mark.req("A-102")
def test_words_replace_what_they_speak_of_and_nothing_else() -> None:
    assert combined(("toinstance",), TO_SUBCLASS | NOT_OVERRIDABLE) == TO_INSTANCE | NOT_OVERRIDABLE
    assert combined(("nottosubclass",), BOTH) == TO_INSTANCE
    assert combined(("enableoverride",), 0x13) == BOTH
    assert combined(("amended",), TO_SUBCLASS) == TO_SUBCLASS | AMENDED


@pytest.mark.req("A-089", "A-102")
def test_neither_key_nor_abstract_can_be_given_another_flavor() -> None:
    assert one("Key : Restricted EnableOverride").flavor == 0x13
    assert one("Abstract : ToSubClass").flavor == 0
    assert one("Abstract", "Qualifier Abstract : ToSubClass ToInstance;").flavor == 0
    assert (
        one(
            "key",
            "Qualifier Key : boolean = false, Scope(property), Flavor(EnableOverride);".replace(
                "property", "any"
            ),
        ).flavor
        == 0x13
    )


@pytest.mark.req("C-27")
def test_key_and_static_are_true_by_presence() -> None:
    assert [q.value for q in on_class('Key(FALSE), Static("no")')] == [True, True]


@pytest.mark.req("C-10")
def test_the_short_declaration_gives_the_flavor_of_what_follows() -> None:
    text = """
        [Foo] class Before { };
        qualifier foo : ToInstance ToSubClass;
        [Foo, FOO2] class After { [foo] string s; };
    """
    before, after = mof.class_declarations(text)
    assert [q.flavor for q in before.qualifiers] == [0]
    assert [q.flavor for q in after.qualifiers] == [BOTH, 0]
    assert [q.flavor for q in after.properties[0].qualifiers] == [BOTH]
    assert one("Foo : Amended", "Qualifier Foo : ToSubClass;").flavor == TO_SUBCLASS | AMENDED


@pytest.mark.req("C-10")
@pytest.mark.parametrize(
    ("declaration", "use", "expected"),
    [
        ("boolean = false", "X", (True, CimType.BOOLEAN, TO_SUBCLASS)),
        ("boolean = false, Flavor(Restricted)", "X(FALSE)", (False, CimType.BOOLEAN, 0)),
        ("string = null", 'X("a")', ("a", CimType.STRING, TO_SUBCLASS)),
        ('string = "d"', "X", ("d", CimType.STRING, TO_SUBCLASS)),
        (
            "string, Flavor(EnableOverride, ToSubclass, Translatable)",
            'X("a")',
            ("a", CimType.STRING, TO_SUBCLASS | AMENDED),
        ),
        ("uint32 = 5, Flavor(DisableOverride)", "X(7)", (7, CimType.SINT32, TO_SUBCLASS | NOT_OVERRIDABLE)),
        ("uint64", "X(99999999999)", ("99999999999", CimType.STRING, TO_SUBCLASS)),
        ("real32", "X(7)", (7.0, CimType.REAL64, TO_SUBCLASS)),
        ("string[] = null", 'X{"a"}', (("a",), CimType.STRING | ARRAY, TO_SUBCLASS)),
        ("sint16[2] = {1, 2}, Scope(any)", "X", ((1, 2), CimType.SINT32 | ARRAY, TO_SUBCLASS)),
        ("boolean, Scope(class, property), Flavor(ToInstance)", "X", (True, CimType.BOOLEAN, TO_INSTANCE)),
    ],
)
def test_the_long_declaration_gives_type_and_flavor(
    declaration: str, use: str, expected: tuple[object, ...]
) -> None:
    found = one(use, f"Qualifier x : {declaration};")
    assert (found.value, found.type, found.flavor) == expected


@pytest.mark.req("C-10")
@pytest.mark.parametrize(
    ("declaration", "use", "symbol"),
    [
        ("string", "X(5)", "TYPE_MISMATCH"),
        ("boolean", 'X("yes")', "TYPE_MISMATCH"),
        ("string[]", 'X("a")', "TYPE_MISMATCH"),
        ("string", 'X{"a"}', "UNEXPECTED_ARRAY_INIT"),
        ('uint32 = "a"', "Y", "TYPE_MISMATCH"),
        ("string[] = {NULL}", "Y", "NULL_ARRAY_ELEM"),
    ],
)
def test_a_value_of_another_type_than_declared(declaration: str, use: str, symbol: str) -> None:
    with pytest.raises(MofError) as caught:
        one(use, f"Qualifier X : {declaration};")
    assert caught.value.symbol == f"WBEMMOF_E_{symbol}"


@pytest.mark.req("C-10")
def test_scopes_are_those_of_the_carrier() -> None:
    text = """
        Qualifier C : boolean, Scope(class); Qualifier S : boolean, Scope(association);
        Qualifier P : boolean, Scope(property); Qualifier R : boolean, Scope(reference);
        Qualifier M : boolean, Scope(method); Qualifier Q : boolean, Scope(parameter);
        [Association, C, S] class A
        {
            [P] string s;
            [R] A ref r;
            [M] void m([in, Q] string p, [in, R] A ref q);
        };
    """
    assert declared(text).methods[0].inputs is not None
    for wrong in ("[S] class B { };", "class B { [R] string s; };", "class B { [M] string s; };"):
        with pytest.raises(MofError) as caught:
            declared(text + wrong)
        assert caught.value.symbol == "WBEMMOF_E_QUALIFIER_USED_OUTSIDE_SCOPE"


@pytest.mark.req("C-12")
def test_a_declared_in_that_defaults_to_true_holds_for_parameters_without_direction() -> None:
    before = (
        "Qualifier In : boolean = true, Scope(parameter); Qualifier Out : boolean = false, Scope(parameter);"
    )
    method = declared(
        f"{before} class A {{ void m(string a, [out] string b, [in(false), out] string c); }};"
    ).methods[0]
    assert method.inputs is not None
    assert method.outputs is not None
    assert list(method.inputs.properties) == ["a"]
    assert list(method.outputs.properties) == ["b", "c"]


@pytest.mark.req("A-105", "A-112", "C-10")
def test_instances_and_their_properties_have_qualifiers_of_their_own() -> None:
    classes = Catalogue()
    classes.compile("class A { [key] string k; string v; };")
    (made,) = classes.compile(
        '[DynProps, Dynamic] instance of A { k = "1"; [PropertyContext("x"), Provider("P")] v; };'
    )
    extras = made.extras_  # type: ignore[union-attr]
    assert extras is not None
    assert [(q.name, q.flavor) for q in extras.qualifiers] == [("DynProps", 0), ("Dynamic", TO_INSTANCE)]
    assert {name: [q.name for q in found] for name, found in extras.properties.items()} == {
        "v": ["PropertyContext", "Provider"]
    }
    with pytest.raises(MofError) as caught:
        classes.compile('[Foo : ToSubClass] instance of A { k = "1"; };')
    assert caught.value.symbol == "WBEM_E_INVALID_FLAVOR"


@pytest.mark.req("A-041")
def test_the_size_of_an_array_is_kept_as_windows_keeps_it() -> None:
    properties = declared("class A { uint8 a[17]; [MAX(3)] uint8 b[17]; uint8 c[]; };").properties
    assert [one.qualifiers.value("max") for one in properties] == [17, 3, None]
    assert all(one.type == CimType.UINT8 | ARRAY for one in properties)


@pytest.mark.parametrize("flavor", [0, 1, 2, 3, 0x10, 0x11, 0x12, 0x13, 0x80, 0x82, 0x93])
@pytest.mark.parametrize("name", [*sorted(DEFAULTS), "Foo"])
@pytest.mark.req("A-101", "A-235")
def test_printed_flavor_words_give_the_flavor_back(name: str, flavor: int) -> None:
    words = written(name, flavor)
    if name == "cimtype":
        return
    found = one(f"{name} : {words}" if words else name)
    assert found.flavor == (0x13 if name in ("key", "singleton") else flavor)
