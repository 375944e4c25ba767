"""`openwmi repository`: path, check, backup, restore, salvage, reset and recover, on stores of their own."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import ROOT, Ended, Program

from openwmi.model.errors import WbemError
from openwmi.repository import care
from openwmi.repository.store import Store

pytestmark = pytest.mark.slow
CLASS = "class Kept { [key] uint32 Id; string Text; };\n"
Run = Callable[..., Ended]


class Home:
    """A store of its own, and the command line on it."""

    def __init__(self, folder: Path, program: Program) -> None:
        self.folder = folder
        self.store = folder / "home" / "repository.db"
        self._program = program
        self.count = 0

    def run(self, *arguments: str) -> Ended:
        return self._program(*arguments, OPENWMI_HOME=str(self.folder / "home"))

    def compile(self, text: str, *options: str) -> str:
        self.count += 1
        file = self.folder / f"{self.count}.mof"
        file.write_text(text, encoding="utf-8")
        ended = self.run("compile", str(file), *options)
        assert ended.code == 0, ended.err
        return str(file)

    def damage(self, content: bytes) -> None:
        """Overwrite the store, log included."""
        connection = sqlite3.connect(self.store)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        self.store.write_bytes(content)

    def ids(self) -> list[str]:
        return self.run("query", "SELECT Id FROM Kept", "-n", "root/default").out.split()


@pytest.fixture
def home(tmp_path: Path, program: Program) -> Home:
    return Home(tmp_path, program)


@pytest.fixture
def filled(home: Home) -> Home:
    """A store with a class and an instance."""
    home.compile(CLASS + "instance of Kept { Id = 1; };")
    return home


@pytest.fixture
def other(filled: Home) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the store open, and reads it once a line comes."""
    program = """
import itertools
import sys
import openwmi
with openwmi.sync.connect(r"root\\default") as wmi:
    for line in itertools.chain([""], sys.stdin):
        if line == "new\\n":
            wmi.put(wmi.get_class("Kept").new_(Id=77, Text="from before"))
        print([one.Id for one in wmi.query("SELECT * FROM Kept")], flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "OPENWMI_HOME": str(filled.store.parent), "PYTHONPATH": str(ROOT / "src")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "[1]\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=10) == 0


def test_path_says_where_the_store_is_or_will_be(home: Home) -> None:
    assert home.run("repository", "path") == (0, f"{home.store}\n", "")
    assert not home.store.exists()


# check


@pytest.mark.req("C-45")
def test_check_says_what_it_looked_at(filled: Home) -> None:
    code, out, err = filled.run("repository", "check")
    assert (code, err) == (0, "")
    assert out.startswith(f"{filled.store}: ")
    assert "1 namespace, 1 class, 1 instance, 2 log entries: no fault found\n" in out


def test_check_makes_no_store(home: Home) -> None:
    code, out, err = home.run("repository", "check")
    assert (code, out) == (0, "")
    assert "there is no repository" in err
    assert not home.store.parent.exists()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE class SET body = '[1'", "class kept in root\\default cannot be read"),
        ("UPDATE instance SET body = '[1]'", "instance kept.ID=1 in root\\default cannot be read"),
        ("UPDATE instance SET extras = '7'", "instance kept.ID=1 in root\\default cannot be read"),
        ("UPDATE instance SET shape = 99", "dangling row in instance"),
    ],
)
@pytest.mark.req("C-45")
def test_check_finds_what_cannot_be_read(filled: Home, damage: str, said: str) -> None:
    connection = sqlite3.connect(filled.store)
    connection.execute(damage)
    connection.commit()
    connection.close()
    code, out, err = filled.run("repository", "check")
    assert code == 1
    assert f"  {said}\n" in out
    assert "1 fault" in out
    assert "WBEM_E_CRITICAL_ERROR 0x8004100A" in err
    assert "openwmi repository restore" in err


@pytest.mark.parametrize("content", [b"", b"no database" * 100])
def test_check_of_what_is_no_store(filled: Home, content: bytes) -> None:
    filled.damage(content)
    code, out, err = filled.run("repository", "check")
    assert code == 1
    assert "1 fault\n" in out
    assert "WBEM_E_CRITICAL_ERROR 0x8004100A" in err
    assert filled.store.read_bytes() == content


def test_check_finds_damaged_pages(filled: Home, tmp_path: Path) -> None:
    filled.compile("".join(f'instance of Kept {{ Id = {n}; Text = "{"x" * 500}"; }};\n' for n in range(40)))
    filled.run("repository", "backup", str(tmp_path / "copy"))
    content = bytearray((tmp_path / "copy").read_bytes())
    for page in range(len(content) // 4096 // 2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    filled.damage(content)
    code, out, _ = filled.run("repository", "check")
    assert (code, "fault" in out) == (1, True)


# backup and restore


@pytest.mark.req("C-45")
def test_a_backup_brings_back_what_was_there(filled: Home, tmp_path: Path) -> None:
    backup = str(tmp_path / "a b?#.backup")
    assert filled.run("repository", "backup", backup) == (0, "", f"{filled.store} is copied to {backup}\n")
    assert Path(backup).stat().st_mode & 0o777 == 0o600
    filled.compile("instance of Kept { Id = 2; }; class More { [key] uint32 A; };")
    assert filled.ids() == ["1", "2"]
    code, out, err = filled.run("repository", "restore", backup)
    assert (code, out) == (0, "")
    assert f"has the content of {backup} now" in err
    assert filled.ids() == ["1"]
    assert filled.run("describe", "More", "-n", "root/default").code == 1
    assert filled.run("repository", "check").code == 0
    filled.compile("instance of Kept { Id = 3; };")
    assert filled.ids() == ["1", "3"]
    assert not [name for name in os.listdir(filled.store.parent) if "restoring" in name or "damaged" in name]
    assert filled.run("repository", "backup", backup).code == 0
    assert filled.run("repository", "restore", backup).code == 0
    assert filled.ids() == ["1", "3"]


def test_a_backup_of_nothing_restores_nothing(home: Home, tmp_path: Path) -> None:
    backup = str(tmp_path / "backup")
    assert home.run("repository", "backup", backup).code == 0
    home.compile(CLASS)
    assert home.run("repository", "restore", backup).code == 0
    assert home.run("describe", "Kept", "-n", "root/default").code == 1


def test_a_store_can_be_restored_where_none_is(filled: Home, tmp_path: Path, program: Program) -> None:
    backup = str(tmp_path / "backup")
    filled.run("repository", "backup", backup)
    elsewhere = Home(tmp_path / "elsewhere", program)
    assert elsewhere.run("repository", "restore", backup).code == 0
    assert elsewhere.ids() == ["1"]
    assert elsewhere.store.stat().st_mode & 0o777 == 0o600


@pytest.mark.req("C-45")
def test_restore_waits_for_nobody_and_disturbs_nobody(
    filled: Home, other: subprocess.Popen[str], tmp_path: Path
) -> None:
    backup = str(tmp_path / "backup")
    assert filled.run("repository", "backup", backup).code == 0
    filled.compile("instance of Kept { Id = 2; };")
    code, out, err = filled.run("repository", "restore", backup)
    assert (code, out) == (1, "")
    assert "WBEM_E_BACKUP_RESTORE_WINMGMT_RUNNING 0x80041060" in err
    assert filled.ids() == ["1", "2"]


def ask(process: subprocess.Popen[str], line: str = "") -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return process.stdout.readline()


@pytest.mark.req("C-45")
def test_a_forced_restore_is_seen_by_processes_that_go_on(
    filled: Home, other: subprocess.Popen[str], tmp_path: Path, program: Program
) -> None:
    """The store restored has other numbers for its namespaces and shapes than the one that the process knows."""
    elsewhere = Home(tmp_path / "elsewhere", program)
    elsewhere.folder.mkdir()
    elsewhere.compile(
        "class First { [key] uint32 A; uint32 B; }; instance of First { A = 5; };", "-n", "root/WMI"
    )
    elsewhere.compile(
        "class Kept { string Text; [key] uint32 Id; uint8 More; }; instance of Kept { Id = 9; };"
    )
    backup = str(tmp_path / "backup")
    assert elsewhere.run("repository", "backup", backup).code == 0
    assert filled.run("repository", "restore", "--force", backup).code == 0
    assert ask(other) == "[9]\n"
    assert ask(other, "new") == "[9, 77]\n"
    assert filled.ids() == ["9", "77"]
    assert filled.run("query", "SELECT * FROM First", "-n", "root/WMI").out == "5\t\\N\n"
    assert filled.run("repository", "check").code == 0


@pytest.mark.parametrize("content", [b"", b"no database" * 100])
def test_what_is_no_backup_replaces_nothing(filled: Home, tmp_path: Path, content: bytes) -> None:
    backup = tmp_path / "backup"
    backup.write_bytes(content)
    code, _, err = filled.run("repository", "restore", str(backup))
    assert code == 1
    assert "WBEM_E_CRITICAL_ERROR" in err
    assert str(backup) in err
    assert filled.ids() == ["1"]
    code, _, err = filled.run("repository", "restore", str(tmp_path / "nix"))
    assert (code, str(tmp_path / "nix") in err) == (1, True)
    code, _, err = filled.run("repository", "restore", str(filled.store))
    assert (code, "the repository itself" in err) == (1, True)
    assert filled.run("repository", "backup", str(filled.store)).code == 1
    assert filled.run("repository", "backup", str(tmp_path / "no" / "such")).code == 1
    assert filled.ids() == ["1"]


def test_a_backup_of_another_format_is_refused(filled: Home, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    filled.run("repository", "backup", str(backup))
    connection = sqlite3.connect(backup)
    connection.execute("UPDATE setting SET value = '99' WHERE name = 'format'")
    connection.commit()
    connection.close()
    code, _, err = filled.run("repository", "restore", str(backup))
    assert code == 1
    assert "WBEM_E_DATABASE_VER_MISMATCH" in err


def test_a_damaged_store_is_set_aside(filled: Home, tmp_path: Path) -> None:
    backup = str(tmp_path / "backup")
    assert filled.run("repository", "backup", backup).code == 0
    for number in (1, 2):
        filled.damage(b"no database" * 100)
        assert filled.run("repository", "restore", backup).code == 0
        assert filled.ids() == ["1"]
        assert Path(f"{filled.store}.damaged{number}").read_bytes() == b"no database" * 100


def test_a_backup_goes_on_while_another_writes(filled: Home, tmp_path: Path) -> None:
    connection = sqlite3.connect(filled.store, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM instance")
    backup = str(tmp_path / "backup")
    assert filled.run("repository", "backup", backup).code == 0
    connection.execute("COMMIT")
    connection.close()
    assert care.inspect(backup).counts["instance"] == 1


def test_a_forced_restore_is_bounded_in_its_patience(
    filled: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = str(tmp_path / "backup")
    filled.run("repository", "backup", backup)
    monkeypatch.setattr(care, "FORCED_PATIENCE_SECONDS", 0.01)
    connection = sqlite3.connect(filled.store, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(WbemError, match="open in another process"):
        care.restore(str(filled.store), backup, force=True)
    with pytest.raises(WbemError, match="too long"):
        care._impatient(sqlite3.SQLITE_BUSY, 1, 1)
    connection.close()
    care.restore(str(filled.store), backup, force=True)


# recover


@pytest.mark.req("C-21", "C-44")
def test_the_recovery_list_keeps_its_order(home: Home) -> None:
    first = home.compile('#pragma namespace("root\\\\default")\n' + CLASS)
    second = home.compile("#pragma autorecover\ninstance of Kept { Id = 1; };")
    assert home.run("repository", "recover", "--list").out.splitlines() == [second]
    assert "not in the recovery list" in home.run("compile", first).err
    assert "recovery list" not in home.run("compile", "/AUTORECOVER", first).err
    assert "recovery list" not in home.run("compile", first).err
    assert home.run("compile", second).code == 0
    assert home.run("repository", "recover", "--list").out.splitlines() == [second, first]


@pytest.mark.req("C-44")
def test_a_store_is_rebuilt_from_the_list(home: Home) -> None:
    home.compile(CLASS, "--autorecover")
    second = home.compile("instance of Kept { Id = 1; };", "--autorecover")
    script = (
        "import openwmi\nwith openwmi.sync.connect(r'root\\default') as wmi:\n    wmi.delete('Kept.Id=1')\n"
    )
    environment = {**os.environ, "OPENWMI_HOME": str(home.store.parent), "PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    assert home.ids() == []
    code, out, err = home.run("repository", "recover")
    assert (code, out) == (0, "")
    assert "2 files compiled" in err
    assert home.ids() == ["1"]
    Path(second).unlink()
    code, _, err = home.run("repository", "recover")
    assert code == 2
    assert "WBEMMOF_E_INVALID_FILE" in err


def test_an_empty_list_is_nothing_to_do(home: Home) -> None:
    assert home.run("repository", "recover") == (0, "", "0 files compiled\n")
    assert not home.store.exists()


def test_a_damaged_list_is_an_empty_one(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "a.db"))
    for text in ("{}", "[1, 2]"):
        store.set(care.RECOVERY, text)
        assert care.recovery_list(store) == []
    store.close()


# mistakes


@pytest.mark.parametrize(
    "arguments",
    [(), ("chek",), ("backup",), ("restore",), ("check", "x"), ("path", "x"), ("salvage", "x"), ("vacuum",)],
)
def test_mistakes(home: Home, arguments: tuple[str, ...]) -> None:
    assert home.run("repository", *arguments).code == 2


# salvage and reset


def populate(home: Home, count: int) -> None:
    """Objects of a class with an index and of one below it, some with embedded objects and qualifiers."""
    home.compile(
        CLASS
        + "class Below : Kept { [indexed] uint32 Group; object Inner; };\n"
        + "".join(
            f'instance of Below {{ Id = {number}; Group = {number % 7}; Text = "{"x" * 400}";'
            " Inner = instance of Kept { Id = 1; }; };\n"
            for number in range(count)
        )
        + '[Locale("x")] instance of Kept { Id = 100000; Text = "plain"; };\n',
        "--autorecover",
    )


@pytest.mark.req("C-45")
def test_what_can_still_be_read_is_salvaged(home: Home) -> None:
    populate(home, 800)
    connection = sqlite3.connect(home.store)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'instance'").fetchone()
    connection.close()
    content = home.store.read_bytes()
    middle = pages // 2 * 4096
    assert root * 4096 < middle
    home.store.write_bytes(content[:middle] + b"\xff" * (3 * 4096) + content[middle + 3 * 4096 :])
    before = len(home.ids())
    assert home.run("repository", "check").code == 1
    code, out, err = home.run("repository", "salvage")
    assert (code, out) == (0, ""), err
    assert "2 classes" in err
    assert "repository.db.damaged1" in err
    assert home.run("repository", "check").code == 0
    ids = home.ids()
    assert 700 <= len(ids) <= 801
    assert len(ids) >= before
    found = home.run("query", "SELECT Id FROM Below WHERE Group = 3", "-n", "root/default").out.split()
    assert len(found) >= 90, "the index is made anew"
    assert all(int(one) % 7 == 3 for one in found)
    assert "Locale" in home.run("mof", "Kept.Id=100000", "-n", "root/default").out
    assert len(home.run("repository", "recover", "--list").out.splitlines()) == 1
    assert (home.store.parent / "repository.db.damaged1").read_bytes()[middle : middle + 4] == b"\xff" * 4


@pytest.mark.req("C-45")
def test_a_whole_store_loses_nothing_by_being_salvaged(home: Home) -> None:
    populate(home, 20)
    assert home.run("create", "__Namespace", "Name=Own", "-n", "root/default").code == 0
    before = home.run("query", "SELECT * FROM Kept", "-n", "root/default", "-o", "mof").out
    code, _, err = home.run("repository", "salvage")
    assert code == 0
    assert "2 classes and 21 instances" in err
    assert "could not" not in err
    assert home.run("query", "SELECT * FROM Kept", "-n", "root/default", "-o", "mof").out == before
    assert home.run("ls", "-n", "root/default/Own").code == 0


@pytest.mark.req("C-45")
def test_nothing_can_be_salvaged_of_what_is_no_database(home: Home) -> None:
    home.compile(CLASS)
    home.damage(b"not a database at all, but long enough to look at" * 100)
    code, _, err = home.run("repository", "salvage")
    assert code == 1
    assert "WBEM_E_CRITICAL_ERROR" in err
    assert home.run("repository", "reset").code == 0
    assert home.run("repository", "check").code == 0


@pytest.mark.req("C-45")
def test_a_reset_store_is_as_new(home: Home) -> None:
    populate(home, 3)
    assert home.run("repository", "reset").code == 0
    assert home.run("get", "Kept", "-n", "root/default").code == 1
    assert home.run("repository", "recover", "--list").out == ""
    populate(home, 2)
    assert len(home.ids()) == 3


@pytest.mark.req("C-45")
@pytest.mark.parametrize("action", ["salvage", "reset"])
def test_a_store_in_use_is_left_alone_unless_forced(home: Home, action: str) -> None:
    populate(home, 3)
    other = Store(str(home.store))
    try:
        other.rows("SELECT 1 FROM instance")
        code, _, err = home.run("repository", action)
        assert code == 1
        assert "WBEM_E_BACKUP_RESTORE_WINMGMT_RUNNING" in err
        assert len(home.ids()) == 4
        assert home.run("repository", action, "--force").code == 0
        assert len(other.rows("SELECT 1 FROM instance")) == (4 if action == "salvage" else 0)
    finally:
        other.close()


def test_where_nothing_is_nothing_is_salvaged(home: Home) -> None:
    code, _, err = home.run("repository", "salvage")
    assert code == 1
    assert "there is no repository" in err
    assert not home.store.exists()
