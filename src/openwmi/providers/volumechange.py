"""Win32_VolumeChangeEvent: disks that are mounted, unmounted or mounted otherwise. The kernel tells that its table of
mounts has changed; what has changed is seen by comparing. Disks are those of Win32_LogicalDisk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.contract.provider import EventCoverage
from openwmi.providers.linux.mounts import disks, mounted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openwmi.contract.provider import EventSink
    from openwmi.providers.linux.mounts import Mount

VOLUMES: Final = EventCoverage("Win32_VolumeChangeEvent")
CHANGED, ARRIVED, REMOVED = 1, 2, 3
# The table is looked at again after this long at the latest, should the kernel have been silent.
LOOK_SECONDS: Final = 5.0


class VolumeChangeEvents:
    """The provider."""

    name = "VolumeChangeEvents"
    events = (VOLUMES,)

    def __init__(self, root: str = "") -> None:
        self._root = root

    def provide_events(self, sink: EventSink) -> None:
        from select import POLLERR, POLLPRI, poll
        from socket import socketpair

        here, there = socketpair()
        with here, there, open(f"{self._root}/proc/self/mountinfo", "rb") as table:
            sink.on_stop(there.close)  # the other end hears of it
            waiting = poll()
            waiting.register(table, POLLERR | POLLPRI)
            waiting.register(here)
            before = self._disks()
            sink.ready()
            while not sink.stopped:
                waiting.poll(LOOK_SECONDS * 1000)
                now = self._disks()
                told = [
                    sink.event(VOLUMES.event, {"EventType": kind, "DriveName": name})
                    for kind, name in changes(before, now)
                ]
                before = now
                if told:
                    sink.indicate(told)

    def _disks(self) -> dict[str, Mount]:
        return {mount.point: mount for mount in disks(mounted(self._root), self._root)}


def changes(before: dict[str, Mount], now: dict[str, Mount]) -> Iterator[tuple[int, str]]:
    """What has happened at which mount point."""
    for point in before:
        if point not in now:
            yield REMOVED, point
    for point, mount in now.items():
        if point not in before:
            yield ARRIVED, point
        elif mount != before[point]:
            yield CHANGED, point
