"""What a reconciliation finds, and what to type about it. Pure; bounded, however much is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

NEVER_SEEN = "never seen"
STUCK = "stuck"
MISSING = "missing"
DUPLICATED = "duplicated"
CHANGED = "changed"
ORPHANED = "orphaned"
SUPERSEDED = "superseded"

KINDS = (NEVER_SEEN, STUCK, MISSING, DUPLICATED, CHANGED, ORPHANED, SUPERSEDED)

NO_DATE = ""
"""The date of what lies in no folder of a date."""

MOST_FINDINGS = 200
"""Kept with their examples, of all kinds and dates together; what is beyond is counted."""
EXAMPLES = 5


@dataclass(frozen=True)
class Example:
    """One thing that is wrong. subject: a URI or a manifest's id. why: one sentence's worth of text."""

    subject: str
    why: str


@dataclass(frozen=True)
class Remedy:
    """What mends it: words of an ndjctl command, or a whole command line of another program. hint: what to do where no
    command does it, or before it. then: words of the command that comes after that. otherwise: of one that gives up
    what cannot be mended."""

    words: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    hint: str = ""
    then: tuple[str, ...] = ()
    otherwise: tuple[str, ...] = ()


NO_REMEDY = Remedy()


@dataclass
class Finding:
    """Things of one date that are wrong in the same way and mended by the same command. date: YYYY-MM-DD or NO_DATE.
    count: how many `unit`s."""

    kind: str
    date: str
    unit: str
    remedy: Remedy
    count: int = 0
    examples: list[Example] = field(default_factory=list)


@dataclass
class DayCounts:
    """One date. files: objects that are in the bucket or were. completed, quarantined, failed: at rest by the ledger.
    in_flight: on their way within their time, or in a run that lives. waiting: of those, how many wait for a batch.
    by_report: the ledger has forgotten them and a run's report or a copy in quarantine says what became of them. lines:
    of the files at rest whose output was read, by the ledger. rows and bad_lines: of those files, found in the outputs.
    purged_lines: of those files, that were purged from the quarantine; purged_files: quarantined ones whose copy was.
    moving_rows and moving_bad_lines: found there of files that are on their way, or of their older versions.
    open_manifests: that are not closed, even if all their files are at rest: their parts may be written yet, and are in
    none of these numbers. parts: that were counted. parts_as_written: of those, that are what their runs wrote, by ETag
    and size; of the rest that is no finding, nobody knows."""

    files: int = 0
    completed: int = 0
    quarantined: int = 0
    failed: int = 0
    in_flight: int = 0
    waiting: int = 0
    by_report: int = 0
    lines: int = 0
    rows: int = 0
    bad_lines: int = 0
    moving_rows: int = 0
    moving_bad_lines: int = 0
    purged_lines: int = 0
    purged_files: int = 0
    open_manifests: int = 0
    parts: int = 0
    parts_as_written: int = 0
    found: Counter[str] = field(default_factory=Counter)
    failed_examples: list[Example] = field(default_factory=list)


class Findings:
    """Collects. days: by date. total: of things that are wrong."""

    def __init__(self) -> None:
        self.days: dict[str, DayCounts] = {}
        self._kept: dict[tuple[str, str, Remedy], Finding] = {}
        self.not_kept = 0

    def day(self, date: str) -> DayCounts:
        return self.days.setdefault(date, DayCounts())

    def add(self, kind: str, date: str, unit: str, remedy: Remedy, examples: Iterable[Example], count: int = 1) -> None:
        self.day(date).found[kind] += count
        key = (kind, date, remedy)
        if key not in self._kept:
            if self.is_full:
                self.not_kept += 1
                return
            self._kept[key] = Finding(kind, date, unit, remedy)
        finding = self._kept[key]
        finding.count += count
        room = EXAMPLES - len(finding.examples)
        finding.examples += list(examples)[:room]

    @property
    def is_full(self) -> bool:
        """Whether what is new from now on is only counted."""
        return len(self._kept) >= MOST_FINDINGS

    @property
    def total(self) -> int:
        return sum(sum(day.found.values()) for day in self.days.values())

    @property
    def kept(self) -> list[Finding]:
        """In the order of their kinds, then of their dates."""
        return sorted(self._kept.values(), key=lambda f: (KINDS.index(f.kind), f.date, f.remedy.words))
