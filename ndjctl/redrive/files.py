"""Files that did not get through and are to be moved back to `pending`: failed ones and stuck ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ndjctl.contracts import (
    DONE,
    FAILED,
    MANIFESTED,
    PROCESSING,
    Attr,
    Names,
    part_prefix,
)
from ndjctl.objects import list_objects
from ndjctl.redrive.choice import Choice
from ndjctl.redrive.moves import Moved, Mover
from ndjctl.redrive.tracking import Entry, Tracking
from ndjctl.redrive.work import Candidate

Pages = Iterator[list[Candidate]]

_UNDER_WAY = (MANIFESTED, PROCESSING)


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
