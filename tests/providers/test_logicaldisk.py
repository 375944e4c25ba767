"""Win32_LogicalDisk: the disks of this machine beside psutil, and mount tables of other ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.providers.questions import Ask, opened_files

COLUMNS = ("DeviceID", "DriveType", "FileSystem", "MediaType", "Description")


@pytest.mark.req("G-20", "G-06")
def test_sizes_are_those_of_psutil(ask: Ask) -> None:
    rows = ask("Win32_LogicalDisk")
    assert "/" in [row["DeviceID"] for row in rows]
    for row in rows:
        usage = psutil.disk_usage(str(row["DeviceID"]))
        assert (
            row["Size"]
            == os.statvfs(str(row["DeviceID"])).f_blocks * os.statvfs(str(row["DeviceID"])).f_frsize
        )
        assert row["FreeSpace"] == pytest.approx(usage.free, rel=0.05)
        assert int(str(row["BlockSize"])) * int(str(row["NumberOfBlocks"])) == row["Size"]
        assert row["Caption"] == row["Name"] == row["DeviceID"]


@pytest.mark.req("G-20")
def test_every_block_device_that_is_mounted_is_there(ask: Ask) -> None:
    physical = {one.mountpoint for one in psutil.disk_partitions() if one.fstype != "squashfs"}
    shown = {row["DeviceID"] for row in ask("Win32_LogicalDisk", "DeviceID")}
    assert shown - {"/"} <= physical | {one.mountpoint for one in psutil.disk_partitions(all=True)}
    assert {one for one in physical if os.path.ismount(one)} >= {"/"} & physical


TABLE = r"""
21 1 8:2 / / rw,relatime - ext4 /dev/sda2 rw,usrquota
22 21 0:20 / /proc rw - proc proc rw
23 21 0:21 / /run rw - tmpfs tmpfs rw
24 21 8:1 / /boot/efi rw - vfat /dev/sda1 rw
25 21 8:2 /srv/data /srv/data rw - ext4 /dev/sda2 rw
26 21 0:30 /@home /home rw,compress=zstd - btrfs /dev/sdb1 rw,subvol=/@home
27 21 0:31 / /mnt/nfs rw - nfs4 files.example.org:/export/home rw
28 21 0:32 / /mnt/share\040one ro - cifs //nas/share\040one rw
29 21 11:0 / /media/cd ro - iso9660 /dev/sr0 ro
30 21 8:33 / /media/stick rw - vfat /dev/sdc1 rw
31 21 252:0 / /swap/zram rw - ext4 /dev/zram0 rw
32 21 8:50 /etc/hosts /etc/hosts rw - ext4 /dev/sdd2 rw
33 21 0:40 / /run/user/1000/gvfs rw - fuse.gvfsd-fuse gvfsd-fuse rw
34 21 0:41 / /mnt/ssh rw - fuse.sshfs ada@host:/home/ada rw
broken line
"""
FILES = {
    "/proc/self/mountinfo": TABLE.lstrip(),
    "/sys/dev/block/8:2": "->../../devices/pci0000:00/ata1/block/sda/sda2",
    "/sys/dev/block/8:1": "->../../devices/pci0000:00/ata1/block/sda/sda1",
    "/sys/dev/block/8:33": "->../../devices/pci0000:00/usb1/block/sdc/sdc1",
    "/sys/dev/block/252:0": "->../../devices/virtual/block/zram0",
    "/sys/block/sda/removable": "0\n",
    "/sys/block/sdc/removable": "1\n",
    "/run/udev/data/b8:1": "E:ID_FS_LABEL=EFI\nE:ID_FS_UUID=52D4-1A2B\n",
    "/run/udev/data/b8:2": "E:ID_FS_LABEL_ENC=my\\x20root\nE:ID_FS_UUID=7f3c9a52-aaaa-bbbb-cccc-0123456789ab\n",
    "/etc/hosts": "127.0.0.1 localhost\n",
}


@pytest.mark.req("G-20")
def test_what_counts_as_a_disk_and_of_what_kind(ask: Ask, tree: Callable[..., Path]) -> None:
    rows = ask("Win32_LogicalDisk", *COLUMNS, root=tree(FILES))
    assert {row["DeviceID"]: tuple(row.values())[1:] for row in rows} == {
        "/": (3, "ext4", 12, "Local Fixed Disk"),
        "/boot/efi": (3, "vfat", 12, "Local Fixed Disk"),
        "/home": (3, "btrfs", 12, "Local Fixed Disk"),
        "/mnt/nfs": (4, "nfs4", 0, "Network Connection"),
        "/mnt/share one": (4, "cifs", 0, "Network Connection"),
        "/media/cd": (5, "iso9660", 11, "CD-ROM Disc"),
        "/media/stick": (2, "vfat", 11, "Removable Disk"),
        "/swap/zram": (6, "ext4", 0, "RAM Disk"),
        "/mnt/ssh": (4, "fuse.sshfs", 0, "Network Connection"),
    }


@pytest.mark.req("G-20", "G-02")
@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (
            "/",
            {
                "VolumeName": "my root",
                "VolumeSerialNumber": "7F3C9A52",
                "QuotasDisabled": False,
                "Compressed": False,
            },
        ),
        (
            "/boot/efi",
            {"VolumeName": "EFI", "VolumeSerialNumber": "52D41A2B", "QuotasDisabled": None, "Access": 3},
        ),
        ("/home", {"Compressed": True, "SupportsFileBasedCompression": True, "VolumeName": None}),
        ("/mnt/nfs", {"ProviderName": "\\\\files.example.org\\export\\home", "Size": None}),
        ("/mnt/share one", {"ProviderName": "\\\\nas\\share one", "Access": 1}),
        ("/mnt/ssh", {"ProviderName": "\\\\ada@host\\home\\ada"}),
        ("/media/cd", {"Access": 1, "ProviderName": None}),
    ],
)
def test_what_is_known_of_a_disk(
    look_up: Callable[..., dict[str, object] | None],
    tree: Callable[..., Path],
    device: str,
    expected: dict[str, object],
) -> None:
    assert look_up("Win32_LogicalDisk", *expected, DeviceID=device, root=tree(FILES)) == expected


def test_the_root_is_a_disk_even_in_a_container(ask: Ask, tree: Callable[..., Path]) -> None:
    table = (
        "1 0 0:50 / / rw - overlay overlay rw\n"
        "2 1 254:1 /var/lib/docker/hosts /etc/hosts rw - ext4 /dev/vda1 rw\n"
        "3 1 254:1 /srv/one /data rw - ext4 /dev/vda1 rw\n"
        "4 1 254:1 /srv/two /more rw - ext4 /dev/vda1 rw\n"
    )
    root = tree({"/proc/self/mountinfo": table, "/etc/hosts": "", "/data/x": "", "/more/x": ""})
    assert [row["DeviceID"] for row in ask("Win32_LogicalDisk", "DeviceID", root=root)] == ["/", "/data"]


def test_a_mount_over_a_mount_hides_it(ask: Ask, tree: Callable[..., Path]) -> None:
    table = "1 0 0:2 / / rw - rootfs rootfs rw\n2 1 8:1 / / rw - xfs /dev/sda1 rw\n"
    root = tree({"/proc/self/mountinfo": table})
    assert ask("Win32_LogicalDisk", "DeviceID", "FileSystem", root=root) == [
        {"DeviceID": "/", "FileSystem": "xfs"}
    ]


def test_an_exact_mount_point_is_preferred_to_one_in_another_case(
    look_up: Callable[..., dict[str, object] | None], tree: Callable[..., Path]
) -> None:
    table = "1 0 8:1 / /Data rw - xfs /dev/sda1 rw\n2 0 8:2 / /data rw - ext4 /dev/sda2 rw\n"
    root = tree({"/proc/self/mountinfo": table})
    for device, expected in (("/Data", "xfs"), ("/data", "ext4"), ("/DATA", "xfs")):
        found = look_up("Win32_LogicalDisk", "FileSystem", DeviceID=device, root=root)
        assert found == {"FileSystem": expected}


def test_a_query_without_sizes_asks_no_file_system(ask: Ask) -> None:
    with opened_files() as paths:
        ask("Win32_LogicalDisk", "DeviceID", "FileSystem", "ProviderName")
    assert [path for path in paths if path.startswith(("/proc", "/sys", "/run"))] == ["/proc/self/mountinfo"]
