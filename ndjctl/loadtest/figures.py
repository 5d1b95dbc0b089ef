"""Percentiles, distributions and sums over time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

POINTS = 240
"""Most points of a line in a report: no chart shows more, and a report of 10,000 files stays small."""
BINS = 24


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The nearest rank: the smallest value that at least this share is not above. ordered: ascending; None where there
    is nothing."""
    if not ordered:
        return None
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True)
class Bin:
    """Values of low <= value < high; the last bin has its upper limit in it."""

    low: float
    high: float
    count: int


def histogram(values: Iterable[float], bins: int = BINS) -> list[Bin]:
    """Bins of equal width from the smallest value to the largest; none without a value."""
    taken = sorted(values)
    if not taken:
        return []
    low, high = taken[0], taken[-1]
    if high <= low:
        return [Bin(low, high, len(taken))]
    width = (high - low) / bins
    counts = [0] * bins
    for value in taken:
        counts[min(int((value - low) / width), bins - 1)] += 1
    return [Bin(low + number * width, low + (number + 1) * width, count) for number, count in enumerate(counts)]


def thinned(points: Sequence[tuple[float, float]], most: int = POINTS) -> list[tuple[float, float]]:
    """At most so many of the points, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    step = (len(points) - 1) / (most - 1)
    return [points[round(number * step)] for number in range(most)]


def per_bucket(events: Iterable[tuple[float, float]], end_s: float, buckets: int = 60) -> list[tuple[float, float]]:
    """(start of the bucket in seconds, amount a second in it). events: (seconds, amount)."""
    width = max(end_s / buckets, 1.0)
    sums = [0.0] * (int(end_s / width) + 1)
    for at, amount in events:
        sums[min(max(int(at / width), 0), len(sums) - 1)] += amount
    return [(number * width, amount / width) for number, amount in enumerate(sums)]


def concurrency(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """(seconds, how many spans are open from then on), a step where it changes. spans: (begin, end)."""
    changes: dict[float, int] = {}
    for begin, end in spans:
        changes[begin] = changes.get(begin, 0) + 1
        changes[end] = changes.get(end, 0) - 1
    open_, steps = 0, []
    for at in sorted(changes):
        open_ += changes[at]
        steps.append((at, float(open_)))
    return steps


def accumulated(
    spans: Iterable[tuple[float, float, float]], end_s: float, points: int = 60
) -> list[tuple[float, float]]:
    """(seconds, amount so far): each span's amount grows evenly while it lasts. spans: (begin, end, amount)."""
    taken = list(spans)
    found = []
    for number in range(points + 1):
        at = end_s * number / points
        found.append((at, sum(amount * _share(begin, end, at) for begin, end, amount in taken)))
    return found


def _share(begin: float, end: float, at: float) -> float:
    if at >= end:
        return 1.0
    return 0.0 if at <= begin else (at - begin) / (end - begin)
