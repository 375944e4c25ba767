"""Objects as text (A-232 to A-235), and CIM-XML."""

from __future__ import annotations

import pytest
from tests.mof.corpus import Catalogue

from openwmi import mof
from openwmi.model import ClassDeclaration, Instance, WbemError, derive
from openwmi.mof.cimxml import CIM_DTD, WMI_DTD

TEXT = r"""
Qualifier Description : ToSubClass Amended;
[Description("What \"it\" is\n"), Locale(1033), Hidden : ToInstance, Provider("P"), UUID("{1}") : ToInstance]
class A
{
    [key, read : ToSubClass] string K;
    [Values{"a", "b"} : Restricted, MaxLen(64), Foo(1.5), Off(FALSE)] uint64 N = 5;
    char16 C = 'x'; char16 D = '\x0001'; char16 E = '\'';
    real64 R = 0.1; real32 F = -1e-10; boolean B[] = {TRUE, FALSE}; string S[] = {}; uint8 Sized[4];
    datetime T = "20000101000000.000000+000"; A ref Next; object ref Any = NULL; object O; A Inner;
    string Text = "tab\t, quote\", backslash\\, \x0007 and 😀";
    [static, implemented] uint32 Make([in, Description("x")] string a, [out] uint8 sd[], [in, out] A ref x = NULL);
    void Nothing();
    A ref Give([in] A inner = NULL);
};
class B : A { [Description("other")] uint64 N = 6; };
"""
EXPECTED = """\
[Description("What \\"it\\" is\\n"): Amended ToSubClass, Locale(1033): ToSubClass, Hidden: ToInstance, \
Provider("P"): ToSubClass, UUID("{1}"): ToInstance]
class A
{
	[key, read: ToSubClass] string K;
	[Values{"a", "b"}: Restricted, MaxLen(64), Foo(1.5), Off(FALSE)] uint64 N = "5";
	char16 C = 'x';
	char16 D = '\\x0001';
	char16 E = '\\'';
	real64 R = 0.1;
	real32 F = -1e-10;
	boolean B[] = {TRUE, FALSE};
	string S[] = {};
	[MAX(4)] uint8 Sized[];
	datetime T = "20000101000000.000000+000";
	A ref Next;
	object ref Any = NULL;
	object O;
	A Inner;
	string Text = "tab\\t, quote\\", backslash\\\\, \\x0007 and 😀";
	[static, implemented] uint32 Make([in, Description("x"): Amended ToSubClass] string a, [out] uint8 sd[], \
[in, out] A ref x = NULL);
	void Nothing();
	A ref Give([in] A inner = NULL);
};"""


@pytest.fixture
def classes() -> Catalogue:
    found = Catalogue()
    found.compile(TEXT)
    return found


def again(text: str, classes: Catalogue) -> ClassDeclaration | Instance:
    (step,) = mof.declarations(text, lambda name: classes.get(name.lower()), server="HOST")
    assert isinstance(step.item, ClassDeclaration | Instance)
    return step.item


@pytest.mark.req("A-232", "A-234")
def test_a_class(classes: Catalogue) -> None:
    assert mof.print_class(classes["a"]) == EXPECTED
    assert mof.print_class(classes["a"].declaration) == EXPECTED
    assert again(EXPECTED, classes) == classes["a"].declaration


@pytest.mark.req("A-232")
def test_a_class_shows_what_it_declares_itself(classes: Catalogue) -> None:
    text = mof.print_class(classes["b"])
    assert text == 'class B : A\n{\n\t[Description("other"): Amended ToSubClass] uint64 N = "6";\n};'


@pytest.mark.req("A-232")
def test_flavors_are_left_out_on_demand(classes: Catalogue) -> None:
    text = mof.print_class(classes["a"], flavors=False)
    assert ": To" not in text
    assert "Restricted" not in text
    assert text.startswith(
        '[Description("What \\"it\\" is\\n"), Locale(1033), Hidden, Provider("P"), UUID("{1}")]'
    )


