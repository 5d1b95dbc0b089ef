"""How a reconciliation looks."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ndjctl.output.base import View, one_line
from ndjctl.output.progress import counted
from ndjctl.output.times import lasting
from ndjctl.reconcile.check import Reconciled
from ndjctl.reconcile.findings import KINDS, DayCounts, Example, Finding, Remedy

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

SHOWN_FINDINGS = 20
"""On the console; --json has as many as are kept."""

Typed = Callable[..., str]
"""Words of a command -> what to type here, with the environment in it."""

_EXPLAINED = {
    "never seen": "in the bucket, and unknown to the ledger",
    "stuck": "waiting, with nothing at work on it",
    "missing": "the outputs hold less than the ledger says",
    "duplicated": "the outputs hold more than the ledger says",
    "changed": "not what the run wrote, whatever the counts say",
    "orphaned": "part of no output, but readers of the folder may take its rows",
    "superseded": "replaced by a newer version after it was converted",
}


def reconciled_view(result: Reconciled, env: str, seconds: float, partial_age_s: float, typed: Typed) -> View:
    """partial_age_s: how long a partial batch waits for more files."""
    days = {date: day for date, day in sorted(result.findings.days.items()) if _is_anything(day)}
    totals = _total(days.values())
    document = {
        "env": env,
        "ok": result.ok,
        "dates": [{"date": date or None, **_day_document(day)} for date, day in days.items()],
        "totals": _day_document(totals),
        "findings_total": result.findings.total,
        "findings": [_finding_document(finding, typed) for finding in result.findings.kept],
        "findings_not_listed": result.findings.not_kept,
        "failed": [
            {"date": date, "files": day.failed, "remedy": typed("redrive", "failed", "--date", date)}
            | {"examples": _examples(day.failed_examples)}
            for date, day in days.items()
            if day.failed
        ],
        "dates_asked_for": list(result.scope.dates),
        "grace_s": result.grace_s,
        "messages_waiting": result.messages_waiting,
        "dead_letters": result.dead_letters,
        "seconds": round(seconds, 3),
    }
    return View(document, lambda: _screen(result, days, totals, partial_age_s, typed))


def _is_anything(day: DayCounts) -> bool:
    return bool(day.files or day.parts or day.open_manifests or day.found)


def _total(days: Any) -> DayCounts:
    total = DayCounts()
    for day in days:
        for name in _COUNTS:
            setattr(total, name, getattr(total, name) + getattr(day, name))
        total.found.update(day.found)
    return total


_COUNTS = (
    "files",
    "completed",
    "quarantined",
    "failed",
    "in_flight",
    "waiting",
    "by_report",
    "lines",
    "rows",
    "bad_lines",
    "moving_rows",
    "moving_bad_lines",
    "purged_lines",
    "purged_files",
    "open_manifests",
    "parts",
    "parts_as_written",
)


_MEMBERS = {
    "waiting": "waiting_for_a_batch",
    "moving_rows": "rows_on_the_way",
    "moving_bad_lines": "bad_lines_on_the_way",
}
"""Counts that a document calls otherwise."""


def _day_document(day: DayCounts) -> dict[str, Any]:
    counts: dict[str, Any] = {_MEMBERS.get(name, name): getattr(day, name) for name in _COUNTS}
    return counts | {"findings": {kind.replace(" ", "_"): day.found[kind] for kind in KINDS}}


def _finding_document(finding: Finding, typed: Typed) -> dict[str, Any]:
    return {
        "kind": finding.kind.replace(" ", "_"),
        "date": finding.date or None,
        "count": finding.count,
        "unit": finding.unit,
        "remedy": _remedy(finding.remedy, typed),
        "first": finding.remedy.hint if finding.remedy.words else None,
        "then": typed(*finding.remedy.then) if finding.remedy.then else None,
        "otherwise": typed(*finding.remedy.otherwise) if finding.remedy.otherwise else None,
        "examples": _examples(finding.examples),
    }


def _examples(examples: Sequence[Example]) -> list[dict[str, str]]:
    return [{"subject": example.subject, "why": example.why} for example in examples]


def _remedy(remedy: Remedy, typed: Typed) -> str:
    if remedy.words:
        return typed(*remedy.words)
    return shlex.join(remedy.other) or remedy.hint


def _screen(
    result: Reconciled, days: dict[str, DayCounts], totals: DayCounts, partial_age_s: float, typed: Typed
) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    blocks: list[RenderableType] = []
    if days:
        blocks.append(_table(days, totals))
    kept = result.findings.kept
    for finding in kept[:SHOWN_FINDINGS]:
        blocks += _told(finding, typed)
    more = len(kept) - SHOWN_FINDINGS + result.findings.not_kept
    if more > 0:
        blocks.append(Text(f"and {more:,} more of this kind of list (see --json, or take one date: --date)"))
    for date, day in days.items():
        if day.failed:
            remedy = typed("redrive", "failed", "--date", date)
            blocks.append(Text(f"failed  {counted(day.failed, 'file')} of {date}, at rest; again: {remedy}"))
            blocks += _listed(day.failed_examples, day.failed)
    if result.dead_letters:
        letters = counted(result.dead_letters, "message")
        blocks.append(Text(f"dead letters  {letters} that the function could not take: {typed('redrive', 'dlq')}"))
    if result.messages_waiting and not result.ok:
        waiting = counted(result.messages_waiting, "message")
        blocks.append(
            Text(f"note: {waiting} still in the queue of events; what they announce is not in the ledger yet")
        )
    blocks.append(_verdict(result, totals))
    if totals.waiting:
        who = f"{counted(totals.waiting, 'file')} {'waits' if totals.waiting == 1 else 'wait'} for a batch"
        when = f"the sweep takes one that is {lasting(partial_age_s)} old, '{typed('sweep', '--flush')}' takes it now"
        blocks.append(Text(one_line(f"next: {who}; {when}"), style="dim"))
    return Group(*blocks)


def _table(days: dict[str, DayCounts], totals: DayCounts) -> Table:
    from rich.table import Table
    from rich.text import Text

    names = {
        "files": "files",
        "completed": "completed",
        "quarantined": "quarantined",
        "failed": "failed",
        "in_flight": "in flight",
        "by_report": "by report",
        "lines": "lines",
        "rows": "rows",
        "bad_lines": "bad lines",
        "moving_rows": "rows on the way",
        "moving_bad_lines": "bad lines on the way",
        "purged_lines": "purged lines",
        "purged_files": "purged files",
        "open_manifests": "open manifests",
    }
    # A column of nothing but zeros tells nothing; the ones that everybody looks for stay.
    always = ("files", "completed", "lines", "rows")
    shown = [name for name in names if name in always or getattr(totals, name)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("date", no_wrap=True)
    for name in shown:
        table.add_column(names[name], justify="right")
    table.add_column("findings", overflow="fold")
    for date, day in days.items():
        found = ", ".join(f"{day.found[kind]:,} {kind}" for kind in KINDS if day.found[kind])
        verdict = Text(found, style="red") if found else Text("none", style="green")
        table.add_row(Text(_named(date)), *(f"{getattr(day, name):,}" for name in shown), verdict)
    return table


def _named(date: str) -> str:
    return date or "no date"


def _told(finding: Finding, typed: Typed) -> list[RenderableType]:
    from rich.text import Text

    head = f"{finding.kind.upper()}  {counted(finding.count, finding.unit)} of {_named(finding.date)}: "
    return [
        Text(head + _EXPLAINED[finding.kind], style="bold red"),
        *_listed(finding.examples, finding.count),
        *(Text(one_line(f"  {name}: {what}"), style="bold") for name, what in _steps(finding.remedy, typed)),
    ]


def _steps(remedy: Remedy, typed: Typed) -> list[tuple[str, str]]:
    """What to do, in this order."""
    steps = [("mend", _remedy(remedy, typed))]
    if remedy.hint and remedy.words:
        steps.insert(0, ("first", remedy.hint))
    if remedy.then:
        # A run of what goes first may have to read the parts that are written again then.
        steps.append(("then, at once" if remedy.words else "then", typed(*remedy.then)))
    if remedy.otherwise:
        steps.append(("or, to give up all rows of the files that are gone", typed(*remedy.otherwise)))
    return steps


def _listed(examples: Sequence[Example], count: int) -> list[RenderableType]:
    from rich.text import Text

    lines: list[RenderableType] = [Text(one_line(f"  {example.subject}: {example.why}")) for example in examples]
    # What is wrong with one thing may take several lines.
    more = count - len({example.subject for example in examples})
    if more > 0:
        lines.append(Text(f"  and {more:,} more", style="dim"))
    return lines


def _unchanged(totals: DayCounts) -> str:
    """Of the parts, and nothing where no report says what any of them was."""
    known, parts = totals.parts_as_written, totals.parts
    if not known:
        return ""
    if known == parts:
        return ", unchanged since its run wrote it" if parts == 1 else ", none changed since its run wrote it"
    are, others = ("is", "are")[known > 1], parts - known
    return f", {known:,} of which {are} as written; whether {others:,} changed, no report says"


def _verdict(result: Reconciled, totals: DayCounts) -> RenderableType:
    from rich.text import Text

    if not result.ok:
        kinds = ", ".join(f"{totals.found[kind]:,} {kind}" for kind in KINDS if totals.found[kind])
        return Text(f"NOT PROVEN  {kinds}", style="bold red")
    first, last = result.scope.dates[0], result.scope.dates[-1]
    when = first if first == last else f"{first} to {last}"
    if not totals.files and not totals.parts and not totals.open_manifests:
        return Text(f"Nothing is there of {when}: no file, no output.")
    at_rest = totals.completed + totals.quarantined + totals.failed + totals.by_report
    sum_text = f"{counted(totals.lines, 'line')} = {counted(totals.rows, 'row')} + {totals.bad_lines:,} quarantined"
    if totals.purged_lines:
        sum_text += f" + {totals.purged_lines:,} purged"
    counts = f"{sum_text}, counted in {counted(totals.parts, 'part')}{_unchanged(totals)}"
    if totals.purged_files:
        counts += f"; the copies of {counted(totals.purged_files, 'quarantined file')} were purged"
    if totals.moving_rows:
        counts += f"; {counted(totals.moving_rows, 'row')} more of files on the way, or of their older versions"
    if totals.open_manifests:
        counts += f"; nothing of {counted(totals.open_manifests, 'manifest')} that a run may still write"
    if result.in_flight or totals.open_manifests:
        text = f"IN ORDER SO FAR  {counted(totals.in_flight, 'file')} on the way, {at_rest:,} at rest: {counts}"
        return Text(text, style="bold yellow")
    return Text(
        f"PROVEN  {counted(at_rest, 'file')} at rest, nothing lost, nothing twice: {counts}", style="bold green"
    )
