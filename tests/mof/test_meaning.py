"""What a text means: classes, methods, instances, references and aliases, pragmas (C2, C-12 to C-26)."""

from __future__ import annotations

import pytest
from tests.mof.corpus import Catalogue

from openwmi import mof
from openwmi.model import ARRAY, CimType, Class, ClassDeclaration, Instance
from openwmi.model.errors import MofError
from openwmi.model.qualifiers import NOT_OVERRIDABLE, TO_INSTANCE

HERE = "\\\\HOST\\root\\default:"


def declared(text: str) -> ClassDeclaration:
    return list(mof.class_declarations(text))[-1]


def compiled(text: str) -> list[ClassDeclaration | Instance]:
    return Catalogue().compile(text)


# Classes --------------------------------------------------------------------------------------------------------


@pytest.mark.req("A-001", "A-040", "A-043", "A-044", "A-047", "C-01")
@pytest.mark.parametrize(
    ("type_", "code", "reference"),
    [
        *(
            (word, getattr(CimType, word.upper()), None)
            for word in ("sint8", "uint8", "sint16", "uint16", "sint32")
        ),
        *(
            (word, getattr(CimType, word.upper()), None)
            for word in ("uint32", "sint64", "uint64", "real32", "real64")
        ),
        *(
            (word, getattr(CimType, word.upper()), None)
            for word in ("string", "boolean", "datetime", "char16")
        ),
        ("STRING", CimType.STRING, None),
        ("UInt8", CimType.UINT8, None),
        ("object", CimType.OBJECT, None),
        ("Win32_X", CimType.OBJECT, "Win32_X"),
        ("object ref", CimType.REFERENCE, None),
        ("Win32_X REF", CimType.REFERENCE, "Win32_X"),
        ('[EmbeddedInstance("Win32_X")] string', CimType.OBJECT, "Win32_X"),
        ("[EmbeddedObject] string", CimType.OBJECT, None),
        ("[embeddedobject(false)] string", CimType.STRING, None),
    ],
)
def test_the_type_of_a_property(type_: str, code: int, reference: str | None) -> None:
    one, many = declared(f"class A {{ {type_} p; {type_} q[]; }};").properties
    assert (one.name, one.type, one.reference, one.has_default) == ("p", code, reference, False)
    assert (many.type, many.reference) == (code | ARRAY, reference)
    assert one.local
    assert one.origin == "A"


@pytest.mark.req("A-040", "A-049", "C-04", "C-05", "C-06")
@pytest.mark.parametrize(
    ("property_", "raw"),
    [
        ("uint8 p = 255", 255),
        ("sint64 p = -9223372036854775808", -(2**63)),
        ('uint64 p = "18446744073709551615"', 2**64 - 1),
        ('sint64 p = "-5"', -5),
        ("sint32 p = 2.6", 3),
        ("uint16 p = 'A'", 65),
        ("char16 p = 'A'", 65),
        ("char16 p = 66", 66),
        ("real64 p = 5", 5.0),
        ("real32 p = -1.5e3", -1500.0),
        ("real32 p = 3.4028235e+38", 3.4028234663852886e38),
        ("boolean p = true", True),
        ('string p = "x"', "x"),
        ('datetime p = "19990101000000.000000+060"', "19990101000000.000000+060"),
        ('datetime p = "00000001020304.000000:000"', "00000001020304.000000:000"),
        ('object ref p = "X.K=1"', "X.K=1"),
        ("string p = NULL", None),
        ("string p[] = NULL", None),
        ("string p[] = {}", ()),
        ("uint8 p[2] = {1, 0x2, 11b}", (1, 2, 3)),
        ("boolean p[] = {TRUE, FALSE}", (True, False)),
    ],
)
def test_the_default_of_a_property(property_: str, raw: object) -> None:
    (one,) = declared(f"class A {{ {property_}; }};").properties
    assert one.has_default
    assert (one.default, type(one.default)) == (raw, type(raw))


@pytest.mark.req("A-045", "C-14")
def test_defaults_may_be_embedded_instances_and_classes() -> None:
    _, made = compiled(
        """
        class B { uint8 n; };
        class A { object o[] = {instance of B { n = 1; }, class C : B { string s; }}; B b = instance of B { n = 2; }; };
        """
    )
    assert isinstance(made, ClassDeclaration)
    first, second = made.properties[0].default
    assert isinstance(first, Instance)
    assert first.raw_("n") == 1
    assert isinstance(second, Class)
    assert (second.derivation, list(second.properties)) == (("B",), ["n", "s"])
    assert made.properties[1].default.raw_("n") == 2


