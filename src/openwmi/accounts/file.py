"""The file of accounts: read when it has changed, replaced as a whole, by one process at a time.

    {"version": 1, "machine": "S-1-5-21-A-B-C", "next": 1001, "accounts": [{"name": ..., "sid": ..., "nt_hash": ...}]}

`machine` is made with the file and is the beginning of every account's SID; `next` only grows, so that no SID is ever
given to a second account. An NT hash is as good as the password: nobody but the owner may read the file.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.accounts.record import Account, read, written
from openwmi.model.errors import error
from openwmi.model.sids import Sid
from openwmi.model.status import WBEM_E_FAILED, WBEM_E_NOT_SUPPORTED
from openwmi.replacing import hand_over, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME: Final = "accounts.json"
FIRST: Final = 1000
MAX_BYTES: Final = 16 << 20
MAX_ACCOUNTS: Final = 10_000
_VERSION: Final = 1


class Content(NamedTuple):
    """All that the file holds."""

    machine: Sid
    following: int = FIRST
    accounts: tuple[Account, ...] = ()

    def named(self, name: str) -> Account | None:
        key = name.casefold()
        return next((one for one in self.accounts if one.key == key), None)


# What tells one state of the file from another; None: there is no file.
Signature = tuple[int, int, int] | None


def signature(path: str) -> Signature:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def load(path: str) -> Content | None:
    """The content; None when there is no file. WBEM_E_FAILED when others can read it, or it is damaged."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        return None
    except OSError as reason:
        raise error(WBEM_E_FAILED, f"the accounts cannot be read: {reason}") from reason
    with open(descriptor, "rb") as file:
        _check_private(path, os.fstat(file.fileno()))
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise error(WBEM_E_FAILED, f"{path} is larger than {MAX_BYTES} bytes")
    try:
        return _content(json.loads(raw))
    except (ValueError, KeyError, TypeError, RecursionError) as reason:
        raise error(WBEM_E_FAILED, f"{path} is damaged: {type(reason).__name__}") from reason


def _check_private(path: str, found: os.stat_result) -> None:
    if os.name == "posix" and found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        failure = error(WBEM_E_FAILED, f"{path} can be read by others than its owner: it is not used")
        failure.hint = f"chmod 600 {path}    after making sure that nobody has read it"
        raise failure


def _content(stored: Any) -> Content:
    if stored["version"] != _VERSION:
        raise ValueError("a version that is not known")
    accounts = tuple(read(one) for one in stored["accounts"])
    following = stored["next"]
    if not isinstance(following, int) or len({one.key for one in accounts}) < len(accounts):
        raise ValueError("two accounts of one name")
    return Content(Sid.parse(stored["machine"]), following, accounts)


def store(path: str, content: Content) -> None:
    """Put a new file in the place of the old one, whole or not at all."""
    text = json.dumps(
        {
            "version": _VERSION,
            "machine": str(content.machine),
            "next": content.following,
            "accounts": [written(one) for one in content.accounts],
        },
        indent=1,
    )
    replace(path, text.encode())


@contextlib.contextmanager
def alone(path: str) -> Iterator[None]:
    """Only one process changes the file at a time; the others wait."""
    try:
        import fcntl
    except ImportError:
        raise error(WBEM_E_NOT_SUPPORTED, "accounts can be changed only where files can be locked") from None
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(f"{path}.lock", flags, 0o600)
    try:
        hand_over(descriptor, path)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def fresh() -> Content:
    """The content of a store that begins: a machine identity that no other one has."""
    numbers = tuple(int.from_bytes(os.urandom(4), "little") for _ in range(3))
    return Content(Sid(5, (21, *numbers)))
