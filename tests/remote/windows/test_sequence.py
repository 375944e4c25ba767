"""wire.md's sequence for a Windows server, step by step, over what goes out and what comes in: SPNEGO, header signing,
resolver on 135 and exporter elsewhere, IRemUnknown2, a sink that is called back from privacy downwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar
from uuid import UUID

import pytest
from tests.remote.memory import NAMES, NOW, PASSWORD, accounts
from tests.remote.network import CLIENT, SERVER, NetworkLoop, on_network
from tests.remote.windows.callback import PRIVACY_FIRST, as_user
from tests.remote.windows.host import EXPORTER_PORT, RESOLVER_PORT
from tests.remote.windows.wmi import WmiHost, processes

from openwmi.contract.operations import ExecQuery
from openwmi.model import status as codes
from openwmi.model.errors import WbemError
from openwmi.remote.inbound import ANYONE, Addresses, Exporter, Fault, Listener, interface
from openwmi.remote.outbound.channel import Channel
from openwmi.remote.outbound.network import Security
from openwmi.remote.outbound.references import Proxy, RemoteExporter
from openwmi.remote.outbound.resolving import addresses_of, server_alive2
from openwmi.remote.places import Address
from openwmi.wire.dcom import activation, guids, remunknown
from openwmi.wire.dcom.objref import SORF_NOPING
from openwmi.wire.dcom.properties import (
    InstantiationInfo,
    LocationInfo,
    PropsOutInfo,
    ScmReplyInfo,
    ScmRequest,
    ScmRequestInfo,
)
from openwmi.wire.errors import ACCESS_DENIED
from openwmi.wire.ntlm import Acceptor, Credential, Initiator
from openwmi.wire.rpc import AuthLevel, AuthType
from openwmi.wire.spnego import NTLM, SpnegoAcceptor, SpnegoInitiator
from openwmi.wire.wmi import enumerators, login, results, services
from openwmi.wire.wmi import guids as wmi
from openwmi.wire.wmi.types import object_in
from openwmi.wmio.arrays import ArrayDecoder


def spnego(level: int = AuthLevel.PRIVACY) -> Security:
    def made(target: str) -> SpnegoInitiator:
        inner = Initiator(Credential("ada", password=PASSWORD), bytes(24), filetime=NOW, target=target)
        return SpnegoInitiator([(NTLM, inner)])

    return Security(made, level)


async def logged_on(host: WmiHost, level: int = AuthLevel.PRIVACY) -> Proxy:
    """ServerAlive2, activation, the exporter, log-on: IWbemServices."""
    resolver = Address(SERVER, RESOLVER_PORT)
    assert addresses_of((await server_alive2(resolver)).bindings)[1] == resolver
    channel = await Channel.open(resolver, guids.IRemoteSCMActivator, spnego(level), target=f"RPCSS/{SERVER}")
    asked = activation.activation_in(
        [
            InstantiationInfo(wmi.CLSID_WbemLevel1Login, (wmi.IWbemLevel1Login.uuid,)),
            LocationInfo(),
            ScmRequestInfo(ScmRequest()),
        ]
    )
    answer = await channel.invoke(
        guids.IRemoteSCMActivator, None, activation.REMOTE_CREATE_INSTANCE, activation.CreateInstance(asked)
    )
    await channel.close()
    out = activation.properties_out(answer.properties)
    (reference,) = activation.find(out, PropsOutInfo).interfaces or ()
    reply = activation.find(out, ScmReplyInfo).reply
    assert reply is not None
    place = addresses_of(reply.bindings, None)[1]
    assert place == Address(SERVER, EXPORTER_PORT)
    channel = await Channel.open(place, wmi.IWbemLevel1Login, spnego(level), target=f"host/{SERVER}")
    exporter = RemoteExporter(channel, reply.oxid, reply.rem_unknown)
    first = exporter.adopt(reference, wmi.IWbemLevel1Login)
    await (await first.query(wmi.IWbemLoginClientID)).call(
        login.SET_CLIENT_INFO, login.SetClientInfo("client", 42)
    )
    assert (await first.call(login.ESTABLISH_POSITION, login.EstablishPosition())).version == 1
    found = await first.call(login.NTLM_LOGIN, login.NtlmLogin("//./root/cimv2", "en-us"))
    return exporter.adopt(found.services, wmi.IWbemServices)


async def started(proxy: Proxy, text: str, sink: bytes | None = None) -> Any:
    method = services.method_of(ExecQuery(text), asynchronous=sink is not None)
    return await proxy.call(method, services.inputs_of(ExecQuery(text), 0, sink=sink))


WITHOUT = (*PRIVACY_FIRST, AuthLevel.NONE)
Work = Callable[[NetworkLoop, WmiHost], Awaitable[Any]]


def with_host(work: Work, **options: Any) -> None:
    async def run(loop: NetworkLoop) -> None:
        host = await WmiHost(loop, **options).open()
        try:
            await work(loop, host)
        finally:
            host.close()

    on_network(run)


@pytest.mark.parametrize("level", [AuthLevel.INTEGRITY, AuthLevel.PRIVACY])
def test_from_the_resolver_to_the_rows(level: int) -> None:
    """wire.md 1.4; [MS-WMI] 4.1 and 4.2: log-on, a query, IWbemFetchSmartEnum, pages, and all given back."""

    async def work(loop: NetworkLoop, host: WmiHost) -> None:
        host.found = None
        proxy = await logged_on(host, level)
        answer = await started(proxy, "SELECT * FROM Win32_Process")
        enumerator = proxy.exporter.adopt(answer.enumerator, wmi.IEnumWbemClassObject)
        fetch = await enumerator.query(wmi.IWbemFetchSmartEnum)
        smart = await fetch.call(enumerators.GET_SMART_ENUM, enumerators.Nothing())
        pages = proxy.exporter.adopt(smart.enumerator, wmi.IWbemWCOSmartEnum)
        decoder, seen = ArrayDecoder(), []
        while True:
            page = await pages.call(enumerators.SMART_NEXT, enumerators.SmartNext(UUID(int=7), -1, 2))
            seen += decoder.decode(page.packet) if page.packet else []
            if page.result:
                break
        assert [one.as_dict_() for one in seen] == [one.as_dict_() for one in processes(5)]
        await proxy.exporter.close()
        assert host.held == {}
        assert {station.rpc.securities[1].sign_head for station in host.stations if station.established} == {
            True
        }
        assert all(
            context.context.auth_type == AuthType.SPNEGO
            for station in host.stations
            for context in station.rpc.securities.values()
        )
        assert host.log[0] == "ServerAlive2 at 1"
        assert all(line.endswith(f"at {level}") for line in host.log[1:])
        assert loop.dialled == [(SERVER, 135), (SERVER, 135), (SERVER, EXPORTER_PORT)]

    with_host(work)


def test_irem_unknown2_gives_whole_references() -> None:
    """[MS-DCOM] 3.1.1.5.7.1.1: RemQueryInterface2 answers with OBJREFs, which one adopts like any other."""

    async def work(loop: NetworkLoop, host: WmiHost) -> None:
        proxy = await logged_on(host)
        answer = await started(proxy, "SELECT * FROM Win32_Process")
        enumerator = proxy.exporter.adopt(answer.enumerator, wmi.IEnumWbemClassObject)
        asked = remunknown.QueryInterface2(
            enumerator.ipid, (wmi.IWbemFetchSmartEnum.uuid, wmi.IWbemCallResult.uuid)
        )
        found = await proxy.exporter.channel.invoke(
            guids.IRemUnknown2, proxy.exporter.rem_unknown, remunknown.REM_QUERY_INTERFACE2, asked
        )
        assert (list(found.results), found.interfaces[1], found.result) == ([0, 0x80004002], None, 1)
        fetch = proxy.exporter.adopt(found.interfaces[0], wmi.IWbemFetchSmartEnum)
        assert fetch.oid == enumerator.oid
        assert (await fetch.call(enumerators.GET_SMART_ENUM, enumerators.Nothing())).result == 0
        await proxy.exporter.close()

    with_host(work)


class Sink:
    """IWbemObjectSink of the client's: takes calls at `floor` or above from `caller`."""

    def __init__(self, floor: int, caller: str | None = "ada") -> None:
        self.floor = floor
        self.caller = caller
        self.calls: list[str] = []
        self.objects: list[Any] = []
        self.releases = 0

    def released(self) -> None:
        self.releases += 1

    def _judge(self, incoming: Any) -> None:
        if incoming.level < self.floor or incoming.identity != self.caller:
            raise Fault(ACCESS_DENIED)

    def indicate(self, incoming: Any, asked: results.Indicate) -> login.Result:
        self._judge(incoming)
        self.calls.append(f"Indicate at {incoming.level}")
        self.objects += [object_in(one) for one in asked.objects]
        return login.Result()

    def set_status(self, incoming: Any, asked: results.SetStatus) -> login.Result:
        self._judge(incoming)
        self.calls.append(f"SetStatus {asked.status:X} at {incoming.level}")
        return login.Result()

    interfaces: ClassVar[Any] = {
        wmi.IWbemObjectSink.uuid: interface((results.INDICATE, indicate), (results.SET_STATUS, set_status))
    }


