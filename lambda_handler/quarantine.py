"""Server-side copy of a file outside the size window to the quarantine bucket. The source stays where it is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from lambda_handler.dynamo import error_code
from lambda_handler.services import STOP_MARGIN_S, Invocation
from lambda_handler.uploads import abort_uploads
from ndjctl.contracts import FILE_SUFFIX, MIB, size_quarantine_key

_MAX_KEY_BYTES = 1024
_PART_BYTES = 256 * MIB
"""Objects above this are copied in parts, side by side: one copy request of gigabytes may outlast a time-out. S3 takes
10,000 parts, so 2.4 TiB; boto3 makes them larger for larger objects."""
_PARTS_AT_ONCE = 20
_COPIED_BYTES_PER_S = 200 * MIB
"""What a copy is expected to reach at the least, with that many parts at once; S3 copies a single one at 50 or more."""


class ObjectGone(Exception):
    """The object does not exist any more."""


class ObjectChanged(Exception):
    """The object at the key is not the version that was asked for."""


class NoTimeToCopy(Exception):
    """The copy would not end within the time that is left; the next invocation begins with it."""


@dataclass(frozen=True)
class ObjectFacts:
    size_bytes: int
    etag: str  # without quotes
    last_modified: datetime


def head(inv: Invocation, bucket: str, key: str) -> ObjectFacts:
    """The object as it is now. Raises ObjectGone."""
    try:
        answer = inv.services.s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error_code(error) in ("404", "NoSuchKey", "NotFound"):
            raise ObjectGone(key) from error
        raise
    return ObjectFacts(int(answer["ContentLength"]), str(answer["ETag"]).strip('"'), answer["LastModified"])


def copy_to_quarantine(
    inv: Invocation, bucket: str, key: str, etag: str, size_bytes: int, date: str, verdict: str
) -> str:
    """Copies that very version and returns its key in the quarantine bucket. Doing it again changes nothing, and drops
    what an interrupted copy left unfinished. Raises ObjectGone, ObjectChanged when another version is there, or
    NoTimeToCopy."""
    target = size_quarantine_key(date, verdict, key)
    if len(target.encode()) > _MAX_KEY_BYTES:
        # The longest keys leave no room for the folder in front of them.
        target = size_quarantine_key(date, verdict, hashlib.sha256(key.encode()).hexdigest() + FILE_SUFFIX)
    if size_bytes >= _PART_BYTES:
        _check_time(inv, size_bytes)
        abort_uploads(inv, inv.settings.quarantine_bucket, target, is_whole_key=True)
    try:
        inv.services.s3.copy(
            CopySource={"Bucket": bucket, "Key": key},
            Bucket=inv.settings.quarantine_bucket,
            Key=target,
            ExtraArgs={"CopySourceIfMatch": f'"{etag}"'},
            Config=_transfer_config(),
        )
    except ClientError as error:
        if error_code(error) in ("404", "NoSuchKey", "NotFound"):
            raise ObjectGone(key) from error
        if error_code(error) in ("412", "PreconditionFailed"):
            raise ObjectChanged(key) from error
        raise
    return target


def _check_time(inv: Invocation, size_bytes: int) -> None:
    """A copy that the end of the invocation cuts off would bring all its other messages back too. One that is larger
    than a whole invocation's time allows for is tried with all of that."""
    needed_s = size_bytes / _COPIED_BYTES_PER_S + STOP_MARGIN_S
    left_s = inv.remaining_s()
    if left_s < needed_s and left_s < 0.9 * inv.given_s:
        raise NoTimeToCopy(f"{size_bytes} bytes need about {needed_s:.0f} s, {left_s:.0f} s are left")


def _transfer_config() -> Any:
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(
        multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE
    )
