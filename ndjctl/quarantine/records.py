"""What was purged and what was released, by the records in the manifest bucket."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from heapq import merge
from typing import Any, NamedTuple, TypeVar

from ndjctl.aws import is_not_found
from ndjctl.contracts import (
    FormatError,
    Purge,
    PurgedObject,
    Release,
    ReleasedObject,
    purge_key,
    purge_prefix,
    release_key,
    release_prefix,
)
from ndjctl.errors import WorkFailed
from ndjctl.objects import list_objects

T = TypeVar("T", Purge, Release)

OBJECTS_PER_RECORD = 1_000
"""What one request of S3 deletes; and a record stays small enough to be read whole."""

_NAME = re.compile(r"(.+)-\d{5,}\.json")


class ReleasedAt(NamedTuple):
    """released: one object of a release. at: UTC, ISO."""

    released: ReleasedObject
    at: str


class QuarantineRecords:
    """Reads and writes. Raises WorkFailed for a record that this version cannot read, and what boto3 raises."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def put_purge(self, purge: Purge, number: int) -> None:
        self._put(purge_key(purge.date, purge.purge_id, number), purge.to_json())

    def put_release(self, release: Release, number: int) -> None:
        self._put(release_key(release.date, release.release_id, number), release.to_json())

    def has_release(self, release: Release, number: int) -> bool:
        """Whether a record of that name is there that releases the same, whenever and by whom."""
        there = self._read(release_key(release.date, release.release_id, number), Release.from_json)
        return there is not None and there.objects == release.objects

    def purged(self, date: str) -> Iterator[PurgedObject]:
        """Of one date, in the order of their keys; of each purge no more than one record is in memory."""
        by_purge: dict[str, list[str]] = {}
        for entry in list_objects(self._s3, self._bucket, purge_prefix(date)):
            match = _NAME.fullmatch(entry.key)
            if match:
                by_purge.setdefault(match[1], []).append(entry.key)
        yield from merge(*map(self._objects, by_purge.values()), key=lambda each: each.key)

    def purged_of(self, date: str, keys: Collection[str]) -> dict[str, list[PurgedObject]]:
        """Those of `keys` that were purged, read afresh."""
        found: dict[str, list[PurgedObject]] = {}
        for each in self._all_purged(date):
            if each.key in keys:
                found.setdefault(each.key, []).append(each)
        return found

    def purged_where(self, date: str, wants: Callable[[str], bool]) -> list[PurgedObject]:
        """Those whose key is wanted, read afresh."""
        return [each for each in self._all_purged(date) if wants(each.key)]

    def released(self, date: str) -> Iterator[ReleasedAt]:
        """Of one date, in no order."""
        for release in self.releases(date):
            yield from (ReleasedAt(each, release.at) for each in release.objects)

    def releases(self, date: str) -> Iterator[Release]:
        """The records of one date, one in memory at a time."""
        for entry in list_objects(self._s3, self._bucket, release_prefix(date)):
            release = self._read(entry.key, Release.from_json)
            if release is not None:
                yield release

    def has_releases(self, date: str) -> bool:
        return any(True for _ in list_objects(self._s3, self._bucket, release_prefix(date)))

    def _all_purged(self, date: str) -> Iterator[PurgedObject]:
        yield from self._objects(entry.key for entry in list_objects(self._s3, self._bucket, purge_prefix(date)))

    def _objects(self, keys: Iterable[str]) -> Iterator[PurgedObject]:
        for key in keys:
            purge = self._read(key, Purge.from_json)
            if purge is not None:
                yield from purge.objects

    def _read(self, key: str, parse: Callable[[bytes, str], T]) -> T | None:
        """None where it is gone."""
        from botocore.exceptions import ClientError

        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if is_not_found(error):
                return None
            raise
        try:
            return parse(body, f"s3://{self._bucket}/{key}")
        except FormatError as error:
            raise WorkFailed(f"{str(error).rstrip('.')}.") from error

    def _put(self, key: str, body: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")
