"""Reads what is known of one file, a stage at a time, each in a bounded number of calls. All raise
what boto3 raises."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from ndjctl.aws import error_code, is_not_found
from ndjctl.contracts import (
    OPEN_MANIFESTS_PARTITION,
    REPORT_FORMAT,
    REPORT_VERSION,
    TOO_LARGE,
    TOO_SMALL,
    TTL_DAYS,
    Attr,
    FormatError,
    Manifest,
    Names,
    bad_lines_prefix,
    closed_manifests_partition,
    ledger_dates,
    manifest_item_key,
    manifest_key,
    parse_iso_utc,
    part_prefix,
    read_document,
    s3_uri,
    size_quarantine_key,
)
from ndjctl.errors import WorkFailed
from ndjctl.explain.facts import (
    Counted,
    DeadLetter,
    FileLog,
    InputObject,
    ManifestFacts,
    Parts,
    ReportedFile,
    StoredVersion,
)
from ndjctl.glue_runs import GlueRun, attempts_of
from ndjctl.items import Item, plain, read_item
from ndjctl.ledger import Ledger
from ndjctl.logs.lines import Line, line_of
from ndjctl.logs.reading import read_group
from ndjctl.objects import list_objects
from ndjctl.reconcile.parts import read_bad_lines, read_part
from ndjctl.reconcile.streams import list_bucket
from ndjctl.redrive.dlq import DeadLetters

LOG_PAGES = 10
"""Of the function's log, each of up to 10,000 lines about this file (or of all, where its key is no filter)."""
LOG_LINES = 200
LETTERS = 1_000
"""Messages of the dead-letter queue that are looked at: they are out of view for half a minute."""
_LETTERS_HIDDEN_S = 30
_VERSIONS = 100
_MAX_KEY_BYTES = 1024
_COUNTED_PARTS = 2_000
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_./ =@:+,~-]{1,800}")
"""Keys that mean themselves in a filter pattern of CloudWatch Logs."""


def read_object(s3: Any, bucket: str, key: str) -> InputObject | None:
    """None where there is none."""
    try:
        answer = s3.head_object(Bucket=bucket, Key=key)
    except Exception as error:
        # A bucket that is gone is not the same as an object that is; HeadObject says 404 of both.
        if error_code(error) not in ("404", "NoSuchKey", "NotFound"):
            raise
        s3.head_bucket(Bucket=bucket)
        return None
    return InputObject(int(answer["ContentLength"]), str(answer["ETag"]).strip('"'), _utc(answer["LastModified"]))


def read_versions(s3: Any, bucket: str, key: str) -> tuple[StoredVersion, ...]:
    """The newest versions of the object and its deletions, the oldest of them first; in a bucket that keeps no versions
    the one that is there."""
    answer = s3.list_object_versions(Bucket=bucket, Prefix=key, MaxKeys=_VERSIONS)
    found = [
        StoredVersion(
            _utc(each["LastModified"]),
            int(each["Size"]),
            str(each["ETag"]).strip('"'),
            bool(each.get("IsLatest")),
            is_deletion=False,
        )
        for each in answer.get("Versions", [])
        if each["Key"] == key
    ]
    found += [
        StoredVersion(_utc(each["LastModified"]), 0, "", bool(each.get("IsLatest")), is_deletion=True)
        for each in answer.get("DeleteMarkers", [])
        if each["Key"] == key
    ]
    return tuple(sorted(found, key=lambda each: (each.at, each.is_latest)))


def read_items(ledger: Ledger, key: str, moment: datetime, now: datetime) -> tuple[Item, ...]:
    """The items of the key under every date that it can have. moment: of its upload, or any in the time that the ledger
    remembers."""
    dates = ledger_dates(key, moment, now, TTL_DAYS)
    return tuple(plain(item) for item in ledger.items((date, key) for date in dates))


def read_log(logs: Any, group: str, key: str, since: datetime) -> FileLog:
    """What the function said of the file from then on."""
    pattern = f'{{ $.file_key = "{key}" }}' if _PLAIN_KEY.fullmatch(key) else ""
    is_whole = True

    def cut() -> None:
        nonlocal is_whole
        is_whole = False

    start_ms = int((since - timedelta(minutes=1)).timestamp() * 1000)
    found: list[Line] = []
    for raw in read_group(logs, group, start_ms, None, pattern=pattern, most_pages=LOG_PAGES, cut=cut):
        line = line_of(raw)
        if line.fields.get("file_key") != key:
            continue
        if len(found) >= LOG_LINES:
            is_whole = False
            break
        found.append(line)
    return FileLog(tuple(found), is_whole)


def find_letter(letters: DeadLetters, key: str) -> DeadLetter:
    """Looks through the dead-letter queue. All that was looked at is in view again afterwards, at the latest after half
    a minute."""
    seen, hidden, is_whole = 0, [], True
    try:
        for page in letters.received(_LETTERS_HIDDEN_S):
            hidden += [letter.receipt for letter in page]
            seen += len(page)
            for letter in page:
                if any(each.key == key for each in letter.objects):
                    return DeadLetter(True, letter.why, letter.receives, seen, False)
            if seen >= LETTERS:
                is_whole = False
                break
    finally:
        letters.show(hidden)
    return DeadLetter(False, "", 0, seen, is_whole)


