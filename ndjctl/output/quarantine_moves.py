"""How releases and purges look: what would be done, and what was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ndjctl.contracts import COMPLETED, MALFORMED, PENDING
from ndjctl.estimate import Estimate
from ndjctl.output.base import View, one_line
from ndjctl.output.progress import counted, size
from ndjctl.output.redrive import LISTED, add_cost, told_entered, told_next, told_reasons
from ndjctl.output.shell import typeable
from ndjctl.output.views import fact_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ndjctl.quarantine.mended import MendedOutcome
    from ndjctl.quarantine.mended_file import MendedFile
    from ndjctl.quarantine.purge import PurgeOutcome
    from ndjctl.quarantine.purge_look import PurgePreview
    from ndjctl.redrive.moves import Moved
    from ndjctl.redrive.work import Candidate, Outcome, Preview

EXCEPTION = "the size rule is ignored, once and for the version that is there now"


def release_view(
    seen: Preview, refused: int, done: Outcome | None, is_exception: bool, cost: Estimate, flush: str, next_: str | None
) -> View:
    """refused: files that were not chosen for a reason of their own. is_exception: to the size rule."""
    left = done.left if done is not None else []
    document = {
        "kind": "release",
        "files": seen.files,
        "bytes": seen.size_bytes,
        "size_rule_ignored": is_exception,
        "estimate": cost.to_dict(),
        "reasons": dict(seen.reasons.counts.most_common()),
        "examples": [_candidate(each) for each in seen.examples],
        "refused_count": refused,
        "refused": [_moved(each) for each in seen.refused],
        "done": done is not None,
        "moved": done.moved if done else 0,
        "moved_bytes": done.size_bytes if done else 0,
        "left": [_moved(each) for each in left],
        "next": next_,
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        lines: list[RenderableType] = _told(left if done else seen.refused, len(left) if done else refused)
        if done is not None:
            told = f"{counted(done.moved, 'file')} ({size(done.size_bytes)}) released: pending again"
            lines.append(Text(told, style="bold green"))
            if done.moved:
                lines.append(told_entered(flush))
            return Group(*lines)
        if not seen.files:
            lines.append(Text("No quarantined file is to be released.", style="green" if not refused else "yellow"))
        else:
            facts = fact_table()
            facts.add_row("quarantined files", f"{seen.files:,}")
            facts.add_row("bytes", size(seen.size_bytes))
            add_cost(facts, cost)
            lines += [facts, *told_reasons(seen.reasons, seen.files)]
            for each in seen.examples[:LISTED]:
                lines.append(Text(one_line(f"  {each.entry.date}  {each.entry.key}  {each.why}"), style="dim"))
            if seen.files > LISTED:
                lines.append(Text(f"  and {seen.files - min(LISTED, len(seen.examples)):,} more", style="dim"))
            if is_exception:
                lines.append(Text(EXCEPTION, style="yellow"))
        if next_:
            lines.append(told_next(typeable(next_)))
        return Group(*lines)

    return View(document, render)


def _candidate(each: Candidate) -> dict[str, Any]:
    return {"date": each.entry.date, "key": each.entry.key, "bytes": each.size_bytes, "reason": each.why}


def _moved(each: Moved) -> dict[str, Any]:
    return {"date": each.entry.date or None, "key": each.entry.key, "what": each.what, "reason": each.why}


def _told(moved: Sequence[Moved], count: int) -> list[RenderableType]:
    from rich.text import Text

    lines: list[RenderableType] = [
        Text(one_line(f"{each.what}: {each.entry.key}: {each.why}"), style="yellow") for each in moved[:LISTED]
    ]
    if count > LISTED:
        lines.append(Text(f"and {count - LISTED:,} more (see --json)", style="yellow"))
    return lines


def mended_view(file: MendedFile, shown: str, done: MendedOutcome | None, flush: str, next_: str | None) -> View:
    """shown: the file's name."""
    if done is not None and done.status == COMPLETED:
        next_ = None
    document = {
        "kind": "release_mended",
        "file": shown,
        "lines": file.lines,
        "bytes": file.size_bytes,
        "sha256": file.digest,
        "lines_known": file.marked,
        "lines_staying": file.staying,
        "done": done is not None,
        "key": done.key if done else None,
        "date": done.date if done else None,
        "entered": done.entered if done else None,
        "status": done.status if done else None,
        "marked": done.marked if done else 0,
        "marked_before": done.marked_before if done else 0,
        "next": next_,
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        lines: list[RenderableType] = []
        if done is None:
            facts = fact_table()
            facts.add_row("mended lines", f"{file.lines:,}, all of them records")
            facts.add_row("bytes", size(file.size_bytes))
            facts.add_row("quarantined", Text(_marks(file)))
            lines.append(facts)
        else:
            told = f"{done.key} ({counted(file.lines, 'line')}): {done.entered}, now {done.status}"
            lines.append(Text(one_line(told), style="bold green"))
            if done.marked:
                lines.append(Text(f"{counted(done.marked, 'quarantined line')} marked as released"))
            if done.marked_before:
                told = counted(done.marked_before, "quarantined line")
                lines.append(Text(f"marked as released before, and not again: {told}"))
            if done.status == PENDING:
                lines.append(told_entered(flush))
                return Group(*lines)
        if next_:
            lines.append(told_next(typeable(next_)))
        return Group(*lines)

    return View(document, render)


def _marks(file: MendedFile) -> str:
    if file.marked is None:
        return "nobody knows which lines these were (no .origin file beside it): none is marked as released"
    staying = f", {file.staying:,} stay (empty here)" if file.staying else ""
    return f"{file.marked:,} will be marked as released{staying}"


def purge_view(seen: PurgePreview, done: PurgeOutcome | None, next_: str | None) -> View:
    rows = sorted(seen.counts.items())
    document = {
        "kind": "purge",
        "objects": seen.objects,
        "lines": seen.count(is_lines=True),
        "files": seen.count(is_lines=False),
        "bytes": seen.size_bytes,
        "by_reason": [
            {"date": date, "kind": kind, "reason": reason, "count": count, "bytes": size_bytes}
            for (date, kind, reason), (count, size_bytes) in rows
        ],
        "unreadable": list(seen.unreadable),
        "done": done is not None,
        "purged_objects": done.objects if done else 0,
        "purged_lines": done.lines if done else 0,
        "purged_files": done.files if done else 0,
        "purged_bytes": done.size_bytes if done else 0,
        "left_count": done.left_count if done else 0,
        "left": [{"key": key, "reason": why} for key, why in done.left] if done else [],
        "next": next_,
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        lines: list[RenderableType] = []
        if done is not None:
            lines += [Text(one_line(f"left: {key}: {why}"), style="yellow") for key, why in done.left[:LISTED]]
            if done.left_count > LISTED:
                lines.append(Text(f"and {done.left_count - LISTED:,} more (see --json)", style="yellow"))
            told = f"{counted(done.lines, 'line')} and {counted(done.files, 'file')} purged ({size(done.size_bytes)})"
            lines.append(Text(f"{told}, on record", style="bold green"))
            return Group(*lines, *([told_next(typeable(next_))] if next_ else []))
        lines += [
            Text(one_line(f"not readable as quarantined lines, left: {key}"), style="yellow")
            for key in seen.unreadable[:LISTED]
        ]
        if not seen.objects:
            return Group(*lines, Text("Nothing is to be purged.", style="green"))
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("date", "kind", "reason"):
            table.add_column(name, overflow="fold")
        for name in ("count", "size"):
            table.add_column(name, justify="right")
        for (date, kind, reason), (count, size_bytes) in rows:
            unit = counted(count, "line" if kind == MALFORMED else "object")
            table.add_row(date, kind, Text(one_line(reason)), unit, size(size_bytes))
        told = f"{counted(seen.count(is_lines=True), 'line')} and {counted(seen.count(is_lines=False), 'file')}"
        lines += [table, Text(f"{told} ({size(seen.size_bytes)}) would be deleted for good", style="bold red")]
        return Group(*lines, *([told_next(typeable(next_))] if next_ else []))

    return View(document, render)
