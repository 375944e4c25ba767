"""`openwmi sec`: rights in plain words and as SDDL, as the next log-on finds them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Main

from openwmi import host
from openwmi.accounts import Accounts
from openwmi.accounts.accounts import identity_of
from openwmi.accounts.callers import remote_caller
from openwmi.contract import flags as f

ALL = [*list(f.RIGHT_NAMES.values())[:6], "read-security", "edit-security"]
DEFAULT = ["enable", "execute-methods", "provider-write", "remote-enable"]


@pytest.fixture(autouse=True)
def alice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("OPENWMI_HOME", str(tmp_path / "state"))
    accounts = Accounts(str(tmp_path / "state"))
    accounts.add("boss", bytes(16), admin=True)
    yield str(accounts.add("alice", bytes(16)).sid)
    host.end(host.local())


def rights(main: Main, namespace: str, who: str = "alice") -> list[str]:
    return main("sec", "show", namespace, who, "-q").out.split()


def granted(namespace: str) -> int:
    """What a log-on computes."""
    account = Accounts(os.environ["OPENWMI_HOME"]).named("alice")
    return host.local().granted(remote_caller(identity_of(account)), namespace)


def test_an_account_begins_with_the_default_and_an_administrator_with_everything(main: Main) -> None:
    assert rights(main, "root/cimv2") == DEFAULT
    assert rights(main, "root", "boss") == ALL
    assert rights(main, "root", "Administrators") == ALL
    assert rights(main, "root", "Everyone") == []
    assert rights(main, "root", "AU") == ["enable", "execute-methods", "provider-write"]


def test_rights_are_given_and_taken_here_and_below(main: Main) -> None:
    assert main("sec", "grant", "root", "alice", "full-write").code == 0
    assert granted("root\\cimv2") == granted("root") == 0x3F
    assert main("sec", "revoke", "root\\cimv2", "alice", "full-write", "execute-methods").code == 0
    assert granted("root\\cimv2") == 0x39
    assert granted("root") == 0x3F
    assert main("sec", "revoke", "root", "alice", "remote-enable").code == 0
    assert granted("root\\default") == 0x1F
    ended = main("sec", "revoke", "root", "alice", "all")
    assert "alice in root now: nothing" in ended.err
    assert granted("root\\default") == 0
    assert main("sec", "grant", "root", "alice", "all").code == 0
    assert granted("root\\default") == f.ALL_NAMESPACE_RIGHTS


def test_here_alone_is_not_below(main: Main) -> None:
    assert main("sec", "grant", "root", "alice", "read-security", "--here").code == 0
    assert "read-security" in rights(main, "root")
    assert "read-security" not in rights(main, "root/cimv2")


def test_what_stays_below_is_told(main: Main) -> None:
    main("sec", "grant", "root/cimv2", "alice", "partial-write")
    ended = main("sec", "revoke", "root", "alice", "partial-write")
    assert r"root\cimv2 itself still gives: partial-write" in ended.err


def test_half_of_full_write_takes_the_rest_of_it(main: Main) -> None:
    """The three go together in one entry (calls.md I18)."""
    main("sec", "grant", "root", "alice", "full-write")
    assert main("sec", "revoke", "root", "alice", "partial-write").code == 0
    assert rights(main, "root") == DEFAULT


def test_whoever_has_rights_is_listed(main: Main, alice: str) -> None:
    main("sec", "grant", "root/cimv2", "unix:nobody", "enable")
    main("sec", "grant", "root/cimv2", "S-1-5-21-9-9-9-9", "enable", "--here")
    main("sec", "revoke", "root/cimv2", "alice", "enable")
    listed = main("sec", "show", "root/cimv2", "-o", "tsv")
    rows = [line.split("\t") for line in listed.out.splitlines()]
    assert rows[:3] == [
        ["alice", "not", "enable", "this namespace and below", "here"],
        ["unix:nobody", "yes", "enable", "this namespace and below", "here"],
        ["S-1-5-21-9-9-9-9", "yes", "enable", "this namespace", "here"],
    ]
    assert rows[3] == ["Administrators", "yes", ", ".join(ALL), "this namespace and below", "above"]
    assert "packet privacy is not required" in listed.err


def test_sddl_goes_out_and_in(main: Main, alice: str) -> None:
    text = f"O:BAG:BAD:(D;;CC;;;{alice})(A;CI;CCDCWP;;;AU)"
    assert main("sec", "set", "root/cimv2", text).code == 0
    assert main("sec", "show", "root/cimv2", "--sddl").out == text + "\n"
    assert rights(main, "root/cimv2") == ["execute-methods", "provider-write", "remote-enable"]
    assert main("sec", "set", "root/cimv2", "D:").code == 0
    assert main("sec", "show", "root/cimv2", "--sddl").out == "O:BAG:BAD:\n"


def test_encryption_is_required_and_not_required(main: Main) -> None:
    assert main("sec", "encrypt", "root/cimv2").code == 0
    assert host.local().namespaces.access.least_level("root\\cimv2") == 6
    assert "packet privacy is required" in main("sec", "show", "root/cimv2").err
    assert main("sec", "encrypt", "root/cimv2", "--off").code == 0
    assert host.local().namespaces.access.least_level("root\\cimv2") == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("shwo", "root"), "did you mean show"),
        (("grant", "root", "mallory", "enable"), "no account mallory"),
        (("grant", "root", "alice"), "at least one right"),
        (("grant", "root", "alice", "enabel"), "did you mean enable"),
        (("grant", "root", "unix:no-such-user-here", "enable"), "no Unix user"),
        (("grant", "root", "unix-group:no-such-group-here", "enable"), "no Unix group"),
        (("show", "root", "alice", "boss"), "one name"),
        (("show", "root", "alice", "--sddl"), "nothing else"),
        (("set", "root"), "as one word"),
        (("set", "root", "hello"), "begins with"),
        (("encrypt", "root", "alice"), "nothing else"),
    ],
)
def test_what_cannot_be_done_is_misuse(main: Main, words: tuple[str, ...], said: str) -> None:
    before = main("sec", "show", "root", "--sddl").out
    ended = main("sec", *words)
    assert (ended.code, said in ended.err) == (2, True), ended.err
    assert main("sec", "show", "root", "--sddl").out == before


def test_what_the_service_refuses_is_refused(main: Main) -> None:
    assert "WBEM_E_INVALID_NAMESPACE" in main("sec", "show", "root/none").err
    ended = main("sec", "set", "root", "D:(A;;0x40;;;WD)")
    assert (ended.code, "no right of namespaces" in ended.err) == (1, True)