def accept(auth_type: int, level: int, association: object) -> Any:
    inner = Acceptor(accounts, NAMES, b"fedcba98", filetime=NOW)
    return (
        SpnegoAcceptor(lambda name: inner if name == NTLM else None)
        if auth_type == AuthType.SPNEGO
        else inner
    )


class Exports:
    """The client's exporter and its listener, on a port."""

    def __init__(self, loop: NetworkLoop, *, level: int = AuthLevel.INTEGRITY) -> None:
        self.exporter = Exporter((wmi.IWbemObjectSink.uuid,), Addresses(), level=level, clock=loop.time)
        self.listener = Listener(self.exporter, accept, clock=loop.time)

    async def open(self, port: int) -> Exports:
        self.address = await self.listener.listen(CLIENT, port)
        return self

    def export(self, sink: Sink) -> bytes:
        return self.exporter.export(
            sink,
            wmi.IWbemObjectSink.uuid,
            user=ANYONE,
            local=self.address,
            refs=5,
            flags=SORF_NOPING,
        )


@pytest.mark.parametrize("port", [135, 0], ids=["on 135", "on one port of its own"])
def test_a_sink_is_called_back_at_privacy_and_released(port: int) -> None:
    """wire.md 6.1: ServerAlive2 without security, ResolveOxid2, Indicate, SetStatus, RemRelease of all references."""

    async def work(loop: NetworkLoop, host: WmiHost) -> None:
        exports, sink = await Exports(loop).open(port), Sink(AuthLevel.INTEGRITY)
        host.batch = 2
        proxy = await logged_on(host)
        assert (await started(proxy, "SELECT * FROM Win32_Process", exports.export(sink))).result == 0
        await host.deliveries[0].task
        assert sink.calls == ["Indicate at 6"] * 3 + ["SetStatus 0 at 6"]
        assert [one.as_dict_() for one in sink.objects] == [one.as_dict_() for one in processes(5)]
        assert (sink.releases, len(exports.exporter)) == (1, 0)
        await proxy.exporter.close()
        await exports.listener.close()

    with_host(work)


