"""How generated files, or what they would be, look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ndjctl.feeding.plan import FeedPlan
from ndjctl.generate.record import NEW_FIELD, FileFacts
from ndjctl.output.base import View, one_line
from ndjctl.output.drifted import off_column
from ndjctl.output.progress import counted, size
from ndjctl.output.times import lasting
from ndjctl.output.views import LISTED_FILES, fact_table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


@dataclass(frozen=True)
class Intended:
    """What a command is about to make. settings: of the recipe. lines: of all files, about. where: a folder or an s3://
    URI; None where it is not known yet. plan: of the objects; of files that stay on this machine what uploading them
    would take. is_upload: whether they go into the bucket. duration_s: that the pace takes, 0 for none. pace: in words.
    warning: a sentence about what the pipeline will make of them, or empty."""

    settings: Mapping[str, Any]
    lines: int
    where: str | None
    first: str
    plan: FeedPlan
    is_upload: bool
    duration_s: float
    pace: str
    warning: str


def intended_view(intended: Intended, next_: str | None) -> View:
    """next_: what to type to make them."""
    plan = intended.plan
    document = {
        "done": False,
        "where": intended.where,
        "first": intended.first,
        "settings": dict(intended.settings),
        "lines": intended.lines,
        "size_bytes": plan.uploaded_bytes + plan.copied_bytes,
        "plan": {**plan.to_dict(), "bucket": plan.bucket or None},
        "duration_s": round(intended.duration_s, 1),
        "warning": intended.warning or None,
        "next": next_,
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        table = fact_table()
        _add_settings(table, intended.settings)
        table.add_row("files", Text(f"{len(plan.files):,}, {one_line(intended.first)} ..."))
        table.add_row("lines", Text(f"about {intended.lines:,}"))
        table.add_row("size", Text(_sizes(plan.uploaded_bytes + plan.copied_bytes)))
        if intended.where is not None:
            table.add_row("where", Text(one_line(intended.where)))
        if intended.is_upload:
            uploads = f"{counted(plan.uploads, 'file')}, {_sizes(plan.uploaded_bytes)}"
            table.add_row("uploads", Text(f"{uploads}, {counted(plan.upload_requests, 'request')}"))
            copies = f"{counted(plan.copies, 'file')}, {_sizes(plan.copied_bytes)} by the server"
            table.add_row(
                "copies", Text(f"{copies}, {counted(plan.copy_requests, 'request')}" if plan.copies else "none")
            )
            requests = counted(plan.upload_requests + plan.copy_requests, "request")
            table.add_row("cost", Text(f"{_dollars(plan.cost_usd)} for {requests} (S3 Standard, us-east-1)"))
            table.add_row("", Text(f"{_dollars(plan.storage_usd_per_day)} a day while they are there"))
        else:
            table.add_row(
                "to upload", Text(f"would be {counted(plan.upload_requests, 'request')}, {_dollars(plan.cost_usd)}")
            )
        pace = f"{intended.pace}, {lasting(intended.duration_s)}" if intended.duration_s else intended.pace
        table.add_row("pace", Text(pace))
        blocks: list[RenderableType] = [table]
        if intended.warning:
            blocks.append(Text(one_line(intended.warning), style="yellow"))
        if next_:
            blocks.append(Text(one_line(f"next: {next_}"), style="dim"))
        return Group(*blocks)

    return View(document, render)


@dataclass(frozen=True)
class Made:
    """facts: of all files together. kept: files that were there before. record: the document that says what every file
    has. where: the folder, or the bucket's s3:// URI. schema: where the schema of the records lies, if it was written.
    """

    settings: Mapping[str, Any]
    facts: FileFacts
    kept: int
    where: str
    record: Path
    seconds: float
    schema: Path | None = None
    plan: FeedPlan | None = None
    warning: str = ""


def made_view(made: Made, next_: str) -> View:
    """next_: what to type to see them converted."""
    facts = {name: value for name, value in made.facts.to_dict().items() if name not in ("number", "checksum")}
    document = {
        "done": True,
        "where": made.where,
        "record": str(made.record),
        "schema": None if made.schema is None else str(made.schema),
        "settings": dict(made.settings),
        "files": made.facts.number,
        "files_already_there": made.kept,
        **facts,
        "plan": None if made.plan is None else made.plan.to_dict(),
        "seconds": round(made.seconds, 3),
        "warning": made.warning or None,
        "next": next_,
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        table = fact_table()
        _add_settings(table, made.settings)
        some = "all" if made.kept == made.facts.number else f"{made.kept:,}"
        kept = f"  ({some} of them there before)" if made.kept else ""
        table.add_row("files", Text(f"{made.facts.number:,}{kept}"))
        table.add_row("size", Text(_sizes(made.facts.size_bytes)))
        table.add_row("lines", Text(f"{made.facts.lines:,}"))
        _add_special(table, made.facts)
        speed = f"  ({made.facts.size_bytes / 1e6 / made.seconds:,.0f} MB/s)" if made.seconds and not made.kept else ""
        table.add_row("seconds", Text(f"{made.seconds:.1f}{speed}"))
        table.add_row("where", Text(one_line(made.where)))
        table.add_row("record", Text(one_line(str(made.record))))
        blocks: list[RenderableType] = [table]
        if made.warning:
            blocks.append(Text(one_line(made.warning), style="yellow"))
        blocks.append(Text(one_line(f"next: {next_}"), style="dim"))
        return Group(*blocks)

    return View(document, render)


def _add_settings(table: Table, settings: Mapping[str, Any]) -> None:
    from rich.text import Text

    table.add_row("shape", Text(one_line(f"{settings['shape']}, seed {settings['seed']}")))


def _add_special(table: Table, facts: FileFacts) -> None:
    from rich.text import Text

    quarantined = "  (to be quarantined)" if facts.bad_line_count else ""
    table.add_row("bad lines", Text(f"{facts.bad_line_count:,}{quarantined}"))
    for reason, count in facts.bad_lines.items():
        table.add_row("", Text(f"{count:,} x {reason}", style="yellow"))
    each = ", one value each" if facts.drifted_records else ""
    table.add_row("drifted", Text(f"{counted(facts.drifted_records, 'record')}{each}"))
    places = list(facts.drifted.items())
    for place, count in places[:LISTED_FILES]:
        is_new = place.kind == NEW_FIELD
        what = f"{place.found}, new field" if is_new else off_column(place.found, place.expected)
        table.add_row("", Text(one_line(f"{count:,} x {place.pointer}: {what}"), style="yellow"))
    if len(places) > LISTED_FILES:
        table.add_row("", Text(f"and {counted(len(places) - LISTED_FILES, 'more place')} (see --json)", style="yellow"))


def _sizes(size_bytes: int) -> str:
    """In the units that files are asked for in, and in those that the rest of the tool uses."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:,.2f} {unit} ({size(size_bytes)})"
    return size(size_bytes)


def _dollars(usd: float) -> str:
    if usd < 0.0001:
        return "less than $0.0001"
    return f"${usd:,.2f}" if usd >= 0.01 else f"${usd:.4f}"
