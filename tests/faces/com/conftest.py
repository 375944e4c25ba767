"""What tests of the COM-shaped face share: an initialised process, a log-on, classes to query, programs to run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.faces.com.support import PREAMBLE, Source, connected

from openwmi import com


@pytest.fixture(scope="session", autouse=True)
def _com_of_this_process() -> None:
    assert com.CoInitializeEx(None, com.COINIT_MULTITHREADED) in (com.S_OK, com.S_FALSE)
    hr = com.CoInitializeSecurity(None, -1, None, None, 0, com.RPC_C_IMP_LEVEL_IMPERSONATE, None, 0, None)
    assert hr in (com.S_OK, com.RPC_E_TOO_LATE)


@pytest.fixture
def services() -> Iterable[com.IWbemServices]:
    found = connected()
    yield found
    found.Release()


@pytest.fixture
def source() -> Iterable[Callable[..., Source]]:
    """Makes sources; opens their gates when the test is over."""
    made: list[Source] = []

    def make(*args: Any, **roles: Any) -> Source:
        made.append(Source(*args, **roles))
        return made[-1]

    yield make
    for one in made:
        one.gate.set()


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Runs a program in a process of its own, with a store of its own: COM's state is one per process."""

    def run(text: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "OPENWMI_HOME": str(tmp_path)}
        return subprocess.run(
            [sys.executable, "-c", PREAMBLE + text],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment,
        )

    return run
