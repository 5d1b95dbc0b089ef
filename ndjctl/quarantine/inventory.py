"""What is in the quarantine, by date and reason, and what was released from it or purged since. Read in constant memory
but for what was released of one date."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from heapq import merge
from typing import Any

from ndjctl.aws import is_not_found
from ndjctl.contracts import (
    MALFORMED,
    PURGES_PREFIX,
    QUARANTINED,
    Names,
    PurgedObject,
    parse_iso_utc,
)
from ndjctl.quarantine.lines import stored_lines
from ndjctl.quarantine.places import KINDS, Place, dates_in, is_hashed, list_kinds, place_of
from ndjctl.quarantine.records import QuarantineRecords
from ndjctl.reconcile.streams import Listed, grouped, ordered_map
from ndjctl.redrive.choice import Choice
from ndjctl.redrive.tracking import Entry, Tracking

HELD = "held"
RELEASED = "released"
MOVED_ON = "moved on"
PURGED = "purged"
STATES = (HELD, RELEASED, MOVED_ON, PURGED)
"""HELD: still set aside. RELEASED: sent into the pipeline again. MOVED_ON: the copy of a
file that the ledger has as something else by now, as when a newer version came. PURGED: deleted."""

UNREADABLE = "not readable as quarantined lines"

_SKEW = timedelta(minutes=2)
"""By how much S3's clock and an operator's may differ."""
_COPIES_AT_ONCE = 500
_WINDOW = 32

Counts = dict[tuple[str, str, str], list[int]]
"""[count, bytes] by (kind, reason, state)."""


@dataclass(frozen=True)
class InventoryRow:
    """count: lines of the kind `malformed`, objects of others. size_bytes: as they are stored; of lines, with what is
    said about them. reason: of the lines; else the kind again."""

    date: str
    kind: str
    reason: str
    state: str
    count: int
    size_bytes: int


@dataclass
class ReleasedOf:
    """What was released of a date. copies: when, by the key of the copy. lines: (source, byte offset) by the key of the
    object."""

    copies: dict[str, datetime] = field(default_factory=dict)
    lines: dict[str, set[tuple[str, int]]] = field(default_factory=dict)


def released_of(records: QuarantineRecords, date: str) -> ReleasedOf:
    found = ReleasedOf()
    for released, at in records.released(date):
        if released.lines:
            found.lines.setdefault(released.key, set()).update(released.lines)
        else:
            when = parse_iso_utc(at)
            found.copies[released.key] = max(when, found.copies.get(released.key, when))
    return found


def quarantine_dates(s3: Any, names: Names) -> Iterator[str]:
    """The dates of which anything is in the quarantine, or was purged, ascending."""
    last = ""
    purged = dates_in(s3, names.manifest_bucket, PURGES_PREFIX)
    for date in merge(dates_in(s3, names.quarantine_bucket), purged):
        if date != last:
            yield date
        last = date


class Inventory:
    """readers: threads that read objects."""

    def __init__(self, s3: Any, names: Names, tracking: Tracking, readers: ThreadPoolExecutor) -> None:
        self._s3 = s3
        self._names = names
        self._tracking = tracking
        self._readers = readers
        self._records = QuarantineRecords(s3, names.manifest_bucket)

    def rows(self, choice: Choice, progress: Callable[[int], None]) -> Iterator[InventoryRow]:
        """Date by date, as each is counted. choice: of dates and reasons. progress: told of so many more objects."""
        dates = [choice.date] if choice.date else quarantine_dates(self._s3, self._names)
        for date in dates:
            counts = self._of_date(date, choice, progress)
            for (kind, reason, state), (count, size_bytes) in sorted(counts.items(), key=lambda each: _order(*each[0])):
                if choice.takes_reason(reason):
                    yield InventoryRow(date, kind, reason, state, count, size_bytes)

    def _of_date(self, date: str, choice: Choice, progress: Callable[[int], None]) -> Counts:
        counts: Counts = defaultdict(lambda: [0, 0])
        released = released_of(self._records, date)
        copies: list[tuple[Place, Listed]] = []

        def malformed() -> Iterator[Listed]:
            """The rest is counted on the way."""
            for place, listed in self._placed(date, counts):
                progress(1)
                if place.kind == MALFORMED:
                    yield listed
                elif not choice.takes_reason(place.kind):
                    continue
                elif place.kind in KINDS[2:]:
                    copies.append((place, listed))
                    if len(copies) >= _COPIES_AT_ONCE:
                        self._count_copies(copies, released, counts)
                        copies.clear()
                else:
                    _add(counts, place.kind, place.kind, HELD, 1, listed.size_bytes)

        def read(listed: Listed) -> Counts:
            return self._read(listed, released.lines.get(listed.key, set()))

        for found in ordered_map(self._readers, read, malformed(), _WINDOW):
            for (kind, reason, state), (count, size_bytes) in found.items():
                _add(counts, kind, reason, state, count, size_bytes)
        self._count_copies(copies, released, counts)
        return counts

    def _placed(self, date: str, counts: Counts) -> Iterator[tuple[Place, Listed]]:
        """What is there; what was purged is counted on the way."""
        there = ((listed.key, listed) for listed in list_kinds(self._s3, self._names.quarantine_bucket, date))
        purged = ((each.key, each) for each in self._records.purged(date))
        groups: Iterable[tuple[str, list[list[Any]]]] = grouped(there, purged)
        for key, (listed, gone) in groups:
            place = place_of(key)
            if place is None:
                continue
            _count_purged(place, listed[0].etag if listed else "", gone, counts)
            if listed:
                yield place, listed[0]

    def _count_copies(self, copies: Sequence[tuple[Place, Listed]], released: ReleasedOf, counts: Counts) -> None:
        entries = self._entries([place for place, _ in copies])
        for place, listed in copies:
            entry = entries.get((place.date, place.name))
            _add(counts, place.kind, place.kind, _state_of_copy(listed, entry, released), 1, listed.size_bytes)

    def _entries(self, places: Sequence[Place]) -> dict[tuple[str, str], Entry]:
        """The items of the files whose copies these are, by (date, name of the copy)."""
        found = self._tracking.entries((place.date, place.name) for place in places) if places else {}
        hashed = [place for place in places if is_hashed(place.name) and (place.date, place.name) not in found]
        names = {f"{place.date}/{place.kind}/{place.name}": place.name for place in hashed}
        for date in {place.date for place in hashed}:
            for page in self._tracking.with_status(QUARANTINED, date):
                found |= {(date, names[entry.quarantine_key]): entry for entry in page if entry.quarantine_key in names}
        return found

    def _read(self, listed: Listed, released: set[tuple[str, int]]) -> Counts:
        from botocore.exceptions import ClientError

        counts: Counts = defaultdict(lambda: [0, 0])
        try:
            body = self._s3.get_object(Bucket=listed.bucket, Key=listed.key)["Body"]
            for line in stored_lines(body):
                state = RELEASED if (line.source, line.byte_offset) in released else HELD
                _add(counts, MALFORMED, line.reason, state, 1, line.stored_bytes)
        except ClientError as error:
            if not is_not_found(error):
                raise
            return {}
        except ValueError:
            return {(MALFORMED, UNREADABLE, HELD): [1, listed.size_bytes]}
        return counts


def _state_of_copy(listed: Listed, entry: Entry | None, released: ReleasedOf) -> str:
    if entry is not None and entry.status == QUARANTINED and entry.quarantine_key == listed.key:
        return HELD
    at = released.copies.get(listed.key)
    # One that was written after that is of a version that came later.
    if at is not None and at + _SKEW >= listed.modified.astimezone(timezone.utc):
        return RELEASED
    return HELD if entry is None else MOVED_ON


def _count_purged(place: Place, etag: str, purged: Sequence[PurgedObject], counts: Counts) -> None:
    """etag: of the object that is there, empty where there is none. A purge that died before it deleted anything has
    taken nothing."""
    for each in {gone.etag: gone for gone in purged if gone.etag != etag}.values():
        if place.kind != MALFORMED:
            _add(counts, place.kind, place.kind, PURGED, 1, each.size_bytes)
            continue
        for number, (reason, count) in enumerate(sorted(each.reasons.items())):
            _add(counts, MALFORMED, reason, PURGED, count, each.size_bytes if number == 0 else 0)


def _add(counts: Counts, kind: str, reason: str, state: str, count: int, size_bytes: int) -> None:
    found = counts[kind, reason, state]
    found[0] += count
    found[1] += size_bytes


def _order(kind: str, reason: str, state: str) -> tuple[int, str, int]:
    return KINDS.index(kind), reason, STATES.index(state)
