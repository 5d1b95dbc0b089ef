"""Of the screen of `ndjctl monitor`: what comes and goes, what waits, and the queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ndjctl.advice.throughput import LATENCY_S
from ndjctl.monitor.model import MINUTES
from ndjctl.monitor.rates import rate_per_min
from ndjctl.output.monitor import gone_at
from ndjctl.output.monitor_lines import BAD, DIM, GOOD, STRONG, WARN, Look, Section, not_read, number, rate, text
from ndjctl.output.progress import counted, size
from ndjctl.output.sparkline import bar, sparkline, tall_chart
from ndjctl.output.times import lasting

if TYPE_CHECKING:
    from ndjctl.monitor.model import Backlog, Forecast, QueueState, Snapshot
    from ndjctl.reading import Reading

_TALL = 4
"""Lines of a large chart."""


def flow(snapshot: Snapshot, look: Look) -> Section:
    came, done, since = snapshot.arrivals, snapshot.completions, snapshot.since_last
    lines = _stream(
        "in",
        came,
        look,
        "cyan",
        lambda panel: f"{number(panel.files, panel.is_complete)} in the hour, {size(panel.size_bytes)}",
    )
    lines += _stream(
        "out",
        done,
        look,
        "green",
        lambda panel: f"{number(panel.files_hour, panel.is_complete)} in the hour, {number(panel.files_today)} today",
    )
    if since is not None:
        ago = f"{since.files_in:,} in and {since.files_out:,} out since the last refresh, {since.seconds:.0f} s ago"
        lines.append(text((ago, DIM)))
    return Section("flow", lines, WARN if came.value is None or done.value is None else "")


def _stream(name: str, reading: Reading[Any], look: Look, style: str, told: Callable[[Any], str]) -> list[Text]:
    """What goes in or out: its rate now, a chart of the hour, and sums."""
    panel = reading.value
    if panel is None:
        return [text((f"{name:<4}", STRONG)) + not_read(reading)]
    head = text((f"{name:<4}", STRONG), (f"{rate(rate_per_min(panel.per_minute)):>6}/min ", STRONG))
    if not look.is_large:
        chart = sparkline(panel.per_minute, look.chart, look.blocks)
        return [head + text((chart, style), f"  {told(panel)}")]
    chart_lines = tall_chart(panel.per_minute, MINUTES, _TALL, look.blocks)
    most = f"most {rate(max(panel.per_minute))}/min"
    return [head + text(f" {told(panel)}{look.dot}", (most, DIM)), *(text((line, style)) for line in chart_lines)]


def backlog(snapshot: Snapshot, look: Look) -> Section:
    panel = snapshot.backlog.value
    if panel is None:
        return Section("backlog", [not_read(snapshot.backlog)], WARN)
    lag_s = panel.lag_s(snapshot.taken_at)
    is_late = lag_s > LATENCY_S
    style = BAD if is_late else WARN if lag_s > LATENCY_S * 2 / 3 else GOOD
    lag = text(
        ("lag ", STRONG),
        (f"{lasting(lag_s) if panel.files else 'none':>11} ", style),
        (bar(lag_s / LATENCY_S, look.chart, look.blocks), style),
        f"  of {lasting(LATENCY_S)} promised",
        (", LATE" if is_late else "", BAD),
    )
    later = text(
        *(
            (f"{panel.manifested:,}", STRONG),
            " in manifests",
            look.dot,
            (f"{panel.processing:,}", STRONG),
            " in runs",
            look.dot,
        )
    )
    return Section(
        "backlog", [_pending(panel), lag, later + _forecast(snapshot.forecast, snapshot)], BAD if is_late else ""
    )


def _pending(panel: Backlog) -> Text:
    line = text((number(panel.pending, panel.is_complete), STRONG), " pending")
    if not panel.pending:
        return line
    return line + text(
        f" (<5 min: {panel.pending_under_5_min:,}, 5-30: {panel.pending_5_to_30_min:,}, ",
        (f">30: {panel.pending_over_30_min:,}", BAD if panel.pending_over_30_min else ""),
        ")",
    )


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
    line = text((f"{queue.visible:,}", STRONG), " wait", look.dot, (f"{queue.in_flight:,}", STRONG), " in flight")
    if queue.oldest_age_s is not None:
        line += text(look.dot, f"oldest {lasting(queue.oldest_age_s)}")
    if queue.dead is None:
        line += text(look.dot, ("dead letters not read: ", WARN), (queue.dead_not_read, WARN))
    else:
        line += text(look.dot, (counted(queue.dead, "dead letter"), BAD if queue.dead else ""))
    return [line], BAD if queue.dead else ""
