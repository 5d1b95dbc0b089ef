"""The objects of a plan in S3: what is there, made by an upload or a copy, in parts where it has to be."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from ndjctl.aws import is_not_found
from ndjctl.contracts import s3_uri
from ndjctl.errors import WorkFailed
from ndjctl.feeding.journal import Fed
from ndjctl.feeding.plan import FeedPlan, PlannedFile, upload_part
from ndjctl.feeding.speed import PARTS_AT_ONCE

MARKER = "ndjctl-feed"
"""Object metadata: the marker of the plan that made it."""

_CONTENT_TYPE = "application/x-ndjson"


class Stopped(Exception):
    """The feeding ends early: what was being made is given up."""


@dataclass(frozen=True)
class Found:
    """etag: without quotes."""

    size_bytes: int
    etag: str


class PlanObjects:
    """Methods raise what boto3 raises. Safe for several threads."""

    def __init__(self, s3: Any, plan: FeedPlan, is_stopped: Callable[[], bool]) -> None:
        self._s3 = s3
        self._plan = plan
        self._is_stopped = is_stopped
        self._bucket = plan.bucket
        self._about = {"Metadata": {MARKER: plan.marker}, "ContentType": _CONTENT_TYPE}

    # ------------------------------------------------------------------------------------------------ what is there

    def found(self, keys: frozenset[str]) -> dict[str, Found]:
        """Those of `keys` that are there. Lists by what they have in common, a thousand a request."""
        there: dict[str, Found] = {}
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=_common(keys))
        for page in pages if keys else ():
            for entry in page.get("Contents", []):
                if entry["Key"] in keys:
                    there[entry["Key"]] = Found(int(entry["Size"]), str(entry["ETag"]).strip('"'))
        return there

    def ours(self, key: str) -> Fed | None:
        """The object at `key`, if it is one of the plan's."""
        try:
            head = self._s3.head_object(Bucket=self._bucket, Key=key)
        except Exception as error:
            if is_not_found(error):
                return None
            raise
        if head.get("Metadata", {}).get(MARKER) != self._plan.marker:
            return None
        is_copy = {file.key: file.is_copy for file in self._plan.files}.get(key, False)
        return Fed(key, int(head["ContentLength"]), str(head["ETag"]).strip('"'), head["LastModified"], is_copy)

    def abort_unfinished(self, keys: frozenset[str]) -> int:
        """Aborts uploads in parts of `keys` that a death left behind; how many there were."""
        count = 0
        pages = self._s3.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=_common(keys))
        for page in pages if keys else ():
            for entry in page.get("Uploads", []):
                if entry["Key"] in keys:
                    self._abort(entry["Key"], entry["UploadId"])
                    count += 1
        return count

    # ------------------------------------------------------------------------------------------------ making them

    def upload(self, file: PlannedFile, blocks: Iterable[bytes], sent: Callable[[int], None]) -> Fed:
        """Streams the blocks; in parts where there is more than one part of them. Raises Stopped."""
        limits = self._plan.limits
        parts = _cut(blocks, upload_part(file.size_bytes, limits))
        first = next(parts, b"")
        second = next(parts, None)
        if second is None:
            self._check_stopped()
            answer = self._s3.put_object(Bucket=self._bucket, Key=file.key, Body=first, **_md5(first), **self._about)
            sent(len(first))
            return self._put(file, answer, len(first))

        def part(number: int, body: bytes) -> str:
            place = {"Bucket": self._bucket, "Key": file.key, "UploadId": upload_id, "PartNumber": number}
            etag = self._s3.upload_part(**place, Body=body, **_md5(body))["ETag"]
            sent(len(body))
            return str(etag)

        upload_id = self._begin(file.key)
        with self._aborting(file.key, upload_id) as pool:
            etags = _in_turn(pool, part, _chained(first, second, parts), self._check_stopped)
            self._complete(file.key, upload_id, etags)
        return self._made(file)

    def copy(self, file: PlannedFile, source: Fed) -> Fed:
        """Copies on the server, exactly those bytes; in parts where one request does not take it. Raises Stopped."""
        limits = self._plan.limits
        origin = {
            "CopySource": {"Bucket": self._bucket, "Key": source.key},
            "CopySourceIfMatch": f'"{source.etag}"',
        }
        self._check_stopped()
        if source.size_bytes <= limits.copy_limit_bytes:
            answer = self._s3.copy_object(Bucket=self._bucket, Key=file.key, MetadataDirective="COPY", **origin)
            result = answer["CopyObjectResult"]
            etag = str(result["ETag"]).strip('"')
            return Fed(file.key, source.size_bytes, etag, result["LastModified"], is_copy=True)

        def part(number: int, bounds: tuple[int, int]) -> str:
            place = {"Bucket": self._bucket, "Key": file.key, "UploadId": upload_id, "PartNumber": number}
            span = f"bytes={bounds[0]}-{bounds[1] - 1}"
            return str(self._s3.upload_part_copy(**place, CopySourceRange=span, **origin)["CopyPartResult"]["ETag"])

        step = limits.copy_part_bytes
        spans = ((at, min(at + step, source.size_bytes)) for at in range(0, source.size_bytes, step))
        upload_id = self._begin(file.key)
        with self._aborting(file.key, upload_id) as pool:
            self._complete(file.key, upload_id, _in_turn(pool, part, spans, self._check_stopped))
        return self._made(file)

    def delete(self, keys: list[str]) -> list[str]:
        """Deletes up to 1,000 objects in one request; the keys of those that are gone now. Raises WorkFailed where S3
        refuses one."""
        entries = [{"Key": key} for key in keys]
        answer = self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": entries, "Quiet": True})
        for error in answer.get("Errors", []):
            uri = s3_uri(self._bucket, error["Key"])
            raise WorkFailed(f"{uri} cannot be deleted ({error.get('Code')}): {error.get('Message')}.")
        return keys

    def _put(self, file: PlannedFile, answer: Mapping[str, Any], size_bytes: int) -> Fed:
        # The answer says all that a second request would: for thousands of small files that one counts.
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        if date is None:
            return self._made(file)
        etag = str(answer["ETag"]).strip('"')
        return Fed(file.key, size_bytes, etag, parsedate_to_datetime(date), is_copy=False)

    def _made(self, file: PlannedFile) -> Fed:
        fed = self.ours(file.key)
        if fed is None:
            raise WorkFailed(f"{s3_uri(self._bucket, file.key)} was replaced or deleted while it was made.")
        return fed

    def _begin(self, key: str) -> str:
        return str(self._s3.create_multipart_upload(Bucket=self._bucket, Key=key, **self._about)["UploadId"])

    def _complete(self, key: str, upload_id: str, etags: list[str]) -> None:
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, start=1)]
        self._s3.complete_multipart_upload(
            Bucket=self._bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}
        )

    def _abort(self, key: str, upload_id: str) -> None:
        try:
            self._s3.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload_id)
        except Exception as error:
            if not is_not_found(error):
                raise

    def _aborting(self, key: str, upload_id: str) -> _Aborting:
        return _Aborting(lambda: self._abort(key, upload_id))

    def _check_stopped(self) -> None:
        if self._is_stopped():
            raise Stopped


