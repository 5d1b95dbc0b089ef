"""How an estimate looks: the largest line first, three cases, what the largest is and what would make it less."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ndjctl.cost.advice import hint_for
from ndjctl.cost.estimate import CASES, Case, Estimate
from ndjctl.cost.line import Line
from ndjctl.cost.usage import Usage
from ndjctl.output.base import View, one_line
from ndjctl.output.cost_explained import explained, line_document
from ndjctl.output.money import dollars, exact
from ndjctl.output.progress import counted, volume
from ndjctl.output.times import lasting

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def estimate_view(env: str, found: Estimate, remarks: Sequence[str], warnings: Sequence[str], *, explain: bool) -> View:
    """remarks: what could not be asked. warnings: for the document; who sees the screen has them from stderr."""
    return View(_document(env, found, (*warnings, *remarks)), lambda: _screen(found, remarks, explain=explain))


def label(line: Line) -> str:
    return f"{line.service.removeprefix('Amazon ').removeprefix('AWS ')} {line.name}"


def _document(env: str, found: Estimate, remarks: Sequence[str]) -> dict[str, Any]:
    used = found.expected.usage
    oldest = found.book.oldest
    return {
        "env": env,
        "region": found.book.region,
        "prices": {"origin": found.book.origin, "oldest": None if oldest is None else oldest.isoformat()},
        "free_allowances_deducted": found.deducts_free,
        "days_of_a_month": 30,
        "load": {
            "files_per_day": exact(used.files),
            "file_bytes": exact(used.file_bytes),
            "bytes_per_day": exact(used.input_bytes),
            "manifests_per_day": exact(used.manifests),
            "parquet_bytes_per_day": exact(used.output_bytes),
        },
        "rate_source": found.rates.source,
        "cases": {name: _case_document(found.case(name)) for name in CASES},
        "complete": not found.expected.missing,
        "hint": hint_for(found),
        "remarks": [*remarks, *_remarks(found)],
    }


def _case_document(case: Case) -> dict[str, Any]:
    used = case.usage
    return {
        "rate": {"mb_per_s_per_vcpu": round(case.rate.mb_per_s_per_vcpu, 4), "source": case.rate.source},
        "run": {
            "seconds": exact(used.run_s),
            "start_s": exact(used.start_s),
            "billed_s": exact(used.billed_s),
            "dpus": exact(used.dpus),
            "used_share": exact(used.used_share),
        },
        "dpu_hours_per_day": exact(used.dpu_hours),
        "usd_per_day": exact(case.usd_per_day),
        "usd_per_month": exact(case.usd_per_month),
        "usd_per_tb": exact(case.usd_per_tb),
        "usd_per_million_files": exact(case.usd_per_million_files),
        "lines": [line_document(line) for line in _largest_first(case.lines)],
        "missing": [
            {
                "key": each.key,
                "service": each.service,
                "name": each.name,
                "quantity": exact(each.quantity),
                "unit": each.unit,
            }
            for each in case.missing
        ],
    }


def _largest_first(lines: Sequence[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: -line.usd_per_month)


def _screen(found: Estimate, remarks: Sequence[str], *, explain: bool) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    used = found.expected.usage
    head = (
        f"{counted(int(used.files), 'file')} of {volume(float(used.file_bytes))} a day, "
        f"{volume(float(used.input_bytes))}; {_runs(used)}"
    )
    lines = _largest_first(found.expected.lines)
    blocks: list[RenderableType] = [Text(one_line(head), style="bold")]
    if explain:
        blocks += [explained(label(line), line) for line in lines]
    else:
        blocks.append(_lines(found, [line for line in lines if line.usd_per_month]))
        free = [label(line) for line in lines if not line.usd_per_month]
        if free:
            blocks.append(Text(one_line(f"nothing, or within what is free: {', '.join(free)}"), style="dim"))
    blocks.append(_totals(found))
    hint = hint_for(found)
    if hint:
        blocks.append(Text(one_line(hint), style="bold"))
    blocks += [Text(one_line(each), style="yellow") for each in _remarks(found)]
    blocks += [Text(one_line(each), style="dim") for each in (*remarks, *_basis(found))]
    return Group(*blocks)


def _runs(used: Usage) -> str:
    """Of a day, in words; what a run takes only where there is one."""
    if not used.manifests:
        return "no runs"
    runs, dpus = "run" if used.manifests == 1 else "runs", "DPU" if used.dpus == 1 else "DPUs"
    return f"{_number(used.manifests)} {runs} of {lasting(float(used.run_s))}, {_number(used.dpus)} {dpus}"


def _lines(found: Estimate, lines: Sequence[Line]) -> Table:
    from rich.text import Text

    table = _table("a day", "low", "expected", "high", "expected month")
    for line in lines:
        cells = []
        for name in CASES:
            same = [each for each in found.case(name).lines if (each.service, each.name) == (line.service, line.name)]
            cells.append(dollars(same[0].usd_per_day) if same else "$0")
        table.add_row(Text(one_line(label(line)), style="cyan"), *cells, dollars(line.usd_per_month))
    return table


def _totals(found: Estimate) -> Table:
    from rich.text import Text

    table = _table("total", "low", "expected", "high")
    for name, field in (
        ("a day", "usd_per_day"),
        ("a month", "usd_per_month"),
        ("a TB of input", "usd_per_tb"),
        ("a million files", "usd_per_million_files"),
    ):
        values: list[Decimal | None] = [getattr(found.case(case), field) for case in CASES]
        if all(value is not None for value in values):
            table.add_row(Text(name, style="cyan"), *(dollars(value) for value in values if value is not None))
    return table


def _table(first: str, *others: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold", min_width=26)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True, min_width=11)
    return table


def _remarks(found: Estimate) -> list[str]:
    remarks = []
    missing = found.expected.missing
    if missing:
        names = ", ".join(sorted({each.key for each in missing}))
        remarks.append(f"NOT IN THE TOTAL, because {found.book.region} has no price here for it: {names}")
    timeout_s = found.profile.job.timeout_min * 60
    if found.expected.usage.run_s > timeout_s:
        remarks.append(
            f"a run takes longer than job.timeout_min ({found.profile.job.timeout_min}) lets it: it would never end; "
            f"raise job.workers, or lower batching.max_files_per_manifest"
        )
    return remarks


def _basis(found: Estimate) -> list[str]:
    oldest = found.book.oldest
    dated = "" if oldest is None else f", the oldest of {oldest.isoformat()}"
    free = "free allowances of an account are taken off" if found.deducts_free else "no free allowance is taken off"
    rate = "a run's time as given" if found.given.run_s is not None else f"rate: {found.rates.source}"
    cost = found.profile.cost
    kept = [
        f"{what} of {int(days)} days{' (assumed)' if given is None else ''}"
        for what, days, given in (
            ("input", found.expected.usage.input_days, cost.input_kept_days),
            ("Parquet", found.expected.usage.output_days, cost.output_kept_days),
        )
    ]
    return [
        rate,
        f"kept: {', '.join(kept)}; set cost.input_kept_days and cost.output_kept_days",
        f"prices of {found.book.region} ({found.book.origin}{dated}); a month is 30 days; {free}",
    ]


def _number(value: Decimal) -> str:
    return f"{value:,.0f}" if value == value.to_integral_value() or value >= 100 else f"{value:,.1f}"