def test_an_embedded_object_of_the_wrong_class_is_refused() -> None:
    with pytest.raises(MofError) as caught:
        compiled("class B { };\nclass C { };\nclass A { B b =\n instance of C { }; };")
    assert (caught.value.symbol, caught.value.line) == ("WBEMMOF_E_TYPE_MISMATCH", 4)


@pytest.mark.req("C-25")
def test_names_are_kept_as_written() -> None:
    made = declared("CLASS aB : cD { STRING eF; Void gH(); };")
    assert (made.name, made.superclass) == ("aB", "cD")
    assert [made.properties[0].name, made.methods[0].name] == ["eF", "gH"]


# Methods --------------------------------------------------------------------------------------------------------


@pytest.mark.req("A-209", "A-234", "A-306", "C-12", "C-13")
def test_a_method_becomes_two_signatures() -> None:
    (made,) = declared(
        "class A { [static] uint32 m([in] string a, [out, Foo] uint8 b[], [in, out] A ref c = NULL); };"
    ).methods
    assert made.qualifiers.truth("static")
    assert (made.origin, made.local) == ("A", True)
    assert made.inputs is not None
    assert made.outputs is not None
    assert made.inputs.name == made.outputs.name == "__PARAMETERS"
    assert made.inputs.is_abstract
    assert [one.name for one in made.inputs.properties.values()] == ["a", "c"]
    assert [one.name for one in made.outputs.properties.values()] == ["b", "c", "ReturnValue"]
    identity = made.outputs.properties["c"].qualifiers.get("ID")
    assert identity is not None
    assert (identity.value, identity.type, identity.flavor) == (
        2,
        CimType.SINT32,
        TO_INSTANCE | NOT_OVERRIDABLE,
    )
    # Each side keeps the one word that is its own; the return value has no ID.
    assert "out" not in made.inputs.properties["c"].qualifiers
    assert "in" not in made.outputs.properties["c"].qualifiers
    returned = made.outputs.properties["returnvalue"]
    assert returned.type == CimType.UINT32
    assert [one.name for one in returned.qualifiers if one.name != "CIMTYPE"] == ["out"]


@pytest.mark.req("A-209", "C-13")
def test_a_method_without_parameters_or_result_has_no_signature() -> None:
    void, result = declared("class A { void m(); object ref n(); };").methods
    assert (void.inputs, void.outputs, result.inputs) == (None, None, None)
    assert result.outputs is not None
    assert result.outputs.properties["returnvalue"].type == CimType.REFERENCE


@pytest.mark.req("A-210", "C-12")
def test_written_ids_order_the_parameters() -> None:
    (made,) = declared("class A { void m([in, ID(1)] string a, [in, ID(0)] string b); };").methods
    assert made.inputs is not None
    assert [one.qualifiers.value("id") for one in made.inputs.properties.values()] == [1, 0]
    assert "void m([in] string b, [in] string a)" in mof.print_class(
        declared("class A { void m([in, ID(1)] string a, [in, ID(0)] string b); };")
    )


# Instances and aliases ------------------------------------------------------------------------------------------

CLASSES = """
    class A { [key] string k; uint32 n = 7; A ref next; object ref any; A ref many[]; };
    [association] class L { [key] A ref x; [key] object ref y; };
    [singleton] class S { uint8 b; };
"""


@pytest.mark.req("A-049", "C-17")
def test_an_instance_holds_what_is_written_and_defaults_for_the_rest() -> None:
    made = compiled(CLASSES + 'instance of a { K = "1"; ANY; };')[-1]
    assert isinstance(made, Instance)
    assert (made.classname_, made.raw_("k"), made.raw_("n"), made.raw_("next")) == ("A", "1", 7, None)
    names = [name for place, name in enumerate(made.names_) if not made.defaults_ >> place & 1]
    assert names == ["k", "any"]  # `ANY;` is an explicit NULL: shipped files of Windows have it


@pytest.mark.req("A-047", "C-14", "C-15")
def test_an_alias_stands_for_the_full_path_before_and_after_its_declaration() -> None:
    made = compiled(
        CLASSES
        + """
        class T as $class { };
        instance of A as $first { k = "1"; next = $SECOND; any = $class; many = {$first, $third, $second}; };
        instance of A as $second { k = "it's \\"2\\""; next = $first; any = $only; };
        instance of L as $third { x = $first; y = $second; };
        instance of S as $only { };
        """
    )
    first, second, link = made[4], made[5], made[6]
    assert isinstance(first, Instance)
    assert isinstance(second, Instance)
    assert isinstance(link, Instance)
    two = HERE + 'A.k="it\'s \\"2\\""'
    assert first.raw_("next") == two
    assert first.raw_("any") == HERE + "T"
    assert second.raw_("next") == HERE + 'A.k="1"'
    assert second.raw_("any") == HERE + "S=@"
    assert (link.raw_("x"), link.raw_("y")) == (HERE + 'A.k="1"', two)
    assert first.raw_("many")[1] == HERE + link.relpath_  # type: ignore[operator]


