"""Processors as Windows counts them: the logical ones grouped by socket, with caches, clocks and load."""

from __future__ import annotations

from time import monotonic, sleep
from typing import TYPE_CHECKING

from openwmi.providers.linux.files import contents, line, listing, number

if TYPE_CHECKING:
    from openwmi.providers.linux.host import Host

_INTERVAL = 0.2  # s between two readings of /proc/stat
_FRESH = 2.0  # s that a reading serves as the first of two


class Socket:
    """A physical processor: its logical processors as /proc/cpuinfo describes them."""

    def __init__(self, host: Host, index: int, package: str) -> None:
        self.host = host
        self.index = index
        self.package = package
        self.processors: list[dict[str, str]] = []

    @property
    def first(self) -> dict[str, str]:
        return self.processors[0]

    @property
    def numbers(self) -> list[str]:
        """The kernel's numbers of the logical processors."""
        return [processor["processor"] for processor in self.processors]

    def path(self, number: str) -> str:
        return f"{self.host.root}/sys/devices/system/cpu/cpu{number}"

    def integer(self, *names: str) -> int | None:
        """The first of several fields of /proc/cpuinfo that holds a number, decimal or with 0x."""
        for name in names:
            try:
                return int(self.first[name], 0)
            except (KeyError, ValueError):
                continue
        return None

    def cores(self) -> int:
        """How many cores: distinct core ids, or as many as logical processors where the kernel gives no ids."""
        ids = {
            processor.get("core id") or line(f"{self.path(processor['processor'])}/topology/core_id")
            for processor in self.processors
        }
        return len(self.processors) if None in ids else len(ids)

    def cache_size(self, level: int) -> int | None:
        """KB of all caches of a level; one that several processors share counts once."""
        found: dict[str, int] = {}
        for number_ in self.numbers:
            caches = self.path(number_) + "/cache"
            for name in listing(caches):
                size = line(f"{caches}/{name}/size")
                if number(f"{caches}/{name}/level") == level and size is not None:
                    shared = line(f"{caches}/{name}/shared_cpu_list") or number_
                    found[shared] = int(size.rstrip("KM")) << (10 if size.endswith("M") else 0)
        return sum(found.values()) or None

    def frequency(self, *names: str) -> int | None:
        """MHz from the first file under cpufreq that exists."""
        for name in names:
            found = number(f"{self.path(self.numbers[0])}/cpufreq/{name}")
            if found is not None:
                return found // 1000
        return None


def sockets(host: Host) -> list[Socket]:
    """One per physical package. Where neither cpuinfo nor sysfs knows packages all processors are one."""
    found: dict[str, Socket] = {}
    for processor in host.processors:
        package = processor.get("physical id")
        if package is None:
            path = (
                f"{host.root}/sys/devices/system/cpu/cpu{processor['processor']}/topology/physical_package_id"
            )
            package = line(path) or "0"
        socket = found.get(package)
        if socket is None:
            socket = found[package] = Socket(host, len(found), package)
        socket.processors.append(processor)
    return list(found.values())


Times = dict[str, tuple[int, int]]


def _times(root: str) -> Times:
    """Busy and total clock ticks of each logical processor since the boot."""
    try:
        lines = contents(f"{root}/proc/stat", 65536).splitlines()
    except OSError:
        return {}
    found = {}
    for raw in lines[1:]:
        if not raw.startswith(b"cpu"):
            break
        name, *rest = raw.split()
        ticks = [int(word) for word in rest[:8]]  # user nice system idle iowait irq softirq steal
        found[name[3:].decode()] = (sum(ticks) - sum(ticks[3:5]), sum(ticks))
    return found


class Load:
    """The load of processors between two readings. The second reading stays as the first of the next question."""

    def __init__(self, root: str = "") -> None:
        self._root = root
        self._last: tuple[float, Times] = (0.0, {})

    def measure(self) -> tuple[Times, Times]:
        """Two readings, at least a fifth of a second apart and at most about two seconds."""
        at, before = self._last
        age = monotonic() - at
        if not before or age > _FRESH:
            before, age = _times(self._root), 0.0
        if age < _INTERVAL:
            sleep(_INTERVAL - age)
        after = _times(self._root)
        self._last = (monotonic(), after)
        return before, after


def percentage(socket: Socket, before: Times, after: Times) -> int | None:
    """How busy a socket was between two readings, 0..100."""
    busy = total = 0
    for number_ in socket.numbers:
        if number_ in before and number_ in after:
            busy += after[number_][0] - before[number_][0]
            total += after[number_][1] - before[number_][1]
    return None if total <= 0 else max(0, min(100, round(100 * busy / total)))
