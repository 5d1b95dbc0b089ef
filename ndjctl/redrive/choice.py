"""Which of them: by reason and by date. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from fnmatch import translate

_MOST_REASONS = 1_000
_OTHERS = "other reasons"

_WHERE = re.compile(r"^s3://\S+: ")


@dataclass(frozen=True)
class Choice:
    """reason: part of the reason, or, if it has any of * ? [, a pattern of all of it, with or without the URI of the
    file that it begins with; in either case letters may be of either size. date: YYYY-MM-DD. None takes all."""

    reason: str | None = None
    date: str | None = None

    def takes(self, reason: str, date: str) -> bool:
        return self.date in (None, date) and self.takes_reason(reason)

    def takes_reason(self, reason: str) -> bool:
        if self.reason is None:
            return True
        if set(self.reason) & set("*?["):
            pattern = re.compile(translate(self.reason.casefold()))
            # Also as screens show it: without the file that it begins with.
            return any(pattern.match(each.casefold()) for each in (reason, _WHERE.sub("", reason)))
        return self.reason.casefold() in reason.casefold()


def reason_alone(reason: str, key: str) -> str:
    """A reason without the URI of the file `key` that it begins with, where it does: for a line that names the file."""
    place, found, rest = reason.partition(f"/{key}: ")
    return rest if found and place.startswith("s3://") else reason


class Reasons:
    """Counts of reasons, without the file that each begins with. Of more different ones than fit, some are counted
    together."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, reason: str) -> None:
        told = _WHERE.sub("", reason) or "no reason recorded"
        if told not in self.counts and len(self.counts) >= _MOST_REASONS:
            told = _OTHERS
        self.counts[told] += 1
