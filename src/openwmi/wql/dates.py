"""Dates and times as people write them in a query, read into DMTF text (model.md D-30).

DMTF text itself passes through. Everything else is a date in one of the documented orders, then perhaps a time. A
literal names no offset unless it ends in minutes (`hh:mm:ss:uuu`), so it is read as UTC; where the order of day and
month cannot be told from the numbers it is month, day, year; years of two digits are 1950 to 2049.
"""

from __future__ import annotations

import re
from typing import Final

from openwmi.model.datetimes import CimDateTime

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FULL: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_TIME: Final = re.compile(
    r"(?:^|[ ,]+)(?P<hour>[0-9]{1,2})"
    r"(?:(?::(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?::(?P<offset>[0-9]{3}))?)?)(?: ?(?P<half>am|pm))?"
    r"| ?(?P<only>am|pm))$"
)
_DIGITS: Final = re.compile(r"[0-9]{4}|[0-9]{6}|[0-9]{8}")
_NUMERIC: Final = re.compile(r"([0-9]{1,4})([/.-])([0-9]{1,4})\2([0-9]{1,4})")
_PARTS: Final = re.compile(r"[0-9]+|[a-z]+")
_WORDY: Final = re.compile(r"(?:[0-9]+|[a-z]+)(?:[ ,]*(?:[0-9]+|[a-z]+)){1,2}")


def dmtf(text: str) -> str:
    """The 25-character DMTF text of a date literal, canonical. Raises ValueError for a text that is none."""
    if len(text) == 25 and text[14] == ".":
        return str(CimDateTime(text))
    rest = " ".join(text.lower().split())
    clock, offset = "000000", 0
    if time := _TIME.search(rest):
        clock, offset = _clock(time)
        rest = rest[: time.start()]
    year, month, day = _date(rest.strip(" ,"), text)
    if not (1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]) or (
        month == 2 and day == 29 and not _leap(year)
    ):
        raise ValueError(f"{text!r:.60} is no day of the calendar")
    return f"{year:04}{month:02}{day:02}{clock}.000000+{offset:03}"


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _clock(time: re.Match[str]) -> tuple[str, int]:
    """HHMMSS and the offset in minutes."""
    hour, minute, second = int(time["hour"]), int(time["minute"] or 0), int(time["second"] or 0)
    half = time["half"] or time["only"]
    if half and not 1 <= hour <= 12:
        raise ValueError(f"{hour} {half} is no hour")
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"{time[0].strip()!r} is no time of the day")
    return f"{hour:02}{minute:02}{second:02}", int(time["offset"] or 0)


def _date(text: str, whole: str) -> tuple[int, int, int]:
    """Year, month and day; what is left out is the first."""
    if _DIGITS.fullmatch(text):
        return _run_together(text)
    if numeric := _NUMERIC.fullmatch(text):
        return _by_size([numeric[1], numeric[3], numeric[4]])
    parts = _PARTS.findall(text)
    if len(parts) in (2, 3) and _WORDY.fullmatch(text):
        return _with_month(parts, whole)
    raise ValueError(f"{whole!r:.60} is no date; DMTF text is yyyymmddHHMMSS.mmmmmm+UUU")


def _run_together(digits: str) -> tuple[int, int, int]:
    """`yyyy`, `yyyyMM`, `yyMMdd`, `yyyyMMdd`; six digits are a year and month where they can be."""
    if len(digits) == 6 and not (digits[:2] in ("19", "20") and 1 <= int(digits[4:]) <= 12):
        return _year(digits[:2]), int(digits[2:4]), int(digits[4:])
    return int(digits[:4]), int(digits[4:6] or 1), int(digits[6:] or 1)


def _by_size(parts: list[str]) -> tuple[int, int, int]:
    """Three numbers in any order: the year shows by its size, the day where it exceeds 12; else month, day, year."""
    years = [index for index, part in enumerate(parts) if len(part) > 2 or int(part) > 31]
    year = _year(parts.pop(years[0] if years else 2))
    first, second = map(int, parts)
    if first > 12:
        first, second = second, first
    return year, first, second


def _with_month(parts: list[str], whole: str) -> tuple[int, int, int]:
    """A month by name with a year, and perhaps a day, in any of the documented orders."""
    named = [index for index, part in enumerate(parts) if part.isalpha()]
    if len(named) != 1:
        raise ValueError(f"{whole!r:.60} is no date: one month by name is expected")
    month = _month(parts[named[0]], whole)
    numbers = [part for part in parts if not part.isalpha()]
    if len(numbers) == 1:
        return int(_four_digits(numbers[0], whole)), month, 1
    # The year is the number that cannot be a day, else the last one.
    first, second = numbers
    year_first = len(first) == 4 or int(first) > 31
    return (_year(first), month, int(second)) if year_first else (_year(second), month, int(first))


def _month(word: str, whole: str) -> int:
    if word in _FULL:
        return _FULL.index(word) + 1
    if word in _MONTHS:
        return _MONTHS.index(word) + 1
    raise ValueError(f"{whole!r:.60} is no date: {word!r} is no month")


def _four_digits(part: str, whole: str) -> str:
    if len(part) != 4:
        raise ValueError(f"{whole!r:.60} is no date: a month alone needs a year of four digits")
    return part


def _year(part: str) -> int:
    """A year of four digits, or of two between 1950 and 2049."""
    if len(part) == 4:
        return int(part)
    if len(part) > 2:
        raise ValueError(f"{part!r} is no year")
    return int(part) + (2000 if int(part) < 50 else 1900)
