"""Removing what is under a prefix on S3: objects, and uploads that were begun and never completed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from lambda_handler.dynamo import error_code
from lambda_handler.services import Invocation


class NotDeleted(Exception):
    """S3 kept objects that it was asked to delete; str() says how many and why the first."""


def delete_objects(inv: Invocation, bucket: str, prefix: str) -> int:
    """Deletes every object under `prefix`, one page after the other; how many there were. Raises NotDeleted, or what
    boto3 raises."""
    count = 0
    for page in _pages(inv.services.s3.list_objects_v2, {"Bucket": bucket, "Prefix": prefix}, "ContinuationToken"):
        keys = [{"Key": entry["Key"]} for entry in page.get("Contents", [])]
        if not keys:
            continue
        answer = inv.services.s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        errors = answer.get("Errors", [])
        if errors:
            raise NotDeleted(f"{len(errors)} of {len(keys)} objects under {prefix}: {errors[0].get('Code')}")
        count += len(keys)
    return count


def abort_uploads(inv: Invocation, bucket: str, prefix: str, is_whole_key: bool = False) -> int:
    """Aborts every unfinished upload under `prefix`, or only those of that very key; how many there were."""
    count = 0
    request = {"Bucket": bucket, "Prefix": prefix}
    for page in _pages(inv.services.s3.list_multipart_uploads, request, "KeyMarker", "UploadIdMarker"):
        for upload in page.get("Uploads", []):
            if upload["Key"] != prefix if is_whole_key else not upload["Key"].startswith(prefix):
                continue
            try:
                inv.services.s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
            except ClientError as error:
                if error_code(error) != "NoSuchUpload":
                    raise
            count += 1
    return count


def _pages(call: Any, request: dict[str, Any], *markers: str) -> Iterator[dict[str, Any]]:
    """markers: what the next page is asked for by; an answer has each as Next..."""
    while True:
        page: dict[str, Any] = call(**request)
        yield page
        if not page.get("IsTruncated"):
            return
        request = {**request, **{name: page[f"Next{name}"] for name in markers}}
