"""How it looks what an environment has cost: sums, where they went, the services, and why not what was estimated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ndjctl.output.base import View, one_line
from ndjctl.output.cost_actual_json import actual_document
from ndjctl.output.cost_services import about_services, services_table
from ndjctl.output.cost_words import are, dimmed, lasting, quantum_of, right_aligned, signed, small, styled, them, usd
from ndjctl.output.progress import counted, size
from ndjctl.output.times import shown
from ndjctl.spent.beside import Beside
from ndjctl.spent.billed import HOUR_S, ZERO
from ndjctl.spent.difference import Reason
from ndjctl.spent.looking import Actual
from ndjctl.spent.reading import KEPT_DAYS
from ndjctl.spent.summing import Period
from ndjctl.spent.waste import (
    DUPLICATE,
    FAILED,
    IDLE,
    MINIMUM,
    REPROCESSED,
    RETRIED,
    START_UP,
    UNDER_WAY,
    USEFUL,
    WASTE,
    shared_out,
)

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

_WORDS = {
    USEFUL: "useful",
    START_UP: "start-up",
    IDLE: "idle workers",
    RETRIED: "failed, made again",
    FAILED: "failed, not made again",
    DUPLICATE: "duplicates",
    MINIMUM: "the minute's minimum",
    REPROCESSED: "reprocessed on purpose",
    UNDER_WAY: "under way",
}
_REASONS = {
    "files": "number of files",
    "size": "their size",
    "runs": "number of runs",
    "run_time": "time of a run",
    "dpus": "DPUs of a run",
    "price": "price of a DPU hour",
    "waste": "waste",
    "reprocessed": "reprocessed",
    "under_way": "under way",
}


def actual_view(env: str, found: Actual, next_: str) -> View:
    """next_: what to type to see the runs."""
    return View(actual_document(env, found), lambda: _screen(env, found, next_))


def _screen(env: str, found: Actual, next_: str) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    blocks: list[RenderableType] = [
        Text(one_line(f"{env}, {found.region}: spent since {shown(found.period.since)}"), style="bold"),
        _sums(found),
        *(Text(one_line(line), style="dim") for line in _about_sums(found)),
    ]
    if found.period.runs:
        blocks += [Text(""), _parts(found.period)]
        blocks += [Text(one_line(line), style="dim") for line in _about_parts(found)]
    elif found.period.is_known:
        blocks.append(Text("No run of the job in this time: nothing was spent on Glue."))
    blocks += [Text(""), services_table(found)]
    blocks += [Text(one_line(line), style="dim") for line in about_services(found)]
    if found.beside is not None:
        blocks += [Text(""), *_beside(found.beside)]
    blocks += [Text(one_line(f"not read: {source}: {why}"), style="yellow") for source, why in found.refused]
    blocks += [Text(one_line(line), style="yellow") for line in _warnings(found)]
    blocks.append(Text(one_line(f"next: {next_}")))
    return Group(*blocks)


def _sums(found: Actual) -> Table:
    table = right_aligned("", "Glue", "other services", "together", "DPU hours", "runs")
    for name, period in (("in this time", found.period), ("today", found.today), ("this month", found.month)):
        table.add_row(
            styled(name),
            usd(period.glue_usd),
            usd(period.services_usd),
            usd(period.usd),
            f"{period.dpu_s / HOUR_S:,.2f}" if period.is_known else "-",
            f"{period.runs:,}" if period.is_known else "-",
        )
    forecast = found.forecast
    table.add_row(styled("the whole month"), "", "", usd(forecast.usd) if forecast.days else "-", "", "")
    return table


def _about_sums(found: Actual) -> Iterator[str]:
    forecast, each = found.forecast, found.each
    if not forecast.days:
        yield "the whole month: no forecast, because there is no full day of runs yet"
    elif forecast.usd is not None:
        days = "the last full day" if forecast.days == 1 else f"the mean of the last {forecast.days} full days"
        yield (
            f"the whole month: what is spent, and {days}, {usd(forecast.mean_usd)}, for each of the "
            f"{forecast.days_left:,.1f} days that are left"
        )
    if each.manifests:
        yield (
            f"{usd(each.usd_per_manifest)} a manifest, {small(each.usd_per_file)} a file, {usd(each.usd_per_tb)} a "
            f"TB of input: Glue, for {counted(each.manifests, 'manifest')} of {counted(each.files, 'file')}, "
            f"{size(each.size_bytes)}"
        )
    if each.unknown:
        yield (
            f"{counted(each.unknown, 'manifest')} of runs of this time {are(each.unknown)} not in the ledger as "
            f"completed (it forgets after 7 days): without {them(each.unknown)} there"
        )


def _parts(period: Period) -> Table:
    table = right_aligned("where the DPU hours went", "DPU hours", "USD", "share", "runs")
    usd = {name: part.usd for name, part in period.parts.items() if part.usd is not None}
    quantum = quantum_of(period.glue_usd)
    told = {} if period.glue_usd is None else shared_out(usd, quantum)
    for name, part in period.parts.items():
        if not part.runs and name not in (USEFUL, *WASTE):
            continue
        share = part.dpu_s / period.dpu_s * 100 if period.dpu_s else ZERO
        amount = "not known" if name not in told else f"${told[name]:,}"
        style = "yellow" if name in WASTE and part.runs else ""
        table.add_row(
            styled(_WORDS[name]), f"{part.dpu_s / HOUR_S:,.4f}", amount, f"{share:.1f}%", f"{part.runs:,}", style=style
        )
    total = "not known" if period.glue_usd is None else f"${sum(told.values(), ZERO):,}"
    table.add_row(
        styled("together"), f"{period.dpu_s / HOUR_S:,.4f}", total, "100.0%", f"{period.runs:,}", style="bold"
    )
    return table


def _about_parts(found: Actual) -> Iterator[str]:
    known, period = found.known, found.period
    yield f"waste: {usd(period.waste_usd)}, {period.waste_share * 100:.1f}% of Glue's DPU seconds"
    if found.later_attempts:
        yield (
            f"{counted(found.later_attempts, 'run')} {are(found.later_attempts)} a second or later attempt of a "
            f"manifest: of several, those that failed are waste, and the one that succeeded is not"
        )
    if known.starts_assumed:
        yield (
            f"start-up: {counted(known.starts_assumed, 'run')} of {known.worked:,} without a report, taken as "
            f"{known.assumed_start_s:,.1f} s each ({known.start_source})"
        )
    if known.idle_told < known.worked:
        yield f"idle workers: told by the reports of {known.idle_told:,} of {known.worked:,} runs; of the others not"
    if known.unsure:
        yield (
            f"duplicates: {counted(known.unsure, 'run')} may be a 'reprocess' instead: the ledger does not have "
            f"{them(known.unsure, 'its manifest', 'their manifests')}"
        )
    if known.unbilled:
        yield f"{counted(known.unbilled, 'run')} without DPU seconds and capacity: not in these figures"


def _beside(found: Beside) -> Iterator[Text | Table]:
    from rich.text import Text

    difference = found.difference
    reasons = {_key(reason): reason.usd for reason in difference.reasons}
    told = shared_out(reasons, quantum_of(max(difference.estimated_usd, difference.actual_usd)))
    table = right_aligned("why it is not what was estimated", "USD", "")
    table.columns[2].justify = "left"
    table.columns[2].no_wrap = False
    table.add_row(styled(f"estimated for {lasting(found.days)}"), usd(difference.estimated_usd), dimmed(found.source))
    for reason in difference.reasons:
        if told[_key(reason)]:
            table.add_row(styled(_reason(reason)), signed(told[_key(reason)]), dimmed(reason.text))
    table.add_row(styled(f"spent since {found.since:%m-%d %H:%M}Z"), usd(difference.actual_usd), "", style="bold")
    yield table
    if found.unknown_runs:
        yield Text(
            f"{counted(found.unknown_runs, 'run')} converted manifests that the ledger does not have: their files are "
            f"not among those that came",
            style="dim",
        )


def _key(reason: Reason) -> str:
    return f"{reason.code} {reason.service}"


def _reason(reason: Reason) -> str:
    return reason.service or _REASONS[reason.code]


def _warnings(found: Actual) -> Iterator[str]:
    period = found.period
    if period.unpriced:
        yield (
            f"USD are not known: the prices of {found.region} ({found.book.origin}) have none for "
            f"{', '.join(period.unpriced)}"
        )
    if unpriced := [f"{each.service} {each.name}" for each in period.services if each.usd is None]:
        yield f"in no sum, because the region's prices have none for them: {', '.join(unpriced)}"
    if not found.known.runs_whole and not any(source == "run records" for source, _ in found.refused):
        yield "Not all runs were read: there are more than can be read at once, so these figures are at least"
    if (found.at - period.since).days >= KEPT_DAYS:
        yield f"Glue keeps the records of runs for {KEPT_DAYS} days: what was before is not in these figures"
