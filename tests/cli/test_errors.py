"""Errors as a person reads them, and the exit code as a script does; on the real machine where it matters."""

from __future__ import annotations

import pytest
from tests.cli.conftest import NAMESPACE, Main, Program

import openwmi.testing
from openwmi.cli import exits
from openwmi.model.status import STATUS


def test_a_syntax_error(program: Program) -> None:
    code, out, err = program("query", "SELEC * FROM Win32_Process")
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert lines[0].startswith("error: ")
    assert lines[0].endswith("WBEM_E_INVALID_QUERY 0x80041017")
    assert lines[1] == "  SELEC * FROM Win32_Process"
    assert lines[2].startswith("  ^^^^^ ")
    assert any(line.startswith("  try ") for line in lines)


@pytest.mark.req("D-08")
def test_an_unknown_class(program: Program) -> None:
    code, out, err = program("query", "SELECT * FROM Win32_Proces")
    assert (code, out) == (1, "")
    assert "WBEM_E_INVALID_CLASS 0x80041010" in err
    assert "                ^^^^^^^^^^^^ did you mean Win32_Process?" in err
    assert r"namespace root\cimv2" in err
    assert "openwmi ls root/cimv2" in err


@pytest.mark.req("D-08")
def test_an_unknown_property(program: Program) -> None:
    code, out, err = program("query", "SELECT Nmae FROM Win32_Process")
    assert (code, out) == (2, "")
    assert 'class Win32_Process has no property "Nmae"' in err
    assert "WBEM_E_INVALID_QUERY 0x80041017" in err
    assert "  SELECT Nmae FROM Win32_Process\n         ^^^^ did you mean Name?" in err
    assert "openwmi describe Win32_Process" in err


@pytest.mark.req("D-10")
def test_a_wrong_type(program: Program) -> None:
    code, out, err = program("query", "SELECT Name FROM Win32_Process WHERE ProcessId > 'abc'")
    assert (code, out) == (2, "")
    assert "ProcessId" in err.splitlines()[0]
    assert "WBEM_E_INVALID_QUERY 0x80041017" in err
    assert " " * 50 + "^^^^^" in err


@pytest.mark.req("B-05")
def test_a_missing_namespace(program: Program) -> None:
    code, out, err = program("query", "-n", "root/nowhere", "SELECT * FROM Win32_Process")
    assert (code, out) == (1, "")
    assert r"root\nowhere" in err
    assert "WBEM_E_INVALID_NAMESPACE 0x8004100E" in err
    assert "openwmi ls " in err


@pytest.mark.slow
@pytest.mark.req("A-164")
def test_a_missing_object_and_a_bad_path(program: Program) -> None:
    code, out, err = program("get", 'Win32_Process.Handle="999999999"')
    assert (code, out) == (1, "")
    assert "WBEM_E_NOT_FOUND 0x80041002" in err
    assert "openwmi ls Win32_Process" in err
    code, out, err = program("get", "Win32_Process.Handle=")
    assert (code, out) == (2, "")
    assert "WBEM_E_INVALID_OBJECT_PATH 0x8004103A" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("query", "SELEC * FROM X"),
        ("query", "SELECT * FROM X"),
        ("query", "SELECT X FROM Win32_Process"),
        ("query", "-n", "root/x", "SELECT * FROM X"),
        ("query", "SELECT * FROM __InstanceCreationEvent WITHIN 1 WHERE TargetInstance ISA 'Win32_Process'"),
        ("query", "x" * 20_000),
        ("query", "SELECT * FROM Win32_Process WHERE " + "(" * 5_000),
        ("get", "=="),
        ("get", "Win32_Process", "Nmae"),
        ("get", 'Win32_Process.Handle="1"', "Nmae"),
        ("describe", "Win32_Proces"),
        ("describe", "Win32_Process.Nmae"),
        ("call", "Win32_Process", "Craete"),
        ("call", "Win32_Process", "Create", "CommandLnie=x"),
        ("call", 'Win32_Process.Handle="1"', "SetPriority", "Priority=abc"),
        ("ls", "Win32_Proces"),
        ("tree", "Win32_Proces"),
        ("mof", "Win32_Proces"),
        ("mof", "root/cimv2"),
        ("compile", "--check", "/no/such/file.mof"),
        ("query", "SELECT * FROM Win32_Process", "-o", "nonsense"),
        ("frobnicate",),
        ("watch", "x"),
        ("query",),
        ("query", "a", "b"),
        ("query", "SELECT * FROM Win32_Process", "--limt", "1"),
        ("query", "SELECT * FROM Win32_Process", "--limit", "-1"),
        ("query", "SELECT * FROM Win32_Process", "--param", "x"),
        ("query", "SELECT * FROM Win32_Process WHERE Name = {x}"),
        ("-n", r"\\elsewhere\root\cimv2", "query", "SELECT * FROM X"),
        (),
    ],
    ids=lambda arguments: " ".join(arguments)[:60],
)
def test_no_mistake_ends_in_a_traceback(main: Main, arguments: tuple[str, ...]) -> None:
    code, out, err = main("-n", "root/cimv2", *arguments)
    assert code in (1, 2, 3)
    assert out == ""
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert "fault of openwmi" not in err
    if "WBEM" in err:
        assert "0x8004" in err, "the name and the number"
    assert "\n  try " in err or code == 2


