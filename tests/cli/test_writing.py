"""The verbs that write: create, set, rm; in a store of their own, and through a provider."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import ROOT, Ended

from openwmi.cli import main as openwmi_main

MOF = """
class Part { uint32 A; };
class Thing {
    [key] string Name; uint8 Small = 3; sint64 Large; boolean Truth; datetime Moment; real64 Ratio;
    string Words[]; uint8 Bytes[]; Part Inner; Thing ref Other; [not_null] string Needed = "here";
};
[abstract] class Base { [key] string Name; };
class Derived : Base { uint32 Value; };
class Pair { [key] uint32 A; [key] string B; };
[singleton] class Only { string Text; };
"""

Run = Callable[..., Ended]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line in root/default of a new store that holds MOF's classes."""
    monkeypatch.setenv("OPENWMI_HOME", str(tmp_path / "home"))
    file = tmp_path / "things.mof"
    file.write_text(MOF)

    def call(*arguments: str) -> Ended:
        capsys.readouterr()
        code = openwmi_main(["-n", "root/default", *arguments])
        return Ended(code, *capsys.readouterr())

    assert call("compile", str(file)).code == 0
    return call


def stored(run: Run, path: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(run("get", path, "-o", "json").out)
    return found


# create


@pytest.mark.req("A-250")
def test_create_stores_and_prints_the_path(run: Run) -> None:
    assert run("create", "thing", "name=a", "Small=0xff") == (0, 'Thing.Name="a"\n', "")
    found = stored(run, "Thing='a'")
    assert (found["Small"], found["Needed"], found["Large"]) == (255, "here", None)
    assert run("create", "Pair", "B=x y", "A=1").out == 'Pair.A=1,B="x y"\n'
    assert run("create", "Only", "Text=t").out == "Only=@\n"


def test_create_takes_every_type(run: Run, tmp_path: Path) -> None:
    note = tmp_path / "word"
    note.write_text("from a file")
    code, _, err = run(
        *(
            "create",
            "Thing",
            "Name=a",
            "Large=-5",
            "Truth=true",
            "Moment=2024-05-01T12:00:00+02:00",
            "Ratio=0.5",
        ),
        *(
            "Words=one",
            f"Words=@{note}",
            "Bytes:=[1, 2]",
            'Inner:={"__CLASS": "Part", "A": 7}',
            "Other=Thing.Name='a'",
        ),
    )
    assert (code, err) == (0, "")
    found = stored(run, "Thing='a'")
    assert found == {
        "Name": "a",
        "Small": 3,
        "Large": -5,
        "Truth": True,
        "Moment": "2024-05-01T12:00:00+02:00",
        "Ratio": 0.5,
        "Words": ["one", "from a file"],
        "Bytes": [1, 2],
        "Inner": {"__CLASS": "Part", "A": 7},
        "Other": "Thing.Name='a'",
        "Needed": "here",
    }


@pytest.mark.req("A-262", "A-092")
def test_a_key_that_is_made_up_is_told(run: Run) -> None:
    code, out, _ = run("create", "Thing", "Small=1")
    assert (code, out[:13], len(out)) == (0, 'Thing.Name="{', len('Thing.Name="{}"\n') + 36)
    assert stored(run, out.strip())["Small"] == 1


def test_create_prints_the_object_in_a_format(run: Run) -> None:
    code, out, _ = run("create", "Thing", "Name=a", "-o", "json")
    assert (code, json.loads(out)["Small"]) == (0, 3)
    code, _, err = run("create", "Thing", "Name=b", "-o", "jsn")
    assert (code, "did you mean json" in err) == (2, True)
    assert run("get", "Thing='b'").code == 1


@pytest.mark.req("A-251")
def test_an_object_that_is_there_is_not_replaced(run: Run) -> None:
    assert run("create", "Thing", "Name=a").code == 0
    code, out, err = run("create", "Thing", "Name=A", "Small=9")
    assert (code, out) == (1, "")
    assert "WBEM_E_ALREADY_EXISTS 0x80041019" in err
    assert "nothing was stored" in err
    assert stored(run, "Thing='a'")["Small"] == 3


@pytest.mark.parametrize("verb", ["create", "set"])
def test_dry_run_prints_what_would_be_put(run: Run, verb: str) -> None:
    run("create", "Thing", "Name=a", "Ratio=2")
    subject = ("Thing", "Name=b") if verb == "create" else ("Thing='a'",)
    code, out, _ = run(verb, *subject, "Small=9", "Words=x", "--dry-run")
    assert code == 0
    assert "instance of Thing" in out
    assert "Small = 9;" in out
    assert 'Words = {"x"};' in out
    assert stored(run, "Thing='a'")["Small"] == 3
    assert run("get", "Thing='b'").code == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("Nix", "Name=a"), 1, "WBEM_E_INVALID_CLASS"),
        (("Ting", "Name=a"), 1, "did you mean Thing?"),
        (("Thing", "Smal=1"), 2, "did you mean Small?"),
        (("Thing", "Smal=1"), 2, "WBEM_E_INVALID_PROPERTY 0x80041031"),
        (("Thing", "Small=many"), 1, 'Small is a uint8, and "many" is none  '),
        (("Thing", "Small=many"), 1, "WBEM_E_TYPE_MISMATCH 0x80041005"),
        (("Thing", "Small=256"), 1, "256 does not fit uint8"),
        (("Thing", "Small=1", "Small=2"), 1, "Small is given twice"),
        (("Thing", 'Inner:={"__CLASS": "Part", "B": 1}'), 1, 'Part has no property "B"'),
        (("Thing", "Needed:=null", "Name=x"), 1, "WBEM_E_ILLEGAL_NULL"),
        (("Thing", "Name"), 2, "NAME=TEXT"),
        (("Thing='a'", "Small=1"), 2, "is no class"),
        (("Pair", "A=1"), 1, "WBEM_E_ILLEGAL_NULL"),
        (("Base", "Name=1"), 1, "error: "),
        (("root/default", "Name=1"), 2, "error: "),
        (("Thing", "Name=@/no/such"), 1, "/no/such"),
    ],
)
def test_create_refuses(run: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
    ended = run("create", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert "fault of openwmi" not in ended.err


def test_namespaces_are_objects_too(run: Run) -> None:
    assert run("create", "__NAMESPACE", "Name=acme", "-n", "root").out == '__NAMESPACE.Name="acme"\n'
    assert "root/acme" in run("ls").out.splitlines()
    assert run("rm", '__NAMESPACE.Name="acme"', "-n", "root").code == 0
    assert "root/acme" not in run("ls").out.splitlines()


# set


@pytest.mark.req("A-250")
def test_set_changes_what_is_named_and_nothing_else(run: Run) -> None:
    run("create", "Thing", "Name=a", "Ratio=2", "Words=x")
    assert run("set", "THING='A'", "small=7", "Words:=null") == (0, 'Thing.Name="a"\n', "")
    found = stored(run, "Thing='a'")
    assert (found["Small"], found["Words"], found["Ratio"]) == (7, None, 2)
    assert json.loads(run("set", "Thing='a'", "Small=8", "-o", "json").out)["Small"] == 8


def test_set_takes_the_path_of_a_superclass_and_a_full_one(run: Run) -> None:
    run("create", "Derived", "Name=a")
    assert run("set", "Base='a'", "Value=4").out == 'Derived.Name="a"\n'
    assert run("set", r"root\default:Derived.Name='a'", "Value=5", "-n", "root/cimv2").code == 0
    assert stored(run, "Base='a'")["Value"] == 5


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("Thing='nix'", "Small=1"), 1, "WBEM_E_NOT_FOUND 0x80041002"),
        (("Thing='a'", "Smal=1"), 2, "did you mean Small?"),
        (("Thing='a'", "Name=b"), 2, "Name is a key"),
        (("Thing='a'", "Needed:=null"), 1, "WBEM_E_ILLEGAL_NULL"),
        (("Thing='a'",), 2, "NAME=VALUE is missing"),
        (("Thing", "Small=1"), 2, "is no object"),
    ],
)
def test_set_refuses(run: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
    run("create", "Thing", "Name=a")
    ended = run("set", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err


# rm


def test_rm_deletes(run: Run) -> None:
    for name in "abc":
        run("create", "Thing", f"Name={name}")
    code, out, err = run("rm", "Thing='a'", "Thing.Name='b'")
    # An implied key stays implied: nobody is asked for its name.
    assert (code, out, err) == (0, "", 'Thing="a" is deleted\nThing.Name="b" is deleted\n')
    assert run("ls", "Thing").out == 'Thing.Name="c"\n'
    code, _, err = run("rm", "Thing='a'")
    assert code == 1
    assert "WBEM_E_NOT_FOUND 0x80041002" in err
    assert "nothing was deleted" in err


def test_rm_of_a_class_wants_to_be_told_so(run: Run) -> None:
    run("create", "Derived", "Name=a")
    code, _, err = run("rm", "Base")
    assert (code, "--class" in err) == (2, True)
    assert run("rm", "Derived='a'", "--class").code == 2
    assert "class Base" in run("rm", "--class", "Base", "--dry-run").out
    assert run("rm", "--class", "Base").code == 0
    assert run("describe", "Derived").code == 1
    assert run("rm", "root/default").code == 2
    assert run("rm").code == 2


def test_rm_dry_run_shows_the_object_and_keeps_it(run: Run) -> None:
    run("create", "Thing", "Name=a")
    assert 'Name = "a";' in run("rm", "Thing='a'", "--dry-run", "--yes").out
    assert run("get", "Thing='a'").code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "options", "code", "left"),
    [
        ("y", (), 0, []),
        ("yes", (), 0, []),
        ("n", (), 130, ['Thing.Name="a"']),
        ("", (), 130, ['Thing.Name="a"']),
        (None, ("--yes",), 0, []),
        (None, ("-y", "-q"), 0, []),
    ],
)
def test_rm_asks_at_a_terminal(
    run: Run, answer: str | None, options: tuple[str, ...], code: int, left: list[str]
) -> None:
    run("create", "Thing", "Name=a")
    shown, ended = at_terminal("rm", "Thing='a'", *options, answer=answer)
    assert ended == code
    assert ('delete Thing="a"? [y/N] ' in shown) is (answer is not None)
    assert ("nothing is deleted" in shown) is (code == 130)
    # Another process has deleted it.
    assert run("ls", "Thing").out.splitlines() == left


