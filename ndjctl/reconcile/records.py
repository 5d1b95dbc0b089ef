"""The ledger as a reconciliation reads it: items of files and of manifests, page by page and one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from ndjctl.contracts import (
    OPEN_MANIFESTS_PARTITION,
    Attr,
    closed_manifests_partition,
    manifest_files_item_key,
    manifest_item_key,
    parse_iso_utc,
    s3_uri,
)
from ndjctl.errors import CloudError

FileId = tuple[str, str]
"""(date_prefix, S3 key)"""

_KEYS_PER_READ = 100
_READ_ROUNDS = 10
_MANIFESTS_PER_PAGE = 25
"""Each of them may name a thousand files."""

_FILE_FIELDS = (
    Attr.DATE_PREFIX,
    Attr.FILE_KEY,
    Attr.STATUS,
    Attr.ETAG,
    Attr.SIZE_BYTES,
    Attr.BATCH_ID,
    Attr.UPDATED_AT,
    Attr.UPLOAD_TIME,
    Attr.SUPERSEDED_BY,
    Attr.QUARANTINE_KEY,
    Attr.ERROR,
    Attr.REASON,
    Attr.REPLACES,
    Attr.LINES,
    Attr.ROWS,
    Attr.BAD_LINES,
)
_MANIFEST_FIELDS = (
    Attr.DATE_PREFIX,
    Attr.FILE_KEY,
    Attr.STATE,
    Attr.DATE,
    Attr.RUN_ID,
    Attr.UPDATED_AT,
    Attr.CREATED_AT,
    Attr.STARTED_AT,
    Attr.PARTS,
)


@dataclass(frozen=True, slots=True)
class FileItem:
    """What the ledger says of a file. Texts are empty and counts 0 where it says nothing."""

    date: str
    key: str
    status: str
    etag: str = ""
    size_bytes: int = 0
    manifest_id: str = ""
    changed_at: datetime | None = None
    superseded_by: str = ""
    quarantine_key: str = ""
    error: str = ""
    replaces: str = ""
    lines: int = 0
    rows: int = 0
    bad_lines: int = 0

    @property
    def id(self) -> FileId:
        return self.date, self.key


@dataclass(frozen=True, slots=True)
class ManifestItem:
    """What the ledger says of a manifest. parts: how many a run has decided on, None if none has. files: URIs, empty
    where they were not asked for."""

    manifest_id: str
    date: str
    state: str
    is_open: bool
    run_id: str = ""
    changed_at: datetime | None = None
    started_at: datetime | None = None
    parts: int | None = None
    files: tuple[str, ...] = ()


class Records:
    """Reads the tracking table. Never scans. page_items: most items of a page. Raises CloudError where a table keeps
    throttling, and what boto3 raises."""

    def __init__(self, dynamodb: Any, table: str, sleep: Callable[[float], None], page_items: int = 500) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._sleep = sleep
        self._page_items = page_items

    def files_of(self, date: str, prefix: str = "") -> Iterator[FileItem]:
        """The items of one date whose keys begin with `prefix`, in the order of their keys."""
        return (_file(item) for item in self._query(date, _FILE_FIELDS, prefix))

    def closed_manifests(self, date: str) -> Iterator[ManifestItem]:
        """With their files, oldest first."""
        fields = (*_MANIFEST_FIELDS, Attr.FILES)
        page_items = min(self._page_items, _MANIFESTS_PER_PAGE)
        items = self._query(closed_manifests_partition(date), fields, "", page_items)
        while page := list(islice(items, page_items)):
            yield from map(_manifest, self._with_files(page))

    def open_manifests(self, date: str) -> Iterator[ManifestItem]:
        """Without their files, oldest first."""
        items = self._query(OPEN_MANIFESTS_PARTITION, _MANIFEST_FIELDS)
        return (_manifest(item) for item in items if _text(item, Attr.DATE) == date)

    def manifest(self, date: str, manifest_id: str) -> ManifestItem | None:
        """As it is now, with its files."""
        # Open ones first: a manifest that is closed between the two reads is then found in the second.
        for partition in (OPEN_MANIFESTS_PARTITION, closed_manifests_partition(date)):
            key = {Attr.DATE_PREFIX: {"S": partition}, Attr.FILE_KEY: {"S": manifest_item_key(manifest_id)}}
            item = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
            if item:
                return _manifest(*self._with_files([item]))
        return None

    def manifests(self, ids: Iterable[tuple[str, str]]) -> dict[tuple[str, str], ManifestItem]:
        """Those of `ids`, given as (date, manifest id), that the ledger has, without their files."""
        keys = [
            (partition, manifest_item_key(manifest_id))
            for date, manifest_id in ids
            for partition in (OPEN_MANIFESTS_PARTITION, closed_manifests_partition(date))
        ]
        found = (_manifest(item) for item in self._get(keys, _MANIFEST_FIELDS))
        return {(item.date, item.manifest_id): item for item in found}

    def _with_files(self, items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The items of manifests, each with its list of files, which is an item of its own (but was not always)."""
        keys = (
            (key[Attr.DATE_PREFIX], key[Attr.FILE_KEY])
            for key in (manifest_files_item_key(_id_of(item)) for item in items if Attr.FILES not in item)
        )
        lists = {_id_of(item): item for item in self._get(keys, (Attr.FILE_KEY, Attr.FILES))}
        return [
            {**item, Attr.FILES: lists[_id_of(item)][Attr.FILES]} if _id_of(item) in lists else item for item in items
        ]

    def files(self, ids: Iterable[FileId]) -> dict[FileId, FileItem]:
        """The items of those of `ids` that the ledger has, as they are now."""
        return {item.id: item for item in map(_file, self._get(dict.fromkeys(ids), _FILE_FIELDS))}

    # ------------------------------------------------------------------------------------------------ requests

    def _query(
        self, partition: str, fields: Sequence[str], prefix: str = "", page_items: int | None = None
    ) -> Iterator[Mapping[str, Any]]:
        names = {f"#{name}": name for name in fields}
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": f"#{Attr.DATE_PREFIX} = :partition",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {":partition": {"S": partition}},
            "ProjectionExpression": ", ".join(names),
            "ConsistentRead": True,
            "Limit": page_items or self._page_items,
        }
        if prefix:
            request["KeyConditionExpression"] += f" AND begins_with(#{Attr.FILE_KEY}, :prefix)"
            request["ExpressionAttributeValues"][":prefix"] = {"S": prefix}
        while True:
            answer = self._dynamodb.query(**request)
            yield from answer["Items"]
            if not answer.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _get(self, keys: Iterable[tuple[str, str]], fields: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        names = {f"#{name}": name for name in fields}
        about = {
            "ConsistentRead": True,
            "ProjectionExpression": ", ".join(names),
            "ExpressionAttributeNames": names,
        }
        remaining = iter(keys)
        while batch := list(islice(remaining, _KEYS_PER_READ)):
            wanted = [{Attr.DATE_PREFIX: {"S": hash_}, Attr.FILE_KEY: {"S": range_}} for hash_, range_ in batch]
            pause_s = 0.05
            for _ in range(_READ_ROUNDS):
                answer = self._dynamodb.batch_get_item(RequestItems={self._table: {"Keys": wanted, **about}})
                yield from answer["Responses"].get(self._table, [])
                wanted = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
                if not wanted:
                    break
                self._sleep(pause_s)
                pause_s = min(2 * pause_s, 2.0)
            else:
                raise CloudError(f"The table {self._table} throttles reads; try again in a minute.")


def _text(item: Mapping[str, Any], name: str) -> str:
    return str(item.get(name, {}).get("S", ""))


def _id_of(item: Mapping[str, Any]) -> str:
    return _text(item, Attr.FILE_KEY).removesuffix("#")


def _number(item: Mapping[str, Any], name: str) -> int:
    return int(item.get(name, {}).get("N", 0))


def _moment(item: Mapping[str, Any], *names: str) -> datetime | None:
    """The first of these that can be read."""
    for name in names:
        try:
            return parse_iso_utc(_text(item, name))
        except ValueError:
            continue
    return None


def _file(item: Mapping[str, Any]) -> FileItem:
    return FileItem(
        date=_text(item, Attr.DATE_PREFIX),
        key=_text(item, Attr.FILE_KEY),
        status=_text(item, Attr.STATUS),
        etag=_text(item, Attr.ETAG),
        size_bytes=_number(item, Attr.SIZE_BYTES),
        manifest_id=_text(item, Attr.BATCH_ID),
        changed_at=_moment(item, Attr.UPDATED_AT, Attr.UPLOAD_TIME),
        superseded_by=_text(item, Attr.SUPERSEDED_BY),
        quarantine_key=_text(item, Attr.QUARANTINE_KEY),
        error=_text(item, Attr.ERROR) or _text(item, Attr.REASON),
        replaces=_text(item, Attr.REPLACES),
        lines=_number(item, Attr.LINES),
        rows=_number(item, Attr.ROWS),
        bad_lines=_number(item, Attr.BAD_LINES),
    )


def _manifest(item: Mapping[str, Any]) -> ManifestItem:
    files = (each["M"] for each in item.get(Attr.FILES, {}).get("L", []))
    return ManifestItem(
        manifest_id=_id_of(item),
        date=_text(item, Attr.DATE),
        state=_text(item, Attr.STATE),
        is_open=_text(item, Attr.DATE_PREFIX) == OPEN_MANIFESTS_PARTITION,
        run_id=_text(item, Attr.RUN_ID),
        changed_at=_moment(item, Attr.UPDATED_AT, Attr.CREATED_AT),
        started_at=_moment(item, Attr.STARTED_AT, Attr.CREATED_AT),
        parts=_number(item, Attr.PARTS) if Attr.PARTS in item else None,
        files=tuple(s3_uri(each[Attr.BUCKET]["S"], each["key"]["S"]) for each in files),
    )
