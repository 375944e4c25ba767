"""The store of accounts: what is kept, who may read it, several processes at once, and how guessing is slowed."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from openwmi.accounts import Accounts
from openwmi.accounts.throttle import ENTRIES, FREE_PAIR, LONGEST_SECONDS, Throttle
from openwmi.model.errors import WbemError
from openwmi.model.status import (
    WBEM_E_ALREADY_EXISTS,
    WBEM_E_FAILED,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_NOT_FOUND,
)

ALICE = bytes(range(16))
BOB = bytes(range(16, 32))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(tmp_path: Path, clock: Clock) -> Accounts:
    return Accounts(str(tmp_path / "home"), names=("MYHOST", "myhost.example.org"), clock=clock)


def test_a_store_that_is_not_there_holds_nobody(accounts: Accounts) -> None:
    assert accounts.accounts == ()
    assert accounts.find("", "alice") is None
    assert not os.path.exists(accounts.path)


def test_the_file_is_for_its_owner_alone_and_holds_no_password(accounts: Accounts) -> None:
    old = os.umask(0)
    try:
        accounts.add("alice", ALICE)
    finally:
        os.umask(old)
    mode = stat.S_IMODE(os.stat(accounts.path).st_mode)
    assert mode == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(accounts.path)).st_mode) == 0o700
    stored = json.loads(Path(accounts.path).read_text())
    assert set(stored["accounts"][0]) == {"name", "sid", "nt_hash", "admin", "as", "principals"}
    assert ALICE.hex() not in repr(accounts.accounts)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_can_read_is_not_used(
    accounts: Accounts, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    accounts.add("alice", ALICE)
    os.chmod(accounts.path, mode)
    with pytest.raises(WbemError, match="can be read by others") as failure:
        accounts.accounts  # noqa: B018 - reading is the test
    assert failure.value.code == WBEM_E_FAILED
    assert "chmod 600" in str(failure.value.hint)
    accounts.reload()
    assert accounts.find("", "alice") is None
    assert [one.levelno for one in caplog.records] == [logging.ERROR]  # once, not at every attempt
    os.chmod(accounts.path, 0o600)
    accounts.reload()
    assert accounts.find("", "alice") is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"version": 2}',
        '{"version": 1, "machine": "S-1-5-21-1", "next": 1, "accounts": [{}]}',
    ],
)
def test_a_damaged_file_lets_nobody_in_and_is_not_written_over(accounts: Accounts, text: str) -> None:
    accounts.add("alice", ALICE)
    with open(accounts.path, "w") as file:
        file.write(text)
    accounts.reload()
    assert accounts.find("", "alice") is None
    with pytest.raises(WbemError, match="damaged"):
        accounts.add("bob", BOB)
    assert Path(accounts.path).read_text() == text


def test_every_account_has_a_sid_that_nobody_else_ever_gets(accounts: Accounts, tmp_path: Path) -> None:
    first = accounts.add("alice", ALICE)
    second = accounts.add("bob", BOB)
    accounts.remove("bob")
    third = accounts.add("bob", BOB)
    assert len({first.sid, second.sid, third.sid}) == 3
    assert first.sid.parts[:4] == third.sid.parts[:4]
    assert first.sid.parts[0] == 21
    assert first.sid.parts[-1] >= 1000
    other = Accounts(str(tmp_path / "other")).add("alice", ALICE)
    assert other.sid != first.sid


def test_names_are_unique_without_regard_to_case_and_passwords_change(accounts: Accounts) -> None:
    made = accounts.add("Alice", ALICE, admin=True, runs_as="nobody", principals=("alice@EXAMPLE.ORG",))
    with pytest.raises(WbemError) as taken:
        accounts.add("aLICE", BOB)
    assert taken.value.code == WBEM_E_ALREADY_EXISTS
    changed = accounts.change("ALICE", hashed=BOB)
    assert changed.sid == made.sid
    assert (changed.hashed, changed.admin, changed.runs_as) == (BOB, True, "nobody")
    accounts.remove("alice")
    with pytest.raises(WbemError) as gone:
        accounts.change("alice", hashed=ALICE)
    assert gone.value.code == WBEM_E_NOT_FOUND


@pytest.mark.parametrize(
    "name", ["", " a", "a ", "a/b", "a\\b\\c", "a:b", "a\nb", "..", "x" * 65, 'a"b', "a@b"[:0]]
)
def test_names_that_no_account_can_have(accounts: Accounts, name: str) -> None:
    with pytest.raises(WbemError) as refused:
        accounts.add(name, ALICE)
    assert refused.value.code == WBEM_E_INVALID_PARAMETER


def test_a_principal_belongs_to_one_account(accounts: Accounts) -> None:
    accounts.add("alice", ALICE, principals=("alice@EXAMPLE.ORG",))
    with pytest.raises(WbemError, match="belongs to account alice"):
        accounts.add("bob", BOB, principals=("alice@EXAMPLE.ORG",))
    found = accounts.of_principal("alice@EXAMPLE.ORG")
    assert found is not None
    assert found.account.name == "alice"
    assert accounts.of_principal("alice@example.org") is None
    assert accounts.of_principal("alice@OTHER.ORG") is None


@pytest.mark.parametrize("domain", ["", ".", "MYHOST", "myhost", "MyHost.Example.Org"])
def test_our_own_names_as_domain_lead_to_our_own_accounts(accounts: Accounts, domain: str) -> None:
    accounts.add("alice", ALICE)
    found = accounts.find(domain, "ALICE")
    assert found is not None
    assert found.account.name == "alice"


def test_a_foreign_domain_leads_to_its_own_accounts_only(accounts: Accounts) -> None:
    accounts.add("alice", ALICE)
    accounts.add("CORP\\alice", BOB)
    assert accounts.find("OTHER", "alice") is None
    found = accounts.find("corp", "Alice")
    assert found is not None
    assert found.account.hashed == BOB
    by_upn = accounts.find("", "alice@corp")
    assert by_upn is not None
    assert by_upn.account.hashed == BOB


@pytest.mark.slow
def test_what_another_process_changes_is_seen_at_the_next_attempt(accounts: Accounts) -> None:
    accounts.add("alice", ALICE)
    assert accounts.attempt("10.0.0.1").lookup("", "alice") is not None
    script = (
        "import sys; from openwmi.accounts import Accounts; a = Accounts(sys.argv[1]);"
        " a.remove('alice'); a.add('bob', bytes(16))"
    )
    folder = os.path.dirname(accounts.path)
    subprocess.run([sys.executable, "-c", script, folder], check=True, timeout=30)
    assert accounts.attempt("10.0.0.1").lookup("", "alice") is None
    assert accounts.attempt("10.0.0.1").lookup("", "bob") is not None


@pytest.mark.slow
def test_several_processes_add_accounts_at_once_and_none_is_lost(accounts: Accounts) -> None:
    script = (
        "import sys; from openwmi.accounts import Accounts; a = Accounts(sys.argv[1]);"
        "[a.add(f'u{sys.argv[2]}x{n}', bytes(16)) for n in range(10)]"
    )
    folder = os.path.dirname(accounts.path)
    running = [subprocess.Popen([sys.executable, "-c", script, folder, str(number)]) for number in range(4)]
    assert [one.wait(60) for one in running] == [0, 0, 0, 0]
    found = accounts.accounts
    assert len(found) == 40
    assert len({one.sid for one in found}) == 40


def test_an_identity_is_valid_as_long_as_its_account_is_the_same(accounts: Accounts) -> None:
    accounts.add("alice", ALICE)
    found = accounts.attempt("::1").lookup("", "alice")
    assert found is not None
    identity, hashed = found
    assert hashed == ALICE
    assert "S-1-5-32-544" not in identity.groups
    assert accounts.valid(identity)
    accounts.change("alice", admin=True)
    assert not accounts.valid(identity)
    accounts.remove("alice")
    accounts.add("alice", ALICE)
    assert not accounts.valid(identity)


def test_an_administrator_is_in_the_group_and_others_are_not(accounts: Accounts) -> None:
    accounts.add("root", ALICE, admin=True)
    accounts.add("alice", ALICE)
    groups = {}
    for name in ("root", "alice"):
        found = accounts.attempt("::1").lookup("", name)
        assert found is not None
        groups[name] = set(found[0].groups)
    assert groups["root"] - groups["alice"] == {"S-1-5-32-544"}
    assert {"S-1-1-0", "S-1-5-11", "S-1-5-32-580"} <= groups["alice"]


# Guessing


def guess(accounts: Accounts, user: str = "alice", address: str = "10.0.0.1") -> float:
    """A wrong password: what the acceptor and the server do then."""
    attempt = accounts.attempt(address)
    attempt.lookup("", user)
    return attempt.failed("unknown user or wrong password")


def test_guessing_is_held_back_for_longer_and_longer(accounts: Accounts, clock: Clock) -> None:
    accounts.add("alice", ALICE)
    waits = []
    for _ in range(FREE_PAIR + 8):
        guess(accounts)
        held = 0.0
        while accounts.attempt("10.0.0.1").lookup("", "alice") is None:
            clock.now += 0.5
            held += 0.5
            assert held <= LONGEST_SECONDS
        waits.append(held)
    assert waits[:FREE_PAIR] == [0.0] * FREE_PAIR
    assert waits[FREE_PAIR:] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_the_right_password_gains_nothing_while_held_back_and_clears_all_afterwards(
    accounts: Accounts, clock: Clock
) -> None:
    accounts.add("alice", ALICE)
    for _ in range(FREE_PAIR + 2):
        guess(accounts)
        clock.now += 1.0
    assert accounts.attempt("10.0.0.1").lookup("", "alice") is None
    clock.now += 10.0
    attempt = accounts.attempt("10.0.0.1")
    assert attempt.lookup("", "alice") is not None
    attempt.passed()
    for _ in range(FREE_PAIR):
        guess(accounts)
    assert accounts.attempt("10.0.0.1").lookup("", "alice") is not None


def test_others_are_not_held_back_by_somebody_elses_guesses(accounts: Accounts) -> None:
    accounts.add("alice", ALICE)
    accounts.add("bob", BOB)
    for _ in range(FREE_PAIR + 4):
        guess(accounts)
    assert accounts.attempt("10.0.0.1").lookup("", "alice") is None
    assert accounts.attempt("10.0.0.2").lookup("", "alice") is not None
    assert accounts.attempt("10.0.0.1").lookup("", "bob") is not None


def test_one_address_that_tries_many_accounts_is_held_back_as_a_whole(accounts: Accounts) -> None:
    accounts.add("alice", ALICE)
    for number in range(30):
        guess(accounts, user=f"user{number}")
    assert accounts.attempt("10.0.0.1").lookup("", "alice") is None
    assert accounts.attempt("10.0.0.2").lookup("", "alice") is not None


def test_addresses_of_one_host_in_ipv6_count_as_one(accounts: Accounts) -> None:
    accounts.add("alice", ALICE)
    for number in range(FREE_PAIR + 1):
        guess(accounts, address=f"2001:db8:0:1::{number + 1:x}")
    assert accounts.attempt("2001:db8:0:1:ffff::1").lookup("", "alice") is None
    assert accounts.attempt("2001:db8:0:2::1").lookup("", "alice") is not None


def test_failures_are_forgotten_after_a_quarter_of_an_hour(accounts: Accounts, clock: Clock) -> None:
    accounts.add("alice", ALICE)
    for _ in range(FREE_PAIR + 3):
        guess(accounts)
    clock.now += 901.0
    guess(accounts)
    assert accounts.attempt("10.0.0.1").lookup("", "alice") is not None


def test_the_answer_to_a_failure_is_delayed_but_not_for_ever(accounts: Accounts, clock: Clock) -> None:
    waits = []
    for _ in range(FREE_PAIR + 10):
        waits.append(guess(accounts, user="nobody"))
        clock.now += LONGEST_SECONDS
    assert min(waits) >= 0.5
    assert waits == sorted(waits)
    assert max(waits) == 5.0


def test_the_table_of_failures_is_bounded() -> None:
    throttle = Throttle()
    for number in range(3 * ENTRIES):
        throttle.failed(
            f"user{number}", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", float(number)
        )
        assert len(throttle) <= ENTRIES


def test_failures_are_logged_without_secrets_and_without_line_breaks(
    accounts: Accounts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "openwmi.logon")
    guess(accounts, user="evil\r\nopenwmi.logon: alice logged on")
    for _ in range(FREE_PAIR + 20):
        guess(accounts)
    attempt = accounts.attempt("10.0.0.9")
    accounts.add("alice", ALICE)
    attempt.lookup("", "alice")
    attempt.passed()
    lines = [one.getMessage() for one in caplog.records]
    assert not any("\n" in line or "\r" in line for line in lines)
    assert len(lines) == 1 + FREE_PAIR + 1 + 1  # what is held back is not logged again and again
    assert ALICE.hex() not in "".join(lines)
    assert caplog.records[0].fields["address"] == "10.0.0.1"  # type: ignore[attr-defined]


def test_kerberos_looks_the_principal_up(accounts: Accounts) -> None:
    accounts.add("alice", None, principals=("alice@EXAMPLE.ORG",))
    attempt = accounts.attempt("10.0.0.1")
    found = attempt.principal("alice@EXAMPLE.ORG")
    assert found is not None
    assert found.name == "alice"
    assert attempt.principal("mallory@EXAMPLE.ORG") is None
    assert attempt.lookup("", "alice") is None  # it has no password


def test_the_keytab_is_the_one_beside_the_accounts(accounts: Accounts) -> None:
    assert accounts.keytab is None
    accounts.add("alice", ALICE)
    keytab = os.path.join(os.path.dirname(accounts.path), "krb5.keytab")
    Path(keytab).write_bytes(b"\5\2")
    assert accounts.keytab == keytab


def test_a_look_up_reads_the_file_once_and_costs_the_same_among_many(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither how many accounts there are nor which of them it is shows in the steps that it takes."""
    for number in range(50):
        accounts.add(f"user{number}", ALICE)
    accounts.find("", "user0")

    def steps(user: str) -> int:
        count = 0

        def trace(frame: object, event: str, argument: object) -> object:
            nonlocal count
            count += 1
            return trace

        before = sys.gettrace()
        sys.settrace(trace)  # type: ignore[arg-type]
        try:
            accounts.attempt("10.0.0.1").lookup("", user)
        finally:
            sys.settrace(before)
        return count

    assert steps("user0") == steps("user49")
    assert abs(steps("user0") - steps("nobody")) <= 3
