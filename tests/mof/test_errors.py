"""Each error of the compiler: its code, and the place it is found at (C-43; the vectors of model.md H)."""

from __future__ import annotations

import pytest
from tests.mof.corpus import Catalogue

from openwmi import mof
from openwmi.model import Class, WbemError
from openwmi.model.errors import MofError

# A bar marks the place; it is taken out before compiling.
CASES = {
    "EXPECTED_QUALIFIER_NAME": [
        "[|5] class A { };",
        "[|] class A { };",
        "[Key,|] class A { };",
        "Qualifier |;",
    ],
    "EXPECTED_SEMI": [
        "class A { }|",
        "class A { string s |}; };",
        "instance of A { x = 1 |}; };",
        "class A { void m() |x };",
    ],
    "EXPECTED_OPEN_BRACE": ["class A |x", "class A : B |;", "instance of A |;", "class A as $x |;"],
    "EXPECTED_CLOSE_BRACE": [
        "instance of A { x = 1;|",
        "class A { uint8 x[] = {1 |2}; };",
        "[Foo{1 |2}] class A { };",
    ],
    "EXPECTED_CLOSE_BRACKET": ["[Key |Foo] class A { };", "class A { uint8 x[5|; };", "[Key|"],
    "EXPECTED_CLOSE_PAREN": [
        "[Foo(1|] class A { };",
        "class A { void m([in] uint8 a|; };",
        '#pragma namespace("x"|',
    ],
    "ILLEGAL_CONSTANT_VALUE": [
        "class A { string s = |x; };",
        "class A { uint8 u = |; };",
        "class A { uint8 u = |08; };",
    ],
    "EXPECTED_TYPE_IDENTIFIER": ["class A { void m([in]|); };", "class A { void m([in] uint8 a, |); };"],
    "EXPECTED_OPEN_PAREN": ["#pragma include |x", "Qualifier X : string, scope|;"],
    "UNRECOGNIZED_TOKEN": ["|foo A { };", "|};", "class A { };|;", "|$x", '|"x"', "|/* open"],
    "UNRECOGNIZED_TYPE": ["class A { void |v; };", "class A { string ref |r; };", "class A { ref |r; };"],
    "EXPECTED_PROPERTY_NAME": [
        "class A { string |; };",
        "class A { uint8|[] x; };",
        "instance of A { |5 = 1; };",
    ],
    "TYPEDEF_NOT_SUPPORTED": ["|typedef uint32 X;", "|#define X 1", "|#ifdef X"],
    "UNEXPECTED_ALIAS": ["class A { string s = |$x; };", "class A { A ref r = |$nobody; };"],
    "UNEXPECTED_ARRAY_INIT": [
        'class A { string s = |{"a"}; };',
        "class A { uint8 x[] = {|{1}}; };",
        "[Foo{|{1}}] class A { };",
    ],
    "INVALID_AMENDMENT_SYNTAX": [
        "|#pragma amendment(5)",
        '|#pragma amendment("german")',
        '|#pragma amendment("MS_")',
    ],
    "INVALID_DUPLICATE_AMENDMENT": ['#pragma amendment("MS_409")\n|#pragma amendment("MS_407")'],
    "INVALID_PRAGMA": ["#pragma |5", "|#foo"],
    "INVALID_NAMESPACE_SYNTAX": [
        "|#pragma namespace(5)",
        '|#pragma namespace("")',
        r'|#pragma namespace("\\\\.\\root\\a b")',
    ],
    "EXPECTED_CLASS_NAME": ["class |{ };", "class A : |{ };", "instance of |{ };", "class |5 { };"],
    "TYPE_MISMATCH": [
        'class A { uint32 u = |"5"; };',
        "class A { string s = |5; };",
        "class A { uint8 x[] = |5; };",
        "class A { boolean b = |1.5; };",
        "class A { uint8 u = |TRUE; };",
        'class A { datetime d = |"yesterday"; };',
        "class A { string s = |class B { }; };",
        'class A { char16 c = |"A"; };',
        'class A { uint64 u = |"0x10"; };',
        'class A { uint8 x[] = {1, 2, |"3"}; };',
        '[Foo|{1, "a"}] class A { };',
    ],
    "EXPECTED_ALIAS_NAME": ["class A as $|5 { };", "class A { A ref r = $|; };"],
    "INVALID_CLASS_DECLARATION": ["[Key] |string s;", "|class A;"],
    "INVALID_INSTANCE_DECLARATION": ["instance |A { };", "instance of A { x |5; };"],
    "EXPECTED_DOLLAR": ["class A as |x { };", "instance of A as |{ };"],
    "CIMTYPE_QUALIFIER": ['class A { [|CIMTYPE("string")] string s; };'],
    "DUPLICATE_PROPERTY": [
        "class A { [key] uint32 k; uint32 |k; };",
        "class A { string s; uint8 |S; };",
        "class A { void m(); void |M(); };",
    ],
    "INVALID_NAMESPACE_SPECIFICATION": [
        r'|#pragma namespace("\\\\server\\root")',
        '|#pragma namespace("//other/root/cimv2")',
    ],
    "OUT_OF_RANGE": [
        "class A { uint8 x = |256; };",
        "class A { sint8 x = |-129; };",
        'class A { uint64 x = |"18446744073709551616"; };',
        "class A { real32 x = |1e39; };",
        "class A { uint8 x[] = {1, 2, |300, 4}; };",
        "class A { uint8 x = |255.5; };",
        "class A { uint32 x = |99999999999999999999999999999999999999999999999999999999999999999999999999999999999; };",
    ],
    "ALIASES_IN_EMBEDDED": [
        "class A { object o = |class B as $x { }; };",
        "class A { object o = class B { A ref r = |$x; }; };",
    ],
    "NULL_ARRAY_ELEM": ['class A { string s[] = {"a", |NULL}; };', "[Foo|{1, NULL}] class A { };"],
    "DUPLICATE_QUALIFIER": ["class A { [key, |KEY] string s; };", "[Foo(1), Bar, |foo(1)] class A { };"],
    "EXPECTED_FLAVOR_TYPE": [
        "[Foo : |ToNobody] class A { };",
        "[Foo : |] class A { };",
        "Qualifier X : string, flavor(|);",
    ],
    "INCOMPATIBLE_FLAVOR_TYPES": [
        "[|Foo : EnableOverride DisableOverride] class A { };",
        "|Qualifier X : ToInstance NotToInstance;",
    ],
    "MULTIPLE_ALIASES": ["class A as $x { };\n|class B as $X { };", "class A as $x |as $y { };"],
    "INCOMPATIBLE_FLAVOR_TYPES2": [
        "[|Foo : Restricted ToSubClass] class A { };",
        "|Qualifier X : ToInstance Restricted;",
    ],
    "NO_ARRAYS_RETURNED": ["class A { uint32|[] m(); };", "class A { uint32 |m[](); };"],
    "MUST_BE_IN_OR_OUT": [
        "class A { uint32 m(uint32 |p); };",
        "class A { void m([Foo] uint32 |p); };",
        "class A { void m([in(false)] uint8 |p); };",
    ],
    "INVALID_FLAGS_SYNTAX": [
        '|#pragma classflags("nonsense")',
        "|#pragma classflags()",
        '|#pragma classflags("createonly", "updateonly")',
        '|#pragma classflags("forceupdate", "safeupdate")',
        '|#pragma instanceflags("safeupdate")',
        "|#pragma classflags(4)",
    ],
    "EXPECTED_BRACE_OR_BAD_TYPE": ["class A { |5 x; };", "class A { |", "class A { string s; |= };"],
    "UNSUPPORTED_CIMV22_DATA_TYPE": [
        "|Qualifier X : datetime;",
        "|Qualifier X : char16[] = {};",
        "|Qualifier X : Win32_Y;",
    ],
    "INVALID_DELETEINSTANCE_SYNTAX": ['|#pragma deleteinstance("X.K=1")', "|#pragma deleteinstance(5, FAIL)"],
    "INVALID_QUALIFIER_SYNTAX": [
        "Qualifier X |;",
        "Qualifier X : string, |foo(class);",
        "Qualifier X : string, scope(|nobody);",
        "Qualifier X : |5;",
    ],
    "QUALIFIER_USED_OUTSIDE_SCOPE": [
        'Qualifier X : string, scope(method);\nclass A { [|X("v")] string s; };'
    ],
    "ERROR_INVALID_INCLUDE_FILE": [
        '|#pragma include("nowhere.mof")',
        '|#include("nowhere.mof")',
        "|#pragma include(5)",
    ],
    "INVALID_DELETECLASS_SYNTAX": [
        '|#pragma deleteclass("X")',
        '|#pragma deleteclass("X", MAYBE)',
        "|#pragma deleteclass(FAIL)",
    ],
}
# No text leads to these: the first three belong to the compiler's files, the last to a value DMTF's form cannot have.
UNREACHABLE = {"INVALID_FILE", "ERROR_CREATING_TEMP_FILE", "UNSUPPORTED_CIMV22_QUAL_VALUE"}

