"""What tests of the Python faces share: classes to query, sinks that write down what they hear."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from openwmi import host, testing

SECONDS = 60.0  # how long anything may take before a test fails; nothing waits for it to pass
NAMESPACE = "root\\FaceTests"
_numbers = itertools.count(1)

TEXT = """
class {name} {{
    [key] uint32 N;
    string S;
    datetime When;
    uint32 Do([in] string What, [out] string Done);
    [static] void Rest();
}};
"""


class World:
    """A dynamic class of its own for one test, and gates that its provider waits at."""

    def __init__(self) -> None:
        self.name = f"Face_{next(_numbers)}"
        self.gate = threading.Event()
        self.reached = threading.Event()
        self.closed = threading.Event()
        self.produced = 0
        self.calls: list[Any] = []

    def serve(self, rows: Callable[[], Any] | int = 3) -> str:
        """Serve `rows`; returns the query for all of them."""

        def instances() -> Iterator[dict[str, object]]:
            source = ({"N": n, "S": f"s{n}"} for n in range(rows)) if isinstance(rows, int) else rows()
            try:
                for row in source:
                    self.produced += 1
                    yield row
            finally:
                self.closed.set()

        def method(path: str, params: dict[str, object]) -> dict[str, object]:
            self.calls.append((path, params))
            return {"ReturnValue": 5, "Done": params.get("What")}

        def rest(path: str, params: dict[str, object]) -> dict[str, object]:
            return {}

        testing.provide(
            NAMESPACE, TEXT.format(name=self.name), instances=instances, methods={"Do": method, "Rest": rest}
        )
        return f"SELECT * FROM {self.name}"

    def endless(self) -> Iterator[dict[str, object]]:
        for n in itertools.count():
            yield {"N": n & 0xFFFF}

    def blocked(self) -> Iterator[dict[str, object]]:
        """Nothing until the gate opens."""
        self.wait()
        yield {"N": 1}

    def one_then_silence(self) -> Iterator[dict[str, object]]:
        yield {"N": 1}
        self.wait()
        yield {"N": 2}

    def failing(self) -> Iterator[dict[str, object]]:
        yield {"N": 1}
        raise OSError("broken")

    def wait(self) -> None:
        self.reached.set()
        self.gate.wait(SECONDS)


def running() -> int:
    """Operations of this process's service that have not been released."""
    return host.local().service.running


def idle() -> bool:
    """Whether nothing is left running; waits for what is on its way."""
    end = time.monotonic() + SECONDS
    while running() and time.monotonic() < end:
        time.sleep(0.001)
    return not running()
