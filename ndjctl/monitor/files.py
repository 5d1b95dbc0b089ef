"""Files by status and upload time, from the status index: what came in the last hour, and what is not at rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from ndjctl.contracts import MANIFESTED, PENDING, PROCESSING, STATUSES, Attr, parse_iso_utc
from ndjctl.monitor.model import MINUTES, Arrivals, Backlog
from ndjctl.monitor.pages import Pages, RawItem, by_status, read_in_turn
from ndjctl.monitor.rates import minute_of

RECENT_CALLS = 24
"""Pages of the last hour, of all statuses together. A page of DynamoDB is 1 MB, some 1,500 files: 24 pages are 36,000
files an hour, twice and a half of what 338,000 a day come to."""

OLDER_CALLS = 12
"""Pages of files that are older than that and not at rest."""

UNFINISHED = (PENDING, MANIFESTED, PROCESSING)
_YOUNG_MIN, _OLD_MIN = 5, 30


@dataclass
class FilesSeen:
    """What a refresh saw of files. by_second: those of the last hour, by the epoch second of their upload.
    processing_by_manifest: files that are `processing`, by manifest id; None where not all of them were read."""

    arrivals: Arrivals
    backlog: Backlog
    by_second: Counter[int]
    processing_by_manifest: Counter[str] | None


@dataclass
class _Count:
    """Of one status."""

    now: datetime
    by_second: Counter[int] = field(default_factory=Counter)
    series: list[float] = field(default_factory=lambda: [0.0] * MINUTES)
    files: int = 0
    size_bytes: int = 0
    older: int = 0
    ages: Counter[str] = field(default_factory=Counter)
    oldest_at: datetime | None = None
    by_manifest: Counter[str] = field(default_factory=Counter)

    def take(self, items: Sequence[RawItem], *, is_recent: bool) -> None:
        for item in items:
            at = _uploaded_at(item)
            self._note(at)
            if Attr.BATCH_ID in item:
                self.by_manifest[item[Attr.BATCH_ID]["S"]] += 1
            if not is_recent:
                self.older += 1
                continue
            self.files += 1
            self.size_bytes += int(item[Attr.SIZE_BYTES]["N"]) if Attr.SIZE_BYTES in item else 0
            if at is not None:
                self.series[minute_of(at, self.now) or 0] += 1
                self.by_second[int(at.timestamp())] += 1

    def _note(self, at: datetime | None) -> None:
        if at is None:
            return
        self.oldest_at = at if self.oldest_at is None else min(self.oldest_at, at)
        age = self.now - at
        is_young, is_old = age < timedelta(minutes=_YOUNG_MIN), age >= timedelta(minutes=_OLD_MIN)
        self.ages["young" if is_young else "old" if is_old else "middle"] += 1


def read_files(dynamodb: Any, table: str, now: datetime, pool: ThreadPoolExecutor) -> FilesSeen:
    """At most RECENT_CALLS + OLDER_CALLS calls. Raises what boto3 raises."""
    hour_ago = now - timedelta(minutes=MINUTES)
    counts = {status: _Count(now) for status in STATUSES}
    recent = [
        _pages(dynamodb, counts[s].take, True, by_status(table, s, _fields(s, True), since=hour_ago)) for s in STATUSES
    ]
    older = [
        _pages(dynamodb, counts[s].take, False, by_status(table, s, _fields(s, False), before=hour_ago))
        for s in UNFINISHED
    ]
    # The oldest first: the first page of each tells the age that counts, whatever the later ones would.
    older_is_complete = read_in_turn(older, OLDER_CALLS, pool)
    recent_is_complete = read_in_turn(recent, RECENT_CALLS, pool)
    is_complete = older_is_complete and recent_is_complete
    arrivals = Arrivals(
        by_status={status: count.files for status, count in counts.items()},
        size_bytes=sum(count.size_bytes for count in counts.values()),
        per_minute=tuple(map(sum, zip(*(count.series for count in counts.values()), strict=True))),
        is_complete=recent_is_complete,
    )
    pending = counts[PENDING]
    by_second: Counter[int] = Counter()
    for count in counts.values():
        by_second.update(count.by_second)
    oldest = [counts[status].oldest_at for status in UNFINISHED]
    backlog = Backlog(
        pending_under_5_min=pending.ages["young"],
        pending_5_to_30_min=pending.ages["middle"],
        pending_over_30_min=pending.ages["old"],
        manifested=counts[MANIFESTED].files + counts[MANIFESTED].older,
        processing=counts[PROCESSING].files + counts[PROCESSING].older,
        oldest_at=min((at for at in oldest if at is not None), default=None),
        is_complete=is_complete,
    )
    return FilesSeen(arrivals, backlog, by_second, counts[PROCESSING].by_manifest if is_complete else None)


def _fields(status: str, is_recent: bool) -> tuple[str, ...]:
    """As few as will do: most of a refresh is spent on taking them apart."""
    own = (Attr.SIZE_BYTES,) if is_recent else ()
    return (Attr.UPLOAD_TIME, *own, *((Attr.BATCH_ID,) if status == PROCESSING else ()))


def _uploaded_at(item: RawItem) -> datetime | None:
    try:
        return parse_iso_utc(item[Attr.UPLOAD_TIME]["S"])
    except (KeyError, ValueError):
        return None


def _pages(dynamodb: Any, take: Callable[..., None], is_recent: bool, request: dict[str, Any]) -> Pages:
    return Pages(dynamodb, request, partial(take, is_recent=is_recent))