# Errors of the service's own, at the object or member that causes them.
SEMANTIC = {
    "WBEM_E_CANNOT_BE_KEY": [
        "|class A { [key] real32 k; };",
        "|class A { [key] string k[]; };",
        "class A { [key] string k; }; |class B : A { [key] string j; };",
    ],
    "WBEM_E_INVALID_OPERATION": ["|class __A { };"],
    "WBEM_E_CANNOT_BE_SINGLETON": ["|[singleton] class A { [key] string k; };"],
    "WBEM_E_CANNOT_BE_ABSTRACT": ["class A { }; |[abstract] class B : A { };"],
    "WBEM_E_INVALID_SUPERCLASS": ["|class A : Nobody { };"],
    "WBEM_E_INVALID_CLASS": ["|instance of Nobody { };", "class A { object o = |instance of Nobody { }; };"],
    "WBEM_E_NOT_FOUND": ["class A { string s; };\ninstance of A { |t = 1; };"],
    "WBEM_E_MISSING_PARAMETER_ID": ["class A { void m([in, id(0)] uint8 a, [in] uint8 |b); };"],
    "WBEM_E_INVALID_PARAMETER_ID": [
        'class A { void m([in, |id("x")] uint8 a); };',
        "class A { void m([in, |id(-1)] uint8 a); };",
    ],
    "WBEM_E_NONCONSECUTIVE_PARAMETER_IDS": [
        "class A { void |m([in, id(0)] uint8 a, [in, id(2)] uint8 b); };"
    ],
    "WBEM_E_INVALID_DUPLICATE_PARAMETER": [
        "class A { void m([in] uint8 a, [out] uint8 |A); };",
        "class A { void m([in, id(0)] uint8 a, [in, |id(0)] uint8 b); };",
        "class A { uint8 m([out] uint8 |ReturnValue); };",
    ],
    "WBEM_E_CIRCULAR_REFERENCE": ["class A { [key] A ref k; };\ninstance of A as $x { k = |$x; };"],
}


