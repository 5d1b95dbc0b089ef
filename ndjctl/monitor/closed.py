"""What the manifests came to that were closed today, from the ledger's partitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ndjctl.contracts import DONE, Attr, closed_manifests_partition, new_manifest_id
from ndjctl.items import plain
from ndjctl.manifests import ManifestSummary, summary_of
from ndjctl.monitor.model import MINUTES, Completions
from ndjctl.monitor.pages import Pages, RawItem, of_partition, read_in_turn
from ndjctl.monitor.rates import median_and_p95, per_minute

CLOSED_DATES = 4
"""Dates whose closed manifests are looked at: today, yesterday, and others that runs of today are of."""

CLOSED_CALLS = 12
"""Pages of closed manifests, of all dates together, the newest first: 338,000 files a day are 3,380 manifests in some
three pages."""

_FIELDS = (
    Attr.STATE,
    Attr.FILE_COUNT,
    Attr.SIZE_BYTES,
    Attr.CREATED_AT,
    Attr.STARTED_AT,
    Attr.COMPLETED_AT,
    Attr.DATE_PREFIX,
    Attr.FILE_KEY,
)


@dataclass(frozen=True)
class ClosedSeen:
    """by_second: files of manifests that ended in the last hour, by the epoch second of their end."""

    completions: Completions
    by_second: Counter[int]


@dataclass
class _Closed:
    """What is kept of closed manifests: three numbers of each that ended in the last hour, sums of the rest."""

    now: datetime
    midnight: datetime
    hour: list[tuple[datetime, int]] = field(default_factory=list)
    bytes_hour: int = 0
    files_today: int = 0
    bytes_today: int = 0
    manifests_today: int = 0
    abandoned_today: int = 0
    seconds_hour: list[tuple[float, float, float]] = field(default_factory=list)
    seconds_today: list[tuple[float, float, float]] = field(default_factory=list)

    def take(self, items: Sequence[RawItem]) -> None:
        for item in items:
            self._add(summary_of(plain(item)))

    def _add(self, found: ManifestSummary) -> None:
        ended = found.completed_at
        if ended is None or (ended < self.midnight and ended < self.now - timedelta(minutes=MINUTES)):
            return
        is_of_today = ended >= self.midnight
        if found.state != DONE:
            self.abandoned_today += is_of_today
            return
        if is_of_today:
            self.files_today += found.files
            self.bytes_today += found.size_bytes
            self.manifests_today += 1
        seconds = _seconds(found, ended)
        if ended >= self.now - timedelta(minutes=MINUTES):
            self.hour.append((ended, found.files))
            self.bytes_hour += found.size_bytes
            self.seconds_hour += [seconds] if seconds else []
        elif seconds:
            self.seconds_today.append(seconds)


def _seconds(found: ManifestSummary, ended: datetime) -> tuple[float, float, float] | None:
    """(from its making, of its run, bytes a second of that); None where a time is not known."""
    if found.created_at is None or found.started_at is None:
        return None
    run_s = (ended - found.started_at).total_seconds()
    return (ended - found.created_at).total_seconds(), run_s, found.size_bytes / run_s if run_s > 0 else 0.0


def read_closed(dynamodb: Any, table: str, dates: Iterable[str], now: datetime, pool: ThreadPoolExecutor) -> ClosedSeen:
    """What was closed today and in the last hour, of the files of `dates` (the first CLOSED_DATES of them). A manifest
    that was made before yesterday is not seen. At most CLOSED_CALLS calls. Raises what boto3 raises."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    since = new_manifest_id(midnight - timedelta(days=1), "")
    seen = _Closed(now, midnight)
    wanted = list(dict.fromkeys(dates))
    queries = [
        Pages(
            dynamodb,
            of_partition(table, closed_manifests_partition(date), _FIELDS, since=since, newest_first=True),
            seen.take,
        )
        for date in wanted[:CLOSED_DATES]
    ]
    is_complete = read_in_turn(queries, CLOSED_CALLS, pool) and len(wanted) <= CLOSED_DATES
    seconds = seen.seconds_hour or seen.seconds_today
    paces = median_and_p95(each[2] for each in seconds if each[2] > 0)
    by_second: Counter[int] = Counter()
    for ended, count in seen.hour:
        by_second[int(ended.timestamp())] += count
    completions = Completions(
        files_hour=sum(files for _, files in seen.hour),
        bytes_hour=seen.bytes_hour,
        manifests_hour=len(seen.hour),
        files_today=seen.files_today,
        bytes_today=seen.bytes_today,
        manifests_today=seen.manifests_today,
        abandoned_today=seen.abandoned_today,
        per_minute=per_minute(seen.hour, now),
        total_s=median_and_p95(each[0] for each in seconds),
        run_s=median_and_p95(each[1] for each in seconds),
        bytes_per_s=paces[0] if paces else None,
        is_complete=is_complete,
    )
    return ClosedSeen(completions, by_second)