@pytest.mark.req("C-14")
def test_an_alias_may_lead_forward_to_an_instance_of_a_class_that_comes_later() -> None:
    made = compiled(
        "class R { [key] uint8 i; object ref to; }; instance of R { i = 1; to = $late; };"
        'class B { [key] string k; }; class C : B { }; instance of C as $late { k = "x"; };'
    )
    assert made[1].raw_("to") == HERE + 'C.k="x"'  # type: ignore[union-attr]


@pytest.mark.req("C-14", "C-17")
def test_an_alias_of_an_instance_without_its_key_has_no_path() -> None:
    with pytest.raises(MofError) as caught:
        compiled(CLASSES + 'instance of A { k = "1";\n next = $b; };\n instance of A as $b { };')
    assert (caught.value.symbol, caught.value.text) == ("WBEMMOF_E_UNEXPECTED_ALIAS", "$b")


@pytest.mark.req("C-24")
def test_a_class_must_come_before_its_instances() -> None:
    with pytest.raises(MofError) as caught:
        compiled('instance of A { k = "1"; };\nclass A { [key] string k; };')
    assert (caught.value.symbol, caught.value.line) == ("WBEM_E_INVALID_CLASS", 1)


def test_a_class_that_is_declared_again_counts_from_there_on() -> None:
    steps = list(
        mof.declarations(
            'class A { [key] string k; }; instance of A { k = "1"; };'
            "class A { [key] string k; uint8 n = 5; }; class B : A { };"
            'instance of B { k = "2"; };',
            lambda name: None,
        )
    )
    one, other = steps[1].item, steps[4].item
    assert isinstance(one, Instance)
    assert isinstance(other, Instance)
    assert (one.names_, other.names_, other.raw_("n")) == (("k",), ("k", "n"), 5)


def test_classes_of_the_store_are_asked_for_only_where_an_instance_needs_them() -> None:
    asked: list[str] = []
    classes = Catalogue()
    classes.compile("class Base { [key] string k; };")

    def find(name: str) -> Class | None:
        asked.append(name)
        return classes.get(name.lower())

    text = "class X : Elsewhere { }; class D : Base { uint8 n; };"
    assert len(list(mof.declarations(text, find))) == 2
    assert asked == []
    steps = list(mof.declarations(text + 'instance of D { k = "1"; n = 2; };', find))
    assert asked == ["Base"]
    assert isinstance(steps[2].item, Instance)
    assert steps[2].item.relpath_ == 'D.k="1"'


def test_a_mention_without_a_body_asks_whether_the_class_exists() -> None:
    classes = Catalogue()
    classes.compile("class A { };")
    assert list(mof.declarations("class A;", lambda name: classes.get(name.lower()))) == []


# Pragmas --------------------------------------------------------------------------------------------------------


@pytest.mark.req("C-18")
def test_the_namespace_holds_for_what_follows() -> None:
    text = r"""
        class A { };
        #pragma namespace("\\\\.\\root\\cimv2")
        class B { [key] uint8 k; object ref r; };
        #pragma namespace ("//./root/CIMV2/ms_409")
        class C { };
        #PRAGMA NAMESPACE("root\\default")
        class D { };
    """
    steps = list(mof.declarations(text, lambda name: None))
    assert [step.namespace for step in steps] == [
        "root\\default",
        "root\\cimv2",
        "root\\CIMV2\\ms_409",
        "root\\default",
    ]
    steps = list(mof.declarations(text, lambda name: None, namespace="root\\other"))
    assert steps[0].namespace == "root\\other"


@pytest.mark.req("C-18")
def test_the_own_machine_may_be_named_and_no_other() -> None:
    text = '#pragma namespace("//Host/root") class A { };'
    assert next(iter(mof.declarations(text, lambda name: None, server="HOST"))).namespace == "root"
    with pytest.raises(MofError):
        list(mof.declarations(text, lambda name: None))


@pytest.mark.req("C-14", "C-18")
def test_an_alias_keeps_the_namespace_of_its_object() -> None:
    steps = list(
        mof.declarations(
            '#pragma namespace("root/a") class A { [key] uint8 k; object ref r; }; instance of A { k = 1; r = $b; };'
            '#pragma namespace("root/b") class B { [key] uint8 k; }; instance of B as $b { k = 2; };',
            lambda name: None,
        )
    )
    assert steps[1].item.raw_("r") == "\\\\.\\root\\b:B.k=2"  # type: ignore[union-attr]


