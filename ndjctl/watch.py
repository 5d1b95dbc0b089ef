"""Follows files through the ledger until each is at rest, and keeps the pipeline from waiting for more files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ndjctl.contracts import PENDING, TTL_DAYS, date_prefix, ledger_dates
from ndjctl.errors import WorkFailed
from ndjctl.ledger import FileId, FileRecord, Ledger
from ndjctl.sweeping import invoke_sweep

FLUSH_EVERY_S = 5.0
UNSEEN_LIMIT_S = 60.0
"""How long an event may take before the watch says that it did not come."""


@dataclass(frozen=True)
class Watched:
    """An object whose fate is followed. etag: the version of it that is meant."""

    key: str
    etag: str
    last_modified: datetime

    @property
    def likely_ids(self) -> list[FileId]:
        """Where its record mostly is. Without a date in the name it is the event's date, and the event of an upload
        that spans midnight is of the day after the object's own time."""
        days = (self.last_modified, self.last_modified + timedelta(days=1))
        return list(dict.fromkeys((date_prefix(self.key, day), self.key) for day in days))

    @property
    def other_ids(self) -> list[FileId]:
        """Where it is besides if the key was entered before: a file keeps the date of its first event."""
        dates = ledger_dates(self.key, self.last_modified, self.last_modified, TTL_DAYS)
        return [(date, self.key) for date in dates if (date, self.key) not in self.likely_ids]


def find(ledger: Ledger, files: Iterable[Watched]) -> dict[Watched, FileRecord]:
    """The records of exactly these versions of `files`, where the ledger has them."""
    wanted = list(files)
    found: dict[Watched, FileRecord] = {}
    for is_likely in (True, False):
        left = {f: f.likely_ids if is_likely else f.other_ids for f in wanted if f not in found}
        records = ledger.get(file_id for ids in left.values() for file_id in ids)
        for file, ids in left.items():
            there = (records[file_id] for file_id in ids if file_id in records)
            record = next((record for record in there if record.etag == file.etag), None)
            if record is not None:
                found[file] = record
    return found


class Flusher:
    """Asks the function to take partial batches now, and to start or follow what waits."""

    def __init__(self, lambda_: Any, function: str) -> None:
        self._lambda = lambda_
        self._function = function

    def flush(self) -> bool:
        """Whether nothing goes on before somebody lifts the budget of the day: all that is left is held by it. Raises
        CloudError when the function itself fails."""
        report = invoke_sweep(self._lambda, self._function, flush=True)
        held = int(report.get("held") or 0)
        is_all = held >= int(report.get("open") or 0) and not report.get("pending")
        return held > 0 and report.get("budget") is not None and is_all


def watch(
    ledger: Ledger,
    files: Sequence[Watched],
    flusher: Flusher,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    timeout_s: float,
    report: Callable[[Counter[str]], None] = lambda _counts: None,
    check: Callable[[], None] = lambda: None,
) -> dict[Watched, FileRecord]:
    """The records of all `files`, each at rest.

    report: called with the number of files by status ("unseen" for those not in the ledger yet). check: called now and
    then; raises what makes waiting pointless. Raises WorkFailed after timeout_s, when events do not come, or when the
    budget of the day holds all that is left.
    """
    begun = clock()
    moved_at = begun
    flushed_at = float("-inf")
    resting: dict[Watched, FileRecord] = {}
    moving = list(files)
    before: Counter[str] = Counter()
    while True:
        seen = find(ledger, moving)
        resting |= {file: record for file, record in seen.items() if record.at_rest}
        moving = [file for file in moving if file not in resting]
        counts = Counter(record.status for record in resting.values())
        counts.update(seen[file].status if file in seen else "unseen" for file in moving)
        report(counts)
        if not moving:
            return resting
        now = clock()
        if counts != before:
            before, moved_at = counts, now
        unseen = [file for file in moving if file not in seen]
        if unseen and now - moved_at > UNSEEN_LIMIT_S:
            raise WorkFailed(
                f"No event came for {len(unseen)} of {len(files)} files within {UNSEEN_LIMIT_S:g} s, the first is "
                f"{unseen[0].key!r}: run the same command again to send them anew."
            )
        if now - begun > timeout_s:
            raise WorkFailed(
                f"{len(moving)} of {len(files)} files were not at rest after {timeout_s:g} s "
                f"({_told(counts)}); the pipeline goes on, run the same command again to look."
            )
        everything_arrived = not unseen or now - moved_at > 2
        # The first flush comes as soon as all files are in; later ones stand in for the schedule.
        due = FLUSH_EVERY_S if flushed_at > float("-inf") and not counts[PENDING] else 1.0
        check()
        if everything_arrived and now - flushed_at >= due:
            is_held = flusher.flush()
            flushed_at = clock()
            if is_held:
                raise WorkFailed(
                    f"{len(moving)} of {len(files)} files wait: the budget of the day is spent, and no run is started "
                    f"before midnight UTC; 'ndjctl cost lift' with the same options lets them start at once. Nothing "
                    f"is lost, and the same command looks again."
                )
        sleep(0.3 if len(files) < 1000 else 2.0)


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
