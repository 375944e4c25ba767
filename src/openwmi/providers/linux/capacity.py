"""How large disks are and how much of them is free, without ever waiting long for a server that is gone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from threading import Thread

    from openwmi.providers.linux.mounts import Mount

PATIENCE = 2.0  # s that all network drives of one question have together
_asking: dict[str, Thread] = {}


class Capacity(NamedTuple):
    """Bytes, but for blocks and the characters of the longest name."""

    size: int
    free: int
    block_size: int
    blocks: int
    longest_name: int


def capacity(path: str) -> Capacity | None:
    """What statvfs says of the file system at a path; None when it refuses."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    return Capacity(
        found.f_blocks * found.f_frsize,
        found.f_bavail * found.f_frsize,
        found.f_frsize,
        found.f_blocks,
        found.f_namemax,
    )


def capacities(mounts: list[Mount], root: str = "") -> list[Capacity | None]:
    """One answer per mount. Network drives are asked all at once, each in a thread that may be left behind.

    A thread that hangs in the kernel cannot be ended, so a drive whose last question is still open is not asked again.
    """
    answers: dict[str, Capacity | None] = {}
    remote = [root + mount.point for mount in mounts if mount.is_network]
    if remote:
        _ask_together(remote, answers)
    return [
        answers.get(root + mount.point) if mount.is_network else capacity(root + mount.point)
        for mount in mounts
    ]


def _ask_together(paths: list[str], answers: dict[str, Capacity | None]) -> None:
    from threading import Thread
    from time import monotonic

    def ask(path: str) -> None:
        answers[path] = capacity(path)

    asked = []
    for path in paths:
        pending = _asking.get(path)
        if pending is None or not pending.is_alive():
            thread = _asking[path] = Thread(
                target=ask, args=(path,), name=f"openwmi-statvfs {path}", daemon=True
            )
            thread.start()
            asked.append(thread)
    deadline = monotonic() + PATIENCE
    for thread in asked:
        thread.join(max(0.0, deadline - monotonic()))
