"""Objects without an item where it was looked for: which of them the pipeline has really never seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ndjctl.aws import is_not_found
from ndjctl.contracts import TOO_LARGE, TOO_SMALL, TTL_DAYS, size_quarantine_key
from ndjctl.proof import is_stored
from ndjctl.quarantine.records import QuarantineRecords
from ndjctl.reconcile.join import possible_dates
from ndjctl.reconcile.records import FileItem, Records
from ndjctl.reconcile.reports import Reports
from ndjctl.reconcile.streams import Listed
from ndjctl.reconcile.verdicts import Clock

_MAX_KEY_BYTES = 1024


@dataclass
class Sifted:
    """entered: with the items that were found after all. by_report: dates of those that the ledger has forgotten and
    that a report or a copy in quarantine accounts for. unseen: with the dates they would get."""

    entered: list[tuple[Listed, FileItem]] = field(default_factory=list)
    by_report: list[str] = field(default_factory=list)
    unseen: list[tuple[Listed, str]] = field(default_factory=list)


class Unseen:
    def __init__(
        self,
        s3: Any,
        quarantine_bucket: str,
        records: Records,
        reports: Reports,
        purges: QuarantineRecords,
        clock: Clock,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._s3 = s3
        self._quarantine_bucket = quarantine_bucket
        self._records = records
        self._reports = reports
        self._purges = purges
        self._clock = clock
        self._pool = pool

    def sift(self, candidates: Sequence[Listed]) -> Sifted:
        """Some thousand of them at a time: reports are read anew for each call."""
        sifted = Sifted()
        items = self._records.files((date, each.key) for each in candidates for date in possible_dates(each))
        missing = []
        for listed in candidates:
            ids = [(date, listed.key) for date in possible_dates(listed)]
            item = next((items[each] for each in ids if each in items), None)
            if item is None:
                missing.append(listed)
            else:
                sifted.entered.append((listed, item))
        converted = self._reports.converted(missing)
        rest = [listed for listed in missing if listed not in converted]
        kept = self._pool.map(self._is_set_aside, rest)
        accounted = [(listed, is_kept) for listed, is_kept in zip(rest, kept, strict=True)]
        forgotten = converted.union(listed for listed, is_kept in accounted if is_kept)
        forgotten |= self._purged([listed for listed, is_kept in accounted if not is_kept])
        for listed in missing:
            date = possible_dates(listed)[0]
            if listed in forgotten:
                sifted.by_report.append(date)
            else:
                sifted.unseen.append((listed, date))
        return sifted

    def _is_set_aside(self, listed: Listed) -> bool:
        """Whether a copy of it lies in the quarantine for its size, of a time that the ledger does not remember."""
        return any(
            is_stored(self._s3, self._quarantine_bucket, key, listed.size_bytes) for _, key in self._copies(listed)
        )

    def _purged(self, candidates: Iterable[Listed]) -> set[Listed]:
        """Those whose copy lay there, and was purged."""
        by_date: dict[str, dict[str, Listed]] = {}
        for listed in candidates:
            for date, key in self._copies(listed):
                by_date.setdefault(date, {})[key] = listed
        found: set[Listed] = set()
        for date, keys in by_date.items():
            for key, purged in self._purges.purged_of(date, keys).items():
                if any(each.size_bytes == keys[key].size_bytes for each in purged):
                    found.add(keys[key])
        return found

    def _copies(self, listed: Listed) -> list[tuple[str, str]]:
        """(date, key) where a copy of it may lie; none of an object that the ledger would remember."""
        if listed.modified > self._clock.now - timedelta(days=TTL_DAYS - 1):
            return []
        keys = [
            (date, size_quarantine_key(date, verdict, listed.key))
            for date in possible_dates(listed)[:2]
            for verdict in (TOO_SMALL, TOO_LARGE)
        ]
        return [(date, key) for date, key in keys if len(key.encode()) <= _MAX_KEY_BYTES]


def heads(s3: Any, pool: ThreadPoolExecutor, listed: Iterable[Listed]) -> dict[Listed, Listed]:
    """Each of these objects as it is now; what is gone is left out."""
    from botocore.exceptions import ClientError

    def head(entry: Listed) -> Listed | None:
        try:
            answer = s3.head_object(Bucket=entry.bucket, Key=entry.key)
        except ClientError as error:
            if is_not_found(error):
                return None
            raise
        etag = str(answer["ETag"]).strip('"')
        return Listed(entry.bucket, entry.key, int(answer["ContentLength"]), etag, answer["LastModified"])

    entries = list(listed)
    found = zip(entries, pool.map(head, entries), strict=True)
    return {entry: now for entry, now in found if now is not None}
