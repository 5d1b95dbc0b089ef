"""A file object that becomes an S3 object: whole and out of sight first, visible when its upload is completed."""

from __future__ import annotations

import io
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from botocore.exceptions import ClientError

from glue_job.clients import error_code
from glue_job.store import NO_MARKS, Target, Written
from ndjctl.contracts import MIB

UPLOAD_PART_BYTES = 32 * MIB
"""Each part is a request that is paid for: of 8 MiB they cost a fifteenth of what converting does. S3 takes 10,000
parts, so objects of up to 312 GiB."""


class S3Sink(io.RawIOBase):
    """Binary, write-only: a multipart upload that is sent while being written. A context manager: left by an exception
    it leaves nothing, and what was there before stays. finish() has to be called for it to be worth anything.

    size_bytes: written so far.
    """

    def __init__(self, s3: Any, target: Target, content_type: str, marks: Mapping[str, str] = NO_MARKS) -> None:
        super().__init__()
        self._s3 = s3
        self._name = target
        self._target = {"Bucket": target.bucket, "Key": target.key}
        self._about = {"ContentType": content_type, "Metadata": dict(marks)}
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []
        self._part_bytes: list[int] = []
        self.size_bytes = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size_bytes

    def write(self, data: Any) -> int:
        size = len(data)
        if size < UPLOAD_PART_BYTES:
            self._buffer += data
        else:  # a page of one long text: one part after the other, not all of it once more
            with memoryview(data) as view:
                for start in range(0, size, UPLOAD_PART_BYTES):
                    if len(self._buffer) >= UPLOAD_PART_BYTES:
                        self._send()
                    self._buffer += view[start : start + UPLOAD_PART_BYTES]
        self.size_bytes += size
        if len(self._buffer) >= UPLOAD_PART_BYTES:
            self._send()
        return size

    def _send(self) -> None:
        if self._upload_id is None:
            answer = self._s3.create_multipart_upload(**self._target, **self._about)
            self._upload_id = answer["UploadId"]
        number = len(self._parts) + 1
        body, self._buffer = self._buffer, bytearray()  # handed over, not copied: a part is large
        size_bytes = len(body)
        answer = self._s3.upload_part(**self._target, UploadId=self._upload_id, PartNumber=number, Body=body)
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        self._part_bytes.append(size_bytes)

    def finish(self) -> Written:
        if self._buffer or not self._parts:
            self._send()
        return Written(self._name, self.size_bytes, (self._upload_id, self._parts, tuple(self._part_bytes)))

    def abort(self) -> None:
        """Drops what was written. An upload that cannot be aborted is left to the next attempt, which looks for it."""
        self._buffer.clear()
        if self._upload_id is not None:
            upload_id, self._upload_id = self._upload_id, None
            try:
                self._s3.abort_multipart_upload(**self._target, UploadId=upload_id)
            except Exception:  # noqa: S110 - the error that led here is the one to tell
                pass

    def __enter__(self) -> S3Sink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abort()


def abort_uploads(s3: Any, bucket: str, prefix: str) -> int:
    """Aborts every unfinished upload under `prefix`, as a dead attempt leaves them; how many there were."""
    count = 0
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
        for upload in page.get("Uploads", []):
            if upload["Key"].startswith(prefix):
                try:
                    s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
                except ClientError as error:
                    if error_code(error) != "NoSuchUpload":
                        raise
                count += 1
    return count


def delete_others(s3: Any, bucket: str, prefix: str, keep: frozenset[str]) -> list[str]:
    """Deletes the objects under `prefix` that are not in `keep`; their keys."""
    deleted: list[str] = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            if item["Key"] not in keep:
                s3.delete_object(Bucket=bucket, Key=item["Key"])
                deleted.append(item["Key"])
    return deleted
