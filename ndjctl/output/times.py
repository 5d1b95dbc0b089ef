"""Times and durations for people."""

from __future__ import annotations

from datetime import datetime

from ndjctl.contracts import iso_utc


def lasting(seconds: float | None) -> str:
    """'45 s', '3 min 20 s', '5 h 12 min', '2 d 3 h'; '-' for None."""
    if seconds is None:
        return "-"
    whole = max(0, round(seconds))
    for unit, size, smaller, smaller_size in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def shown(moment: datetime | None) -> str:
    """'2026-11-23 14:31:22Z'; '-' for None."""
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}Z"


def told(moment: datetime | None) -> str | None:
    """As a JSON document has it: ISO 8601 in UTC."""
    return None if moment is None else iso_utc(moment)
