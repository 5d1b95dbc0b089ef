"""A visible object as a file to read from: Parquet is read backwards, in pieces."""

from __future__ import annotations

import io
from typing import Any

from glue_job.store import Published, Store

_BLOCK_BYTES = 64 * 1024
"""Least that is asked for: page headers and footers are read in small pieces."""


class RangedFile(io.RawIOBase):
    """Binary, read-only, seekable. Every request is of that very object, so what is read fits together. hold() asks for
    a range in one request; what is within it is then read without any."""

    def __init__(self, store: Store, published: Published) -> None:
        super().__init__()
        self._store = store
        self._published = published
        self._position = 0
        self._held_from = 0
        self._held = b""

    def hold(self, start: int, end: int) -> None:
        """Bytes [start, end), instead of what was held before. Raises as Store.read_back()."""
        self._held = b""
        self._held = self._store.read_back(self._published, start, end)
        self._held_from = start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._published.size_bytes}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        end = min(self._position + len(buffer), self._published.size_bytes)
        count = end - self._position
        if count <= 0:
            return 0
        if not self._has(self._position, end):
            self.hold(self._position, min(max(end, self._position + _BLOCK_BYTES), self._published.size_bytes))
        start = self._position - self._held_from
        buffer[:count] = memoryview(self._held)[start : start + count]
        self._position = end
        return count

    def _has(self, start: int, end: int) -> bool:
        return self._held_from <= start and end <= self._held_from + len(self._held)
