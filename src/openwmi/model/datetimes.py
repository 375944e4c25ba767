"""CIM datetimes: points in time and intervals as 25 characters (model.md A2; [MS-WMIO] and DSP0004 datetime).

yyyymmddHHMMSS.mmmmmmsUUU     a point in time; s is + or -, UUU minutes from UTC; fields may be asterisks
ddddddddHHMMSS.mmmmmm:000     an interval
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model.errors import BadDateTime

if TYPE_CHECKING:
    import datetime

# (name, start, end, smallest, largest) of the fields of a point in time.
_FIELDS: Final = (
    ("year", 0, 4, 0, 9999),
    ("month", 4, 6, 1, 12),
    ("day", 6, 8, 1, 31),
    ("hour", 8, 10, 0, 23),
    ("minute", 10, 12, 0, 59),
    ("second", 12, 14, 0, 59),
    ("microsecond", 15, 21, 0, 999_999),
)
_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAY: Final = 86_400_000_000
_EPOCH_1601: Final = 584_694  # days from the first of March of the year 0 to 1601-01-01
_MAX_FILETIME: Final = 2_650_467_744_000_000_000  # 10000-01-01
# 1970-01-01 as a FILETIME: in units of 100 ns since 1601-01-01 UTC.
FILETIME_1970: Final = 116_444_736_000_000_000


class CimDateTime:
    """A point in time or an interval as WMI writes it. Immutable; `str()` gives the 25 characters.

    Two points in time with all fields and an offset are equal when they are the same instant, and they order, as
    intervals do. Where a field or the offset is missing, only equality of the text is left (A-022, A-026): ordering
    raises TypeError. Malformed text raises BadDateTime, which is a ValueError.
    """

    __slots__ = ("_key", "_text")

    _text: str
    _key: int | None

    def __init__(self, text: str) -> None:
        reason = _fault(text)
        if reason is not None:
            raise BadDateTime(f"{text!r:.60} is not a datetime: {reason}")
        self._text = text
        self._key = sort_key(text)

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
        """A point in time; what is left out becomes asterisks. `offset` is minutes east of UTC."""
        parts = []
        given = (year, month, day, hour, minute, second, microsecond)
        for value, (name, start, end, low, high) in zip(given, _FIELDS, strict=True):
            width = end - start
            if value is None:
                parts.append("*" * width)
            elif low <= value <= high:
                parts.append(f"{value:0{width}d}")
            else:
                raise BadDateTime(f"{name} {value} is outside {low}..{high}")
        return cls(f"{''.join(parts[:6])}.{parts[6]}{_zone(offset)}")

    @classmethod
    def interval(
        cls, days: int = 0, hours: int = 0, minutes: int = 0, seconds: int = 0, microseconds: int = 0
    ) -> CimDateTime:
        """An interval, up to 99,999,999 days."""
        total = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000_000 + microseconds
        return cls(_interval_text(total))

    @classmethod
    def from_filetime(cls, ticks: int) -> CimDateTime:
        """From 100 ns since 1601-01-01 UTC (A-028), to the microsecond, with offset +000."""
        if not 0 <= ticks < _MAX_FILETIME:
            raise BadDateTime(f"FILETIME {ticks} is outside the years 1601 to 9999")
        days, micros = divmod(ticks // 10, _DAY)
        year, month, day = _civil(days + _EPOCH_1601)
        return cls(f"{year:04d}{month:02d}{day:02d}{_clock(micros)}+000")

    def to_filetime(self) -> int:
        """100 ns since 1601-01-01 UTC. ValueError for an interval, a missing field or a time before 1601."""
        if self._key is None or self.is_interval:
            raise BadDateTime(f"{self._text} is not a complete point in time with an offset")
        ticks = (self._key - _EPOCH_1601 * _DAY) * 10
        if ticks < 0:
            raise BadDateTime(f"{self._text} lies before 1601")
        return ticks

    @classmethod
    def from_datetime(cls, moment: datetime.datetime) -> CimDateTime:
        """From a datetime: an aware one keeps its offset (A-027), a naive one has none (`+***`)."""
        delta = moment.utcoffset()
        zone = _zone(None if delta is None else round(delta.total_seconds() / 60))
        date = f"{moment.year:04d}{moment.month:02d}{moment.day:02d}"
        time = f"{moment.hour:02d}{moment.minute:02d}{moment.second:02d}.{moment.microsecond:06d}"
        return cls(date + time + zone)

    @classmethod
    def from_timedelta(cls, delta: datetime.timedelta) -> CimDateTime:
        """From a duration that is not negative."""
        return cls(_interval_text((delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds))

    def to_datetime(self) -> datetime.datetime:
        """An aware datetime. ValueError for an interval, a missing field or offset, or the year 0."""
        if self._key is None or self.is_interval:
            raise BadDateTime(f"{self._text} is not a complete point in time with an offset")
        return moment(self._text)

    def to_timedelta(self) -> datetime.timedelta:
        """A timedelta. ValueError unless this is an interval."""
        import datetime

        if self._key is None or not self.is_interval:
            raise BadDateTime(f"{self._text} is not an interval")
        return datetime.timedelta(microseconds=self._key)

    @property
    def is_interval(self) -> bool:
        return self._text[21] == ":"

    @property
    def is_complete(self) -> bool:
        """Whether every field and the offset are there; always so for an interval."""
        return self._key is not None

    @property
    def offset(self) -> int | None:
        """Minutes east of UTC; None when unknown, and for an interval."""
        zone = self._text[21:25]
        return None if zone[0] == ":" or zone[1] == "*" else int(zone)

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"CimDateTime({self._text!r})"

    def _comparable(self) -> tuple[bool, int] | str:
        return self._text if self._key is None else (self.is_interval, self._key)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CimDateTime):
            return NotImplemented
        return self._comparable() == other._comparable()

    def __hash__(self) -> int:
        return hash(self._comparable())

    def __lt__(self, other: CimDateTime) -> bool:
        if not isinstance(other, CimDateTime) or self.is_interval != other.is_interval:
            return NotImplemented
        if self._key is None or other._key is None:
            return NotImplemented
        return self._key < other._key

    def __le__(self, other: CimDateTime) -> bool:
        less = self.__lt__(other)
        return less if less is NotImplemented else less or self == other

    def __gt__(self, other: CimDateTime) -> bool:
        less = self.__le__(other)
        return less if less is NotImplemented else not less

    def __ge__(self, other: CimDateTime) -> bool:
        less = self.__lt__(other)
        return less if less is NotImplemented else not less


def filetime(seconds: float) -> int:
    """100 ns since 1601 for seconds since 1970 (A-028)."""
    return int(seconds * 10_000_000) + FILETIME_1970


def unix_time(ticks: int) -> float:
    """Seconds since 1970 for 100 ns since 1601."""
    return (ticks - FILETIME_1970) / 10_000_000


def moment(text: str) -> datetime.datetime:
    """The aware datetime of a well-formed point in time; ValueError when a field is missing, or for the year 0."""
    import datetime

    return datetime.datetime(
        int(text[0:4]),
        int(text[4:6]),
        int(text[6:8]),
        int(text[8:10]),
        int(text[10:12]),
        int(text[12:14]),
        int(text[15:21]),
        datetime.timezone(datetime.timedelta(minutes=int(text[21:25]))),
    )


def sort_key(text: str) -> int | None:
    """Microseconds by which a datetime orders: UTC for a complete point in time, the length for an interval.

    None for what does not order (A-022): a field or the offset is missing, or the text is none. Points in time and
    intervals are not to be compared with each other.
    """
    try:
        clock = (int(text[8:10]) * 60 + int(text[10:12])) * 60 + int(text[12:14])
        micros = clock * 1_000_000 + int(text[15:21])
        if text[21] == ":":
            return int(text[0:8]) * _DAY + micros
        days = _days(int(text[0:4]), int(text[4:6]), int(text[6:8]))
        return days * _DAY + micros - int(text[21:25]) * 60_000_000
    except (ValueError, IndexError):
        return None


def _days(year: int, month: int, day: int) -> int:
    """Days since the first of March of the year 0 (proleptic Gregorian; the leap day comes last this way)."""
    if month <= 2:
        year -= 1
        month += 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 + day - 1


def _civil(days: int) -> tuple[int, int, int]:
    """The inverse of :func:`_days`: year, month, day."""
    era, day = divmod(days, 146_097)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    year += 400 * era
    return (year, month + 3, day + 1) if month < 10 else (year + 1, month - 9, day + 1)


def _zone(offset: int | None) -> str:
    if offset is None:
        return "+***"
    if not -999 <= offset <= 999:
        raise BadDateTime(f"the offset {offset} has more than three digits")
    return f"{offset:+04d}"


def _clock(microseconds: int) -> str:
    """`HHMMSS.mmmmmm` of a time within a day."""
    seconds, micros = divmod(microseconds, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02d}{minute:02d}{second:02d}.{micros:06d}"


def _interval_text(microseconds: int) -> str:
    days, rest = divmod(microseconds, _DAY)
    if not 0 <= days <= 99_999_999:
        raise BadDateTime("an interval has 0 to 99,999,999 days")
    return f"{days:08d}{_clock(rest)}:000"


def _fault(text: object) -> str | None:
    """Why a text is no datetime, or None when it is one (A-020, A-021, A-023)."""
    if not isinstance(text, str) or len(text) != 25:
        return "it must have 25 characters"
    if text[14] != ".":
        return "character 15 must be a dot"
    if text[21] == ":":
        return _interval_fault(text)
    if text[21] not in "+-":
        return "character 22 must be '+', '-' or ':'"
    if text[22:] != "***" and not _digits(text[22:]):
        return "the offset must be three digits or three asterisks"
    for name, start, end, low, high in _FIELDS:
        field = text[start:end]
        if _digits(field):
            if not low <= int(field) <= high:
                return f"the {name} is outside {low}..{high}"
        elif field.strip("*"):
            return f"the {name} must be digits, or asterisks throughout"
    return _calendar_fault(text)


def _interval_fault(text: str) -> str | None:
    if text[22:] != "000":
        return "an interval ends in :000"
    if not _digits(text[:14]) or not _digits(text[15:21]):
        return "an interval has digits only"
    if int(text[8:10]) > 23 or int(text[10:12]) > 59 or int(text[12:14]) > 59:
        return "hours, minutes or seconds are out of range"
    return None


def _calendar_fault(text: str) -> str | None:
    year, month, day = text[0:4], text[4:6], text[6:8]
    if month == "**" or day == "**":
        return None
    last = _DAYS[int(month) - 1]
    if month == "02" and (year == "****" or _leap(int(year))):
        last = 29
    return f"the month has {last} days" if int(day) > last else None


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _digits(field: str) -> bool:
    return field.isascii() and field.isdigit()
