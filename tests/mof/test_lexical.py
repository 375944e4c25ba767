"""Tokens, constants and positions (model.md C1)."""

from __future__ import annotations

import pytest

from openwmi import mof
from openwmi.model import WbemError
from openwmi.model.errors import MofError
from openwmi.mof import literals
from openwmi.mof.encoding import decode
from openwmi.mof.source import Source
from openwmi.mof.syntax import Char, ClassNode, InstanceNode, Pragma, PropertyNode

TEXT = 'class Ä_1 { string s = "grün"; };'


def property_of(text: str) -> PropertyNode:
    (node,) = mof.parse(text)
    assert isinstance(node, ClassNode)
    return node.properties[0]


def value_of(initialiser: str) -> object:
    return property_of(f"class A {{ string p = {initialiser}; }};").value


@pytest.mark.req("C-01")
@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        b"\xff\xfe" + TEXT.encode("utf-16-le"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.encode("cp1252"),
    ],
    ids=["utf-8", "utf-8-mark", "utf-16-le-mark", "utf-16-be-mark", "utf-16-le", "utf-16-be", "ansi"],
)
def test_every_encoding_gives_the_same_text(data: bytes) -> None:
    assert decode(data) == TEXT
    assert property_of(decode(data)).value == "grün"


def test_decoding_never_fails() -> None:
    assert decode(b"") == ""
    assert decode(b"\xff\xfe\x00") == "�"  # half a unit
    assert decode(b"\x81\x8d") == "\x81\x8d"  # undefined in Windows-1252


@pytest.mark.req("C-02")
def test_comments_and_the_end_of_file_mark_of_dos_are_white_space() -> None:
    text = "// one\r\nclass /* two ** / \n three */ A { /**/ string s; // four\r\n// five\n\r};\x1a"
    (node,) = mof.parse(text)
    assert isinstance(node, ClassNode)
    assert [one.name for one in node.properties] == ["s"]
    assert mof.parse("") == mof.parse(" // only a comment") == mof.parse("/* and this */\n") == []


@pytest.mark.req("C-02")
def test_comments_do_not_nest() -> None:
    with pytest.raises(MofError):
        mof.parse("/* a /* b */ c */ class A { };")


@pytest.mark.req("C-03")
@pytest.mark.parametrize(
    ("literal", "text"),
    [
        ('"plain"', "plain"),
        ('""', ""),
        (r'"\b\t\n\f\r\"\'\\"', "\b\t\n\f\r\"'\\"),
        (r'"\x41\X4a\x0041"', "AJA"),
        (r'"\x00413"', "A3"),
        (r'"\xD83D\xDE00"', "😀"),
        (r'"\xD83D" "\xDE00"', "😀"),
        ('"😀"', "😀"),
        ('"a" "b"\n  "c"', "abc"),
        ('"a" // one\n "b" /* two */ "c"', "abc"),
        (r'"a\"" "b"', 'a"b'),
        (r'"a\\" "b"', "a\\b"),
        ('"" "" "x" ""', "x"),
        ('"/* no comment */ // neither"', "/* no comment */ // neither"),
        (r'"C:\\dir\\x.txt"', "C:\\dir\\x.txt"),
    ],
)
def test_a_string(literal: str, text: str) -> None:
    assert value_of(literal) == text


@pytest.mark.req("C-03")
@pytest.mark.parametrize(
    ("literal", "column"),
    [('"open', 22), ('"a\nb"', 22), (r'"C:\dir"', 22), (r'"\x"', 22), ('"a" "b\n"', 26)],
)
def test_a_broken_string(literal: str, column: int) -> None:
    with pytest.raises(MofError) as caught:
        value_of(literal)
    assert (caught.value.line, caught.value.column) == (1, column)


