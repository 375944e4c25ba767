"""Win32_OperatingSystem on this machine, and on file trees of other ones."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest
from tests.providers.questions import Ask, opened_files


def moment(text: object) -> datetime:
    """A datetime of WMI, whose offset is in minutes."""
    stamp = str(text)
    hours, minutes = divmod(abs(int(stamp[21:])), 60)
    return datetime.strptime(f"{stamp[:21]}{stamp[21]}{hours:02}{minutes:02}", "%Y%m%d%H%M%S.%f%z")


@pytest.mark.req("G-10")
def test_it_is_this_machine(ask: Ask) -> None:
    (row,) = ask("Win32_OperatingSystem")
    release = platform.freedesktop_os_release()
    assert row["Caption"] == release["PRETTY_NAME"]
    assert row["Version"] == release.get("VERSION_ID", platform.release())
    assert row["BuildNumber"] == platform.release()
    assert row["OSType"] == 36
    assert str(row["Name"]).startswith(f"{row['Caption']}|/|")
    assert row["SystemDrive"] == "/"
    assert row["CSName"] == platform.node().partition(".")[0].upper()
    assert row["OSArchitecture"] == ("64-bit" if platform.machine() == "x86_64" else row["OSArchitecture"])
    assert row["ProductType"] in (1, 3)
    assert row["Primary"] is True
    assert row["NumberOfUsers"] == len(psutil.users())


@pytest.mark.req("G-10", "G-06")
def test_memory_is_in_kilobytes(ask: Ask) -> None:
    columns = (
        "TotalVisibleMemorySize",
        "FreePhysicalMemory",
        "TotalVirtualMemorySize",
        "FreeVirtualMemory",
        "SizeStoredInPagingFiles",
    )
    (row,) = ask("Win32_OperatingSystem", *columns)
    total, free, total_all, free_all, swap = (int(str(row[column])) for column in columns)
    memory, swapped = psutil.virtual_memory(), psutil.swap_memory()
    assert total == memory.total // 1024
    assert free == pytest.approx(memory.available // 1024, rel=0.2)
    assert swap == swapped.total // 1024
    assert total_all == total + swap
    assert free <= free_all <= total_all


@pytest.mark.req("G-10", "A-027")
def test_its_times(ask: Ask) -> None:
    (row,) = ask("Win32_OperatingSystem", "LastBootUpTime", "LocalDateTime", "InstallDate", "CurrentTimeZone")
    now = datetime.now().astimezone()
    assert abs(moment(row["LocalDateTime"]) - now) < timedelta(minutes=1)
    assert abs(moment(row["LastBootUpTime"]).timestamp() - psutil.boot_time()) < 2
    assert moment(row["InstallDate"]) < now
    offset = now.utcoffset()
    assert offset is not None
    assert row["CurrentTimeZone"] == offset.total_seconds() // 60


def test_the_number_of_processes(ask: Ask) -> None:
    (row,) = ask("Win32_OperatingSystem", "NumberOfProcesses", "MaxNumberOfProcesses")
    assert row["NumberOfProcesses"] == pytest.approx(len(psutil.pids()), abs=20)
    assert row["MaxNumberOfProcesses"] == int(Path("/proc/sys/kernel/pid_max").read_text())


def test_a_column_opens_only_its_own_file(ask: Ask) -> None:
    with opened_files() as paths:
        ask("Win32_OperatingSystem", "FreePhysicalMemory")
    assert [path for path in paths if path.startswith(("/proc", "/etc", "/sys"))] == ["/proc/meminfo"]
    with opened_files() as paths:
        ask("Win32_OperatingSystem", "OSType", "SystemDrive", "CreationClassName")
    assert paths == []


@pytest.mark.req("G-10")
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"/etc/os-release": 'NAME=Arch\nPRETTY_NAME="Arch Linux"\n'},
            {"Caption": "Arch Linux", "Version": None},
        ),
        (
            {"/usr/lib/os-release": 'ID=fedora\nNAME="Fedora Linux"\nVERSION_ID=41\nVARIANT_ID=server\n'},
            {"Caption": "Fedora Linux", "Version": "41", "ProductType": 3},
        ),
        ({"/etc/os-release": "NAME=X\nVARIANT_ID=workstation\n"}, {"ProductType": 1, "Manufacturer": "X"}),
        ({"/etc/X11/default-display-manager": "/usr/sbin/gdm3\n"}, {"ProductType": 1, "Caption": "Linux"}),
        (
            {"/etc/locale.conf": "LANG=de_DE.UTF-8\n"},
            {"Locale": "0407", "OSLanguage": 0x407, "CodeSet": "65001", "MUILanguages": ("de-DE",)},
        ),
        ({"/etc/default/locale": 'LANG="C.UTF-8"\n'}, {"Locale": "0409", "CodeSet": "65001"}),
        ({"/etc/machine-info": 'PRETTY_HOSTNAME="Lab \\"3\\""\n'}, {"Description": 'Lab "3"'}),
        ({"/proc/meminfo": "MemTotal: 10 kB\n"}, {"TotalVisibleMemorySize": 10, "FreePhysicalMemory": None}),
        ({"/proc/sys/kernel/osrelease": "6.1.0-debug\n"}, {"BuildNumber": "6.1.0-debug", "Debug": True}),
        ({"/proc/sys/kernel/hostname": "web7.example.org\n"}, {"CSName": "WEB7"}),
    ],
)
def test_other_machines(
    ask: Ask, tree: Callable[..., Path], files: dict[str, str], expected: dict[str, object]
) -> None:
    (row,) = ask("Win32_OperatingSystem", *expected, root=tree(files))
    assert row == expected


@pytest.mark.req("G-02", "G-10")
def test_an_empty_machine_has_nulls_and_no_failure(ask: Ask, tmp_path: Path) -> None:
    (row,) = ask("Win32_OperatingSystem", root=tmp_path)
    unknown = ("BootDevice", "BuildNumber", "LastBootUpTime", "FreePhysicalMemory", "MaxNumberOfProcesses")
    assert [row[column] for column in unknown] == [None] * 5


def test_a_boot_partition_of_its_own(ask: Ask, tree: Callable[..., Path]) -> None:
    mounts = "21 1 259:2 / / rw - ext4 /dev/nvme0n1p2 rw\n22 21 259:1 / /boot rw - vfat /dev/nvme0n1p1 rw\n"
    (row,) = ask(
        "Win32_OperatingSystem", "BootDevice", "SystemDevice", root=tree({"/proc/self/mountinfo": mounts})
    )
    assert row == {"BootDevice": "/dev/nvme0n1p1", "SystemDevice": "/dev/nvme0n1p2"}


@pytest.mark.parametrize(("removable", "portable"), [("0", False), ("1", True)])
def test_a_system_on_a_stick_is_portable(
    ask: Ask, tree: Callable[..., Path], removable: str, portable: bool
) -> None:
    root = tree(
        {
            "/proc/self/mountinfo": "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n",
            "/sys/dev/block/8:1": "->../../devices/pci0000:00/usb1/block/sda/sda1",
            "/sys/block/sda/removable": removable,
        }
    )
    assert ask("Win32_OperatingSystem", "PortableOperatingSystem", root=root) == [
        {"PortableOperatingSystem": portable}
    ]
    assert os.path.islink(root / "sys/dev/block/8:1")
