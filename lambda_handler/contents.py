"""What is in a manifest that has been built: its files, and how each stands in the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from lambda_handler import metrics
from lambda_handler.dynamo import Item, file_key, get_items, try_write, update_request
from lambda_handler.manifests import manifest_id_of
from lambda_handler.services import Invocation
from ndjctl.contracts import (
    COMPLETED,
    FAILED,
    MANIFESTED,
    PROCESSING,
    Attr,
    Manifest,
    ManifestFile,
    manifest_key,
    split_s3_uri,
)

_RESULTS = (Attr.COMPLETED_AT, Attr.LINES, Attr.ROWS, Attr.BAD_LINES)


@dataclass(frozen=True)
class FileState:
    """A file of a manifest, of which it still is by the ledger. superseded_by: etag of a newer version, or empty."""

    file: ManifestFile
    status: str
    superseded_by: str


def manifest_id_at(inv: Invocation, uri: str) -> str | None:
    """The id of the manifest whose object is at `uri`; None for what is no manifest of ours."""
    try:
        bucket, key = split_s3_uri(uri)
    except ValueError:
        return None
    parts = key.removesuffix(".json").split("/manifest-")
    if bucket != inv.settings.manifest_bucket or len(parts) != 2:
        return None
    date = parts[0].removeprefix("manifests/")
    return parts[1] if key == manifest_key(date, parts[1]) else None


def file_states(inv: Invocation, item: Item) -> list[FileState]:
    """The files that are this manifest's by the ledger, in the order of its object, from which they are read. Raises
    FormatError, or what boto3 raises."""
    uri = str(item[Attr.MANIFEST_PATH])
    bucket, key = split_s3_uri(uri)
    files = Manifest.from_json(inv.services.s3.get_object(Bucket=bucket, Key=key)["Body"].read(), uri).files
    fields = (Attr.FILE_KEY, Attr.STATUS, Attr.BATCH_ID, Attr.SUPERSEDED_BY)
    found = {
        each[Attr.FILE_KEY]: each
        for each in get_items(inv, [file_key(item[Attr.DATE], file.key) for file in files], fields)
        if each.get(Attr.BATCH_ID) == manifest_id_of(item)
    }
    return [
        FileState(file, str(each[Attr.STATUS]), str(each.get(Attr.SUPERSEDED_BY, "")))
        for file in files
        if (each := found.get(file.key)) is not None
    ]


def fail_file(inv: Invocation, item: Item, file: ManifestFile, error: str) -> None:
    """Marks a file of the manifest as failed, also one that was completed, unless it went elsewhere meanwhile."""
    change = {
        Attr.STATUS: FAILED,
        Attr.ERROR: error,
        Attr.ATTEMPT: item[Attr.ATTEMPT],
        Attr.UPDATED_AT: inv.now_iso(),
        Attr.TTL: inv.ttl(),
    }
    when = {Attr.BATCH_ID: manifest_id_of(item), Attr.STATUS: (MANIFESTED, PROCESSING, COMPLETED)}
    key = file_key(item[Attr.DATE], file.key)
    request = update_request(inv.settings.tracking_table, key, change, when, _RESULTS)
    if try_write(inv, inv.services.dynamodb.update_item, request):
        inv.counters.add(item[Attr.DATE], metrics.FILES_FAILED, size_bytes=file.size_bytes)
        inv.log.error("file_failed", error, file_key=file.key, manifest_id=manifest_id_of(item))
