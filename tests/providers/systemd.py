"""A systemd of our own: the real manager as it runs for a user, on a real bus, with a file tree of its own as /run."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.providers.within import started_within

PROGRAM = "/lib/systemd/systemd"
UNITS = {
    "dbus.socket": "[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=%t/bus\n",
    "dbus.service": """[Unit]
DefaultDependencies=no
Requires=dbus.socket
[Service]
Type=notify
NotifyAccess=main
ExecStart=/usr/bin/dbus-daemon --session --address=systemd: --nofork --nopidfile --systemd-activation
""",
    "default.target": "[Unit]\nDefaultDependencies=no\nWants=dbus.socket dbus.service\nAfter=dbus.socket\n",
}
_BEGIN = f"""
mkdir -p "$1/run/systemd/system"
mount --bind "$1/run" /run
{PROGRAM} --user
"""
# With its processes in a namespace of their own they all end with the first of them.
_UNSHARE = (
    "unshare",
    "--mount",
    "--propagation",
    "private",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
)


def obstacle() -> str | None:
    """Why none can be run here."""
    if os.geteuid() != 0:
        return "running a systemd of our own is for root"
    if not os.path.exists(PROGRAM) or shutil.which("dbus-daemon") is None:
        return "systemd or dbus-daemon is not installed (Debian: systemd, dbus-daemon)"
    tried = subprocess.run([*_UNSHARE, "mount", "--bind", "/tmp", "/tmp"], check=False, capture_output=True)
    return None if tried.returncode == 0 else "this machine allows no namespaces"


class Manager:
    """systemd at work. root: its file tree; address: of its bus."""

    def __init__(self, root: Path, units: dict[str, str]) -> None:
        self.root = root
        self.units = root / "units"
        self.user = root / "user"
        for folder in (self.units, self.user, root / "home"):
            folder.mkdir()
        self.user.chmod(0o700)
        for name, text in {**UNITS, **units}.items():
            (self.units / name).write_text(text, encoding="utf-8")
        self.address = f"unix:path={self.user}/bus"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Comes back when it answers on the bus."""
        self._process = subprocess.Popen(
            [*_UNSHARE, "sh", "-ec", _BEGIN, "sh", str(self.root)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.root / "home"),
                "XDG_RUNTIME_DIR": str(self.user),
                "XDG_CONFIG_HOME": str(self.root / "home"),
                "SYSTEMD_UNIT_PATH": f"{self.root}/home/systemd/user:{self.units}",
                "DBUS_SESSION_BUS_ADDRESS": self.address,
            },
        )
        for _ in range(200):
            if self.control("list-units").returncode == 0:
                return
            time.sleep(0.05)
        raise AssertionError("systemd does not answer")

    def control(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["busctl", f"--address={self.address}", "call", *_MANAGER, *_CALLS[arguments[0]], *arguments[1:]],
            check=False,
            capture_output=True,
            text=True,
        )

    def inside(self, *command: str) -> subprocess.Popen[str]:
        """A program for which this systemd is the one that has started the machine."""
        return started_within(self.root, command, DBUS_SYSTEM_BUS_ADDRESS=self.address)

    def write(self, name: str, text: str) -> None:
        """Write a unit file and have all of them read again."""
        (self.units / name).write_text(text, encoding="utf-8")
        assert self.control("reload").returncode == 0

    def remove(self, name: str) -> None:
        (self.units / name).unlink()
        assert self.control("reload").returncode == 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


_MANAGER = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
_CALLS = {
    "list-units": ("ListUnits",),
    "reload": ("Reload",),
    "start": ("StartUnit", "ss"),
    "stop": ("StopUnit", "ss"),
    "kill": ("KillUnit", "ssi"),
}


@contextmanager
def running(units: dict[str, str]) -> Iterator[Manager]:
    """One at work with some units; its tree is short, for the sockets in it."""
    reason = obstacle()
    if reason is not None:
        pytest.skip(reason)
    folder = tempfile.mkdtemp(prefix="sd", dir="/tmp")
    here = Manager(Path(folder), units)
    try:
        here.start()
        yield here
    finally:
        here.stop()
        shutil.rmtree(folder)
