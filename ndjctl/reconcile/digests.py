"""Whether an object with another ETag holds the same bytes: as one that was copied, or put back from a backup."""

from __future__ import annotations

import hashlib
from threading import Lock
from typing import Any

from ndjctl.aws import error_code, is_not_found
from ndjctl.contracts import MIB
from ndjctl.objects import multipart_etag
from ndjctl.reconcile.streams import Listed
from ndjctl.reconcile.unchanged import Record

MOST_BYTES = 20 * 1024 * MIB
"""Read by one reconciliation for this. Of a bucket that was written anew as a whole that is enough to say so."""

_NO_KEY = "AES256"


class Digests:
    """s3: boto3 client. most_bytes: read by all calls together."""

    def __init__(self, s3: Any, most_bytes: int = MOST_BYTES) -> None:
        self._s3 = s3
        self._left_bytes = most_bytes
        self._lock = Lock()

    def agree(self, listed: Listed, record: Record) -> bool | None:
        """Whether these bytes, sent in the pieces of the record, have its ETag; None where that cannot be told: another
        size, pieces that are not known, an object under a KMS key, whose ETag is no digest, one that is not there any
        more, or more to read than is allowed. Raises what boto3 raises."""
        from botocore.exceptions import ClientError

        pieces = record.part_bytes or (listed.size_bytes,)
        count = record.etag.partition("-")[2]
        if sum(pieces) != listed.size_bytes or count not in ("", str(len(pieces))) or not self._may_read(listed):
            return None
        try:
            answer = self._s3.get_object(Bucket=listed.bucket, Key=listed.key, IfMatch=listed.etag)
        except ClientError as error:
            if is_not_found(error) or error_code(error) in ("412", "PreconditionFailed"):
                return None
            raise
        if answer.get("ServerSideEncryption", _NO_KEY) != _NO_KEY:
            return None
        digests = [_digest(answer["Body"], size_bytes) for size_bytes in pieces]
        if not count:
            return digests[0].hex() == record.etag
        return multipart_etag(digests) == record.etag

    def _may_read(self, listed: Listed) -> bool:
        with self._lock:
            self._left_bytes -= listed.size_bytes
            return self._left_bytes >= 0


def _digest(body: Any, size_bytes: int) -> bytes:
    digest = hashlib.md5(usedforsecurity=False)
    while size_bytes > 0 and (block := body.read(min(size_bytes, MIB))):
        digest.update(block)
        size_bytes -= len(block)
    return digest.digest()
