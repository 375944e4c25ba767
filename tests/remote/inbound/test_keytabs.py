"""The keys of a server's Kerberos services: read again when they change, and by a thread that may hang."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.kerberos_kit import Kdc, kdc

from openwmi.remote.inbound.keytabs import Keys

__all__ = ["kdc"]
pytestmark = pytest.mark.slow
# Not the usual half a second, so that a hundred waits would be noticed.
PATIENCE = 0.2


def until(true: Callable[[], bool]) -> None:
    for _ in range(2000):
        if true():
            return
        time.sleep(0.005)
    raise AssertionError("it never happens")


def hanging(path: Path) -> None:
    """A file there that nobody can open before there is somebody who writes to it."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def released(path: Path) -> bool:
    """Let go who hangs at it; False when nobody does."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as reason:
        assert reason.errno == errno.ENXIO
        return False
    return True


def test_keys_are_read_again_when_their_file_changes(kdc: Kdc, tmp_path: Path) -> None:
    path, keys = tmp_path / "keytab", Keys()
    assert keys.of(str(path)) is None
    shutil.copy(kdc.keytab, path)
    first = keys.of(str(path))
    assert first is not None
    assert keys.of(str(path)) is first
    os.utime(path, (1, 1))
    second = keys.of(str(path))
    assert second is not None
    assert second is not first
    path.unlink()
    assert keys.of(str(path)) is None


def test_a_keytab_that_hangs_does_not_stop_the_server(
    kdc: Kdc, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, keys = tmp_path / "keytab", Keys(patience=PATIENCE)
    hanging(path)
    began = time.monotonic()
    assert [keys.of(str(path)) for _ in range(100)] == [None] * 100
    assert time.monotonic() - began < 20 * PATIENCE
    assert [one.message for one in caplog.records] == [
        f"keytab {path} does not let itself be read: its file system hangs"
    ]
    until(lambda: released(path))
    shutil.copy(kdc.keytab, tmp_path / "good")
    os.replace(tmp_path / "good", path)
    until(lambda: keys.of(str(path)) is not None)
    known = keys.of(str(path))
    hanging(path)
    assert keys.of(str(path)) is known
    assert keys.of("/another") is None
    until(lambda: released(path))