@pytest.mark.req("C-04", "C-05")
@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("0", 0),
        ("42", 42),
        ("+42", 42),
        ("-42", -42),
        ("0x2A", 42),
        ("0X2a", 42),
        ("-0x2a", -42),
        ("052", 42),
        ("-052", -42),
        ("00", 0),
        ("101010b", 42),
        ("101010B", 42),
        ("-1b", -1),
        ("0b", 0),
        ("18446744073709551615", 2**64 - 1),
        ("-9223372036854775808", -(2**63)),
        ("1.5", 1.5),
        ("-3e10", -3e10),
        (".5", 0.5),
        ("-.5", -0.5),
        ("+1.5E-3", 0.0015),
        ("1.e5", 1e5),
        ("5.", 5.0),
        ("TRUE", True),
        ("false", False),
        ("True", True),
        ("NULL", None),
        ("null", None),
    ],
)
def test_a_number_or_word(literal: str, value: object) -> None:
    found = value_of(literal)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.req("C-04")
@pytest.mark.parametrize("literal", ["08", "0x", "0xG", "12b", "1_000", "1.2.3", "1e", "--1", "+", "1x", "٣"])
def test_what_is_no_number(literal: str) -> None:
    with pytest.raises(MofError) as caught:
        value_of(literal)
    assert caught.value.symbol in ("WBEMMOF_E_ILLEGAL_CONSTANT_VALUE", "WBEMMOF_E_EXPECTED_SEMI")


@pytest.mark.req("C-04")
@pytest.mark.parametrize("literal", ["9" * 5000, "0x" + "f" * 90, "1" * 81 + "b", "1e999", "-1e999"])
def test_a_huge_number_is_refused_unread(literal: str) -> None:
    with pytest.raises(MofError) as caught:
        value_of(literal)
    assert caught.value.symbol == "WBEMMOF_E_OUT_OF_RANGE"


@pytest.mark.req("C-06", "A-008")
@pytest.mark.parametrize(
    ("literal", "code"),
    [
        ("'A'", 65),
        (r"'\x41'", 65),
        (r"'\xFFFF'", 0xFFFF),
        (r"'\''", 39),
        (r"'\\'", 92),
        (r"'\n'", 10),
        ("'ä'", 228),
    ],
)
def test_a_character(literal: str, code: int) -> None:
    found = value_of(literal)
    assert isinstance(found, Char)
    assert found == code


@pytest.mark.req("C-06")
@pytest.mark.parametrize("literal", ["''", "'AB'", r"'\q'", "'😀'", r"'\x10000'", "'"])
def test_what_is_no_character(literal: str) -> None:
    with pytest.raises(MofError):
        value_of(literal)


def test_a_pair_of_surrogates_is_joined_and_a_single_one_kept() -> None:
    assert literals.string(r'"\xD83D\xDE00\xD83D"') == "😀\ud83d"


@pytest.mark.req("C-43")
def test_nodes_know_their_line_and_column() -> None:
    text = (
        "// head\r\n#pragma autorecover\n\n[Abstract]\rclass A\n{\n\t[Key, Foo(\n\t 5)] string k;\n"
        "\tvoid m([in] uint8 a);\n};\ninstance of B { x = 1; };"
    )
    pragma, class_, instance = mof.parse(text, file="x.mof")
    assert isinstance(pragma, Pragma)
    assert isinstance(class_, ClassNode)
    assert isinstance(instance, InstanceNode)
    assert (pragma.line, pragma.column) == (2, 1)
    assert (class_.line, class_.column) == (4, 1)
    assert class_.source.position(class_.end) == (10, 1)
    key, foo = class_.properties[0].qualifiers
    assert (key.line, key.column) == (7, 3)
    assert (foo.line, foo.column, foo.source.position(foo.value_at)) == (7, 8, (8, 3))
    assert (class_.properties[0].line, class_.properties[0].column) == (8, 14)
    assert (class_.methods[0].line, class_.methods[0].column) == (9, 7)
    assert class_.methods[0].parameters[0].column == 20
    assert (instance.line, instance.assignments[0].column) == (11, 17)
    assert class_.source.line(4) == "[Abstract]"
    assert class_.source.line(5) == "class A"


def test_a_text_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openwmi.mof.source.MAX_CHARACTERS", 100)
    assert Source(" " * 100, "x").tokens[0] == ""
    with pytest.raises(WbemError) as caught:
        Source(" " * 101, "x")
    assert caught.value.symbol == "WBEM_E_QUOTA_VIOLATION"
