"""Dates and times: UTC, ISO 8601, and the date that a file belongs to."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone

_LEADING_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?!\d)")


def iso_utc(moment: datetime) -> str:
    """`moment` (aware) as 2026-01-31T23:59:59.123Z. Raises ValueError for a naive datetime."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime has no place here: pass UTC")
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_iso_utc(text: str) -> datetime:
    """The inverse of iso_utc; also takes what S3 events carry. Raises ValueError."""
    moment = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset")
    return moment.astimezone(timezone.utc)


def leading_date(file_key: str) -> str | None:
    """The real date (YYYY-MM-DD) that leads the file's name, if one does."""
    match = _LEADING_DATE.match(file_key.rsplit("/", 1)[-1])
    if match:
        try:
            return date.fromisoformat(match.group(1)).isoformat()
        except ValueError:
            pass  # 2026-13-45-x.ndjson leads with digits, not with a date
    return None


def date_prefix(file_key: str, event_time: datetime) -> str:
    """The UTC date (YYYY-MM-DD) a file belongs to: a real date leading its name, else that of its event."""
    return leading_date(file_key) or event_time.astimezone(timezone.utc).strftime("%Y-%m-%d")


def ledger_dates(file_key: str, event_time: datetime, now: datetime, days: int) -> tuple[str, ...]:
    """The dates under which the ledger can have the file of an event, in their order: the one that leads its name; else
    every one from `days` before the event to the day after `now`, since the file keeps the date of its first event."""
    leading = leading_date(file_key)
    if leading is not None:
        return (leading,)
    event_day = event_time.astimezone(timezone.utc).date()
    last = max(event_day, now.astimezone(timezone.utc).date()) + timedelta(days=1)
    first = event_day - timedelta(days=days)
    return tuple((first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1))
