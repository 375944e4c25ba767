"""LogFileEventConsumer: a line of text for each event at the end of a file (model.md E-72)."""

from __future__ import annotations

import os
import re
import stat
import threading
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from openwmi.consumers.acting import user_of
from openwmi.consumers.templates import expand
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_ACCESS_DENIED, WBEM_E_FAILED, WBEM_E_INVALID_PARAMETER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from openwmi.contract.provider import Delivery
    from openwmi.model.instances import Instance

NEWLINE: Final = "\r\n"
_BOM: Final = b"\xff\xfe"
_SHORT: Final = re.compile(r"([^.\s]{1,8})(?:\.[^.\s]{1,3})?\Z")
_LAST: Final = 999


class _Path:
    """The lock of one file: two consumers may write the same one."""

    __slots__ = ("__weakref__", "lock")

    def __init__(self) -> None:
        self.lock = threading.Lock()


class LogFileEventConsumer:
    """Writes on a thread of its own, since disks may hang."""

    name = "LogFileEventConsumer"
    batch = 100

    def __init__(self) -> None:
        self._paths: WeakValueDictionary[str, _Path] = WeakValueDictionary()
        self._lock = threading.Lock()

    def consume(self, request: Delivery, consumer: Instance, events: Sequence[Instance]) -> None:
        path = consumer.raw_("Filename")
        if not os.path.isabs(path):
            raise error(
                WBEM_E_INVALID_PARAMETER,
                f"Filename {path!r:.200} is not an absolute path",
                parameter="Filename",
            )
        template = consumer.raw_("Text")
        lines = [expand(template, event, lines=False) for event in events]
        limit = consumer.raw_("MaximumFileSize") or 0
        user = user_of(request.caller)
        if user is not None:
            from openwmi.consumers.helper import append_as

            append_as(user, path, lines, limit=limit, wide=bool(consumer.raw_("IsUnicode")))
            return
        with self._lock:
            known = self._paths.setdefault(os.path.normpath(path), _Path())
        with known.lock:
            append(path, lines, limit=limit, wide=bool(consumer.raw_("IsUnicode")))


def append(path: str, lines: Iterable[str], *, limit: int, wide: bool) -> None:
    """Write lines to the end of a file, which is put aside first whenever it has grown beyond `limit` (0: never).

    wide: a new file is UTF-16; one that is there stays what it is. WbemError when the file cannot be had.
    """
    file = None
    try:
        for line in lines:
            if file is None:
                file = _opened(path)
            if limit and os.fstat(file).st_size > limit:
                os.close(file)
                file = None
                os.rename(path, aside(path))
                file = _opened(path)
            _write(file, line, wide=wide)
    except OSError as reason:
        code = WBEM_E_ACCESS_DENIED if isinstance(reason, PermissionError) else WBEM_E_FAILED
        raise error(code, f"{path}: {reason.strerror or reason}", parameter="Filename") from reason
    finally:
        if file is not None:
            os.close(file)


def _opened(path: str) -> int:
    """The file, to be appended to. Not through a link, and nothing but a file: writing to it cannot hang for a reader,
    and nobody who may write to the folder leads the service elsewhere."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    file = os.open(path, flags, 0o600)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise error(WBEM_E_FAILED, f"{path} is not a file", parameter="Filename")
    return file


def _write(file: int, line: str, *, wide: bool) -> None:
    size = os.fstat(file).st_size
    if size:
        wide = os.pread(file, 2, 0) == _BOM
    text = line + NEWLINE
    data = text.encode("utf-16-le", "surrogatepass") if wide else text.encode("utf-8", "backslashreplace")
    if wide and not size:
        data = _BOM + data
    written = os.write(file, data)
    if written != len(data):
        os.ftruncate(file, size)  # half a line is worse than none
        raise error(WBEM_E_FAILED, "the disk is full", parameter="Filename")


def aside(path: str) -> str:
    """The name under which a full file is put aside: the next number above all that are there; after 999 the smallest
    that is free, and when none is, that of the oldest."""
    folder, name = os.path.split(path)
    short = _SHORT.match(name)
    stem = f"{short[1] if short else name}."
    there: dict[int, str] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            number = entry.name[len(stem) :]
            if entry.name.startswith(stem) and len(number) == 3 and number.isascii() and number.isdigit():
                there[int(number)] = entry.path
    there.pop(0, None)
    number_next = max(there, default=0) + 1
    if number_next > _LAST:
        free = next((one for one in range(1, _LAST + 1) if one not in there), None)
        number_next = free or min(there, key=lambda one: os.stat(there[one]).st_mtime_ns)
    return os.path.join(folder, f"{stem}{number_next:03}")