@pytest.mark.req("A-233")
def test_an_instance(classes: Catalogue) -> None:
    inner = classes["a"].spawn({"K": "in", "N": None, "B": None})
    made = classes["a"].spawn(
        {
            "K": 'q"',
            "N": 2**64 - 1,
            "Next": 'A.K="1"',
            "O": classes["b"],
            "Inner": inner,
            "R": 1e300,
            "S": ["a", "\\"],
        }
    )
    text = mof.print_instance(made)
    assert text.startswith('instance of A\n{\n\tK = "q\\"";\n\tN = "18446744073709551615";\n\tC = \'x\';\n')
    assert "\tR = 1e+300;\n" in text
    assert '\tS = {"a", "\\\\"};\n' in text
    assert '\tNext = "A.K=\\"1\\"";\n' in text
    assert "Any" not in text
    # A NULL is left out unless the default would come back in its place.
    assert "\tInner = instance of A\n\t{\n\t\tK = \"in\";\n\t\tN = NULL;\n\t\tC = 'x';\n" in text
    assert "\tO = class B : A\n\t{\n" in text
    assert text.endswith("\n};")
    found = again(text, classes)
    assert found == made


@pytest.mark.req("A-112", "A-233")
def test_an_instance_shows_its_own_qualifiers(classes: Catalogue) -> None:
    (made,) = classes.compile(
        '[DynProps] instance of A { K = "1"; [PropertyContext("x") : ToInstance] Next; };'
    )
    assert isinstance(made, Instance)
    text = mof.print_instance(made)
    assert text.startswith("[DynProps]\ninstance of A\n{\n")
    assert '\t[PropertyContext("x"): ToInstance] Next = NULL;\n' in text
    assert again(text, classes).extras_ == made.extras_  # type: ignore[union-attr]


def test_a_real_that_is_no_number_has_no_constant(classes: Catalogue) -> None:
    text = mof.print_instance(classes["a"].spawn({"K": "1", "R": float("inf"), "F": float("nan")}))
    assert "\tR = NULL;\n\tF = NULL;\n" in text


@pytest.mark.slow
@pytest.mark.req("A-046")
@pytest.mark.parametrize("write", [mof.print_instance, mof.instance_to_xml])
def test_objects_nested_beyond_the_limit_are_not_written(classes: Catalogue, write: object) -> None:
    def nested(depth: int) -> Instance:
        made = classes["a"].spawn({"K": "0"})
        for number in range(depth):
            made = (
                Instance(
                    made.layout_,
                    tuple(
                        made if name == "O" else value
                        for name, value in zip(made.names_, made.values_, strict=True)
                    ),
                )
                if number
                else classes["a"].spawn({"K": "0", "O": made})
            )
        return made

    assert callable(write)
    assert write(nested(60))
    with pytest.raises(WbemError) as caught:
        write(nested(500))
    assert caught.value.symbol == "WBEM_E_QUOTA_VIOLATION"


# CIM-XML --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [CIM_DTD, WMI_DTD])
def test_a_class_survives_xml(classes: Catalogue, form: int) -> None:
    text = mof.class_to_xml(classes["a"], form)
    assert text.startswith('<CLASS NAME="A"><QUALIFIER NAME="Description" TYPE="string" ')
    found = mof.parse_xml(text)
    assert isinstance(found, ClassDeclaration)
    # An explicit NULL has no form of its own in XML: it reads back as no default.
    expected = again(mof.print_class(classes["a"]).replace(" = NULL", ""), classes)
    # And neither has U+0007.
    assert found.properties[-1].default == 'tab\t, quote", backslash\\, � and 😀'
    assert isinstance(expected, ClassDeclaration)
    assert found.properties[:-1] == expected.properties[:-1]
    assert (found.qualifiers, found.methods, found.superclass) == (
        expected.qualifiers,
        expected.methods,
        None,
    )


@pytest.mark.parametrize("form", [CIM_DTD, WMI_DTD])
def test_a_subclass_marks_what_it_inherits(classes: Catalogue, form: int) -> None:
    text = mof.class_to_xml(classes["b"], form)
    assert text.startswith('<CLASS NAME="B" SUPERCLASS="A">')
    assert '<PROPERTY NAME="K" TYPE="string" CLASSORIGIN="A" PROPAGATED="true">' in text
    found = mof.parse_xml(text)
    assert isinstance(found, ClassDeclaration)
    assert derive(found, classes["a"]) == classes["b"]


