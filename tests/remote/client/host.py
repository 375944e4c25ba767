"""A host that serves WMI from a script: honest by itself, and as dishonest as a test wants it.

It is made of the stubs of `wire.wmi` on an exporter in memory, and of no service: it answers what the test says.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, ClassVar
from uuid import UUID

from tests.remote.memory import NAMES, NOW, PASSWORD, MemoryNetwork

from openwmi.contract.operations import (
    ExecMethod,
    ExecNotificationQuery,
    GetObject,
    described,
)
from openwmi.model.classes import derive
from openwmi.model.errors import WbemError, error
from openwmi.model.instances import Instance
from openwmi.model.status import E_NOTIMPL, WBEM_E_NOT_FOUND, WBEM_S_FALSE, WBEM_S_TIMEDOUT
from openwmi.mof import class_declarations
from openwmi.remote.client import Credentials, Settings, connect
from openwmi.remote.client.services import RemoteServices
from openwmi.remote.inbound import (
    Addresses,
    Association,
    Exporter,
    Incoming,
    Listener,
    ListenerLimits,
    interface,
)
from openwmi.remote.outbound.network import Deadlines, Network, Security
from openwmi.remote.outbound.references import Proxy
from openwmi.remote.outbound.resolving import reach
from openwmi.remote.places import Address
from openwmi.wire.dcom import activation, guids
from openwmi.wire.dcom.properties import InstantiationInfo, PropsOutInfo, ScmReply, ScmReplyInfo
from openwmi.wire.ntlm import Acceptor, Credential, Initiator, nt_hash
from openwmi.wire.rpc import AuthType, events
from openwmi.wire.wmi import enumerators as e
from openwmi.wire.wmi import guids as g
from openwmi.wire.wmi import login as lg
from openwmi.wire.wmi import results as r
from openwmi.wire.wmi import services as s
from openwmi.wire.wmi.types import EMPTY, reference_to
from openwmi.wmio.arrays import ArrayEncoder

HOST = "10.0.0.2"
RESOLVER = Address(HOST, 135)
EXPORTER = Address(HOST, 49152)
USER = "ada"
THING = "class Thing { [key] uint32 N; string S; };"
METHOD = """class Doer { [key] uint32 N;
    [static, implemented] uint32 Add([in, id(0)] sint32 A, [in, id(1)] sint32 B, [out, id(2)] sint32 Sum);
    [static, implemented] uint32 Ping(); };"""


def class_named(text: str) -> Any:
    """The class that a MOF text declares."""
    (declaration,) = class_declarations(text)
    return derive(declaration, None)


class Host:
    """rows: what queries give; events: what subscriptions give, once they are put there; calls: names of the methods
    called. meddle: (method's name, request, honest answer) -> the answer, None for none; see `Meddler`."""

    def __init__(
        self,
        rows: Iterable[Instance] = (),
        *,
        one_port: bool = False,
        limits: ListenerLimits | None = None,
    ) -> None:
        self.rows: list[Any] = list(rows)
        self.events: list[Instance] = []
        self.calls: list[str] = []
        self.smart = True
        self.finds_back = True
        self.login: type[Login] = Login
        self.knows_locales = True
        self.locales: list[str | None] = []
        self.one_port = one_port
        self.refuse: dict[str, int] = {}
        self.end_status = WBEM_S_FALSE
        self.more = asyncio.Event()
        self.meddle: Callable[[str, events.RequestReceived, Any], Any] | None = None
        self.sinks: list[SinkCall] = []
        self.push: Callable[[SinkCall], Awaitable[None]] | None = None
        self.objects: dict[str, Any] = {}
        self.method: Callable[[ExecMethod], Instance | None] = lambda operation: None
        self.network = MemoryNetwork()
        self.exporter = Exporter(
            [
                one.uuid
                for one in (
                    g.IWbemLevel1Login,
                    g.IWbemLoginClientID,
                    g.IWbemServices,
                    g.IEnumWbemClassObject,
                    g.IWbemFetchSmartEnum,
                    g.IWbemWCOSmartEnum,
                    g.IWbemCallResult,
                )
            ],
            Addresses(),
            activators={
                guids.IRemoteSCMActivator.uuid: (
                    interface((activation.REMOTE_CREATE_INSTANCE, Host.create_instance)),
                    self,
                )
            },
            clock=lambda: asyncio.get_running_loop().time(),
        )
        self.listener = Listener(
            Meddler(self), self._accept, limits=limits, clock=lambda: asyncio.get_running_loop().time()
        )
        for address in (RESOLVER,) if one_port else (RESOLVER, EXPORTER):
            self.network.listen(address, lambda: Association(self.listener))
        self.associations: list[Association] = []

    def _accept(self, auth_type: int, level: int, association: Association) -> Acceptor | None:
        def accounts(domain: str, user: str) -> tuple[str, bytes] | None:
            return (user, nt_hash(PASSWORD)) if user == USER else None

        return Acceptor(accounts, NAMES, os.urandom(8), filetime=NOW) if auth_type == AuthType.NTLM else None

    # The client's side

    def settings(self, **changes: Any) -> Settings:
        deadlines = changes.pop("deadlines", Deadlines())
        return Settings(network=Network(self.network.dial, deadlines), **changes)

    async def connect(self, password: str = PASSWORD, **changes: Any) -> RemoteServices:
        level = changes.pop("level", "privacy")
        return await connect(
            HOST,
            changes.pop("namespace", "root\\cimv2"),
            Credentials(USER, password, level=level),
            locale=changes.pop("locale", None),
            settings=self.settings(**changes),
        )

    # Activation and log-on

    def create_instance(self, incoming: Incoming, inputs: Any) -> activation.ActivationAnswer:
        self.calls.append("RemoteCreateInstance")
        asked = activation.find(activation.properties_in(inputs.properties), InstantiationInfo)
        login = self.login(self)
        iids = tuple(asked.iids or ())
        found = [
            self.exporter.answer(login, iid, incoming) if iid in login.interfaces else None for iid in iids
        ]
        local = incoming.association.local if self.one_port else EXPORTER
        bindings = self.exporter.addresses.exporter(local)  # type: ignore[arg-type]
        properties = activation.activation_out(
            [
                PropsOutInfo(iids, tuple(0 if one else 0x80004002 for one in found), tuple(found)),
                ScmReplyInfo(ScmReply(self.exporter.oxid, bindings, self.exporter.rem_unknown, 5)),
            ]
        )
        return activation.ActivationAnswer(properties)

    def check(self, name: str) -> None:
        self.calls.append(name)
        if name in self.refuse:
            raise error(self.refuse[name])

    async def sink(self, reference: bytes, password: str = PASSWORD, level: int = 6) -> Proxy:
        """The proxy for a client's sink, logged on to as the client itself."""

        def initiate(target: str) -> Initiator:
            return Initiator(Credential(USER, password=password), os.urandom(24), filetime=NOW, target=target)

        async def dial(factory: Any, address: Address) -> Any:
            return await self.network.dial_from(Address(HOST, 50000), factory, address)

        return await reach(
            reference,
            g.IWbemObjectSink,
            [Security(initiate, level)],
            allowed=lambda host: host == "10.0.0.1",
            network=Network(dial),
        )


class Meddler:
    """The exporter behind a test's hands: `Host.meddle` may change any answer's stub, or keep it back."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def serves(self, interface: Any, local: Any) -> bool:
        return self.host.exporter.serves(interface, local)

    def lost(self, association: Association) -> None:
        self.host.exporter.lost(association)

    def sweep(self, now: float) -> None:
        self.host.exporter.sweep(now)

    def called(self, association: Association, request: events.RequestReceived) -> Any:
        answer = self.host.exporter.called(association, request)
        if self.host.meddle is None:
            return answer
        return self._meddled(association, request, answer)

    async def _meddled(self, association: Association, request: events.RequestReceived, answer: Any) -> bytes:
        stub = await answer if isinstance(answer, Awaitable) else answer
        assert self.host.meddle is not None
        changed = self.host.meddle(NAMES_OF.get((request.interface.uuid, request.opnum), "?"), request, stub)
        if changed is None:
            await asyncio.Event().wait()
        return changed  # type: ignore[no-any-return]


class Part:
    """An exported object of the host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.is_released = False

    def released(self) -> None:
        self.is_released = True


class Login(Part):
    def client(self, incoming: Incoming, inputs: lg.SetClientInfo) -> lg.Result:
        self.host.check("SetClientInfo")
        return lg.Result()

    def establish(self, incoming: Incoming, inputs: lg.EstablishPosition) -> lg.EstablishPositionAnswer:
        self.host.check("EstablishPosition")
        return lg.EstablishPositionAnswer(*((1, 0) if self.host.knows_locales else (0, E_NOTIMPL)))

    def log_on(self, incoming: Incoming, inputs: lg.NtlmLogin) -> lg.LoginAnswer:
        self.host.check("NTLMLogin")
        self.host.locales.append(inputs.locale)
        services = self.host.exporter.answer(Services(self.host), g.IWbemServices.uuid, incoming)
        return lg.LoginAnswer(services)

    interfaces: ClassVar[Any] = {
        g.IWbemLevel1Login.uuid: interface((lg.ESTABLISH_POSITION, establish), (lg.NTLM_LOGIN, log_on)),
        g.IWbemLoginClientID.uuid: interface((lg.SET_CLIENT_INFO, client)),
    }


class SinkCall:
    """An asynchronous call as the host sees it: what was asked, and the client's sink."""

    def __init__(self, host: Host, operation: Any, flags: int, reference: bytes) -> None:
        self.host = host
        self.operation = operation
        self.flags = flags
        self.reference = reference
        self.cancelled = asyncio.Event()
        self.proxy: Proxy | None = None
        self.task: asyncio.Task[None] | None = None

    async def indicate(self, *objects: Any) -> int:
        assert self.proxy is not None
        answer = await self.proxy.call(r.INDICATE, r.Indicate(tuple(reference_to(one) for one in objects)))
        return answer.result

    async def status(
        self, status: int = 0, flags: int = 0, text: str | None = None, error: Any = None
    ) -> int:
        assert self.proxy is not None
        details = None if error is None else reference_to(error)
        answer = await self.proxy.call(r.SET_STATUS, r.SetStatus(flags, status, text, details))
        return answer.result

    async def honest(self) -> None:
        """Every row, then the end."""
        for start in range(0, len(self.host.rows), 100):
            if await self.indicate(*self.host.rows[start : start + 100]) & 0x80000000:
                break
        await self.status(0x80041032 if self.cancelled.is_set() else 0)

    async def run(self) -> None:
        try:
            await (self.honest() if self.host.push is None else self.host.push(self))
        except WbemError:
            pass
        finally:
            if self.proxy is not None:
                await self.proxy.close()


class Services(Part):
    def synchronous(self, opnum: int, incoming: Incoming, inputs: Any) -> Any:
        operation = s.operation_of(opnum, inputs)
        row = described(operation)
        self.host.check(row.method)
        holds = s.METHODS[opnum].response.members.holds
        if row.enumerator:
            events = isinstance(operation, ExecNotificationQuery)
            rows = self.host.events if events else list(self.host.rows)
            made = Enumerator(self.host, rows, endless=events)
            return holds(
                enumerator=self.host.exporter.answer(made, g.IEnumWbemClassObject.uuid, incoming), result=0
            )
        found = self._one(operation)
        values: dict[str, Any] = {"result": 0}
        if "found" in s.METHODS[opnum].response.members.names:
            values["found"] = None if inputs.found is None else reference_to(found) if found else EMPTY
        if inputs.call_result is None:
            values["call_result"] = None
        else:
            result = CallResult(self.host, found)
            values["call_result"] = self.host.exporter.answer(result, g.IWbemCallResult.uuid, incoming)
        return holds(**values)

    def _one(self, operation: Any) -> Any:
        if isinstance(operation, GetObject):
            found = self.host.objects.get((operation.path or "").lower())
            if found is None:
                raise error(WBEM_E_NOT_FOUND)
            return found
        return self.host.method(operation) if isinstance(operation, ExecMethod) else None

    async def asynchronous(self, opnum: int, incoming: Incoming, inputs: Any) -> Any:
        operation = s.operation_of(opnum, inputs)
        self.host.check(described(operation).method + "Async")
        if not self.host.finds_back:
            return s.METHODS[opnum].response.members.holds(result=0)
        call = SinkCall(self.host, operation, inputs.flags, inputs.sink)
        call.proxy = await self.host.sink(inputs.sink)
        self.host.sinks.append(call)
        call.task = asyncio.get_running_loop().create_task(call.run())
        return s.METHODS[opnum].response.members.holds(result=0)

    def cancel(self, incoming: Incoming, inputs: Any) -> Any:
        self.host.check("CancelAsyncCall")
        for call in self.host.sinks:
            call.cancelled.set()
        return s.CANCEL.response.members.holds(result=0)

    def open(self, incoming: Incoming, inputs: Any) -> Any:
        self.host.check("OpenNamespace")
        made = self.host.exporter.answer(Services(self.host), g.IWbemServices.uuid, incoming)
        return s.OPEN.response.members.holds(services=made, call_result=None, result=0)


def _handler(opnum: int) -> Any:
    if s.is_asynchronous(opnum):
        return lambda self, incoming, inputs: self.asynchronous(opnum, incoming, inputs)
    return lambda self, incoming, inputs: self.synchronous(opnum, incoming, inputs)


Services.interfaces = {  # type: ignore[attr-defined]
    g.IWbemServices.uuid: interface(
        (s.OPEN, Services.open),
        (s.CANCEL, Services.cancel),
        *[(method, _handler(opnum)) for opnum, method in s.METHODS.items() if opnum > 5],
    )
}


class Enumerator(Part):
    def __init__(self, host: Host, rows: list[Any], *, endless: bool = False) -> None:
        super().__init__(host)
        self.rows = rows
        self.at = 0
        self.endless = endless
        self.encoder = ArrayEncoder(lambda: os.urandom(16))

    async def take(self, timeout: int, count: int) -> tuple[list[Any], int]:
        found = self.rows[self.at : self.at + count]
        if self.endless and len(found) < count:
            self.host.more.clear()
            try:
                async with asyncio.timeout(timeout / 1000):
                    await self.host.more.wait()
            except TimeoutError:
                pass
            found = self.rows[self.at : self.at + count]
        self.at += len(found)
        if len(found) == count:
            return found, 0
        return found, WBEM_S_TIMEDOUT if self.endless else self.host.end_status

    async def plain_next(self, incoming: Incoming, inputs: e.Next) -> e.NextAnswer:
        self.host.check("Next")
        found, status = await self.take(inputs.timeout, inputs.count)
        return e.NextAnswer(tuple(reference_to(one) for one in found), status, inputs.count)

    async def smart_next(self, incoming: Incoming, inputs: e.SmartNext) -> e.SmartNextAnswer:
        self.host.check("SmartNext")
        found, status = await self.take(inputs.timeout, inputs.count)
        packet = self.encoder.encode(found) if found else None
        return e.SmartNextAnswer(len(found), packet, status)

    def smart(self, incoming: Incoming, inputs: e.Nothing) -> e.EnumeratorAnswer:
        self.host.check("GetSmartEnum")
        if not self.host.smart:
            raise error(0x80004002)
        return e.EnumeratorAnswer(self.host.exporter.answer(self, g.IWbemWCOSmartEnum.uuid, incoming))

    interfaces: ClassVar[Any] = {
        g.IEnumWbemClassObject.uuid: interface((e.NEXT, plain_next)),
        g.IWbemFetchSmartEnum.uuid: interface((e.GET_SMART_ENUM, smart)),
        g.IWbemWCOSmartEnum.uuid: interface((e.SMART_NEXT, smart_next)),
    }


class CallResult(Part):
    def __init__(self, host: Host, found: Any) -> None:
        super().__init__(host)
        self.found = found

    def status(self, incoming: Incoming, inputs: r.Timeout) -> r.CallStatus:
        self.host.check("GetCallStatus")
        return r.CallStatus(0)

    def result_object(self, incoming: Incoming, inputs: r.Timeout) -> r.ResultObject:
        self.host.check("GetResultObject")
        return r.ResultObject(None if self.found is None else reference_to(self.found))

    def string(self, incoming: Incoming, inputs: r.Timeout) -> r.ResultString:
        self.host.check("GetResultString")
        return r.ResultString("\\\\HOST\\root\\cimv2:Thing.N=1")

    interfaces: ClassVar[Any] = {
        g.IWbemCallResult.uuid: interface(
            (r.GET_RESULT_OBJECT, result_object), (r.GET_RESULT_STRING, string), (r.GET_CALL_STATUS, status)
        )
    }


def _names() -> dict[tuple[UUID, int], str]:
    found: dict[tuple[UUID, int], str] = {
        (guids.IRemoteSCMActivator.uuid, 4): "RemoteCreateInstance",
        (guids.IRemUnknown.uuid, 3): "RemQueryInterface",
        (guids.IRemUnknown.uuid, 5): "RemRelease",
        (g.IWbemWCOSmartEnum.uuid, 3): "SmartNext",
    }
    for kind in (Login, Services, Enumerator, CallResult):
        for iid, table in kind.interfaces.items():  # type: ignore[attr-defined]
            for opnum, (method, _) in table.items():
                found.setdefault((iid, opnum), method.name)
    return found


NAMES_OF = _names()
