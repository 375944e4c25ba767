"""Putting a file in the place of another one: a kill or a loss of power leaves the one or the other, whole."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import Final

# Windows writes the name with the file.
_POSIX: Final = os.name == "posix"


def replace(path: str, content: bytes) -> None:
    """Have a file with that content, which its owner alone may read: who owns the one that is there, else the folder.

    One process at a time: it is written beside the other, as `path`.new.
    """
    fresh = f"{path}.new"
    with suppress(FileNotFoundError):
        os.unlink(fresh)  # of somebody who was killed
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
    with open(descriptor, "wb") as file:
        hand_over(descriptor, path)
        file.write(content)
    move(fresh, path)


def move(fresh: str, path: str) -> None:
    """Give a file that is complete the name of another one, for all to see at once, and on the disk for good."""
    sync(fresh)
    os.replace(fresh, path)
    sync_folder(path)


def hand_over(descriptor: int, path: str) -> None:
    """Have root's open file, which is to replace another one, belong to whom that belongs, or the folder when there is
    none: a service with a user of its own must be able to read what root has changed."""
    if not _POSIX or os.geteuid() != 0:
        return
    # Whoever owns the folder may have put another name of somebody's file there; that is not given away.
    mine = os.fstat(descriptor)
    if mine.st_nlink != 1 or not stat.S_ISREG(mine.st_mode):
        return
    try:
        found = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        found = os.stat(os.path.dirname(os.path.abspath(path)))
    with suppress(PermissionError):  # of a file server that trusts no root
        os.fchown(descriptor, found.st_uid, found.st_gid)


def sync(path: str) -> None:
    """Wait until a file is on the disk."""
    descriptor = os.open(path, (os.O_RDONLY if _POSIX else os.O_RDWR) | getattr(os, "O_CLOEXEC", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: str) -> None:
    """Wait until the names in the folder of a file are on the disk: those that are new, and that others are gone."""
    if _POSIX:
        sync(os.path.dirname(os.path.abspath(path)))
