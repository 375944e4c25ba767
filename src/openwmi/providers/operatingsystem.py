"""Win32_OperatingSystem on Linux: the one instance, from os-release, /proc and the clock (G-10).

Where it is not plain: Version is VERSION_ID of the distribution and BuildNumber the kernel's release; Manufacturer is
VENDOR_NAME, else NAME of os-release; SystemDrive, WindowsDirectory are "/", so that Win32_LogicalDisk has a DeviceID to
match; FreePhysicalMemory is what the kernel thinks can be had without swapping; swap space counts as paging files;
InstallDate is the oldest change time among files that an installation writes; NumberOfUsers counts log-on sessions;
ProductType is 1 where the distribution or a display manager says so, else 3; Locale and OSLanguage follow LANG.

NULL always, since Linux has no such fact: CountryCode, CSDVersion, EncryptionLevel, ForegroundApplicationBoost,
LargeSystemCache, OperatingSystemSKU, Organization, OSProductSuite, OtherTypeDescription, PAEEnabled, PlusProductID,
PlusVersionNumber, RegisteredUser, SerialNumber (the machine id is not to be shown), SuiteMask, TotalSwapSpaceSize (swap
space counts as paging files), DataExecutionPrevention_32BitApplications, _Drivers and _SupportPolicy.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from openwmi.providers.columns import Readable, reader
from openwmi.providers.linux import clock
from openwmi.providers.linux.files import assignments, line, number
from openwmi.providers.linux.host import Host
from openwmi.providers.linux.mounts import is_removable
from openwmi.providers.linux.sessions import session_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from openwmi.contract.provider import Request, Row

_LINUX = 36
_NO_CLOCK = 31_536_000  # times of 1970 come from image builders that have no clock
_INSTALLED = ("/lost+found", "/etc/machine-id", "/etc/hostname", "/etc/os-release", "/var/lib/dpkg/info", "/")


class OperatingSystem(Readable):
    """The operating system whose file tree begins at `root`."""

    def __init__(self, root: str = "") -> None:
        self._root = root

    def instances(self, request: Request) -> Iterator[Row]:
        yield reader(COLUMNS, request.columns)(Host(self._root))

    def instance(self, request: Request, keys: Mapping[str, object]) -> Row | None:
        return reader(COLUMNS, request.columns)(Host(self._root))


def _boot(host: Host) -> str | None:
    seconds = clock.boot_seconds(host.root)
    return None if seconds is None else clock.datetime_text(seconds)


def _installed(host: Host) -> str | None:
    """The change time cannot be set back by whoever unpacks an image, so the oldest one dates the installation."""
    times = []
    for path in _INSTALLED:
        try:
            times.append(int(os.stat(host.root + path).st_ctime))
        except OSError:
            continue
    times = [seconds for seconds in times if seconds > _NO_CLOCK]
    return clock.datetime_text(min(times)) if times else None


def _memory(*names: str) -> Callable[[Host], int | None]:
    """The sum of some lines of /proc/meminfo in KB; NULL when one is missing."""

    def total(host: Host) -> int | None:
        found = [host.memory.get(name) for name in names]
        return None if None in found else sum(size for size in found if size is not None)

    return total


def _language(host: Host) -> tuple[int, str]:
    """The Windows language identifier and the language tag; the C locale speaks American English."""
    name = (host.language or "").partition(".")[0].partition("@")[0]
    if name not in ("", "C", "POSIX"):
        from locale import windows_locale

        for identifier, known in windows_locale.items():
            if known == name:
                return identifier, name.replace("_", "-")
    return 0x0409, "en-US"


def _architecture(host: Host) -> str:
    if host.machine.startswith(("aarch64", "arm64")):
        return "ARM 64-bit Processor"
    return "64-bit" if "64" in host.machine or host.machine == "s390x" else "32-bit"


def _boot_device(host: Host) -> str | None:
    boot = next((mount.source for mount in reversed(host.mounts) if mount.point == "/boot"), None)
    return boot or host.root_device


def _build_type(host: Host) -> str | None:
    version = line(f"{host.root}/proc/sys/kernel/version")
    if version is None:
        return None
    return "Multiprocessor Free" if "SMP" in version.split() else "Uniprocessor Free"


def _portable(host: Host) -> bool | None:
    root = next((mount for mount in reversed(host.mounts) if mount.point == "/"), None)
    return None if root is None else is_removable(root, host.root)


def _description(host: Host) -> str:
    return assignments(f"{host.root}/etc/machine-info").get("PRETTY_HOSTNAME") or host.caption


COLUMNS: dict[str, Callable[[Host], object]] = {
    "BootDevice": _boot_device,
    "BuildNumber": lambda host: host.release,
    "BuildType": _build_type,
    "Caption": lambda host: host.caption,
    "CodeSet": lambda host: "65001" if "utf" in (host.language or "").lower() else None,
    "CreationClassName": lambda host: "Win32_OperatingSystem",
    "CSCreationClassName": lambda host: "Win32_ComputerSystem",
    "CSName": lambda host: host.name,
    "CurrentTimeZone": lambda host: clock.zone_minutes(),
    "DataExecutionPrevention_Available": lambda host: True if "nx" in host.flags else None,
    "Debug": lambda host: "debug" in (host.release or ""),
    "Description": _description,
    "Distributed": lambda host: False,
    "FreePhysicalMemory": _memory("MemAvailable"),
    "FreeSpaceInPagingFiles": _memory("SwapFree"),
    "FreeVirtualMemory": _memory("MemAvailable", "SwapFree"),
    "InstallDate": _installed,
    "LastBootUpTime": _boot,
    "LocalDateTime": lambda host: clock.now_text(),
    "Locale": lambda host: f"{_language(host)[0]:04x}",
    "Manufacturer": lambda host: host.os_release.get("VENDOR_NAME") or host.os_release.get("NAME"),
    "MaxNumberOfProcesses": lambda host: number(f"{host.root}/proc/sys/kernel/pid_max"),
    "MaxProcessMemorySize": lambda host: None if host.address_space is None else host.address_space >> 10,
    "MUILanguages": lambda host: (_language(host)[1],),
    "Name": lambda host: host.system_name,
    "NumberOfLicensedUsers": lambda host: 0,
    "NumberOfProcesses": lambda host: host.pids(),
    "NumberOfUsers": lambda host: session_count(host.root),
    "OSArchitecture": _architecture,
    "OSLanguage": lambda host: _language(host)[0],
    "OSType": lambda host: _LINUX,
    "PortableOperatingSystem": _portable,
    "Primary": lambda host: True,
    "ProductType": lambda host: 1 if host.workstation else 3,
    "ServicePackMajorVersion": lambda host: 0,
    "ServicePackMinorVersion": lambda host: 0,
    "SizeStoredInPagingFiles": _memory("SwapTotal"),
    "Status": lambda host: "OK",
    "SystemDevice": lambda host: host.root_device,
    "SystemDirectory": lambda host: "/usr/bin",
    "SystemDrive": lambda host: "/",
    "TotalVirtualMemorySize": _memory("MemTotal", "SwapTotal"),
    "TotalVisibleMemorySize": _memory("MemTotal"),
    "Version": lambda host: host.version,
    "WindowsDirectory": lambda host: "/",
}
family = OperatingSystem
