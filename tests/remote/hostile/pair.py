"""The real server and the real client on a network in memory, with a host that has accounts and a namespace. Worker
threads are turns of the loop, so that every run is the same and a clock can be moved."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from tests.remote.memory import PASSWORD
from tests.remote.network import SERVER, NetworkLoop

from openwmi import host, threads
from openwmi.accounts import Accounts
from openwmi.mof import compile as compile_mof
from openwmi.remote.client import Credentials, Settings, connect
from openwmi.remote.inbound import ListenerLimits
from openwmi.remote.server import Server, ServerLimits
from openwmi.service.core import Service
from openwmi.wire.ntlm import nt_hash

NAMESPACE = "root\\hostile"
MOF = """
class Thing { [key] uint32 N; string Text; };
class Note : __ExtrinsicEvent { uint32 Number; };
""" + "\n".join(f'instance of Thing {{ N = {n}; Text = "thing {n}"; }};' for n in range(7))
IDLE = 900.0
LIMITS = ServerLimits(listener=ListenerLimits(idle=IDLE))
# Longer than anything lives that nobody asks for any more: an idle connection, three ping periods after it, a sweep.
LIFETIMES = IDLE + 3 * 120.0 + 60.0


class _Portal:
    """Stands for the thread that a host's loop has otherwise."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def inside(self) -> bool:
        return True


@contextmanager
def repeatable() -> Iterator[None]:
    """Jobs of worker threads are turns of the loop, and randomness is a count: two runs are the same to the byte."""
    numbers = itertools.count(1)

    def submit(self: threads.Threads, job: Callable[[], object]) -> None:
        asyncio.get_running_loop().call_soon(job)

    def random(count: int) -> bytes:
        return (
            next(numbers).to_bytes(max(count, 8), "little")[:count]
            if count < 8
            else (next(numbers).to_bytes(count, "little"))
        )

    with mock.patch.object(threads.Threads, "submit", submit), mock.patch("os.urandom", random):
        yield


class Serving:
    """A machine at SERVER, on port 135 for everything."""

    def __init__(self, loop: NetworkLoop, folder: Path, *, limits: ServerLimits = LIMITS) -> None:
        self.loop = loop
        self.host = host.Host(host.MEMORY)
        self.service = Service(loop, self.host.namespaces)
        self.host._service = self.service
        self.host._portal = _Portal(loop)  # type: ignore[assignment]
        self.accounts = Accounts(str(folder), names=("myhost",), clock=loop.time)
        if self.accounts.find("", "ada") is None:
            self.accounts.add("ada", nt_hash(PASSWORD), admin=True)
        self.limits = limits
        self.notes = itertools.count(1)

    async def open(self) -> Serving:
        self.host.namespaces.add(NAMESPACE)
        self.inside = await self.host.services(NAMESPACE)
        await compile_mof(MOF, self.inside)
        await self.serve()
        return self

    async def serve(self) -> None:
        """Begin to listen, or again after `server.close`."""
        self.server = Server(
            self.host.log_on,
            self.accounts,
            ("myhost",),
            limits=self.limits,
            clock=self.loop.time,
            now=lambda: 1e9 + self.loop.time(),
        )
        await self.server.listen(SERVER, 135)

    async def note(self) -> int:
        """Raise the next event."""
        number = next(self.notes)
        sink: Any = await self.inside.event_sink()
        made = self.host.namespaces.named(NAMESPACE).schema.class_named("Note").spawn({"Number": number})
        answer = sink.on_objects([made])
        if hasattr(answer, "__await__"):
            await answer
        return number

    def left(self) -> dict[str, int]:
        """What the server still holds for anybody."""
        return {
            "objects": len(self.server.exporter),
            "connections": len(self.server.listener.associations),
            "bytes": self.server.listener._kept,
            "sinks": len(self.server.callbacks.clients),
            "clients": len(self.server.callbacks.clients._clients),
            "calls": len(self.service.calls._by_sink),
        }

    async def close(self) -> None:
        await self.inside.close()
        await self.server.close()
        await self.service.shut_down()
        self.host.repository.leave()


@asynccontextmanager
async def serving(loop: NetworkLoop, folder: Path, **options: Any) -> AsyncIterator[Serving]:
    made = await Serving(loop, folder, **options).open()
    try:
        yield made
    finally:
        await made.close()


async def log_on(**options: Any) -> Any:
    return await connect(
        SERVER, NAMESPACE, Credentials("ada", PASSWORD, auth="ntlm"), settings=Settings(**options)
    )
