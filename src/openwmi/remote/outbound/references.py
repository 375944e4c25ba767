"""References to objects of another machine: held, counted, asked for more interfaces, released on every way out.

[MS-DCOM] 3.2.4.4. A `RemoteExporter` is one OXID behind one channel, a `Proxy` one interface pointer in it. Releases
that fall due together travel together, in the background: nobody waits for a server to take its objects back.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import UUID, uuid4

from openwmi.model.errors import WbemError
from openwmi.model.status import RPC_E_DISCONNECTED, failed
from openwmi.remote.outbound import failures
from openwmi.wire.dcom import objref
from openwmi.wire.dcom.guids import IRemUnknown
from openwmi.wire.dcom.orpc import OrpcThis
from openwmi.wire.dcom.remunknown import (
    REM_ADD_REF,
    REM_QUERY_INTERFACE,
    REM_RELEASE,
    InterfaceRef,
    QueryInterface,
    References,
)
from openwmi.wire.errors import PeerMisbehaved, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from openwmi.remote.outbound.channel import Call, Channel
    from openwmi.remote.outbound.pinging import Pinger
    from openwmi.remote.places import Address
    from openwmi.wire.dcom.method import ObjectMethod
    from openwmi.wire.dcom.objref import StdObjRef
    from openwmi.wire.dcom.orpc import Extent, OrpcThat
    from openwmi.wire.rpc.syntax import SyntaxId

In = TypeVar("In")
Out = TypeVar("Out")

# How long the last words of a connection may take, in seconds.
PARTING: Final = 2.0
# What Windows asks for along with an interface ([MS-DCOM] 3.2.4.4.2).
_REFERENCES: Final = 5
_TOGETHER: Final = 500


class Proxy:
    """One interface of one object there, with the references that came with it."""

    __slots__ = ("_refs", "exporter", "flags", "interface", "ipid", "oid")

    def __init__(self, exporter: RemoteExporter, interface: SyntaxId, std: StdObjRef) -> None:
        self.exporter = exporter
        self.interface = interface
        self.ipid = std.ipid
        self.oid = std.oid
        self.flags = std.flags
        self._refs = std.public_refs

    @property
    def oxid(self) -> int:
        return self.exporter.oxid

    @property
    def peer(self) -> Address:
        return self.exporter.channel.peer

    @property
    def local(self) -> Address:
        return self.exporter.channel.local

    @property
    def level(self) -> int:
        """The level at which its methods are called."""
        return self.exporter.channel.level

    @property
    def held(self) -> bool:
        return self._refs > 0

    async def call(
        self,
        method: ObjectMethod[In, Out],
        inputs: In,
        *,
        deadline: float | None = None,
    ) -> Out:
        """Call a method; faults and broken connections raise, HRESULTs stand in what comes back."""
        channel = self.exporter.channel
        return await channel.invoke(self.interface, self.ipid, method, inputs, deadline=deadline)

    async def exchange(
        self,
        method: ObjectMethod[In, Out],
        inputs: In,
        extensions: tuple[Extent, ...] | None = None,
        *,
        deadline: float | None = None,
    ) -> tuple[OrpcThat, Out]:
        """The same with what is said beside the parameters, both ways."""
        return await self.exporter.channel.exchange(
            self.interface, self.ipid, method, inputs, extensions=extensions, deadline=deadline
        )

    def send(
        self,
        method: ObjectMethod[In, Out],
        inputs: In,
        *,
        deadline: float | None = None,
    ) -> Call:
        """Send a call of an interface that is bound, now; the stub of its answer, for `answered`."""
        stub = method.call(inputs, OrpcThis(uuid4()))
        return self.exporter.channel.send(
            self.interface, method, stub, object_id=self.ipid, deadline=deadline
        )

    def answered(self, method: ObjectMethod[In, Out], stub: bytes) -> tuple[OrpcThat, Out]:
        """What an answer says, beside its parameters and in them."""
        return self.exporter.channel.decoded(method.name, method.answered, stub)

    async def query(self, interface: SyntaxId) -> Proxy:
        """Another interface of the same object; E_NOINTERFACE when it has none."""
        return await self.exporter.query(self, interface)

    def received(self, refs: int) -> None:
        """More references to the same interface have come, and are released with the rest."""
        self._refs += refs

    def drop(self) -> None:
        """Release the references, without waiting; once is enough."""
        refs, self._refs = self._refs, 0
        if refs:
            self.exporter.leave(self, refs)

    async def release(self) -> None:
        """Release the references and wait until the server has taken them back. Never raises for a failure there."""
        self.drop()
        await self.exporter.settled()

    async def close(self) -> None:
        """Release this and everything else of its exporter, and close the connection."""
        self.drop()
        await self.exporter.close()


class RemoteExporter:
    """One object exporter of another machine. rem_unknown: the IPID of its IRemUnknown."""

    def __init__(self, channel: Channel, oxid: int, rem_unknown: UUID, pinger: Pinger | None = None) -> None:
        self.channel = channel
        self.oxid = oxid
        self.rem_unknown = rem_unknown
        self.pinger = pinger
        self._held: set[Proxy] = set()
        self._leaving: list[InterfaceRef] = []
        self._releasing: asyncio.Task[None] | None = None
        self._unwanted: set[asyncio.Task[Proxy]] = set()

    @property
    def held(self) -> int:
        """How many proxies hold references."""
        return len(self._held)

    def adopt(
        self,
        reference: bytes | objref.Standard | objref.Handler | objref.Extended | None,
        interface: SyntaxId,
    ) -> Proxy:
        """The proxy for a reference that the server handed out."""
        try:
            found = objref.standard(reference) if isinstance(reference, bytes | None) else reference
        except ProtocolError as reason:
            raise self.channel.misbehaved("unmarshal", reason) from reason
        return self._take(found.std, interface)

    def _take(self, std: StdObjRef, interface: SyntaxId) -> Proxy:
        if std.oxid != self.oxid:
            what = f"a reference to {interface.uuid} in another exporter"
            raise self.channel.misbehaved("unmarshal", PeerMisbehaved(what, "[MS-DCOM] 3.2.4.1.2"))
        proxy = Proxy(self, interface, std)
        self._held.add(proxy)
        if self.pinger is not None and not std.flags & objref.SORF_NOPING:
            self.pinger.add(std.oid)
        return proxy

    async def obtain(self, work: Coroutine[Any, Any, Proxy]) -> Proxy:
        """Make a call that brings a reference. It goes on when whoever waits for it is cancelled, and what it brings is
        released then: the server has handed the reference out and would keep the object for it."""
        task = asyncio.get_running_loop().create_task(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._unwanted.add(task)
            task.add_done_callback(self._refuse)
            raise

    def _refuse(self, task: asyncio.Task[Proxy]) -> None:
        """Nobody waits for what a call has brought."""
        self._unwanted.discard(task)
        if not task.cancelled() and task.exception() is None:
            task.result().drop()

    async def query(self, proxy: Proxy, interface: SyntaxId) -> Proxy:
        """RemQueryInterface."""
        return await self.obtain(self._query(proxy, interface))

    async def _query(self, proxy: Proxy, interface: SyntaxId) -> Proxy:
        inputs = QueryInterface(proxy.ipid, _REFERENCES, (interface.uuid,))
        answer = await self._unknown(REM_QUERY_INTERFACE, inputs)
        result = answer.result if failed(answer.result) or not answer.results else answer.results[0].result
        if failed(result) or not answer.results:
            raise failures.failure(
                result or RPC_E_DISCONNECTED,
                "the object has no such interface",
                self.channel.peer,
                "RemQueryInterface",
            )
        return self._take(answer.results[0].std, interface)

    async def add_reference(self, proxy: Proxy) -> None:
        """RemAddRef: one more reference, which shows that the object is there and that we may call it."""
        answer = await self._unknown(REM_ADD_REF, References((InterfaceRef(proxy.ipid, 1),)))
        result = answer.results[0] if answer.results and not failed(answer.result) else answer.result
        if failed(result):
            raise failures.failure(
                result, "the object does not exist any more", self.channel.peer, "RemAddRef"
            )
        proxy.received(1)

    async def _unknown(self, method: ObjectMethod[In, Out], inputs: In) -> Out:
        return await self.channel.invoke(IRemUnknown, self.rem_unknown, method, inputs)

    # Release

    def leave(self, proxy: Proxy, refs: int) -> None:
        """Give references back, soon."""
        self._held.discard(proxy)
        if self.pinger is not None and not proxy.flags & objref.SORF_NOPING:
            self.pinger.remove(proxy.oid)
        if self.channel.closed:
            return
        self._leaving.append(InterfaceRef(proxy.ipid, refs))
        if self._releasing is None:
            self._releasing = asyncio.get_running_loop().create_task(self._release())

    async def _release(self) -> None:
        try:
            while self._leaving:
                batch, self._leaving = self._leaving[:_TOGETHER], self._leaving[_TOGETHER:]
                async with asyncio.timeout(PARTING):
                    await self._unknown(REM_RELEASE, References(tuple(batch)))
        except (WbemError, TimeoutError):
            # Whoever cannot be told will see the connection end, or miss our pings.
            self._leaving.clear()
        finally:
            self._releasing = None

    async def settled(self) -> None:
        """Wait until all releases that are due have been answered, or cannot be."""
        if self._releasing is not None:
            await asyncio.wait([self._releasing])

    async def close(self) -> None:
        """Release whatever is held, then close the connection."""
        if self._unwanted:
            await asyncio.wait(tuple(self._unwanted), timeout=PARTING)
        for proxy in tuple(self._held):
            proxy.drop()
        await self.settled()
        if self.pinger is not None:
            self.pinger.close()
        await self.channel.close()