@pytest.mark.req("calls:E10")
@pytest.mark.parametrize(
    ("sink", "user", "levels", "tried", "heard"),
    [
        (Sink(AuthLevel.INTEGRITY), "ada", PRIVACY_FIRST, [6], 6),
        (Sink(AuthLevel.INTEGRITY), "mallory", PRIVACY_FIRST, [6, 5, 4, 2], None),
        (Sink(AuthLevel.INTEGRITY), "mallory", WITHOUT, [6, 5, 4, 2, 1], None),
        (Sink(AuthLevel.NONE, None), "mallory", WITHOUT, [6, 5, 4, 2, 1], 1),
    ],
    ids=["who we logged on as", "somebody else", "then nobody, refused", "then nobody, allowed"],
)
def test_callbacks_step_down_to_the_floor(
    sink: Sink, user: str, levels: tuple[int, ...], tried: list[int], heard: int | None
) -> None:
    """calls.md E10: refused, Windows comes one level lower each time; the client's floor does not give way (E13)."""

    async def work(loop: NetworkLoop, host: WmiHost) -> None:
        exports = await Exports(loop, level=AuthLevel.NONE).open(135)
        host.callback_as = as_user(user, PASSWORD)
        host.callback_levels = levels
        proxy = await logged_on(host)
        await started(proxy, "SELECT * FROM Win32_Process", exports.export(sink))
        (delivery,) = host.deliveries
        await delivery.task
        assert delivery.sink.tried == tried
        assert delivery.sink.level == heard
        assert (delivery.failure is None) == bool(sink.calls) == (heard is not None)
        await proxy.exporter.close()
        await exports.listener.close()

    with_host(work)


def test_a_resolver_tells_nobody_where_it_is_who_cannot_log_on() -> None:
    """KB5004442 (wire.md 4.6): below integrity a resolver answers signs of life and nothing else."""

    async def work(loop: NetworkLoop, host: WmiHost) -> None:
        exports, sink = await Exports(loop).open(135), Sink(AuthLevel.INTEGRITY)
        host.callback_as, host.callback_levels = as_user("mallory", PASSWORD), WITHOUT
        proxy = await logged_on(host)
        await started(proxy, "SELECT * FROM Win32_Process", exports.export(sink))
        (delivery,) = host.deliveries
        await delivery.task
        assert delivery.failure is not None
        assert (delivery.failure.status, delivery.sink.tried, sink.calls) == (ACCESS_DENIED, [], [])
        await proxy.exporter.close()
        await exports.listener.close()

    with_host(work)


def test_what_is_gone_says_so() -> None:
    async def work(loop: NetworkLoop, host: WmiHost) -> None:
        proxy = await logged_on(host)
        host.refs.clear()
        with pytest.raises(WbemError) as caught:
            await started(proxy, "SELECT * FROM Win32_Process")
        assert caught.value.code == codes.RPC_E_DISCONNECTED
        await proxy.exporter.close()

    with_host(work)
