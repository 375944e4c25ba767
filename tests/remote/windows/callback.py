"""The host as a client of sinks: resolver on 135, ResolveOxid2, the sink's exporter, from privacy downwards.

[MS-WMI] 3.1.1.1.3 and its notes 16, 17; [MS-DCOM] 3.2.4.1.2; calls.md E9, E10. Written against `wire` alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from tests.remote.memory import NOW
from tests.remote.network import NetworkLoop

from openwmi.wire.dcom import exporter, guids, objref, remunknown
from openwmi.wire.dcom.bindings import TOWER_TCP
from openwmi.wire.dcom.method import Method, ObjectMethod
from openwmi.wire.dcom.orpc import OrpcThis
from openwmi.wire.ntlm import Credential, Initiator
from openwmi.wire.rpc import AuthLevel, AuthType, ClientConnection, SyntaxId, events
from openwmi.wire.spnego import NTLM, SpnegoInitiator
from openwmi.wire.wmi import results
from openwmi.wire.wmi.guids import IWbemObjectSink

CALLED_BACK_WITHIN = 60.0
PING_PERIOD = 120.0
PRIVACY_FIRST = (AuthLevel.PRIVACY, AuthLevel.INTEGRITY, AuthLevel.PACKET, AuthLevel.CONNECT)
_CID = UUID("eeeeeeee-0000-4000-8000-000000000001")


class Gone(Exception):
    """The client's side of a connection ended, refused or faulted; status: of the fault, 0 for none."""

    def __init__(self, why: str, status: int = 0) -> None:
        super().__init__(why)
        self.status = status


class Line(asyncio.Protocol):
    """One connection to the client's machine."""

    def __init__(self) -> None:
        self.rpc = ClientConnection()
        self.transport: Any = None
        self.bound: asyncio.Future[events.Bound] = asyncio.get_running_loop().create_future()
        self.answers: dict[int, asyncio.Future[bytes]] = {}
        self.contexts: dict[SyntaxId, int] = {}

    @classmethod
    async def open(
        cls,
        loop: NetworkLoop,
        address: tuple[str, int],
        interfaces: Sequence[SyntaxId],
        context: Any,
        level: int,
    ) -> Line:
        try:
            _, line = await loop.create_connection(cls, *address)
        except OSError as reason:
            raise Gone(str(reason)) from reason
        assert isinstance(line, Line)
        line.contexts = {interface: number for number, interface in enumerate(interfaces)}
        line.rpc.bind(list(enumerate(interfaces)), context, level=level)
        line.flush()
        try:
            async with asyncio.timeout(CALLED_BACK_WITHIN):
                bound = await line.bound
        except TimeoutError:
            line.transport.abort()
            raise Gone("no answer to a bind") from None
        if 0 not in bound.accepted:
            line.close()
            raise Gone("the interface is not there")
        return line

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def flush(self) -> None:
        data = self.rpc.take()
        if data and self.transport is not None:
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        for event in self.rpc.receive(data):
            match event:
                case events.Bound():
                    if not self.bound.done():
                        self.bound.set_result(event)
                case events.Refused():
                    self._end(Gone(f"refused: {event.reason}", 5))
                case events.ResponseReceived():
                    self._settle(event.call_id, event.stub, None)
                case events.FaultReceived():
                    self._settle(event.call_id, b"", Gone(f"fault 0x{event.status:08X}", event.status))
                case events.Broken():
                    self._end(Gone(f"broken: {event.error}"))
                case _:
                    pass
        self.flush()

    def _settle(self, number: int, stub: bytes, wrong: Gone | None) -> None:
        waiting = self.answers.pop(number, None)
        if waiting is None or waiting.done():
            return
        if wrong is None:
            waiting.set_result(stub)
        else:
            waiting.set_exception(wrong)

    def _end(self, reason: Gone) -> None:
        if not self.bound.done():
            self.bound.set_exception(reason)
        waiting, self.answers = self.answers, {}
        for one in waiting.values():
            if not one.done():
                one.set_exception(reason)

    def connection_lost(self, reason: Exception | None) -> None:
        self.rpc.close()
        self._end(Gone("the connection is closed"))
        if self.bound.done() and not self.bound.cancelled():
            self.bound.exception()

    async def call(self, interface: SyntaxId, method: Any, inputs: Any, ipid: UUID | None = None) -> Any:
        if self.rpc.closed:
            raise Gone("the connection is closed")
        stub = method.call(inputs) if isinstance(method, Method) else method.call(inputs, OrpcThis(_CID))
        number = self.rpc.request(self.contexts[interface], method.opnum, stub, object_id=ipid)
        answer = self.answers[number] = asyncio.get_running_loop().create_future()
        self.flush()
        try:
            async with asyncio.timeout(CALLED_BACK_WITHIN):
                found = await answer
        except TimeoutError:
            raise Gone(f"no answer to {method.name}") from None
        decoded = method.answered(found)
        return decoded[1] if isinstance(method, ObjectMethod) else decoded

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()


def as_user(user: str, password: str) -> Any:
    """Callbacks under an account: a fresh context with NTLM, inside SPNEGO where the client offers that."""

    def made(target: str, *, negotiate: bool) -> Any:
        inner = Initiator(Credential(user, password=password), bytes(range(24)), filetime=NOW, target=target)
        return SpnegoInitiator([(NTLM, inner)]) if negotiate else inner

    return made


