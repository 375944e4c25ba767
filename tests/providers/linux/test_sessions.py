"""Who is logged on: logind's records, utmp, neither."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from openwmi.providers.linux.sessions import console_user, logins, session_count


def record(kind: int, pid: int, terminal: bytes, user: bytes) -> bytes:
    """A record as login(1) writes it: struct utmp of utmp(5) on a 64-bit machine."""
    return struct.pack(
        "<hxxi32s4s32s256shhiii16s20x", kind, pid, terminal, b"1", user, b"host", 0, 0, 0, 0, 0, b""
    )


@pytest.mark.req("G-10")
def test_sessions_are_those_of_psutil() -> None:
    assert session_count() == len(psutil.users())


@pytest.mark.req("G-10", "G-11")
def test_utmp(tree: Callable[..., Path]) -> None:
    me = os.getpid()
    data = b"".join(
        (
            record(2, 0, b"~", b"reboot"),
            record(7, me, b"pts/0", b"ada"),
            record(7, me, b"tty1", b"grace"),
            record(8, me, b"pts/1", b"gone"),
            record(7, 999_999_999, b"tty2", b"dead"),
        )
    )
    root = str(tree({"/run/utmp": data + b"half a record", f"/proc/{me}/stat": ""}))
    assert [(login.user, login.line, login.pid) for login in logins(root)] == [
        ("ada", "pts/0", me),
        ("grace", "tty1", me),
    ]
    assert session_count(root) == 2
    assert console_user(root) == "grace"


@pytest.mark.req("G-10", "G-11")
def test_logind(tree: Callable[..., Path]) -> None:
    root = str(
        tree(
            {
                "/run/systemd/sessions/1": "UID=1000\nUSER=ada\nACTIVE=0\nCLASS=user\nSEAT=seat0\n",
                "/run/systemd/sessions/2": "UID=1001\nUSER=grace\nACTIVE=1\nCLASS=user-early\nSEAT=seat0\n",
                "/run/systemd/sessions/3": "UID=1002\nUSER=alan\nACTIVE=1\nCLASS=user\nREMOTE=1\n",
                "/run/systemd/sessions/c1": "UID=110\nUSER=gdm\nACTIVE=0\nCLASS=greeter\nSEAT=seat0\n",
                "/run/systemd/sessions/m1": "UID=1000\nUSER=ada\nCLASS=manager\n",
                "/run/systemd/sessions/1.ref": "",
            }
        )
    )
    assert session_count(root) == 3
    assert console_user(root) == "grace"


def test_a_machine_without_records(tmp_path: Path) -> None:
    assert (session_count(str(tmp_path)), console_user(str(tmp_path))) == (0, None)
