"""Server-side copy of a file outside the size window to the quarantine bucket. The source stays where it is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from lambda_handler.dynamo import error_code
from lambda_handler.services import Invocation
from ndjctl.contracts import FILE_SUFFIX, MIB, size_quarantine_key

_MAX_KEY_BYTES = 1024
_PART_BYTES = 256 * MIB
"""Objects above this are copied in parts, side by side: one copy request of gigabytes may outlast a time-out."""


class ObjectGone(Exception):
    """The object does not exist any more."""


class ObjectChanged(Exception):
    """The object at the key is not the version that was asked for."""


@dataclass(frozen=True)
class ObjectFacts:
    size_bytes: int
    etag: str  # without quotes


def head(inv: Invocation, bucket: str, key: str) -> ObjectFacts:
    """The object as it is now. Raises ObjectGone."""
    try:
        answer = inv.services.s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error_code(error) in ("404", "NoSuchKey", "NotFound"):
            raise ObjectGone(key) from error
        raise
    return ObjectFacts(int(answer["ContentLength"]), str(answer["ETag"]).strip('"'))


def copy_to_quarantine(inv: Invocation, bucket: str, key: str, etag: str, date: str, verdict: str) -> str:
    """Copies that very version and returns its key in the quarantine bucket. Doing it again changes nothing.
    Raises ObjectGone, or ObjectChanged when another version is there."""
    target = size_quarantine_key(date, verdict, key)
    if len(target.encode()) > _MAX_KEY_BYTES:
        # The longest keys leave no room for the folder in front of them.
        target = size_quarantine_key(date, verdict, hashlib.sha256(key.encode()).hexdigest() + FILE_SUFFIX)
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


def _transfer_config() -> Any:
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES, max_concurrency=10)
