"""`openwmi user`: accounts from the command line, with passwords that never stand in it."""

from __future__ import annotations

import dataclasses
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import ROOT, Ended, Main

from openwmi.accounts import Account, Accounts
from openwmi.wire.ntlm.keys import nt_hash


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENWMI_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def stored(folder: Path) -> dict[str, Account]:
    return {one.name: one for one in Accounts(str(folder)).accounts}


def secret(tmp_path: Path, text: str, mode: int = 0o600) -> str:
    path = tmp_path / f"password{len(os.listdir(tmp_path))}"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_an_account_is_added_listed_changed_and_removed(main: Main, tmp_path: Path, folder: Path) -> None:
    assert main("user", "add", "alice", "--password-file", secret(tmp_path, "first\n")).code == 0
    assert (
        main(
            "user", "add", "boss", "--admin", "--as", "nobody", "--password-file", secret(tmp_path, "b")
        ).code
        == 0
    )
    found = stored(folder)
    assert found["alice"].hashed == nt_hash("first")
    assert (found["alice"].admin, found["alice"].runs_as) == (False, None)
    assert (found["boss"].admin, found["boss"].runs_as) == (True, "nobody")
    listed = main("user", "ls", "-o", "tsv").out.splitlines()
    assert [line.split("\t")[:4] for line in listed] == [
        ["alice", "FALSE", "\\N", "TRUE"],
        ["boss", "TRUE", "nobody", "TRUE"],
    ]
    assert main("user", "passwd", "ALICE", "--password-file", secret(tmp_path, "second\r\nmore")).code == 0
    assert stored(folder)["alice"].hashed == nt_hash("second")
    assert main("user", "rm", "alice").code == 0
    assert set(stored(folder)) == {"boss"}


def test_an_account_is_changed_and_keeps_its_sid(main: Main, tmp_path: Path, folder: Path) -> None:
    main("user", "add", "alice", "--password-file", secret(tmp_path, "x"))
    before = stored(folder)["alice"]
    assert main("user", "change", "Alice", "--admin", "--as", "nobody", "--principal", "a@X").code == 0
    after = stored(folder)["alice"]
    assert (after.admin, after.runs_as, after.principals) == (True, "nobody", ("a@X",))
    assert (after.sid, after.hashed, after.name) == (before.sid, before.hashed, "alice")
    assert main("user", "change", "alice", "--no-admin").code == 0
    assert stored(folder)["alice"].runs_as == "nobody"
    assert main("user", "change", "alice", "--no-as").code == 0
    assert stored(folder)["alice"] == dataclasses.replace(before, principals=("a@X",))
    for words in (
        (),
        ("--admin", "--no-admin"),
        ("--as", "nobody", "--no-as"),
        ("--as", "no-such-user-here"),
    ):
        assert main("user", "change", "alice", *words).code == 2


def test_a_password_comes_through_a_descriptor(main: Main, folder: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, "pässword\n".encode())
    os.close(writing)
    try:
        assert main("user", "add", "alice", "--password-fd", str(reading)).code == 0
    finally:
        os.close(reading)
    assert stored(folder)["alice"].hashed == nt_hash("pässword")


def test_a_password_that_others_can_read_is_told(main: Main, tmp_path: Path) -> None:
    ended = main("user", "add", "alice", "--password-file", secret(tmp_path, "x", 0o644))
    assert ended.code == 0
    assert "warning: others can read" in ended.err
    assert "warning" not in main("user", "add", "bob", "--password-file", secret(tmp_path, "x")).err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "alice"), "no password"),
        (("add", "alice", "secret-word"), "secret-word"),
        (("add", "alice", "--password", "secret"), "--password"),
        (("add", "alice", "--password-fd", "1"), "--password-fd"),
        (("add", "alice", "--password-fd", "1000000"), "descriptor 1000000"),
        (("add", "alice", "--password-file", "/no/such/file"), "No such file"),
        (("add", "alice", "--password-fd", "0", "--password-file", "x"), "one of"),
        (("add", "alice", "--as", "no-such-user-here"), "no Unix user"),
        (("add",), "needs a NAME"),
        (("ls", "alice"), "takes no name"),
        (("remove", "alice"), "there is no user remove"),
    ],
)
def test_what_cannot_be_done_is_misuse(main: Main, folder: Path, words: tuple[str, ...], said: str) -> None:
    ended = main("user", *words)
    assert ended.code == 2
    assert said in ended.err
    assert stored(folder) == {}


@pytest.mark.parametrize("text", ["", "\n", "x" * 257])
def test_passwords_that_no_account_can_have(main: Main, tmp_path: Path, folder: Path, text: str) -> None:
    ended = main("user", "add", "alice", "--password-file", secret(tmp_path, text))
    assert ended.code == 2
    assert "1 to 256 characters" in ended.err
    assert stored(folder) == {}


def test_failures_have_the_codes_of_their_kind(main: Main, tmp_path: Path) -> None:
    password = secret(tmp_path, "x")
    assert main("user", "add", "alice", "--password-file", password).code == 0
    again = main("user", "add", "Alice", "--password-file", password)
    assert (again.code, "WBEM_E_ALREADY_EXISTS" in again.err) == (1, True)
    gone = main("user", "rm", "bob")
    assert (gone.code, "openwmi user ls" in gone.err) == (1, True)


def test_an_account_for_kerberos_alone_needs_no_password(main: Main, folder: Path) -> None:
    assert main("user", "add", "alice", "--principal", "alice@EXAMPLE.ORG").code == 0
    assert stored(folder)["alice"].principals == ("alice@EXAMPLE.ORG",)
    assert stored(folder)["alice"].hashed is None


def test_acting_as_root_is_warned_of(main: Main, tmp_path: Path) -> None:
    ended = main("user", "add", "r", "--as", "root", "--password-file", secret(tmp_path, "x"))
    assert "can do everything on this machine" in ended.err


def typing(*lines: str) -> Callable[..., Ended]:
    """Run the program at a terminal where somebody types these lines, one at each question."""

    def run(*words: str) -> Ended:
        main, side = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "openwmi", *words],
            stdin=side,
            stdout=side,
            stderr=side,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "TERM": "xterm"},
            start_new_session=True,
        )
        os.close(side)
        shown, left = "", list(lines)
        while True:
            try:
                piece = os.read(main, 4096).decode()
            except OSError:
                break
            if not piece:
                break
            shown += piece
            if left and piece.rstrip(" ").endswith(":"):
                os.write(main, left.pop(0).encode() + b"\n")
        os.close(main)
        return Ended(process.wait(20), shown, "")

    return run


@pytest.mark.slow
def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(folder: Path) -> None:
    ended = typing("hush-hush", "hush-hush")("user", "add", "alice")
    assert ended.code == 0
    assert "hush" not in ended.out
    assert stored(folder)["alice"].hashed == nt_hash("hush-hush")
    ended = typing("one", "other")("user", "passwd", "alice")
    assert ended.code == 2
    assert "differ" in ended.out
    assert stored(folder)["alice"].hashed == nt_hash("hush-hush")
