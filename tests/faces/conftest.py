"""A class to query per test, and nothing left running afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.faces.support import World, idle


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.gate.set()
    assert idle(), "a call was left behind"
