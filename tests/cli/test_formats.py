"""openwmi.cli.formats: every format on every type, NULL, empty values, several classes, none at all."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from tests.cli.conftest import NAMESPACE, ROWS, Main

from openwmi.cli.formats import FORMATS

QUERY = "SELECT Id, Text, Texts, Moment, Label FROM Cli_Everything"
ALL = "SELECT * FROM Cli_Everything WHERE Id = 1"


def test_a_pipe_gets_one_record_a_line(main: Main) -> None:
    code, out, err = main("query", QUERY)
    assert (code, err) == (0, "")
    first, second, third = out.split("\n")[:-1]
    assert first.split("\t") == [
        "1",
        'a"b,c\\td\\\\e\\nf',
        '["a", "b,c"]',
        "2024-05-01T12:34:56.500000+02:00",
        "first",
    ]
    assert second.split("\t") == ["2", "", "[]", "****0101******.******+***", "\\x1b[31mred\\x07"]
    assert third.split("\t") == ["3", "\\N", "\\N", "\\N", "\\N"]


def test_tsv_by_name_is_the_same(main: Main) -> None:
    assert main("query", QUERY, "-o", "tsv").out == main("query", QUERY).out


def test_csv_is_rfc_4180(main: Main) -> None:
    out = main("query", QUERY, "-o", "csv").out
    rows = list(csv.reader(io.StringIO(out, newline="")))
    assert rows[0] == ["Id", "Text", "Texts", "Moment", "Label"]
    assert rows[1] == ["1", 'a"b,c\td\\e\nf', '["a", "b,c"]', "2024-05-01T12:34:56.500000+02:00", "first"]
    assert out.endswith("3,,,,\r\n"), "NULL is nothing"
    assert '\r\n2,"","[]"' not in out
    assert '\r\n2,"",[],' in out, "an empty string has quotes"


def test_jsonl_is_one_object_a_line(main: Main) -> None:
    lines = main("query", QUERY, "-o", "jsonl").out.splitlines()
    documents = [json.loads(line) for line in lines]
    assert [list(document) for document in documents] == [["Id", "Text", "Texts", "Moment", "Label"]] * 3
    assert documents[1] == {
        "Id": 2,
        "Text": "",
        "Texts": [],
        "Moment": "****0101******.******+***",
        "Label": ROWS[1]["Label"],
    }
    assert documents[2] == {"Id": 3, "Text": None, "Texts": None, "Moment": None, "Label": None}


def test_json_is_one_array_of_the_same_objects(main: Main) -> None:
    out = main("query", QUERY, "-o", "json").out
    assert json.loads(out) == [
        json.loads(line) for line in main("query", QUERY, "-o", "jsonl").out.splitlines()
    ]
    assert len(out.splitlines()) == 5, "an object a line"


@pytest.mark.req("A-001", "A-004")
def test_json_keeps_every_type(main: Main) -> None:
    (row,) = json.loads(main("query", ALL, "-o", "json").out)
    assert row == {
        "Id": 1,
        "Label": "first",
        "Small": -8,
        "Large": 2**64 - 1,
        "Low": -(2**63),
        "Real": 0.5,
        "Single": 0.25,
        "Truth": True,
        "Letter": 65,
        "Text": 'a"b,c\td\\e\nf',
        "Moment": "2024-05-01T12:34:56.500000+02:00",
        "Span": "P1DT2H3M4.5S",
        "Link": 'Cli_Base.Id="x"',
        "Part": None,
        "Texts": ["a", "b,c"],
        "Bytes": [0, 255],
        "Truths": [True, False],
        "Moments": ["2024-05-01T12:34:56-01:00"],
    }


def test_raw_is_dmtf_text(main: Main) -> None:
    (row,) = json.loads(main("query", ALL, "-o", "json", "--raw").out)
    assert (row["Moment"], row["Span"]) == (ROWS[0]["Moment"], ROWS[0]["Span"])
    assert row["Moments"] == ROWS[0]["Moments"]


def test_list_shows_names_and_skips_nothing(main: Main) -> None:
    first, second, third = main("query", "SELECT Id, Text FROM Cli_Everything", "-o", "list").out.split(
        "\n\n"
    )
    assert first == 'Id   : 1\nText : a"b,c\\td\\e\\nf'
    assert second == "Id   : 2\nText :"
    assert third == "Id   : 3\nText : NULL\n"


def test_table_is_aligned_and_numbers_stand_right(main: Main) -> None:
    out = main("query", "SELECT Label, Small, Id FROM Cli_Everything", "-o", "table").out
    assert out.splitlines() == [
        "Label            Small  Id",
        "---------------  -----  --",
        "first               -8   1",
        "\\x1b[31mred\\x07   NULL   2",
        "NULL              NULL   3",
    ]


def test_wide_characters_keep_a_table_straight() -> None:
    from openwmi.cli.formats.table import _width

    assert (_width("abc"), _width("日本"), _width("e\u0301")) == (3, 4, 1)


def test_names_are_paths(main: Main) -> None:
    assert main("query", "SELECT Label FROM Cli_Everything", "-o", "name").out.splitlines() == [
        "Cli_Everything.Id=1",
        "Cli_Everything.Id=2",
        "Cli_Everything.Id=3",
    ]


def test_mof_compiles_again(main: Main) -> None:
    from openwmi import mof

    out = main("query", "SELECT Id, Text, Texts FROM Cli_Everything", "-o", "mof").out
    assert out.count("instance of Cli_Everything") == 3
    assert len(mof.parse(out)) == 3


def test_xml_is_one_document(main: Main) -> None:
    root = ElementTree.fromstring(main("query", QUERY, "-o", "xml").out)
    assert [one.get("CLASSNAME") for one in root.iter("INSTANCE")] == ["Cli_Everything"] * 3


def test_the_select_list_gives_the_order(main: Main) -> None:
    """The service returns class order (D-51); what people typed is what they see."""
    (row,) = json.loads(
        main("query", "SELECT text, ID, label FROM cli_everything WHERE Id=2", "-o", "json").out
    )
    assert list(row) == ["Text", "Id", "Label"]


def test_a_star_shows_keys_first(main: Main) -> None:
    (row,) = json.loads(main("query", ALL, "-o", "json").out)
    assert list(row)[:3] == ["Id", "Label", "Small"]


def test_several_classes_share_a_table_and_keep_their_own_json(main: Main) -> None:
    text = "SELECT * FROM Cli_Base"
    header, *rows = csv.reader(io.StringIO(main("query", text, "-o", "csv").out, newline=""))
    assert {"Id", "Label", "Name"} <= set(header)
    assert {len(row) for row in rows} == {len(header)}
    documents = [json.loads(line) for line in main("query", text, "-o", "jsonl").out.splitlines()]
    other = next(document for document in documents if "Name" in document)
    assert other == {"Name": "o", "Label": None}, "no property of another class"
    listed = main("query", text, "-o", "list").out.split("\n\n")
    assert sum(record.startswith("Id") for record in listed) == 3
    assert "Name" in listed[-1] or "Name" in listed[0]


@pytest.mark.req("A-141", "A-146")
def test_system_properties_come_when_asked(main: Main) -> None:
    (row,) = json.loads(main("query", ALL, "-o", "json", "--system").out)
    assert list(row)[:10] == [
        *("__GENUS", "__CLASS", "__SUPERCLASS", "__DYNASTY", "__RELPATH", "__PROPERTY_COUNT"),
        *("__DERIVATION", "__SERVER", "__NAMESPACE", "__PATH"),
    ]
    assert row["__GENUS"] == 2
    assert row["__DERIVATION"] == ["Cli_Base"]
    assert row["__NAMESPACE"] == NAMESPACE
    assert row["__PATH"].endswith(r"root\CliTests:Cli_Everything.Id=1")


@pytest.mark.req("A-147")
def test_system_properties_in_the_select_list_are_columns(main: Main) -> None:
    text = "SELECT __RELPATH, Id, __class FROM Cli_Everything WHERE Id = 2"
    assert main("query", text).out == "Cli_Everything.Id=2\t2\tCli_Everything\n"


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_is_an_empty_result_in_every_format(main: Main, name: str) -> None:
    code, out, err = main("query", "SELECT Name FROM Cli_Empty", "-o", name)
    assert (code, err) == (0, "")
    expected = {"csv": "Name\r\n", "json": "[]\n"}
    if name != "xml":
        assert out == expected.get(name, "")


@pytest.mark.parametrize("name", FORMATS)
def test_classes_come_in_every_format(main: Main, name: str) -> None:
    code, out, err = main("query", "SELECT * FROM meta_class WHERE __CLASS = 'Cli_Other'", "-o", name)
    assert (code, err) == (0, "")
    assert "Cli_Other" in out


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "verb", [("ls",), ("find", "Cli_Other"), ("sec", "show", "root/cimv2"), ("user", "ls"), ("sub", "ls")]
)
def test_what_is_no_object_comes_in_every_format_that_shows_rows(
    main: Main, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verb: tuple[str, ...], name: str
) -> None:
    monkeypatch.setenv("OPENWMI_HOME", str(tmp_path))  # without accounts and subscriptions
    code, out, err = main(*verb, "-o", name)
    if name in ("mof", "xml"):
        assert (code, out) == (2, "")
        assert f"-o {name} shows objects of WMI" in err
        return
    assert code == 0, err
    if name == "json":
        assert isinstance(json.loads(out), list)
    if name == "name" and verb == ("ls",):
        assert "root/cimv2" in out.splitlines()


def test_a_class_is_whole_in_json(main: Main) -> None:
    (document,) = json.loads(
        main("query", "SELECT * FROM meta_class WHERE __CLASS = 'Cli_Other'", "-o", "json").out
    )
    assert (document["__CLASS"], document["__SUPERCLASS"], document["keys"]) == (
        "Cli_Other",
        "Cli_Base",
        ["Name"],
    )
    assert [(one["name"], one["type"]) for one in document["properties"]] == [
        ("Label", "string"),
        ("Name", "string"),
    ]
    assert document["properties"][1]["qualifiers"]["key"] is True


def test_an_unknown_format_is_a_mistake_with_a_proposal(main: Main) -> None:
    code, out, err = main("query", QUERY, "-o", "jsno")
    assert (code, out) == (2, "")
    assert 'there is no output format "jsno": did you mean json?' in err


def test_lone_surrogates_do_not_break_json(main: Main) -> None:
    import openwmi.testing

    mof = "class Cli_Strange { [key] uint32 Id; string Text; };"
    openwmi.testing.provide(NAMESPACE, mof, lambda: [{"Id": 1, "Text": "a\udcffb"}])
    code, out, _ = main("query", "SELECT Text FROM Cli_Strange", "-o", "jsonl")
    assert code == 0
    assert json.loads(out) == {"Text": "a\udcffb"}
