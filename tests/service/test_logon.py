"""Log-on over the network: rights from the namespace's descriptor, levels, locales (calls.md A.2, A.4, A.5)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.service.conftest import Running

from openwmi.contract import flags as f
from openwmi.contract import operations as ops
from openwmi.contract.logon import Identity
from openwmi.model import sddl
from openwmi.model.errors import WbemError
from openwmi.model.status import (
    WBEM_E_ACCESS_DENIED,
    WBEM_E_INVALID_NAMESPACE,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_QUOTA_VIOLATION,
)
from openwmi.service.connection import Connection

EVERYBODY = ("S-1-1-0", "S-1-5-2", "S-1-5-11", "S-1-5-32-545", "S-1-5-32-580")
ALICE = Identity("S-1-5-21-1-2-3-1001", "alice", EVERYBODY)
BOB = Identity("S-1-5-21-1-2-3-1002", "bob", EVERYBODY)
ADMIN = Identity("S-1-5-21-1-2-3-1003", "admin", (*EVERYBODY, "S-1-5-32-544"))
STRANGER = Identity("S-1-5-21-9-9-9-1001", "stranger", ("S-1-1-0", "S-1-5-2", "S-1-5-11"))


@pytest.fixture
def fresh(running: Running, fresh_name: Any) -> str:
    """A namespace of its own, below root."""
    name = fresh_name()
    path = f"root\\{name}"
    running.host.namespaces.create(path)
    return path


def log_on(running: Running, identity: Identity, namespace: str = "root\\cimv2", **how: Any) -> Connection:
    how = {"address": "192.0.2.7", "auth_level": 6, **how}
    return running.host.portal.submit(running.host.log_on, identity, namespace, **how).result(10)


def refused(running: Running, identity: Identity, namespace: str = "root\\cimv2", **how: Any) -> int:
    with pytest.raises(WbemError) as failure:
        log_on(running, identity, namespace, **how)
    return failure.value.code


def secure(running: Running, path: str, text: str) -> None:
    space = running.host.namespaces.named(path)
    running.host.namespaces.access.store(space, sddl.parse(text))


@pytest.mark.req("calls:A13", "calls:I8", "calls:I7", "A-322")
def test_an_account_has_what_the_default_gives_and_an_administrator_everything(running: Running) -> None:
    assert log_on(running, ALICE).caller.granted == 0x33
    assert log_on(running, ADMIN).caller.granted == f.ALL_NAMESPACE_RIGHTS
    caller = log_on(running, ALICE, locale="MS_407").caller
    assert (caller.sid, caller.name, caller.address, caller.remote) == (ALICE.sid, "alice", "192.0.2.7", True)
    assert (caller.auth_level, caller.locale, caller.runs_as) == (6, "MS_407", None)


@pytest.mark.req("A-320")
def test_the_bits_of_the_rights_are_those_of_windows(running: Running, fresh: str) -> None:
    """As bytes and texts made elsewhere have them."""
    named = {
        "enable": 0x1,
        "execute-methods": 0x2,
        "full-write": 0x4,
        "partial-write": 0x8,
        "provider-write": 0x10,
        "remote-enable": 0x20,
        "subscribe": 0x40,
        "publish": 0x80,
        "read-security": 0x20000,
        "edit-security": 0x40000,
    }
    assert {name: bit for bit, name in f.RIGHT_NAMES.items()} == named
    secure(running, fresh, f"O:BAG:BAD:(D;;0x6003F;;;WD)(A;;0x6003F;;;{BOB.sid})")
    for letters, mask in (("CCWP", 0x21), ("CCDCLCSWRPWP", 0x3F), ("CCWPRC", 0x20021), ("CCWPWD", 0x40021)):
        secure(running, fresh, f"O:BAG:BAD:(A;;{letters};;;{BOB.sid})(D;;0x6003F;;;WD)")
        assert log_on(running, BOB, fresh).caller.granted == mask


@pytest.mark.req("calls:A36", "calls:I7")
def test_without_remote_enable_nobody_enters(running: Running, fresh: str) -> None:
    """Authenticated Users alone have no Remote Enable; a namespace may have no entry at all."""
    assert refused(running, STRANGER) == WBEM_E_ACCESS_DENIED
    secure(running, fresh, f"O:BAG:BAD:(D;;0x20;;;{ALICE.sid})")
    assert refused(running, ALICE, fresh) == WBEM_E_ACCESS_DENIED
    secure(running, fresh, f"O:BAG:BAD:(D;;0x1;;;{ALICE.sid})")
    assert refused(running, ALICE, fresh) == WBEM_E_ACCESS_DENIED
    assert log_on(running, BOB, fresh).caller.granted == 0x33


@pytest.mark.req("calls:I4")
def test_an_administrator_cannot_be_locked_out(running: Running, fresh: str) -> None:
    secure(running, fresh, "O:BAG:BAD:(D;;0x6003F;;;WD)")
    assert refused(running, ALICE, fresh) == WBEM_E_ACCESS_DENIED
    assert log_on(running, ADMIN, fresh).caller.granted == f.ALL_NAMESPACE_RIGHTS


@pytest.mark.req("calls:A36", "calls:A29")
def test_namespaces_that_are_not_there_or_cannot_be(running: Running) -> None:
    assert refused(running, ALICE, "root\\none") == WBEM_E_INVALID_NAMESPACE
    assert refused(running, ALICE, "root\\" + "x" * 8200) == WBEM_E_QUOTA_VIOLATION


@pytest.mark.req("calls:A11")
@pytest.mark.parametrize("level", [1, 4])
def test_connections_that_are_too_weak_are_refused(running: Running, level: int) -> None:
    assert refused(running, ADMIN, auth_level=level) == WBEM_E_ACCESS_DENIED


@pytest.mark.req("calls:A10", "calls:B16")
def test_nothing_is_done_for_who_may_only_be_identified(running: Running) -> None:
    """A level that does not travel: over the network a server acts for whoever has logged on (wire.md 4.4)."""
    shy = running.host.caller._replace(impersonation=2)
    services = running.host.portal.submit(running.host.services, "root\\cimv2", shy).result(10)
    assert running.status(ops.GetObject(None), services=services) == WBEM_E_ACCESS_DENIED


def test_integrity_is_enough(running: Running) -> None:
    services = log_on(running, ALICE, auth_level=5)
    assert services.least_level == 5
    assert running.status(ops.GetObject(None), services=services) == 0


@pytest.mark.req("calls:A37", "calls:A26")
def test_locales(running: Running) -> None:
    assert log_on(running, ALICE, locale="MS_409, en-US,fr").caller.locale == "MS_409,en-US,fr"
    for malformed in ("MS_", "MS_XYZ", "409", "en_US", "MS_409,,MS_407", "x" * 2000, "en-US\n"):
        assert refused(running, ALICE, locale=malformed) == WBEM_E_INVALID_PARAMETER


@pytest.mark.req("calls:A12", "calls:I24")
def test_a_namespace_may_require_encryption(running: Running, fresh: str) -> None:
    """Of remote callers each call's own level counts, which the server knows; they log on at the level it hints at."""
    before = log_on(running, ADMIN, fresh, auth_level=5)
    access = running.host.namespaces.access
    access.require_encryption(running.host.namespaces.named(fresh), True)
    assert log_on(running, ADMIN, fresh, auth_level=5).least_level == before.least_level == 6
    sealed = running.connect(fresh)
    weak = running.connect(fresh, caller=running.host.caller._replace(auth_level=5))
    assert running.status(ops.GetObject(None), services=sealed) == 0
    assert running.status(ops.GetObject(None), services=weak) == WBEM_E_ACCESS_DENIED
    access.require_encryption(running.host.namespaces.named(fresh), False)
    assert running.status(ops.GetObject(None), services=weak) == 0
    assert before.least_level == 5


