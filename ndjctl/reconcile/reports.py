"""Run reports in the manifest bucket: what became of files that the ledger has forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ndjctl.aws import is_not_found
from ndjctl.contracts import (
    COMPLETED,
    REPORT_FORMAT,
    REPORT_VERSION,
    FormatError,
    part_prefix,
    read_document,
    report_key,
    s3_uri,
)
from ndjctl.reconcile.join import possible_dates
from ndjctl.reconcile.streams import Listed, list_bucket, ordered_map
from ndjctl.reconcile.unchanged import Record, records_of

_WINDOW = 32


@dataclass(frozen=True)
class ReportedFile:
    """Of one version of a file, as its run counted it."""

    etag: str
    lines: int
    rows: int
    bad_lines: int


@dataclass(frozen=True)
class Report:
    """files: those that the run completed, by URI. parts: how many it wrote. records: what it says of objects that it
    wrote, or took rows out of, by URI."""

    manifest_id: str
    date: str
    files: Mapping[str, ReportedFile]
    parts: int
    run_id: str = ""
    records: Mapping[str, Record] = field(default_factory=dict)


class Reports:
    def __init__(self, s3: Any, manifest_bucket: str, output_bucket: str, pool: ThreadPoolExecutor) -> None:
        self._s3 = s3
        self._bucket = manifest_bucket
        self._output_bucket = output_bucket
        self._pool = pool

    def of(self, date: str, manifest_id: str) -> Report | None:
        return self._read(report_key(date, manifest_id))

    def converted(self, candidates: Iterable[Listed]) -> set[Listed]:
        """Those of `candidates` of which a report says that this very version is converted, and whose manifest has
        parts. Reads every report of their dates: candidates are best given many at a time."""
        by_date: dict[str, dict[tuple[str, str], Listed]] = {}
        for listed in candidates:
            for date in possible_dates(listed):
                by_date.setdefault(date, {})[s3_uri(listed.bucket, listed.key), listed.etag] = listed
        found: set[Listed] = set()
        for date, wanted in sorted(by_date.items()):
            keys = (entry.key for entry in list_bucket(self._s3, self._bucket, f"reports/{date}/"))
            for report in ordered_map(self._pool, self._read, keys, _WINDOW):
                if report is None:
                    continue
                versions = {(uri, file.etag) for uri, file in report.files.items()} & wanted.keys()
                if versions and self._has_parts(report):
                    found |= {wanted[version] for version in versions}
        return found

    def converted_on(self, listed: Listed, dates: Iterable[str]) -> bool:
        """Whether a report of one of these dates says that this version of the object, or one whose ETag is not known
        (empty), is converted, whatever is there of its parts."""
        uri = s3_uri(listed.bucket, listed.key)
        for date in dates:
            keys = (entry.key for entry in list_bucket(self._s3, self._bucket, f"reports/{date}/"))
            for report in ordered_map(self._pool, self._read, keys, _WINDOW):
                file = report.files.get(uri) if report is not None else None
                if file is not None and listed.etag in ("", file.etag):
                    return True
        return False

    def _has_parts(self, report: Report) -> bool:
        """A manifest that was given up after its report was written has none."""
        prefix = part_prefix(report.date, report.manifest_id)
        return next(list_bucket(self._s3, self._output_bucket, prefix, page_items=1), None) is not None

    def _read(self, key: str) -> Report | None:
        """None where there is none, or none that this program can read."""
        from botocore.exceptions import ClientError

        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if is_not_found(error):
                return None
            raise
        try:
            document = read_document(body, REPORT_FORMAT, REPORT_VERSION, key)
            files = {
                s3_uri(str(each["bucket"]), str(each["key"])): ReportedFile(
                    str(each["etag"]), int(each["lines"]), int(each["rows"]), int(each["bad_lines"])
                )
                for each in document["files"]
                if each["status"] == COMPLETED
            }
            run_id = str(document.get("run_id") or "")
            about = str(document["manifest_id"]), str(document["date"])
            return Report(*about, files, len(document["parts"]), run_id, records_of(document))
        except (FormatError, KeyError, TypeError, ValueError):
            return None
