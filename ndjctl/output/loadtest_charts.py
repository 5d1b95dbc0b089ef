"""Charts as inline SVG: lines, steps, stacked areas and bars with axes. Pure; no script, no font, no request.

Numbers are the only data that come into them; texts are escaped all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10

WIDTH, HEIGHT = 640, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 12, 34
_PLOT_W, _PLOT_H = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM

_MOST_DECIMALS = 9
_COUNTED = ("files", "runs")
"""Units of which there are only whole numbers."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """color: a name of a class in the page's style."""

    name: str
    color: str
    points: Sequence[Point]


def lines(series: Sequence[Series], x_unit: str, y_unit: str, *, steps: bool = False, area: bool = False) -> str:
    """One line a series. steps: a value holds until the next point. area: the space below is filled."""
    points = [point for each in series for point in each.points]
    if not points:
        return empty()
    axes = _Axes(max(x for x, _ in points), max(y for _, y in points), y_unit)
    drawn = [axes.frame(x_unit)]
    for each in series:
        path = axes.path(each.points, steps)
        if not path:
            continue
        if area:
            first, last = each.points[0][0], each.points[-1][0]
            closed = f"{path} L{axes.x(last):.1f} {axes.y(0):.1f} L{axes.x(first):.1f} {axes.y(0):.1f} Z"
            drawn.append(f'<path class="area {each.color}" d="{closed}"/>')
        drawn.append(f'<path class="line {each.color}" d="{path}"/>')
    return _svg("".join(drawn))


def stacked(series: Sequence[Series], x_unit: str, y_unit: str) -> str:
    """Areas upon each other. All series have the same points in time."""
    if not series or not series[0].points:
        return empty()
    times = [x for x, _ in series[0].points]
    base = [0.0] * len(times)
    layers = []
    for each in series:
        top = [low + y for low, (_, y) in zip(base, each.points, strict=True)]
        layers.append((each, list(base), top))
        base = top
    axes = _Axes(max(times), max(base), y_unit)
    drawn = [axes.frame(x_unit)]
    for each, low, high in layers:
        if not any(y for _, y in each.points):
            continue
        up = axes.path(list(zip(times, high, strict=True)), False)
        down = axes.path(list(zip(reversed(times), reversed(low), strict=True)), False)
        drawn.append(f'<path class="layer {each.color}" d="{up} L{down[1:]} Z"/>')
    return _svg("".join(drawn))


def bars(
    bins: Sequence[tuple[float, float, float]], x_unit: str, y_unit: str, marks: Sequence[tuple[str, float]]
) -> str:
    """bins: (from, to, count). marks: vertical lines with a name, such as a percentile."""
    if not bins:
        return empty()
    low, high = bins[0][0], max(bins[-1][1], bins[0][0])
    if high <= low:
        low, high = low - 0.5, low + 0.5
        bins = [(low, high, bins[0][2])]
    room = 1.3 if marks else 1.0  # for their names
    axes = _Axes(high, room * max(count for *_, count in bins), y_unit, x_from=low)
    drawn = [axes.frame(x_unit)]
    for begin, end, count in bins:
        x, width = axes.x(begin), max(axes.x(end) - axes.x(begin) - 1, 1)
        drawn.append(
            f'<rect class="bar c1" x="{x:.1f}" y="{axes.y(count):.1f}" width="{width:.1f}" '
            f'height="{axes.y(0) - axes.y(count):.1f}"/>'
        )
    for number, (name, value) in enumerate(marks):
        if low <= value <= high:
            x = axes.x(value)
            drawn.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{axes.y(0):.1f}"/>')
            anchor = "end" if x > WIDTH / 2 else "start"
            shift = -4 if anchor == "end" else 4
            drawn.append(
                f'<text class="label" x="{x + shift:.1f}" y="{_TOP + 10 + 12 * number}" text-anchor="{anchor}">'
                f"{escape(name)}</text>"
            )
    return _svg("".join(drawn))


def empty() -> str:
    return _svg(f'<text class="label" x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle">nothing to show</text>')


