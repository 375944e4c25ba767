"""Files replaced as a whole: what is there at every step, on which disk, and whose it is."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from openwmi.accounts.accounts import Accounts
from openwmi.replacing import move, replace
from openwmi.repository import care
from openwmi.repository.store import Store

ROOT = Path(__file__).resolve().parents[1]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
OWNER = (65534, 65534)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "state").write_bytes(b"old")
    return tmp_path / "state"


def test_the_new_content_is_for_its_owner_alone(file: Path) -> None:
    file.chmod(0o644)
    replace(str(file), b"new")
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(file.parent) == ["state"]


@pytest.mark.parametrize("what", ["a file", "a link"])
def test_what_stands_where_it_is_written_is_not_written_to(file: Path, tmp_path: Path, what: str) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"somebody's")
    if what == "a link":
        (tmp_path / "state.new").symlink_to(other)
    else:
        os.link(other, tmp_path / "state.new")
    replace(str(file), b"new")
    assert (file.read_bytes(), other.read_bytes()) == (b"new", b"somebody's")
    assert not file.is_symlink()


def test_the_content_is_on_the_disk_before_it_has_the_name_and_the_name_before_anybody_hears(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, bytes]] = []
    synced, replaced = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        steps.append((kind, file.read_bytes()))
        synced(descriptor)

    def rename(fresh: str, path: str) -> None:
        replaced(fresh, path)
        steps.append(("name", file.read_bytes()))

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", rename)
    expected = [("file", b"old"), ("name", b"new"), ("folder", b"new")]
    replace(str(file), b"new")
    assert steps == expected
    steps.clear()
    file.write_bytes(b"old")
    (file.parent / "fresh").write_bytes(b"new")
    move(str(file.parent / "fresh"), str(file))
    assert steps == expected


VICTIM = """
import os, signal, sys
from openwmi.replacing import replace
path, name = sys.argv[1:]
setattr(os, name, lambda *arguments: os.kill(os.getpid(), signal.SIGKILL))
replace(path, b"new")
"""


@pytest.mark.slow
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_kill_leaves_the_old_one_and_the_next_one_goes_on(file: Path, step: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", VICTIM, str(file), step],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert file.read_bytes() == b"old"
    assert (file.parent / "state.new").exists()
    replace(str(file), b"newer")
    assert file.read_bytes() == b"newer"
    assert os.listdir(file.parent) == ["state"]


# Whose they are


@as_root
def test_what_root_replaces_stays_its_owners(file: Path) -> None:
    os.chown(file, *OWNER)
    replace(str(file), b"new")
    assert (file.stat().st_uid, file.stat().st_gid) == OWNER
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@as_root
def test_a_link_does_not_say_whose_it_is(file: Path, tmp_path: Path) -> None:
    """Else whoever owns the folder would decide to whom root gives its secrets."""
    other = tmp_path / "other"
    other.write_bytes(b"")
    os.chown(other, *OWNER)
    file.unlink()
    file.symlink_to(other)
    replace(str(file), b"secret")
    assert file.stat().st_uid == 0
    assert other.read_bytes() == b""


@as_root
@pytest.mark.slow
def test_all_state_of_a_service_stays_readable_for_its_user(tmp_path: Path) -> None:
    """Made by root in the folder of a service that has a user of its own, and changed by root again."""
    os.chown(tmp_path, *OWNER)
    path = str(tmp_path / "repository.db")
    for name in ("first", "second"):
        Accounts(str(tmp_path)).add(name, bytes(16))
        store = Store(path)
        care.remember(store, f"/{name}.mof")
        store.close()
    files = {one.name: (one.stat().st_uid, stat.S_IMODE(one.stat().st_mode)) for one in tmp_path.iterdir()}
    assert {"repository.db", "repository.db.recovery", "accounts.json", "accounts.json.lock"} <= files.keys()
    assert set(files.values()) == {(OWNER[0], 0o600)}


@as_root
def test_a_copy_that_root_asked_for_is_roots(tmp_path: Path) -> None:
    """A backup goes where root says; who owns what was there need not read it."""
    target = tmp_path / "wmi.backup"
    target.write_bytes(b"")
    os.chown(target, *OWNER)
    care.backed_up(str(tmp_path / "repository.db"), str(target))
    assert (target.stat().st_uid, stat.S_IMODE(target.stat().st_mode)) == (0, 0o600)
