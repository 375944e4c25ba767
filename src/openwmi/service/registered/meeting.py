"""Where a program that serves a decoupled provider and the services that use it meet: a socket beside the store (F-08).

    STORE's folder/decoupled/KEY.lock    locked by the program for as long as it serves; KEY is of namespace and name
    STORE's folder/decoupled/KEY.sock    where it listens

The kernel gives the lock back when the program ends, however it ends, so that a dead one is never in the way. Both
sides look at whom they talk to: only the same user, or root.
"""

from __future__ import annotations

import hashlib
import os
import socket
import struct
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from openwmi.model.errors import error
from openwmi.model.status import (
    WBEM_E_ACCESS_DENIED,
    WBEM_E_NOT_SUPPORTED,
    WBEM_E_PROVIDER_ALREADY_REGISTERED,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = "decoupled"
BACKLOG: Final = 16


def _key(namespace: str, name: str) -> str:
    return hashlib.sha256(f"{namespace}|{name}".lower().encode()).hexdigest()[:32]


@contextmanager
def _short(folder: str, name: str) -> Iterator[str]:
    """A path that fits into a socket's address, which has room for a hundred characters."""
    path = os.path.join(folder, name)
    if len(os.fsencode(path)) < 100 or sys.platform != "linux":
        yield path
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


def trusted(connection: socket.socket) -> bool:
    """Whether the other side is of this user, or root; where the system does not tell, the folder's rights must do."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, option, 12))
    return uid in (0, os.geteuid())


def reached(store_folder: str, namespace: str, name: str) -> socket.socket:
    """A connection to the program that serves a provider; OSError when there is none. Never waits."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        with _short(os.path.join(store_folder, FOLDER), f"{_key(namespace, name)}.sock") as path:
            connection.connect(path)
        if not trusted(connection):
            raise PermissionError("it is served by another user")
    except BaseException:
        connection.close()
        raise
    return connection


class Claim:
    """A provider's name, taken by this program, and the socket on which it listens."""

    def __init__(self, store_folder: str, namespace: str, name: str) -> None:
        """PROVIDER_ALREADY_REGISTERED while another program, or another part of this one, serves it."""
        if not hasattr(socket, "AF_UNIX"):
            raise error(WBEM_E_NOT_SUPPORTED, "decoupled providers need Unix sockets")
        self._folder = os.path.join(store_folder, FOLDER)
        self._key = _key(namespace, name)
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        if os.stat(self._folder).st_uid != os.geteuid():
            raise error(WBEM_E_ACCESS_DENIED, f"{self._folder} belongs to another user")
        self._lock = self._locked(namespace, name)
        try:
            self.listener = self._listening()
        except BaseException:
            os.close(self._lock)
            raise

    def _locked(self, namespace: str, name: str) -> int:
        import fcntl

        path = os.path.join(self._folder, f"{self._key}.lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise error(
                WBEM_E_PROVIDER_ALREADY_REGISTERED,
                f"provider {name} of {namespace} is already served by a running program",
                parameter=name,
            ) from None
        return descriptor

    def _listening(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.setblocking(False)
            self._unlink()  # that of a program which is gone
            with _short(self._folder, f"{self._key}.sock") as path:
                listener.bind(path)
            listener.listen(BACKLOG)
        except BaseException:
            listener.close()
            raise
        return listener

    def _unlink(self) -> None:
        try:
            os.unlink(os.path.join(self._folder, f"{self._key}.sock"))
        except FileNotFoundError:
            pass

    def close(self) -> None:
        """Give the name back."""
        self._unlink()
        self.listener.close()
        os.close(self._lock)
