"""inotify: what its messages say, and what the kernel tells of a directory; waking a thread that waits for it."""

from __future__ import annotations

import errno
import os
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwmi.providers.linux import inotify
from openwmi.providers.linux.inotify import Inotify, Message, parsed
from openwmi.providers.linux.wakeup import Wakeup


def message(watch: int, what: int, name: bytes = b"", padding: int = 0) -> bytes:
    return struct.pack("=iIII", watch, what, 0, len(name) + padding) + name + b"\0" * padding


def test_a_read_has_several_messages() -> None:
    data = (
        message(1, inotify.CREATE, b"a", 15)
        + message(-1, inotify.OVERFLOW)
        + message(2, inotify.DELETE, b"b c", 1)
    )
    assert parsed(data) == [
        Message(1, inotify.CREATE, b"a"),
        Message(-1, inotify.OVERFLOW, b""),
        Message(2, inotify.DELETE, b"b c"),
    ]


@given(st.binary(max_size=200))
def test_no_message_does_harm(data: bytes) -> None:
    found = parsed(data)
    assert len(found) <= len(data) // 16


@pytest.fixture
def queue() -> Iterator[Inotify]:
    made = Inotify()
    yield made
    made.close()


def test_what_happens_to_the_entries_of_a_directory(queue: Inotify, tmp_path: Path) -> None:
    what = inotify.CREATE | inotify.DELETE | inotify.MODIFY | inotify.MOVED_FROM | inotify.MOVED_TO
    watch = queue.watch(os.fsencode(tmp_path), what)
    assert queue.watch(os.fsencode(tmp_path), what) == watch
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "b").unlink()
    (tmp_path / "d").mkdir()
    assert [(one.what, one.name) for one in queue.read()] == [
        (inotify.CREATE, b"a"),
        (inotify.MODIFY, b"a"),
        (inotify.MOVED_FROM, b"a"),
        (inotify.MOVED_TO, b"b"),
        (inotify.DELETE, b"b"),
        (inotify.CREATE | inotify.IS_DIRECTORY, b"d"),
    ]
    assert queue.read() == []
    queue.unwatch(watch)
    assert [(one.watch, one.what) for one in queue.read()] == [(watch, inotify.IGNORED)]
    queue.unwatch(watch)  # gone already
    assert queue.read() == []


@pytest.mark.parametrize("name", ["none", "file"])
def test_only_directories_are_watched(queue: Inotify, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=name) as refused:
        queue.watch(os.fsencode(tmp_path / name), inotify.CREATE)
    assert refused.value.errno == (errno.ENOENT if name == "none" else errno.ENOTDIR)


def test_a_waiting_thread_is_woken_by_messages_and_by_others(queue: Inotify, tmp_path: Path) -> None:
    queue.watch(os.fsencode(tmp_path), inotify.CREATE)
    with Wakeup() as wakeup:
        assert not wakeup.wait(queue, 0)
        (tmp_path / "a").touch()
        assert not wakeup.wait(queue)  # a message, and nobody called
        assert len(queue.read()) == 1
        for _ in range(1000):  # more often than its socket holds: that is no error
            wakeup.wake()
        assert wakeup.wait(queue)
        waker = threading.Timer(0.01, wakeup.wake)
        while wakeup.wait(queue, 0):
            pass
        waker.start()
        begun = time.monotonic()
        assert wakeup.wait(queue, 10_000)
        assert time.monotonic() - begun < 5
        waker.join()
    wakeup.wake()  # after its end: nobody is there
