"""Of the screen of `ndjctl monitor`: what comes and goes, what waits, and the queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ndjctl.advice.throughput import LATENCY_S
from ndjctl.monitor.model import MINUTES
from ndjctl.monitor.rates import rate_per_min
from ndjctl.output.monitor import gone_at
from ndjctl.output.monitor_lines import (
    BAD,
    DIM,
    GOOD,
    STRONG,
    WARN,
    Look,
    Section,
    joined,
    not_read,
    number,
    rate,
    text,
    wrapped,
)
from ndjctl.output.progress import counted, size
from ndjctl.output.sparkline import bar, sparkline, tall_chart
from ndjctl.output.times import lasting

if TYPE_CHECKING:
    from ndjctl.monitor.model import Backlog, Forecast, QueueState, Snapshot
    from ndjctl.reading import Reading

_MOST_BESIDE = 30
"""Characters of a chart in a line with figures: more show no more of it."""


def flow(snapshot: Snapshot, look: Look) -> Section:
    came, done, since = snapshot.arrivals, snapshot.completions, snapshot.since_last
    streams = [
        _Stream("in", came, "cyan", lambda of: (number(of.files, of.is_complete), size(of.size_bytes))),
        _Stream(
            "out", done, "green", lambda of: (number(of.files_hour, of.is_complete), f"{number(of.files_today)} today")
        ),
    ]
    # Charts of one width: a minute stands below the same minute.
    beside = min(look.room(each.columns, _MOST_BESIDE) for each in streams)
    lines = [line for each in streams for line in (each.large(look) if look.is_large else each.small(look, beside))]
    if since is not None:
        ago = f"{since.files_in:,} in and {since.files_out:,} out since the last refresh, {since.seconds:.0f} s ago"
        lines += wrapped(text((ago, DIM)), look.width)
    return Section("flow", lines, WARN if came.value is None or done.value is None else "")


@dataclass(frozen=True)
class _Stream:
    """What goes in or out: its rate now, a chart of the hour, and sums. sums: of a panel, those of the hour first."""

    name: str
    reading: Reading[Any]
    style: str
    sums: Callable[[Any], tuple[str, str]]

    @property
    def columns(self) -> int:
        """What a line without its chart takes; 0 for one that has none."""
        return 0 if self.reading.value is None else self._head().cell_len + len(f"  {', '.join(self._sums())}")

    def small(self, look: Look, chart: int) -> list[Text]:
        panel = self.reading.value
        if panel is None:
            return [self._not_read()]
        if chart:
            drawn = sparkline(panel.per_minute, chart, look.blocks)
            return [self._head() + text((drawn, self.style), f"  {', '.join(self._sums())}")]
        hour, other = self._sums()
        return joined([self._head() + text(f" {hour}"), text(other)], look, ", ")

    def large(self, look: Look) -> list[Text]:
        panel = self.reading.value
        if panel is None:
            return [self._not_read()]
        hour, other = self._sums()
        now = text((f"{self.name:<4}", STRONG), (f"{rate(rate_per_min(panel.per_minute))}/min", STRONG))
        most = text((f"most {rate(max(panel.per_minute))}/min", DIM))
        chart = tall_chart(panel.per_minute, look.room(0, MINUTES), look.tall, look.blocks)
        return [
            *joined([now + text(f"  {hour}"), text(other), most], look, ", "),
            *(text((line, self.style)) for line in chart),
        ]

    def _head(self) -> Text:
        panel = self.reading.value
        now = "" if panel is None else rate(rate_per_min(panel.per_minute))
        return text((f"{self.name:<4}", STRONG), (f"{now:>6}/min ", STRONG))

    def _sums(self) -> tuple[str, str]:
        hour, other = self.sums(self.reading.value)
        return f"{hour} in the hour", other

    def _not_read(self) -> Text:
        return text((f"{self.name:<4}", STRONG)) + not_read(self.reading)


def backlog(snapshot: Snapshot, look: Look) -> Section:
    panel = snapshot.backlog.value
    if panel is None:
        return Section("backlog", [not_read(snapshot.backlog)], WARN)
    lag_s = panel.lag_s(snapshot.taken_at)
    is_late = lag_s > LATENCY_S
    style = BAD if is_late else WARN if lag_s > LATENCY_S * 2 / 3 else GOOD
    told = text(
        ("lag ", STRONG),
        (f"{lasting(lag_s) if panel.files else 'none':>11}", style),
    )
    promised = text(f"of {lasting(LATENCY_S)} promised", (", LATE" if is_late else "", BAD))
    chart = look.room(told.cell_len + promised.cell_len + len("   "), _MOST_BESIDE)
    lag = told + text(" ", (bar(lag_s / LATENCY_S, chart, look.blocks), style), "  " if chart else "") + promised
    later = [
        text((f"{panel.manifested:,}", STRONG), " in manifests"),
        text((f"{panel.processing:,}", STRONG), " in runs"),
        _forecast(snapshot.forecast, snapshot),
    ]
    lines = [*_pending(panel, look), *wrapped(lag, look.width), *joined(later, look)]
    return Section("backlog", lines, BAD if is_late else "")


def _pending(panel: Backlog, look: Look) -> list[Text]:
    line = text((number(panel.pending, panel.is_complete), STRONG), " pending")
    if not panel.pending:
        return [line]
    pieces = [
        line + text(f" (<5 min: {panel.pending_under_5_min:,}"),
        text(f"5-30: {panel.pending_5_to_30_min:,}"),
        text((f">30: {panel.pending_over_30_min:,}", BAD if panel.pending_over_30_min else ""), ")"),
    ]
    return joined(pieces, look, ", ")


def _forecast(found: Forecast, snapshot: Snapshot) -> Text:
    if found.kind == "clear":
        return text(("nothing waits", GOOD))
    if found.kind == "grows":
        return text(("grows", BAD), f" by {found.files_per_hour or 0:,.0f} files an hour")
    if found.kind == "unknown":
        return text("gone when? ", (found.why, WARN))
    at = gone_at(found, snapshot)
    is_today = at is not None and at.date() == snapshot.taken_at.date()
    when = "" if at is None else f" ({at:%H:%MZ})" if is_today else f" ({at:%Y-%m-%d %H:%MZ})"
    return text("gone in ", (lasting(found.seconds), STRONG), when)


def queue_lines(queue: QueueState, look: Look) -> tuple[list[Text], str]:
    pieces = [text((f"{queue.visible:,}", STRONG), " wait"), text((f"{queue.in_flight:,}", STRONG), " in flight")]
    if queue.oldest_age_s is not None:
        pieces.append(text(f"oldest {lasting(queue.oldest_age_s)}"))
    if queue.dead is None:
        pieces.append(text(("dead letters not read: ", WARN), (queue.dead_not_read, WARN)))
    else:
        pieces.append(text((counted(queue.dead, "dead letter"), BAD if queue.dead else "")))
    return joined(pieces, look), BAD if queue.dead else ""
