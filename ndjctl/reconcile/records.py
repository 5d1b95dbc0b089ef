"""The ledger as a reconciliation reads it: items of files and of manifests, page by page and one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
from ndjctl.items import Item, plain, query_pages, read_item
from ndjctl.ledger import FileId, Ledger

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
        self._ledger = Ledger(dynamodb, table, sleep)
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
            item, _ = read_item(self._dynamodb, self._table, partition, manifest_item_key(manifest_id))
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

    def _with_files(self, items: Sequence[Item]) -> list[Item]:
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
        return {item.id: item for item in map(_file, self._get(ids, _FILE_FIELDS))}

    def _query(
        self, partition: str, fields: Sequence[str], prefix: str = "", page_items: int | None = None
    ) -> Iterator[Item]:
        pages = query_pages(
            self._dynamodb,
            self._table,
            partition,
            prefix=prefix,
            fields=fields,
            page_items=page_items or self._page_items,
        )
        return (item for items, _ in pages for item in items)

    def _get(self, keys: Iterable[tuple[str, str]], fields: Sequence[str]) -> Iterator[Item]:
        return map(plain, self._ledger.items(keys, fields))


def _text(item: Item, name: str) -> str:
    return str(item.get(name) or "")


def _id_of(item: Item) -> str:
    return _text(item, Attr.FILE_KEY).removesuffix("#")


def _number(item: Item, name: str) -> int:
    return int(item.get(name) or 0)


def _moment(item: Item, *names: str) -> datetime | None:
    """The first of these that can be read."""
    for name in names:
        try:
            return parse_iso_utc(_text(item, name))
        except ValueError:
            continue
    return None


def _file(item: Item) -> FileItem:
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


def _manifest(item: Item) -> ManifestItem:
    return ManifestItem(
        manifest_id=_id_of(item),
        date=_text(item, Attr.DATE),
        state=_text(item, Attr.STATE),
        is_open=_text(item, Attr.DATE_PREFIX) == OPEN_MANIFESTS_PARTITION,
        run_id=_text(item, Attr.RUN_ID),
        changed_at=_moment(item, Attr.UPDATED_AT, Attr.CREATED_AT),
        started_at=_moment(item, Attr.STARTED_AT, Attr.CREATED_AT),
        parts=_number(item, Attr.PARTS) if Attr.PARTS in item else None,
        files=tuple(s3_uri(str(each[Attr.BUCKET]), str(each["key"])) for each in item.get(Attr.FILES) or []),
    )
