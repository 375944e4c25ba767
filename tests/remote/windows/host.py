"""A host that speaks as [MS-DCOM] 4 and [MS-WMI] 4 show it: resolver on 135, exporter on a port of its own, SPNEGO,
IRemUnknown2, objects with counted references. Written against `wire` alone, so that it shares nothing with `remote`.

Everything it does can be spoiled: `hooks` by method, `mangle` for PDUs, `accepting` for handshakes.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from tests.remote.memory import NAMES, NOW, accounts
from tests.remote.network import SERVER, NetworkLoop

from openwmi.wire.dcom import activation, exporter, guids, objref, remunknown
from openwmi.wire.dcom.bindings import OFFERED, DualStringArray, tcp
from openwmi.wire.dcom.method import Method, ObjectMethod
from openwmi.wire.dcom.properties import InstantiationInfo, PropsOutInfo, ScmReply, ScmReplyInfo
from openwmi.wire.errors import ACCESS_DENIED, OPNUM_OUT_OF_RANGE, RPC_E_DISCONNECTED
from openwmi.wire.ntlm import Acceptor
from openwmi.wire.rpc import AssociationGroups, AuthType, ServerConnection, SyntaxId, events
from openwmi.wire.rpc.security import SecurityContext
from openwmi.wire.spnego import NTLM, SpnegoAcceptor

E_NOINTERFACE = 0x80004002
RESOLVER_PORT, EXPORTER_PORT = 135, 49154
REFERENCES = 5  # what Windows hands out with every pointer

Answer = bytes | int | None
Handler = Callable[[Any, "Called"], Any]
Table = Mapping[int, tuple[ObjectMethod[Any, Any], Handler]]


class Called(NamedTuple):
    """A call that came in: through which connection, the request, its parameters, the method."""

    station: Station
    request: events.RequestReceived
    method: Method[Any, Any] | ObjectMethod[Any, Any]
    inputs: Any


Hook = Callable[[Called, Callable[[], Any]], Any]


class Station(asyncio.Protocol):
    """One connection that a client has opened."""

    def __init__(self, host: Host, port: int) -> None:
        self.host = host
        self.port = port
        self.rpc = ServerConnection(
            host.serves, host.accepting, groups=host.groups, address=str(port), limits=host.limits
        )
        self.transport: Any = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.established: list[events.Established] = []
        self.twist: Callable[[bytes], list[bytes]] | None = None  # of the answers to calls, from now on
        self.heard: list[events.Event] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.host.stations.append(self)
        if self.host.greeting is not None:
            self.host.greeting(self)

    def data_received(self, data: bytes) -> None:
        for event in self.rpc.receive(data):
            self.heard.append(event)
            if isinstance(event, events.Established):
                self.established.append(event)
            elif isinstance(event, events.RequestReceived):
                self._requested(event)
        self.flush()

    def _requested(self, request: events.RequestReceived) -> None:
        answer = self.host.answer(self, request)
        if inspect.isawaitable(answer):
            task = asyncio.get_running_loop().create_task(self._later(request, answer))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        else:
            self.give(request, answer)

    async def _later(self, request: events.RequestReceived, answer: Awaitable[Answer]) -> None:
        self.give(request, await answer)
        self.flush()

    def give(self, request: events.RequestReceived, answer: Answer) -> None:
        """Answer with a stub or with a fault; None: not at all."""
        if isinstance(answer, int):
            self.rpc.fault(request.call_id, answer, executed=answer != ACCESS_DENIED)
        elif answer is not None:
            self.rpc.respond(request.call_id, answer)

    def flush(self) -> None:
        """Send PDU by PDU, as the host's mangling wants them."""
        data = self.rpc.take()
        while data and not self.transport.is_closing():
            size = int.from_bytes(data[8:10], "little")
            pdu, data = data[:size], data[size:]
            for piece in self.host.mangled(self, pdu):
                self.transport.write(piece)
        if self.rpc.closed:
            self.transport.close()

    def push(self, data: bytes) -> None:
        """Say something that no rule of the protocol asks for."""
        self.transport.write(data)

    def connection_lost(self, reason: Exception | None) -> None:
        self.rpc.close()
        for task in self.tasks:
            task.cancel()
        self.host.lost(self)


class Thing:
    """An exported object: tables of methods by IID. One interface pointer has one IPID."""

    interfaces: Mapping[UUID, Table] = {}
    flags = 0

    def __init__(self, host: Host) -> None:
        self.host = host
        self.oid = host.fresh()
        self.ipids: dict[UUID, UUID] = {}


