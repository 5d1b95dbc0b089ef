"""The parts of the screen of `ndjctl monitor`, each a title and lines of text: small ones and large ones are laid out of
the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ndjctl.advice.throughput import LATENCY_S
from ndjctl.contracts import QUARANTINED
from ndjctl.health import metrics
from ndjctl.monitor.rates import rate_per_min
from ndjctl.output.base import one_line
from ndjctl.output.monitor import gone_at
from ndjctl.output.progress import counted, size
from ndjctl.output.sparkline import bar, sparkline
from ndjctl.output.times import lasting

if TYPE_CHECKING:
    from ndjctl.health.facts import FileSeen
    from ndjctl.monitor.model import Arrivals, Backlog, Forecast, RunProgress, Runs, Snapshot
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
_LISTED_FAILED = 3


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
    runs that are listed."""

    blocks: bool
    chart: int
    runs: int

    @property
    def dot(self) -> str:
        return " · " if self.blocks else " | "


def sections(snapshot: Snapshot, look: Look) -> list[Section]:
    """From input to Parquet, then what goes wrong, then what it costs."""
    return [
        _flow(snapshot, look),
        _backlog(snapshot, look),
        _panel("queue", snapshot.queue, lambda queue: _queue(queue, look)),
        _panel("manifests", snapshot.manifests, lambda _: _manifests(snapshot, look)),
        _panel("runs", snapshot.runs, lambda runs: _runs(runs, snapshot, look)),
        _failed(snapshot, look),
        _quarantine(snapshot, look),
        _panel("cost today", snapshot.cost, lambda _: _cost(snapshot, look)),
    ]


def text(*parts: str | tuple[str, str]) -> Text:
    """A line of pieces, each with its style or none. What is data in it stays one line and is never markup."""
    line = Text()
    for part in parts:
        words, style = part if isinstance(part, tuple) else (part, "")
        line.append(one_line(words), style or None)
    return line


def not_read(reading: Reading[Any]) -> Text:
    return text(("not read: ", WARN), (reading.sentence or "refused", WARN))


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
    lines = [_arrivals(snapshot.arrivals, look), _completions(snapshot, look)]
    since = snapshot.since_last
    if since is not None:
        ago = text((f"since the last refresh, {since.seconds:.0f} s ago: {since.files_in:,} in, {since.files_out:,} out", DIM))
        lines.append(ago)
    is_unread = snapshot.arrivals.value is None or snapshot.completions.value is None
    return Section("flow", lines, WARN if is_unread else "")


def _arrivals(reading: Reading[Arrivals], look: Look) -> Text:
    panel = reading.value
    if panel is None:
        return text(("in   ", STRONG)) + not_read(reading)
    return text(
        ("in   ", STRONG),
        (f"{_rate(rate_per_min(panel.per_minute)):>6}/min ", STRONG),
        (sparkline(panel.per_minute, look.chart, look.blocks), "cyan"),
        f"  {_number(panel.files, panel.is_complete)} in the hour, {size(panel.size_bytes)}",
    )


def _completions(snapshot: Snapshot, look: Look) -> Text:
    panel = snapshot.completions.value
    if panel is None:
        return text(("out  ", STRONG)) + not_read(snapshot.completions)
    return text(
        ("out  ", STRONG),
        (f"{_rate(rate_per_min(panel.per_minute)):>6}/min ", STRONG),
        (sparkline(panel.per_minute, look.chart, look.blocks), "green"),
        f"  {_number(panel.files_hour, panel.is_complete)} in the hour, "
        f"{_number(panel.files_today, panel.is_complete)} today, {size(panel.bytes_today)}",
    )


def _backlog(snapshot: Snapshot, look: Look) -> Section:
    panel = snapshot.backlog.value
    if panel is None:
        return Section("backlog", [not_read(snapshot.backlog)], WARN)
    lag_s = panel.lag_s(snapshot.taken_at)
    is_late = lag_s > LATENCY_S
    lag_style = BAD if is_late else WARN if lag_s > LATENCY_S * 2 / 3 else GOOD
    lag = text(
        ("lag  ", STRONG),
        (f"{lasting(lag_s) if panel.files else 'none':>10} ", lag_style),
        (bar(lag_s / LATENCY_S, look.chart, look.blocks), lag_style),
        f"  of {lasting(LATENCY_S)} promised",
        (", LATE" if is_late else "", BAD),
    )
    return Section("backlog", [_unfinished(panel, look), lag, _forecast(snapshot.forecast, snapshot)], BAD if is_late else "")


def _unfinished(panel: Backlog, look: Look) -> Text:
    ages = (("<5 min", panel.pending_under_5_min, ""), ("5-30", panel.pending_5_to_30_min, ""), (">30", panel.pending_over_30_min, BAD))
    line = text((_number(panel.pending, panel.is_complete), STRONG), " pending")
    if panel.pending:
        parts: list[str | tuple[str, str]] = [" ("]
        for number, (age, count, style) in enumerate(ages):
            parts += [", " if number else "", (f"{age}: {count:,}", style if count else "")]
        line += text(*parts, ")")
    return line + text(
        look.dot, (f"{panel.manifested:,}", STRONG), " in manifests", look.dot, (f"{panel.processing:,}", STRONG), " in runs"
    )


