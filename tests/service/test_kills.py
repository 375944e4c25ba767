"""A process that is killed in the middle of writing loses nothing that it was told is stored (C-46)."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from tests.service import random_writes as rw

from openwmi.host import Host
from openwmi.repository import care

ROOT = Path(__file__).resolve().parent.parent.parent


def killed_writer(store: str, seed: int, after: int) -> int:
    """Let a process write until it has told of `after` transactions, and kill it at once; how many it told of."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.service.random_writes", store, str(seed)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    told = 0
    while told < after and (read := os.read(descriptor, 1)):
        told += len(read)
    process.kill()
    told += len(process.stdout.read())
    process.stdout.close()
    process.wait()
    assert told >= after, "the writer failed"
    return told


@pytest.mark.slow
@pytest.mark.req("C-46")
def test_random_writes_are_whole_and_stay(tmp_path: Path, deep: bool) -> None:
    store = str(tmp_path / "repository.db")
    before = rw.Content()
    unacknowledged = 0
    for seed in range(500 if deep else 4):
        told = killed_writer(store, seed, 1 + seed * 7 % 23)
        expected, chance = before.copy(), random.Random(seed)
        writes = iter(lambda expected=expected, chance=chance: expected.next(chance), None)  # type: ignore[misc]
        while told:
            write = next(writes)
            if not expected.refuses(write):
                expected.apply(write)
                told -= 1
        host = Host(store)
        there = rw.found(host.one_shot(rw.NAMESPACE))
        if there != expected:  # the one that was under way has been committed, and nobody was told
            unacknowledged += 1
            write = next(write for write in writes if not expected.refuses(write))
            expected.apply(write)
        assert there == expected, f"seed {seed}"
        host.repository.close()
        assert care.inspect(store).faults == []
        before = expected
    print(f"committed, but not told before the kill: {unacknowledged}")
