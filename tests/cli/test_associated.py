"""`openwmi assoc` and `openwmi refs`: ASSOCIATORS OF and REFERENCES OF from the shell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Ended

from openwmi.cli import main as openwmi_main

MOF = r"""
class Team { [key] string Name; };
class Person { [key] string Name; uint32 Age; };
class Manager : Person { };
[association] class Membership { [key] Team ref Group; [key] Person ref Member; };
[association] class Ownership { [key] Person ref Owner; [key] Team ref Owned; };
instance of Team as $blue { Name = "blue}'x"; };
instance of Person as $ann { Name = "ann"; Age = 30; };
instance of Manager as $bob { Name = "bob"; };
instance of Membership { Group = $blue; Member = $ann; };
instance of Membership { Group = $blue; Member = $bob; };
instance of Ownership { Owner = $bob; Owned = $blue; };
"""
BLUE = """Team.Name="blue}'x\""""
Run = Callable[..., Ended]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line in root/default of a new store that holds MOF."""
    monkeypatch.setenv("OPENWMI_HOME", str(tmp_path / "home"))
    (tmp_path / "teams.mof").write_text(MOF)

    def call(*arguments: str) -> Ended:
        capsys.readouterr()
        code = openwmi_main(["-n", "root/default", *arguments])
        return Ended(code, *capsys.readouterr())

    assert call("compile", str(tmp_path / "teams.mof")).code == 0
    return call


@pytest.mark.req("D-71", "D-73")
@pytest.mark.parametrize(
    ("options", "names"),
    [
        ((), ["ann", "bob", "bob"]),
        (("--class", "Membership"), ["ann", "bob"]),
        (("--result", "Manager"), ["bob", "bob"]),
        (("--role", "Owned"), ["bob"]),
        (("--result-role", "Member"), ["ann", "bob"]),
        (("--class", "Membership", "--result", "Manager", "--role", "Group", "--limit", "5"), ["bob"]),
        (("--limit", "1"), ["ann"]),
    ],
)
def test_assoc(run: Run, options: tuple[str, ...], names: list[str]) -> None:
    code, out, _ = run("assoc", BLUE, *options, "-o", "name")
    assert code == 0
    assert sorted(line.partition('"')[2].rstrip('"') for line in out.splitlines()) == names


def test_assoc_has_formats_and_flags(run: Run) -> None:
    assert run("assoc", BLUE, "--result", "Person", "--class", "Membership").out == "ann\t30\nbob\t\\N\n"
    assert run("assoc", BLUE, "--class", "Membership", "--keys").out == "ann\t\\N\nbob\t\\N\n"
    assert run("assoc", BLUE, "--classes", "-o", "name").out.split() == ["Person", "Manager"]
    assert run("assoc", "Team", "-o", "name").out.split() == ["Person", "Person"]
    assert "ASSOCIATORS OF {Team.Name=" in run("assoc", BLUE, "-v").err


@pytest.mark.req("D-71")
def test_refs(run: Run) -> None:
    def classes(*options: str) -> list[str]:
        return [line.partition(".")[0] for line in run("refs", BLUE, "-o", "name", *options).out.splitlines()]

    assert classes() == ["Membership", "Membership", "Ownership"]
    assert classes("--class", "Ownership") == ["Ownership"]
    assert classes("--result", "Ownership") == ["Ownership"]
    assert classes("--role", "Group") == ["Membership", "Membership"]
    assert run("refs", BLUE, "--classes", "-o", "name").out.split() == ["Membership", "Ownership"]
    assert run("refs", "Team", "-o", "name").out.split() == ["Membership", "Ownership"]
    assert run("refs", r"\\.\root\default:Person.Name='ann'", "-n", "root/cimv2", "-o", "name").code == 0


@pytest.mark.parametrize("verb", ["assoc", "refs"])
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("Team.Name='nix'",), 1, "WBEM_E_NOT_FOUND"),
        (("Nix.Name='nix'",), 1, "WBEM_E_"),
        ((BLUE, "--role", "Group ClassDefsOnly"), 2, "takes one name"),
        ((BLUE, "--result", "Nix"), 1, "WBEM_E_INVALID_CLASS"),
        ((BLUE, "--result", "Person", "--classes"), 2, "WBEM_E_INVALID_QUERY"),
        (("root/default",), 2, "error: "),
        ((), 2, "is missing"),
    ],
)
def test_mistakes(run: Run, verb: str, arguments: tuple[str, ...], code: int, said: str) -> None:
    ended = run(verb, *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert "fault of openwmi" not in ended.err


def test_refs_has_one_class(run: Run) -> None:
    assert run("refs", BLUE, "--class", "Ownership", "--result", "Membership").code == 2
