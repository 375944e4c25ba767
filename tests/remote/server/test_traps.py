"""Traps of wire.md, section 8, that no other test walks into: go-msrpc's way, delayed acknowledgements, IPv6, sizes."""

from __future__ import annotations

import asyncio
import socket
from typing import Any
from uuid import UUID

import pytest
from tests.remote.kit import CID, Caller, accept
from tests.remote.server.serving import NAMESPACE, PASSWORD, Served, rows
from tests.remote.server.session import CollectingSink, Session, SinkHost, ipid_of
from tests.wire.peers import initiator

from openwmi.remote.inbound import Association, ListenerLimits
from openwmi.remote.places import Address
from openwmi.wire.dcom import activation as a
from openwmi.wire.dcom import exporter as x
from openwmi.wire.dcom import guids as d
from openwmi.wire.dcom import objref
from openwmi.wire.dcom import remunknown as r
from openwmi.wire.dcom.orpc import OrpcThis
from openwmi.wire.dcom.properties import InstantiationInfo, PropsOutInfo
from openwmi.wire.rpc import ClientConnection, Limits, ServerConnection
from openwmi.wire.rpc import events as e
from openwmi.wire.wmi import enumerators as w
from openwmi.wire.wmi import guids, login, services
from openwmi.wmio.arrays import ArrayDecoder


@pytest.fixture(scope="module")
def address(served: Served) -> tuple[str, int]:
    return served.listen()


