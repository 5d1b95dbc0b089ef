"""Everything that is known of one manifest: the ledger, its files, its run, its report; and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date as calendar_date
from datetime import datetime
from itertools import islice
from typing import Any

from ndjctl.aws import error_code
from ndjctl.contracts import (
    ABANDONED,
    CLAIMING,
    OPEN_MANIFESTS_PARTITION,
    REPORT_FORMAT,
    REPORT_VERSION,
    Attr,
    FormatError,
    Manifest,
    ManifestFile,
    Names,
    closed_manifests_partition,
    manifest_files_item_key,
    manifest_key,
    parse_iso_utc,
    read_document,
    report_key,
    s3_uri,
)
from ndjctl.errors import UsageError, WorkFailed
from ndjctl.glue_runs import GlueRun, attempts_of
from ndjctl.items import Item, query_pages, read_item
from ndjctl.ledger import FileRecord, Ledger
from ndjctl.manifests import ManifestSummary, files_of_list, manifest_dates, moment, summary_of
from ndjctl.objects import list_objects

_AMBIGUOUS_SHOWN = 5
_GONE = "gone"


@dataclass(frozen=True)
class ManifestEntry:
    """A file of the manifest and what the ledger says of it; None when the ledger has no item of it (any more)."""

    file: ManifestFile
    record: FileRecord | None


@dataclass(frozen=True)
class ReportFacts:
    """What the report of its last run that came so far says. parts: objects, with rows and bytes."""

    uri: str
    run_id: str
    completed_at: datetime | None
    parts: int
    lines: int
    rows: int
    bad_lines: int
    rescued_values: int
    files_completed: int
    files_failed: int
    files_refused: int
    parquet_bytes: int
    schema_version: int | None
    error: str


@dataclass(frozen=True)
class ManifestDetails:
    """summary.state is empty when the ledger has forgotten the manifest and only its object is left. runs: of its last
    start, with the attempts that Glue made of it, None when Glue does not know it. timeline: (when, what) in order.
    fault: what is wrong with its object, the end of a sentence; empty where it is as it should be."""

    summary: ManifestSummary
    uri: str
    entries: tuple[ManifestEntry, ...]
    runs: tuple[GlueRun, ...]
    report: ReportFacts | None
    timeline: tuple[tuple[datetime, str], ...] = field(default=())
    fault: str = ""


def find_manifest(dynamodb: Any, s3: Any, names: Names, prefix: str) -> tuple[Item | None, str, str]:
    """(item or None, date, id) of the manifest whose id begins with `prefix`.

    Raises UsageError when none or more than one does."""
    found: dict[str, tuple[Item | None, str]] = {}
    for manifest_id, entry in _candidates(dynamodb, s3, names, prefix):
        if found.get(manifest_id, (None,))[0] is None:
            found[manifest_id] = entry
        if len(found) > _AMBIGUOUS_SHOWN or (manifest_id == prefix and entry[0] is not None):
            break
    if prefix in found:
        return found[prefix][0], found[prefix][1], prefix
    if not found:
        raise UsageError(f"No manifest has an id that begins with {prefix!r}.")
    if len(found) > 1:
        shown = ", ".join(islice(found, _AMBIGUOUS_SHOWN))
        more = " and more" if len(found) > _AMBIGUOUS_SHOWN else ""
        raise UsageError(f"More than one manifest has an id that begins with {prefix!r}: {shown}{more}.")
    ((manifest_id, (item, date)),) = found.items()
    return item, date, manifest_id


def _candidates(dynamodb: Any, s3: Any, names: Names, prefix: str) -> Iterator[tuple[str, tuple[Item | None, str]]]:
    table = names.tracking_table
    for items, _ in query_pages(dynamodb, table, OPEN_MANIFESTS_PARTITION, prefix=prefix):
        for item in items:
            yield _id_of(item), (item, str(item[Attr.DATE]))
    for date in sorted(manifest_dates(s3, names.manifest_bucket), key=lambda day: _distance(day, prefix)):
        for items, _ in query_pages(dynamodb, table, closed_manifests_partition(date), prefix=prefix):
            for item in items:
                yield _id_of(item), (item, date)
        # The ledger forgets a manifest in the end; its object stays.
        start = manifest_key(date, prefix).removesuffix(".json")
        for entry in list_objects(s3, names.manifest_bucket, start):
            name = entry.key.rsplit("/", 1)[-1]
            yield name.removeprefix("manifest-").removesuffix(".json"), (None, date)


def _id_of(item: Item) -> str:
    return str(item[Attr.FILE_KEY]).removesuffix("#")


def _distance(date: str, prefix: str) -> float:
    """Days between a date and the one that an id begins with: most manifests are of the day they were made on."""
    try:
        made = calendar_date(int(prefix[:4]), int(prefix[4:6]), int(prefix[6:8]))
        return abs((calendar_date.fromisoformat(date) - made).days)
    except ValueError:
        return 0.0


def describe(
    dynamodb: Any, s3: Any, glue: Any, names: Names, prefix: str, sleep: Callable[[float], None]
) -> ManifestDetails:
    """Raises UsageError as find_manifest, WorkFailed when its report cannot be read, or nothing tells of it but an
    object that is damaged."""
    item, date, manifest_id = find_manifest(dynamodb, s3, names, prefix)
    key = manifest_key(date, manifest_id)
    manifest, fault = _read_manifest(s3, names.manifest_bucket, key)
    if item is not None:
        # One that is being built has none yet, and one that came to nothing may never have had one.
        fault = "" if not manifest and fault == _GONE and item[Attr.STATE] in (CLAIMING, ABANDONED) else fault
        summary = summary_of(item)
    elif manifest is not None:
        summary = _forgotten(manifest)
    elif fault != _GONE:
        raise WorkFailed(
            f"The object of manifest {manifest_id} is {fault}, and the ledger has forgotten the manifest: put the "
            f"object back (an older version of the bucket, a backup)."
        )
    else:
        raise WorkFailed(f"The manifest {manifest_id} went away while it was looked at; look again.")
    files = manifest.files if manifest is not None else _listed_files(dynamodb, names, item or {})
    records = Ledger(dynamodb, names.tracking_table, sleep).get((date, file.key) for file in files)
    runs = attempts_of(glue, names.job, summary.run_id)[0] if summary.run_id else []
    report = _read_report(s3, names.manifest_bucket, report_key(date, manifest_id))
    return ManifestDetails(
        summary=summary,
        uri=s3_uri(names.manifest_bucket, key),
        entries=tuple(ManifestEntry(file, records.get((date, file.key))) for file in files),
        runs=tuple(runs),
        report=report,
        timeline=tuple(_timeline(item or {}, summary, runs, report)),
        fault=fault,
    )


def _listed_files(dynamodb: Any, names: Names, item: Item) -> tuple[ManifestFile, ...]:
    """The files of a manifest that has no object: of one that is still being built not all may become its."""
    key = manifest_files_item_key(_id_of(item))
    listed, _ = read_item(dynamodb, names.tracking_table, key[Attr.DATE_PREFIX], key[Attr.FILE_KEY])
    return files_of_list(listed or item)


def _forgotten(manifest: Manifest) -> ManifestSummary:
    return ManifestSummary(
        manifest_id=manifest.manifest_id,
        date=manifest.date,
        state="",
        is_open=False,
        files=len(manifest.files),
        size_bytes=manifest.size_bytes,
        created_at=_parsed(manifest.created_at),
        updated_at=None,
        started_at=None,
        completed_at=None,
        attempt=0,
        run_id="",
        error="",
        parts=None,
    )


def _read_manifest(s3: Any, bucket: str, key: str) -> tuple[Manifest | None, str]:
    """(None, what is wrong with its object, the end of a sentence) where it is not as it should be."""
    body = _read_object(s3, bucket, key)
    if body is None:
        return None, _GONE
    try:
        return Manifest.from_json(body, "it"), ""
    except FormatError as error:
        return None, f"damaged ({str(error).rstrip('.')})"


def _read_object(s3: Any, bucket: str, key: str) -> bytes | None:
    """None when there is none."""
    from botocore.exceptions import ClientError

    try:
        return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error_code(error) != "NoSuchKey":
            raise
        return None


def _read_report(s3: Any, bucket: str, key: str) -> ReportFacts | None:
    uri = s3_uri(bucket, key)
    body = _read_object(s3, bucket, key)
    if body is None:
        return None
    try:
        document = read_document(body, REPORT_FORMAT, REPORT_VERSION, uri)
        totals = document["totals"]
        return ReportFacts(
            uri=uri,
            run_id=str(document["run_id"]),
            completed_at=_parsed(str(document["completed_at"])),
            parts=len(document["parts"]),
            lines=int(totals["lines"]),
            rows=int(totals["rows"]),
            bad_lines=int(totals["bad_lines"]),
            rescued_values=int(totals["rescued_values"]),
            files_completed=int(totals["files_completed"]),
            files_failed=int(totals["files_failed"]),
            files_refused=int(totals["files_refused"]),
            parquet_bytes=int(totals["parquet_bytes"]),
            schema_version=document.get("schema", {}).get("version"),
            error=str(document.get("error") or ""),
        )
    except FormatError as error:
        raise WorkFailed(f"{str(error).rstrip('.')}.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise WorkFailed(f"{uri} is no run report: {type(error).__name__} {json.dumps(str(error))}.") from error


def _parsed(text: str) -> datetime | None:
    try:
        return parse_iso_utc(text)
    except ValueError:
        return None


def _timeline(
    item: Item, summary: ManifestSummary, runs: list[GlueRun], report: ReportFacts | None
) -> list[tuple[datetime, str]]:
    """Every time that the item tells by an attribute `..._at`, those of its runs and its report, in order."""
    moments: list[tuple[datetime | None, str]] = [
        (moment(item, name), _SAID.get(name, name.removesuffix("_at").replace("_", " ")))
        for name in item
        if name.endswith("_at") and name != Attr.UPDATED_AT
    ]
    if not item:
        moments.append((summary.created_at, _SAID[Attr.CREATED_AT]))
    for run in runs:
        moments.append((run.started_at, f"Glue run {run.run_id} accepted"))
        if run.has_ended:
            moments.append((run.completed_at, f"Glue run {run.run_id} {run.state}"))
    if report is not None:
        moments.append((report.completed_at, "report written"))
    return sorted((when, what) for when, what in moments if when is not None)


_SAID = {
    Attr.CREATED_AT: "begun by the builder",
    Attr.SEALED_AT: "its files are claimed",
    Attr.START_REQUESTED_AT: "a run was asked for",
    Attr.REFUSED_AT: "its run was refused",
    Attr.STARTED_AT: "its run started",
    Attr.GIVEN_UP_AT: "given up",
    Attr.COMPLETED_AT: "closed",
}
