"""Win32_Processor on Linux: one instance per socket, from /proc/cpuinfo, sysfs and /proc/stat (G-16).

Where it is not plain: L2CacheSize and L3CacheSize add up the caches of the socket; CurrentClockSpeed is that of its
first processor; MaxClockSpeed is the base frequency, else the highest, else what the name says; ProcessorId is put
together from family, model, stepping and the feature flags as CPUID leaf 1 has them (x86 only); LoadPercentage compares
two readings of /proc/stat, for which a first question waits a fifth of a second; Family is given where the name tells
it; SocketDesignation is the package number, since the firmware's name of the socket is for root alone.

NULL always, since Linux has no such fact or shows it to root's tools alone: AssetTag, Characteristics,
ConfigManagerErrorCode, ConfigManagerUserConfig, CurrentVoltage, ErrorCleared, ErrorDescription, ExtClock, InstallDate,
L2CacheSpeed, L3CacheSpeed, LastErrorCode, OtherFamilyDescription, PartNumber, PNPDeviceID, PowerManagementCapabilities,
PowerManagementSupported, SerialNumber, UniqueId, UpgradeMethod, VoltageCaps.
"""

from __future__ import annotations

from re import search
from typing import TYPE_CHECKING

from openwmi.providers.columns import Readable, reader, same, wanted
from openwmi.providers.linux.host import Host
from openwmi.providers.linux.sockets import Load, Socket, percentage, sockets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from openwmi.contract.provider import Request, Row

_FULL_POWER, _ENABLED, _CPU_ENABLED, _CENTRAL = 3, 3, 1, 3
_ARCHITECTURES = {"i386": 0, "i586": 0, "i686": 0, "armv7l": 5, "ppc64le": 3, "x86_64": 9, "aarch64": 12}
_ARM_IMPLEMENTERS = {
    0x41: "ARM Limited",
    0x42: "Broadcom",
    0x43: "Cavium",
    0x46: "Fujitsu",
    0x48: "HiSilicon",
    0x4E: "NVIDIA",
    0x50: "Applied Micro",
    0x51: "Qualcomm Technologies Inc",
    0x53: "Samsung",
    0x56: "Marvell",
    0x61: "Apple",
    0xC0: "Ampere",
}
# What a name must hold -> code of CIM_Processor.Family, which are those of SMBIOS.
_FAMILIES = (
    (r"Xeon", 179),
    (r"Core\(TM\) i3", 206),
    (r"Core\(TM\) i5", 205),
    (r"Core\(TM\) i7", 198),
    (r"Core\(TM\) i9", 207),
    (r"Celeron", 15),
    (r"Pentium", 11),
    (r"Itanium", 130),
    (r"EPYC|Ryzen", 107),
    (r"Opteron", 132),
    (r"Athlon", 29),
)
# Feature flags of /proc/cpuinfo in the order of their bits in EDX of CPUID leaf 1; bits 10 and 20 are reserved.
_EDX_FLAGS = """fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov
pat pse36 pn clflush - dts acpi mmx fxsr sse sse2 ss ht tm ia64 pbe"""


class Processors(Readable):
    """The processors of the machine whose file tree begins at `root`."""

    def __init__(self, root: str = "") -> None:
        self._root = root
        self._load = Load(root)

    def instances(self, request: Request) -> Iterator[Row]:
        yield from self._rows(request, wanted(request, "DeviceID"))

    def instance(self, request: Request, keys: Mapping[str, object]) -> Row | None:
        return next(self._rows(request, str(keys.get("DeviceID"))), None)

    def _rows(self, request: Request, device: str | None) -> Iterator[Row]:
        found = [one for one in sockets(Host(self._root)) if device is None or same(_device(one), device)]
        table = COLUMNS
        if found and "LoadPercentage" in request.columns:
            before, after = self._load.measure()
            table = {**COLUMNS, "LoadPercentage": lambda socket: percentage(socket, before, after)}
        yield from map(reader(table, request.columns), found)


def _device(socket: Socket) -> str:
    return f"CPU{socket.index}"


def _is_64_bit(socket: Socket) -> bool:
    return "64" in socket.host.machine or socket.host.machine == "s390x"


def _word_width(socket: Socket) -> int:
    """Bits of a data word; a 64-bit processor may run a 32-bit system."""
    return 64 if _is_64_bit(socket) or "lm" in socket.host.flags else 32


def _level(socket: Socket) -> int | None:
    return socket.integer("cpu family", "CPU architecture")


def _model(socket: Socket) -> int | None:
    return socket.integer("model", "CPU part")


def _stepping(socket: Socket) -> int | None:
    return socket.integer("stepping", "CPU revision")


