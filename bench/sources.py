"""Where the benchmarks get their objects: classes served from memory by providers that cost next to nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from openwmi import host, mof
from openwmi.contract.provider import Request

NAMESPACE = "root\\bench"
DECLARATION = """
[dynamic, provider("{name}")]
class {name}
{{
    [key] uint32 Number;
    string Name;
    string CommandLine;
    uint64 WorkingSetSize;
    uint32 ThreadCount;
}};
"""
COLUMNS = ("Number", "Name", "CommandLine", "WorkingSetSize", "ThreadCount")


def rows(count: int) -> list[tuple[object, ...]]:
    """`count` rows of COLUMNS that look like processes: every eleventh has no command line."""
    names = ("python3", "Postgres", "bash", "sshd", "systemd-journald", "nginx", "kworker/0:1", "pipewire")
    return [
        (
            number,
            names[number * 7 % 8],
            None if number % 11 == 0 else f"/usr/bin/{names[number * 7 % 8]} --number {number}",
            4096 * (number * 7919 % 65536),
            number * 31 % 40,
        )
        for number in range(count)
    ]


class Rows:
    """A plain generator over rows in memory."""

    def __init__(self, name: str, source: Sequence[tuple[object, ...]]) -> None:
        self.name = name
        self.source = source

    def instances(self, request: Request) -> Iterator[tuple[object, ...]]:
        places = [COLUMNS.index(column) for column in request.columns]
        if places == list(range(len(COLUMNS))):
            yield from self.source
        else:
            for row in self.source:
                yield tuple(row[place] for place in places)


class OneThenSilence:
    """Yields a row at once, and its second one only when `release` is set."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.release = threading.Event()

    def instances(self, request: Request) -> Iterator[tuple[object, ...]]:
        yield (1,) * len(request.columns)
        self.release.wait()


class Waiting:
    """An asynchronous provider that has nothing to say for as long as anybody waits; `waiting` counts them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.waiting = 0

    async def instances(self, request: Request) -> AsyncIterator[tuple[object, ...]]:
        self.waiting += 1
        try:
            await asyncio.get_running_loop().create_future()
            yield ()
        finally:
            self.waiting -= 1


class Blocked(OneThenSilence):
    """A blocking provider that has nothing to say until `release` is set."""

    def instances(self, request: Request) -> Iterator[tuple[object, ...]]:
        self.release.wait()
        yield from ()


def serve(provider: object, name: str) -> None:
    """Serve the class `name` from this provider in every host of this process."""
    (declaration,) = mof.class_declarations(DECLARATION.format(name=name), file=f"{name}.mof")
    host.provide(NAMESPACE, declaration, provider)


class Counting:
    """A sink that counts its objects; `first` is called with the first batch."""

    def __init__(self, first: Callable[[], object] | None = None) -> None:
        self.objects = 0
        self.batches = 0
        self._first = first

    def on_objects(self, batch: Sequence[object]) -> None:
        if not self.objects and self._first is not None:
            self._first()
        self.objects += len(batch)
        self.batches += 1

    def on_progress(self, progress: object) -> None:
        pass

    def on_completed(self, outcome: object) -> None:
        pass
