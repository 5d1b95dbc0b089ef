"""Objects that the ledger does not know, or not in their present version: what a backfill enters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from ndjctl.reconcile.check import Parts, Places, Reporter, opened
from ndjctl.reconcile.join import Pair, pairs
from ndjctl.reconcile.records import FileItem
from ndjctl.reconcile.spool import Spool
from ndjctl.reconcile.streams import Listed, list_bucket
from ndjctl.reconcile.unseen import heads
from ndjctl.reconcile.verdicts import Clock

_CHUNK = 500
_MOST_SUSPECTS = 10_000


@dataclass
class Searched:
    """files: objects that were looked at. in_flight: not in the ledger, but younger than their event may take.
    by_report: the ledger has forgotten them, and a run's report or a copy in the quarantine says what became of them:
    to enter them again would double their rows."""

    files: int = 0
    in_flight: int = 0
    by_report: int = 0


def find_missed(
    places: Places, date: str | None, prefix: str, clock: Clock, spool: Spool, reporter: Reporter
) -> Searched:
    """Puts them into the spool. date: only of this one (YYYY-MM-DD). prefix: only keys that begin so. Raises CloudError
    and what boto3 raises."""
    reporter.phase("comparing the input bucket with the ledger")
    with opened(places, clock) as parts:
        search = _Search(places, parts, clock, spool)

        def items_of(day: str) -> Iterator[FileItem]:
            return parts.records.files_of(day, prefix)

        listing = list_bucket(places.client("s3"), places.names.input_bucket, prefix, places.page_items)
        found = pairs(listing, items_of, [date] if date else [], wants=lambda _listed: date is None)
        while chunk := list(islice(found, _CHUNK)):
            search.take(chunk)
            reporter.done(len(chunk))
        search.look_again()
    return search.searched


class _Search:
    def __init__(self, places: Places, parts: Parts, clock: Clock, spool: Spool) -> None:
        self._s3 = places.client("s3")
        self._parts = parts
        self._clock = clock
        self._spool = spool
        self._suspects: list[Pair] = []
        self.searched = Searched()

    def take(self, chunk: list[Pair]) -> None:
        self.searched.files += sum(pair.listed is not None for pair in chunk)
        self._suspects += [pair for pair in chunk if _is_missed(pair.listed, pair.item)]
        if len(self._suspects) >= _MOST_SUSPECTS:
            self.look_again()

    def look_again(self) -> None:
        """Puts those of the suspects into the spool that are suspicious afresh."""
        suspects, self._suspects = self._suspects, []
        there = heads(self._s3, self._parts.readers, [pair.listed for pair in suspects if pair.listed is not None])
        items = self._parts.records.files(pair.item.id for pair in suspects if pair.item is not None)
        unknown: list[Listed] = []
        for pair in suspects:
            listed = there.get(pair.listed) if pair.listed is not None else None
            if listed is None:
                continue  # it is gone
            item = items.get(pair.item.id) if pair.item is not None else None
            if self._clock.is_young(listed.modified):
                self.searched.in_flight += 1
            elif item is None:
                unknown.append(listed)
            elif _is_missed(listed, item):
                self._spool.put(listed)
        sifted = self._parts.unseen.sift(unknown)
        self.searched.by_report += len(sifted.by_report)
        for listed, item in sifted.entered:
            if _is_missed(listed, item):
                self._spool.put(listed)
        for listed, _ in sifted.unseen:
            self._spool.put(listed)


def _is_missed(listed: Listed | None, item: FileItem | None) -> bool:
    return listed is not None and (item is None or listed.etag not in (item.etag, item.superseded_by))
