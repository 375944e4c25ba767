"""What the conformance suite drives a Services with: a recording sink, providers made of functions, a seam to ask."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, NamedTuple

from openwmi import host, mof
from openwmi.contract.caller import Caller, unix_sid
from openwmi.contract.operations import AnyOperation
from openwmi.contract.outcome import Outcome, Progress
from openwmi.contract.services import Call, Services

SECONDS = 60.0  # how long anything may take before a test fails; nothing waits for it to pass
_numbers = itertools.count(1)


class Recorder:
    """A sink that writes down what it hears. `answers`: what a callback returns or does, by its name."""

    def __init__(self, **answers: Callable[[Any], Any]) -> None:
        self.events: list[tuple[str, Any]] = []
        self.objects: list[Any] = []
        self.heard = asyncio.Event()
        self.running = 0
        self._answers = answers

    def _hear(self, what: str, argument: Any) -> Any:
        assert not self.running, "two callbacks of one call at the same time"
        self.events.append((what, argument))
        self.heard.set()
        answer = self._answers.get(what)
        return None if answer is None else answer(argument)

    def on_objects(self, batch: Any) -> Any:
        self.objects.extend(batch)
        return self._hear("objects", len(batch))

    def on_progress(self, progress: Progress) -> Any:
        return self._hear("progress", progress)

    def on_completed(self, outcome: Outcome) -> Any:
        return self._hear("completed", outcome)

    def on_released(self) -> None:
        self._hear("released", None)

    @property
    def kinds(self) -> list[str]:
        """The events by their names, neighbouring batches as one."""
        return [kind for kind, _ in itertools.groupby(kind for kind, _ in self.events)]

    @property
    def outcome(self) -> Outcome:
        """The one final status."""
        (found,) = (argument for kind, argument in self.events if kind == "completed")
        assert isinstance(found, Outcome)
        return found

    def released_once(self) -> bool:
        """Whether the release came once, and last."""
        return [kind for kind, _ in self.events].count("released") == 1 and self.events[-1][0] == "released"


class Heard(NamedTuple):
    """What one finished call said."""

    outcome: Outcome
    sink: Recorder

    @property
    def objects(self) -> list[Any]:
        return self.sink.objects


class Provided:
    """A provider whose roles are plain functions."""

    def __init__(self, name: str, roles: dict[str, Any]) -> None:
        self.name = name
        for role, function in roles.items():
            setattr(self, role, function)


class Gate:
    """What a blocking provider waits at."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.reached = threading.Event()

    def wait(self) -> None:
        self.reached.set()
        self.event.wait(SECONDS)

    def open(self) -> None:
        self.event.set()


class Seam:
    """One Services under test and the machine behind it. A factory makes it; the tests know nothing else.

    services: the namespace of this test; connect: other log-ons; serve: put classes with a provider into it.
    polls: sinks hear of what an enumerator gives; ahead: objects that may be on their way to a sink that takes none;
    prompt: seconds that accepting a call may take.
    """

    polls = False
    ahead = 0
    prompt = 0.01

    def __init__(self, running: host.Host) -> None:
        self._host = running
        self.namespace = f"root\\Conformance\\T{next(_numbers)}"
        running.namespaces.add(self.namespace)
        self.caller: Caller = running.caller
        self.services: Services = running.portal.run(self.connect)
        self._gates: list[Gate] = []

    # The machine

    async def leave(self) -> None:
        """Let go of whatever the test has not."""

    async def connect(self, namespace: str | None = None, caller: Caller | None = None) -> Services:
        return await self._host.services(namespace or self.namespace, caller)

    async def event_sink(self) -> Any:
        """The sink of the machine itself for extrinsic events: whoever raises them is no matter to who hears them."""
        return await self.services.event_sink()

    def stranger(self) -> Caller:
        """Another principal with every right."""
        return self.caller._replace(sid=unix_sid(424242), name="stranger")

    def serve(self, text: str, **roles: Any) -> str:
        """Declare classes and serve them from functions: instances, instance, method. `{provider}` in the text is
        replaced by the provider's name, which is returned."""
        name = f"Conformance{next(_numbers)}"
        provider = Provided(name, roles)
        for declaration in mof.class_declarations(text.replace("{provider}", name)):
            host.provide(self.namespace, declaration, provider)
        return name

    def gate(self) -> Gate:
        self._gates.append(Gate())
        return self._gates[-1]

    @property
    def settings(self) -> Any:
        return self._host.settings

    @property
    def running(self) -> int:
        """Operations that have not been released."""
        return self._host.service.running

    @property
    def left(self) -> int:
        """The same, wherever there may be some; a test ends when there are none."""
        return self.running

    @property
    def subscriptions(self) -> int:
        return self._host.service.exchange.count

    # Calls

    async def start(
        self,
        operation: AnyOperation,
        sink: Recorder,
        flags: int = 0,
        context: Any = None,
        *,
        services: Any = None,
    ) -> Call:
        return await (services or self.services).start(operation, sink, flags, context)

    async def hear(
        self, operation: AnyOperation, flags: int = 0, context: Any = None, **options: Any
    ) -> Heard:
        """Run a call to its end with a sink that records."""
        sink = Recorder()
        outcome = await (await self.start(operation, sink, flags, context, **options))
        assert sink.kinds[-2:] == ["completed", "released"]
        assert sink.released_once()
        assert outcome == sink.outcome
        return Heard(outcome, sink)

    async def status(self, operation: AnyOperation, flags: int = 0, context: Any = None) -> int:
        return (await self.hear(operation, flags, context)).outcome.status

    # The test

    def run(self, test: Callable[..., Coroutine[Any, Any, None]], arguments: dict[str, Any]) -> None:
        """Run a test on the loop of the services, and see that it leaves nothing behind."""

        async def body() -> None:
            before = asyncio.all_tasks()
            async with asyncio.timeout(SECONDS):
                try:
                    await test(**arguments)
                finally:
                    for gate in self._gates:
                        gate.open()
                    await self.leave()
                while self.left or asyncio.all_tasks() - before - {asyncio.current_task()}:
                    await asyncio.sleep(0.001)

        self._host.portal.run(body)


def rows(request: Any, *values: dict[str, object]) -> Iterator[tuple[object, ...]]:
    """Dicts as rows of the wanted columns."""
    for one in values:
        yield tuple(one.get(column) for column in request.columns)
