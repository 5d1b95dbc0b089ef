"""When the files of a test are due. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Protocol

PATTERNS = ("steady", "burst", "ramp", "day")

DAY_PEAK_PER_S = 7_000 / 3600
"""The files that come in at a day's peak, unless another rate is given."""

_BURST_S = 60.0
"""What comes in within so many seconds comes in all at once, and then nothing until the next burst."""

_DAY_S = 86_400.0

_HOURS = (30, 24, 20, 18, 18, 22, 32, 48, 66, 82, 94, 100, 96, 92, 94, 98, 100, 94, 84, 74, 66, 56, 46, 38)
"""Percent of the peak by hour: a working day with a morning's and an afternoon's peak. Assumed, not measured."""


class Pace(Protocol):
    """How files come in over time."""

    def due_s(self, number: int) -> float:
        """Seconds after the start at which file `number` (from 0) is due; never less than that of the one before."""
        ...

    def describe(self) -> str:
        """'11 files a second'."""
        ...


def pace(pattern: str, rate_per_s: float | None, files: int) -> Pace:
    """pattern: one of PATTERNS. rate_per_s: the mean of steady and burst, the last of ramp, the peak of day; None is as
    fast as it goes, and DAY_PEAK_PER_S of a day. files: all of the test's. Raises ValueError for a pattern that needs a
    rate and has none."""
    if pattern == "day":
        return Day(rate_per_s or DAY_PEAK_PER_S)
    if rate_per_s is None:
        if pattern != "steady":
            raise ValueError(f"the pattern {pattern} needs a rate")
        return AtOnce()
    makers: dict[str, Callable[[], Pace]] = {
        "steady": lambda: Steady(rate_per_s),
        "burst": lambda: Burst(rate_per_s),
        "ramp": lambda: Ramp(rate_per_s, files),
    }
    return makers[pattern]()


@dataclass(frozen=True)
class AtOnce:
    """As fast as it goes."""

    def due_s(self, number: int) -> float:
        return 0.0

    def describe(self) -> str:
        return "as fast as it goes"


@dataclass(frozen=True)
class Steady:
    rate_per_s: float

    def due_s(self, number: int) -> float:
        return number / self.rate_per_s

    def describe(self) -> str:
        return told_rate(self.rate_per_s)


@dataclass(frozen=True)
class Burst:
    """The files of a minute at once, at its beginning."""

    rate_per_s: float

    @property
    def size(self) -> int:
        """Files of a burst."""
        return max(1, round(self.rate_per_s * _BURST_S))

    def due_s(self, number: int) -> float:
        return number // self.size * self.size / self.rate_per_s

    def describe(self) -> str:
        return f"{told_rate(self.rate_per_s)}, in bursts of {self.size:,}"


@dataclass(frozen=True)
class Ramp:
    """From nothing to rate_per_s, which is reached with the last of the files."""

    rate_per_s: float
    files: int

    def due_s(self, number: int) -> float:
        # The rate grows by the same each second: the files so far are rate * t**2 / (2 * duration).
        duration_s = 2 * self.files / self.rate_per_s
        return sqrt(2 * duration_s * number / self.rate_per_s)

    def describe(self) -> str:
        return f"rising to {told_rate(self.rate_per_s)}"


@dataclass(frozen=True)
class Day:
    """Days, one after the other, each with a curve whose highest point is peak_per_s; the start is midnight."""

    peak_per_s: float

    @property
    def files_of_a_day(self) -> float:
        return sum(_HOURS) / 100 * 3600 * self.peak_per_s

    def due_s(self, number: int) -> float:
        days, left = divmod(number, self.files_of_a_day)
        begin_s = days * _DAY_S
        for hour, percent in enumerate(_HOURS):
            of_hour = percent / 100 * 3600 * self.peak_per_s
            if left < of_hour or hour == len(_HOURS) - 1:
                return begin_s + hour * 3600 + left / of_hour * 3600
            left -= of_hour
        return begin_s

    def describe(self) -> str:
        return f"a day's curve with peaks of {told_rate(self.peak_per_s)}, about {self.files_of_a_day:,.0f} a day"


def told_rate(rate_per_s: float) -> str:
    """'11 files a second', '7,000 files an hour'."""
    if rate_per_s >= 1 and abs(rate_per_s - round(rate_per_s, 1)) < 1e-9:
        return f"{rate_per_s:,.15g} file{'' if rate_per_s == 1 else 's'} a second"
    return f"{rate_per_s * 3600:,.6g} files an hour"
