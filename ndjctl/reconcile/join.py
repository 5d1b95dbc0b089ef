"""Objects of the input bucket beside their items in the ledger: one listing walked along with a query for each date."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date as calendar_date
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from ndjctl.contracts import FILE_SUFFIX, TTL_DAYS, date_prefix
from ndjctl.reconcile.records import FileItem
from ndjctl.reconcile.streams import Cursor, Listed

_TWO_DAYS = (datetime(2000, 1, 1, tzinfo=timezone.utc), datetime(2000, 1, 2, tzinfo=timezone.utc))


class Pair(NamedTuple):
    """An object and its item; one of them may be missing. date: the item's, else the one that the object would get."""

    date: str
    listed: Listed | None
    item: FileItem | None


def named_date(key: str) -> str | None:
    """The date that leads the name; None where the event's date counts."""
    dates = {date_prefix(key, day) for day in _TWO_DAYS}
    return dates.pop() if len(dates) == 1 else None


def possible_dates(listed: Listed) -> list[str]:
    """Where the object's item can be, the likeliest first. Without a date in the name that is the event's date, which
    may be a day off the object's own time; or, since an older version may have been entered before, an earlier one."""
    named = named_date(listed.key)
    if named is not None:
        return [named]
    own = calendar_date.fromisoformat(date_prefix(listed.key, listed.modified))
    days = (0, 1, *range(-1, -TTL_DAYS - 2, -1))
    return [(own + timedelta(days=day)).isoformat() for day in days]


def pairs(
    listing: Iterable[Listed],
    items_of: Callable[[str], Iterator[FileItem]],
    dates: Iterable[str],
    wants: Callable[[Listed], bool],
) -> Iterator[Pair]:
    """Every object of the listing that is of one of `dates` or is wanted, and every item of those dates.

    items_of: the items of a date in the order of their keys, as the listing is. wants: whether an object of another
    date is to be looked up too; its date is then one of the dates. An object whose item is found nowhere may still have
    one: under a date that is not looked into, or because it was entered meanwhile.
    """
    ledger = {date: _cursor(items_of(date)) for date in dates}
    for listed in listing:
        if not listed.key.endswith(FILE_SUFFIX):
            continue
        candidates = possible_dates(listed)
        home = candidates[0]
        if home not in ledger and wants(listed):
            ledger[home] = _cursor(items_of(home))
        found = False
        for date in candidates:
            cursor = ledger.get(date)
            if cursor is None:
                continue
            yield from (Pair(date, None, item) for item in cursor.before(listed.key))
            item = cursor.at(listed.key)
            if item is not None:
                yield Pair(date, None if found else listed, item)
                found = True
        if not found and home in ledger:
            yield Pair(home, listed, None)
    for date, cursor in ledger.items():
        yield from (Pair(date, None, item) for item in cursor.rest())


def _cursor(items: Iterator[FileItem]) -> Cursor[FileItem]:
    return Cursor(items, lambda item: item.key)
