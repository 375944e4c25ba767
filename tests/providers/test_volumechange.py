"""Win32_VolumeChangeEvent: a disk that is mounted, mounted otherwise, and unmounted."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from openwmi import host
from openwmi.contract import operations as ops
from openwmi.contract.caller import Caller
from openwmi.providers.linux.mounts import Mount
from openwmi.providers.volumechange import ARRIVED, CHANGED, REMOVED, changes


def mount(point: str, *options: str) -> Mount:
    return Mount("8:1", "/", point, frozenset(options), "ext4", "/dev/sda1")


def test_what_has_happened_is_seen_by_comparing() -> None:
    before = {one.point: one for one in (mount("/", "rw"), mount("/a", "rw"), mount("/b", "rw"))}
    now = {one.point: one for one in (mount("/", "rw"), mount("/b", "ro"), mount("/c", "rw"))}
    assert list(changes(before, now)) == [(REMOVED, "/a"), (CHANGED, "/b"), (ARRIVED, "/c")]
    assert list(changes(now, now)) == []


@pytest.fixture
def image(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A disk in a file, and where to mount it."""
    maker = shutil.which("mkfs.ext2")
    if os.geteuid() != 0 or maker is None:
        pytest.skip("mounting is for root, with mkfs.ext2")
    file, point = tmp_path / "disk.img", tmp_path / "mnt"
    point.mkdir()
    with file.open("wb") as disk:
        disk.truncate(1 << 20)
    subprocess.run([maker, "-q", str(file)], check=True, capture_output=True)
    if subprocess.run(["mount", "-o", "loop", file, point], check=False, capture_output=True).returncode:
        pytest.skip("this machine mounts no files")
    subprocess.run(["umount", point], check=True)
    yield str(file), str(point)
    subprocess.run(["umount", point], check=False, capture_output=True)


@pytest.mark.slow
@pytest.mark.req("E-01", "F-27")
def test_a_disk_comes_changes_and_goes(image: tuple[str, str]) -> None:
    file, point = image
    here = host.Host(host.MEMORY)
    told: list[tuple[int, str]] = []
    more = threading.Condition()

    class Sink:
        def on_objects(self, batch: Any) -> None:
            with more:
                told.extend((one.EventType, one.DriveName) for one in batch)
                more.notify_all()

        def on_progress(self, progress: Any) -> None: ...

        def on_completed(self, outcome: Any) -> None: ...

    caller = Caller("S-1-22-1-0", "tester")
    services = here.portal.submit(here.services, "root\\cimv2", caller).result(10)
    query = f"SELECT * FROM Win32_VolumeChangeEvent WHERE DriveName = '{point}'"

    async def begun() -> None:
        await (await services.start(ops.ExecNotificationQuery(query), Sink())).begun()

    here.portal.submit(begun).result(10)
    steps = [
        (["mount", "-o", "loop", file, point], ARRIVED),
        (["mount", "-o", "remount,ro", point], CHANGED),
        (["umount", point], REMOVED),
    ]
    for command, kind in steps:
        subprocess.run(command, check=True)
        with more:
            assert more.wait_for(lambda kind=kind: (kind, point) in told, 3), command  # type: ignore[misc]
    assert [kind for kind, _ in groupby(told)] == [(kind, point) for _, kind in steps]
    here.shut_down()
