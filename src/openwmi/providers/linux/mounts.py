"""Which file systems are mounted and which of them are disks to a person (G-20)."""

from __future__ import annotations

import os
from re import sub
from typing import NamedTuple

from openwmi.providers.linux.files import contents, line, text

NETWORK = frozenset(
    (
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "ncpfs",
        "afs",
        "coda",
        "9p",
        "virtiofs",
        "ceph",
        "glusterfs",
        "lustre",
        "beegfs",
        "orangefs",
        "gpfs",
        "davfs",
    )
)
# FUSE serves files of the desktop session and of containers too; only these name a remote source.
_REMOTE_FUSE = frozenset(("fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone"))
OPTICAL = frozenset(("iso9660", "udf"))
# File systems on several devices, or on none that the kernel shows: they have no major number of their own.
_POOLED = frozenset(("btrfs", "zfs", "bcachefs", "apfs"))


class Mount(NamedTuple):
    """A line of mountinfo: `device` is major:minor, `root` the part of the file system that is mounted at `point`."""

    device: str
    root: str
    point: str
    options: frozenset[str]
    kind: str
    source: str

    @property
    def is_network(self) -> bool:
        """Whether it is a drive of another machine: looking at it may wait for that machine without end."""
        return self.kind in NETWORK or self.kind in _REMOTE_FUSE


def _unescaped(raw: bytes) -> str:
    """mountinfo writes space, tab, newline and backslash as octal."""
    if b"\\" in raw:
        raw = sub(rb"\\([0-7]{3})", lambda found: bytes((int(found[1], 8) & 255,)), raw)
    return text(raw)


def mounted(root: str = "") -> list[Mount]:
    """Every mount that this process sees, in the order in which they were mounted."""
    try:
        lines = contents(f"{root}/proc/self/mountinfo", 65536).splitlines()
    except OSError:
        return []
    found = []
    for raw in lines:
        left, separator, right = raw.partition(b" - ")
        front, back = left.split(b" "), right.split(b" ")
        if not separator or len(front) < 6 or len(back) < 3:
            continue
        options = frozenset(text(front[5] + b"," + back[2]).split(","))
        kind, source = _unescaped(back[0]), _unescaped(back[1])
        found.append(Mount(text(front[2]), _unescaped(front[3]), _unescaped(front[4]), options, kind, source))
    return found


def disks(mounts: list[Mount], root: str = "") -> list[Mount]:
    """The mounts that hold data of their own: block devices, pools, network drives, and whatever is mounted at /.

    Pseudo file systems are left out, and so are bind mounts of what is shown already and single files that containers
    mount. Where several mounts cover each other the last one is visible.
    """
    visible: dict[str, Mount] = {mount.point: mount for mount in mounts}
    whole = {mount.device for mount in visible.values() if mount.root == "/"}
    found = []
    for mount in visible.values():
        own = mount.root == "/" or mount.kind in _POOLED
        if mount.point == "/" or mount.is_network or (own and _is_local(mount)):
            found.append(mount)
        elif _is_local(mount) and mount.device not in whole and os.path.isdir(root + mount.point):
            whole.add(mount.device)
            found.append(mount)
    return found


def _is_local(mount: Mount) -> bool:
    return mount.kind in _POOLED or not (mount.is_network or mount.device.startswith("0:"))


def block_device(mount: Mount, root: str = "") -> str | None:
    """The kernel's name of the whole disk below a mount, "sda" for /dev/sda1; None without a block device."""
    try:
        target = os.readlink(f"{root}/sys/dev/block/{mount.device}")
    except OSError:
        return None
    parts = target.split("/")
    return parts[parts.index("block") + 1] if "block" in parts[:-1] else parts[-1]


def is_removable(mount: Mount, root: str = "") -> bool:
    disk = block_device(mount, root)
    return disk is not None and line(f"{root}/sys/block/{disk}/removable") == "1"


def volume_identity(mount: Mount, root: str = "") -> tuple[str | None, str | None]:
    """Label and UUID of a file system from udev's records."""
    try:
        lines = text(contents(f"{root}/run/udev/data/b{mount.device}", 16384)).splitlines()
    except OSError:
        return None, None
    records = dict(raw[2:].partition("=")[::2] for raw in lines if raw.startswith("E:"))
    label = records.get("ID_FS_LABEL_ENC") or records.get("ID_FS_LABEL")
    if label:
        label = _from_hex_escapes(label)
    return label or None, records.get("ID_FS_UUID") or None


def _from_hex_escapes(label: str) -> str:
    """udev writes unusual bytes of a label as \\xNN."""
    raw = label.encode("utf-8", "surrogateescape")
    return text(sub(rb"\\x([0-9a-fA-F]{2})", lambda found: bytes((int(found[1], 16),)), raw))
