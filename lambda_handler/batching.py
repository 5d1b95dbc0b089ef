"""Which pending files make up the next batches: the pure rule, and the reading of what is pending."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from lambda_handler.dynamo import Item, file_key, get_items, query_pages
from lambda_handler.services import Invocation
from ndjctl.contracts import PENDING, STATUS_INDEX, Attr, ManifestFile, parse_iso_utc

_MAX_ITEM_BYTES = 300_000
"""Room that the candidates may take in a manifest's item; DynamoDB's limit for the whole item is 409,600 bytes."""
_BYTES_PER_FILE = 80
"""Attribute names, the size and DynamoDB's own overhead of one candidate, roughly and on the safe side."""

_FIELDS = (
    Attr.DATE_PREFIX,
    Attr.FILE_KEY,
    Attr.STATUS,
    Attr.UPLOAD_TIME,
    Attr.BUCKET,
    Attr.SIZE_BYTES,
    Attr.ETAG,
    Attr.REPLACES,
)


@dataclass(frozen=True)
class PendingFile:
    file: ManifestFile
    date: str
    upload_time: str  # ISO, UTC

    @property
    def place(self) -> tuple[str, str]:
        return self.date, self.file.key

    @property
    def item_bytes(self) -> int:
        """What it takes in a manifest's item, at most."""
        texts = len(self.file.bucket) + len(self.file.etag) + len(self.file.replaces)
        return len(self.file.key.encode()) + texts + _BYTES_PER_FILE


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


def form_batches(files: Iterable[PendingFile], limits: Limits) -> Iterator[Batch]:
    """Consecutive batches in the given order, as they fill. All but the last are full; the last may be. A single file
    above the limits is a batch of its own."""
    room = _Room(limits)
    for file in files:
        yield from room.add(file)
    if room.files:
        yield Batch(tuple(room.files), full=False)


def limits_of(inv: Invocation) -> Limits:
    return Limits(inv.settings.max_files_per_manifest, inv.settings.max_batch_bytes)


def age_s(upload_time: str, now: datetime) -> float:
    """Seconds since then; 0 for a moment to come, which clocks that differ make of a moment ago. Raises ValueError."""
    return max(0.0, (now - parse_iso_utc(upload_time)).total_seconds())


@dataclass(frozen=True)
class Due:
    """Which batches are built now: the full ones; of the others those whose oldest file came more than `partial_age_s`
    seconds ago, and those of `dates` (None: of all dates) at any age."""

    partial_age_s: float
    dates: frozenset[str] | None = frozenset()

    def takes(self, batch: Batch, now: datetime) -> bool:
        oldest = batch.files[0]
        return batch.full or self._takes_any(oldest.date) or is_aged(oldest.upload_time, now, self.partial_age_s)

    def _takes_any(self, date: str) -> bool:
        return self.dates is None or date in self.dates


FULL_ONLY = Due(math.inf)


def is_aged(upload_time: str, now: datetime, limit_s: float) -> bool:
    return age_s(upload_time, now) > limit_s


@dataclass(frozen=True)
class Pending:
    """Pending files as the index has them, which may lag behind the table, each once, by date, the oldest first. Dates
    are in the order of their oldest file. complete: no file is left out."""

    by_date: dict[str, list[PendingFile]]
    complete: bool

    @property
    def count(self) -> int:
        return sum(len(files) for files in self.by_date.values())

    def oldest(self, settled: Set[tuple[str, str]]) -> str | None:
        """upload_time of the oldest file but for the `settled`, (date, key) of those known to be pending no more; None
        when there is none. When all that were read are settled and others were left out, it is that of the last one
        read: the others came no earlier."""
        files_of_dates = self.by_date.values()
        left = (next((each for each in files if each.place not in settled), None) for files in files_of_dates)
        times = [file.upload_time for file in left if file is not None]
        if times or self.complete:
            return min(times, default=None)
        return max((files[-1].upload_time for files in files_of_dates), default=None)


def read_pending(inv: Invocation, most: int) -> Pending:
    """The oldest pending files, about `most` of them. Short of time it tells what it has read so far."""
    by_date: dict[str, dict[str, PendingFile]] = {}
    seen = 0
    pages = query_pages(inv, Attr.STATUS, PENDING, _FIELDS, STATUS_INDEX, page_items=most)
    complete = True
    for page in pages:
        for item in page:
            file = _pending_file(item)
            # The index may show a file twice while it is written to.
            by_date.setdefault(file.date, {}).setdefault(file.file.key, file)
        seen += len(page)
        if seen >= most or inv.short_of_time():
            complete = False
            break
    return Pending({date: list(files.values()) for date, files in by_date.items()}, complete)


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
        ManifestFile(
            item[Attr.BUCKET],
            item[Attr.FILE_KEY],
            item[Attr.SIZE_BYTES],
            item[Attr.ETAG],
            str(item.get(Attr.REPLACES, "")),
        ),
        date=item[Attr.DATE_PREFIX],
        upload_time=item[Attr.UPLOAD_TIME],
    )


def due_batches(pending: Pending, limits: Limits, now: datetime, due: Due) -> Iterator[Batch]:
    """The batches to build now, date by date."""
    for files in pending.by_date.values():
        for batch in form_batches(files, limits):
            if due.takes(batch, now):
                yield batch


def next_due(files: Sequence[PendingFile], limits: Limits, now: datetime, due: Due) -> Batch | None:
    """The first batch of one date's files, if it is due."""
    return next((batch for batch in islice(form_batches(files, limits), 1) if due.takes(batch, now)), None)