class SinkAbroad:
    """A sink of a client, as the host holds it. levels: tried in order; 1 stands for no authentication."""

    def __init__(
        self, loop: NetworkLoop, reference: bytes, initiate: Any, levels: Sequence[int] = PRIVACY_FIRST
    ) -> None:
        found = objref.standard(reference)
        self.loop = loop
        self.std = found.std
        self.bindings = found.bindings
        offered = {binding.service for binding in found.bindings.securities}
        self.initiate = lambda target: initiate(target, negotiate=AuthType.SPNEGO in offered)
        self.levels = list(levels)
        self.level: int | None = None
        self.refs = found.std.public_refs
        self.tried: list[int] = []
        self.line: Line | None = None
        self.rem_unknown = UUID(int=0)
        self._place: tuple[str, int] | None = None
        (first, *_) = [one for one in found.bindings.strings if one.tower == TOWER_TCP]
        self._resolver = (first.host, first.port or 135)
        self.unpinged: list[Gone] = []  # pings that failed

    @property
    def key(self) -> tuple[int, int]:
        """What makes it the same sink ([MS-DCOM] 1.3.2): exporter and object."""
        return self.std.oxid, self.std.oid

    async def unmarshal(self) -> None:
        """What taking a reference apart brings about: its exporter is looked for ([MS-DCOM] 3.2.4.1.2)."""
        if self._place is None:
            await self._resolve()

    async def _resolve(self) -> None:
        """ServerAlive2 without security finds the binding; ResolveOxid2, with it where it is taken."""
        last = Gone("no binding leads anywhere")
        for binding in self.bindings.strings:
            if binding.tower != TOWER_TCP:
                continue
            resolver = (binding.host, binding.port or 135)
            try:
                line = await Line.open(self.loop, resolver, [guids.IObjectExporter], None, 1)
                await line.call(guids.IObjectExporter, exporter.SERVER_ALIVE2, exporter.Nothing())
                line.close()
                answer = await self._resolved(resolver)
            except Gone as reason:
                last = reason
                continue
            self.rem_unknown = answer.rem_unknown
            (place, *_) = [one for one in answer.bindings.strings if one.tower == TOWER_TCP]
            self._place = (place.host, place.port or 135)
            return
        raise last

    async def _resolved(self, resolver: tuple[str, int]) -> Any:
        question = exporter.ResolveOxid(self.std.oxid, (TOWER_TCP,))
        for level in (AuthLevel.INTEGRITY, AuthLevel.NONE):
            context = self.initiate(f"RPCSS/{resolver[0]}") if level > AuthLevel.NONE else None
            line = None
            try:
                line = await Line.open(self.loop, resolver, [guids.IObjectExporter], context, level)
                return await line.call(guids.IObjectExporter, exporter.RESOLVE_OXID2, question)
            except Gone as reason:
                if reason.status != 5 or level == AuthLevel.NONE:
                    raise
            finally:
                if line is not None:
                    line.close()
        raise AssertionError("not reached")

    async def call(self, method: Any, inputs: Any) -> int:
        """Indicate or SetStatus, one level lower after each refusal; the HRESULT of the sink."""
        await self.unmarshal()
        assert self._place is not None
        while True:
            try:
                if self.line is None:
                    self.line = await self._open(self._place, self.levels[0])
                answer = await self.line.call(IWbemObjectSink, method, inputs, self.std.ipid)
            except Gone as reason:
                if self.line is not None:
                    self.line.close()
                    self.line = None
                if reason.status != 5 or len(self.levels) == 1:
                    raise
                self.levels.pop(0)
                continue
            self.level = self.levels[0]
            return int(answer.result)

    async def _open(self, place: tuple[str, int], level: int) -> Line:
        self.tried.append(level)
        context = self.initiate(f"host/{place[0]}") if level > AuthLevel.NONE else None
        return await Line.open(self.loop, place, [IWbemObjectSink, guids.IRemUnknown], context, level)

    async def indicate(self, objects: Sequence[bytes]) -> int:
        return await self.call(results.INDICATE, results.Indicate(list(objects)))

    async def set_status(
        self, flags: int, status: int, text: str | None = None, error: bytes | None = None
    ) -> int:
        return await self.call(results.SET_STATUS, results.SetStatus(flags, status, text, error))

    async def ping(self) -> None:
        """As the host's resolver does while the sink is held; without authentication ([MS-DCOM] 3.2.6.1)."""
        number, sequence = 0, 0
        while True:
            await asyncio.sleep(PING_PERIOD)
            sequence += 1
            try:
                line = await Line.open(
                    self.loop, self._resolver, [guids.IObjectExporter], None, AuthLevel.NONE
                )
                if number:
                    asked: Any = exporter.SimplePing(number)
                    await line.call(guids.IObjectExporter, exporter.SIMPLE_PING, asked)
                else:
                    asked = exporter.ComplexPing(0, sequence, (self.std.oid,), None)
                    answer = await line.call(guids.IObjectExporter, exporter.COMPLEX_PING, asked)
                    number = answer.set_id
                line.close()
            except Gone as reason:
                self.unpinged.append(reason)

    async def release(self) -> None:
        """The sum of the references, then goodbye."""
        refs, self.refs = self.refs, 0
        if self.line is None:
            return
        given = remunknown.References((remunknown.InterfaceRef(self.std.ipid, refs),))
        try:
            await self.line.call(guids.IRemUnknown, remunknown.REM_RELEASE, given, self.rem_unknown)
        except Gone:
            pass
        self.line.close()
        self.line = None
