"""How a prediction looks: now beside proposed, what it rests on, and what to type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ndjctl.advice.throughput import LATENCY_S, peak_files_per_hour_of
from ndjctl.output.base import View, one_line
from ndjctl.output.progress import counted
from ndjctl.output.times import lasting
from ndjctl.tune.model import Forecast
from ndjctl.tune.prediction import Change, Prediction

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

SHOWN_CHANGES = 12


def tune_view(env: str, found: Prediction, deploy: str | None, propose: str) -> View:
    """deploy: what to type to apply it; None where nothing is proposed. propose: what to type to propose something."""
    document = {
        "env": env,
        "now_source": found.now_source,
        "now": _forecast_document(found.now),
        "proposed": _forecast_document(found.proposed),
        "changes": [asdict(change) for change in found.changes],
        "load": found.load.model_dump(),
        "rate": {
            "mb_per_s_per_vcpu": round(found.rate.mb_per_s_per_vcpu, 4),
            "run_start_s": round(found.rate.start_s, 1),
            "dpu_share_used": round(found.rate.used_share, 4),
            "source": found.rate.source,
            "measured_runs": 0 if found.measured is None else found.measured.runs,
            "measured_mb_per_s_per_dpu": None if found.measured is None else found.measured.mb_per_s_per_dpu,
        },
        "quotas": asdict(found.quotas),
        "backlog": None if found.backlog is None else asdict(found.backlog),
        "price": None if found.price is None else asdict(found.price),
        "warnings": [finding.to_dict() for finding in found.warnings],
        "remarks": list(found.remarks),
        "apply": deploy,
    }
    return View(document, lambda: _screen(found, deploy, propose))


def _forecast_document(each: Forecast) -> dict[str, Any]:
    rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(each).items()}
    return {**rounded, "keeps_promise": each.keeps_promise}


def _screen(found: Prediction, deploy: str | None, propose: str) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    load = found.load
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column("now", justify="right")
    table.add_column("proposed", justify="right")
    for name, cells in _rows(found):
        table.add_row(Text(name, style="cyan"), *cells)
    peak = peak_files_per_hour_of(load)
    notes = [
        f"load: {load.files_per_day:,} files a day, {peak:,.0f} in the hour of the peak, "
        f"{load.min_file_size_mb:g} to {load.max_file_size_mb:g} MB each",
        f"rate: {found.rate.source}",
        f"now: {found.now_source}",
        _price_line(found),
    ]
    blocks: list[RenderableType] = [*_changes(found.changes), table]
    blocks += [Text(one_line(note), style="dim") for note in (*notes, *found.remarks)]
    for finding in found.warnings:
        style = "red" if finding.severity == "error" else "yellow"
        blocks.append(Text(one_line(f"{finding.severity}: {finding.sentence}"), style=style))
    blocks.append(Text(one_line(f"next: {deploy or propose}")))
    return Group(*blocks)


def _changes(changes: Sequence[Change]) -> list[Text]:
    from rich.text import Text

    if not changes:
        return [Text("Nothing would change: what is proposed is what is deployed.", style="bold")]
    lines = [Text(one_line(f"{each.path}: {each.now} -> {each.proposed}"), style="bold") for each in changes]
    left = len(lines) - SHOWN_CHANGES
    return lines if left <= 0 else [*lines[:SHOWN_CHANGES], Text(f"and {left:,} more (see --json)", style="bold")]


def _rows(found: Prediction) -> list[tuple[str, tuple[Text, Text]]]:
    pair = (found.now, found.proposed)

    def cells(texts: Sequence[tuple[str, str]]) -> tuple[Text, Text]:
        from rich.text import Text

        (first, second) = (Text(text, style=style) for text, style in texts)
        return first, second

    def plain(texts: Sequence[str]) -> tuple[Text, Text]:
        return cells([(text, "") for text in texts])

    limits = [f"{each.concurrent_needed:,.1f} of {each.concurrent_allowed:,}" for each in pair]
    over = ["red" if each.concurrent_needed > each.concurrent_allowed else "" for each in pair]
    backlog = found.backlog
    waiting = "" if backlog is None else f"{'at least ' if backlog.is_least else ''}{counted(backlog.files, 'file')}"
    rows = [
        ("files in a manifest", plain([f"{each.files_per_manifest:,}" for each in pair])),
        ("time of a run", plain([lasting(each.run_s) for each in pair])),
        ("of it billed", plain([lasting(each.billed_s) for each in pair])),
        ("runs an hour (peak)", plain([f"{e.runs_per_hour:,.1f} ({e.peak_runs_per_hour:,.1f})" for e in pair])),
        ("runs at once, needed of allowed", cells(list(zip(limits, over, strict=True)))),
        ("held there by", plain([_limit(each.limited_by) for each in pair])),
        ("files an hour in full batches", plain([f"{each.files_per_hour_possible:,.0f}" for each in pair])),
        ("upload to Parquet, at most", cells([_lag(each.lag_s) for each in pair])),
        ("the same at the peak", cells([_lag(each.peak_lag_s) for each in pair])),
        (f"backlog of {waiting} gone in", plain([_hours(each.backlog_hours) for each in pair])),
        ("DPU hours a day", plain([f"{each.dpu_hours_per_day:,.1f}" for each in pair])),
        ("cost a day", plain(["not known" if e.usd_per_day is None else f"${e.usd_per_day:,.2f}" for e in pair])),
    ]
    return [row for row in rows if backlog is not None or not row[0].startswith("backlog")]


def _limit(text: str) -> str:
    return text.removeprefix("the ").removeprefix("job.")


def _lag(seconds: float | None) -> tuple[str, str]:
    """(text, style); the promise is 30 minutes."""
    if seconds is None:
        return "grows without end", "red"
    return lasting(seconds), "" if seconds <= LATENCY_S else "red"


def _hours(hours: float | None) -> str:
    return "never" if hours is None else lasting(hours * 3600)


def _price_line(found: Prediction) -> str:
    if found.price is None:
        there = f"price: that of a DPU hour in {found.region} is not known here"
        return f"{there}, and not guessed; cost.usd_per_dpu_hour states it"
    price = found.price
    return f"price: ${price.usd:g} a DPU hour in {price.region}, {price.told}; Glue alone"
