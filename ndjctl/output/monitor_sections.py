"""The parts of `ndjctl monitor`, each a title and lines of text: small screens and large ones are laid out
of the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ndjctl.budget import WARN_SHARE
from ndjctl.contracts import QUARANTINED
from ndjctl.health import metrics
from ndjctl.health.model import Remedy
from ndjctl.monitor.model import MINUTES
from ndjctl.output.monitor_flow import backlog, flow, queue_lines
from ndjctl.output.monitor_lines import (
    BAD,
    DIM,
    STRONG,
    WARN,
    Look,
    Section,
    joined,
    not_read,
    number,
    text,
    wrapped,
)
from ndjctl.output.progress import counted, size
from ndjctl.output.remedies import Typed, command_lines
from ndjctl.output.sparkline import bar, sparkline
from ndjctl.output.times import lasting

if TYPE_CHECKING:
    from ndjctl.health.facts import FileSeen
    from ndjctl.monitor.model import Budget, RunProgress, Runs, Snapshot
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
_TYPE = "  type: "


def sections(snapshot: Snapshot, look: Look) -> list[Section]:
    """From input to Parquet, then what goes wrong, then what it costs; runs last, of which there may be many."""
    return [
        flow(snapshot, look),
        backlog(snapshot, look),
        _panel("queue", snapshot.queue, lambda queue: queue_lines(queue, look)),
        _panel("manifests", snapshot.manifests, lambda _: _manifests(snapshot, look)),
        _failed(snapshot, look),
        _quarantine(snapshot, look),
        _panel("cost today", snapshot.cost, lambda _: _cost(snapshot, look)),
        _panel("runs", snapshot.runs, lambda runs: _runs(runs, look)),
    ]


def _panel(title: str, reading: Reading[Any], make: Callable[[Any], tuple[list[Text], str]]) -> Section:
    if reading.value is None:
        return Section(title, [not_read(reading)], WARN)
    lines, style = make(reading.value)
    return Section(title, lines, style)


def _manifests(snapshot: Snapshot, look: Look) -> tuple[list[Text], str]:
    panel, done = snapshot.manifests.value, snapshot.completions.value
    assert panel is not None  # noqa: S101 - for the type checker
    oldest = panel.oldest_waiting_at
    about = [] if oldest is None else [f"oldest {lasting((snapshot.taken_at - oldest).total_seconds())}"]
    about += [f"{panel.refused:,} refused"] if panel.refused else []
    pieces = [
        text(
            (number(panel.waiting, panel.is_complete), STRONG),
            " wait",
            (f" ({', '.join(about)})" if about else "", WARN if panel.refused else ""),
        ),
        text((f"{panel.running:,}", STRONG), f" of {snapshot.max_concurrent_runs:,} run"),
    ]
    lines: list[Text] = []
    if done is not None and done.total_s is not None and done.run_s is not None:
        if not look.is_large:
            pieces.append(text(f"took {lasting(done.total_s[0])}"))
        else:
            total, run = ((lasting(each[0]), lasting(each[1])) for each in (done.total_s, done.run_s))
            took = [text(f"took {total[0]} (p95 {total[1]})"), text(f"the run of it {run[0]} (p95 {run[1]})")]
            lines = joined(took, look, ", ")
    return [*joined(pieces, look), *lines], WARN if panel.refused else ""


def _runs(runs: Runs, look: Look) -> tuple[list[Text], str]:
    if not runs.under_way:
        return [text("none under way")], ""
    listed = runs.under_way[: look.runs]
    names = [_short(each.manifest_id or each.run.run_id) for each in listed]
    lines = [_run(each, name, max(map(len, names)), look) for each, name in zip(listed, names, strict=True)]
    left = len(runs.under_way) - len(lines)
    more = f"and {counted(left, 'more run')}, " if left else ""
    lines.append(text((f"{more}{runs.dpus_in_use:,.0f} DPUs in use", DIM)))
    return lines, ""


def _run(each: RunProgress, name: str, longest: int, look: Look) -> Text:
    """longest: characters of the longest name beside it: all bars are as long as that one's."""
    share = each.share
    shown = "?" if share is None else f"{'~' if each.is_estimate else ''}{share:.0%}"
    told = text((f"{shown:>4}", STRONG), f" {each.run.state.lower():<8} {lasting(each.elapsed_s):<12}")
    chart = look.room(told.cell_len + longest + 1, 8)
    drawn = f"{bar(share or 0.0, chart, look.blocks)} " if chart else ""
    line = text((drawn, "cyan")) + told + text((f"{name:<{longest}}", DIM))
    files = f"  {counted(each.files, 'file')}"
    has_room = look.width is None or line.cell_len + len(files) <= look.width
    return line + text(files) if look.is_large and has_room else line


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
    pieces = [
        text((f"{files:,}", BAD if files else STRONG), f" file{'' if files == 1 else 's'}"),
        text(
            (f"{failed_runs:,}", BAD if failed_runs else STRONG),
            f" run{'' if failed_runs == 1 else 's'}{how} today",
        ),
    ]
    if runs is None:
        pieces.append(not_read(snapshot.runs))
    listed = runs.last_failed[: look.listed] if runs else ()
    lines = [
        *joined(pieces, look),
        *(text((f"{_clock(run.ended_at)} {run.state}: ", WARN), run.error or "no message") for run in listed),
    ]
    lines += [_file(each) for each in snapshot.newest_failed[: look.listed]]
    return Section("failed", lines, BAD if files or failed_runs else "")


