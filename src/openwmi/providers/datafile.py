"""CIM_DataFile on Linux: whatever has a path and is no directory (G-45).

Name is the path, Path the directory with a slash at both ends, Drive the DeviceID of the Win32_LogicalDisk: where the
file system is mounted. A link shows what it leads to; one that leads nowhere shows itself, and one that leads to a
directory is none. A dot that begins a name begins no Extension. Readable and Writeable are what this program may do.
A query has to say which, with Name, Path or Drive: without, it ends after WALK_LIMIT files with TOO_MUCH_DATA.

NULL always: AccessMask, Archive, CompressionMethod, EightDotThreeFileName, EncryptionMethod, InUseCount, Manufacturer,
System, Version.
"""

from __future__ import annotations

import os
from functools import cached_property
from stat import S_ISBLK, S_ISCHR, S_ISDIR, S_ISFIFO, S_ISLNK, S_ISSOCK
from typing import TYPE_CHECKING, Final

from openwmi.contract.provider import Guard
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_TOO_MUCH_DATA
from openwmi.providers.columns import Readable, reader, same, wanted
from openwmi.providers.linux.clock import datetime_text
from openwmi.providers.linux.files import text
from openwmi.providers.linux.host import Host
from openwmi.providers.linux.mounts import disks
from openwmi.providers.linux.statx import Extra, extra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from openwmi.contract.provider import Request, Row
    from openwmi.providers.linux.mounts import Mount

WALK_LIMIT: Final = 20_000


class File:
    """One file: where it is, and what stat says of it, None when it is gone. path: below the root of the tree."""

    def __init__(self, host: Host, path: bytes, status: os.stat_result | None) -> None:
        self.host = host
        self.path = path
        self.status = status

    @property
    def directory(self) -> bytes:
        return self.path[: self.path.rindex(b"/") + 1]

    @property
    def names(self) -> tuple[str, str]:
        """The name without extension, and the extension."""
        name, extension = os.path.splitext(self.path[len(self.directory) :])
        return text(name), text(extension[1:])

    @cached_property
    def extra(self) -> Extra:
        return Extra() if self.status is None else extra(real(self.host, self.path))

    @cached_property
    def mount(self) -> Mount | None:
        return mount_of(self.host, self.path)


def real(host: Host, path: bytes) -> bytes:
    """Where a path of a host is found."""
    return os.fsencode(host.root) + path


def mount_of(host: Host, path: bytes) -> Mount | None:
    """What is mounted where a path is: the mount with the longest point above it, the last one of those."""
    found = None
    for mount in host.mounts:
        point = os.fsencode(mount.point).rstrip(b"/")
        above = not point or path == point or path.startswith(point + b"/")
        if above and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    return found


def look(host: Host, path: bytes, *, directory: bool = False) -> File | None:
    """The file, or the directory, at a path; None when there is none, or the other."""
    there = real(host, path)
    try:
        status = os.stat(there)
    except OSError:
        try:
            status = os.lstat(there)
        except OSError:
            return None
    return File(host, path, status) if S_ISDIR(status.st_mode) is directory else None


def exact(host: Host, path: str) -> bytes | None:
    """The path that a text names: as it is written, else, letter case aside, the first one that exists (G-45)."""
    if not path.startswith("/") or "\0" in path:
        return None
    raw = os.path.normpath(path.encode("utf-8", "surrogateescape"))
    if os.path.lexists(real(host, raw)):
        return raw
    found = b""
    for part in raw.split(b"/")[1:]:
        if not os.path.lexists(real(host, found + b"/" + part)):
            known = sorted(name for name in _listing(host, found or b"/") if same(text(name), text(part)))
            if not known:
                return None
            part = known[0]
        found += b"/" + part
    return found


def _listing(host: Host, directory: bytes) -> list[bytes]:
    try:
        return os.listdir(real(host, directory))
    except OSError:
        return []


def files_in(host: Host, path: bytes, *, directory: bool = False) -> Iterator[File]:
    """The files, or the directories, in one directory, by name."""
    base = path.rstrip(b"/") + b"/"
    for name in sorted(_listing(host, path)):
        found = look(host, base + name, directory=directory)
        if found is not None:
            yield found


