"""As much of an S3 client as the kernel uses, on folders. Reads and writes are real; the network is not there."""

from __future__ import annotations

import io
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError


class LocalS3:
    """folders: one for every bucket; those that are written to are made. Picklable."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = dict(folders)

    @staticmethod
    def size_and_etag(path: Path) -> tuple[int, str]:
        """(bytes, etag) of the file as it is now; the etag changes when the file does."""
        found = path.stat()
        return found.st_size, f"{found.st_mtime_ns:x}-{found.st_ino:x}"

    def _path(self, bucket: str, key: str) -> Path:
        path = (self._folders[bucket] / key).resolve()
        if not path.is_relative_to(self._folders[bucket].resolve()):
            raise _error("AccessDenied", 403)
        return path

    def _found(self, bucket: str, key: str, if_match: str | None) -> tuple[Path, int, str]:
        path = self._path(bucket, key)
        try:
            size_bytes, etag = self.size_and_etag(path)
        except FileNotFoundError:
            raise _error("NoSuchKey", 404) from None
        if if_match is not None and if_match.strip('"') != etag:
            raise _error("PreconditionFailed", 412)
        return path, size_bytes, etag

    # ------------------------------------------------------------------------------- the calls, named as boto3's

    def head_object(self, Bucket: str, Key: str, IfMatch: str | None = None) -> dict[str, Any]:
        _, size_bytes, etag = self._found(Bucket, Key, IfMatch)
        return {"ContentLength": size_bytes, "ETag": f'"{etag}"'}

    def get_object(self, Bucket: str, Key: str, Range: str | None = None, IfMatch: str | None = None) -> dict[str, Any]:
        path, size_bytes, etag = self._found(Bucket, Key, IfMatch)
        first, _, last = (Range or "bytes=0-").removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last) + 1 if last else size_bytes, size_bytes)
        if Range and start >= size_bytes:
            raise _error("InvalidRange", 416)
        with path.open("rb", buffering=0) as file:
            body = os.pread(file.fileno(), stop - start, start)
        return {
            "Body": io.BytesIO(body),
            "ContentLength": len(body),
            "ContentRange": f"bytes {start}-{stop - 1}/{size_bytes}",
            "ETag": f'"{etag}"',
        }

    def put_object(self, Bucket: str, Key: str, Body: bytes, **_: Any) -> dict[str, Any]:
        path = self._path(Bucket, Key)
        unfinished = self._unfinished(path, uuid.uuid4().hex)
        unfinished.write_bytes(Body)
        return self._publish(unfinished, path)

    def create_multipart_upload(self, Bucket: str, Key: str, **_: Any) -> dict[str, Any]:
        upload_id = uuid.uuid4().hex
        self._unfinished(self._path(Bucket, Key), upload_id).touch()
        return {"UploadId": upload_id}

    def upload_part(self, Bucket: str, Key: str, UploadId: str, PartNumber: int, Body: bytes) -> dict[str, Any]:
        """Parts have to come in their order."""
        with self._unfinished(self._path(Bucket, Key), UploadId).open("ab", buffering=0) as file:
            rest = memoryview(Body)
            while rest:
                rest = rest[file.write(rest) :]
        return {"ETag": f'"{PartNumber}"'}

    def complete_multipart_upload(self, Bucket: str, Key: str, UploadId: str, **_: Any) -> dict[str, Any]:
        path = self._path(Bucket, Key)
        return self._publish(self._unfinished(path, UploadId), path)

    def abort_multipart_upload(self, Bucket: str, Key: str, UploadId: str) -> dict[str, Any]:
        self._unfinished(self._path(Bucket, Key), UploadId).unlink(missing_ok=True)
        return {}

    @staticmethod
    def _unfinished(path: Path, upload_id: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.with_name(f".{path.name}.{upload_id}")

    def _publish(self, unfinished: Path, path: Path) -> dict[str, Any]:
        unfinished.replace(path)
        return {"ETag": f'"{self.size_and_etag(path)[1]}"'}


def _error(code: str, status: int) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "local file")
