"""Looks at some objects of the input bucket, of the recent dates: does the ledger know them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ndjctl.contracts import FILE_SUFFIX, TTL_DAYS, Names, date_prefix
from ndjctl.health.facts import LostObject, Sample
from ndjctl.ledger import BATCH_GET_LIMIT, FileId, FileRecord, Ledger
from ndjctl.watch import Watched

QUICK_OBJECTS = 100
QUICK_PAGES = 1
DEEP_OBJECTS = 20_000
DEEP_PAGES = 20

LISTED_PER_PAGE = 1000  # of the service
_RECENT_DAYS = 1
_LISTINGS = 2
_DATES = TTL_DAYS + 3
"""Under how many dates the ledger may have a file at most."""
_LOST_KEPT = 1_000

QUICK_CALLS = _LISTINGS * QUICK_PAGES + QUICK_OBJECTS * _DATES // BATCH_GET_LIMIT + 2


@dataclass(frozen=True)
class Extent:
    """How much is looked at, at most. pages: of each of two listings, one from yesterday's date on, which leads the
    names of most files, and one from the beginning. objects: that are looked up in the ledger."""

    pages: int
    objects: int


QUICK = Extent(QUICK_PAGES, QUICK_OBJECTS)
DEEP = Extent(DEEP_PAGES, DEEP_OBJECTS)


@dataclass(frozen=True)
class _Object:
    watched: Watched
    size_bytes: int


def look_at_inputs(s3: Any, ledger: Ledger, names: Names, now: datetime, grace_s: float, extent: Extent) -> Sample:
    """Those that were uploaded more than grace_s ago, so that their event should have come, and since yesterday's
    midnight (UTC), so that the ledger has not forgotten them."""
    earliest = (now - timedelta(days=_RECENT_DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)
    latest = now - timedelta(seconds=grace_s)
    found: dict[str, _Object] = {}
    young: set[str] = set()
    is_whole = False
    for start_after in ("", f"{earliest:%Y-%m-%d}"):
        for page, is_last in _pages(s3, names.input_bucket, start_after, extent.pages):
            found |= {each.watched.key: each for each in page if earliest <= each.watched.last_modified <= latest}
            young |= {each.watched.key for each in page if each.watched.last_modified > latest}
            is_whole |= is_last and not start_after
        if is_whole:
            break
    newest = sorted(found.values(), key=lambda each: each.watched.last_modified, reverse=True)[: extent.objects]
    lost: list[LostObject] = []
    for start in range(0, len(newest), BATCH_GET_LIMIT):
        lost += _lost(ledger, newest[start : start + BATCH_GET_LIMIT])
    return Sample(len(newest), tuple(lost[:_LOST_KEPT]), is_whole and len(newest) == len(found), len(young))


def _pages(s3: Any, bucket: str, start_after: str, most: int) -> Iterator[tuple[list[_Object], bool]]:
    """(files of the pipeline, whether there are no more) of each page."""
    request: dict[str, Any] = {"Bucket": bucket, "MaxKeys": LISTED_PER_PAGE}
    if start_after:
        request["StartAfter"] = start_after
    for _ in range(most):
        answer = s3.list_objects_v2(**request)
        is_last = not answer.get("IsTruncated")
        yield [_object(each) for each in answer.get("Contents", []) if str(each["Key"]).endswith(FILE_SUFFIX)], is_last
        if is_last:
            return
        request["ContinuationToken"] = answer["NextContinuationToken"]


def _object(entry: dict[str, Any]) -> _Object:
    watched = Watched(str(entry["Key"]), str(entry["ETag"]).strip('"'), entry["LastModified"])
    return _Object(watched, int(entry["Size"]))


def _lost(ledger: Ledger, objects: list[_Object]) -> list[LostObject]:
    """Those that the ledger does not have under any date that they can have, or not in this version."""
    left = objects
    for is_likely in (True, False):
        ids: dict[str, list[FileId]] = {
            each.watched.key: each.watched.likely_ids if is_likely else each.watched.other_ids for each in left
        }
        known = ledger.get(file_id for several in ids.values() for file_id in several)
        left = [each for each in left if not any(_is(known.get(id_), each) for id_ in ids[each.watched.key])]
        if not left:
            break
    return [
        LostObject(
            date=date_prefix(each.watched.key, each.watched.last_modified),
            key=each.watched.key,
            size_bytes=each.size_bytes,
            modified_at=each.watched.last_modified,
        )
        for each in left
    ]


def _is(record: FileRecord | None, each: _Object) -> bool:
    return record is not None and each.watched.etag in (record.etag, record.superseded_by)
