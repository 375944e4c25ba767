"""Win32_ComputerSystem on Linux: the machine as a whole, from DMI, /proc, the clock and the log-on records (G-11).

Where it is not plain: Manufacturer, Model, SystemFamily and SystemSKUNumber are the firmware's (an ARM board's model
comes from its device tree) and NULL on machines without; Domain is that of sssd or Samba, else the workgroup, which is
WORKGROUP where Samba does not say; DomainRole follows PartOfDomain and Win32_OperatingSystem.ProductType; UserName is
who sits at seat0; AutomaticResetBootOption and PauseAfterReset are the sysctl kernel.panic; PCSystemType follows the
firmware's chassis code; ThermalState compares the thermal zones with their critical trip points.

NULL always, since Linux has no such fact or shows it to root's tools alone: AdminPasswordStatus,
AutomaticManagedPagefile, BootOptionOnLimit, BootOptionOnWatchDog, BootROMSupported, BootStatus, ChassisBootupState,
ChassisSKUNumber, FrontPanelResetStatus, InfraredSupported, InitialLoadInfo, InstallDate, KeyboardPasswordStatus,
LastLoadInfo, NameFormat, NetworkServerModeEnabled, OEMLogoBitmap, OEMStringArray, PowerManagementCapabilities,
PowerOnPasswordStatus, PowerState, PowerSupplyState, PrimaryOwnerContact, PrimaryOwnerName, ResetCapability,
ResetCount, ResetLimit, Roles, SupportContactDescription, SystemStartupDelay, SystemStartupOptions,
SystemStartupSetting, WakeUpType.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from openwmi.providers.columns import Readable, reader, same
from openwmi.providers.linux import clock
from openwmi.providers.linux.domain import membership, workgroup
from openwmi.providers.linux.files import contents, line, listing, number, text
from openwmi.providers.linux.host import Host
from openwmi.providers.linux.sessions import console_user
from openwmi.providers.linux.sockets import sockets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from openwmi.contract.provider import Request, Row

_SYSTEM_TYPES = {
    "x86_64": "x64-based PC",
    "i386": "X86-based PC",
    "i586": "X86-based PC",
    "i686": "X86-based PC",
    "aarch64": "ARM64-based PC",
}
# Chassis codes of SMBIOS -> purpose: 1 desktop, 2 mobile, 4 server.
_DESKTOP = dict.fromkeys((3, 4, 5, 6, 7, 13, 15, 16, 24, 35, 36), 1)
_MOBILE = dict.fromkeys((8, 9, 10, 11, 12, 14, 30, 31, 32), 2)
_SERVER = dict.fromkeys((17, 23, 25, 28, 29), 4)
_PURPOSES = {**_DESKTOP, **_MOBILE, **_SERVER}
_TABLET, _SLATE = 30, 8
_SAFE, _CRITICAL = 3, 5


class ComputerSystem(Readable):
    """The machine whose file tree begins at `root`."""

    def __init__(self, root: str = "") -> None:
        self._root = root

    def instances(self, request: Request) -> Iterator[Row]:
        yield reader(COLUMNS, request.columns)(Host(self._root))

    def instance(self, request: Request, keys: Mapping[str, object]) -> Row | None:
        host = Host(self._root)
        return reader(COLUMNS, request.columns)(host) if same(str(keys.get("Name")), host.name) else None


def _model(host: Host) -> str | None:
    return host.dmi("product_name") or line(f"{host.root}/proc/device-tree/model")


def _description(host: Host) -> str | None:
    words = [word for word in (host.dmi("sys_vendor"), _model(host)) if word]
    return " ".join(words) or _system_type(host)


def _system_type(host: Host) -> str:
    return _SYSTEM_TYPES.get(host.machine, host.machine)


def _bootup_state(host: Host) -> str | None:
    try:
        words = text(contents(f"{host.root}/proc/cmdline")).split()
    except OSError:
        return None
    safe = (
        "single",
        "1",
        "S",
        "rescue",
        "emergency",
        "systemd.unit=rescue.target",
        "systemd.unit=emergency.target",
    )
    return "Fail-safe boot" if any(word in safe for word in words) else "Normal boot"


def _domain_role(host: Host) -> int:
    """0 and 1 for a workstation alone and in a domain, 2 and 3 for a server."""
    return (0 if host.workstation else 2) + (membership(host.root) is not None)


def _restart_delay(host: Host) -> int | None:
    """Seconds between a kernel panic and the restart: 0 never, negative at once."""
    return number(f"{host.root}/proc/sys/kernel/panic")


def _restarts(host: Host) -> bool | None:
    delay = _restart_delay(host)
    return None if delay is None else delay != 0


def _pause(host: Host) -> int | None:
    delay = _restart_delay(host)
    return max(0, delay) * 1000 if delay else None


def _hypervisor(host: Host) -> bool:
    return "hypervisor" in host.flags or line(f"{host.root}/sys/hypervisor/type") is not None


def _chassis(host: Host) -> int | None:
    found = host.dmi("chassis_type")
    return int(found) if found is not None and found.isdecimal() else None


def _purpose(host: Host) -> int | None:
    chassis = _chassis(host)
    return None if chassis is None else _PURPOSES.get(chassis, 0)


def _purpose_with_tablets(host: Host) -> int | None:
    return _SLATE if _chassis(host) == _TABLET else _purpose(host)


def _thermal_state(host: Host) -> int | None:
    """3 (safe) while every thermal zone is below its critical trip point, else 5; NULL without zones."""
    directory = f"{host.root}/sys/class/thermal"
    states = []
    for zone in listing(directory):
        temperature = number(f"{directory}/{zone}/temp")
        for point in range(16):
            kind = line(f"{directory}/{zone}/trip_point_{point}_type")
            limit = number(f"{directory}/{zone}/trip_point_{point}_temp") if kind == "critical" else None
            if temperature is not None and limit is not None:
                states.append(_SAFE if temperature < limit else _CRITICAL)
            if kind is None:
                break
    return max(states, default=None)


def _user(host: Host) -> str | None:
    user = console_user(host.root)
    return None if user is None else f"{host.name}\\{user}"


def _total_memory(host: Host) -> int | None:
    size = host.memory.get("MemTotal")
    return None if size is None else size * 1024


COLUMNS: dict[str, Callable[[Host], object]] = {
    "AutomaticResetBootOption": _restarts,
    "AutomaticResetCapability": lambda host: None if _restart_delay(host) is None else True,
    "BootupState": _bootup_state,
    "Caption": lambda host: host.name,
    "CreationClassName": lambda host: "Win32_ComputerSystem",
    "CurrentTimeZone": lambda host: clock.zone_minutes(),
    "DaylightInEffect": lambda host: time.localtime().tm_isdst > 0,
    "Description": _description,
    "DNSHostName": lambda host: host.dns_name,
    "Domain": lambda host: membership(host.root) or workgroup(host.root),
    "DomainRole": _domain_role,
    "EnableDaylightSavingsTime": lambda host: bool(time.daylight),
    "HypervisorPresent": _hypervisor,
    "Manufacturer": lambda host: host.dmi("sys_vendor"),
    "Model": _model,
    "Name": lambda host: host.name,
    "NumberOfLogicalProcessors": lambda host: len(host.processors) or None,
    "NumberOfProcessors": lambda host: len(sockets(host)) or None,
    "PartOfDomain": lambda host: membership(host.root) is not None,
    "PauseAfterReset": _pause,
    "PCSystemType": _purpose,
    "PCSystemTypeEx": _purpose_with_tablets,
    "PowerManagementSupported": lambda host: line(f"{host.root}/sys/power/state") is not None,
    "Status": lambda host: "OK",
    "SystemFamily": lambda host: host.dmi("product_family"),
    "SystemSKUNumber": lambda host: host.dmi("product_sku"),
    "SystemType": _system_type,
    "ThermalState": _thermal_state,
    "TotalPhysicalMemory": _total_memory,
    "UserName": _user,
    "Workgroup": lambda host: workgroup(host.root) if membership(host.root) is None else None,
}
family = ComputerSystem
