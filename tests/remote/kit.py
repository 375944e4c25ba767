"""A client that drives `wire.rpc.ClientConnection` over a socket, and an endpoint with a small object behind it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from tests.wire.peers import NAMES, NOW, PASSWORD, initiator

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_NOT_FOUND
from openwmi.remote.inbound import (
    Addresses,
    Exporter,
    ExporterLimits,
    Incoming,
    Listener,
    ListenerLimits,
    interface,
)
from openwmi.wire.dcom import guids
from openwmi.wire.dcom.method import Method, ObjectMethod
from openwmi.wire.dcom.orpc import OrpcThis
from openwmi.wire.ndr import UINT32, Parameters, Unique, WideString
from openwmi.wire.ntlm import Acceptor, nt_hash
from openwmi.wire.rpc import AuthType, ClientConnection, Limits, SyntaxId
from openwmi.wire.rpc import events as e

CID = UUID("cccccccc-0000-4000-8000-000000000001")
IID_IThing = UUID("aaaaaaaa-0000-4000-8000-000000000001")
IID_IOther = UUID("aaaaaaaa-0000-4000-8000-000000000002")
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Asked:
    text: str | None
    number: int


@dataclass(frozen=True, slots=True)
class Told:
    text: str | None
    number: int
    result: int = 0


_TEXT = Unique(WideString())
ECHO: ObjectMethod[Asked, Told] = ObjectMethod(
    "Echo",
    3,
    Parameters(Asked, "tests", text=_TEXT, number=UINT32),
    Parameters(Told, "tests", text=_TEXT, number=UINT32, result=UINT32),
)
WAIT: ObjectMethod[Asked, Told] = ObjectMethod("Wait", 4, ECHO.request, ECHO.response)
FAIL: ObjectMethod[Asked, Told] = ObjectMethod("Fail", 5, ECHO.request, ECHO.response)


class Thing:
    """Echoes; waits until the test says so; fails as WMI does."""

    def __init__(self) -> None:
        self.releases = 0
        self.waiting: list[asyncio.Future[None]] = []
        self.begun = asyncio.Event()
        self.cancelled = 0
        self.seen: list[Incoming] = []

    def released(self) -> None:
        self.releases += 1

    def echo(self, incoming: Incoming, asked: Asked) -> Told:
        self.seen.append(incoming)
        return Told(asked.text, asked.number)

    async def wait(self, incoming: Incoming, asked: Asked) -> Told:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(waiter)
        self.begun.set()
        try:
            await waiter
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Told(asked.text, asked.number)

    def fail(self, incoming: Incoming, asked: Asked) -> Told:
        raise error(WBEM_E_NOT_FOUND) if asked.number == 0 else ZeroDivisionError

    interfaces: ClassVar[Any] = {
        IID_IThing: interface((ECHO, echo), (WAIT, wait), (FAIL, fail)),
        IID_IOther: interface((ECHO, echo)),
    }


def accounts(domain: str, user: str) -> tuple[str, bytes] | None:
    return (user, nt_hash(PASSWORD)) if user in ("ada", "bob") else None


def accept(auth_type: int, level: int, association: object) -> Acceptor | None:
    return Acceptor(accounts, NAMES, b"fedcba98", filetime=NOW) if auth_type == AuthType.NTLM else None


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Endpoint:
    """A listener on a port of loopback with an exporter and one Thing."""

    def __init__(
        self,
        *,
        limits: ListenerLimits | None = None,
        exporter_limits: ExporterLimits | None = None,
        **options: Any,
    ) -> None:
        self.clock = Clock()
        self.exporter = Exporter(
            (IID_IThing, IID_IOther), Addresses(("myhost",)), clock=self.clock, limits=exporter_limits
        )
        self.listener = Listener(self.exporter, accept, limits=limits, clock=self.clock, **options)
        self.thing = Thing()
        self.callers: list[Caller] = []

    async def open(self) -> Endpoint:
        self.address = await self.listener.listen("127.0.0.1")
        return self

    def give(
        self, thing: Thing | None = None, user: object = "ada", iid: UUID = IID_IThing, **options: Any
    ) -> UUID:
        """The IPID of a reference for a user."""
        from openwmi.wire.dcom import objref

        found = objref.standard(
            self.exporter.export(thing or self.thing, iid, user=user, local=self.address, **options)
        )
        return found.std.ipid

    async def connect(
        self, *arguments: Any, address: tuple[str, int] | None = None, **options: Any
    ) -> Caller:
        """A client that is closed with the endpoint."""
        made = await Caller.connect(address or self.address, *arguments, **options)
        self.callers.append(made)
        return made

    def sweep(self, seconds: float) -> None:
        """Let time pass, and let the listener look."""
        self.clock.now += seconds
        self.listener.sweep(self.clock.now)


@contextlib.asynccontextmanager
async def endpoint(**options: Any) -> AsyncIterator[Endpoint]:
    made = await Endpoint(**options).open()
    try:
        yield made
    finally:
        for caller in made.callers:
            await caller.close()
        await made.listener.close()


class Refusal(Exception):
    """The connection was not to be had: a bind that was refused, or an end of the connection."""


class Caller:
    """One connection of a client."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits | None
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.rpc = ClientConnection(limits)
        self.events: list[e.Event] = []
        self._reading = asyncio.Lock()
        self._readings = 0

    @classmethod
    async def connect(
        cls,
        address: tuple[str, int],
        interfaces: Sequence[UUID | SyntaxId] = (IID_IThing,),
        *,
        user: str | None = "ada",
        level: int = 6,
        password: str = PASSWORD,
        limits: Limits | None = None,
        multiplex: bool = True,
        context: Any = None,
    ) -> Caller:
        """context: the initiating side of a handshake; NTLM as `user` unless given."""
        reader, writer = await asyncio.open_connection(*address)
        self = cls(reader, writer, limits)
        self.rpc = ClientConnection(limits, multiplex=multiplex)
        named = [SyntaxId(one) if isinstance(one, UUID) else one for one in interfaces]
        if context is None and user:
            context = initiator(password, user)
        self.rpc.bind(list(enumerate(named)), context, level=level)
        try:
            await self.until(lambda event: isinstance(event, e.Bound))
        except BaseException:
            await self.close()
            raise
        return self

    def flush(self) -> None:
        self.writer.write(self.rpc.take())

    async def until(self, wanted: Callable[[e.Event], bool]) -> e.Event:
        """The next event that is wanted, among those that came already or will."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for event in self.events:
                    if wanted(event):
                        self.events.remove(event)
                        return event
                    if isinstance(event, e.Refused):
                        raise Refusal(event.reason)
                self.flush()
                await self._more()

    async def _more(self) -> None:
        """Have something arrive; several may wait for it, each for another event."""
        before = self._readings
        async with self._reading:
            if self._readings > before:
                return
            data = await self.reader.read(65536)
            if not data:
                raise Refusal("the server has closed the connection")
            self._readings += 1
            self.events += self.rpc.receive(data)
        self.flush()

    def begin(self, method: Any, inputs: Any, ipid: UUID | None = None, context: int = 0) -> int:
        stub = method.call(inputs) if isinstance(method, Method) else method.call(inputs, OrpcThis(CID))
        return self.send(method.opnum, stub, ipid, context)

    def send(self, opnum: int, stub: bytes, ipid: UUID | None = None, context: int = 0) -> int:
        call_id = self.rpc.request(context, opnum, stub, object_id=ipid)
        self.flush()
        return call_id

    async def answer(self, call_id: int) -> bytes | int:
        """The stub of the answer, or the status of the fault."""
        kinds = (e.ResponseReceived, e.FaultReceived)
        event = await self.until(lambda one: isinstance(one, kinds) and one.call_id == call_id)
        return event.stub if isinstance(event, e.ResponseReceived) else event.status  # type: ignore[union-attr]

    async def call(self, method: Any, inputs: Any, ipid: UUID | None = None, context: int = 0) -> Any:
        """What a method gives back; the status of a fault."""
        answer = await self.answer(self.begin(method, inputs, ipid, context))
        if isinstance(answer, int):
            return answer
        found = method.answered(answer)
        return found if isinstance(method, Method) else found[1]

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()
        self.rpc.close()


REM_UNKNOWN = guids.IID_IRemUnknown
RESOLVER = guids.IObjectExporter
