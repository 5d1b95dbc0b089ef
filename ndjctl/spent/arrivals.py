"""What came, when, and how much of it was there how long: what estimated lines of the spent are computed from. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from ndjctl.cost.usage import BYTES, FILES, RUNS, TIME
from ndjctl.spent.billed import ZERO
from ndjctl.spent.waste import USEFUL, JudgedRun, LedgerManifest

DAY_S = Decimal(86_400)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A manifest's files. at: when it was completed, which counts as when they came. is_mean: whether files and bytes
    are the mean of the others, because the ledger has forgotten the manifest."""

    at: datetime
    files: int
    size_bytes: int
    is_mean: bool = False


def arrivals(judged: Iterable[JudgedRun], manifests: Mapping[str, LedgerManifest]) -> list[Arrival]:
    """The completed manifests of the ledger, and those of runs that converted one which it has forgotten; these only
    where there is one to take the mean of."""
    known = [
        Arrival(each.completed_at, each.files, each.size_bytes)
        for each in manifests.values()
        if each.completed_at is not None
    ]
    if not known:
        return []
    files = round(sum(each.files for each in known) / len(known))
    size_bytes = sum(each.size_bytes for each in known) // len(known)
    forgotten = [
        Arrival(ended, files, size_bytes, is_mean=True)
        for each in judged
        if each.kind == USEFUL and each.about.manifest_id and each.about.manifest_id not in manifests
        if (ended := each.about.run.completed_at or each.about.started_at) is not None
    ]
    return known + forgotten


@dataclass(frozen=True)
class Span:
    """A time, `end` excluded."""

    begin: datetime
    end: datetime

    @property
    def days(self) -> Decimal:
        return Decimal(str(max((self.end - self.begin).total_seconds(), 0.0))) / DAY_S

    def has(self, moment: datetime) -> bool:
        return self.begin <= moment < self.end


@dataclass(frozen=True)
class Standing:
    """How many days' worth of what came since `first` was there, on the mean of `span`; a day's worth is what came
    from `first` to the end of `span`, by the day."""

    came: Sequence[Arrival]
    first: datetime
    span: Span

    @property
    def days(self) -> Decimal:
        """Of which a day's worth is the mean."""
        return Span(self.first, self.span.end).days

    def __call__(self, comes_with: str, kept_days: Decimal) -> Decimal:
        """kept_days: that each is kept at most, from when it came."""
        if not self.span.days:
            return ZERO
        if comes_with == TIME:
            return self._of_time(kept_days)
        files, size_bytes, runs = self._weights
        weights = {FILES: files, BYTES: size_bytes, RUNS: runs}[comes_with]
        begin, end, kept_s = self.span.begin.timestamp(), self.span.end.timestamp(), float(kept_days * DAY_S)
        stayed = 0.0
        for at, weight in zip(self._moments, weights, strict=True):
            until, since = min(at + kept_s, end), max(at, begin)
            if until > since:
                stayed += weight * (until - since)
        total = sum(weights)
        return Decimal(str(stayed / total)) / DAY_S * self.days / self.span.days if total else ZERO

    @cached_property
    def _moments(self) -> Sequence[float]:
        """In seconds: 140,000 datetimes for each line would take seconds."""
        return [each.at.timestamp() for each in self.came]

    @cached_property
    def _weights(self) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
        return [e.files for e in self.came], [e.size_bytes for e in self.came], [1] * len(self.came)

    def _of_time(self, kept_days: Decimal) -> Decimal:
        """What comes evenly from `first` on grows until it is as old as it is kept."""

        def grown(until: datetime) -> Decimal:
            """Days times days' worth until then."""
            days = Span(self.first, until).days
            growing = min(days, kept_days)
            return growing * growing / 2 + (days - growing) * kept_days

        return (grown(self.span.end) - grown(self.span.begin)) / self.span.days