@pytest.mark.req("calls:A13")
def test_rights_are_those_of_the_log_on(running: Running, fresh: str) -> None:
    """A new descriptor concerns new connections only."""
    old = log_on(running, ALICE, fresh)
    secure(running, fresh, f"O:BAG:BAD:(D;;0x2;;;{ALICE.sid})")
    new = log_on(running, ALICE, fresh)
    assert old.caller.holds(f.WBEM_METHOD_EXECUTE)
    assert not new.caller.holds(f.WBEM_METHOD_EXECUTE)
    assert running.status(ops.ExecMethod("__Namespace", "None"), services=new) == WBEM_E_ACCESS_DENIED


@pytest.mark.req("calls:A42", "calls:A38")
def test_opening_a_namespace_below_computes_the_rights_anew(running: Running, fresh: str) -> None:
    running.host.namespaces.create(f"{fresh}\\open")
    running.host.namespaces.create(f"{fresh}\\closed")
    secure(running, f"{fresh}\\open", f"O:BAG:BAD:(A;;0x2003F;;;{ALICE.sid})")
    secure(running, f"{fresh}\\closed", f"O:BAG:BAD:(D;;0x20;;;{ALICE.sid})")
    above = log_on(running, ALICE, fresh)
    assert above.caller.granted == 0x33
    opened = running.host.portal.submit(above.open, "open").result(10)
    assert opened.caller.granted == 0x2003F
    with pytest.raises(WbemError) as failure:
        running.host.portal.submit(above.open, "closed").result(10)
    assert failure.value.code == WBEM_E_ACCESS_DENIED


