"""A network in memory: transports that obey, stall, cut and chop as a test says, and servers that follow a script."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from openwmi.remote.places import Address
from openwmi.wire.errors import ACCESS_DENIED
from openwmi.wire.ntlm import Acceptor, ServerNames, nt_hash
from openwmi.wire.rpc import AuthType, ServerConnection, SyntaxId, events

CLIENT = Address("10.0.0.1", 50000)
PASSWORD = "Sesame"
NOW = 133_500_000_000_000_000
NAMES = ServerNames("SERVER", "WORKGROUP", "server", "workgroup")


class End(asyncio.Transport):
    """One end of a connection. What is written arrives at the other end in a later turn of the loop."""

    def __init__(self, protocol: asyncio.Protocol, own: Address, peer: Address) -> None:
        super().__init__({"sockname": tuple(own), "peername": tuple(peer)})
        self.loop = asyncio.get_running_loop()
        self.protocol = protocol
        self.other: End
        self.filter: Callable[[End, bytes], None] | None = None
        self.closed = False
        self.reading = True
        self.held: list[bytes] = []
        self.sent = 0

    def write(self, data: Any) -> None:
        if self.closed:
            return
        self.sent += len(data)
        if self.filter is not None:
            self.filter(self, bytes(data))
        else:
            self.pass_on(bytes(data))

    def pass_on(self, data: bytes) -> None:
        """Have bytes arrive at the other end."""
        self.loop.call_soon(self.other.arrive, data)

    def arrive(self, data: bytes) -> None:
        if not self.reading:
            self.held.append(data)
            if len(self.held) > 4:
                self.other.protocol.pause_writing()
        elif not self.closed:
            self.protocol.data_received(data)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True
        held, self.held = self.held, []
        for data in held:
            self.arrive(data)
        self.other.protocol.resume_writing()

    def is_closing(self) -> bool:
        return self.closed

    def is_reading(self) -> bool:
        return self.reading

    def close(self) -> None:
        self._end(None, None)

    def abort(self) -> None:
        self._end(None, ConnectionResetError("reset by peer"))

    def reset(self) -> None:
        """The connection dies under both."""
        self._end(ConnectionResetError("reset"), ConnectionResetError("reset"))

    def _end(self, mine: Exception | None, theirs: Exception | None) -> None:
        if self.closed:
            return
        self.closed = True
        self.loop.call_soon(self.protocol.connection_lost, mine)
        self.loop.call_soon(self.other._ended, theirs)

    def _ended(self, reason: Exception | None) -> None:
        if self.closed:
            return
        if reason is None:
            self.protocol.eof_received()
        if not self.closed:
            self.closed = True
            self.loop.call_soon(self.protocol.connection_lost, reason)


class MemoryNetwork:
    """Hosts by address. `dial` is a Dial; `connections` are the clients' ends, in the order of their opening."""

    def __init__(self) -> None:
        self.hosts: dict[Address, Callable[[], asyncio.Protocol]] = {}
        self.connections: list[End] = []
        self.dialled: list[Address] = []
        self.filter: Callable[[End, bytes], None] | None = None

    def listen(self, address: Address, factory: Callable[[], asyncio.Protocol]) -> None:
        self.hosts[address] = factory

    async def dial(
        self, factory: Callable[[], asyncio.Protocol], address: Address
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        return await self.dial_from(CLIENT, factory, address)

    async def dial_from(
        self, own: Address, factory: Callable[[], asyncio.Protocol], address: Address
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        self.dialled.append(address)
        served = self.hosts.get(address)
        if served is None:
            raise ConnectionRefusedError(111, "Connection refused")
        client, server = factory(), served()
        mine, theirs = End(client, own, address), End(server, address, own)
        mine.other, theirs.other = theirs, mine
        mine.filter = theirs.filter = self.filter
        self.connections.append(mine)
        server.connection_made(theirs)
        client.connection_made(mine)
        return mine, client


def accounts(domain: str, user: str) -> tuple[str, bytes] | None:
    return (user, nt_hash(PASSWORD)) if user == "ada" else None


def accept(auth_type: int, level: int) -> Acceptor | None:
    return Acceptor(accounts, NAMES, b"fedcba98", filetime=NOW) if auth_type == AuthType.NTLM else None


Handler = Callable[
    ["ScriptedServer", events.RequestReceived], "bytes | int | Awaitable[bytes | int | None] | None"
]


class ScriptedServer(asyncio.Protocol):
    """A server whose answers a handler gives: a stub, the status of a fault, or None for nothing at all."""

    def __init__(
        self,
        handler: Handler,
        *,
        interfaces: Callable[[SyntaxId], bool] = lambda _: True,
        accept: Any = accept,
        **options: Any,
    ) -> None:
        self.rpc = ServerConnection(interfaces, accept, address="135", **options)
        self.handler = handler
        self.transport: End
        self.events: list[Any] = []
        self.tasks: list[asyncio.Task[None]] = []

    @property
    def requests(self) -> list[events.RequestReceived]:
        return [event for event in self.events if isinstance(event, events.RequestReceived)]

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        for event in self.rpc.receive(data):
            self.events.append(event)
            if isinstance(event, events.RequestReceived):
                self.answer(event)
        self.flush()

    def answer(self, request: events.RequestReceived) -> None:
        answer = self.handler(self, request)
        if isinstance(answer, Awaitable):
            self.tasks.append(asyncio.get_running_loop().create_task(self._later(request, answer)))
        else:
            self.give(request, answer)

    async def _later(self, request: events.RequestReceived, answer: Awaitable[bytes | int | None]) -> None:
        self.give(request, await answer)
        self.flush()

    def give(self, request: events.RequestReceived, answer: bytes | int | None) -> None:
        if isinstance(answer, int):
            self.rpc.fault(request.call_id, answer, executed=answer != ACCESS_DENIED)
        elif answer is not None:
            self.rpc.respond(request.call_id, answer)

    def flush(self) -> None:
        data = self.rpc.take()
        if data:
            self.transport.write(data)
        if self.rpc.closed:
            self.transport.close()

    def connection_lost(self, reason: Exception | None) -> None:
        self.rpc.close()
        for task in self.tasks:
            task.cancel()
