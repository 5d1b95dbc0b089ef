"""How many lines were bad, by reason, and where the first of each is. Pure."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from glue_job.lines import Line
from glue_job.records import BadLine


class BadExample(NamedTuple):
    """Where a bad line is and what is wrong with it. line_number: from 1, None where the reader could not know it."""

    source: str
    line_number: int | None
    byte_offset: int
    detail: str


class BadTally:
    """counts: bad lines by reason. first: of each reason the first one that was met. Picklable."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, BadExample] = {}

    def add(self, source: str, line: Line, bad: BadLine) -> None:
        self.counts[bad.reason] += 1
        if bad.reason not in self.first:
            self.first[bad.reason] = BadExample(source, line.number, line.offset, str(bad))

    def merge(self, other: BadTally) -> None:
        """As if what `other` has came behind what is here."""
        self.counts.update(other.counts)
        for reason, example in other.first.items():
            self.first.setdefault(reason, example)
