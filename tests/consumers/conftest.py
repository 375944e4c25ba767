"""Consumers as they would be stored, events for them, and a delivery to a provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from openwmi import host
from openwmi.contract.caller import Caller
from openwmi.contract.provider import Delivery
from openwmi.model.instances import Instance
from openwmi.mof import class_declarations
from openwmi.service.namespaces import Namespace

OWNER = Caller("S-1-22-1-0", "owner")

CLASSES = """
class Part { [key] uint32 Id; string Drive; };
class Rang : __ExtrinsicEvent {
    string Text; uint32 Number; boolean Truth; datetime Moment; real64 Real; sint64 Low; char16 Letter;
    string Texts[]; uint32 Numbers[]; uint8 Bytes[]; Part One; object Parts[]; string Empty;
};
"""

Event = Callable[..., Instance]


@pytest.fixture(scope="session")
def subscription() -> Iterator[Namespace]:
    one = host.Host(host.MEMORY)
    space = one.namespaces.named("root\\subscription")
    for declaration in class_declarations(CLASSES, file="classes"):
        space.provided.add(declaration)
    yield space
    one.shut_down()


@pytest.fixture(scope="session")
def event(subscription: Namespace) -> Event:
    """An event of Rang with these values."""
    rang = subscription.schema.class_named("Rang")
    return lambda **values: rang.spawn(values)


@pytest.fixture(scope="session")
def part(subscription: Namespace) -> Event:
    one = subscription.schema.class_named("Part")
    return lambda **values: one.spawn(values)


class Told:
    """Hands events to a provider and keeps what it says later."""

    def __init__(self, space: Namespace) -> None:
        self._space = space
        self.late: list[Any] = []

    def consumer(self, class_name: str, **values: Any) -> Instance:
        return self._space.schema.class_named(class_name).spawn({"Name": "test", **values})

    def __call__(self, provider: Any, *events: Instance, caller: Caller = OWNER, **values: Any) -> None:
        consumer = self.consumer(provider.name, **values)
        assert consumer.class_ is not None
        request = Delivery(consumer.class_, caller=caller, late=self.late.append)
        provider.consume(request, consumer, events)


@pytest.fixture
def tell(subscription: Namespace) -> Told:
    return Told(subscription)
