"""Listings and queries as sorted streams that are read page by page, and work on them with bounded memory.

S3 lists keys, and DynamoDB sort keys, in the order of their UTF-8 bytes, which is the order of Python's strings. So two
of them are compared by walking through both at once, whatever their length.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from heapq import merge
from itertools import groupby
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Listed(NamedTuple):
    """An object as a listing has it. etag: without quotes. modified: UTC."""

    bucket: str
    key: str
    size_bytes: int
    etag: str
    modified: datetime


def list_bucket(s3: Any, bucket: str, prefix: str = "", page_items: int = 1000) -> Iterator[Listed]:
    """Every object under the prefix, in the order of the keys, a page at a time."""
    for answer in _pages(s3, {"Bucket": bucket, "Prefix": prefix, "MaxKeys": page_items}):
        yield from _listed(bucket, answer)


def list_folder(s3: Any, bucket: str, prefix: str, page_items: int = 1000) -> Iterator[Listed | str]:
    """Every object that lies in the folder itself, and the prefix of every folder in it, a page at a time. prefix: with
    a slash at its end."""
    for answer in _pages(s3, {"Bucket": bucket, "Prefix": prefix, "Delimiter": "/", "MaxKeys": page_items}):
        yield from _listed(bucket, answer)
        yield from (str(entry["Prefix"]) for entry in answer.get("CommonPrefixes", []))


def _listed(bucket: str, answer: Any) -> Iterator[Listed]:
    for entry in answer.get("Contents", []):
        etag = str(entry["ETag"]).strip('"')
        yield Listed(bucket, str(entry["Key"]), int(entry["Size"]), etag, entry["LastModified"])


def _pages(s3: Any, request: dict[str, Any]) -> Iterator[Any]:
    while True:
        answer = s3.list_objects_v2(**request)
        yield answer
        if not answer.get("IsTruncated"):
            return
        request["ContinuationToken"] = answer["NextContinuationToken"]


class Cursor(Generic[T]):
    """A sorted stream that is walked through forwards. key: of an entry, by which the stream is sorted."""

    def __init__(self, entries: Iterator[T], key: Callable[[T], str]) -> None:
        self._entries = entries
        self._key = key
        self._head: T | None = next(entries, None)

    def before(self, key: str) -> Iterator[T]:
        """The entries not yet passed whose keys are smaller."""
        while self._head is not None and self._key(self._head) < key:
            passed, self._head = self._head, next(self._entries, None)
            yield passed

    def at(self, key: str) -> T | None:
        """Passes everything before `key`, and the entry of that key, which it returns."""
        for _ in self.before(key):
            pass
        if self._head is None or self._key(self._head) != key:
            return None
        found, self._head = self._head, next(self._entries, None)
        return found

    def rest(self) -> Iterator[T]:
        while self._head is not None:
            passed, self._head = self._head, next(self._entries, None)
            yield passed


def grouped(*streams: Iterable[tuple[str, T]]) -> Iterator[tuple[str, list[list[T]]]]:
    """The entries of sorted streams of (key, entry) that share a key, in the order of the keys: for each key a list for
    each stream."""

    def numbered(number: int, stream: Iterable[tuple[str, T]]) -> Iterator[tuple[str, int, T]]:
        return ((key, number, entry) for key, entry in stream)

    together = merge(*(numbered(*each) for each in enumerate(streams)), key=lambda entry: entry[:2])
    for key, entries in groupby(together, key=lambda entry: entry[0]):
        found: list[list[T]] = [[] for _ in streams]
        for _, number, entry in entries:
            found[number].append(entry)
        yield key, found


def ordered_map(pool: ThreadPoolExecutor, function: Callable[[T], R], entries: Iterable[T], window: int) -> Iterator[R]:
    """function(entry) of every entry, in their order, in the pool's threads; of at most `window` entries at a time."""
    waiting: deque[Future[R]] = deque()
    try:
        for entry in entries:
            waiting.append(pool.submit(function, entry))
            if len(waiting) >= window:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