def _file(each: FileSeen) -> Text:
    why = each.why.rpartition(f"{each.key}: ")[2]  # a reason may begin with the file's own URI
    return text((f"{_clock(each.updated_at)} ", WARN), (each.key, STRONG), f": {why or 'no reason recorded'}")


_BAD_ENDS = ("FAILED", "TIMEOUT", "ERROR", "EXPIRED", "STOPPED")


def _clock(moment: Any) -> str:
    return "" if moment is None else f"{moment:%H:%M}"


def _quarantine(snapshot: Snapshot, look: Look) -> Section:
    counters, arrivals = snapshot.counted.value, snapshot.arrivals.value
    if counters is None:
        return Section("quarantine", [not_read(snapshot.counted)], WARN)
    recent = arrivals.by_status.get(QUARANTINED, 0) if arrivals else 0
    files, bad_lines = counters.files_quarantined, counters.lines_quarantined
    # Counters, which nobody takes back: what was released or cleaned up since is in them.
    aside = text(
        (f"{files:,}", WARN if files else STRONG),
        f" file{'' if files == 1 else 's'} ({size(counters.quarantined_bytes)}), ",
        (f"{bad_lines:,}", WARN if bad_lines else STRONG),
        f" line{'' if bad_lines == 1 else 's'} set aside today",
    )
    lines = [
        *joined([aside, text(f"{recent:,} of the hour's files")], look),
        *map(_file, snapshot.newest_quarantined[: min(1, look.listed)]),
    ]
    return Section("quarantine", lines, WARN if recent else "")


def _cost(snapshot: Snapshot, look: Look) -> tuple[list[Text], str]:
    panel = snapshot.cost.value
    assert panel is not None  # noqa: S101 - for the type checker
    least = "" if panel.is_complete else "at least "
    known = () if panel.usd is None else (text(("Glue ", ""), (f"{least}{_usd(panel.usd)}", STRONG)),)
    price = panel.source if panel.price_usd is None else f"${panel.price_usd:g} a DPU hour"
    pieces = [
        *(known or (text("Glue: ", ("price unknown", STRONG)),)),
        text(f"{'' if known else least}{_hours(panel.dpu_hours)} DPU hours"),
        text(counted(panel.runs, "run")),
        text((price, DIM)),
    ]
    lines = joined(pieces, look)
    if panel.budget is None:
        return lines, ""
    told, style = _budget(panel.budget)
    return [*lines, *wrapped(told, look.width)], style