@pytest.mark.req("calls:I11", "calls:I13")
def test_rights_come_from_above_as_they_are_there_now(running: Running, fresh: str) -> None:
    child, grandchild = f"{fresh}\\child", f"{fresh}\\child\\grandchild"
    running.host.namespaces.create(grandchild)
    secure(running, fresh, f"O:BAG:BAD:(A;CI;0x3F;;;{STRANGER.sid})")
    assert log_on(running, STRANGER, grandchild).caller.granted == 0x3F
    secure(running, fresh, f"O:BAG:BAD:(A;CINP;0x3F;;;{STRANGER.sid})")
    assert log_on(running, STRANGER, child).caller.granted == 0x3F
    assert refused(running, STRANGER, grandchild) == WBEM_E_ACCESS_DENIED
    secure(running, fresh, f"O:BAG:BAD:(A;;0x3F;;;{STRANGER.sid})")
    assert refused(running, STRANGER, child) == WBEM_E_ACCESS_DENIED
    secure(running, fresh, f"O:BAG:BAD:(A;CIIO;0x3F;;;{STRANGER.sid})")
    assert log_on(running, STRANGER, child).caller.granted == 0x3F
    assert refused(running, STRANGER, fresh) == WBEM_E_ACCESS_DENIED


@pytest.mark.req("calls:I11", "calls:I12")
def test_what_is_protected_above_is_not_handed_down(running: Running, fresh: str) -> None:
    """The mark stands on the parent's list (I11); on the child's own it changes nothing (I12)."""
    child = f"{fresh}\\child"
    running.host.namespaces.create(child)
    secure(running, child, "O:BAG:BAD:P")
    assert log_on(running, ALICE, child).caller.granted == 0x33
    secure(running, fresh, f"O:BAG:BAD:P(A;CI;0x3F;;;{ALICE.sid})")
    assert refused(running, ALICE, child) == WBEM_E_ACCESS_DENIED
    assert log_on(running, ALICE, fresh).caller.granted == 0x3F


def test_the_owner_needs_no_descriptor(running: Running, fresh: str) -> None:
    secure(running, fresh, "O:BAG:BAD:(D;;0x6003F;;;WD)")
    services = running.connect(fresh)
    assert services.caller.granted == f.ALL_NAMESPACE_RIGHTS
    assert running.status(ops.GetObject(None), services=services) == 0


def test_an_account_is_also_the_unix_user_that_it_acts_as(running: Running) -> None:
    import pwd

    nobody = pwd.getpwnam("nobody")
    caller = log_on(running, ALICE._replace(runs_as="nobody")).caller
    assert caller.runs_as is not None
    assert (caller.runs_as.name, caller.runs_as.uid, caller.runs_as.gid) == (
        "nobody",
        nobody.pw_uid,
        nobody.pw_gid,
    )
    assert f"S-1-22-1-{nobody.pw_uid}" in caller.groups
    assert f"S-1-22-2-{nobody.pw_gid}" in caller.groups
    assert log_on(running, ALICE._replace(runs_as="no-such-user-here")).caller.runs_as is None
