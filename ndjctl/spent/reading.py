"""Reads what a bill is made of: run records from Glue, manifests from the ledger, run reports from S3. Bounded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from ndjctl.contracts import (
    DONE,
    OPEN_MANIFESTS_PARTITION,
    REPORT_FORMAT,
    REPORT_VERSION,
    TTL_DAYS,
    Attr,
    FormatError,
    Names,
    closed_manifests_partition,
    parse_iso_utc,
    read_document,
    report_key,
)
from ndjctl.items import plain
from ndjctl.manifests import summary_of
from ndjctl.monitor.pages import Pages, RawItem, of_partition, read_in_turn
from ndjctl.spent.runs import SpentRun, spent_run
from ndjctl.spent.waste import LedgerManifest, RunTimes

RUNS_PER_CALL = 200
RUN_CALLS = 700
"""140,000 runs: a month of 338,000 files a day in manifests of 100, and retries."""
KEPT_DAYS = 90
"""For which Glue keeps the records of runs (AWS Glue developer guide, "Viewing job run history")."""

LEDGER_CALLS = 150
LEDGER_DATES = 31
"""Dates whose closed manifests are asked for, the newest first. The ledger remembers them for TTL_DAYS."""

REPORT_CALLS = 400
"""Run reports that are read, of the newest runs: more would tell the shares no better."""
THREADS = 16
_MOST_REPORT_BYTES = 64 * 2**20

_FIELDS = (
    Attr.STATE,
    Attr.FILE_COUNT,
    Attr.SIZE_BYTES,
    Attr.RUN_ID,
    Attr.COMPLETED_AT,
    Attr.DATE_PREFIX,
    Attr.FILE_KEY,
)


@dataclass(frozen=True)
class RunRecords:
    """runs: those that began at `since` or later, the newest first. is_whole: whether these are all. has_older: whether
    Glue has runs from before."""

    runs: tuple[SpentRun, ...]
    is_whole: bool
    has_older: bool


def read_runs(glue: Any, job: str, since: datetime, advance: Callable[[int], None]) -> RunRecords:
    """advance: told how many runs each page had. Raises what boto3 raises."""
    request: dict[str, Any] = {"JobName": job, "MaxResults": RUNS_PER_CALL}
    found: list[SpentRun] = []
    for _ in range(RUN_CALLS):
        answer = glue.get_job_runs(**request)
        page = [spent_run(each) for each in answer.get("JobRuns", [])]
        advance(len(page))
        older = [each for each in page if each.started_at is not None and each.started_at < since]
        found += [each for each in page if each.started_at is None or each.started_at >= since]
        token = answer.get("NextToken")
        # Glue lists the newest first; retries keep the place of their run, so that one older run is not the end.
        if not token or (page and len(older) == len(page)):
            return RunRecords(tuple(found), True, bool(older))
        request["NextToken"] = token
    return RunRecords(tuple(found), False, True)


@dataclass(frozen=True)
class LedgerRecords:
    """manifests: by id, the closed ones of the dates asked for and those that are open. is_whole: whether all pages of
    all dates were read."""

    manifests: Mapping[str, LedgerManifest]
    is_whole: bool


def read_manifests(dynamodb: Any, table: str, dates: Iterable[str], pool: ThreadPoolExecutor) -> LedgerRecords:
    """dates: of the manifests. At most LEDGER_CALLS calls. Raises what boto3 raises."""
    found: dict[str, LedgerManifest] = {}

    def take(items: Sequence[RawItem]) -> None:
        for item in items:
            summary = summary_of(plain(item))
            found[summary.manifest_id] = LedgerManifest(
                files=summary.files,
                size_bytes=summary.size_bytes,
                run_id=summary.run_id,
                completed_at=summary.completed_at if summary.state == DONE else None,
            )

    wanted = sorted({date for date in dates if date}, reverse=True)
    partitions = [OPEN_MANIFESTS_PARTITION, *map(closed_manifests_partition, wanted[:LEDGER_DATES])]
    queries = [Pages(dynamodb, of_partition(table, each, _FIELDS, newest_first=True), take) for each in partitions]
    is_whole = read_in_turn(queries, LEDGER_CALLS, pool) and len(wanted) <= LEDGER_DATES
    return LedgerRecords(found, is_whole)


def read_created(dynamodb: Any, table: str) -> datetime:
    """When the ledger's table was made, in UTC: the environment's first deployment, because `destroy` leaves it where
    it has anything in it. Raises what boto3 raises."""
    created: datetime = dynamodb.describe_table(TableName=table)["Table"]["CreationDateTime"]
    return created.astimezone(timezone.utc)


def remembered_from(now: datetime) -> datetime:
    """Of what was closed before, the ledger forgets the manifests."""
    return now - timedelta(days=TTL_DAYS)


def read_reports(
    s3: Any, names: Names, manifests: Iterable[tuple[str, str]], pool: ThreadPoolExecutor
) -> Mapping[str, RunTimes]:
    """Times by manifest id. manifests: (date, id), of which the first REPORT_CALLS are asked for; those whose report is
    not there, or is none, are left out. Raises what boto3 raises for any other reason."""
    wanted = list(dict.fromkeys(manifests))[:REPORT_CALLS]

    def read(place: tuple[str, str]) -> RunTimes | None:
        return _read_report(s3, names.manifest_bucket, report_key(*place))

    return {place[1]: times for place, times in zip(wanted, pool.map(read, wanted), strict=True) if times is not None}


def _read_report(s3: Any, bucket: str, key: str) -> RunTimes | None:
    from botocore.exceptions import ClientError

    from ndjctl.aws import error_code

    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
        if int(answer.get("ContentLength") or 0) > _MOST_REPORT_BYTES:
            return None
        body = answer["Body"].read()
    except ClientError as error:
        if error_code(error) in ("NoSuchKey", "404"):
            return None
        raise
    try:
        return run_times(read_document(body, REPORT_FORMAT, REPORT_VERSION, key))
    except (FormatError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError):
        return None


def run_times(report: Mapping[str, Any]) -> RunTimes:
    """Of a run report's document. Raises ValueError, TypeError, KeyError, AttributeError or ArithmeticError where it is
    none."""
    try:
        started_at = parse_iso_utc(str(report["started_at"]))
    except ValueError:
        started_at = None
    return RunTimes(
        run_id=str(report["run_id"]),
        started_at=started_at,
        spark_s=_seconds(report["timings_s"].get("spark", 0)),
        busy_s=sum((_seconds(part["seconds"]) for part in report["parts"]), Decimal(0)),
    )


def _seconds(number: Any) -> Decimal:
    seconds = Decimal(json.dumps(number))
    if not seconds.is_finite() or seconds < 0:
        raise ValueError(f"{number} is no number of seconds")
    return seconds
