"""How a sweep's report looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ndjctl.contracts import iso_utc
from ndjctl.locks import Judged
from ndjctl.output.base import View, one_line
from ndjctl.output.locks import judged_document, named
from ndjctl.output.progress import counted
from ndjctl.output.times import lasting
from ndjctl.output.views import fact_table

if TYPE_CHECKING:
    from rich.console import RenderableType

_LISTED = 10


@dataclass(frozen=True)
class Said:
    """again, flush, break_, inspect, lift: what to type to sweep again, to take partial batches too, to break a lock
    (without its name), to see the manifests, and to let runs start that the day's budget holds. usd_per_dpu_hour: None
    where the price is not known. partial_age_s: how long partial batches wait for more files. is_flushed: whether they
    were taken now, of `date` alone if it is given."""

    again: str
    flush: str
    break_: str
    partial_age_s: float
    inspect: str
    lift: str
    usd_per_dpu_hour: float | None
    is_flushed: bool = False
    date: str | None = None


def sweep_view(
    env: str, report: Mapping[str, Any], seconds: float, said: Said, locked: Sequence[Judged] | None = ()
) -> View:
    """report: the function's own, which the document holds whole. locked: the locks that keep dates from being built,
    where files are pending; None where they may not be read."""
    document = {
        "env": env,
        **report,
        "locked": None if locked is None else [judged_document(each) for each in locked],
        "seconds": round(seconds, 3),
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        facts = fact_table()
        created, started = report.get("manifests_created", []), report.get("runs_started", [])
        repaired, failed = report.get("repaired", []), report.get("failed", [])
        facts.add_row("manifests built", Text(f"{len(created):,}"))
        for manifest_id in created[:_LISTED]:
            facts.add_row("", Text(one_line(str(manifest_id)), style="dim"))
        facts.add_row("runs started", Text(f"{len(started):,}"))
        for run in started[:_LISTED]:
            facts.add_row("", Text(one_line(f"{run['run_id']} for {run['manifest_id']}"), style="dim"))
        facts.add_row("repaired", Text(f"{len(repaired):,}"))
        for manifest_id in repaired[:_LISTED]:
            facts.add_row("", Text(one_line(str(manifest_id)), style="dim"))
        rewritten = report.get("manifests_rewritten", [])
        if rewritten:
            facts.add_row("written again", Text(counted(len(rewritten), "manifest")))
        for each in rewritten[:_LISTED]:
            facts.add_row("", Text(one_line(f"{each['manifest_id']}: {each['why']}"), style="yellow"))
        held = int(report.get("held", 0))
        facts.add_row("waiting for a run", Text(counted(int(report.get("waiting", 0)), "manifest")))
        if held:
            facts.add_row("held by the budget", Text(counted(held, "manifest")))
        facts.add_row("not finished", Text(counted(int(report.get("open", 0)), "manifest")))
        facts.add_row("pending", Text(counted(int(report.get("pending", 0)), "file")))
        lines: list[RenderableType] = [facts]
        for each in failed[:_LISTED]:
            kind = "given up" if each.get("given_up") else "failed, to be tried again"
            lines.append(Text(one_line(f"{kind}: {each['manifest_id']}: {each['error']}"), style="red"))
        if len(failed) > _LISTED:
            lines.append(Text(f"and {len(failed) - _LISTED:,} more (see --json)", style="red"))
        if held:
            lines += [Text(one_line(line), style=style) for line, style in _held(held, report.get("budget"), said)]
        if report.get("cut_short"):
            lines.append(Text(one_line(f"The time did not suffice for all of it; next: {said.again}"), style="yellow"))
        elif report.get("done"):
            lines.append(Text("Nothing is pending and nothing is open.", style="green"))
        else:
            pending = int(report.get("pending", 0))
            if pending:
                lines += [Text(one_line(line), style=style) for line, style in _left(pending, said, locked or ())]
            if (report.get("open") or not pending) and not held:
                lines.append(Text(one_line(f"next: {said.inspect}"), style="dim"))
        return Group(*lines)

    return View(document, render)


def _held(held: int, budget: Mapping[str, float] | None, said: Said) -> Iterator[tuple[str, str]]:
    """(line, style): why manifests get no run, and what gives them one."""
    who = f"{counted(held, 'manifest')} {'is' if held == 1 else 'are'}"
    if budget is None:
        yield f"{who} not started: what today's runs came to could not be read (see the function's log)", "yellow"
        return
    spent, limit = (_amount(budget[name] or 0.0, said) for name in ("spent_dpu_s", "limit_dpu_s"))
    told = f"{spent} of {limit} is spent today, and nothing is lost; runs start again at midnight UTC, or by a lift"
    yield f"{who} held by the budget: {told}", "yellow"
    yield f"next: {said.lift}", "dim"


def _amount(dpu_s: float, said: Said) -> str:
    if said.usd_per_dpu_hour is None:
        return f"{dpu_s:,.0f} DPU seconds"
    return f"${dpu_s / 3600 * said.usd_per_dpu_hour:,.2f}"


def _left(pending: int, said: Said, locked: Sequence[Judged]) -> Iterator[tuple[str, str]]:
    """(line, style): why files stay pending, and what takes them."""
    dead = [each for each in locked if each.verdict.is_dead]
    # A living builder takes a date's full batches by itself: it is in the way of a flush alone.
    in_the_way = locked if said.is_flushed else dead
    for each in in_the_way[:_LISTED]:
        yield f"{named(each.lock)} is left: {each.lock.holder} holds its lock, and {each.verdict.why}", "yellow"
    if len(in_the_way) > _LISTED:
        yield f"and {len(in_the_way) - _LISTED:,} more dates (see --json)", "yellow"
    if dead:
        yield f"next: {said.break_} {named(dead[0].lock)}", "dim"
    elif in_the_way:
        ends = [each.verdict.until for each in in_the_way if each.verdict.until is not None]
        at_the_latest = f", at the latest {iso_utc(max(ends))}" if ends else ""
        yield f"next: {said.flush}, when it is released or over{at_the_latest}", "dim"
    elif said.is_flushed:
        who = f"{counted(pending, 'file')} {'stays' if pending == 1 else 'stay'} pending"
        others = "are of other dates, " if said.date else ""
        yield f"{who}: they came meanwhile, {others}or as many manifests wait for a run as may", "dim"
    if not said.is_flushed:
        who = f"{counted(pending, 'file')} {'waits' if pending == 1 else 'wait'} for a full batch"
        when = f"the sweep takes one that is {lasting(said.partial_age_s)} old, '{said.flush}' takes it now"
        yield f"{who}: {when}", "dim"
