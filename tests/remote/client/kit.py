"""What tests of the client share: a session with the scripted host in time that jumps, sinks, and the end of both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial, wraps
from typing import Any

from tests.conformance.support import Recorder
from tests.remote.client.host import METHOD, THING, Host, class_named
from tests.remote.clock import JumpingLoop, jumping

from openwmi.contract import operations as ops
from openwmi.remote.client.services import RemoteServices

QUERY = ops.ExecQuery("SELECT * FROM Thing")


def things(count: int) -> list[Any]:
    thing = class_named(THING)
    return [thing.spawn({"N": n, "S": f"s{n}"}) for n in range(count)]


def add(operation: ops.ExecMethod) -> Any:
    """What the method Add of the host answers."""
    outputs = class_named(METHOD).method("Add").outputs
    given = operation.params
    assert not isinstance(given, dict)
    return outputs.spawn({"Sum": given.A + given.B, "ReturnValue": 0})  # type: ignore[union-attr]


def run(work: Callable[[], Awaitable[Any]], *, within: float = 3600.0) -> Any:
    async def wrapped(_: JumpingLoop) -> Any:
        return await work()

    return jumping(wrapped, within=within)


def clocked(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Have a test run in time that jumps to whatever is waited for."""

    @wraps(test)
    def running(*arguments: Any, **named: Any) -> None:
        run(partial(test, *arguments, **named))

    return running


class Buffer(Recorder):
    """A sink of ours: by credit, so that it is pulled for."""

    credit = 1000


async def heard(
    services: RemoteServices, operation: Any, sink: Recorder | None = None, flags: int = 0
) -> Recorder:
    sink = sink or Buffer()
    await (await services.start(operation, sink, flags))
    assert sink.released_once()
    return sink


async def closed(host: Host, services: RemoteServices) -> None:
    """Close, and see that the host was given everything back."""
    await services.close()
    assert len(host.exporter) == 0, list(host.exporter.objects)
    assert not host.listener.associations
    assert not services.machine.calls.running


@asynccontextmanager
async def logged_on(
    found: Iterable[Any] = (), *, one_port: bool = False, **options: Any
) -> AsyncIterator[tuple[Host, RemoteServices]]:
    """A host that finds these objects, and services of it. one_port: its resolver and its exporter share one."""
    host = Host(found, one_port=one_port)
    services = await host.connect(**options)
    yield host, services
    await closed(host, services)
