"""Who is logged on: logind's records under /run/systemd, else utmp, read as files (G-10, G-11)."""

from __future__ import annotations

import os
from typing import NamedTuple

from openwmi.providers.linux.files import assignments, contents, listing, text

# struct utmp of glibc where time is 32 bit (x86, arm64 and most others): 384 bytes.
_SIZE = 384
_USER_PROCESS = 7
_TYPE = slice(0, 2)
_PID = slice(4, 8)
_LINE = slice(8, 40)
_USER = slice(44, 76)


class Login(NamedTuple):
    """A record of utmp: user, terminal without /dev, process that leads the session."""

    user: str
    line: str
    pid: int


def logins(root: str = "") -> list[Login]:
    """The log-ons that utmp records and whose process still lives; dead ones stay behind after a crash."""
    try:
        data = contents(f"{root}/run/utmp", 65536)
    except OSError:
        return []
    found = []
    for start in range(0, len(data) - _SIZE + 1, _SIZE):
        record = data[start : start + _SIZE]
        pid = int.from_bytes(record[_PID], "little")
        if int.from_bytes(record[_TYPE], "little") == _USER_PROCESS and os.path.isdir(f"{root}/proc/{pid}"):
            user, terminal = (text(record[part].partition(b"\0")[0]) for part in (_USER, _LINE))
            found.append(Login(user, terminal, pid))
    return found


def _logind(root: str) -> list[dict[str, str]] | None:
    """logind's sessions of users; None without logind. Its own and the display manager's sessions do not count."""
    directory = f"{root}/run/systemd/sessions"
    if not os.path.isdir(directory):
        return None
    sessions = (
        assignments(f"{directory}/{name}") for name in listing(directory) if not name.endswith(".ref")
    )
    return [
        session
        for session in sessions
        if session.get("CLASS", "user").startswith("user") and "UID" in session
    ]


def session_count(root: str = "") -> int:
    """Log-on sessions at the moment; a system that keeps no records of them has none."""
    sessions = _logind(root)
    return len(logins(root)) if sessions is None else len(sessions)


def console_user(root: str = "") -> str | None:
    """The name of the user at the screen and keyboard; None when nobody is there."""
    for session in _logind(root) or ():
        if session.get("SEAT") == "seat0" and session.get("ACTIVE") == "1":
            return session.get("USER") or None
    for login in logins(root):
        if login.line.startswith(":") or login.line.removeprefix("tty").isdecimal():
            return login.user
    return None
