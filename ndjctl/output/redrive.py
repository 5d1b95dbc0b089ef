"""How a redrive looks: what would be done and what it comes to, and what was done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ndjctl.estimate import Estimate
from ndjctl.output.base import View, one_line
from ndjctl.output.progress import counted, size
from ndjctl.output.views import fact_table
from ndjctl.plain import dollars
from ndjctl.redrive.choice import reason_alone

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from ndjctl.redrive.choice import Reasons
    from ndjctl.redrive.manifest import Included, Reopening
    from ndjctl.redrive.moves import Moved
    from ndjctl.redrive.work import Candidate, Outcome, Preview

LISTED = 10
"""Of a kind that the console names; --json has more."""


def files_view(
    kind: str, seen: Preview, done: Outcome | None, cost: Estimate, typed: Callable[..., str], next_: str | None
) -> View:
    """kind: failed, stuck or superseded. typed: a command as it has to be typed, of its words. next_: what to type now,
    if anything."""
    document = {
        "kind": kind,
        "files": seen.files,
        "bytes": seen.size_bytes,
        "estimate": cost.to_dict(),
        "reasons": dict(seen.reasons.counts.most_common()),
        "examples": [_candidate(each) for each in seen.examples],
        "refused": [_left(each) for each in seen.refused],
        "in_open_manifests": seen.waiting,
        "done": done is not None,
        "moved": done.moved if done else 0,
        "moved_bytes": done.size_bytes if done else 0,
        "left": [_left(each) for each in done.left] if done else [],
        "next": next_,
    }

    def render() -> RenderableType:
        return (
            _seen_files(kind, seen, cost, typed("sweep"), next_)
            if done is None
            else _done_files(done, typed("sweep", "--flush"))
        )

    return View(document, render)


def _candidate(each: Candidate) -> dict[str, Any]:
    entry = each.entry
    return {
        "date": entry.date,
        "key": entry.key,
        "bytes": each.size_bytes,
        "reason": each.why,
        "manifest_id": entry.manifest_id or None,
    }


def _left(each: Moved) -> dict[str, Any]:
    return {"date": each.entry.date or None, "key": each.entry.key, "what": each.what, "reason": each.why}


def _seen_files(kind: str, seen: Preview, cost: Estimate, sweep: str, next_: str | None) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    lines: list[RenderableType] = _refused(seen.refused)
    if not seen.files and not seen.refused:
        lines.append(Text(f"No {kind} file is to be moved.", style="green"))
    elif seen.files:
        facts = fact_table()
        facts.add_row(f"{kind} files", f"{seen.files:,}")
        facts.add_row("bytes", size(seen.size_bytes))
        add_cost(facts, cost)
        lines += [facts, *told_reasons(seen.reasons, seen.files)]
        for each in seen.examples[:LISTED]:
            why = reason_alone(each.why, each.entry.key)
            lines.append(Text(one_line(f"  {each.entry.date}  {each.entry.key}  {why}"), style="dim"))
        if seen.files > LISTED:
            lines.append(Text(f"  and {seen.files - min(LISTED, len(seen.examples)):,} more", style="dim"))
    if seen.waiting:
        wait = "waits" if seen.waiting == 1 else "wait"
        who = f"{counted(seen.waiting, 'more file')} {wait} for an open manifest"
        lines.append(Text(one_line(f"{who}, which '{sweep}' sees to"), style="dim"))
    if next_:
        lines.append(told_next(next_))
    return Group(*lines)


def _done_files(done: Outcome, flush: str) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    lines: list[RenderableType] = _refused(done.left)
    lines.append(Text(f"{counted(done.moved, 'file')} ({size(done.size_bytes)}) pending again", style="bold green"))
    if done.moved:
        lines.append(told_entered(flush))
    return Group(*lines)


def _refused(left: Sequence[Moved]) -> list[RenderableType]:
    from rich.text import Text

    lines: list[RenderableType] = [
        Text(one_line(f"{each.what}: {each.entry.key}: {reason_alone(each.why, each.entry.key)}"), style="yellow")
        for each in left[:LISTED]
    ]
    if len(left) > LISTED:
        lines.append(Text(f"and {len(left) - LISTED:,} more (see --json)", style="yellow"))
    return lines


def _given_up(each: Included) -> str:
    rows = "its rows" if each.rows is None else f"its {counted(each.rows, 'row')}, of the converted version,"
    return f"{rows} will be gone, those that can be read today too"


def manifest_view(found: Reopening, is_done: bool, cost: Estimate, sweep: str, next_: str | None) -> View:
    document = {
        "kind": "manifest",
        "manifest_id": found.manifest_id,
        "date": found.date,
        "already_open": found.is_open,
        "state": found.state or None,
        "files": len(found.included),
        "bytes": found.size_bytes,
        "estimate": cost.to_dict(),
        "left_out": [{"key": key, "reason": why} for key, why in found.left_out],
        "object_fault": found.fault or None,
        "given_up": [{"key": each.file.key, "rows": each.rows} for each in found.given_up],
        "done": is_done,
        "next": next_,
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        if found.is_open:
            return Text(
                f"manifest {found.manifest_id} is open (state {found.state}): its Parquet is written anyway",
                style="green",
            )
        if is_done:
            done = Text(f"manifest {found.manifest_id} is open again, ready for a run", style="bold green")
            return Group(done, told_next(f"the next sweep starts it; '{sweep}' does it now"))
        facts = fact_table()
        facts.add_row("manifest", f"{found.manifest_id} of {found.date}")
        facts.add_row("files", f"{len(found.included):,}")
        facts.add_row("bytes", size(found.size_bytes))
        add_cost(facts, cost)
        lines: list[RenderableType] = [facts]
        if found.fault:
            told = f"its object is {found.fault}: it is written again first, from the ledger"
            lines.append(Text(one_line(told), style="yellow"))
        for each in found.given_up[:LISTED]:
            told = f"  given up: {each.file.key}: its object is gone; {_given_up(each)}"
            lines.append(Text(one_line(told), style="red"))
        if len(found.given_up) > LISTED:
            lines.append(Text(f"  given up: and {len(found.given_up) - LISTED:,} more (see --json)", style="red"))
        for key, why in found.left_out[:LISTED]:
            lines.append(Text(one_line(f"  left out: {key}: {why}"), style="yellow"))
        if len(found.left_out) > LISTED:
            lines.append(Text(f"  left out: and {len(found.left_out) - LISTED:,} more (see --json)", style="yellow"))
        if next_:
            lines.append(told_next(next_))
        return Group(*lines)

    return View(document, render)


def add_cost(facts: Table, cost: Estimate) -> None:
    """What it comes to on AWS, to a table of facts."""
    usd = "a cost that is not known" if cost.cost_usd is None else dollars(cost.cost_usd)
    facts.add_row("about", f"{_minutes(cost.seconds)}, {counted(cost.manifests, 'run')}, {usd} on AWS")
    facts.add_row("", cost.basis)


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3_600:.1f} h"


def told_reasons(reasons: Reasons, total: int) -> list[RenderableType]:
    from rich.text import Text

    counts = reasons.counts.most_common(LISTED)
    if len(reasons.counts) <= 1 and total <= 1:
        return []
    lines: list[RenderableType] = [Text(one_line(f"{count:,} x {reason}"), style="yellow") for reason, count in counts]
    if len(reasons.counts) > LISTED:
        lines.append(Text(f"and {len(reasons.counts) - LISTED:,} reasons more (see --json)", style="yellow"))
    return lines


def told_entered(flush: str, before: str = "") -> Text:
    """Of files that are pending. flush: what to type for a sweep that takes partial batches too: others leave them
    until they are batching.max_partial_age_s old. before: what happens first."""
    told = "sweeps make manifests of them, of a partial batch when it is old enough"
    return told_next(f"{before}{told}; '{flush}' does it now")


def told_next(text: str) -> Text:
    from rich.text import Text

    return Text(one_line(f"next: {text}"), style="dim")