def at_terminal(*arguments: str, answer: str | None) -> tuple[str, int]:
    main, side = pty.openpty()
    process = subprocess.Popen(
        [str(ROOT / "openwmi"), "-n", "root/default", *arguments],
        stdin=side,
        stdout=side,
        stderr=side,
        env={**os.environ, "NO_COLOR": "1"},
    )
    os.close(side)
    shown = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:  # the other side is closed
            break
        shown += piece
        if shown.endswith(b"[y/N] ") and answer is not None:
            os.write(main, f"{answer}\n".encode())
    os.close(main)
    return shown.decode().replace("\r\n", "\n"), process.wait(timeout=10)


# A provider that can be written to


def test_a_dynamic_class_is_written_through_its_provider(tmp_path: Path) -> None:
    script = f"""
import sys
sys.path.insert(0, {str(ROOT / "src")!r})
from openwmi import host, mof
from openwmi.cli import main

class Provider:
    name = "Writable"
    rows = {{"a": 1}}
    def instances(self, request):
        for name, value in self.rows.items():
            yield tuple({{"Name": name, "Value": value}}[column] for column in request.columns)
    def put(self, request, instance, flags):
        self.rows[instance.raw_("Name")] = instance.raw_("Value")
        print("put", instance.raw_("Name"), instance.raw_("Value"), flags)
    def delete(self, request, keys):
        del self.rows[keys["Name"]]
        print("delete", keys)

text = '[dynamic, provider("Writable")] class Written {{ [key] string Name; uint32 Value; }};'
host.provide("root/acme", next(iter(mof.class_declarations(text))), Provider())
for arguments in (["create", "Written", "Name=b", "Value=2"], ["set", "Written='a'", "Value=5"], ["rm", "Written='b'"]):
    print(main(["-n", "root/acme", *arguments]))
"""
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "OPENWMI_HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert ended.stdout.splitlines() == [
        *("put b 2 2", 'Written.Name="b"', "0", "put a 5 1", 'Written.Name="a"', "0"),
        *("delete {'Name': 'b'}", "0"),
    ], ended.stderr
