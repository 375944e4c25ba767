"""A systemd-journald of our own: the real program, with a file tree of its own as /run and /etc/systemd."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.providers.within import started_within

PROGRAM = "/lib/systemd/systemd-journald"
_CONF = """[Journal]
Storage=volatile
ReadKMsg=no
Audit=no
RateLimitIntervalSec=0
ForwardToSyslog=no
ForwardToWall=no
"""
_BEGIN = f"""
mount --bind "$1/run" /run
mount --bind "$1/journald.conf" /etc/systemd/journald.conf
exec {PROGRAM}
"""


def obstacle() -> str | None:
    """Why none can be run here."""
    if os.geteuid() != 0:
        return "running a journald of our own is for root"
    if not os.path.exists(PROGRAM) or shutil.which("journalctl") is None:
        return "systemd-journald is not installed (Debian: systemd)"
    tried = subprocess.run(
        ["unshare", "-m", "mount", "--bind", "/tmp", "/tmp"], check=False, capture_output=True
    )
    return None if tried.returncode == 0 else "this machine allows no mount namespaces"


class Journald:
    """Begins stopped. root: the file tree whose journal it writes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("run/log/journal", "run/systemd/journal", "etc"):
            (root / folder).mkdir(parents=True)
        (root / "journald.conf").write_text(_CONF, encoding="utf-8")
        shutil.copy("/etc/machine-id", root / "etc/machine-id")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Comes back when it takes entries."""
        notices = str(self.root / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(notices)
            ready.settimeout(10)
            self._process = subprocess.Popen(
                ["unshare", "-m", "--propagation", "private", "sh", "-ec", _BEGIN, "sh", str(self.root)],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "NOTIFY_SOCKET": notices},
            )
            while b"READY=1" not in ready.recv(4096):
                pass
        os.unlink(notices)

    def stop(self, *, kill: bool = False) -> None:
        if self._process is not None:
            self._process.kill() if kill else self._process.terminate()
            self._process.wait(10)
            self._process = None

    def inside(self, *command: str) -> subprocess.Popen[str]:
        """A program for which this journal is the machine's."""
        return started_within(self.root, command)

    def write(self, **fields: str | bytes | Sequence[str | bytes]) -> None:
        """One entry; a field with several values stands several times."""
        parts = []
        for name, given in fields.items():
            for value in [given] if isinstance(given, (str, bytes)) else given:
                raw = value.encode() if isinstance(value, str) else value
                parts.append(name.encode() + b"\n" + struct.pack("<Q", len(raw)) + raw + b"\n")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.settimeout(10)
            to.sendto(b"".join(parts), str(self.root / "run/systemd/journal/socket"))

    def sync(self) -> None:
        """Comes back when what was written before is in the files."""
        self._call("Synchronize")

    def rotate(self) -> None:
        self._call("Rotate")

    def forget(self) -> None:
        """Remove the files that have been rotated away."""
        for path in (self.root / "run/log/journal").glob("*/*@*.journal"):
            path.unlink()

    def _call(self, method: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as varlink:
            varlink.settimeout(10)
            varlink.connect(str(self.root / "run/systemd/journal/io.systemd.journal"))
            varlink.sendall(json.dumps({"method": f"io.systemd.Journal.{method}"}).encode() + b"\0")
            answer = b""
            while not answer.endswith(b"\0"):
                answer += varlink.recv(4096) or b"\0"
            assert "error" not in json.loads(answer[:-1]), answer


@contextmanager
def running() -> Iterator[Journald]:
    """One at work; its tree is short, for the sockets in it."""
    reason = obstacle()
    if reason is not None:
        pytest.skip(reason)
    folder = tempfile.mkdtemp(prefix="jd", dir="/tmp")
    here = Journald(Path(folder))
    try:
        here.start()
        yield here
    finally:
        here.stop(kill=True)
        shutil.rmtree(folder)
