"""A class to query per test, and nothing left running afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from tests.faces.support import World, idle

if TYPE_CHECKING:
    from tests.remote.server.serving import Served


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.gate.set()
    assert idle(), "a call was left behind"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Another machine: one that serves in this process."""
    from tests.remote.server.serving import Served

    made = Served(tmp_path_factory.mktemp("accounts"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def target(served: Served) -> str:
    """Its namespace, as programs name it."""
    from tests.remote.server.serving import NAMESPACE

    host, port = served.listen()
    return rf"\\{host}[{port}]\{NAMESPACE}"