class _Axes:
    def __init__(self, x_to: float, y_to: float, y_unit: str, x_from: float = 0.0) -> None:
        self._x_from = x_from
        self._y_unit = y_unit
        self._x_ticks = ticks(x_from, x_to)
        self._x_to = max(x_to, x_from + 1e-9)
        self._y_ticks = ticks(0.0, max(y_to, 1e-9), least_step=1.0 if y_unit in _COUNTED else 0.0)
        self._y_to = max(self._y_ticks[-1], y_to, 1e-9)

    def x(self, value: float) -> float:
        return _LEFT + (value - self._x_from) / (self._x_to - self._x_from) * _PLOT_W

    def y(self, value: float) -> float:
        return _TOP + (1 - value / self._y_to) * _PLOT_H

    def path(self, points: Sequence[Point], steps: bool) -> str:
        parts: list[str] = []
        before: float | None = None
        for x, y in points:
            at, height = self.x(x), self.y(y)
            if steps and before is not None:
                parts.append(f"L{at:.1f} {before:.1f}")
            parts.append(f"{'L' if parts else 'M'}{at:.1f} {height:.1f}")
            before = height
        return " ".join(parts)

    def frame(self, x_unit: str) -> str:
        drawn = []
        for value, name in zip(self._y_ticks, labels(self._y_ticks), strict=True):
            y = self.y(value)
            drawn.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            drawn.append(f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{name}</text>')
        scale, unit = _time_scale(self._x_to) if x_unit == "s" else (1.0, x_unit)
        values = ticks(self._x_from / scale, self._x_to / scale)
        for value, name in zip(values, labels(values), strict=True):
            x = self.x(value * scale)
            if x <= WIDTH - _RIGHT + 1:
                anchor = "end" if x > WIDTH - 2 * _RIGHT else "middle"  # or half of it were cut off
                drawn.append(
                    f'<text class="tick" x="{x:.1f}" y="{HEIGHT - _BOTTOM + 16}" text-anchor="{anchor}">{name}</text>'
                )
        drawn.append(
            f'<text class="unit" x="{WIDTH - _RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{escape(unit)}</text>'
            f'<text class="unit" x="4" y="{HEIGHT - 4}">{escape(self._y_unit)}</text>'
        )
        return "".join(drawn)


def ticks(low: float, high: float, about: int = 6, least_step: float = 0.0) -> list[float]:
    """Round numbers from low to high, at most some more than `about`, at least one. least_step: from one to the next; 1
    for what is counted."""
    span = high - low
    if span <= max(abs(high), 1e-6) * 1e-9:  # less than numbers are shown with
        return [low]
    rough = span / about
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * (1 - 1e-9))
    step = max(step, least_step)
    first = -(-low // step)
    found = []
    count = 0
    while (first + count) * step <= high + step * 1e-6:
        found.append((first + count) * step)
        count += 1
    return found or [low]


def labels(values: Sequence[float]) -> list[str]:
    """Of ticks, from the lowest to the highest: as number() shows them, or with as many decimals as tell them apart."""
    if len(values) < 2:
        return [number(value) for value in values]
    least = (values[-1] - values[0]) / (len(values) - 1) / 100

    def is_true(texts: Sequence[str]) -> bool:
        return all(
            abs(float(text.replace(",", "")) - value) <= least for text, value in zip(texts, values, strict=True)
        )

    short = [number(value) for value in values]
    if not any(text.endswith("M") for text in short):
        if is_true(short):
            return short
    else:
        short = [f"{value / 1e6:,.3g}M" if value else "0" for value in values]
        if len(set(short)) == len(short):
            return short
    for places in range(_MOST_DECIMALS):
        texts = [f"{value:,.{places}f}" for value in values]
        if is_true(texts):
            return texts
    return [f"{value:,.{_MOST_DECIMALS}f}" for value in values]


def number(value: float) -> str:
    """'0', '0.25', '1,200', '3.4M'."""
    if value == 0:
        return "0"
    if abs(value) >= 1e6:
        return f"{value / 1e6:,.3g}M"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _time_scale(seconds: float) -> tuple[float, str]:
    scales: list[tuple[float, float, str]] = [(3 * 3600, 3600, "hours"), (300, 60, "minutes")]
    return next(((scale, unit) for limit, scale, unit in scales if seconds >= limit), (1.0, "seconds"))


def _svg(inside: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{inside}</svg>'
