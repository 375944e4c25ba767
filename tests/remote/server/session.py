"""A client of WMI made of our own stubs, method by method, and a machine that exports sinks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, ClassVar
from uuid import UUID

from tests.remote.kit import Caller
from tests.remote.server.serving import NAMESPACE, PASSWORD
from tests.wire.peers import NAMES, NOW

from openwmi.remote.inbound import ANYONE, Addresses, Exporter, Incoming, Listener, interface
from openwmi.remote.places import Address
from openwmi.wire.dcom import activation as a
from openwmi.wire.dcom import guids as d
from openwmi.wire.dcom import objref
from openwmi.wire.dcom.bindings import TOWER_TCP, DualStringArray, StringBinding
from openwmi.wire.dcom.properties import (
    InstantiationInfo,
    PropsOutInfo,
    ScmReplyInfo,
    ScmRequest,
    ScmRequestInfo,
)
from openwmi.wire.dcom.remunknown import REM_RELEASE, InterfaceRef, References
from openwmi.wire.ntlm import Acceptor, nt_hash
from openwmi.wire.rpc import AuthType
from openwmi.wire.wmi import guids, login, services
from openwmi.wire.wmi.enumerators import NEXT, Next
from openwmi.wire.wmi.login import Result
from openwmi.wire.wmi.results import INDICATE, SET_STATUS, Indicate, SetStatus
from openwmi.wire.wmi.types import object_in

INTERFACES = (
    d.IRemoteSCMActivator,
    d.IObjectExporter,
    d.IRemUnknown,
    guids.IWbemServices,
    guids.IEnumWbemClassObject,
)
ACTIVATOR, RESOLVER, UNKNOWN, SERVICES, ENUMERATOR = range(5)


def ipid_of(reference: bytes | None) -> UUID:
    return objref.standard(reference).std.ipid


class Session:
    """One connection, logged on to one namespace."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.services = self.unknown = UUID(int=0)

    @classmethod
    async def open(
        cls, address: tuple[str, int], namespace: str = NAMESPACE, *, user: str = "ada", level: int = 6
    ) -> Session:
        caller = await Caller.connect(address, INTERFACES, user=user, password=PASSWORD, level=level)
        self = cls(caller)
        try:
            self.services = await self.log_in(namespace)
        except BaseException:
            await caller.close()
            raise
        return self

    async def log_in(self, namespace: str) -> UUID:
        """The IPID of IWbemServices of a namespace."""
        wanted = InstantiationInfo(guids.CLSID_WbemLevel1Login, (guids.IWbemLevel1Login.uuid,))
        properties = a.activation_in((wanted, ScmRequestInfo(ScmRequest())))
        made = await self.caller.call(a.REMOTE_CREATE_INSTANCE, a.CreateInstance(properties))
        found = a.find(a.properties_out(made.properties), PropsOutInfo)
        reply = a.find(a.properties_out(made.properties), ScmReplyInfo).reply
        assert reply is not None
        self.unknown = reply.rem_unknown
        answer = await self.caller.call(
            login.NTLM_LOGIN, login.NtlmLogin(f"//./{namespace}"), ipid_of((found.interfaces or [None])[0])
        )
        if answer.result:
            raise AssertionError(f"0x{answer.result:08X}")
        return ipid_of(answer.services)

    async def call(self, method: Any, ipid: UUID | None = None, /, **inputs: Any) -> Any:
        """What a method of IWbemServices gives back; arguments that are left out are NULL or 0."""
        return await self.caller.call(method, self.inputs(method, **inputs), ipid or self.services, SERVICES)

    @staticmethod
    def inputs(method: Any, /, **inputs: Any) -> Any:
        names = method.request.members.names
        values = {name: 0 if name == "flags" else None for name in names} | inputs
        return method.request.members.holds(**values)

    async def query(self, text: str, count: int = 1000, flags: int = 0x30) -> list[Any]:
        """The objects of a query, up to `count`."""
        opened = await self.call(services.METHODS[20], language="WQL", query=text, flags=flags)
        assert opened.result == 0, hex(opened.result)
        ipid = ipid_of(opened.enumerator)
        answer = await self.caller.call(NEXT, Next(-1, count), ipid)
        assert answer.result in (0, 1), hex(answer.result)
        released = References([InterfaceRef(ipid, 1)])
        await self.caller.call(REM_RELEASE, released, self.unknown)
        return [object_in(one) for one in answer.objects]

    async def query_async(self, text: str, sink: bytes | None, **inputs: Any) -> int:
        method = services.METHODS[21]
        answer = await self.call(method, language="WQL", query=text, sink=sink, **inputs)
        return int(answer.result)

    async def cancel(self, sink: bytes | None, ipid: UUID | None = None) -> int:
        return int((await self.call(services.CANCEL, ipid, sink=sink)).result)

    async def close(self) -> None:
        await self.caller.close()


