"""How a redrive looks: what would be done and what it comes to, and what was done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ndjctl.estimate import BASIS, Estimate
from ndjctl.output.base import View, one_line
from ndjctl.output.progress import counted, size
from ndjctl.output.views import fact_table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from ndjctl.redrive.choice import Reasons
    from ndjctl.redrive.dlq import DlqOutcome, DlqPreview
    from ndjctl.redrive.manifest import Reopening
    from ndjctl.redrive.messages import Letter
    from ndjctl.redrive.moves import Moved
    from ndjctl.redrive.work import Candidate, Outcome, Preview

LISTED = 10
"""Of a kind that the console names; --json has more."""


def files_view(kind: str, seen: Preview, done: Outcome | None, cost: Estimate, sweep: str) -> View:
    """kind: failed, stuck or superseded. sweep: what to type for what comes next."""
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
        "next": sweep,
    }

    def render() -> RenderableType:
        return _seen_files(kind, seen, cost, sweep) if done is None else _done_files(done, sweep)

    return View(document, render)


def _candidate(each: Candidate) -> dict[str, Any]:
    entry = each.entry
    return {
        "date": entry.date,
        "key": entry.key,
        "bytes": entry.size_bytes,
        "reason": each.why,
        "manifest_id": entry.manifest_id or None,
    }


def _left(each: Moved) -> dict[str, Any]:
    return {"date": each.entry.date or None, "key": each.entry.key, "what": each.what, "reason": each.why}


def _seen_files(kind: str, seen: Preview, cost: Estimate, sweep: str) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    lines: list[RenderableType] = _refused(seen.refused)
    if not seen.files:
        lines.append(Text(f"No {kind} file is to be moved.", style="green"))
    else:
        facts = fact_table()
        facts.add_row(f"{kind} files", f"{seen.files:,}")
        facts.add_row("bytes", size(seen.size_bytes))
        add_cost(facts, cost)
        lines += [facts, *_reasons(seen.reasons, seen.files)]
        for each in seen.examples[:LISTED]:
            lines.append(Text(one_line(f"  {each.entry.date}  {each.entry.key}  {each.why}"), style="dim"))
        if seen.files > LISTED:
            lines.append(Text(f"  and {seen.files - min(LISTED, len(seen.examples)):,} more", style="dim"))
    if seen.waiting:
        lines.append(
            Text(
                f"{counted(seen.waiting, 'file')} more wait for an open manifest, which '{sweep}' sees to", style="dim"
            )
        )
    return Group(*lines)


def _done_files(done: Outcome, sweep: str) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    lines: list[RenderableType] = _refused(done.left)
    lines.append(Text(f"{counted(done.moved, 'file')} ({size(done.size_bytes)}) pending again", style="bold green"))
    if done.moved:
        lines.append(_next(f"the next sweep makes manifests of them; '{sweep}' does it now"))
    return Group(*lines)


def _refused(left: Sequence[Moved]) -> list[RenderableType]:
    from rich.text import Text

    lines: list[RenderableType] = [
        Text(one_line(f"{each.what}: {each.entry.key}: {each.why}"), style="yellow") for each in left[:LISTED]
    ]
    if len(left) > LISTED:
        lines.append(Text(f"and {len(left) - LISTED:,} more (see --json)", style="yellow"))
    return lines


def dlq_view(seen: DlqPreview, done: DlqOutcome | None, cost: Estimate, sweep: str) -> View:
    garbage = done.garbage if done else seen.garbage
    document = {
        "kind": "dlq",
        "messages": seen.messages,
        "messages_seen": seen.seen,
        "messages_chosen": seen.chosen,
        "approximate": True,
        "files": seen.files,
        "bytes": seen.size_bytes,
        "estimate": cost.to_dict(),
        "reasons": dict(seen.reasons.counts.most_common()),
        "examples": [_letter(each) for each in seen.examples],
        "not_events": [_letter(each) for each in garbage],
        "done": done is not None,
        "moved": done.messages if done else 0,
        "moved_files": done.files if done else 0,
        "moved_bytes": done.size_bytes if done else 0,
        "left_in_both": done.twice if done else 0,
        "left": [{**_letter(letter), "error": why} for letter, why in done.refused] if done else [],
        "next": sweep,
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        lines: list[RenderableType] = []
        if done is not None:
            lines += [_letter_line(letter, f"not taken: {why}", "red") for letter, why in done.refused[:LISTED]]
            told = f"{counted(done.messages, 'message')} ({counted(done.files, 'file')}, {size(done.size_bytes)})"
            lines.append(Text(f"{told} sent back to the queue", style="bold green"))
            if done.twice:
                lines.append(Text(f"{done.twice:,} of them are still here too, which does no harm", style="yellow"))
            if done.messages:
                lines.append(_next(f"the function enters them, the next sweep makes manifests; '{sweep}' does it now"))
            return Group(*lines)
        lines += [_letter_line(each, f"stays: {each.why}", "yellow") for each in garbage[:LISTED]]
        if len(garbage) > LISTED:
            lines.append(Text(f"stays: and {len(garbage) - LISTED:,} more (see --json)", style="yellow"))
        facts = fact_table()
        facts.add_row("messages", f"about {seen.messages:,} in the dead-letter queue, {seen.seen:,} looked at")
        facts.add_row("to be sent", f"{counted(seen.chosen, 'message')} about {counted(seen.files, 'file')}")
        if seen.chosen:
            facts.add_row("bytes", size(seen.size_bytes))
            add_cost(facts, cost)
        lines += [facts, *_reasons(seen.reasons, seen.chosen)]
        lines += [_letter_line(each, each.why, "dim") for each in seen.examples[:LISTED]]
        return Group(*lines)

    return View(document, render)


def _letter(each: Letter) -> dict[str, Any]:
    return {
        "message_id": each.message_id,
        "reason": each.why,
        "receives": each.receives,
        "objects": [
            {"date": found.date, "key": found.key, "bytes": found.size_bytes, "etag": found.etag or None}
            for found in each.objects
        ],
        "begins": each.begins or None,
    }


def _letter_line(each: Letter, told: str, style: str) -> Text:
    from rich.text import Text

    what = ", ".join(found.key for found in each.objects) or repr(each.begins[:60])
    return Text(one_line(f"  {what}  {told}"), style=style)


def manifest_view(found: Reopening, is_done: bool, cost: Estimate, sweep: str) -> View:
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
        "done": is_done,
        "next": sweep,
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
            return Group(done, _next(f"the next sweep starts it; '{sweep}' does it now"))
        facts = fact_table()
        facts.add_row("manifest", f"{found.manifest_id} of {found.date}")
        facts.add_row("files", f"{len(found.included):,}")
        facts.add_row("bytes", size(found.size_bytes))
        add_cost(facts, cost)
        lines: list[RenderableType] = [facts]
        for key, why in found.left_out[:LISTED]:
            lines.append(Text(one_line(f"  left out: {key}: {why}"), style="yellow"))
        if len(found.left_out) > LISTED:
            lines.append(Text(f"  left out: and {len(found.left_out) - LISTED:,} more (see --json)", style="yellow"))
        return Group(*lines)

    return View(document, render)


def add_cost(facts: Table, cost: Estimate) -> None:
    """What it comes to on AWS, to a table of facts."""
    facts.add_row("about", f"{_minutes(cost.seconds)}, {counted(cost.manifests, 'run')}, ${cost.cost_usd:,.2f} on AWS")
    facts.add_row("", BASIS)


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3_600:.1f} h"


def _reasons(reasons: Reasons, total: int) -> list[RenderableType]:
    from rich.text import Text

    counts = reasons.counts.most_common(LISTED)
    if len(reasons.counts) <= 1 and total <= 1:
        return []
    lines: list[RenderableType] = [Text(one_line(f"{count:,} x {reason}"), style="yellow") for reason, count in counts]
    if len(reasons.counts) > LISTED:
        lines.append(Text(f"and {len(reasons.counts) - LISTED:,} reasons more (see --json)", style="yellow"))
    return lines


def _next(text: str) -> Text:
    from rich.text import Text

    return Text(f"next: {text}", style="dim")
