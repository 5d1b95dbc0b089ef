"""What is in a manifest that has been built: its files, and how each stands in the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from lambda_handler.dynamo import Item
from lambda_handler.manifests import own_items
from lambda_handler.report import Report
from lambda_handler.rewriting import read_manifest
from lambda_handler.services import Invocation
from ndjctl.contracts import Attr, ManifestFile, manifest_key, split_s3_uri


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


def file_states(inv: Invocation, item: Item, report: Report) -> list[FileState]:
    """The files that are this manifest's by the ledger, in the order of its object, which is written again if it is
    not as it should be. For a manifest that no run is at. Raises NothingLeft, Contended, or what boto3 raises."""
    files = read_manifest(inv, item, report).files
    found = own_items(inv, item, [file.key for file in files], (Attr.STATUS, Attr.SUPERSEDED_BY))
    return [
        FileState(file, str(each[Attr.STATUS]), str(each.get(Attr.SUPERSEDED_BY, "")))
        for file in files
        if (each := found.get(file.key)) is not None
    ]
