"""How a backfill and the removal of orphans look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ndjctl.output.base import View, one_line
from ndjctl.output.progress import counted, size
from ndjctl.reconcile.missed import Searched
from ndjctl.reconcile.orphans import Removal
from ndjctl.reconcile.spool import Spool

if TYPE_CHECKING:
    from rich.console import RenderableType


def preview_lines(spool: Spool, noun: str) -> list[str]:
    """What is about to be acted upon: how much, and the first names."""
    lines = [f"{counted(spool.count, noun)}, {size(spool.size_bytes)}:"]
    lines += [f"  s3://{listed.bucket}/{listed.key} ({size(listed.size_bytes)})" for listed in spool.first]
    if spool.count > len(spool.first):
        lines.append(f"  and {spool.count - len(spool.first):,} more")
    return lines


def _first(spool: Spool) -> list[str]:
    return [f"s3://{listed.bucket}/{listed.key}" for listed in spool.first]


def removal_view(removal: Removal | None, spool: Spool, bucket: str, next_: str | None) -> View:
    """removal: None where nothing was moved. next_: what to type now."""
    done = removal or Removal(spool.count, spool.size_bytes)
    document = {
        "found": done.found,
        "found_bytes": done.found_bytes,
        "first_found": _first(spool),
        "moved": done.moved,
        "moved_bytes": done.moved_bytes,
        "kept": done.kept,
        "quarantine_bucket": bucket,
        "done": removal is not None,
        "next": next_,
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        if not done.found:
            return Text("No object is orphaned.", style="green")
        kept = f"; {counted(done.kept, 'object')} left, gone or not orphaned any more" if done.kept else ""
        moved = f"{counted(done.moved, 'object')}, {size(done.moved_bytes)}"
        lines = [Text(f"moved {moved} to s3://{bucket}/<date>/orphaned/{kept}", style="bold")]
        return Group(*lines, *([Text(one_line(f"next: {next_}"), style="dim")] if next_ else []))

    return View(document, render)


def backfill_view(searched: Searched, spool: Spool, sent: int | None, is_dry_run: bool, next_: str | None) -> View:
    """sent: None where nothing was done. next_: what to type now."""
    document = {
        "files": searched.files,
        "missed": spool.count,
        "missed_bytes": spool.size_bytes,
        "first_missed": _first(spool),
        "events_sent": sent or 0,
        "in_flight": searched.in_flight,
        "by_report": searched.by_report,
        "dry_run": is_dry_run,
        "done": sent is not None,
        "next": next_,
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        lines: list[RenderableType] = []
        if searched.in_flight:
            young = counted(searched.in_flight, "file")
            lines.append(Text(f"left out: {young} so young that the event may still come ('--grace 0' takes them too)"))
        if searched.by_report:
            done = counted(searched.by_report, "file")
            lines.append(Text(f"left out: {done} that the ledger has forgotten, converted or set aside by a report"))
        looked = f"{counted(searched.files, 'file')} looked at"
        if not spool.count:
            lines.append(Text(f"Nothing was missed: {looked}.", style="green"))
        elif sent is None:
            lines += [Text(one_line(line)) for line in preview_lines(spool, "file")]
            what = f"would enter {counted(spool.count, 'file')}, {size(spool.size_bytes)}; {looked}"
            lines.append(Text(what, style="bold"))
        else:
            lines.append(Text(f"{counted(sent, 'event')} sent for {size(spool.size_bytes)}; {looked}", style="bold"))
        if next_:
            lines.append(Text(one_line(f"next: {next_}"), style="dim"))
        return Group(*lines)

    return View(document, render)
