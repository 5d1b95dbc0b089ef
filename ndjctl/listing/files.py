"""The files of the ledger: by status, oldest upload first, or those of one date in the order of their keys. Never a
scan, constant memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ndjctl.contracts import FAILED, QUARANTINED, STATUS_INDEX, STATUSES, Attr, iso_utc
from ndjctl.items import Item, pages_of, projected, query_pages
from ndjctl.manifests import moment
from ndjctl.redrive.choice import Choice

EVERYTHING = Choice()
WITH_REASONS = (FAILED, QUARANTINED)

FIELDS = (
    Attr.DATE_PREFIX,
    Attr.FILE_KEY,
    Attr.STATUS,
    Attr.BUCKET,
    Attr.SIZE_BYTES,
    Attr.ETAG,
    Attr.UPLOAD_TIME,
    Attr.UPDATED_AT,
    Attr.COMPLETED_AT,
    Attr.BATCH_ID,
    Attr.RUN_ID,
    Attr.ATTEMPT,
    Attr.ERROR,
    Attr.REASON,
    Attr.QUARANTINE_KEY,
    Attr.LINES,
    Attr.ROWS,
    Attr.BAD_LINES,
    Attr.SUPERSEDED_BY,
)


@dataclass(frozen=True)
class ListedFile:
    """A file as the ledger has it. Texts are empty, numbers and times None, where it says nothing. why: of a failed or
    quarantined one."""

    date: str
    key: str
    status: str
    bucket: str = ""
    size_bytes: int | None = None
    etag: str = ""
    uploaded_at: datetime | None = None
    updated_at: datetime | None = None
    completed_at: datetime | None = None
    manifest_id: str = ""
    run_id: str = ""
    attempt: int | None = None
    why: str = ""
    quarantine_key: str = ""
    lines: int | None = None
    rows: int | None = None
    bad_lines: int | None = None
    superseded_by: str = ""


@dataclass(frozen=True)
class FileFilter:
    """Which files. status: None for all. choice: by date and reason. uploaded_from, uploaded_before: aware. prefix: of
    the key."""

    status: str | None = None
    choice: Choice = EVERYTHING
    uploaded_from: datetime | None = None
    uploaded_before: datetime | None = None
    prefix: str = ""

    def takes(self, file: ListedFile) -> bool:
        if self.status not in (None, file.status) or not file.key.startswith(self.prefix):
            return False
        if not self.choice.takes(file.why, file.date):
            return False
        if self.uploaded_from is None and self.uploaded_before is None:
            return True
        uploaded = file.uploaded_at
        if uploaded is None:
            return False
        is_late_enough = self.uploaded_from is None or uploaded >= self.uploaded_from
        return is_late_enough and (self.uploaded_before is None or uploaded < self.uploaded_before)


def list_files(dynamodb: Any, table: str, wanted: FileFilter) -> Iterator[ListedFile]:
    """The files that `wanted` takes. Of one date: as they are now, in the order of their keys. Else by status, in the
    order of the pipeline, as the index has them: a file that moves on meanwhile may be listed under both statuses."""
    for items in _pages(dynamodb, table, wanted):
        for item in items:
            file = listed_file(item)
            if wanted.takes(file):
                yield file


def _pages(dynamodb: Any, table: str, wanted: FileFilter) -> Iterator[list[Item]]:
    if wanted.choice.date is not None:
        for items, _ in query_pages(dynamodb, table, wanted.choice.date, prefix=wanted.prefix, fields=FIELDS):
            yield items
        return
    statuses = STATUSES if wanted.choice.reason is None else WITH_REASONS
    for status in [wanted.status] if wanted.status is not None else statuses:
        for items, _ in pages_of(dynamodb, status_request(table, status, wanted, FIELDS)):
            yield items


def status_request(table: str, status: str, wanted: FileFilter, fields: Sequence[str]) -> Item:
    """A query of the status index. The times of upload are its range key: what is outside of them is not read."""
    projection, names = projected(fields)
    names |= {"#status": Attr.STATUS}
    values: dict[str, Any] = {":status": {"S": status}}
    condition = "#status = :status"
    first, last = wanted.uploaded_from, wanted.uploaded_before
    if first is not None or last is not None:
        names["#upload"] = Attr.UPLOAD_TIME
    if first is not None:
        values[":first"] = {"S": iso_utc(first)}
    if last is not None:
        values[":last"] = {"S": iso_utc(last)}
    if first is not None and last is not None:
        condition += " AND #upload BETWEEN :first AND :last"
    elif first is not None:
        condition += " AND #upload >= :first"
    elif last is not None:
        condition += " AND #upload < :last"
    return {
        "TableName": table,
        "IndexName": STATUS_INDEX,
        "KeyConditionExpression": condition,
        "ProjectionExpression": projection,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


def listed_file(item: Item) -> ListedFile:
    """item: of a file, with plain values."""

    def text(name: str) -> str:
        return str(item.get(name) or "")

    def number(name: str) -> int | None:
        value = item.get(name)
        return None if value is None else int(value)

    return ListedFile(
        date=text(Attr.DATE_PREFIX),
        key=text(Attr.FILE_KEY),
        status=text(Attr.STATUS),
        bucket=text(Attr.BUCKET),
        size_bytes=number(Attr.SIZE_BYTES),
        etag=text(Attr.ETAG),
        uploaded_at=moment(item, Attr.UPLOAD_TIME),
        updated_at=moment(item, Attr.UPDATED_AT),
        completed_at=moment(item, Attr.COMPLETED_AT),
        manifest_id=text(Attr.BATCH_ID),
        run_id=text(Attr.RUN_ID),
        attempt=number(Attr.ATTEMPT),
        why=text(Attr.ERROR) or text(Attr.REASON),
        quarantine_key=text(Attr.QUARANTINE_KEY),
        lines=number(Attr.LINES),
        rows=number(Attr.ROWS),
        bad_lines=number(Attr.BAD_LINES),
        superseded_by=text(Attr.SUPERSEDED_BY),
    )