def read_manifest(dynamodb: Any, s3: Any, names: Names, date: str, manifest_id: str, uri: str) -> ManifestFacts:
    """Its item, open or closed, and the file's entry in its object, or what is wrong with that."""
    item = _manifest_item(dynamodb, names, date, manifest_id)
    key = manifest_key(date, manifest_id)
    body = _body(s3, names.manifest_bucket, key)
    entry = None
    if body is not None:
        try:
            manifest = Manifest.from_json(body, "it")
        except FormatError as error:
            return ManifestFacts(manifest_id, date, item, True, None, str(error))
        entry = next((file for file in manifest.files if file.uri == uri), None)
    return ManifestFacts(manifest_id, date, item, body is not None, entry)


def _manifest_item(dynamodb: Any, names: Names, date: str, manifest_id: str) -> Item | None:
    # Open ones first: a manifest that is closed between the two reads is then found in the second.
    for partition in (OPEN_MANIFESTS_PARTITION, closed_manifests_partition(date)):
        item, _ = read_item(dynamodb, names.tracking_table, partition, manifest_item_key(manifest_id))
        if item is not None:
            return item
    return None


def read_runs(dynamodb: Any, glue: Any, names: Names, date: str, manifest_id: str, run_id: str) -> tuple[GlueRun, ...]:
    """The attempts of the manifest's last run. run_id: of the file, where the manifest's item tells none."""
    item = _manifest_item(dynamodb, names, date, manifest_id) or {}
    found = str(item.get(Attr.RUN_ID) or "") or run_id
    return tuple(attempts_of(glue, names.job, found.partition("_attempt_")[0])[0]) if found else ()


def read_report(s3: Any, names: Names, key: str, uri: str) -> ReportedFile | None:
    """What a run's report says of the file; None where there is no report, or it does not have the file."""
    body = _body(s3, names.manifest_bucket, key)
    if body is None:
        return None
    try:
        document = read_document(body, REPORT_FORMAT, REPORT_VERSION, s3_uri(names.manifest_bucket, key))
        for file in document["files"]:
            if s3_uri(str(file["bucket"]), str(file["key"])) == uri:
                return _reported(document, file)
    except FormatError as error:
        raise WorkFailed(f"{str(error).rstrip('.')}.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise WorkFailed(f"{key} is no run report: {type(error).__name__} {json.dumps(str(error))}.") from error
    return None


def _reported(document: dict[str, Any], file: dict[str, Any]) -> ReportedFile:
    def number(name: str) -> int | None:
        return None if file.get(name) is None else int(file[name])

    version = document.get("schema", {}).get("version")
    return ReportedFile(
        manifest_id=str(document["manifest_id"]),
        run_id=str(document.get("run_id", "")),
        completed_at=_moment(str(document.get("completed_at", ""))),
        status=str(file["status"]),
        etag=str(file["etag"]),
        lines=number("lines"),
        rows=number("rows"),
        bad_lines=number("bad_lines"),
        error=str(file.get("error") or ""),
        parts=len(document["parts"]),
        schema_version=None if version is None else int(version),
    )


def read_parts(s3: Any, names: Names, date: str, manifest_id: str) -> Parts:
    sizes = [entry.size_bytes for entry in list_objects(s3, names.output_bucket, part_prefix(date, manifest_id))]
    return Parts(len(sizes), sum(sizes))


def is_set_aside(s3: Any, names: Names, keys: Iterable[str]) -> bool:
    """Whether any of these is in the quarantine bucket. Raises what boto3 raises where that is not there, too."""
    for key in keys:
        try:
            s3.head_object(Bucket=names.quarantine_bucket, Key=key)
        except Exception as error:
            if not is_not_found(error):
                raise
            continue
        return True
    # HeadObject says 404 of an object that is gone, and of a bucket.
    s3.head_bucket(Bucket=names.quarantine_bucket)
    return False


def size_copies(key: str, dates: Sequence[str]) -> list[str]:
    """Where a copy of the file would be that was set aside for its size, under these dates."""
    keys = (size_quarantine_key(date, verdict, key) for date in dates for verdict in (TOO_SMALL, TOO_LARGE))
    return [each for each in keys if len(each.encode()) <= _MAX_KEY_BYTES]


def count_rows(s3: Any, names: Names, date: str, manifest_id: str, uri: str, report: Callable[[int], None]) -> Counted:
    """Rows and quarantined lines of the file, counted in every part of its manifest. report: told of each object that
    was read. Raises WorkFailed for more parts than a manifest has."""
    rows, bad, parts, problems = 0, 0, [], []
    listed = list(list_bucket(s3, names.output_bucket, part_prefix(date, manifest_id)))
    if len(listed) > _COUNTED_PARTS:
        raise WorkFailed(f"The manifest has {len(listed):,} parts, and up to {_COUNTED_PARTS:,} are counted.")
    for entry in listed:
        content = read_part(s3, entry)
        if content.problem:
            problems.append(f"{s3_uri(entry.bucket, entry.key)}: {content.problem}")
        elif content.rows[uri]:
            rows += content.rows[uri]
            parts.append(s3_uri(entry.bucket, entry.key))
        report(1)
    for entry in list_bucket(s3, names.quarantine_bucket, bad_lines_prefix(date, manifest_id)):
        content = read_bad_lines(s3, entry)
        if content.problem:
            problems.append(f"{s3_uri(entry.bucket, entry.key)}: {content.problem}")
        bad += content.rows[uri]
        report(1)
    return Counted(rows, bad, tuple(parts), tuple(problems))


def _body(s3: Any, bucket: str, key: str) -> bytes | None:
    """None where there is no such object."""
    try:
        return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except Exception as error:
        if error_code(error) != "NoSuchKey":
            raise
        return None


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(timezone.utc)


def _moment(text: str) -> datetime | None:
    try:
        return parse_iso_utc(text)
    except ValueError:
        return None
