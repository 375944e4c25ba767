"""A service on a clock that the test moves, with consumers of the tests' own and a bell that rings events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from tests.service.conftest import Collector
from tests.service.test_timers import World

from openwmi.contract import operations as ops
from openwmi.contract.caller import Caller
from openwmi.contract.provider import Delivery
from openwmi.model.instances import Instance
from openwmi.model.sids import Sid
from openwmi.mof import class_declarations
from openwmi.service.events.plan import Event

SUBSCRIPTION = "root\\subscription"
CIMV2 = "root\\cimv2"
CLASSES = {
    CIMV2: "class Rang : __ExtrinsicEvent { string Text; uint32 Number; };",
    SUBSCRIPTION: """
        class Taker : __EventConsumer { [key] string Name; string Note; };
        class Sleeper : __EventConsumer { [key] string Name; };
        class Stranger : __EventConsumer { [key] string Name; };
    """,
}


class Taker:
    """A consumer's provider: `behave` says what it does with the events of a call."""

    blocking = False
    batch = 1

    def __init__(self, name: str = "Taker") -> None:
        self.name = name
        self.calls: list[tuple[Delivery, Instance, Sequence[Instance]]] = []
        self.behave: Callable[[Sequence[Instance]], Any] = lambda events: None

    def consume(self, request: Delivery, consumer: Instance, events: Sequence[Instance]) -> Any:
        self.calls.append((request, consumer, events))
        return self.behave(events)

    @property
    def texts(self) -> list[tuple[str, str]]:
        """(consumer, text of the event), in order."""
        return [(consumer.Name, event.Text) for _, consumer, events in self.calls for event in events]


class Hall(World):
    """A world with consumers in root\\subscription and events in root\\cimv2."""

    def __init__(self, store: str = ":memory:", at: float = 0.0) -> None:
        super().__init__(store, at)
        self.taker = Taker()
        self.host.providers.register(self.taker)

    def prepare(self) -> None:
        self.service.find_creator = lambda sid: Caller(str(Sid.decode(sid)), "somebody")
        for namespace, text in CLASSES.items():
            for declaration in class_declarations(text, file="classes"):
                self.host.namespaces.named(namespace).provided.add(declaration)

    def store(self, name: str, caller: Caller | None = None, **values: Any) -> None:
        class_ = self.host.namespaces.named(SUBSCRIPTION).schema.class_named(name)
        wmi = self.service.connect(SUBSCRIPTION, caller) if caller else None
        if wmi is None:
            assert self.run(ops.PutInstance(class_.spawn(values)), SUBSCRIPTION).outcome.status == 0  # type: ignore[union-attr]
            return
        sink = Collector()
        services = self.loop.run_until_complete(wmi)
        self.loop.run_until_complete(services.start(ops.PutInstance(class_.spawn(values)), sink))
        while not sink.finished.wait(0.001):
            self.loop.settle()
        assert sink.outcome is not None
        assert sink.outcome.status == 0
        self.loop.settle()

    def remove(self, path: str) -> None:
        assert self.run(ops.DeleteInstance(path), SUBSCRIPTION).outcome.status == 0  # type: ignore[union-attr]

    def filter(self, name: str = "f", query: str = "SELECT * FROM Rang", **values: Any) -> None:
        given = {"QueryLanguage": "WQL", "EventNamespace": CIMV2, "Query": query, **values}
        self.store("__EventFilter", Name=name, **given)

    def consumer(self, name: str = "c", kind: str = "Taker", **values: Any) -> None:
        self.store(kind, Name=name, **values)

    def bind(self, filter_: str = "f", consumer: str = "c", kind: str = "Taker", **values: Any) -> None:
        ends = {"Filter": f'__EventFilter.Name="{filter_}"', "Consumer": f'{kind}.Name="{consumer}"'}
        self.store("__FilterToConsumerBinding", **{**ends, **values})

    def subscribed(self, name: str = "c", kind: str = "Taker", **values: Any) -> None:
        """A whole subscription: filter f, a consumer, the binding."""
        consumer = {key: value for key, value in values.items() if key in ("MaximumQueueSize", "Note")}
        self.filter()
        self.consumer(name, kind, **consumer)
        self.bind("f", name, kind, **{key: value for key, value in values.items() if key not in consumer})

    def event(self, text: str = "x", publisher: Caller | None = None, **values: Any) -> Event:
        class_ = self.host.namespaces.named(CIMV2).schema.class_named("Rang")
        return Event(class_, class_.spawn({"Text": text, **values}).values_, publisher)

    def ring(self, *texts: str, publisher: Caller | None = None) -> None:
        for text in texts:
            self.service.exchange.raise_event(CIMV2, self.event(text, publisher))
        self.loop.settle()

    def hears(self, name: str, namespace: str = SUBSCRIPTION) -> Collector:
        return self.run(ops.ExecNotificationQuery(f"SELECT * FROM {name}"), namespace)

    @property
    def reasons(self) -> list[str | None]:
        return [route.reason for route in self.service.permanent.routes.values()]


@pytest.fixture
def hall() -> Iterator[Hall]:
    one = Hall()
    yield one
    one.close()


async def never() -> None:
    await asyncio.Event().wait()
