"""Durations as typed."""

from __future__ import annotations

import pytest

from openwmi.cli.durations import duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("30", 30), ("0.5", 0.5), ("30s", 30), ("1.5m", 90), ("2h", 7200), ("2H", 7200), ("1e1s", 10)],
)
def test_units(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1", "-1s", "1d", "1 min", "inf", "nan", "1ms", "m1"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        duration(text)
