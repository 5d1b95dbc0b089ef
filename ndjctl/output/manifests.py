"""How manifests look: a line each, and all that is known of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ndjctl.contracts import COMPLETED, FAILED
from ndjctl.glue_runs import GlueRun
from ndjctl.manifest_advice import Advice
from ndjctl.manifest_details import ManifestDetails, ManifestEntry, ReportFacts
from ndjctl.manifests import CLOSED_STATES, OPEN_STATES, ManifestSummary
from ndjctl.output.base import StreamView, View, console, one_line
from ndjctl.output.progress import counted, size
from ndjctl.output.times import lasting, shown, told
from ndjctl.output.views import fact_table
from ndjctl.output.wrapping import wrapped
from ndjctl.redrive.choice import reason_alone

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

LISTED_FILES = 20
"""Files that the console names where nothing is wrong with them; --json has them all."""

_RUN_CHARS = 12
_STYLES = {"done": "green", "abandoned": "red", "claiming": "yellow", "ready": "yellow"}
_FILE_STYLES = {"completed": "green", "failed": "red", "quarantined": "yellow"}
_WORDS = ("state", "manifest", "date", "files", "size", "age", "try", "run", "error")
_LINE = "{:<9}  {:<28}  {:<10}  {:>6}  {:>10}  {:>11}  {:>3}  {:<12}  {}"
_NARROW_LINE = "{0:<9}  {1:<28}  {2:<10}  {3:>6}  {5:>11}  {6:>3}"
"""Of the same words, what fits 80 columns: the error has lines of its own, sizes and runs are in 'manifests show'."""
_WIDE_COLUMNS = 120
"""From here on the first line is used."""


def manifests_view(env: str, manifests: Iterable[ManifestSummary], now: datetime, next_: str) -> StreamView:
    """next_: what to type to see one, with the environment in it."""
    counts: Counter[str] = Counter()
    files = 0

    def rows() -> Iterator[tuple[Any, Callable[[], Text]]]:
        nonlocal files
        for manifest in manifests:
            counts[manifest.state] += 1
            files += manifest.files
            yield summary_document(manifest, now), lambda manifest=manifest: _line(manifest, now)  # type: ignore[misc]

    def heading() -> Text:
        from rich.text import Text

        layout = _LINE if console().width >= _WIDE_COLUMNS else _NARROW_LINE
        return Text(layout.format(*_WORDS).rstrip(), style="bold")

    def summary() -> tuple[Mapping[str, Any], Text]:
        from rich.text import Text

        total = sum(counts.values())
        members = {"count": total, "files": files, "states": dict(counts)}
        if not total:
            return members, Text("No manifests.")
        states = ", ".join(f"{counts[state]:,} {state}" for state in (*OPEN_STATES, *CLOSED_STATES) if counts[state])
        text = Text(f"{counted(total, 'manifest')} of {counted(files, 'file')}: {states}", style="bold")
        return members, text.append(f"\nnext: {one_line(next_)}", style="dim not bold")

    return StreamView({"env": env}, "manifests", rows(), heading, summary, wraps=True)


def summary_document(manifest: ManifestSummary, now: datetime) -> dict[str, Any]:
    age_s = manifest.age_s(now)
    return {
        "id": manifest.manifest_id,
        "date": manifest.date,
        "state": manifest.state or None,
        "open": manifest.is_open,
        "files": manifest.files,
        "size_bytes": manifest.size_bytes,
        "age_s": None if age_s is None else round(age_s, 3),
        "attempt": manifest.attempt,
        "run_id": manifest.run_id or None,
        "error": manifest.error or None,
        "parts": manifest.parts,
        "created_at": told(manifest.created_at),
        "started_at": told(manifest.started_at),
        "completed_at": told(manifest.completed_at),
    }


def _line(manifest: ManifestSummary, now: datetime) -> Text:
    from rich.text import Text

    run = manifest.run_id if len(manifest.run_id) <= _RUN_CHARS else f"{manifest.run_id[: _RUN_CHARS - 1]}…"
    facts = (
        one_line(manifest.state),
        one_line(manifest.manifest_id),
        one_line(manifest.date),
        f"{manifest.files:,}",
        size(manifest.size_bytes),
        lasting(manifest.age_s(now)),
        manifest.attempt,
        one_line(run) or "-",
    )
    error = one_line(manifest.error)
    screen = console()
    line = (_LINE if screen.width >= _WIDE_COLUMNS else _NARROW_LINE).format(*facts, error)
    if screen.is_terminal and error and (len(line) > screen.width or screen.width < _WIDE_COLUMNS):
        told_error = "\n".join(f"  {each}" for each in wrapped(error, screen.width - 2))
        line = f"{line.removesuffix(error).rstrip()}\n{told_error}"
    text = Text(line.rstrip())
    text.stylize(_STYLES.get(manifest.state, "cyan"), 0, len(manifest.state))
    return text


def manifest_view(details: ManifestDetails, advice: Sequence[Advice], now: datetime, typed: Callable[..., str]) -> View:
    """typed: a command as the user would have to type it, of its words."""
    summary, report = details.summary, details.report
    statuses = Counter(_status(entry) for entry in details.entries)
    document = {
        **summary_document(summary, now),
        "uri": details.uri,
        "object_fault": details.fault or None,
        "statuses": dict(statuses),
        "file_details": [_entry_document(entry) for entry in details.entries],
        "runs": [_run_document(run) for run in details.runs],
        "report": None if report is None else _report_document(report),
        "timeline": [{"at": told(when), "what": what} for when, what in details.timeline],
        "history": "of its last start alone: what was before is not kept when a manifest is opened again",
        "advice": [{"why": each.why, "command": typed(*each.words)} for each in advice],
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        blocks: list[RenderableType] = [_facts(details, statuses, now, typed), *_entries(details)]
        for when, what in details.timeline:
            blocks.append(Text(f"{shown(when)}  {one_line(what)}", style="dim"))
        for each in advice:
            blocks.append(Text(one_line(each.why), style="yellow"))
            blocks.append(Text(one_line(f"next: {typed(*each.words)}")))
        return Group(*blocks)

    return View(document, render)


def _facts(
    details: ManifestDetails, statuses: Counter[str], now: datetime, typed: Callable[..., str]
) -> RenderableType:
    from rich.text import Text

    summary, report = details.summary, details.report
    facts = fact_table()
    state = summary.state or "the ledger has forgotten it; its object is what is left"
    facts.add_row("manifest", Text(one_line(summary.manifest_id)))
    facts.add_row("state", Text(one_line(state), style=_STYLES.get(summary.state, "")))
    facts.add_row("date", Text(one_line(summary.date)))
    facts.add_row("age", Text(lasting(summary.age_s(now))))
    facts.add_row("object", Text(one_line(details.uri)))
    if details.fault:
        facts.add_row("", Text(one_line(details.fault), style="red"))
    told_statuses = ", ".join(f"{count:,} {status}" for status, count in statuses.most_common())
    facts.add_row("files", Text(one_line(f"{summary.files:,}, {size(summary.size_bytes)}  ({told_statuses})")))
    # The item has no more: what was before is dropped when a manifest is opened again.
    facts.add_row("attempts", Text(f"{summary.attempt} since it was last opened; below, the last of them"))
    if summary.run_id and not details.runs:
        facts.add_row("run", Text(one_line(f"{summary.run_id}: unknown to Glue"), style="yellow"))
    for run in details.runs:
        text = f"{run.run_id}: {run.state}, {lasting(run.execution_s)}" + (f", {run.error}" if run.error else "")
        facts.add_row("run", Text(one_line(text), style="red" if run.has_failed else ""))
    if summary.error:
        facts.add_row("error", Text(one_line(summary.error), style="red"))
    if report is not None:
        facts.add_row("report", Text(one_line(report.uri)))
        facts.add_row("", Text(one_line(_report_line(report))))
        proof = typed("reconcile", "--date", summary.date)
        facts.add_row("", Text(one_line(f"by the run's own count; the parts themselves are read by '{proof}'")))
        if report.error:
            facts.add_row("", Text(one_line(report.error), style="red"))
    return facts


def _report_line(report: ReportFacts) -> str:
    told_lines = f"{counted(report.lines, 'line')} = {counted(report.rows, 'row')} + {report.bad_lines:,} quarantined"
    return f"{told_lines}, {counted(report.parts, 'part')}, {size(report.parquet_bytes)}"


def _entries(details: ManifestDetails) -> list[RenderableType]:
    """The files, those that something is wrong with first and all of them."""
    from rich.text import Text

    fine = [entry for entry in details.entries if _status(entry) == COMPLETED]
    other = [entry for entry in details.entries if _status(entry) != COMPLETED]
    lines: list[RenderableType] = []
    for entry in [*other, *fine[: max(0, LISTED_FILES - len(other))]]:
        record, status = entry.record, _status(entry)
        text = Text(f"  {status:<11}", style=_FILE_STYLES.get(status, "yellow"))
        text.append(f"  {size(entry.file.size_bytes):>10}  {one_line(entry.file.uri)}", style="default")
        why = "" if record is None else reason_alone(record.error or record.reason, entry.file.key)
        if record is not None and record.superseded_by:
            why += f"{'; ' if why else ''}overwritten since"
        if record is not None and record.manifest_id not in ("", details.summary.manifest_id):
            why += f"{'; ' if why else ''}now of the manifest {record.manifest_id}"
        lines.append(text.append(f"  {one_line(why)}" if why else "", style="red" if status == FAILED else "yellow"))
    left = len(fine) - max(0, LISTED_FILES - len(other))
    if left > 0 and len(details.entries) > LISTED_FILES:
        lines.append(Text(f"  and {left:,} more completed (see --json)", style="dim"))
    return lines


def _status(entry: ManifestEntry) -> str:
    return entry.record.status if entry.record is not None else "unknown"


def _entry_document(entry: ManifestEntry) -> dict[str, Any]:
    file, record = entry.file, entry.record
    return {
        "source": file.uri,
        "size_bytes": file.size_bytes,
        "etag": file.etag,
        "status": None if record is None else record.status,
        "manifest_id": None if record is None else record.manifest_id or None,
        "lines": None if record is None else record.lines,
        "rows": None if record is None else record.rows,
        "bad_lines": None if record is None else record.bad_lines,
        "reason": None if record is None else record.reason or None,
        "error": None if record is None else record.error or None,
        "superseded_by_etag": None if record is None else record.superseded_by or None,
    }


def _run_document(run: GlueRun) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "state": run.state,
        "started_at": told(run.started_at),
        "completed_at": told(run.completed_at),
        "execution_s": run.execution_s,
        "dpu_s": run.dpu_s,
        "error": run.error or None,
    }


def _report_document(report: ReportFacts) -> dict[str, Any]:
    return {
        "uri": report.uri,
        "run_id": report.run_id,
        "completed_at": told(report.completed_at),
        "parts": report.parts,
        "lines": report.lines,
        "rows": report.rows,
        "bad_lines": report.bad_lines,
        "rescued_values": report.rescued_values,
        "files_completed": report.files_completed,
        "files_failed": report.files_failed,
        "files_refused": report.files_refused,
        "parquet_bytes": report.parquet_bytes,
        "schema_version": report.schema_version,
        "error": report.error or None,
    }
