"""Which dates a reconciliation is about. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as calendar_date
from datetime import datetime, timedelta, timezone

from ndjctl.contracts import TTL_DAYS
from ndjctl.reconcile.streams import Listed


@dataclass(frozen=True)
class Scope:
    """dates: YYYY-MM-DD, ascending. modified_since: objects from then on are looked at whatever date their name leads
    to; None where only the dates count."""

    dates: tuple[str, ...]
    modified_since: datetime | None = None

    def wants(self, listed: Listed) -> bool:
        """Whether an object of another date is looked at too."""
        return self.modified_since is not None and listed.modified >= self.modified_since


def scope_of(date: str | None, since: str | None, now: datetime) -> Scope:
    """One date; or every date since then; or the days that the ledger remembers whole. date, since: YYYY-MM-DD."""
    if date is not None:
        return Scope((date,))
    today = now.astimezone(timezone.utc).date()
    first = calendar_date.fromisoformat(since) if since else today - timedelta(days=TTL_DAYS - 1)
    days = range(max((today - first).days, 0) + 1)
    begin = datetime(first.year, first.month, first.day, tzinfo=timezone.utc)
    return Scope(tuple((first + timedelta(days=day)).isoformat() for day in days), begin)
