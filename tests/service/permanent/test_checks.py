"""Storing filters, consumers and bindings: what is refused with which code, and who is written down as the creator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.service.conftest import Running

from openwmi.contract import operations as ops
from openwmi.contract.caller import Caller
from openwmi.contract.flags import ALL_NAMESPACE_RIGHTS, WBEM_ENABLE, WBEM_PARTIAL_WRITE_REP
from openwmi.model.sids import Sid
from openwmi.model.status import (
    WBEM_E_ACCESS_DENIED,
    WBEM_E_INVALID_NAMESPACE,
    WBEM_E_INVALID_OBJECT_PATH,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_INVALID_QUERY,
    WBEM_E_INVALID_QUERY_TYPE,
    WBEM_E_NOT_EVENT_CLASS,
    WBEM_E_QUOTA_VIOLATION,
    WBEM_E_UNPARSABLE_QUERY,
    WBEMESS_E_REGISTRATION_TOO_PRECISE,
)

ADMINISTRATORS = "S-1-5-32-544"
ALICE = Caller("S-1-5-21-1-2-3-1000", "alice", remote=True)
BOSS = Caller("S-1-5-21-1-2-3-1001", "boss", (ADMINISTRATORS,), remote=True)


@pytest.fixture
def here() -> Iterator[Running]:
    one = Running()
    yield one
    one.host.shut_down()


def put(here: Running, name: str, caller: Caller | None = None, **values: Any) -> int:
    """The status of storing an instance in root\\subscription."""
    services = here.connect("root\\subscription", **({"caller": caller} if caller else {}))
    space = here.host.namespaces.named("root\\subscription")
    instance = space.schema.class_named(name).spawn(values)
    return here.status(ops.PutInstance(instance), services=services)


def stored(here: Running, name: str) -> list[Any]:
    services = here.connect("root\\subscription")
    return here.collect(ops.CreateInstanceEnum(name), services=services).objects


FILTER = {"Name": "f", "QueryLanguage": "WQL", "Query": "SELECT * FROM __TimerEvent"}
POLLING = "SELECT * FROM __InstanceModificationEvent WITHIN 5 WHERE TargetInstance ISA 'Win32_LogicalDisk'"


@pytest.mark.req("E-52")
@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({}, 0),
        ({"QueryLanguage": "wql"}, 0),
        ({"QueryLanguage": "CQL"}, WBEM_E_INVALID_QUERY_TYPE),
        ({"QueryLanguage": None}, WBEM_E_INVALID_QUERY_TYPE),
        ({"Query": None}, WBEM_E_INVALID_PARAMETER),
        ({"Query": "SELECT FROM"}, WBEM_E_UNPARSABLE_QUERY),
        ({"Query": "SELECT Nothing FROM __TimerEvent"}, WBEM_E_INVALID_QUERY),
        ({"Query": "SELECT * FROM __EventFilter"}, WBEM_E_NOT_EVENT_CLASS),
        ({"Query": POLLING, "EventNamespace": "root\\cimv2"}, 0),
        ({"Query": POLLING, "EventNamespace": "root/cimv2"}, 0),
        ({"Query": POLLING, "EventNamespace": "\\\\.\\root\\cimv2"}, 0),
        (
            {"Query": POLLING.replace("WITHIN 5", ""), "EventNamespace": "root\\cimv2"},
            WBEMESS_E_REGISTRATION_TOO_PRECISE,
        ),
        ({"EventNamespace": "root\\not a name\\"}, WBEM_E_INVALID_NAMESPACE),
        ({"Query": "SELECT * FROM Not_Yet"}, 0),
        ({"Query": "SELECT * FROM Not_Yet", "EventNamespace": "root\\notyet"}, 0),
        ({"EventAccess": "O:BAG:BAD:(A;;0x80;;;BA)"}, 0),
        ({"EventAccess": "everybody"}, WBEM_E_INVALID_PARAMETER),
    ],
)
def test_filters(here: Running, values: dict[str, Any], status: int) -> None:
    assert put(here, "__EventFilter", **{**FILTER, **values}) == status
    assert len(stored(here, "__EventFilter")) == (status == 0)


@pytest.mark.req("E-52")
@pytest.mark.parametrize("name", [None, ""])
def test_a_filter_without_a_name_gets_one(here: Running, name: str | None) -> None:
    assert put(here, "__EventFilter", **{**FILTER, "Name": name}) == 0
    (one,) = stored(here, "__EventFilter")
    assert len(one.Name) == 38


@pytest.mark.req("E-54", "E-55")
@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({}, 0),
        ({"DeliveryQoS": 1}, 0),
        ({"DeliveryQoS": 2}, WBEM_E_INVALID_PARAMETER),
        ({"Filter": "__EventFilter"}, WBEM_E_INVALID_OBJECT_PATH),
        ({"Consumer": "\\\\.\\root\\cimv2:LogFileEventConsumer.Name='x'"}, 0),
    ],
)
def test_bindings_need_no_ends_yet(here: Running, values: dict[str, Any], status: int) -> None:
    ends = {"Filter": '__EventFilter.Name="f"', "Consumer": 'LogFileEventConsumer.Name="c"'}
    assert put(here, "__FilterToConsumerBinding", **{**ends, **values}) == status


@pytest.mark.req("B-43", "E-53")
def test_the_service_says_who_the_creator_is(here: Running) -> None:
    owner = here.host.caller
    for caller, sid in [(owner, owner.sid), (BOSS, ADMINISTRATORS), (ALICE, ALICE.sid)]:
        lie = tuple(Sid.parse("S-1-5-18").encode())
        assert put(here, "__EventFilter", caller, **FILTER, CreatorSID=lie) == 0
        assert put(here, "LogFileEventConsumer", caller, Name="c", Filename="/x", CreatorSID=lie) == 0
        assert (
            put(
                here,
                "__FilterToConsumerBinding",
                caller,
                Filter='__EventFilter.Name="f"',
                Consumer='LogFileEventConsumer.Name="c"',
                CreatorSID=lie,
            )
            == 0
        )
        for name in ("__EventFilter", "LogFileEventConsumer", "__FilterToConsumerBinding"):
            (one,) = stored(here, name)
            assert str(Sid.decode(bytes(one.CreatorSID))) == sid


@pytest.mark.req("E-26")
def test_only_administrators_have_anything_polled_for_ever(here: Running) -> None:
    values = {**FILTER, "Query": POLLING, "EventNamespace": "root\\cimv2"}
    assert put(here, "__EventFilter", ALICE, **values) == WBEM_E_ACCESS_DENIED
    assert put(here, "__EventFilter", BOSS, **values) == 0


@pytest.mark.req("E-71", "E-73")
def test_only_administrators_store_what_runs(here: Running) -> None:
    for name, values in [
        ("CommandLineEventConsumer", {"CommandLineTemplate": "true"}),
        ("ActiveScriptEventConsumer", {"ScriptingEngine": "python", "ScriptText": "pass"}),
    ]:
        assert put(here, name, ALICE, Name="c", **values) == WBEM_E_ACCESS_DENIED
        assert put(here, name, BOSS, Name="c", **values) == 0


@pytest.mark.req("E-59")
def test_storing_takes_full_write_access(here: Running) -> None:
    weak = ALICE._replace(granted=WBEM_ENABLE | WBEM_PARTIAL_WRITE_REP)
    assert put(here, "__EventFilter", weak, **FILTER) == WBEM_E_ACCESS_DENIED
    assert put(here, "LogFileEventConsumer", weak, Name="c", Filename="/x") == WBEM_E_ACCESS_DENIED
    assert put(here, "__EventFilter", weak._replace(granted=ALL_NAMESPACE_RIGHTS), **FILTER) == 0


@pytest.mark.req("calls:H5")
def test_quotas_of_bindings(here: Running) -> None:
    root = here.connect("root")
    limits = here.host.namespaces.named("root").schema.class_named("__ArbitratorConfiguration")
    values = {"PermanentSubscriptionsTotal": 3, "PermanentSubscriptionsPerUser": 2}
    assert here.status(ops.PutInstance(limits.spawn(values)), services=root) == 0

    def bind(name: str, caller: Caller) -> int:
        ends = {"Filter": f'__EventFilter.Name="{name}"', "Consumer": 'LogFileEventConsumer.Name="c"'}
        return put(here, "__FilterToConsumerBinding", caller, **ends)

    assert bind("a", ALICE) == 0
    assert bind("b", ALICE) == 0
    assert bind("c", ALICE) == WBEM_E_QUOTA_VIOLATION
    assert bind("b", ALICE) == 0  # no new one
    assert bind("c", BOSS) == 0
    assert bind("d", BOSS) == WBEM_E_QUOTA_VIOLATION


def test_other_instances_are_none_of_this(here: Running) -> None:
    assert put(here, "__IntervalTimerInstruction", TimerId="t", IntervalBetweenEvents=1000) == 0
