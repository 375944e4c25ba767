"""The compiled readers of processes: one per set of columns, kept, and made of nothing but constants."""

from __future__ import annotations

import os

import pytest
from tests.providers.questions import class_named, columns_of

from openwmi.providers.linux import processes
from openwmi.providers.linux.host import Host
from openwmi.providers.linux.processes import COLUMNS, priority, process_reader

ME = str(os.getpid())


@pytest.mark.parametrize("column", sorted(COLUMNS))
def test_every_column_can_be_read_alone_and_twice(column: str) -> None:
    assert process_reader(Host(), (column,))(ME) is not None
    row = process_reader(Host(), (column, column, "InstallDate"))(ME)
    assert row is not None
    assert row[2] is None


def test_rows_follow_the_order_of_the_columns() -> None:
    assert process_reader(Host(), ("ProcessId", "Handle"))(ME) == (os.getpid(), ME)
    assert process_reader(Host(), ("Handle", "ProcessId"))(ME) == (ME, os.getpid())
    assert process_reader(Host(), ())(ME) == ()


def test_a_reader_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    process_reader(Host(), ("Handle", "SessionId"))
    monkeypatch.setattr(processes, "_compile", None)
    assert process_reader(Host(), ("Handle", "SessionId"))(ME) == (ME, os.getsid(0))


def test_the_number_of_kept_readers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_compiled", {})
    monkeypatch.setattr(processes, "_CACHED", 4)
    for name in columns_of(class_named("Win32_Process")):
        process_reader(Host(), (name,))
        assert len(processes._compiled) <= 4


def test_a_column_that_nobody_knows_is_null() -> None:
    assert process_reader(Host(), ('x"); raise SystemExit', "Handle"))(ME) == (None, ME)


@pytest.mark.req("G-25")
def test_priorities_are_those_of_windows_classes() -> None:
    seen = [priority(nice, b"0") for nice in range(-20, 20)]
    assert seen == sorted(seen, reverse=True)
    assert set(seen) == {4, 6, 8, 10, 13, 24}
    assert priority(0, b"0") == 8
    assert [priority(0, policy) for policy in (b"1", b"2", b"6", b"3")] == [24, 24, 24, 8]