@pytest.mark.parametrize("form", [CIM_DTD, WMI_DTD])
def test_an_instance_survives_xml(classes: Catalogue, form: int) -> None:
    inner = classes["b"].spawn({"K": "<in> & \r\n\t", "N": 7})
    made = classes["a"].spawn(
        {
            "K": " white ",
            "N": 2**64 - 1,
            "Next": '\\\\HOST\\root\\cimv2:A.K="x\\"y"',
            "Any": "root\\cimv2:A",
            "O": classes["b"],
            "Inner": inner,
            "S": ["", "a"],
            "Text": "plain",
            "D": 0x20,
        }
    )
    text = mof.instance_to_xml(made, form)
    found = mof.parse_xml(text, lambda name: classes.get(name.lower()))
    assert isinstance(found, Instance)
    assert found.raw_("O").name == "B"
    assert found.with_({"O": made.raw_("O")}) == made
    assert found.defaults_ == made.defaults_
    bare = mof.parse_xml(text)
    assert isinstance(bare, Instance)
    assert bare.raw_("K") == " white "
    assert bare.raw_("Inner").raw_("N") == 7


def test_the_two_forms_differ_in_embedded_objects(classes: Catalogue) -> None:
    made = classes["a"].spawn({"K": "1", "Inner": classes["a"].spawn({"K": "2"})})
    cim, wmi = mof.instance_to_xml(made), mof.instance_to_xml(made, WMI_DTD)
    assert '<PROPERTY NAME="Inner" TYPE="string" EmbeddedObject="object"' in cim
    assert "&lt;INSTANCE CLASSNAME=&quot;A&quot;&gt;" in cim
    assert '<PROPERTY.OBJECT NAME="Inner" REFERENCECLASS="A"' in wmi
    assert '<VALUE.OBJECT><INSTANCE CLASSNAME="A">' in wmi
    with pytest.raises(WbemError) as caught:
        mof.instance_to_xml(made, 3)
    assert caught.value.symbol == "WBEM_E_INVALID_PARAMETER"


def test_a_reference_is_written_as_the_elements_of_its_path() -> None:
    classes = Catalogue()
    classes.compile("class R { [key] uint8 K; object ref P; object ref Q[]; };")
    paths = ['\\\\h\\root\\b:C.A="x",B=5', "root\\b:C", "C=@", 'C="implied"', "C.K=TRUE"]
    made = classes["r"].spawn({"K": 1, "P": paths[0], "Q": paths})
    text = mof.instance_to_xml(made)
    assert (
        "<VALUE.REFERENCE><INSTANCEPATH><NAMESPACEPATH><HOST>h</HOST><LOCALNAMESPACEPATH>"
        '<NAMESPACE NAME="root"/><NAMESPACE NAME="b"/></LOCALNAMESPACEPATH></NAMESPACEPATH>'
        '<INSTANCENAME CLASSNAME="C"><KEYBINDING NAME="A"><KEYVALUE VALUETYPE="string">x</KEYVALUE></KEYBINDING>'
        '<KEYBINDING NAME="B"><KEYVALUE VALUETYPE="numeric">5</KEYVALUE></KEYBINDING></INSTANCENAME>'
        "</INSTANCEPATH></VALUE.REFERENCE>"
    ) in text
    found = mof.parse_xml(text, lambda name: classes["r"])
    assert isinstance(found, Instance)
    assert found == made