class CollectingSink:
    """A sink as a client has one. gate: closed, it keeps the caller of Indicate waiting."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.sizes: list[int] = []
        self.statuses: list[SetStatus] = []
        self.calls: list[Incoming] = []
        self.answer = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.began = asyncio.Event()
        self.done = asyncio.Event()
        self.gone = asyncio.Event()
        self.releases = 0
        self.running = 0
        self.overlapped = False

    def released(self) -> None:
        self.releases += 1
        self.gone.set()

    async def _callback(self, incoming: Incoming) -> Result:
        self.calls.append(incoming)
        self.overlapped = self.overlapped or self.running > 0
        self.running += 1
        self.began.set()
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        return Result(self.answer)

    async def indicate(self, incoming: Incoming, asked: Indicate) -> Result:
        assert asked.objects
        self.sizes.append(sum(len(one or b"") for one in asked.objects))
        assert not self.done.is_set()
        self.batches.append([object_in(one) for one in asked.objects])
        return await self._callback(incoming)

    async def set_status(self, incoming: Incoming, asked: SetStatus) -> Result:
        self.statuses.append(asked)
        result = await self._callback(incoming)
        if asked.flags == 0:
            self.done.set()
        return result

    interfaces: ClassVar[Any] = {
        guids.IWbemObjectSink.uuid: interface((INDICATE, indicate), (SET_STATUS, set_status))
    }

    @property
    def objects(self) -> list[Any]:
        return [one for batch in self.batches for one in batch]


class SinkHost:
    """A client's machine: sinks behind a listener on loopback, for whoever logs on as one of the accounts."""

    def __init__(self, levels: tuple[int, ...] = (5, 6)) -> None:
        self.levels = levels
        self.exporter = Exporter((guids.IWbemObjectSink.uuid,), Addresses())
        self.listener = Listener(self.exporter, self._accept)
        self.address = Address("", 0)

    def _accept(self, auth_type: int, level: int, association: object) -> Acceptor | None:
        def accounts(domain: str, user: str) -> tuple[str, bytes] | None:
            return (user, nt_hash(PASSWORD)) if user in ("ada", "bob") else None

        if auth_type != AuthType.NTLM or level not in self.levels:
            return None
        return Acceptor(accounts, NAMES, b"fedcba98", filetime=NOW)

    def export(self, sink: CollectingSink, refs: int = 5, flags: int = objref.SORF_NOPING) -> bytes:
        """The reference that a call takes."""
        return self.exporter.export(
            sink, guids.IWbemObjectSink.uuid, user=ANYONE, local=self.address, refs=refs, flags=flags
        )


@contextlib.asynccontextmanager
async def sink_host(**options: Any) -> AsyncIterator[SinkHost]:
    made = SinkHost(**options)
    made.address = await made.listener.listen("127.0.0.1")
    try:
        yield made
    finally:
        await made.listener.close()


def elsewhere(reference: bytes, *texts: str) -> bytes:
    """The same reference with other bindings."""
    found = objref.standard(reference)
    bindings = DualStringArray(
        tuple(StringBinding(TOWER_TCP, text) for text in texts), found.bindings.securities
    )
    return objref.Standard(found.iid, found.std, bindings).encode()
