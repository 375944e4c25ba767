"""The verbs that read: get, ls, describe, find, tree, mof; and call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import NAMESPACE, Main, Program

import openwmi.testing

CALLEE = r"""
[Description("Something that can be told what to do.")]
class Cli_Callee {
    [key] string Name;
    [Units("bytes"), MaxLen(8), Description("How much there is."), write] string Amount;
    [ValueMap{"0", "1"}, Values{"off", "on"}] uint8 State = 1;
    [Description("Does what it is told."), ValueMap{"0", "5", "7..9", "10.."}, Values{"Done", "Refused", "Odd", "Big"}]
    uint32 Do([in] uint32 Number, [in] string Words[], [in] boolean Quick, [in] datetime When, [in] object Part,
              [in, optional] real64 Ratio, [out] string Told);
    [static] uint32 Count();
    void Nothing();
};
"""
heard: list[dict[str, object]] = []


def do(path: str, params: dict[str, object]) -> dict[str, object]:
    heard.append(params)
    return {"ReturnValue": params["Number"] or 0, "Told": path}


@pytest.fixture(scope="module", autouse=True)
def callee() -> None:
    openwmi.testing.provide(
        NAMESPACE,
        CALLEE,
        lambda: [{"Name": "a", "Amount": "1"}, {"Name": "b c"}],
        methods={"Do": do, "Count": lambda path, params: {"ReturnValue": 0}},
    )


# get


def test_get_prints_one_object(main: Main) -> None:
    code, out, err = main("get", 'Cli_Callee.Name="b c"')
    assert (code, out, err) == (0, "b c\t\\N\t\\N\n", "")
    assert json.loads(main("get", "Cli_Callee='a'", "State", "NAME", "-o", "json").out) == {
        "State": None,
        "Name": "a",
    }
    assert main("get", "Cli_Callee='a'", "-o", "list").out == "Name   : a\nAmount : 1\nState  : NULL\n"


@pytest.mark.req("A-160", "A-161")
def test_get_takes_a_full_path(main: Main) -> None:
    path = json.loads(main("get", "Cli_Callee='a'", "__PATH", "-o", "json").out)["__PATH"]
    assert path.startswith("\\\\")
    assert path.endswith(r'\root\CliTests:Cli_Callee.Name="a"')
    assert main("get", path, "Name", "-n", "root/cimv2").out == "a\n"
    assert main("get", r"root\CliTests:Cli_Callee='a'", "Name", "-n", "root/cimv2").out == "a\n"
    server = path[2:].partition("\\")[0]
    for place in (rf"\\{server}\root\CliTests", "//./root/CliTests", r"\\localhost\ROOT\clitests"):
        assert main("get", "Cli_Callee='a'", "Name", "-n", place).out == "a\n"


@pytest.mark.parametrize("verb", ["get", "ls", "describe", "mof", "call"])
def test_an_object_of_another_host_is_not_looked_for_here(main: Main, verb: str) -> None:
    code, out, err = main(
        verb, r"\\elsewhere\root\CliTests:Cli_Callee", *(["Count"] if verb == "call" else [])
    )
    assert (code, out) == (2, "")
    assert "elsewhere is another machine: name it with -H" in err


def test_get_of_a_class_prints_its_instances(main: Main) -> None:
    assert main("get", "Cli_Callee", "Name").out == "a\nb c\n"
    assert main("get", "Cli_Callee", "Name", "--where", "Amount IS NULL").out == "b c\n"
    assert main("get", "Cli_Callee", "Name", "--limit", "1").out == "a\n"
    assert main("get", "Cli_Callee='a'", "--where", "x").code == 2


def test_get_shows_system_properties(main: Main) -> None:
    document = json.loads(main("get", "Cli_Callee='a'", "Name", "--system", "-o", "json").out)
    assert next(iter(document)) == "__GENUS"
    assert document["__RELPATH"] == 'Cli_Callee.Name="a"'


# ls


@pytest.mark.slow
def test_ls_lists_namespaces_classes_and_paths(program: Program, main: Main) -> None:
    assert {"root", "root/cimv2", "root/default", "root/Microsoft/Windows/Storage"} <= set(
        program("ls").out.splitlines()
    )
    classes = program("ls", "root/cimv2").out.splitlines()
    assert "Win32_Process" in classes
    assert not [name for name in classes if name.startswith("__")]
    assert classes == sorted(classes, key=str.lower)
    assert "__namespace" in program("ls", "root/cimv2", "--system").out.lower().splitlines()
    assert main("ls", "Cli_Callee").out == 'Cli_Callee.Name="a"\nCli_Callee.Name="b c"\n'


def test_what_ls_lists_can_be_got(main: Main) -> None:
    for path in main("ls", "Cli_Callee").out.splitlines():
        assert main("get", path).code == 0


def test_ls_has_formats_too(main: Main, program: Program) -> None:
    assert {"Namespace": "root/cimv2"} in json.loads(program("ls", "-o", "json").out)
    assert json.loads(main("ls", "Cli_Callee", "-o", "jsonl").out.splitlines()[0])["Amount"] == "1"


def test_ls_of_a_singleton_class_and_an_empty_one(main: Main, program: Program) -> None:
    assert main("ls", "Cli_Empty") == (0, "", "")
    assert program("ls", "Win32_OperatingSystem").out == "Win32_OperatingSystem=@\n"


# describe


def test_describe_says_what_a_class_is(main: Main) -> None:
    code, out, err = main("describe", "cli_callee")
    assert (code, err) == (0, "")
    assert out.startswith("Cli_Callee\n  Something that can be told what to do.\n")
    assert "keys Name" in out
    assert "string  writable; in bytes; at most 8 characters; How much there is." in out
    assert "[in] string[] Words" in out
    assert "[in, optional] real64 Ratio, [out] string Told)" in out
    assert 'openwmi query "SELECT Name, Amount, State FROM Cli_Callee"' in out


def test_describe_says_what_values_mean(main: Main) -> None:
    out = main("describe", "Cli_Callee.state").out
    assert out.startswith("Cli_Callee.State   uint8\n")
    assert "  0  off\n  1  on\n" in out
    assert "1 unless set" in out


def test_describe_explains_a_method(main: Main) -> None:
    out = main("describe", "Cli_Callee.Do").out
    assert "uint32 Do([in] uint32 Number," in out
    assert "     0  Done\n     5  Refused\n  7..9  Odd\n" in out
    assert "acts on an instance" in out
    assert "acts on the class" in main("describe", "Cli_Callee.Count").out
    assert "not implemented here" in main("describe", "Cli_Callee.Nothing").out


def test_describe_takes_the_path_of_an_instance(main: Main) -> None:
    assert main("describe", 'Cli_Callee.Name="a"').out == main("describe", "Cli_Callee").out


def test_describe_in_json(main: Main) -> None:
    document = json.loads(main("describe", "Cli_Callee", "-o", "json").out)
    assert [one["name"] for one in document["methods"]] == ["Do", "Count", "Nothing"]
    assert document["properties"][2]["default"] == 1
    method = json.loads(main("describe", "Cli_Callee.Do", "-o", "json").out)
    assert [one["name"] for one in method["in"]] == ["Number", "Words", "Quick", "When", "Part", "Ratio"]
    assert [one["name"] for one in method["out"]] == ["Told", "ReturnValue"]
    assert json.loads(main("describe", "Cli_Callee.Amount", "-o", "json").out)["type"] == "string"
    assert main("describe", "Cli_Callee.Amount", "-o", "csv").code == 2


# find and tree


def test_find_searches_names_and_descriptions(main: Main) -> None:
    rows = [line.split("\t") for line in main("find", "told").out.splitlines()]
    assert ["class", "Cli_Callee", "\\N", "Something that can be told what to do."] in rows
    assert [row[1] for row in rows if row[0] == "method"] == ["Cli_Callee.Do"]
    assert [line.split("\t")[1] for line in main("find", "Cli_Call??").out.splitlines()] == ["Cli_Callee"]
    assert main("find", "no such thing").code == 1


def test_tree_shows_ancestors_and_descendants(main: Main) -> None:
    assert main("tree", "cli_base").out.splitlines()[:3] == ["Cli_Base", "  Cli_Everything", "  Cli_Other"]
    assert main("tree", "Cli_Other").out == "Cli_Base\n  Cli_Other\n"
    whole = main("tree").out.splitlines()
    assert "Cli_Callee" in whole
    assert "  Cli_Other" in whole


# call


def test_call_runs_a_method_and_prints_what_it_gives(main: Main) -> None:
    code, out, err = main("call", 'Cli_Callee.Name="a"', "do", "number=0", "-o", "json")
    assert code == 0
    assert json.loads(out)["ReturnValue"] == 0
    assert 'Cli_Callee.Name="a"' in json.loads(out)["Told"]
    assert err == ""


@pytest.mark.parametrize(("number", "meaning"), [(5, ": Refused"), (8, ": Odd"), (4711, ": Big"), (6, "")])
def test_a_return_value_is_explained(main: Main, number: int, meaning: str) -> None:
    code, _, err = main("call", 'Cli_Callee.Name="a"', "Do", f"Number={number}")
    assert (code, err) == (7, f"Cli_Callee.Do returned {number}{meaning}\n")


def test_parameters_get_the_types_of_the_signature(main: Main, tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("from a file", encoding="utf-8")
    part = '{"__CLASS": "Cli_Callee", "Name": "inner", "State": 0}'
    code, _, err = main(
        *("call", 'Cli_Callee.Name="a"', "Do", "Number=0x0", "Words=one", f"Words=@{words}", "Quick=true"),
        *("When=2024-05-01T12:00:00+02:00", f"Part:={part}", "Ratio=0.5"),
    )
    assert (code, err) == (0, "")
    got = heard[-1]
    assert (got["Number"], got["Words"], got["Quick"], got["Ratio"]) == (0, ["one", "from a file"], True, 0.5)
    assert str(got["When"]).startswith("2024-05-01")
    assert (got["Part"]["Name"], got["Part"]["State"]) == ("inner", 0)  # type: ignore[index]


def test_json_parameters(main: Main) -> None:
    code, _, err = main("call", "Cli_Callee='a'", "Do", "Number:=0", 'Words:=["x", "y=z"]', "Quick:=null")
    assert (code, err) == (0, "")
    assert (heard[-1]["Words"], heard[-1]["Quick"]) == (["x", "y=z"], None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("Number=many",), 'Number is a uint32, and "many" is none'),
        (("Number=-1",), "Number"),
        (("Number:=nothing",), "Number: this is not JSON"),
        (("Number=1", "Number=2"), "Number is given twice"),
        (("Quick=maybe",), 'Quick is a boolean, and "maybe" is none'),
        (("When=yesterday",), 'When is a datetime, and "yesterday" is none'),
        (("Part=x",), "Part is an object"),
        (('Part:={"a": 1}',), "say of which class"),
        (('Part:={"__CLASS": "Cli_Callee", "Nmae": 1}',), "did you mean Name?"),
        (("Numbr=1",), "did you mean Number?"),
        (("Number=@/no/such/file",), "/no/such/file"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_before_the_call(
    main: Main, arguments: tuple[str, ...], said: str
) -> None:
    count = len(heard)
    code, out, err = main("call", "Cli_Callee='a'", "Do", *arguments)
    assert (code, out) == (1, "")
    assert said in err
    assert len(heard) == count


def test_a_parameter_without_a_name_is_a_mistake(main: Main) -> None:
    assert main("call", "Cli_Callee='a'", "Do", "5").code == 2


def test_dry_run_prints_the_parameters_and_calls_nobody(main: Main) -> None:
    count = len(heard)
    code, out, _ = main("call", "Cli_Callee='a'", "Do", "Number=3", "Words=x", "--dry-run")
    assert code == 0
    assert "Number = 3;" in out
    assert 'Words = {"x"};' in out
    assert len(heard) == count


@pytest.mark.req("A-124")
def test_a_static_method_takes_the_class_and_an_instance_method_does_not(main: Main) -> None:
    assert main("call", "Cli_Callee", "Count").out == "0\n"
    code, _, err = main("call", "Cli_Callee", "Do", "Number=1")
    assert code == 2
    assert "WBEM_E_INVALID_OBJECT_PATH" in err


@pytest.mark.slow
def test_a_real_method_on_a_real_process(program: Program) -> None:
    code, out, err = program("call", 'Win32_Process.Handle="1"', "GetOwner", "-o", "json")
    assert (code, err) == (0, "")
    assert json.loads(out)["User"]
    code, out, err = program("call", "Win32_Process", "Create", "CommandLine=/no/such/program")
    assert code == 7
    assert err == "Win32_Process.Create returned 9: Path not found\n"


# mof


def test_mof_prints_what_compiles_again(main: Main) -> None:
    from openwmi import mof

    out = main("mof", "Cli_Callee").out
    assert out.startswith("[")
    assert len(mof.parse(out)) == 1
    assert 'Name = "a";' in main("mof", "Cli_Callee='a'").out
