"""How checks say numbers and durations, and what they say of what could not be looked at. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ndjctl.health.facts import SLACK_S, Facts
from ndjctl.health.model import Checked
from ndjctl.plain import counted as counted
from ndjctl.reading import Reading

EVIDENCE = 5
"""Lines of a check, at most."""


def begun(text: str) -> str:
    """As the beginning of a sentence; a name of a setting or a file stays as it is."""
    word = text.partition(" ")[0]
    return text if "." in word or "_" in word else text[:1].upper() + text[1:]


def lasting(seconds: float) -> str:
    """'45 s', '3 min', '5 h', '2 d': for a sentence, cut down to the largest unit."""
    for unit, size in (("d", 172_800), ("h", 7_200), ("min", 120)):
        if seconds >= size:
            return f"{seconds / {'d': 86_400, 'h': 3_600, 'min': 60}[unit]:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def moment_text(moment: datetime | None) -> str:
    return "at an unknown time" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}Z"


def some(lines: Iterable[str], total: int | None = None) -> tuple[str, ...]:
    """The first few, and how many more there are. total: where more are known than `lines` has."""
    kept = list(lines)
    count = len(kept) if total is None else max(total, len(kept))
    shown = kept[:EVIDENCE]
    return (*shown, f"and {count - len(shown):,} more") if count > len(shown) else tuple(shown)


def passed(code: str, title: str, sentence: str, *evidence: str) -> Checked:
    return Checked(code, title, "pass", sentence, evidence)


def unread(code: str, title: str, *readings: Reading[Any]) -> Checked:
    """Of a check whose readings were not all made."""
    refused = [reading for reading in readings if not reading.was_read]
    if not refused:
        return Checked(code, title, "unknown", "Not checked: AWS does not tell what it needs.")
    why = {"denied": "may not be looked at", "throttled": "was throttled by AWS", "absent": "is not there"}
    told = why.get(refused[0].why or "", "could not be read")
    return Checked(code, title, "unknown", f"Not checked: what it needs {told}.", tuple(r.sentence for r in refused))


def grace_words(facts: Facts) -> tuple[str, ...]:
    """The option of `backfill` with which it finds what was found here; none where it does so by itself."""
    usual_s = facts.profile.batching.max_partial_age_s + SLACK_S
    return () if facts.grace_s == usual_s else ("--grace", f"{facts.grace_s:g}")