class GoClient:
    """One association the way of go-msrpc (wire.md 1.3): features asked for in the bind, header signing, level 5, and
    an alter_context without a verifier for each further interface (traps 11, 12)."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.numbers = 0

    @classmethod
    async def open(cls, address: tuple[str, int], interface: Any) -> GoClient:
        reader, writer = await asyncio.open_connection(*address)
        caller = Caller(reader, writer, None)
        caller.rpc = ClientConnection(Limits(fragment=4096), offer=3)
        caller.rpc.bind([(0, interface)], initiator(PASSWORD), level=5, security_id=77)
        bound = await caller.until(lambda event: isinstance(event, e.Bound))
        assert bound.accepted == {0: interface}, "the element that asks for features makes no context"  # type: ignore[union-attr]
        assert caller.rpc.features == 3
        assert caller.rpc.max_transmit == caller.rpc.max_receive == 4096, "trap 29"
        return cls(caller)

    async def interface(self, interface: Any) -> int:
        self.numbers += 1
        self.caller.rpc.alter([(self.numbers, interface)])
        await self.caller.until(lambda event: isinstance(event, e.Bound))
        return self.numbers


async def test_the_way_of_go_msrpc(served: Served, address: tuple[str, int]) -> None:
    resolver = await GoClient.open(address, d.IObjectExporter)
    alive = await resolver.caller.call(x.SERVER_ALIVE2, x.Nothing())
    assert alive.status == 0
    context = await resolver.interface(d.IActivation)
    asked = a.Activation(guids.CLSID_WbemLevel1Login, (guids.IWbemLevel1Login.uuid,), (7, 15))
    number = resolver.caller.send(0, a.REMOTE_ACTIVATION.call(asked, OrpcThis(CID)), None, context)
    answer = await resolver.caller.answer(number)
    assert isinstance(answer, bytes)
    made = a.REMOTE_ACTIVATION.answered(answer)[1]
    assert (made.result, made.status, made.authn_hint) == (0, 0, 5)
    unknown, door = made.rem_unknown, ipid_of(made.interfaces[0])

    go = await GoClient.open(address, guids.IWbemLevel1Login)
    entered = await go.caller.call(login.NTLM_LOGIN, login.NtlmLogin(f"//./{NAMESPACE}"), door)
    namespace = ipid_of(entered.services)
    context = await go.interface(guids.IWbemServices)
    query = services.METHODS[20]
    inputs = Session.inputs(query, language="WQL", query="SELECT N, S FROM Row", flags=0)
    opened = ipid_of((await go.caller.call(query, inputs, namespace, context)).enumerator)
    context = await go.interface(guids.IEnumWbemClassObject)
    assert (await go.caller.call(w.RESET, w.Nothing(), opened, context)).result == 0
    context = await go.interface(d.IRemUnknown2)
    fetching = await go.caller.call(
        r.REM_QUERY_INTERFACE2, r.QueryInterface2(opened, [guids.IWbemFetchSmartEnum.uuid]), unknown, context
    )
    context = await go.interface(guids.IWbemFetchSmartEnum)
    fetch = ipid_of(fetching.interfaces[0])
    smart = ipid_of((await go.caller.call(w.GET_SMART_ENUM, w.Nothing(), fetch, context)).enumerator)
    context = await go.interface(guids.IWbemWCOSmartEnum)
    decoder, found = ArrayDecoder(), []
    for _ in range(10):
        page = await go.caller.call(w.SMART_NEXT, w.SmartNext(UUID(int=0), -1, 100), smart, context)
        found += decoder.decode(page.packet) if page.packet else []
        if page.result:
            break
    assert [(one.N, one.S) for one in found] == [(row["N"], row["S"]) for row in rows(250)]  # type: ignore[union-attr]
    for one in (resolver, go):
        await one.caller.close()


async def test_a_call_in_many_fragments_names_its_object_in_each(address: tuple[str, int]) -> None:
    """Trap 21; and the answer comes in fragments no larger than what this client takes."""
    caller = await Caller.connect(
        address,
        [guids.IWbemServices, d.IRemoteSCMActivator],
        password=PASSWORD,
        limits=Limits(fragment=1432),
    )
    session = Session(caller)
    properties = a.activation_in(
        (InstantiationInfo(guids.CLSID_WbemLevel1Login, (guids.IWbemLevel1Login.uuid,)),)
    )
    made = await caller.call(a.REMOTE_CREATE_INSTANCE, a.CreateInstance(properties), None, 1)
    found = a.find(a.properties_out(made.properties), PropsOutInfo)
    reference = (found.interfaces or [None])[0]
    entered = await caller.call(login.NTLM_LOGIN, login.NtlmLogin(f"//./{NAMESPACE}"), ipid_of(reference))
    session.services = ipid_of(entered.services)
    get = services.METHODS[6]
    inputs = Session.inputs(get, path='Item.Text="' + "x" * 6000 + '"', found=b"")
    answer = await caller.call(get, inputs, session.services)
    assert answer.result
    whole = await caller.call(get, Session.inputs(get, path="Item", found=b""), session.services)
    assert len(whole.found) > 1432
    await caller.close()


class Recording:
    """A socket and a transport that write down what is asked of them."""

    def __init__(self) -> None:
        self.options: list[tuple[int, int, int]] = []
        self.written = b""

    def setsockopt(self, *option: int) -> None:
        self.options.append(option)  # type: ignore[arg-type]

    def get_extra_info(self, name: str) -> Any:
        return {"socket": self, "peername": ("192.0.2.1", 5), "sockname": ("192.0.2.2", 135)}[name]

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return False

    def take(self) -> bytes:
        data, self.written = self.written, b""
        return data


class Owner:
    """A listener of one association."""

    def __init__(self) -> None:
        self.limits = ListenerLimits()

    def now(self) -> float:
        return 0.0

    def opened(self, association: Association) -> ServerConnection:
        return ServerConnection(lambda interface: True, lambda kind, level: accept(kind, level, association))

    def established(self, association: Association, event: e.Established) -> None:
        pass

    def keeps(self, association: Association, more: int) -> None:
        pass


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="Linux has the option")
def test_an_auth3_is_acknowledged_at_once() -> None:
    """Trap 10: nothing answers it, and the client's next small write would wait 40 ms for our acknowledgement."""
    transport, client = Recording(), ClientConnection()
    association = Association(Owner())  # type: ignore[arg-type]
    association.connection_made(transport)  # type: ignore[arg-type]
    assert (association.peer, association.local) == (Address("192.0.2.1", 5), Address("192.0.2.2", 135))
    client.bind([(0, guids.IWbemServices)], initiator())
    association.data_received(client.take())
    assert transport.options == []
    client.receive(transport.take())
    association.data_received(client.take())
    assert association.proven
    assert transport.options == [(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)]
    assert transport.written == b""


async def test_ipv6(served: Served) -> None:
    """Bindings are `::1[port]`, split at the last bracket (wire.md 9); a sink at one is called back there."""
    try:
        address = await asyncio.to_thread(served.listen, "::1")
    except OSError:
        pytest.skip("no IPv6 here")
    session = await Session.open(address)
    assert len(await session.query("SELECT N FROM Row")) == 250
    host = SinkHost()
    host.address = await host.listener.listen("::1")
    sink = CollectingSink()
    reference = host.export(sink)
    assert objref.standard(reference).bindings.strings[0].address == f"::1[{host.address.port}]"
    assert await session.query_async("SELECT N FROM Row", reference) == 0
    await asyncio.wait_for(sink.gone.wait(), 10)
    assert len(sink.objects) == 250
    await session.close()
    await host.listener.close()
