"""Lets ministack's S3 read only what a ranged GET asks for.

On its own it reads the whole object from disk for every range of it. A file of 700 MB that is read in blocks of 8 MB is
so read ninety times over: 12 MB a second, where the disk and the conversion do a hundred.
"""

from __future__ import annotations

import mmap
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

LEAST_BYTES = 1024 * 1024
"""Smaller objects are read whole: that costs as much."""

Handler = Callable[..., Awaitable[Any]]

_is_ranged: ContextVar[bool] = ContextVar("is_ranged", default=False)


class RangedReads:
    """Of one ministack S3 module."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self._handle: Handler = s3.handle_request
        self._read: Callable[[str, str, Any], bytes] = s3._read_body

    def install(self) -> None:
        """Puts itself in the module's place. Once per process."""
        self._s3.handle_request = self.handle_request
        self._s3._read_body = self.read_body

    async def handle_request(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query_params: dict[str, list[str]],
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """As the module's own."""
        # Of such a request the module takes nothing but a slice of the body.
        token = _is_ranged.set(method == "GET" and "range" in headers and not query_params)
        try:
            return await self._handle(method, path, headers, body, query_params, *args, **kwargs)
        finally:
            _is_ranged.reset(token)

    def read_body(self, bucket: str, key: str, record: Any) -> bytes | mmap.mmap:
        """As the module's own; within a ranged GET, of what is on disk, a view of the file. An overwrite puts a new
        file in its place, so that a view keeps what it was opened on."""
        if _is_ranged.get() and record.get("body") is None and record.get("size", 0) >= LEAST_BYTES:
            path = self._s3._object_disk_path(bucket, key)
            try:
                with Path(path).open("rb") as file:
                    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except (OSError, TypeError, ValueError):
                pass  # no path, no file, an empty one: the module has its own way of dealing with that
        return self._read(bucket, key, record)
