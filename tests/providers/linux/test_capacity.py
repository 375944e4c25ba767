"""Space on disks: what statvfs says, and what becomes of a server that does not answer."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from openwmi.providers.linux import capacity
from openwmi.providers.linux.capacity import capacities
from openwmi.providers.linux.mounts import Mount


def mount(point: str, kind: str) -> Mount:
    return Mount("0:1", "/", point, frozenset(("rw",)), kind, "server:/x")


@pytest.mark.req("G-20")
def test_local_and_network_drives_answer_alike(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    for kind in ("ext4", "nfs4"):
        (answer,) = capacities([mount(str(tmp_path), kind)])
        assert answer is not None
        assert (answer.size, answer.block_size) == (found.f_blocks * found.f_frsize, found.f_frsize)


def test_a_path_that_is_gone_has_no_size(tmp_path: Path) -> None:
    assert capacities([mount(str(tmp_path / "gone"), kind) for kind in ("ext4", "nfs4")]) == [None, None]


@pytest.mark.req("G-20")
def test_a_server_that_is_gone_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call hangs as in the kernel; the other drive answers, and the dead one is not asked twice at once."""
    release, calls = threading.Event(), []
    real = os.statvfs

    def statvfs(path: str) -> os.statvfs_result:
        calls.append(path)
        if path.endswith("dead"):
            release.wait(60)
        return real(path if os.path.exists(path) else "/")

    monkeypatch.setattr(os, "statvfs", statvfs)
    monkeypatch.setattr(capacity, "PATIENCE", 0.05)
    drives = [mount(f"{tmp_path}/dead", "nfs4"), mount(str(tmp_path), "cifs")]
    try:
        for _ in range(3):
            dead, living = capacities(drives)
            assert dead is None
            assert living is not None
        assert calls.count(f"{tmp_path}/dead") == 1
    finally:
        release.set()
        for thread in threading.enumerate():
            if thread.name.startswith("openwmi-statvfs"):
                thread.join(10)
    dead, _ = capacities(drives)
    assert dead is not None
