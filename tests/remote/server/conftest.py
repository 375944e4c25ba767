"""One machine that serves, for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.remote.server.serving import Served, listen_on_135


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("accounts"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def on_135(served: Served) -> str:
    """The address of loopback where it serves on port 135."""
    return listen_on_135(served)
