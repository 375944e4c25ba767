"""Becoming a user of this machine for good: nothing of who one was is left, and there is no way back.

A process that does it is there for that alone. What it needs it imports before, since the user may be unable to read
this program's files.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_NO_NEW_PRIVS: Final = 38
_ROOT: Final = 0


def become(uid: int, gid: int, groups: Iterable[int]) -> None:
    """Be that user, with these groups and no others: PermissionError when it fails, or when there is a way back. The
    process must end then: it may be half of each.

    Where the process is not root it must be that user already, and keeps its groups.
    """
    gain_nothing()
    if os.geteuid() == _ROOT:
        # In this order: whoever is root no more can change neither groups nor group.
        os.setgroups(list(groups))
        os.setgid(gid)  # of root: the real, the effective and the saved one
        os.setuid(uid)
        if _numbers(os.getgid, os.getegid, "getresgid") != {gid}:
            raise PermissionError(f"the process could not leave its group for {gid}")
    if _numbers(os.getuid, os.geteuid, "getresuid") != {uid} or (uid != _ROOT and _may_go_back()):
        raise PermissionError(f"the process could not become user {uid} for good")


def gain_nothing() -> None:
    """Have no program that is started from here on gain rights by being set-user-ID (PR_SET_NO_NEW_PRIVS)."""
    if sys.platform != "linux":
        return
    import ctypes

    if ctypes.CDLL(None, use_errno=True).prctl(_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise PermissionError("the kernel does not take PR_SET_NO_NEW_PRIVS")


def _numbers(real: Callable[[], int], effective: Callable[[], int], all_three: str) -> set[int]:
    """The real number, the effective and the saved one; not every system tells the last."""
    return {real(), effective(), *getattr(os, all_three, lambda: ())()}


def _may_go_back() -> bool:
    """By trying: what the kernel allows depends on more than the numbers (capabilities(7): securebits)."""
    ways: tuple[Callable[[], object], ...] = (
        lambda: os.setuid(_ROOT),
        lambda: os.seteuid(_ROOT),
        lambda: os.setgroups([_ROOT]),
    )
    return any(map(_works, ways))


def _works(way: Callable[[], object]) -> bool:
    try:
        way()
    except PermissionError:
        return False
    return True
