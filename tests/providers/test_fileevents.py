"""Files that come, go and change in a directory that a query names: real ones, told by inotify."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.providers.listening import ELSEWHERE, Heard, Machine

from openwmi.model import status as s
from openwmi.providers.fileevents import DataFileEvents

QUERY = "SELECT * FROM __Instance{}Event WHERE TargetInstance ISA 'CIM_DataFile' AND "


@pytest.fixture
def machine() -> Iterator[Machine]:
    here = Machine(DataFileEvents())
    yield here
    here.host.shut_down()


def in_path(path: Path | str, what: str = "Operation") -> str:
    return QUERY.format(what) + f"TargetInstance.Path = '{path}/'"


def kind(event: Any) -> str:
    return str(event.classname_[len("__Instance") : -len("Event")])


def seen(heard: Heard, end: str = "end") -> list[tuple[str, str]]:
    """What was told until the file `end` has come, without what it says of that one and of changes of times."""
    heard.until(lambda event: event.TargetInstance.FileName == end)
    return [
        (kind(event), event.TargetInstance.FileName)
        for event in heard.events
        if event.TargetInstance.FileName != end
    ]


@pytest.mark.req("G-45", "F-27", "E-01", "E-02")
def test_files_are_made_written_renamed_and_removed(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("1")
    heard = machine.subscribe(in_path(tmp_path))
    (tmp_path / "new").touch()
    with (tmp_path / "old").open("a") as file:
        file.write("234")
    (tmp_path / "old").rename(tmp_path / "moved")
    (tmp_path / "moved").unlink()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "below").touch()
    (tmp_path / "end").touch()
    told = seen(heard)
    assert [one for one in told if one[0] != "Modification"] == [
        ("Creation", "new"),
        ("Deletion", "old"),
        ("Creation", "moved"),
        ("Deletion", "moved"),
    ]
    written = [e for e in heard.events if kind(e) == "Modification" and e.TargetInstance.FileName == "old"]
    if written:  # the kernel may tell of the writing when the file has its next name already
        assert (written[0].PreviousInstance.FileSize, written[0].TargetInstance.FileSize) == (1, 4)
    deleted = next(e for e in heard.events if kind(e) == "Deletion")
    assert deleted.TargetInstance.relpath_ == f'CIM_DataFile.Name="{tmp_path}/old"'
    assert deleted.TargetInstance.Drive


@pytest.mark.req("G-45", "E-02")
def test_a_change_tells_before_and_after(machine: Machine, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("1")
    heard = machine.subscribe(in_path(tmp_path, "Modification"))
    with path.open("a") as file:
        file.write("23")
    (event,) = heard.until(lambda one: one.TargetInstance.FileSize == 3)[:1]
    assert event.PreviousInstance.FileSize == 1
    path.chmod(0o600)
    os.utime(path, (1, 2))
    heard.until(lambda one: one.TargetInstance.LastModified.year == 1970)
    rows = [(one.PreviousInstance, one.TargetInstance) for one in heard.events]
    assert all(before.values_ != after.values_ for before, after in rows)
    assert [after.values_ for _, after in rows[:-1]] == [before.values_ for before, _ in rows[1:]]


@pytest.mark.req("G-45")
def test_a_single_file_by_its_name(machine: Machine, tmp_path: Path) -> None:
    heard = machine.subscribe(QUERY.format("Creation") + f"TargetInstance.Name = '{tmp_path}/this'")
    for name in ("other", "this", "that"):
        (tmp_path / name).touch()
    heard.until(lambda one: True)
    assert [one.TargetInstance.FileName for one in heard.events] == ["this"]


@pytest.mark.req("G-45", "F-28")
def test_drive_and_further_conditions_are_tested_by_the_service(machine: Machine, tmp_path: Path) -> None:
    drive = machine.subscribe(in_path(tmp_path, "Creation") + " AND TargetInstance.Drive = '/no such drive'")
    texts = machine.subscribe(in_path(tmp_path, "Creation") + " AND TargetInstance.Extension = 'txt'")
    for name in ("a.bin", "b.txt", "c.bin"):
        (tmp_path / name).touch()
    texts.until(lambda one: one.TargetInstance.FileName == "b")
    assert len(texts.events) == 1
    assert drive.events == []


@pytest.mark.req("E-61", "G-45")
@pytest.mark.parametrize(
    "where",
    ["TargetInstance.Drive = '/'", "TargetInstance.FileSize > 5", "TargetInstance.Path LIKE '/etc/%'"],
)
def test_all_files_cannot_be_watched(machine: Machine, where: str) -> None:
    query = QUERY.format("Creation").replace("WHERE", "WITHIN 5 WHERE") + where
    assert machine.start(query).until_ended().status == s.WBEMESS_E_REGISTRATION_TOO_BROAD


@pytest.mark.req("F-27", "G-66")
def test_callers_of_other_machines_may_not_watch(machine: Machine, tmp_path: Path) -> None:
    assert machine.start(in_path(tmp_path), ELSEWHERE).until_ended().status == s.WBEM_E_ACCESS_DENIED


@pytest.mark.req("G-45")
def test_a_second_directory_is_watched_when_its_subscription_is_in_force(
    machine: Machine, tmp_path: Path
) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    first = machine.subscribe(in_path(tmp_path / "a"))
    second = machine.subscribe(in_path(tmp_path / "b"))
    third = machine.subscribe(in_path(tmp_path / "b", "Creation"))
    (tmp_path / "b" / "x").touch()
    (tmp_path / "a" / "y").touch()
    for heard, name in ((first, "y"), (second, "x"), (third, "x")):
        assert [e.TargetInstance.FileName for e in heard.until(lambda e: kind(e) == "Creation")] == [name]


@pytest.mark.req("G-45")
def test_a_directory_pinned_in_two_ways_is_told_of_once(machine: Machine, tmp_path: Path) -> None:
    one = machine.subscribe(in_path(tmp_path, "Creation"))
    two = machine.subscribe(QUERY.format("Creation") + f"TargetInstance.Name = '{tmp_path}/end'")
    (tmp_path / "a").touch()
    (tmp_path / "end").touch()
    assert seen(one) == [("Creation", "a")]
    assert seen(two) == []
    assert len([e for e in one.events if e.TargetInstance.FileName == "end"]) == 1


@pytest.mark.req("G-45")
def test_a_directory_that_comes_and_goes_and_comes_again(machine: Machine, tmp_path: Path) -> None:
    inner = tmp_path / "one" / "two"
    heard = machine.subscribe(in_path(inner))
    inner.mkdir(parents=True)
    (inner / "a").touch()
    heard.until(lambda e: e.TargetInstance.FileName == "a")
    shutil.rmtree(tmp_path / "one")
    heard.until(lambda e: kind(e) == "Deletion")
    inner.mkdir(parents=True)
    (inner / "end").touch()
    assert [one for one in seen(heard) if one[0] != "Modification"] == [("Creation", "a"), ("Deletion", "a")]


@pytest.mark.req("G-45")
def test_a_directory_that_is_moved_away_takes_its_files_along(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for name in "ab":
        (tmp_path / "d" / name).touch()
    heard = machine.subscribe(in_path(tmp_path / "d"))
    (tmp_path / "d").rename(tmp_path / "elsewhere")
    heard.until(lambda e: kind(e) == "Deletion", 2)
    (tmp_path / "elsewhere" / "c").touch()
    (tmp_path / "elsewhere").rename(tmp_path / "d")
    heard.until(lambda e: kind(e) == "Creation", 3)
    (tmp_path / "d" / "end").touch()
    assert sorted(seen(heard)) == [
        *(("Creation", name) for name in "abc"),
        *(("Deletion", name) for name in "ab"),
    ]


@pytest.mark.req("G-45", "F-27")
def test_a_file_moved_over_another_changes_it(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "config").write_text("old")
    (tmp_path / "next").write_text("the next one")
    heard = machine.subscribe(in_path(tmp_path / "d"))
    (tmp_path / "next").replace(tmp_path / "d" / "config")
    (event,) = heard.until(lambda e: True)
    assert (kind(event), event.PreviousInstance.FileSize, event.TargetInstance.FileSize) == (
        "Modification",
        3,
        12,
    )


@pytest.mark.slow
@pytest.mark.req("F-27")
def test_every_short_lived_file_is_told(machine: Machine, tmp_path: Path) -> None:
    heard = machine.subscribe(in_path(tmp_path))
    for number in range(500):
        path = tmp_path / f"f{number:03}"
        path.touch()
        path.unlink()
    (tmp_path / "end").touch()
    told = [one for one in seen(heard) if one[0] != "Modification"]
    assert told == [(what, f"f{number:03}") for number in range(500) for what in ("Creation", "Deletion")]


@pytest.mark.slow
@pytest.mark.req("calls:B90")
def test_a_queue_of_the_kernel_that_overflows_is_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from openwmi.providers.linux.inotify import Inotify

    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    held, go = threading.Event(), threading.Event()
    read = Inotify.read

    def late(self: Inotify) -> Any:
        if not go.is_set():
            held.set()
            go.wait(60)
        return read(self)

    machine = Machine(DataFileEvents())
    heard = machine.subscribe(in_path(tmp_path))
    monkeypatch.setattr(Inotify, "read", late)
    (tmp_path / "first").touch()
    assert held.wait(10)
    names = [os.fsencode(tmp_path / str(number % 2)) for number in range(most // 2 + 10)]
    for name in names:
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
        os.unlink(name)
    go.set()
    outcome = heard.until_ended()
    assert outcome.status == s.WBEM_E_QUEUE_OVERFLOW
    assert "unknown number" in str(outcome.as_error())
    machine.host.shut_down()


def test_no_more_watches_than_the_machine_allows(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openwmi.providers.linux.inotify import Inotify

    def full(self: Inotify, directory: bytes, what: int) -> int:
        raise OSError(28, "no more inotify watches for this user (fs.inotify.max_user_watches)")

    monkeypatch.setattr(Inotify, "watch", full)
    outcome = machine.start(in_path(tmp_path)).until_ended()
    assert outcome.status == s.WBEM_E_PROVIDER_FAILURE
    assert "max_user_watches" in str(outcome.as_error())
