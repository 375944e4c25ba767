"""DMTF datetimes and intervals: the 25-character text, and what it means (model.md A2)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Final

_POINT: Final = re.compile(
    r"(\d{4}|\*{4})(\d\d|\*\*)(\d\d|\*\*)(\d\d|\*\*)(\d\d|\*\*)(\d\d|\*\*)\.(\d{6}|\*{6}|\d{3}\*{3})([+-])(\d{3}|\*{3})\Z",
    re.ASCII,
)
_INTERVAL: Final = re.compile(r"(\d{8})(\d\d)(\d\d)(\d\d)\.(\d{6}):000\Z", re.ASCII)
_EPOCH: Final = datetime(1601, 1, 1, tzinfo=timezone.utc)
_MICROSECOND: Final = timedelta(microseconds=1)
_LARGEST_INTERVAL_DAYS: Final = 99_999_999


class CimDateTime:
    """A point in time or an interval as WMI writes it. ValueError on malformed text (A-025 is the helper's code).

    Points with asterisks or an unknown offset compare by their characters and do not order (A-022).
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str) or not _well_formed(text):
            raise ValueError(f"not a CIM datetime: {text!r}")
        self._text = text

    @classmethod
    def of(
        cls,
        year: int | None = None,
        month: int | None = None,
        day: int | None = None,
        hour: int | None = None,
        minute: int | None = None,
        second: int | None = None,
        microsecond: int | None = None,
        offset: int | None = None,
    ) -> CimDateTime:
        """A point from its fields; omitted ones are asterisks; offset in minutes east of UTC (A-021)."""
        parts = [
            "*" * width if value is None else f"{value:0{width}d}"
            for value, width in ((year, 4), (month, 2), (day, 2), (hour, 2), (minute, 2), (second, 2))
        ]
        fraction = "******" if microsecond is None else f"{microsecond:06d}"
        zone = "+***" if offset is None else f"{'-' if offset < 0 else '+'}{abs(offset):03d}"
        return cls("".join(parts) + "." + fraction + zone)

    @classmethod
    def from_datetime(cls, moment: datetime) -> CimDateTime:
        """From a datetime; a naive one has an unknown offset."""
        shift = moment.utcoffset()
        zone = "+***"
        if shift is not None:
            minutes = round(shift.total_seconds() / 60)
            zone = f"{'-' if minutes < 0 else '+'}{abs(minutes):03d}"
        return cls(f"{moment.year:04d}" + moment.strftime("%m%d%H%M%S") + f".{moment.microsecond:06d}" + zone)

    @classmethod
    def from_timedelta(cls, span: timedelta) -> CimDateTime:
        """From a timedelta; ValueError when it is negative or too long."""
        if span < timedelta(0) or span.days > _LARGEST_INTERVAL_DAYS:
            raise ValueError(f"not a CIM interval: {span}")
        minutes, seconds = divmod(span.seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return cls(f"{span.days:08d}{hours:02d}{minutes:02d}{seconds:02d}.{span.microseconds:06d}:000")

    @classmethod
    def from_filetime(cls, ticks: int) -> CimDateTime:
        """From 100 ns ticks since 1601, UTC (A-028)."""
        try:
            return cls.from_datetime(_EPOCH + timedelta(microseconds=ticks // 10))
        except OverflowError:
            raise ValueError(f"no date for file time {ticks}") from None

    def to_filetime(self) -> int:
        """100 ns ticks since 1601, UTC; ValueError when the point is not complete and zoned."""
        return (self.to_datetime() - _EPOCH) // _MICROSECOND * 10

    @property
    def is_interval(self) -> bool:
        return self._text[21] == ":"

    @property
    def is_complete(self) -> bool:
        """Whether every field is known, the offset included."""
        return "*" not in self._text

    def to_datetime(self) -> datetime:
        """An aware datetime; ValueError for intervals and for points that are not complete and zoned."""
        text = self._text
        if self.is_interval or not self.is_complete:
            raise ValueError(f"{text} is no complete point in time")
        minutes = int(text[22:25])
        zone = timezone(timedelta(minutes=-minutes if text[21] == "-" else minutes))
        return datetime(
            int(text[0:4]),
            int(text[4:6]),
            int(text[6:8]),
            int(text[8:10]),
            int(text[10:12]),
            int(text[12:14]),
            int(text[15:21]),
            tzinfo=zone,
        )

    def to_timedelta(self) -> timedelta:
        """A timedelta; ValueError for points in time."""
        text = self._text
        if not self.is_interval:
            raise ValueError(f"{text} is no interval")
        return timedelta(
            days=int(text[0:8]),
            hours=int(text[8:10]),
            minutes=int(text[10:12]),
            seconds=int(text[12:14]),
            microseconds=int(text[15:21]),
        )

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"CimDateTime({self._text!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CimDateTime):
            return NotImplemented
        mine, its = sort_key(self._text), sort_key(other._text)
        if mine is None or its is None or self.is_interval != other.is_interval:
            return self._text == other._text
        return mine == its

    def __hash__(self) -> int:
        key = sort_key(self._text)
        return hash(self._text if key is None else key)

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, CimDateTime):
            return NotImplemented
        mine, its = sort_key(self._text), sort_key(other._text)
        if mine is None or its is None or self.is_interval != other.is_interval:
            raise TypeError(f"{self._text} and {other._text} have no order")
        return mine < its

    def __gt__(self, other: object) -> bool:
        return other < self if isinstance(other, CimDateTime) else NotImplemented

    def __le__(self, other: object) -> bool:
        return not other < self if isinstance(other, CimDateTime) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return not self < other if isinstance(other, CimDateTime) else NotImplemented


def _well_formed(text: str) -> bool:
    if len(text) != 25:
        return False
    if text[21] == ":":
        found = _INTERVAL.match(text)
        return found is not None and int(found[2]) < 24 and int(found[3]) < 60 and int(found[4]) < 60
    found = _POINT.match(text)
    if found is None:
        return False
    if "*" in text:
        return all(
            _in_range(value, low, high)
            for value, (low, high) in zip(found.groups()[1:6], _RANGES, strict=True)
        )
    try:
        datetime(*(int(part) for part in found.groups()[:6]))  # noqa: DTZ001 - only whether the calendar has the day
    except ValueError:
        # Scripts' zero value "00000101000000.000000+000" is legal although year 0 is no date (A-025).
        return found[1] == "0000" and found[2] == "01" and found[3] == "01"
    return True


_RANGES: Final = ((1, 12), (1, 31), (0, 23), (0, 59), (0, 59))


def _in_range(text: str, low: int, high: int) -> bool:
    return text[0] == "*" or low <= int(text) <= high


def sort_key(text: str) -> int | None:
    """Microseconds by which a complete zoned point (since year 1, UTC) or an interval orders; None where it does not."""
    try:
        if text[21] == ":":
            return (
                ((int(text[0:8]) * 24 + int(text[8:10])) * 60 + int(text[10:12])) * 60_000_000
                + int(text[12:14]) * 1_000_000
                + int(text[15:21])
            )
        day = datetime(int(text[0:4]), int(text[4:6]), int(text[6:8])).toordinal()  # noqa: DTZ001 - a day number
        minutes = int(text[22:25])
        minutes = (
            day * 1440 + int(text[8:10]) * 60 + int(text[10:12]) - (-minutes if text[21] == "-" else minutes)
        )
        return minutes * 60_000_000 + int(text[12:14]) * 1_000_000 + int(text[15:21])
    except (ValueError, IndexError):
        return None
