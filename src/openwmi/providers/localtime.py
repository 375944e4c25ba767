"""Win32_LocalTime and Win32_UTCTime: the clock, as singletons that change once a second (G-41, E-42).

NULL always: Milliseconds, which Windows leaves out, too.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from openwmi.contract.provider import EventCoverage
from openwmi.model.instances import Instance
from openwmi.providers.cimwin32 import CimWin32
from openwmi.providers.columns import Readable, reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from time import struct_time

    from openwmi.contract.provider import EventSink, Request, Row

MODIFIED: Final = "__InstanceModificationEvent"
# Seconds that went by while nobody could be told are told afterwards, up to so many: beyond, the machine has slept or
# somebody has set its clock.
CAUGHT_UP: Final = 60


def _week(moment: struct_time) -> int:
    """Which row of a calendar, of weeks that begin on Sunday, the day is in."""
    first = (_weekday(moment) - (moment.tm_mday - 1)) % 7
    return (moment.tm_mday - 1 + first) // 7 + 1


def _weekday(moment: struct_time) -> int:
    return (moment.tm_wday + 1) % 7


COLUMNS: Final[dict[str, Callable[[struct_time], object]]] = {
    "Year": lambda moment: moment.tm_year,
    "Month": lambda moment: moment.tm_mon,
    "Day": lambda moment: moment.tm_mday,
    "DayOfWeek": _weekday,
    "WeekInMonth": _week,
    "Quarter": lambda moment: (moment.tm_mon + 2) // 3,
    "Hour": lambda moment: moment.tm_hour,
    "Minute": lambda moment: moment.tm_min,
    "Second": lambda moment: moment.tm_sec,
}
ZONES: Final[dict[str, Callable[[float], struct_time]]] = {
    "Win32_LocalTime": time.localtime,
    "Win32_UTCTime": time.gmtime,
}


class Clock(Readable):
    """The two singletons. The clock is the kernel's, whatever the root."""

    def __init__(self, root: str = "") -> None:
        self.now = time.time

    def instances(self, request: Request) -> Iterator[Row]:
        row = self.instance(request, {})
        if row is not None:
            yield row

    def instance(self, request: Request, keys: Mapping[str, object]) -> Row | None:
        return reader(COLUMNS, request.columns)(ZONES[request.class_.name](self.now()))


class Win32ClockProvider(CimWin32):
    """Raises the modification of both once a second, on the second. now(): seconds since 1970."""

    name = "Win32ClockProvider"
    blocking = False
    events = tuple(EventCoverage(MODIFIED, name) for name in ZONES)

    def __init__(self, root: str = "", *, now: Callable[[], float] = time.time) -> None:
        super().__init__(root)
        self._now = now

    async def provide_events(self, sink: EventSink) -> None:
        """Wait for each second of the clock itself, not for a second after the last: there is no drift."""
        from asyncio import sleep

        second = int(self._now())
        sink.ready()
        while True:
            await sleep(1.0 - self._now() % 1.0)
            now = int(self._now())
            if now == second:  # woken a little early
                continue
            behind = now - second
            if not 0 < behind <= CAUGHT_UP:  # the clock has been set, or the machine has slept
                _raise(sink, second, now)
            else:
                for passed in range(second, now):
                    _raise(sink, passed, passed + 1)
            second = now


def _raise(sink: EventSink, before: int, now: int) -> None:
    for coverage in Win32ClockProvider.events:
        if sink.wanted(coverage):
            name = str(coverage.target)
            layout = sink.class_named(name).layout
            read, zone = reader(COLUMNS, layout.names), ZONES[name]
            values = {
                "TargetInstance": Instance(layout, read(zone(now))),
                "PreviousInstance": Instance(layout, read(zone(before))),
            }
            sink.indicate([sink.event(MODIFIED, values)])


family = Clock
