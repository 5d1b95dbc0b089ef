"""The manifests of the ledger: the open ones and, by date, the closed ones; never a scan, constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ndjctl.contracts import (
    ABANDONED,
    CLAIMING,
    DONE,
    OPEN_MANIFESTS_PARTITION,
    READY,
    RUNNING,
    STARTED,
    Attr,
    ManifestFile,
    Names,
    closed_manifests_partition,
    parse_iso_utc,
)
from ndjctl.items import Item, query_pages

OPEN_STATES = (CLAIMING, READY, STARTED, RUNNING)
CLOSED_STATES = (DONE, ABANDONED)

_PREFIXES = ("manifests/", "reports/")
_FIELDS = (
    Attr.DATE_PREFIX,
    Attr.FILE_KEY,
    Attr.STATE,
    Attr.DATE,
    Attr.FILES,  # of items made before the lists were items of their own
    Attr.FILE_COUNT,
    Attr.SIZE_BYTES,
    Attr.CREATED_AT,
    Attr.UPDATED_AT,
    Attr.STARTED_AT,
    Attr.COMPLETED_AT,
    Attr.ATTEMPT,
    Attr.RUN_ID,
    Attr.ERROR,
    Attr.PARTS,
    Attr.GIVEN_UP_AT,
)


@dataclass(frozen=True)
class ManifestSummary:
    """One manifest as the ledger has it. Times are aware, None where the ledger has none; texts are empty there. files
    and size_bytes: while it is `claiming` those of its candidates. attempt: runs begun so far. parts: of its output,
    once a run has decided. given_up_at: of one whose output is being deleted."""

    manifest_id: str
    date: str
    state: str
    is_open: bool
    files: int
    size_bytes: int
    created_at: datetime | None
    updated_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    attempt: int
    run_id: str
    error: str
    parts: int | None
    given_up_at: datetime | None = None

    def age_s(self, now: datetime) -> float | None:
        """Seconds since it was made."""
        return None if self.created_at is None else (now - self.created_at).total_seconds()


def list_manifests(
    dynamodb: Any,
    s3: Any,
    names: Names,
    *,
    state: str | None = None,
    date: str | None = None,
    is_open: bool | None = None,
) -> Iterator[ManifestSummary]:
    """Open ones first, then the closed ones, each oldest first (the closed ones by date, then by age), read page by
    page. state, date, is_open: only those of it. A manifest that closes meanwhile is told once."""
    table = names.tracking_table
    if state is not None:
        is_open = state in OPEN_STATES
    told: set[str] = set()
    if is_open is not False:
        for found in _of_partition(dynamodb, table, OPEN_MANIFESTS_PARTITION):
            if date in (None, found.date) and state in (None, found.state):
                told.add(found.manifest_id)
                yield found
    if is_open is not True:
        for day in [date] if date is not None else manifest_dates(s3, names.manifest_bucket):
            for found in _of_partition(dynamodb, table, closed_manifests_partition(day)):
                if state in (None, found.state) and found.manifest_id not in told:
                    yield found


def manifest_dates(s3: Any, bucket: str) -> Iterator[str]:
    """The dates that manifests were ever made for, ascending. The ledger's partitions cannot be listed without a scan,
    the folders of the manifest bucket can; a date whose manifests somebody deleted has reports still."""
    dates: set[str] = set()
    for prefix in _PREFIXES:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
        for page in pages:
            dates.update(str(entry["Prefix"])[len(prefix) : -1] for entry in page.get("CommonPrefixes", []))
    yield from sorted(dates)


def files_of_list(item: Item) -> tuple[ManifestFile, ...]:
    """The files that the item of a manifest's list has."""
    return tuple(
        ManifestFile(
            str(each[Attr.BUCKET]),
            str(each["key"]),
            int(each[Attr.SIZE_BYTES]),
            str(each[Attr.ETAG]),
            str(each.get(Attr.REPLACES) or ""),
        )
        for each in item.get(Attr.FILES) or []
    )


def _of_partition(dynamodb: Any, table: str, partition: str) -> Iterator[ManifestSummary]:
    for items, _ in query_pages(dynamodb, table, partition, fields=_FIELDS):
        for item in items:
            yield summary_of(item)


def summary_of(item: Item) -> ManifestSummary:
    """The summary of a manifest's item, of either partition."""
    sizes = [int(file[Attr.SIZE_BYTES]) for file in item.get(Attr.FILES) or []]
    parts = item.get(Attr.PARTS)
    return ManifestSummary(
        manifest_id=str(item[Attr.FILE_KEY]).removesuffix("#"),
        date=str(item.get(Attr.DATE, "")),
        state=str(item.get(Attr.STATE, "")),
        is_open=item[Attr.DATE_PREFIX] == OPEN_MANIFESTS_PARTITION,
        files=int(item.get(Attr.FILE_COUNT, len(sizes))),
        size_bytes=int(item.get(Attr.SIZE_BYTES, sum(sizes))),
        created_at=moment(item, Attr.CREATED_AT),
        updated_at=moment(item, Attr.UPDATED_AT),
        started_at=moment(item, Attr.STARTED_AT),
        completed_at=moment(item, Attr.COMPLETED_AT),
        attempt=int(item.get(Attr.ATTEMPT, 0)),
        run_id=str(item.get(Attr.RUN_ID, "")),
        error=str(item.get(Attr.ERROR, "")),
        parts=None if parts is None else int(parts),
        given_up_at=moment(item, Attr.GIVEN_UP_AT),
    )


def moment(item: Item, name: str) -> datetime | None:
    """The time that an attribute holds; None where it holds none."""
    try:
        return parse_iso_utc(str(item[name]))
    except (KeyError, ValueError):
        return None