class _Aborting:
    """A pool for the parts of one object; what is not complete at the end is aborted, once no part is under way."""

    def __init__(self, abort: Callable[[], None]) -> None:
        self._abort = abort
        self._pool = ThreadPoolExecutor(PARTS_AT_ONCE)

    def __enter__(self) -> ThreadPoolExecutor:
        return self._pool

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        if kind is not None:
            self._abort()


def _in_turn(
    pool: ThreadPoolExecutor, part: Callable[[int, Any], str], bodies: Iterable[Any], check: Callable[[], None]
) -> list[str]:
    """part(number from 1, body) of all bodies, several at once; no more of them drawn than are under way."""
    futures: list[Future[str]] = []
    open_: set[Future[str]] = set()
    for number, body in enumerate(bodies, start=1):
        check()
        future = pool.submit(part, number, body)
        futures.append(future)
        open_.add(future)
        if len(open_) >= PARTS_AT_ONCE:
            done, open_ = wait(open_, return_when=FIRST_COMPLETED)
            for each in done:
                each.result()
    return [future.result() for future in futures]


def _cut(blocks: Iterable[bytes], size_bytes: int) -> Iterator[bytes]:
    """The same bytes in pieces of that size; the last is what is left."""
    held: list[bytes] = []
    held_bytes = 0
    for block in blocks:
        held.append(block)
        held_bytes += len(block)
        while held_bytes >= size_bytes:
            whole = b"".join(held)
            yield whole[:size_bytes]
            held, held_bytes = [whole[size_bytes:]], held_bytes - size_bytes
    if held_bytes:
        yield b"".join(held)


def _chained(first: bytes, second: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield second
    yield from rest


def _md5(body: bytes) -> dict[str, str]:
    """So that S3 refuses what was damaged on the way."""
    return {"ContentMD5": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode("ascii")}


def _common(keys: frozenset[str]) -> str:
    """What all of them begin with."""
    first, last = (min(keys), max(keys)) if keys else ("", "")
    same = (number for number, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[: next(same, min(len(first), len(last)))]
