"""Reads ahead: the next block is on its way while the one before it is worked on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from ndjctl.contracts import MIB

T = TypeVar("T")

AHEAD_BYTES = 16 * MIB
AHEAD_COUNT = 16
"""Most files whose beginnings are on their way together; whichever limit comes first."""

_NOTHING = object()

_QUICK_S = 0.001
_QUICK_DRAWS = 16
"""After so many draws that took less than that, there is no wait to be saved."""


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
    items: Iterable[T],
    begin: Callable[[T], Iterator[bytes]],
    first_bytes: Callable[[T], int],
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Iterator[tuple[T, Iterator[bytes]]]]:
    """Every item with the blocks that begin(item) gives; the first ones of the next items are drawn in threads while
    the caller works on the ones before, because many small files are a wait each. Where they are not, as on a local
    disk, a thread costs more than the drawing: then they are drawn when they are asked for. first_bytes: about how
    large an item's first block is. What drawing raises is raised where the block would have come."""
    pool = ThreadPoolExecutor(AHEAD_COUNT, thread_name_prefix="begin-ahead")
    try:
        yield _Beginning(begin, first_bytes, clock, pool).begun(iter(items))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Beginning:
    def __init__(
        self,
        begin: Callable[[Any], Iterator[bytes]],
        first_bytes: Callable[[Any], int],
        clock: Callable[[], float],
        pool: ThreadPoolExecutor,
    ) -> None:
        self._begin = begin
        self._first_bytes = first_bytes
        self._clock = clock
        self._pool = pool
        self._quick = 0  # draws without a wait, one behind the other

    def begun(self, items: Iterator[T]) -> Iterator[tuple[T, Iterator[bytes]]]:
        coming: deque[tuple[T, Iterator[bytes], Future[bytes | None], int]] = deque()
        waiting_bytes = 0
        following = next(items, _NOTHING)
        while coming or following is not _NOTHING:
            if not coming and self._quick >= _QUICK_DRAWS:
                item: T = following  # type: ignore[assignment]
                following = next(items, _NOTHING)
                yield item, self._on_demand(self._begin(item))
                continue
            while following is not _NOTHING and self._has_room(len(coming), waiting_bytes):
                item = following  # type: ignore[assignment]
                blocks, size_bytes = self._begin(item), self._first_bytes(item)
                coming.append((item, blocks, self._pool.submit(self._draw, blocks), size_bytes))
                waiting_bytes += size_bytes
                following = next(items, _NOTHING)
            item, blocks, first, size_bytes = coming.popleft()
            yield item, _from_first(first, blocks)
            waiting_bytes -= size_bytes

    def _has_room(self, count: int, waiting_bytes: int) -> bool:
        if not count:
            return True
        return count < AHEAD_COUNT and waiting_bytes < AHEAD_BYTES and self._quick < _QUICK_DRAWS

    def _draw(self, blocks: Iterator[bytes]) -> bytes | None:
        began = self._clock()
        block = next(blocks, None)
        self._quick = self._quick + 1 if self._clock() - began < _QUICK_S else 0
        return block

    def _on_demand(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        block = self._draw(blocks)
        if block is not None:
            yield block
            yield from blocks


def _from_first(first: Future[bytes | None], blocks: Iterator[bytes]) -> Iterator[bytes]:
    block = first.result()
    if block is not None:
        yield block
        yield from blocks