class Host:
    """The machine. floor: the level below which nothing but signs of life is answered."""

    def __init__(self, loop: NetworkLoop, address: str = SERVER, *, floor: int = 5) -> None:
        self.loop = loop
        self.address = address
        self.floor = floor
        self.limits: Any = None
        self.groups = AssociationGroups()
        self.oxid = 0x9F0CB3A7A4B1C2D3
        self._last = 0x1000
        self.rem_unknown = self.ipid()
        self.things: dict[UUID, tuple[Thing, UUID]] = {}
        self.refs: Counter[UUID] = Counter()
        self.sets: dict[int, set[int]] = {}
        self.pings = 0
        self.stations: list[Station] = []
        self.log: list[str] = []
        self.ports: list[Any] = []
        self.classes: dict[UUID, Callable[[], Thing]] = {}
        # What a test may replace.
        self.hooks: dict[str, Hook] = {}
        self.mangle: Callable[[Station, bytes], list[bytes]] | None = None
        self.greeting: Callable[[Station], None] | None = None
        self.raw_ntlm = True
        self.hint = 5
        self.dropped: Callable[[Station], None] | None = None
        self.found: Any = None
        self.script: Any = None

    def heal(self) -> None:
        """Behave from now on."""
        self.hooks.clear()
        self.mangle = self.greeting = self.dropped = None
        self.found = self.script = None
        vars(self).pop("accepting", None)

    async def open(self) -> Host:
        for port in (RESOLVER_PORT, EXPORTER_PORT):
            made = await self.loop.create_server(lambda port=port: Station(self, port), self.address, port)
            self.ports.append(made)
        return self

    def close(self) -> None:
        for port in self.ports:
            port.close()
        for station in self.stations:
            if not station.transport.is_closing():
                station.transport.abort()

    # Numbers

    def fresh(self) -> int:
        self._last += 1
        return self._last

    def ipid(self) -> UUID:
        return UUID(int=0xB0B0 << 112 | self.fresh())

    # Handshakes

    def serves(self, interface: SyntaxId) -> bool:
        return True

    def accepting(self, auth_type: int, level: int) -> SecurityContext | None:
        """SPNEGO with NTLM inside, as a workgroup has it; bare NTLM where that is allowed."""
        if auth_type == AuthType.SPNEGO:
            return SpnegoAcceptor(lambda name: self.ntlm() if name == NTLM else None)
        return self.ntlm() if auth_type == AuthType.NTLM and self.raw_ntlm else None

    def ntlm(self) -> Acceptor:
        return Acceptor(accounts, NAMES, b"fedcba98", filetime=NOW)

    # Bytes

    def mangled(self, station: Station, pdu: bytes) -> list[bytes]:
        if self.mangle is not None:
            return self.mangle(station, pdu)
        return [pdu] if station.twist is None else station.twist(pdu)

    # References

    def std(self, thing: Thing, iid: UUID) -> objref.StdObjRef:
        """One more pointer to an interface, with the references that come with it."""
        found = thing.ipids.get(iid)
        if found is None:
            found = thing.ipids[iid] = self.ipid()
        self.things[found] = (thing, iid)
        self.refs[found] += REFERENCES
        return objref.StdObjRef(thing.flags, REFERENCES, self.oxid, thing.oid, found)

    def reference(self, thing: Thing, iid: UUID) -> bytes:
        return objref.Standard(iid, self.std(thing, iid), self.resolver_bindings()).encode()

    def resolver_bindings(self) -> DualStringArray:
        """Windows names its machine first, then its addresses, without a port ([MS-DCOM] 4.1)."""
        return DualStringArray((tcp("win-host"), tcp(self.address)), OFFERED)

    def exporter_bindings(self) -> DualStringArray:
        strings = (tcp("win-host", EXPORTER_PORT), tcp(self.address, EXPORTER_PORT))
        return DualStringArray(strings, OFFERED)

    @property
    def held(self) -> dict[UUID, int]:
        """What the client has not given back."""
        return {ipid: refs for ipid, refs in self.refs.items() if refs > 0}

    def lost(self, station: Station) -> None:
        if self.dropped is not None:
            self.dropped(station)

    # Calls

    def answer(self, station: Station, request: events.RequestReceived) -> Any:
        found = self._found(request)
        if isinstance(found, int):
            return found
        method, handler, target = found
        unchecked = request.interface == guids.IObjectExporter and request.opnum in (1, 3, 5)
        self.log.append(f"{method.name} at {request.level}")
        if request.level < self.floor and not unchecked:
            return ACCESS_DENIED
        decoded: Any = method.called(request.stub)
        inputs = decoded[1] if isinstance(method, ObjectMethod) else decoded
        called = Called(station, request, method, inputs)

        def honest() -> Any:
            outputs = handler(target, called)
            if inspect.isawaitable(outputs):
                return _stubbed(method, outputs)
            return outputs if isinstance(outputs, int) else method.answer(outputs)

        hook = self.hooks.get(method.name)
        return honest() if hook is None else hook(called, honest)

    def _found(self, request: events.RequestReceived) -> Any:
        """(method, handler, its target), or the status of a fault."""
        if request.interface == guids.IObjectExporter:
            table, target = _RESOLVER, self
        elif request.interface in (guids.IRemoteSCMActivator, guids.IActivation):
            table, target = _ACTIVATOR, self
        elif request.object == self.rem_unknown:
            table, target = _REM_UNKNOWN, self
        elif request.object in self.things and self.refs[request.object] > 0:
            thing, iid = self.things[request.object]
            table, target = thing.interfaces[iid], thing
        else:
            return RPC_E_DISCONNECTED
        row = table.get(request.opnum)
        return OPNUM_OUT_OF_RANGE if row is None else (*row, target)

    # IObjectExporter

    def _alive(self, called: Called) -> Any:
        return exporter.Status()

    def _alive2(self, called: Called) -> Any:
        return exporter.ServerAlive2Answer(self.resolver_bindings())

    def _resolve2(self, called: Called) -> Any:
        if called.inputs.oxid != self.oxid:
            unknown = exporter.OR_INVALID_OXID
            return exporter.ResolveOxid2Answer(None, guids.GUID_NULL, 0, status=unknown)
        return exporter.ResolveOxid2Answer(self.exporter_bindings(), self.rem_unknown, self.hint)

    def _simple_ping(self, called: Called) -> Any:
        self.pings += 1
        known = called.inputs.set_id in self.sets
        return exporter.Status(0 if known else exporter.OR_INVALID_SET)

    def _complex_ping(self, called: Called) -> Any:
        self.pings += 1
        number = called.inputs.set_id or self.fresh()
        members = self.sets.setdefault(number, set())
        members |= set(called.inputs.added or ())
        members -= set(called.inputs.deleted or ())
        return exporter.ComplexPingAnswer(number)

    # Activation

    def _create(self, called: Called) -> Any:
        asked = activation.find(activation.properties_in(called.inputs.properties), InstantiationInfo)
        made = self.classes.get(asked.class_id)
        if made is None:
            return activation.ActivationAnswer(None, activation.REGDB_E_CLASSNOTREG)
        thing = made()
        iids = tuple(asked.iids or ())
        known = [iid in thing.interfaces for iid in iids]
        results = tuple(0 if here else E_NOINTERFACE for here in known)
        references = tuple(
            self.reference(thing, iid) if here else None for iid, here in zip(iids, known, strict=True)
        )
        reply = ScmReply(self.oxid, self.exporter_bindings(), self.rem_unknown, self.hint)
        properties = [PropsOutInfo(iids, results, references), ScmReplyInfo(reply)]
        return activation.ActivationAnswer(activation.activation_out(properties))

    # IRemUnknown, IRemUnknown2

    def _interface(self, ipid: UUID, iid: UUID) -> tuple[int, objref.StdObjRef | None]:
        if ipid not in self.things or self.refs[ipid] <= 0:
            return RPC_E_DISCONNECTED, None
        thing = self.things[ipid][0]
        return (0, self.std(thing, iid)) if iid in thing.interfaces else (E_NOINTERFACE, None)

    def _query(self, called: Called) -> Any:
        found = [self._interface(called.inputs.ipid, iid) for iid in called.inputs.iids]
        nothing = objref.StdObjRef(0, 0, 0, 0, guids.GUID_NULL)
        results = [remunknown.QueryInterfaceResult(code, std or nothing) for code, std in found]
        return remunknown.QueryInterfaceAnswer(results, _summary([code for code, _ in found]))

    def _query2(self, called: Called) -> Any:
        found = [self._interface(called.inputs.ipid, iid) for iid in called.inputs.iids]
        references = [
            None if std is None else objref.Standard(iid, std, self.resolver_bindings()).encode()
            for iid, (_, std) in zip(called.inputs.iids, found, strict=True)
        ]
        codes = [code for code, _ in found]
        return remunknown.QueryInterface2Answer(codes, references, _summary(codes))

    def _add_ref(self, called: Called) -> Any:
        known = [ref.ipid in self.things and self.refs[ref.ipid] > 0 for ref in called.inputs.refs]
        for ref, here in zip(called.inputs.refs, known, strict=True):
            self.refs[ref.ipid] += ref.public_refs if here else 0
        codes = [0 if here else RPC_E_DISCONNECTED for here in known]
        return remunknown.AddRefAnswer(codes, max(codes))

    def _release(self, called: Called) -> Any:
        for ref in called.inputs.refs:
            self.refs[ref.ipid] -= ref.public_refs
        return remunknown.ReleaseAnswer(0)


async def _stubbed(method: Any, outputs: Awaitable[Any]) -> Answer:
    found = await outputs
    return found if isinstance(found, int) else method.answer(found)  # type: ignore[no-any-return]


def _summary(codes: list[int]) -> int:
    return 0 if not any(codes) else 1 if 0 in codes else E_NOINTERFACE


def table(*rows: tuple[Any, Handler]) -> dict[int, tuple[Any, Handler]]:
    return {method.opnum: (method, handler) for method, handler in rows}


_RESOLVER = table(
    (exporter.SIMPLE_PING, Host._simple_ping),
    (exporter.COMPLEX_PING, Host._complex_ping),
    (exporter.SERVER_ALIVE, Host._alive),
    (exporter.RESOLVE_OXID2, Host._resolve2),
    (exporter.SERVER_ALIVE2, Host._alive2),
)
_ACTIVATOR = table((activation.REMOTE_CREATE_INSTANCE, Host._create))
_REM_UNKNOWN = table(
    (remunknown.REM_QUERY_INTERFACE, Host._query),
    (remunknown.REM_ADD_REF, Host._add_ref),
    (remunknown.REM_RELEASE, Host._release),
    (remunknown.REM_QUERY_INTERFACE2, Host._query2),
)
