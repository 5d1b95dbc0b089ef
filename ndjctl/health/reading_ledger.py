"""Reads the ends of the ledger that tell how things stand: open manifests, the oldest files of a status, locks."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from ndjctl.contracts import (
    LOCKS_PARTITION,
    OPEN_MANIFESTS_PARTITION,
    STATUS_INDEX,
    Attr,
    Names,
    parse_iso_utc,
)
from ndjctl.glue_runs import RETRY_GRACE_S
from ndjctl.health.facts import Files, FileSeen, OpenManifest, OpenManifests, Run
from ndjctl.items import Item, plain, projected, query_pages
from ndjctl.locks import REWRITE, Judged, Lock, Verdict, aws_time_of, judge_lease, lock_of
from ndjctl.manifests import summary_of

OPEN_PAGES = 2
"""Pages of open manifests, of a megabyte each: some 4,000 of them."""
FILES_SEEN = 100
LOCKS_SEEN = 200

_WHY_CHARS = 1_200


def read_open_manifests(dynamodb: Any, names: Names) -> OpenManifests:
    pages = query_pages(dynamodb, names.tracking_table, OPEN_MANIFESTS_PARTITION, fields=_MANIFEST_FIELDS)
    found: list[OpenManifest] = []
    is_whole = False
    for number, (items, _) in enumerate(pages, 1):
        found += [_open(item) for item in items]
        if number == OPEN_PAGES:
            break
    else:
        is_whole = True
    return OpenManifests(tuple(found), is_whole)


_MANIFEST_FIELDS = (
    *(Attr.DATE_PREFIX, Attr.FILE_KEY, Attr.STATE, Attr.DATE, Attr.FILE_COUNT, Attr.SIZE_BYTES, Attr.CREATED_AT),
    *(Attr.UPDATED_AT, Attr.STARTED_AT, Attr.ATTEMPT, Attr.RUN_ID, Attr.ERROR, Attr.PARTS, Attr.GIVEN_UP_AT),
    *(Attr.REFUSALS, Attr.REFUSED_AT, Attr.START_REQUESTED_AT),
)


def _open(item: Item) -> OpenManifest:
    return OpenManifest(
        summary=summary_of(item),
        refusals=int(item.get(Attr.REFUSALS, 0)),
        refused_at=_moment(item, Attr.REFUSED_AT),
        requested_at=_moment(item, Attr.START_REQUESTED_AT),
    )


def read_files(dynamodb: Any, names: Names, status: str, *, newest: bool = False) -> Files:
    """The oldest files of a status by upload, or the newest; one page of FILES_SEEN."""
    projection, about = projected(_FILE_FIELDS)
    answer = dynamodb.query(
        TableName=names.tracking_table,
        IndexName=STATUS_INDEX,
        KeyConditionExpression="#status = :status",
        ProjectionExpression=projection,
        ExpressionAttributeNames={**about, "#status": Attr.STATUS},
        ExpressionAttributeValues={":status": {"S": status}},
        ScanIndexForward=not newest,
        Limit=FILES_SEEN,
    )
    files = tuple(_file(plain(item), status) for item in answer.get("Items", []))
    return Files(files, not answer.get("LastEvaluatedKey"))


_FILE_FIELDS = (
    *(Attr.DATE_PREFIX, Attr.FILE_KEY, Attr.SIZE_BYTES, Attr.UPLOAD_TIME, Attr.UPDATED_AT, Attr.BATCH_ID),
    *(Attr.ERROR, Attr.REASON, Attr.QUARANTINE_KEY),
)


def _file(item: Item, status: str) -> FileSeen:
    return FileSeen(
        date=str(item[Attr.DATE_PREFIX]),
        key=str(item[Attr.FILE_KEY]),
        status=status,
        size_bytes=int(item.get(Attr.SIZE_BYTES) or 0),
        uploaded_at=_moment(item, Attr.UPLOAD_TIME),
        updated_at=_moment(item, Attr.UPDATED_AT),
        manifest_id=str(item.get(Attr.BATCH_ID) or ""),
        why=str(item.get(Attr.ERROR) or item.get(Attr.REASON) or "")[:_WHY_CHARS],
        quarantine_key=str(item.get(Attr.QUARANTINE_KEY) or ""),
    )


def read_locks(dynamodb: Any, names: Names, ttl_s: float) -> tuple[Judged, ...]:
    """Those that are held, of the first LOCKS_SEEN. ttl_s: how long a lease lasts, in seconds. Whether the holder of a
    rewrite lock is dead, only its run tells: see judged_by_runs()."""
    pages = query_pages(dynamodb, names.tracking_table, LOCKS_PARTITION, page_items=LOCKS_SEEN)
    found: list[Judged] = []
    for items, metadata in islice(pages, 1):
        aws_time = aws_time_of(metadata)
        for lock in map(lock_of, items):
            if lock.is_free:
                continue
            verdict = (
                Verdict(False, "its run was not looked at", None, aws_time)
                if lock.kind == REWRITE
                else judge_lease(lock, aws_time, ttl_s)
            )
            found.append(Judged(lock, verdict))
    return tuple(found)


def judged_by_runs(judged: Judged, runs: dict[str, Run]) -> Judged:
    """The same, for a rewrite lock by its run, where that is among `runs` (by id): Glue's own retries of it count."""
    lock, aws_time = judged.lock, judged.verdict.aws_time
    last = _last_attempt(lock, runs)
    if lock.kind != REWRITE or last is None:
        return judged
    run = last.run
    if not run.has_ended:
        return Judged(lock, Verdict(False, f"its run {run.run_id} is {run.state}", None, aws_time))
    until = run.retry_until()
    if until is not None and (aws_time is None or aws_time <= until + timedelta(seconds=RETRY_GRACE_S)):
        return Judged(
            lock, Verdict(False, f"its run {run.run_id} {run.state}, and may be tried again", until, aws_time)
        )
    return Judged(lock, Verdict(True, f"its run {run.run_id} ended {run.state}", None, aws_time))


def _last_attempt(lock: Lock, runs: dict[str, Run]) -> Run | None:
    base = lock.holder.partition("_attempt_")[0]
    attempts = [run for run_id, run in runs.items() if run_id.partition("_attempt_")[0] == base]
    return max(attempts, key=lambda run: run.attempt, default=None)


def _moment(item: Item, name: str) -> datetime | None:
    try:
        return parse_iso_utc(str(item[name]))
    except (KeyError, ValueError):
        return None
