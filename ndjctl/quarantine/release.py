"""Files that were set aside for their size, back to `pending`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from threading import Lock

from ndjctl.contracts import (
    FILE_SUFFIX,
    QUARANTINED,
    Names,
    Release,
    ReleasedObject,
    iso_utc,
    leading_date,
    size_quarantine_key,
    split_s3_uri,
)
from ndjctl.errors import UsageError
from ndjctl.proof import is_stored
from ndjctl.quarantine.entering import Entering
from ndjctl.quarantine.log import Logged
from ndjctl.quarantine.places import SIZE_KINDS
from ndjctl.quarantine.records import OBJECTS_PER_RECORD, QuarantineRecords
from ndjctl.reconcile.reports import Reports
from ndjctl.reconcile.streams import Listed
from ndjctl.redrive.choice import Choice
from ndjctl.redrive.files import Pages
from ndjctl.redrive.moves import CHANGED, GONE, MOVED, REFUSED, Moved, Mover
from ndjctl.redrive.newer import dates_of
from ndjctl.redrive.tracking import Entry, Tracking
from ndjctl.redrive.work import Candidate

_MOST_REFUSED = 1_000
_MAX_KEY_BYTES = 1024
_EVERY = "--ignore-size-rule makes an exception for this version"


@dataclass
class QuarantinedFiles:
    """By date and reason, or by their keys. reports: of runs, asked about files that the ledger has forgotten. refused:
    that cannot be released, bounded; refused_count: all of them. Raises UsageError for what is no key of a file."""

    tracking: Tracking
    mover: Mover
    names: Names
    entering: Entering
    reports: Reports
    choice: Choice
    keys: Sequence[str]
    ignores_size_rule: bool
    now: datetime
    refused: list[Moved] = field(default_factory=list)
    refused_count: int = 0

    def pages(self) -> Pages:
        self.refused, self.refused_count = [], 0
        pages = [self._named()] if self.keys else self.tracking.with_status(QUARANTINED, self.choice.date)
        for page in pages:
            chosen = [entry for entry in page if self.choice.takes(entry.reason, entry.date)]
            yield [Candidate(entry, entry.reason) for entry in chosen if self._may_go(entry)]

    def move(self, candidate: Candidate) -> Moved:
        """To pending as the version that was set aside; or a newer one, if that meets the rule."""
        entry = candidate.entry
        facts = self.mover.facts(entry)
        if facts is None:
            why = "its object is gone from the input bucket"
            if entry.quarantine_key:
                why += f"; its copy is s3://{self.names.quarantine_bucket}/{entry.quarantine_key}: put that back first"
            return Moved(entry, GONE, why)
        if facts.etag != entry.etag:
            if self.mover.window.verdict(facts.size_bytes) is not None:
                why = f"it was overwritten, and the newer version ({facts.size_bytes} bytes) has to meet the size rule"
                return Moved(entry, REFUSED, why)
        elif why := self._refusal(facts.size_bytes):
            return Moved(entry, REFUSED, why)
        if entry.status:
            return self.mover.enter(entry, facts, replaces="")
        dates = self._dates(entry.key)
        if self.entering.enter(entry.bucket or self.mover.bucket, entry.key, facts, entry.date, dates):
            return Moved(entry, MOVED, size_bytes=facts.size_bytes)
        return Moved(entry, CHANGED, "it changed in the ledger meanwhile")

    def _may_go(self, entry: Entry) -> bool:
        why = self._refusal(entry.size_bytes)
        if why:
            self._refuse(entry, why)
        return not why

    def _refusal(self, size_bytes: int) -> str:
        verdict = None if self.ignores_size_rule else self.mover.window.verdict(size_bytes)
        return f"the size rule would set it aside again ({verdict}: {size_bytes} bytes): {_EVERY}" if verdict else ""

    def _refuse(self, entry: Entry, why: str) -> None:
        self.refused_count += 1
        if len(self.refused) < _MOST_REFUSED:
            self.refused.append(Moved(entry, REFUSED, why))

    # -------------------------------------------------------------------------------------------------- by their keys

    def _named(self) -> list[Entry]:
        ids = {key: self._dates(key) for key in dict.fromkeys(map(self._key, self.keys))}
        found = self.tracking.entries((date, key) for key, dates in ids.items() for date in dates)
        page = []
        for key, dates in ids.items():
            entries = [found[date, key] for date in dates if (date, key) in found]
            if not entries:
                forgotten = self._forgotten(key, dates)
                if forgotten is None:
                    self._refuse(_nothing(key), "neither the ledger nor the quarantine has such a file")
                else:
                    page.append(forgotten)
            elif entries[0].status == QUARANTINED:
                page.append(entries[0])
            else:
                self._refuse(entries[0], f"it is {entries[0].status}, not quarantined")
        return page

    def _dates(self, key: str) -> list[str]:
        leading = leading_date(key)
        return [leading] if leading else dates_of(self.choice.date, self.now)

    def _key(self, text: str) -> str:
        key = text
        if text.startswith("s3://"):
            try:
                bucket, key = split_s3_uri(text)
            except ValueError as error:
                raise UsageError(f"{text!r} is not s3://bucket/key.") from error
            if bucket != self.mover.bucket:
                raise UsageError(f"{text!r} is not in this environment's input bucket, s3://{self.mover.bucket}/.")
        if not key.endswith(FILE_SUFFIX):
            raise UsageError(f"{text!r} is no key of a file: those end with {FILE_SUFFIX}.")
        return key

    def _forgotten(self, key: str, dates: Sequence[str]) -> Entry | None:
        """A file that the ledger remembers no more, whose copy is in the quarantine and which no run has converted."""
        facts = self.mover.facts(_nothing(key))
        if facts is None:
            return None
        copy = next((copy for date in dates for copy in self._copies(date, key, facts.size_bytes)), None)
        listed = Listed(self.mover.bucket, key, facts.size_bytes, facts.etag, self.now)
        if copy is None or self.reports.converted_on(listed, dates):
            return None
        date, verdict, place = copy
        return replace(
            _nothing(key),
            date=date,
            bucket=self.mover.bucket,
            etag=facts.etag,
            size_bytes=facts.size_bytes,
            reason=verdict,
            quarantine_key=place,
        )

    def _copies(self, date: str, key: str, size_bytes: int) -> Iterator[tuple[str, str, str]]:
        """(date, verdict, key in the quarantine bucket)."""
        for verdict in SIZE_KINDS:
            place = copy_key(date, verdict, key)
            if is_stored(self.mover.s3, self.names.quarantine_bucket, place, size_bytes):
                yield date, verdict, place


def copy_key(date: str, verdict: str, key: str) -> str:
    """As the function names a copy."""
    place = size_quarantine_key(date, verdict, key)
    if len(place.encode()) <= _MAX_KEY_BYTES:
        return place
    return size_quarantine_key(date, verdict, hashlib.sha256(key.encode()).hexdigest() + FILE_SUFFIX)


def _nothing(key: str) -> Entry:
    return Entry("", key, "", "", "", 0, "", "", "", "", "")


class ReleaseRecorder:
    """Puts on record which copies were released, some hundred at a time; from any thread. A context manager, which puts
    what is left at its end. clock: aware."""

    def __init__(self, records: QuarantineRecords, logged: Logged, clock: Callable[[], datetime]) -> None:
        self._records = records
        self._logged = logged
        self._clock = clock
        self._waiting: dict[str, list[str]] = {}
        self._numbers: dict[str, int] = {}
        self._lock = Lock()

    def add(self, moved: Moved) -> Moved:
        entry = moved.entry
        if moved.what == MOVED and entry.quarantine_key:
            with self._lock:
                waiting = self._waiting.setdefault(entry.date, [])
                waiting.append(entry.quarantine_key)
                if len(waiting) >= OBJECTS_PER_RECORD:
                    self._put(entry.date)
        return moved

    def _put(self, date: str) -> None:
        objects = tuple(map(ReleasedObject, sorted(self._waiting.pop(date))))
        number = self._numbers.get(date, 0)
        self._numbers[date] = number + 1
        at = iso_utc(self._clock().astimezone(timezone.utc))
        self._records.put_release(Release(self._logged.action_id, date, at, self._logged.by, objects), number)

    def __enter__(self) -> ReleaseRecorder:
        return self

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            for date in list(self._waiting):
                self._put(date)
