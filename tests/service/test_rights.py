"""Every right of calls.md I.1, per operation as I.2 says: what is needed is enough, and without it nothing goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from tests.service.conftest import Collector, Running

from openwmi.contract import flags as f
from openwmi.contract import operations as ops
from openwmi.model.classes import derive
from openwmi.model.errors import WbemError
from openwmi.model.status import WBEM_E_ACCESS_DENIED, WBEM_E_QUOTA_VIOLATION, WBEM_E_SERVER_TOO_BUSY
from openwmi.mof import class_declarations
from openwmi.service.connection import Connection

NAMESPACE = "root\\Rights"
E, R, METHOD = f.WBEM_ENABLE, f.WBEM_REMOTE_ACCESS, f.WBEM_METHOD_EXECUTE
FULL, PARTIAL, PROVIDER = f.WBEM_FULL_WRITE_REP, f.WBEM_PARTIAL_WRITE_REP, f.WBEM_WRITE_PROVIDER
DYNAMIC = """
[dynamic, provider("RightsProvider")] class Rights_Dynamic {
    [key] uint32 Number;
    [implemented, static] uint32 Do();
};
"""


FILTER = {
    "Name": "f",
    "QueryLanguage": "WQL",
    "Query": "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Rights_Static'",
}


class RightsProvider:
    name = "RightsProvider"

    def __init__(self) -> None:
        self.done: list[str] = []

    def instances(self, request: Any) -> Iterator[tuple[Any, ...]]:
        yield (1,)

    def instance(self, request: Any, keys: Any) -> Any:
        return (keys["Number"],)

    def put(self, request: Any, instance: Any, flags: int) -> None:
        self.done.append("put")

    def delete(self, request: Any, keys: Any) -> None:
        self.done.append("delete")

    def method(self, request: Any, method: str, keys: Any, params: Any) -> dict[str, Any]:
        return {"ReturnValue": 0}


@pytest.fixture(scope="module")
def prepared(running: Running) -> Running:
    host = running.host
    space = host.namespaces.add(NAMESPACE)
    host.providers.register(RightsProvider())
    for one in class_declarations(DYNAMIC):
        space.provided.add(one)
        space.schema.forget(one.name)
    return running


@pytest.fixture
def filled(prepared: Running) -> Running:
    """With everything there that a test may delete."""
    owner = prepared.connect(NAMESPACE)
    for text in (
        "class Rights_Static { [key] string Name; };",
        "class Rights_Doomed { [key] string Name; };",
    ):
        (declaration,) = class_declarations(text)
        made = derive(declaration, None, namespace=NAMESPACE, server=owner.server)
        assert prepared.status(ops.PutClass(made), services=owner) == 0
    for name in ("PutInstance system", "PutInstance namespace", "PutInstance static"):
        assert prepared.status(CASES[name].make(prepared), services=owner) == 0
    return prepared


def class_named(running: Running, name: str) -> Any:
    return running.host.namespaces.named(NAMESPACE).schema.class_named(name)


class Case(NamedTuple):
    """An operation, the rights it needs beside E and R, and whether the call itself refuses without them."""

    make: Callable[[Running], ops.AnyOperation]
    right: int = 0
    at_once: bool = True


def _instance(name: str, **values: Any) -> Callable[[Running], ops.AnyOperation]:
    return lambda running: ops.PutInstance(class_named(running, name).spawn(values))


CASES = {
    "GetObject": Case(lambda running: ops.GetObject("Rights_Static")),
    "CreateClassEnum": Case(lambda running: ops.CreateClassEnum()),
    "CreateInstanceEnum": Case(lambda running: ops.CreateInstanceEnum("Rights_Static")),
    "ExecQuery": Case(lambda running: ops.ExecQuery("SELECT * FROM Rights_Static")),
    "PutClass": Case(
        lambda running: ops.PutClass(class_named(running, "Rights_Static")), FULL, at_once=False
    ),
    "DeleteClass": Case(lambda running: ops.DeleteClass("Rights_Doomed"), FULL, at_once=False),
    "PutInstance system": Case(_instance("__EventFilter", **FILTER), FULL, at_once=False),
    "PutInstance namespace": Case(_instance("__NAMESPACE", Name="Below"), FULL, at_once=False),
    "PutInstance static": Case(_instance("Rights_Static", Name="a"), PARTIAL, at_once=False),
    "PutInstance dynamic": Case(_instance("Rights_Dynamic", Number=1), PROVIDER, at_once=False),
    "DeleteInstance system": Case(
        lambda running: ops.DeleteInstance('__EventFilter.Name="f"'), FULL, at_once=False
    ),
    "DeleteInstance namespace": Case(
        lambda running: ops.DeleteInstance('__NAMESPACE.Name="Below"'), FULL, at_once=False
    ),
    "DeleteInstance static": Case(
        lambda running: ops.DeleteInstance('Rights_Static.Name="a"'), PARTIAL, at_once=False
    ),
    "DeleteInstance dynamic": Case(
        lambda running: ops.DeleteInstance("Rights_Dynamic.Number=1"), PROVIDER, at_once=False
    ),
    "ExecMethod": Case(lambda running: ops.ExecMethod("Rights_Dynamic", "Do"), METHOD),
}


def as_caller(running: Running, granted: int, *, remote: bool) -> Connection:
    who = running.host.caller._replace(granted=granted, remote=remote)
    return running.connect(NAMESPACE, caller=who)


def outcome(running: Running, operation: ops.AnyOperation, services: Connection) -> tuple[int, bool]:
    """The status, and whether the call itself was refused with it, the sink left alone."""
    sink = Collector()
    try:
        running.start(operation, sink, services=services)
    except WbemError as refusal:
        assert not sink.batches
        assert sink.outcome is None
        assert sink.released == 0
        return refusal.code, True
    assert sink.finished.wait(20)
    assert sink.outcome is not None
    return sink.outcome.status, False


@pytest.mark.parametrize("remote", [False, True], ids=["here", "remote"])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.req("calls:I2", "calls:I3", "calls:I6", "calls:B18", "calls:B54", "calls:B92")
def test_what_is_needed_is_enough_and_nothing_less(filled: Running, name: str, remote: bool) -> None:
    case = CASES[name]
    operation = case.make(filled)
    needed = E | case.right | (R if remote else 0)
    for missing in (bit for bit in f.RIGHT_NAMES if bit & needed):
        everything_else = f.ALL_NAMESPACE_RIGHTS & ~missing
        if missing == PARTIAL:
            everything_else &= ~FULL  # which includes it
        services = as_caller(filled, everything_else, remote=remote)
        at_once = case.at_once or missing in (E, R)
        assert outcome(filled, operation, services) == (WBEM_E_ACCESS_DENIED, at_once), f.right_names(missing)
    assert outcome(filled, operation, as_caller(filled, needed, remote=remote)) == (0, False)


@pytest.mark.req("calls:I2", "calls:B98")
@pytest.mark.parametrize("remote", [False, True], ids=["here", "remote"])
def test_the_sink_for_events_takes_full_write(filled: Running, remote: bool) -> None:
    needed = E | FULL | (R if remote else 0)
    for missing in (bit for bit in (E, FULL, R) if bit & needed):
        services = as_caller(filled, f.ALL_NAMESPACE_RIGHTS & ~missing, remote=remote)
        with pytest.raises(WbemError) as refused:
            filled.host.portal.submit(services.event_sink).result(10)
        assert refused.value.code == WBEM_E_ACCESS_DENIED
    services = as_caller(filled, needed, remote=remote)
    assert filled.host.portal.submit(services.event_sink).result(10) is not None


@pytest.mark.req("calls:I2")
def test_subscribing_takes_what_reading_takes(filled: Running) -> None:
    query = "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Rights_Static'"
    for granted, remote in ((f.ALL_NAMESPACE_RIGHTS & ~E, False), (f.ALL_NAMESPACE_RIGHTS & ~R, True)):
        with pytest.raises(WbemError) as refused:
            filled.start(
                ops.ExecNotificationQuery(query),
                Collector(),
                services=as_caller(filled, granted, remote=remote),
            )
        assert refused.value.code == WBEM_E_ACCESS_DENIED
    sink = Collector()
    services = as_caller(filled, E | R, remote=True)
    filled.start(ops.ExecNotificationQuery(query), sink, services=services)
    filled.cancel(sink, services=services)
    assert sink.finished.wait(10)


@pytest.mark.req("calls:I2", "calls:F1")
def test_cancelling_takes_no_right_at_all(filled: Running) -> None:
    """Its own calls anybody may end, whatever is left of his rights."""
    query = "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Rights_Static'"
    sink = Collector()
    filled.start(ops.ExecNotificationQuery(query), sink, services=as_caller(filled, E, remote=False))
    filled.cancel(sink, services=as_caller(filled, 0, remote=True))
    assert sink.finished.wait(10)


@pytest.mark.req("calls:I2")
def test_a_refusal_names_the_right_that_is_missing(filled: Running) -> None:
    services = as_caller(filled, E | R, remote=True)
    with pytest.raises(WbemError, match=r"lacks execute-methods on root\\Rights"):
        filled.start(ops.ExecMethod("Rights_Dynamic", "Do"), Collector(), services=services)
    sink = filled.collect(CASES["PutInstance static"].make(filled), services=services)
    assert sink.outcome is not None
    assert sink.outcome.error is not None
    assert "partial-write" in str(sink.outcome.error["Description"])


# Limits of all and of one (calls.md H2)


class Endless:
    """Instances that never end: its calls run until they are cancelled."""

    name = "EndlessProvider"

    def instances(self, request: Any) -> Iterator[tuple[Any, ...]]:
        import time

        while not request.cancelled:
            time.sleep(0.001)
        yield from ()


@pytest.mark.req("calls:H2")
def test_calls_past_the_limits_are_refused_and_hurt_nobody(prepared: Running) -> None:
    host = prepared.host
    space = host.namespaces.named(NAMESPACE)
    host.providers.register(Endless())
    (declaration,) = class_declarations(
        '[dynamic, provider("EndlessProvider")] class Rights_Endless { [key] uint32 N; };'
    )
    space.provided.add(declaration)
    space.schema.forget(declaration.name)
    alice, bob = (
        prepared.connect(
            NAMESPACE, caller=host.caller._replace(sid=f"S-1-5-21-1-2-3-{number}", remote=remote)
        )
        for number, remote in ((1001, True), (1002, False))
    )
    settings, endless = host.settings, ops.CreateInstanceEnum("Rights_Endless")
    before = settings.max_calls, settings.max_calls_per_account
    sinks = [Collector() for _ in range(4)]
    try:
        settings.max_calls, settings.max_calls_per_account = prepared.host.service.running + 3, 2
        prepared.start(endless, sinks[0], services=alice)
        prepared.start(endless, sinks[1], services=alice)
        assert prepared.status(ops.GetObject(None), services=alice) == WBEM_E_QUOTA_VIOLATION
        prepared.start(endless, sinks[2], services=bob)
        assert prepared.status(ops.GetObject(None), services=bob) == WBEM_E_SERVER_TOO_BUSY
        prepared.cancel(sinks[0], services=alice)
        assert sinks[0].finished.wait(10)
        assert prepared.status(ops.GetObject(None), services=bob) == 0
    finally:
        settings.max_calls, settings.max_calls_per_account = before
        for sink, services in zip(sinks[1:3], (alice, bob), strict=True):
            prepared.cancel(sink, services=services)
    assert all(sink.finished.wait(10) for sink in sinks[:3])
