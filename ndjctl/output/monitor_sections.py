"""The parts of `ndjctl monitor`, each a title and lines of text: small screens and large ones are laid out
of the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ndjctl.advice.throughput import LATENCY_S
from ndjctl.contracts import QUARANTINED
from ndjctl.health import metrics
from ndjctl.monitor.model import MINUTES
from ndjctl.monitor.rates import rate_per_min
from ndjctl.output.base import one_line
from ndjctl.output.monitor import Typed, command_of, gone_at
from ndjctl.output.progress import counted, size
from ndjctl.output.sparkline import bar, sparkline, tall_chart
from ndjctl.output.times import lasting

if TYPE_CHECKING:
    from ndjctl.health.facts import FileSeen
    from ndjctl.monitor.model import Backlog, Forecast, RunProgress, Runs, Snapshot
    from ndjctl.reading import Reading

_TRENDS = (
    (metrics.MESSAGES_SENT, "events sent a minute"),
    (metrics.QUEUE_AGE, "oldest event, s"),
    (metrics.PENDING_AGE, "oldest pending file, s"),
    (metrics.WAITING, "manifests that wait"),
    (metrics.RUNNING, "manifests that run"),
    (metrics.FUNCTION_ERRORS, "function: errors"),
    (metrics.FUNCTION_THROTTLES, "function: throttles"),
    (metrics.FUNCTION_DURATION, "function: longest, ms"),
    (metrics.RUN_FAILURES, "runs that failed"),
)
BAD, WARN, GOOD, DIM, STRONG = "bold red", "yellow", "green", "dim", "bold"
_LISTED_FAILED = 2
_TALL = 4
"""Lines of a large chart."""


@dataclass(frozen=True)
class Section:
    """lines: of any width; they are cut where the screen ends. style: of its title and frame, empty where nothing is
    the matter."""

    title: str
    lines: list[Text]
    style: str = ""


@dataclass(frozen=True)
class Look:
    """How it is drawn. blocks: whether block characters are to be had. chart: characters of a sparkline. runs: most
    runs that are listed. is_large: whether there is room for large charts and everything about a run."""

    blocks: bool
    chart: int
    runs: int
    is_large: bool = False

    @property
    def dot(self) -> str:
        return " · " if self.blocks else " | "


def sections(snapshot: Snapshot, look: Look) -> list[Section]:
    """From input to Parquet, then what goes wrong, then what it costs; runs last, of which there may be many."""
    return [
        _flow(snapshot, look),
        _backlog(snapshot, look),
        _panel("queue", snapshot.queue, lambda queue: _queue(queue, look)),
        _panel("manifests", snapshot.manifests, lambda _: _manifests(snapshot, look)),
        _failed(snapshot, look),
        _quarantine(snapshot, look),
        _panel("cost today", snapshot.cost, lambda _: _cost(snapshot, look)),
        _panel("runs", snapshot.runs, lambda runs: _runs(runs, look)),
    ]


def text(*parts: str | tuple[str, str]) -> Text:
    """A line of pieces, each with its style or none. What is data in it stays one line and is never markup."""
    line = Text()
    for part in parts:
        words, style = part if isinstance(part, tuple) else (part, "")
        line.append(one_line(words), style or None)
    return line


def not_read(reading: Reading[Any]) -> Text:
    return text((f"not read ({reading.why}): ", WARN), (reading.sentence, WARN))


def _panel(title: str, reading: Reading[Any], make: Callable[[Any], tuple[list[Text], str]]) -> Section:
    if reading.value is None:
        return Section(title, [not_read(reading)], WARN)
    lines, style = make(reading.value)
    return Section(title, lines, style)


def _number(count: float, is_complete: bool = True) -> str:
    return f"{'' if is_complete else 'at least '}{count:,.0f}"


def _rate(per_min: float) -> str:
    return f"{per_min:,.1f}" if 0 < per_min < 10 else f"{per_min:,.0f}"


def _flow(snapshot: Snapshot, look: Look) -> Section:
    came, done, since = snapshot.arrivals, snapshot.completions, snapshot.since_last
    lines = _stream(
        "in",
        came,
        look,
        "cyan",
        lambda panel: f"{_number(panel.files, panel.is_complete)} in the hour, {size(panel.size_bytes)}",
    )
    lines += _stream(
        "out",
        done,
        look,
        "green",
        lambda panel: f"{_number(panel.files_hour, panel.is_complete)} in the hour, {_number(panel.files_today)} today",
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
    rate = text((f"{name:<4}", STRONG), (f"{_rate(rate_per_min(panel.per_minute)):>6}/min ", STRONG))
    if not look.is_large:
        chart = sparkline(panel.per_minute, look.chart, look.blocks)
        return [rate + text((chart, style), f"  {told(panel)}")]
    chart_lines = tall_chart(panel.per_minute, MINUTES, _TALL, look.blocks)
    most = f"most {_rate(max(panel.per_minute))}/min"
    return [rate + text(f" {told(panel)}{look.dot}", (most, DIM)), *(text((line, style)) for line in chart_lines)]


def _backlog(snapshot: Snapshot, look: Look) -> Section:
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
    line = text((_number(panel.pending, panel.is_complete), STRONG), " pending")
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


def _queue(queue: Any, look: Look) -> tuple[list[Text], str]:
    line = text((f"{queue.visible:,}", STRONG), " wait", look.dot, (f"{queue.in_flight:,}", STRONG), " in flight")
    if queue.oldest_age_s is not None:
        line += text(look.dot, f"oldest {lasting(queue.oldest_age_s)}")
    if queue.dead is None:
        line += text(look.dot, ("dead letters not read: ", WARN), (queue.dead_not_read, WARN))
    else:
        line += text(look.dot, (counted(queue.dead, "dead letter"), BAD if queue.dead else ""))
    return [line], BAD if queue.dead else ""


def _manifests(snapshot: Snapshot, look: Look) -> tuple[list[Text], str]:
    panel, done = snapshot.manifests.value, snapshot.completions.value
    assert panel is not None  # noqa: S101 - for the type checker
    lines: list[Text] = []
    oldest = panel.oldest_waiting_at
    about = [] if oldest is None else [f"oldest {lasting((snapshot.taken_at - oldest).total_seconds())}"]
    about += [f"{panel.refused:,} refused"] if panel.refused else []
    line = text(
        (_number(panel.waiting, panel.is_complete), STRONG),
        " wait",
        (f" ({', '.join(about)})" if about else "", WARN if panel.refused else ""),
        look.dot,
        (f"{panel.running:,}", STRONG),
        f" of {snapshot.max_concurrent_runs:,} run",
    )
    if done is not None and done.total_s is not None and done.run_s is not None:
        if not look.is_large:
            line += text(look.dot, f"took {lasting(done.total_s[0])}")
        else:
            total, run = ((lasting(each[0]), lasting(each[1])) for each in (done.total_s, done.run_s))
            lines.append(text(f"took {total[0]} (p95 {total[1]}), the run of it {run[0]} (p95 {run[1]})"))
    return [line, *lines], WARN if panel.refused else ""


def _runs(runs: Runs, look: Look) -> tuple[list[Text], str]:
    if not runs.under_way:
        return [text("none under way")], ""
    lines = [_run(each, look) for each in runs.under_way[: look.runs]]
    left = len(runs.under_way) - len(lines)
    more = f"and {counted(left, 'more run')}, " if left else ""
    lines.append(text((f"{more}{runs.dpus_in_use:,.0f} DPUs in use", DIM)))
    return lines, ""


def _run(each: RunProgress, look: Look) -> Text:
    share = each.share
    shown = "?" if share is None else f"{'~' if each.is_estimate else ''}{share:.0%}"
    files = f"{each.files:>4,} files  " if look.is_large else ""
    return text(
        (bar(share or 0.0, 8, look.blocks), "cyan"),
        (f" {shown:>4}", STRONG),
        f" {each.run.state.lower():<8} {lasting(each.elapsed_s):<12} {files}",
        (_short(each.manifest_id or each.run.run_id), DIM),
    )


def _short(name: str) -> str:
    return name if len(name) <= 40 else f"{name[:37]}..."


def _failed(snapshot: Snapshot, look: Look) -> Section:
    runs, arrivals, counters = snapshot.runs.value, snapshot.arrivals.value, snapshot.counted.value
    if runs is None and arrivals is None and counters is None:
        return Section("failed", [not_read(snapshot.counted)], WARN)
    ended = {state: count for state, count in (runs.today if runs else {}).items() if state in _BAD_ENDS}
    failed_runs = sum(ended.values())
    files = max(counters.files_failed if counters else 0, arrivals.by_status.get("failed", 0) if arrivals else 0)
    how = f" ({', '.join(f'{count:,} {state}' for state, count in sorted(ended.items()))})" if ended else ""
    line = text(
        (f"{files:,}", BAD if files else STRONG),
        f" file{'' if files == 1 else 's'}",
        look.dot,
        (f"{failed_runs:,}", BAD if failed_runs else STRONG),
        f" run{'' if failed_runs == 1 else 's'}{how} today",
    )
    if runs is None:
        line += text(look.dot) + not_read(snapshot.runs)
    listed = runs.last_failed[:_LISTED_FAILED] if runs else ()
    lines = [
        line,
        *(text((f"{_clock(run.ended_at)} {run.state}: ", WARN), run.error or "no message") for run in listed),
    ]
    lines += [_file(each) for each in snapshot.newest_failed[:_LISTED_FAILED]]
    return Section("failed", lines, BAD if files or failed_runs else "")


def _file(each: FileSeen) -> Text:
    return text((f"{_clock(each.updated_at)} ", WARN), (each.key, STRONG), f": {each.why or 'no reason recorded'}")


_BAD_ENDS = ("FAILED", "TIMEOUT", "ERROR", "EXPIRED", "STOPPED")


def _clock(moment: Any) -> str:
    return "" if moment is None else f"{moment:%H:%M}"


def _quarantine(snapshot: Snapshot, look: Look) -> Section:
    counters, arrivals = snapshot.counted.value, snapshot.arrivals.value
    if counters is None:
        return Section("quarantine", [not_read(snapshot.counted)], WARN)
    recent = arrivals.by_status.get(QUARANTINED, 0) if arrivals else 0
    line = text(
        (f"{counters.files_quarantined:,}", WARN if counters.files_quarantined else STRONG),
        f" file{'' if counters.files_quarantined == 1 else 's'} ({size(counters.quarantined_bytes)})",
        look.dot,
        (f"{counters.lines_quarantined:,}", WARN if counters.lines_quarantined else STRONG),
        f" line{'' if counters.lines_quarantined == 1 else 's'} today",
        look.dot,
        f"{recent:,} of the hour's uploads",
    )
    lines = [line, *map(_file, snapshot.newest_quarantined[:1])]
    return Section("quarantine", lines, WARN if recent else "")


def _cost(snapshot: Snapshot, look: Look) -> tuple[list[Text], str]:
    panel = snapshot.cost.value
    assert panel is not None  # noqa: S101 - for the type checker
    least = "" if panel.is_complete else "at least "
    usd = "price unknown" if panel.usd is None else _usd(panel.usd)
    price = panel.source if panel.price_usd is None else f"${panel.price_usd:g} a DPU hour"
    line = text(
        (f"{least}{usd}", STRONG),
        look.dot,
        f"{panel.dpu_hours:,.1f} DPU hours",
        look.dot,
        counted(panel.runs, "run"),
        look.dot,
        (price, DIM),
    )
    return [line], ""


def _usd(amount: float) -> str:
    return "less than $0.01" if 0 < amount < 0.01 else f"${amount:,.2f}"


def head(snapshot: Snapshot) -> Text:
    """The one line that counts."""
    style = {"HEALTHY": "bold black on green", "DEGRADED": "bold black on yellow", "DOWN": "bold white on red"}
    word = snapshot.health.word
    return text(
        (f" {word} ", style[word]),
        "  ndjctl monitor  ",
        (snapshot.env, STRONG),
        f"  {snapshot.region}  ",
        (f"{snapshot.taken_at:%Y-%m-%d %H:%M:%SZ}", DIM),
    )


def reasons(snapshot: Snapshot, typed: Typed, most: int) -> list[Text]:
    """What is wrong and what to type about it, the worst first, two lines each."""
    lines: list[Text] = []
    health = snapshot.health
    for each in health.checks[:most]:
        lines.append(text((each.sentence, BAD if each.verdict == "fail" else WARN)))
        if each.remedies:
            command = command_of(each.remedies[0], typed)
            how, what = ("  type: ", command) if command else ("  do: ", each.remedies[0].hint)
            lines.append(text((how, DIM), (what, STRONG)))
    left = len(health.checks) - most
    if left > 0:
        lines.append(text((f"and {left} more: {typed('doctor')}", DIM)))
    if health.not_read:
        lines.append(text((f"{counted(len(health.not_read), 'check')} could not be made: {health.not_read[0]}", WARN)))
    return lines


def trends(snapshot: Snapshot, look: Look) -> Section:
    """CloudWatch's last hour, a line a metric."""
    panel = snapshot.trends.value
    if panel is None:
        return Section("the last hour, by CloudWatch", [not_read(snapshot.trends)], WARN)
    lines = []
    for name, title in _TRENDS:
        values = panel.series.get(name, ())
        known = [value for value in values if value is not None]
        shown = f"now {known[-1]:,.0f}, most {max(known):,.0f}" if known else "no data"
        chart = sparkline(values, look.chart, look.blocks) if known else ""
        lines.append(text(f"{title:<24}", (f"{chart:<{look.chart}}", "cyan"), f"  {shown}"))
    return Section("the last hour, by CloudWatch", lines)
