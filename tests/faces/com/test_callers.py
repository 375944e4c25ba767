"""Who may call a sink of this process from another machine, and what the sink learns of it (calls.md A.1, E.1, E.2).

The server is a real one, over TCP; strangers find the exported sink by its own reference, as a thief of one would.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.faces.com.support import SECONDS, Recorder, connected, created
from tests.remote.server.serving import PASSWORD, Served
from tests.wire.peers import NOW

from openwmi import com
from openwmi.faces.outside import portal
from openwmi.model.errors import WbemError
from openwmi.model.status import E_ACCESSDENIED, SEC_E_LOGON_DENIED
from openwmi.remote.client.receiving import Receiver
from openwmi.remote.outbound.network import Security
from openwmi.remote.outbound.resolving import reach
from openwmi.wire.ntlm import Credential, Initiator, nt_hash
from openwmi.wire.wmi import results
from openwmi.wire.wmi.guids import IWbemObjectSink

EVENTS = "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Item'"
STRANGERS = {
    "another account": ("bob", PASSWORD, 6),
    "a wrong password": ("ada", "guessed", 6),
    "below the level": ("ada", PASSWORD, 5),
    "nobody": None,
}


def log_on(target: str, user: str | None = "ada", password: str | None = PASSWORD, **options: Any) -> Any:
    """(hr, services) of ConnectServer."""
    locator = created(com.CLSID_WbemLocator, com.IID_IWbemLocator)
    flags, authority = options.get("flags", 0), options.get("authority")
    return locator.ConnectServer(target, user, password, None, flags, authority, None)


@pytest.fixture
def far(target: str) -> Iterator[com.IWbemServices]:
    hr, services = log_on(target)
    assert hr == 0
    yield services
    services.Release()
    end = time.monotonic() + SECONDS
    while listening():  # the next test would share a connection that has not been left yet
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.fixture
def apartment() -> com.IWbemUnsecuredApartment:
    return created(com.CLSID_UnsecuredApartment, com.IID_IWbemUnsecuredApartment, com.CLSCTX_LOCAL_SERVER)


def exported(user: str = "ada") -> bytes:
    """The reference that the server was given to the one sink of a user that waits."""

    async def found() -> bytes:
        receiver = Receiver.here()
        (held,) = [one for one in receiver.exporter.objects if one._machine.credentials.user == user]  # type: ignore[attr-defined]
        (place,) = {one.result() for one in receiver._places.values()}
        return receiver.reference(held, place)

    return portal().run(found)


async def called(reference: bytes, who: tuple[str, str, int] | None) -> int:
    """What a stranger gets who tells the sink that its call is over."""

    def initiate(target: str) -> Initiator:
        assert who is not None
        return Initiator(Credential(who[0], password=who[1]), os.urandom(24), filetime=NOW, target=target)

    security = None if who is None else Security(initiate, who[2])
    try:
        proxy = await reach(reference, IWbemObjectSink, [security], allowed=lambda host: True)
    except WbemError as refusal:
        return refusal.code
    try:
        answer = await proxy.call(results.SET_STATUS, results.SetStatus(0, 0, None, None))
        return int(answer.result)
    except WbemError as refusal:
        return refusal.code
    finally:
        await proxy.close()


@pytest.mark.slow
@pytest.mark.req("calls:A4", "calls:E3")
@pytest.mark.parametrize(
    "flags", [0, com.WBEM_FLAG_UNSECAPP_CHECK_ACCESS, com.WBEM_FLAG_UNSECAPP_DONT_CHECK_ACCESS]
)
def test_a_stub_is_called_by_the_server_that_was_given_it_and_by_nobody_else(
    far: com.IWbemServices, apartment: com.IWbemUnsecuredApartment, flags: int
) -> None:
    """The check is always made: leaving it away, as flag 2 and the default setting of Windows do, has no use here."""
    sink = Recorder()
    hr, stub = apartment.CreateSinkStub(sink, flags, None)
    assert hr == 0
    assert far.ExecNotificationQueryAsync("WQL", EVENTS, 0, None, stub) == 0
    reference = exported()
    for name, who in STRANGERS.items():
        code = asyncio.run(called(reference, who))
        assert code in (E_ACCESSDENIED, SEC_E_LOGON_DENIED), name
    assert not sink.called.is_set()
    hr, item, _ = far.GetObject("Item", 0, None)
    made = item.SpawnInstance(0)[1]
    made.Put("Id", 0, 4711, 0)
    assert far.PutInstance(made, 0, None)[0] == 0
    assert sink.called.wait(SECONDS)
    assert far.DeleteInstance("Item.Id=4711", 0, None)[0] == 0
    assert far.CancelAsyncCall(stub) == 0
    assert sink.final.wait(SECONDS)
    assert (sink.indicated, sink.finals) == ([1], [com.WBEM_E_CALL_CANCELLED])
    stub.Release()


@pytest.mark.slow
@pytest.mark.req("calls:E3")
def test_two_accounts_of_one_process_do_not_reach_each_others_sinks(
    far: com.IWbemServices, target: str
) -> None:
    """Both prove who they are to the same port; each may call what was exported for it."""
    hr, other = log_on(target, "bob")
    assert hr == 0
    mine, theirs = Recorder(), Recorder()
    assert far.ExecNotificationQueryAsync("WQL", EVENTS, 0, None, mine) == 0
    assert other.ExecNotificationQueryAsync("WQL", EVENTS, 0, None, theirs) == 0
    for owner, sink, stranger in (("ada", mine, "bob"), ("bob", theirs, "ada")):
        reference = exported(owner)
        assert asyncio.run(called(reference, (stranger, PASSWORD, 6))) == E_ACCESSDENIED
        assert not sink.called.is_set()
        assert asyncio.run(called(reference, (owner, PASSWORD, 6))) == 0
        assert sink.final.wait(SECONDS)
        assert sink.finals == [0]
    other.Release()


class Hardened(Recorder):
    """Asks who calls, and lets in only whom it expects (E15)."""

    def __init__(self, expected: str) -> None:
        super().__init__()
        self.expected = expected
        self.blankets: list[tuple[Any, ...]] = []

    def Indicate(self, objects: list[com.IWbemClassObject]) -> int:
        self.blankets.append(com.CoQueryClientBlanket())
        super().Indicate(objects)
        return com.WBEM_S_NO_ERROR if self.blankets[-1][6] == self.expected else com.WBEM_E_ACCESS_DENIED


@pytest.mark.slow
@pytest.mark.req("calls:E9", "calls:E11", "calls:E13", "calls:E15")
def test_a_callback_from_another_machine_comes_at_privacy_and_as_who_was_authenticated(
    far: com.IWbemServices,
) -> None:
    sink = Hardened("ada")
    assert far.ExecQueryAsync("WQL", "SELECT N FROM Row", 0, None, sink) == 0
    assert sink.final.wait(SECONDS)
    assert sum(sink.indicated) == 250
    assert sink.finals == [0]
    for hr, service, _, _, level, _, name, _ in sink.blankets:
        assert (hr, service, level, name) == (
            0,
            com.RPC_C_AUTHN_WINNT,
            com.RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
            "ada",
        )


@pytest.mark.slow
@pytest.mark.req("calls:E16", "calls:C5")
@pytest.mark.parametrize("where", ["here", "there"])
def test_a_sink_that_refuses_its_caller_ends_its_call(far: com.IWbemServices, where: str) -> None:
    services, query = (
        (far, "SELECT N FROM Row")
        if where == "there"
        else (
            connected(),
            "SELECT * FROM meta_class",
        )
    )
    sink = Hardened("somebody else")
    assert services.ExecQueryAsync("WQL", query, 0, None, sink) == 0
    assert sink.final.wait(SECONDS)
    assert len(sink.indicated) == 1
    assert sink.finals == [com.WBEM_E_CALL_CANCELLED]


def listening() -> bool:
    """Whether this process has a port open for servers."""

    async def found() -> bool:
        return Receiver.here()._listener is not None

    return portal().run(found)


@pytest.mark.slow
@pytest.mark.req("calls:E18")
def test_nothing_listens_here_but_for_a_sink(far: com.IWbemServices) -> None:
    """Semisynchronous calls in all their forms need no way back; the first sink does."""
    hr, enumerator = far.ExecQuery("WQL", "SELECT N FROM Row", 0x30, None)
    assert (hr, enumerator.Next(-1, 10)[2]) == (0, 10)
    hr, _, result = far.GetObject("Row.N=1", 0x10, None, out={"ppCallResult"})
    assert (hr, result.GetResultObject(-1)[0]) == (0, 0)
    hr, events = far.ExecNotificationQuery("WQL", EVENTS, 0x30, None)
    assert (hr, events.Next(0, 1)[0]) == (0, com.WBEM_S_TIMEDOUT)
    assert not listening()
    sink = Recorder()
    assert far.ExecNotificationQueryAsync("WQL", EVENTS, 0, None, sink) == 0
    assert listening()
    assert far.CancelAsyncCall(sink) == 0
    assert sink.final.wait(SECONDS)
    events.Release()


@pytest.mark.slow
@pytest.mark.req("calls:A22", "calls:A24")
def test_forms_of_a_user_and_an_authority_at_another_machine(served: Served, target: str) -> None:
    served.accounts.add("empty", nt_hash(""))
    for user, password, authority, expected in (
        (r"MYHOST\ada", PASSWORD, None, 0),
        ("ada@myhost", PASSWORD, None, 0),
        ("ada", PASSWORD, "NTLMDOMAIN:myhost", 0),
        ("ada", PASSWORD, "ntlmdomain:elsewhere", com.E_ACCESSDENIED),
        (r"elsewhere\ada", PASSWORD, None, com.E_ACCESSDENIED),
        ("empty", "", None, 0),  # a genuine empty password
        ("ada", "", None, com.E_ACCESSDENIED),
        (r"MYHOST\ada", PASSWORD, "NTLMDOMAIN:myhost", com.WBEM_E_INVALID_PARAMETER),
    ):
        hr, services = log_on(target, user, password, authority=authority)
        assert hr == expected, (user, authority)
        assert (services is None) is bool(hr)
        if services is not None:
            assert services.GetObject("Item", 0, None)[0] == 0
            services.Release()
    served.accounts.remove("empty")
    for user, password in (("ada", None), (None, None)):
        hr, services = log_on(target, user, password)
        assert hr not in (0, com.E_ACCESSDENIED), (
            "no password: the credentials of the process, and there are none"
        )
        assert services is None


@pytest.mark.slow
@pytest.mark.req("calls:A27", "calls:H4")
def test_a_log_on_takes_no_longer_than_its_flag_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two minutes with USE_MAX_WAIT, whatever the steps of it would take together; here they are a moment."""
    from openwmi.faces.com import locator

    assert locator._MAX_WAIT == 120.0
    monkeypatch.setattr(locator, "_MAX_WAIT", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        target = rf"\\127.0.0.1[{silent.getsockname()[1]}]\root"
        before = time.monotonic()
        hr, services = log_on(target, flags=com.WBEM_FLAG_CONNECT_USE_MAX_WAIT)
        assert (hr, services) == (0x800706BA, None)
        assert time.monotonic() - before < 5
        assert com.GetErrorInfo(0)[0] == 0
