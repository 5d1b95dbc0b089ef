"""Reads the very object that the manifest names: every GET carries its ETag, so a file that changes under way fails
instead of giving half of the old and half of the new."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

from glue_job.clients import error_code
from ndjctl.contracts import ManifestFile

_READ_ATTEMPTS = 5

_REASONS = {
    "PreconditionFailed": "it was overwritten after its manifest was made (its ETag is another)",
    "412": "it was overwritten after its manifest was made (its ETag is another)",
    "NoSuchKey": "it is no longer there",
    "NoSuchBucket": "its bucket is not there",
    "404": "it is no longer there",
    "InvalidRange": "it is shorter than its manifest says",
    "416": "it is shorter than its manifest says",
    "InvalidObjectState": "it is archived and cannot be read",
    "AccessDenied": "S3 denies the job access to it",
    "403": "S3 denies the job access to it",
}


class FileUnavailable(Exception):
    """The file cannot be had as the manifest names it; str() is one sentence. Other files are not concerned."""


def check_file(s3: Any, file: ManifestFile) -> None:
    """Raises FileUnavailable unless the object is there as the manifest names it."""
    try:
        answer = s3.head_object(Bucket=file.bucket, Key=file.key, IfMatch=_quoted(file.etag))
    except ClientError as error:
        raise _translated(error, file) from error
    _check_size(file, int(answer["ContentLength"]))


def read_range(s3: Any, file: ManifestFile, start: int, end: int, sleep: Callable[[float], None] = time.sleep) -> bytes:
    """Bytes [start, end) of the file, which must not be empty. Raises FileUnavailable, or what botocore raises after
    its own retries. A body that breaks off is asked for again, up to 5 times."""
    for attempt in range(1, _READ_ATTEMPTS + 1):
        try:
            answer = s3.get_object(
                Bucket=file.bucket, Key=file.key, Range=f"bytes={start}-{end - 1}", IfMatch=_quoted(file.etag)
            )
            total = str(answer.get("ContentRange", "")).rpartition("/")[2]
            _check_size(file, int(total) if total.isdigit() else int(answer["ContentLength"]))
            body: bytes = answer["Body"].read()
            if len(body) != end - start:
                raise IncompleteReadError(actual_bytes=len(body), expected_bytes=end - start)
            return body
        except ClientError as error:
            raise _translated(error, file) from error
        except (HTTPClientError, IncompleteReadError):
            if attempt == _READ_ATTEMPTS:
                raise
            sleep(0.2 * 2**attempt)
    raise AssertionError("unreachable")


def _quoted(etag: str) -> str:
    return f'"{etag}"'


def _check_size(file: ManifestFile, size_bytes: int) -> None:
    if size_bytes != file.size_bytes:
        raise FileUnavailable(f"{file.uri}: it has {size_bytes} bytes; its manifest says {file.size_bytes}")


def _translated(error: ClientError, file: ManifestFile) -> Exception:
    reason = _REASONS.get(error_code(error))
    return error if reason is None else FileUnavailable(f"{file.uri}: {reason}")
