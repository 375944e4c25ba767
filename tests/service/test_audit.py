"""Who called what from another machine: one entry for each operation, without what was passed to it (calls.md I25)."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from tests.service.conftest import Collector, Running

from openwmi.contract import operations as ops
from openwmi.contract.logon import Identity
from openwmi.model import sddl
from openwmi.model.errors import WbemError
from openwmi.model.status import (
    WBEM_E_ACCESS_DENIED,
    WBEM_E_CALL_CANCELLED,
    WBEM_E_INVALID_QUERY,
    WBEM_E_NOT_FOUND,
)
from openwmi.service.audit import EVENT_ID, LONGEST, AuditEntry
from openwmi.service.connection import Connection

EVERYBODY = ("S-1-1-0", "S-1-5-2", "S-1-5-11", "S-1-5-32-580")
ALICE = Identity("S-1-5-21-1-2-3-1001", "alice", EVERYBODY)
_numbers = itertools.count(1)


@pytest.fixture
def entries(running: Running) -> Iterator[list[AuditEntry]]:
    found: list[AuditEntry] = []
    before = running.host.service.audit
    running.host.service.audit = found.append
    yield found
    running.host.service.audit = before


@pytest.fixture
def fresh(running: Running) -> str:
    path = f"root\\Audited{next(_numbers)}"
    running.host.namespaces.create(path)
    return path


def status(running: Running, operation: ops.AnyOperation, services: Connection) -> int:
    """The status of an operation, once the loop has told everybody who waits for it."""

    async def nothing() -> None:
        pass

    found = running.status(operation, services=services)
    running.host.portal.submit(nothing).result(10)
    return found


def log_on(running: Running, path: str) -> Connection:
    return running.host.portal.submit(
        running.host.log_on, ALICE, path, address="192.0.2.7", auth_level=6
    ).result(10)


@pytest.mark.req("calls:I25")
def test_every_operation_of_a_remote_caller_is_told_with_its_result(
    running: Running, fresh: str, entries: list[AuditEntry]
) -> None:
    alice = log_on(running, fresh)
    (entered,) = entries
    assert (entered.name, entered.sid, entered.address) == ("alice", ALICE.sid, "192.0.2.7")
    assert (entered.namespace, entered.operation, entered.status) == (fresh, "NTLMLogin", 0)
    entries.clear()
    new = running.host.namespaces.named(fresh).schema.class_named("__NAMESPACE").spawn({"Name": "x"})
    tried: list[tuple[Any, str, str, int]] = [
        (ops.GetObject("__Namespace"), "GetObject", "__Namespace", 0),
        (ops.GetObject("Nothing"), "GetObject", "Nothing", WBEM_E_NOT_FOUND),
        (ops.ExecQuery("SELECT * FROM __Namespace"), "ExecQuery", "SELECT * FROM __Namespace", 0),
        (ops.ExecQuery("SELEC"), "ExecQuery", "SELEC", WBEM_E_INVALID_QUERY),
        (ops.CreateInstanceEnum("__Namespace"), "CreateInstanceEnum", "__Namespace", 0),
        (ops.PutInstance(new), "PutInstance", '__NAMESPACE.Name="x"', WBEM_E_ACCESS_DENIED),
        (
            ops.DeleteInstance('__NAMESPACE.Name="x"'),
            "DeleteInstance",
            '__NAMESPACE.Name="x"',
            WBEM_E_ACCESS_DENIED,
        ),
        (ops.DeleteClass("Nothing"), "DeleteClass", "Nothing", WBEM_E_ACCESS_DENIED),
        (
            ops.ExecMethod("__SystemSecurity", "GetSD"),
            "ExecMethod",
            "__SystemSecurity.GetSD",
            WBEM_E_ACCESS_DENIED,
        ),
    ]
    for operation, name, subject, code in tried:
        assert status(running, operation, services=alice) == code
        (one,) = entries
        assert (one.operation, one.subject, one.status, one.event_id) == (name, subject, code, None)
        entries.clear()


@pytest.mark.req("calls:I25")
def test_what_is_refused_at_once_is_told_too(running: Running, fresh: str, entries: list[AuditEntry]) -> None:
    running.host.namespaces.access.store(
        running.host.namespaces.named(fresh), sddl.parse(f"O:BAG:BAD:(D;;0x2;;;{ALICE.sid})")
    )
    alice = log_on(running, fresh)
    entries.clear()
    with pytest.raises(WbemError):
        running.start(ops.ExecMethod("__SystemSecurity", "GetSD"), Collector(), services=alice)
    assert [(one.operation, one.status) for one in entries] == [("ExecMethod", WBEM_E_ACCESS_DENIED)]
    entries.clear()
    with pytest.raises(WbemError):
        running.host.portal.submit(alice.event_sink).result(10)
    assert [(one.operation, one.status) for one in entries] == [("QueryObjectSink", WBEM_E_ACCESS_DENIED)]
    entries.clear()
    running.host.namespaces.access.store(
        running.host.namespaces.named(fresh), sddl.parse(f"O:BAG:BAD:(D;;0x20;;;{ALICE.sid})")
    )
    with pytest.raises(WbemError):
        log_on(running, fresh)
    assert [(one.operation, one.status) for one in entries] == [("NTLMLogin", WBEM_E_ACCESS_DENIED)]


def test_a_subscription_is_told_when_it_begins_and_when_it_ends(
    running: Running, fresh: str, entries: list[AuditEntry]
) -> None:
    alice = log_on(running, fresh)
    entries.clear()
    sink = Collector()
    query = "SELECT * FROM __NamespaceCreationEvent"
    running.start(ops.ExecNotificationQuery(query), sink, services=alice)
    assert [(one.operation, one.subject, one.status) for one in entries] == [
        ("ExecNotificationQuery", query, 0)
    ]
    running.cancel(sink, services=alice)
    status(running, ops.GetObject(None), running.connect(fresh))
    assert entries[1].status == WBEM_E_CALL_CANCELLED


def test_the_owner_is_not_audited(running: Running, fresh: str, entries: list[AuditEntry]) -> None:
    owner = running.connect(fresh)
    assert status(running, ops.GetObject("__Namespace"), services=owner) == 0
    assert entries == []


@pytest.mark.req("calls:I25")
@pytest.mark.parametrize(
    ("sacl", "reading", "refused"),
    [
        ("(AU;SAFA;CCDCLCSWRP;;;WD)", EVENT_ID, EVENT_ID),
        ("(AU;SA;CC;;;WD)", EVENT_ID, None),
        ("(AU;FA;LCSWRP;;;WD)", None, EVENT_ID),
        ("(AU;SAFA;0x6003F;;;BA)", None, None),
        ("(AU;CIIOSAFA;0x6003F;;;WD)", None, None),
    ],
)
def test_the_sacl_says_what_is_an_event_4662(
    running: Running,
    fresh: str,
    entries: list[AuditEntry],
    sacl: str,
    reading: int | None,
    refused: int | None,
) -> None:
    space = running.host.namespaces.named(fresh)
    running.host.namespaces.access.store(space, sddl.parse(f"O:BAG:BAD:S:{sacl}"))
    alice = log_on(running, fresh)
    entries.clear()
    status(running, ops.GetObject("__Namespace"), services=alice)
    status(running, ops.DeleteClass("Nothing"), services=alice)
    assert [one.event_id for one in entries] == [reading, refused]


def test_a_line_is_bounded_printable_and_without_parameters(
    running: Running, fresh: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "openwmi.audit")
    alice = log_on(running, fresh)
    caplog.clear()
    query = "SELECT * FROM __Namespace WHERE Name = 'x\r\nopenwmi.audit: forged'" + " OR Name = 'y'" * 100
    status(running, ops.ExecQuery(query), services=alice)
    secret = {"CommandLine": "login --password hunter2"}
    status(running, ops.ExecMethod("Win32_Process", "Create", secret), services=alice)
    status(running, ops.ExecMethod("__SystemSecurity", "GetSD"), services=alice)
    first, second, third = caplog.records
    assert "\n" not in first.getMessage() + "".join(map(str, vars(first)["fields"].values()))
    assert len(vars(first)["fields"]["object"]) == LONGEST
    assert "hunter2" not in second.getMessage() + repr(vars(second)["fields"])
    assert vars(second)["fields"]["object"] == "Win32_Process.Create"
    assert (first.levelno, third.levelno) == (logging.INFO, logging.WARNING)
    assert vars(third)["fields"] == {
        "account": "alice",
        "sid": ALICE.sid,
        "address": "192.0.2.7",
        "namespace": fresh,
        "operation": "ExecMethod",
        "object": "__SystemSecurity.GetSD",
        "result": "WBEM_E_ACCESS_DENIED",
    }
