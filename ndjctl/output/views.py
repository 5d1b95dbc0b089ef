"""How each result looks: its JSON document and its console form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ndjctl.contracts import COMPLETED, FAILED, QUARANTINED, split_s3_uri
from ndjctl.output.base import View, one_line
from ndjctl.output.damage import Mend, damage_document, damage_lines
from ndjctl.output.progress import counted, size
from ndjctl.output.shell import typeable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from ndjctl.run import FileOutcome, RunResult

LISTED_FILES = 10
"""Files of a kind that the console names; --json has them all."""


def run_view(result: RunResult, typed: Callable[..., str], mend: Mend) -> View:
    """typed: a command as the user would have to type it, of its words. mend: what to type for an output that cannot be
    read."""
    document = {
        "env": result.env,
        "endpoint_url": result.endpoint_url,
        "ok": result.ok,
        "files": len(result.outcomes),
        "files_completed": len(result.with_status(COMPLETED)),
        "files_quarantined": len(result.with_status(QUARANTINED)),
        "files_failed": len(result.with_status(FAILED)),
        "files_already_there": result.already_done,
        "files_skipped_empty": list(result.skipped_empty),
        "lines_in": result.balance.lines_in,
        "rows_out": result.balance.rows_out,
        "lines_quarantined": result.balance.lines_quarantined,
        "quarantine_reasons": dict(result.reasons),
        "rows_with_rescued_values": result.rescued_rows,
        "rescued_values": sum(result.rescued_fields.values()),
        "rescued_fields": dict(result.rescued_fields),
        "lost": result.balance.lost,
        "duplicated": result.balance.duplicated,
        "lines_purged": result.balance.purged,
        "missing_from_quarantine": list(result.missing_from_quarantine),
        "files_purged": list(result.purged_files),
        "damaged": damage_document(result.damaged, mend),
        "manifests": len(result.manifest_ids),
        "manifest_ids": list(result.manifest_ids),
        "input_bytes": result.input_bytes,
        "parquet_bytes": result.parquet_bytes,
        "parquet": [part.uri for part in result.parts],
        "output": list(result.output_prefixes),
        "seconds": round(result.seconds, 3),
        "file_details": [
            {
                "path": outcome.path,
                "source": outcome.uri,
                "status": outcome.status,
                "size_bytes": outcome.size_bytes,
                "lines": outcome.lines,
                "rows": outcome.rows,
                "lines_quarantined": outcome.bad_lines,
                "reason": outcome.reason or None,
                "error": outcome.error or None,
                "quarantined_as": outcome.quarantined_as or None,
            }
            for outcome in result.outcomes
        ],
    }
    return View(document, lambda: _run_screen(result, typed, mend))


def _run_screen(result: RunResult, typed: Callable[..., str], mend: Mend) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    facts = fact_table()
    files = [f"{len(result.with_status(COMPLETED)):,} converted"]
    files += [f"{len(result.with_status(s)):,} {s}" for s in (QUARANTINED, FAILED) if result.with_status(s)]
    if result.already_done:
        files.append(f"{result.already_done:,} of them there before")
    if result.skipped_empty:
        files.append(f"{len(result.skipped_empty):,} empty skipped")
    facts.add_row("files", Text(f"{len(result.outcomes):,}  ({', '.join(files)})"))
    facts.add_row("lines in", Text(f"{result.balance.lines_in:,}"))
    facts.add_row("rows out", Text(f"{result.balance.rows_out:,}"))
    facts.add_row("quarantined", Text(counted(result.balance.lines_quarantined, "line")))
    _add_counts(facts, result.reasons, "more reason")
    if result.rescued_rows:
        values = counted(sum(result.rescued_fields.values()), "value")
        facts.add_row("rescued", Text(f"{values} in {counted(result.rescued_rows, 'row')}, kept in _rescued"))
        _add_counts(facts, result.rescued_fields, "more place")
    facts.add_row("manifests", Text(f"{len(result.manifest_ids):,}"))
    facts.add_row(
        "parquet", Text(f"{counted(len(result.parts), 'part')}, {size(result.parquet_bytes)}{_ratio(result)}")
    )
    facts.add_row("output", Text(_some([one_line(p) for p in result.output_prefixes]) or "none"))
    facts.add_row("seconds", Text(f"{result.seconds:.1f}"))

    blocks: list[RenderableType] = [facts]
    for status, style in ((QUARANTINED, "yellow"), (FAILED, "red")):
        blocks += _told_files(result.with_status(status), status, style)
    blocks += damage_lines(result.damaged, mend)
    blocks.append(_verdict(result))
    words = _next(result)
    if words:
        blocks.append(Text(f"next: {typeable(typed(*words))}", style="dim"))
    return Group(*blocks)


def _next(result: RunResult) -> tuple[str, ...]:
    """The words of the command that shows what the result is about: what is wrong before what is set aside, and that
    before the rows. Empty where the files hold no lines at all."""
    failed, quarantined = result.with_status(FAILED), result.with_status(QUARANTINED)
    if result.damaged:
        return ()  # what mends it is told with it
    if not result.balance.holds or result.missing_from_quarantine:
        return ("reconcile",)
    if len(failed) > 1:
        return ("errors",)
    if failed:
        return ("explain", _as_argument(failed[0]))
    if result.balance.lines_quarantined:
        worst = max(result.with_status(COMPLETED), key=lambda outcome: outcome.bad_lines)
        return ("quarantine", "show", _as_argument(worst))
    # 'output head' passes over parts without rows: it would show those of another run.
    if result.balance.rows_out:
        return ("output", "head")
    if result.balance.purged:
        return ("quarantine", "history")
    return ("explain", _as_argument(quarantined[0])) if quarantined else ()


def _as_argument(outcome: FileOutcome) -> str:
    """Its key; one that begins like an option is no argument, but its URI is."""
    key = split_s3_uri(outcome.uri)[1]
    return outcome.uri if key.startswith("-") else key


def _add_counts(facts: Table, counts: Mapping[str, int], more: str) -> None:
    """counts: the largest first. more: what others are called, in the singular."""
    from rich.text import Text

    for what, count in list(counts.items())[:LISTED_FILES]:
        facts.add_row("", Text(f"{count:,} x {one_line(what)}", style="yellow"))
    if len(counts) > LISTED_FILES:
        facts.add_row("", Text(f"and {counted(len(counts) - LISTED_FILES, more)} (see --json)", style="yellow"))


def _ratio(result: RunResult) -> str:
    converted = sum(outcome.size_bytes for outcome in result.with_status(COMPLETED))
    if not (result.parquet_bytes and converted):
        return ""
    if result.parquet_bytes <= converted:
        return f", 1/{converted / result.parquet_bytes:.1f} of the input"
    return f", {result.parquet_bytes / converted:.1f} times the input"


def _told_files(outcomes: Sequence[FileOutcome], status: str, style: str) -> list[RenderableType]:
    from rich.text import Text

    lines: list[RenderableType] = []
    for outcome in outcomes[:LISTED_FILES]:
        why = outcome.reason or outcome.error or "no reason recorded"
        where = f", kept as {outcome.quarantined_as}" if outcome.quarantined_as else ""
        lines.append(Text(one_line(f"{status}: {outcome.path}: {why}{where}"), style=style))
    if len(outcomes) > LISTED_FILES:
        lines.append(Text(f"{status}: and {len(outcomes) - LISTED_FILES:,} more (see --json)", style=style))
    return lines


def _verdict(result: RunResult) -> RenderableType:
    from rich.text import Text

    b = result.balance
    sum_text = f"{counted(b.lines_in, 'line')} in = {counted(b.rows_out, 'row')} + {b.lines_quarantined:,} quarantined"
    if b.purged:
        sum_text += f" + {b.purged:,} purged"
    if result.damaged:
        unread = f"{counted(len(result.damaged), 'output')} cannot be read"
        text = f"NOT PROVEN  {unread}; without that: {sum_text.replace(' = ', ', ')}"
        return Text(text, style="bold red")
    if result.missing_from_quarantine:
        return Text(
            f"NOT PROVEN  {counted(len(result.missing_from_quarantine), 'quarantined file')} not where the ledger says",
            style="bold red",
        )
    if not b.holds:
        return Text(
            f"NOT PROVEN  {sum_text.replace(' = ', ', ')}: {b.lost:,} lost, {b.duplicated:,} duplicated",
            style="bold red",
        )
    if result.with_status(FAILED):
        failed = counted(len(result.with_status(FAILED)), "file")
        others = f"; of the others {sum_text}" if result.with_status(COMPLETED) else ""
        return Text(f"FAILED  {failed}{others}", style="bold red")
    aside = result.with_status(QUARANTINED)
    purged = f", {len(result.purged_files):,} of them purged since" if result.purged_files else ""
    if not result.with_status(COMPLETED):
        kept = purged or ", kept whole in the quarantine"
        text = f"NOTHING CONVERTED  {counted(len(aside), 'file')} set aside by size{kept}"
        return Text(text, style="bold yellow")
    more = f"; {counted(len(aside), 'file')} set aside by size{purged}" if aside else ""
    return Text(f"PROVEN  {sum_text}, 0 lost, counted in the Parquet itself{more}", style="bold green")


def fact_table() -> Table:
    """A table of names and what they are."""
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _some(texts: Sequence[str], most: int = 3) -> str:
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
