"""LogFileEventConsumer: lines, encodings, files put aside, and whose rights count."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from tests.consumers.conftest import Event, Told

from openwmi.consumers.logfile import LogFileEventConsumer, aside
from openwmi.contract.caller import Caller, UnixUser
from openwmi.model.errors import WbemError
from openwmi.model.status import WBEM_E_ACCESS_DENIED, WBEM_E_FAILED, WBEM_E_INVALID_PARAMETER


@pytest.fixture
def write(tell: Told, event: Event, tmp_path: Path) -> Any:
    provider = LogFileEventConsumer()

    def write(*texts: str, **values: Any) -> None:
        given = {"Filename": str(tmp_path / "log.txt"), "Text": "%Text%", **values}
        tell(provider, *[event(Text=text) for text in texts], **given)

    return write


@pytest.mark.req("E-72")
def test_a_line_for_each_event(write: Any, tmp_path: Path) -> None:
    write("one", "two")
    write("three", Text='%Text%: "quoted"')
    file = tmp_path / "log.txt"
    assert file.read_bytes() == b'one\r\ntwo\r\nthree: "quoted"\r\n'
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_value_cannot_look_like_a_line_of_its_own(write: Any, tmp_path: Path) -> None:
    write("one\r\ntwo\u2028three", Text="%Text%\nand %Text%")
    assert (tmp_path / "log.txt").read_bytes() == b"one two three\nand one two three\r\n"


@pytest.mark.req("E-72")
def test_unicode_files_have_a_mark_and_a_file_that_is_there_stays_what_it_is(
    write: Any, tmp_path: Path
) -> None:
    write("é", IsUnicode=True)
    write("z", IsUnicode=False)
    assert (tmp_path / "log.txt").read_bytes() == b"\xff\xfe" + "é\r\nz\r\n".encode("utf-16-le")
    (tmp_path / "other").write_text("begun\n")
    write("é", IsUnicode=True, Filename=str(tmp_path / "other"))
    assert (tmp_path / "other").read_bytes() == b"begun\n\xc3\xa9\r\n"


@pytest.mark.req("E-72")
def test_the_size_is_looked_at_before_a_line_is_written(write: Any, tmp_path: Path) -> None:
    write("12345678", MaximumFileSize=10)  # ten bytes: not beyond the limit
    write("more", MaximumFileSize=10)
    assert sorted(os.listdir(tmp_path)) == ["log.txt"]
    write("next", "last", MaximumFileSize=10)
    assert (tmp_path / "log.001").read_bytes() == b"12345678\r\nmore\r\n"
    assert (tmp_path / "log.txt").read_bytes() == b"next\r\nlast\r\n"
    write("again", MaximumFileSize=10)
    assert (tmp_path / "log.002").read_bytes() == b"next\r\nlast\r\n"


@pytest.mark.req("E-72")
def test_no_limit_and_the_default_one(write: Any, tmp_path: Path) -> None:
    write("x" * 70_000, "y", MaximumFileSize=0)
    assert os.listdir(tmp_path) == ["log.txt"]
    write("z")  # 65535 unless given
    assert sorted(os.listdir(tmp_path)) == ["log.001", "log.txt"]


@pytest.mark.req("E-72")
@pytest.mark.parametrize(
    ("name", "there", "next_name"),
    [
        ("log.txt", [], "log.001"),
        ("log", ["log.007"], "log.008"),
        ("log.txt", ["log.001", "log.005", "log.txt.003", "log.1234", "log.0x1"], "log.006"),
        ("a-long-name.log", ["a-long-name.log.001"], "a-long-name.log.002"),
        ("log.conf", [], "log.conf.001"),
        ("log.txt", ["log.001", "log.003", "log.999"], "log.002"),
    ],
)
def test_names_of_files_put_aside(tmp_path: Path, name: str, there: list[str], next_name: str) -> None:
    for one in there:
        (tmp_path / one).touch()
    assert aside(str(tmp_path / name)) == str(tmp_path / next_name)


@pytest.mark.slow
@pytest.mark.req("E-72")
def test_when_all_names_are_taken_the_oldest_file_goes(tmp_path: Path) -> None:
    for number in range(1, 1000):
        (tmp_path / f"log.{number:03}").touch()
    os.utime(tmp_path / "log.500", (1, 1))
    assert aside(str(tmp_path / "log.txt")) == str(tmp_path / "log.500")


@pytest.mark.req("E-72", "E-57")
def test_what_cannot_be_written_is_a_failure(write: Any, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "pipe")
    for name, code in [
        (str(tmp_path / "nowhere" / "log"), WBEM_E_FAILED),
        (str(tmp_path / "link"), WBEM_E_FAILED),
        (str(tmp_path / "pipe"), WBEM_E_FAILED),
        (str(tmp_path), WBEM_E_FAILED),
        ("C:\\temp\\log.txt", WBEM_E_INVALID_PARAMETER),
    ]:
        with pytest.raises(WbemError) as failed:
            write("x", Filename=name)
        assert failed.value.code == code, name
    assert not (tmp_path / "target").exists()


def test_half_a_line_is_not_left_on_a_full_disk(write: Any) -> None:
    with pytest.raises(WbemError):
        write("x", Filename="/dev/full")


# Whose rights count


def test_an_account_that_stands_for_nobody_may_write_nothing(
    tell: Told, event: Event, tmp_path: Path
) -> None:
    stranger = Caller("S-1-5-32-544", "Administrators", remote=True)
    with pytest.raises(WbemError) as failed:
        tell(LogFileEventConsumer(), event(), caller=stranger, Filename=str(tmp_path / "log"), Text="x")
    assert failed.value.code == WBEM_E_ACCESS_DENIED
    assert os.listdir(tmp_path) == []


def mapped() -> Caller:
    """A caller of another machine who stands for a user of this one."""
    nobody = pwd.getpwnam("nobody")
    groups = tuple(os.getgrouplist("nobody", nobody.pw_gid))
    user = UnixUser("nobody", nobody.pw_uid, nobody.pw_gid, groups)
    return Caller("S-1-5-21-1-2-3-1000", "alice", remote=True, runs_as=user)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_the_creators_own_rights_count(
    tell: Told, event: Event, tmp_path_factory: pytest.TempPathFactory
) -> None:
    creator = mapped()
    folder = (
        Path("/tmp") / f"openwmi-log-{os.getpid()}"
    )  # where nobody may come, unlike below pytest's own folder
    folder.mkdir(mode=0o755)
    try:
        with pytest.raises(WbemError) as failed:
            tell(LogFileEventConsumer(), event(), caller=creator, Filename=str(folder / "log"), Text="x")
        assert failed.value.code == WBEM_E_ACCESS_DENIED
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
        tell(LogFileEventConsumer(), event(), caller=creator, Filename=str(folder / "log"), Text="x")
        assert (folder / "log").read_bytes() == b"x\r\n"
        assert (folder / "log").stat().st_uid == pwd.getpwnam("nobody").pw_uid
    finally:
        (folder / "log").unlink(missing_ok=True)
        folder.rmdir()
