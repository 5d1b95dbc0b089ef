"""A file object that becomes an S3 object: whole, or not at all."""

from __future__ import annotations

import io
from types import TracebackType
from typing import Any

from botocore.exceptions import ClientError

from glue_job.clients import error_code
from ndjctl.contracts import MIB

UPLOAD_PART_BYTES = 8 * MIB
"""S3 takes 10,000 parts, so objects of up to 78 GiB."""


class S3Sink(io.RawIOBase):
    """Binary, write-only. Leaving its `with` block normally makes the object visible; leaving it by an exception
    leaves nothing, and what was there before stays. Up to UPLOAD_PART_BYTES it is one PutObject, beyond a multipart
    upload that is sent while being written.

    size_bytes: written so far. etag: of the finished object, without quotes.
    """

    def __init__(self, s3: Any, bucket: str, key: str, content_type: str) -> None:
        super().__init__()
        self._s3 = s3
        self._target = {"Bucket": bucket, "Key": key}
        self._content_type = content_type
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []
        self.size_bytes = 0
        self.etag = ""

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size_bytes

    def write(self, data: Any) -> int:
        self._buffer += data
        size = len(data)
        self.size_bytes += size
        if len(self._buffer) >= UPLOAD_PART_BYTES:
            self._send()
        return size

    def _send(self) -> None:
        if self._upload_id is None:
            answer = self._s3.create_multipart_upload(**self._target, ContentType=self._content_type)
            self._upload_id = answer["UploadId"]
        number = len(self._parts) + 1
        body = bytes(self._buffer)
        self._buffer.clear()
        answer = self._s3.upload_part(**self._target, UploadId=self._upload_id, PartNumber=number, Body=body)
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})

    def commit(self) -> None:
        """Makes the object visible in place of any older one."""
        if self._upload_id is None:
            answer = self._s3.put_object(**self._target, Body=bytes(self._buffer), ContentType=self._content_type)
        else:
            if self._buffer:
                self._send()
            answer = self._s3.complete_multipart_upload(
                **self._target, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}
            )
        self.etag = str(answer["ETag"]).strip('"')
        self._buffer.clear()

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
            return
        try:
            self.commit()
        except BaseException:
            self.abort()
            raise


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
