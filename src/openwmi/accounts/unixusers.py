"""Users of this machine, with all that the kernel looks at."""

from __future__ import annotations

import os

from openwmi.contract.caller import UnixUser


def unix_user(name: str) -> UnixUser | None:
    """The user of that name, or of that number when no name is so; None when there is none (any more)."""
    try:
        import pwd
    except ImportError:
        return None
    try:
        found = pwd.getpwnam(name)
    except (KeyError, ValueError):
        if not name.isascii() or not name.isdecimal():
            return None
        try:
            found = pwd.getpwuid(int(name))
        except (KeyError, OverflowError):
            return None
    groups = tuple(os.getgrouplist(found.pw_name, found.pw_gid))
    return UnixUser(found.pw_name, found.pw_uid, found.pw_gid, groups)
