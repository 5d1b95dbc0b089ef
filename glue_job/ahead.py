"""Reads ahead: the next block is on its way while the one before it is worked on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

_NOTHING = object()


@contextmanager
def read_ahead(items: Iterator[T]) -> Iterator[Iterator[T]]:
    """The same items, each drawn in a thread while the caller works on the one before. One at most is drawn that the
    caller does not ask for. What drawing raises is raised where the item would have come."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
    try:
        yield _drawn(items, pool)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _drawn(items: Iterator[T], pool: ThreadPoolExecutor) -> Iterator[T]:
    coming: Future[T | object] = pool.submit(next, items, _NOTHING)
    while (item := coming.result()) is not _NOTHING:
        coming = pool.submit(next, items, _NOTHING)
        yield item  # type: ignore[misc]
