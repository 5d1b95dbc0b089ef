"""The object of a manifest: read, and written again from the ledger where it is gone or no manifest any more.

Only for a manifest that no run is at: one that is under way has read its object. What is written is what the builder
wrote, byte by byte, because the ledger keeps the list of a sealed manifest's files and nothing changes it; so whoever
writes it writes the same, and the parts of an earlier attempt keep their plan. Files that went elsewhere since are in
it as they were: the job takes none that is not its manifest's by the ledger. Once the list is dropped for its age, the
items of the files tell. It is written only in place of what was seen, so that what somebody restores meanwhile stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from lambda_handler.dynamo import Contended, Item, back_off, error_code, query_pages
from lambda_handler.failing import fail_file
from lambda_handler.manifests import listed_files, manifest_id_of, own_items
from lambda_handler.report import Report
from lambda_handler.services import Invocation
from ndjctl.contracts import (
    COMPLETED,
    FAILED,
    MANIFESTED,
    MIB,
    PROCESSING,
    Attr,
    FormatError,
    Manifest,
    ManifestFile,
    split_s3_uri,
)

MANIFEST_GONE = "its manifest is gone"
"""Reason of files of which the ledger knows too little to make their manifest anew."""

_GONE = "its object is gone"
_ROUNDS = 4
_LARGEST_BYTES = 16 * MIB
"""No manifest is as large: the ledger's list of its files is one item, of 400 KB at the most."""
_OTHERS_WERE_QUICKER = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")
_OF_A_FILE = (Attr.BUCKET, Attr.FILE_KEY, Attr.SIZE_BYTES, Attr.ETAG)


class NothingLeft(Exception):
    """A manifest has no object, and the ledger cannot give it one; str() says why. is_forgotten: the ledger has no file
    of it any more; else its files have failed."""

    def __init__(self, why: str, is_forgotten: bool) -> None:
        super().__init__(why)
        self.is_forgotten = is_forgotten


def read_manifest(inv: Invocation, item: Item, report: Report) -> Manifest:
    """What the object of an open manifest says, which is written again first if need be. Raises NothingLeft, Contended
    when others keep changing the object, or what boto3 raises: only a missing key is a missing object."""
    uri = str(item[Attr.MANIFEST_PATH])
    for number in range(_ROUNDS):
        if number:
            back_off(inv, number)
        found, why, etag = _read(inv, item, uri)
        if found is not None:
            return found
        manifest = Manifest(manifest_id_of(item), item[Attr.DATE], item[Attr.CREATED_AT], _files(inv, item, why))
        if _put(inv, uri, manifest, etag):
            inv.log.warning("manifest_rewritten", manifest_id=manifest.manifest_id, why=why, files=len(manifest.files))
            report.rewritten(manifest.manifest_id, why)
            return manifest
    raise Contended(f"{uri} was changed by others {_ROUNDS} times in a row")


def _read(inv: Invocation, item: Item, uri: str) -> tuple[Manifest | None, str, str]:
    """(the manifest, or None, what is wrong with its object, and the object's ETag, empty where there is none)."""
    bucket, key = split_s3_uri(uri)
    try:
        answer = inv.services.s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error_code(error) != "NoSuchKey":
            raise
        return None, _GONE, ""
    etag = str(answer["ETag"])
    if int(answer["ContentLength"]) > _LARGEST_BYTES:
        return None, f"its object is no manifest: it has {answer['ContentLength']} bytes", etag
    try:
        found = Manifest.from_json(answer["Body"].read(), "its object")
    except FormatError as error:
        return None, str(error), etag
    if (found.manifest_id, found.date) != (manifest_id_of(item), item[Attr.DATE]):
        return None, f"its object is another manifest, {found.manifest_id[:100]!r} of {found.date[:100]!r}", etag
    return found, "", etag


def _put(inv: Invocation, uri: str, manifest: Manifest, etag: str) -> bool:
    """False when the object is no longer what was seen. etag: of that, empty where there was none."""
    bucket, key = split_s3_uri(uri)
    as_seen: dict[str, Any] = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
    try:
        inv.services.s3.put_object(
            Bucket=bucket, Key=key, Body=manifest.to_json(), ContentType="application/json", **as_seen
        )
    except ClientError as error:
        if error_code(error) in _OTHERS_WERE_QUICKER:
            return False
        raise
    return True


def _files(inv: Invocation, item: Item, why: str) -> tuple[ManifestFile, ...]:
    """Of the manifest, as its object had them. why: what is wrong with that. Raises NothingLeft."""
    listed = listed_files(inv, item)
    if listed is None:
        files = _by_their_items(inv, item)
    else:
        # With not one left that is its own, there is nothing to convert, and nobody to tell of it.
        files = listed if own_items(inv, item, [file.key for file in listed]) else ()
    if not files:
        raise NothingLeft(f"{why}, and the ledger has no files of it any more", is_forgotten=True)
    return files


def _by_their_items(inv: Invocation, item: Item) -> tuple[ManifestFile, ...]:
    """The files that are the manifest's by their own items, in the order of their keys. Reads its whole date: a list is
    gone when a manifest is older than any is while the sweep works."""
    fields = (*_OF_A_FILE, Attr.REPLACES, Attr.BATCH_ID, Attr.STATUS)
    own: list[Item] = []
    for page in query_pages(inv, Attr.DATE_PREFIX, item[Attr.DATE], fields):
        if inv.short_of_time():
            raise Contended(f"the time did not suffice to find the files of {manifest_id_of(item)}")
        own += [each for each in page if _is_of(each, manifest_id_of(item))]
    if any(name not in each for each in own for name in _OF_A_FILE):
        _fail(inv, item, own)
        raise NothingLeft(MANIFEST_GONE, is_forgotten=False)
    return tuple(
        ManifestFile(
            str(each[Attr.BUCKET]),
            str(each[Attr.FILE_KEY]),
            int(each[Attr.SIZE_BYTES]),
            str(each[Attr.ETAG]),
            str(each.get(Attr.REPLACES, "")),
        )
        for each in own
    )


def _is_of(each: Item, manifest_id: str) -> bool:
    statuses = (MANIFESTED, PROCESSING, COMPLETED, FAILED)
    return each.get(Attr.BATCH_ID) == manifest_id and each.get(Attr.STATUS) in statuses


def _fail(inv: Invocation, item: Item, own: Sequence[Item]) -> None:
    """All of them: what is visible is the output of the whole manifest, or nothing of it."""
    for each in own:
        if each[Attr.STATUS] != FAILED:
            fail_file(inv, item, each[Attr.FILE_KEY], int(each.get(Attr.SIZE_BYTES, 0)), MANIFEST_GONE)
