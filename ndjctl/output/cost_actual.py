"""How it looks what an environment has cost: sums, where they went, the services, and why not what was estimated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from ndjctl.output.base import View, one_line
from ndjctl.output.cost_actual_json import actual_document
from ndjctl.output.progress import counted, size
from ndjctl.output.times import shown
from ndjctl.spent.beside import Beside
from ndjctl.spent.billed import HOUR_S, ZERO
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

_CENT, _FINE = Decimal("0.01"), Decimal("0.0001")
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
    "other": "other services",
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
    blocks += [Text(""), _services(found)]
    blocks += [Text(one_line(line), style="dim") for line in _about_services(found)]
    if found.beside is not None:
        blocks += [Text(""), *_beside(found.beside)]
    blocks += [Text(one_line(f"not read: {source}: {why}"), style="yellow") for source, why in found.refused]
    blocks += [Text(one_line(line), style="yellow") for line in _warnings(found)]
    blocks.append(Text(one_line(f"next: {next_}")))
    return Group(*blocks)


def _table(*columns: str) -> Table:
    """The first column to the left, the others to the right."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def _sums(found: Actual) -> Table:
    table = _table("", "Glue", "other services", "together", "DPU hours", "runs")
    for name, period in (("in this time", found.period), ("today", found.today), ("this month", found.month)):
        table.add_row(
            _name(name),
            _usd(period.glue_usd),
            _usd(period.services_usd),
            _usd(period.usd),
            f"{period.dpu_s / HOUR_S:,.2f}" if period.is_known else "-",
            f"{period.runs:,}" if period.is_known else "-",
        )
    forecast = found.forecast
    table.add_row(_name("the whole month"), "", "", _usd(forecast.usd) if forecast.days else "-", "", "")
    return table


def _about_sums(found: Actual) -> Iterator[str]:
    forecast, each = found.forecast, found.each
    if not forecast.days:
        yield "the whole month: no forecast, because there is no full day of runs yet"
    elif forecast.usd is not None:
        days = "the last full day" if forecast.days == 1 else f"the mean of the last {forecast.days} full days"
        yield (
            f"the whole month: what is spent, and {days}, {_usd(forecast.mean_usd)}, for each of the "
            f"{forecast.days_left:,.1f} days that are left"
        )
    if each.manifests:
        yield (
            f"{_usd(each.usd_per_manifest)} a manifest, {_small(each.usd_per_file)} a file, {_usd(each.usd_per_tb)} a "
            f"TB of input: Glue, for {counted(each.manifests, 'manifest')} of {counted(each.files, 'file')}, "
            f"{size(each.size_bytes)}"
        )
    if each.unknown:
        yield (
            f"{counted(each.unknown, 'manifest')} of runs of this time {_are(each.unknown)} not in the ledger as "
            f"completed (it forgets after 7 days): without {_it(each.unknown)} there"
        )


def _parts(period: Period) -> Table:
    table = _table("where the DPU hours went", "DPU hours", "USD", "share", "runs")
    usd = {name: part.usd for name, part in period.parts.items() if part.usd is not None}
    quantum = _quantum(period.glue_usd)
    told = {} if period.glue_usd is None else shared_out(usd, quantum)
    for name, part in period.parts.items():
        if not part.runs and name not in (USEFUL, *WASTE):
            continue
        share = part.dpu_s / period.dpu_s * 100 if period.dpu_s else ZERO
        amount = "not known" if name not in told else f"${told[name]:,}"
        style = "yellow" if name in WASTE and part.runs else ""
        table.add_row(
            _name(_WORDS[name]), f"{part.dpu_s / HOUR_S:,.4f}", amount, f"{share:.1f}%", f"{part.runs:,}", style=style
        )
    total = "not known" if period.glue_usd is None else f"${sum(told.values(), ZERO):,}"
    table.add_row(_name("together"), f"{period.dpu_s / HOUR_S:,.4f}", total, "100.0%", f"{period.runs:,}", style="bold")
    return table


def _about_parts(found: Actual) -> Iterator[str]:
    known, period = found.known, found.period
    yield f"waste: {_usd(period.waste_usd)}, {period.waste_share * 100:.1f}% of Glue's DPU seconds"
    if found.later_attempts:
        yield (
            f"{counted(found.later_attempts, 'run')} {_are(found.later_attempts)} a second or later attempt of a "
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
            f"{_it(known.unsure, 'its manifest', 'their manifests')}"
        )
    if known.unbilled:
        yield f"{counted(known.unbilled, 'run')} without DPU seconds and capacity: not in these figures"


