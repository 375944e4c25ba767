"""Who a stored creator stands for, and as whom an account calls."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from openwmi import host
from openwmi.accounts import Accounts
from openwmi.accounts.callers import creator, remote_caller, sid_of
from openwmi.accounts.unixusers import unix_user
from openwmi.contract.caller import Caller
from openwmi.contract.flags import ALL_NAMESPACE_RIGHTS
from openwmi.contract.logon import Identity
from openwmi.model import sids
from openwmi.model.sids import Sid

OWNER = Caller(f"S-1-22-1-{os.getuid()}", "owner")


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    return Accounts(str(tmp_path))


@pytest.mark.req("B-43")
def test_the_owner_and_the_system_are_the_owner(accounts: Accounts) -> None:
    assert creator(Sid.parse(OWNER.sid), OWNER, accounts) is OWNER
    assert creator(sids.LOCAL_SYSTEM, OWNER, accounts) is OWNER


@pytest.mark.req("B-43")
def test_an_account_is_what_it_is_now_and_nobody_once_it_is_gone(accounts: Accounts) -> None:
    account = accounts.add("alice", None, runs_as="nobody", principals=("alice@X",))
    found = creator(account.sid, OWNER, accounts)
    assert found is not None
    assert (found.name, found.remote, found.granted) == ("alice", True, 0)
    assert found.runs_as is not None
    assert found.runs_as.name == "nobody"
    assert "S-1-5-32-544" not in found.groups
    accounts.remove("alice")
    assert creator(account.sid, OWNER, accounts) is None


@pytest.mark.req("B-43")
def test_administrators_have_every_right_and_act_as_nobody(accounts: Accounts) -> None:
    found = creator(sids.ADMINISTRATORS, OWNER, accounts)
    assert found is not None
    assert (found.granted, found.remote, found.runs_as) == (ALL_NAMESPACE_RIGHTS, True, None)
    assert "S-1-5-32-544" in found.groups


def test_another_owner_of_the_store_acts_as_its_own_user(accounts: Accounts) -> None:
    """A store that the service of root shares with a program of nobody's must not make nobody's deeds root's."""
    nobody = pwd.getpwnam("nobody")
    found = creator(Sid(22, (1, nobody.pw_uid)), OWNER, accounts)
    assert found is not None
    assert (found.remote, found.granted) == (True, ALL_NAMESPACE_RIGHTS)
    assert found.runs_as == unix_user("nobody")
    assert creator(Sid(22, (1, 2**32 - 2)), OWNER, accounts) is None
    assert creator(Sid(22, (2, nobody.pw_gid)), OWNER, accounts) is None


@pytest.mark.parametrize(
    "sid", [sids.EVERYONE, sids.AUTHENTICATED_USERS, sids.NETWORK_SERVICE, Sid(5, (21, 1, 2, 3, 1))]
)
def test_groups_and_strangers_create_nothing(accounts: Accounts, sid: Sid) -> None:
    assert creator(sid, OWNER, accounts) is None


def test_sids_come_in_any_form() -> None:
    assert (
        sid_of("S-1-5-18")
        == sid_of(sids.LOCAL_SYSTEM.encode())
        == sid_of(sids.LOCAL_SYSTEM)
        == sids.LOCAL_SYSTEM
    )
    assert sid_of("hello") is None
    assert sid_of(b"") is None


def test_unix_users() -> None:
    nobody = pwd.getpwnam("nobody")
    found = unix_user("nobody")
    assert found is not None
    assert (found.uid, found.gid) == (nobody.pw_uid, nobody.pw_gid)
    assert found.groups == tuple(os.getgrouplist("nobody", nobody.pw_gid))
    assert unix_user(str(nobody.pw_uid)) == found
    for name in ("no-such-user-here", "", "99999999999999999999", "a\0b", "-1"):
        assert unix_user(name) is None


def test_a_caller_without_a_unix_user_is_none() -> None:
    caller = remote_caller(Identity("S-1-5-21-1-2-3-1001", "alice", ("S-1-1-0",)))
    assert (caller.groups, caller.runs_as, caller.granted, caller.remote) == (("S-1-1-0",), None, 0, True)


def test_the_host_asks_the_accounts_of_its_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENWMI_HOME", str(tmp_path))
    account = Accounts(str(tmp_path)).add("alice", bytes(16))
    running = host.local(host.MEMORY)
    try:
        found = running.creator(account.sid.encode())
        assert found is not None
        assert found.name == "alice"
        assert running.service.find_creator(account.sid.encode()) == found
        assert running.granted(found, "root\\cimv2") == 0x33
        assert running.granted(running.caller, "root") == ALL_NAMESPACE_RIGHTS
        assert running.creator(running.caller.sid) == running.caller
        assert running.creator(b"\1\2\3") is None
    finally:
        host.end(running)