def _forecast(found: Forecast, snapshot: Snapshot) -> Text:
    if found.kind == "clear":
        return text(("nothing waits", GOOD))
    if found.kind == "grows":
        return text(("the backlog grows", BAD), f" by {found.files_per_hour or 0:,.0f} files an hour")
    if found.kind == "unknown":
        return text("gone when: unknown, ", found.why)
    at = gone_at(found, snapshot)
    when = f", about {at:%Y-%m-%d %H:%MZ}" if at is not None else ""
    return text("gone in ", (lasting(found.seconds), STRONG), f"{when}, at the pace of the last minutes")


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
    oldest = panel.oldest_waiting_at
    age = "" if oldest is None else f" (oldest {lasting((snapshot.taken_at - oldest).total_seconds())})"
    line = text(
        (_number(panel.waiting, panel.is_complete), STRONG), f" wait{age}", look.dot,
        (f"{panel.running:,}", STRONG), f" run, {snapshot.max_concurrent_runs:,} may",
    )
    if panel.refused:
        line += text(look.dot, (f"{panel.refused:,} refused", WARN))
    if done is not None and done.total_s is not None and done.run_s is not None:
        line += text(look.dot, f"took {lasting(done.total_s[0])}, p95 {lasting(done.total_s[1])}")
    return [line], WARN if panel.refused else ""


def _runs(runs: Runs, snapshot: Snapshot, look: Look) -> tuple[list[Text], str]:
    lines = [_run(each, look) for each in runs.under_way[: look.runs]]
    left = len(runs.under_way) - len(lines)
    if left > 0:
        lines.append(text((f"and {counted(left, 'more run')}, {runs.dpus_in_use:,.0f} DPUs in all", DIM)))
    if not runs.under_way:
        lines.append(text("none under way"))
    return lines, ""


def _run(each: RunProgress, look: Look) -> Text:
    share = each.share
    shown = "  ?" if share is None else f"{'~' if each.is_estimate else ''}{share:.0%}"
    dpus = "" if each.dpus is None else f"{each.dpus:,.0f} DPU"
    return text(
        (bar(share or 0.0, max(8, look.chart // 2), look.blocks), "cyan"),
        (f" {shown:>4}", STRONG),
        f" {each.run.state.lower():<8} {lasting(each.elapsed_s):<12} {dpus:>7}  {each.files:>4,} files  ",
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
        (f"{files:,}", BAD if files else STRONG), f" file{'' if files == 1 else 's'}", look.dot,
        (f"{failed_runs:,}", BAD if failed_runs else STRONG), f" run{'' if failed_runs == 1 else 's'}{how} today",
    )
    if runs is None:
        line += text(look.dot) + not_read(snapshot.runs)
    listed = runs.last_failed[:_LISTED_FAILED] if runs else ()
    lines = [line, *(text((f"{_clock(run.ended_at)} {run.state}: ", WARN), run.error or "no message") for run in listed)]
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
        f" file{'' if counters.files_quarantined == 1 else 's'} ({size(counters.quarantined_bytes)})", look.dot,
        (f"{counters.lines_quarantined:,}", WARN if counters.lines_quarantined else STRONG),
        f" line{'' if counters.lines_quarantined == 1 else 's'} today", look.dot, f"{recent:,} of the hour's uploads",
    )
    lines = [line, *map(_file, snapshot.newest_quarantined[:1])]
    return Section("quarantine", lines, WARN if recent else "")


def _cost(snapshot: Snapshot, look: Look) -> tuple[list[Text], str]:
    panel = snapshot.cost.value
    assert panel is not None  # noqa: S101 - for the type checker
    least = "" if panel.is_complete else "at least "
    usd = "price unknown" if panel.usd is None else f"${panel.usd:,.2f}"
    price = panel.source if panel.price_usd is None else f"${panel.price_usd:g} a DPU hour, {snapshot.region}"
    line = text(
        (f"{least}{usd}", STRONG), look.dot, f"{panel.dpu_hours:,.1f} DPU hours in {counted(panel.runs, 'run')}",
        look.dot, (price, DIM),
    )
    return [line], ""


def head(snapshot: Snapshot) -> Text:
    """The one line that counts."""
    style = {"HEALTHY": "bold black on green", "DEGRADED": "bold black on yellow", "DOWN": "bold white on red"}
    word = snapshot.health.word
    return text((f" {word} ", style[word]), "  ndjctl monitor  ", (snapshot.env, STRONG), f"  {snapshot.region}  ", (f"{snapshot.taken_at:%Y-%m-%d %H:%M:%SZ}", DIM))


def reasons(snapshot: Snapshot, typed: Any, most: int) -> Sequence[Text]:
    """What is wrong and what to type, the worst first, two lines each."""
    from ndjctl.output.monitor import remedy_text

    lines: list[Text] = []
    health = snapshot.health
    for each in health.checks[:most]:
        style = BAD if each.verdict == "fail" else WARN
        lines.append(text((f"{each.sentence}", style)))
        if each.remedies:
            lines.append(text(("  type: " if each.remedies[0].words or each.remedies[0].other else "  do: ", DIM), (remedy_text(each.remedies[0], typed), STRONG)))
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
