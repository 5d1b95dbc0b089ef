"""Which pending files make up the next batches: the pure rule, and the reading of what is pending."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from lambda_handler.dynamo import Item, file_key, get_items, query_pages
from lambda_handler.services import Invocation
from ndjctl.contracts import PENDING, STATUS_INDEX, Attr, ManifestFile, parse_iso_utc

_MAX_ITEM_BYTES = 300_000
"""Room that the candidates may take in a manifest's item; DynamoDB's limit for the whole item is 409,600 bytes."""
_BYTES_PER_FILE = 64
"""Attribute names, the size and DynamoDB's own overhead of one candidate, roughly and on the safe side."""

_FIELDS = (
    Attr.DATE_PREFIX,
    Attr.FILE_KEY,
    Attr.STATUS,
    Attr.UPLOAD_TIME,
    Attr.BUCKET,
    Attr.SIZE_BYTES,
    Attr.ETAG,
)


@dataclass(frozen=True)
class PendingFile:
    file: ManifestFile
    date: str
    upload_time: str  # ISO, UTC

    @property
    def item_bytes(self) -> int:
        """What it takes in a manifest's item, at most."""
        return len(self.file.key.encode()) + len(self.file.bucket) + len(self.file.etag) + _BYTES_PER_FILE


@dataclass(frozen=True)
class Limits:
    max_files: int
    max_bytes: int
    max_item_bytes: int = _MAX_ITEM_BYTES


@dataclass(frozen=True)
class Batch:
    files: tuple[PendingFile, ...]
    full: bool
    """No further file may join it: it has reached a limit, or the file after it would pass one."""


class _Room:
    """Fills one batch after the other."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._empty()

    def _empty(self) -> None:
        self.files: list[PendingFile] = []
        self._bytes = 0
        self._item_bytes = 0

    def add(self, file: PendingFile) -> Iterator[Batch]:
        """Yields the batches that this file makes full: none, the one before it, its own, or both."""
        if self.files and not self._fits(file):
            yield self._take()
        self.files.append(file)
        self._bytes += file.file.size_bytes
        self._item_bytes += file.item_bytes
        if len(self.files) >= self._limits.max_files or self._bytes >= self._limits.max_bytes:
            yield self._take()

    def _fits(self, file: PendingFile) -> bool:
        return (
            self._bytes + file.file.size_bytes <= self._limits.max_bytes
            and self._item_bytes + file.item_bytes <= self._limits.max_item_bytes
        )

    def _take(self) -> Batch:
        batch = Batch(tuple(self.files), full=True)
        self._empty()
        return batch


def form_batches(files: Iterable[PendingFile], limits: Limits) -> list[Batch]:
    """Consecutive batches in the given order. All but the last are full; the last may be. A single file above the
    limits is a batch of its own."""
    room = _Room(limits)
    batches = [batch for file in files for batch in room.add(file)]
    return [*batches, Batch(tuple(room.files), full=False)] if room.files else batches


def limits_of(inv: Invocation) -> Limits:
    return Limits(inv.settings.max_files_per_manifest, inv.settings.max_batch_bytes)


def is_aged(inv: Invocation, upload_time: str, now: datetime) -> bool:
    return (now - parse_iso_utc(upload_time)).total_seconds() > inv.settings.max_partial_age_s


def pending_pages(inv: Invocation, date: str | None = None) -> Iterator[list[PendingFile]]:
    """Pending files as the index has them, oldest first, of one date or of all: it may lag behind the table."""
    for items in query_pages(inv, Attr.STATUS, PENDING, _FIELDS, STATUS_INDEX):
        yield [_pending_file(item) for item in items if date in (None, item[Attr.DATE_PREFIX])]


def confirmed(inv: Invocation, files: Sequence[PendingFile]) -> list[PendingFile]:
    """Those of `files` that the table itself still holds as pending, with its facts, in the same order. An index that
    lags would otherwise have a batch of a hundred shrink to a few when it is claimed."""
    keys = [file_key(file.date, file.file.key) for file in files]
    pending = {
        item[Attr.FILE_KEY]: _pending_file(item)
        for item in get_items(inv, keys, _FIELDS)
        if item[Attr.STATUS] == PENDING
    }
    return [pending[file.file.key] for file in files if file.file.key in pending]


def _pending_file(item: Item) -> PendingFile:
    return PendingFile(
        ManifestFile(item[Attr.BUCKET], item[Attr.FILE_KEY], item[Attr.SIZE_BYTES], item[Attr.ETAG]),
        date=item[Attr.DATE_PREFIX],
        upload_time=item[Attr.UPLOAD_TIME],
    )


class Backlog:
    """The pending files of one date, counted as they are read: constant memory."""

    def __init__(self, limits: Limits) -> None:
        self._room = _Room(limits)
        self.files = 0
        self.oldest = ""
        self.has_full_batch = False

    def add(self, file: PendingFile) -> None:
        self.oldest = self.oldest or file.upload_time
        self.files += 1
        for _ in self._room.add(file):
            self.has_full_batch = True

    def is_due(self, inv: Invocation, now: datetime, partial_of_any_age: bool) -> bool:
        """Whether there is a batch to build."""
        return self.has_full_batch or (self.files > 0 and (partial_of_any_age or is_aged(inv, self.oldest, now)))


def survey(inv: Invocation) -> dict[str, Backlog]:
    """What is pending, by date, the date of the oldest file first. Short of time it tells what it has read so far."""
    limits = limits_of(inv)
    backlogs: dict[str, Backlog] = {}
    for page in pending_pages(inv):
        for file in page:
            backlogs.setdefault(file.date, Backlog(limits)).add(file)
        if inv.short_of_time():
            break
    return backlogs
