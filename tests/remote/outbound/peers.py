"""A scripted peer with objects: a resolver, an exporter, IRemUnknown, counted references. For tests of the way out."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.remote.memory import PASSWORD, MemoryNetwork, ScriptedServer

from openwmi.remote.outbound.network import Network, Security
from openwmi.remote.places import Address
from openwmi.wire.dcom import exporter as resolver
from openwmi.wire.dcom import objref, remunknown
from openwmi.wire.dcom.bindings import OFFERED, DualStringArray, tcp
from openwmi.wire.dcom.guids import IObjectExporter
from openwmi.wire.dcom.method import ObjectMethod
from openwmi.wire.errors import ACCESS_DENIED, RPC_E_DISCONNECTED
from openwmi.wire.ndr import UINT32, Parameters
from openwmi.wire.ntlm import Credential, Initiator
from openwmi.wire.rpc import AuthLevel, SyntaxId, events

HOST = "10.0.0.2"
RESOLVER = Address(HOST, 135)
EXPORTER = Address(HOST, 49152)
OXID, OID = 0x1111, 0x2222
REM_UNKNOWN = UUID("aaaaaaaa-0000-0000-0000-000000000001")
IPID = UUID("aaaaaaaa-0000-0000-0000-000000000002")
OTHER_IPID = UUID("aaaaaaaa-0000-0000-0000-000000000003")
THING = SyntaxId(UUID("11111111-0000-0000-0000-000000000001"))
OTHER = SyntaxId(UUID("11111111-0000-0000-0000-000000000002"))
MISSING = SyntaxId(UUID("11111111-0000-0000-0000-000000000003"))


class Number:
    def __init__(self, number: int) -> None:
        self.number = number


_NUMBER = Parameters(Number, "a test", number=UINT32)
DOUBLE: ObjectMethod[Number, Number] = ObjectMethod("Double", 3, _NUMBER, _NUMBER)


def security(level: int = AuthLevel.PRIVACY, password: str = PASSWORD) -> Security:
    return Security(
        lambda target: Initiator(Credential("ada", password=password), bytes(24), filetime=1, target=target),
        level,
    )


class Peer:
    """One host with one object. floor: the level below which calls of objects are refused."""

    def __init__(
        self,
        *,
        resolver_binding: str = HOST,
        exporter_bindings: tuple[str, ...] = (f"{HOST}[49152]",),
        floor: int = AuthLevel.INTEGRITY,
    ) -> None:
        self.memory = MemoryNetwork()
        self.network = Network(self.memory.dial)
        self.resolver_binding = resolver_binding
        self.exporter_bindings = exporter_bindings
        self.floor = floor
        self.refs: dict[UUID, int] = {IPID: 5, OTHER_IPID: 0}
        self.sets: list[Any] = []
        self.known_set = 0
        self.calls: list[str] = []
        self.servers: list[ScriptedServer] = []
        for address in (RESOLVER, EXPORTER):
            self.memory.listen(address, self._serve)

    def _serve(self) -> ScriptedServer:
        self.servers.append(ScriptedServer(self.handle))
        return self.servers[-1]

    def reference(self, flags: int = 0, refs: int = 5) -> bytes:
        std = objref.StdObjRef(flags, refs, OXID, OID, IPID)
        return objref.Standard(
            THING.uuid, std, DualStringArray((tcp(self.resolver_binding),), OFFERED)
        ).encode()

    def handle(self, server: ScriptedServer, request: events.RequestReceived) -> bytes | int:
        if request.interface == IObjectExporter:
            return self._resolve(request)
        if request.level < self.floor:
            return ACCESS_DENIED
        if request.object == REM_UNKNOWN:
            return self._unknown(request)
        if request.object in self.refs and self.refs[request.object] > 0 and request.opnum == DOUBLE.opnum:
            self.calls.append(f"Double at {request.level}")
            return DOUBLE.answer(Number(2 * DOUBLE.called(request.stub)[1].number))
        return RPC_E_DISCONNECTED

    def _resolve(self, request: events.RequestReceived) -> bytes | int:
        method = next(method for method in resolver.METHODS if method.opnum == request.opnum)
        self.calls.append(method.name)
        if method is resolver.SERVER_ALIVE2:
            return resolver.SERVER_ALIVE2.answer(resolver.ServerAlive2Answer(DualStringArray((tcp(HOST),))))
        if method is resolver.RESOLVE_OXID2:
            if request.level < self.floor:
                return ACCESS_DENIED
            asked = resolver.RESOLVE_OXID2.called(request.stub)
            bindings = DualStringArray(tuple(tcp(text) for text in self.exporter_bindings), OFFERED)
            status = 0 if asked.oxid == OXID else resolver.OR_INVALID_OXID
            return resolver.RESOLVE_OXID2.answer(
                resolver.ResolveOxid2Answer(bindings, REM_UNKNOWN, self.floor, status=status)
            )
        return self._ping(request)

    def _ping(self, request: events.RequestReceived) -> bytes:
        if request.opnum == resolver.SIMPLE_PING.opnum:
            asked = resolver.SIMPLE_PING.called(request.stub)
            self.sets.append(asked)
            known = asked.set_id == self.known_set
            return resolver.SIMPLE_PING.answer(resolver.Status(0 if known else resolver.OR_INVALID_SET))
        changed = resolver.COMPLEX_PING.called(request.stub)
        self.sets.append(changed)
        self.known_set = changed.set_id or self.known_set + 7
        return resolver.COMPLEX_PING.answer(resolver.ComplexPingAnswer(self.known_set))

    def _unknown(self, request: events.RequestReceived) -> bytes:
        method = next(method for method in remunknown.METHODS if method.opnum == request.opnum)
        self.calls.append(f"{method.name} at {request.level}")
        if method is remunknown.REM_QUERY_INTERFACE:
            asked = remunknown.REM_QUERY_INTERFACE.called(request.stub)[1]
            found = asked.iids[0] == OTHER.uuid
            self.refs[OTHER_IPID] += asked.refs if found else 0
            std = objref.StdObjRef(0, asked.refs, OXID, OID, OTHER_IPID)
            result = remunknown.QueryInterfaceResult(0 if found else 0x80004002, std)
            return remunknown.REM_QUERY_INTERFACE.answer(
                remunknown.QueryInterfaceAnswer((result,), 0 if found else 0x80004002)
            )
        refs = remunknown.REM_ADD_REF.called(request.stub)[1].refs
        known = tuple(0 if self.refs.get(ref.ipid) else 0x80070057 for ref in refs)
        sign = 1 if method is remunknown.REM_ADD_REF else -1
        for ref in refs:
            self.refs[ref.ipid] = self.refs.get(ref.ipid, 0) + sign * ref.public_refs
        if sign < 0:
            return remunknown.REM_RELEASE.answer(remunknown.ReleaseAnswer(0))
        return remunknown.REM_ADD_REF.answer(remunknown.AddRefAnswer(known, max(known)))