def test_near_names_are_offered_everywhere(main: Main) -> None:
    for arguments, offer in [
        (("describe", "Cli_Evrything"), "Cli_Everything"),
        (("describe", "Cli_Everything.Txet"), "Text"),
        (("get", "Cli_Everything.Id=1", "Txet"), "Text"),
        (("get", "Cli_Everything", "Txet"), "Text"),
        (("ls", "Cli_Evrything"), "Cli_Everything"),
        (("query", "SELECT * FROM Cli_Everything", "--exlpain"), "--explain"),
        (("qurey", "x"), "query"),
    ]:
        assert f"did you mean {offer}?" in main(*arguments).err, arguments


def failing(number: int) -> object:
    yield {"Name": "first"}
    raise ValueError(f"the disk is on fire ({number})")


FAILING = "class Cli_Failing { [key] string Name; };"


def test_a_provider_that_fails_half_way(main: Main) -> None:
    openwmi.testing.provide(NAMESPACE, FAILING, lambda: failing(1))
    code, out, err = main("query", "SELECT * FROM Cli_Failing", "-o", "json")
    assert code == 1
    assert out == '[\n{"Name": "first"}\n]\n', "what came is there and can be read"
    assert "WBEM_E_PROVIDER_FAILURE 0x80041004" in err
    assert "1 row came before" in err


def test_verbose_says_more_and_very_verbose_where(main: Main) -> None:
    openwmi.testing.provide(NAMESPACE, FAILING, lambda: failing(2))
    plain = main("query", "SELECT * FROM Cli_Failing").err
    verbose = main("query", "SELECT * FROM Cli_Failing", "-v").err
    assert "ExecQuery" not in plain
    assert "operation ExecQuery" in verbose
    assert "Traceback" not in verbose
    assert "Traceback" in main("query", "SELECT * FROM Cli_Failing", "-vv").err


@pytest.mark.req("D-54")
def test_a_partial_result_has_its_exit_code(main: Main) -> None:
    from openwmi.testing import provide

    provide(NAMESPACE, "[abstract] class Cli_Half { [key] string Name; };")
    provide(NAMESPACE, "class Cli_Good : Cli_Half { };", lambda: [{"Name": "good"}])
    provide(NAMESPACE, "class Cli_Bad : Cli_Half { };", lambda: failing(3))
    code, out, err = main("query", "SELECT Name FROM Cli_Half")
    assert code == 6
    assert "good" in out
    assert "WBEM_S_PARTIAL_RESULTS 0x00040010" in err


def test_quiet_leaves_notes_out_but_no_errors(main: Main) -> None:
    assert "more exist" in main("query", "SELECT * FROM Cli_Number", "--limit", "1").err
    assert main("query", "SELECT * FROM Cli_Number", "--limit", "1", "-q").err == ""
    assert main("query", "SELEC", "-q").err.startswith("error: ")


@pytest.mark.parametrize(
    ("symbol", "code"),
    [
        ("WBEM_E_FAILED", 1),
        ("WBEM_E_INVALID_QUERY", 2),
        ("RPC_S_SERVER_UNAVAILABLE", 3),
        ("RPC_S_SERVER_TOO_BUSY", 1),
        ("WBEM_E_ACCESS_DENIED", 4),
        ("E_ACCESSDENIED", 4),
        ("WBEM_E_TIMED_OUT", 5),
        ("WBEM_S_PARTIAL_RESULTS", 6),
        ("WBEM_E_CALL_CANCELLED", 130),
        ("WBEM_S_FALSE", 0),
    ],
)
def test_exit_codes_are_those_of_the_page(symbol: str, code: int) -> None:
    assert exits.exit_code(symbol) == code


def test_the_table_of_exit_codes_names_statuses_that_exist() -> None:
    assert set(exits.BY_SYMBOL) <= {row.symbol for row in STATUS.values()}


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (ModuleNotFoundError("No module named 'openwmi.x'", name="openwmi.x"), "a fault of openwmi itself"),
        (ModuleNotFoundError("No module named 'rich'", name="rich"), "pip install 'openwmi[terminal]'"),
        (PermissionError(13, "Permission denied", "/etc/shadow"), "/etc/shadow: Permission denied"),
        (ValueError("no"), "a fault of openwmi itself: ValueError: no"),
    ],
)
def test_what_is_none_of_wmis_has_a_sentence_too(
    failure: Exception, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from openwmi.cli.console import Console
    from openwmi.cli.failures import report

    monkeypatch.delenv("OPENWMI_LAUNCHER", raising=False)
    assert report(failure, Console()) == 1
    assert said in capsys.readouterr().err
