"""The generator of the synchronous mirror, and that the mirror is current."""

from __future__ import annotations

import sys

import pytest

from tools import generate_sync

ASYNC = '''
"""Reading with `async for`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.faces.aio.bridge import Gate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator


class Thing:
    """`async with` closes it."""

    def __await__(self) -> Generator[None, None, None]:
        return self.wait().__await__()

    async def __aenter__(self) -> Thing:
        await self.wait()  # a comment stays
        return self

    async def __aexit__(self, *exception: object) -> None:
        async with self:
            async for one in self:
                print(one, [two async for two in self])

    def __aiter__(self) -> AsyncIterator[int]:
        return self

    async def __anext__(self) -> int:
        raise StopAsyncIteration

    async def wait(self) -> None:
        gate = Gate()
        return await gate.wait(
            await self,
        )
'''

SYNC = '''
"""Reading with `for`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.faces.sync.bridge import Gate

if TYPE_CHECKING:
    from collections.abc import Iterator


class Thing:
    """`with` closes it."""

    def __enter__(self) -> Thing:
        self.wait()  # a comment stays
        return self

    def __exit__(self, *exception: object) -> None:
        with self:
            for one in self:
                print(one, [two for two in self])

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        raise StopIteration

    def wait(self) -> None:
        gate = Gate()
        return gate.wait(
            self,
        )
'''


def test_the_synchronous_form_of_a_module() -> None:
    head, _, body = generate_sync.mirrored(ASYNC.lstrip(), "thing.py").partition("\n")
    assert head == "# Written from openwmi/faces/aio/thing.py by tools/generate_sync.py: change that one."
    assert body == SYNC.lstrip()


@pytest.mark.slow
def test_the_mirror_is_current(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["generate_sync", "--check"])
    assert generate_sync.main() == 0, capsys.readouterr().err


@pytest.mark.slow
def test_a_stale_mirror_is_noticed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    current = generate_sync.generated()
    path = next(iter(current))
    monkeypatch.setattr(generate_sync, "generated", lambda: {**current, path: current[path] + "# changed\n"})
    monkeypatch.setattr(sys, "argv", ["generate_sync", "--check"])
    assert generate_sync.main() == 1
    assert f"{path.name} is stale" in capsys.readouterr().err