def compiled(text: str) -> dict[str, Class]:
    classes = Catalogue()
    classes.compile(text)
    return classes


def refused(marked: str) -> tuple[str, tuple[int, int], MofError]:
    """The symbol and place of the error in a text, whose own mark is taken out first."""
    text = marked.replace("|", "", 1)
    with pytest.raises(MofError) as caught:
        compiled(text)
    return caught.value.symbol, (caught.value.line, caught.value.column), caught.value


def place(marked: str) -> tuple[int, int]:
    before = marked[: marked.index("|")]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


ALL = [(f"WBEMMOF_E_{name}", text) for name, texts in CASES.items() for text in texts]
ALL += [(name, text) for name, texts in SEMANTIC.items() for text in texts]


@pytest.mark.req(
    "C-11", "C-12", "C-13", "C-16", "C-19", "C-20", "C-26", "C-43", "A-040", "A-086", "A-101", "A-210"
)
@pytest.mark.parametrize(("symbol", "marked"), ALL, ids=[f"{name}-{text}" for name, text in ALL])
def test_an_error_has_its_code_and_its_place(symbol: str, marked: str) -> None:
    found, where, error = refused(marked)
    assert (found, where) == (symbol, place(marked))
    assert error.message
    assert error.source == marked.replace("|", "", 1).split("\n")[error.line - 1]


