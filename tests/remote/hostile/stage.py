"""What the tests against hostile peers share: the client on a network in memory, a sink that watches its contract, and
the table into which misbehaviours are entered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from tests.remote.memory import PASSWORD
from tests.remote.network import SERVER, NetworkLoop
from tests.remote.windows.wmi import NAMESPACE, WmiHost

from openwmi.contract.operations import ExecQuery
from openwmi.contract.outcome import Outcome
from openwmi.model.status import failed
from openwmi.remote.client import Credentials, Settings, connect

QUERY = ExecQuery("SELECT * FROM Win32_Process")


class Watcher:
    """A sink that notes what it hears and whether its contract is kept (calls.md B22, B24, B25).

    slow: seconds that each batch takes.
    """

    def __init__(self, *, slow: float = 0.0) -> None:
        self.objects: list[Any] = []
        self.progress: list[Any] = []
        self.outcomes: list[Outcome] = []
        self.releases = 0
        self.running = 0
        self.slow = slow
        self.heard: list[float] = []
        self.first = asyncio.Event()

    async def on_objects(self, batch: Any) -> None:
        assert not self.running, "two callbacks at once"
        assert not self.outcomes, "objects after the end"
        assert len(batch), "no objects"
        self.running += 1
        try:
            self.objects += list(batch)
            self.heard.append(asyncio.get_running_loop().time())
            self.first.set()
            await asyncio.sleep(self.slow)
        finally:
            self.running -= 1

    def on_progress(self, progress: Any) -> None:
        assert not self.running
        assert not self.outcomes
        self.progress.append(progress)

    def on_completed(self, outcome: Outcome) -> None:
        assert not self.running
        self.outcomes.append(outcome)
        self.first.set()

    def on_released(self) -> None:
        self.releases += 1

    def check(self, *, accepted: bool) -> None:
        """Exactly one end and one release for what was accepted; not a word otherwise (B16)."""
        assert (len(self.outcomes), self.releases) == ((1, 1) if accepted else (0, 0))
        if not accepted:
            assert self.objects == []


@asynccontextmanager
async def connected(**options: Any) -> AsyncIterator[Any]:
    """A log-on to the host; closing it is part of what must not hang."""
    services = await connect(
        SERVER, NAMESPACE, Credentials("ada", PASSWORD, auth="ntlm"), settings=Settings(**options)
    )
    try:
        yield services
    finally:
        await services.close()


async def run_operation(
    services: Any, operation: Any, *, flags: int = 0, sink: Watcher | None = None
) -> list[Any]:
    """Start, wait for the end, and have what the sink heard; errors are raised wherever they were told."""
    watcher = sink or Watcher()
    try:
        call = await services.start(operation, watcher, flags)
    except BaseException:
        watcher.check(accepted=False)
        raise
    outcome = await call
    watcher.check(accepted=True)
    if failed(outcome.status):
        raise outcome.as_error()
    return watcher.objects


async def cancelled(call: Any, watcher: Watcher) -> None:
    """Cancel, and have what DESIGN.md section 1 promises: when it returns, no callback starts any more; it returns at
    once unless one is running, and within the bound (1 s) in any case."""
    loop = asyncio.get_running_loop()
    begun, running = loop.time(), bool(watcher.running)
    await call.cancel()
    assert loop.time() - begun <= (1.0 if running else 0.0)
    if not running:
        watcher.check(accepted=True)
    heard = len(watcher.objects), len(watcher.progress)
    await asyncio.sleep(120)
    assert (len(watcher.objects), len(watcher.progress)) == heard
    watcher.check(accepted=True)


Act = Callable[[NetworkLoop, WmiHost], Awaitable[Any]]


async def logs_on(loop: NetworkLoop, host: WmiHost) -> None:
    async with connected(delivery="poll"):
        pass


def does(operation: Any, delivery: str) -> Act:
    async def act(loop: NetworkLoop, host: WmiHost) -> list[Any]:
        async with connected(delivery=delivery) as services:
            return await run_operation(services, operation)

    return act


pulls = does(QUERY, "poll")
is_pushed = does(QUERY, "sink")


class Misbehaviour(NamedTuple):
    """symbol, phase: the error that the client's user gets, None for "it copes"; within: seconds until then; says: part
    of its message; slow: for the tests' own time."""

    spoil: Callable[[WmiHost], Any]
    act: Act
    symbol: str | None
    phase: str | None
    within: float
    says: str
    slow: bool


TABLE: dict[str, Misbehaviour] = {}


def ends_in(
    symbol: str | None,
    phase: str | None = None,
    *,
    act: Act = logs_on,
    within: float = 1.0,
    says: str = "",
    slow: bool = False,
) -> Callable[[Callable[[WmiHost], Any]], Callable[[WmiHost], Any]]:
    """Enter a misbehaviour: a function that spoils a host before the client comes."""

    def entered(spoil: Callable[[WmiHost], Any]) -> Callable[[WmiHost], Any]:
        assert spoil.__name__ not in TABLE, spoil.__name__
        TABLE[spoil.__name__] = Misbehaviour(spoil, act, symbol, phase, within, says, slow)
        return spoil

    return entered


# Ways to spoil


def answers(host: WmiHost, method: str, answer: Any, *, after: int = 0) -> None:
    """Have a method answered with a stub, the status of a fault, or not at all (None); `after`: honest ones first."""
    seen = 0

    def hook(called: Any, honest: Callable[[], Any]) -> Any:
        nonlocal seen
        seen += 1
        if seen <= after:
            return honest()
        return answer(called, honest) if callable(answer) else answer

    host.hooks[method] = hook


def twists(host: WmiHost, method: str, change: Callable[[bytes], list[bytes]], *, after: int = 0) -> None:
    """Change the PDUs that answer a method."""

    def hook(called: Any, honest: Callable[[], Any]) -> Any:
        called.station.twist = change
        return honest()

    answers(host, method, hook, after=after)


def cuts(host: WmiHost, method: str, *, after: int = 0, reset: bool = False) -> None:
    """End the connection instead of answering."""

    def hook(called: Any, honest: Callable[[], Any]) -> None:
        if reset:
            called.station.transport.abort()
        else:
            called.station.transport.close()

    answers(host, method, hook, after=after)