def _caption(socket: Socket) -> str:
    """The form of Windows: "Intel64 Family 6 Model 158 Stepping 10"."""
    vendor = socket.first.get("vendor_id", "")
    if vendor == "GenuineIntel":
        maker = "Intel64" if _word_width(socket) == 64 else "x86"
    elif vendor:
        maker = "AMD64" if _word_width(socket) == 64 else "x86"
    else:
        maker = "ARMv8 (64-bit)" if socket.host.machine == "aarch64" else socket.host.machine
    parts = [maker]
    for word, number in (
        ("Family", _level(socket)),
        ("Model", _model(socket)),
        ("Stepping", _stepping(socket)),
    ):
        if number is not None:
            parts.append(f"{word} {number}")
    return " ".join(parts)


def _manufacturer(socket: Socket) -> str | None:
    implementer = socket.integer("CPU implementer")
    return socket.first.get("vendor_id") or (
        None if implementer is None else _ARM_IMPLEMENTERS.get(implementer)
    )


def _name(socket: Socket) -> str:
    """The marketing name; processors without one are called what the caption says."""
    return socket.first.get("model name") or socket.first.get("cpu") or _caption(socket)


def _revision(socket: Socket) -> int | None:
    """Model in the high byte, stepping in the low one, as the system information of Windows has them."""
    model, stepping = _model(socket), _stepping(socket)
    return None if model is None or stepping is None else (model << 8 | stepping) & 0xFFFF


def _version(socket: Socket) -> str | None:
    model, stepping = _model(socket), _stepping(socket)
    return None if model is None or stepping is None else f"Model {model}, Stepping {stepping}"


def _signature(socket: Socket) -> str | None:
    """EDX and EAX of CPUID leaf 1 as 16 hexadecimal digits."""
    family, model, stepping = (socket.integer(name) for name in ("cpu family", "model", "stepping"))
    if family is None or model is None or stepping is None:
        return None
    low_family = min(family, 15)
    eax = (family - low_family) << 20 | (model >> 4) << 16 | low_family << 8 | (model & 15) << 4 | stepping
    edx = sum(1 << bit for bit, name in enumerate(_EDX_FLAGS.split()) if name in socket.host.flags)
    return f"{edx:08X}{eax:08X}"


def _family(socket: Socket) -> int | None:
    name = _name(socket)
    if not socket.first.get("vendor_id") and socket.host.machine == "aarch64":
        return 257  # ARMv8
    return next((code for pattern, code in _FAMILIES if search(pattern, name)), None)


def _current_speed(socket: Socket) -> int | None:
    running = socket.frequency("scaling_cur_freq", "cpuinfo_cur_freq")
    if running is not None:
        return running
    try:
        return round(float(socket.first["cpu MHz"]))
    except (KeyError, ValueError):
        return None


def _highest_speed(socket: Socket) -> int | None:
    rated = socket.frequency("base_frequency", "cpuinfo_max_freq")
    if rated is None:
        named = search(r"@ *([0-9.]+) *GHz", _name(socket))
        rated = None if named is None else round(float(named[1]) * 1000)
    return _current_speed(socket) if rated is None else rated


def _virtualizes(socket: Socket) -> bool:
    return not socket.host.flags.isdisjoint(("vmx", "svm"))


COLUMNS: dict[str, Callable[[Socket], object]] = {
    "AddressWidth": lambda socket: 64 if _is_64_bit(socket) else 32,
    "Architecture": lambda socket: _ARCHITECTURES.get(socket.host.machine),
    "Availability": lambda socket: _FULL_POWER,
    "Caption": _caption,
    "CpuStatus": lambda socket: _CPU_ENABLED,
    "CreationClassName": lambda socket: "Win32_Processor",
    "CurrentClockSpeed": _current_speed,
    "DataWidth": _word_width,
    "Description": _caption,
    "DeviceID": _device,
    "Family": _family,
    "L2CacheSize": lambda socket: socket.cache_size(2),
    "L3CacheSize": lambda socket: socket.cache_size(3),
    "Level": _level,
    "Manufacturer": _manufacturer,
    "MaxClockSpeed": _highest_speed,
    "Name": _name,
    "NumberOfCores": lambda socket: socket.cores(),
    "NumberOfEnabledCore": lambda socket: socket.cores(),
    "NumberOfLogicalProcessors": lambda socket: len(socket.processors),
    "ProcessorId": _signature,
    "ProcessorType": lambda socket: _CENTRAL,
    "Revision": _revision,
    "Role": lambda socket: "CPU",
    "SecondLevelAddressTranslationExtensions": lambda socket: (
        not socket.host.flags.isdisjoint(("ept", "npt"))
    ),
    "SocketDesignation": lambda socket: f"CPU {socket.package}",
    "Status": lambda socket: "OK",
    "StatusInfo": lambda socket: _ENABLED,
    "Stepping": lambda socket: None if _stepping(socket) is None else str(_stepping(socket)),
    "SystemCreationClassName": lambda socket: "Win32_ComputerSystem",
    "SystemName": lambda socket: socket.host.name,
    "ThreadCount": lambda socket: len(socket.processors),
    "Version": _version,
    "VirtualizationFirmwareEnabled": _virtualizes,
    "VMMonitorModeExtensions": _virtualizes,
}
family = Processors
