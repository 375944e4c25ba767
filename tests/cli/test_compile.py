"""`openwmi compile`: check, split, store; mofcomp's switches; exit codes and places; the recovery list."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import ROOT, Ended, Main, Program

from openwmi.cli.compiling import MAX_FILES, Included
from openwmi.cli.switches import flags, translated
from openwmi.mof.pragmas import CLASS_WORDS

GOOD = """
class {name} {{ [key] uint32 Id; string Text = "none"; }};
instance of {name} {{ Id = 1; Text = "ä\\"b"; }};
instance of {name} {{ Id = 2; }};
"""

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a MOF file; its path."""

    def written(name: str, text: str, encoding: str = "utf-8") -> str:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding=encoding)
        return str(tmp_path / name)

    return written


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A class name that no other test uses."""
    return f"Cli_{abs(hash(request.node.nodeid)):x}"


def rows(main: Main, name: str, namespace: str = "root/default") -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(
        main("query", f"SELECT * FROM {name}", "-n", namespace, "-o", "json").out
    )
    return found


# Storing


@pytest.mark.req("C-40", "C-18")
def test_what_a_file_declares_is_there_afterwards(main: Main, write: Write, name: str) -> None:
    code, out, err = main("compile", write("good.mof", GOOD.format(name=name)), "-n", "root/default")
    assert (code, out) == (0, "")
    assert "good.mof: 1 class, 2 instances stored" in err
    assert rows(main, name) == [{"Id": 1, "Text": 'ä"b'}, {"Id": 2, "Text": "none"}]


@pytest.mark.slow
@pytest.mark.req("C-18")
def test_the_namespace_is_root_default_unless_said_otherwise(
    program: Program, write: Write, name: str
) -> None:
    file = write("good.mof", GOOD.format(name=name))
    assert program("compile", file).code == 0
    assert len(program("ls", "-n", "root/default", name).out.splitlines()) == 2
    assert program("compile", file, "--namespace", "root/subscription").code == 0
    assert len(program("ls", "-n", "root/subscription", name).out.splitlines()) == 2
    elsewhere = write(
        "pragma.mof", '#pragma namespace("\\\\\\\\.\\\\root\\\\WMI")\n' + GOOD.format(name=name)
    )
    assert program("compile", elsewhere, "-N:root/subscription").code == 0
    assert len(program("ls", "-n", "root/WMI", name).out.splitlines()) == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings(main: Main, write: Write, name: str, encoding: str) -> None:
    text = GOOD.format(name=f"{name}{encoding.replace('-', '_')}")
    assert main("compile", write("a.mof", text, encoding), "-n", "root/default").code == 0
    assert rows(main, f"{name}{encoding.replace('-', '_')}")[0]["Text"] == 'ä"b'


def test_several_files_in_their_order(main: Main, write: Write, name: str) -> None:
    base = write("base.mof", f"class {name} {{ [key] uint32 Id; }};")
    derived = write("derived.mof", f"class {name}D : {name} {{ string Text; }};")
    objects = write("objects.mof", f"instance of {name}D {{ Id = 7; }};")
    assert main("compile", base, derived, objects, "-n", "root/default").code == 0
    assert rows(main, name) == [{"Id": 7, "Text": None}]
    code, _, err = main("compile", objects, write("bad.mof", "class"), "-n", "root/default")
    assert code == 2
    assert "bad.mof:1:6: " in err
    assert "nothing is stored" in err


@pytest.mark.req("C-22")
def test_includes_are_beside_the_file_that_names_them(main: Main, write: Write, name: str) -> None:
    write("part/inner.mof", f"instance of {name} {{ Id = 3; }};")
    write("part/outer.mof", f'class {name} {{ [key] uint32 Id; }};\n#pragma include("inner.mof")')
    assert (
        main("compile", write("a.mof", '#pragma include("part\\\\outer.mof")'), "-n", "root/default").code
        == 0
    )
    assert rows(main, name) == [{"Id": 3}]


@pytest.mark.slow
def test_standard_input(program: Program, name: str) -> None:
    ended = subprocess.run(
        [str(ROOT / "openwmi"), "compile", "-"], input=GOOD.format(name=name).encode(), capture_output=True
    )
    assert ended.returncode == 0
    assert b"<stdin>: 1 class, 2 instances stored" in ended.stderr
    assert program("query", f"SELECT Id FROM {name}", "-n", "root/default").out == "1\n2\n"


# What goes wrong


@pytest.mark.req("C-24")
def test_what_stands_before_a_refused_object_stays(main: Main, write: Write, name: str) -> None:
    text = f"class {name} {{ [key] uint32 Id; }};\ninstance of {name} {{ Id = 1; }};\n"
    text += f"  class {name}B : {name}Nix {{ }};\n"
    code, out, err = main("compile", write("half.mof", text), "-n", "root/default")
    assert (code, out) == (1, "")
    assert "half.mof:3:3: " in err
    assert "WBEM_E_INVALID_SUPERCLASS 0x8004100D" in err
    assert "\n      |   ^^^^^\n" in err
    assert "stays" in err
    assert rows(main, name) == [{"Id": 1}]


@pytest.mark.parametrize(
    ("text", "line", "symbol"),
    [
        ("instance of {name}Nix {{ Id = 1; }};", 1, "WBEM_E_INVALID_CLASS 0x80041010"),
        (
            '#pragma namespace("root\\\\nix")\nclass {name} {{ }};',
            "2:1",
            "WBEM_E_INVALID_NAMESPACE 0x8004100E",
        ),
        (
            "class {name} {{ [key] uint32 Id; }};\ninstance of {name} {{ }};",
            "2:1",
            "WBEM_E_ILLEGAL_NULL 0x80041028",
        ),
        ('class {name} {{ [key] string A; }};\n#pragma deleteclass("{name}X", FAIL)', 2, "WBEM_E_"),
    ],
)
def test_a_refused_object_is_1(
    main: Main, write: Write, name: str, text: str, line: int, symbol: str
) -> None:
    code, _, err = main("compile", write("refused.mof", text.format(name=name)), "-n", "root/default")
    assert code == 1
    assert f"refused.mof:{line}:" in err
    assert symbol in err


@pytest.mark.req("C-41", "C-43")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("class A {\n  uint32 B }\n", ":2:12: "),
        ("class A { uint32 B; }", "WBEMMOF_E_EXPECTED_SEMI 0x80044002"),
        ('#pragma include("nix.mof")', "WBEMMOF_E_ERROR_INVALID_INCLUDE_FILE 0x80044030"),
        ("typedef A B;", "WBEMMOF_E_TYPEDEF_NOT_SUPPORTED 0x8004400D"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--check",)])
def test_a_mistake_in_the_text_is_2(
    main: Main, write: Write, text: str, said: str, options: tuple[str, ...]
) -> None:
    code, out, err = main("compile", write("bad.mof", f"class Cli_NotStored {{ }};\n{text}"), *options)
    line = int(said[1]) + 1 if said.startswith(":") else 0
    assert (code, out) == (2, "")
    assert (f":{line}{said[2:]}" if line else said) in err
    assert "bad.mof:" in err
    assert "^" in err
    assert main("describe", "Cli_NotStored", "-n", "root/default").code == 1


def test_a_file_that_is_not_there(main: Main) -> None:
    code, _, err = main("compile", "/no/such.mof")
    assert code == 2
    assert "/no/such.mof: No such file" in err
    assert "WBEMMOF_E_INVALID_FILE 0x8004401E" in err
    assert main("compile", "a\0b").code == 2
    assert main("compile").code == 2


def test_a_namespace_that_is_not_there(main: Main, write: Write) -> None:
    code, _, err = main("compile", write("a.mof", "class A { };"), "-n", "root/nix")
    assert code == 1
    assert "WBEM_E_INVALID_NAMESPACE 0x8004100E" in err
    assert main("compile", write("a.mof", "class A { };"), "-n", r"\\elsewhere.invalid\root").code == 3


def test_includes_are_bounded(write: Write, main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write("self.mof", '#pragma include("self.mof")\n' * 2)
    code, _, err = main("compile", "--check", file)
    assert code == 2
    assert "WBEMMOF_E_ERROR_INVALID_INCLUDE_FILE" in err
    included = Included()
    included._files = MAX_FILES
    with pytest.raises(ValueError, match="more than"):
        included("self.mof", file)


@pytest.mark.slow
@pytest.mark.req("C-24")
def test_an_interrupt_ends_the_run_and_leaves_what_is_stored(write: Write, tmp_path: Path) -> None:
    count = 20_000
    text = "class Many { [key] uint32 Id; };\n" + "".join(
        f"instance of Many {{ Id = {number}; }};\n" for number in range(count)
    )
    store = tmp_path / "home" / "repository.db"
    with subprocess.Popen(
        [str(ROOT / "openwmi"), "compile", write("many.mof", text)],
        env={**os.environ, "OPENWMI_HOME": str(store.parent)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not (store.exists() and instances(store)):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "cancelled\n")
    assert 0 < instances(store) < count


def instances(store: Path) -> int:
    """How many instances a store holds; none while it has no tables."""
    connection = sqlite3.connect(store, timeout=5)
    try:
        (number,) = connection.execute("SELECT count(*) FROM instance").fetchone()
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()
    return int(number)


# Checking


def test_check_needs_no_store_and_makes_none(program: Program, write: Write, tmp_path: Path) -> None:
    good = write("good.mof", GOOD.format(name="A"), "utf-16")
    includes = write("includes.mof", '#pragma include("good.mof")\n')
    home = tmp_path / "home"
    code, out, err = program("compile", "--check", good, includes, OPENWMI_HOME=str(home))
    assert (code, out) == (0, "")
    assert err.count("3 declarations, no mistake found") == 2
    assert not home.exists()


def test_check_loads_no_service(write: Write) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r})\n"
        "from openwmi.cli import main\n"
        f"code = main(['compile', '--check', {write('a.mof', GOOD.format(name='A'))!r}])\n"
        "print(code, *(name for name in sys.modules if 'openwmi.service' in name or name in ('asyncio', 'sqlite3')))"
    )
    ended = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True)
    assert ended.stdout == "0\n"


def test_check_judges_every_file(main: Main, write: Write) -> None:
    bad = write("bad.mof", "class A { uint32 B }")
    worse = write("worse.mof", "class")
    code, _, err = main("compile", "--check", bad, write("good.mof", "class A { };"), worse)
    assert code == 2
    assert "bad.mof:1:20" in err
    assert "good.mof: 1 declaration, no mistake found" in err
    assert "worse.mof:1:6" in err


# Switches


@pytest.mark.req("C-40")
@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (r"-N:root\default", r"--namespace=root\default"),
        ("/n:root/x", "--namespace=root/x"),
        ("-CLASS:updateonly", "--class-flags=updateonly"),
        ("/Instance:createonly", "--instance-flags=createonly"),
        ("-MOF:a", "--mof=a"),
        ("-mfl:b", "--mfl=b"),
        ("-AMENDMENT:MS_409", "--amendment=MS_409"),
        ("-AutoRecover", "--autorecover"),
        ("/CHECK", "--check"),
        ("--check", "--check"),
        ("-v", "-v"),
        ("/tmp", "/tmp"),
        ("a.mof", "a.mof"),
        ("-", "-"),
    ],
)
def test_mofcomps_switches(given: str, wanted: str) -> None:
    assert list(translated([given])) == [wanted]
    assert list(translated(["--", given])) == ["--", given]


@pytest.mark.parametrize("switch", ["-B:a.bmf", "-WMI", "/U:me", "-P:secret", "-A:x", "-ER:x", "-L:x"])
def test_switches_that_are_not_there_are_refused(main: Main, switch: str) -> None:
    code, _, err = main("compile", switch, "a.mof")
    assert code == 2
    assert switch.partition(":")[0] in err
    assert "secret" not in err


def test_flags() -> None:
    assert flags(CLASS_WORDS, '"updateonly","ForceUpdate"') == 0x41
    with pytest.raises(ValueError, match="x"):
        flags(CLASS_WORDS, "x")


@pytest.mark.req("C-19", "C-25")
def test_flags_reach_the_service(main: Main, write: Write, name: str) -> None:
    file = write("good.mof", GOOD.format(name=name))
    code, _, err = main("compile", "-class:updateonly", file, "-n", "root/default")
    assert code == 1
    assert "WBEM_E_NOT_FOUND" in err
    assert main("compile", file, "-class:createonly", "-n", "root/default").code == 0
    code, _, err = main("compile", file, "-instance:createonly", "-n", "root/default")
    assert code == 1
    assert ":3:1: " in err
    assert "WBEM_E_ALREADY_EXISTS" in err
    assert main("compile", file, "-instance:updateonly", "-n", "root/default").code == 0
    for wrong in ("bogus", "createonly,updateonly"):
        assert main("compile", file, f"-class:{wrong}").code == 2
    assert main("compile", file, "--class-flags", "safeupdate", "--class-flags", "forceupdate").code == 2


@pytest.mark.req("C-23")
def test_a_master_is_split_in_two(main: Main, write: Write, name: str, tmp_path: Path) -> None:
    master = write(
        "master.mof",
        f'#pragma amendment("MS_409")\n[Description("said") : Amended] class {name} {{ [key] uint32 Id; }};',
    )
    neutral, localized = tmp_path / "a.mof", tmp_path / "a.mfl"
    code, _, err = main("compile", f"-MOF:{neutral}", f"-MFL:{localized}", master)
    assert (code, "nothing is stored" in err) == (0, True)
    assert "said" not in neutral.read_text("utf-16")
    assert "said" in localized.read_text("utf-16")
    assert main("describe", name, "-n", "root/default").code == 1
    assert main("compile", str(neutral), str(localized), "-n", "root/default").code == 0
    assert main("compile", "--mof", str(neutral), master).code == 2
    assert main("compile", "-AMENDMENT:MS_407", master).code == 2
    unsaid = write("unsaid.mof", "class A { };")
    assert main("compile", f"-MOF:{neutral}", f"-MFL:{localized}", unsaid).code == 2


# The page


@pytest.mark.slow
def test_myclass_of_the_page(tmp_path: Path) -> None:
    """What one process compiles the page's program in another one gets delivered."""
    environment = {
        **os.environ,
        "OPENWMI_HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(ROOT / "src"),
    }
    file = str(ROOT / "examples" / "myclass.mof")
    subprocess.run([str(ROOT / "openwmi"), "compile", file], env=environment, check=True, capture_output=True)
    ended = subprocess.run(
        [
            *(sys.executable, "-W", "error", str(ROOT / "examples" / "asynchronous_call.py")),
            *("--namespace", "root/default", "--query", "SELECT * FROM MyClass"),
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    first = ended.stdout.partition("CancelAsyncCall returned")[0].splitlines()
    delivered = [line for line in first if "Indicate(" in line]
    assert sum(int(line.partition("(")[2].partition(")")[0]) for line in delivered) == 3
    assert "Name=first" in delivered[0]
    assert "SetStatus(COMPLETE, 0x00000000)" in first[-1]


@pytest.mark.slow
def test_the_program_of_every_python(write: Write, tmp_path: Path) -> None:
    """The system's own Python compiles too (an early 3.11 on Debian)."""
    system = Path("/usr/bin/python3")
    if not system.exists():
        pytest.skip("no system Python here")
    environment = {**os.environ, "OPENWMI_HOME": str(tmp_path / "home"), "PYTHON": str(system)}
    ended = subprocess.run(
        [str(ROOT / "openwmi"), "compile", write("good.mof", GOOD.format(name="A"))],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert Ended(ended.returncode, ended.stdout, ended.stderr).code == 0
