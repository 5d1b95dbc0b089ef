"""Reads the tracking table: what became of files. Never scans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ndjctl.contracts import AT_REST, Attr
from ndjctl.errors import CloudError
from ndjctl.items import projected

BATCH_GET_LIMIT = 100  # of the service

FileId = tuple[str, str]
"""(date_prefix, S3 key): a file's primary key in the ledger."""


@dataclass(frozen=True)
class FileRecord:
    """One file item. Texts are empty and numbers None where the ledger does not say yet."""

    date: str
    key: str
    status: str
    etag: str = ""
    size_bytes: int | None = None
    manifest_id: str = ""
    reason: str = ""
    quarantine_key: str = ""
    error: str = ""
    run_id: str = ""
    superseded_by: str = ""
    lines: int | None = None
    rows: int | None = None
    bad_lines: int | None = None

    @property
    def at_rest(self) -> bool:
        return self.status in AT_REST


class Ledger:
    def __init__(self, dynamodb: Any, table: str, sleep: Callable[[float], None]) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._sleep = sleep

    def get(self, ids: Iterable[FileId]) -> dict[FileId, FileRecord]:
        """The records of those of `ids` that the ledger has, read consistently."""
        records = map(_record, self.items(ids))
        return {(record.date, record.key): record for record in records}

    def items(self, ids: Iterable[FileId], fields: Sequence[str] = ()) -> Iterator[Mapping[str, Any]]:
        """The items of those of `ids` that the ledger has, as DynamoDB's low-level client has them, in no order; read
        consistently. ids: any primary keys of the table. fields: the attributes to return, all without any. Raises
        CloudError where the table keeps throttling."""
        remaining = iter(dict.fromkeys(ids))
        while batch := list(islice(remaining, BATCH_GET_LIMIT)):
            yield from self._batch_get(batch, fields)

    def _batch_get(self, ids: list[FileId], fields: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        keys = [{Attr.DATE_PREFIX: {"S": date}, Attr.FILE_KEY: {"S": key}} for date, key in ids]
        about: dict[str, Any] = {"ConsistentRead": True}
        if fields:
            about["ProjectionExpression"], about["ExpressionAttributeNames"] = projected(fields)
        pause_s = 0.05
        for _ in range(10):
            answer = self._dynamodb.batch_get_item(RequestItems={self._table: {"Keys": keys, **about}})
            yield from answer["Responses"].get(self._table, [])
            keys = (answer.get("UnprocessedKeys") or {}).get(self._table, {}).get("Keys", [])
            if not keys:
                return
            self._sleep(pause_s)
            pause_s = min(2 * pause_s, 2.0)
        raise CloudError(f"The table {self._table} throttles reads; try again in a minute.")


def _record(item: Mapping[str, Any]) -> FileRecord:
    def text(name: str) -> str:
        return str(item.get(name, {}).get("S", ""))

    def number(name: str) -> int | None:
        value = item.get(name, {}).get("N")
        return None if value is None else int(value)

    return FileRecord(
        date=text(Attr.DATE_PREFIX),
        key=text(Attr.FILE_KEY),
        status=text(Attr.STATUS),
        etag=text(Attr.ETAG),
        size_bytes=number(Attr.SIZE_BYTES),
        manifest_id=text(Attr.BATCH_ID),
        reason=text(Attr.REASON),
        quarantine_key=text(Attr.QUARANTINE_KEY),
        error=text(Attr.ERROR),
        run_id=text(Attr.RUN_ID),
        superseded_by=text(Attr.SUPERSEDED_BY),
        lines=number(Attr.LINES),
        rows=number(Attr.ROWS),
        bad_lines=number(Attr.BAD_LINES),
    )
