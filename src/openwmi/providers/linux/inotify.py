"""The kernel's inotify: what happens to the entries of directories, as messages on a descriptor.

message   descriptor of the watch, what (bits), cookie that joins the halves of a move, length of the name, the name
          padded with zero bytes
"""

from __future__ import annotations

import errno
import os
from ctypes import CDLL, c_char_p, c_int, c_uint32, get_errno
from struct import Struct
from typing import Final, NamedTuple

MODIFY: Final = 0x2
ATTRIB: Final = 0x4
CLOSE_WRITE: Final = 0x8
MOVED_FROM: Final = 0x40
MOVED_TO: Final = 0x80
CREATE: Final = 0x100
DELETE: Final = 0x200
DELETE_SELF: Final = 0x400
MOVE_SELF: Final = 0x800
UNMOUNT: Final = 0x2000
OVERFLOW: Final = 0x4000  # the queue was full: messages are missing
IGNORED: Final = 0x8000  # the watch is gone
ONLY_DIRECTORY: Final = 0x1000000
IS_DIRECTORY: Final = 0x40000000

_HEAD: Final = Struct("=iIII")
_LONGEST: Final = 65536


class Message(NamedTuple):
    """name: of the entry, b"" for the directory itself; watch: -1 with OVERFLOW."""

    watch: int
    what: int
    name: bytes


class Inotify:
    """One queue of messages. OSError where the kernel has no more of them, or of watches, for this user."""

    def __init__(self) -> None:
        self._libc = CDLL(None, use_errno=True)
        self._libc.inotify_add_watch.argtypes = (c_int, c_char_p, c_uint32)
        self._descriptor = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        os.close(self._descriptor)

    def watch(self, directory: bytes, what: int) -> int:
        """Have messages about the entries of a directory; a second time only changes which."""
        added: int = self._libc.inotify_add_watch(self._descriptor, directory, what | ONLY_DIRECTORY)
        return self._checked(added, directory)

    def unwatch(self, watch: int) -> None:
        """End a watch; one that is gone already is no error."""
        self._libc.inotify_rm_watch(self._descriptor, watch)

    def read(self) -> list[Message]:
        """What has happened and has not been read."""
        try:
            return parsed(os.read(self._descriptor, _LONGEST))
        except BlockingIOError:
            return []

    def _checked(self, answer: int, path: bytes | None = None) -> int:
        if answer >= 0:
            return answer
        number = get_errno()
        if number == errno.ENOSPC:
            raise OSError(number, "no more inotify watches for this user (fs.inotify.max_user_watches)")
        raise OSError(number, os.strerror(number), None if path is None else os.fsdecode(path))


def parsed(data: bytes) -> list[Message]:
    """The messages of one read; the kernel hands over whole ones only."""
    found = []
    at = 0
    while at + _HEAD.size <= len(data):
        watch, what, _, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        found.append(Message(watch, what, data[at : at + length].rstrip(b"\0")))
        at += length
    return found
