"""The tracking table as redrives read it: files by status, page by page, and the items of manifests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ndjctl.contracts import (
    COMPLETED,
    OPEN_MANIFESTS_PARTITION,
    STATUS_INDEX,
    Attr,
    closed_manifests_partition,
    manifest_item_key,
)
from ndjctl.items import Item, pages_of, plain, read_item
from ndjctl.ledger import FileId, Ledger


@dataclass(frozen=True)
class Entry:
    """A file as the ledger has it. Texts are empty where it says nothing."""

    date: str
    key: str
    status: str
    bucket: str
    etag: str
    size_bytes: int
    manifest_id: str
    error: str
    replaces: str
    superseded_by: str
    completed_at: str
    sequencer: str = ""
    superseded_by_sequencer: str = ""
    rows: int = 0
    reason: str = ""
    quarantine_key: str = ""


def entry_of(item: Item) -> Entry:
    """item: of a file, with plain values."""

    def text(name: str) -> str:
        return str(item.get(name) or "")

    return Entry(
        date=text(Attr.DATE_PREFIX),
        key=text(Attr.FILE_KEY),
        status=text(Attr.STATUS),
        bucket=text(Attr.BUCKET),
        etag=text(Attr.ETAG),
        size_bytes=int(item.get(Attr.SIZE_BYTES) or 0),
        manifest_id=text(Attr.BATCH_ID),
        error=text(Attr.ERROR),
        replaces=text(Attr.REPLACES),
        superseded_by=text(Attr.SUPERSEDED_BY),
        completed_at=text(Attr.COMPLETED_AT),
        sequencer=text(Attr.SEQUENCER),
        superseded_by_sequencer=text(Attr.SUPERSEDED_SEQUENCER),
        rows=int(item.get(Attr.ROWS) or 0),
        reason=text(Attr.REASON),
        quarantine_key=text(Attr.QUARANTINE_KEY),
    )


class Tracking:
    def __init__(self, dynamodb: Any, table: str, ledger: Ledger) -> None:
        self.dynamodb = dynamodb
        self.table = table
        self._ledger = ledger

    def with_status(self, status: str, date: str | None) -> Iterator[list[Entry]]:
        """Files of a status, of one date or of all, oldest first: as the index has them, which lags behind."""
        names, values = {"#status": Attr.STATUS}, {":status": status}
        request: Item = {"IndexName": STATUS_INDEX, "KeyConditionExpression": "#status = :status"}
        if date is not None:
            names["#date"], values[":date"] = Attr.DATE_PREFIX, date
            request["FilterExpression"] = "#date = :date"
        return self._query(request, names, values)

    def superseded(self, date: str) -> Iterator[list[Entry]]:
        """Completed files of a date of which a newer version is known. Reads the whole date, a page at a time."""
        names = {"#date": Attr.DATE_PREFIX, "#status": Attr.STATUS, "#newer": Attr.SUPERSEDED_BY}
        request: Item = {
            "KeyConditionExpression": "#date = :date",
            "FilterExpression": "#status = :status AND attribute_exists(#newer)",
        }
        return self._query(request, names, {":date": date, ":status": COMPLETED})

    def entries(self, ids: Iterable[FileId]) -> dict[FileId, Entry]:
        """Those of `ids` that the ledger has, read consistently."""
        found = (entry_of(plain(item)) for item in self._ledger.items(ids))
        return {(entry.date, entry.key): entry for entry in found}

    def open_manifest(self, manifest_id: str) -> Item | None:
        return self._get(OPEN_MANIFESTS_PARTITION, manifest_item_key(manifest_id))

    def closed_manifest(self, date: str, manifest_id: str) -> Item | None:
        return self._get(closed_manifests_partition(date), manifest_item_key(manifest_id))

    def get(self, key: dict[str, str]) -> Item | None:
        """key: a primary key as ndjctl.contracts makes them."""
        return self._get(key[Attr.DATE_PREFIX], key[Attr.FILE_KEY])

    def _get(self, partition: str, sort: str) -> Item | None:
        return read_item(self.dynamodb, self.table, partition, sort)[0]

    def _query(self, request: Item, names: Item, values: Mapping[str, str]) -> Iterator[list[Entry]]:
        """Of what no prefix of a partition is: an index, or a filter."""
        about = {
            "TableName": self.table,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {name: {"S": value} for name, value in values.items()},
        }
        for items, _ in pages_of(self.dynamodb, {**about, **request}):
            yield [entry_of(item) for item in items]