def test_what_windows_writes_around_and_beside_is_read() -> None:
    """System properties, wrappers, references as text; any case of the booleans."""
    text = """<?xml version="1.0"?>
      <VALUE.NAMEDOBJECT><INSTANCENAME CLASSNAME="W"/><INSTANCE CLASSNAME="W">
       <QUALIFIER NAME="dynamic" TYPE="boolean"><VALUE>true</VALUE></QUALIFIER>
       <PROPERTY NAME="__PATH" CLASSORIGIN="___SYSTEM" TYPE="string"><VALUE>x</VALUE></PROPERTY>
       <PROPERTY NAME="Size" TYPE="uint64"><VALUE> 18446744073709551615 </VALUE></PROPERTY>
       <PROPERTY NAME="On" TYPE="boolean"><VALUE>True</VALUE></PROPERTY>
       <PROPERTY.ARRAY NAME="Caps" TYPE="uint16">
         <VALUE.ARRAY><VALUE>1</VALUE><VALUE>2</VALUE></VALUE.ARRAY></PROPERTY.ARRAY>
       <PROPERTY.REFERENCE NAME="Owner" REFERENCECLASS="O">
         <VALUE.REFERENCE>O.N="r"</VALUE.REFERENCE></PROPERTY.REFERENCE>
       <PROPERTY.OBJECT NAME="Inner"><VALUE.OBJECT><INSTANCE CLASSNAME="I">
         <PROPERTY NAME="N" TYPE="char16"><VALUE>A</VALUE></PROPERTY></INSTANCE></VALUE.OBJECT></PROPERTY.OBJECT>
      </INSTANCE></VALUE.NAMEDOBJECT>"""
    found = mof.parse_xml(text)
    assert isinstance(found, Instance)
    assert found.as_dict_()["Caps"] == [1, 2]
    assert (found.raw_("Size"), found.raw_("On"), found.raw_("Owner")) == (2**64 - 1, True, 'O.N="r"')
    assert found.raw_("Inner").raw_("N") == 65


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("", "INVALID_SYNTAX"),
        ("<CLASS>", "INVALID_SYNTAX"),
        ("<CLASS></CLASS>", "INVALID_SYNTAX"),
        ("<OTHER/>", "INVALID_SYNTAX"),
        ('<CLASS NAME="A"><PROPERTY TYPE="string"/></CLASS>', "INVALID_SYNTAX"),
        ('<CLASS NAME="A"><PROPERTY NAME="p" TYPE="uint7"/></CLASS>', "INVALID_SYNTAX"),
        (
            '<CLASS NAME="A"><PROPERTY NAME="p" TYPE="uint8"><VALUE>x</VALUE></PROPERTY></CLASS>',
            "INVALID_SYNTAX",
        ),
        (
            '<CLASS NAME="A"><PROPERTY NAME="p" TYPE="uint8"><VALUE>256</VALUE></PROPERTY></CLASS>',
            "INVALID_SYNTAX",
        ),
        (
            '<CLASS NAME="A"><PROPERTY NAME="p" TYPE="boolean"><VALUE>1</VALUE></PROPERTY></CLASS>',
            "INVALID_SYNTAX",
        ),
        (
            '<CLASS NAME="A"><PROPERTY.ARRAY NAME="p" TYPE="uint8"><VALUE>1</VALUE></PROPERTY.ARRAY></CLASS>',
            "INVALID_SYNTAX",
        ),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><CLASS NAME='&a;'/>", "INVALID_SYNTAX"),
        (
            "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><CLASS NAME='x'>&a;</CLASS>",
            "INVALID_SYNTAX",
        ),
        ("<a>" * 600 + "</a>" * 600, "QUOTA_VIOLATION"),
        ("<CIM/>", "INVALID_SYNTAX"),
    ],
)
def test_other_xml_is_refused(text: str, symbol: str) -> None:
    with pytest.raises(WbemError) as caught:
        mof.parse_xml(text)
    assert caught.value.symbol == f"WBEM_E_{symbol}"


def test_laughter_is_not_expanded() -> None:
    laughs = "".join(f'<!ENTITY l{i + 1} "{f"&l{i};" * 10}">' for i in range(9))
    with pytest.raises(WbemError):
        mof.parse_xml(f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><CLASS NAME="&l9;"/>')


def test_a_class_of_the_store_decides_what_an_instance_may_hold(classes: Catalogue) -> None:
    text = (
        '<INSTANCE CLASSNAME="A">\n<PROPERTY NAME="Nope" TYPE="string"><VALUE>1</VALUE></PROPERTY></INSTANCE>'
    )
    with pytest.raises(WbemError) as caught:
        mof.parse_xml(text, lambda name: classes.get(name.lower()))
    assert "line 2" in caught.value.message
