"""How a conversion, or what it would be, looks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glue_job.conform import Place
from glue_job.report import counts_document
from glue_job.tally import BadExample
from ndjctl.convert.names import BAD_LINES_FOLDER, NEXT_SCHEMA_FILE
from ndjctl.convert.report import FileOutcome, Outcome, report_document
from ndjctl.output.base import View, one_line
from ndjctl.output.drifted import off_column
from ndjctl.output.progress import counted, size
from ndjctl.output.views import LISTED_FILES, fact_table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text


def convert_view(outcome: Outcome, output: Path | None, output_files: Sequence[str], again: str) -> View:
    """output: the folder, None if none was named. output_files: what lies in it, relative to it. again: what to type to
    see the first rows."""
    document: dict[str, Any] = {"output": None if output is None else str(output)}
    document |= report_document(outcome, output_files)
    return View(document, lambda: _screen(outcome, output, again))


def _screen(outcome: Outcome, output: Path | None, again: str) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    blocks: list[RenderableType] = [_facts(outcome, output)]
    if outcome.is_dry:
        blocks += _files(outcome)
    if outcome.refused is None or outcome.is_dry:
        blocks += _failed(outcome.failed)
    blocks.append(_verdict(outcome))
    if outcome.is_published:
        blocks.append(Text(one_line(f"next: {again}"), style="dim"))
    return Group(*blocks)


def _facts(outcome: Outcome, output: Path | None) -> Table:
    from rich.text import Text

    table = fact_table()
    files = f"{len(outcome.files):,}"
    if outcome.failed:
        files += f"  ({len(outcome.files) - len(outcome.failed):,} converted, {len(outcome.failed):,} failed)"
    table.add_row("files", Text(files))
    if outcome.is_dry or outcome.is_published:
        _add_counts(table, outcome, output)
    speed = (
        f"  ({outcome.size_bytes / 1e6 / outcome.seconds:,.1f} MB/s)" if outcome.seconds and outcome.size_bytes else ""
    )
    table.add_row("seconds", Text(f"{outcome.seconds:.1f}{speed}"))
    return table


def _add_counts(table: Table, outcome: Outcome, output: Path | None) -> None:
    from rich.text import Text

    table.add_row("lines in", Text(f"{outcome.lines:,}"))
    table.add_row("rows out", Text(f"{outcome.rows:,}"))
    bad_lines = counted(outcome.bad_lines, "line")
    if outcome.bad_lines and outcome.is_published:
        bad_lines += f", kept in {BAD_LINES_FOLDER}/"
    table.add_row("quarantined", Text(bad_lines, style="yellow" if outcome.bad_lines else ""))
    for reason, count in outcome.bad.counts.most_common(LISTED_FILES):
        first = f": first {_where(outcome.bad.first[reason])}" if outcome.is_dry else ""
        table.add_row("", Text(one_line(f"{count:,} x {reason}{first}"), style="yellow"))
    if len(outcome.bad.counts) > LISTED_FILES:
        rest = len(outcome.bad.counts) - LISTED_FILES
        table.add_row("", Text(f"and {counted(rest, 'more reason')} (see --json)", style="yellow"))
    values = counted(outcome.drift.total, "value")
    if outcome.drift.total:
        values += " would be kept in _rescued" if outcome.is_dry else ", kept in _rescued"
    table.add_row("rescued", Text(values, style="yellow" if outcome.drift.total else ""))
    for place, count in outcome.drift.counts.most_common(LISTED_FILES):
        table.add_row("", Text(one_line(f"{count:,} x {_place(place)}"), style="yellow"))
    if len(outcome.drift.counts) > LISTED_FILES:
        rest = len(outcome.drift.counts) - LISTED_FILES
        table.add_row("", Text(f"and {counted(rest, 'more place')} (see --json)", style="yellow"))
    if outcome.parts:
        parts = counted(len(outcome.parts), "part")
        table.add_row("parquet", Text(f"{parts}, {size(outcome.parquet_bytes)}{_ratio(outcome)}"))
    if outcome.is_published:
        table.add_row("output", Text(one_line(str(output))))
        if outcome.next_root is not None:
            following = one_line(str((output or Path()) / NEXT_SCHEMA_FILE))
            table.add_row("next schema", Text(f"--schema {following} has columns for the new fields"))


def _files(outcome: Outcome) -> list[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    for name in ("lines", "rows", "quarantined"):
        table.add_column(name, justify="right")
    for file in outcome.files[:LISTED_FILES]:
        numbers = counts_document(file).values()
        shown = ("-" if number is None else f"{number:,}" for number in numbers)
        table.add_row(Text(one_line(file.path)), *shown)
    more = len(outcome.files) - LISTED_FILES
    return [table, *([Text(f"and {counted(more, 'more file')} (see --json)", style="dim")] if more > 0 else [])]


def _where(example: BadExample) -> str:
    line = f"line {example.line_number:,}, " if example.line_number is not None else ""
    return f"{example.source}, {line}byte {example.byte_offset:,}: {example.detail}"


def _place(place: Place) -> str:
    if place.expected is None:
        return f"{place.pointer or '/'}: {place.found} without a column"
    return f"{place.pointer or '/'}: {off_column(place.found, place.expected)}"


def _ratio(outcome: Outcome) -> str:
    if not (outcome.parquet_bytes and outcome.size_bytes):
        return ""
    if outcome.parquet_bytes <= outcome.size_bytes:
        return f", 1/{outcome.size_bytes / outcome.parquet_bytes:.1f} of the input"
    return f", {outcome.parquet_bytes / outcome.size_bytes:.1f} times the input"


def _failed(files: Sequence[FileOutcome]) -> list[Text]:
    from rich.text import Text

    lines = [Text(one_line(f"failed: {file.error}"), style="red") for file in files[:LISTED_FILES]]
    if len(files) > LISTED_FILES:
        lines.append(Text(f"failed: and {len(files) - LISTED_FILES:,} more (see --json)", style="red"))
    return lines


def _verdict(outcome: Outcome) -> Text:
    from rich.text import Text

    sum_text = (
        f"{counted(outcome.lines, 'line')} in = {counted(outcome.rows, 'row')} + {outcome.bad_lines:,} quarantined"
    )
    failed = counted(len(outcome.failed), "file")
    if outcome.refused is not None:
        nothing = "nothing would be written" if outcome.is_dry else "nothing was written"
        return Text(one_line(f"FAILED  {outcome.refused}; {nothing} (--on-drift fail)"), style="bold red")
    if outcome.is_dry:
        if outcome.failed:
            return Text(f"DRY RUN  {failed} would fail, nothing was written", style="bold red")
        if not outcome.ok:
            return Text(f"DRY RUN  {sum_text}, nothing was written", style="bold yellow")
        return Text(f"DRY RUN  {sum_text}, nothing to look at, nothing was written", style="bold green")
    if not outcome.is_published:
        return Text(f"FAILED  {failed}; nothing was written", style="bold red")
    if outcome.failed:
        return Text(f"FAILED  {failed}; of the others {sum_text}", style="bold red")
    style = "bold yellow" if outcome.bad_lines else "bold green"
    return Text(f"CONVERTED  {sum_text}, 0 lost, counted in the Parquet itself", style=style)
