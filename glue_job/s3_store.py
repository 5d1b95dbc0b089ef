"""Input and output on S3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from glue_job.clients import error_code
from glue_job.sink import S3Sink
from glue_job.source import check_file, read_range
from glue_job.store import NO_MARKS, Published, Sink, Target, Written
from ndjctl.contracts import ManifestFile


class S3Store:
    """s3: boto3 client. Files are glue_job's ManifestFile."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def read(self, file: ManifestFile, start: int, end: int) -> bytes:
        return read_range(self._s3, file, start, end)

    def check(self, file: ManifestFile) -> None:
        check_file(self._s3, file)

    def create(self, target: Target, content_type: str, marks: Mapping[str, str] = NO_MARKS) -> Sink:
        return S3Sink(self._s3, target, content_type, marks)

    def publish(self, written: Written) -> Published:
        target = written.target
        upload_id, parts, part_bytes = written.hold
        try:
            answer = self._s3.complete_multipart_upload(
                Bucket=target.bucket, Key=target.key, UploadId=upload_id, MultipartUpload={"Parts": parts}
            )
        except ClientError as error:
            # A request whose answer was lost is sent again by boto3 and then meets its own effect. Whether the object
            # that is there is this one, its footer says.
            if error_code(error) != "NoSuchUpload":
                raise
            return Published(target, written.size_bytes, "")
        return Published(target, written.size_bytes, str(answer["ETag"]).strip('"'), part_bytes)

    def discard(self, written: Written) -> None:
        try:
            self._s3.abort_multipart_upload(
                Bucket=written.target.bucket, Key=written.target.key, UploadId=written.hold[0]
            )
        except Exception:  # noqa: S110 - the end of the run looks for unfinished uploads, and so does the next attempt
            pass

    def read_back(self, published: Published, start: int, end: int) -> bytes:
        target = published.target
        condition = {"IfMatch": f'"{published.etag}"'} if published.etag else {}
        answer = self._s3.get_object(
            Bucket=target.bucket, Key=target.key, Range=f"bytes={start}-{end - 1}", **condition
        )
        total = str(answer.get("ContentRange", "")).rpartition("/")[2]
        if total != str(published.size_bytes):
            raise ValueError(f"it has {total} bytes, {published.size_bytes} were written")
        body: bytes = answer["Body"].read()
        return body
