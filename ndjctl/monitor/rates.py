"""Counts over time: minutes, medians, rates, and when a backlog is gone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil

from ndjctl.monitor.model import MINUTES, Forecast, Series

NOW_MINUTES = 5
"""What a rate `now` is taken over."""

FORECAST_MINUTES = 15
"""What a forecast is made of: long enough for the end of a few manifests, short enough for what began just now."""


def minute_of(moment: datetime, now: datetime) -> int | None:
    """The index of `moment` in a series that ends at `now`; None where it is older. What is still to come (a clock is
    off) counts as now."""
    age_min = int(max(timedelta(0), now - moment) / timedelta(minutes=1))
    return MINUTES - 1 - age_min if age_min < MINUTES else None


def per_minute(counted: Iterable[tuple[datetime | None, float]], now: datetime) -> Series:
    """The series of (when, how much); what is older than an hour, or of no time, is left out."""
    series = [0.0] * MINUTES
    for moment, count in counted:
        index = None if moment is None else minute_of(moment, now)
        if index is not None:
            series[index] += count
    return tuple(series)


def rate_per_min(series: Series, minutes: int = NOW_MINUTES) -> float:
    """The mean of the last `minutes` of it."""
    return sum(series[-minutes:]) / minutes


def median_and_p95(values: Iterable[float]) -> tuple[float, float] | None:
    """(median, 95th percentile), each one of the values; None of nothing."""
    ordered = sorted(values)
    return (_at(ordered, 0.5), _at(ordered, 0.95)) if ordered else None


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def forecast(files: int, arrivals: Series | None, completions: Series | None) -> Forecast:
    """For a backlog of `files` and what came and went by the minute; None where that is not known. Of the last quarter
    of an hour; where nothing was completed in it, of the hour: manifests end in lumps."""
    if files <= 0:
        return Forecast("clear")
    if arrivals is None or completions is None:
        return Forecast("unknown", why="what comes and goes could not be read")
    minutes = FORECAST_MINUTES if sum(completions[-FORECAST_MINUTES:]) else MINUTES
    going, coming = (60 * rate_per_min(series, minutes) for series in (completions, arrivals))
    if not going:
        return Forecast("unknown", why="nothing was completed in the last hour")
    net = going - coming
    if net <= 0:
        return Forecast("grows", files_per_hour=-net)
    return Forecast("clears", seconds=files / net * 3600, files_per_hour=net)


def new_since(before: Mapping[int, int], after: Mapping[int, int], now: datetime) -> int:
    """How many `after` has more than `before`, both by epoch second, of the hour that ends at `now`: what became known
    in between, whenever it happened."""
    start = int((now - timedelta(minutes=MINUTES)).timestamp()) + 1
    counts = (sum(count for second, count in each.items() if second >= start) for each in (after, before))
    return max(0, next(counts) - next(counts))


def minutes_of(points: Iterable[tuple[datetime, float]], now: datetime) -> tuple[float | None, ...]:
    """Values by the beginning of their minute as a series that ends with the minute of `now`; None without data."""
    series: list[float | None] = [None] * MINUTES
    end = now.replace(second=0, microsecond=0)
    for at, value in points:
        index = MINUTES - 1 - int((end - at) // timedelta(minutes=1))
        if 0 <= index < MINUTES:
            series[index] = value
    return tuple(series)
