"""Durations on a command line: a bare number is seconds, else a unit s, m or h follows."""

from __future__ import annotations

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: str) -> float:
    """Seconds, not negative; ValueError for anything that is no duration."""
    unit = UNITS.get(text[-1:].lower())
    try:
        seconds = float(text[:-1] if unit else text) * (unit or 1.0)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"no duration: {text}")
    return seconds
