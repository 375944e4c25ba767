"""Win32_LogicalDisk on Linux: one instance per mounted disk, DeviceID is the mount point (G-20).

Disks are block devices, pools (btrfs, zfs) and network drives that are mounted, and whatever is mounted at /. Pseudo
file systems, bind mounts and single files are none. Size and free space of a network drive are asked for in a thread
and stay NULL when the server does not answer within a bound: a dead server costs time once, never the query.

Where it is not plain: FreeSpace is what a user may still write; FileSystem is the kernel's name; DriveType is 4 for
network drives, 5 for optical discs, 6 for disks in RAM, 2 for removable ones, else 3; VolumeName and
VolumeSerialNumber (first eight digits of the UUID) come from udev's records and are NULL without them; quotas count as
enabled when a mount option says so.

NULL always, since Linux has no such fact: Availability, ConfigManagerErrorCode, ConfigManagerUserConfig, ErrorCleared,
ErrorDescription, ErrorMethodology, InstallDate, LastErrorCode, PNPDeviceID, PowerManagementCapabilities,
PowerManagementSupported, Purpose, QuotasIncomplete, QuotasRebuilding, StatusInfo, VolumeDirty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.providers.columns import Readable, reader, same, wanted
from openwmi.providers.linux.capacity import Capacity, capacities
from openwmi.providers.linux.host import Host
from openwmi.providers.linux.mounts import OPTICAL, Mount, block_device, disks, is_removable, volume_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from openwmi.contract.provider import Request, Row

_REMOVABLE, _LOCAL, _NETWORK, _OPTICAL, _RAM = 2, 3, 4, 5, 6
_DESCRIPTIONS = {
    _REMOVABLE: "Removable Disk",
    _LOCAL: "Local Fixed Disk",
    _NETWORK: "Network Connection",
    _OPTICAL: "CD-ROM Disc",
    _RAM: "RAM Disk",
}
_MEDIA = {_REMOVABLE: 11, _LOCAL: 12, _NETWORK: 0, _OPTICAL: 11, _RAM: 0}
_COMPRESSING = frozenset(("btrfs", "f2fs", "ntfs3", "zfs", "bcachefs"))
_WITH_QUOTAS = frozenset(
    ("btrfs", "ext2", "ext3", "ext4", "f2fs", "gfs2", "jfs", "ocfs2", "reiserfs", "xfs", "zfs", "bcachefs")
)
_QUOTA_OPTIONS = ("usrquota", "grpquota", "prjquota", "uquota", "gquota", "pquota", "quota", "jqfmt")


class Disk:
    """A mounted disk and what statvfs said of it; `capacity` is None when nobody asked or it did not answer."""

    def __init__(self, host: Host, mount: Mount) -> None:
        self.host = host
        self.mount = mount
        self.capacity: Capacity | None = None

    @property
    def drive_type(self) -> int:
        mount, root = self.mount, self.host.root
        if mount.is_network:
            return _NETWORK
        device = block_device(mount, root) or ""
        if mount.kind in OPTICAL or device.startswith("sr"):
            return _OPTICAL
        if mount.kind in ("tmpfs", "ramfs") or device.startswith(("zram", "ram")):
            return _RAM
        return _REMOVABLE if is_removable(mount, root) else _LOCAL


class LogicalDisks(Readable):
    """The disks that are mounted on the host whose file tree begins at `root`."""

    def __init__(self, root: str = "") -> None:
        self._root = root

    def instances(self, request: Request) -> Iterator[Row]:
        device = wanted(request, "DeviceID")
        yield from self._rows(
            request, [disk for disk in self._disks() if device is None or same(disk.mount.point, device)]
        )

    def instance(self, request: Request, keys: Mapping[str, object]) -> Row | None:
        """The disk of that mount point; one that differs in letter case only when there is no exact one (G-45)."""
        device = str(keys.get("DeviceID"))
        found = [disk for disk in self._disks() if same(disk.mount.point, device)]
        found.sort(key=lambda disk: disk.mount.point != device)
        return next(self._rows(request, found[:1]), None)

    def _disks(self) -> list[Disk]:
        host = Host(self._root)
        return [Disk(host, mount) for mount in disks(host.mounts, self._root)]

    def _rows(self, request: Request, found: list[Disk]) -> Iterator[Row]:
        if not _MEASURED.isdisjoint(request.columns):
            answers = capacities([disk.mount for disk in found], self._root)
            for disk, answer in zip(found, answers, strict=True):
                disk.capacity = answer
        yield from map(reader(COLUMNS, request.columns), found)


def _point(disk: Disk) -> str:
    return disk.mount.point


def _measure(name: str) -> Callable[[Disk], int | None]:
    return lambda disk: None if disk.capacity is None else getattr(disk.capacity, name)


def _serial(disk: Disk) -> str | None:
    """Eight hexadecimal digits: FAT has no more, of longer identities the first eight."""
    identity = volume_identity(disk.mount, disk.host.root)[1]
    return None if identity is None else identity.replace("-", "")[:8].upper()


def _provider(disk: Disk) -> str | None:
    """The source of a network drive in the form \\\\server\\share."""
    if not disk.mount.is_network:
        return None
    source = disk.mount.source
    server, colon, path = source.partition(":")
    if source.startswith("//"):
        return source.replace("/", "\\")
    return f"\\\\{server}{path.replace('/', chr(92))}" if colon and path.startswith("/") else source


def _quotas_disabled(disk: Disk) -> bool | None:
    if disk.mount.kind not in _WITH_QUOTAS:
        return None
    return not any(option.startswith(_QUOTA_OPTIONS) for option in disk.mount.options)


def _compressed(disk: Disk) -> bool:
    options = disk.mount.options
    return any(
        option.startswith(("compress=", "compress-force")) or option == "compress" for option in options
    )


COLUMNS: dict[str, Callable[[Disk], object]] = {
    "Access": lambda disk: 1 if "ro" in disk.mount.options else 3,
    "BlockSize": _measure("block_size"),
    "Caption": _point,
    "Compressed": _compressed,
    "CreationClassName": lambda disk: "Win32_LogicalDisk",
    "Description": lambda disk: _DESCRIPTIONS[disk.drive_type],
    "DeviceID": _point,
    "DriveType": lambda disk: disk.drive_type,
    "FileSystem": lambda disk: disk.mount.kind,
    "FreeSpace": _measure("free"),
    "MaximumComponentLength": _measure("longest_name"),
    "MediaType": lambda disk: _MEDIA[disk.drive_type],
    "Name": _point,
    "NumberOfBlocks": _measure("blocks"),
    "ProviderName": _provider,
    "QuotasDisabled": _quotas_disabled,
    "Size": _measure("size"),
    "Status": lambda disk: "OK",
    "SupportsDiskQuotas": lambda disk: disk.mount.kind in _WITH_QUOTAS,
    "SupportsFileBasedCompression": lambda disk: disk.mount.kind in _COMPRESSING,
    "SystemCreationClassName": lambda disk: "Win32_ComputerSystem",
    "SystemName": lambda disk: disk.host.name,
    "VolumeName": lambda disk: volume_identity(disk.mount, disk.host.root)[0],
    "VolumeSerialNumber": _serial,
}
_MEASURED = frozenset(("BlockSize", "FreeSpace", "MaximumComponentLength", "NumberOfBlocks", "Size"))
family = LogicalDisks