def _budget(budget: Budget) -> tuple[Text, str]:
    share = budget.share
    is_held = budget.held_since is not None
    style = BAD if is_held else WARN if share is not None and share >= WARN_SHARE else ""
    spent = "unknown" if share is None else f"{share:.0%}"
    line = text((spent, style or STRONG), f" of the budget of ${budget.usd:,.2f} a day")
    if is_held:
        line += text((f": runs are held since {_clock(budget.held_since)}Z", BAD))
    elif budget.is_lifted:
        to = "" if budget.limit_usd is None else f" to ${budget.limit_usd:,.2f}"
        line += text((f": lifted{to} until midnight UTC", WARN))
    return line, style


def _hours(hours: float) -> str:
    """With as many digits as the dollars beside it need: those of a run alone are few."""
    if 0 < hours < 0.01:
        return "less than 0.01"
    return f"{hours:,.2f}" if 0 < hours < 1 else f"{hours:,.1f}" if hours else "0"


def _usd(amount: float) -> str:
    return "less than $0.01" if 0 < amount < 0.01 else f"${amount:,.2f}"


def head(snapshot: Snapshot, columns: int | None) -> Text:
    """The one line that counts. columns: where there are few, it does without the name of the command."""
    style = {"HEALTHY": "bold black on green", "DEGRADED": "bold black on yellow", "DOWN": "bold white on red"}
    word = snapshot.health.word
    badge = text((f" {word} ", style[word]))
    where = text(
        (snapshot.env, STRONG),
        f"  {snapshot.region}  ",
        (f"{snapshot.taken_at:%Y-%m-%d %H:%M:%SZ}", DIM),
    )
    whole = badge + text("  ndjctl monitor  ") + where
    return whole if columns is None or whole.cell_len <= columns else badge + text("  ") + where


def reasons(snapshot: Snapshot, typed: Typed, most: int, columns: int | None) -> list[Text]:
    """What is wrong and what to type about it, the worst first. columns: that a command has before it goes on in the
    next line; None for any number."""
    lines: list[Text] = []
    health = snapshot.health
    for each in health.checks[:most]:
        lines.append(text((each.sentence, BAD if each.verdict == "fail" else WARN)))
        if each.remedies:
            lines += _remedy(each.remedies[0], typed, columns)
    left = len(health.checks) - most
    if left > 0:
        lines.append(text((f"and {left} more: {typed(Remedy(('doctor',)))}", DIM)))
    if health.not_read:
        lines.append(text((f"{counted(len(health.not_read), 'check')} could not be made: {health.not_read[0]}", WARN)))
    return lines


def _remedy(remedy: Remedy, typed: Typed, columns: int | None) -> list[Text]:
    command = typed(remedy)
    if not command:
        return [text(("  do: ", DIM), (remedy.hint, STRONG))]
    shown = command_lines(command, 10**9 if columns is None else columns - len(_TYPE))
    heads = [_TYPE, *[" " * len(_TYPE)] * (len(shown) - 1)]
    return [text((head, DIM), (line, STRONG)) for head, line in zip(heads, shown, strict=True)]


def trends(snapshot: Snapshot, look: Look) -> Section:
    """CloudWatch's last hour, a line a metric."""
    panel = snapshot.trends.value
    if panel is None:
        return Section("the last hour, by CloudWatch", [not_read(snapshot.trends)], WARN)
    rows = [(title, panel.series.get(name, ())) for name, title in _TRENDS]
    told = [_now_and_most(values) for _, values in rows]
    titles = max(len(title) for title, _ in rows) + 1
    chart = look.room(titles + max(map(len, told)) + len("  "), MINUTES)
    lines = []
    for (title, values), words in zip(rows, told, strict=True):
        drawn = (
            f"{sparkline(values, chart, look.blocks) if any(value is not None for value in values) else '':<{chart}}"
        )
        lines.append(text(f"{title:<{titles}}", (f"{drawn}  " if chart else "", "cyan"), words))
    return Section("the last hour, by CloudWatch", lines)


def _now_and_most(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"now {known[-1]:,.0f}, most {max(known):,.0f}" if known else "no data"
