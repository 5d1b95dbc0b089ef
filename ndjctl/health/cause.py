"""What a known cause of a failure is. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """A known cause. code: never changes. title: a few words. meaning: a sentence or two. signs: patterns, of which
    one has to be found in the text, letters of either size; none where the event of a log line tells it."""

    code: str
    title: str
    meaning: str
    signs: tuple[re.Pattern[str], ...] = ()

    def fits(self, text: str) -> bool:
        return any(sign.search(text) for sign in self.signs)


def cause(code: str, title: str, meaning: str, *signs: str) -> Cause:
    """signs: regular expressions."""
    return Cause(code, title, meaning, tuple(re.compile(sign, re.IGNORECASE) for sign in signs))
