"""What a check says: its verdict, what it saw, and what mends it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["pass", "warn", "fail", "unknown"]
"""unknown: it could not be looked at (a permission is missing, AWS throttles); it counts as neither good nor bad."""

Headline = Literal["HEALTHY", "DEGRADED", "DOWN"]


@dataclass(frozen=True)
class Remedy:
    """One step that mends it. words: of an ndjctl command, without the program's name. other: a whole command line of
    another program. hint: what to do where no command does it, or what to know before the command is typed."""

    words: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    hint: str = ""


@dataclass(frozen=True)
class Checked:
    """One check of one environment.

    code: what it is called in --json, lower-case words with hyphens; never changes. title: what was looked at, a few
    words. sentence: what is so, for a person. evidence: what was seen, a line each, bounded. remedies: in the order in
    which they are to be done; none for a pass. is_down: whether, while it fails, nothing gets from input to Parquet.
    """

    code: str
    title: str
    verdict: Verdict
    sentence: str
    evidence: tuple[str, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    is_down: bool = False


def headline(checked: Iterable[Checked]) -> tuple[Headline, tuple[str, ...]]:
    """(the one word for all of them, the sentences of those that are the reason, the worst first). What could not be
    looked at makes nothing worse."""
    failed = [each for each in checked if each.verdict == "fail"]
    warned = [each for each in checked if each.verdict == "warn"]
    down = [each for each in failed if each.is_down]
    rest = [each for each in failed if not each.is_down]
    reasons = tuple(each.sentence for each in (*down, *rest, *warned))
    if down:
        return "DOWN", reasons
    return ("DEGRADED" if reasons else "HEALTHY"), reasons
