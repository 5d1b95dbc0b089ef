"""Reads ahead: the next block is on its way while the one before it is worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from ndjctl.contracts import MIB

T = TypeVar("T")

AHEAD_BYTES = 16 * MIB
AHEAD_COUNT = 16
"""Most files whose beginnings are on their way together; whichever limit comes first."""

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


@contextmanager
def begun_ahead(
    items: Iterable[T], begin: Callable[[T], Iterator[bytes]], first_bytes: Callable[[T], int]
) -> Iterator[Iterator[tuple[T, Iterator[bytes]]]]:
    """Every item with the blocks that begin(item) gives; the first ones of the next items are drawn in threads while
    the caller works on the ones before, because many small files are a wait each. first_bytes: about how large an
    item's first block is. What drawing raises is raised where the block would have come."""
    pool = ThreadPoolExecutor(AHEAD_COUNT, thread_name_prefix="begin-ahead")
    try:
        yield _begun(items, begin, first_bytes, pool)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begun(
    items: Iterable[T],
    begin: Callable[[T], Iterator[bytes]],
    first_bytes: Callable[[T], int],
    pool: ThreadPoolExecutor,
) -> Iterator[tuple[T, Iterator[bytes]]]:
    coming: deque[tuple[T, Iterator[bytes], Future[bytes | None], int]] = deque()
    waiting_bytes = 0
    rest = iter(items)
    following = next(rest, _NOTHING)
    while coming or following is not _NOTHING:
        while following is not _NOTHING and (not coming or (len(coming) < AHEAD_COUNT and waiting_bytes < AHEAD_BYTES)):
            item: T = following  # type: ignore[assignment]
            blocks, size_bytes = begin(item), first_bytes(item)
            coming.append((item, blocks, pool.submit(next, blocks, None), size_bytes))
            waiting_bytes += size_bytes
            following = next(rest, _NOTHING)
        item, blocks, first, size_bytes = coming.popleft()
        yield item, _from_first(first, blocks)
        waiting_bytes -= size_bytes


def _from_first(first: Future[bytes | None], blocks: Iterator[bytes]) -> Iterator[bytes]:
    block = first.result()
    if block is not None:
        yield block
        yield from blocks
