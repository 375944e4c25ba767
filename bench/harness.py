"""How a budget is measured: contenders in turn in one process, the median of the paired ratios, a line per budget.

Machines drift by a factor of two within minutes, so absolute times say little and only ratios gate: in every round
each contender runs once, in alternating order, and the round gives one ratio. The collector is off while a contender
runs, so that nobody pays for another's garbage.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

Work = Callable[[], object]


class Budget(NamedTuple):
    """One line of the report: a measured value, the bound it has to keep, and what was measured."""

    what: str
    value: float
    bound: float
    at_least: bool
    unit: str = "x"
    detail: str = ""

    @property
    def met(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        state = "ok  " if self.met else "MISS"
        measured = f"{_short(self.value)}{self.unit}"
        bound = f"{sign} {_short(self.bound)}{self.unit}"
        return f"  {state} {measured:>11}  {bound:>11}  {self.what}" + (
            f"  [{self.detail}]" if self.detail else ""
        )


class Note(NamedTuple):
    """A line without a bound: something worth knowing, or why a budget could not be measured."""

    text: str

    def __str__(self) -> str:
        return f"  -    {self.text}"


Line = Budget | Note


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def timed(work: Work) -> float:
    """Seconds that one run of `work` takes, with the collector off."""
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start
    finally:
        gc.enable()


def in_turn(
    contenders: Mapping[str, Work], *, rounds: int = 9, measure: Callable[[Work], float] = timed
) -> dict[str, list[float]]:
    """Each contender's measurements, one a round, after a round that warms caches and does not count."""
    for work in contenders.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        names = list(contenders)
        for name in names if number % 2 else reversed(names):
            times[name].append(measure(contenders[name]))
    return times


def ratio(times: Mapping[str, Sequence[float]], over: str, under: str) -> float:
    """The median over the rounds of time(over) / time(under)."""
    return statistics.median(a / b for a, b in zip(times[over], times[under], strict=True))


def detail(times: Mapping[str, Sequence[float]], *names: str, per: int = 1) -> str:
    """The median times of some contenders in words; `per` divides them, for a time per object."""
    return ", ".join(f"{name} {_time(statistics.median(times[name]) / per)}" for name in names)


def _time(seconds: float) -> str:
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def report(title: str, lines: Sequence[Line]) -> bool:
    """Print one benchmark's lines; True when every budget is met."""
    sys.stdout.write(f"{title}\n" + "".join(f"{line}\n" for line in lines) + "\n")
    sys.stdout.flush()
    return all(line.met for line in lines if isinstance(line, Budget))