def _services(found: Actual) -> Table:
    """By service: estimated, spent, and AWS's own bill where it was asked."""
    estimated = _estimated(found)
    spent: dict[str, Decimal | None] = {"AWS Glue": found.period.glue_usd}
    for each in found.period.services:
        so_far = spent.get(each.service, ZERO)
        spent[each.service] = None if each.usd is None or so_far is None else so_far + each.usd
    bill = None if found.bill is None else found.bill.value
    columns = ["service", "estimated", "spent"] + (["Cost Explorer"] if bill is not None else [])
    table = _table(*columns)
    names = [*dict.fromkeys((*spent, *estimated, *(bill.usd if bill is not None else ())))]
    for name in names:
        mark = " *" if any(e.is_estimated for e in found.period.services if e.service == name) else ""
        row = [_usd(estimated[name]) if name in estimated else "-", _usd(spent[name]) if name in spent else "-"]
        row += [] if bill is None else [_usd(bill.usd[name]) if name in bill.usd else "-"]
        table.add_row(_name(f"{name}{mark}"), *row)
    return table


def _estimated(found: Actual) -> Mapping[str, Decimal]:
    """Of the profile's load, for the time asked for."""
    beside = found.beside
    if beside is None:
        return {}
    days = Decimal(str((found.at - found.period.since).total_seconds())) / 86_400
    glue = beside.stated.glue_usd / beside.days * days
    return {"AWS Glue": glue, **{name: usd * days for name, usd in beside.others_a_day.items()}}


def _about_services(found: Actual) -> Iterator[str]:
    yield "estimated: for the load that the profile states; spent: at list prices, before free allowances"
    guessed = sorted({f"{each.service} {each.name}" for each in found.period.services if each.is_estimated})
    if guessed:
        yield (
            f"* CloudWatch has nothing of {', '.join(guessed)}: estimated from "
            f"{counted(found.period.files, 'file')} and the measured calls of each"
        )
    if any(each.key == "sqs.requests" and not each.is_estimated for each in found.period.services):
        yield "Amazon SQS: by CloudWatch's messages, of which a request may take ten: at most"
    if found.bill is None:
        return
    bill = found.bill.value
    if bill is None:
        yield f"Cost Explorer did not answer: {found.bill.sentence}"
        return
    what = (
        "what has the environment's tag"
        if bill.by_tag
        else "the whole account in this region, because nothing with the environment's tag was billed"
    )
    yield (
        f"Cost Explorer: {what}, {bill.from_date} until before {bill.to_date}, {bill.currency}; it is up to a day "
        f"behind; {counted(bill.requests, 'request')}, ${bill.requests * _CENT:,}"
    )


def _beside(found: Beside) -> Iterator[Text | Table]:
    from rich.text import Text

    difference = found.difference
    reasons = {reason.code: reason.usd for reason in difference.reasons}
    told = shared_out(reasons, _quantum(max(difference.estimated_usd, difference.actual_usd)))
    table = _table("why it is not what was estimated", "USD", "")
    table.columns[2].justify = "left"
    table.columns[2].no_wrap = False
    table.add_row(_name(f"estimated for {found.days:,.1f} days"), _usd(difference.estimated_usd), _text(found.source))
    for reason in difference.reasons:
        if told[reason.code]:
            table.add_row(_name(_REASONS[reason.code]), _signed(told[reason.code]), _text(reason.text))
    table.add_row(_name(f"spent since {found.since:%m-%d %H:%M}Z"), _usd(difference.actual_usd), "", style="bold")
    yield table
    if found.unknown_runs:
        yield Text(
            f"{counted(found.unknown_runs, 'run')} converted manifests that the ledger does not have: their files are "
            f"not among those that came",
            style="dim",
        )


def _warnings(found: Actual) -> Iterator[str]:
    period = found.period
    if period.unpriced:
        yield (
            f"USD are not known: the prices of {found.region} ({found.book.origin}) have none for "
            f"{', '.join(period.unpriced)}"
        )
    if not found.known.runs_whole and not any(source == "run records" for source, _ in found.refused):
        yield "Not all runs were read: there are more than can be read at once, so these figures are at least"
    if (found.at - period.since).days >= KEPT_DAYS:
        yield f"Glue keeps the records of runs for {KEPT_DAYS} days: what was before is not in these figures"


def _quantum(total: Decimal | None) -> Decimal:
    """Cents; of less than a dollar, hundredths of them."""
    return _CENT if total is None or abs(total) >= 1 else _FINE


def _usd(amount: Decimal | None) -> str:
    if amount is None:
        return "not known"
    return f"${amount.quantize(_quantum(amount)):,}" if amount else "$0.00"


def _small(amount: Decimal | None) -> str:
    """Of what may be far below a cent."""
    return "not known" if amount is None else f"${amount:,.6f}"


def _signed(amount: Decimal) -> str:
    return f"{'-' if amount < 0 else '+'}${abs(amount):,}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _it(count: int, one: str = "it", more: str = "them") -> str:
    return one if count == 1 else more


def _name(text: str) -> Text:
    from rich.text import Text

    return Text(text, style="cyan")


def _text(text: str) -> Text:
    from rich.text import Text

    return Text(one_line(text), style="dim")
