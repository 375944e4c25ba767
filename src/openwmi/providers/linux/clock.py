"""Time of this host as WMI writes it: local, with the offset that holds at that moment (A-020, A-027)."""

from __future__ import annotations

from time import CLOCK_BOOTTIME, clock_gettime, localtime, time

from openwmi.providers.linux.files import contents

_boot: dict[str, tuple[float, int]] = {}


def datetime_text(seconds: int, microseconds: int = 0) -> str:
    """25 characters for a moment given in seconds since 1970 (UTC)."""
    local = localtime(seconds)
    offset = local.tm_gmtoff // 60
    sign = "-" if offset < 0 else "+"
    year, month, day, hour, minute, second = local[:6]
    return (
        f"{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}.{microseconds:06}{sign}{abs(offset):03}"
    )


def now_text() -> str:
    seconds, fraction = divmod(time(), 1)
    return datetime_text(int(seconds), int(fraction * 1_000_000))


def zone_minutes() -> int:
    """Minutes that local time is ahead of UTC at this moment."""
    return localtime().tm_gmtoff // 60


def boot_seconds(root: str = "") -> int | None:
    """When the machine was started, in seconds since 1970; None when /proc/stat does not say.

    /proc/stat costs up to a millisecond on a large machine, so its answer is kept as long as nobody sets the clock.
    """
    distance = time() - clock_gettime(CLOCK_BOOTTIME)
    known = _boot.get(root)
    if known is not None and abs(known[0] - distance) < 0.5:
        return known[1]
    try:
        data = contents(f"{root}/proc/stat", 65536)
    except OSError:
        return None
    start = data.find(b"\nbtime ")
    if start < 0:
        return None
    seconds = int(data[start + 7 :].split(None, 1)[0])
    _boot[root] = (distance, seconds)
    return seconds
