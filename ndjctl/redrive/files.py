"""Which files are to be moved back to `pending`, and how: failed ones, stuck ones, and those of which a newer version
has arrived since they were converted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ndjctl.contracts import (
    COMPLETED,
    DONE,
    FAILED,
    FILE_SUFFIX,
    MANIFESTED,
    PROCESSING,
    QUARANTINED,
    TTL_DAYS,
    Attr,
    Names,
    leading_date,
    part_prefix,
)
from ndjctl.errors import UsageError
from ndjctl.objects import list_objects
from ndjctl.redrive.choice import Choice
from ndjctl.redrive.moves import CHANGED, GONE, REFUSED, Moved, Mover
from ndjctl.redrive.tracking import Entry, Tracking
from ndjctl.redrive.work import Candidate

Pages = Iterator[list[Candidate]]

_UNDER_WAY = (MANIFESTED, PROCESSING)
_NO_OBJECT = "the object is no longer there; its rows stay as they are"
_UP_TO_DATE = "its rows are of the version that is there: nothing to do"


def remembered_dates(now: datetime) -> list[str]:
    """The dates that the ledger may remember, the newest first. A name may carry the date of tomorrow."""
    return [(now + timedelta(days=1 - back)).strftime("%Y-%m-%d") for back in range(TTL_DAYS + 2)]


@dataclass
class FailedFiles:
    """Failed files, by reason and date."""

    tracking: Tracking
    mover: Mover
    choice: Choice

    def pages(self) -> Pages:
        for page in self.tracking.with_status(FAILED, self.choice.date):
            yield [Candidate(entry, entry.error) for entry in page if self.choice.takes(entry.error, entry.date)]

    def move(self, candidate: Candidate) -> Moved:
        return self.mover.redrive(candidate.entry, replaces="")


@dataclass
class StuckFiles:
    """Files that are manifested or processing while their manifest is not open: no sweep and no run will see to them.

    waiting: how many were met whose manifest is open, which a sweep sees to.
    """

    tracking: Tracking
    mover: Mover
    names: Names
    choice: Choice
    waiting: int = 0
    _open: dict[str, bool] = field(default_factory=dict)

    def pages(self) -> Pages:
        self.waiting = 0
        self._open.clear()
        for status in _UNDER_WAY:
            for page in self.tracking.with_status(status, self.choice.date):
                yield self._stuck(page)

    def _stuck(self, page: Sequence[Entry]) -> list[Candidate]:
        suspects = [entry for entry in page if not self._is_open(entry.manifest_id)]
        self.waiting += len(page) - len(suspects)
        # The index lags: a file may have come to rest before its manifest was closed.
        now = self.tracking.entries((entry.date, entry.key) for entry in suspects)
        found = []
        for suspect in suspects:
            entry = now.get((suspect.date, suspect.key))
            if entry is None or entry.status not in _UNDER_WAY or entry.manifest_id != suspect.manifest_id:
                continue
            why = self._why(entry)
            if self.choice.takes(why, entry.date):
                found.append(Candidate(entry, why, is_closed=entry.manifest_id))
        return found

    def _is_open(self, manifest_id: str) -> bool:
        if not manifest_id:
            return False
        if manifest_id not in self._open:
            self._open[manifest_id] = self.tracking.open_manifest(manifest_id) is not None
        return self._open[manifest_id]

    def _why(self, entry: Entry) -> str:
        if not entry.manifest_id:
            return f"it is {entry.status} without a manifest"
        closed = self.tracking.closed_manifest(entry.date, entry.manifest_id)
        state = f"closed ({closed[Attr.STATE]})" if closed else "unknown to the ledger"
        return f"it is {entry.status}, and its manifest {entry.manifest_id} is {state}"

    def move(self, candidate: Candidate) -> Moved:
        entry = candidate.entry
        return self.mover.redrive(entry, self._replaces(entry), candidate.is_closed)

    def _replaces(self, entry: Entry) -> str:
        """The manifest whose output may have rows of the file: its own, if that ended well; else what it was to replace
        stays."""
        if not entry.manifest_id:
            return ""
        closed = self.tracking.closed_manifest(entry.date, entry.manifest_id)
        if closed is not None:
            return entry.manifest_id if closed[Attr.STATE] == DONE else ""
        prefix = part_prefix(entry.date, entry.manifest_id)
        has_parts = any(True for _ in list_objects(self.mover.s3, self.names.output_bucket, prefix))
        return entry.manifest_id if has_parts else ""


@dataclass
class SupersededFiles:
    """Completed files of which an event told a newer version, of one date or of all that the ledger remembers."""

    tracking: Tracking
    mover: Mover
    dates: Sequence[str]

    def pages(self) -> Pages:
        for date in self.dates:
            for page in self.tracking.superseded(date):
                yield [_superseded(entry) for entry in page]

    def move(self, candidate: Candidate) -> Moved:
        return reprocess(self.mover, candidate)


def _superseded(entry: Entry) -> Candidate:
    return Candidate(entry, "a newer version has arrived", replaces=entry.manifest_id, is_closed=entry.manifest_id)


def reprocess(mover: Mover, candidate: Candidate) -> Moved:
    """A completed file to pending with its newer version; its rows stay until the next run replaces them."""
    entry = candidate.entry
    facts = mover.facts(entry)
    if facts is None:
        return Moved(entry, GONE, _NO_OBJECT)
    if facts.etag == entry.etag:
        is_settled = not entry.superseded_by
        return Moved(entry, REFUSED, _UP_TO_DATE) if is_settled else mover.settle(entry, candidate.is_closed)
    moved = mover.enter(entry, facts, candidate.replaces, candidate.is_closed)
    if moved.what == CHANGED and mover.tracking.open_manifest(entry.manifest_id) is not None:
        return Moved(entry, REFUSED, f"its manifest {entry.manifest_id} is open: wait until that is done")
    return moved


@dataclass
class NamedFiles:
    """Files by their keys. refused: those that cannot be reprocessed, with the reasons. Raises UsageError for what is
    no key of a file."""

    tracking: Tracking
    mover: Mover
    keys: Sequence[str]
    date: str | None
    now: datetime
    refused: list[Moved] = field(default_factory=list)

    def pages(self) -> Pages:
        self.refused = []
        ids = {key: self._ids(key) for key in dict.fromkeys(map(self._key, self.keys))}
        found = self.tracking.entries(file_id for each in ids.values() for file_id in each)
        page = []
        for key, places in ids.items():
            entries = [found[place] for place in places if place in found]
            refused = self._refusal(key, entries)
            if refused is None:
                page.append(_superseded(entries[0]))
            else:
                self.refused.append(refused)
        yield page

    def move(self, candidate: Candidate) -> Moved:
        return reprocess(self.mover, candidate)

    def _key(self, text: str) -> str:
        key = text.removeprefix(f"s3://{self.mover.bucket}/")
        if not key.endswith(FILE_SUFFIX):
            raise UsageError(f"{text!r} is no key of a file: those end with {FILE_SUFFIX}.")
        return key

    def _ids(self, key: str) -> list[tuple[str, str]]:
        leading = leading_date(key)
        return [(date, key) for date in ([leading] if leading else dates_of(self.date, self.now))]

    def _refusal(self, key: str, entries: Sequence[Entry]) -> Moved | None:
        if not entries:
            nothing = Entry(self.date or "", key, "", "", "", 0, "", "", "", "", "")
            return Moved(nothing, REFUSED, "the ledger has no such file (it remembers a file for 7 days)")
        entry = entries[0]
        if len(entries) > 1:
            dates = ", ".join(each.date for each in entries)
            return Moved(entry, REFUSED, f"the ledger has it under several dates ({dates}): say --date")
        if entry.status == COMPLETED:
            return self._if_not_newer(entry)
        told = {
            FAILED: "it is failed: 'ndjctl redrive failed' enters it again",
            QUARANTINED: "it is quarantined, so it has no rows to replace",
        }
        return Moved(entry, REFUSED, told.get(entry.status, f"it is {entry.status}: it is on its way already"))

    def _if_not_newer(self, entry: Entry) -> Moved | None:
        facts = self.mover.facts(entry)
        if facts is None:
            return Moved(entry, GONE, _NO_OBJECT)
        if facts.etag != entry.etag or entry.superseded_by:
            return None
        way = f"if they are damaged, 'ndjctl reprocess --manifest {entry.manifest_id}' writes them again"
        return Moved(entry, REFUSED, f"{_UP_TO_DATE}; {way}")


def dates_of(date: str | None, now: datetime) -> list[str]:
    """`date` alone, or all that the ledger may remember."""
    return [date] if date else remembered_dates(now)
