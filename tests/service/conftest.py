"""A running host in memory, and a sink that collects."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from openwmi import host
from openwmi.contract.operations import AnyOperation
from openwmi.contract.outcome import Outcome, Progress
from openwmi.model.errors import WbemError
from openwmi.service.connection import Connection

_numbers = itertools.count(1)


class Collector:
    """A plain sink that keeps everything."""

    def __init__(self) -> None:
        self.batches: list[Any] = []
        self.progress: list[Progress] = []
        self.outcome: Outcome | None = None
        self.released = 0
        self.finished = threading.Event()

    @property
    def objects(self) -> list[Any]:
        return [one for batch in self.batches for one in batch]

    def on_objects(self, batch: Any) -> None:
        self.batches.append(batch)

    def on_progress(self, progress: Progress) -> None:
        self.progress.append(progress)

    def on_completed(self, outcome: Outcome) -> None:
        assert self.outcome is None, "two final statuses"
        self.outcome = outcome

    def on_released(self) -> None:
        self.released += 1
        self.finished.set()


class Running:
    """A host and the blocking ways a test uses it."""

    def __init__(self) -> None:
        self.host = host.local(host.MEMORY)
        self.cimv2 = self.connect("root\\cimv2")

    def connect(self, namespace: str, **kwargs: Any) -> Connection:
        return self.host.portal.submit(self.host.services, namespace, **kwargs).result(10)

    def start(self, operation: AnyOperation, sink: Any, flags: int = 0, **kwargs: Any) -> Any:
        services = kwargs.pop("services", self.cimv2)
        return self.host.portal.submit(services.start, operation, sink, flags, **kwargs).result(10)

    def collect(self, operation: AnyOperation, flags: int = 0, **kwargs: Any) -> Collector:
        """Start an operation and wait for its end."""
        sink = Collector()
        self.start(operation, sink, flags, **kwargs)
        assert sink.finished.wait(20), "the call never ended"
        assert sink.released == 1
        return sink

    def status(self, operation: AnyOperation, flags: int = 0, **kwargs: Any) -> int:
        """The final status, or the code with which the call itself was refused."""
        try:
            outcome = self.collect(operation, flags, **kwargs).outcome
        except WbemError as reason:
            return reason.code
        assert outcome is not None
        return outcome.status

    def cancel(self, sink: Any, **kwargs: Any) -> None:
        services = kwargs.pop("services", self.cimv2)
        self.host.portal.submit(services.cancel, sink, **kwargs).result(10)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    here = Running()
    yield here
    here.host.shut_down()


@pytest.fixture
def fresh_name() -> Callable[[], str]:
    """Class names that no other test uses: provided classes stay until the process ends."""
    return lambda: f"Test_Service{next(_numbers)}"