@pytest.mark.req("C-43")
def test_every_code_of_the_compiler_is_reached() -> None:
    from openwmi.model import status

    codes = {name.removeprefix("WBEMMOF_E_") for name in vars(status) if name.startswith("WBEMMOF_E_")}
    assert len(codes) == 0x31
    assert codes - CASES.keys() == UNREACHABLE


@pytest.mark.req("C-03", "C-14")
def test_the_other_vectors() -> None:
    classes = compiled('class A { string s = "a" "b"; };')
    assert classes["a"].properties["s"].default == "ab"
    classes = Catalogue()
    made = classes.compile(
        "class A { [key] string k; }; class R { [key] object ref l; };"
        'instance of A as $x { k = "1"; }; instance of R { l = $x; };'
    )
    assert made[3].raw_("l") == '\\\\HOST\\root\\default:A.k="1"'  # type: ignore[union-attr]


def test_an_error_explains_itself() -> None:
    text = "class A\n{\n\tuint8 x = 256;\n};"
    with pytest.raises(MofError) as caught:
        mof.check(text, file="dir/a.mof")
    assert mof.explain(caught.value) == (
        "dir/a.mof:3:12: x: 256 is out of range for uint8\n"
        "    3 | \tuint8 x = 256;\n"
        "      | \t          ^^^\n"
        "WBEMMOF_E_OUT_OF_RANGE 0x8004401D"
    )
    assert caught.value.text == "256"


def test_a_long_line_is_shown_around_the_error() -> None:
    text = f"class A {{ string s = {' ' * 400}x{' ' * 400}; }};"
    with pytest.raises(MofError) as caught:
        mof.check(text)
    lines = mof.explain(caught.value).split("\n")
    assert len(lines[1]) <= 120
    assert lines[1][lines[2].index("^")] == "x"


def test_an_error_without_a_place_is_explained_too() -> None:
    error = MofError(0x8004401E, "not a MOF file")
    assert mof.explain(error) == "not a MOF file\nWBEMMOF_E_INVALID_FILE 0x8004401E"


@pytest.mark.slow
@pytest.mark.req("A-046", "A-064")
def test_deep_nesting_is_refused_by_a_limit() -> None:
    def nested(depth: int) -> str:
        return "class A { object o = " + "class B { object o = " * depth + "NULL;" + " };" * depth + " };"

    assert compiled(nested(64))
    for depth in (65, 5_000, 100_000):
        with pytest.raises(WbemError) as caught:
            compiled(nested(depth))
        assert caught.value.symbol == "WBEM_E_QUOTA_VIOLATION"


def test_a_long_chain_of_keys_is_refused_by_a_limit_and_one_of_other_references_is_not() -> None:
    def chain(key: str, count: int) -> str:
        links = (
            "".join(f"instance of A as $n{i} {{ k = {i}; next = $n{i + 1}; }};" for i in range(count))
            + f"instance of A as $n{count} {{ k = {count}; }};"
        )
        return f"class A {{ [key] uint32 k; [{key}] A ref next; }}; {links}"

    assert compiled(chain("read", 2_000))
    with pytest.raises(MofError) as caught:
        compiled(chain("key", 2_000))
    assert caught.value.symbol == "WBEM_E_QUOTA_VIOLATION"


def test_includes_nest_to_a_limit() -> None:
    def endless(name: str, including: str) -> tuple[str, str]:
        return name, '#include("again.mof")'

    with pytest.raises(MofError) as caught:
        mof.parse('#include("again.mof")', include=endless)
    assert caught.value.symbol == "WBEMMOF_E_ERROR_INVALID_INCLUDE_FILE"
    assert (caught.value.file, caught.value.line) == ("again.mof", 1)