class LogicalFiles(Readable):
    """The files or the directories of the host whose tree begins at `root`, as the caller's own user sees them: what
    this program may see is not for others."""

    guard = Guard(instances=True)
    columns: Mapping[str, Callable[[File], object]]
    directory: bool

    def __init__(self, root: str = "", *, limit: int = WALK_LIMIT) -> None:
        self._root = root
        self._limit = limit

    def instances(self, request: Request) -> Iterator[Row]:
        if not request.as_caller:
            return
        host = Host(self._root)
        read = reader(self.columns, request.columns)
        yield from map(read, self._asked_for(host, request))

    def instance(self, request: Request, keys: Mapping[str, object]) -> Row | None:
        if not request.as_caller:
            return None
        host = Host(self._root)
        path = exact(host, str(keys.get("Name")))
        found = None if path is None else look(host, path, directory=self.directory)
        return None if found is None else reader(self.columns, request.columns)(found)

    def _asked_for(self, host: Host, request: Request) -> Iterator[File]:
        name, directory = wanted(request, "Name"), wanted(request, "Path")
        if name is not None:
            path = exact(host, name)
            found = None if path is None else look(host, path, directory=self.directory)
            return iter(()) if found is None else iter((found,))
        if directory is not None:
            path = exact(host, directory)
            return iter(()) if path is None else files_in(host, path, directory=self.directory)
        return self._bounded(self._walk(host, request))

    def _bounded(self, files: Iterator[File]) -> Iterator[File]:
        for number, found in enumerate(files):
            if number >= self._limit:
                raise error(
                    WBEM_E_TOO_MUCH_DATA,
                    f"there are more than {self._limit} files: say which, with Name = '...' or Path = '/.../'",
                )
            yield found

    def _walk(self, host: Host, request: Request) -> Iterator[File]:
        """The files of the disks of this machine, or of one of them; a network drive only when it is named."""
        drive = wanted(request, "Drive")
        for mount in disks(host.mounts, host.root):
            named = drive is not None and same(mount.point, drive)
            if named or (drive is None and not mount.is_network):
                yield from self._below(host, os.fsencode(mount.point), request)

    def _below(self, host: Host, top: bytes, request: Request) -> Iterator[File]:
        """The files below a directory, or the directories with itself, without what is mounted there."""
        mounts = {os.fsencode(mount.point) for mount in host.mounts} - {top}
        waiting = [top]
        while waiting and not request.cancelled:
            directory = waiting.pop()
            base = directory.rstrip(b"/") + b"/"
            below = []
            if (
                directory == top
                and self.directory
                and (itself := look(host, top, directory=True)) is not None
            ):
                yield itself
            for name in sorted(_listing(host, directory)):
                path = base + name
                there = real(host, path)
                if path in mounts:
                    continue
                if os.path.isdir(there) and not os.path.islink(there):
                    below.append(path)
                found = look(host, path, directory=self.directory)
                if found is not None:
                    yield found
            waiting += reversed(below)


def _name(file: File) -> str:
    return text(file.path)


def _kind(file: File) -> str | None:
    if file.status is None:
        return None
    mode = file.status.st_mode
    for holds, word in _KINDS:
        if holds(mode):
            return word
    return "File"


_KINDS: Final[tuple[tuple[Callable[[int], bool], str], ...]] = (
    (S_ISLNK, "Symbolic Link"),
    (S_ISBLK, "Block Device"),
    (S_ISCHR, "Character Device"),
    (S_ISFIFO, "Pipe"),
    (S_ISSOCK, "Socket"),
)


def _moment(nanoseconds: int | None) -> str | None:
    if nanoseconds is None:
        return None
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return datetime_text(seconds, rest // 1000)


def _status(name: str) -> Callable[[File], int | None]:
    return lambda file: None if file.status is None else getattr(file.status, name)


def _time(name: str) -> Callable[[File], str | None]:
    read = _status(name)
    return lambda file: _moment(read(file))


def _may(mode: int) -> Callable[[File], bool | None]:
    def read(file: File) -> bool | None:
        if file.status is None or S_ISLNK(file.status.st_mode):
            return None
        return os.access(real(file.host, file.path), mode, effective_ids=True)

    return read


COLUMNS: Final[dict[str, Callable[[File], object]]] = {
    "CSCreationClassName": lambda file: "Win32_ComputerSystem",
    "CSName": lambda file: file.host.name,
    "Caption": _name,
    "Compressed": lambda file: file.extra.compressed,
    "CreationClassName": lambda file: "CIM_DataFile",
    "CreationDate": lambda file: _moment(file.extra.born),
    "Description": _name,
    "Drive": lambda file: None if file.mount is None else file.mount.point,
    "Encrypted": lambda file: file.extra.encrypted,
    "Extension": lambda file: file.names[1],
    "FSCreationClassName": lambda file: "Win32_FileSystem",
    "FSName": lambda file: None if file.mount is None else file.mount.kind,
    "FileName": lambda file: file.names[0],
    "FileSize": _status("st_size"),
    "FileType": _kind,
    "Hidden": lambda file: file.path[len(file.directory) :].startswith(b"."),
    "InstallDate": lambda file: _moment(file.extra.born),
    "LastAccessed": _time("st_atime_ns"),
    "LastModified": _time("st_mtime_ns"),
    "Name": _name,
    "Path": lambda file: text(file.directory),
    "Readable": _may(os.R_OK),
    "Status": lambda file: "OK",
    "Writeable": _may(os.W_OK),
}


class DataFiles(LogicalFiles):
    """CIM_DataFile."""

    columns = COLUMNS
    directory = False


family = DataFiles
