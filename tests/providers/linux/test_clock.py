"""Time as WMI writes it: local, with the offset that holds at that moment."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import psutil
import pytest

from openwmi.providers.linux import clock
from openwmi.providers.linux.processes import TICKS_PER_SECOND, moments

NEW_YEAR, MIDSUMMER = 1_704_067_200, 1_719_792_000  # 2024-01-01 and 2024-07-01, 00:00 UTC


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def moved(name: str) -> None:
        if not os.path.exists(f"/usr/share/zoneinfo/{name}"):
            pytest.skip("no time zones on this machine")
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield moved
    monkeypatch.undo()
    time.tzset()


@pytest.mark.req("A-020", "A-024", "A-027")
@pytest.mark.parametrize(
    ("name", "moment", "expected"),
    [
        ("UTC", NEW_YEAR, "20240101000000.000007+000"),
        ("Europe/Berlin", NEW_YEAR, "20240101010000.000007+060"),
        ("Europe/Berlin", MIDSUMMER, "20240701020000.000007+120"),
        ("America/New_York", NEW_YEAR, "20231231190000.000007-300"),
        ("Asia/Kathmandu", NEW_YEAR, "20240101054500.000007+345"),
        ("Pacific/Kiritimati", NEW_YEAR, "20240101140000.000007+840"),
        ("America/St_Johns", MIDSUMMER, "20240630213000.000007-150"),
    ],
)
def test_local_time_with_its_offset(
    zone: Callable[[str], None], name: str, moment: int, expected: str
) -> None:
    zone(name)
    assert clock.datetime_text(moment, 7) == expected
    assert moments(moment)(0) == expected.replace("000007", "000000")


@pytest.mark.req("G-25", "A-027")
@pytest.mark.parametrize(
    "name", ["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"]
)
def test_moments_since_the_boot_are_the_clocks_own(zone: Callable[[str], None], name: str) -> None:
    """Every half hour and a second over a year: the quarter hours that are remembered lose no change of offset."""
    zone(name)
    started = moments(NEW_YEAR - 17)
    for seconds in range(0, 366 * 86_400, 1801):
        ticks = seconds * TICKS_PER_SECOND + TICKS_PER_SECOND // 2
        assert started(ticks) == clock.datetime_text(NEW_YEAR - 17 + seconds, 500_000)


def test_without_a_boot_time_nothing_is_dated() -> None:
    assert moments(None)(5) is None


@pytest.mark.req("G-10")
def test_the_offset_now(zone: Callable[[str], None]) -> None:
    zone("Asia/Kathmandu")
    assert clock.zone_minutes() == 345
    assert clock.now_text().endswith("+345")
    assert clock.now_text()[:12] == datetime.now().astimezone().strftime("%Y%m%d%H%M")


def test_the_boot_time_is_that_of_psutil() -> None:
    boot = clock.boot_seconds()
    assert boot is not None
    assert abs(boot - psutil.boot_time()) <= 1


def test_the_boot_time_is_read_once_while_nobody_sets_the_clock(tmp_path: Path) -> None:
    stat = tmp_path / "proc" / "stat"
    stat.parent.mkdir()
    stat.write_text("cpu 1 2\nctxt 5\nbtime 1700000000\nprocesses 9\n")
    assert clock.boot_seconds(str(tmp_path)) == 1_700_000_000
    stat.write_text("cpu 1 2\nbtime 5\n")
    assert clock.boot_seconds(str(tmp_path)) == 1_700_000_000


def test_a_machine_that_does_not_tell_its_boot_time(tmp_path: Path) -> None:
    assert clock.boot_seconds(str(tmp_path)) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "stat").write_text("cpu 1 2\n")
    assert clock.boot_seconds(str(tmp_path)) is None
