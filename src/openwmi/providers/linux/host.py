"""Facts about this host that several families show: names, release, mounts, memory, processors, firmware.

A Host is one snapshot: each file is read at most once, and only when a column asks for what is in it.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

from openwmi.providers.linux.files import assignments, contents, fields, line, listing, text

if TYPE_CHECKING:
    from openwmi.providers.linux.mounts import Mount


class Host:
    """One look at the machine whose file tree begins at `root`."""

    def __init__(self, root: str = "") -> None:
        self.root = root

    @cached_property
    def dns_name(self) -> str:
        """The first label of the host name."""
        name = line(f"{self.root}/proc/sys/kernel/hostname") or "localhost"
        return name.partition(".")[0]

    @cached_property
    def name(self) -> str:
        """What CSName, SystemName and the like hold: the host name in upper case (G-03)."""
        return self.dns_name.upper()

    @cached_property
    def release(self) -> str | None:
        """The kernel's release, as uname -r prints it."""
        return line(f"{self.root}/proc/sys/kernel/osrelease")

    @cached_property
    def machine(self) -> str:
        """The instruction set, as uname -m prints it."""
        return os.uname().machine

    @property
    def address_space(self) -> int | None:
        """Bytes of address space that the kernel gives to a process, where the instruction set fixes it."""
        return {"x86_64": 1 << 47, "aarch64": 1 << 48}.get(self.machine)

    @cached_property
    def os_release(self) -> dict[str, str]:
        return assignments(f"{self.root}/etc/os-release") or assignments(f"{self.root}/usr/lib/os-release")

    @cached_property
    def caption(self) -> str:
        """The operating system in words."""
        return self.os_release.get("PRETTY_NAME") or self.os_release.get("NAME") or "Linux"

    @cached_property
    def version(self) -> str | None:
        """VERSION_ID of the distribution; a distribution without versions is as old as its kernel."""
        return self.os_release.get("VERSION_ID") or self.release

    @cached_property
    def mounts(self) -> list[Mount]:
        from openwmi.providers.linux.mounts import mounted

        return mounted(self.root)

    @cached_property
    def root_device(self) -> str | None:
        """What is mounted at /: a path under /dev, or the name of a file system without a device."""
        return next((mount.source for mount in reversed(self.mounts) if mount.point == "/"), None)

    @cached_property
    def system_name(self) -> str:
        """Win32_OperatingSystem.Name: caption, directory and device with bars between (G-10)."""
        return f"{self.caption}|/|{self.root_device or ''}"

    @cached_property
    def memory(self) -> dict[str, int]:
        """/proc/meminfo, KB."""
        return fields(f"{self.root}/proc/meminfo")

    @cached_property
    def processors(self) -> list[dict[str, str]]:
        """/proc/cpuinfo: one mapping per logical processor that is online."""
        try:
            blocks = text(contents(f"{self.root}/proc/cpuinfo", 65536)).split("\n\n")
        except OSError:
            return []
        found = []
        for block in blocks:
            pairs = (raw.partition(":") for raw in block.splitlines())
            one = {name.strip(): value.strip() for name, colon, value in pairs if colon}
            if "processor" in one:
                found.append(one)
        return found

    @cached_property
    def flags(self) -> frozenset[str]:
        """Feature flags of the first processor."""
        first = self.processors[0] if self.processors else {}
        return frozenset((first.get("flags") or first.get("Features") or "").split())

    @cached_property
    def language(self) -> str | None:
        """The system's language as an environment variable would name it, "en_US.UTF-8"; None when nothing is set."""
        for path in ("/etc/locale.conf", "/etc/default/locale"):
            found = assignments(self.root + path).get("LANG")
            if found:
                return found
        return None

    @cached_property
    def workstation(self) -> bool:
        """Whether somebody is meant to sit in front of it: the distribution says so, or a display manager is set up."""
        variant = self.os_release.get("VARIANT_ID", "")
        if variant:
            return variant != "server" and variant not in ("cloud", "coreos", "iot")
        paths = ("/etc/systemd/system/display-manager.service", "/etc/X11/default-display-manager")
        return any(os.path.lexists(self.root + path) for path in paths)

    def dmi(self, name: str) -> str | None:
        """A string of the firmware's tables from /sys/class/dmi/id; None when absent or for root only."""
        found = line(f"{self.root}/sys/class/dmi/id/{name}")
        return None if found in _PLACEHOLDERS else found

    def pids(self) -> int:
        """How many processes there are."""
        return sum(name.isdecimal() for name in listing(f"{self.root}/proc"))


# What makers leave in the firmware when they have nothing to say.
_PLACEHOLDERS = frozenset(
    (
        "To Be Filled By O.E.M.",
        "To be filled by O.E.M.",
        "Default string",
        "Not Specified",
        "System Product Name",
        "None",
    )
)
