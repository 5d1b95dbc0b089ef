"""The object of a closed manifest: read, or made anew from the ledger's list where it is gone or damaged.

The sweep does that for manifests that are open. A closed one needs its object only to be opened again, and then it is
put back first: else a run would fail on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ndjctl.aws import error_code
from ndjctl.contracts import (
    Attr,
    FormatError,
    Manifest,
    Names,
    manifest_files_item_key,
    manifest_key,
    s3_uri,
)
from ndjctl.errors import WorkFailed
from ndjctl.items import Item
from ndjctl.manifests import files_of_list
from ndjctl.redrive.tracking import Tracking

_CHANGED = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")


@dataclass(frozen=True)
class Stored:
    """fault: what is wrong with its object, the end of a sentence; empty where the object has `manifest`. etag: of a
    damaged one, as S3 gives it."""

    manifest: Manifest
    fault: str = ""
    etag: str = ""


def read_stored(s3: Any, tracking: Tracking, names: Names, date: str, manifest_id: str, closed: Item | None) -> Stored:
    """closed: its item, None where the ledger has forgotten it. Raises WorkFailed where neither its object nor the
    ledger has its files, and what boto3 raises."""
    from botocore.exceptions import ClientError

    key = manifest_key(date, manifest_id)
    uri, etag = s3_uri(names.manifest_bucket, key), ""
    try:
        answer = s3.get_object(Bucket=names.manifest_bucket, Key=key)
        etag = str(answer["ETag"])
        manifest = Manifest.from_json(answer["Body"].read(), "it")
        if manifest.manifest_id == manifest_id:
            return Stored(manifest)
        fault = f"another manifest ({manifest.manifest_id[:100]!r})"
    except FormatError as error:
        fault = f"damaged ({str(error).rstrip('.')})"
    except ClientError as error:
        if error_code(error) != "NoSuchKey":
            raise
        fault = "gone"
    listed = tracking.get(manifest_files_item_key(manifest_id)) if closed is not None else None
    files = files_of_list(listed or closed or {})
    if closed is None or not files:
        raise WorkFailed(
            f"The object of manifest {manifest_id} is {fault}, and the ledger has no list of its files any more: put "
            f"the object back (an older version of {uri}, a backup), then the same command again."
        )
    return Stored(Manifest(manifest_id, date, str(closed[Attr.CREATED_AT]), files), fault, etag)


def put_back(s3: Any, names: Names, stored: Stored) -> None:
    """Writes the object again in place of what was seen. Raises WorkFailed when something else is there by now."""
    from botocore.exceptions import ClientError

    manifest = stored.manifest
    as_seen = {"IfMatch": stored.etag} if stored.etag else {"IfNoneMatch": "*"}
    try:
        s3.put_object(
            Bucket=names.manifest_bucket,
            Key=manifest_key(manifest.date, manifest.manifest_id),
            Body=manifest.to_json(),
            ContentType="application/json",
            **as_seen,
        )
    except ClientError as error:
        if error_code(error) not in _CHANGED:
            raise
        raise WorkFailed(
            f"The object of manifest {manifest.manifest_id} was changed meanwhile: nothing was done; run the same "
            f"command again."
        ) from error