@pytest.mark.req("C-19")
def test_flags_hold_for_what_follows_and_beat_those_of_the_caller() -> None:
    text = """
        class A { }; instance of A { };
        #pragma classflags("updateonly", "forceupdate")
        #pragma instanceflags("createonly")
        class B { }; instance of B { };
        #pragma classflags(64)
        class C { };
    """
    steps = list(mof.declarations(text, lambda name: None, class_flags=2, instance_flags=1))
    assert [step.flags for step in steps] == [2, 1, 0x41, 2, 0x40]


@pytest.mark.req("C-20")
def test_deletions_are_steps_in_their_place() -> None:
    text = r"""
        #pragma deleteclass("A", NOFAIL)
        class A { };
        #pragma deleteinstance("A.K=\"x\"", fail)
    """
    assert [step.item for step in mof.declarations(text, lambda name: None)] == [
        mof.DeleteClass("A", must_exist=False),
        declared("class A { };"),
        mof.DeleteInstance('A.K="x"', must_exist=True),
    ]


@pytest.mark.req("C-21", "C-23")
def test_autorecover_and_amendment_are_noted_and_unknown_pragmas_passed_over() -> None:
    from openwmi.mof.resolution import Resolution

    text = """
        #pragma autorecover
        #pragma amendment("MS_407")
        #pragma locale ("de_DE")
        #pragma unknown
        #pragma also unknown = 5 "x"
        #pragma some(thing
           , over lines)
        class A { };
    """
    resolution = Resolution(mof.parse(text), lambda _, __: None)
    assert len(list(resolution)) == 1
    assert resolution.autorecover
    assert resolution.amendment == "MS_407"


@pytest.mark.req("C-22")
def test_included_files_stand_in_place_of_their_include() -> None:
    files = {
        "dir/main.mof": 'class A { };\n#pragma include ("sub/one.mof")\nclass D { };',
        "dir/sub/one.mof": 'class B { };\n#include("two.mof")\n',
        "dir/sub/two.mof": "\ufeffclass C { string s = 5; };".encode("utf-16"),
    }

    def include(name: str, including: str) -> tuple[str, str | bytes]:
        path = f"{including.rpartition('/')[0]}/{name}"
        return path, files[path]

    nodes = mof.parse(str(files["dir/main.mof"]), file="dir/main.mof", include=include)
    assert [node.name for node in nodes] == ["A", "B", "C", "D"]  # type: ignore[union-attr]
    with pytest.raises(MofError) as caught:
        list(
            mof.declarations(
                str(files["dir/main.mof"]), lambda name: None, file="dir/main.mof", include=include
            )
        )
    assert (caught.value.file, caught.value.line) == ("dir/sub/two.mof", 1)


@pytest.mark.req("C-22")
def test_a_missing_file_is_reported_at_its_include() -> None:
    def include(name: str, including: str) -> tuple[str, str]:
        raise FileNotFoundError(2, "No such file or directory", name)

    with pytest.raises(MofError) as caught:
        mof.parse('\n #include("x.mof")', file="main.mof", include=include)
    assert (caught.value.symbol, caught.value.line, caught.value.column) == (
        "WBEMMOF_E_ERROR_INVALID_INCLUDE_FILE",
        2,
        2,
    )
    assert "No such file" in caught.value.message


@pytest.mark.req("C-22")
@pytest.mark.parametrize("name", ["a\\x0000b", "\\xD800"])
def test_a_name_that_no_file_can_have_is_a_missing_file(name: str) -> None:
    def include(name: str, including: str) -> tuple[str, bytes]:
        with open(name, "rb") as file:
            return name, file.read()

    with pytest.raises(MofError) as caught:
        mof.parse(f'#include("{name}")', include=include)
    assert caught.value.symbol == "WBEMMOF_E_ERROR_INVALID_INCLUDE_FILE"


@pytest.mark.req("C-26")
def test_system_classes_are_declared_by_the_system_alone() -> None:
    assert [one.name for one in mof.class_declarations("class __A { };", system=True)] == ["__A"]
    with pytest.raises(MofError):
        list(mof.class_declarations("class __A { };"))


@pytest.mark.req("C-40")
def test_a_check_trusts_what_stands_elsewhere() -> None:
    assert len(mof.check("class A : Elsewhere { }; instance of Elsewhere { x = 1; }; class B;")) == 3
    with pytest.raises(MofError):
        mof.check("class A { uint8 n; }; instance of A { n = 256; };")
    with pytest.raises(MofError):
        mof.check("class A : Elsewhere { }; class B { [key] string k; };\nclass C : B { [key] string j; };")
