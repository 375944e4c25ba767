"""Win32_ComputerSystem on this machine, and on file trees of other ones."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.providers.questions import Ask


@pytest.mark.req("G-11", "G-06")
def test_it_is_this_machine(ask: Ask) -> None:
    (row,) = ask("Win32_ComputerSystem")
    host = platform.node().partition(".")[0]
    assert (row["Name"], row["DNSHostName"]) == (host.upper(), host)
    assert row["TotalPhysicalMemory"] == psutil.virtual_memory().total
    assert row["NumberOfLogicalProcessors"] == psutil.cpu_count()
    assert row["NumberOfProcessors"]
    assert row["SystemType"] == ("x64-based PC" if platform.machine() == "x86_64" else row["SystemType"])
    flags = Path("/proc/cpuinfo").read_text()
    assert row["HypervisorPresent"] == (" hypervisor" in flags or Path("/sys/hypervisor/type").exists())
    assert row["PartOfDomain"] == (row["Workgroup"] is None)


MACHINE = {
    "/proc/sys/kernel/hostname": "pluto\n",
    "/sys/class/dmi/id/sys_vendor": "Dell Inc.\n",
    "/sys/class/dmi/id/product_name": "Latitude 7420\n",
    "/sys/class/dmi/id/product_family": "Latitude\n",
    "/sys/class/dmi/id/product_sku": "0A3C\n",
    "/sys/class/dmi/id/chassis_type": "10\n",
    "/proc/cmdline": "BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet\n",
    "/proc/sys/kernel/panic": "0\n",
    "/sys/power/state": "freeze mem disk\n",
}


@pytest.mark.req("G-11")
def test_a_laptop(ask: Ask, tree: Callable[..., Path]) -> None:
    expected = {
        "Manufacturer": "Dell Inc.",
        "Model": "Latitude 7420",
        "SystemFamily": "Latitude",
        "SystemSKUNumber": "0A3C",
        "PCSystemType": 2,
        "PCSystemTypeEx": 2,
        "Description": "Dell Inc. Latitude 7420",
        "BootupState": "Normal boot",
        "AutomaticResetBootOption": False,
        "AutomaticResetCapability": True,
        "PauseAfterReset": None,
        "PowerManagementSupported": True,
        "Domain": "WORKGROUP",
        "Workgroup": "WORKGROUP",
        "PartOfDomain": False,
        "DomainRole": 2,
    }
    assert ask("Win32_ComputerSystem", *expected, root=tree(MACHINE)) == [expected]


@pytest.mark.req("G-11")
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"/sys/class/dmi/id/chassis_type": "30\n"}, {"PCSystemType": 2, "PCSystemTypeEx": 8}),
        ({"/sys/class/dmi/id/chassis_type": "23\n"}, {"PCSystemType": 4, "PCSystemTypeEx": 4}),
        ({"/sys/class/dmi/id/chassis_type": "1\n"}, {"PCSystemType": 0, "PCSystemTypeEx": 0}),
        ({"/sys/class/dmi/id/sys_vendor": "To Be Filled By O.E.M.\n"}, {"Manufacturer": None}),
        (
            {"/proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0"},
            {"Model": "Raspberry Pi 4 Model B Rev 1.4"},
        ),
        ({"/proc/cmdline": "root=/dev/sda1 single\n"}, {"BootupState": "Fail-safe boot"}),
        ({"/proc/sys/kernel/panic": "10\n"}, {"AutomaticResetBootOption": True, "PauseAfterReset": 10_000}),
        ({"/proc/sys/kernel/panic": "-1\n"}, {"AutomaticResetBootOption": True, "PauseAfterReset": 0}),
        (
            {"/etc/samba/smb.conf": "[global]\n workgroup = lab\n"},
            {"Domain": "LAB", "Workgroup": "LAB", "DomainRole": 2},
        ),
        (
            {"/etc/samba/smb.conf": "[global]\nsecurity = ADS\nrealm = EXAMPLE.ORG\nworkgroup=EX\n"},
            {"Domain": "example.org", "Workgroup": None, "PartOfDomain": True, "DomainRole": 3},
        ),
        (
            {
                "/etc/sssd/sssd.conf": "[sssd]\n\n[domain/corp]\nid_provider = ad\nad_domain = corp.example\n",
                "/etc/os-release": "VARIANT_ID=workstation\n",
            },
            {"Domain": "corp.example", "DomainRole": 1},
        ),
        ({"/etc/sssd/sssd.conf": "[domain/files]\nid_provider = files\n"}, {"PartOfDomain": False}),
        (
            {
                "/sys/class/thermal/thermal_zone0/temp": "45000\n",
                "/sys/class/thermal/thermal_zone0/trip_point_0_type": "passive\n",
                "/sys/class/thermal/thermal_zone0/trip_point_1_type": "critical\n",
                "/sys/class/thermal/thermal_zone0/trip_point_1_temp": "99000\n",
            },
            {"ThermalState": 3},
        ),
        (
            {
                "/sys/class/thermal/thermal_zone0/temp": "100000\n",
                "/sys/class/thermal/thermal_zone0/trip_point_0_type": "critical\n",
                "/sys/class/thermal/thermal_zone0/trip_point_0_temp": "99000\n",
            },
            {"ThermalState": 5},
        ),
        (
            {
                "/proc/sys/kernel/hostname": "pluto",
                "/run/systemd/sessions/3": "UID=1000\nUSER=ada\nACTIVE=1\nCLASS=user\nSEAT=seat0\n",
            },
            {"UserName": "PLUTO\\ada"},
        ),
    ],
)
def test_other_machines(
    ask: Ask, tree: Callable[..., Path], files: dict[str, str], expected: dict[str, object]
) -> None:
    assert ask("Win32_ComputerSystem", *expected, root=tree(files)) == [expected]


@pytest.mark.req("G-02", "G-11")
def test_what_no_file_tells_is_null(ask: Ask, tmp_path: Path) -> None:
    columns = (
        "Manufacturer",
        "Model",
        "PCSystemType",
        "UserName",
        "TotalPhysicalMemory",
        "NumberOfProcessors",
        "ThermalState",
    )
    (row,) = ask("Win32_ComputerSystem", *columns, root=tmp_path)
    assert set(row.values()) == {None}
