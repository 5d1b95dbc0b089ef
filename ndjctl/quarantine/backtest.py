"""A proposed size rule against the sizes and reasons that the ledger has recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ndjctl.contracts import QUARANTINED, STATUSES, Attr, SizeWindow
from ndjctl.items import pages_of, query_pages
from ndjctl.listing.files import FileFilter, status_request

NEWLY = "newly quarantined"
FREED = "freed"
STILL = "still quarantined"
NORMAL = "normal in both"
OUTCOMES = (NEWLY, FREED, STILL, NORMAL)

EXAMPLES = 5
"""Kept of the files that the rule would treat otherwise, of each outcome."""
MOST_DATES = 1_000
"""That are told apart; a name may lead with any date."""
OTHER_DATES = "other dates"

_FIELDS = (Attr.DATE_PREFIX, Attr.FILE_KEY, Attr.STATUS, Attr.SIZE_BYTES, Attr.REASON)


class Recorded(NamedTuple):
    """A file as it is recorded. is_quarantined: by the rule of its time, and not released since."""

    date: str
    key: str
    size_bytes: int
    is_quarantined: bool
    reason: str


@dataclass
class Tally:
    """files, size_bytes: by outcome."""

    files: Counter[str] = field(default_factory=Counter)
    size_bytes: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return sum(self.files.values())

    def add(self, outcome: str, size_bytes: int) -> None:
        self.files[outcome] += 1
        self.size_bytes[outcome] += size_bytes

    def percent(self, outcome: str) -> float:
        """Of all files; 0 where there are none."""
        return 100 * self.files[outcome] / self.total if self.total else 0.0


class Example(NamedTuple):
    """why: the verdict of the proposed rule of a file that it would quarantine, the recorded reason of one that it
    frees."""

    file: Recorded
    why: str


@dataclass
class Backtest:
    """days: by date. without_size: files of which no size is recorded."""

    window: SizeWindow
    days: dict[str, Tally] = field(default_factory=dict)
    totals: Tally = field(default_factory=Tally)
    examples: dict[str, list[Example]] = field(default_factory=lambda: {NEWLY: [], FREED: []})
    without_size: int = 0

    def take(self, file: Recorded) -> None:
        verdict = self.window.verdict(file.size_bytes)
        outcome = outcome_of(file.is_quarantined, verdict)
        date = file.date if file.date in self.days or len(self.days) < MOST_DATES else OTHER_DATES
        self.days.setdefault(date, Tally()).add(outcome, file.size_bytes)
        self.totals.add(outcome, file.size_bytes)
        if outcome in self.examples and len(self.examples[outcome]) < EXAMPLES:
            self.examples[outcome].append(Example(file, verdict or file.reason))


def outcome_of(was_quarantined: bool, verdict: str | None) -> str:
    """verdict: of the proposed rule."""
    if verdict is None:
        return FREED if was_quarantined else NORMAL
    return STILL if was_quarantined else NEWLY


def backtest(
    dynamodb: Any, table: str, window: SizeWindow, date: str | None, progress: Callable[[int], None]
) -> Backtest:
    """Reads every file that the ledger remembers, of one date or of all, page by page; what it keeps does not grow with
    them."""
    result = Backtest(window)
    for items in _pages(dynamodb, table, date):
        _take(result, items)
        progress(len(items))
    return result


def _take(result: Backtest, items: Iterable[dict[str, Any]]) -> None:
    for item in items:
        size_bytes = item.get(Attr.SIZE_BYTES)
        if size_bytes is None:
            result.without_size += 1
            continue
        key = str(item[Attr.FILE_KEY])
        is_quarantined = item.get(Attr.STATUS) == QUARANTINED
        day = str(item[Attr.DATE_PREFIX])
        result.take(Recorded(day, key, int(size_bytes), is_quarantined, str(item.get(Attr.REASON) or "")))


def _pages(dynamodb: Any, table: str, date: str | None) -> Iterator[list[dict[str, Any]]]:
    if date is not None:
        yield from (items for items, _ in query_pages(dynamodb, table, date, fields=_FIELDS))
        return
    for status in STATUSES:
        for items, _ in pages_of(dynamodb, status_request(table, status, FileFilter(), _FIELDS)):
            yield items
