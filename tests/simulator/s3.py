"""S3: conditional reads and writes, ranges, uploads in parts, short listings; tells of objects that come."""

from __future__ import annotations

import hashlib
import io
import itertools
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from tests.lambda_model import client_error

Answer = dict[str, Any]


@dataclass(frozen=True)
class Object:
    body: bytes
    etag: str  # without quotes
    at: datetime
    number: int  # of the write, over all objects


@dataclass
class Upload:
    bucket: str
    key: str
    parts: dict[int, bytes] = field(default_factory=dict)


class S3:
    """clock: for LastModified. page_keys: of one listing page. on_put, on_delete: called with (bucket, key, object)
    after an object has come or gone."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.objects: dict[str, dict[str, Object]] = {}
        self.uploads: dict[str, Upload] = {}
        self.page_keys: Callable[[], int] | None = None
        self.on_put: Callable[[str, str, Object], None] | None = None
        self.on_delete: Callable[[str, str, Object], None] | None = None
        self._numbers = itertools.count(1)
        shape = SimpleNamespace(members={"IfNoneMatch": None})
        service = SimpleNamespace(operation_model=lambda name: SimpleNamespace(input_shape=shape))
        self.meta = SimpleNamespace(service_model=service)

    # --- objects

    def put_object(
        self, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str = "", IfMatch: str = "", ContentType: str = ""
    ) -> Answer:
        there = self.objects.get(Bucket, {}).get(Key)
        if IfMatch and there is None:
            raise client_error("NoSuchKey", "PutObject", 404)
        if there is not None and (IfNoneMatch or (IfMatch and there.etag != IfMatch.strip('"'))):
            raise client_error("PreconditionFailed", "PutObject", 412)
        return {"ETag": f'"{self._put(Bucket, Key, bytes(Body), _md5(bytes(Body))).etag}"'}

    def head_object(self, Bucket: str, Key: str, IfMatch: str = "") -> Answer:
        found = self._get(Bucket, Key, "HeadObject", IfMatch)
        return {"ContentLength": len(found.body), "ETag": f'"{found.etag}"', "LastModified": found.at}

    def get_object(self, Bucket: str, Key: str, IfMatch: str = "", Range: str = "") -> Answer:
        found = self._get(Bucket, Key, "GetObject", IfMatch)
        body, answer = found.body, {"ETag": f'"{found.etag}"', "LastModified": found.at}
        if Range:
            first, _, last = Range.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last), len(body) - 1)
            if start > end:
                raise client_error("InvalidRange", "GetObject", 416)
            answer["ContentRange"] = f"bytes {start}-{end}/{len(body)}"
            body = body[start : end + 1]
        return {**answer, "Body": io.BytesIO(body), "ContentLength": len(body)}

    def copy_object(self, Bucket: str, Key: str, CopySource: Answer, CopySourceIfMatch: str = "", **_: Any) -> Answer:
        found = self._get(CopySource["Bucket"], CopySource["Key"], "CopyObject", CopySourceIfMatch)
        self._put(Bucket, Key, found.body, found.etag)
        return {"CopyObjectResult": {"ETag": f'"{found.etag}"'}}

    def delete_object(self, Bucket: str, Key: str) -> Answer:
        found = self.objects.get(Bucket, {}).pop(Key, None)
        if found is not None and self.on_delete is not None:
            self.on_delete(Bucket, Key, found)
        return {}

    def delete_objects(self, Bucket: str, Delete: Answer) -> Answer:
        for each in Delete["Objects"]:
            self.delete_object(Bucket, each["Key"])
        return {}

    # --- uploads in parts

    def create_multipart_upload(self, Bucket: str, Key: str, **_: Any) -> Answer:
        upload_id = f"upload-{next(self._numbers):06d}"
        self.uploads[upload_id] = Upload(Bucket, Key)
        return {"UploadId": upload_id}

    def upload_part(self, Bucket: str, Key: str, UploadId: str, PartNumber: int, Body: bytes) -> Answer:
        self._upload(UploadId, Bucket, Key, "UploadPart").parts[PartNumber] = bytes(Body)
        return {"ETag": f'"{_md5(bytes(Body))}"'}

    def upload_part_copy(
        self,
        Bucket: str,
        Key: str,
        UploadId: str,
        PartNumber: int,
        CopySource: Answer,
        CopySourceRange: str,
        CopySourceIfMatch: str = "",
        **_: Any,
    ) -> Answer:
        found = self._get(CopySource["Bucket"], CopySource["Key"], "UploadPartCopy", CopySourceIfMatch)
        first, _, last = CopySourceRange.removeprefix("bytes=").partition("-")
        body = found.body[int(first) : int(last) + 1]
        self._upload(UploadId, Bucket, Key, "UploadPartCopy").parts[PartNumber] = body
        return {"CopyPartResult": {"ETag": f'"{_md5(body)}"'}}

    def complete_multipart_upload(
        self, Bucket: str, Key: str, UploadId: str, MultipartUpload: Answer, **_: Any
    ) -> Answer:
        upload = self._upload(UploadId, Bucket, Key, "CompleteMultipartUpload")
        bodies = []
        for part in MultipartUpload["Parts"]:
            body = upload.parts.get(part["PartNumber"])
            if body is None or part["ETag"].strip('"') != _md5(body):
                raise client_error("InvalidPart", "CompleteMultipartUpload")
            bodies.append(body)
        del self.uploads[UploadId]
        # The ETag of an object in parts is no digest of its content alone.
        etag = f"{_md5(b''.join(bodies))}-{len(bodies)}"
        return {"ETag": f'"{self._put(Bucket, Key, b"".join(bodies), etag).etag}"'}

    def abort_multipart_upload(self, Bucket: str, Key: str, UploadId: str) -> Answer:
        self._upload(UploadId, Bucket, Key, "AbortMultipartUpload")
        del self.uploads[UploadId]
        return {}

    # --- listings

    def list_objects_v2(
        self, Bucket: str, Prefix: str = "", ContinuationToken: str = "", MaxKeys: int = 1000, **_: Any
    ) -> Answer:
        keys = sorted(key for key in self.objects.get(Bucket, {}) if key.startswith(Prefix))
        start = bisect_right(keys, ContinuationToken) if ContinuationToken else 0
        page = keys[start : start + self._limit(MaxKeys)]
        contents = [
            {"Key": key, "Size": len(found.body), "ETag": f'"{found.etag}"', "LastModified": found.at}
            for key in page
            for found in [self.objects[Bucket][key]]
        ]
        answer: Answer = {"KeyCount": len(page), "IsTruncated": start + len(page) < len(keys)}
        if contents:
            answer["Contents"] = contents
        return {**answer, "NextContinuationToken": page[-1]} if answer["IsTruncated"] else answer

    def list_multipart_uploads(
        self, Bucket: str, Prefix: str = "", KeyMarker: str = "", UploadIdMarker: str = "", **_: Any
    ) -> Answer:
        found = sorted(
            (upload.key, upload_id)
            for upload_id, upload in self.uploads.items()
            if upload.bucket == Bucket and upload.key.startswith(Prefix)
        )
        rest = [each for each in found if each > (KeyMarker, UploadIdMarker)]
        page = rest[: self._limit(1000)]
        answer: Answer = {"IsTruncated": len(page) < len(rest)}
        if page:
            answer["Uploads"] = [{"Key": key, "UploadId": upload_id} for key, upload_id in page]
        if answer["IsTruncated"]:
            answer["NextKeyMarker"], answer["NextUploadIdMarker"] = page[-1]
        return answer

    def _limit(self, asked: int) -> int:
        return asked if self.page_keys is None else min(asked, self.page_keys())

    # --- inside

    def _put(self, bucket: str, key: str, body: bytes, etag: str) -> Object:
        found = Object(body, etag, self.clock(), next(self._numbers))
        self.objects.setdefault(bucket, {})[key] = found
        if self.on_put is not None:
            self.on_put(bucket, key, found)
        return found

    def _get(self, bucket: str, key: str, operation: str, if_match: str) -> Object:
        found = self.objects.get(bucket, {}).get(key)
        if found is None:
            raise client_error("404" if operation == "HeadObject" else "NoSuchKey", operation, 404)
        if if_match and if_match.strip('"') != found.etag:
            raise client_error("412" if operation == "HeadObject" else "PreconditionFailed", operation, 412)
        return found

    def _upload(self, upload_id: str, bucket: str, key: str, operation: str) -> Upload:
        upload = self.uploads.get(upload_id)
        if upload is None or (upload.bucket, upload.key) != (bucket, key):
            raise client_error("NoSuchUpload", operation, 404)
        return upload


def _md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


PAGINATED = {
    "list_objects_v2": {"NextContinuationToken": "ContinuationToken"},
    "list_multipart_uploads": {"NextKeyMarker": "KeyMarker", "NextUploadIdMarker": "UploadIdMarker"},
}
"""How boto3's paginators go on: the answer's names and the request's."""
