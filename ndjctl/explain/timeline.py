"""Everything that is known to have happened to a file, in the order of time. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ndjctl.contracts import Attr
from ndjctl.explain.facts import FileFacts
from ndjctl.explain.model import STAGES, Moment
from ndjctl.logs.lines import Line

_TOLD_FIELDS = ("status", "was", "manifest_id", "etag", "error", "why", "event_name")
"""Fields of a line of the function's log that say more of the file."""

_OF_MANIFEST = {
    Attr.CREATED_AT: "its manifest was begun",
    Attr.SEALED_AT: "the files of its manifest were claimed",
    Attr.START_REQUESTED_AT: "a run of its manifest was asked for",
    Attr.REFUSED_AT: "the run of its manifest was refused",
    Attr.STARTED_AT: "the run of its manifest took it",
    Attr.GIVEN_UP_AT: "its manifest was given up",
    Attr.COMPLETED_AT: "its manifest was closed",
}


def timeline_of(facts: FileFacts) -> tuple[Moment, ...]:
    found = (_uploads(facts), _log(facts), _ledger(facts), _manifest(facts), _runs(facts), _report(facts))
    moments = [moment for each in found for moment in each]
    return tuple(sorted(moments, key=lambda moment: (moment.at, STAGES.index(moment.stage))))


def _uploads(facts: FileFacts) -> Iterator[Moment]:
    versions, there = facts.versions.value or (), facts.object.value
    for version in versions:
        if version.is_deletion:
            yield Moment(version.at, "upload", "the object was deleted")
        else:
            yield Moment(version.at, "upload", f"uploaded: {version.size_bytes:,} bytes, etag {version.etag}")
    if there is not None and not any(version.etag == there.etag for version in versions):
        yield Moment(there.modified_at, "upload", f"uploaded: {there.size_bytes:,} bytes, etag {there.etag}")


def _log(facts: FileFacts) -> Iterator[Moment]:
    for line in facts.log.value.lines if facts.log.value is not None else ():
        yield Moment(line.at, "function", _said(line))


def _said(line: Line) -> str:
    told = ", ".join(f"{name} {line.fields[name]}" for name in _TOLD_FIELDS if line.fields.get(name))
    return f"{line.event}{f': {told}' if told else ''}"


def _ledger(facts: FileFacts) -> Iterator[Moment]:
    for name, what in ((Attr.UPLOAD_TIME, "uploaded, by its event"), (Attr.COMPLETED_AT, "completed")):
        at = facts.moment(name)
        if at is not None:
            yield Moment(at, "ledger", what)
    at = facts.moment(Attr.UPDATED_AT)
    if at is not None and at != facts.moment(Attr.COMPLETED_AT):
        yield Moment(at, "ledger", f"last changed: {facts.status}")


def _manifest(facts: FileFacts) -> Iterator[Moment]:
    manifest = facts.manifest.value
    for name, what in _OF_MANIFEST.items() if manifest is not None else ():
        at = manifest.moment(name) if manifest is not None else None
        if at is not None:
            yield Moment(at, "manifest", what)


def _runs(facts: FileFacts) -> Iterator[Moment]:
    for run in facts.runs.value or ():
        yield from _at(run.started_at, f"Glue took the run {run.run_id}")
        if run.has_ended:
            error = f": {run.error}" if run.error else ""
            yield from _at(run.completed_at, f"the run {run.run_id} ended {run.state}{error}")


def _at(moment: datetime | None, what: str) -> Iterator[Moment]:
    if moment is not None:
        yield Moment(moment, "run", what)


def _report(facts: FileFacts) -> Iterator[Moment]:
    report = facts.report.value or facts.forgotten.value
    if report is not None and report.completed_at is not None:
        rows = "" if report.rows is None else f", rows: {report.rows:,}"
        yield Moment(report.completed_at, "output", f"the run reported: {report.status}{rows}")
