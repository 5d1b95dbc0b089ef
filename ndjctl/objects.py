"""Reads objects of S3: listings whole and page by page, and Parquet through ranged reads; and what an ETag says."""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ndjctl.errors import UsageError

BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class StoredObject:
    key: str
    size_bytes: int


def list_objects(s3: Any, bucket: str, prefix: str) -> Iterator[StoredObject]:
    """Every object under the prefix, in key order, a page at a time."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            yield StoredObject(entry["Key"], int(entry["Size"]))


def multipart_etag(digests: Sequence[bytes]) -> str:
    """Of an object that was sent in parts, by the MD5 of each: what S3 says of it where no key encrypts it (Amazon S3
    user guide, "Checking object integrity")."""
    return f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"


class RangedObject(io.RawIOBase):
    """A seekable, read-only file over one object; each read is one ranged GET. For readers that read blocks."""

    def __init__(self, s3: Any, bucket: str, key: str, size_bytes: int) -> None:
        super().__init__()
        self._s3, self._bucket, self._key, self._size = s3, bucket, key, size_bytes
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size - self._position)
        if wanted <= 0:
            return 0
        last = self._position + wanted - 1
        answer = self._s3.get_object(Bucket=self._bucket, Key=self._key, Range=f"bytes={self._position}-{last}")
        data = answer["Body"].read()
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def require_parquet(what: str = "Rows are counted in the Parquet itself") -> None:
    """Raises UsageError where there is no Parquet: pyarrow is no part of the plain installation. what: is done with
    it."""
    if importlib.util.find_spec("pyarrow") is None:
        raise UsageError(f"{what}, and that needs pyarrow: 'pip install pyarrow'.")


def open_parquet(s3: Any, bucket: str, key: str, size_bytes: int) -> Any:
    """A pyarrow ParquetFile over the object; only what is asked for is fetched. Raises UsageError without pyarrow."""
    require_parquet()
    import pyarrow.parquet as pq

    return pq.ParquetFile(io.BufferedReader(RangedObject(s3, bucket, key, size_bytes), BLOCK_BYTES))
