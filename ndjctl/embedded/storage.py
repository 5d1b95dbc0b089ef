"""Makes ministack's S3 honest about its disk.

On its own it only logs a body that it cannot write, keeps it in memory and answers 200: the object is gone with the
process. Here such a request is refused before anything is changed when there is no room, and fails when the write
itself fails.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.parse import unquote

_log = logging.getLogger("ndjctl.storage")

RESERVE_BYTES = 32 * 1024 * 1024
"""Room that stays free for the state of everything that is not an S3 body."""

REFUSED = "InsufficientStorage"
REFUSED_STATUS = 507
"""Not one of the statuses that AWS clients try again by themselves: more attempts make no room."""

Handler = Callable[..., Awaitable[Any]]

_failures: ContextVar[list[tuple[str, Exception]] | None] = ContextVar("failed_writes", default=None)


class GuardedStorage:
    """The guard of one ministack S3 module. free_bytes: how much room the disk of the bodies has."""

    def __init__(self, s3: Any, free_bytes: Callable[[], int], data_dir: Path) -> None:
        self._s3 = s3
        self._free_bytes = free_bytes
        self._data_dir = data_dir
        self._handle: Handler = s3.handle_request
        self._write: Callable[..., None] = s3._atomic_write

    def install(self) -> None:
        """Puts the guard in the module's place. Once per process."""
        self._s3.handle_request = self.handle_request
        self._s3._atomic_write = self.write

    def write(self, path: str, data: Any, *, text: bool = False) -> None:
        """As the module's own; a failure is also told to the request that it belongs to, as the module hides it."""
        try:
            self._write(path, data, text=text)
        except Exception as error:
            failures = _failures.get()
            if failures is not None:
                failures.append((path, error))
            raise

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
        """As the module's own, or a 507 answer: (status, headers, body)."""
        if method not in ("PUT", "POST", "DELETE"):
            return await self._handle(method, path, headers, body, query_params, *args, **kwargs)
        bucket, key = self._s3._parse_bucket_key(path, headers)
        if method != "DELETE" and key:
            free = self._free_bytes()
            if free - self._needed_bytes(method, headers, body, query_params) < RESERVE_BYTES:
                return self._refusal(f"{free // 2**20} MB are free", path)
        prior = self._objects(bucket).get(key)
        failures: list[tuple[str, Exception]] = []
        token = _failures.set(failures)
        try:
            response = await self._handle(method, path, headers, body, query_params, *args, **kwargs)
        finally:
            _failures.reset(token)
        if not failures:
            return response
        for file_path, error in failures:
            self._undo(bucket, key, prior, file_path)
            _log.error("a write for %s/%s failed: %s", bucket, key, error)
        return self._refusal(str(failures[0][1]), path)

    def _needed_bytes(
        self, method: str, headers: dict[str, str], body: bytes, query_params: dict[str, list[str]]
    ) -> int:
        upload_id = (query_params.get("uploadId") or [""])[0]
        if method == "POST" and upload_id:
            parts = (self._s3._multipart_uploads.get(upload_id) or {}).get("parts", {})
            return sum(int(part["size"]) for part in parts.values())
        source = unquote(headers.get("x-amz-copy-source", "")).lstrip("/").partition("?")[0]
        if source:
            bucket, _, key = source.partition("/")
            return int((self._objects(bucket).get(key) or {}).get("size", 0))
        return len(body)

    def _objects(self, bucket: str) -> dict[str, Any]:
        objects: dict[str, Any] = (self._s3._buckets.get(bucket) or {}).get("objects", {})
        return objects

    def _undo(self, bucket: str, key: str, prior: Any, file_path: str) -> None:
        """Memory goes back to what the disk has. A body that was written without its metadata stays, without them."""
        if file_path.endswith(".meta.json"):
            Path(file_path).unlink(missing_ok=True)
        elif prior is None:
            self._objects(bucket).pop(key, None)
        else:
            self._objects(bucket)[key] = prior

    def _refusal(self, reason: str, path: str) -> Any:
        message = (
            f"the embedded cloud cannot store this: {reason} on the disk of {self._data_dir}; free some space there, "
            "then repeat the request"
        )
        return self._s3._error(REFUSED, message, REFUSED_STATUS, path)
