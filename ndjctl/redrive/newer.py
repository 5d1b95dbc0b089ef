"""Completed files that are to be moved back to `pending`: those of which a newer version has arrived since they were
converted, by what the ledger tells of them or by their keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ndjctl.contracts import COMPLETED, FAILED, FILE_SUFFIX, QUARANTINED, TTL_DAYS, leading_date, split_s3_uri
from ndjctl.errors import UsageError
from ndjctl.redrive.files import Pages
from ndjctl.redrive.moves import CHANGED, GONE, REFUSED, Moved, Mover
from ndjctl.redrive.tracking import Entry, Tracking
from ndjctl.redrive.work import Candidate

Typed = Callable[..., str]
"""Words of a command -> what to type here, with the environment in it."""

_NO_OBJECT = "the object is no longer there; its rows stay as they are"
_UP_TO_DATE = "its rows are of the version that is there: nothing to do"
_THREADS = 16


def remembered_dates(now: datetime) -> list[str]:
    """The dates that the ledger may remember, the newest first. A name may carry the date of tomorrow."""
    return [(now + timedelta(days=1 - back)).strftime("%Y-%m-%d") for back in range(TTL_DAYS + 2)]


def sized(mover: Mover, pages: Iterable[Sequence[Candidate]], gone: list[Moved]) -> Iterator[list[Candidate]]:
    """The candidates with the sizes of their objects as they are now: what is recorded is that of the older version.
    gone: is given those whose object is no longer there."""
    with ThreadPoolExecutor(_THREADS) as pool:
        for page in pages:
            found = list(zip(page, pool.map(mover.facts, (each.entry for each in page)), strict=True))
            gone += [Moved(candidate.entry, GONE, _NO_OBJECT) for candidate, facts in found if facts is None]
            yield [
                # The very version that was converted is not converted again.
                replace(candidate, found_bytes=0 if facts.etag == candidate.entry.etag else facts.size_bytes)
                for candidate, facts in found
                if facts is not None
            ]


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
    """Files by their keys. typed: for what a refusal names. refused: those that cannot be reprocessed, with the
    reasons. Raises UsageError for what is no key of a file."""

    tracking: Tracking
    mover: Mover
    keys: Sequence[str]
    date: str | None
    now: datetime
    typed: Typed
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
        key = text
        if text.startswith("s3://"):
            bucket, key = _place(text)
            if bucket != self.mover.bucket:
                raise UsageError(
                    f"{text!r} is not in this environment's input bucket, which is s3://{self.mover.bucket}/: name a "
                    f"key of that, or another environment."
                )
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
            FAILED: f"it is failed: '{self.typed('redrive', 'failed', '--date', entry.date)}' enters it again",
            QUARANTINED: "it is quarantined, so it has no rows to replace",
        }
        return Moved(entry, REFUSED, told.get(entry.status, f"it is {entry.status}: it is on its way already"))

    def _if_not_newer(self, entry: Entry) -> Moved | None:
        facts = self.mover.facts(entry)
        if facts is None:
            return Moved(entry, GONE, _NO_OBJECT)
        if facts.etag != entry.etag or entry.superseded_by:
            return None
        again = self.typed("reprocess", "--manifest", entry.manifest_id)
        way = f"if they are damaged, '{again}' writes them again"
        return Moved(entry, REFUSED, f"{_UP_TO_DATE}; {way}")


def dates_of(date: str | None, now: datetime) -> list[str]:
    """`date` alone, or all that the ledger may remember."""
    return [date] if date else remembered_dates(now)


def _place(uri: str) -> tuple[str, str]:
    try:
        return split_s3_uri(uri)
    except ValueError as error:
        raise UsageError(f"{uri!r} is not s3://bucket/key.") from error
